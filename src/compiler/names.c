#include "compiler/names.h"

#include "compiler/reserved.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>

bool names_is_identifier(const char *text, size_t size, bool underscore)
{
	if (size < 1 || size > SCHEMA_NAME_SIZE_MAX)
		return false;
	for (size_t i = 0; i < size; i++) {
		bool letter = (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z');
		bool digit = text[i] >= '0' && text[i] <= '9';
		if (!letter && !(digit && i > 0) && !(text[i] == '_' && (underscore || i > 0)))
			return false;
	}
	return true;
}

static const char *change_case(struct schema *schema, const char *name, int (*change)(int))
{
	size_t size = strlen(name);
	char *out = schema_alloc(schema, size + 1, 1);
	for (size_t i = 0; out && i < size; i++)
		out[i] = (char)change((unsigned char)name[i]);
	return out ? out : "";
}

/* "OrderBook2" -> "order_book2", "HTTPServer" -> "http_server"; upper: "ORDER_BOOK2". */
static const char *snake_case(struct schema *schema, const char *name, bool upper)
{
	size_t size = strlen(name), used = 0;
	char *out = schema_alloc(schema, 2 * size + 1, 1);
	for (size_t i = 0; out && i < size; i++) {
		unsigned char here = (unsigned char)name[i], next = (unsigned char)name[i + 1];
		unsigned char before = i ? (unsigned char)name[i - 1] : '_';
		if (isupper(here) && before != '_' && (!isupper(before) || islower(next)))
			out[used++] = '_';
		out[used++] = (char)(upper ? toupper(here) : tolower(here));
	}
	return out ? out : "";
}

/* Names of different spaces do not meet. */
enum name_space { SPACE_TAG, SPACE_OTHER, SPACE_MEMBER };

/* A name made for C. */
struct made_name {
	enum name_space space;
	const char *name;
	struct schema_decl *decl; /* that it was made for */
	size_t order;
};

struct name_table {
	struct schema *schema;
	struct made_name *names;
	size_t count, room;
};

static void add(struct name_table *table, enum name_space space, const char *name, struct schema_decl *decl)
{
	if (table->count == table->room) {
		size_t room = table->room ? table->room * 2 : 64;
		struct made_name *grown = schema_alloc(table->schema, room, sizeof *grown);
		if (!grown)
			return;
		if (table->count)
			memcpy(grown, table->names, table->count * sizeof *grown);
		table->names = grown;
		table->room = room;
	}
	table->names[table->count] = (struct made_name){space, name, decl, table->count};
	table->count++;
}

static int compare_c_names(const void *left, const void *right)
{
	const struct made_name *a = left, *b = right;
	if (a->space != b->space)
		return a->space < b->space ? -1 : 1;
	int order = strcmp(a->name, b->name);
	return order ? order : a->order < b->order ? -1 : a->order > b->order;
}

/* "(brine.message).c_name" for a declaration. */
static const char *cure(struct schema *schema, const struct schema_decl *decl)
{
	return schema_printf(schema, "(brine.%s).c_name",
	                     strcmp(decl->kind, "enum value") == 0 ? "enum_value" : decl->kind);
}

static void report_clashes(struct name_table *table)
{
	struct schema *schema = table->schema;
	if (table->count)
		qsort(table->names, table->count, sizeof table->names[0], compare_c_names);
	for (size_t i = 1; i < table->count; i++) {
		const struct made_name *first = &table->names[i - 1], *second = &table->names[i];
		if (first->space != second->space || strcmp(first->name, second->name) != 0 ||
		    first->decl == second->decl || second->decl->clashed)
			continue;
		second->decl->clashed = true;
		schema_fault(schema, second->decl, SCHEMA_NAME,
		             "%s \"%s\" and %s \"%s\" (%s) both need the name %s in C: give one another with option %s",
		             second->decl->kind, schema_quote(schema, second->decl->name), first->decl->kind,
		             schema_quote(schema, first->decl->name), schema_place(schema, first->decl, SCHEMA_NAME),
		             schema_quote(schema, second->name), cure(schema, second->decl));
	}
	table->count = 0;
}

/* Names of constants and of headers of the system: none has a lower-case letter, but for those of inttypes.h and
 * math.h. */
static bool could_be_macro(const char *name)
{
	bool lower = false;
	for (size_t i = 0; name[i]; i++)
		lower |= islower((unsigned char)name[i]) != 0;
	return !lower || strncmp(name, "PRI", 3) == 0 || strncmp(name, "SCN", 3) == 0 || strncmp(name, "M_", 2) == 0;
}

static const char *member_name(struct schema *schema, const struct schema_decl *decl)
{
	if (decl->c_option) {
		if (reserved_has(decl->c_option))
			schema_fault(schema, decl, SCHEMA_WHOLE, "option %s: \"%s\" is a keyword or a macro",
			             cure(schema, decl), decl->c_option);
		return decl->c_option;
	}
	if (decl->name[0] == '_')
		return schema_printf(schema, "x%s", decl->name);
	if (reserved_has(decl->name) || could_be_macro(decl->name))
		return schema_printf(schema, "%s_", decl->name);
	return decl->name;
}

static const char *global_name(struct schema *schema, const char *scope, const struct schema_decl *decl)
{
	const char *own = decl->c_option ? decl->c_option : snake_case(schema, decl->name, false);
	const char *name = schema_printf(schema, "%s_%s", scope, own);
	return reserved_has(name) ? schema_printf(schema, "%s_", name) : name;
}

static const char *outer_name(const struct schema_decl *decl, const struct schema_message *outer)
{
	return outer ? outer->decl.c_name : decl->file->prefix;
}

/* Adds scope_suffix as a name of the program. */
static void add_suffixed(struct name_table *table, struct schema_decl *decl, const char *scope, const char *suffix)
{
	add(table, SPACE_OTHER, schema_printf(table->schema, "%s_%s", scope, suffix), decl);
}

static void name_members(struct name_table *members, struct schema_message *message)
{
	struct schema *schema = members->schema;
	for (size_t i = 0; i < message->oneof_count; i++) {
		struct schema_decl *decl = &message->oneofs[i].decl;
		if (message->oneofs[i].synthetic)
			continue;
		decl->c_name = member_name(schema, decl);
		add(members, SPACE_MEMBER, decl->c_name, decl);
		add(members, SPACE_MEMBER, schema_printf(schema, "which_%s", decl->c_name), decl);
	}
	for (size_t i = 0; i < message->field_count; i++) {
		struct schema_field *field = &message->fields[i];
		field->decl.c_name = member_name(schema, &field->decl);
		/* Members of a union stand apart from those of the struct around it. */
		const char *name = field->decl.c_name;
		if (field->oneof)
			name = schema_printf(schema, "%s.%s", field->oneof->decl.c_name, name);
		add(members, SPACE_MEMBER, name, &field->decl);
		if (field->shape == BRINE_SHAPE_OPTIONAL)
			add(members, SPACE_MEMBER, schema_printf(schema, "has_%s", name), &field->decl);
	}
	report_clashes(members);
}

static void name_message(struct name_table *table, struct name_table *members, struct schema_message *message)
{
	static const char *const suffixes[] = {"type", "fields", "dumps", "loads"};
	struct schema *schema = table->schema;
	struct schema_decl *decl = &message->decl;
	if (message->is_entry)
		decl->c_name = schema_printf(schema, "%s_%s_entry", message->outer->decl.c_name,
		                             message->entry_of->decl.c_name);
	else
		decl->c_name = global_name(schema, outer_name(decl, message->outer), decl);
	struct schema_decl *owner = message->is_entry ? &message->entry_of->decl : decl;
	add(table, SPACE_TAG, decl->c_name, owner);
	for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
		add_suffixed(table, owner, decl->c_name, suffixes[i]);
	name_members(members, message);
	const char *upper = change_case(schema, decl->c_name, toupper);
	for (size_t i = 0; i < message->field_count; i++) {
		struct schema_field *field = &message->fields[i];
		if (field->shape == BRINE_SHAPE_MAP)
			add_suffixed(table, &field->decl, decl->c_name,
			             schema_printf(schema, "%s_find", field->decl.c_name));
		if (field->oneof) {
			field->constant =
			        schema_printf(schema, "%s_%s", upper, snake_case(schema, field->decl.name, true));
			if (field->decl.c_option)
				field->constant = schema_printf(schema, "%s_%s", upper,
				                                change_case(schema, field->decl.c_option, toupper));
			add(table, SPACE_OTHER, field->constant, &field->decl);
		}
	}
}

static void name_enum(struct name_table *table, struct schema_enum *enumeration)
{
	struct schema *schema = table->schema;
	struct schema_decl *decl = &enumeration->decl;
	const char *scope = outer_name(decl, enumeration->outer);
	decl->c_name = global_name(schema, scope, decl);
	add(table, SPACE_TAG, decl->c_name, decl);
	add_suffixed(table, decl, decl->c_name, "enum");
	add_suffixed(table, decl, decl->c_name, "values");
	const char *upper_scope = change_case(schema, scope, toupper);
	const char *own =
	        decl->c_option ? change_case(schema, decl->c_option, toupper) : snake_case(schema, decl->name, true);
	size_t own_size = strlen(own);
	for (size_t i = 0; i < enumeration->value_count; i++) {
		struct schema_decl *value = &enumeration->values[i].decl;
		const char *name = value->c_option ? value->c_option : snake_case(schema, value->name, true);
		bool there = strncmp(name, own, own_size) == 0 && name[own_size] == '_' && name[own_size + 1];
		value->c_name = there ? schema_printf(schema, "%s_%s", upper_scope, name)
		                      : schema_printf(schema, "%s_%s_%s", upper_scope, own, name);
		add(table, SPACE_OTHER, value->c_name, value);
	}
}

/* What stands before the names of a service's methods. */
static const char *service_base(struct schema *schema, const struct schema_decl *decl)
{
	const char *package = decl->file->decl.full_name;
	const char *dot = strrchr(package, '.');
	const char *last = dot ? dot + 1 : package[0] ? package : decl->file->prefix;
	const char *own = decl->c_option ? decl->c_option : snake_case(schema, decl->name, false);
	if (strcmp(own, snake_case(schema, last, false)) == 0)
		return decl->file->prefix;
	return global_name(schema, decl->file->prefix, decl);
}

static void name_method(struct name_table *table, struct name_table *members, struct schema_method *method)
{
	/* Kept free whatever streams, so that a method may begin to. */
	static const char *const suffixes[] = {"begin", "finish", "notify",       "reply",        "open",
	                                       "next",  "send",   "request_next", "request_send", "close"};
	struct schema *schema = table->schema;
	struct schema_decl *decl = &method->decl;
	decl->c_name = global_name(schema, method->service->decl.c_name, decl);
	add(table, SPACE_OTHER, decl->c_name, decl);
	for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
		add_suffixed(table, decl, decl->c_name, suffixes[i]);
	const char *own = decl->c_option ? decl->c_option : snake_case(schema, decl->name, false);
	method->member = own[0] == '_'       ? schema_printf(schema, "x%s", own)
	                 : reserved_has(own) ? schema_printf(schema, "%s_", own)
	                                     : own;
	add(members, SPACE_MEMBER, method->member, decl);
}

static void name_service(struct name_table *table, struct name_table *members, struct schema_service *service)
{
	static const char *const suffixes[] = {"serve", "client_serve", "service", "client", "methods"};
	struct schema_decl *decl = &service->decl;
	decl->c_name = service_base(table->schema, decl);
	add(table, SPACE_TAG, schema_printf(table->schema, "%s_handlers", decl->c_name), decl);
	for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
		add_suffixed(table, decl, decl->c_name, suffixes[i]);
	for (size_t i = 0; i < service->method_count; i++)
		name_method(table, members, &service->methods[i]);
	report_clashes(members);
}

/* The package with dots as _; without one the last part of the file's name. */
static const char *make_prefix(struct schema *schema, const struct schema_file *file)
{
	const char *slash = strrchr(file->base, '/');
	const char *from = file->decl.full_name[0] ? file->decl.full_name : slash ? slash + 1 : file->base;
	char *prefix = schema_alloc(schema, strlen(from) + 2, 1), *to = prefix;
	if (!prefix)
		return "";
	if (!isalpha((unsigned char)from[0]))
		*to++ = 'x';
	for (; *from; from++)
		*to++ = isalnum((unsigned char)*from) ? *from : '_';
	return prefix;
}

static void name_file(struct schema *schema, struct schema_file *file)
{
	static const char extension[] = ".proto";
	const char *path = file->decl.name;
	size_t size = strlen(path), tail = sizeof extension - 1;
	if (size > tail && strcmp(path + size - tail, extension) == 0)
		size -= tail;
	file->base = schema_copy(schema, (struct brine_bytes){path, size});
	file->prefix = file->prefix_option ? file->prefix_option : make_prefix(schema, file);
	bool ours = strcmp(file->prefix, "brine") == 0 || strncmp(file->prefix, "brine_", 6) == 0;
	if (ours && file->generate)
		schema_fault(schema, &file->decl, SCHEMA_PACKAGE,
		             "names beginning with brine_ are the library's: choose another package or option "
		             "(brine.file).prefix; files of Brine itself need no generated code");
}

/* How names are made (prefix: the package with dots as _, without one the file's name; option (brine.file).prefix):
 *   message Order, nested in Book    struct <prefix>_book_order, ..._type, ..._dumps(), ..._loads()
 *   map field tags                   struct <message>_tags_entry, <message>_tags_find()
 *   enum Side, value SIDE_BUY        enum <prefix>_side, ..._enum, <PREFIX>_SIDE_BUY; value BUY: <PREFIX>_SIDE_BUY too
 *   member limit of a oneof price    which_price, price.limit, <MESSAGE>_LIMIT
 *   service Exchange, method Place   <prefix>_exchange_place(); <prefix>_place() where the package ends with exchange
 *     nobody streams                 and _begin, _finish, _notify; for handlers _reply
 *     somebody streams               _open, _next, _send, _close; for handlers _request_next, _request_send, _reply
 *   field                            as in the schema
 * A member that is a keyword, a macro or has no lower-case letter gets _ behind it, one that begins with _ gets x
 * before it; a whole name that libc has gets _ behind it. Tags are apart from other names, as struct stat and stat()
 * are. */
void names_assign(struct schema *schema)
{
	assert(schema->status == 0 && schema->error_count == 0);
	struct name_table table = {.schema = schema}, members = {.schema = schema};
	for (size_t i = 0; i < schema->file_count && schema->status == 0; i++)
		name_file(schema, &schema->files[i]);
	for (size_t i = 0; i < schema->file_count && schema->status == 0; i++) {
		struct schema_file *file = &schema->files[i];
		if (!file->usable)
			continue;
		for (size_t j = 0; j < file->message_count; j++)
			name_message(&table, &members, file->messages[j]);
		for (size_t j = 0; j < file->enum_count; j++)
			name_enum(&table, file->enums[j]);
		for (size_t j = 0; j < file->service_count; j++)
			name_service(&table, &members, &file->services[j]);
	}
	if (schema->status == 0)
		report_clashes(&table);
}
