#include "inspect/schema.h"

#include "base/alloc.h"
#include "codec/desc.h"
#include "compiler/schema.h"

#include <assert.h>
#include <stdlib.h>

enum {
	UNION_SIZE = 16, /* room for any member of a oneof: a view, a time, a pointer */
	UNION_ALIGNMENT = 8,
};

/* The table made of a message or an enum of the model. */
struct made {
	const void *from; /* struct schema_message or schema_enum */
	void *table;      /* struct brine_type or brine_enum */
};

/* What came out of one descriptor set. */
struct set {
	struct set *next;
	char name[128];      /* of the set, escaped */
	struct schema model; /* names in the tables live here */
	struct brine_arena tables;
	struct made *made; /* ordered by address of from */
	size_t made_count;
	struct inspect_method *methods; /* ordered by wire name */
	size_t method_count;
	const struct brine_type **types;
	size_t type_count;
};

struct inspect_schema {
	const struct brine_allocator *allocator;
	struct set *sets, **last;
};

struct inspect_schema *inspect_schema_new(const struct brine_allocator *allocator)
{
	struct inspect_schema *schema = brine_alloc_zero(allocator, sizeof *schema);
	if (!schema)
		return NULL;
	schema->allocator = allocator;
	schema->last = &schema->sets;
	return schema;
}

static void set_free(struct set *set, const struct brine_allocator *allocator)
{
	brine_arena_done(&set->tables);
	schema_done(&set->model);
	brine_release(allocator, set, sizeof *set);
}

void inspect_schema_free(struct inspect_schema *schema)
{
	if (!schema)
		return;
	while (schema->sets) {
		struct set *set = schema->sets;
		schema->sets = set->next;
		set_free(set, schema->allocator);
	}
	brine_release(schema->allocator, schema, sizeof *schema);
}

static int compare_made(const void *left, const void *right)
{
	uintptr_t a = (uintptr_t)((const struct made *)left)->from, b = (uintptr_t)((const struct made *)right)->from;
	return (a > b) - (a < b);
}

/* The table of a message or enum; NULL for NULL. */
static void *table_of(const struct set *set, const void *from)
{
	struct made key = {from, NULL};
	const struct made *made = from ? bsearch(&key, set->made, set->made_count, sizeof key, compare_made) : NULL;
	return made ? made->table : NULL;
}

static void *table_alloc(struct set *set, size_t count, size_t size)
{
	size_t total;
	void *memory = brine_mul(count, size, &total) ? brine_arena_alloc(&set->tables, total) : NULL;
	if (!memory)
		set->model.status = BRINE_ERR_NOMEM;
	return memory;
}

/* Allocates a table for every message and enum, so that they can point to each other. */
static void make_tables(struct set *set)
{
	size_t count = 0;
	for (size_t i = 0; i < set->model.file_count; i++)
		count += set->model.files[i].message_count + set->model.files[i].enum_count;
	set->made = table_alloc(set, count, sizeof *set->made);
	for (size_t i = 0; i < set->model.file_count && set->model.status == 0; i++) {
		const struct schema_file *file = &set->model.files[i];
		for (size_t j = 0; j < file->message_count; j++)
			set->made[set->made_count++] =
			        (struct made){file->messages[j], table_alloc(set, 1, sizeof(struct brine_type))};
		for (size_t j = 0; j < file->enum_count; j++)
			set->made[set->made_count++] =
			        (struct made){file->enums[j], table_alloc(set, 1, sizeof(struct brine_enum))};
	}
	if (set->model.status == 0)
		qsort(set->made, set->made_count, sizeof *set->made, compare_made);
}

static void fill_enum(struct set *set, const struct schema_enum *from)
{
	struct brine_enum *table = table_of(set, from);
	struct brine_enum_value *values = table_alloc(set, from->value_count, sizeof *values);
	for (size_t i = 0; values && i < from->value_count; i++)
		values[i] = (struct brine_enum_value){from->values[i].decl.name, from->values[i].number};
	*table = (struct brine_enum){BRINE_ABI, from->decl.full_name, values, (uint32_t)from->value_count};
}

/* A struct being laid out. */
struct layout {
	size_t size, alignment;
};

static uint32_t place(struct layout *layout, size_t size, size_t alignment)
{
	size_t offset = (layout->size + alignment - 1) / alignment * alignment;
	layout->size = offset + size;
	if (layout->alignment < alignment)
		layout->alignment = alignment;
	return (uint32_t)offset;
}

/* Bytes and alignment of one value that stands in the struct itself. */
static uint32_t place_value(struct layout *layout, const struct brine_field *field)
{
	const struct brine_kind_info *info = brine_kind_info(field->kind);
	assert(field->kind != BRINE_KIND_MESSAGE || field->type->size > 0);
	if (field->kind == BRINE_KIND_MESSAGE)
		return place(layout, field->type->size, UNION_ALIGNMENT);
	return place(layout, info->size, info->alignment);
}

