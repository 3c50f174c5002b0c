/* Proves: a client says what became of a call whatever the peer does: refuses, is silent, talks something else,
 * vanishes. */
#include "harness.h"

/* ---- a peer that follows a script ---- */

enum act { READ_FRAMES, SEND, CLOSE };

struct step {
	enum act act;
	int count;       /* READ_FRAMES */
	const char *hex; /* SEND */
};

struct peer {
	int fd;
	const struct step *steps; /* until CLOSE */
	struct brine_buf last;    /* the last frame read, without its prefix */
	bool lost;                /* the client closed too early */
	pthread_t thread;
};

static bool read_whole(int fd, void *into, size_t size)
{
	while (size) {
		ssize_t got = recv(fd, into, size, 0);
		if (got <= 0)
			return false;
		into = (char *)into + got;
		size -= (size_t)got;
	}
	return true;
}

static bool read_frame(struct peer *peer)
{
	uint8_t head[5];
	size_t size = 0;
	if (!read_whole(peer->fd, head, 1))
		return false;
	size_t more = head[0] < 0x80 ? 0 : (size_t)1 << (head[0] - 0xcc);
	if (!read_whole(peer->fd, head + 1, more))
		return false;
	if (more == 0)
		size = head[0];
	for (size_t i = 1; i <= more; i++)
		size = size << 8 | head[i];
	brine_buf_take(&peer->last, brine_buf_size(&peer->last));
	void *memory = brine_buf_reserve(&peer->last, size);
	if (!memory || !read_whole(peer->fd, memory, size))
		return false;
	peer->last.end += size;
	return true;
}

static void *peer_run(void *argument)
{
	struct peer *peer = argument;
	for (const struct step *step = peer->steps; step->act != CLOSE && !peer->lost; step++) {
		if (step->act == SEND)
			raw_send_hex(peer->fd, step->hex);
		for (int i = 0; step->act == READ_FRAMES && i < step->count && !peer->lost; i++)
			peer->lost = !read_frame(peer);
	}
	close(peer->fd);
	return NULL;
}

/* A client whose peer follows the script over a socket pair. */
static struct brine_client *scripted(struct peer *peer, const struct step *steps)
{
	int fds[2];
	struct brine_client *client;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(brine_client_open_fd(&client, fds[0], NULL, NULL), 0);
	*peer = (struct peer){.fd = fds[1], .steps = steps};
	assert_int_equal(pthread_create(&peer->thread, NULL, peer_run, peer), 0);
	return client;
}

static void peer_finish(struct peer *peer)
{
	pthread_join(peer->thread, NULL);
	brine_buf_done(&peer->last);
}

/* C29: the connection ends with a call in each state. */
static void lost_in_each_state(void **state)
{
	/* The client's frames are its hello and the request [0, 1, "add", [2, 3], {...}]. */
	static const struct step answers[] = {{READ_FRAMES, 2, NULL}, {SEND, 0, "05 94 01 01 c0 05"}, {CLOSE, 0, NULL}};
	static const struct step closes[] = {{READ_FRAMES, 2, NULL}, {CLOSE, 0, NULL}};
	static const struct step half[] = {{READ_FRAMES, 2, NULL}, {SEND, 0, "05 94 01 01"}, {CLOSE, 0, NULL}};
	static const struct step goes[] = {{CLOSE, 0, NULL}};
	static const struct {
		const struct step *steps;
		int status;
		const char *text;
	} rows[] = {
	        {answers, 0, "success"},
	        {closes, BRINE_ERR_LOST, "may have run"},
	        {half, BRINE_ERR_LOST, "may have run"},
	        {goes, BRINE_ERR_NOT_SENT, ""},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct peer peer;
		struct brine_client *client = scripted(&peer, rows[i].steps);
		struct brine_call call = BRINE_CALL_INIT;
		int64_t sum = 0;
		if (rows[i].steps == goes)
			peer_finish(&peer);
		int status = calc_call_add(client, &call, 2, 3, &sum);
		if (status != rows[i].status || !strstr(brine_call_error_text(&call), rows[i].text))
			fail_msg("row %zu: %d: %s", i, status, brine_call_error_text(&call));
		if (status == 0)
			assert_int_equal(sum, 5);
		if (rows[i].steps != goes)
			peer_finish(&peer);
		/* A descriptor cannot be had again. */
		assert_int_equal(calc_call_add(client, &call, 2, 3, &sum), BRINE_ERR_NOT_SENT);
		assert_non_null(strstr(brine_call_error_text(&call), "has ended"));
		brine_call_done(&call);
		brine_client_free(client);
	}
}

