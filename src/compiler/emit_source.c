#include "compiler/emit.h"

static void emit_enum_values(struct text *text, const struct schema_enum *enumeration)
{
	const char *name = enumeration->decl.c_name;
	text_printf(text, "\nstatic const struct brine_enum_value %s_values[] = {\n", name);
	for (size_t i = 0; i < enumeration->value_count; i++)
		text_printf(text, "\t{\"%s\", %s},\n", enumeration->values[i].decl.name,
		            enumeration->values[i].decl.c_name);
	text_printf(text, "};\nconst struct brine_enum %s_enum = {BRINE_ABI, \"%s\", %s_values, %zu};\n", name,
	            enumeration->decl.full_name, name, enumeration->value_count);
}

static const char *kind_constant(enum brine_kind kind)
{
	static const char *const names[] = {
	        [BRINE_KIND_BOOL] = "BOOL",       [BRINE_KIND_INT32] = "INT32",         [BRINE_KIND_INT64] = "INT64",
	        [BRINE_KIND_UINT32] = "UINT32",   [BRINE_KIND_UINT64] = "UINT64",       [BRINE_KIND_FLOAT] = "FLOAT",
	        [BRINE_KIND_DOUBLE] = "DOUBLE",   [BRINE_KIND_STRING] = "STRING",       [BRINE_KIND_BYTES] = "BYTES",
	        [BRINE_KIND_ENUM] = "ENUM",       [BRINE_KIND_TIMESTAMP] = "TIMESTAMP", [BRINE_KIND_VALUE] = "VALUE",
	        [BRINE_KIND_MESSAGE] = "MESSAGE",
	};
	return names[kind];
}

/* .offset and .aux, and .shape where it is not SINGLE. */
static void emit_place(struct text *text, const struct schema_field *field)
{
	static const char *const shapes[] = {
	        [BRINE_SHAPE_OPTIONAL] = "OPTIONAL", [BRINE_SHAPE_POINTER] = "POINTER",
	        [BRINE_SHAPE_REPEATED] = "REPEATED", [BRINE_SHAPE_MAP] = "MAP",
	        [BRINE_SHAPE_ONEOF] = "ONEOF",
	};
	const char *tag = field->message->decl.c_name, *name = field->decl.c_name;
	if (field->shape != BRINE_SHAPE_SINGLE)
		text_printf(text, ", .shape = BRINE_SHAPE_%s", shapes[field->shape]);
	switch (field->shape) {
	case BRINE_SHAPE_SINGLE:
	case BRINE_SHAPE_POINTER: text_printf(text, ",\n\t .offset = offsetof(struct %s, %s)", tag, name); break;
	case BRINE_SHAPE_OPTIONAL:
		text_printf(text, ",\n\t .offset = offsetof(struct %s, %s),\n\t .aux = offsetof(struct %s, has_%s)",
		            tag, name, tag, name);
		break;
	case BRINE_SHAPE_REPEATED:
	case BRINE_SHAPE_MAP:
		text_printf(text,
		            ",\n\t .offset = offsetof(struct %s, %s.items),\n\t .aux = offsetof(struct %s, %s.count)",
		            tag, name, tag, name);
		break;
	case BRINE_SHAPE_ONEOF:
		name = field->oneof->decl.c_name;
		text_printf(text, ",\n\t .offset = offsetof(struct %s, %s),\n\t .aux = offsetof(struct %s, which_%s)",
		            tag, name, tag, name);
		break;
	}
}

/* The options of a map's values stand at the map in the schema. */
static const struct schema_field *options_of(const struct schema_field *field)
{
	return field->message->is_entry && field->number == 2 ? field->message->entry_of : field;
}

static void emit_options(struct text *text, const struct schema_field *field)
{
	const struct schema_field *options = options_of(field);
	static const char *const names[] = {"BRINE_FIELD_EXT", "BRINE_FIELD_FINITE", "BRINE_FIELD_CLOSED",
	                                    "BRINE_FIELD_ANY_BYTES"};
	bool set[] = {options->has_ext, options->finite, options->closed, options->any_bytes};
	const char *before = ",\n\t .flags = ";
	if (field->shape != BRINE_SHAPE_MAP) {
		for (size_t i = 0; i < sizeof set / sizeof set[0]; i++) {
			if (!set[i])
				continue;
			text_printf(text, "%s%s", before, names[i]);
			before = " | ";
		}
		if (options->has_ext)
			text_printf(text, ", .ext = %d", (int)options->ext);
	}
	if (field->max)
		text_printf(text, ",\n\t .limit = %lu", (unsigned long)field->max);
}

static void emit_field(struct text *text, const struct schema_field *field)
{
	text_printf(text, "\t{.name = \"%s\", .number = %d, .kind = BRINE_KIND_%s", field->decl.name,
	            (int)field->number, kind_constant(field->kind));
	emit_place(text, field);
	emit_options(text, field);
	if (field->type)
		text_printf(text, ",\n\t .type = &%s_type", field->type->decl.c_name);
	if (field->enumeration)
		text_printf(text, ",\n\t .enumeration = &%s_enum", field->enumeration->decl.c_name);
	text_printf(text, "},\n");
}

static void emit_type(struct text *text, const struct schema_message *message)
{
	static const char *const layouts[] = {"ARRAY", "MAP", "BARE"};
	const char *name = message->decl.c_name, *full_name = message->decl.full_name;
	const char *storage = message->is_entry ? "static " : "";
	const char *layout = layouts[message->layout];
	if (message->field_count == 0) {
		text_printf(text,
		            "\n%sconst struct brine_type %s_type = {\n"
		            "\tBRINE_ABI, BRINE_LAYOUT_%s, \"%s\", sizeof(struct %s), NULL, 0};\n",
		            storage, name, layout, full_name, name);
		return;
	}
	text_printf(text, "\nstatic const struct brine_field %s_fields[] = {\n", name);
	for (size_t i = 0; i < message->field_count; i++)
		emit_field(text, message->by_number[i]);
	text_printf(text,
	            "};\n%sconst struct brine_type %s_type =\n"
	            "\tBRINE_TYPE(struct %s, \"%s\",\n\t           BRINE_LAYOUT_%s, %s_fields);\n",
	            storage, name, name, full_name, layout, name);
}

/* Entries before the messages that name them: their types are static. */
static void emit_types(struct text *text, const struct schema_file *file)
{
	for (int entries = 1; entries >= 0; entries--)
		for (size_t i = 0; i < file->message_count; i++)
			if (file->messages[i]->is_entry == entries)
				emit_type(text, file->messages[i]);
}

int emit_source(struct schema *schema, const struct schema_file *file, struct brine_buf *out)
{
	struct text text = {out, 0};
	text_printf(&text,
	            "/* Generated by protoc-gen-brine from %s: change that, not this. */\n#include \"%s.brine.h\"\n",
	            file->decl.name, file->base);
	for (size_t i = 0; i < file->enum_count; i++)
		emit_enum_values(&text, file->enums[i]);
	emit_types(&text, file);
	for (size_t i = 0; i < file->service_count; i++)
		emit_service_source(&text, &file->services[i]);
	return schema->status < 0 ? schema->status : text.status;
}
