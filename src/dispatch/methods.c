#include "dispatch/methods.h"

#include "base/alloc.h"

enum {
	CAPACITY_LEAST = BRINE_GROWS_EXACTLY ? 2 : 16,
	NAME_SIZE_MAX = 255, /* WIRE.md section 2 */
	SHOWN_SIZE = 160,
};

void brine_methods_init(struct brine_methods *methods, const struct brine_allocator *allocator, uint64_t seed)
{
	*methods = (struct brine_methods){.allocator = allocator, .seed = seed};
}

void brine_methods_done(struct brine_methods *methods)
{
	for (size_t i = 0; i < methods->capacity; i++) {
		const struct brine_entry *entry = &methods->slots[i];
		if (entry->owned)
			brine_release(methods->allocator, (void *)(uintptr_t)entry->name.data, entry->owned);
		brine_method_limit_drop(entry->method_limit);
	}
	brine_method_limit_drop(methods->fallback.method_limit);
	brine_release(methods->allocator, methods->slots, methods->capacity * sizeof *methods->slots);
	brine_methods_init(methods, methods->allocator, methods->seed);
}

static bool same_name(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

static bool same_type(const struct brine_type *a, const struct brine_type *b)
{
	return a == b || (a && b && same_name(a->name, b->name));
}

bool brine_method_equal(const struct brine_method *a, const struct brine_method *b)
{
	return a == b || (a && b && same_name(a->name, b->name) && same_type(a->request, b->request) &&
	                  same_type(a->response, b->response));
}

/* FNV-1a with a seed and a last mixing step. */
static uint64_t hash_name(uint64_t seed, struct brine_str name)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ seed;
	for (size_t i = 0; i < name.size; i++)
		hash = (hash ^ (uint8_t)name.data[i]) * UINT64_C(0x100000001b3);
	return hash ^ (hash >> 32);
}

/* The slot that holds the name, or the free one where it would go. The table is never full. */
static struct brine_entry *find_slot(const struct brine_methods *methods, struct brine_str name)
{
	size_t mask = methods->capacity - 1;
	size_t at = (size_t)hash_name(methods->seed, name) & mask;
	while (methods->slots[at].name.size && !brine_str_equal(methods->slots[at].name, name))
		at = (at + 1) & mask;
	return &methods->slots[at];
}

const struct brine_entry *brine_methods_find(const struct brine_methods *methods, struct brine_str name)
{
	if (methods->capacity && name.size) {
		const struct brine_entry *entry = find_slot(methods, name);
		if (entry->name.size)
			return entry;
	}
	return methods->fallback.raw ? &methods->fallback : NULL;
}

/* Makes room for count more entries at a load of at most one half. */
static int reserve(struct brine_methods *methods, size_t count)
{
	size_t capacity = methods->capacity ? methods->capacity : (size_t)CAPACITY_LEAST;
	while (capacity / 2 < methods->count + count)
		capacity *= 2;
	if (capacity == methods->capacity)
		return 0;
	struct brine_methods grown = *methods;
	grown.slots = brine_alloc_zero(methods->allocator, capacity * sizeof *grown.slots);
	if (!grown.slots)
		return BRINE_ERR_NOMEM;
	grown.capacity = capacity;
	for (size_t i = 0; i < methods->capacity; i++)
		if (methods->slots[i].name.size)
			*find_slot(&grown, methods->slots[i].name) = methods->slots[i];
	brine_release(methods->allocator, methods->slots, methods->capacity * sizeof *methods->slots);
	*methods = grown;
	return 0;
}

static int refuse_name(int code, struct brine_str name, const char *why, struct brine_error *error)
{
	char shown[SHOWN_SIZE];
	return brine_fail(error, code, 0, "method '%s': %s", brine_escape(shown, sizeof shown, name.data, name.size),
	                  why);
}

static int check_name(const struct brine_methods *methods, struct brine_str name, struct brine_error *error)
{
	if (name.size == 0 || name.size > NAME_SIZE_MAX)
		return refuse_name(BRINE_ERR_INVALID, name, "a wire name has 1 to 255 bytes", error);
	if (methods->capacity && find_slot(methods, name)->name.size)
		return refuse_name(BRINE_ERR_EXISTS, name, "this wire name is registered already", error);
	return 0;
}

