/* brine/type.h - descriptor tables: how a C struct looks on the wire. protoc-gen-brine writes them; for structs that
 * exist already write them by hand with the macros below. Both work the same everywhere. Descriptors are constant data:
 * the program owns them, they must outlive every object that uses them, and any thread may read them.
 *
 *   struct point { int32_t x, y; };
 *   static const struct brine_field point_fields[] = {
 *           BRINE_FIELD(struct point, 1, x),
 *           BRINE_FIELD(struct point, 2, y),
 *   };
 *   static const struct brine_type point_type =
 *           BRINE_TYPE(struct point, "point", BRINE_LAYOUT_ARRAY, point_fields);
 */
#ifndef BRINE_TYPE_H
#define BRINE_TYPE_H

#include <brine/bytes.h>

struct brine_request;

/* How a message is written (WIRE.md section 7). */
enum brine_layout {
	BRINE_LAYOUT_ARRAY = 0, /* element i is field number i + 1 */
	BRINE_LAYOUT_MAP = 1,   /* a map keyed by field name */
	BRINE_LAYOUT_BARE = 2,  /* the only field's value itself */
};

/* What one value is. The C type is in the comment. */
enum brine_kind {
	BRINE_KIND_BOOL = 1,  /* bool */
	BRINE_KIND_INT8,      /* int8_t */
	BRINE_KIND_INT16,     /* int16_t */
	BRINE_KIND_INT32,     /* int32_t */
	BRINE_KIND_INT64,     /* int64_t */
	BRINE_KIND_UINT8,     /* uint8_t */
	BRINE_KIND_UINT16,    /* uint16_t */
	BRINE_KIND_UINT32,    /* uint32_t */
	BRINE_KIND_UINT64,    /* uint64_t */
	BRINE_KIND_FLOAT,     /* float */
	BRINE_KIND_DOUBLE,    /* double */
	BRINE_KIND_STRING,    /* struct brine_str, strict UTF-8 */
	BRINE_KIND_BYTES,     /* struct brine_bytes */
	BRINE_KIND_ENUM,      /* int32_t; field.enumeration names the values */
	BRINE_KIND_TIMESTAMP, /* struct brine_timestamp */
	BRINE_KIND_VALUE,     /* struct brine_value, any one value */
	BRINE_KIND_MESSAGE,   /* the struct of field.type, embedded or by pointer as the shape says */
	BRINE_KIND_CSTRING,   /* const char *, UTF-8 ended by NUL; NULL is written as "" and read never */
	BRINE_KIND_CHARS,     /* char[field.capacity], UTF-8 ended by NUL: hand tables only, BRINE_SHAPE_SINGLE */
};

/* How a value sits in its struct. offset and aux are byte offsets in the struct. */
enum brine_shape {
	BRINE_SHAPE_SINGLE = 0, /* at offset; no presence: always written, zero when missing. A message is embedded. */
	BRINE_SHAPE_OPTIONAL,   /* at offset; bool at aux says whether it is there */
	BRINE_SHAPE_POINTER,    /* message only: const pointer at offset, NULL when absent */
	BRINE_SHAPE_REPEATED, /* pointer to the first element at offset, size_t count at aux; messages in place, not by
	                         pointer */
	BRINE_SHAPE_MAP,      /* the same, of entries: kind is MESSAGE, field.type a struct with fields 1 "key" and 2
	                       * "value",      both SINGLE */
	BRINE_SHAPE_ONEOF,    /* member of a union at offset; int32_t at aux is the number of the member set, 0 none.
	                       * A message member is a const pointer. */
};

enum brine_field_flags {
	BRINE_FIELD_EXT = 1, /* integer travels as MessagePack ext of type field.ext; a bare integer is accepted too */
	BRINE_FIELD_FINITE = 2,    /* float and double: NaN and infinities are range errors */
	BRINE_FIELD_CLOSED = 4,    /* enum: numbers not named in field.enumeration are range errors */
	BRINE_FIELD_ANY_BYTES = 8, /* text: travels as str, and need not be UTF-8 */
};

struct brine_enum_value {
	const char *name; /* as in the schema */
	int32_t number;
};

struct brine_enum {
	uint32_t abi;     /* BRINE_ABI */
	const char *name; /* full name, "exchange.Side" */
	const struct brine_enum_value *values;
	uint32_t value_count;
};

struct brine_type;

