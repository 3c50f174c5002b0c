/* record.h - writes what crosses a connection into two files, one a direction, for brine dump. A message that cannot be
 * written, as on a full disk, is left out and counted; the files stay whole, and the calls go on. */
#ifndef EXAMPLES_RECORD_H
#define EXAMPLES_RECORD_H

#include <brine/brine.h>

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

struct recorder {
	bool opened;
	int files[2];  /* by enum brine_direction */
	off_t ends[2]; /* behind the last whole message */
	uint64_t dropped;
};

static bool recorder_write(int file, struct brine_bytes bytes)
{
	const char *at = bytes.data;
	for (size_t left = bytes.size; left > 0;) {
		ssize_t written = write(file, at, left);
		if (written <= 0)
			return false;
		at += written;
		left -= (size_t)written;
	}
	return true;
}

/* The tap: sees each message without its length, so it writes the length again. */
static void recorder_tap(void *user, int direction, int wire, struct brine_bytes message)
{
	struct recorder *recorder = user;
	int file = recorder->files[direction];
	struct brine_buf bytes = BRINE_BUF_INIT;
	bool made = (wire != BRINE_WIRE_FRAMED || brine_pack_uint(&bytes, message.size) == 0) &&
	            brine_buf_append(&bytes, message.data, message.size) == 0;
	if (made && recorder_write(file, brine_buf_bytes(&bytes))) {
		recorder->ends[direction] += (off_t)brine_buf_size(&bytes);
	} else {
		/* A part of a message would make nonsense of all that follows. */
		recorder->dropped++;
		if (ftruncate(file, recorder->ends[direction]) == 0)
			lseek(file, recorder->ends[direction], SEEK_SET);
	}
	brine_buf_done(&bytes);
}

/* Opens PREFIX.c2s and PREFIX.s2c and sets the tap in *options. -1 and a message on stderr where that fails. */
static int recorder_open(struct recorder *recorder, const char *prefix, struct brine_client_options *options)
{
	static const char *const endings[2] = {[BRINE_SENT] = "c2s", [BRINE_RECEIVED] = "s2c"};
	*recorder = (struct recorder){.opened = true, .files = {-1, -1}};
	for (int i = 0; i < 2; i++) {
		char path[4096];
		snprintf(path, sizeof path, "%s.%s", prefix, endings[i]);
		recorder->files[i] = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		if (recorder->files[i] < 0) {
			perror(path);
			return -1;
		}
	}
	options->tap = recorder_tap;
	options->tap_user = recorder;
	return 0;
}

/* -1 and a message on stderr where not everything was written. */
static int recorder_close(struct recorder *recorder)
{
	bool failed = recorder->dropped > 0;
	for (int i = 0; i < 2 && recorder->opened; i++)
		failed |= recorder->files[i] >= 0 && close(recorder->files[i]) != 0;
	recorder->opened = false;
	if (failed)
		fprintf(stderr, "%" PRIu64 " messages are missing in the recording: is the disk full?\n",
		        recorder->dropped);
	return failed ? -1 : 0;
}

#endif
