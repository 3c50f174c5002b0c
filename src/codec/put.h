/* codec/put.h - writes MessagePack tokens in their shortest form into memory that has room for them.
 * Each function writes at `to` and returns the place behind what it wrote. Any thread. */
#ifndef BRINE_CODEC_PUT_H
#define BRINE_CODEC_PUT_H

#include "codec/endian.h"

#include <brine/bytes.h>

enum {
	BRINE_PUT_MOST = 9,            /* room for any number, nil or bool, and for any head */
	BRINE_PUT_TIMESTAMP_MOST = 15, /* room for a timestamp */
};

static inline uint8_t *brine_put8(uint8_t *to, uint8_t type, uint8_t value)
{
	to[0] = type;
	to[1] = value;
	return to + 2;
}

static inline uint8_t *brine_put16(uint8_t *to, uint8_t type, uint16_t value)
{
	to[0] = type;
	brine_store16(to + 1, value);
	return to + 3;
}

static inline uint8_t *brine_put32(uint8_t *to, uint8_t type, uint32_t value)
{
	to[0] = type;
	brine_store32(to + 1, value);
	return to + 5;
}

static inline uint8_t *brine_put64(uint8_t *to, uint8_t type, uint64_t value)
{
	to[0] = type;
	brine_store64(to + 1, value);
	return to + 9;
}

static inline uint8_t *brine_put_byte(uint8_t *to, uint8_t value)
{
	*to = value;
	return to + 1;
}

static inline uint8_t *brine_put_nil(uint8_t *to)
{
	return brine_put_byte(to, 0xc0);
}

static inline uint8_t *brine_put_bool(uint8_t *to, bool value)
{
	return brine_put_byte(to, value ? 0xc3 : 0xc2);
}

static inline uint8_t *brine_put_uint(uint8_t *to, uint64_t value)
{
	if (value < 0x80)
		return brine_put_byte(to, (uint8_t)value);
	if (value <= UINT8_MAX)
		return brine_put8(to, 0xcc, (uint8_t)value);
	if (value <= UINT16_MAX)
		return brine_put16(to, 0xcd, (uint16_t)value);
	if (value <= UINT32_MAX)
		return brine_put32(to, 0xce, (uint32_t)value);
	return brine_put64(to, 0xcf, value);
}

static inline uint8_t *brine_put_int(uint8_t *to, int64_t value)
{
	if (value >= 0)
		return brine_put_uint(to, (uint64_t)value);
	if (value >= -32)
		return brine_put_byte(to, (uint8_t)value);
	if (value >= INT8_MIN)
		return brine_put8(to, 0xd0, (uint8_t)value);
	if (value >= INT16_MIN)
		return brine_put16(to, 0xd1, (uint16_t)value);
	if (value >= INT32_MIN)
		return brine_put32(to, 0xd2, (uint32_t)value);
	return brine_put64(to, 0xd3, (uint64_t)value);
}

/* These two take the number by its address. A register could quiet a signalling NaN. */
static inline uint8_t *brine_put_float(uint8_t *to, const float *value)
{
	uint32_t bits;
	memcpy(&bits, value, sizeof bits);
	return brine_put32(to, 0xca, bits);
}

static inline uint8_t *brine_put_double(uint8_t *to, const double *value)
{
	uint64_t bits;
	memcpy(&bits, value, sizeof bits);
	return brine_put64(to, 0xcb, bits);
}

static inline uint8_t *brine_put_str_head(uint8_t *to, uint32_t size)
{
	if (size < 32)
		return brine_put_byte(to, (uint8_t)(0xa0 | size));
	if (size <= UINT8_MAX)
		return brine_put8(to, 0xd9, (uint8_t)size);
	if (size <= UINT16_MAX)
		return brine_put16(to, 0xda, (uint16_t)size);
	return brine_put32(to, 0xdb, size);
}

static inline uint8_t *brine_put_bin_head(uint8_t *to, uint32_t size)
{
	if (size <= UINT8_MAX)
		return brine_put8(to, 0xc4, (uint8_t)size);
	if (size <= UINT16_MAX)
		return brine_put16(to, 0xc5, (uint16_t)size);
	return brine_put32(to, 0xc6, size);
}

static inline uint8_t *brine_put_ext_head(uint8_t *to, int8_t type, uint32_t size)
{
	if (size <= 16 && size && (size & (size - 1)) == 0)
		to = brine_put_byte(to, (uint8_t)(0xd4 + __builtin_ctz(size)));
	else if (size <= UINT8_MAX)
		to = brine_put8(to, 0xc7, (uint8_t)size);
	else if (size <= UINT16_MAX)
		to = brine_put16(to, 0xc8, (uint16_t)size);
	else
		to = brine_put32(to, 0xc9, size);
	return brine_put_byte(to, (uint8_t)type);
}

static inline uint8_t *brine_put_array_head(uint8_t *to, uint32_t count)
{
	if (count < 16)
		return brine_put_byte(to, (uint8_t)(0x90 | count));
	return count <= UINT16_MAX ? brine_put16(to, 0xdc, (uint16_t)count) : brine_put32(to, 0xdd, count);
}

static inline uint8_t *brine_put_map_head(uint8_t *to, uint32_t pair_count)
{
	if (pair_count < 16)
		return brine_put_byte(to, (uint8_t)(0x80 | pair_count));
	return pair_count <= UINT16_MAX ? brine_put16(to, 0xde, (uint16_t)pair_count)
	                                : brine_put32(to, 0xdf, pair_count);
}

/* Writes ext -1 in the shortest of its three forms. time.nanos is 0 to 999,999,999. */
static inline uint8_t *brine_put_timestamp(uint8_t *to, struct brine_timestamp time)
{
	uint64_t seconds = (uint64_t)time.seconds;
	if (seconds >> 34) { /* negative ones too */
		to = brine_put_ext_head(to, -1, 12);
		brine_store32(to, (uint32_t)time.nanos);
		brine_store64(to + 4, seconds);
		return to + 12;
	}
	uint64_t packed = (uint64_t)(uint32_t)time.nanos << 34 | seconds;
	if (packed >> 32) {
		to = brine_put_ext_head(to, -1, 8);
		brine_store64(to, packed);
		return to + 8;
	}
	to = brine_put_ext_head(to, -1, 4);
	brine_store32(to, (uint32_t)packed);
	return to + 4;
}

#endif