/* C29: only a part of the request left before the end. */
static void lost_while_sending(void **state)
{
	int fds[2];
	struct brine_client *client;
	struct brine_call call = BRINE_CALL_INIT;
	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(brine_client_open_fd(&client, fds[0], NULL, NULL), 0);
	size_t size = 900 * 1024; /* more than a socket pair holds, less than is assumed of any peer */
	char *data = calloc(1, size);
	assert_non_null(data);
	struct calc_blob blob = {BRINE_BYTES(data, size)};
	struct peer peer = {.fd = fds[1], .steps = (const struct step[]){{READ_FRAMES, 1, NULL}, {CLOSE, 0, NULL}}};
	assert_int_equal(pthread_create(&peer.thread, NULL, peer_run, &peer), 0);
	int status = brine_client_call(client, &call, &calc_methods[CALC_MEASURE], &blob, NULL);
	if (status != BRINE_ERR_LOST && status != BRINE_ERR_NOT_SENT)
		fail_msg("%d: %s", status, brine_call_error_text(&call));
	peer_finish(&peer);
	free(data);
	brine_call_done(&call);
	brine_client_free(client);
}

/* C17: a client without handlers answers calls of its peer while it waits. */
static void calls_of_the_peer_are_refused(void **state)
{
	static const struct step steps[] = {
	        {READ_FRAMES, 2, NULL},
	        {SEND, 0, "03 92 11 80"},                   /* welcome */
	        {SEND, 0, "09 94 00 07 a4 61 0a 1b 62 90"}, /* [0, 7, "a\n\x1b" "b", []] */
	        {SEND, 0, "06 93 02 a2 68 69 90"},          /* [2, "hi", []] */
	        {READ_FRAMES, 1, NULL},
	        {SEND, 0, "05 94 01 01 c0 05"},
	        {CLOSE, 0, NULL},
	};
	struct peer peer;
	struct brine_client *client = scripted(&peer, steps);
	int64_t sum;
	(void)state;
	assert_int_equal(calc_call_add(client, NULL, 2, 3, &sum), 0);
	assert_int_equal(sum, 5);
	pthread_join(peer.thread, NULL);
	assert_false(peer.lost);
	const char *answer = (const char *)peer.last.data + peer.last.start;
	assert_memory_equal(answer, "\x94\x01\x07\x92\x02", 5);
	brine_buf_done(&peer.last);
	brine_client_free(client);
}

static void refused(void **state)
{
	uint16_t port;
	char address[ADDRESS_SIZE];
	int kept = e2e_keep_port(&port);
	snprintf(address, sizeof address, "tcp://127.0.0.1:%u", port);
	struct brine_client *client = client_of(address, NULL);
	struct brine_call call = BRINE_CALL_INIT;
	struct brine_error error = BRINE_ERROR_INIT;
	int64_t sum;
	assert_int_equal(calc_call_add(client, &call, 2, 3, &sum), BRINE_ERR_CONNECT);
	assert_non_null(strstr(brine_call_error_text(&call), address));
	assert_non_null(strstr(brine_call_error_text(&call), "is the server running?"));
	assert_int_equal(brine_client_connect(client, 1000, &error), BRINE_ERR_CONNECT);
	assert_int_equal(error.system_errno, ECONNREFUSED);
	brine_client_free(client);
	close(kept);

	snprintf(address, sizeof address, "unix://%s", e2e_path(state, "nobody"));
	client = client_of(address, NULL);
	assert_int_equal(calc_call_add(client, &call, 2, 3, &sum), BRINE_ERR_CONNECT);
	assert_non_null(strstr(brine_call_error_text(&call), "is the server running?"));
	brine_call_done(&call);
	brine_client_free(client);
	assert_int_equal(brine_client_open(&client, "http://x", NULL, &error), BRINE_ERR_ADDRESS);
	assert_int_equal(brine_client_open(&client, "", NULL, &error), BRINE_ERR_ADDRESS);
}

