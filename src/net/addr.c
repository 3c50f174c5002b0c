#include "net/addr.h"

#include "net/socket.h"

#include <arpa/inet.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>

/* What the parser reads: text[at ..] is still to come. */
struct cursor {
	const char *text;
	size_t size;
	size_t at;
	struct brine_error *error;
};

static int fail_address(const struct cursor *cursor, size_t at, const char *reason)
{
	if (at >= cursor->size)
		return brine_fail(cursor->error, BRINE_ERR_ADDRESS, at,
		                  "malformed address: %s, but it ends at byte %zu", reason, at);
	char seen[24];
	brine_escape(seen, sizeof seen, cursor->text + at, cursor->size - at < 16 ? cursor->size - at : 16);
	return brine_fail(cursor->error, BRINE_ERR_ADDRESS, at, "malformed address: %s, at byte %zu: \"%s\"", reason,
	                  at, seen);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name_char(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

static const struct scheme {
	const char *text;
	int kind;
	bool plain;
} schemes[] = {
        {"tcp://", BRINE_ADDR_TCP, false},
        {"unix://", BRINE_ADDR_UNIX, false},
        {"fd://", BRINE_ADDR_FD, false},
        {"msgpack-rpc://", BRINE_ADDR_TCP, true},
        {"msgpack-rpc+unix://", BRINE_ADDR_UNIX, true},
};

static const struct scheme *parse_scheme(struct cursor *cursor, int use)
{
	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
		size_t size = strlen(schemes[i].text);
		if (cursor->size >= size && memcmp(cursor->text, schemes[i].text, size) == 0) {
			cursor->at = size;
			return &schemes[i];
		}
	}
	fail_address(cursor, 0,
	             use == BRINE_ADDR_LISTEN ? "expected tcp://host:port, unix:///path or fd://3"
	                                      : "expected tcp://host:port, unix:///path, msgpack-rpc://host:port or "
	                                        "msgpack-rpc+unix:///path");
	return NULL;
}

/* ":" port, up to the end of the text. */
static int parse_port(struct cursor *cursor, int use, uint16_t *ret_port)
{
	if (cursor->at >= cursor->size || cursor->text[cursor->at] != ':')
		return fail_address(cursor, cursor->at, "expected ':' and a port");
	size_t start = ++cursor->at;
	uint32_t port = 0;
	for (; cursor->at < cursor->size; cursor->at++) {
		char c = cursor->text[cursor->at];
		if (!is_digit(c))
			return fail_address(cursor, cursor->at,
			                    cursor->at == start ? "expected a port number"
			                                        : "expected the end after the port");
		port = port * 10 + (uint32_t)(c - '0');
		if (port > UINT16_MAX)
			return fail_address(cursor, start, "expected a port of at most 65535");
	}
	if (cursor->at == start)
		return fail_address(cursor, start, "expected a port number");
	if (port == 0 && use == BRINE_ADDR_CONNECT)
		return fail_address(cursor, start,
		                    "expected a port from 1 to 65535 to connect to (only listeners may say 0)");
	*ret_port = (uint16_t)port;
	return 0;
}

static void fill_in6(struct brine_addr *addr, const struct in6_addr *host, uint32_t scope)
{
	addr->sockaddr.u.in6 =
	        (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = *host, .sin6_scope_id = scope};
	addr->sockaddr.size = sizeof addr->sockaddr.u.in6;
}

/* The scope of a link-local address: an interface's name or number. 0 where there is none of that name. */
static uint32_t parse_scope(const char *text, size_t size)
{
	char name[IF_NAMESIZE];
	if (size == 0 || size >= sizeof name)
		return 0;
	memcpy(name, text, size);
	name[size] = '\0';
	uint64_t number = 0;
	for (size_t i = 0; i < size && number <= UINT32_MAX; i++)
		number = is_digit(text[i]) ? number * 10 + (uint64_t)(text[i] - '0') : UINT64_MAX / 16;
	return number <= UINT32_MAX ? (uint32_t)number : if_nametoindex(name);
}

/* "[" IPv6 "]", with the cursor on the bracket. */
static int parse_bracketed(struct cursor *cursor, struct brine_addr *addr)
{
	size_t start = cursor->at + 1;
	const char *text = cursor->text + start;
	const char *close = memchr(text, ']', cursor->size - start);
	if (!close)
		return fail_address(cursor, cursor->size, "expected ']' after the IPv6 address");
	size_t size = (size_t)(close - text);
	const char *percent = memchr(text, '%', size);
	size_t host_size = percent ? (size_t)(percent - text) : size;
	char host[INET6_ADDRSTRLEN];
	struct in6_addr in6;
	if (host_size >= sizeof host)
		return fail_address(cursor, start, "expected an IPv6 address in the brackets");
	memcpy(host, text, host_size);
	host[host_size] = '\0';
	if (memchr(host, '\0', host_size) || inet_pton(AF_INET6, host, &in6) != 1)
		return fail_address(cursor, start, "expected an IPv6 address in the brackets");
	if (IN6_IS_ADDR_V4MAPPED(&in6))
		return fail_address(cursor, start,
		                    "an IPv4 address is written without brackets, as in tcp://127.0.0.1:7411");
	uint32_t scope = 0;
	if (percent && !IN6_IS_ADDR_LINKLOCAL(&in6))
		return fail_address(cursor, start + host_size, "only a link-local address (fe80::) has a scope");
	if (percent && (scope = parse_scope(percent + 1, size - host_size - 1)) == 0)
		return fail_address(cursor, start + host_size + 1,
		                    "expected the name or number of a network interface");
	if (!percent && IN6_IS_ADDR_LINKLOCAL(&in6))
		return fail_address(cursor, start + host_size,
		                    "a link-local address needs its interface, as in [fe80::1%eth0]");
	fill_in6(addr, &in6, scope);
	cursor->at = start + size + 1;
	return 0;
}

static bool is_number(const char *text, size_t size)
{
	bool hexadecimal = size > 2 && text[0] == '0' && (text[1] | 32) == 'x';
	for (size_t i = hexadecimal ? 2 : 0; i < size; i++) {
		char c = (char)(text[i] | 32);
		if (!is_digit(text[i]) && !(hexadecimal && c >= 'a' && c <= 'f'))
			return false;
	}
	return true;
}

/* The labels of a name (RFC 1123, and the underscores that are met); *ret_numeric: the last one is a number, so that
 * the whole is no name but an IPv4 address, which resolvers would otherwise read in surprising ways ("127.1", "0x7f").
 */
static int check_host_name(const struct cursor *cursor, size_t start, size_t end, bool *ret_numeric)
{
	size_t label = start;
	bool numeric = false;
	for (size_t i = start; i <= end; i++) {
		if (i < end && cursor->text[i] != '.') {
			if (!is_name_char(cursor->text[i]))
				return fail_address(cursor, i,
				                    "expected a host name or an IPv4 address (IPv6 goes in brackets)");
			continue;
		}
		if (i == label && i == end && label > start)
			break; /* a final dot */
		if (i == label)
			return fail_address(cursor, i, "expected a host");
		if (i - label > 63)
			return fail_address(cursor, label, "a part of a host name has at most 63 bytes");
		numeric = is_number(cursor->text + label, i - label);
		label = i + 1;
	}
	*ret_numeric = numeric;
	return 0;
}

static int parse_host(struct cursor *cursor, struct brine_addr *addr)
{
	size_t start = cursor->at;
	const char *text = cursor->text + start;
	const char *colon = memchr(text, ':', cursor->size - start);
	size_t size = colon ? (size_t)(colon - text) : cursor->size - start;
	if (size == 0)
		return fail_address(cursor, start, "expected a host");
	if (size > BRINE_HOST_SIZE_MAX)
		return fail_address(cursor, start + BRINE_HOST_SIZE_MAX, "a host name has at most 253 bytes");
	bool numeric = false;
	int status = check_host_name(cursor, start, start + size, &numeric);
	if (status < 0)
		return status;
	memcpy(addr->host, text, size);
	addr->host[size] = '\0';
	cursor->at = start + size;
	if (!numeric)
		return 0;
	struct sockaddr_in *in = &addr->sockaddr.u.in;
	*in = (struct sockaddr_in){.sin_family = AF_INET};
	if (inet_pton(AF_INET, addr->host, &in->sin_addr) != 1)
		return fail_address(cursor, start, "expected an IPv4 address of four numbers from 0 to 255");
	addr->sockaddr.size = sizeof *in;
	addr->host[0] = '\0';
	return 0;
}

static int parse_tcp(struct cursor *cursor, int use, struct brine_addr *addr)
{
	bool bracket = cursor->at < cursor->size && cursor->text[cursor->at] == '[';
	int status = bracket ? parse_bracketed(cursor, addr) : parse_host(cursor, addr);
	if (status == 0)
		status = parse_port(cursor, use, &addr->port);
	if (status < 0)
		return status;
	if (addr->sockaddr.size)
		brine_sockaddr_set_port(&addr->sockaddr, addr->port);
	return 0;
}

static int parse_unix(struct cursor *cursor, struct brine_addr *addr)
{
	struct sockaddr_un *un = &addr->sockaddr.u.un;
	const char *text = cursor->text + cursor->at;
	size_t size = cursor->size - cursor->at;
	if (size == 0 || (text[0] != '/' && text[0] != '@'))
		return fail_address(cursor, cursor->at,
		                    "expected an absolute path (unix:///run/x.sock) or @ and a name (unix://@x)");
	bool abstract = text[0] == '@';
	/* A path needs room for its NUL, an abstract name has one in front. */
	size_t most = sizeof un->sun_path - (abstract ? 0 : 1);
	if (size > most)
		return fail_address(cursor, cursor->at + most,
		                    abstract ? "name too long: expected at most 107 bytes after @"
		                             : "path too long: expected at most 107 bytes");
	if (abstract && size == 1)
		return fail_address(cursor, cursor->size, "expected a name after @");
	const char *nul = memchr(text, '\0', size);
	if (nul)
		return fail_address(cursor, (size_t)(nul - cursor->text), "expected no NUL in a path or name");
	if (text[size - 1] == '/' && !abstract)
		return fail_address(cursor, cursor->size, "expected a file name");
	*un = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(un->sun_path, text, size);
	if (abstract)
		un->sun_path[0] = '\0';
	addr->sockaddr.size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + (abstract ? 0 : 1));
	return 0;
}

