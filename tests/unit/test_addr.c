/* Proves: addresses are parsed as src/net/addr.h says, faults are named with their position (H11, H04), and what is
 * formatted parses again. */
#include "support.h"

#include "net/addr.h"

#include <arpa/inet.h>
#include <net/if.h>

static int parse(struct brine_addr *addr, const char *text, int use, struct brine_error *error)
{
	return brine_addr_parse(addr, brine_str_from(text), use, error);
}

static void good_addresses_round_trip(void **state)
{
	(void)state;
	static const struct {
		const char *text, *formatted; /* NULL: as text */
		int use, kind;
		bool plain;
	} rows[] = {
	        {"tcp://127.0.0.1:7411", NULL, BRINE_ADDR_CONNECT, BRINE_ADDR_TCP, false},
	        {"tcp://0.0.0.0:0", NULL, BRINE_ADDR_LISTEN, BRINE_ADDR_TCP, false},
	        {"tcp://255.255.255.255:65535", NULL, BRINE_ADDR_CONNECT, BRINE_ADDR_TCP, false},
	        {"tcp://[::1]:1", NULL, BRINE_ADDR_CONNECT, BRINE_ADDR_TCP, false},
	        {"tcp://[::]:0", NULL, BRINE_ADDR_LISTEN, BRINE_ADDR_TCP, false},
	        {"tcp://[0:0:0:0:0:0:0:1]:1", "tcp://[::1]:1", BRINE_ADDR_CONNECT, BRINE_ADDR_TCP, false},
	        {"tcp://[2001:db8::192.0.2.1]:1", "tcp://[2001:db8::c000:201]:1", BRINE_ADDR_CONNECT, BRINE_ADDR_TCP,
	         false},
	        {"tcp://[fe80::1%7]:1", NULL, BRINE_ADDR_CONNECT, BRINE_ADDR_TCP, false},
	        {"unix:///run/x.sock", NULL, BRINE_ADDR_CONNECT, BRINE_ADDR_UNIX, false},
	        {"unix://@name", NULL, BRINE_ADDR_LISTEN, BRINE_ADDR_UNIX, false},
	        {"unix:///a%20b c@", NULL, BRINE_ADDR_CONNECT, BRINE_ADDR_UNIX, false},
	        {"msgpack-rpc://10.0.0.1:80", "tcp://10.0.0.1:80", BRINE_ADDR_CONNECT, BRINE_ADDR_TCP, true},
	        {"msgpack-rpc+unix:///x", "unix:///x", BRINE_ADDR_CONNECT, BRINE_ADDR_UNIX, true},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct brine_addr addr;
		struct brine_error error = BRINE_ERROR_INIT;
		char text[BRINE_ADDR_TEXT_SIZE];
		if (parse(&addr, rows[i].text, rows[i].use, &error) < 0)
			fail_msg("%s: %s", rows[i].text, error.text);
		assert_int_equal(addr.kind, rows[i].kind);
		assert_int_equal(addr.plain, rows[i].plain);
		assert_string_equal(brine_sockaddr_format(text, sizeof text, &addr.sockaddr),
		                    rows[i].formatted ? rows[i].formatted : rows[i].text);
	}
}

static void names_are_kept_for_the_resolver(void **state)
{
	(void)state;
	static const char *const names[] = {"localhost", "a.b-c.d_e", "example.org.", "4x4", "x", "1.2.3.4.com", "0x"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct brine_addr addr;
		char text[64];
		snprintf(text, sizeof text, "tcp://%s:99", names[i]);
		assert_int_equal(parse(&addr, text, BRINE_ADDR_CONNECT, NULL), 0);
		assert_string_equal(addr.host, names[i]);
		assert_int_equal(addr.port, 99);
		assert_int_equal(addr.sockaddr.size, 0);
	}
}

