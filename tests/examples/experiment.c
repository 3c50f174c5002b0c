/* experiment.c - when does what a program prints arrive? A client prints "spam" and "eggs", pauses, prints "ham"; a
 * server notes when each came: over sockets wrapped into a FILE, over streams of text, and as structs. Then two
 * programs ask each other and wait for the answer.
 *
 *   experiment [PAUSE-MS]        the pause: 2000 where it is not given
 *
 * Everything happens on the loopback address. The wait for an answer is given up after a second. */
#include <brine/brine.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORDS = 3, GIVE_UP_MS = 1000 };
static const char *const words[WORDS] = {"spam", "eggs", "ham"};
static unsigned pause_ms = 2000;

static double now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void nap(unsigned ms)
{
	struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};
	while (nanosleep(&time, &time) < 0 && errno == EINTR)
		;
}

static _Noreturn void die(const char *what, const char *why)
{
	fprintf(stderr, "experiment: %s: %s\n", what, why);
	_exit(2);
}

/* One way of sending a word. */
struct way {
	const char *name;
	enum { WRAPPED, TEXT, STRUCTS } kind;
	int buffering;     /* WRAPPED: of setvbuf(); TEXT: enum brine_text_buffering */
	bool flushes;      /* after each word */
	uint64_t flush_ms; /* TEXT: the interval */
};

static const struct way ways[] = {
        {"a  socket in a FILE, as it comes", WRAPPED, _IOFBF, false, 0},
        {"b  socket in a FILE, line buffered", WRAPPED, _IOLBF, false, 0},
        {"c  socket in a FILE, with fflush()", WRAPPED, _IOFBF, true, 0},
        {"d  Brine, line buffered", TEXT, BRINE_TEXT_LINE, false, 0},
        {"d  Brine, unbuffered", TEXT, BRINE_TEXT_NONE, false, 0},
        {"d  Brine, fully buffered, fflush()", TEXT, BRINE_TEXT_FULL, true, 0},
        {"d  Brine, fully buffered, every 20 ms", TEXT, BRINE_TEXT_FULL, false, 20},
        {"e  dumps and loads of structs", STRUCTS, 0, false, 0},
};
enum { WAYS = sizeof ways / sizeof ways[0] };

/* What both processes see: when each word was printed. */
struct shared {
	double printed[WORDS];
	char address[128];
};

/* A word as a struct, for dumps and loads. */
struct word {
	uint32_t number;
	struct brine_str text;
};
static const struct brine_field word_fields[] = {BRINE_FIELD(struct word, 1, number),
                                                 BRINE_FIELD(struct word, 2, text)};
static const struct brine_type word_type = BRINE_TYPE(struct word, "Word", BRINE_LAYOUT_ARRAY, word_fields);

/* ---- sockets ---- */

static int listen_on_loopback(struct sockaddr_in *address)
{
	socklen_t size = sizeof *address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	*address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (fd < 0 || bind(fd, (struct sockaddr *)address, size) < 0 || listen(fd, 1) < 0 ||
	    getsockname(fd, (struct sockaddr *)address, &size) < 0)
		die("cannot listen", strerror(errno));
	return fd;
}

static int connect_to(const struct sockaddr_in *address)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof *address) < 0)
		die("cannot connect", strerror(errno));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	return fd;
}

/* ---- the client ---- */

static void print_words(FILE *file, const struct way *way, struct shared *shared)
{
	for (int i = 0; i < WORDS; i++) {
		if (i == WORDS - 1)
			nap(pause_ms);
		shared->printed[i] = now_ms();
		fprintf(file, "%s\n", words[i]);
		if (way->flushes)
			fflush(file);
		nap(5); /* so that each has its own time */
	}
	if (fclose(file) != 0)
		die(way->name, strerror(errno));
}

static void send_structs(int fd, struct shared *shared)
{
	struct brine_arena arena = BRINE_ARENA_INIT;
	for (uint32_t i = 0; i < WORDS; i++) {
		struct word word = {i, brine_str_from(words[i])};
		struct brine_bytes bytes;
		if (i == WORDS - 1)
			nap(pause_ms);
		shared->printed[i] = now_ms();
		if (brine_dumps(&bytes, &word_type, &word, &arena, NULL) < 0 ||
		    send(fd, bytes.data, bytes.size, MSG_NOSIGNAL) < 0)
			die("cannot send", strerror(errno));
		nap(5);
	}
	brine_arena_done(&arena);
}

static FILE *open_text(const char *address, const struct way *way)
{
	struct brine_text_options options = BRINE_TEXT_OPTIONS_INIT;
	struct brine_error error;
	FILE *file;
	options.buffering = way->buffering;
	options.flush_ms = way->flush_ms;
	if (brine_text_open(&file, address, "w", &options, &error) < 0)
		die(way->name, error.text);
	return file;
}

