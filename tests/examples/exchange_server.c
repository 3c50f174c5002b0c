/* exchange_server.c - the example server: a small order exchange.
 *
 *   exchange_server ADDRESS...      for instance tcp://127.0.0.1:7411 unix:///tmp/exchange.sock
 *
 * Ends on SIGINT and SIGTERM: the first drains, the second does not wait. */
#include "exchange.brine.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>

enum {
	QUANTITY_MOST = 1000,
	WATCHERS_MOST = 64,
};

/* Who wants to know of every trade. */
struct watcher {
	struct brine_request *request; /* answered when it is let go */
	int index;                     /* of listed[] */
};

/* Belongs to the server's only loop thread, where all handlers run but settle. */
struct exchange {
	uint64_t orders;
	uint64_t trades;
	struct watcher watchers[WATCHERS_MOST];
	unsigned watcher_count;
};

static const struct {
	struct brine_str symbol;
	int64_t price;
} listed[] = {{BRINE_STR_INIT("ACME"), 12050}, {BRINE_STR_INIT("BRINE"), 4200}, {BRINE_STR_INIT("GHERKIN"), 99}};
enum { LISTED_COUNT = sizeof listed / sizeof listed[0] };

static struct brine_server *server; /* for the signal handler */

static void on_signal(int number)
{
	(void)number;
	brine_server_stop(server);
}

static struct brine_timestamp now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_REALTIME, &time);
	return (struct brine_timestamp){time.tv_sec, (int32_t)time.tv_nsec};
}

static int find(struct brine_str symbol)
{
	for (int i = 0; i < LISTED_COUNT; i++)
		if (brine_str_equal(listed[i].symbol, symbol))
			return i;
	return -1;
}

/* An error that a program can read: the code says "rejected", the data says why. */
static int reject(struct brine_request *request, const struct exchange_order *order, int32_t reason, const char *why)
{
	struct exchange_rejection rejection = {.reason = reason, .symbol = order->symbol};
	if (reason == EXCHANGE_REASON_BAD_QUANTITY) {
		rejection.has_limit = true;
		rejection.limit = QUANTITY_MOST;
	}
	return brine_request_fail_data(request, BRINE_CODE_APPLICATION, &exchange_rejection_type, &rejection, "%s",
	                               why);
}

/* A watcher that does not keep up is let go: nobody else waits for it. */
static void tell_watchers(struct exchange *exchange, int index, const struct exchange_fill *fill)
{
	struct exchange_trade trade = {.symbol = listed[index].symbol,
	                               .quantity = fill->quantity,
	                               .price = fill->price,
	                               .has_at = true,
	                               .at = now()};
	unsigned kept = 0;
	for (unsigned i = 0; i < exchange->watcher_count; i++) {
		struct watcher *watcher = &exchange->watchers[i];
		if (watcher->index == index && exchange_watch_request_send(watcher->request, &trade) < 0)
			brine_request_fail(watcher->request, BRINE_CODE_OVERLOADED, "too slow");
		else
			exchange->watchers[kept++] = *watcher;
	}
	exchange->watcher_count = kept;
}

static int place(struct brine_request *request, const struct exchange_order *order, struct exchange_receipt *receipt,
                 void *user)
{
	struct exchange *exchange = user;
	int index = find(order->symbol);
	if (index < 0)
		return reject(request, order, EXCHANGE_REASON_UNKNOWN_SYMBOL, "nobody trades this here");
	if (order->quantity <= 0 || order->quantity > QUANTITY_MOST)
		return reject(request, order, EXCHANGE_REASON_BAD_QUANTITY, "the quantity must be 1 to 1000");

	/* Half is traded at once. What the receipt points to must live until it is encoded: ask the request for memory.
	 */
	struct exchange_fill *fill = brine_request_alloc(request, sizeof *fill);
	if (!fill)
		return BRINE_ERR_NOMEM;
	*fill = (struct exchange_fill){++exchange->trades, (order->quantity + 1) / 2, listed[index].price};
	receipt->order_id = ++exchange->orders;
	receipt->has_accepted_at = true;
	receipt->accepted_at = now();
	receipt->has_client_reference = order->has_client_reference;
	receipt->client_reference = order->client_reference;
	receipt->fills.items = fill;
	receipt->fills.count = 1;
	receipt->open_quantity = order->quantity - fill->quantity;
	tell_watchers(exchange, index, fill);
	return 0;
}

/* An order that waits for what its trader says, in the memory of its request. */
struct offer {
	struct exchange *exchange;
	struct brine_request *request;
	const struct exchange_order *order;
	struct brine_call call;
};

/* Called on the loop, as the handlers are. */
static void on_decision(struct brine_call *call, void *user)
{
	struct offer *offer = user;
	struct brine_request *request = offer->request;
	struct exchange_decision decision;
	struct exchange_receipt receipt = {0};
	bool answered = exchange_trader_confirm_finish(call, &decision) == 0;
	brine_call_done(call);
	if (!answered || !decision.accepted)
		brine_request_fail(request, BRINE_CODE_APPLICATION,
		                   answered ? "declined" : "the trader does not answer");
	else if (place(request, offer->order, &receipt, offer->exchange) == 0)
		exchange_place_confirmed_reply(request, &receipt);
}