/* H11: every fault is refused with its position and a text that says what belongs there. */
static void H11_faults_are_named_with_their_position(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t offset;
		const char *said;
	} rows[] = {
	        {"", 0, "expected tcp://"},
	        {"%s", 0, "expected tcp://"},
	        {"localhost:1", 0, "expected tcp://"},
	        {"TCP://x:1", 0, "expected tcp://"},
	        {"tcp:/x:1", 0, "expected tcp://"},
	        {"tcp://", 6, "expected a host"},
	        {"tcp://:1", 6, "expected a host"},
	        {"tcp://x", 7, "expected ':' and a port"},
	        {"tcp://x:", 8, "expected a port number"},
	        {"tcp://x:-1", 8, "expected a port number"},
	        {"tcp://x:+1", 8, "expected a port number"},
	        {"tcp://x: 1", 8, "expected a port number"},
	        {"tcp://x:%s", 8, "expected a port number"},
	        {"tcp://x:0", 8, "1 to 65535"},
	        {"tcp://x:65536", 8, "at most 65535"},
	        {"tcp://x:99999999999999999999", 8, "at most 65535"},
	        {"tcp://x:1x", 9, "the end after the port"},
	        {"tcp://x:1/", 9, "the end after the port"},
	        {"tcp://x:1 ", 9, "the end after the port"},
	        {"tcp://%s:1", 6, "host name"},
	        {"tcp://a b:1", 7, "host name"},
	        {"tcp://a..b:1", 8, "expected a host"},
	        {"tcp://.:1", 6, "expected a host"},
	        {"tcp://u@h:1", 7, "host name"},
	        {"tcp://h\xc3\xa9:1", 7, "host name"},
	        {"tcp://127.0.0.256:1", 6, "IPv4"},
	        {"tcp://127.1:1", 6, "IPv4"},
	        {"tcp://0x7f.0.0.1:1", 6, "IPv4"},
	        {"tcp://1.2.3.0x4:1", 6, "IPv4"},
	        {"tcp://2130706433:1", 6, "IPv4"},
	        {"tcp://127.0.0.1.:1", 6, "IPv4"},
	        {"tcp://::1:1", 6, "expected a host"},
	        {"tcp://[::1", 10, "expected ']'"},
	        {"tcp://[", 7, "expected ']'"},
	        {"tcp://[]:1", 7, "an IPv6 address"},
	        {"tcp://[::1]", 11, "expected ':' and a port"},
	        {"tcp://[::1]x:1", 11, "expected ':' and a port"},
	        {"tcp://[127.0.0.1]:1", 7, "an IPv6 address"},
	        {"tcp://[x]:1", 7, "an IPv6 address"},
	        {"tcp://[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:1", 7, "an IPv6 address"},
	        {"tcp://[::ffff:127.0.0.1]:1", 7, "without brackets"},
	        {"tcp://[::1%1]:1", 10, "only a link-local"},
	        {"tcp://[fe80::1]:1", 14, "needs its interface"},
	        {"tcp://[fe80::1%]:1", 15, "network interface"},
	        {"tcp://[fe80::1%0]:1", 15, "network interface"},
	        {"tcp://[fe80::1%4294967296]:1", 15, "network interface"},
	        {"tcp://[fe80::1%no-such-if]:1", 15, "network interface"},
	        {"unix://", 7, "an absolute path"},
	        {"unix://x", 7, "an absolute path"},
	        {"unix://@", 8, "a name after @"},
	        {"unix:///", 8, "a file name"},
	        {"unix:///x/", 10, "a file name"},
	        {"fd://3", 0, "fd:// is for listening (brine_client_open_fd()"},
	        {"msgpack-rpc://x:0", 16, "1 to 65535"},
	        {"msgpack-rpc+unix://x", 19, "an absolute path"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct brine_addr addr;
		struct brine_error error = BRINE_ERROR_INIT;
		memset(&addr, 0x5a, sizeof addr);
		int rc = parse(&addr, rows[i].text, BRINE_ADDR_CONNECT, &error);
		if (rc != BRINE_ERR_ADDRESS || error.offset != rows[i].offset || !strstr(error.text, rows[i].said))
			fail_msg("\"%s\": %d at %llu: %s", rows[i].text, rc, (unsigned long long)error.offset,
			         error.text);
		assert_int_equal(addr.port, 0x5a5a);
	}
}

static void a_scope_may_be_the_name_of_an_interface(void **state)
{
	(void)state;
	struct brine_addr addr;
	unsigned index = if_nametoindex("lo");
	assert_true(index > 0);
	assert_int_equal(parse(&addr, "tcp://[fe80::1%lo]:1", BRINE_ADDR_CONNECT, NULL), 0);
	assert_int_equal(addr.sockaddr.u.in6.sin6_scope_id, index);
}