static int check_method(const struct brine_methods *methods, const struct brine_service *service, uint32_t at,
                        struct brine_error *error)
{
	const struct brine_method *method = &service->methods[at];
	struct brine_str name = brine_str_from(method->name);
	int result = check_name(methods, name, error);
	if (result < 0)
		return result;
	for (uint32_t i = 0; i < at; i++)
		if (brine_str_equal(brine_str_from(service->methods[i].name), name))
			return refuse_name(BRINE_ERR_EXISTS, name, "the service has this wire name twice", error);
	if (!method->request || !method->response)
		return refuse_name(BRINE_ERR_INVALID, name, "its request or response type is missing", error);
	result = brine_type_check(method->request, error);
	return result < 0 ? result : brine_type_check(method->response, error);
}

int brine_methods_add_service(struct brine_methods *methods, const struct brine_service *service, const void *handlers,
                              void *user, struct brine_error *error)
{
	if (service->abi != BRINE_ABI)
		return brine_fail(error, BRINE_ERR_ABI, 0, "the service was made for ABI %u, this library has %u",
		                  service->abi, (unsigned)BRINE_ABI);
	for (uint32_t i = 0; i < service->method_count; i++) {
		int result = check_method(methods, service, i, error);
		if (result < 0)
			return result;
	}
	if (reserve(methods, service->method_count) < 0)
		return brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory registering %s", service->name);
	for (uint32_t i = 0; i < service->method_count; i++) {
		const struct brine_method *method = &service->methods[i];
		struct brine_entry entry = {.name = brine_str_from(method->name),
		                            .method = method,
		                            .handlers = handlers,
		                            .user = user,
		                            .flags = method->flags};
		*find_slot(methods, entry.name) = entry;
	}
	methods->count += service->method_count;
	return 0;
}

int brine_methods_add_raw(struct brine_methods *methods, const char *name, uint32_t flags,
                          brine_raw_handler_fn *handler, void *user, struct brine_error *error)
{
	struct brine_entry entry = {.raw = handler, .user = user, .flags = flags};
	if (!handler)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "the handler is NULL");
	if (!name) {
		if (methods->fallback.raw)
			return brine_fail(error, BRINE_ERR_EXISTS, 0,
			                  "a handler of all other methods is registered already");
		methods->fallback = entry;
		return 0;
	}
	entry.name = brine_str_from(name);
	int result = check_name(methods, entry.name, error);
	if (result < 0)
		return result;
	char *copy = reserve(methods, 1) < 0 ? NULL : brine_resize(methods->allocator, NULL, 0, entry.name.size);
	if (!copy)
		return refuse_name(BRINE_ERR_NOMEM, entry.name, "out of memory", error);
	memcpy(copy, name, entry.name.size);
	entry.name.data = copy;
	entry.owned = entry.name.size;
	*find_slot(methods, entry.name) = entry;
	methods->count++;
	return 0;
}

/* The entry that was registered under exactly that name. */
static struct brine_entry *find_registered(struct brine_methods *methods, const char *name)
{
	if (!name)
		return methods->fallback.raw ? &methods->fallback : NULL;
	struct brine_entry *entry =
	        methods->capacity && *name ? find_slot(methods, brine_str_from(name)) : &(struct brine_entry){0};
	return entry->name.size ? entry : NULL;
}

int brine_methods_tune(struct brine_methods *methods, const char *name, uint32_t flags, uint32_t running_max,
                       struct brine_error *error)
{
	struct brine_entry *entry = find_registered(methods, name);
	struct brine_str shown = brine_str_from(name ? name : "");
	if (!entry)
		return refuse_name(BRINE_ERR_NOT_FOUND, shown, "not registered: do that first", error);
	struct brine_method_limit *method_limit =
	        running_max ? brine_method_limit_new(running_max, methods->allocator) : NULL;
	if (running_max && !method_limit)
		return refuse_name(BRINE_ERR_NOMEM, shown, "out of memory", error);
	brine_method_limit_drop(entry->method_limit);
	entry->method_limit = method_limit;
	entry->flags |= flags;
	return 0;
}
