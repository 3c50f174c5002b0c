/* exchange_trader.c - the smallest call back: places an order at the order exchange, which asks before it trades.
 *
 *   exchange_trader ADDRESS SYMBOL QUANTITY MOST     MOST: the highest price that is accepted */
#include "exchange.brine.h"

#include <stdio.h>
#include <stdlib.h>

/* The exchange asks while exchange_place_confirmed() waits for its answer. */
static int confirm(struct brine_request *request, const struct exchange_offer *offer,
                   struct exchange_decision *decision, void *most)
{
	(void)request;
	decision->accepted = offer->price <= *(const int64_t *)most;
	printf("%lld at %lld: %s\n", (long long)offer->quantity, (long long)offer->price,
	       decision->accepted ? "yes" : "no");
	return 0;
}

int main(int argc, char **argv)
{
	static const struct exchange_trader_handlers handlers = {.confirm = confirm};
	struct brine_client *client;
	struct brine_call call = BRINE_CALL_INIT;
	struct brine_error error;
	struct exchange_receipt receipt;

	if (argc != 5 || brine_client_open(&client, argv[1], NULL, &error) < 0)
		return 2;
	struct exchange_order order = {.symbol = brine_str_from(argv[2]), .quantity = atoll(argv[3])};
	int64_t most = atoll(argv[4]);
	exchange_trader_client_serve(client, &handlers, &most, &error);
	int status = exchange_place_confirmed(client, &call, &order, &receipt);
	if (status < 0)
		fprintf(stderr, "place: %s\n", brine_call_error_text(&call));
	else
		printf("order %llu\n", (unsigned long long)receipt.order_id);
	brine_call_done(&call);
	brine_client_free(client);
	return status < 0;
}
