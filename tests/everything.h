/* everything.h - a message with every kind and shape of brine/type.h, random messages of any type, and their
 * comparison: for the tests and fuzz targets of the codec. Tables are walked here by other code than the library's. */
#ifndef BRINE_TESTS_EVERYTHING_H
#define BRINE_TESTS_EVERYTHING_H

#include <brine/arena.h>
#include <brine/codec.h>
#include <brine/pack.h>

#include <math.h>
#include <string.h>

struct item {
	int32_t id;
	struct brine_str name;
};
static const struct brine_field item_fields[] = {
        BRINE_FIELD(struct item, 1, id),
        BRINE_FIELD(struct item, 2, name),
};
static const struct brine_type item_type = BRINE_TYPE(struct item, "test.Item", BRINE_LAYOUT_ARRAY, item_fields);

/* MAP layout, with presence and a number far away. */
struct leaf {
	uint16_t first;
	int64_t second;
	bool has_second;
	const struct item *item;
};
static const struct brine_field leaf_fields[] = {
        BRINE_FIELD(struct leaf, 1, first),
        BRINE_FIELD_OPTIONAL(struct leaf, 7, second, has_second),
        BRINE_FIELD_POINTER(struct leaf, 300, item, &item_type),
};
static const struct brine_type leaf_type = BRINE_TYPE(struct leaf, "test.Leaf", BRINE_LAYOUT_MAP, leaf_fields);

struct bare {
	double *values;
	size_t value_count;
};
static const struct brine_field bare_fields[] = {BRINE_FIELD_REPEATED(struct bare, 1, values, value_count)};
static const struct brine_type bare_type = BRINE_TYPE(struct bare, "test.Bare", BRINE_LAYOUT_BARE, bare_fields);

struct bare_int {
	int32_t value;
};
static const struct brine_field bare_int_fields[] = {BRINE_FIELD(struct bare_int, 1, value)};
static const struct brine_type bare_int_type =
        BRINE_TYPE(struct bare_int, "test.BareInt", BRINE_LAYOUT_BARE, bare_int_fields);

struct nothing {
	char unused;
};
static const struct brine_type nothing_type = {
        BRINE_ABI, BRINE_LAYOUT_ARRAY, "test.Nothing", sizeof(struct nothing), NULL, 0};

struct price {
	struct brine_str key;
	int64_t value;
};
static const struct brine_field price_fields[] = {
        BRINE_FIELD(struct price, 1, key),
        BRINE_FIELD(struct price, 2, value),
};
static const struct brine_type price_type = BRINE_TYPE(struct price, "test.Price", BRINE_LAYOUT_ARRAY, price_fields);

struct slot {
	uint32_t key;
	struct item value;
};
static const struct brine_field slot_fields[] = {
        BRINE_FIELD(struct slot, 1, key),
        BRINE_FIELD_EMBEDDED(struct slot, 2, value, &item_type),
};
static const struct brine_type slot_type = BRINE_TYPE(struct slot, "test.Slot", BRINE_LAYOUT_ARRAY, slot_fields);

static const struct brine_enum_value color_values[] = {{"RED", 0}, {"GREEN", 1}, {"NEGATIVE", -5}};
static const struct brine_enum color_enum = {BRINE_ABI, "test.Color", color_values, 3};

struct everything {
	bool boolean;
	int8_t i8;
	int16_t i16;
	int32_t i32;
	int64_t i64;
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;
	float real;
	double wide;
	struct brine_str text;
	struct brine_bytes bytes;
	int32_t color;
	int32_t closed;
	struct brine_timestamp time;
	struct brine_value any;
	const char *cstring;
	char chars[16];
	struct item embedded;
	const struct item *pointer;
	int32_t optional;
	bool has_optional;
	struct brine_str optional_text;
	bool has_optional_text;
	int64_t *ints;
	size_t int_count;
	struct brine_str *texts;
	size_t text_count;
	struct item *items;
	size_t item_count;
	struct brine_value *anys;
	size_t any_count;
	struct price *prices;
	size_t price_count;
	struct slot *slots;
	size_t slot_count;
	int32_t which;
	union {
		int64_t number;
		struct brine_str word;
		const struct item *thing;
	} u;
	int64_t handle;
	double finite;
	struct leaf leaf;
	struct bare bare;
	struct bare_int *bares;
	size_t bare_count;
	struct nothing nothing;
	float *reals;
	size_t real_count;
	struct brine_timestamp *times;
	size_t time_count;
	const struct everything *self;
};

