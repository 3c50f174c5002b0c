/* codec/scalar.h - reads single values for the typed reader, which walks over messages in reader.c. */
#ifndef BRINE_CODEC_SCALAR_H
#define BRINE_CODEC_SCALAR_H

#include "codec/desc.h"
#include "codec/token.h"

struct brine_reader {
	const uint8_t *data;
	size_t size;
	size_t at;      /* of the token to read next */
	unsigned depth; /* containers of the message that are open */
	unsigned flags; /* enum brine_decode_flags */
	struct brine_arena *arena;
	struct brine_error *error;
};

/* An error at the token to read next. */
#define brine_reader_fail(reader, code, path, ...)                                                                     \
	brine_path_fail((reader)->error, (code), (reader)->at, (path), __VA_ARGS__)

/* BRINE_ERR_TYPE, "expected int32, got str". */
int brine_reader_fail_type(const struct brine_reader *reader, const struct brine_path *path, const char *expected,
                           const struct brine_token *token);

/* Whether the token may begin a value of the field's kind (of a message: never). */
bool brine_scalar_fits(const struct brine_field *field, const struct brine_token *token);

/* Stores the value of token, which is at reader->at and is no message, into *to, which is zero. Does not move
 * reader->at. */
int brine_scalar_read(struct brine_reader *reader, const struct brine_path *path, const struct brine_field *field,
                      const struct brine_token *token, void *to);

/* The short way for what most values are: takes a whole scalar that nothing is to be said of and stores it. False, and
 * nothing is taken, where it is something else. */
bool brine_scalar_take_plain(struct brine_reader *reader, const struct brine_field *field, void *to);

#endif