static void plain_schemes_are_for_connecting(void **state)
{
	(void)state;
	struct brine_addr addr;
	struct brine_error error;
	assert_int_equal(parse(&addr, "msgpack-rpc://x:1", BRINE_ADDR_LISTEN, &error), BRINE_ERR_ADDRESS);
	assert_non_null(strstr(error.text, "to listen on"));
}

/* What a descriptor must be is asked for at once. */
static void H11_a_descriptor_must_be_one_that_listens(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t offset;
		const char *said;
	} rows[] = {
	        {"fd:/3", 0, "expected tcp://host:port, unix:///path or fd://3"},
	        {"fd://", 5, "the number of a descriptor, as in fd://3"},
	        {"fd://x", 5, "the number of a descriptor"},
	        {"fd://-1", 5, "the number of a descriptor"},
	        {"fd:///3", 5, "the number of a descriptor"},
	        {"fd://2147483648", 5, "the number of a descriptor"},
	        {"fd://99999999999999999999999", 5, "the number of a descriptor"},
	        {"fd://3x", 6, "the end after the descriptor"},
	        {"fd://3 ", 6, "the end after the descriptor"},
	        {"fd://2147483647", 5, "an open descriptor: whoever starts this program has to pass it on"},
	};
	struct brine_addr addr;
	struct brine_error error;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int rc = parse(&addr, rows[i].text, BRINE_ADDR_LISTEN, &error);
		if (rc != BRINE_ERR_ADDRESS || error.offset != rows[i].offset || !strstr(error.text, rows[i].said))
			fail_msg("\"%s\": %d at %llu: %s", rows[i].text, rc, (unsigned long long)error.offset,
			         error.text);
	}
	FILE *file = tmpfile();
	char text[32];
	assert_non_null(file);
	snprintf(text, sizeof text, "fd://%d", fileno(file));
	assert_int_equal(parse(&addr, text, BRINE_ADDR_LISTEN, &error), BRINE_ERR_ADDRESS);
	assert_int_equal(error.offset, 5);
	assert_non_null(strstr(error.text, "that is no socket"));
	fclose(file);
}

static void an_IPv4_address_in_IPv6_is_one_of_IPv4(void **state)
{
	(void)state;
	static const struct {
		const char *host, *formatted;
	} rows[] = {{"::ffff:192.0.2.7", "tcp://192.0.2.7:80"},
	            {"::1", "tcp://[::1]:80"},
	            {"::192.0.2.7", "tcp://[::192.0.2.7]:80"}};
	char text[BRINE_ADDR_TEXT_SIZE];
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct brine_sockaddr sockaddr = {.size = sizeof sockaddr.u.in6, .u.in6.sin6_family = AF_INET6};
		assert_int_equal(inet_pton(AF_INET6, rows[i].host, &sockaddr.u.in6.sin6_addr), 1);
		brine_sockaddr_set_port(&sockaddr, 80);
		brine_sockaddr_unmap(&sockaddr);
		assert_string_equal(brine_sockaddr_format(text, sizeof text, &sockaddr), rows[i].formatted);
	}
	struct brine_sockaddr none = {.size = 0};
	brine_sockaddr_unmap(&none);
	assert_int_equal(none.size, 0);
}

