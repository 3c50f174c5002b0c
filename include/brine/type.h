/* brine/type.h - descriptors, the tables that say how a C struct looks on the wire.
 * protoc-gen-brine generates descriptors. For structs that exist already, write them by hand with the macros below.
 * Both kinds work everywhere. Descriptors are constant data that the program owns. They must outlive every object that
 * uses them. Any thread may read them.
 *
 *   struct point { int32_t x, y; };
 *   static const struct brine_field point_fields[] = {
 *           BRINE_FIELD(struct point, 1, x),
 *           BRINE_FIELD(struct point, 2, y),
 *   };
 *   static const struct brine_type point_type =
 *           BRINE_TYPE(struct point, "point", BRINE_LAYOUT_ARRAY, point_fields); */
#ifndef BRINE_TYPE_H
#define BRINE_TYPE_H

#include <brine/bytes.h>

struct brine_request;

/* How a message is written (WIRE.md section 7). */
enum brine_layout {
	BRINE_LAYOUT_ARRAY = 0, /* an array whose element i is field number i + 1 */
	BRINE_LAYOUT_MAP = 1,   /* a map from field names to values */
	BRINE_LAYOUT_BARE = 2,  /* the value of the only field */
};

/* The type of one value. The comment names the C type. */
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
	BRINE_KIND_CSTRING,   /* const char *, UTF-8 ended by NUL; NULL is written as "" and never read */
	BRINE_KIND_CHARS, /* char[field.capacity], UTF-8 ended by NUL; hand-written tables only, BRINE_SHAPE_SINGLE */
};

/* How a value is stored in its struct. offset and aux are byte offsets in the struct. */
enum brine_shape {
	/* The value is at offset. It has no presence, is always written, and is zero if it was missing. A message is
	 * embedded. */
	BRINE_SHAPE_SINGLE = 0,

	/* The value is at offset. A bool at aux tells whether it is present. */
	BRINE_SHAPE_OPTIONAL,

	/* For messages. A const pointer is at offset, NULL if the message is absent. */
	BRINE_SHAPE_POINTER,

	/* A pointer to the first element is at offset, a size_t count at aux. Messages are elements, not pointers. */
	BRINE_SHAPE_REPEATED,

	/* As REPEATED, with entries as elements. The kind is MESSAGE. field.type describes an entry, a struct with the
	 * fields 1 "key" and 2 "value", both SINGLE. */
	BRINE_SHAPE_MAP,

	/* A member of the union at offset. An int32_t at aux is the number of the member that is set, 0 for none. A
	 * message member is a const pointer. */
	BRINE_SHAPE_ONEOF,
};

enum brine_field_flags {
	BRINE_FIELD_EXT = 1,       /* integer: written as ext of type field.ext, read as that or as a bare integer */
	BRINE_FIELD_FINITE = 2,    /* float and double: NaN and infinities are BRINE_ERR_RANGE */
	BRINE_FIELD_CLOSED = 4,    /* enum: numbers without a name in field.enumeration are BRINE_ERR_RANGE */
	BRINE_FIELD_ANY_BYTES = 8, /* text: written as str and need not be UTF-8 */
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
	const char *name;  /* as in the schema; the key in layout MAP */
	uint32_t number;   /* 1 .. 4096 */
	uint8_t kind;      /* enum brine_kind */
	uint8_t shape;     /* enum brine_shape */
	uint8_t flags;     /* enum brine_field_flags */
	int8_t ext;        /* the ext type, with BRINE_FIELD_EXT */
	uint32_t offset;   /* of the value, the pointer or the union */
	uint32_t aux;      /* of the bool, the count or the number, as the shape says */
	uint32_t capacity; /* BRINE_KIND_CHARS: size of the array */
	uint32_t limit;    /* most bytes of a string or bytes, most elements of a list; 0 means no limit of its own */
	const struct brine_type *type;        /* of a message, or of a map's entry */
	const struct brine_enum *enumeration; /* the names of an enum, or NULL */
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
	BRINE_METHOD_BLOCKING = 4,   /* the handler may block and runs on a worker of the server */
	BRINE_METHOD_IDEMPOTENT = 8, /* the call may be sent again after a loss */
};

/* Calls the typed handler of one method. Such a function is generated. handlers is the generated struct of function
 * pointers. message is NULL for BRINE_METHOD_UPLOAD, whose items come from brine_request_next(). response is NULL for
 * BRINE_METHOD_DOWNLOAD, whose items go through brine_request_send(); else *response is zero at first. Returns what the
 * handler returned, or BRINE_ERR_NO_METHOD if its pointer is NULL. */
typedef int brine_invoke_fn(const void *handlers, struct brine_request *request, const void *message, void *response,
                            void *user);