/* Where in the union's place a oneof keeps which member is set. */
static void place_oneof(struct layout *layout, struct brine_field *field, uint32_t *oneof)
{
	if (*oneof == 0)
		*oneof = place(layout, UNION_SIZE + UNION_ALIGNMENT, UNION_ALIGNMENT) + 1; /* 0 is "not yet" */
	field->offset = *oneof - 1;
	field->aux = field->offset + UNION_SIZE;
}

static void place_field(struct layout *layout, struct brine_field *field, uint32_t *oneof)
{
	switch (field->shape) {
	case BRINE_SHAPE_OPTIONAL:
		field->offset = place_value(layout, field);
		field->aux = place(layout, sizeof(bool), _Alignof(bool));
		return;
	case BRINE_SHAPE_POINTER: field->offset = place(layout, sizeof(void *), _Alignof(void *)); return;
	case BRINE_SHAPE_REPEATED:
	case BRINE_SHAPE_MAP:
		field->offset = place(layout, sizeof(void *), _Alignof(void *));
		field->aux = place(layout, sizeof(size_t), _Alignof(size_t));
		return;
	case BRINE_SHAPE_ONEOF: place_oneof(layout, field, oneof); return;
	default: field->offset = place_value(layout, field);
	}
}

static struct brine_field make_field(const struct set *set, const struct schema_field *from)
{
	/* The options of a map's values stand at the map in the schema. */
	const struct schema_field *options =
	        from->message->is_entry && from->number == 2 ? from->message->entry_of : from;
	struct brine_field field = {
	        .name = from->decl.name,
	        .number = (uint32_t)from->number,
	        .kind = (uint8_t)from->kind,
	        .shape = (uint8_t)from->shape,
	        .limit = (uint32_t)from->max,
	        .type = table_of(set, from->type),
	        .enumeration = table_of(set, from->enumeration),
	};
	if (from->shape == BRINE_SHAPE_MAP)
		return field;
	field.flags = (uint8_t)((options->has_ext ? BRINE_FIELD_EXT : 0) | (options->finite ? BRINE_FIELD_FINITE : 0) |
	                        (options->closed ? BRINE_FIELD_CLOSED : 0) |
	                        (options->any_bytes ? BRINE_FIELD_ANY_BYTES : 0));
	field.ext = options->has_ext ? (int8_t)options->ext : 0;
	return field;
}

static void fill_type(struct set *set, const struct schema_message *from);

/* The struct of a field in place needs a size before the one around it. check_embeds() has seen to it that there is an
 * end; an entry, which nothing holds in place, comes on top. */
static void fill_held_types(struct set *set, const struct schema_message *from)
{
	for (size_t i = 0; i < from->field_count && set->model.status == 0; i++) {
		const struct schema_field *field = &from->fields[i];
		if (field->kind == BRINE_KIND_MESSAGE && field->shape == BRINE_SHAPE_SINGLE)
			fill_type(set, field->type);
	}
}

/* Lays out a message, unless that was done on behalf of one that holds it. */
static void fill_type(struct set *set, const struct schema_message *from)
{
	struct brine_type *table = table_of(set, from);
	if (table->size > 0)
		return;
	fill_held_types(set, from);
	struct brine_field *fields = table_alloc(set, from->field_count, sizeof *fields);
	uint32_t *oneofs = table_alloc(set, from->oneof_count, sizeof *oneofs);
	struct layout layout = {0, 1};
	for (size_t i = 0; i < from->field_count && set->model.status == 0; i++) {
		const struct schema_field *field = from->by_number[i];
		fields[i] = make_field(set, field);
		place_field(&layout, &fields[i], field->oneof ? &oneofs[field->oneof - from->oneofs] : NULL);
	}
	place(&layout, layout.size ? 0 : 1, layout.alignment);
	*table = (struct brine_type){BRINE_ABI, (uint32_t)from->layout,     from->decl.full_name, layout.size,
	                             fields,    (uint32_t)from->field_count};
}

static void fill_tables(struct set *set)
{
	for (size_t i = 0; i < set->model.file_count; i++) {
		const struct schema_file *file = &set->model.files[i];
		for (size_t j = 0; file->usable && j < file->enum_count && set->model.status == 0; j++)
			fill_enum(set, file->enums[j]);
		for (size_t j = 0; file->usable && j < file->message_count && set->model.status == 0; j++)
			fill_type(set, file->messages[j]);
	}
}

/* Of one wire name: as the files are ordered and the methods declared. */
static int compare_method_names(const void *left, const void *right)
{
	const struct inspect_method *a = left, *b = right;
	int order = strcmp(a->method->name, b->method->name);
	return order ? order : a->method < b->method ? -1 : a->method > b->method;
}