/* E16: the peer accepts the connection and never answers. */
static void silence(void **state)
{
	uint16_t port;
	char address[ADDRESS_SIZE];
	int listener = e2e_keep_port(&port);
	(void)state;
	assert_int_equal(listen(listener, 8), 0);
	snprintf(address, sizeof address, "tcp://127.0.0.1:%u", port);
	struct brine_client *client = client_of(address, NULL);
	struct brine_call call = BRINE_CALL_INIT;
	int64_t sum;
	call.timeout_ms = 60;
	assert_int_equal(calc_call_add(client, &call, 2, 3, &sum), BRINE_ERR_DEADLINE);
	assert_non_null(strstr(brine_call_error_text(&call), "within 60 ms"));
	assert_non_null(strstr(brine_call_error_text(&call), address));
	brine_call_done(&call);
	close(listener);
	brine_client_free(client);
}

/* A peer of another protocol is named, not waited for. */
static void not_brine(void **state)
{
	static const struct {
		const char *hex, *name;
	} rows[] = {
	        {"48 54 54 50 2f 31 2e 31 20 34 30 30 20 42 61 64 0d 0a", "HTTP"},
	        {"53 53 48 2d 32 2e 30 2d 78 0d 0a", "SSH"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct step steps[] = {{READ_FRAMES, 2, NULL}, {SEND, 0, rows[i].hex}, {CLOSE, 0, NULL}};
		struct peer peer;
		struct brine_client *client = scripted(&peer, steps);
		struct brine_call call = BRINE_CALL_INIT;
		int64_t sum;
		assert_int_equal(calc_call_add(client, &call, 2, 3, &sum), BRINE_ERR_NOT_BRINE);
		if (!strstr(brine_call_error_text(&call), rows[i].name))
			fail_msg("%s is not named: %s", rows[i].name, brine_call_error_text(&call));
		peer_finish(&peer);
		brine_call_done(&call);
		brine_client_free(client);
	}
}

/* A server that went away between two calls is not noticed: the next call connects anew. */
static void reconnects_over(void **state, enum over kind)
{
	struct host host;
	struct calc_number number = {1};
	int64_t sum;
	char address[ADDRESS_SIZE];
	int kept = address_kept_over(state, kind, address);
	host_start_at(&host, address, NULL);
	struct brine_client *client = client_of(address, NULL);
	assert_int_equal(calc_call_add(client, NULL, 2, 3, &sum), 0);
	host_stop(&host);
	assert_int_equal(calc_call_add(client, NULL, 2, 3, &sum), BRINE_ERR_CONNECT);
	host_start_at(&host, address, NULL);
	assert_int_equal(calc_call_add(client, NULL, 2, 3, &sum), 0);
	assert_int_equal(sum, 5);
	assert_int_equal(brine_client_connect(client, 0, NULL), 0);
	assert_int_equal(brine_client_call(client, NULL, &calc_methods[CALC_RELEASE], &number, NULL), BRINE_ERR_REMOTE);
	brine_client_free(client);
	host_stop(&host);
	brine_socket_close(kept);
}
DEFINE_BOTH(reconnects)

/* E11: the server's process is killed while it works on a call. */
static void killed_over(void **state, enum over kind)
{
	int started[2];
	char address[ADDRESS_SIZE];
	int kept = address_kept_over(state, kind, address);
	assert_int_equal(pipe(started), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct host host;
		host_start_at(&host, address, NULL);
		if (write(started[1], "s", 1) == 1)
			wait_for_count(&host.calc.held_count, 1);
		raise(SIGKILL);
	}
	char byte;
	assert_int_equal(read(started[0], &byte, 1), 1);
	struct brine_client *client = client_of(address, NULL);
	struct brine_call call = BRINE_CALL_INIT;
	assert_int_equal(brine_client_call(client, &call, &calc_methods[CALC_HOLD], &(struct calc_nothing){0}, NULL),
	                 BRINE_ERR_LOST);
	int64_t sum;
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(calc_call_add(client, &call, 1, 1, &sum), BRINE_ERR_CONNECT);
	brine_call_done(&call);
	brine_client_free(client);
	close(started[0]);
	close(started[1]);
	brine_socket_close(kept);
}
DEFINE_BOTH(killed)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        e2e_test(lost_in_each_state),
	        e2e_test(lost_while_sending),
	        e2e_test(calls_of_the_peer_are_refused),
	        e2e_test(refused),
	        e2e_test(silence),
	        e2e_test(not_brine),
	        BOTH(reconnects),
	        BOTH(killed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
