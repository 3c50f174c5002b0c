/* compiler/schema.h - the schemas of one request, as the passes share them. Everything lives in the arena of the
 * schema. Names are checked when they are parsed: what stands here is an identifier (a package or full name: several
 * with dots). */
#ifndef BRINE_COMPILER_SCHEMA_H
#define BRINE_COMPILER_SCHEMA_H

#include <brine/arena.h>
#include <brine/buf.h>
#include <brine/error.h>
#include <brine/type.h>

enum schema_limits {
	SCHEMA_DEPTH_MAX = 32,           /* messages in messages */
	SCHEMA_FIELDS_MAX = 4096,        /* of one message; values of one enum; methods of one service */
	SCHEMA_NAME_SIZE_MAX = 128,      /* one identifier */
	SCHEMA_PATH_SIZE_MAX = 512,      /* the name of a file, a package */
	SCHEMA_FIELD_NUMBER_LEAST = 255, /* what field numbers are limited to where no option says else */
	SCHEMA_FIELD_NUMBER_MAX = 4096,
	SCHEMA_METHOD_SIZE_MAX = 255,    /* a method's name on the wire */
	SCHEMA_EMBED_FIELDS_MAX = 65536, /* of one message and those that it embeds */
	SCHEMA_ERRORS_MAX = 20,
};

struct schema_file;
struct source_info;

/* Where a walk stands that visits everything once. */
enum schema_mark {
	SCHEMA_MARK_NEW,
	SCHEMA_MARK_OPEN, /* what it leads to is being visited */
	SCHEMA_MARK_DONE,
};

/* What every declaration has. */
struct schema_decl {
	struct schema_file *file;
	const char *kind;      /* "message", "field" ... for error texts */
	const char *name;      /* as in the schema */
	const char *full_name; /* "package.Outer.Name" */
	const int32_t *path;   /* where it stands, as source_code_info counts */
	unsigned path_count;
	const char *c_option; /* (brine.*).c_name, NULL without */
	bool clashed;         /* a clash of its names was reported */
	const char *c_name;   /* set by names: field: the member; enum value: the constant; else the whole C name */
};

struct schema_enum_value {
	struct schema_decl decl;
	int32_t number;
};

struct schema_enum {
	struct schema_decl decl;
	struct schema_message *outer; /* NULL: top level */
	struct schema_enum_value *values;
	size_t value_count;
	struct schema_enum_value **by_number; /* the same, ordered; set by check */
	bool allow_alias;
};

/* What a field is to the emitters, beside its kind and shape. */
struct schema_field {
	struct schema_decl decl;
	struct schema_message *message; /* that it is in */
	int64_t number;                 /* as it came; 1 .. 2^29-1 once checked */
	uint64_t proto_type, proto_label;
	const char *type_name; /* of a message or an enum, with its leading dot; else NULL */
	int64_t oneof_index;   /* -1: none */
	bool proto3_optional;
	bool has_default;
	bool has_ext, finite, closed, any_bytes, embed;
	int64_t ext;
	uint64_t max;
	/* Set by resolve: */
	enum brine_kind kind; /* of one value; 0 where it could not be resolved */
	enum brine_shape shape;
	struct schema_message *type; /* kind MESSAGE; shape MAP: the entry */
	struct schema_enum *enumeration;
	struct schema_oneof *oneof; /* shape ONEOF */
	const char *constant;       /* shape ONEOF: its number's name in C; set by names */
};

struct schema_oneof {
	struct schema_decl decl;
	size_t member_count;
	bool synthetic; /* made by protoc for one proto3 optional field: no code */
};

struct schema_message {
	struct schema_decl decl;
	struct schema_message *outer; /* NULL: top level */
	size_t index;                 /* among the messages of its file */
	struct schema_field *fields;
	size_t field_count;
	struct schema_field **by_number; /* the same, ordered; set by check */
	struct schema_oneof *oneofs;
	size_t oneof_count;
	uint64_t layout; /* enum brine_layout once checked */
	uint64_t field_number_max;
	bool is_entry;                 /* of a map */
	struct schema_field *entry_of; /* the map field; set by resolve */
	int visit;                     /* of the search for cycles of BARE messages */
	enum schema_mark embed_mark;   /* of the walk along embedded messages */
	unsigned embed_depth;          /* levels of its struct: 1 where it embeds none */
	size_t embed_fields;           /* its fields and those of the messages that it embeds */
	struct schema_field **by_name; /* set by compare, for layout MAP */
	bool is_led_to;                /* by a field; set by compare */
	bool is_compared;              /* with a newer one; set by compare */
};