#define E struct everything
static const struct brine_type everything_type;
static const struct brine_field everything_fields[] = {
        BRINE_FIELD(E, 1, boolean),
        BRINE_FIELD(E, 2, i8),
        BRINE_FIELD(E, 3, i16),
        BRINE_FIELD(E, 4, i32),
        BRINE_FIELD(E, 5, i64),
        BRINE_FIELD(E, 6, u8),
        BRINE_FIELD(E, 7, u16),
        BRINE_FIELD(E, 8, u32),
        BRINE_FIELD(E, 9, u64),
        BRINE_FIELD(E, 10, real),
        BRINE_FIELD(E, 11, wide),
        BRINE_FIELD(E, 12, text),
        BRINE_FIELD(E, 13, bytes),
        BRINE_FIELD_ENUM(E, 14, color, &color_enum),
        {.name = "closed",
         .number = 15,
         .kind = BRINE_KIND_ENUM,
         .flags = BRINE_FIELD_CLOSED,
         .offset = offsetof(E, closed),
         .enumeration = &color_enum},
        BRINE_FIELD(E, 16, time),
        BRINE_FIELD(E, 17, any),
        BRINE_FIELD(E, 18, cstring),
        BRINE_FIELD_CHARS(E, 19, chars),
        BRINE_FIELD_EMBEDDED(E, 20, embedded, &item_type),
        BRINE_FIELD_POINTER(E, 21, pointer, &item_type),
        BRINE_FIELD_OPTIONAL(E, 22, optional, has_optional),
        BRINE_FIELD_OPTIONAL(E, 23, optional_text, has_optional_text),
        BRINE_FIELD_REPEATED(E, 24, ints, int_count),
        BRINE_FIELD_REPEATED(E, 25, texts, text_count),
        BRINE_FIELD_REPEATED_MESSAGE(E, 27, items, item_count, &item_type), /* 26 is a hole */
        BRINE_FIELD_REPEATED(E, 28, anys, any_count),
        BRINE_FIELD_MAP(E, 29, prices, price_count, &price_type),
        BRINE_FIELD_MAP(E, 30, slots, slot_count, &slot_type),
        BRINE_FIELD_ONEOF(E, 31, "number", u.number, which),
        BRINE_FIELD_ONEOF(E, 32, "word", u.word, which),
        BRINE_FIELD_ONEOF_MESSAGE(E, 33, "thing", u.thing, which, &item_type),
        BRINE_FIELD_EXTENDED(E, 34, handle, 5),
        {.name = "finite",
         .number = 35,
         .kind = BRINE_KIND_DOUBLE,
         .flags = BRINE_FIELD_FINITE,
         .offset = offsetof(E, finite)},
        BRINE_FIELD_EMBEDDED(E, 36, leaf, &leaf_type),
        BRINE_FIELD_EMBEDDED(E, 37, bare, &bare_type),
        BRINE_FIELD_REPEATED_MESSAGE(E, 38, bares, bare_count, &bare_int_type),
        BRINE_FIELD_EMBEDDED(E, 39, nothing, &nothing_type),
        BRINE_FIELD_REPEATED(E, 40, reals, real_count),
        BRINE_FIELD_REPEATED(E, 41, times, time_count),
        BRINE_FIELD_POINTER(E, 50, self, &everything_type),
};
static const struct brine_type everything_type =
        BRINE_TYPE(E, "test.Everything", BRINE_LAYOUT_ARRAY, everything_fields);
