/* brine/brine.h - everything but brine/untyped.h, which includes msgpack.h, and brine/loop, which includes headers of
 * loops.
 *
 * What holds everywhere: a NULL that is not said to be allowed is BRINE_ERR_INVALID, and nothing was done. A function
 * that returns no error code then does nothing and returns NULL, 0, false or a view of nothing. `error` and `user` may
 * be NULL, and so may data whose size is 0. */
#ifndef BRINE_BRINE_H
#define BRINE_BRINE_H

#include <brine/allocator.h>
#include <brine/api.h>
#include <brine/arena.h>
#include <brine/buf.h>
#include <brine/bytes.h>
#include <brine/client.h>
#include <brine/codec.h>
#include <brine/conn.h>
#include <brine/error.h>
#include <brine/frame.h>
#include <brine/limits.h>
#include <brine/metadata.h>
#include <brine/pack.h>
#include <brine/server.h>
#include <brine/text.h>
#include <brine/type.h>

#endif
