#include "inspect/session.h"

#include "codec/token.h"
#include "inspect/schema.h"
#include "inspect/walk.h"

void inspect_session_init(struct inspect_session *session, const struct brine_limits *limits,
                          const struct inspect_schema *schema, const struct brine_allocator *allocator)
{
	*session = (struct inspect_session){.limits = *limits, .schema = schema};
	for (int i = 0; i < 3; i++)
		session->calls[i].allocator = allocator;
}

void inspect_session_done(struct inspect_session *session)
{
	for (int i = 0; i < 3; i++)
		inspect_calls_done(&session->calls[i]);
}

/* Cuts a checked message into the elements of its array. */
static void split_elements(struct inspect_record *record, struct brine_bytes message)
{
	struct inspect_walk walk;
	if (!inspect_walk_array(&walk, message))
		return;
	while (walk.rest.size && record->element_count < INSPECT_ELEMENTS_MOST)
		inspect_walk_element(&walk, &record->elements[record->element_count++]);
	record->well_formed = walk.rest.size == 0;
}

/* The integer that value is, negative ones as two's complement; false for anything else. */
static bool read_integer_value(struct brine_bytes value, uint64_t *ret_number)
{
	struct brine_token token;
	if (brine_token_read(&token, value.data, value.size) <= 0)
		return false;
	if (token.kind != BRINE_TOKEN_UINT && token.kind != BRINE_TOKEN_INT)
		return false;
	*ret_number = token.kind == BRINE_TOKEN_UINT ? token.uint : (uint64_t)token.sint;
	return true;
}

static int other_direction(int direction)
{
	return direction == INSPECT_C2S   ? INSPECT_S2C
	       : direction == INSPECT_S2C ? INSPECT_C2S
	                                  : INSPECT_DIRECTION_UNKNOWN;
}

/* Types of the callee about a call that the other side made. */
static bool is_of_callee(int type)
{
	return type == BRINE_FRAME_RESPONSE || type == BRINE_FRAME_ITEM || type == BRINE_FRAME_UPLOAD_CREDIT;
}

/* Types of the caller about its own call, after the request. */
static bool is_of_caller(int type)
{
	return type == BRINE_FRAME_UPLOAD || type == BRINE_FRAME_ITEM_CREDIT || type == BRINE_FRAME_CANCEL;
}

static void note_progress(struct inspect_session *session, int owner, struct inspect_call *call,
                          const struct brine_frame *frame)
{
	if (frame->type == BRINE_FRAME_RESPONSE) {
		session->open[owner] -= !call->ended && session->open[owner];
		call->ended = true;
	} else if (frame->type == BRINE_FRAME_ITEM_CREDIT) {
		call->credit += frame->number;
	} else if (frame->type == BRINE_FRAME_ITEM && call->credit) {
		call->credit--;
	}
}

/* Finds or remembers the call that a message belongs to. Where the direction is unknown there is only one direction,
 * and answers in it belong to calls that are not seen. */
static int join_call(struct inspect_session *session, struct inspect_record *record)
{
	int type = record->frame.type;
	uint64_t id = 0;
	if (record->element_count > 1 && record->frame.has_id && !read_integer_value(record->elements[1], &id))
		return 0;
	if (type == BRINE_FRAME_REQUEST || type == BRINE_FRAME_NOTIFICATION) {
		record->method = record->frame.method;
		record->schema = inspect_schema_method(session->schema, record->method);
	}
	if (type == BRINE_FRAME_REQUEST) {
		struct inspect_call call = {.id = id,
		                            .schema = record->schema,
		                            .credit = record->frame.options.win,
		                            .counts_credit = record->frame.options.has_win};
		session->open[record->direction]++;
		return inspect_calls_add(&session->calls[record->direction], &call, record->method);
	}
	int owner = is_of_callee(type) ? other_direction(record->direction) : record->direction;
	bool is_seen = is_of_caller(type) || (is_of_callee(type) && owner != INSPECT_DIRECTION_UNKNOWN);
	struct inspect_call *call = is_seen ? inspect_calls_find(&session->calls[owner], id) : NULL;
	if (!call)
		return 0;
	record->method = (struct brine_bytes){call->method, call->method_size};
	record->schema = call->schema;
	note_progress(session, owner, call, &record->frame);
	return 0;
}

/* What else a later message of the other direction may answer. */
static void note_question(struct inspect_session *session, const struct inspect_record *record)
{
	uint64_t *asked = &session->pings[other_direction(record->direction)];
	if (record->type == BRINE_FRAME_HELLO)
		session->hellos++;
	else if (record->type == BRINE_FRAME_PING)
		session->pings[record->direction]++;
	else if (record->type == BRINE_FRAME_PONG && *asked)
		--*asked;
}

static int take_message(struct inspect_session *session, struct inspect_record *record)
{
	struct brine_bytes message = record->piece.bytes;
	int rc = brine_frame_parse(&record->frame, message, record->wire, &session->limits, &record->judgement,
	                           &record->fault);
	record->sound = rc == 0 || record->judgement.verdict == BRINE_VERDICT_IGNORE;
	if (rc == 0 || brine_check(message, session->limits.depth_max, NULL) == 0)
		split_elements(record, message);
	uint64_t type;
	if (record->element_count && read_integer_value(record->elements[0], &type) && type < 128)
		record->type = (int)type;
	session->messages++;
	if (!record->sound) {
		record->fault.offset += record->piece.offset + record->piece.prefix_size;
		session->faults++;
		return 0;
	}
	note_question(session, record);
	return join_call(session, record);
}

