/* brine/frame.h - one message of WIRE.md sections 1, 2 and 6, between bytes and a struct.
 * The functions do no I/O and keep no state. Any thread may call them on its own data. */
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
	BRINE_FRAME_UPLOAD = 4, /* an item of the upload stream; without an item, its end */
	BRINE_FRAME_UPLOAD_CREDIT = 5,
	BRINE_FRAME_ITEM_CREDIT = 6,
	BRINE_FRAME_CANCEL = 8,
	BRINE_FRAME_HELLO = 16,
	BRINE_FRAME_WELCOME = 17,
	BRINE_FRAME_PING = 18,
	BRINE_FRAME_PONG = 19,
	BRINE_FRAME_GOAWAY = 20,
};

/* The hello that is assumed of a peer before it has sent one (WIRE.md section 5). */
#define BRINE_FRAME_HELLO_ASSUMED                                                                                      \
	{                                                                                                              \
		1, {NULL, 0}, false, false, 1u << 20, 256, 0, false,                                                   \
		{                                                                                                      \
			NULL, 0                                                                                        \
		}                                                                                                      \
	}

/* The protocol of a connection, by its first bytes (WIRE.md section 6). */
enum brine_wire {
	BRINE_WIRE_UNKNOWN = 0, /* more bytes are needed; as an option, the first bytes decide */
	BRINE_WIRE_FRAMED = 1,  /* Brine: every message has a length prefix */
	BRINE_WIRE_PLAIN = 2,   /* plain MessagePack-RPC */
};

/* The error value of a response. Values of other shapes are made to fit (WIRE.md section 3). */
struct brine_frame_error {
	bool is_set;    /* false if the value is nil */
	bool text_only; /* the value is the text alone, as plain peers have it */
	int64_t code;
	struct brine_str text;   /* as it came, not escaped */
	struct brine_bytes data; /* the encoded third element; size 0 if there is none */
};

/* The opts map of a request, response or notification. */
struct brine_frame_options {
	bool has_ttl, has_win, up;
	uint64_t ttl_ms;
	uint32_t win;                /* items */
	struct brine_bytes metadata; /* the encoded map; size 0 if there is none */
};

/* The map of a hello or welcome. An absent key has its assumed value here. message_size_max and calls_max are written
 * only if their has_ member is true. */
struct brine_frame_hello {
	uint64_t version; /* v; 0 and absent count as 1 */
	struct brine_str name;
	bool has_message_size_max, has_calls_max;
	uint32_t message_size_max; /* max, in bytes */
	uint32_t calls_max;        /* calls */
	uint32_t win;              /* items */
	bool live;
	struct brine_bytes features; /* the encoded array; size 0 if there is none */
};

/* Writes a value where it belongs in a message, so that the value need not be copied there. */
struct brine_encoder {
	/* Appends one encoded value to out. Returns 0 or a negative error. On error the bytes that it appended are
	 * taken back. */
	int (*encode)(struct brine_buf *out, void *user);
	void *user;
};

/* One message, read or to be written. Views borrow from the bytes that were parsed. Members that the type does not have
 * are zero after parsing and ignored when writing. */
struct brine_frame {
	int type; /* 0 .. 127 */
	bool has_id;

	/* Framed ids are 0 to 2^32-1. Plain ids are any integer; for one above 2^63-1 only id_bytes is exact. */
	int64_t id;

	/* The encoded id. It is written as it is if its size is not 0, so that plain peers get their ids back. */
	struct brine_bytes id_bytes;

	struct brine_bytes method; /* content of the str or bin */
	struct brine_bytes params; /* one encoded array; size 0 is written as [] */

	/* Encoded: the result of a response, or the item of ITEM and UPLOAD. size 0 is written as nil, but ends an
	 * UPLOAD. */
	struct brine_bytes result;

	/* For writing. If it is not NULL, it writes the params, the item, or the result of a response without error. */
	const struct brine_encoder *encoder;

