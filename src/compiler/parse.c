/* Descriptors to schema.h. The numbers are those of google/protobuf/descriptor.proto and compiler/plugin.proto. */
#include "compiler/files.h"
#include "compiler/names.h"
#include "compiler/options.h"
#include "compiler/schema.h"
#include "compiler/source_info.h"
#include "compiler/wire.h"

/* Looks once at all fields of a message, so that its readers need not ask for faults again. */
static void check_sound(struct schema *schema, struct brine_bytes bytes)
{
	struct wire_reader reader = wire_open(bytes);
	struct wire_field field;
	while (wire_next(&reader, &field))
		continue;
	if (reader.bad && schema->status == 0) {
		schema->status = BRINE_ERR_MALFORMED;
		schema->reading = reader.at;
	}
}

static void read_name(struct schema *schema, struct schema_decl *decl, const char *scope, struct brine_bytes name)
{
	decl->name = schema_text(schema, name);
	decl->full_name = scope[0] ? schema_printf(schema, "%s.%s", scope, decl->name) : decl->name;
	if (name.size > SCHEMA_NAME_SIZE_MAX)
		schema_fault(schema, decl, SCHEMA_NAME,
		             "the name of this %s has %zu characters, at most %d are allowed", decl->kind, name.size,
		             SCHEMA_NAME_SIZE_MAX);
	else if (!names_is_identifier(decl->name, name.size, true))
		schema_fault(schema, decl, SCHEMA_NAME, "\"%s\" is no name for a %s", schema_quote(schema, decl->name),
		             decl->kind);
}

/* Fills what every declaration has. outer: the declaration it stands in, whose descriptor lists it as element `index`
 * of its field `number`. */
static void begin_decl(struct schema *schema, struct schema_decl *decl, const char *kind,
                       const struct schema_decl *outer, int32_t number, size_t index, struct brine_bytes bytes)
{
	check_sound(schema, bytes);
	int32_t *path = schema_alloc(schema, outer->path_count + 2, sizeof path[0]);
	if (!path)
		return;
	for (unsigned i = 0; i < outer->path_count; i++)
		path[i] = outer->path[i];
	path[outer->path_count] = number;
	path[outer->path_count + 1] = (int32_t)index;
	decl->file = outer->file;
	decl->kind = kind;
	decl->path = path;
	decl->path_count = outer->path_count + 2;
	read_name(schema, decl, outer->full_name, wire_find(bytes, 1));
}

static void parse_field(struct schema *schema, struct schema_message *message, struct schema_field *field, size_t index,
                        struct brine_bytes bytes)
{
	field->message = message;
	field->oneof_index = -1;
	begin_decl(schema, &field->decl, "field", &message->decl, 2, index, bytes);
	struct wire_reader reader = wire_open(bytes);
	struct wire_field part;
	while (schema->status == 0 && wire_next(&reader, &part)) {
		bool is_bytes = part.type == WIRE_BYTES;
		switch (part.number) {
		case 3: field->number = (int64_t)part.value; break;
		case 4: field->proto_label = part.value; break;
		case 5: field->proto_type = part.value; break;
		case 6: field->type_name = is_bytes ? schema_text(schema, part.bytes) : NULL; break;
		case 7: field->has_default = true; break;
		case 8:
			if (is_bytes)
				options_field(schema, field, part.bytes);
			break;
		case 9: field->oneof_index = (int32_t)(uint32_t)part.value; break;
		case 17: field->proto3_optional = part.value != 0; break;
		default: break;
		}
	}
}

static void parse_oneof(struct schema *schema, struct schema_message *message, struct schema_oneof *oneof, size_t index,
                        struct brine_bytes bytes)
{
	begin_decl(schema, &oneof->decl, "oneof", &message->decl, 8, index, bytes);
	options_oneof(schema, oneof, wire_find(bytes, 2));
}