int inspect_session_take(struct inspect_session *session, const struct inspect_piece *piece, int direction, int wire,
                         struct inspect_record *ret_record)
{
	*ret_record = (struct inspect_record){.piece = *piece, .direction = direction, .wire = wire, .type = -1};
	if (piece->type == INSPECT_MESSAGE)
		return take_message(session, ret_record);
	session->faults += piece->first;
	session->undecoded_size += piece->repeat ? piece->repeat : piece->bytes.size;
	return 0;
}

/* Type and id of a message that may be anything; false where it has none. */
static bool peek_message(struct brine_bytes message, uint64_t *ret_type, uint64_t *ret_id)
{
	struct brine_token token;
	if (brine_token_read(&token, message.data, message.size) <= 0 || token.kind != BRINE_TOKEN_ARRAY ||
	    token.count < 2)
		return false;
	struct brine_bytes rest = {(const uint8_t *)message.data + token.size, message.size - token.size};
	if (!read_integer_value(rest, ret_type) || rest.size < 2)
		return false;
	*ret_id = 0;
	rest = (struct brine_bytes){(const uint8_t *)rest.data + 1, rest.size - 1};
	return read_integer_value(rest, ret_id) || *ret_type > BRINE_FRAME_CANCEL ||
	       *ret_type == BRINE_FRAME_NOTIFICATION;
}

/* Whether what answers a call comes after the next message of the other direction: the caller has more to say about the
 * call, or answers a call that may be nested in it; or an item has no credit yet. */
static bool follows_other(const struct inspect_session *session, const struct inspect_call *call, uint64_t type,
                          int direction, const struct inspect_piece *other)
{
	uint64_t other_type, other_id;
	if (type == BRINE_FRAME_ITEM)
		return call->counts_credit && call->credit == 0;
	if (type != BRINE_FRAME_RESPONSE || other->type != INSPECT_MESSAGE ||
	    !peek_message(other->bytes, &other_type, &other_id) || other_type > BRINE_FRAME_CANCEL)
		return false;
	const struct inspect_call *nested = inspect_calls_find(&session->calls[direction], other_id);
	return (is_of_caller((int)other_type) && other_id == call->id) ||
	       (other_type == BRINE_FRAME_RESPONSE && nested && !nested->ended);
}

enum inspect_turn inspect_session_turn(const struct inspect_session *session, const struct inspect_piece *piece,
                                       int direction, const struct inspect_piece *other)
{
	uint64_t type, id;
	if (piece->type != INSPECT_MESSAGE || !peek_message(piece->bytes, &type, &id))
		return INSPECT_TURN_NOW;
	int other_side = other_direction(direction);
	const struct inspect_call *call;
	switch (type) {
	case BRINE_FRAME_REQUEST: return INSPECT_TURN_LATE;
	case BRINE_FRAME_NOTIFICATION: return session->open[other_side] ? INSPECT_TURN_NOW : INSPECT_TURN_LATE;
	case BRINE_FRAME_WELCOME: return session->hellos ? INSPECT_TURN_NOW : INSPECT_TURN_WAITS;
	case BRINE_FRAME_PONG: return session->pings[other_side] ? INSPECT_TURN_NOW : INSPECT_TURN_WAITS;
	case BRINE_FRAME_GOAWAY: return id == BRINE_CODE_FAILED ? INSPECT_TURN_NOW : INSPECT_TURN_WAITS;
	case BRINE_FRAME_RESPONSE:
	case BRINE_FRAME_ITEM:
	case BRINE_FRAME_UPLOAD_CREDIT:
		call = inspect_calls_find(&session->calls[other_side], id);
		return call && !call->ended && !follows_other(session, call, type, direction, other)
		               ? INSPECT_TURN_NOW
		               : INSPECT_TURN_WAITS;
	default: return INSPECT_TURN_NOW;
	}
}

int inspect_direction_of(const struct inspect_piece *first, int wire)
{
	uint64_t type, id;
	if (first->type != INSPECT_MESSAGE || wire != BRINE_WIRE_FRAMED || !peek_message(first->bytes, &type, &id))
		return INSPECT_DIRECTION_UNKNOWN;
	return type == BRINE_FRAME_HELLO     ? INSPECT_C2S
	       : type == BRINE_FRAME_WELCOME ? INSPECT_S2C
	                                     : INSPECT_DIRECTION_UNKNOWN;
}

const char *inspect_record_type_name(const struct inspect_record *record)
{
	if (record->type < 0)
		return record->piece.type == INSPECT_MESSAGE ? "malformed" : "undecoded";
	return brine_frame_type_name(record->type);
}

unsigned inspect_record_known_elements(const struct inspect_record *record)
{
	static const uint8_t counts[] = {
	        [BRINE_FRAME_REQUEST] = 5,     [BRINE_FRAME_RESPONSE] = 5, [BRINE_FRAME_NOTIFICATION] = 4,
	        [BRINE_FRAME_ITEM] = 3,        [BRINE_FRAME_UPLOAD] = 3,   [BRINE_FRAME_UPLOAD_CREDIT] = 3,
	        [BRINE_FRAME_ITEM_CREDIT] = 3, [BRINE_FRAME_CANCEL] = 2,   [BRINE_FRAME_HELLO] = 2,
	        [BRINE_FRAME_WELCOME] = 2,     [BRINE_FRAME_PING] = 2,     [BRINE_FRAME_PONG] = 2,
	        [BRINE_FRAME_GOAWAY] = 4,
	};
	bool known = record->type >= 0 && (size_t)record->type < sizeof counts;
	return known ? counts[record->type] : 1;
}

const char *inspect_verdict_name(int verdict)
{
	switch (verdict) {
	case BRINE_VERDICT_SILENT: return "close";
	case BRINE_VERDICT_GOAWAY: return "goaway";
	case BRINE_VERDICT_ERROR: return "error";
	default: return "none";
	}
}
