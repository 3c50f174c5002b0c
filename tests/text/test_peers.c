/* Proves: a peer that breaks the rules of the text service hurts its own call alone, in the event form as in the thread
 * form; conversations are bound to their connection; no wait for a call of the peer outlives that connection. */
#include "both.h"

#include "text/schema.h"

/* ---- a peer, which opens the calls one by one ---- */

struct peer {
	struct brine_client *client;
	struct brine_call write, read;
};

static void peer_start(struct peer *peer, const char *address)
{
	*peer = (struct peer){client_of(address, NULL), BRINE_CALL_INIT, BRINE_CALL_INIT};
}

static void peer_stop(struct peer *peer)
{
	brine_call_done(&peer->write);
	brine_call_done(&peer->read);
	brine_client_free(peer->client);
}

static int send_begin(struct brine_call *call, uint64_t session)
{
	struct brine_wire_source source = {session, BRINE_STR("peer")};
	struct brine_wire_piece piece = {.which = TEXT_CONTENT_BEGIN, .content.begin = &source};
	return brine_call_send(call, &piece);
}

static void begin_write(struct peer *peer, struct brine_call *call, uint64_t session)
{
	assert_int_equal(brine_client_begin(peer->client, call, &brine_wire_write_method, NULL), 0);
	assert_int_equal(send_begin(call, session), 0);
	(void)brine_call_flush(call); /* it may have been refused by then */
}

static void begin_read(struct peer *peer, struct brine_call *call, uint64_t session)
{
	struct brine_wire_source source = {session, BRINE_STR("peer")};
	assert_int_equal(brine_client_begin(peer->client, call, &brine_wire_read_method, &source), 0);
	(void)brine_call_flush(call);
}

static int send_text(struct brine_call *call, uint64_t sequence, const char *text)
{
	struct brine_wire_piece piece = {
	        .sequence = sequence, .which = TEXT_CONTENT_TEXT, .content.text = brine_str_from(text)};
	return brine_call_send(call, &piece);
}

static void expect_refused(struct brine_call *call, int64_t code, const char *text)
{
	struct brine_wire_piece piece;
	int status = call->method == &brine_wire_read_method ? brine_call_next(call, &piece)
	                                                     : brine_call_wait(call, PATIENCE_MS);
	if (status == 0)
		status = brine_call_status(call);
	assert_int_equal(status, BRINE_ERR_REMOTE);
	assert_int_equal(brine_call_code(call), code);
	expect_in(brine_call_error_text(call), text);
}

/* Ends a Write in order: the callee's program has had all of it. */
static void expect_receipt(struct brine_call *call, uint64_t pieces)
{
	struct brine_wire_receipt receipt;
	assert_int_equal(brine_call_end_upload(call), 0);
	assert_int_equal(brine_call_finish(call, &receipt), 0);
	assert_int_equal(receipt.pieces, pieces);
}

/* ---- a server in the event form ---- */

struct events {
	struct host host;
	struct brine_text_service *service;
	atomic_int begins, pieces, ends, readers;
	pthread_mutex_t lock;
	struct brine_text *reader; /* of the last Read */
};

static int on_begin(struct brine_text *text, void *user, void **ret_user)
{
	(void)text;
	*ret_user = user;
	atomic_fetch_add(&((struct events *)user)->begins, 1);
	return 0;
}

static int on_piece(struct brine_text *text, const struct brine_text_piece *piece, void *user)
{
	(void)text;
	(void)piece;
	atomic_fetch_add(&((struct events *)user)->pieces, 1);
	return 0;
}

static void on_end(struct brine_text *text, const struct brine_text_end *end, void *user)
{
	(void)text;
	(void)end;
	atomic_fetch_add(&((struct events *)user)->ends, 1);
}

static void on_reader(struct brine_text *text, void *user)
{
	struct events *events = user;
	pthread_mutex_lock(&events->lock);
	events->reader = text;
	pthread_mutex_unlock(&events->lock);
	atomic_fetch_add(&events->readers, 1);
}

static const struct brine_text_handlers handlers = {on_begin, on_piece, on_end, on_reader};

static void events_start(struct events *events, void **state, const struct brine_server_options *options)
{
	*events = (struct events){.lock = PTHREAD_MUTEX_INITIALIZER};
	host_prepare(&events->host, state, OVER_UNIX, options);
	assert_int_equal(brine_text_serve(&events->service, events->host.server, &handlers, events, NULL), 0);
	host_launch(&events->host);
}

static void events_stop(struct events *events)
{
	host_stop(&events->host);
	brine_text_service_free(events->service);
}

static void wait_for(const atomic_int *count, int value)
{
	uint64_t until_ms = brine_clock_ms() + PATIENCE_MS;
	while (atomic_load(count) < value && brine_clock_ms() < until_ms)
		poll(NULL, 0, 1);
	assert_int_equal(atomic_load(count), value);
}

