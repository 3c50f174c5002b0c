/* Runs a fuzz target without libFuzzer: over every file of the folders and files named, whole, cut at every length
 * (short ones) and with seeded changes. Fails when there was no input at all. */
#include "support.h"

#include "fuzz.h"

#include <dirent.h>

enum {
	MUTATIONS = 200,
	CUTS_MOST = 512,
	INPUT_MOST = 1 << 20,
};

static unsigned inputs;

/* Hands over a copy of exactly that size, so that the sanitizer sees a read beyond it. */
static void run_copy(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	if (!copy)
		abort();
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void run_input(uint8_t *data, size_t size)
{
	uint64_t seed = size;
	run_copy(data, size);
	for (size_t cut = 0; cut < size && size <= CUTS_MOST; cut++)
		run_copy(data, cut);
	for (unsigned i = 0; i < MUTATIONS && size; i++) {
		size_t at = random_below(&seed, size);
		uint8_t before = data[at];
		data[at] = random_below(&seed, 2) ? (uint8_t)random_next(&seed)
		                                  : before ^ (uint8_t)(1u << random_below(&seed, 8));
		run_copy(data, size);
		/* Half of the changes stay, so that they meet. */
		if (random_below(&seed, 2))
			data[at] = before;
	}
	inputs++;
}

static void run_file(const char *path)
{
	static uint8_t data[INPUT_MOST];
	FILE *file = fopen(path, "rb");
	if (!file) {
		perror(path);
		exit(1);
	}
	size_t size = fread(data, 1, sizeof data, file);
	fclose(file);
	run_input(data, size);
}

static void run_folder(const char *path, DIR *folder)
{
	for (const struct dirent *entry; (entry = readdir(folder));) {
		char file[4096];
		snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
		if (entry->d_name[0] != '.')
			run_file(file);
	}
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		DIR *folder = opendir(argv[i]);
		if (folder)
			run_folder(argv[i], folder);
		else
			run_file(argv[i]);
		if (folder)
			closedir(folder);
	}
	printf("%u inputs replayed\n", inputs);
	return inputs ? 0 : 1;
}
