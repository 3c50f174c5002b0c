#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct command *const commands[] = {&call_command, &describe_command, &dump_command, &listen_command,
                                                 &run_command};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static void BRINE_PRINTF(2, 0) say_with_name(const char *name, const char *format, va_list arguments)
{
	fprintf(stderr, *name ? "brine %s: " : "brine%s: ", name);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
}

int command_fail(const char *name, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	say_with_name(name, format, arguments);
	va_end(arguments);
	return EXIT_FAILED;
}

int command_usage(const char *name, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	say_with_name(name, format, arguments);
	va_end(arguments);
	fprintf(stderr, *name ? "Try: brine %s --help\n" : "Try: brine%s --help\n", name);
	return EXIT_FAILED;
}

/* Why a write failed; stdio forgets it where another one follows. */
static int output_errno;

static ssize_t write_standard_output(void *cookie, const char *data, size_t size)
{
	size_t written = 0;
	(void)cookie;
	while (written < size) {
		ssize_t some = write(STDOUT_FILENO, data + written, size - written);
		if (some < 0 && errno == EINTR)
			continue;
		if (some < 0) {
			output_errno = errno;
			break;
		}
		written += (size_t)some;
	}
	return (ssize_t)written;
}

/* Standard output as before, but that it remembers. */
static int remember_errors(void)
{
	FILE *file = fopencookie(NULL, "w", (cookie_io_functions_t){.write = write_standard_output});
	if (!file)
		return command_fail("", "out of memory");
	stdout = file;
	return 0;
}

int command_flush(const char *name)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	if (output_errno == EPIPE)
		return EXIT_CLOSED;
	return command_fail(name, "cannot write the output: %s", strerror(output_errno));
}

static const struct command *find_command(const char *name)
{
	for (int i = 0; i < COMMAND_COUNT; i++) {
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	}
	return NULL;
}

static int unknown(const char *what, const char *name)
{
	char shown[128];
	return command_usage("", "there is no %s \"%s\"", what, brine_escape(shown, sizeof shown, name, strlen(name)));
}

static int print_help(void)
{
	printf("brine - call Brine and MessagePack-RPC servers, look inside their traffic,\n"
	       "carry text as it is printed\n\n"
	       "Usage: brine SUBCOMMAND [OPTION]... [ARGUMENT]...\n"
	       "       brine --help | --version | help SUBCOMMAND\n\n"
	       "Subcommands:\n");
	for (int i = 0; i < COMMAND_COUNT; i++)
		printf("  %-10s %s\n", commands[i]->name, commands[i]->summary);
	printf("\nExit status: 0 all is well, 2 usage, files or memory, 141 the reader of the\n"
	       "output has gone; each subcommand has more. brine(1) has the details.\n");
	return command_flush("");
}

static int help(const char *name)
{
	const struct command *command = find_command(name);
	if (!command)
		return unknown("subcommand", name);
	fputs(command->help, stdout);
	return command_flush(command->name);
}

/* The descriptors 0 to 2 are ours, whatever we were started with: none that is opened later may take their place. Where
 * there is no input reading it stays an error. */
static void keep_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0)
			(void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDWR);
	}
}

int main(int argc, char **argv)
{
	keep_standard_descriptors();
	/* A reader that goes away shows as EPIPE, and a program that ends can be waited for, whatever our parent did
	 * with these signals. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	if (remember_errors() != 0)
		return EXIT_FAILED;
	const char *name = argc > 1 ? argv[1] : NULL;
	if (!name)
		return command_usage("", "which subcommand?");
	if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
		printf("brine %s\n", brine_version());
		return command_flush("");
	}
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || (strcmp(name, "help") == 0 && argc == 2))
		return print_help();
	if (strcmp(name, "help") == 0)
		return help(argv[2]);
	if (name[0] == '-')
		return unknown("option", name);
	const struct command *command = find_command(name);
	return command ? command->run(argc - 1, argv + 1) : unknown("subcommand", name);
}