/* ---- a session has one Write and one Read ---- */

static void a_second_write_is_refused_by_events(void **state)
{
	struct events events;
	struct peer peer;
	struct brine_call second = BRINE_CALL_INIT;
	events_start(&events, state, NULL);
	peer_start(&peer, events.host.address);
	begin_write(&peer, &peer.write, 7);
	wait_for(&events.begins, 1);
	begin_write(&peer, &second, 7);
	expect_refused(&second, BRINE_CODE_INVALID, "this session writes already");
	/* The first one goes on, and ends once. */
	assert_int_equal(send_text(&peer.write, 1, "spam\n"), 0);
	expect_receipt(&peer.write, 2);
	assert_int_equal(atomic_load(&events.begins), 1);
	assert_int_equal(atomic_load(&events.pieces), 1);
	assert_int_equal(atomic_load(&events.ends), 1);
	brine_call_done(&second);
	peer_stop(&peer);
	events_stop(&events);
}

static void a_second_read_is_refused_by_events(void **state)
{
	struct events events;
	struct peer peer;
	struct brine_call second = BRINE_CALL_INIT;
	events_start(&events, state, NULL);
	peer_start(&peer, events.host.address);
	begin_read(&peer, &peer.read, 7);
	wait_for(&events.readers, 1);
	begin_read(&peer, &second, 7);
	expect_refused(&second, BRINE_CODE_INVALID, "this session reads already");
	assert_int_equal(brine_text_send(events.reader, NULL, "eggs\n", 5), 0);
	struct brine_wire_piece piece;
	struct brine_text_piece none;
	assert_int_equal(brine_call_next(&peer.read, &piece), 1);
	/* What the peer writes goes to on_piece: nothing would ever come here. */
	assert_int_equal(brine_text_receive(events.reader, &none), BRINE_ERR_STATE);
	brine_call_done(&second);
	peer_stop(&peer);
	brine_text_close(events.reader);
	events_stop(&events);
}

static void *receive_one(struct helper *helper)
{
	struct brine_text_piece piece;
	helper->status = brine_text_receive(helper->text, &piece);
	return NULL;
}

static void *send_one(struct helper *helper)
{
	helper->status = brine_text_send(helper->text, NULL, "x", 1);
	return NULL;
}

/* The thread of the first one waits inside the conversation meanwhile: no loop waits for it. */
static void a_second_write_is_refused_by_threads(void **state)
{
	struct both both;
	struct peer peer;
	struct brine_call second = BRINE_CALL_INIT;
	both_start(&both, state);
	peer_start(&peer, both.address);
	begin_write(&peer, &peer.write, 7);
	struct brine_text *text = both_accept(&both);
	struct helper helper = {.run = receive_one, .text = text};
	helper_begin(&helper);
	for (int i = 0; i < 3; i++) {
		begin_write(&peer, &second, 7);
		expect_refused(&second, BRINE_CODE_INVALID, "this session writes already");
	}
	assert_int_equal(send_text(&peer.write, 1, "spam\n"), 0);
	assert_int_equal(brine_call_flush(&peer.write), 0);
	helper_end(&helper);
	assert_int_equal(helper.status, 1);
	brine_call_done(&second);
	brine_text_close(text);
	peer_stop(&peer);
	both_stop(&both);
}

static void a_second_read_is_refused_by_threads(void **state)
{
	struct both both;
	struct peer peer;
	struct brine_call second = BRINE_CALL_INIT;
	both_start(&both, state);
	peer_start(&peer, both.address);
	begin_read(&peer, &peer.read, 7);
	struct brine_text *text = both_accept(&both);
	assert_int_equal(brine_text_send(text, NULL, "eggs\n", 5), 0);
	begin_read(&peer, &second, 7);
	expect_refused(&second, BRINE_CODE_INVALID, "this session reads already");
	brine_call_done(&second);
	brine_text_close(text);
	peer_stop(&peer);
	both_stop(&both);
}

/* ---- pieces that break the rules ---- */

/* Sends what is wrong in one way. */
static int send_gap(struct brine_call *call)
{
	return send_text(call, 7, "gap\n");
}

static int send_no_piece(struct brine_call *call)
{
	return brine_call_send_raw(call, (struct brine_bytes){"\xa4what", 5});
}

static int send_wrong_field(struct brine_call *call)
{
	return brine_call_send_raw(call, (struct brine_bytes){"\x93\x01\xa0\x2a", 4});
}

static int send_bad_signal(struct brine_call *call)
{
	struct brine_wire_piece piece = {.sequence = 1, .which = TEXT_CONTENT_SIGNAL, .content.signal = 65};
	return brine_call_send(call, &piece);
}

