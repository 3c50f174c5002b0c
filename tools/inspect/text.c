#include "inspect/text.h"

#include "inspect/hex.h"
#include "inspect/typed.h"
#include "inspect/walk.h"

#include <inttypes.h>
#include <stdio.h>

struct printer {
	struct inspect_line *line;
	const struct inspect_record *record;
	const struct inspect_view *view;
	struct brine_arena *arena;
	struct brine_error mismatch; /* code 0: none */
};

/* Adds the elements of an array with something between them; any other value as it is. */
static void add_elements(struct inspect_line *line, struct brine_bytes array, const char *between,
                         void add(struct inspect_line *line, struct brine_bytes value))
{
	struct inspect_walk walk;
	struct brine_bytes element;
	const char *before = "";
	if (!inspect_walk_array(&walk, array))
		add(line, array);
	while (inspect_walk_element(&walk, &element)) {
		inspect_line_text(line, before);
		before = between;
		add(line, element);
	}
}

static void add_masked(struct inspect_line *line, struct brine_bytes value);

static void add_key(struct inspect_line *line, struct brine_bytes key)
{
	struct brine_bytes name;
	if (inspect_text_of(key, &name))
		inspect_line_name(line, name);
	else
		inspect_line_value(line, key);
}

/* The pairs of a map, secrets masked. */
static void add_pairs(struct inspect_line *line, struct brine_bytes map)
{
	struct inspect_walk walk;
	struct brine_bytes key, value;
	const char *before = "";
	inspect_walk_map(&walk, map);
	while (inspect_walk_pair(&walk, &key, &value)) {
		inspect_line_text(line, before);
		before = ", ";
		add_key(line, key);
		inspect_line_text(line, ": ");
		if (inspect_is_secret(key))
			inspect_line_text(line, INSPECT_SECRET_MARK);
		else
			add_masked(line, value);
	}
}

/* A value whose maps may hold secrets. Nests as deep as a checked message. */
static void add_masked(struct inspect_line *line, struct brine_bytes value)
{
	struct inspect_walk walk;
	if (inspect_walk_map(&walk, value)) {
		inspect_line_text(line, "{");
		add_pairs(line, value);
		inspect_line_text(line, "}");
	} else if (inspect_walk_array(&walk, value)) {
		inspect_line_text(line, "[");
		add_elements(line, value, ", ", add_masked);
		inspect_line_text(line, "]");
	} else {
		inspect_line_value(line, value);
	}
}

/* A part that may hold secrets, with or without them. */
static void add_guarded(const struct printer *printer, struct brine_bytes value)
{
	if (printer->view->show_secrets)
		inspect_line_value(printer->line, value);
	else
		add_masked(printer->line, value);
}

static void add_options(const struct printer *printer, unsigned index)
{
	struct inspect_walk walk;
	struct brine_bytes key, value;
	if (index >= printer->record->element_count)
		return;
	inspect_walk_map(&walk, printer->record->elements[index]);
	while (inspect_walk_pair(&walk, &key, &value)) {
		inspect_line_text(printer->line, " ");
		add_key(printer->line, key);
		inspect_line_text(printer->line, "=");
		if (inspect_is_secret(key) && !printer->view->show_secrets)
			inspect_line_text(printer->line, INSPECT_SECRET_MARK);
		else
			add_guarded(printer, value);
	}
}

static void add_method(const struct printer *printer)
{
	if (printer->record->method.size == 0)
		return;
	inspect_line_text(printer->line, " ");
	inspect_line_ink(printer->line, INSPECT_INK_METHOD);
	inspect_line_name(printer->line, printer->record->method);
	inspect_line_ink(printer->line, INSPECT_INK_NONE);
}

/* The part of a message that a schema describes, typed where it fits. Arguments stand without braces of their own. */
static void add_content(struct printer *printer, struct brine_bytes value, bool arguments)
{
	struct inspect_typed typed = inspect_typed_decode(printer->record, value, printer->arena);
	if (typed.mismatch.code)
		printer->mismatch = typed.mismatch;
	if (typed.type) {
		inspect_line_text(printer->line, arguments ? "" : "{");
		inspect_typed_text(printer->line, typed.type, typed.message);
		inspect_line_text(printer->line, arguments ? "" : "}");
	} else if (arguments) {
		add_elements(printer->line, value, ", ", inspect_line_value);
	} else {
		inspect_line_value(printer->line, value);
	}
}

static void add_request(struct printer *printer, unsigned params_index)
{
	struct brine_bytes params = printer->record->elements[params_index];
	inspect_line_text(printer->line, "(");
	if (!inspect_is_nil(params))
		add_content(printer, params, true);
	inspect_line_text(printer->line, ")");
	add_options(printer, params_index + 1);
}

static void add_response(struct printer *printer)
{
	const struct inspect_record *record = printer->record;
	struct brine_bytes error = record->elements[2], result = record->elements[3];
	if (!inspect_is_nil(error)) {
		inspect_line_text(printer->line, " ");
		inspect_line_ink(printer->line, INSPECT_INK_FAULT);
		inspect_line_text(printer->line, "error");
		inspect_line_ink(printer->line, INSPECT_INK_NONE);
		inspect_line_text(printer->line, " ");
		add_elements(printer->line, error, " ", inspect_line_value);
	}
	if (inspect_is_nil(error) || !inspect_is_nil(result)) {
		inspect_line_text(printer->line, " = ");
		add_content(printer, result, false);
	}
	add_options(printer, 4);
}

