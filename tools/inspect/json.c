#include "inspect/json.h"

#include "base/utf8.h"
#include "inspect/hex.h"
#include "inspect/json_text.h"
#include "inspect/json_value.h"
#include "inspect/typed.h"
#include "inspect/walk.h"

struct writer {
	json_t *object;
	bool failed; /* out of memory */
	const struct inspect_record *record;
	const struct inspect_view *view;
	struct brine_arena *arena;
	struct brine_error mismatch; /* code 0: none */
};

/* Takes value; NULL is out of memory. */
static void put(struct writer *writer, const char *name, json_t *value)
{
	if (json_object_set_new_nocheck(writer->object, name, value) < 0)
		writer->failed = true;
}

static void put_number(struct writer *writer, const char *name, uint64_t number)
{
	put(writer, name, json_integer((json_int_t)number));
}

/* An element of the message, where there is one. */
static void put_element(struct writer *writer, const char *name, unsigned index, bool masked)
{
	if (index < writer->record->element_count)
		put(writer, name,
		    inspect_json_value(writer->record->elements[index], masked && !writer->view->show_secrets));
}

static void put_hex(struct writer *writer, const char *name)
{
	struct inspect_line line;
	inspect_line_init(&line, NULL);
	inspect_line_record_hex(&line, writer->record, writer->view->show_secrets);
	put(writer, name,
	    line.status < 0 ? NULL : json_stringn(brine_buf_bytes(&line.text).data, brine_buf_size(&line.text)));
	inspect_line_done(&line);
}

/* The part of a message that a schema describes, typed where it fits. */
static void put_content(struct writer *writer, const char *name, unsigned index)
{
	struct brine_bytes value = writer->record->elements[index];
	struct inspect_typed typed = inspect_typed_decode(writer->record, value, writer->arena);
	if (typed.mismatch.code)
		writer->mismatch = typed.mismatch;
	put(writer, name,
	    typed.type ? inspect_typed_json(typed.type, typed.message) : inspect_json_value(value, false));
}

static void put_json_response(struct writer *writer)
{
	bool failed = !inspect_is_nil(writer->record->elements[2]);
	if (failed)
		put_element(writer, "error", 2, false);
	if (!failed || !inspect_is_nil(writer->record->elements[3]))
		put_content(writer, "result", 3);
	put_element(writer, "opts", 4, true);
}

/* Elements behind those that the type has. */
static void put_extra(struct writer *writer, unsigned from)
{
	if (from >= writer->record->element_count)
		return;
	json_t *extra = json_array();
	for (unsigned i = from; i < writer->record->element_count; i++)
		writer->failed |=
		        json_array_append_new(extra, inspect_json_value(writer->record->elements[i], false)) < 0;
	put(writer, "extra", extra);
}

static void put_sound(struct writer *writer)
{
	const struct inspect_record *record = writer->record;
	if (record->frame.has_id)
		put_element(writer, "id", 1, false);
	if (record->method.size)
		put(writer, "method", inspect_json_text(record->method));
	switch (record->type) {
	case BRINE_FRAME_REQUEST:
		put_content(writer, "params", 3);
		put_element(writer, "opts", 4, true);
		break;
	case BRINE_FRAME_NOTIFICATION:
		put_content(writer, "params", 2);
		put_element(writer, "opts", 3, true);
		break;
	case BRINE_FRAME_RESPONSE: put_json_response(writer); break;
	case BRINE_FRAME_ITEM:
	case BRINE_FRAME_UPLOAD:
		if (record->element_count > 2)
			put_content(writer, "item", 2);
		else
			put(writer, "end", json_true());
		break;
	case BRINE_FRAME_UPLOAD_CREDIT:
	case BRINE_FRAME_ITEM_CREDIT: put_element(writer, "credit", 2, false); break;
	case BRINE_FRAME_CANCEL: break;
	case BRINE_FRAME_HELLO:
	case BRINE_FRAME_WELCOME: put_element(writer, "hello", 1, true); break;
	case BRINE_FRAME_PING:
	case BRINE_FRAME_PONG: put_element(writer, "token", 1, false); break;
	case BRINE_FRAME_GOAWAY:
		put_element(writer, "code", 1, false);
		put_element(writer, "text", 2, false);
		put_element(writer, "grace_ms", 3, false);
		break;
	default: put(writer, "message", inspect_json_value(record->piece.bytes, false)); return;
	}
	put_extra(writer, inspect_record_known_elements(record));
}

static void put_fault(struct writer *writer, const struct brine_error *fault)
{
	const struct brine_judgement *judgement = &writer->record->judgement;
	put(writer, "fault", inspect_json_error_text(fault->text, strlen(fault->text)));
	put_number(writer, "fault_offset", fault->offset);
	if (judgement->verdict == BRINE_VERDICT_OK)
		return;
	put(writer, "verdict", json_string(inspect_verdict_name(judgement->verdict)));
	if (judgement->verdict != BRINE_VERDICT_SILENT)
		put_number(writer, "verdict_code", (uint64_t)judgement->code);
}

static void put_head(struct writer *writer)
{
	static const char *const directions[] = {NULL, "c2s", "s2c"};
	const struct inspect_record *record = writer->record;
	const struct inspect_piece *piece = &record->piece;
	put_number(writer, "offset", piece->offset);
	if (record->direction != INSPECT_DIRECTION_UNKNOWN)
		put(writer, "direction", json_string(directions[record->direction]));
	if (piece->prefix_size)
		put_number(writer, "prefix", piece->prefix_size);
	put_number(writer, "size", piece->repeat ? piece->repeat : piece->bytes.size);
	put(writer, "type", json_string(inspect_record_type_name(record)));
}

static void put_undecoded(struct writer *writer)
{
	put_hex(writer, "hex");
	if (writer->record->piece.repeat)
		put_number(writer, "repeat", writer->record->piece.repeat);
	put_fault(writer, writer->record->piece.fault);
}

static void put_message(struct writer *writer)
{
	bool readable = writer->record->sound || writer->record->well_formed;
	if (writer->record->sound) {
		put_sound(writer);
	} else {
		put_fault(writer, &writer->record->fault);
		if (readable)
			put(writer, "message",
			    inspect_json_value(writer->record->piece.bytes, !writer->view->show_secrets));
	}
	if (writer->view->hex || !readable)
		put_hex(writer, "hex");
	if (writer->mismatch.code)
		put(writer, "mismatch", inspect_json_error_text(writer->mismatch.text, strlen(writer->mismatch.text)));
}

void inspect_json_record(struct inspect_line *line, const struct inspect_record *record,
                         const struct inspect_view *view, struct brine_arena *arena, bool *ret_mismatch)
{
	struct writer writer = {.object = json_object(), .record = record, .view = view, .arena = arena};
	put_head(&writer);
	if (record->piece.type == INSPECT_UNDECODED)
		put_undecoded(&writer);
	else
		put_message(&writer);
	if (writer.failed)
		line->status = BRINE_ERR_NOMEM;
	else
		inspect_json_print(line, writer.object, false);
	json_decref(writer.object);
	if (ret_mismatch && writer.mismatch.code)
		*ret_mismatch = true;
	brine_arena_reset(arena);
}
