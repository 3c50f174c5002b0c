/* Holds for any bytes: what frame_find and frame_parse accept is written back and parsed again to the same bytes, a
 * refusal says what it deserves, and the verdict of frame_find does not depend on the cuts. */
#include "support.h"

#include "fuzz.h"

#include <brine/codec.h>
#include <brine/frame.h>

static const struct brine_limits limits = BRINE_LIMITS_INIT;

/* The first prefix of input that decides says the same as all of it. */
static int find_by_bytes(struct brine_bytes input, struct brine_bytes *ret_message)
{
	size_t prefix_size;
	int rc = 0;
	for (size_t size = 0; rc == 0 && size <= input.size && size < 300; size++)
		rc = brine_frame_find(BRINE_BYTES(input.data, size), &limits, ret_message, &prefix_size, NULL);
	return rc;
}

static void check_written_back(const struct brine_frame *frame, int wire)
{
	struct brine_buf once = BRINE_BUF_INIT, twice = BRINE_BUF_INIT;
	struct brine_bytes message;
	struct brine_frame again;
	struct brine_judgement judgement;
	size_t prefix_size;
	HOLDS(brine_frame_write(&once, frame, wire, UINT32_MAX) == 0);
	message = brine_buf_bytes(&once);
	if (wire == BRINE_WIRE_FRAMED)
		HOLDS(brine_frame_find(brine_buf_bytes(&once), &limits, &message, &prefix_size, NULL) == 1);
	HOLDS(brine_frame_parse(&again, message, wire, &limits, &judgement, NULL) == 0);
	HOLDS(again.type == frame->type && again.id == frame->id);
	HOLDS(brine_frame_write(&twice, &again, wire, UINT32_MAX) == 0);
	HOLDS(brine_buf_size(&once) == brine_buf_size(&twice));
	HOLDS(memcmp(brine_buf_bytes(&once).data, brine_buf_bytes(&twice).data, brine_buf_size(&once)) == 0);
	brine_buf_done(&once);
	brine_buf_done(&twice);
}

/* An error of another shape becomes data, which is written one level deeper than it came: at the limit it is over. */
static bool is_too_deep(const struct brine_frame *frame)
{
	struct brine_bytes data = frame->error.data;
	return data.size && brine_check(data, limits.depth_max - 2, NULL) == BRINE_ERR_DEPTH;
}

static void check_message(struct brine_bytes message, int wire)
{
	struct brine_frame frame;
	struct brine_judgement judgement;
	struct brine_error error = BRINE_ERROR_INIT;
	int rc = brine_frame_parse(&frame, message, wire, &limits, &judgement, &error);
	HOLDS((rc == 0) == (judgement.verdict == BRINE_VERDICT_OK));
	if (rc < 0) {
		HOLDS(error.code == rc && error.text[0] && error.offset <= message.size);
		HOLDS(wire == BRINE_WIRE_FRAMED || judgement.verdict != BRINE_VERDICT_GOAWAY);
		return;
	}
	if (!is_too_deep(&frame))
		check_written_back(&frame, wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct brine_bytes input = {data, size}, message, by_bytes;
	size_t prefix_size;
	int rc = brine_frame_find(input, &limits, &message, &prefix_size, NULL);
	if (size < 300) {
		HOLDS(find_by_bytes(input, &by_bytes) == rc);
		HOLDS(rc <= 0 || (by_bytes.data == message.data && by_bytes.size == message.size));
	}
	if (rc > 0)
		check_message(message, BRINE_WIRE_FRAMED);
	check_message(input, BRINE_WIRE_PLAIN);
	return 0;
}
