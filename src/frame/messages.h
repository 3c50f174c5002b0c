/* frame/messages.h - the table of message types. */
#ifndef BRINE_FRAME_MESSAGES_H
#define BRINE_FRAME_MESSAGES_H

#include "frame/parts.h"

enum {
	FRAME_TYPES = 32, /* below: known or reserved; from here on: advisory */
};

/* How the messages of one type look: parse and write stand side by side in messages.c. */
struct frame_kind {
	const char *name;
	uint8_t least; /* elements, the type included; NULL parse: the type is reserved */
	int (*parse)(struct frame_parse *parse, struct brine_frame *frame);
	void (*write)(struct frame_write *write, const struct brine_frame *frame);
};
extern const struct frame_kind brine_frame_kinds[FRAME_TYPES];

#endif
