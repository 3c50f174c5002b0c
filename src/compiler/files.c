#include "compiler/files.h"

#include "compiler/wire.h"

#include <stdlib.h>

enum {
	FILES_MAX = 4096,
	FILE_NAME = 1,
	FILE_IMPORT = 3,
};

/* By name. Files of one name stand in an order that depends on their contents, not on their places. */
static int compare_inputs(const void *left, const void *right)
{
	const struct file_input *a = left, *b = right;
	int order = strcmp(a->name, b->name);
	if (order == 0 && a->bytes.size != b->bytes.size)
		order = a->bytes.size < b->bytes.size ? -1 : 1;
	return order || a->bytes.size == 0 ? order : memcmp(a->bytes.data, b->bytes.data, a->bytes.size);
}

static void read_names(struct schema *schema, struct file_inputs *inputs, struct brine_bytes bytes, uint32_t number)
{
	struct wire_reader reader = wire_open(bytes);
	struct wire_field part;
	while (schema->status == 0 && wire_next(&reader, &part)) {
		if (part.number != number || part.type != WIRE_BYTES)
			continue;
		schema->reading = part.bytes.data;
		struct file_input *input = &inputs->by_name[inputs->count++];
		input->name = schema_text(schema, wire_find(part.bytes, FILE_NAME));
		input->bytes = part.bytes;
	}
}

static void drop_doubles(struct schema *schema, struct file_inputs *inputs)
{
	size_t kept = 0;
	const struct file_input *reported = NULL;
	for (size_t i = 0; i < inputs->count; i++) {
		struct file_input *last = kept ? &inputs->by_name[kept - 1] : NULL;
		if (!last || strcmp(last->name, inputs->by_name[i].name) != 0) {
			inputs->by_name[kept++] = inputs->by_name[i];
		} else if (last != reported && compare_inputs(last, &inputs->by_name[i]) != 0) {
			schema_fault(schema, NULL, SCHEMA_WHOLE, "file \"%s\" is there twice, with different contents",
			             schema_quote(schema, last->name));
			reported = last;
		}
	}
	inputs->count = kept;
}

struct file_input *files_find(const struct file_inputs *inputs, struct brine_bytes name)
{
	size_t low = 0, high = inputs->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2, size = strlen(inputs->by_name[middle].name);
		size_t shared = size < name.size ? size : name.size;
		int order = shared ? memcmp(inputs->by_name[middle].name, name.data, shared) : 0;
		if (order == 0 && size == name.size)
			return &inputs->by_name[middle];
		if (order < 0 || (order == 0 && size < name.size))
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static void link_imports(struct schema *schema, const struct file_inputs *inputs, struct file_input *input)
{
	size_t count = wire_count(input->bytes, FILE_IMPORT);
	input->imports = schema_alloc(schema, count, sizeof *input->imports);
	input->circle = count;
	struct wire_reader reader = wire_open(input->bytes);
	struct wire_field part;
	while (input->imports && wire_next(&reader, &part)) {
		if (part.number != FILE_IMPORT || part.type != WIRE_BYTES)
			continue;
		struct file_input *import = files_find(inputs, part.bytes);
		input->imports[input->import_count++] = import;
		if (import)
			import->is_imported = true;
		else if (!input->missing)
			input->missing = schema_copy(schema, part.bytes);
	}
}

/* Lists a file behind all that it imports. A walk without recursion, for a chain can be as long as there are files. */
static void list_file(struct file_inputs *inputs, struct file_input *input, size_t *listed)
{
	while (input) {
		input->mark = SCHEMA_MARK_OPEN;
		if (input->next == input->import_count) {
			input->mark = SCHEMA_MARK_DONE;
			inputs->ordered[(*listed)++] = input;
			input = input->walker;
			continue;
		}
		struct file_input *import = input->imports[input->next++];
		if (import && import->mark == SCHEMA_MARK_NEW) {
			import->walker = input;
			input = import;
		} else if (import && import->mark == SCHEMA_MARK_OPEN && input->circle == input->import_count) {
			input->circle = input->next - 1;
		}
	}
}

/* The second round is for circles that nobody else imports. */
static void make_order(struct schema *schema, struct file_inputs *inputs)
{
	size_t listed = 0;
	inputs->ordered = schema_alloc(schema, inputs->count, sizeof *inputs->ordered);
	for (int round = 0; inputs->ordered && round < 2; round++)
		for (size_t i = 0; i < inputs->count; i++)
			if (inputs->by_name[i].mark == SCHEMA_MARK_NEW && (round || !inputs->by_name[i].is_imported))
				list_file(inputs, &inputs->by_name[i], &listed);
}

void files_read(struct schema *schema, struct file_inputs *ret_inputs, struct brine_bytes bytes, uint32_t number)
{
	size_t count = wire_count(bytes, number);
	*ret_inputs = (struct file_inputs){.count = 0};
	if (count > FILES_MAX) {
		schema_fault(schema, NULL, SCHEMA_WHOLE, "%zu files, at most %d are allowed", count, FILES_MAX);
		return;
	}
	ret_inputs->by_name = schema_alloc(schema, count, sizeof *ret_inputs->by_name);
	if (!ret_inputs->by_name)
		return;
	read_names(schema, ret_inputs, bytes, number);
	if (schema->status < 0)
		return;
	qsort(ret_inputs->by_name, ret_inputs->count, sizeof *ret_inputs->by_name, compare_inputs);
	drop_doubles(schema, ret_inputs);
	for (size_t i = 0; i < ret_inputs->count; i++)
		link_imports(schema, ret_inputs, &ret_inputs->by_name[i]);
	if (schema->status == 0)
		make_order(schema, ret_inputs);
}
