/* codec/scalar.h - reads single values for the typed reader, which walks over messages in reader.c. */
#ifndef BRINE_CODEC_SCALAR_H
#define BRINE_CODEC_SCALAR_H

#include "codec/desc.h"
#include "codec/token.h"

/* The state of one brine_decode(). One thread. */
struct brine_reader {
	const uint8_t *data;
	size_t size;
	size_t at;      /* offset of the token to read next */
	unsigned depth; /* containers of the message that are open */
	unsigned flags; /* a set of enum brine_decode_flags */
	struct brine_arena *arena;
	struct brine_error *error;
};

/* Reports an error at the token to read next. Returns code. */
#define brine_reader_fail(reader, code, path, ...)                                                                     \
	brine_path_fail((reader)->error, (code), (reader)->at, (path), __VA_ARGS__)

/* Reports BRINE_ERR_TYPE, "expected int32, got str". Returns that code. */
int brine_reader_fail_type(const struct brine_reader *reader, const struct brine_path *path, const char *expected,
                           const struct brine_token *token);

/* Tells whether the token may begin a value of the field's kind. Never true for a message. */
bool brine_scalar_fits(const struct brine_field *field, const struct brine_token *token);

/* Stores the value of token in *to. The token is at reader->at, and reader->at stays there. The kind of the field is
 * not MESSAGE. *to is zero before. Errors:
 *   BRINE_ERR_TYPE    the token does not fit the kind
 *   BRINE_ERR_RANGE   the field cannot hold the value, or forbids it
 *   BRINE_ERR_UTF8    a string is not UTF-8
 *   BRINE_ERR_LIMIT   a string or bytes are longer than the field allows
 *   BRINE_ERR_DEPTH   a brine.Value nests too deep
 *   BRINE_ERR_NOMEM   also if the arena's budget is used up */
int brine_scalar_read(struct brine_reader *reader, const struct brine_path *path, const struct brine_field *field,
                      const struct brine_token *token, void *to);

/* A fast path for the most frequent values. Reads a whole scalar that no rule of its field can refuse, stores it in
 * *to, and moves reader->at behind it. Returns false and changes nothing for every other value. */
bool brine_scalar_take_plain(struct brine_reader *reader, const struct brine_field *field, void *to);

#endif
