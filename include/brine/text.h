/* brine/text.h - text that arrives: what a program prints, when it prints it.
 *
 * A program whose output was wrapped onto a socket seems silent until a buffer fills, and two of them can wait for each
 * other for ever. The ways out of that, from the one that changes a program most to the one that changes least:
 *
 *   send structs instead      brine/client.h, brine/server.h
 *   print to another FILE     brine_text_open(): fprintf(), fwrite(), getline() ... whose writes are frames
 *   keep printf() as it is    brine_text_redirect(): standard streams of the running program
 *   leave the program alone   brine run, brine listen (brine(1))
 *
 * On the wire it is the service of proto/brine/text.proto, spoken with ordinary calls: Write carries the caller's text,
 * Read the callee's. `brine dump` shows it. Credit is back-pressure: a reader that stops stops its writers, which wait
 * inside printf() as they would on a full pipe, for as long as it takes. Memory does not grow with what waits.
 *
 * When a function that writes has returned, the bytes it sent are in the kernel (of the side that connected; the other
 * side's server thread has them), and need nothing more of the program, whatever becomes of it. They are *taken* once
 * the peer's program has had them, which brine_text_end() waits for.
 *
 * Threads. There is none but what is asked for here: options.flush_ms starts one for each FILE, a redirection of
 * descriptors one for each descriptor, brine_text_listen() one for its server. Of a conversation one thread may send
 * while another receives; several that send take turns. No SIGPIPE is raised. In a forked child every function returns
 * BRINE_ERR_FORKED and every FILE fails with EBADF: what the parent had buffered is never sent twice.
 *
 * Memory comes from the allocator of the client's or server's options, but for what stdio itself takes. */
#ifndef BRINE_TEXT_H
#define BRINE_TEXT_H

#include <brine/client.h>
#include <brine/server.h>
#include <stdio.h>

struct brine_text;          /* opaque: one conversation */
struct brine_text_listener; /* opaque */
struct brine_text_service;  /* opaque */

/* Directions of a conversation, seen from this side. */
enum brine_text_direction {
	BRINE_TEXT_WRITE = 1, /* our text */
	BRINE_TEXT_READ = 2,  /* the peer's */
};

/* When what is printed is sent. Whatever is chosen, fflush() sends now, and so does reading: before a FILE waits for
 * the peer, those that write to the same conversation are flushed. Two programs that ask and then wait never wait for
 * each other because of a buffer. */
enum brine_text_buffering {
	BRINE_TEXT_LINE = 0, /* each line at its newline */
	BRINE_TEXT_NONE,     /* each write of stdio: at best a call of printf() is one */
	BRINE_TEXT_FULL,     /* when the buffer is full */
};

struct brine_text_options {
	size_t struct_size;
	const char *source; /* who speaks, told to the peer, at most 128 bytes; NULL: the program's name */
	const char *stream; /* which stream, of brine_text_open(), at most 64 bytes; NULL: "stdout" */
	int buffering;      /* enum brine_text_buffering */
	size_t buffer_size; /* of each FILE; 0: BUFSIZ */
	uint64_t flush_ms;  /* no byte waits longer in a FILE, whatever the program does; 0: until the buffering says
	                       so. Costs a thread for each FILE. Only a program that holds flockfile() can stop it. */
	uint64_t end_timeout_ms; /* fclose() and the end of a redirection wait so long for the peer to have taken
	                            everything; BRINE_FOREVER: until it has */
	uint64_t accept_max;     /* brine_text_listen(): conversations that wait to be accepted; more are refused */
	const struct brine_client_options
	        *client; /* of connections made here; NULL: mode BLOCKING, brine_text_limits() */
	const struct brine_server_options *server; /* of brine_text_listen(); NULL: brine_text_limits() */
};
#define BRINE_TEXT_OPTIONS_INIT                                                                                        \
	{                                                                                                              \
		sizeof(struct brine_text_options), NULL, NULL, BRINE_TEXT_LINE, 0, 0, 10000, 64, NULL, NULL            \
	}

/* What came. The views live until the next receive on the conversation, or until the callback returns. */
struct brine_text_piece {
	struct brine_str stream; /* "stdout"; chosen by the peer */
	struct brine_bytes data; /* any bytes: parts of lines, many lines. Size 0 where signal is set. */
	int signal;              /* the peer asks for this signal (1 .. 64); 0: none */
};

/* How the peer's text ended. */
struct brine_text_end {
	bool cut;   /* the peer vanished or gave up: something may be missing. Else it ended in order, nothing is. */
	int status; /* exit status of the program; 0 where there is none */
	int signal; /* the signal that ended it; 0: none */
};

BRINE_BEGIN

/* ---- streams ---- */

