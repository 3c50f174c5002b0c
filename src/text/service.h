/* text/service.h - the side of conversations that is connected to. */
#ifndef BRINE_TEXT_SERVICE_H
#define BRINE_TEXT_SERVICE_H

#include "base/idmap.h"
#include "channel/channel.h"
#include "text/text.h"

/* A connection with conversations. */
struct text_peer {
	struct brine_channel_watch watch; /* first */
	struct brine_text_service *service;
	uint64_t connection; /* its number */
	struct text_peer *previous, *next;
	struct brine_idmap sessions; /* struct brine_text by session */
	struct brine_text *texts;    /* those with a session, and those without */
};

/* One registration. Calls of one connection with the same session are one conversation; so are, each by itself, those
 * without one. */
struct brine_text_service {
	const struct brine_allocator *allocator;
	const struct brine_text_handlers *handlers; /* NULL: the program accepts conversations (listener.c) */
	void *user;
	pthread_mutex_t lock;
	/* Guarded by the lock: */
	struct brine_idmap peers; /* struct text_peer by the number of its connection */
	struct text_peer *first_peer;
	struct brine_text *waiting, *last; /* to be accepted, in order */
	uint64_t waiting_count, waiting_max;
	bool is_over;           /* nothing more is accepted */
	pthread_cond_t arrived; /* something waits, or it is over */
};

/* handlers NULL: conversations wait in it until they are accepted. Errors: as brine_text_serve(). */
int brine_text_service_new(struct brine_text_service **ret_service, struct brine_server *server,
                           const struct brine_text_handlers *handlers, void *user, struct brine_error *error);

/* Takes a conversation out that is about to be closed: no call joins it any more. */
void brine_text_service_forget(struct brine_text_service *service, struct brine_text *text);

#endif
