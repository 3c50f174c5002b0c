/* exchange_watch.c - the smallest stream: shows the trades of a symbol at the order exchange as they happen.
 *
 *   exchange_watch ADDRESS SYMBOL [COUNT]     COUNT: end after so many */
#include "exchange.brine.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	struct brine_client *client;
	struct brine_call call = BRINE_CALL_INIT;
	struct brine_error error;
	struct exchange_trade trade;
	unsigned long left = argc > 3 ? strtoul(argv[3], NULL, 10) : ULONG_MAX;
	int status = 0;

	if (argc < 3 || brine_client_open(&client, argv[1], NULL, &error) < 0)
		return 2;
	call.timeout_ms = BRINE_FOREVER;
	exchange_watch_open(client, &call, &(struct exchange_watch_request){.symbol = brine_str_from(argv[2])});
	while (left-- > 0 && (status = exchange_watch_next(&call, &trade)) > 0)
		printf("%lld at %lld\n", (long long)trade.quantity, (long long)trade.price);
	if (status < 0)
		fprintf(stderr, "watch: %s\n", brine_call_error_text(&call));
	brine_call_done(&call); /* what is left of the stream is cancelled */
	brine_client_free(client);
	return status < 0;
}