/* Connects to an address of brine_client_open() and makes a FILE of it: mode "w", our text, or "r", the peer's. Owned
 * by the caller until fclose(), which ends the text in order and waits (options.end_timeout_ms) until the peer has
 * taken all of it; EOF, errno ETIMEDOUT: it has not. For both directions make two FILEs of one conversation
 * (brine_text_connect(), brine_text_file()): a FILE of stdio cannot wait in one while it works in the other.
 *
 * Errors surface through stdio: ferror() and errno, which is EPIPE (the peer has gone, or takes no more), ETIMEDOUT,
 * ENOMEM, EBADF (forked), EREMOTEIO (the peer refused), EPROTO, EIO. As with every FILE, what a failed write left
 * unsent is dropped.
 * options NULL, here and below: the defaults. 0, or as brine_client_connect(); BRINE_ERR_INVALID for a mode; *ret_file
 * is then untouched. */
BRINE_API int brine_text_open(FILE **ret_file, const char *address, const char *mode,
                              const struct brine_text_options *options, struct brine_error *error);

/* Makes a FILE of a conversation: mode "w" or "r". stream: its name, NULL: options->stream. There may be several
 * writing ones with different names ("stdout", "stderr"). fclose() sends what is left, no more: the text ends with
 * brine_text_end() or brine_text_close(), which may come before or after it. */
BRINE_API int brine_text_file(FILE **ret_file, struct brine_text *text, const char *mode, const char *stream,
                              const struct brine_text_options *options, struct brine_error *error);

/* ---- conversations ---- */

/* Connects now. directions: a set of enum brine_text_direction. *ret_text is owned by the caller until
 * brine_text_close(). Errors: as brine_client_connect(), INVALID; *ret_text is then untouched. */
BRINE_API int brine_text_connect(struct brine_text **ret_text, const char *address, unsigned directions,
                                 const struct brine_text_options *options, struct brine_error *error);

/* Releases a conversation. What was not ended (brine_text_end()) shows as cut at the peer. NULL is allowed. FILEs made
 * of it stay valid, but fail. No other thread may be inside it. */
BRINE_API void brine_text_close(struct brine_text *text);

/* Sends bytes of the named stream (NULL: "stdout") and waits until they are in the kernel. 0, or: LOST and what else
 * ended the connection; REMOTE: the peer refused or takes no more; STATE: ended already, or not a direction of it. */
BRINE_API int brine_text_send(struct brine_text *text, const char *stream, const void *data, size_t size);

/* Asks for a signal (1 .. 64) in the program at the other side; whether it heeds that is its business. Errors: as
 * above, INVALID. */
BRINE_API int brine_text_signal(struct brine_text *text, int signal);

/* Ends our text in order and waits until the peer has taken all of it; status and signal (0: none, or 1 .. 64):
 * how the program ended. A second end is ignored. 0; BRINE_ERR_INVALID: no such signal; BRINE_ERR_DEADLINE: not within
 * timeout_ms (BRINE_FOREVER: no end), everything is in the kernel; errors as above. On the side that was connected to
 * it does not wait: closing the listener does. */
BRINE_API int brine_text_end(struct brine_text *text, int status, int signal, uint64_t timeout_ms);

/* Waits for more of the peer's text: 1 and *ret_piece; 0 at its end in order, BRINE_ERR_* where it was cut: both are
 * told by brine_text_ending() from then on. BRINE_ERR_STATE: its text goes elsewhere (on_piece), or there is none. */
BRINE_API int brine_text_receive(struct brine_text *text, struct brine_text_piece *ret_piece);

/* How the peer's text ended; NULL: it has not. Lives as long as the conversation. */
BRINE_API const struct brine_text_end *brine_text_ending(const struct brine_text *text);

/* The peer's name as it gave it (escape it before it is shown), never NULL, and where it is; "" and NULL on the side
 * that connected. Live as long as the conversation. */
BRINE_API const char *brine_text_source(const struct brine_text *text);
BRINE_API const struct brine_peer *brine_text_peer(const struct brine_text *text);

/* ---- as a server ---- */

/* Listens on an address of brine_server_listen(), in a thread of its own. Owned by the caller until
 * brine_text_listener_free(). Errors: as brine_server_listen(), INVALID. */
BRINE_API int brine_text_listen(struct brine_text_listener **ret_listener, const char *address,
                                const struct brine_text_options *options, struct brine_error *error);

/* The address with the port the kernel chose. Lives as long as the listener. */
BRINE_API const char *brine_text_listener_address(const struct brine_text_listener *listener);

/* Waits for the next conversation, owned by the caller until brine_text_close(). The other direction of it joins when
 * the peer opens it. Errors: BRINE_ERR_DEADLINE after timeout_ms, CANCELLED: brine_text_listener_stop(). */
