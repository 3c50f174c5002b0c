/* frame/messages.h - the table of message types. */
#ifndef BRINE_FRAME_MESSAGES_H
#define BRINE_FRAME_MESSAGES_H

#include "frame/parts.h"

enum {
	FRAME_TYPES = 32, /* types below it are known or reserved, others are advisory */
};

/* The reader and the writer of one type. Static data, any thread. */
struct frame_kind {
	const char *name;
	uint8_t least; /* elements that a message has at least, its type included */

	/* Reads the elements behind the type. Returns 0 or the code of the error. NULL if the type is reserved. */
	int (*parse)(struct frame_parse *parse, struct brine_frame *frame);
	void (*write)(struct frame_write *write, const struct brine_frame *frame);
};
extern const struct frame_kind brine_frame_kinds[FRAME_TYPES];

#endif