static FILE *wrap(int fd, const char *mode, int buffering)
{
	FILE *file = fdopen(fd, mode);
	if (!file)
		die("fdopen", strerror(errno));
	setvbuf(file, NULL, buffering, BUFSIZ);
	return file;
}

/* ---- the server ---- */

/* Notes the time of each line that the bytes bring to an end. */
static int note_lines(const char *data, size_t size, double *arrived, int count)
{
	for (size_t i = 0; i < size; i++)
		if (data[i] == '\n' && count < WORDS)
			arrived[count++] = now_ms();
	return count;
}

static void receive_lines(int fd, double *arrived)
{
	char bytes[256];
	ssize_t got;
	int count = 0;
	while ((got = recv(fd, bytes, sizeof bytes, 0)) > 0)
		count = note_lines(bytes, (size_t)got, arrived, count);
}

/* send() keeps no borders, but words are sent far enough apart that each recv() has one. */
static void receive_structs(int fd, double *arrived)
{
	struct brine_arena arena = BRINE_ARENA_INIT;
	char bytes[256];
	ssize_t got;
	while ((got = recv(fd, bytes, sizeof bytes, 0)) > 0) {
		struct word word;
		if (brine_loads(&word, &word_type, BRINE_BYTES(bytes, (size_t)got), &arena, NULL) == 0 &&
		    word.number < WORDS)
			arrived[word.number] = now_ms();
	}
	brine_arena_done(&arena);
}

static void receive_text(struct brine_text *text, double *arrived)
{
	struct brine_text_piece piece;
	int count = 0;
	while (brine_text_receive(text, &piece) > 0)
		count = note_lines(piece.data.data, piece.data.size, arrived, count);
}

/* ---- the first table ---- */

static void await_client(pid_t child)
{
	int status;
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (status != 0)
		die("the client", "ended badly");
}

/* What waits in a buffer of ours must not be printed by the child as well. */
static pid_t fork_child(void)
{
	fflush(stdout);
	return fork();
}

static void over_socket(const struct way *way, struct shared *shared, double *arrived)
{
	struct sockaddr_in address;
	int listener = listen_on_loopback(&address);
	pid_t child = fork_child();
	if (child == 0) {
		int fd = connect_to(&address);
		if (way->kind == STRUCTS)
			send_structs(fd, shared);
		else
			print_words(wrap(fd, "w", way->buffering), way, shared);
		_exit(0);
	}
	int fd = accept(listener, NULL, NULL);
	(way->kind == STRUCTS ? receive_structs : receive_lines)(fd, arrived);
	close(fd);
	close(listener);
	await_client(child);
}

/* The child is made before the listener's thread; it is told the address through the pipe. */
static pid_t fork_client(int go[2])
{
	if (pipe(go) < 0)
		die("pipe", strerror(errno));
	return fork_child();
}

static void await_address(int go[2])
{
	char byte;
	close(go[1]);
	if (read(go[0], &byte, 1) != 1)
		_exit(2);
}

static struct brine_text_listener *listen_for_text(struct shared *shared, int go[2])
{
	struct brine_text_listener *listener;
	struct brine_error error;
	if (brine_text_listen(&listener, "tcp://127.0.0.1:0", NULL, &error) < 0)
		die("cannot listen", error.text);
	snprintf(shared->address, sizeof shared->address, "%s", brine_text_listener_address(listener));
	if (write(go[1], "", 1) != 1)
		die("pipe", strerror(errno));
	close(go[0]);
	close(go[1]);
	return listener;
}

static struct brine_text *accept_text(struct brine_text_listener *listener)
{
	struct brine_text *text;
	struct brine_error error;
	if (brine_text_accept(listener, &text, 10000, &error) < 0)
		die("accept", error.text);
	return text;
}

static void over_text(const struct way *way, struct shared *shared, double *arrived)
{
	int go[2];
	pid_t child = fork_client(go);
	if (child == 0) {
		await_address(go);
		print_words(open_text(shared->address, way), way, shared);
		_exit(0);
	}
	struct brine_text_listener *listener = listen_for_text(shared, go);
	struct brine_text *text = accept_text(listener);
	receive_text(text, arrived);
	brine_text_close(text);
	await_client(child);
	brine_text_listener_free(listener);
}

static void time_words(struct shared *shared)
{
	printf("Milliseconds from print to arrival, with a pause of %u ms before \"ham\":\n\n", pause_ms);
	printf("%-40s %9s %9s %9s\n", "", words[0], words[1], words[2]);
	for (int i = 0; i < WAYS; i++) {
		double arrived[WORDS] = {0};
		(ways[i].kind == TEXT ? over_text : over_socket)(&ways[i], shared, arrived);
		printf("%-40s", ways[i].name);
		for (int word = 0; word < WORDS; word++)
			printf(" %9.1f", arrived[word] - shared->printed[word]);
		printf("\n");
		fflush(stdout);
	}
}