static void H11_no_length_is_too_much(void **state)
{
	(void)state;
	static char text[65536 + 32];
	static const char *const schemes[] = {"tcp://",   "unix:///",        "unix://@", "tcp://[",
	                                      "tcp://x:", "tcp://[fe80::1%", "fd://",    ""};
	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
		for (size_t size = 64; size <= 65536; size *= 2) {
			struct brine_addr addr;
			struct brine_error error = BRINE_ERROR_INIT;
			size_t head = strlen(schemes[i]);
			memcpy(text, schemes[i], head);
			memset(text + head, '7', size);
			int rc = brine_addr_parse(&addr, (struct brine_str){text, head + size}, BRINE_ADDR_LISTEN,
			                          &error);
			if (strstr(schemes[i], "unix") && size == 64) {
				assert_int_equal(rc, 0);
				continue;
			}
			assert_int_equal(rc, BRINE_ERR_ADDRESS);
			assert_true(error.offset <= head + (strchr(schemes[i], '[') ? size : BRINE_HOST_SIZE_MAX));
			assert_true(strlen(error.text) < 200);
		}
	}
	struct brine_addr addr;
	struct brine_error error;
	memset(text, 'a', 400);
	memcpy(text, "tcp://", 6);
	assert_int_equal(brine_addr_parse(&addr, (struct brine_str){text, 6 + 64}, BRINE_ADDR_CONNECT, &error),
	                 BRINE_ERR_ADDRESS);
	assert_non_null(strstr(error.text, "63 bytes"));
	for (size_t i = 0; i < 260; i += 2)
		text[6 + i] = '.';
	memset(text + 6, 'a', 1);
	assert_int_equal(brine_addr_parse(&addr, (struct brine_str){text, 6 + 254}, BRINE_ADDR_CONNECT, &error),
	                 BRINE_ERR_ADDRESS);
	assert_int_equal(error.offset, 6 + 253);
}

/* H04: the size of a path, NUL, the abstract name, nothing at all. */
static void H04_unix_paths_and_names(void **state)
{
	(void)state;
	static const struct {
		const char *head;
		size_t size; /* of path or name, '@' included */
		int status;
	} rows[] = {
	        {"unix:///", 107, 0}, {"unix:///", 108, BRINE_ERR_ADDRESS}, {"unix:///", 200, BRINE_ERR_ADDRESS},
	        {"unix://@", 108, 0}, {"unix://@", 109, BRINE_ERR_ADDRESS}, {"unix://@", 2, 0},
	};
	char text[256];
	struct brine_addr addr;
	struct brine_error error;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		size_t size = strlen(rows[i].head) - 1 + rows[i].size;
		memset(text, 'p', sizeof text);
		memcpy(text, rows[i].head, strlen(rows[i].head));
		assert_int_equal(brine_addr_parse(&addr, (struct brine_str){text, size}, BRINE_ADDR_LISTEN, &error),
		                 rows[i].status);
		if (rows[i].status < 0) {
			assert_non_null(strstr(error.text, "too long"));
			assert_int_equal(error.offset, 7 + (text[7] == '@' ? 108 : 107));
			continue;
		}
		char formatted[BRINE_ADDR_TEXT_SIZE];
		brine_sockaddr_format(formatted, sizeof formatted, &addr.sockaddr);
		assert_int_equal(strlen(formatted), size);
		assert_memory_equal(formatted, text, size);
	}
	static const struct {
		struct brine_str text;
		uint64_t offset;
	} nuls[] = {
	        {BRINE_STR_INIT("unix:///a\0b"), 9},    {BRINE_STR_INIT("unix://@a\0b"), 9},
	        {BRINE_STR_INIT("tcp://a\0b:1"), 7},    {BRINE_STR_INIT("tcp://a:1\0"), 9},
	        {BRINE_STR_INIT("tcp://[::1\0]:1"), 7},
	};
	for (size_t i = 0; i < sizeof nuls / sizeof nuls[0]; i++) {
		assert_int_equal(brine_addr_parse(&addr, nuls[i].text, BRINE_ADDR_CONNECT, &error), BRINE_ERR_ADDRESS);
		assert_int_equal(error.offset, nuls[i].offset);
	}
}

/* No byte of the text reaches the error unescaped. */
static void faults_are_escaped(void **state)
{
	(void)state;
	struct brine_addr addr;
	struct brine_error error;
	assert_int_equal(parse(&addr, "tcp://a\x1b[31m:1", BRINE_ADDR_CONNECT, &error), BRINE_ERR_ADDRESS);
	assert_null(strchr(error.text, '\x1b'));
	assert_non_null(strstr(error.text, "\\x1b"));
	assert_int_equal(parse(&addr, "unix:///a\nb", BRINE_ADDR_CONNECT, &error), 0);
	char text[BRINE_ADDR_TEXT_SIZE];
	assert_string_equal(brine_sockaddr_format(text, sizeof text, &addr.sockaddr), "unix:///a\\nb");
	assert_string_equal(brine_sockaddr_format(text, 8, &addr.sockaddr), "unix://");
}

