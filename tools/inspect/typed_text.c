#include "inspect/fields.h"
#include "inspect/typed.h"

static void add_value(struct inspect_line *line, const struct brine_field *field, const void *at)
{
	const char *name = inspect_field_enum_name(field, at);
	if (name) {
		inspect_line_text(line, name);
	} else if (field->kind == BRINE_KIND_MESSAGE) {
		inspect_line_text(line, "{");
		inspect_typed_text(line, field->type, at);
		inspect_line_text(line, "}");
	} else {
		struct brine_buf *scratch = inspect_line_scratch(line);
		if (inspect_field_pack(scratch, field, at) < 0)
			line->status = BRINE_ERR_NOMEM;
		inspect_line_value(line, brine_buf_bytes(scratch));
	}
}

static void add_entry(struct inspect_line *line, const struct brine_type *entry, const void *at)
{
	add_value(line, &entry->fields[0], inspect_field_values(&entry->fields[0], at).data);
	inspect_line_text(line, ": ");
	add_value(line, &entry->fields[1], inspect_field_values(&entry->fields[1], at).data);
}

static void add_list(struct inspect_line *line, const struct brine_field *field, struct inspect_values values)
{
	bool is_map = field->shape == BRINE_SHAPE_MAP;
	inspect_line_text(line, is_map ? "{" : "[");
	for (size_t i = 0; i < values.count; i++) {
		inspect_line_text(line, i ? ", " : "");
		if (is_map)
			add_entry(line, field->type, values.data + i * values.stride);
		else
			add_value(line, field, values.data + i * values.stride);
	}
	inspect_line_text(line, is_map ? "}" : "]");
}

void inspect_typed_text(struct inspect_line *line, const struct brine_type *type, const void *message)
{
	const char *before = "";
	for (uint32_t i = 0; i < type->field_count; i++) {
		const struct brine_field *field = &type->fields[i];
		struct inspect_values values = inspect_field_values(field, message);
		if (values.count == 0 && !inspect_field_is_list(field))
			continue;
		inspect_line_text(line, before);
		inspect_line_text(line, field->name);
		inspect_line_text(line, "=");
		before = ", ";
		if (inspect_field_is_list(field))
			add_list(line, field, values);
		else
			add_value(line, field, values.data);
	}
}
