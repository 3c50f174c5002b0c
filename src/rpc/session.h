/* rpc/session.h - one connection of a server. Belongs to the thread of its lane once it was started. */
#ifndef BRINE_RPC_SESSION_H
#define BRINE_RPC_SESSION_H

#include "net/addr.h"
#include "net/stream_watch.h"
#include "rpc/lane.h"
#include "rpc/link.h"

struct brine_session {
	struct brine_line line;                /* first: a session is one */
	struct brine_session *next, *previous; /* in lane->sessions; before it was started: next in lane->arrivals */
	struct brine_session *touched_next;    /* in lane->touched */
	struct brine_lane *lane;
	int fd; /* until it was started; then it belongs to the link */
	struct brine_link link;
	struct brine_stream_watch watch;
	struct brine_timer timer;
	uint64_t retire_ms;                 /* when it is drained for its age; BRINE_FOREVER: never */
	struct brine_listen_options listen; /* of where it came to */
	uint64_t quota_key;                 /* as whose it counts in server->quota, until its end */
	bool touched;                       /* is queued in lane->touched, or has its turn */
	bool due;                           /* its timer fired: is to be ticked in its turn, behind what came */
	bool behind;                        /* has events left over from its last turn: reads nothing new before */

	/* Guarded by the lane's lock: */
	struct brine_client *caller;           /* calls this peer; NULL: nobody does yet */
	struct brine_client_link *caller_link; /* for it, until the lane lets it use the connection */
	struct brine_session *called_next;     /* in lane->called */
	bool is_called;                        /* is in it, or must not be any more */
};

/* Whether sessions can be made with the server's options: 0, BRINE_ERR_INVALID or NOMEM. */
int brine_session_check(const struct brine_server *server);

/* Makes a session of an accepted socket, which it owns from then on, also on error. listener: the address that it came
 * to; listen: what was said about it. It counts as an open connection of the lane. NULL when out of memory. Any thread.
 */
struct brine_session *brine_session_new(struct brine_lane *lane, int fd, const struct brine_sockaddr *from,
                                        const char *listener, const struct brine_listen_options *listen);

/* Lets a new session begin. Where that fails, or the program does not want it, it is closed and counted as refused. */
void brine_session_start(struct brine_session *session);

/* Closes a session that was never started. Any thread. */
void brine_session_discard(struct brine_session *session);

/* Ends a session at once, which must not be queued in lane->touched. Its requests become orphans. In a forked child
 * nothing is said to anybody. */
void brine_session_close(struct brine_session *session, bool forked);

/* Drains a session: it ends when nothing is owed, or when the server's patience does. */
void brine_session_retire(struct brine_session *session);

/* Says that there may be something to send: it goes out before the loop waits again. */
void brine_session_touch(struct brine_session *session);

/* Gives every touched session its turn. True when some have more to do. */
bool brine_sessions_turn(struct brine_lane *lane);

#endif
