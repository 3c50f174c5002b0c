/* inspect/text.h - a record as one line of text. */
#ifndef INSPECT_TEXT_H
#define INSPECT_TEXT_H

#include "inspect/line.h"
#include "inspect/session.h"

/* Adds the record to line, without newline. arena: scratch memory, reset by the call. *ret_mismatch (NULL allowed) is
 * set where the schema did not fit. Failures stick to the line. */
void inspect_text_record(struct inspect_line *line, const struct inspect_record *record,
                         const struct inspect_view *view, struct brine_arena *arena, bool *ret_mismatch);

#endif