static void parse_enum_value(struct schema *schema, struct schema_enum *enumeration, struct schema_enum_value *value,
                             size_t index, struct brine_bytes bytes)
{
	begin_decl(schema, &value->decl, "enum value", &enumeration->decl, 2, index, bytes);
	struct wire_reader reader = wire_open(bytes);
	struct wire_field part;
	while (schema->status == 0 && wire_next(&reader, &part)) {
		if (part.number == 2)
			value->number = (int32_t)(uint32_t)part.value;
		else if (part.number == 3 && part.type == WIRE_BYTES)
			options_enum_value(schema, value, part.bytes);
	}
}

/* Adds a pointer to a list that grows in the arena. */
static void append_item(struct schema *schema, void *list, size_t *count, size_t *room, void *item)
{
	void **items;
	memcpy(&items, list, sizeof items);
	if (*count == *room) {
		size_t more = *room ? *room * 2 : 8;
		void **grown = schema_alloc(schema, more, sizeof *grown);
		if (!grown)
			return;
		if (*count)
			memcpy(grown, items, *count * sizeof *items);
		items = grown;
		*room = more;
		memcpy(list, &items, sizeof items);
	}
	items[(*count)++] = item;
}

/* Room for the fields of one number, reporting too many of them. */
static void *make_parts(struct schema *schema, const struct schema_decl *decl, const char *what, size_t count,
                        size_t size)
{
	if (count <= SCHEMA_FIELDS_MAX)
		return schema_alloc(schema, count, size);
	schema_fault(schema, decl, SCHEMA_NAME, "%s \"%s\" has %zu %s, at most %d are allowed", decl->kind,
	             schema_quote(schema, decl->name), count, what, SCHEMA_FIELDS_MAX);
	return NULL;
}

static void parse_enum(struct schema *schema, const struct schema_decl *outer, struct schema_message *message,
                       int32_t number, size_t index, struct brine_bytes bytes)
{
	struct schema_enum *enumeration = schema_alloc(schema, 1, sizeof *enumeration);
	if (!enumeration)
		return;
	enumeration->outer = message;
	begin_decl(schema, &enumeration->decl, "enum", outer, number, index, bytes);
	options_enum(schema, enumeration, wire_find(bytes, 3));
	enumeration->values =
	        make_parts(schema, &enumeration->decl, "values", wire_count(bytes, 2), sizeof enumeration->values[0]);
	struct wire_reader reader = wire_open(bytes);
	struct wire_field part;
	while (enumeration->values && schema->status == 0 && wire_next(&reader, &part)) {
		if (part.number == 2 && part.type == WIRE_BYTES) {
			size_t at = enumeration->value_count++;
			parse_enum_value(schema, enumeration, &enumeration->values[at], at, part.bytes);
		}
	}
	struct schema_file *file = outer->file;
	append_item(schema, &file->enums, &file->enum_count, &file->enum_room, enumeration);
}

/* One range of reserved numbers; for messages the end is exclusive. */
static void check_reserved(struct schema *schema, const struct schema_decl *decl, struct brine_bytes bytes)
{
	int32_t bounds[2] = {0, 0};
	struct wire_reader reader = wire_open(bytes);
	struct wire_field part;
	while (wire_next(&reader, &part))
		if (part.number == 1 || part.number == 2)
			bounds[part.number - 1] = (int32_t)(uint32_t)part.value;
	if (bounds[0] < 1 || bounds[0] >= bounds[1])
		schema_fault(schema, decl, SCHEMA_WHOLE,
		             "reserved range %d to %lld of message \"%s\" is empty or reversed", bounds[0],
		             (long long)bounds[1] - 1, schema_quote(schema, decl->name));
}

static void parse_message(struct schema *schema, const struct schema_decl *outer, struct schema_message *in,
                          int32_t number, size_t index, struct brine_bytes bytes);