	struct brine_frame_error error;
	struct brine_frame_options options;
	struct brine_frame_hello hello;
	uint64_t number;       /* credit in items, token of ping and pong, grace_ms of goaway */
	int64_t code;          /* of goaway */
	struct brine_str text; /* of goaway */
};

/* How a message is to be treated, by WIRE.md's table "What is wrong". */
enum brine_verdict {
	BRINE_VERDICT_OK = 0,
	BRINE_VERDICT_SILENT, /* close the connection without a byte */
	BRINE_VERDICT_GOAWAY, /* send goaway with `code` and close the connection */
	BRINE_VERDICT_ERROR,  /* answer a request with error `code`, drop and count a notification, and go on */
	BRINE_VERDICT_IGNORE, /* drop and count the message and go on */
};

struct brine_judgement {
	int verdict; /* enum brine_verdict */
	int code;    /* enum brine_code to send */
};

BRINE_BEGIN

/* Decides by the first bytes of a connection. Returns one of enum brine_wire. On error error->text says what the bytes
 * look like, "an HTTP request" for example. It depends only on the bytes that decided. Errors:
 *   BRINE_ERR_NOT_BRINE   the bytes begin neither a frame nor a plain message */
BRINE_API int brine_wire_detect(struct brine_bytes input, struct brine_error *error);

/* Finds the first frame of input. Returns 1 for a whole frame and 0 if more bytes are needed. *ret_message is the
 * message without its prefix, borrowed from input. *ret_prefix_size is the size of the prefix, 1, 2, 3 or 5 bytes. Both
 * are written only with 1. The prefix and one more byte are enough to find an error. Errors:
 *   BRINE_ERR_PROTO     the bytes are no length, the frame is empty, or no array follows
 *   BRINE_ERR_TOO_BIG   the message is larger than limits->message_size_max */
BRINE_API int brine_frame_find(struct brine_bytes input, const struct brine_limits *limits,
                               struct brine_bytes *ret_message, size_t *ret_prefix_size, struct brine_error *error);

/* Reads one whole message. wire is BRINE_WIRE_FRAMED or BRINE_WIRE_PLAIN. The message is checked as MessagePack first.
 * *ret_frame and *ret_judgement are always written. On error *ret_judgement says how to treat the message, and
 * ret_frame->type and ret_frame->id are set if they were readable. Errors:
 *   BRINE_ERR_MALFORMED     the message is not well-formed MessagePack
 *   BRINE_ERR_DEPTH         it nests deeper than limits->depth_max
 *   BRINE_ERR_TRAILING      bytes follow it
 *   BRINE_ERR_PROTO         the message does not have the shape of its type
 *   BRINE_ERR_UNSUPPORTED   the type is unknown
 *   BRINE_ERR_TYPE          the method, the params or an option has the wrong type
 *   BRINE_ERR_LIMIT         the method name, the options or the metadata are too large
 *   BRINE_ERR_DUPLICATE     an option or a metadata key came twice */
BRINE_API int brine_frame_parse(struct brine_frame *ret_frame, struct brine_bytes message, int wire,
                                const struct brine_limits *limits, struct brine_judgement *ret_judgement,
                                struct brine_error *error);

/* Appends one message. With BRINE_WIRE_FRAMED its length prefix comes first, in the shortest form. Only the members
 * that the type has are read. Encoded values are copied as they are. limit_size is the most bytes of the message. On
 * error the bytes of out are as before. An error of the encoder is returned. Errors:
 *   BRINE_ERR_INVALID   the type is not in enum brine_frame_type
 *   BRINE_ERR_TOO_BIG   the message is larger than limit_size
 *   BRINE_ERR_NOMEM */
BRINE_API int brine_frame_write(struct brine_buf *out, const struct brine_frame *frame, int wire, uint32_t limit_size);

/* Returns the name of a message type, "request", "response", "upload credit" and so on. Other types are "reserved" or
 * "advisory". Static text. */
BRINE_API const char *brine_frame_type_name(int type);

BRINE_END

#endif
