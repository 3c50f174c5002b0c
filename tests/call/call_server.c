/* call_server.c ADDRESS... - the server of call_cli.py: the methods of calls.proto, and "echo", which answers its
 * parameters as they came. Ends on SIGTERM. */
#include "calls.brine.h"

#include <signal.h>
#include <stdio.h>

static struct brine_server *server; /* for the signal handler */

static void on_signal(int number)
{
	(void)number;
	brine_server_stop(server);
}

static void say(const char *text)
{
	puts(text);
	fflush(stdout);
}

static int echo(struct brine_request *request, struct brine_bytes params, void *user)
{
	(void)user;
	if (brine_request_is_notification(request))
		say("notified");
	return brine_request_reply_raw(request, params);
}

static int metadata(struct brine_request *request, const struct calls_nothing *in, struct calls_any *out, void *user)
{
	(void)in;
	(void)user;
	struct brine_bytes bytes = brine_request_metadata(request);
	out->value = (struct brine_value){bytes.data, bytes.size};
	return 0;
}

static int fail(struct brine_request *request, const struct calls_failure *in, struct calls_nothing *out, void *user)
{
	(void)out;
	(void)user;
	if (!in->has_detail)
		return brine_request_fail(request, in->code, "%.*s", BRINE_ARG(in->text));
	struct calls_number detail = {.value = in->detail};
	return brine_request_fail_data(request, in->code, &calls_number_type, &detail, "%.*s", BRINE_ARG(in->text));
}

static void on_cancel(struct brine_request *request, void *user)
{
	(void)user;
	if (!brine_request_cancelled(request))
		return;
	say("cancelled");
	brine_request_fail(request, BRINE_CODE_CANCELLED, "nobody waits any more");
}

static int wait_for_ever(struct brine_request *request, const struct calls_nothing *in, struct calls_nothing *out,
                         void *user)
{
	(void)in;
	(void)out;
	(void)user;
	say("waiting");
	brine_request_on_ready(request, on_cancel, NULL);
	return BRINE_PENDING;
}

static int same(struct brine_request *request, const struct calls_any *in, struct calls_any *out, void *user)
{
	(void)request;
	(void)user;
	*out = *in;
	return 0;
}

static int count(struct brine_request *request, const struct calls_number *in, void *user)
{
	(void)user;
	int status = 0;
	for (int64_t i = 1; i <= in->value && status == 0; i++)
		status = calls_count_request_send(request, &(struct calls_number){.value = i});
	if (status < 0)
		say("cut");
	return status == 0 && in->pad.size ? brine_request_fail(request, BRINE_CODE_APPLICATION, "as asked") : status;
}

static int sum(struct brine_request *request, struct calls_total *total, void *user)
{
	struct calls_number item;
	int status;
	(void)user;
	while ((status = calls_sum_request_next(request, &item)) > 0) {
		total->sum += item.value;
		total->count++;
	}
	if (status < 0)
		say("cut");
	return status;
}

static int twice(struct brine_request *request, void *user)
{
	struct calls_number item;
	int status;
	(void)user;
	while ((status = calls_double_request_next(request, &item)) > 0) {
		item.value *= 2;
		status = calls_double_request_send(request, &item);
		if (status < 0)
			break;
	}
	if (status < 0)
		say("cut");
	return status;
}

static int first(struct brine_request *request, struct calls_number *out, void *user)
{
	struct calls_number item;
	(void)user;
	int status = calls_first_request_next(request, &item);
	if (status > 0)
		out->value = item.value;
	return status < 0 ? status : 0;
}

int main(int argc, char **argv)
{
	static const struct calls_handlers handlers = {
	        .metadata = metadata,
	        .fail = fail,
	        .wait = wait_for_ever,
	        .same = same,
	        .count = count,
	        .sum = sum,
	        .double_ = twice,
	        .first = first,
	};
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct brine_error error = BRINE_ERROR_INIT;
	const char *address;
	options.drain_ms = 100;
	if (brine_server_new(&server, &options) < 0 || calls_serve(server, &handlers, NULL, &error) < 0 ||
	    brine_server_serve_raw(server, "echo", echo, NULL, &error) < 0)
		goto failed;
	for (int i = 1; i < argc; i++) {
		if (brine_server_listen(server, argv[i], &error) < 0)
			goto failed;
	}
	for (unsigned i = 0; (address = brine_server_address(server, i)) != NULL; i++)
		printf("listening on %s\n", address);
	fflush(stdout);
	signal(SIGTERM, on_signal);
	if (brine_server_run(server, &error) < 0)
		goto failed;
	brine_server_free(server);
	return 0;

failed:
	fprintf(stderr, "call_server: %s\n", error.code ? error.text : "out of memory");
	brine_server_free(server);
	return 1;
}
