#include "inspect/hex.h"

#include "codec/token.h"
#include "inspect/pairs.h"

struct brine_bytes inspect_record_masked_part(const struct inspect_record *record)
{
	static const unsigned option_index[] = {
	        [BRINE_FRAME_REQUEST] = 4, [BRINE_FRAME_RESPONSE] = 4, [BRINE_FRAME_NOTIFICATION] = 3};
	unsigned index = 0;
	if (!record->well_formed)
		return (struct brine_bytes){NULL, 0};
	if (!record->sound)
		return record->piece.bytes;
	if (record->type >= 0 && record->type <= BRINE_FRAME_NOTIFICATION)
		index = option_index[record->type];
	else if (record->type == BRINE_FRAME_HELLO || record->type == BRINE_FRAME_WELCOME)
		index = 1;
	return index && index < record->element_count ? record->elements[index] : (struct brine_bytes){NULL, 0};
}

/* Overwrites the digits of every secret in value; digits: where those of the value begin. Nests as deep as a checked
 * message. */
static void mask(char *digits, struct brine_bytes value)
{
	struct brine_token token;
	if (brine_token_read(&token, value.data, value.size) <= 0)
		return;
	const uint8_t *start = value.data;
	const uint8_t *at = start + token.size;
	bool secret = false;
	for (uint64_t i = 0; i < brine_token_elements(&token); i++) {
		struct brine_bytes element = {at, brine_value_size(at, value.size - (size_t)(at - start))};
		char *element_digits = digits + (at - start) * 2;
		bool is_key = token.kind == BRINE_TOKEN_MAP && i % 2 == 0;
		if (secret && !is_key)
			memset(element_digits, '*', element.size * 2);
		else if (!is_key)
			mask(element_digits, element);
		secret = is_key && inspect_is_secret(element);
		at += element.size;
	}
}

void inspect_line_record_hex(struct inspect_line *line, const struct inspect_record *record, bool show_secrets)
{
	const struct inspect_piece *piece = &record->piece;
	struct brine_bytes prefix = {(const uint8_t *)piece->bytes.data - piece->prefix_size, piece->prefix_size};
	inspect_line_hex(line, prefix);
	inspect_line_hex(line, piece->bytes);
	struct brine_bytes part = inspect_record_masked_part(record);
	if (show_secrets || part.size == 0 || line->status < 0)
		return;
	size_t behind = (size_t)((const uint8_t *)piece->bytes.data + piece->bytes.size - (const uint8_t *)part.data);
	mask((char *)line->text.data + line->text.end - behind * 2, part);
}
