/* brine/error.h - every way a call of this library can fail.
 * Functions return 0 or a count on success and one of these negative codes on failure. Bands tell the origin:
 * usage -1.. (the program's mistake), system -100.. (the machine), wire -200.. (the peer broke the protocol; fatal to
 * the connection), data -300.. (bytes or values that do not fit a schema), call -400.. (how a call ended), schema
 * -500.. Functions that parse, bind or convert also take a `struct brine_error *` last: the caller's storage, NULL
 * allowed, written only on failure. */
#ifndef BRINE_ERROR_H
#define BRINE_ERROR_H

#include <brine/api.h>

/* X(name, value, text) */
#define BRINE_ERROR_MAP(X)                                                                                             \
	X(INVALID, -1, "invalid argument")                                                                             \
	X(BUSY, -2, "the object is in use")                                                                            \
	X(STATE, -3, "not possible in this state")                                                                     \
	X(ABI, -4, "the descriptor was made for another version of the library")                                       \
	X(FORKED, -5, "the object was created in another process")                                                     \
	X(WOULD_BLOCK, -6, "a blocking call on a loop thread")                                                         \
	X(NOT_FOUND, -7, "no such name")                                                                               \
	X(EXISTS, -8, "the name is taken")                                                                             \
	X(NOMEM, -100, "out of memory")                                                                                \
	X(SYSTEM, -101, "a system call failed")                                                                        \
	X(ADDRESS, -102, "malformed address")                                                                          \
	X(ADDRESS_IN_USE, -103, "address in use")                                                                      \
	X(RESOLVE, -104, "the name could not be resolved")                                                             \
	X(CONNECT, -105, "could not connect")                                                                          \
	X(NOT_SOCKET, -106, "the path exists and is not a socket")                                                     \
	X(PROTO, -200, "the peer broke the protocol")                                                                  \
	X(TOO_BIG, -201, "a message over the limit")                                                                   \
	X(UNSUPPORTED, -202, "the peer used something not supported here")                                             \
	X(NOT_BRINE, -203, "the peer does not speak Brine")                                                            \
	X(TRUNCATED, -204, "the peer closed inside a frame")                                                           \
	X(NO_PROGRESS, -205, "the peer stopped inside a frame or took nothing")                                        \
	X(GOAWAY, -206, "the peer reported a fault and closed")                                                        \
	X(MALFORMED, -300, "malformed MessagePack")                                                                    \
	X(DEPTH, -301, "nested too deep")                                                                              \
	X(TYPE, -302, "a value of the wrong type")                                                                     \
	X(RANGE, -303, "a value out of range")                                                                         \
	X(UTF8, -304, "invalid UTF-8")                                                                                 \
	X(DUPLICATE, -305, "a field twice")                                                                            \
	X(UNKNOWN_FIELD, -306, "an unknown field")                                                                     \
	X(LIMIT, -307, "a value over its limit")                                                                       \
	X(TRAILING, -308, "bytes after the value")                                                                     \
	X(ARITY, -309, "a wrong number of arguments")                                                                  \
	X(REMOTE, -400, "the peer answered with an error")                                                             \
	X(DEADLINE, -401, "deadline exceeded")                                                                         \
	X(CANCELLED, -402, "cancelled")                                                                                \
	X(LOST, -403, "connection lost, the call may have run")                                                        \
	X(NOT_SENT, -404, "connection lost, the call was not sent")                                                    \
	X(OVERLOADED, -405, "too many calls in flight")                                                                \
	X(GOING_AWAY, -406, "the connection is draining")                                                              \
	X(NO_METHOD, -407, "no such method")                                                                           \
	X(NO_CREDIT, -408, "the peer takes no more items now")                                                         \
	X(SCHEMA, -500, "a fault in a schema")

enum brine_error_code {
	BRINE_OK = 0,
#define BRINE_ERROR_ENUM(name, value, text) BRINE_ERR_##name = value,
	BRINE_ERROR_MAP(BRINE_ERROR_ENUM)
#undef BRINE_ERROR_ENUM
};

/* Codes that travel in answers and goaway frames (WIRE.md section 3). 100 and above belong to the application. */
enum brine_code {
	BRINE_CODE_FAILED = 0,
	BRINE_CODE_INVALID = 1,
	BRINE_CODE_NO_METHOD = 2,
	BRINE_CODE_DEADLINE = 3,
	BRINE_CODE_CANCELLED = 4,
	BRINE_CODE_OVERLOADED = 5,
	BRINE_CODE_GOING_AWAY = 6,
	BRINE_CODE_TOO_LARGE = 7,
	BRINE_CODE_DENIED = 8,
	BRINE_CODE_UNSUPPORTED = 9,
	BRINE_CODE_INTERNAL = 10,
	BRINE_CODE_APPLICATION = 100,
};

/* What went wrong, in the caller's storage. text is one line, always terminated, with every character that a peer or a
 * file could have chosen escaped. */
struct brine_error {
	int code;         /* one of enum brine_error_code */
	int system_errno; /* with BRINE_ERR_SYSTEM and CONNECT: errno; else 0 */
	uint64_t offset;  /* byte offset of the fault in the input, where there is one */
	char text[256];
};
#define BRINE_ERROR_INIT                                                                                               \
	{                                                                                                              \
		0, 0, 0, ""                                                                                            \
	}

BRINE_BEGIN

/* "BRINE_ERR_PROTO" and "the peer broke the protocol". Static text, never NULL, also for unknown codes. Any thread. */
BRINE_API const char *brine_error_name(int code);
BRINE_API const char *brine_error_text(int code);

/* "no such method", for a code of enum brine_code as it travels. Static text, never NULL. Any thread. */
BRINE_API const char *brine_code_text(int64_t code);

/* Fills *error (when not NULL) with code, offset and the formatted text, cut to fit; peer text among the arguments must
 * be escaped by the caller (brine_escape). format NULL: no text. Returns code, so that `return brine_fail(...)` reads
 * well. */
BRINE_API int brine_fail(struct brine_error *error, int code, uint64_t offset, const char *format, ...)
        BRINE_PRINTF(4, 5);

/* Writes size bytes of text as printable ASCII and valid UTF-8 into out (capacity bytes, always terminated): control
 * characters, bytes that are no UTF-8, bidirectional overrides and backslash become \n, \x1b, \u202e ...; what does not
 * fit is cut and ends with "...". Returns out. Any thread. */
BRINE_API char *brine_escape(char *out, size_t capacity, const void *text, size_t size);

BRINE_END

#endif
