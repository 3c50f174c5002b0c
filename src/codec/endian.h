/* codec/endian.h - big-endian loads and stores at any address, and floating point from its bits. Any thread. */
#ifndef BRINE_CODEC_ENDIAN_H
#define BRINE_CODEC_ENDIAN_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t brine_load16(const uint8_t *from)
{
	uint16_t value;
	memcpy(&value, from, sizeof value);
	return be16toh(value);
}

static inline uint32_t brine_load32(const uint8_t *from)
{
	uint32_t value;
	memcpy(&value, from, sizeof value);
	return be32toh(value);
}

static inline uint64_t brine_load64(const uint8_t *from)
{
	uint64_t value;
	memcpy(&value, from, sizeof value);
	return be64toh(value);
}

static inline void brine_store16(uint8_t *to, uint16_t value)
{
	value = htobe16(value);
	memcpy(to, &value, sizeof value);
}

static inline void brine_store32(uint8_t *to, uint32_t value)
{
	value = htobe32(value);
	memcpy(to, &value, sizeof value);
}

static inline void brine_store64(uint8_t *to, uint64_t value)
{
	value = htobe64(value);
	memcpy(to, &value, sizeof value);
}

static inline float brine_float_of(uint32_t bits)
{
	float value;
	memcpy(&value, &bits, sizeof value);
	return value;
}

static inline double brine_double_of(uint64_t bits)
{
	double value;
	memcpy(&value, &bits, sizeof value);
	return value;
}

#endif