/* What a message holds, in the order of its descriptor. */
static void parse_parts(struct schema *schema, struct schema_message *message, struct brine_bytes bytes)
{
	size_t nested = 0, enums = 0;
	struct wire_reader reader = wire_open(bytes);
	struct wire_field part;
	while (schema->status == 0 && wire_next(&reader, &part)) {
		if (part.type != WIRE_BYTES)
			continue;
		size_t at;
		switch (part.number) {
		case 2:
			at = message->field_count++;
			parse_field(schema, message, &message->fields[at], at, part.bytes);
			break;
		case 3: parse_message(schema, &message->decl, message, 3, nested++, part.bytes); break;
		case 4: parse_enum(schema, &message->decl, message, 4, enums++, part.bytes); break;
		case 8:
			at = message->oneof_count++;
			parse_oneof(schema, message, &message->oneofs[at], at, part.bytes);
			break;
		case 9: check_reserved(schema, &message->decl, part.bytes); break;
		default: break;
		}
	}
}

/* in: the message it is nested in, NULL at the top. */
static void parse_message(struct schema *schema, const struct schema_decl *outer, struct schema_message *in,
                          int32_t number, size_t index, struct brine_bytes bytes)
{
	struct schema_message *message = schema_alloc(schema, 1, sizeof *message);
	if (!message)
		return;
	message->outer = in;
	begin_decl(schema, &message->decl, "message", outer, number, index, bytes);
	if (message->decl.path_count / 2 > SCHEMA_DEPTH_MAX) {
		schema_fault(schema, &message->decl, SCHEMA_NAME, "messages nest deeper than %d", SCHEMA_DEPTH_MAX);
		return;
	}
	options_message(schema, message, wire_find(bytes, 7));
	message->fields = make_parts(schema, &message->decl, "fields", wire_count(bytes, 2), sizeof message->fields[0]);
	message->oneofs = make_parts(schema, &message->decl, "oneofs", wire_count(bytes, 8), sizeof message->oneofs[0]);
	if (!message->fields || !message->oneofs)
		return;
	struct schema_file *file = outer->file;
	message->index = file->message_count;
	append_item(schema, &file->messages, &file->message_count, &file->message_room, message);
	parse_parts(schema, message, bytes);
}

static void parse_method(struct schema *schema, struct schema_service *service, struct schema_method *method,
                         size_t index, struct brine_bytes bytes)
{
	method->service = service;
	begin_decl(schema, &method->decl, "method", &service->decl, 2, index, bytes);
	struct wire_reader reader = wire_open(bytes);
	struct wire_field part;
	while (schema->status == 0 && wire_next(&reader, &part)) {
		bool is_bytes = part.type == WIRE_BYTES;
		if (part.number == 2 && is_bytes)
			method->input_name = schema_text(schema, part.bytes);
		else if (part.number == 3 && is_bytes)
			method->output_name = schema_text(schema, part.bytes);
		else if (part.number == 4 && is_bytes)
			options_method(schema, method, part.bytes);
		else if (part.number == 5 && part.value)
			method->flags |= BRINE_METHOD_UPLOAD;
		else if (part.number == 6 && part.value)
			method->flags |= BRINE_METHOD_DOWNLOAD;
	}
	if (method->blocking)
		method->flags |= BRINE_METHOD_BLOCKING;
	if (method->idempotency)
		method->flags |= BRINE_METHOD_IDEMPOTENT;
	if (!method->wire_name)
		method->wire_name = schema_printf(schema, "%s/%s", service->decl.full_name, method->decl.name);
}

static void parse_service(struct schema *schema, const struct schema_decl *outer, struct schema_service *service,
                          size_t index, struct brine_bytes bytes)
{
	begin_decl(schema, &service->decl, "service", outer, 6, index, bytes);
	options_service(schema, service, wire_find(bytes, 3));
	service->methods =
	        make_parts(schema, &service->decl, "methods", wire_count(bytes, 2), sizeof service->methods[0]);
	struct wire_reader reader = wire_open(bytes);
	struct wire_field part;
	while (service->methods && schema->status == 0 && wire_next(&reader, &part)) {
		if (part.number == 2 && part.type == WIRE_BYTES) {
			size_t at = service->method_count++;
			parse_method(schema, service, &service->methods[at], at, part.bytes);
		}
	}
}

