/* inspect/walk.h - small looks into checked, encoded values: elements, pairs, text, nil, and which pairs are nobody's
 * business: those whose key speaks of authorization, cookies, tokens, passwords, secrets or API keys. */
#ifndef INSPECT_WALK_H
#define INSPECT_WALK_H

#include <brine/bytes.h>

/* What is shown in place of a secret. */
#define INSPECT_SECRET_MARK "***"

/* The elements of an array or the pairs of a map, one after the other. */
struct inspect_walk {
	struct brine_bytes rest; /* not taken yet */
};

/* Begins a walk. False, and an empty walk, where value is no array, or no map. */
bool inspect_walk_array(struct inspect_walk *walk, struct brine_bytes value);
bool inspect_walk_map(struct inspect_walk *walk, struct brine_bytes value);

/* Takes the next element of an array, encoded, borrowed from the value. False at the end. */
bool inspect_walk_element(struct inspect_walk *walk, struct brine_bytes *ret_element);

/* Takes the next pair of a map in the same way. */
bool inspect_walk_pair(struct inspect_walk *walk, struct brine_bytes *ret_key, struct brine_bytes *ret_value);

/* The content of an encoded str or bin; false for other values. */
bool inspect_text_of(struct brine_bytes value, struct brine_bytes *ret_text);

bool inspect_is_nil(struct brine_bytes value);

/* Whether the value that stands under this encoded key is a secret. */
bool inspect_is_secret(struct brine_bytes key);

#endif
