#include "client/command.h"

#include "base/alloc.h"
#include "net/child.h"

#include <stdio.h>

enum {
	CHILDREN_MAX = 8, /* the one that is spoken to, and those that have not ended yet */
	NOTICE_MS = 1000,
	NOTICE_ON_LOOP_MS = 10, /* a loop has other things to do */
};

struct brine_command {
	size_t size; /* of this block, with the strings behind it */
	struct brine_child_options start;
	uint64_t end_timeout_ms;
	struct brine_child *children[CHILDREN_MAX]; /* NULL: free */
	char ending[BRINE_CHILD_ENDING_SIZE + 2];   /* of the last one that ended; "": none did */
};

/* ---- what to start ---- */

static size_t list_count(const char *const *list)
{
	size_t count = 0;
	while (list && list[count])
		count++;
	return count;
}

static size_t strings_size(const char *const *list)
{
	size_t size = 0;
	for (size_t i = 0; list && list[i]; i++)
		size += strlen(list[i]) + 1;
	return size;
}

/* Copies the strings to *memory, which moves on, and fills places. */
static const char *const *copy_list(const char *const *list, const char **places, char **memory)
{
	if (!list)
		return NULL;
	for (size_t i = 0; list[i]; i++) {
		size_t size = strlen(list[i]) + 1;
		memcpy(*memory, list[i], size);
		places[i] = *memory;
		*memory += size;
	}
	return places;
}

/* The block: the struct, the pointers of both lists, which are zero at their ends, the strings. */
static struct brine_command *new_command(const char *const *argv, const struct brine_command_options *options,
                                         const struct brine_allocator *allocator)
{
	size_t pointers = list_count(argv) + 1 + list_count(options->environment) + 1;
	size_t size = sizeof(struct brine_command) + pointers * sizeof(char *) + strings_size(argv) +
	              strings_size(options->environment);
	struct brine_command *command = brine_alloc_zero(allocator, size);
	if (!command)
		return NULL;
	const char **places = (const char **)(command + 1);
	char *memory = (char *)(places + pointers);
	command->size = size;
	command->end_timeout_ms = options->end_timeout_ms;
	command->start.argv = copy_list(argv, places, &memory);
	command->start.environment = copy_list(options->environment, places + list_count(argv) + 1, &memory);
	command->start.quiet = options->quiet;
	return command;
}

/* The command line, for error texts. */
static void name_peer(struct brine_client *client)
{
	const char *const *argv = client->command->start.argv;
	size_t used = 0;
	for (size_t i = 0; argv[i] && used + 1 < sizeof client->peer_text; i++) {
		if (i)
			client->peer_text[used++] = ' ';
		brine_escape(client->peer_text + used, sizeof client->peer_text - used, argv[i], strlen(argv[i]));
		used += strlen(client->peer_text + used);
	}
}

static int check(const char *const *argv, const struct brine_command_options *options, struct brine_error *error)
{
	if (!argv || !argv[0] || !argv[0][0])
		return brine_fail(error, BRINE_ERR_INVALID, 0,
		                  "argv: expected the name of a program, then its arguments");
	if (options->struct_size != sizeof *options)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "struct_size: start from BRINE_COMMAND_OPTIONS_INIT");
	return 0;
}

int brine_client_open_command(struct brine_client **ret_client, const char *const argv[],
                              const struct brine_command_options *command, const struct brine_client_options *options,
                              struct brine_error *error)
{
	if (!ret_client)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "ret_client is NULL");
	static const struct brine_command_options defaults = BRINE_COMMAND_OPTIONS_INIT;
	struct brine_client *client;
	int status = check(argv, command ? command : &defaults, error);
	if (status == 0)
		status = brine_client_make(&client, options, false, error);
	if (status < 0)
		return status;
	const struct brine_allocator *allocator = client->options.allocator;
	client->command = new_command(argv, command ? command : &defaults, allocator);
	client->connector.addrs = brine_alloc_zero(allocator, sizeof *client->connector.addrs);
	client->connector.addr_count = client->connector.addrs != NULL;
	if (!client->command || !client->connector.addrs) {
		brine_client_drop(client);
		return brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory making a client");
	}
	client->connector.addrs->plain = !command || !command->framed;
	bool loops = client->options.mode == BRINE_CLIENT_LOOP;
	client->command->start.notice_ms = loops ? NOTICE_ON_LOOP_MS : NOTICE_MS;
	name_peer(client);
	*ret_client = client;
	return 0;
}

/* ---- the programs ---- */

/* Collects those that have ended, and makes the others whose connection is closed. A free place for one more; NULL:
 * there is none. */
static struct brine_child **sweep(struct brine_command *command)
{
	struct brine_child **free_slot = NULL;
	for (size_t i = 0; i < CHILDREN_MAX; i++) {
		struct brine_child *child = command->children[i];
		if (child && !brine_child_has_stream(child) && brine_child_press(child, command->end_timeout_ms)) {
			memcpy(command->ending, ": ", 2);
			brine_child_ending(child, command->ending + 2, sizeof command->ending - 2);
			brine_child_free(child);
			child = command->children[i] = NULL;
		}
		if (!child)
			free_slot = &command->children[i];
	}
	return free_slot;
}

int brine_command_start(struct brine_client *client, const struct brine_addr *addr, struct brine_error *error)
{
	struct brine_command *command = client->command;
	struct brine_child **place = sweep(command);
	struct brine_child *child;
	int fd;
	if (!place)
		return brine_fail(error, BRINE_ERR_CONNECT, 0,
		                  "%d programs that were started before have not ended yet: look why, or end them",
		                  CHILDREN_MAX);
	int status = brine_child_start(&child, &fd, &command->start, client->options.allocator, error);
	if (status < 0)
		return status;
	*place = child;
	status = brine_client_adopt(client, fd, addr, error);
	if (status == 0)
		client->current->stream = brine_child_stream(child, client->current->stream);
	return status;
}

const char *brine_command_ending(const struct brine_client *client)
{
	if (!client->command)
		return "";
	sweep(client->command);
	return client->command->ending;
}

void brine_command_end(struct brine_client *client)
{
	struct brine_command *command = client->command;
	if (!command)
		return;
	int state = brine_client_leave(client);
	for (size_t i = 0; i < CHILDREN_MAX; i++) {
		if (command->children[i])
			(void)brine_child_end(command->children[i], command->end_timeout_ms);
		brine_child_free(command->children[i]);
		command->children[i] = NULL;
	}
	brine_client_return(client, state);
}

void brine_command_abandon(struct brine_client *client)
{
	for (size_t i = 0; client->command && i < CHILDREN_MAX; i++)
		if (client->command->children[i])
			brine_child_abandon(client->command->children[i]);
}

void brine_command_free(struct brine_client *client)
{
	struct brine_command *command = client->command;
	if (!command)
		return;
	for (size_t i = 0; i < CHILDREN_MAX; i++)
		brine_child_free(command->children[i]);
	brine_release(client->options.allocator, command, command->size);
	client->command = NULL;
}