/* What the other passes need first: names, syntax, places. */
static void parse_file_head(struct schema *schema, struct schema_file *file, const struct file_input *input)
{
	struct brine_bytes bytes = input->bytes;
	check_sound(schema, bytes);
	file->decl = (struct schema_decl){.file = file, .kind = "file", .name = input->name};
	file->decl.full_name = schema_text(schema, wire_find(bytes, 2));
	file->syntax = schema_text(schema, wire_find(bytes, 12));
	if (schema->status == 0)
		schema->status = source_parse(&file->info, &schema->arena, wire_find(bytes, 9));
	file->usable = strcmp(file->syntax, "proto3") == 0;
	file->missing = input->missing;
	if (file->missing && !schema->incomplete)
		schema->incomplete = file;
}

/* Files that import each other in a circle have no order. */
static void check_circle(struct schema *schema, struct schema_file *file, const struct file_input *input)
{
	if (input->circle == input->import_count)
		return;
	const int32_t path[] = {3, (int32_t)input->circle};
	struct schema_decl import = {.file = file, .kind = "import", .path = path, .path_count = 2};
	schema_fault(schema, &import, SCHEMA_WHOLE,
	             "\"%s\" cannot be imported here, for it imports this file, itself or by way of others",
	             schema_quote(schema, input->imports[input->circle]->name));
}

static void parse_file(struct schema *schema, struct schema_file *file, const struct file_input *input)
{
	size_t messages = 0, enums = 0;
	schema->reading = input->bytes.data;
	parse_file_head(schema, file, input);
	check_circle(schema, file, input);
	options_file(schema, file, wire_find(input->bytes, 8));
	file->services = schema_alloc(schema, wire_count(input->bytes, 6), sizeof file->services[0]);
	struct wire_reader reader = wire_open(input->bytes);
	struct wire_field part;
	while (schema->status == 0 && wire_next(&reader, &part)) {
		if (part.type != WIRE_BYTES)
			continue;
		size_t at;
		switch (part.number) {
		case 4: parse_message(schema, &file->decl, NULL, 4, messages++, part.bytes); break;
		case 5: parse_enum(schema, &file->decl, NULL, 5, enums++, part.bytes); break;
		case 6:
			at = file->service_count++;
			parse_service(schema, &file->decl, &file->services[at], at, part.bytes);
			break;
		default: break;
		}
	}
}

/* The files among the fields of a message, in the order of files_read(). */
static void parse_files(struct schema *schema, struct file_inputs *ret_inputs, struct brine_bytes bytes,
                        uint32_t number)
{
	check_sound(schema, bytes);
	files_read(schema, ret_inputs, bytes, number);
	schema->files = schema_alloc(schema, ret_inputs->count, sizeof schema->files[0]);
	for (size_t i = 0; schema->status == 0 && i < ret_inputs->count; i++) {
		struct file_input *input = ret_inputs->ordered[i];
		input->file = &schema->files[schema->file_count++];
		parse_file(schema, input->file, input);
	}
}

static void mark_generated(struct schema *schema, const struct file_inputs *inputs, struct brine_bytes name)
{
	struct file_input *input = files_find(inputs, name);
	if (input)
		input->file->generate = true;
	else
		schema_fault(schema, NULL, SCHEMA_WHOLE, "file \"%s\" is to be generated and is not there",
		             schema_quote(schema, schema_copy(schema, name)));
}

void parse_request(struct schema *schema, struct brine_bytes request)
{
	struct file_inputs inputs;
	parse_files(schema, &inputs, request, 15);
	struct wire_reader reader = wire_open(request);
	struct wire_field part;
	while (schema->status == 0 && wire_next(&reader, &part)) {
		if (part.number == 1 && part.type == WIRE_BYTES)
			mark_generated(schema, &inputs, part.bytes);
		else if (part.number == 2 && part.type == WIRE_BYTES && part.bytes.size)
			schema_fault(schema, NULL, SCHEMA_WHOLE, "the parameter \"%s\" is unknown: there are none",
			             schema_quote(schema, schema_text(schema, part.bytes)));
	}
}

void parse_set(struct schema *schema, struct brine_bytes set)
{
	struct file_inputs inputs;
	parse_files(schema, &inputs, set, 1);
}
