/* compiler/files.h - the files of a request or a set, each once and in an order that is theirs alone: the same files
 * that came in any other order give the same. */
#ifndef BRINE_COMPILER_FILES_H
#define BRINE_COMPILER_FILES_H

#include "compiler/schema.h"

/* A file before it is parsed. Lives in the arena of the schema. */
struct file_input {
	const char *name;
	struct brine_bytes bytes;    /* its descriptor, borrowed */
	struct file_input **imports; /* NULL: not there */
	size_t import_count;
	const char *missing;       /* the first import that is not there; NULL: all are */
	size_t circle;             /* the first import that leads back to the file; import_count: none does */
	struct schema_file *file;  /* set by the parser */
	bool is_imported;          /* by another or itself */
	enum schema_mark mark;     /* of the walk that makes the order */
	size_t next;               /* import that the walk takes next */
	struct file_input *walker; /* the file that the walk came from */
};

struct file_inputs {
	struct file_input *by_name;  /* ordered by name */
	struct file_input **ordered; /* imports first */
	size_t count;
};

/* Reads the names and imports of the files among the fields of a message. A file that comes twice with the same
 * contents is one file; with other contents it is a fault. The order is protoc's for the files that nobody imports, by
 * their names: behind all that a file imports comes the file. */
void files_read(struct schema *schema, struct file_inputs *ret_inputs, struct brine_bytes bytes, uint32_t number);

/* The file of that name, or NULL. */
struct file_input *files_find(const struct file_inputs *inputs, struct brine_bytes name);

#endif