struct brine_field {
	const char *name;  /* as in the schema; the key in MAP layout */
	uint32_t number;   /* 1 .. 4096 */
	uint8_t kind;      /* enum brine_kind */
	uint8_t shape;     /* enum brine_shape */
	uint8_t flags;     /* enum brine_field_flags */
	int8_t ext;        /* with BRINE_FIELD_EXT */
	uint32_t offset;   /* of the value, the pointer or the union */
	uint32_t aux;      /* of has_, count or which_, as the shape says */
	uint32_t capacity; /* BRINE_KIND_CHARS: size of the array */
	uint32_t limit; /* most bytes of a string or bytes, most elements of repeated or map; 0: no limit of its own */
	const struct brine_type *type;        /* message: its type; map: the type of an entry */
	const struct brine_enum *enumeration; /* enum: its names, or NULL */
};

struct brine_type {
	uint32_t abi;                     /* BRINE_ABI */
	uint32_t layout;                  /* enum brine_layout */
	const char *name;                 /* full name, "exchange.Order" */
	size_t size;                      /* sizeof the struct */
	const struct brine_field *fields; /* ordered by number */
	uint32_t field_count;
};

enum brine_method_flags {
	BRINE_METHOD_UPLOAD = 1,     /* rpc M(stream Q) */
	BRINE_METHOD_DOWNLOAD = 2,   /* returns (stream R) */
	BRINE_METHOD_BLOCKING = 4,   /* may block: runs on the worker pool */
	BRINE_METHOD_IDEMPOTENT = 8, /* may be sent again after a loss */
};

/* Calls the typed handler of one method: handlers is the generated struct of function pointers. Returns what the
 * handler returned, or BRINE_ERR_NO_METHOD where that pointer is NULL. Generated; `response` is zeroed before. message
 * is NULL for BRINE_METHOD_UPLOAD, response for BRINE_METHOD_DOWNLOAD: their items pass through brine_request_next()
 * and brine_request_send(). */
typedef int brine_invoke_fn(const void *handlers, struct brine_request *request, const void *message, void *response,
                            void *user);

/* Handles an untyped call: params is one encoded array that lives as long as the request. Returns 0 after
 * brine_request_reply_raw() (or for a nil answer), BRINE_PENDING, or brine_request_fail(...). */
typedef int brine_raw_handler_fn(struct brine_request *request, struct brine_bytes params, void *user);

struct brine_method {
	const char *name; /* on the wire: "exchange.Exchange/Place", or what the schema's option says */
	const struct brine_type *request;
	const struct brine_type *response;
	uint32_t flags;          /* enum brine_method_flags */
	brine_invoke_fn *invoke; /* NULL: a server answers "no such method" */
};

struct brine_service {
	uint32_t abi;     /* BRINE_ABI */
	const char *name; /* full name, "exchange.Exchange" */
	const struct brine_method *methods;
	uint32_t method_count;
};

/* The macros for tables written by hand. */

/* The kind of a member by its C type; members of other types do not compile. */
#define BRINE_KIND_OF(lvalue)                                                                                          \
	_Generic((lvalue), bool: BRINE_KIND_BOOL, signed char: BRINE_KIND_INT8, short: BRINE_KIND_INT16,                  \
	         int: BRINE_KIND_INT32, long: sizeof(long) == 8 ? BRINE_KIND_INT64 : BRINE_KIND_INT32,                    \
	         long long: BRINE_KIND_INT64, unsigned char: BRINE_KIND_UINT8, unsigned short: BRINE_KIND_UINT16,         \
	         unsigned: BRINE_KIND_UINT32, unsigned long: sizeof(long) == 8 ? BRINE_KIND_UINT64 : BRINE_KIND_UINT32,   \
	         unsigned long long: BRINE_KIND_UINT64, float: BRINE_KIND_FLOAT, double: BRINE_KIND_DOUBLE,               \
	         struct brine_str: BRINE_KIND_STRING, struct brine_bytes: BRINE_KIND_BYTES,                               \
	         struct brine_value: BRINE_KIND_VALUE, struct brine_timestamp: BRINE_KIND_TIMESTAMP,                      \
	         char *: BRINE_KIND_CSTRING, const char *: BRINE_KIND_CSTRING)
#define BRINE_MEMBER(structure, member) (((structure *)0)->member)

#define BRINE_FIELD(structure, number_, member)                                                                        \
	{                                                                                                              \
		.name = #member, .number = (number_), .kind = BRINE_KIND_OF(BRINE_MEMBER(structure, member)),          \
		.shape = BRINE_SHAPE_SINGLE, .offset = offsetof(structure, member)                                     \
	}
#define BRINE_FIELD_OPTIONAL(structure, number_, member, has_member)                                                   \
	{                                                                                                              \
		.name = #member, .number = (number_), .kind = BRINE_KIND_OF(BRINE_MEMBER(structure, member)),          \
		.shape = BRINE_SHAPE_OPTIONAL, .offset = offsetof(structure, member),                                  \
		.aux = offsetof(structure, has_member)                                                                 \
	}
