#include "command.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct command *const commands[] = {&call_command, &describe_command, &dump_command, &listen_command,
                                                 &run_command};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static void BRINE_PRINTF(2, 0) say(const char *name, const char *format, va_list arguments)
{
	fprintf(stderr, *name ? "brine %s: " : "brine%s: ", name);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
}

int command_fail(const char *name, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	say(name, format, arguments);
	va_end(arguments);
	return EXIT_FAILED;
}

int command_usage(const char *name, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	say(name, format, arguments);
	va_end(arguments);
	fprintf(stderr, *name ? "Try: brine %s --help\n" : "Try: brine%s --help\n", name);
	return EXIT_FAILED;
}

int command_flush(const char *name)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	if (errno == EPIPE)
		return EXIT_CLOSED;
	return command_fail(name, "cannot write the output: %s", strerror(errno));
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

int main(int argc, char **argv)
{
	/* A reader that goes away shows as EPIPE, whatever our parent did with the signal. */
	signal(SIGPIPE, SIG_IGN);
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