/* The number of a descriptor, up to the end of the text. */
static int parse_fd(struct cursor *cursor, int use, struct brine_addr *addr)
{
	size_t start = cursor->at;
	int64_t fd = 0;
	if (use == BRINE_ADDR_CONNECT)
		return fail_address(cursor, 0,
		                    "fd:// is for listening (brine_client_open_fd() takes a socket that is connected)");
	for (; cursor->at < cursor->size && is_digit(cursor->text[cursor->at]) && fd <= INT_MAX; cursor->at++)
		fd = fd * 10 + (cursor->text[cursor->at] - '0');
	if (cursor->at == start || fd > INT_MAX)
		return fail_address(cursor, start, "expected the number of a descriptor, as in fd://3");
	if (cursor->at < cursor->size)
		return fail_address(cursor, cursor->at, "expected the end after the descriptor");
	const char *why = brine_socket_why_not_listening((int)fd);
	if (why)
		return fail_address(cursor, start, why);
	addr->fd = (int)fd;
	return 0;
}

static int parse_rest(struct cursor *cursor, int use, struct brine_addr *addr)
{
	switch (addr->kind) {
	case BRINE_ADDR_UNIX: return parse_unix(cursor, addr);
	case BRINE_ADDR_FD: return parse_fd(cursor, use, addr);
	default: return parse_tcp(cursor, use, addr);
	}
}

int brine_addr_parse(struct brine_addr *ret_addr, struct brine_str text, int use, struct brine_error *error)
{
	struct cursor cursor = {.text = text.data, .size = text.size, .error = error};
	struct brine_addr addr = {.kind = BRINE_ADDR_TCP};
	const struct scheme *scheme = parse_scheme(&cursor, use);
	if (!scheme)
		return BRINE_ERR_ADDRESS;
	if (scheme->plain && use == BRINE_ADDR_LISTEN)
		return fail_address(&cursor, 0,
		                    "expected tcp:// or unix:// to listen on (both serve plain MessagePack-RPC too)");
	addr.kind = scheme->kind;
	addr.plain = scheme->plain;
	int status = parse_rest(&cursor, use, &addr);
	if (status < 0)
		return status;
	*ret_addr = addr;
	return 0;
}
