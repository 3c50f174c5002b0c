/* brine/codec.h - structs to MessagePack bytes and back (WIRE.md section 7): dumps and loads.
 * Nothing here keeps state: any thread may call any function on its own data. */
#ifndef BRINE_CODEC_H
#define BRINE_CODEC_H

#include <brine/arena.h>
#include <brine/buf.h>
#include <brine/error.h>
#include <brine/type.h>

/* Deepest nesting of one message by itself, so that it fits anywhere in a frame of 32 levels. */
#define BRINE_MESSAGE_DEPTH_MAX 28
#define BRINE_FRAME_DEPTH_MAX   32

/* Where a message stands: the layout of params and results differs (WIRE.md section 7 "Request"). */
enum brine_place {
	BRINE_AS_MESSAGE, /* by its layout */
	BRINE_AS_PARAMS,  /* always an array: ARRAY is the params, MAP and BARE are its only element */
	BRINE_AS_RESULT,  /* by its layout; a message without fields is nil */
};

enum brine_decode_flags {
	BRINE_DECODE_STRICT = 1,   /* unknown fields are BRINE_ERR_UNKNOWN_FIELD */
	BRINE_DECODE_ARITY = 2,    /* BRINE_AS_PARAMS: plain MessagePack-RPC's strict arity, BRINE_ERR_ARITY */
	BRINE_DECODE_ANY_UTF8 = 4, /* strings pass as they came, without the UTF-8 check */
	BRINE_DECODE_CHECKED = 8,  /* the bytes passed brine_check() already */
	BRINE_DECODE_COPY = 16,    /* strings and bytes are copied into the arena instead of borrowed from the input */
};

BRINE_BEGIN

/* Checks that bytes hold exactly one well-formed MessagePack value. depth_max (1 .. 32) counts nested containers: a
 * scalar has depth 0, [] and [1] depth 1, [[]] depth 2; in a frame the message array itself is level 1. With 32, 32
 * arrays within each other pass and 33 do not. The elements that all open containers together still claim may never
 * exceed the bytes that are left (a map claims pairs times 2). Allocates nothing, does not recurse, linear. 0, or with
 * the offset of the token at fault: BRINE_ERR_MALFORMED, DEPTH, TRAILING; INVALID for a wrong depth_max. */
BRINE_API int brine_check(struct brine_bytes bytes, unsigned depth_max, struct brine_error *error);

/* Writes message, a struct described by type, as MessagePack. *ret_bytes lives in the arena. Errors name the field
 * path: BRINE_ERR_NOMEM (also over the arena's budget), DEPTH, UTF8, RANGE (a value its field forbids), LIMIT, INVALID
 * (a NULL with a size, a oneof's number that is no member), MALFORMED (a brine.Value that is not one value), ABI. The
 * offset is where in the output the value would have begun. On failure *ret_bytes is untouched. */
BRINE_API int brine_dumps(struct brine_bytes *ret_bytes, const struct brine_type *type, const void *message,
                          struct brine_arena *arena, struct brine_error *error);

/* Reads one message into *ret_message, the caller's struct of type->size bytes. Strings and bytes in it borrow from
 * `bytes`, everything else lives in the arena; brine_arena_done() releases all of it at once. Missing fields are zero,
 * unknown ones skipped; nil where a field is expected counts as missing. The input may be hostile: give the arena a
 * budget (16 times the input and 64 KiB are plenty), because empty elements take more memory than bytes. Errors name
 * field path, offset, expected and found. BRINE_ERR_MALFORMED, DEPTH, TYPE, RANGE, UTF8, DUPLICATE (also two members of
 * one oneof), LIMIT, TRAILING, NOMEM (also over the arena's budget), INVALID, ABI. On failure *ret_message is
 * untouched; what the arena took stays there until it is reset. */
BRINE_API int brine_loads(void *ret_message, const struct brine_type *type, struct brine_bytes bytes,
                          struct brine_arena *arena, struct brine_error *error);

/* The same, but copies strings and bytes into the arena, so that `bytes` may die. */
BRINE_API int brine_loads_copy(void *ret_message, const struct brine_type *type, struct brine_bytes bytes,
                               struct brine_arena *arena, struct brine_error *error);

/* What dumps and loads are made of. Appends to out, which on failure is as before. */
BRINE_API int brine_encode(struct brine_buf *out, const struct brine_type *type, const void *message,
                           enum brine_place place, struct brine_error *error);
/* flags: enum brine_decode_flags. As BRINE_AS_PARAMS nil is read as [], and elements behind a MAP or BARE argument are
 * skipped like unknown fields. Errors as brine_loads, and BRINE_ERR_UNKNOWN_FIELD, ARITY by flag. */
BRINE_API int brine_decode(void *ret_message, const struct brine_type *type, struct brine_bytes bytes,
                           enum brine_place place, unsigned flags, struct brine_arena *arena,
                           struct brine_error *error);

/* The name of an enum's number, or NULL. */
BRINE_API const char *brine_enum_name(const struct brine_enum *enumeration, int32_t number);

/* Checks a table written by hand (or loaded): ABI, order of numbers, kinds, shapes, offsets within size, BARE and oneof
 * rules, and so for every message type it leads to (the first 256). Allocates nothing. 0, or BRINE_ERR_ABI or INVALID
 * naming type and field. Registration and the first use of a type in tests should call it. */
BRINE_API int brine_type_check(const struct brine_type *type, struct brine_error *error);

/* Appends one MessagePack value (checked before) to out as one line of text: strings quoted and escaped, bytes as
 * h"0a0b", ext as ext(5, h"..") , timestamps as RFC 3339. text_max: most bytes of one string shown, 0 all; what is cut
 * is said. 0 or BRINE_ERR_NOMEM, MALFORMED (out then holds what was understood). */
BRINE_API int brine_value_print(struct brine_buf *out, struct brine_bytes value, size_t text_max);

BRINE_END

#endif
