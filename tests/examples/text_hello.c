/* text_hello.c - the smallest program that prints to a peer (brine listen, say) as it would to a file.
 *
 *   text_hello ADDRESS */
#include <brine/text.h>

#include <unistd.h>

int main(int argc, char **argv)
{
	struct brine_error error = BRINE_ERROR_INIT;
	FILE *file;

	if (argc != 2 || brine_text_open(&file, argv[1], "w", NULL, &error) < 0) {
		fprintf(stderr, "text_hello: %s\n", argc == 2 ? error.text : "which address?");
		return 2;
	}
	fprintf(file, "spam\n"); /* is at the peer */
	sleep(1);
	fprintf(file, "eggs\n");
	return fclose(file) == 0 ? 0 : 1; /* its program has taken all of it; EOF: it has not */
}
