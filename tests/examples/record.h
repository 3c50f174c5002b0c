/* record.h - writes what crosses a connection into two files, one a direction, for brine dump. */
#ifndef EXAMPLES_RECORD_H
#define EXAMPLES_RECORD_H

#include <brine/brine.h>

#include <stdio.h>

struct recorder {
	FILE *files[2]; /* by enum brine_direction */
	bool failed;
};

/* The tap: sees each message without its length, so it writes the length again. */
static void recorder_tap(void *user, int direction, int wire, struct brine_bytes message)
{
	struct recorder *recorder = user;
	struct brine_buf prefix = BRINE_BUF_INIT;
	if (wire == BRINE_WIRE_FRAMED && brine_pack_uint(&prefix, message.size) < 0)
		recorder->failed = true;
	struct brine_bytes head = brine_buf_bytes(&prefix);
	FILE *file = recorder->files[direction];
	if ((head.size && fwrite(head.data, 1, head.size, file) != head.size) ||
	    fwrite(message.data, 1, message.size, file) != message.size)
		recorder->failed = true;
	brine_buf_done(&prefix);
}

/* Opens PREFIX.c2s and PREFIX.s2c and sets the tap in *options. -1 and a message on stderr where that fails. */
static int recorder_open(struct recorder *recorder, const char *prefix, struct brine_client_options *options)
{
	static const char *const endings[2] = {[BRINE_SENT] = "c2s", [BRINE_RECEIVED] = "s2c"};
	for (int i = 0; i < 2; i++) {
		char path[4096];
		snprintf(path, sizeof path, "%s.%s", prefix, endings[i]);
		recorder->files[i] = fopen(path, "wb");
		if (!recorder->files[i]) {
			perror(path);
			return -1;
		}
	}
	options->tap = recorder_tap;
	options->tap_user = recorder;
	return 0;
}

/* -1 and a message on stderr where not everything could be written. */
static int recorder_close(struct recorder *recorder)
{
	for (int i = 0; i < 2; i++)
		if (recorder->files[i] && fclose(recorder->files[i]) != 0)
			recorder->failed = true;
	if (recorder->failed)
		fprintf(stderr, "the recording is not whole: is the disk full?\n");
	return recorder->failed ? -1 : 0;
}

#endif
