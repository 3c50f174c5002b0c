/* Proves: the loop keeps what src/net/loop.h promises about callbacks, timers, wakes and its cap. */
#include "e2e.h"

#include <brine/conn.h>

#include "net/clock.h"
#include "net/loop.h"
#include "net/socket.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>

static struct brine_loop *loop_new(void (*on_wake)(void *user), void *user)
{
	struct brine_loop *loop;
	struct brine_error error = BRINE_ERROR_INIT;
	if (brine_loop_new(&loop, on_wake, user, NULL, &error) < 0)
		fail_msg("%s", error.text);
	return loop;
}

/* One end of a socket pair that is watched. */
struct end {
	struct brine_loop *loop;
	struct brine_watch watch;
	int fds[2];
	unsigned fired, ready;
	struct end *victim; /* removed by the callback, with its descriptors closed */
};

static void end_remove(struct end *end)
{
	brine_loop_remove(end->loop, &end->watch);
	brine_socket_close(end->fds[0]);
	brine_socket_close(end->fds[1]);
	end->fds[0] = end->fds[1] = -1;
}

static void end_ready(struct brine_watch *watch, unsigned ready)
{
	struct end *end = watch->user;
	end->fired++;
	end->ready = ready;
	if (end->victim)
		end_remove(end->victim);
}

static void end_init(struct end *end, struct brine_loop *loop, unsigned ready)
{
	*end = (struct end){.loop = loop, .watch = {.on_ready = end_ready, .user = end}};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, end->fds), 0);
	assert_int_equal(brine_loop_add(loop, &end->watch, end->fds[0], ready), 0);
}

static void watches_fire_while_they_are_ready(void **state)
{
	(void)state;
	struct brine_loop *loop = loop_new(NULL, NULL);
	struct end end;
	end_init(&end, loop, BRINE_READABLE);
	assert_int_equal(brine_loop_turn(loop, 0), 0);
	assert_int_equal(send(end.fds[1], "x", 1, 0), 1);
	assert_int_equal(brine_loop_turn(loop, BRINE_FOREVER), 1);
	assert_int_equal(brine_loop_turn(loop, BRINE_FOREVER), 1);
	assert_int_equal(end.ready, BRINE_READABLE);
	assert_int_equal(brine_loop_modify(loop, &end.watch, BRINE_READABLE | BRINE_WRITABLE), 0);
	assert_int_equal(brine_loop_turn(loop, BRINE_FOREVER), 1);
	assert_int_equal(end.ready, BRINE_READABLE | BRINE_WRITABLE);
	assert_int_equal(brine_loop_modify(loop, &end.watch, 0), 0);
	assert_int_equal(brine_loop_turn(loop, 0), 0);
	/* The end of the peer is told even to those who wait for nothing. */
	brine_socket_close(end.fds[1]);
	end.fds[1] = -1;
	assert_int_equal(brine_loop_turn(loop, 0), 1);
	end_remove(&end);
	assert_int_equal(end.watch.slot, 0);
	assert_int_equal(brine_loop_turn(loop, 0), 0);
	assert_int_equal(end.fired, 4);
	brine_loop_free(loop);
}

/* Both are ready in one turn; whichever comes first removes the other, which must then stay silent; a third that reuses
 * slot and descriptor number must not be taken for it. */
static void a_removed_watch_never_fires(void **state)
{
	(void)state;
	struct brine_loop *loop = loop_new(NULL, NULL);
	struct end a, b, c;
	end_init(&a, loop, BRINE_WRITABLE);
	end_init(&b, loop, BRINE_WRITABLE);
	a.victim = &b;
	b.victim = &a;
	assert_int_equal(brine_loop_turn(loop, 0), 1);
	assert_int_equal(a.fired + b.fired, 1);
	struct end *left = a.fired ? &a : &b;
	left->victim = left; /* and itself */
	assert_int_equal(brine_loop_turn(loop, 0), 1);
	assert_int_equal(brine_loop_turn(loop, 0), 0);
	end_init(&c, loop, BRINE_READABLE);
	assert_int_equal(brine_loop_turn(loop, 0), 0);
	end_remove(&c);
	end_remove(&c); /* twice does nothing */
	brine_loop_free(loop);
}

