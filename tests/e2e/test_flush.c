/* Proves: brine_call_flush() returns when what was sent is in the kernel, not before, and notices a peer that has gone;
 * brine_call_wait() waits as long as it was told. */
#include "streaming.h"

static struct brine_client *open_upload(struct streams *streams, struct brine_call *call, int mode)
{
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	options.mode = mode;
	struct brine_client *client = client_of(streams->host.address, &options);
	call->timeout_ms = BRINE_FOREVER;
	assert_int_equal(brine_client_begin(client, call, &streams_methods[0], NULL), 0);
	return client;
}

static void waits_over(void **state, enum over kind)
{
	struct streams streams;
	struct brine_call call = BRINE_CALL_INIT;
	struct calc_number number = {5};
	streams_start(&streams, state, kind, NULL);
	assert_int_equal(brine_call_wait(&call, 0), BRINE_ERR_STATE);
	assert_int_equal(brine_call_flush(&call), BRINE_ERR_STATE);
	struct brine_client *client = open_upload(&streams, &call, BRINE_CLIENT_BLOCKING);
	assert_int_equal(brine_call_send(&call, &number), 0);
	assert_int_equal(brine_call_flush(&call), 0);
	assert_int_equal(brine_call_wait(&call, 20), BRINE_ERR_DEADLINE);
	assert_int_equal(brine_call_send(&call, &number), 0);
	assert_int_equal(brine_call_end_upload(&call), 0);
	assert_int_equal(brine_call_wait(&call, BRINE_FOREVER), 0);
	assert_int_equal(brine_call_finish(&call, &number), 0);
	assert_int_equal(number.value, 10);
	assert_int_equal(brine_call_flush(&call), 0);
	brine_call_done(&call);
	brine_client_free(client);
	host_stop(&streams.host);
}
DEFINE_BOTH(waits)

/* A peer that answers by hand: it gives credit, and reads when it is told. */
struct deaf {
	int listener, fd;
	atomic_bool reads;
	size_t got; /* bytes */
	pthread_t thread;
};

static void *deaf_run(void *argument)
{
	static char chunk[1 << 16];
	struct deaf *deaf = argument;
	ssize_t got;
	while (!atomic_load(&deaf->reads))
		sched_yield();
	while ((got = recv(deaf->fd, chunk, sizeof chunk, 0)) > 0)
		deaf->got += (size_t)got;
	return NULL;
}

static void *let_it_read(void *argument)
{
	struct deaf *deaf = argument;
	usleep(100000);
	atomic_store(&deaf->reads, true);
	return NULL;
}

static void a_flush_waits_for_the_kernel(void **state)
{
	enum { ITEM = 1 << 20 };
	static const struct brine_method method = {"sum", NULL, NULL, BRINE_METHOD_UPLOAD, NULL};
	struct deaf deaf = {.listener = -1};
	struct brine_call call = BRINE_CALL_INIT;
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_client *client;
	pthread_t helper;
	int ends[2];
	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	deaf.fd = ends[1];
	/* welcome: max 16 MiB, 2 items. */
	raw_send_hex(deaf.fd, "14 92 11 83 a1 76 01 a3 6d 61 78 ce 01 00 00 00 a3 77 69 6e 02");
	assert_int_equal(brine_client_open_fd(&client, ends[0], &options, NULL), 0);
	call.timeout_ms = BRINE_FOREVER;
	assert_int_equal(brine_client_begin(client, &call, &method, NULL), 0);
	uint8_t *item = calloc(1, ITEM);
	memcpy(item, "\xc6\x00\x0f\xff\xfb", 5);
	assert_int_equal(brine_call_send_raw(&call, BRINE_BYTES(item, ITEM)), 0);
	assert_int_equal(pthread_create(&deaf.thread, NULL, deaf_run, &deaf), 0);
	assert_int_equal(pthread_create(&helper, NULL, let_it_read, &deaf), 0);
	/* More than the socket holds: it cannot return before the peer reads. */
	assert_int_equal(brine_call_flush(&call), 0);
	assert_true(atomic_load(&deaf.reads));
	pthread_join(helper, NULL);
	/* A peer that has gone is noticed without anything being sent. */
	shutdown(deaf.fd, SHUT_RDWR);
	pthread_join(deaf.thread, NULL);
	assert_true(deaf.got > ITEM);
	close(deaf.fd);
	assert_int_equal(brine_call_flush(&call), BRINE_ERR_LOST);
	free(item);
	brine_call_done(&call);
	brine_client_free(client);
}

static void a_loop_does_not_wait(void **state)
{
	struct streams streams;
	struct brine_call call = BRINE_CALL_INIT;
	streams_start(&streams, state, OVER_UNIX, NULL);
	struct brine_client *client = open_upload(&streams, &call, BRINE_CLIENT_LOOP);
	/* It is not connected yet. */
	assert_int_equal(brine_call_flush(&call), BRINE_ERR_WOULD_BLOCK);
	assert_int_equal(brine_call_wait(&call, 1000), BRINE_ERR_WOULD_BLOCK);
	brine_call_done(&call);
	brine_client_free(client);
	host_stop(&streams.host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        BOTH(waits),
	        e2e_test(a_flush_waits_for_the_kernel),
	        e2e_test(a_loop_does_not_wait),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
