/* brine/frame.h - one message of WIRE.md sections 1, 2 and 6 between bytes and a struct. No I/O, no state between
 * calls. Any thread may call any function on its own data. */
#ifndef BRINE_FRAME_H
#define BRINE_FRAME_H

#include <brine/buf.h>
#include <brine/error.h>
#include <brine/limits.h>

enum brine_frame_type {
	BRINE_FRAME_REQUEST = 0,
	BRINE_FRAME_RESPONSE = 1,
	BRINE_FRAME_NOTIFICATION = 2,
	BRINE_FRAME_ITEM = 3,
	BRINE_FRAME_UPLOAD = 4, /* item of the upload stream, or its end where there is no item */
	BRINE_FRAME_UPLOAD_CREDIT = 5,
	BRINE_FRAME_ITEM_CREDIT = 6,
	BRINE_FRAME_CANCEL = 8,
	BRINE_FRAME_HELLO = 16,
	BRINE_FRAME_WELCOME = 17,
	BRINE_FRAME_PING = 18,
	BRINE_FRAME_PONG = 19,
	BRINE_FRAME_GOAWAY = 20,
};

/* What is assumed of a peer that has said nothing (WIRE.md section 5). */
#define BRINE_FRAME_HELLO_ASSUMED                                                                                      \
	{                                                                                                              \
		1, {NULL, 0}, false, false, 1u << 20, 256, 0, false,                                                   \
		{                                                                                                      \
			NULL, 0                                                                                        \
		}                                                                                                      \
	}

/* What the first bytes of a connection say (WIRE.md section 6). */
enum brine_wire {
	BRINE_WIRE_UNKNOWN = 0, /* more bytes needed; as an option: found out from the first bytes */
	BRINE_WIRE_FRAMED = 1,
	BRINE_WIRE_PLAIN = 2,
};

/* The error value of a response: nil is is_set false; any other shape is made to fit (WIRE.md section 3). */
struct brine_frame_error {
	bool is_set;
	bool text_only; /* came, or is to be written, as the text alone: how plain peers put it */
	int64_t code;
	struct brine_str text;   /* as it came, not escaped */
	struct brine_bytes data; /* the third element's encoded bytes; size 0: none */
};

/* The opts map of a request, response or notification. */
struct brine_frame_options {
	bool has_ttl, has_win, up;
	uint64_t ttl_ms;
	uint32_t win;
	struct brine_bytes metadata; /* the encoded map; size 0: none */
};

/* The map of a hello or welcome. Absent keys hold the assumed value; the value assumed is written only where has_ says
 * so. */
struct brine_frame_hello {
	uint64_t version; /* v; 0 or absent counts as 1 */
	struct brine_str name;
	bool has_message_size_max, has_calls_max;
	uint32_t message_size_max; /* max */
	uint32_t calls_max;        /* calls */
	uint32_t win;
	bool live;
	struct brine_bytes features; /* the encoded array; size 0: none */
};

/* One message taken apart. Views borrow from the bytes it was parsed from. Only what its type has is set. */
struct brine_frame {
	int type; /* 0 .. 127 */
	bool has_id;
	int64_t id; /* framed: 0 .. 2^32-1. plain: any; above 2^63-1 only id_bytes has it */
	struct brine_bytes
	        id_bytes; /* the id as encoded. Written as it is where size is not 0 (plain peers get theirs back) */
	struct brine_bytes method; /* str or bin content */
	struct brine_bytes params; /* encoded, always an array; written as [] where size is 0 */
	struct brine_bytes result; /* encoded: result of a response (written as nil where size is 0), item of 3 and 4
	                            * (size 0: the end) */
	struct brine_frame_error error;
	struct brine_frame_options options;
	struct brine_frame_hello hello;
	uint64_t number;       /* credit, token of ping and pong, grace_ms of goaway */
	int64_t code;          /* goaway */
	struct brine_str text; /* goaway */
};

/* How bad a message is: what WIRE.md's table "What is wrong" says it gets. */
enum brine_verdict {
	BRINE_VERDICT_OK = 0,
	BRINE_VERDICT_SILENT, /* close without a byte */
	BRINE_VERDICT_GOAWAY, /* goaway with `code`, close */
	BRINE_VERDICT_ERROR,  /* request: response error `code`; notification: drop and count; the connection goes on */
	BRINE_VERDICT_IGNORE, /* advisory, or plain answer to nothing: drop and count */
};

struct brine_judgement {
	int verdict; /* enum brine_verdict */
	int code;    /* enum brine_code that travels */
};

BRINE_BEGIN

/* Looks at the first bytes of a connection. Returns enum brine_wire, or BRINE_ERR_NOT_BRINE as soon as both modes are
 * ruled out; the text then says what it looked like (HTTP, TLS ...), by the bytes up to there alone. */
BRINE_API int brine_wire_detect(struct brine_bytes input, struct brine_error *error);

/* Finds the first frame of input: 1 and the message without its prefix, 0 when more bytes are needed, or an error:
 * BRINE_ERR_PROTO (no length, empty, no array head), BRINE_ERR_TOO_BIG as soon as prefix and head are in.
 * *ret_message borrows from input; *ret_prefix_size is the size of the length prefix (1, 2, 3 or 5). */
BRINE_API int brine_frame_find(struct brine_bytes input, const struct brine_limits *limits,
                               struct brine_bytes *ret_message, size_t *ret_prefix_size, struct brine_error *error);

/* Takes one whole message apart: checks it as MessagePack, then its shape. wire: BRINE_WIRE_FRAMED or _PLAIN. 0, or a
 * negative error with *ret_judgement saying what it deserves and ret_frame->type and id set where they were readable.
 */
BRINE_API int brine_frame_parse(struct brine_frame *ret_frame, struct brine_bytes message, int wire,
                                const struct brine_limits *limits, struct brine_judgement *ret_judgement,
                                struct brine_error *error);

/* Appends one message, with its length prefix in the shortest form when wire is BRINE_WIRE_FRAMED. Only what the type
 * has is read; encoded values in it are taken as they are. 0, BRINE_ERR_INVALID (a type that is not in enum
 * brine_frame_type), BRINE_ERR_NOMEM, BRINE_ERR_TOO_BIG (over limit_size bytes; out is then unchanged). */
BRINE_API int brine_frame_write(struct brine_buf *out, const struct brine_frame *frame, int wire, uint32_t limit_size);

/* "request", "response", "notification", "item", "upload", "credit" ... Static text; "advisory" or "reserved" for
 * others. */
BRINE_API const char *brine_frame_type_name(int type);

BRINE_END

#endif
