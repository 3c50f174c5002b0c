/* brine/call_loop.h - what a running call waits for: the peer, signals, standard input and output. SIGINT and SIGTERM
 * are read as descriptors while it lives, so that nothing is ever interrupted in the middle. */
#ifndef BRINE_CALL_LOOP_H
#define BRINE_CALL_LOOP_H

#include <brine/client.h>

#include <signal.h>

struct call_loop {
	struct brine_client *client; /* in mode LOOP; borrowed */
	bool wants_input;            /* in: also wait for standard input */
	bool wants_output;           /* in: also wait until standard output takes more */
	bool has_input;              /* out: it can be read, or has ended */
	/* private: */
	int signals; /* signalfd */
	sigset_t previous;
};

/* 0, or EXIT_FAILED having said why. */
int call_loop_init(struct call_loop *loop, struct brine_client *client);
void call_loop_done(struct call_loop *loop);

/* Waits until something happens and lets the client move. 0, or the exit status where the call is to end now: 128 and
 * the signal's number; EXIT_CLOSED where nobody reads standard output any more. */
int call_loop_turn(struct call_loop *loop);

/* Whether standard output takes a line now without waiting. */
bool call_loop_can_print(void);

#endif
