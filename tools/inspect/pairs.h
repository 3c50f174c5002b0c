/* inspect/pairs.h - small looks into encoded values: the pairs of a map, text, nil, and which pairs are nobody's
 * business: those whose key speaks of authorization, cookies, tokens, passwords, secrets or API keys. */
#ifndef INSPECT_PAIRS_H
#define INSPECT_PAIRS_H

#include <brine/bytes.h>

/* What is shown in place of a secret. */
#define INSPECT_SECRET_MARK "***"

struct inspect_pairs {
	struct brine_bytes rest; /* pairs not taken yet */
};

/* Begins a walk over the pairs of a checked map. False, and an empty walk, where value is no map. */
bool inspect_pairs_begin(struct inspect_pairs *pairs, struct brine_bytes value);

/* Takes the next pair, both as encoded values borrowed from the map. False at the end. */
bool inspect_pairs_next(struct inspect_pairs *pairs, struct brine_bytes *ret_key, struct brine_bytes *ret_value);

/* The content of an encoded str or bin; false for other values. */
bool inspect_text_of(struct brine_bytes value, struct brine_bytes *ret_text);

bool inspect_is_nil(struct brine_bytes value);

/* Whether the value that stands under this encoded key is a secret. */
bool inspect_is_secret(struct brine_bytes key);

#endif
