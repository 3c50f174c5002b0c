#include "sums.brine.h"

#include <brine/brine.h>
#include <stdio.h>

int main(void)
{
	struct brine_arena arena = BRINE_ARENA_INIT;
	struct brine_error error;
	struct brine_bytes bytes;
	const struct verbs_verb add = {.verb = BRINE_STR("add")};
	const struct sums_sum sum = {.how = &add, .a = 2, .b = 3};
	if (sums_sum_dumps(&bytes, &sum, &arena, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	const unsigned char *byte = bytes.data;
	for (size_t i = 0; i < bytes.size; i++)
		printf("%s%02x", i ? " " : "", byte[i]);
	printf("\n");
	brine_arena_done(&arena);
	return 0;
}
