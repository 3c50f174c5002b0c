/* frame/maps.h - the maps inside messages: opts, metadata, hello. */
#ifndef BRINE_FRAME_MAPS_H
#define BRINE_FRAME_MAPS_H

#include "frame/parts.h"

/* The maps. Faults in options get a verdict of ERROR (1, or 7 where it is a size), in a hello GOAWAY 1. */
int frame_parse_options(struct frame_parse *parse, struct brine_bytes value, bool is_request,
                        struct brine_frame_options *ret_options);
int frame_parse_hello(struct frame_parse *parse, struct brine_bytes value, struct brine_frame_hello *ret_hello);
void frame_write_options(struct frame_write *write, const struct brine_frame_options *options);
void frame_write_hello(struct frame_write *write, const struct brine_frame_hello *hello);
bool frame_has_options(const struct brine_frame_options *options);

#endif