BRINE_API int brine_text_accept(struct brine_text_listener *listener, struct brine_text **ret_text, uint64_t timeout_ms,
                                struct brine_error *error);

/* Ends a wait in brine_text_accept(), now and later. Any thread. */
BRINE_API void brine_text_listener_stop(struct brine_text_listener *listener);

/* Drains (what was ended in order still goes out) and releases. Close the conversations first. NULL is allowed. */
BRINE_API void brine_text_listener_free(struct brine_text_listener *listener);

/* The same on a server of the program's own, in the event form: nothing waits. All are called on the loop thread of the
 * conversation's connection, NULL: not of interest. */
struct brine_text_handlers {
	/* A conversation began. user is that of serve; what is put into *ret_user comes with the others. A negative
	 * code refuses it. */
	int (*on_begin)(struct brine_text *text, void *user, void **ret_user);
	/* Something came. To hold up the peer, do not return. A negative code ends the conversation. */
	int (*on_piece)(struct brine_text *text, const struct brine_text_piece *piece, void *user);
	/* The peer's text has ended. */
	void (*on_end)(struct brine_text *text, const struct brine_text_end *end, void *user);
	/* The peer reads: brine_text_send() and _end() work from now on, in another thread than the server's (they
	 * wait). The conversation then is the program's: brine_text_close(), from that thread, once on_end was called
	 * or, where the peer only reads, a send failed or the text was ended. Until then the others may be called.
	 * NULL: there is nothing to read, which the peer is told; conversations are gone when on_end returns. */
	void (*on_reader)(struct brine_text *text, void *user);
};

/* Registers the service. Before brine_server_run() only. handlers and user must outlive the server. *ret_service is
 * owned by the caller until brine_text_service_free(), which comes after brine_server_free(). Errors: as
 * brine_server_serve(). */
BRINE_API int brine_text_serve(struct brine_text_service **ret_service, struct brine_server *server,
                               const struct brine_text_handlers *handlers, void *user, struct brine_error *error);
BRINE_API void brine_text_service_free(struct brine_text_service *service);

/* Sets the limits that do not fit text: a reader that is stopped for an hour, as a pipe's may be, is no fault. A
 * program that wants to find vanished peers sets keepalive_ms of its client. */
BRINE_API void brine_text_limits(struct brine_limits *limits);

/* ---- the standard streams of the running program ---- */

struct brine_text_redirect; /* opaque */

enum brine_text_standard {
	BRINE_TEXT_STDIN = 1,
	BRINE_TEXT_STDOUT = 2,
	BRINE_TEXT_STDERR = 4,
	BRINE_TEXT_DESCRIPTORS = 8, /* not only stdio, but the descriptors 0, 1 and 2 */
};

/* Sends the standard streams of this process to a conversation, and back; what: a set of enum brine_text_standard.
 * Early in main(), before other threads print. At one of two levels:
 *
 * stdio: stdin, stdout and stderr become FILEs as of brine_text_file(). It carries what goes through them: printf(),
 * puts(), getchar() ... No thread but for flush_ms.
 *
 * descriptors: 0, 1 and 2 become pipes. It carries also write(1), children, std::cout, libraries of other languages. A
 * thread for each; one more for flush_ms. stdout gets the buffering of the options.
 *
 *                     stdio                                   descriptors
 *   exit(), return    everything arrives, and the status      the same
 *   _exit(), abort(), what was sent arrives: at a newline,    the same, but for what the pipe still holds: 4 KiB at
 *   a signal          a flush, an interval; what stdio holds  most, of the last moment
 *                     does not, as ever
 *   fork()            stdio of the child fails (EBADF)        is carried as long as the parent lives
 *   a peer that goes  stdio fails (EPIPE)                     SIGPIPE, or EPIPE, as on a pipe
 *
 * The end of the process is told by on_exit(), with the exit status; quick_exit() does not tell it. The process then
 * waits options->end_timeout_ms at most for the peer to have taken everything. Handlers registered before the
 * redirection run after that, and print to what was there before. For programs that must lose nothing even when they
 * are killed there is `brine run`: another process holds the descriptors.
 *
 * text must outlive it. Errors: SYSTEM, NOMEM, INVALID; nothing was changed then. */
BRINE_API int brine_text_redirect(struct brine_text_redirect **ret_redirect, struct brine_text *text, unsigned what,
                                  const struct brine_text_options *options, struct brine_error *error);

/* Puts back what was there before, having sent everything printed so far. The text goes on, but for standard input at
 * the level of descriptors: what the peer sends is not received any more. NULL is allowed. 0, or what kept something
 * from being sent. */
BRINE_API int brine_text_restore(struct brine_text_redirect *redirect);

BRINE_END

#endif
