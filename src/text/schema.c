#include "text/schema.h"

static const struct brine_field source_fields[] = {
        BRINE_FIELD(struct brine_wire_source, 1, session),
        {.name = "name",
         .number = 2,
         .kind = BRINE_KIND_STRING,
         .shape = BRINE_SHAPE_SINGLE,
         .offset = offsetof(struct brine_wire_source, name),
         .limit = TEXT_SOURCE_MAX},
};
const struct brine_type brine_wire_source_type =
        BRINE_TYPE(struct brine_wire_source, "brine.text.Source", BRINE_LAYOUT_ARRAY, source_fields);

static const struct brine_field end_fields[] = {
        BRINE_FIELD(struct brine_wire_end, 1, status),
        BRINE_FIELD(struct brine_wire_end, 2, signal),
};
static const struct brine_type end_type =
        BRINE_TYPE(struct brine_wire_end, "brine.text.End", BRINE_LAYOUT_ARRAY, end_fields);

static const struct brine_field piece_fields[] = {
        BRINE_FIELD(struct brine_wire_piece, 1, sequence),
        {.name = "stream",
         .number = 2,
         .kind = BRINE_KIND_STRING,
         .shape = BRINE_SHAPE_SINGLE,
         .offset = offsetof(struct brine_wire_piece, stream),
         .limit = TEXT_STREAM_MAX},
        BRINE_FIELD_ONEOF(struct brine_wire_piece, TEXT_CONTENT_TEXT, "text", content.text, which),
        BRINE_FIELD_ONEOF(struct brine_wire_piece, TEXT_CONTENT_DATA, "data", content.data, which),
        BRINE_FIELD_ONEOF_MESSAGE(struct brine_wire_piece, TEXT_CONTENT_BEGIN, "begin", content.begin, which,
                                  &brine_wire_source_type),
        BRINE_FIELD_ONEOF_MESSAGE(struct brine_wire_piece, TEXT_CONTENT_END, "end", content.end, which, &end_type),
        BRINE_FIELD_ONEOF(struct brine_wire_piece, TEXT_CONTENT_SIGNAL, "signal", content.signal, which),
};
const struct brine_type brine_wire_piece_type =
        BRINE_TYPE(struct brine_wire_piece, "brine.text.Piece", BRINE_LAYOUT_ARRAY, piece_fields);

static const struct brine_field receipt_fields[] = {
        BRINE_FIELD(struct brine_wire_receipt, 1, pieces),
        BRINE_FIELD(struct brine_wire_receipt, 2, size),
};
const struct brine_type brine_wire_receipt_type =
        BRINE_TYPE(struct brine_wire_receipt, "brine.text.Receipt", BRINE_LAYOUT_ARRAY, receipt_fields);

const struct brine_method brine_wire_write_method = {TEXT_WRITE_NAME, &brine_wire_piece_type, &brine_wire_receipt_type,
                                                     BRINE_METHOD_UPLOAD, NULL};
const struct brine_method brine_wire_read_method = {TEXT_READ_NAME, &brine_wire_source_type, &brine_wire_piece_type,
                                                    BRINE_METHOD_DOWNLOAD, NULL};
