/* brine/keyboard.h - standard input of brine listen, which goes to one source after the other: a thread of its own, as
 * a program that does not read makes it wait. */
#ifndef BRINE_KEYBOARD_H
#define BRINE_KEYBOARD_H

#include <brine/text.h>

#include <pthread.h>

/* A source that reads. */
struct reader {
	struct reader *next;
	struct brine_text *text;
	bool has_ended; /* the source has: the conversation can be closed */
};

struct keyboard {
	pthread_t thread;
	bool has_thread;
	int wakeup[2]; /* a pipe that wakes it */
	pthread_mutex_t lock;
	/* Guarded by the lock: */
	struct reader *first, **last; /* the first one has the keyboard */
	int signal;                   /* for the first one, not sent yet; 0: none */
	bool at_end, stops;           /* standard input is; the program does */
};

/* Starts it. 0, or EXIT_FAILED having said why. */
int keyboard_start(struct keyboard *keyboard);

/* A source reads: on_reader of struct brine_text_handlers. It is closed here, once it has ended. */
void keyboard_add(struct keyboard *keyboard, struct brine_text *text);

/* A source has ended. */
void keyboard_ended(struct keyboard *keyboard, const struct brine_text *text);

/* Passes a signal to whoever has the keyboard, behind what was typed, without waiting; false: nobody has it, or the
 * last one could not be sent yet. */
bool keyboard_signal(struct keyboard *keyboard, int signal);

/* Ends it and closes what is left. One that was not started is allowed. The server must not run any more. */
void keyboard_stop(struct keyboard *keyboard);

#endif
