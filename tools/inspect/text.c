#include "inspect/text.h"

#include "codec/token.h"
#include "inspect/hex.h"
#include "inspect/pairs.h"
#include "inspect/typed.h"

#include <inttypes.h>
#include <stdio.h>

struct printer {
	struct inspect_line *line;
	const struct inspect_record *record;
	const struct inspect_view *view;
	struct brine_arena *arena;
	struct brine_error mismatch; /* code 0: none */
};

/* Elements of a message that its printer shows; those behind them are shown as extra. */
static unsigned known_elements(int type)
{
	switch (type) {
	case BRINE_FRAME_REQUEST:
	case BRINE_FRAME_RESPONSE: return 5;
	case BRINE_FRAME_NOTIFICATION:
	case BRINE_FRAME_GOAWAY: return 4;
	case BRINE_FRAME_ITEM:
	case BRINE_FRAME_UPLOAD:
	case BRINE_FRAME_UPLOAD_CREDIT:
	case BRINE_FRAME_ITEM_CREDIT: return 3;
	case BRINE_FRAME_CANCEL:
	case BRINE_FRAME_HELLO:
	case BRINE_FRAME_WELCOME:
	case BRINE_FRAME_PING:
	case BRINE_FRAME_PONG: return 2;
	default: return 1;
	}
}

/* Adds the elements of an encoded array (or the values of rest, count of them) with something between them. */
static void add_elements(struct inspect_line *line, struct brine_bytes array, const char *between)
{
	struct brine_token token;
	if (brine_token_read(&token, array.data, array.size) <= 0 || token.kind != BRINE_TOKEN_ARRAY) {
		inspect_line_value(line, array);
		return;
	}
	const uint8_t *at = (const uint8_t *)array.data + token.size;
	const uint8_t *end = (const uint8_t *)array.data + array.size;
	for (uint32_t i = 0; i < token.count; i++) {
		struct brine_bytes element = {at, brine_value_size(at, (size_t)(end - at))};
		if (i)
			inspect_line_text(line, between);
		inspect_line_value(line, element);
		at += element.size;
	}
}

static void add_masked(struct inspect_line *line, struct brine_bytes value);

/* The pairs of a map, secrets masked. */
static void add_pairs(struct inspect_line *line, struct brine_bytes map, const char *equals, const char *between)
{
	struct inspect_pairs pairs;
	struct brine_bytes key, value, name;
	const char *before = "";
	inspect_pairs_begin(&pairs, map);
	while (inspect_pairs_next(&pairs, &key, &value)) {
		inspect_line_text(line, before);
		before = between;
		if (inspect_text_of(key, &name))
			inspect_line_name(line, name);
		else
			inspect_line_value(line, key);
		inspect_line_text(line, equals);
		if (inspect_is_secret(key))
			inspect_line_text(line, INSPECT_SECRET_MARK);
		else
			add_masked(line, value);
	}
}

/* A value whose maps may hold secrets. Nests as deep as a checked message. */
static void add_masked(struct inspect_line *line, struct brine_bytes value)
{
	struct brine_token token;
	int rc = brine_token_read(&token, value.data, value.size);
	if (rc > 0 && token.kind == BRINE_TOKEN_MAP) {
		inspect_line_text(line, "{");
		add_pairs(line, value, ": ", ", ");
		inspect_line_text(line, "}");
	} else if (rc > 0 && token.kind == BRINE_TOKEN_ARRAY) {
		const uint8_t *at = (const uint8_t *)value.data + token.size;
		const uint8_t *end = (const uint8_t *)value.data + value.size;
		inspect_line_text(line, "[");
		for (uint32_t i = 0; i < token.count; i++) {
			struct brine_bytes element = {at, brine_value_size(at, (size_t)(end - at))};
			inspect_line_text(line, i ? ", " : "");
			add_masked(line, element);
			at += element.size;
		}
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
	struct inspect_pairs pairs;
	struct brine_bytes key, value, name;
	if (index >= printer->record->element_count)
		return;
	if (!inspect_pairs_begin(&pairs, printer->record->elements[index])) {
		inspect_line_text(printer->line, " opts=");
		inspect_line_value(printer->line, printer->record->elements[index]);
	}
	while (inspect_pairs_next(&pairs, &key, &value)) {
		inspect_line_text(printer->line, " ");
		if (inspect_text_of(key, &name))
			inspect_line_name(printer->line, name);
		else
			inspect_line_value(printer->line, key);
		inspect_line_text(printer->line, "=");
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
		add_elements(printer->line, value, ", ");
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
		add_elements(printer->line, error, " ");
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
	add_rest(printer, known_elements(record->type), " extra=");
}

static void add_fault(const struct printer *printer, const struct brine_error *fault)
{
	static const char *const answers[] = {
	        [BRINE_VERDICT_SILENT] = "close", [BRINE_VERDICT_GOAWAY] = "goaway", [BRINE_VERDICT_ERROR] = "error"};
	const struct brine_judgement *judgement = &printer->record->judgement;
	inspect_line_text(printer->line, " ");
	inspect_line_ink(printer->line, INSPECT_INK_FAULT);
	inspect_line_text(printer->line, "fault");
	inspect_line_ink(printer->line, INSPECT_INK_NONE);
	inspect_line_printf(printer->line, " at %" PRIu64, fault->offset);
	if (judgement->verdict == BRINE_VERDICT_SILENT)
		inspect_line_text(printer->line, " (close)");
	else if (judgement->verdict != BRINE_VERDICT_OK)
		inspect_line_printf(printer->line, " (%s %d)", answers[judgement->verdict], judgement->code);
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