static void make_methods(struct set *set)
{
	size_t count = 0;
	for (size_t i = 0; i < set->model.file_count; i++)
		for (size_t j = 0; j < set->model.files[i].service_count; j++)
			count += set->model.files[i].services[j].method_count;
	struct brine_method *tables = table_alloc(set, count, sizeof *tables);
	set->methods = table_alloc(set, count, sizeof *set->methods);
	for (size_t i = 0; i < set->model.file_count && set->model.status == 0; i++) {
		const struct schema_file *file = &set->model.files[i];
		for (size_t j = 0; file->usable && j < file->service_count; j++) {
			for (size_t k = 0; k < file->services[j].method_count; k++) {
				const struct schema_method *from = &file->services[j].methods[k];
				struct brine_method *method = &tables[set->method_count];
				*method = (struct brine_method){from->wire_name, table_of(set, from->input),
				                                table_of(set, from->output), from->flags, NULL};
				set->methods[set->method_count++] = (struct inspect_method){
				        method, file->services[j].decl.full_name, from->decl.name};
			}
		}
	}
	if (set->model.status == 0)
		qsort(set->methods, set->method_count, sizeof *set->methods, compare_method_names);
}

static void list_types(struct set *set)
{
	set->types = table_alloc(set, set->made_count, sizeof *set->types);
	for (size_t i = 0; i < set->model.file_count && set->model.status == 0; i++) {
		const struct schema_file *file = &set->model.files[i];
		for (size_t j = 0; file->usable && j < file->message_count; j++) {
			if (!file->messages[j]->is_entry)
				set->types[set->type_count++] = table_of(set, file->messages[j]);
		}
	}
}

static int report_fault(const struct set *set, int status, struct brine_bytes descriptor_set, struct brine_error *error)
{
	const struct schema *model = &set->model;
	if (status == BRINE_ERR_NOMEM)
		return brine_fail(error, status, 0, "%s: out of memory, or larger than any real schema", model->name);
	if (status < 0) {
		const char *from = descriptor_set.data, *at = model->reading;
		uint64_t offset = from ? (uint64_t)(at - from) : 0;
		return brine_fail(error, BRINE_ERR_SCHEMA, offset,
		                  "%s is no descriptor set (fault at byte %llu or behind): protoc --include_imports "
		                  "--descriptor_set_out makes one",
		                  model->name, (unsigned long long)offset);
	}
	struct brine_bytes lines = brine_buf_bytes(&model->errors);
	const char *end = memchr(lines.data, '\n', lines.size);
	int size = (int)(end ? (size_t)(end - (const char *)lines.data) : lines.size);
	return brine_fail(error, BRINE_ERR_SCHEMA, 0, "%.*s", size, (const char *)lines.data);
}

static int fill_set(struct set *set, struct brine_bytes descriptor_set)
{
	struct schema *model = &set->model;
	parse_set(model, descriptor_set);
	if (model->status == 0)
		resolve_types(model);
	if (model->status == 0)
		check_rules(model);
	if (model->status < 0 || model->error_count)
		return model->status;
	make_tables(set);
	if (model->status == 0)
		fill_tables(set);
	if (model->status == 0)
		make_methods(set);
	if (model->status == 0)
		list_types(set);
	return model->status;
}

int inspect_schema_add(struct inspect_schema *schema, struct brine_bytes descriptor_set, const char *name,
                       struct brine_error *error)
{
	struct set *set = brine_alloc_zero(schema->allocator, sizeof *set);
	if (!set)
		return brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory");
	brine_escape(set->name, sizeof set->name, name, strlen(name));
	schema_init(&set->model, set->name, descriptor_set.size, schema->allocator);
	brine_arena_init(&set->tables, schema->allocator, set->model.arena.budget);
	int status = fill_set(set, descriptor_set);
	if (status < 0 || set->model.error_count) {
		status = report_fault(set, status, descriptor_set, error);
		set_free(set, schema->allocator);
		return status;
	}
	*schema->last = set;
	schema->last = &set->next;
	return 0;
}

/* Orders a name of the wire, which may hold anything, against a name of a schema. */
static int compare_name(struct brine_bytes name, const char *other)
{
	size_t size = strlen(other);
	int order = memcmp(name.data, other, name.size < size ? name.size : size);
	return order ? order : (name.size > size) - (name.size < size);
}

const struct brine_method *inspect_schema_method(const struct inspect_schema *schema, struct brine_bytes name)
{
	for (const struct set *set = schema ? schema->sets : NULL; set; set = set->next) {
		size_t low = 0, high = set->method_count;
		while (low < high) {
			size_t middle = low + (high - low) / 2;
			if (compare_name(name, set->methods[middle].method->name) > 0)
				low = middle + 1;
			else
				high = middle;
		}
		const struct brine_method *method = low < set->method_count ? set->methods[low].method : NULL;
		if (method && compare_name(name, method->name) == 0)
			return method;
	}
	return NULL;
}

const struct inspect_method *inspect_schema_method_at(const struct inspect_schema *schema, size_t index)
{
	for (const struct set *set = schema->sets; set; set = set->next) {
		if (index < set->method_count)
			return &set->methods[index];
		index -= set->method_count;
	}
	return NULL;
}

const struct brine_type *inspect_schema_type_at(const struct inspect_schema *schema, size_t index)
{
	for (const struct set *set = schema->sets; set; set = set->next) {
		if (index < set->type_count)
			return set->types[index];
		index -= set->type_count;
	}
	return NULL;
}
