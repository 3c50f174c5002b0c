/* brine/limits.h - every limit of a connection, in one struct, with the defaults of WIRE.md section 5. */
#ifndef BRINE_LIMITS_H
#define BRINE_LIMITS_H

#include <brine/api.h>

struct brine_limits {
	uint32_t message_size_max;     /* bytes of one message, prefix excluded; 1,024 .. 2^32-1 */
	uint32_t depth_max;            /* levels of one message, its own array included; 4 .. 32 */
	uint32_t calls_max;            /* running calls from the peer, handlers that outlive their call included */
	uint32_t method_size_max;      /* bytes of a method name */
	uint32_t options_count_max;    /* keys of an option map, of a hello */
	uint32_t metadata_size_max;    /* encoded bytes of the metadata map */
	uint32_t error_text_size_max;  /* bytes of an error text taken from a peer; more is cut and marked */
	uint32_t control_answers_max;  /* unsent pongs and errors 5 and 6 before the connection is cut */
	size_t output_mark;            /* unsent bytes above which reading stops (accepting side) */
	uint64_t head_timeout_ms;      /* accept to the first recognised frame head; 0: never */
	uint64_t progress_interval_ms; /* a frame must bring progress_size bytes in each; 0: never */
	uint32_t progress_size;        /* bytes */
	uint64_t stuck_output_ms;      /* the peer took nothing for so long: cut; 0: never. Shows once more waits for it
	                                  than its system and ours hold: over TCP 1 MiB and its receive buffer */
	uint64_t idle_timeout_ms;      /* nothing running and nothing heard: drain; 0: never */
	uint64_t linger_ms;            /* after our last frame: read and discard at most so long */
	size_t linger_size;            /* and so many bytes */
	uint64_t stall_timeout_ms;     /* the peer gave a stream that has items to send no credit: it ends; 0: never */
	uint32_t output_progress_size; /* bytes that the peer must take in each progress_interval_ms while output waits,
	                                  or it is cut; 0: any at all, in stuck_output_ms */
};
#define BRINE_LIMITS_INIT                                                                                              \
	{                                                                                                              \
		16u << 20, 32, 256, 255, 64, 8192, 1024, 1000, (size_t)8 << 20, 10000, 10000, 16384, 30000, 0, 1000,   \
		        (size_t)16 << 20, 60000, 0                                                                     \
	}

/* The stack of a thread that the library starts, for the program's handlers and callbacks as for the library itself,
 * which needs less than 24 KiB of it. What the system takes of a stack (thread-local variables, signals) comes on top.
 * Options called thread_stack_size choose another size: 0 is this one, less than the least counts as the least. */
#define BRINE_THREAD_STACK_SIZE  ((size_t)1 << 20)
#define BRINE_THREAD_STACK_LEAST ((size_t)64 << 10)

#endif
