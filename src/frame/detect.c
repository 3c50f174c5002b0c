#include <brine/frame.h>

#include "codec/endian.h"
#include "frame/prefix.h"

/* What else the bytes that decided, one or two of them, can mean, for the log of whoever wonders why the connection was
 * closed. Those behind them may not have come yet: what is said must not depend on that. */
static const char *looks_like(struct brine_bytes decided)
{
	static const struct {
		const char *bytes, *name;
	} others[] = {
	        {"GE", "an HTTP request"},
	        {"PO", "an HTTP request"},
	        {"HE", "an HTTP request"},
	        {"PU", "an HTTP request"},
	        {"DE", "an HTTP request"},
	        {"OP", "an HTTP request"},
	        {"HT", "an HTTP response"},
	        {"PR", "an HTTP/2 preface or a PROXY header"},
	        {"\x16\x03", "a TLS handshake"},
	        {"\x15\x03", "a TLS alert"},
	        {"SS", "an SSH banner"},
	        {"{\"", "JSON"},
	        {"[{", "JSON"},
	        {"Co", "the header of a language server's message"},
	        {"*1", "Redis"},
	        {"-E", "an error of Redis"},
	        {"22", "the greeting of a mail or file server"},
	        {"+O", "the greeting of a mail server"},
	        {"ER", "an error of memcached"},
	        {"AM", "AMQP"},
	        {"RF", "a VNC greeting"},
	        {"<?", "XML"},
	        {"\x80", "Thrift"},
	};
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		size_t size = strlen(others[i].bytes);
		if (decided.size == size && memcmp(decided.data, others[i].bytes, size) == 0)
			return others[i].name;
	}
	return "another protocol";
}

static int refuse_bytes(struct brine_bytes input, size_t offset, struct brine_error *error)
{
	const uint8_t *bytes = input.data;
	return brine_fail(error, BRINE_ERR_NOT_BRINE, offset,
	                  "byte 0x%02x at offset %zu begins neither a frame nor a plain message: it looks like %s",
	                  bytes[offset], offset, looks_like(BRINE_BYTES(bytes, offset + 1)));
}

/* dc and dd begin a plain message only where they say 3 or 4; refused at the first byte that says otherwise. */
static int detect_array(struct brine_bytes input, size_t count_size, struct brine_error *error)
{
	const uint8_t *bytes = input.data;
	for (size_t i = 1; i < count_size && i < input.size; i++)
		if (bytes[i] != 0)
			return refuse_bytes(input, i, error);
	if (input.size <= count_size)
		return BRINE_WIRE_UNKNOWN;
	if (bytes[count_size] != 3 && bytes[count_size] != 4)
		return refuse_bytes(input, count_size, error);
	return BRINE_WIRE_PLAIN;
}

int brine_wire_detect(struct brine_bytes input, struct brine_error *error)
{
	if (input.size == 0)
		return BRINE_WIRE_UNKNOWN;
	const uint8_t *bytes = input.data;
	switch (bytes[0]) {
	case 0x93:
	case 0x94: return BRINE_WIRE_PLAIN;
	case 0xdc: return detect_array(input, 2, error);
	case 0xdd: return detect_array(input, 4, error);
	default: break;
	}
	struct brine_prefix prefix = brine_prefix_read(input);
	if (prefix.size == 0 || (prefix.is_whole && prefix.length == 0))
		return refuse_bytes(input, 0, error);
	if (!prefix.is_whole || input.size == prefix.size)
		return BRINE_WIRE_UNKNOWN;
	if (!brine_is_message_head(bytes[prefix.size]))
		return refuse_bytes(input, prefix.size, error);
	return BRINE_WIRE_FRAMED;
}