/* Calls the caller back, and answers when it has said what it thinks. */
static int place_confirmed(struct brine_request *request, const struct exchange_order *order,
                           struct exchange_receipt *receipt, void *user)
{
	struct offer *offer = brine_request_alloc(request, sizeof *offer);
	struct brine_client *trader = brine_request_client(request);
	int index = find(order->symbol);
	(void)receipt;
	if (index < 0)
		return reject(request, order, EXCHANGE_REASON_UNKNOWN_SYMBOL, "nobody trades this here");
	if (!offer || !trader)
		return BRINE_ERR_NOMEM;
	*offer = (struct offer){.exchange = user, .request = request, .order = order};
	/* Who gives up on the order gives up on the question, too. */
	offer->call = (struct brine_call){.parent = request, .on_done = on_decision, .user = offer};
	struct exchange_offer question = {order->symbol, order->quantity, listed[index].price};
	if (exchange_trader_confirm_begin(trader, &offer->call, &question) == 0)
		return BRINE_PENDING;
	brine_call_done(&offer->call);
	return brine_request_fail(request, BRINE_CODE_APPLICATION, "the trader cannot be asked");
}

static int quote(struct brine_request *request, const struct exchange_quote_request *in,
                 struct exchange_quote_reply *reply, void *user)
{
	(void)user;
	struct exchange_quote_reply_quotes_entry *quotes =
	        brine_request_alloc(request, in->symbols.count * sizeof *quotes);
	if (!quotes)
		return BRINE_ERR_NOMEM;
	reply->quotes.items = quotes;
	for (size_t i = 0; i < in->symbols.count; i++) {
		int index = find(in->symbols.items[i]);
		if (index < 0)
			continue;
		int64_t price = listed[index].price;
		quotes[reply->quotes.count].key = in->symbols.items[i];
		quotes[reply->quotes.count++].value = (struct exchange_quote){.has_bid = true,
		                                                              .bid = price - 1,
		                                                              .has_ask = true,
		                                                              .ask = price + 1,
		                                                              .last = price,
		                                                              .has_at = true,
		                                                              .at = now()};
	}
	return 0;
}

static int note(struct brine_request *request, const struct exchange_note_request *in,
                struct exchange_note_reply *reply, void *user)
{
	(void)reply;
	(void)user;
	char text[200];
	brine_escape(text, sizeof text, in->text.data, in->text.size);
	printf("note from %s: %s\n", brine_request_peer(request)->address, text);
	fflush(stdout);
	return 0;
}

/* Marked blocking in the schema: it runs on a worker and may wait, here for a bank, while the loop goes on. */
static int settle(struct brine_request *request, const struct exchange_settle_request *in,
                  struct exchange_settle_reply *reply, void *user)
{
	(void)user;
	for (uint64_t waited_ms = 0; waited_ms < in->delay_ms; waited_ms += 10) {
		if (brine_request_cancelled(request))
			return brine_request_fail(request, BRINE_CODE_CANCELLED, "nobody waits any more");
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
	reply->balance = 1000000;
	return 0;
}

/* The watcher has gone. A pending request must be answered once, also when nobody listens. */
static void unwatch(struct brine_request *request, void *user)
{
	struct exchange *exchange = user;
	unsigned kept = 0;
	if (!brine_request_cancelled(request))
		return;
	for (unsigned i = 0; i < exchange->watcher_count; i++)
		if (exchange->watchers[i].request != request)
			exchange->watchers[kept++] = exchange->watchers[i];
	exchange->watcher_count = kept;
	brine_request_fail(request, BRINE_CODE_CANCELLED, "nobody watches any more");
}

/* Keeps the request: its items are sent when something is traded. */
static int watch(struct brine_request *request, const struct exchange_watch_request *in, void *user)
{
	struct exchange *exchange = user;
	int index = find(in->symbol);
	if (index < 0)
		return brine_request_fail(request, BRINE_CODE_APPLICATION, "nobody trades this here");
	if (exchange->watcher_count == WATCHERS_MOST)
		return brine_request_fail(request, BRINE_CODE_OVERLOADED, "too many watchers");
	exchange->watchers[exchange->watcher_count++] = (struct watcher){request, index};
	brine_request_on_ready(request, unwatch, exchange);
	return BRINE_PENDING;
}

int main(int argc, char **argv)
{
	static const struct exchange_handlers handlers = {.place = place,
	                                                  .place_confirmed = place_confirmed,
	                                                  .quote = quote,
	                                                  .note = note,
	                                                  .settle = settle,
	                                                  .watch = watch};
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct exchange exchange = {0};
	struct brine_error error = BRINE_ERROR_INIT;

	if (argc < 2) {
		fprintf(stderr, "usage: exchange_server ADDRESS...\n");
		return 2;
	}
	options.name = "exchange";
	options.drain_ms = 1000;
	if (brine_server_new(&server, &options) < 0 || exchange_serve(server, &handlers, &exchange, &error) < 0)
		goto failed;
	for (int i = 1; i < argc; i++)
		if (brine_server_listen(server, argv[i], &error) < 0)
			goto failed;
	const char *address;
	for (unsigned i = 0; (address = brine_server_address(server, i)) != NULL; i++)
		printf("listening on %s\n", address);
	fflush(stdout);

	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	if (brine_server_run(server, &error) < 0)
		goto failed;
	brine_server_free(server);
	return 0;

failed:
	fprintf(stderr, "exchange_server: %s\n", error.code ? error.text : "out of memory");
	brine_server_free(server);
	return 1;
}
