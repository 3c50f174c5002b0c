/* Starts a Neovim of its own, edits a buffer in it, hears of every change, and is asked for help by the editor while it
 * waits for it: nvim_edit [LINE...]. The calls are those of proto/neovim.proto, under Neovim's own names. */
#include "neovim.brine.h"
#include "nvim_edit.brine.h"

#include <brine/pack.h>

#include <ctype.h>
#include <stdio.h>

/* The editor tells: lines firstline to lastline - 1 became these. */
static int changed(struct brine_request *request, const struct nvim_buf_lines_event *event,
                   struct nvim_nothing *response, void *user)
{
	(void)request;
	(void)response;
	(void)user;
	printf("lines %lld to %lld became %zu", (long long)event->firstline, (long long)event->lastline,
	       event->linedata.count);
	for (size_t i = 0; i < event->linedata.count; i++)
		printf("%s%.*s", i ? " | " : ": ", BRINE_ARG(event->linedata.items[i]));
	printf("\n");
	return 0;
}

/* The editor asks. */
static int shout(struct brine_request *request, const struct helper_words *words, struct helper_shouted *shouted,
                 void *user)
{
	(void)user;
	size_t size = words->text.size;
	char *loud = brine_request_alloc(request, size + 1);
	if (!loud)
		return BRINE_ERR_NOMEM;
	for (size_t i = 0; i < size; i++)
		loud[i] = (char)toupper((unsigned char)words->text.data[i]);
	loud[size] = '!';
	shouted->text = (struct brine_str){loud, size + 1};
	return 0;
}

static int edit(struct brine_client *client, struct brine_call *call, const struct brine_str *lines, size_t count)
{
	static const char script[] =
	        "local me = vim.api.nvim_get_var('me')\n"
	        "for i, line in ipairs(vim.api.nvim_buf_get_lines(0, 0, -1, true)) do\n"
	        "  vim.api.nvim_buf_set_lines(0, i - 1, i, true, {vim.rpcrequest(me, 'shout', line)})\n"
	        "end";
	struct nvim_api_info info;
	struct nvim_strings result;
	struct brine_buf channel = BRINE_BUF_INIT;
	int status = nvim_get_api_info(client, call, &(struct nvim_nothing){0}, &info);
	if (status == 0)
		status = brine_pack_int(&channel, info.channel);
	struct brine_value me = {brine_buf_bytes(&channel).data, brine_buf_size(&channel)};
	if (status == 0)
		status = nvim_set_var(client, call, &(struct nvim_set_var_request){BRINE_STR("me"), me}, NULL);
	brine_buf_done(&channel);
	if (status == 0)
		status = nvim_buf_attach(client, call, &(struct nvim_buf_attach_request){0}, NULL);
	if (status == 0)
		status = nvim_buf_set_lines(
		        client, call, &(struct nvim_buf_set_lines_request){.end = -1, .replacement = {lines, count}},
		        NULL);
	if (status == 0)
		status = nvim_exec_lua(client, call, &(struct nvim_exec_lua_request){.code = brine_str_from(script)},
		                       NULL);
	if (status == 0)
		status = nvim_buf_get_lines(client, call, &(struct nvim_buf_get_lines_request){.end = -1}, &result);
	for (size_t i = 0; status == 0 && i < result.items.count; i++)
		printf("%.*s\n", BRINE_ARG(result.items.items[i]));
	return status;
}

static int start(struct brine_client **ret_client, struct brine_error *error)
{
	static const char *const editor[] = {"nvim", "--embed", "--headless", "--clean", "-n", NULL};
	static const struct nvim_events_handlers events = {.buf_lines = changed};
	static const struct helper_handlers helper = {.shout = shout};
	int status = brine_client_open_command(ret_client, editor, NULL, NULL, error);
	if (status == 0)
		status = nvim_events_client_serve(*ret_client, &events, NULL, error);
	if (status == 0)
		status = helper_client_serve(*ret_client, &helper, NULL, error);
	return status;
}

int main(int argc, char **argv)
{
	enum { LINES_MAX = 16 };
	struct brine_str lines[LINES_MAX] = {BRINE_STR("hello"), BRINE_STR("world")};
	struct brine_client *client = NULL;
	struct brine_call call = BRINE_CALL_INIT;
	struct brine_error error = BRINE_ERROR_INIT;
	size_t count = argc > 1 ? 0 : 2;

	for (int i = 1; i < argc && count < LINES_MAX; i++)
		lines[count++] = brine_str_from(argv[i]);
	int status = start(&client, &error);
	if (status < 0)
		fprintf(stderr, "nvim_edit: %s\n", error.text);
	else if ((status = edit(client, &call, lines, count)) < 0)
		fprintf(stderr, "nvim_edit: %s\n", brine_call_error_text(&call));
	brine_call_done(&call);
	brine_client_free(client);
	return status < 0;
}
