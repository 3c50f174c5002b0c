/* brine/limits.h - every limit of a connection, in one struct, with the defaults of WIRE.md section 5. */
#ifndef BRINE_LIMITS_H
#define BRINE_LIMITS_H

#include <brine/api.h>

/* In units of bytes, milliseconds or counts, as the names say. */
struct brine_limits {
	/* Bytes of one message without its length prefix, 1,024 to 2^32-1. */
	uint32_t message_size_max;

	/* Levels of one message, its own array included, 4 to 32. */
	uint32_t depth_max;

	/* Running calls of the peer. A handler that outlives its call still counts. */
	uint32_t calls_max;

	/* Bytes of a method name. */
	uint32_t method_size_max;

	/* Keys of the options of a message, of its metadata, or of a hello; at most 256. */
	uint32_t options_count_max;

	/* Encoded bytes of the metadata map. */
	uint32_t metadata_size_max;

	/* Bytes of an error text taken from a peer. A longer text is cut and ends with "...". */
	uint32_t error_text_size_max;

	/* Close the connection if so many pongs and answers of the library itself (errors 5, 6 ...) are unsent. */
	uint32_t control_answers_max;

	/* The accepting side stops reading while so many bytes of output are unsent. */
	size_t output_mark;

	/* Close an accepted connection that has not sent a recognised frame head for this long; 0 disables it. */
	uint64_t head_timeout_ms;

	/* A message that has begun must bring progress_size bytes in each interval of this length; 0 disables it. The
	 * first interval does not count. */
	uint64_t progress_interval_ms;

	/* Bytes that an unfinished message must bring in each progress_interval_ms. */
	uint32_t progress_size;

	/* Close the connection if output is waiting and the peer has accepted no byte for this long; 0 disables it. The
	 * kernel buffers (about 1 MiB plus the peer's receive buffer over TCP) must fill first, so short messages to a
	 * dead peer are not noticed by this. */
	uint64_t stuck_output_ms;

	/* Drain the connection if nothing is running and nothing was heard for this long; 0 disables it. */
	uint64_t idle_timeout_ms;

	/* After our last frame, read and discard the peer's bytes for at most this long. */
	uint64_t linger_ms;

	/* After our last frame, read and discard at most so many bytes. */
	size_t linger_size;

	/* End a stream that has items to send and got no credit for this long; 0 disables it. */
	uint64_t stall_timeout_ms;

	/* Close the connection if the peer accepts fewer bytes than this in a progress_interval_ms while output is
	 * waiting. 0 disables it; stuck_output_ms still applies. */
	uint32_t output_progress_size;
};
#define BRINE_LIMITS_INIT                                                                                              \
	{                                                                                                              \
		16u << 20, 32, 256, 255, 64, 8192, 1024, 1000, (size_t)8 << 20, 10000, 10000, 16384, 30000, 0, 1000,   \
		        (size_t)16 << 20, 60000, 0                                                                     \
	}

/* The stack of a thread that the library starts, in bytes. The program's handlers and callbacks run on it. The library
 * itself needs less than 24 KiB of it. The system's share (thread-local variables, signals) comes on top. Options named
 * thread_stack_size choose another size. 0 means this one, and a size below the least counts as the least. */
#define BRINE_THREAD_STACK_SIZE  ((size_t)1 << 20)
#define BRINE_THREAD_STACK_LEAST ((size_t)64 << 10)

#endif