static void adding_what_cannot_be_watched_leaves_nothing(void **state)
{
	(void)state;
	struct brine_loop *loop = loop_new(NULL, NULL);
	struct brine_watch watch = {.on_ready = end_ready};
	assert_int_equal(brine_loop_add(loop, &watch, -1, BRINE_READABLE), BRINE_ERR_SYSTEM);
	assert_int_equal(errno, EBADF);
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	assert_int_equal(brine_loop_add(loop, &watch, file, BRINE_READABLE), BRINE_ERR_SYSTEM);
	assert_int_equal(errno, EPERM);
	assert_int_equal(watch.slot, 0);
	close(file);
	brine_loop_free(loop);
}

/* More than a turn takes, and slots that grow: each gets its turn. */
static void a_turn_is_bounded_and_nobody_is_forgotten(void **state)
{
	(void)state;
	enum { COUNT = BRINE_LOOP_EVENTS_MAX * 2 + 10 };
	static struct end ends[COUNT];
	struct brine_loop *loop = loop_new(NULL, NULL);
	for (size_t i = 0; i < COUNT; i++)
		end_init(&ends[i], loop, BRINE_WRITABLE);
	unsigned total = 0;
	for (unsigned turn = 0; turn < 3; turn++) {
		int count = brine_loop_turn(loop, 0);
		assert_in_range(count, 1, BRINE_LOOP_EVENTS_MAX);
		total += (unsigned)count;
	}
	assert_true(total >= COUNT);
	for (size_t i = 0; i < COUNT; i++) {
		assert_true(ends[i].fired > 0);
		end_remove(&ends[i]);
	}
	brine_loop_free(loop);
}

struct record {
	struct brine_timer timer;
	struct brine_loop *loop;
	uint64_t *last_ms;
	unsigned *fired;
	struct record *stops; /* stopped by the callback */
	uint64_t again;       /* times it sets itself again */
};

static void record_due(struct brine_timer *timer, uint64_t now_ms)
{
	struct record *record = timer->user;
	assert_false(timer->set);
	assert_true(timer->due_ms <= now_ms);
	assert_true(timer->due_ms >= *record->last_ms);
	*record->last_ms = timer->due_ms;
	++*record->fired;
	if (record->stops)
		brine_timer_stop(record->loop, &record->stops->timer);
	if (record->again > 0) {
		record->again--;
		brine_timer_set(record->loop, timer, now_ms);
	}
}

/* Against the plain order of numbers: set, set anew and stopped at random, they fire in order and none is lost. */
static void timers_fire_in_order_whatever_was_stopped(void **state)
{
	(void)state;
	enum { COUNT = 300 };
	static struct record records[COUNT];
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct brine_loop *loop = loop_new(NULL, NULL);
		uint64_t random = seed, now_ms = brine_clock_ms(), last_ms = 0;
		unsigned fired = 0, due = 0;
		for (size_t i = 0; i < COUNT; i++)
			records[i] = (struct record){.timer = {.on_due = record_due, .user = &records[i]},
			                             .loop = loop,
			                             .last_ms = &last_ms,
			                             .fired = &fired};
		for (unsigned step = 0; step < 4 * COUNT; step++) {
			struct record *record = &records[random_below(&random, COUNT)];
			if (random_below(&random, 3) == 0)
				brine_timer_stop(loop, &record->timer);
			else
				brine_timer_set(loop, &record->timer, now_ms - 1000 + random_below(&random, 2000) / 2);
		}
		/* One in the future, and one that is not meant to fire at all. */
		brine_timer_set(loop, &records[0].timer, now_ms + 3600000);
		brine_timer_set(loop, &records[1].timer, BRINE_FOREVER);
		for (size_t i = 0; i < COUNT; i++)
			due += records[i].timer.set && i > 0;
		while (brine_loop_turn(loop, 0) > 0)
			;
		assert_true(due > COUNT / 3);
		assert_int_equal(fired, due);
		assert_int_equal(brine_loop_deadline(loop), now_ms + 3600000);
		brine_timer_stop(loop, &records[0].timer);
		assert_int_equal(brine_loop_deadline(loop), BRINE_FOREVER);
		brine_loop_free(loop);
	}
}

