/* rpc/session.h - one connection of a server. */
#ifndef BRINE_RPC_SESSION_H
#define BRINE_RPC_SESSION_H

#include "net/addr.h"
#include "rpc/link.h"
#include "rpc/server.h"

struct brine_session {
	struct brine_session *next, *previous; /* in server->sessions */
	struct brine_session *touched_next;    /* in server->touched */
	struct brine_server *server;
	struct brine_link link;
	struct brine_watch watch;
	struct brine_timer timer;
	struct brine_peer peer;
	struct brine_request_list requests; /* whose handlers have not ended */
	bool touched;                       /* is queued in server->touched, or has its turn */
	bool behind;                        /* has events left over from its last turn: reads nothing new before */
};

/* Whether sessions can be made with the server's options: 0, BRINE_ERR_INVALID or NOMEM. */
int brine_session_check(const struct brine_server *server);

/* Makes a session of an accepted socket, which it owns from then on, also on error. listener: the address that it came
 * to. Errors: BRINE_ERR_NOMEM, SYSTEM, INVALID. */
int brine_session_open(struct brine_server *server, int fd, const struct brine_sockaddr *from, const char *listener,
                       struct brine_error *error);

/* Ends a session at once, which must not be queued in server->touched. Requests whose handlers run on become orphans.
 * In a forked child nothing is said to anybody. */
void brine_session_close(struct brine_session *session, bool forked);

/* Says that there may be something to send: it goes out before the loop waits again. */
void brine_session_touch(struct brine_session *session);

/* Gives every touched session its turn. True when some have more to do. */
bool brine_sessions_turn(struct brine_server *server);

#endif