static int (*const faults[])(struct brine_call *) = {send_gap, send_no_piece, send_wrong_field, send_bad_signal};

enum {
	FAULTS = sizeof faults / sizeof faults[0],
	CALLS = 100, /* more than a server keeps requests for the next calls */
};

static void bad_pieces_end_their_call_in_events(void **state)
{
	struct events events;
	struct peer peer;
	struct brine_call calls[CALLS];
	events_start(&events, state, NULL);
	for (unsigned fault = 0; fault < FAULTS; fault++) {
		peer_start(&peer, events.host.address);
		for (int i = 0; i < CALLS; i++) {
			calls[i] = (struct brine_call)BRINE_CALL_INIT;
			begin_write(&peer, &calls[i], 0);
		}
		wait_for(&events.begins, CALLS * (int)(fault + 1));
		for (int i = 0; i < CALLS; i++)
			assert_int_equal(faults[fault](&calls[i]), 0);
		for (int i = 0; i < CALLS; i++) {
			expect_refused(&calls[i], BRINE_CODE_INVALID, "");
			brine_call_done(&calls[i]);
		}
		wait_for(&events.ends, CALLS * (int)(fault + 1));
		peer_stop(&peer);
	}
	events_stop(&events);
}

static void bad_pieces_end_their_call_in_threads(void **state)
{
	struct both both;
	both_start(&both, state);
	for (unsigned fault = 0; fault < FAULTS; fault++) {
		struct peer peer;
		struct brine_text_piece piece;
		peer_start(&peer, both.address);
		begin_write(&peer, &peer.write, 7);
		struct brine_text *text = both_accept(&both);
		assert_int_equal(faults[fault](&peer.write), 0);
		assert_true(brine_text_receive(text, &piece) < 0);
		assert_true(brine_text_ending(text)->cut);
		expect_refused(&peer.write, BRINE_CODE_INVALID, "");
		brine_text_close(text);
		peer_stop(&peer);
	}
	both_stop(&both);
}

/* A first piece that is none: there is no conversation yet. */
static void a_bad_first_piece_begins_nothing(void **state)
{
	struct events events;
	struct peer peer;
	events_start(&events, state, NULL);
	peer_start(&peer, events.host.address);
	for (int i = 0; i < CALLS; i++) {
		assert_int_equal(brine_client_begin(peer.client, &peer.write, &brine_wire_write_method, NULL), 0);
		assert_int_equal(send_no_piece(&peer.write), 0);
		expect_refused(&peer.write, BRINE_CODE_INVALID, "");
	}
	assert_int_equal(atomic_load(&events.begins), 0);
	assert_int_equal(atomic_load(&events.ends), 0);
	peer_stop(&peer);
	events_stop(&events);
}

/* ---- sessions of several connections ---- */

static void a_session_belongs_to_its_connection(void **state)
{
	struct events events;
	struct peer one, other;
	events_start(&events, state, NULL);
	peer_start(&one, events.host.address);
	peer_start(&other, events.host.address);
	begin_write(&one, &one.write, 7);
	wait_for(&events.begins, 1);
	begin_write(&other, &other.write, 7);
	begin_read(&other, &other.read, 7);
	wait_for(&events.begins, 2);
	wait_for(&events.readers, 1);
	/* What the one writes, and how it ends, is nothing to the reader of the other one. */
	expect_receipt(&one.write, 1);
	assert_int_equal(brine_text_send(events.reader, NULL, "eggs\n", 5), 0);
	expect_receipt(&other.write, 1);
	peer_stop(&one);
	peer_stop(&other);
	brine_text_close(events.reader);
	events_stop(&events);
}

/* One thread and connection each; server loops, too. */
struct crowd {
	pthread_t thread;
	const char *address;
	struct both *both;
	int failures;
};

static void *write_often(void *argument)
{
	struct crowd *crowd = argument;
	for (int i = 0; i < 40; i++) {
		struct brine_text *text;
		struct peer peer;
		peer_start(&peer, crowd->address);
		if (brine_client_begin(peer.client, &peer.write, &brine_wire_write_method, NULL) < 0 ||
		    send_begin(&peer.write, 7) < 0 || send_text(&peer.write, 1, "spam\n") < 0)
			crowd->failures++;
		(void)brine_call_flush(&peer.write);
		if (brine_text_accept(crowd->both->listener, &text, PATIENCE_MS, NULL) < 0) {
			crowd->failures++;
		} else {
			struct brine_text_piece piece;
			(void)brine_text_receive(text, &piece);
			brine_text_close(text);
		}
		struct brine_wire_source source = {7, BRINE_STR("peer")};
		(void)brine_client_begin(peer.client, &peer.read, &brine_wire_read_method, &source);
		peer_stop(&peer);
	}
	return NULL;
}

