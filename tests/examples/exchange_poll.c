/* exchange_poll.c - a client in a loop of the program's own, here of poll(): places an order for each line of standard
 * input ("ACME 10") without waiting for the answer to the one before, and says what came of it.
 *
 *   exchange_poll ADDRESS
 *
 * For libuv, libev, sd-event and GLib the headers in brine/loop take the place of watch_both(). */
#include "exchange.brine.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct order {
	struct brine_call call;
	char symbol[32];
	long long quantity;
};

static struct brine_client *client;
static unsigned running;
static int failures;

/* Called when the answer is there. */
static void placed(struct brine_call *call, void *user)
{
	struct order *order = user;
	struct exchange_receipt receipt;
	if (exchange_place_finish(call, &receipt) < 0) {
		printf("%s %lld: %s\n", order->symbol, order->quantity, brine_call_error_text(call));
		failures++;
	} else {
		printf("%s %lld: order %llu\n", order->symbol, order->quantity, (unsigned long long)receipt.order_id);
	}
	running--;
	brine_call_done(call);
	free(order);
}

static void place(const char *line)
{
	struct order *order = calloc(1, sizeof *order);
	if (!order || sscanf(line, "%31s %lld", order->symbol, &order->quantity) != 2) {
		fprintf(stderr, "not an order: %s", line);
		failures++;
		free(order);
		return;
	}
	order->call = (struct brine_call)BRINE_CALL_INIT;
	order->call.on_done = placed;
	order->call.user = order;
	running++;
	struct exchange_order request = {.symbol = brine_str_from(order->symbol), .quantity = order->quantity};
	if (exchange_place_begin(client, &order->call, &request) < 0)
		placed(&order->call, order); /* the call has ended, and finish says how */
}

/* Ends when standard input has ended and every answer is there. */
static void watch_both(void)
{
	struct pollfd watched[] = {{.fd = brine_client_get_fd(client), .events = POLLIN},
	                           {.fd = STDIN_FILENO, .events = POLLIN}};
	while (running || watched[1].fd >= 0) {
		if (poll(watched, 2, brine_client_get_timeout_ms(client)) < 0)
			continue;
		if (watched[1].revents) {
			char line[80];
			if (fgets(line, sizeof line, stdin))
				place(line);
			else
				watched[1].fd = -1;
		}
		brine_client_process(client);
	}
}

int main(int argc, char **argv)
{
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_error error;

	options.mode = BRINE_CLIENT_LOOP;
	if (argc != 2 || brine_client_open(&client, argv[1], &options, &error) < 0)
		return 2;
	setvbuf(stdin, NULL, _IONBF, 0); /* poll() must know of every line */
	watch_both();
	brine_client_free(client);
	return failures ? 1 : 0;
}