/* ---- the second table: who asks waits ---- */

/* Asks, waits for the other's question, answers by having asked. How long it took; negative: the wait was given up. */
static double ask(FILE *out, FILE *in, const char *question, bool flushes)
{
	double began = now_ms();
	char byte;
	fputs(question, out);
	if (flushes)
		fflush(out);
	/* All of the question, up to its mark. */
	while (fread(&byte, 1, 1, in) == 1)
		if (byte == '?')
			return now_ms() - began;
	return -1;
}

static void limit_waits(int fd)
{
	struct timeval limit = {GIVE_UP_MS / 1000, GIVE_UP_MS % 1000 * 1000};
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

static double ask_over_socket(int fd, const struct way *way, const char *question)
{
	limit_waits(fd);
	FILE *out = wrap(fd, "w", way->buffering), *in = wrap(dup(fd), "r", _IOFBF);
	double took = ask(out, in, question, way->flushes);
	/* Not fclose(): its flush would wake the other. */
	(void)shutdown(fd, SHUT_RDWR);
	fclose(in);
	fclose(out);
	return took;
}

static double ask_over_text(struct brine_text *text, const struct way *way, const char *question)
{
	struct brine_text_options options = BRINE_TEXT_OPTIONS_INIT;
	FILE *out, *in;
	options.buffering = way->buffering;
	options.flush_ms = way->flush_ms;
	if (brine_text_file(&out, text, "w", NULL, &options, NULL) < 0 ||
	    brine_text_file(&in, text, "r", NULL, &options, NULL) < 0)
		die(way->name, "out of memory");
	double took = ask(out, in, question, way->flushes);
	fclose(out);
	(void)brine_text_end(text, 0, 0, GIVE_UP_MS);
	fclose(in);
	return took;
}

static double two_over_socket(const struct way *way, const char *question)
{
	struct sockaddr_in address;
	int listener = listen_on_loopback(&address);
	pid_t child = fork_child();
	if (child == 0) {
		(void)ask_over_socket(connect_to(&address), way, question);
		_exit(0);
	}
	double took = ask_over_socket(accept(listener, NULL, NULL), way, question);
	close(listener);
	await_client(child);
	return took;
}

static double two_over_text(const struct way *way, struct shared *shared, const char *question)
{
	int go[2];
	pid_t child = fork_client(go);
	if (child == 0) {
		struct brine_text *text;
		await_address(go);
		if (brine_text_connect(&text, shared->address, BRINE_TEXT_WRITE | BRINE_TEXT_READ, NULL, NULL) < 0)
			_exit(2);
		(void)ask_over_text(text, way, question);
		brine_text_close(text);
		_exit(0);
	}
	struct brine_text_listener *listener = listen_for_text(shared, go);
	struct brine_text *text = accept_text(listener);
	alarm(60); /* it cannot wait for ever; if it did, this program would be wrong */
	double took = ask_over_text(text, way, question);
	alarm(0);
	struct brine_text_piece piece;
	while (brine_text_receive(text, &piece) > 0)
		;
	brine_text_close(text);
	await_client(child);
	brine_text_listener_free(listener);
	return took;
}

static void time_questions(struct shared *shared)
{
	static const char *const questions[] = {"name?\n", "name? "};
	printf("\nTwo programs that ask each other, then wait for the answer (given up after %d ms):\n\n", GIVE_UP_MS);
	printf("%-40s %14s %14s\n", "", "\"name?\\n\"", "\"name? \"");
	for (int i = 0; i < WAYS; i++) {
		if (ways[i].kind == STRUCTS)
			continue;
		printf("%-40s", ways[i].name);
		for (int question = 0; question < 2; question++) {
			double took = ways[i].kind == TEXT ? two_over_text(&ways[i], shared, questions[question])
			                                   : two_over_socket(&ways[i], questions[question]);
			if (took < 0)
				printf(" %14s", "for ever");
			else
				printf(" %11.1f ms", took);
		}
		printf("\n");
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	if (argc > 1)
		pause_ms = (unsigned)strtoul(argv[1], NULL, 10);
	if (argc > 2 || pause_ms > 60000) {
		fprintf(stderr, "Usage: experiment [PAUSE-MS]\n");
		return 2;
	}
	struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die("mmap", strerror(errno));
	setvbuf(stdout, NULL, _IOLBF, 0);
	/* Sockets that are wrapped raise it when the other side has given up; streams of text never do. */
	signal(SIGPIPE, SIG_IGN);
	time_words(shared);
	time_questions(shared);
	munmap(shared, sizeof *shared);
	return 0;
}
