/* text/schema.h - the messages of proto/brine/text.proto as tables written by hand: the library is built without its
 * own compiler. tests/text/test_schema.c compares them with what the compiler makes. */
#ifndef BRINE_TEXT_SCHEMA_H
#define BRINE_TEXT_SCHEMA_H

#include <brine/type.h>

enum {
	TEXT_SOURCE_MAX = 128, /* bytes of a source's name */
	TEXT_STREAM_MAX = 64,  /* bytes of a stream's name */
	TEXT_SIGNAL_MAX = 64,
};

struct brine_wire_source {
	uint64_t session;
	struct brine_str name;
};

struct brine_wire_end {
	int32_t status;
	int32_t signal;
};

/* Numbers of the content of a piece. */
enum text_content {
	TEXT_CONTENT_TEXT = 3,
	TEXT_CONTENT_DATA = 4,
	TEXT_CONTENT_BEGIN = 5,
	TEXT_CONTENT_END = 6,
	TEXT_CONTENT_SIGNAL = 7,
};

struct brine_wire_piece {
	uint64_t sequence;
	struct brine_str stream;
	int32_t which; /* enum text_content; 0: none */
	union {
		struct brine_str text;
		struct brine_bytes data;
		const struct brine_wire_source *begin;
		const struct brine_wire_end *end;
		int32_t signal;
	} content;
};

struct brine_wire_receipt {
	uint64_t pieces;
	uint64_t size;
};

extern const struct brine_type brine_wire_source_type, brine_wire_piece_type, brine_wire_receipt_type;

#define TEXT_WRITE_NAME "brine.text.Text/Write"
#define TEXT_READ_NAME  "brine.text.Text/Read"

/* For callers; what a server registers has its handlers beside (service.c). */
extern const struct brine_method brine_wire_write_method, brine_wire_read_method;

#endif
