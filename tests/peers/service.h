/* service.h - what the server of these tests does: typed methods (peers.proto) and untyped ones. The state belongs to
 * the server's loop, but `attached` to its only worker. */
#ifndef BRINE_TESTS_PEERS_SERVICE_H
#define BRINE_TESTS_PEERS_SERVICE_H

#include "peers.brine.h"

#include <brine/client.h>
#include <brine/pack.h>

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum {
	SERVICE_HELD_MAX = 64,
	SERVICE_BUFFER = 300, /* the handle of the only buffer: two bytes in its ext */
};

struct service {
	struct brine_request *held[SERVICE_HELD_MAX]; /* NULL: free */
	int64_t numbers[SERVICE_HELD_MAX];
	atomic_int logged;
	atomic_int introduced;         /* nvim_set_client_info came */
	atomic_int called_back;        /* the one byte of what the peer answered; 0: it did not */
	struct brine_client *attached; /* to the peer that calls us; NULL: none */
};

static int service_divide(struct brine_request *request, const struct peers_pair *pair, struct peers_number *quotient,
                          void *user)
{
	(void)user;
	if (pair->b == 0)
		return brine_request_fail(request, 100, "division by zero");
	if (pair->b == -1 && pair->a == INT64_MIN)
		return brine_request_fail(request, BRINE_CODE_INVALID, "the quotient does not fit 64 bits");
	quotient->value = pair->a / pair->b;
	return 0;
}

static int service_join(struct brine_request *request, const struct peers_texts *texts, struct peers_text *joined,
                        void *user)
{
	(void)user;
	joined->text = brine_request_printf(request, "%.*s%.*s", (int)texts->first.size, texts->first.data,
	                                    (int)texts->second.size, texts->second.data);
	return 0;
}

static int service_echo(struct brine_request *request, const struct peers_anything *given,
                        struct peers_anything *returned, void *user)
{
	(void)request;
	(void)user;
	*returned = *given;
	return 0;
}

static int service_make(struct brine_request *request, const struct peers_number *size, struct peers_text *made,
                        void *user)
{
	(void)user;
	if (size->value < 0 || size->value > 8 << 20)
		return brine_request_fail(request, BRINE_CODE_INVALID, "a size of 0 to 8 MiB");
	char *text = brine_request_alloc(request, (size_t)size->value);
	if (!text)
		return brine_request_fail(request, BRINE_CODE_INTERNAL, "out of memory");
	memset(text, 'x', (size_t)size->value);
	made->text = (struct brine_str){text, (size_t)size->value};
	return 0;
}

static int service_measure(struct brine_request *request, const struct peers_text *text, struct peers_number *size,
                           void *user)
{
	(void)request;
	(void)user;
	size->value = (int64_t)text->text.size;
	return 0;
}

static int service_hold(struct brine_request *request, const struct peers_number *number, struct peers_number *same,
                        void *user)
{
	struct service *service = user;
	(void)same;
	for (int i = 0; i < SERVICE_HELD_MAX; i++) {
		if (service->held[i])
			continue;
		service->held[i] = request;
		service->numbers[i] = number->value;
		return BRINE_PENDING;
	}
	return brine_request_fail(request, BRINE_CODE_OVERLOADED, "too many are held");
}

static int service_let_go(struct brine_request *request, const struct peers_number *number,
                          struct peers_nothing *nothing, void *user)
{
	struct service *service = user;
	(void)nothing;
	for (int i = 0; i < SERVICE_HELD_MAX; i++) {
		struct brine_request *held = service->held[i];
		if (!held || service->numbers[i] != number->value)
			continue;
		service->held[i] = NULL;
		(void)brine_request_reply(held, number); /* whose caller may have gone */
		return 0;
	}
	return brine_request_fail(request, BRINE_CODE_INVALID, "nothing of that number is held");
}

static int service_log(struct brine_request *request, const struct peers_entry *entry, struct peers_nothing *nothing,
                       void *user)
{
	struct service *service = user;
	(void)entry;
	(void)nothing;
	if (brine_request_is_notification(request))
		atomic_fetch_add(&service->logged, 1);
	return 0;
}

static int service_logged(struct brine_request *request, const struct peers_nothing *nothing,
                          struct peers_number *count, void *user)
{
	struct service *service = user;
	(void)request;
	(void)nothing;
	count->value = atomic_load(&service->logged);
	return 0;
}

static int service_eval(struct brine_request *request, const struct peers_text *expression, struct peers_number *value,
                        void *user)
{
	char text[32];
	int a, b, end = 0;
	(void)user;
	snprintf(text, sizeof text, "%.*s", (int)expression->text.size, expression->text.data);
	if (sscanf(text, "%d*%d%n", &a, &b, &end) != 2 || text[end])
		return brine_request_fail(request, 100, "Vim:E15: Invalid expression: %s", text);
	value->value = (int64_t)a * b;
	return 0;
}

static int service_current_buffer(struct brine_request *request, const struct peers_nothing *nothing,
                                  struct peers_buffer *buffer, void *user)
{
	(void)request;
	(void)nothing;
	(void)user;
	buffer->handle = SERVICE_BUFFER;
	return 0;
}

static int service_line_count(struct brine_request *request, const struct peers_buffer *buffer,
                              struct peers_number *count, void *user)
{
	(void)user;
	if (buffer->handle != SERVICE_BUFFER)
		return brine_request_fail(request, BRINE_CODE_INVALID, "Invalid buffer id: %d", (int)buffer->handle);
	count->value = 23;
	return 0;
}

/* ---- untyped ---- */

static void service_pack_text(struct brine_buf *out, const char *text)
{
	brine_pack_str(out, text, strlen(text));
}