static void odd_socket_addresses_have_a_text(void **state)
{
	(void)state;
	char text[BRINE_ADDR_TEXT_SIZE];
	struct brine_sockaddr none = {.size = 0}, nameless = {.size = sizeof(sa_family_t), .u.any.sa_family = AF_UNIX};
	struct brine_sockaddr other = {.size = sizeof(struct sockaddr), .u.any.sa_family = AF_PACKET};
	assert_string_equal(brine_sockaddr_format(text, sizeof text, &none), "");
	assert_string_equal(brine_sockaddr_format(text, sizeof text, &nameless), "unix://");
	assert_string_equal(brine_sockaddr_format(text, sizeof text, &other), "family-17://");
	assert_true(brine_sockaddr_equal(&none, &none));
	assert_false(brine_sockaddr_equal(&none, &nameless));
	struct brine_addr a, b;
	static const char *const same[] = {"tcp://1.2.3.4:5", "tcp://1.2.3.4:6", "tcp://1.2.3.5:5", "tcp://[::1]:5",
	                                   "tcp://[::2]:5",   "tcp://[::1]:6",   "unix:///a",       "unix:///b",
	                                   "unix://@a",       "unix:///aa"};
	for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
		for (size_t k = 0; k < sizeof same / sizeof same[0]; k++) {
			assert_int_equal(parse(&a, same[i], BRINE_ADDR_CONNECT, NULL), 0);
			assert_int_equal(parse(&b, same[k], BRINE_ADDR_CONNECT, NULL), 0);
			assert_int_equal(brine_sockaddr_equal(&a.sockaddr, &b.sockaddr), i == k);
		}
}

/* Whatever the bytes: no crash, and what is accepted formats to something that is accepted again. */
static void random_texts_do_no_harm(void **state)
{
	(void)state;
	static const char *const pieces[] = {
	        "tcp://", "unix://",   "msgpack-rpc+", "[", "]",     ":",     "::", "%", "lo", "/",   "@",
	        ".",      "127.0.0.1", "fe80",         "0", "65535", "65536", "x",  "-", "\0", "\xff"};
	uint64_t random = 1;
	unsigned accepted = 0;
	for (unsigned round = 0; round < 100000; round++) {
		char text[128];
		size_t size = 0;
		for (uint64_t count = random_below(&random, 8); count > 0; count--) {
			const char *piece = pieces[random_below(&random, sizeof pieces / sizeof pieces[0])];
			size_t piece_size = *piece ? strlen(piece) : 1;
			memcpy(text + size, piece, piece_size);
			size += piece_size;
		}
		struct brine_addr addr, again;
		struct brine_error error = BRINE_ERROR_INIT;
		int rc = brine_addr_parse(&addr, (struct brine_str){text, size}, BRINE_ADDR_LISTEN, &error);
		if (rc < 0) {
			assert_int_equal(rc, BRINE_ERR_ADDRESS);
			assert_true(error.offset <= size);
			continue;
		}
		accepted++;
		char formatted[BRINE_ADDR_TEXT_SIZE];
		if (addr.sockaddr.size &&
		    !strpbrk(brine_sockaddr_format(formatted, sizeof formatted, &addr.sockaddr), "\\")) {
			assert_int_equal(parse(&again, formatted, BRINE_ADDR_LISTEN, &error), 0);
			assert_true(brine_sockaddr_equal(&addr.sockaddr, &again.sockaddr));
		}
	}
	assert_true(accepted > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(good_addresses_round_trip),
	        cmocka_unit_test(names_are_kept_for_the_resolver),
	        cmocka_unit_test(H11_faults_are_named_with_their_position),
	        cmocka_unit_test(a_scope_may_be_the_name_of_an_interface),
	        cmocka_unit_test(plain_schemes_are_for_connecting),
	        cmocka_unit_test(H11_a_descriptor_must_be_one_that_listens),
	        cmocka_unit_test(an_IPv4_address_in_IPv6_is_one_of_IPv4),
	        cmocka_unit_test(H11_no_length_is_too_much),
	        cmocka_unit_test(H04_unix_paths_and_names),
	        cmocka_unit_test(faults_are_escaped),
	        cmocka_unit_test(odd_socket_addresses_have_a_text),
	        cmocka_unit_test(random_texts_do_no_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