/* The same struct written as a map. */
static const struct brine_type everything_map_type =
        BRINE_TYPE(E, "test.EverythingMap", BRINE_LAYOUT_MAP, everything_fields);
#undef E

/* The element type of a repeated field: its value alone. */
static inline size_t kind_size(const struct brine_field *field)
{
	static const uint8_t sizes[] = {
	        [BRINE_KIND_BOOL] = 1,   [BRINE_KIND_INT8] = 1,  [BRINE_KIND_INT16] = 2,  [BRINE_KIND_INT32] = 4,
	        [BRINE_KIND_INT64] = 8,  [BRINE_KIND_UINT8] = 1, [BRINE_KIND_UINT16] = 2, [BRINE_KIND_UINT32] = 4,
	        [BRINE_KIND_UINT64] = 8, [BRINE_KIND_FLOAT] = 4, [BRINE_KIND_DOUBLE] = 8, [BRINE_KIND_ENUM] = 4,
	};
	switch (field->kind) {
	case BRINE_KIND_MESSAGE: return field->type->size;
	case BRINE_KIND_CHARS: return field->capacity;
	case BRINE_KIND_CSTRING: return sizeof(char *);
	case BRINE_KIND_TIMESTAMP: return sizeof(struct brine_timestamp);
	case BRINE_KIND_STRING:
	case BRINE_KIND_BYTES:
	case BRINE_KIND_VALUE: return sizeof(struct brine_bytes);
	default: return sizes[field->kind];
	}
}

/* Random integers are as often short as long. */
static inline uint64_t random_bits(uint64_t *seed)
{
	return random_next(seed) >> random_below(seed, 64);
}

