/* Holds for any bytes as a recorded stream: the pieces account for every byte, in order; they do not depend on how the
 * input was cut; what is printed has no control characters and, as JSON, satisfies a strict reader. The first byte
 * chooses the options, the second how the input is cut. */
#include "support.h"

#include "fuzz.h"

#include "inspect/json.h"
#include "inspect/text.h"

#include <jansson.h>

struct state {
	struct inspect_stream stream;
	struct inspect_session session;
	struct inspect_line line;
	struct brine_arena arena;
	struct brine_buf output;
	struct inspect_view view;
	bool json;
	uint64_t accounted;
};

static void check_line(const struct inspect_line *line, bool json)
{
	struct brine_bytes text = brine_buf_bytes(&line->text);
	const uint8_t *bytes = text.data;
	for (size_t i = 0; i < text.size; i++)
		HOLDS(bytes[i] >= 0x20 && bytes[i] != 0x7f);
	if (!json)
		return;
	json_t *value = json_loadb(text.data, text.size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	HOLDS(value != NULL);
	json_decref(value);
}

static void take_pieces(struct state *state)
{
	struct inspect_piece piece;
	struct inspect_record record;
	while (inspect_stream_next(&state->stream, &piece)) {
		HOLDS(piece.offset == state->accounted);
		state->accounted += piece.prefix_size + (piece.repeat ? piece.repeat : piece.bytes.size);
		int wire = state->stream.wire;
		HOLDS(inspect_session_take(&state->session, &piece, INSPECT_S2C, wire, &record) == 0);
		inspect_line_reset(&state->line);
		if (state->json)
			inspect_json_record(&state->line, &record, &state->view, &state->arena, NULL);
		else
			inspect_text_record(&state->line, &record, &state->view, &state->arena, NULL);
		HOLDS(state->line.status == 0);
		check_line(&state->line, state->json);
		struct brine_bytes text = brine_buf_bytes(&state->line.text);
		HOLDS(brine_buf_append(&state->output, text.data, text.size) == 0);
	}
}

static struct brine_buf dump(uint8_t options, const uint8_t *data, size_t size, size_t step)
{
	struct inspect_stream_options stream = {BRINE_WIRE_UNKNOWN, options & 1, BRINE_LIMITS_INIT};
	struct state state = {.view = {options & 2, options & 4}, .json = options & 8};
	inspect_stream_init(&state.stream, &stream, NULL);
	inspect_session_init(&state.session, &stream.limits, NULL, NULL);
	inspect_line_init(&state.line, NULL);
	for (size_t at = 0; at < size; at += step) {
		size_t left = size - at;
		HOLDS(inspect_stream_feed(&state.stream, data + at, left < step ? left : step) == 0);
		take_pieces(&state);
	}
	inspect_stream_end(&state.stream);
	take_pieces(&state);
	HOLDS(state.accounted == size);
	brine_arena_done(&state.arena);
	inspect_line_done(&state.line);
	inspect_session_done(&state.session);
	inspect_stream_done(&state.stream);
	return state.output;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 3)
		return 0;
	struct brine_buf whole = dump(data[0], data + 2, size - 2, size);
	struct brine_buf cut = dump(data[0], data + 2, size - 2, 1 + data[1] % 64);
	struct brine_bytes a = brine_buf_bytes(&whole), b = brine_buf_bytes(&cut);
	HOLDS(a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0));
	brine_buf_done(&whole);
	brine_buf_done(&cut);
	return 0;
}