static void add_goaway(const struct printer *printer)
{
	const struct inspect_record *record = printer->record;
	for (unsigned i = 1; i < 4; i++) {
		inspect_line_text(printer->line, " ");
		inspect_line_value(printer->line, record->elements[i]);
	}
	inspect_line_text(printer->line, " ms");
}

static void add_item(struct printer *printer)
{
	if (printer->record->element_count < 3) {
		inspect_line_text(printer->line, " end");
		return;
	}
	inspect_line_text(printer->line, " ");
	add_content(printer, printer->record->elements[2], false);
}

/* Elements from the given one on, as they are. */
static void add_rest(const struct printer *printer, unsigned from, const char *before)
{
	for (unsigned i = from; i < printer->record->element_count; i++) {
		inspect_line_text(printer->line, before);
		inspect_line_value(printer->line, printer->record->elements[i]);
	}
}

static void add_sound(struct printer *printer)
{
	const struct inspect_record *record = printer->record;
	if (record->frame.has_id) {
		inspect_line_text(printer->line, " #");
		inspect_line_value(printer->line, record->elements[1]);
	}
	add_method(printer);
	switch (record->type) {
	case BRINE_FRAME_REQUEST: add_request(printer, 3); break;
	case BRINE_FRAME_NOTIFICATION: add_request(printer, 2); break;
	case BRINE_FRAME_RESPONSE: add_response(printer); break;
	case BRINE_FRAME_ITEM:
	case BRINE_FRAME_UPLOAD: add_item(printer); break;
	case BRINE_FRAME_UPLOAD_CREDIT:
	case BRINE_FRAME_ITEM_CREDIT:
		inspect_line_text(printer->line, " +");
		inspect_line_value(printer->line, record->elements[2]);
		break;
	case BRINE_FRAME_CANCEL: break;
	case BRINE_FRAME_HELLO:
	case BRINE_FRAME_WELCOME:
		inspect_line_text(printer->line, " ");
		add_guarded(printer, record->elements[1]);
		break;
	case BRINE_FRAME_GOAWAY: add_goaway(printer); break;
	default: add_rest(printer, 1, " "); return;
	}
	add_rest(printer, inspect_record_known_elements(record), " extra=");
}

static void add_fault(const struct printer *printer, const struct brine_error *fault)
{
	const struct brine_judgement *judgement = &printer->record->judgement;
	inspect_line_text(printer->line, " ");
	inspect_line_ink(printer->line, INSPECT_INK_FAULT);
	inspect_line_text(printer->line, "fault");
	inspect_line_ink(printer->line, INSPECT_INK_NONE);
	inspect_line_printf(printer->line, " at %" PRIu64, fault->offset);
	if (judgement->verdict == BRINE_VERDICT_SILENT)
		inspect_line_text(printer->line, " (close)");
	else if (judgement->verdict != BRINE_VERDICT_OK)
		inspect_line_printf(printer->line, " (%s %d)", inspect_verdict_name(judgement->verdict),
		                    judgement->code);
	inspect_line_text(printer->line, ": ");
	inspect_line_text(printer->line, fault->text);
}

static void add_undecoded(const struct printer *printer)
{
	const struct inspect_piece *piece = &printer->record->piece;
	if (piece->first) {
		add_fault(printer, piece->fault);
		inspect_line_text(printer->line, " in");
	}
	inspect_line_text(printer->line, " ");
	inspect_line_hex(printer->line, piece->bytes);
	if (piece->repeat)
		inspect_line_printf(printer->line, " x %" PRIu64, piece->repeat);
}

/* offset, direction, size, type */
static void add_head(const struct printer *printer)
{
	const struct inspect_record *record = printer->record;
	const struct inspect_piece *piece = &record->piece;
	char size[48];
	if (piece->prefix_size)
		snprintf(size, sizeof size, "%zu+%zu", piece->prefix_size, piece->bytes.size);
	else
		snprintf(size, sizeof size, "%" PRIu64, piece->repeat ? piece->repeat : piece->bytes.size);
	inspect_line_ink(printer->line, INSPECT_INK_FAINT);
	inspect_line_printf(printer->line, "%8" PRIu64 " %c %8s ", piece->offset, "-><"[record->direction], size);
	inspect_line_ink(printer->line, INSPECT_INK_NONE);
	inspect_line_ink(printer->line, record->sound ? INSPECT_INK_TYPE : INSPECT_INK_FAULT);
	inspect_line_printf(printer->line, "%-13s", inspect_record_type_name(record));
	inspect_line_ink(printer->line, INSPECT_INK_NONE);
}

void inspect_text_record(struct inspect_line *line, const struct inspect_record *record,
                         const struct inspect_view *view, struct brine_arena *arena, bool *ret_mismatch)
{
	struct printer printer = {.line = line, .record = record, .view = view, .arena = arena};
	bool hex = view->hex && record->piece.type == INSPECT_MESSAGE;
	add_head(&printer);
	if (record->piece.type == INSPECT_UNDECODED) {
		add_undecoded(&printer);
	} else if (record->sound) {
		add_sound(&printer);
	} else {
		add_fault(&printer, &record->fault);
		if (record->well_formed) {
			inspect_line_text(line, " in ");
			add_guarded(&printer, record->piece.bytes);
		}
		hex = hex || !record->well_formed;
	}
	if (printer.mismatch.code) {
		inspect_line_text(line, " (the schema does not fit: ");
		inspect_line_text(line, printer.mismatch.text);
		inspect_line_text(line, ")");
	}
	if (hex) {
		inspect_line_text(line, " hex=");
		inspect_line_record_hex(line, record, view->show_secrets);
	}
	if (ret_mismatch && printer.mismatch.code)
		*ret_mismatch = true;
	brine_arena_reset(arena);
}
