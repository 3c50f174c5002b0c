/* inspect/json_value.h - MessagePack values without a schema as JSON (brine(1) "JSON" has the mapping).
 *
 * nil, bool, str in UTF-8, arrays, and maps whose keys are different strings are what they are in JSON; so are integers
 * of at most 53 bits and finite floats. All else is an object with one key that begins with $:
 *   {"$int": "9007199254740993"}  {"$float": "NaN"}  {"$str": base64}  {"$bin": base64}  {"$ext": [type, base64]}
 *   {"$time": "2026-11-22T10:00:00Z"}  {"$map": [[key, value], ...]} */
#ifndef INSPECT_JSON_VALUE_H
#define INSPECT_JSON_VALUE_H

#include <brine/bytes.h>
#include <jansson.h>

/* One checked value; a new reference, NULL when out of memory. masked: secrets in maps are not shown. */
json_t *inspect_json_value(struct brine_bytes value, bool masked);

/* Text of a peer: a string where it is UTF-8, else {"$str": base64}. */
json_t *inspect_json_text(struct brine_bytes text);

/* Text of an error of ours, which may be cut inside a character: as much of it as is UTF-8. */
json_t *inspect_json_error_text(const char *text, size_t size);

/* Pieces of the mapping, for schemas too: base64 as a string; "NaN", "Infinity", "-Infinity" or the number. */
json_t *inspect_json_base64(struct brine_bytes bytes);
json_t *inspect_json_float(double value);

/* And back: whether value is exactly the string text; whether it is "NaN", "Infinity" or "-Infinity". NULL is neither.
 */
bool inspect_json_is(const json_t *value, const char *text);
bool inspect_json_float_name(const json_t *value, double *ret_value);

#endif
