#include "codec/scan.h"

#include "codec/endian.h"

void brine_scan_init(struct brine_scan *scan, unsigned depth_max, uint64_t size_max)
{
	*scan = (struct brine_scan){.size_max = size_max, .depth_max = depth_max, .owed = 1};
	if (depth_max > BRINE_FRAME_DEPTH_MAX)
		scan->depth_max = BRINE_FRAME_DEPTH_MAX;
}

/* Bytes of the head that begins with type: type byte and length; the payload of a number and an ext type count as
 * content. */
static unsigned head_size(uint8_t type)
{
	static const uint8_t low[] = {1, 2, 4, 1, 2, 4};     /* of bin and ext, c4 .. c9 */
	static const uint8_t high[] = {1, 2, 4, 2, 4, 2, 4}; /* of str, array and map, d9 .. df */
	if (type >= 0xc4 && type <= 0xc9)
		return 1u + low[type - 0xc4];
	if (type >= 0xd9 && type <= 0xdf)
		return 1u + high[type - 0xd9];
	return 1;
}

/* What a whole head announces. */
struct claim {
	uint64_t elements;
	uint64_t content;
	bool container;
};

static struct claim claim_of(const uint8_t *head)
{
	uint8_t type = head[0];
	unsigned size = head_size(type);
	uint64_t length = size == 2   ? head[1]
	                  : size == 3 ? brine_load16(head + 1)
	                  : size == 5 ? brine_load32(head + 1)
	                              : 0;
	if (type < 0x80 || type >= 0xe0 || type == 0xc0 || type == 0xc2 || type == 0xc3)
		return (struct claim){0, 0, false};
	if (type < 0x90)
		return (struct claim){(type & 0x0fu) * 2u, 0, true};
	if (type < 0xa0)
		return (struct claim){type & 0x0fu, 0, true};
	if (type < 0xc0)
		return (struct claim){0, type & 0x1fu, false};
	if (type >= 0xde)
		return (struct claim){length * 2, 0, true};
	if (type >= 0xdc)
		return (struct claim){length, 0, true};
	if (type >= 0xca && type <= 0xd3) {
		static const uint8_t payload[] = {4, 8, 1, 2, 4, 8, 1, 2, 4, 8};
		return (struct claim){0, payload[type - 0xca], false};
	}
	if (type >= 0xd4 && type <= 0xd8)
		return (struct claim){0, 1 + (UINT64_C(1) << (type - 0xd4)), false};
	return (struct claim){0, length + (type >= 0xc7 && type <= 0xc9), false};
}

/* Takes one whole head; at: its offset in the value. */
static int take_head(struct brine_scan *scan, const uint8_t *head, uint64_t at, struct brine_error *error)
{
	if (head[0] == 0xc1)
		return brine_fail(error, BRINE_ERR_MALFORMED, at, "invalid type byte 0xc1 at offset %llu",
		                  (unsigned long long)at);
	struct claim claim = claim_of(head);
	if (claim.container && scan->depth == scan->depth_max)
		return brine_fail(error, BRINE_ERR_DEPTH, at, "nesting deeper than %u at offset %llu", scan->depth_max,
		                  (unsigned long long)at);
	scan->owed += claim.elements - 1;
	scan->skip = claim.content;
	/* Each owed value takes at least a byte. None of the sums can wrap: the check before bounds owed by size_max.
	 */
	uint64_t least = scan->size + scan->skip + scan->owed;
	if (least > scan->size_max)
		return brine_fail(error, BRINE_ERR_TOO_BIG, at,
		                  "value of at least %llu bytes exceeds the limit of %llu at offset %llu",
		                  (unsigned long long)least, (unsigned long long)scan->size_max,
		                  (unsigned long long)at);
	if (scan->depth)
		scan->left[scan->depth - 1]--;
	if (claim.elements)
		scan->left[scan->depth++] = claim.elements;
	while (scan->depth && scan->left[scan->depth - 1] == 0)
		scan->depth--;
	return 0;
}

int brine_scan_feed(struct brine_scan *scan, const void *data, size_t size, struct brine_error *error)
{
	const uint8_t *bytes = data;
	size_t at = 0;
	for (;;) {
		size_t step = scan->skip < size - at ? (size_t)scan->skip : size - at;
		at += step;
		scan->skip -= step;
		scan->size += step;
		if (scan->skip == 0 && scan->owed == 0)
			return 1;
		if (at == size)
			return 0;
		uint8_t type = scan->head_size ? scan->head[0] : bytes[at];
		unsigned whole = head_size(type);
		while (scan->head_size < whole && at < size)
			scan->head[scan->head_size++] = bytes[at++];
		if (scan->head_size < whole)
			return 0;
		uint64_t begin = scan->size;
		scan->size += whole;
		scan->head_size = 0;
		int status = take_head(scan, scan->head, begin, error);
		if (status < 0)
			return status;
	}
}