static void equal_sessions_on_several_loops(void **state)
{
	struct both both;
	struct brine_server_options server = BRINE_SERVER_OPTIONS_INIT;
	struct brine_text_options options = BRINE_TEXT_OPTIONS_INIT;
	char where[ADDRESS_SIZE];
	struct crowd crowd[4];
	server.loops = 4;
	options.server = &server;
	options.accept_max = 1000;
	assert_int_equal(brine_text_listen(&both.listener, address_over(state, OVER_UNIX, where), &options, NULL), 0);
	for (unsigned i = 0; i < 4; i++) {
		crowd[i] = (struct crowd){.address = where, .both = &both};
		assert_int_equal(pthread_create(&crowd[i].thread, NULL, write_often, &crowd[i]), 0);
	}
	for (unsigned i = 0; i < 4; i++) {
		pthread_join(crowd[i].thread, NULL);
		assert_int_equal(crowd[i].failures, 0);
	}
	both_stop(&both);
}

/* ---- waits for a call that does not come ---- */

static void expect_lost(struct both *both, struct peer *peer, struct brine_text *text, void *(*run)(struct helper *))
{
	struct helper helper = {.run = run, .text = text};
	helper_begin(&helper);
	poll(NULL, 0, 20); /* it may have begun to wait; that it has not changes nothing */
	peer_stop(peer);
	helper_end(&helper);
	assert_int_equal(helper.status, BRINE_ERR_LOST);
	brine_text_close(text);
	both_stop(both);
}

static void receiving_ends_with_a_peer_that_only_reads(void **state)
{
	struct both both;
	struct peer peer;
	both_start(&both, state);
	peer_start(&peer, both.address);
	begin_read(&peer, &peer.read, 7);
	expect_lost(&both, &peer, both_accept(&both), receive_one);
}

static void receiving_ends_after_what_was_read_has(void **state)
{
	struct both both;
	struct peer peer;
	struct brine_wire_piece piece;
	both_start(&both, state);
	peer_start(&peer, both.address);
	begin_read(&peer, &peer.read, 7);
	struct brine_text *text = both_accept(&both);
	assert_int_equal(brine_text_end(text, 0, 0, 0), 0);
	assert_int_equal(brine_call_next(&peer.read, &piece), 1);
	assert_int_equal(brine_call_next(&peer.read, &piece), 0);
	expect_lost(&both, &peer, text, receive_one);
}

static void sending_ends_with_a_peer_that_only_writes(void **state)
{
	struct both both;
	struct peer peer;
	both_start(&both, state);
	peer_start(&peer, both.address);
	begin_write(&peer, &peer.write, 7);
	expect_lost(&both, &peer, both_accept(&both), send_one);
}

static void sending_ends_after_what_was_written_has(void **state)
{
	struct both both;
	struct peer peer;
	struct brine_text_piece piece;
	both_start(&both, state);
	peer_start(&peer, both.address);
	begin_write(&peer, &peer.write, 0);
	struct brine_text *text = both_accept(&both);
	assert_int_equal(brine_call_end_upload(&peer.write), 0);
	assert_int_equal(brine_text_receive(text, &piece), 0);
	assert_int_equal(brine_call_finish(&peer.write, NULL), 0);
	expect_lost(&both, &peer, text, send_one);
}

/* Gone before anybody waits. */
static void nothing_joins_a_connection_that_has_ended(void **state)
{
	struct both both;
	struct peer peer;
	struct brine_text_piece piece;
	both_start(&both, state);
	peer_start(&peer, both.address);
	begin_write(&peer, &peer.write, 7);
	struct brine_text *text = both_accept(&both);
	peer_stop(&peer);
	assert_true(brine_text_receive(text, &piece) < 0);
	assert_int_equal(brine_text_send(text, NULL, "x", 1), BRINE_ERR_LOST);
	assert_int_equal(brine_text_end(text, 0, 0, 0), BRINE_ERR_LOST);
	brine_text_close(text);
	both_stop(&both);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        e2e_test(a_second_write_is_refused_by_events),     e2e_test(a_second_read_is_refused_by_events),
	        e2e_test(a_second_write_is_refused_by_threads),    e2e_test(a_second_read_is_refused_by_threads),
	        e2e_test(bad_pieces_end_their_call_in_events),     e2e_test(bad_pieces_end_their_call_in_threads),
	        e2e_test(a_bad_first_piece_begins_nothing),        e2e_test(a_session_belongs_to_its_connection),
	        e2e_test(equal_sessions_on_several_loops),         e2e_test(receiving_ends_with_a_peer_that_only_reads),
	        e2e_test(receiving_ends_after_what_was_read_has),  e2e_test(sending_ends_with_a_peer_that_only_writes),
	        e2e_test(sending_ends_after_what_was_written_has), e2e_test(nothing_joins_a_connection_that_has_ended),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
