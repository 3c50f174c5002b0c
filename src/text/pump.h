/* text/pump.h - threads between descriptors and conversations.
 *
 *   out: descriptor -> conversation      as what was written comes, never waiting for more
 *   in:  conversation -> a sink, which as a rule writes to a descriptor
 *
 * Both stop with the conversation, and when told. One thread makes, stops and releases a pump. */
#ifndef BRINE_TEXT_PUMP_H
#define BRINE_TEXT_PUMP_H

#include <brine/text.h>

struct text_pump; /* opaque */

/* Starts carrying what comes from fd, which it owns from then on, also on error; a terminal's master will do. on_lost:
 * called from the pump's thread when the conversation takes no more; what comes from then on is not read. NULL: none.
 * When it is over fd is closed: whoever writes to a pipe hears of that. text outlives it. Errors: BRINE_ERR_NOMEM,
 * SYSTEM (errno). */
int brine_text_pump_out(struct text_pump **ret_pump, struct brine_text *text, int fd, const char *stream,
                        void (*on_lost)(void *user), void *user);

/* Where the peer's text goes; called from the pump's thread. */
struct text_sink {
	/* Takes a piece, also one that is a signal. A negative code ends the pump. */
	int (*put)(struct text_pump *pump, const struct brine_text_piece *piece, void *user);
	/* Nothing more comes. */
	void (*end)(struct text_pump *pump, void *user);
	/* The pump is gone, or could not be started. From any thread. NULL: nothing to do. */
	void (*release)(void *user);
	void *user;
};

/* Starts receiving. sink is copied. Errors: as above. */
int brine_text_pump_in(struct text_pump **ret_pump, struct brine_text *text, const struct text_sink *sink);

/* For sinks: writes all of it to a descriptor that does not block, waiting for it where need be. 0, BRINE_ERR_SYSTEM
 * (errno), or CANCELLED: the pump is to stop. */
int brine_text_pump_write(struct text_pump *pump, int fd, const void *data, size_t size);

/* For sinks: sleeps. True: the pump is to stop. */
bool brine_text_pump_rest(struct text_pump *pump, uint64_t duration_ms);

/* Lets an outward pump carry what is there already, and no more. */
void brine_text_pump_drain(struct text_pump *pump);

/* Waits until the pump is over: on its own, by drain, or, for an inward one, because brine_text_pump_stop() was called.
 * 0, or BRINE_ERR_DEADLINE after timeout_ms. */
int brine_text_pump_wait(struct text_pump *pump, uint64_t timeout_ms);

/* Ends it as soon as it can be: an outward one that waits for its peer gives the conversation up, an inward one the
 * peer's text. */
void brine_text_pump_stop(struct text_pump *pump);

/* How it ended: 0 or what the conversation said. NULL is allowed. Only after it was waited for. */
int brine_text_pump_free(struct text_pump *pump);

/* Lets go of one that is not over: it ends by itself, some time, and is released then. In a forked child: of memory. */
void brine_text_pump_leave(struct text_pump *pump);

#endif
