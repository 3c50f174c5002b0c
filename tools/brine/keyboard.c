#include "keyboard.h"

#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void wake_reader(const struct keyboard *keyboard)
{
	/* A full pipe wakes as well. */
	(void)!write(keyboard->wakeup[1], "", 1);
}

/* Closes those at the front that have ended, and tells those that come too late for any input. The lock is held; the
 * one at the front, NULL: there is none. */
static struct reader *front(struct keyboard *keyboard)
{
	struct reader *reader;
	while ((reader = keyboard->first) && (reader->has_ended || keyboard->stops)) {
		keyboard->first = reader->next;
		if (!keyboard->first)
			keyboard->last = &keyboard->first;
		pthread_mutex_unlock(&keyboard->lock);
		brine_text_close(reader->text);
		free(reader);
		pthread_mutex_lock(&keyboard->lock);
	}
	return reader;
}

/* Waits for keys (with a reader to give them to) or the wakeup. Bytes read; 0: none; -1: the end of input. */
static ssize_t await_input(struct keyboard *keyboard, bool wanted, char *bytes, size_t capacity)
{
	struct pollfd polled[] = {{.fd = keyboard->wakeup[0], .events = POLLIN},
	                          {.fd = wanted ? STDIN_FILENO : -1, .events = POLLIN}};
	if (poll(polled, 2, -1) < 0)
		return 0;
	if (polled[0].revents)
		(void)!read(keyboard->wakeup[0], bytes, capacity);
	if (!polled[1].revents)
		return 0;
	ssize_t got = read(STDIN_FILENO, bytes, capacity);
	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	return got > 0 ? got : -1;
}

/* Gives input to the reader, which only this thread closes. */
static void give_input(struct keyboard *keyboard, struct brine_text *text, const char *bytes, ssize_t size)
{
	if (size < 0) {
		pthread_mutex_lock(&keyboard->lock);
		keyboard->at_end = true;
		pthread_mutex_unlock(&keyboard->lock);
		(void)brine_text_end(text, 0, 0, 0);
	} else if (size > 0) {
		/* A reader that has gone shows as ended soon. */
		(void)brine_text_send(text, "stdin", bytes, (size_t)size);
	}
}

/* The signal that waits; 0: none does. The lock is held. */
static int take_signal(struct keyboard *keyboard)
{
	int signal = keyboard->signal;
	keyboard->signal = 0;
	return signal;
}

static void *run_keyboard(void *argument)
{
	struct keyboard *keyboard = argument;
	char bytes[4096];
	pthread_mutex_lock(&keyboard->lock);
	for (;;) {
		const struct reader *reader = front(keyboard);
		bool at_end = keyboard->at_end;
		int signal = take_signal(keyboard);
		if (keyboard->stops)
			break;
		pthread_mutex_unlock(&keyboard->lock);
		if (reader && signal)
			(void)brine_text_signal(reader->text, signal);
		if (reader && at_end)
			(void)brine_text_end(reader->text, 0, 0, 0);
		ssize_t size = await_input(keyboard, reader && !at_end, bytes, sizeof bytes);
		if (reader)
			give_input(keyboard, reader->text, bytes, size);
		pthread_mutex_lock(&keyboard->lock);
	}
	pthread_mutex_unlock(&keyboard->lock);
	return NULL;
}

int keyboard_start(struct keyboard *keyboard)
{
	*keyboard = (struct keyboard){.wakeup = {-1, -1}};
	keyboard->last = &keyboard->first;
	pthread_mutex_init(&keyboard->lock, NULL);
	if (pipe2(keyboard->wakeup, O_CLOEXEC | O_NONBLOCK) < 0)
		return command_fail("listen", "no pipe: %s", strerror(errno));
	int failure = pthread_create(&keyboard->thread, NULL, run_keyboard, keyboard);
	keyboard->has_thread = failure == 0;
	return failure == 0 ? 0 : command_fail("listen", "no thread: %s", strerror(failure));
}

void keyboard_add(struct keyboard *keyboard, struct brine_text *text)
{
	struct reader *reader = calloc(1, sizeof *reader);
	if (!reader)
		abort();
	reader->text = text;
	pthread_mutex_lock(&keyboard->lock);
	*keyboard->last = reader;
	keyboard->last = &reader->next;
	pthread_mutex_unlock(&keyboard->lock);
	wake_reader(keyboard);
}

void keyboard_ended(struct keyboard *keyboard, const struct brine_text *text)
{
	pthread_mutex_lock(&keyboard->lock);
	for (struct reader *reader = keyboard->first; reader; reader = reader->next)
		if (reader->text == text)
			reader->has_ended = true;
	pthread_mutex_unlock(&keyboard->lock);
	wake_reader(keyboard);
}

bool keyboard_signal(struct keyboard *keyboard, int signal)
{
	pthread_mutex_lock(&keyboard->lock);
	const struct reader *reader = keyboard->first;
	bool takes = reader && !reader->has_ended && !keyboard->signal;
	if (takes)
		keyboard->signal = signal;
	pthread_mutex_unlock(&keyboard->lock);
	wake_reader(keyboard);
	return takes;
}

void keyboard_stop(struct keyboard *keyboard)
{
	if (!keyboard->has_thread)
		return;
	pthread_mutex_lock(&keyboard->lock);
	keyboard->stops = true;
	pthread_mutex_unlock(&keyboard->lock);
	wake_reader(keyboard);
	pthread_join(keyboard->thread, NULL);
	pthread_mutex_lock(&keyboard->lock);
	(void)front(keyboard);
	pthread_mutex_unlock(&keyboard->lock);
	close(keyboard->wakeup[0]);
	close(keyboard->wakeup[1]);
	pthread_mutex_destroy(&keyboard->lock);
}
