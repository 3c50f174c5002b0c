#include "inspect/hex.h"

#include "inspect/walk.h"

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

/* Overwrites the digits of every secret in value. start and digits: of the message. Nests as deep as a checked message.
 */
static void mask(char *digits, const uint8_t *start, struct brine_bytes value)
{
	struct inspect_walk walk;
	struct brine_bytes key, element;
	if (inspect_walk_array(&walk, value)) {
		while (inspect_walk_element(&walk, &element))
			mask(digits, start, element);
		return;
	}
	inspect_walk_map(&walk, value);
	while (inspect_walk_pair(&walk, &key, &element)) {
		if (inspect_is_secret(key))
			memset(digits + ((const uint8_t *)element.data - start) * 2, '*', element.size * 2);
		else
			mask(digits, start, element);
	}
}

void inspect_line_record_hex(struct inspect_line *line, const struct inspect_record *record, bool show_secrets)
{
	const struct inspect_piece *piece = &record->piece;
	struct brine_bytes prefix = {(const uint8_t *)piece->bytes.data - piece->prefix_size, piece->prefix_size};
	inspect_line_hex(line, prefix);
	inspect_line_hex(line, piece->bytes);
	if (!show_secrets && line->status == 0)
		mask((char *)line->text.data + line->text.end - piece->bytes.size * 2, piece->bytes.data,
		     inspect_record_masked_part(record));
}