/* Handles an untyped call. params is one encoded array, which lives as long as the request. Returns one of these:
 *   0                         the handler called brine_request_reply_raw(), or the answer is nil
 *   BRINE_PENDING             the answer comes later
 *   brine_request_fail(...)   the call failed */
typedef int brine_raw_handler_fn(struct brine_request *request, struct brine_bytes params, void *user);

struct brine_method {
	const char *name; /* on the wire, "exchange.Exchange/Place" or as the schema's option says */
	const struct brine_type *request;
	const struct brine_type *response;
	uint32_t flags;          /* enum brine_method_flags */
	brine_invoke_fn *invoke; /* NULL makes a server answer "no such method" */
};

struct brine_service {
	uint32_t abi;     /* BRINE_ABI */
	const char *name; /* full name, "exchange.Exchange" */
	const struct brine_method *methods;
	uint32_t method_count;
};

/* The macros for tables written by hand. */

/* The kind of a member by its C type. Members of other types do not compile. */
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
/* char member[N], ended by NUL. */
#define BRINE_FIELD_CHARS(structure, number_, member)                                                                  \
	{                                                                                                              \
		.name = #member, .number = (number_), .kind = BRINE_KIND_CHARS, .shape = BRINE_SHAPE_SINGLE,           \
		.offset = offsetof(structure, member), .capacity = sizeof(BRINE_MEMBER(structure, member))             \
	}
/* struct other member. */
#define BRINE_FIELD_EMBEDDED(structure, number_, member, type_)                                                        \
	{                                                                                                              \
		.name = #member, .number = (number_), .kind = BRINE_KIND_MESSAGE, .shape = BRINE_SHAPE_SINGLE,         \
		.offset = offsetof(structure, member), .type = (type_)                                                 \
	}
/* const struct other *member, NULL if absent. */
#define BRINE_FIELD_POINTER(structure, number_, member, type_)                                                         \
	{                                                                                                              \
		.name = #member, .number = (number_), .kind = BRINE_KIND_MESSAGE, .shape = BRINE_SHAPE_POINTER,        \
		.offset = offsetof(structure, member), .type = (type_)                                                 \
	}
/* T *items and size_t count, for elements that are no messages. */
#define BRINE_FIELD_REPEATED(structure, number_, items_member, count_member)                                           \
	{                                                                                                              \
		.name = #items_member, .number = (number_),                                                            \
		.kind = BRINE_KIND_OF(*BRINE_MEMBER(structure, items_member)), .shape = BRINE_SHAPE_REPEATED,          \
		.offset = offsetof(structure, items_member), .aux = offsetof(structure, count_member)                  \
	}
/* struct other *items and size_t count. */
#define BRINE_FIELD_REPEATED_MESSAGE(structure, number_, items_member, count_member, type_)                            \
	{                                                                                                              \
		.name = #items_member, .number = (number_), .kind = BRINE_KIND_MESSAGE, .shape = BRINE_SHAPE_REPEATED, \
		.offset = offsetof(structure, items_member), .aux = offsetof(structure, count_member), .type = (type_) \
	}

/* struct entry *items and size_t count. entry_type_ describes struct entry, with the fields 1 "key" and 2 "value". */
#define BRINE_FIELD_MAP(structure, number_, items_member, count_member, entry_type_)                                   \
	{                                                                                                              \
		.name = #items_member, .number = (number_), .kind = BRINE_KIND_MESSAGE, .shape = BRINE_SHAPE_MAP,      \
		.offset = offsetof(structure, items_member), .aux = offsetof(structure, count_member),                 \
		.type = (entry_type_)                                                                                  \
	}
/* One member of a union, as in BRINE_FIELD_ONEOF(struct shape, 1, "radius", u.radius, which). */
#define BRINE_FIELD_ONEOF(structure, number_, name_, member, which_member)                                             \
	{                                                                                                              \
		.name = (name_), .number = (number_), .kind = BRINE_KIND_OF(BRINE_MEMBER(structure, member)),          \
		.shape = BRINE_SHAPE_ONEOF, .offset = offsetof(structure, member),                                     \
		.aux = offsetof(structure, which_member)                                                               \
	}
/* One member of a union, const struct other *member. */
#define BRINE_FIELD_ONEOF_MESSAGE(structure, number_, name_, member, which_member, type_)                              \
	{                                                                                                              \
		.name = (name_), .number = (number_), .kind = BRINE_KIND_MESSAGE, .shape = BRINE_SHAPE_ONEOF,          \
		.offset = offsetof(structure, member), .aux = offsetof(structure, which_member), .type = (type_)       \
	}
/* An integer that is written as ext of the type ext_. */
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
