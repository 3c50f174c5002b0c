/* brine/codec.h - C structs to MessagePack bytes and back (WIRE.md section 7).
 * The functions keep no state. Any thread may call them on its own data. */
#ifndef BRINE_CODEC_H
#define BRINE_CODEC_H

#include <brine/arena.h>
#include <brine/buf.h>
#include <brine/error.h>
#include <brine/type.h>

/* Levels of nested containers. A message has at most 28, so that it fits anywhere in a frame of 32. */
#define BRINE_MESSAGE_DEPTH_MAX 28
#define BRINE_FRAME_DEPTH_MAX   32

/* The place of a message. Params and results are written differently (WIRE.md section 7 "Request"). */
enum brine_place {
	BRINE_AS_MESSAGE, /* by its layout */
	BRINE_AS_PARAMS,  /* an array; a message of layout MAP or BARE is its only element */
	BRINE_AS_RESULT,  /* by its layout, but a message without fields is nil */
};

enum brine_decode_flags {
	BRINE_DECODE_STRICT = 1,   /* refuse unknown fields: BRINE_ERR_UNKNOWN_FIELD */
	BRINE_DECODE_ARITY = 2,    /* params have the arity of plain MessagePack-RPC: BRINE_ERR_ARITY */
	BRINE_DECODE_ANY_UTF8 = 4, /* do not check strings for UTF-8 */
	BRINE_DECODE_CHECKED = 8,  /* the bytes passed brine_check() already */
	BRINE_DECODE_COPY = 16,    /* copy strings and bytes into the arena; do not borrow them from the input */
};

BRINE_BEGIN

/* Checks that bytes hold exactly one well-formed MessagePack value. depth_max counts nested containers, 1 to 32. A
 * scalar has depth 0, [] and [1] have depth 1, [[]] has depth 2. In a frame the message array is level 1. The elements
 * that all open containers still claim may never exceed the bytes that are left; a map claims two elements for each
 * pair. The check allocates nothing, does not recurse, and takes linear time. error->offset is the offset of the faulty
 * token. Errors:
 *   BRINE_ERR_MALFORMED   the value is truncated, or holds the byte 0xc1
 *   BRINE_ERR_DEPTH       containers nest deeper than depth_max
 *   BRINE_ERR_TRAILING    bytes follow the value
 *   BRINE_ERR_INVALID     depth_max is not 1 to 32 */
BRINE_API int brine_check(struct brine_bytes bytes, unsigned depth_max, struct brine_error *error);

/* Writes message, a struct that type describes, as MessagePack. *ret_bytes lives in the arena. On error *ret_bytes is
 * untouched. error->text names the path of the field, and error->offset is where in the output the faulty value would
 * have begun. Errors:
 *   BRINE_ERR_NOMEM       also if the arena's budget is used up
 *   BRINE_ERR_DEPTH       the message nests deeper than BRINE_MESSAGE_DEPTH_MAX
 *   BRINE_ERR_UTF8        a string is not UTF-8
 *   BRINE_ERR_RANGE       its field forbids the value
 *   BRINE_ERR_LIMIT       a string, bytes, repeated or map is longer than its field allows
 *   BRINE_ERR_INVALID     a pointer is NULL with a size, the number of a oneof is none of its members, or the
 *                         descriptor breaks the rules of its layout
 *   BRINE_ERR_MALFORMED   a brine.Value does not hold one MessagePack value
 *   BRINE_ERR_ABI         the descriptor was made for another version of the library */
BRINE_API int brine_dumps(struct brine_bytes *ret_bytes, const struct brine_type *type, const void *message,
                          struct brine_arena *arena, struct brine_error *error);

