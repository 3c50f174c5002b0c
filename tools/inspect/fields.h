/* inspect/fields.h - how the values of a decoded struct are found and written, for both printers of typed messages. */
#ifndef INSPECT_FIELDS_H
#define INSPECT_FIELDS_H

#include <brine/buf.h>
#include <brine/type.h>

/* The values of one field: count of them, `stride` bytes apart; count 0 where it is absent or empty. */
struct inspect_values {
	const char *data;
	size_t count;
	size_t stride;
};

struct inspect_values inspect_field_values(const struct brine_field *field, const void *message);

/* Repeated or map: shown also when empty. */
bool inspect_field_is_list(const struct brine_field *field);

/* The name of an enum's value; NULL for other kinds and for numbers without a name. */
const char *inspect_field_enum_name(const struct brine_field *field, const void *at);

/* Appends the single value at `at`, which is no message, as MessagePack. 0 or BRINE_ERR_NOMEM. */
int inspect_field_pack(struct brine_buf *out, const struct brine_field *field, const void *at);

#endif
