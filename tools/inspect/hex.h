/* inspect/hex.h - the bytes of a record as hex digits, those of secrets as **. */
#ifndef INSPECT_HEX_H
#define INSPECT_HEX_H

#include "inspect/line.h"
#include "inspect/session.h"

/* The maps of a record in which secrets are masked: its options, the map of a hello; the whole message where it is not
 * sound, as nobody can say what is what in it. size 0: none. */
struct brine_bytes inspect_record_masked_part(const struct inspect_record *record);

/* Adds the bytes of the record, its length prefix included. */
void inspect_line_record_hex(struct inspect_line *line, const struct inspect_record *record, bool show_secrets);

#endif
