/* Messages that are embedded: the struct itself stands in another, which must know its size. */
#include "compiler/schema.h"

#include <brine/codec.h>

bool schema_embeds(const struct schema_field *field)
{
	return field->kind == BRINE_KIND_MESSAGE && field->shape == BRINE_SHAPE_SINGLE && !field->message->is_entry;
}

/* In one file C wants the struct before the other; of two files the one includes the other. */
static bool stands_behind(const struct schema_message *embedded, const struct schema_message *message)
{
	return embedded->decl.file == message->decl.file && embedded->index >= message->index;
}

static void check_option(struct schema *schema, const struct schema_field *field)
{
	const char *name = schema_quote(schema, field->decl.name);
	if (!schema_embeds(field) || field->proto3_optional)
		schema_fault(
		        schema, &field->decl, SCHEMA_WHOLE,
		        "(brine.field).embed is for a message, not optional, repeated, a map or in a oneof: \"%s\" "
		        "is none",
		        name);
	else if (stands_behind(field->type, field->message))
		schema_fault(schema, &field->decl, SCHEMA_FIELD_TYPE,
		             "\"%s\" embeds message \"%s\", which must stand before this one (it is at %s)", name,
		             schema_quote(schema, field->type->decl.name),
		             schema_place(schema, &field->type->decl, SCHEMA_NAME));
}

static void measure_message(struct schema *schema, struct schema_message *message, unsigned above);

/* Adds an embedded message to the measure of the one that has the field. above: levels of structs around that one. */
static void measure_field(struct schema *schema, const struct schema_field *field, unsigned above)
{
	struct schema_message *message = field->message, *embedded = field->type;
	if (embedded->embed_mark == SCHEMA_MARK_OPEN) {
		if (!stands_behind(embedded, message))
			schema_fault(schema, &field->decl, SCHEMA_FIELD_TYPE,
			             "\"%s\" embeds message \"%s\", which embeds this one, itself or by way of others",
			             schema_quote(schema, field->decl.name), schema_quote(schema, embedded->decl.name));
		return;
	}
	if (embedded->embed_mark == SCHEMA_MARK_NEW && above + 1 < BRINE_MESSAGE_DEPTH_MAX)
		measure_message(schema, embedded, above + 1);
	if (embedded->embed_mark == SCHEMA_MARK_NEW || embedded->embed_depth >= BRINE_MESSAGE_DEPTH_MAX) {
		schema_fault(schema, &field->decl, SCHEMA_FIELD_TYPE,
		             "\"%s\" makes messages embed each other deeper than %d levels, which no message may have",
		             schema_quote(schema, field->decl.name), BRINE_MESSAGE_DEPTH_MAX);
		return;
	}
	if (message->embed_depth <= embedded->embed_depth)
		message->embed_depth = embedded->embed_depth + 1;
	message->embed_fields += embedded->embed_fields;
}

static void measure_message(struct schema *schema, struct schema_message *message, unsigned above)
{
	message->embed_mark = SCHEMA_MARK_OPEN;
	message->embed_depth = 1;
	message->embed_fields = message->field_count;
	for (size_t i = 0; i < message->field_count; i++)
		if (schema_embeds(&message->fields[i]))
			measure_field(schema, &message->fields[i], above);
	if (message->embed_fields > SCHEMA_EMBED_FIELDS_MAX) {
		schema_fault(schema, &message->decl, SCHEMA_NAME,
		             "message \"%s\" has %zu fields with those of the messages that it embeds, at most %d are "
		             "allowed",
		             schema_quote(schema, message->decl.name), message->embed_fields, SCHEMA_EMBED_FIELDS_MAX);
		message->embed_fields = message->field_count;
	}
	message->embed_mark = SCHEMA_MARK_DONE;
}

void check_embeds(struct schema *schema)
{
	for (size_t i = 0; i < schema->file_count && schema->status == 0; i++) {
		const struct schema_file *file = &schema->files[i];
		for (size_t j = 0; file->usable && j < file->message_count; j++) {
			struct schema_message *message = file->messages[j];
			for (size_t k = 0; k < message->field_count; k++)
				if (message->fields[k].embed)
					check_option(schema, &message->fields[k]);
			if (message->embed_mark == SCHEMA_MARK_NEW)
				measure_message(schema, message, 0);
		}
	}
}
