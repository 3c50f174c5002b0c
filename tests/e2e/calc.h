/* calc.h - the service that the tests call: hand-written tables and handlers. */
#ifndef BRINE_TESTS_CALC_H
#define BRINE_TESTS_CALC_H

#include "support.h"

#include <brine/client.h>
#include <brine/pack.h>
#include <brine/server.h>

#include <stdatomic.h>

/* The arguments of a call that has none. */
#define NO_PARAMS BRINE_BYTES("\x90", 1)

struct calc_pair {
	int64_t a, b;
};
struct calc_number {
	int64_t value;
};
struct calc_blob {
	struct brine_bytes data;
};
struct calc_nothing {
	char none;
};
struct calc_order {
	uint64_t id;
	struct brine_str symbol;
	double price;
	int32_t quantity;
	bool urgent;
	int32_t *parts;
	size_t part_count;
	const struct calc_pair *pair;
};

static const struct brine_field calc_pair_fields[] = {BRINE_FIELD(struct calc_pair, 1, a),
                                                      BRINE_FIELD(struct calc_pair, 2, b)};
static const struct brine_type calc_pair_type =
        BRINE_TYPE(struct calc_pair, "calc.Pair", BRINE_LAYOUT_ARRAY, calc_pair_fields);
static const struct brine_field calc_number_fields[] = {BRINE_FIELD(struct calc_number, 1, value)};
static const struct brine_type calc_number_type =
        BRINE_TYPE(struct calc_number, "calc.Number", BRINE_LAYOUT_BARE, calc_number_fields);
static const struct brine_field calc_blob_fields[] = {BRINE_FIELD(struct calc_blob, 1, data)};
static const struct brine_type calc_blob_type =
        BRINE_TYPE(struct calc_blob, "calc.Blob", BRINE_LAYOUT_BARE, calc_blob_fields);
static const struct brine_type calc_nothing_type = {
        BRINE_ABI, BRINE_LAYOUT_ARRAY, "calc.Nothing", sizeof(struct calc_nothing), NULL, 0};
static const struct brine_field calc_order_fields[] = {
        BRINE_FIELD(struct calc_order, 1, id),
        BRINE_FIELD(struct calc_order, 2, symbol),
        BRINE_FIELD(struct calc_order, 3, price),
        BRINE_FIELD(struct calc_order, 4, quantity),
        BRINE_FIELD(struct calc_order, 5, urgent),
        BRINE_FIELD_REPEATED(struct calc_order, 6, parts, part_count),
        BRINE_FIELD_POINTER(struct calc_order, 7, pair, &calc_pair_type),
};
static const struct brine_type calc_order_type =
        BRINE_TYPE(struct calc_order, "calc.Order", BRINE_LAYOUT_ARRAY, calc_order_fields);

enum { CALC_HELD_MAX = 256 };

/* What the handlers work on; they run on the server's thread. */
struct calc {
	struct brine_server *server;
	struct brine_request *held[CALC_HELD_MAX]; /* the last one is answered by Release */
	int held_now;                              /* of them */
	atomic_int added;                          /* calls of add */
	atomic_int notes;                          /* notifications of Note */
	atomic_int held_count;                     /* requests that Hold has kept */
	bool was_cancelled;                        /* what Release saw */
	int release_status;
	uint64_t remaining_ms; /* what Hold saw */
	char peer[128];        /* who called Hold */
	bool has_credentials;
	uint32_t uid;
	struct brine_bytes metadata;
};

/* Handlers. */

static inline int calc_add(const void *handlers, struct brine_request *request, const void *message, void *response,
                           void *user)
{
	const struct calc_pair *pair = message;
	struct calc *calc = user;
	(void)handlers;
	(void)request;
	atomic_fetch_add(&calc->added, 1);
	((struct calc_number *)response)->value = pair->a + pair->b;
	return 0;
}

