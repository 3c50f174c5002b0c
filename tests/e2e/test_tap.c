/* Proves: a tap sees each message once, in the order in which it goes: what one side shows as sent is what the other
 * shows as received. */
#include "harness.h"

/* Messages of each direction, each behind its size. */
struct record {
	struct brine_buf messages[2];
	unsigned count[2];
};

static void record_tap(void *user, int direction, int wire, struct brine_bytes message)
{
	struct record *record = user;
	struct brine_buf *into = &record->messages[direction];
	(void)wire;
	record->count[direction]++;
	if (brine_pack_uint(into, message.size) < 0 || brine_buf_append(into, message.data, message.size) < 0)
		abort();
}

static void assert_same(const struct brine_buf *sent, const struct brine_buf *received)
{
	assert_int_equal(brine_buf_size(sent), brine_buf_size(received));
	assert_memory_equal(sent->data + sent->start, received->data + received->start, brine_buf_size(sent));
}

static void both_sides_show_the_same_over(void **state, enum over kind)
{
	struct record records[2] = {{{BRINE_BUF_INIT, BRINE_BUF_INIT}, {0}}, {{BRINE_BUF_INIT, BRINE_BUF_INIT}, {0}}};
	struct record *ours = &records[0], *theirs = &records[1];
	struct brine_client_options client_options = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_server_options server_options = BRINE_SERVER_OPTIONS_INIT;
	struct brine_call call = BRINE_CALL_INIT;
	struct host host;
	int64_t sum;
	client_options.tap = server_options.tap = record_tap;
	client_options.tap_user = ours;
	server_options.tap_user = theirs;
	host_start(&host, state, kind, &server_options);
	struct brine_client *client = client_of(host.address, &client_options);
	for (int64_t i = 0; i < 10; i++)
		assert_int_equal(calc_call_add(client, &call, i, 1, &sum), 0);
	brine_client_free(client);
	host_stop(&host);
	brine_call_done(&call);

	/* A hello and ten requests; a welcome and ten responses. */
	assert_int_equal(ours->count[BRINE_SENT], 11);
	assert_int_equal(ours->count[BRINE_RECEIVED], 11);
	assert_same(&ours->messages[BRINE_SENT], &theirs->messages[BRINE_RECEIVED]);
	assert_same(&theirs->messages[BRINE_SENT], &ours->messages[BRINE_RECEIVED]);
	for (int i = 0; i < 4; i++)
		brine_buf_done(&records[i / 2].messages[i % 2]);
}
DEFINE_BOTH(both_sides_show_the_same)

int main(void)
{
	const struct CMUnitTest tests[] = {BOTH(both_sides_show_the_same)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
