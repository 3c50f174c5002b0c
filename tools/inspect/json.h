/* inspect/json.h - a record as one JSON object on one line. */
#ifndef INSPECT_JSON_H
#define INSPECT_JSON_H

#include "inspect/line.h"
#include "inspect/session.h"

/* Adds the record to line, without newline: ASCII, valid for a strict reader whatever the record holds (brine(1) lists
 * the members). arena, ret_mismatch and failures as inspect_text_record(). */
void inspect_json_record(struct inspect_line *line, const struct inspect_record *record,
                         const struct inspect_view *view, struct brine_arena *arena, bool *ret_mismatch);

#endif