struct schema_method {
	struct schema_decl decl;
	struct schema_service *service;
	const char *input_name, *output_name;  /* types, with their leading dots */
	struct schema_message *input, *output; /* set by resolve */
	const char *wire_name;                 /* (brine.method).name, else package.Service/Method */
	uint32_t flags;                        /* enum brine_method_flags */
	const char *member;                    /* of the struct of handlers; set by names */
	bool blocking;
	uint64_t idempotency;
};

struct schema_service {
	struct schema_decl decl;
	struct schema_method *methods;
	size_t method_count;
};

struct schema_file {
	struct schema_decl decl; /* name: the path; full_name: the package, "" without */
	const char *syntax;
	const char *prefix; /* of every C name; set by names */
	const char *prefix_option;
	const char *base;    /* name without ".proto" */
	bool generate;       /* named on the command line */
	bool usable;         /* proto3: its types may be used */
	const char *missing; /* the first file that it imports and that is not there; NULL: none */
	struct source_info *info;
	/* In the order of the schema, an outer message before what it holds. */
	struct schema_message **messages;
	size_t message_count, message_room;
	struct schema_enum **enums;
	size_t enum_count, enum_room;
	struct schema_service *services;
	size_t service_count;
};

struct named_type;

struct schema {
	struct brine_arena arena;
	const char *name;          /* of the whole: for faults that have no other place */
	struct schema_file *files; /* what a file imports stands before it: compiler/files.h */
	size_t file_count;
	const struct schema_file *incomplete; /* the first one with a file missing, NULL: none */
	const void *reading;                  /* with BRINE_ERR_MALFORMED: the fault, or the begin of its file */
	struct named_type *types; /* every message, enum and service, ordered by full name; set by resolve */
	size_t type_count;
	struct brine_buf errors; /* the lines to report */
	unsigned error_count;
	bool reports_all; /* else what comes after SCHEMA_ERRORS_MAX errors is only counted */
	int status;       /* 0, or BRINE_ERR_NOMEM or BRINE_ERR_MALFORMED, which end everything */
};

/* Zeroed memory of the schema, NULL when out of memory: schema->status then says so and stays. */
void *schema_alloc(struct schema *schema, size_t count, size_t size);
const char *schema_printf(struct schema *schema, const char *format, ...) BRINE_PRINTF(2, 3);
/* A terminated copy; bytes behind a NUL are out of sight. */
const char *schema_copy(struct schema *schema, struct brine_bytes text);
/* Text of a descriptor; with a NUL in it the request is malformed, for protoc sends none. */
const char *schema_text(struct schema *schema, struct brine_bytes bytes);

/* Text of a request as it may stand in an error: escaped, cut to 60 columns. */
const char *schema_quote(struct schema *schema, const char *text);

/* Reports a fault at a declaration (NULL: of the whole request), or at a part of it: which is the field number of the
 * part in protobuf's own descriptor of the declaration (SCHEMA_NAME, SCHEMA_NUMBER ...), 0 the whole. Names among the
 * arguments must be checked or quoted. */
void schema_fault(struct schema *schema, const struct schema_decl *decl, int32_t which, const char *format, ...)
        BRINE_PRINTF(4, 5);

/* "FILE:LINE:COLUMN" of a declaration, without what is unknown. */
const char *schema_place(struct schema *schema, const struct schema_decl *decl, int32_t which);

enum schema_part {
	SCHEMA_WHOLE = 0,
	SCHEMA_NAME = 1,
	SCHEMA_FIELD_NUMBER = 3,
	SCHEMA_FIELD_TYPE = 6,
	SCHEMA_VALUE_NUMBER = 2,
	SCHEMA_INPUT = 2,
	SCHEMA_OUTPUT = 3,
	SCHEMA_SYNTAX = 12,
	SCHEMA_PACKAGE = 2,
};

/* Makes an empty schema, whose memory is limited to a multiple of the request's size. name: borrowed. */
void schema_init(struct schema *schema, const char *name, size_t request_size, const struct brine_allocator *allocator);
void schema_done(struct schema *schema);

/* Whether the struct of the field's message stands in the struct of the field. After resolve_types(). */
bool schema_embeds(const struct schema_field *field);

/* The message of a full name, NULL without. After resolve_types(). */
struct schema_message *schema_find_message(const struct schema *schema, const char *full_name);

/* The passes, in their order. Each reports faults into the schema. */
void parse_request(struct schema *schema, struct brine_bytes request);
/* Instead of a request the set that protoc -o writes. */
void parse_set(struct schema *schema, struct brine_bytes set);
void resolve_types(struct schema *schema);
void check_rules(struct schema *schema);
/* Part of check_rules(): the structs that messages embed. Without a fault every struct has an end, and following
 * embedded messages no more than BRINE_MESSAGE_DEPTH_MAX levels. */
void check_embeds(struct schema *schema);
void names_assign(struct schema *schema);

#endif
