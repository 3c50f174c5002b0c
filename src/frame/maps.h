/* frame/maps.h - the maps inside messages: opts, metadata, hello. */
#ifndef BRINE_FRAME_MAPS_H
#define BRINE_FRAME_MAPS_H

#include "frame/parts.h"

/* Reads the opts of a request, response or notification. Returns 0 or the code of the error. A fault has the verdict
 * ERROR with code 1, or with code 7 if a size is over its limit. */
int frame_parse_options(struct frame_parse *parse, struct brine_bytes value, bool is_request,
                        struct brine_frame_options *ret_options);

/* Reads the map of a hello or welcome. Returns 0 or the code of the error. A fault gets GOAWAY with code 1. */
int frame_parse_hello(struct frame_parse *parse, struct brine_bytes value, struct brine_frame_hello *ret_hello);

void frame_write_options(struct frame_write *write, const struct brine_frame_options *options);
void frame_write_hello(struct frame_write *write, const struct brine_frame_hello *hello);

/* Tells whether there is any option to write. */
bool frame_has_options(const struct brine_frame_options *options);

#endif