static void service_pack_type(struct brine_buf *out, const char *name, int id, const char *prefix)
{
	service_pack_text(out, name);
	brine_pack_map(out, 2);
	service_pack_text(out, "id");
	brine_pack_int(out, id);
	service_pack_text(out, "prefix");
	service_pack_text(out, prefix);
}

/* [channel, {"version": .., "functions": [], "types": ..}]: Neovim's clients ask for it before all else. */
static int service_api_info(struct brine_request *request, struct brine_bytes params, void *user)
{
	static const char *const version[] = {"major", "minor", "patch", "api_level", "api_compatible"};
	struct brine_buf out = BRINE_BUF_INIT;
	(void)params;
	(void)user;
	brine_pack_array(&out, 2);
	brine_pack_int(&out, 1);
	brine_pack_map(&out, 3);
	service_pack_text(&out, "version");
	brine_pack_map(&out, 5);
	for (int i = 0; i < 5; i++) {
		service_pack_text(&out, version[i]);
		brine_pack_int(&out, i);
	}
	service_pack_text(&out, "functions");
	brine_pack_array(&out, 0);
	service_pack_text(&out, "types");
	brine_pack_map(&out, 3);
	service_pack_type(&out, "Buffer", 0, "nvim_buf_");
	service_pack_type(&out, "Window", 1, "nvim_win_");
	service_pack_type(&out, "Tabpage", 2, "nvim_tabpage_");
	int status = brine_request_reply_raw(request, brine_buf_bytes(&out));
	brine_buf_done(&out);
	return status < 0 ? status : 0;
}

static int service_client_info(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct service *service = user;
	(void)request;
	if (params.size && *(const uint8_t *)params.data == 0x95)
		atomic_fetch_add(&service->introduced, 1);
	return 0;
}

/* Answers with all the arguments. */
static int service_collect(struct brine_request *request, struct brine_bytes params, void *user)
{
	(void)user;
	int status = brine_request_reply_raw(request, params);
	return status < 0 ? status : 0;
}

/* The only argument, a text of at most 255 bytes with a head of one or two. */
static bool service_argument(struct brine_bytes params, char text[256])
{
	const uint8_t *bytes = params.data;
	if (params.size < 2 || bytes[0] != 0x91)
		return false;
	size_t head = bytes[1] == 0xd9 ? 3 : 2;
	snprintf(text, 256, "%.*s", (int)(params.size - head), (const char *)bytes + head);
	return true;
}

/* attach(address): connects to the peer's own server. Runs on the worker, as does
 * call_back. */
static int service_attach(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct service *service = user;
	char address[256];
	if (!service_argument(params, address))
		return brine_request_fail(request, BRINE_CODE_INVALID, "attach takes an address");
	brine_client_free(service->attached);
	service->attached = NULL;
	struct brine_error error = BRINE_ERROR_INIT;
	if (brine_client_open(&service->attached, address, NULL, &error) < 0 ||
	    brine_client_connect(service->attached, 0, &error) < 0)
		return brine_request_fail(request, 100, "%s", error.text);
	return 0;
}

/* call_back(expression): lets the peer's own server evaluate it, and keeps the result. */
static int service_call_back(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct service *service = user;
	struct brine_call call = BRINE_CALL_INIT;
	if (!service->attached)
		return brine_request_fail(request, BRINE_CODE_INVALID, "attach first");
	int status = brine_client_call_raw(service->attached, &call, "nvim_eval", params);
	struct brine_bytes result = brine_call_result(&call);
	if (status < 0)
		status = brine_request_fail(request, 100, "%s", brine_call_error_text(&call));
	else if (result.size == 1)
		atomic_store(&service->called_back, *(const uint8_t *)result.data);
	brine_call_done(&call);
	return status;
}

/* What the last call_back came to: a small number; nil before. */
static int service_called_back(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct service *service = user;
	uint8_t result = (uint8_t)atomic_load(&service->called_back);
	(void)params;
	int status = brine_request_reply_raw(request, BRINE_BYTES(&result, result != 0));
	return status < 0 ? status : 0;
}

/* ---- registering ---- */

static const struct peers_handlers service_handlers = {
        .divide = service_divide,
        .join = service_join,
        .echo = service_echo,
        .make = service_make,
        .measure = service_measure,
        .hold = service_hold,
        .let_go = service_let_go,
        .log = service_log,
        .logged = service_logged,
        .eval = service_eval,
        .current_buffer = service_current_buffer,
        .line_count = service_line_count,
};

/* Registers everything. 0, or what the server said. */
static int service_register(struct service *service, struct brine_server *server, struct brine_error *error)
{
	static const struct {
		const char *name;
		uint32_t flags;
		brine_raw_handler_fn *handler;
	} raw[] = {
	        {"nvim_get_api_info", 0, service_api_info},
	        {"nvim_set_client_info", 0, service_client_info},
	        {"collect", 0, service_collect},
	        {"attach", BRINE_METHOD_BLOCKING, service_attach},
	        {"call_back", BRINE_METHOD_BLOCKING, service_call_back},
	        {"called_back", 0, service_called_back},
	};
	*service = (struct service){0};
	int status = peers_serve(server, &service_handlers, service, error);
	for (size_t i = 0; i < sizeof raw / sizeof raw[0] && status == 0; i++)
		status = brine_server_serve_raw_as(server, raw[i].name, raw[i].flags, raw[i].handler, service, error);
	return status;
}

/* After the server's end. */
static void service_done(struct service *service)
{
	brine_client_free(service->attached);
	for (int i = 0; i < SERVICE_HELD_MAX; i++)
		if (service->held[i])
			(void)brine_request_reply_raw(service->held[i], (struct brine_bytes){NULL, 0});
}

#endif