#define BRINE_FIELD_ENUM(structure, number_, member, enumeration_)                                                     \
	{                                                                                                              \
		.name = #member, .number = (number_), .kind = BRINE_KIND_ENUM, .shape = BRINE_SHAPE_SINGLE,            \
		.offset = offsetof(structure, member), .enumeration = (enumeration_)                                   \
	}
/* char member[N], ended by NUL */
#define BRINE_FIELD_CHARS(structure, number_, member)                                                                  \
	{                                                                                                              \
		.name = #member, .number = (number_), .kind = BRINE_KIND_CHARS, .shape = BRINE_SHAPE_SINGLE,           \
		.offset = offsetof(structure, member), .capacity = sizeof(BRINE_MEMBER(structure, member))             \
	}
/* struct other member; */
#define BRINE_FIELD_EMBEDDED(structure, number_, member, type_)                                                        \
	{                                                                                                              \
		.name = #member, .number = (number_), .kind = BRINE_KIND_MESSAGE, .shape = BRINE_SHAPE_SINGLE,         \
		.offset = offsetof(structure, member), .type = (type_)                                                 \
	}
/* const struct other *member; NULL when absent */
#define BRINE_FIELD_POINTER(structure, number_, member, type_)                                                         \
	{                                                                                                              \
		.name = #member, .number = (number_), .kind = BRINE_KIND_MESSAGE, .shape = BRINE_SHAPE_POINTER,        \
		.offset = offsetof(structure, member), .type = (type_)                                                 \
	}
/* T *items; size_t count; of scalars, strings, bytes */
#define BRINE_FIELD_REPEATED(structure, number_, items_member, count_member)                                           \
	{                                                                                                              \
		.name = #items_member, .number = (number_),                                                            \
		.kind = BRINE_KIND_OF(*BRINE_MEMBER(structure, items_member)), .shape = BRINE_SHAPE_REPEATED,          \
		.offset = offsetof(structure, items_member), .aux = offsetof(structure, count_member)                  \
	}
/* struct other *items; size_t count; */
#define BRINE_FIELD_REPEATED_MESSAGE(structure, number_, items_member, count_member, type_)                            \
	{                                                                                                              \
		.name = #items_member, .number = (number_), .kind = BRINE_KIND_MESSAGE, .shape = BRINE_SHAPE_REPEATED, \
		.offset = offsetof(structure, items_member), .aux = offsetof(structure, count_member), .type = (type_) \
	}

/* struct entry *items; size_t count; entry_type_ describes struct entry with fields 1 "key" and 2 "value" */
#define BRINE_FIELD_MAP(structure, number_, items_member, count_member, entry_type_)                                   \
	{                                                                                                              \
		.name = #items_member, .number = (number_), .kind = BRINE_KIND_MESSAGE, .shape = BRINE_SHAPE_MAP,      \
		.offset = offsetof(structure, items_member), .aux = offsetof(structure, count_member),                 \
		.type = (entry_type_)                                                                                  \
	}
/* one member of a union: BRINE_FIELD_ONEOF(struct shape, 1, "radius", u.radius, which) */
#define BRINE_FIELD_ONEOF(structure, number_, name_, member, which_member)                                             \
	{                                                                                                              \
		.name = (name_), .number = (number_), .kind = BRINE_KIND_OF(BRINE_MEMBER(structure, member)),          \
		.shape = BRINE_SHAPE_ONEOF, .offset = offsetof(structure, member),                                     \
		.aux = offsetof(structure, which_member)                                                               \
	}
/* the same, const struct other *member */
#define BRINE_FIELD_ONEOF_MESSAGE(structure, number_, name_, member, which_member, type_)                              \
	{                                                                                                              \
		.name = (name_), .number = (number_), .kind = BRINE_KIND_MESSAGE, .shape = BRINE_SHAPE_ONEOF,          \
		.offset = offsetof(structure, member), .aux = offsetof(structure, which_member), .type = (type_)       \
	}
/* an integer that travels as ext of that type */
#define BRINE_FIELD_EXTENDED(structure, number_, member, ext_)                                                         \
	{                                                                                                              \
		.name = #member, .number = (number_), .kind = BRINE_KIND_OF(BRINE_MEMBER(structure, member)),          \
		.shape = BRINE_SHAPE_SINGLE, .flags = BRINE_FIELD_EXT, .ext = (ext_),                                  \
		.offset = offsetof(structure, member)                                                                  \
	}

#define BRINE_TYPE(structure, name_, layout_, fields_)                                                                 \
	{                                                                                                              \
		BRINE_ABI, (layout_), (name_), sizeof(structure), (fields_), sizeof(fields_) / sizeof((fields_)[0])    \
	}

#endif
