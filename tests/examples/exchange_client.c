/* exchange_client.c - the example client: calls the order exchange and says what it saw.
 *
 *   exchange_client ADDRESS [PREFIX]     PREFIX: record what crosses in PREFIX.c2s and PREFIX.s2c, for brine dump
 *
 * Exit status 0: every answer was as expected; 1: one was not; 2: usage. */
#include "exchange.brine.h"
#include "record.h"

#include <stdio.h>

static int unexpected(const char *what, const struct brine_call *call)
{
	fprintf(stderr, "%s: %s\n", what, brine_call_error_text(call));
	return -1;
}

static int place_an_order(struct brine_client *client, struct brine_call *call)
{
	struct exchange_order order = {.symbol = BRINE_STR("ACME"), .side = EXCHANGE_SIDE_BUY, .quantity = 10};
	struct exchange_receipt receipt;

	order.which_price = EXCHANGE_ORDER_LIMIT;
	order.price.limit = 12100;
	if (exchange_place(client, call, &order, &receipt) < 0)
		return unexpected("place", call);
	/* The receipt lives in the call until its next use. */
	for (size_t i = 0; i < receipt.fills.count; i++)
		printf("placed: order %llu, %lld traded at %lld, %lld open\n", (unsigned long long)receipt.order_id,
		       (long long)receipt.fills.items[i].quantity, (long long)receipt.fills.items[i].price,
		       (long long)receipt.open_quantity);
	return receipt.fills.count == 1 && receipt.open_quantity == 5 ? 0 : unexpected("place: wrong receipt", call);
}

static int place_a_wrong_order(struct brine_client *client, struct brine_call *call)
{
	struct exchange_order order = {.symbol = BRINE_STR("NOSUCH"), .side = EXCHANGE_SIDE_SELL, .quantity = 1};
	struct exchange_receipt receipt;
	struct exchange_rejection rejection;

	if (exchange_place(client, call, &order, &receipt) != BRINE_ERR_REMOTE)
		return unexpected("place: not refused", call);
	if (brine_call_code(call) != BRINE_CODE_APPLICATION ||
	    brine_call_error_loads(call, &exchange_rejection_type, &rejection) < 0)
		return unexpected("place: refused otherwise", call);
	printf("refused: %s (reason %s, symbol %.*s)\n", brine_call_error_text(call),
	       brine_enum_name(&exchange_reason_enum, rejection.reason), BRINE_ARG(rejection.symbol));
	return rejection.reason == EXCHANGE_REASON_UNKNOWN_SYMBOL ? 0 : -1;
}

static int ask_for_quotes(struct brine_client *client, struct brine_call *call)
{
	const struct brine_str symbols[] = {BRINE_STR_INIT("ACME"), BRINE_STR_INIT("GHERKIN"),
	                                    BRINE_STR_INIT("NOSUCH")};
	struct exchange_quote_request request = {.symbols = {symbols, 3}};
	struct exchange_quote_reply reply;

	if (exchange_quote(client, call, &request, &reply) < 0)
		return unexpected("quote", call);
	for (size_t i = 0; i < reply.quotes.count; i++)
		printf("quote: %.*s bid %lld ask %lld\n", BRINE_ARG(reply.quotes.items[i].key),
		       (long long)reply.quotes.items[i].value.bid, (long long)reply.quotes.items[i].value.ask);
	return reply.quotes.count == 2 ? 0 : unexpected("quote: wrong number", call);
}

static int leave_a_note(struct brine_client *client, struct brine_call *call)
{
	struct exchange_note_request request = {.text = BRINE_STR("hello from the example")};

	if (exchange_note_notify(client, call, &request) < 0)
		return unexpected("note", call);
	printf("noted\n");
	return 0;
}

static int settle_in_vain(struct brine_client *client, struct brine_call *call)
{
	struct exchange_settle_request request = {.delay_ms = 60000};
	struct exchange_settle_reply reply;

	call->timeout_ms = 200;
	int status = exchange_settle(client, call, &request, &reply);
	call->timeout_ms = 0;
	if (status != BRINE_ERR_DEADLINE)
		return unexpected("settle: no deadline", call);
	printf("settle: %s\n", brine_call_error_text(call));
	return 0;
}

/* A stream beside other calls, on the same connection. */
static int watch_a_trade(struct brine_client *client, struct brine_call *call)
{
	struct brine_call watch = BRINE_CALL_INIT;
	struct exchange_trade trade;

	exchange_watch_open(client, &watch, &(struct exchange_watch_request){.symbol = BRINE_STR("ACME")});
	int status = place_an_order(client, call);
	if (status == 0 && exchange_watch_next(&watch, &trade) != 1)
		status = unexpected("watch", &watch);
	if (status == 0)
		printf("watched: %lld of %.*s at %lld\n", (long long)trade.quantity, BRINE_ARG(trade.symbol),
		       (long long)trade.price);
	exchange_watch_close(&watch);
	brine_call_done(&watch);
	return status;
}

int main(int argc, char **argv)
{
	static int (*const steps[])(struct brine_client * client, struct brine_call * call) = {
	        place_an_order, place_a_wrong_order, ask_for_quotes, leave_a_note, watch_a_trade, settle_in_vain};
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_client *client = NULL;
	struct brine_call call = BRINE_CALL_INIT;
	struct brine_error error;
	struct recorder recorder = {0};
	int status = 1;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: exchange_client ADDRESS [PREFIX]\n");
		return 2;
	}
	if (argc == 3 && recorder_open(&recorder, argv[2], &options) < 0)
		return 1;
	if (brine_client_open(&client, argv[1], &options, &error) < 0) {
		fprintf(stderr, "exchange_client: %s\n", error.text);
		goto done;
	}
	status = 0;
	for (size_t i = 0; i < sizeof steps / sizeof steps[0] && status == 0; i++)
		status = steps[i](client, &call) < 0;
done:
	brine_call_done(&call);
	brine_client_free(client);
	return recorder_close(&recorder) < 0 ? 1 : status;
}