static inline int calc_echo(const void *handlers, struct brine_request *request, const void *message, void *response,
                            void *user)
{
	(void)handlers;
	(void)request;
	(void)user;
	*(struct calc_order *)response = *(const struct calc_order *)message;
	return 0;
}

/* Fails with the code given, a text and typed data. */
static inline int calc_refuse(const void *handlers, struct brine_request *request, const void *message, void *response,
                              void *user)
{
	const struct calc_number *number = message;
	struct calc_pair pair = {number->value, -number->value};
	(void)handlers;
	(void)response;
	(void)user;
	return brine_request_fail_data(request, number->value, &calc_pair_type, &pair, "refused\n%d",
	                               (int)number->value);
}

/* Ends with a code that means nothing to the peer. */
static inline int calc_broken(const void *handlers, struct brine_request *request, const void *message, void *response,
                              void *user)
{
	(void)handlers;
	(void)request;
	(void)message;
	(void)response;
	(void)user;
	return BRINE_ERR_NOMEM;
}

static inline int calc_hold(const void *handlers, struct brine_request *request, const void *message, void *response,
                            void *user)
{
	struct calc *calc = user;
	const struct brine_peer *peer = brine_request_peer(request);
	(void)handlers;
	(void)message;
	(void)response;
	if (calc->held_now == CALC_HELD_MAX)
		return brine_request_fail(request, 100, "too many are held");
	calc->held[calc->held_now++] = request;
	calc->remaining_ms = brine_request_remaining_ms(request);
	snprintf(calc->peer, sizeof calc->peer, "%s", peer->address);
	calc->has_credentials = peer->has_credentials;
	calc->uid = peer->uid;
	atomic_fetch_add(&calc->held_count, 1);
	return BRINE_PENDING;
}

/* Answers the call held, and says what its handler could see. */
static inline int calc_release(const void *handlers, struct brine_request *request, const void *message, void *response,
                               void *user)
{
	struct calc *calc = user;
	(void)handlers;
	if (calc->held_now == 0)
		return brine_request_fail(request, 100, "nothing is held");
	struct brine_request *held = calc->held[--calc->held_now];
	calc->was_cancelled = brine_request_cancelled(held);
	calc->release_status = brine_request_reply(held, message);
	*(struct calc_number *)response = *(const struct calc_number *)message;
	return 0;
}

/* Answers everything that is still held: a request lives until then, also where its server does not. */
static inline void calc_let_go(struct calc *calc)
{
	while (calc->held_now > 0)
		calc->release_status =
		        brine_request_reply_raw(calc->held[--calc->held_now], (struct brine_bytes){NULL, 0});
}

/* Whether the call held is still wanted: 1 when it was cancelled, 0 else. */
static inline int calc_check(const void *handlers, struct brine_request *request, const void *message, void *response,
                             void *user)
{
	struct calc *calc = user;
	(void)handlers;
	(void)request;
	(void)message;
	((struct calc_number *)response)->value =
	        calc->held_now && brine_request_cancelled(calc->held[calc->held_now - 1]);
	return 0;
}

static inline int calc_note(const void *handlers, struct brine_request *request, const void *message, void *response,
                            void *user)
{
	struct calc *calc = user;
	(void)handlers;
	(void)message;
	(void)response;
	if (brine_request_is_notification(request))
		atomic_fetch_add(&calc->notes, 1);
	return 0;
}

/* A blob of that many bytes. */
static inline int calc_make(const void *handlers, struct brine_request *request, const void *message, void *response,
                            void *user)
{
	const struct calc_number *number = message;
	struct calc_blob *blob = response;
	(void)handlers;
	(void)user;
	void *data = brine_request_alloc(request, (size_t)number->value);
	if (!data)
		return brine_request_fail(request, BRINE_CODE_INTERNAL, "no memory");
	memset(data, 'x', (size_t)number->value);
	blob->data = (struct brine_bytes){data, (size_t)number->value};
	return 0;
}

