#include "inspect/lookup.h"

#include <stdio.h>

enum { SHOWN_SIZE = 128 };

/* Names to be listed in an error, cut to fit. */
struct list {
	char text[160];
	size_t used;
	unsigned count;
};

static void add_name(struct list *list, const char *name)
{
	list->count++;
	if (list->used < sizeof list->text)
		list->used += (size_t)snprintf(list->text + list->used, sizeof list->text - list->used, "%s%s",
		                               list->count > 1 ? ", " : "", name);
}

static const char *end_of(const struct list *list)
{
	return list->used < sizeof list->text ? "" : "...";
}

static bool is_separator(char character)
{
	return character == '.' || character == '/';
}

/* Whether name is the end of whole, from a separator on; "/" and "." are the same. */
static bool is_end_of(const char *name, const char *whole)
{
	size_t size = strlen(name), whole_size = strlen(whole);
	if (size == 0 || size > whole_size || (size < whole_size && !is_separator(whole[whole_size - size - 1])))
		return false;
	for (size_t i = 0; i < size; i++) {
		char a = name[i], b = whole[whole_size - size + i];
		if (a != b && !(is_separator(a) && is_separator(b)))
			return false;
	}
	return true;
}

/* Says that there is none, or more than one. */
static void say_not_found(const char *what, const char *name, const struct list *found, const struct list *all,
                          struct brine_error *error)
{
	char shown[SHOWN_SIZE];
	brine_escape(shown, sizeof shown, name, strlen(name));
	if (found->count)
		brine_fail(error, BRINE_ERR_EXISTS, 0, "%s is the name of %u %ss: %s%s", shown, found->count, what,
		           found->text, end_of(found));
	else
		brine_fail(error, BRINE_ERR_NOT_FOUND, 0, "the schema has no %s %s; it has %s%s", what, shown,
		           all->count ? all->text : "none", end_of(all));
}

const struct brine_method *inspect_lookup_method(const struct inspect_schema *schema, const char *name,
                                                 struct brine_error *error)
{
	const struct brine_method *method = inspect_schema_method(schema, BRINE_BYTES(name, strlen(name)));
	const struct inspect_method *at;
	struct list found = {.count = 0}, all = {.count = 0};
	if (method)
		return method;
	for (size_t i = 0; (at = inspect_schema_method_at(schema, i)) != NULL; i++) {
		char declared[512];
		snprintf(declared, sizeof declared, "%s/%s", at->service, at->name);
		add_name(&all, declared);
		if (!is_end_of(name, declared))
			continue;
		/* The same method in two descriptor sets is one. */
		if (!method || strcmp(method->name, at->method->name) != 0)
			add_name(&found, declared);
		method = method ? method : at->method;
	}
	if (found.count == 1)
		return method;
	say_not_found("method", name, &found, &all, error);
	return NULL;
}

const struct brine_type *inspect_lookup_type(const struct inspect_schema *schema, const char *name,
                                             struct brine_error *error)
{
	const struct brine_type *type = NULL, *at;
	struct list found = {.count = 0}, all = {.count = 0};
	for (size_t i = 0; (at = inspect_schema_type_at(schema, i)) != NULL; i++) {
		add_name(&all, at->name);
		if (strcmp(name, at->name) == 0)
			return at;
		if (!is_end_of(name, at->name))
			continue;
		if (!type || strcmp(type->name, at->name) != 0)
			add_name(&found, at->name);
		type = type ? type : at;
	}
	if (found.count == 1)
		return type;
	say_not_found("message", name, &found, &all, error);
	return NULL;
}