/* Reads one message into *ret_message, the caller's struct of type->size bytes. Strings and bytes of the struct borrow
 * from `bytes`. Everything else lives in the arena. Missing fields are zero and unknown fields are skipped. nil in the
 * place of a field counts as missing. The input may be hostile. Give the arena a budget, because an element takes more
 * memory than bytes of input; 16 times the input plus 64 KiB are plenty. On error *ret_message is untouched, and memory
 * that was taken from the arena stays taken until the arena is reset. error->text names the path of the field, what was
 * expected, and what was found. Errors:
 *   BRINE_ERR_MALFORMED   the bytes are not well-formed MessagePack
 *   BRINE_ERR_DEPTH       they nest deeper than BRINE_MESSAGE_DEPTH_MAX
 *   BRINE_ERR_TRAILING    bytes follow the message
 *   BRINE_ERR_TYPE        a value has the wrong type
 *   BRINE_ERR_RANGE       a value does not fit its field
 *   BRINE_ERR_UTF8        a string is not UTF-8
 *   BRINE_ERR_DUPLICATE   a field came twice, or two members of a oneof
 *   BRINE_ERR_LIMIT       a string, bytes, repeated or map is longer than its field allows
 *   BRINE_ERR_NOMEM       also if the arena's budget is used up
 *   BRINE_ERR_INVALID     the descriptor breaks the rules of its layout
 *   BRINE_ERR_ABI         the descriptor was made for another version of the library */
BRINE_API int brine_loads(void *ret_message, const struct brine_type *type, struct brine_bytes bytes,
                          struct brine_arena *arena, struct brine_error *error);

/* Does the same and copies strings and bytes into the arena. `bytes` is not needed afterwards. */
BRINE_API int brine_loads_copy(void *ret_message, const struct brine_type *type, struct brine_bytes bytes,
                               struct brine_arena *arena, struct brine_error *error);

/* Appends the message to out, written for its place. On error the bytes of out are as before. The errors are those of
 * brine_dumps(). */
BRINE_API int brine_encode(struct brine_buf *out, const struct brine_type *type, const void *message,
                           enum brine_place place, struct brine_error *error);

/* Reads a message from its place. flags is a set of enum brine_decode_flags. As BRINE_AS_PARAMS, nil is read as [], and
 * elements behind a MAP or BARE argument are skipped like unknown fields. Otherwise it is as brine_loads(). Errors,
 * more than those of brine_loads():
 *   BRINE_ERR_UNKNOWN_FIELD   with BRINE_DECODE_STRICT
 *   BRINE_ERR_ARITY           with BRINE_DECODE_ARITY */
BRINE_API int brine_decode(void *ret_message, const struct brine_type *type, struct brine_bytes bytes,
                           enum brine_place place, unsigned flags, struct brine_arena *arena,
                           struct brine_error *error);

/* Returns the name of a number, or NULL if the enum has no such number. The text lives as long as the descriptor. NULL
 * is allowed for enumeration and gives NULL. */
BRINE_API const char *brine_enum_name(const struct brine_enum *enumeration, int32_t number);

/* Checks a descriptor that was written by hand or loaded. The ABI, the order of the numbers, kinds, shapes, flags, the
 * offsets within the struct, and the rules of the layout BARE must be right. The first 256 message types that the
 * descriptor leads to are checked as well. Call this when a type is registered and in tests. Allocates nothing.
 * error->text names the type and the field. Errors:
 *   BRINE_ERR_ABI       the descriptor was made for another version of the library
 *   BRINE_ERR_INVALID   the descriptor breaks a rule */
BRINE_API int brine_type_check(const struct brine_type *type, struct brine_error *error);

/* Appends one MessagePack value to out as one line of text. Strings are quoted and escaped, bytes are written as
 * h"0a0b", ext values as ext(5, h"0a0b"), timestamps as in RFC 3339. At most text_max bytes of a string, bytes or ext
 * are shown; 0 means all. The text says how many bytes were left out. On error out holds the text of what was
 * understood. Errors:
 *   BRINE_ERR_NOMEM
 *   BRINE_ERR_MALFORMED   the bytes are not one value of at most 32 levels */
BRINE_API int brine_value_print(struct brine_buf *out, struct brine_bytes value, size_t text_max);

BRINE_END

#endif
