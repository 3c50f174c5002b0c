/* server/connection.h - one connection of a server. Belongs to its loop thread once it was started. */
#ifndef BRINE_SERVER_CONNECTION_H
#define BRINE_SERVER_CONNECTION_H

#include "client/client.h"
#include "net/addr.h"
#include "net/stream_watch.h"
#include "server/loop_thread.h"

struct brine_connection {
	struct brine_channel channel; /* first: a connection is one */
	struct brine_connection *next,
	        *previous; /* in loop thread->connections; before it was started: next in loop thread->arrivals */
	struct brine_connection *scheduled_next; /* in loop thread->touched */
	struct brine_loop_thread *loop_thread;
	int fd; /* until it was started; then it belongs to the channel */
	struct brine_stream_watch watch;
	struct brine_timer timer;
	uint64_t retire_ms;                 /* when it is drained for its age; BRINE_FOREVER: never */
	struct brine_listen_options listen; /* of where it came to */
	uint64_t peer_limit_key;            /* as whose it counts in server->limit, until its end */
	bool scheduled;                     /* is queued in loop thread->touched, or has its turn */
	bool due;                           /* its timer fired: is to be ticked in its turn, behind what came */

	struct brine_client *client;        /* whose calls use the connection; NULL: nobody's */
	struct brine_attachment attachment; /* for it */

	/* Guarded by the lock of the loop thread's host: */
	struct brine_client *peer_client;       /* calls this peer; NULL: nobody asked for one yet */
	struct brine_connection *summoned_next; /* in loop_thread->summoned */
	bool is_summoned;                       /* is in it, or must not be any more */
};

extern const struct brine_event_table brine_connection_events;

/* Whether connections can be made with the server's options: 0, BRINE_ERR_INVALID or NOMEM. */
int brine_connection_check(const struct brine_server *server);

/* Makes a connection of an accepted socket, which it owns from then on, also on error. listener: the address that it
 * came to; listen: what was said about it. It counts as an open connection of the loop thread. NULL when out of memory.
 * Any thread.
 */
struct brine_connection *brine_connection_new(struct brine_loop_thread *loop_thread, int fd,
                                              const struct brine_sockaddr *from, const char *listener,
                                              const struct brine_listen_options *listen);

/* Lets a new connection begin. Where that fails, or the program does not want it, it is closed and counted as refused.
 */
void brine_connection_start(struct brine_connection *connection);

/* Closes a connection that was never started. Any thread. */
void brine_connection_discard(struct brine_connection *connection);

/* Ends a connection at once, which must not be queued in loop thread->touched. Its requests become orphans. In a forked
 * child nothing is said to anybody. */
void brine_connection_close(struct brine_connection *connection, bool forked);

/* Drains a connection: it ends when nothing is owed, or when the server's patience does. */
void brine_connection_retire(struct brine_connection *connection);

/* Says that there may be something to send: it goes out before the loop waits again. */
void brine_connection_schedule(struct brine_connection *connection);

/* Gives every touched connection its turn. True when some have more to do. */
bool brine_connections_turn(struct brine_loop_thread *loop_thread);

#endif
