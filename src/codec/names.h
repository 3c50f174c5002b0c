/* codec/names.h - finds the field of a key in layout MAP. */
#ifndef BRINE_CODEC_NAMES_H
#define BRINE_CODEC_NAMES_H

#include <brine/arena.h>
#include <brine/type.h>

/* The names of one message while it is read, in the caller's storage. One thread at a time. */
struct brine_names {
	const struct brine_type *type;
	uint16_t *order; /* indexes of the fields, sorted by name; NULL if the fields are tried one by one */
	uint32_t hint;   /* index of the next field if the keys come in the order of the fields */
};

/* Prepares for keys_count keys. A map that may hold many unknown keys gets a sorted index in the arena. Without the
 * index each unknown key would cost a comparison with every field. Errors:
 *   BRINE_ERR_NOMEM */
int brine_names_init(struct brine_names *names, const struct brine_type *type, uint32_t keys_count,
                     struct brine_arena *arena);

/* Returns the field of that name, or NULL. */
const struct brine_field *brine_names_find(struct brine_names *names, struct brine_bytes name);

#endif