static void a_stopped_timer_never_fires_and_a_busy_one_leaves_room(void **state)
{
	(void)state;
	struct brine_loop *loop = loop_new(NULL, NULL);
	uint64_t last_ms = 0;
	unsigned fired = 0;
	struct record first = {.loop = loop, .last_ms = &last_ms, .fired = &fired}, second = first, busy = first;
	first.timer = (struct brine_timer){.on_due = record_due, .user = &first};
	second.timer = (struct brine_timer){.on_due = record_due, .user = &second};
	busy.timer = (struct brine_timer){.on_due = record_due, .user = &busy};
	first.stops = &second;
	brine_timer_set(loop, &first.timer, 1);
	brine_timer_set(loop, &second.timer, 2);
	assert_int_equal(brine_loop_turn(loop, BRINE_FOREVER), 1);
	assert_int_equal(fired, 1);
	busy.again = 1000;
	brine_timer_set(loop, &busy.timer, last_ms);
	assert_int_equal(brine_loop_turn(loop, BRINE_FOREVER), BRINE_LOOP_EVENTS_MAX);
	brine_timer_stop(loop, &busy.timer);
	/* A real wait ends when the timer is due, not before. */
	uint64_t due_ms = brine_clock_ms() + 30;
	brine_timer_set(loop, &first.timer, due_ms);
	assert_int_equal(brine_loop_turn(loop, BRINE_FOREVER), 1);
	assert_true(brine_clock_ms() >= due_ms);
	brine_loop_free(loop);
}

static void count_wake(void *user)
{
	++*(unsigned *)user;
}

static void *wake_from_thread(void *loop)
{
	brine_loop_wake(loop);
	return NULL;
}

static struct brine_loop *signalled;

static void wake_from_signal(int number)
{
	(void)number;
	brine_loop_wake(signalled);
}

static void wakes_come_from_anywhere_and_are_counted_once(void **state)
{
	(void)state;
	unsigned wakes = 0;
	struct brine_loop *loop = loop_new(count_wake, &wakes);
	pthread_t thread;
	for (int i = 0; i < 1000; i++)
		brine_loop_wake(loop);
	assert_int_equal(brine_loop_turn(loop, BRINE_FOREVER), 1);
	assert_int_equal(wakes, 1);
	assert_int_equal(brine_loop_turn(loop, 0), 0);
	assert_int_equal(pthread_create(&thread, NULL, wake_from_thread, loop), 0);
	assert_int_equal(brine_loop_turn(loop, BRINE_FOREVER), 1);
	assert_int_equal(wakes, 2);
	pthread_join(thread, NULL);
	struct sigaction action = {.sa_handler = wake_from_signal}, old;
	signalled = loop;
	assert_int_equal(sigaction(SIGUSR1, &action, &old), 0);
	errno = 77;
	raise(SIGUSR1);
	assert_int_equal(errno, 77);
	assert_int_equal(brine_loop_turn(loop, BRINE_FOREVER), 1);
	assert_int_equal(wakes, 3);
	sigaction(SIGUSR1, &old, NULL);
	brine_loop_free(loop);
}

/* G20: descriptors above 1,024, where select() ends. */
static void G20_high_descriptors_are_watched(void **state)
{
	(void)state;
	struct brine_loop *loop = loop_new(NULL, NULL);
	struct end end;
	end_init(&end, loop, BRINE_WRITABLE);
	brine_loop_remove(loop, &end.watch);
	int high = dup2(end.fds[0], 2000);
	assert_int_equal(high, 2000);
	assert_int_equal(brine_loop_add(loop, &end.watch, high, BRINE_WRITABLE), 0);
	assert_int_equal(brine_loop_turn(loop, BRINE_FOREVER), 1);
	assert_int_equal(brine_socket_wait(high, BRINE_WRITABLE, BRINE_FOREVER), BRINE_WRITABLE);
	end_remove(&end);
	brine_socket_close(high);
	brine_loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        e2e_test(watches_fire_while_they_are_ready),
	        e2e_test(a_removed_watch_never_fires),
	        e2e_test(adding_what_cannot_be_watched_leaves_nothing),
	        e2e_test(a_turn_is_bounded_and_nobody_is_forgotten),
	        e2e_test(timers_fire_in_order_whatever_was_stopped),
	        e2e_test(a_stopped_timer_never_fires_and_a_busy_one_leaves_room),
	        e2e_test(wakes_come_from_anywhere_and_are_counted_once),
	        e2e_test(G20_high_descriptors_are_watched),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
