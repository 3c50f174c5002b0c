#include "inspect/describe.h"

#include <inttypes.h>
#include <stdio.h>

static void add_escaped(struct inspect_line *line, const char *text)
{
	char shown[1024];
	inspect_line_text(line, brine_escape(shown, sizeof shown, text, strlen(text)));
}

void inspect_describe_method(struct inspect_line *line, const struct inspect_method *method)
{
	const struct brine_method *on_wire = method->method;
	char declared[512];
	snprintf(declared, sizeof declared, "%s/%s", method->service, method->name);
	add_escaped(line, declared);
	inspect_line_text(line, on_wire->flags & BRINE_METHOD_UPLOAD ? "(stream " : "(");
	inspect_line_text(line, on_wire->request->name);
	inspect_line_text(line, on_wire->flags & BRINE_METHOD_DOWNLOAD ? ") returns (stream " : ") returns (");
	inspect_line_text(line, on_wire->response->name);
	inspect_line_text(line, ")");
	if (strcmp(declared, on_wire->name) != 0) {
		inspect_line_text(line, "  // on the wire: ");
		add_escaped(line, on_wire->name);
	}
	inspect_line_text(line, "\n");
}

static const char *field_kind_name(const struct brine_field *field)
{
	switch (field->kind) {
	case BRINE_KIND_BOOL: return "bool";
	case BRINE_KIND_INT32: return "int32";
	case BRINE_KIND_INT64: return "int64";
	case BRINE_KIND_UINT32: return "uint32";
	case BRINE_KIND_UINT64: return "uint64";
	case BRINE_KIND_FLOAT: return "float";
	case BRINE_KIND_DOUBLE: return "double";
	case BRINE_KIND_STRING: return "string";
	case BRINE_KIND_BYTES: return "bytes";
	case BRINE_KIND_ENUM: return field->enumeration ? field->enumeration->name : "int32";
	case BRINE_KIND_TIMESTAMP: return "google.protobuf.Timestamp";
	case BRINE_KIND_VALUE: return "brine.Value";
	case BRINE_KIND_MESSAGE: return field->type->name;
	default: return "?"; /* of tables by hand only */
	}
}

/* "  // RED, GREEN" */
static void add_names(struct inspect_line *line, const struct brine_enum *enumeration)
{
	for (uint32_t i = 0; enumeration && i < enumeration->value_count; i++) {
		inspect_line_text(line, i ? ", " : "  // ");
		inspect_line_text(line, enumeration->values[i].name);
	}
}

static void add_field(struct inspect_line *line, const struct brine_field *field, const char *indent)
{
	const struct brine_field *value = field->shape == BRINE_SHAPE_MAP ? &field->type->fields[1] : field;
	bool is_optional = field->shape == BRINE_SHAPE_OPTIONAL && field->kind != BRINE_KIND_TIMESTAMP;
	inspect_line_text(line, indent);
	if (field->shape == BRINE_SHAPE_MAP) {
		inspect_line_text(line, "map<");
		inspect_line_text(line, field_kind_name(&field->type->fields[0]));
		inspect_line_text(line, ", ");
		inspect_line_text(line, field_kind_name(value));
		inspect_line_text(line, ">");
	} else {
		inspect_line_text(line, field->shape == BRINE_SHAPE_REPEATED ? "repeated "
		                        : is_optional                        ? "optional "
		                                                             : "");
		inspect_line_text(line, field_kind_name(field));
	}
	inspect_line_text(line, " ");
	inspect_line_text(line, field->name);
	inspect_line_printf(line, " = %" PRIu32 ";", field->number);
	add_names(line, value->enumeration);
	inspect_line_text(line, "\n");
}

/* The members of the oneof that the field begins. */
static void add_oneof(struct inspect_line *line, const struct brine_type *type, const struct brine_field *first)
{
	inspect_line_text(line, "  oneof {\n");
	for (uint32_t i = 0; i < type->field_count; i++) {
		const struct brine_field *field = &type->fields[i];
		if (field->shape == BRINE_SHAPE_ONEOF && field->aux == first->aux)
			add_field(line, field, "    ");
	}
	inspect_line_text(line, "  }\n");
}

static bool begins_oneof(const struct brine_type *type, const struct brine_field *field)
{
	const struct brine_field *at = type->fields;
	while (at->shape != BRINE_SHAPE_ONEOF || at->aux != field->aux)
		at++;
	return at == field;
}

void inspect_describe_type(struct inspect_line *line, const struct brine_type *type)
{
	static const char *const layouts[] = {[BRINE_LAYOUT_ARRAY] = "",
	                                      [BRINE_LAYOUT_MAP] = "  // as a map",
	                                      [BRINE_LAYOUT_BARE] = "  // as the bare value"};
	inspect_line_text(line, "message ");
	inspect_line_text(line, type->name);
	inspect_line_text(line, " {");
	inspect_line_text(line, layouts[type->layout]);
	inspect_line_text(line, "\n");
	for (uint32_t i = 0; i < type->field_count; i++) {
		const struct brine_field *field = &type->fields[i];
		if (field->shape != BRINE_SHAPE_ONEOF)
			add_field(line, field, "  ");
		else if (begins_oneof(type, field))
			add_oneof(line, type, field);
	}
	inspect_line_text(line, "}\n");
}