/* Fills text with at most size bytes of valid UTF-8; returns how many. */
static inline size_t random_text(uint64_t *seed, char *text, size_t size)
{
	static const char *const pieces[] = {"a", "Z", " ", "\"", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\xa5\x92", "0"};
	size_t used = 0;
	for (size_t want = random_below(seed, size + 1);;) {
		const char *piece = pieces[random_below(seed, 8)];
		if (used + strlen(piece) > want)
			return used;
		memcpy(text + used, piece, strlen(piece));
		used += strlen(piece);
	}
}

/* Appends one random value of at most so many levels of containers, every type and size class among them. */
static inline void random_value(struct brine_buf *out, uint64_t *seed, unsigned levels)
{
	char text[300];
	uint32_t count = (uint32_t)random_below(seed, random_below(seed, 50) == 0 ? 20 : 4);
	size_t size = random_text(seed, text, random_below(seed, 8) ? 40 : sizeof text);
	uint32_t float_bits = (uint32_t)random_next(seed);
	uint64_t double_bits = random_next(seed);
	float real;
	double wide;
	memcpy(&real, &float_bits, sizeof real);
	memcpy(&wide, &double_bits, sizeof wide);
	switch (random_below(seed, levels ? 12 : 9)) {
	case 0: brine_pack_nil(out); return;
	case 1: brine_pack_bool(out, random_below(seed, 2)); return;
	case 2: brine_pack_uint(out, random_bits(seed)); return;
	case 3: brine_pack_int(out, -(int64_t)(random_bits(seed) >> 1)); return;
	case 4: brine_pack_float(out, isnan(real) ? -0.0f : real); return;
	case 5: brine_pack_double(out, isnan(wide) ? -0.0 : wide); return;
	case 6: brine_pack_str(out, text, size); return;
	case 7: brine_pack_bin(out, text, size); return;
	case 8: brine_pack_ext(out, (int8_t)random_below(seed, 128), text, size); return;
	case 9:
		brine_pack_map(out, count);
		count *= 2;
		break;
	default: brine_pack_array(out, count);
	}
	while (count--)
		random_value(out, seed, levels - 1);
}

static inline void random_message(const struct brine_type *type, void *message, uint64_t *seed,
                                  struct brine_arena *arena, unsigned levels);

static inline void random_scalar(const struct brine_field *field, void *to, uint64_t *seed, struct brine_arena *arena,
                                 unsigned levels)
{
	uint64_t bits = random_next(seed) >> (random_next(seed) % (8 * kind_size(field)) & 63);
	char text[64];
	size_t size = random_text(seed, text, field->kind == BRINE_KIND_CHARS ? field->capacity - 1 : sizeof text);
	switch (field->kind) {
	case BRINE_KIND_BOOL: *(bool *)to = bits & 1; return;
	case BRINE_KIND_ENUM:
		*(int32_t *)to = field->flags & BRINE_FIELD_CLOSED ? color_values[bits % 3].number : (int32_t)bits;
		return;
	case BRINE_KIND_FLOAT:
	case BRINE_KIND_DOUBLE: {
		bits = random_next(seed);
		if (field->flags & BRINE_FIELD_FINITE)
			bits &= UINT64_C(0xbfffffffffffffff); /* an exponent below the middle */
		/* No NaN: peers in between quiet the signalling ones. */
		if (field->kind == BRINE_KIND_FLOAT ? (bits & 0x7fffffff) > 0x7f800000 : (bits << 1) >> 53 == 0x7ff)
			bits = 0;
		memcpy(to, &bits, kind_size(field));
		return;
	}
	case BRINE_KIND_STRING:
	case BRINE_KIND_BYTES:
		*(struct brine_bytes *)to = BRINE_BYTES(brine_arena_copy(arena, text, size), size);
		return;
	case BRINE_KIND_CSTRING: *(const char **)to = brine_arena_copy(arena, text, size); return;
	case BRINE_KIND_CHARS: memcpy(to, text, size); return;
	case BRINE_KIND_TIMESTAMP:
		*(struct brine_timestamp *)to = (struct brine_timestamp){
		        (int64_t)(bits % 253402300799), random_below(seed, 2) ? 0 : (int32_t)(bits % 1000000000)};
		return;
	case BRINE_KIND_VALUE: {
		struct brine_buf out = BRINE_BUF_INIT;
		random_value(&out, seed, levels > 3 ? 3 : levels);
		*(struct brine_bytes *)to = BRINE_BYTES(brine_arena_copy(arena, out.data, out.end), out.end);
		brine_buf_done(&out);
		return;
	}
	case BRINE_KIND_MESSAGE: random_message(field->type, to, seed, arena, levels); return;
	default: memcpy(to, &bits, kind_size(field)); /* little-endian or whole: any bits will do */
	}
}

/* Fills *message, which is zero, with a random message of at most so many levels, all memory from the arena. */
static inline void random_message(const struct brine_type *type, void *message, uint64_t *seed,
                                  struct brine_arena *arena, unsigned levels)
{
	for (uint32_t i = 0; i < type->field_count; i++) {
		const struct brine_field *field = &type->fields[i];
		char *to = (char *)message + field->offset, *aux = (char *)message + field->aux;
		bool message_kind = field->kind == BRINE_KIND_MESSAGE, there = random_below(seed, 2) && levels > 8;
		size_t size = field->shape == BRINE_SHAPE_MAP ? field->type->size : kind_size(field);
		switch (field->shape) {
		case BRINE_SHAPE_REPEATED:
		case BRINE_SHAPE_MAP: {
			size_t count = random_below(seed, 30) ? random_below(seed, 4) : random_below(seed, 70);
			if (field->type && levels <= 8)
				count = 0; /* types may contain themselves */
			char *items = brine_arena_alloc(arena, count * size);
			*(char **)to = items;
			*(size_t *)aux = count;
			for (size_t k = 0; k < count; k++, items += size) {
				if (field->shape == BRINE_SHAPE_MAP)
					random_message(field->type, items, seed, arena, levels - 1);
				else
					random_scalar(field, items, seed, arena, levels - 2);
			}
			continue;
		}
		case BRINE_SHAPE_OPTIONAL: *(bool *)aux = there; break;
		case BRINE_SHAPE_ONEOF:
			there = there && *(int32_t *)aux == 0;
			if (there)
				*(int32_t *)aux = (int32_t)field->number;
			break;
		case BRINE_SHAPE_POINTER: break;
		default: there = true;
		}
		if (!there)
			continue;
		if (message_kind && (field->shape == BRINE_SHAPE_POINTER || field->shape == BRINE_SHAPE_ONEOF)) {
			*(void **)to = brine_arena_alloc(arena, size);
			to = *(char **)to;
		}
		random_scalar(field, to, seed, arena, levels - 1);
	}
}

static inline bool message_equal(const struct brine_type *type, const void *a, const void *b);

static inline bool scalar_equal(const struct brine_field *field, const void *a, const void *b)
{
	switch (field->kind) {
	case BRINE_KIND_STRING:
	case BRINE_KIND_BYTES: return brine_str_equal(*(const struct brine_str *)a, *(const struct brine_str *)b);
	case BRINE_KIND_VALUE: {
		struct brine_str x = *(const struct brine_str *)a, y = *(const struct brine_str *)b;
		static const struct brine_str nil = BRINE_STR_INIT("\xc0");
		return brine_str_equal(x.size ? x : nil, y.size ? y : nil);
	}
	case BRINE_KIND_CSTRING: {
		const char *x = *(char *const *)a, *y = *(char *const *)b;
		return strcmp(x ? x : "", y ? y : "") == 0;
	}
	case BRINE_KIND_CHARS: return strcmp(a, b) == 0;
	case BRINE_KIND_TIMESTAMP: {
		const struct brine_timestamp *x = a, *y = b;
		return x->seconds == y->seconds && x->nanos == y->nanos;
	}
	case BRINE_KIND_MESSAGE: return message_equal(field->type, a, b);
	default: return memcmp(a, b, kind_size(field)) == 0;
	}
}

/* Compares by value; floats by their bits. */
static inline bool message_equal(const struct brine_type *type, const void *a, const void *b)
{
	for (uint32_t i = 0; i < type->field_count; i++) {
		const struct brine_field *field = &type->fields[i];
		const char *x = (const char *)a + field->offset, *y = (const char *)b + field->offset;
		const char *x_aux = (const char *)a + field->aux, *y_aux = (const char *)b + field->aux;
		if (field->shape == BRINE_SHAPE_REPEATED || field->shape == BRINE_SHAPE_MAP) {
			size_t count = *(const size_t *)x_aux;
			size_t size = field->shape == BRINE_SHAPE_MAP ? field->type->size : kind_size(field);
			if (count != *(const size_t *)y_aux)
				return false;
			x = *(char *const *)x;
			y = *(char *const *)y;
			for (size_t k = 0; k < count; k++, x += size, y += size)
				if (field->shape == BRINE_SHAPE_MAP ? !message_equal(field->type, x, y)
				                                    : !scalar_equal(field, x, y))
					return false;
			continue;
		}
		bool pointer = field->shape == BRINE_SHAPE_POINTER;
		if (field->shape == BRINE_SHAPE_OPTIONAL) {
			if (*(const bool *)x_aux != *(const bool *)y_aux)
				return false;
			if (!*(const bool *)x_aux)
				continue;
		}
		if (field->shape == BRINE_SHAPE_ONEOF) {
			int32_t which = *(const int32_t *)x_aux;
			if (which != *(const int32_t *)y_aux)
				return false;
			if (which != (int32_t)field->number)
				continue;
			pointer = field->kind == BRINE_KIND_MESSAGE;
		}
		if (pointer) {
			x = *(char *const *)x;
			y = *(char *const *)y;
			if (!x != !y)
				return false;
			if (!x)
				continue;
		}
		if (!scalar_equal(field, x, y))
			return false;
	}
	return true;
}

#endif