static inline int calc_measure(const void *handlers, struct brine_request *request, const void *message, void *response,
                               void *user)
{
	const struct calc_blob *blob = message;
	(void)handlers;
	(void)request;
	(void)user;
	((struct calc_number *)response)->value = (int64_t)blob->data.size;
	return 0;
}

static inline int calc_missing(const void *handlers, struct brine_request *request, const void *message, void *response,
                               void *user)
{
	(void)handlers;
	(void)request;
	(void)message;
	(void)response;
	(void)user;
	return BRINE_ERR_NO_METHOD;
}

/* Answers twice, and reports what the second try said through the error code. */
static inline int calc_twice(const void *handlers, struct brine_request *request, const void *message, void *response,
                             void *user)
{
	struct calc *calc = user;
	(void)handlers;
	(void)response;
	if (brine_request_reply(request, message) < 0)
		return BRINE_ERR_STATE;
	calc->release_status = brine_request_reply(request, message);
	return brine_request_fail(request, 100, "a second answer");
}

enum calc_method {
	CALC_ADD,
	CALC_ECHO,
	CALC_REFUSE,
	CALC_BROKEN,
	CALC_HOLD,
	CALC_RELEASE,
	CALC_CHECK,
	CALC_NOTE,
	CALC_MAKE,
	CALC_MEASURE,
	CALC_MISSING,
	CALC_TWICE,
	CALC_WATCH,
	CALC_UPLOAD,
	CALC_METHODS,
};

static const struct brine_method calc_methods[] = {
        [CALC_ADD] = {"add", &calc_pair_type, &calc_number_type, 0, calc_add},
        [CALC_ECHO] = {"calc.Calc/Echo", &calc_order_type, &calc_order_type, 0, calc_echo},
        [CALC_REFUSE] = {"calc.Calc/Refuse", &calc_number_type, &calc_number_type, 0, calc_refuse},
        [CALC_BROKEN] = {"calc.Calc/Broken", &calc_nothing_type, &calc_nothing_type, 0, calc_broken},
        [CALC_HOLD] = {"calc.Calc/Hold", &calc_nothing_type, &calc_number_type, 0, calc_hold},
        [CALC_RELEASE] = {"calc.Calc/Release", &calc_number_type, &calc_number_type, 0, calc_release},
        [CALC_CHECK] = {"calc.Calc/Check", &calc_nothing_type, &calc_number_type, 0, calc_check},
        [CALC_NOTE] = {"calc.Calc/Note", &calc_nothing_type, &calc_nothing_type, 0, calc_note},
        [CALC_MAKE] = {"calc.Calc/Make", &calc_number_type, &calc_blob_type, 0, calc_make},
        [CALC_MEASURE] = {"calc.Calc/Measure", &calc_blob_type, &calc_number_type, 0, calc_measure},
        [CALC_MISSING] = {"calc.Calc/Missing", &calc_nothing_type, &calc_nothing_type, 0, calc_missing},
        [CALC_TWICE] = {"calc.Calc/Twice", &calc_number_type, &calc_number_type, 0, calc_twice},
        [CALC_WATCH] = {"calc.Calc/Watch", &calc_nothing_type, &calc_number_type, BRINE_METHOD_DOWNLOAD, calc_missing},
        [CALC_UPLOAD] = {"calc.Calc/Upload", &calc_nothing_type, &calc_number_type, BRINE_METHOD_UPLOAD, calc_missing},
};

static const struct brine_service calc_service = {BRINE_ABI, "calc.Calc", calc_methods, CALC_METHODS};

/* Calls add(a, b). */
static inline int calc_call_add(struct brine_client *client, struct brine_call *call, int64_t a, int64_t b,
                                int64_t *sum)
{
	struct calc_pair pair = {a, b};
	struct calc_number number = {0};
	int status = brine_client_call(client, call, &calc_methods[CALC_ADD], &pair, &number);
	*sum = number.value;
	return status;
}

#endif
