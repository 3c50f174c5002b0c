/* streams.pml - items, credit and the end of both streams of a call (WIRE.md section 4).
 *
 * Models: two calls, one after the other, that use the same id, each with an upload and an answer stream; the first
 * credit of the answers in the request, that of uploads in the welcome, which comes at any time or (no hello) never;
 * grants made lazily, of all the room there is or later; senders that wait without credit; upload end; an answer that
 * comes when the handler is done or early, while items and credit are under way; cancel at any moment, and all that
 * crosses it.
 *
 * Abstracts: other ids and calls, deadlines and limits (calls.pml), bytes: room is counted in items. Both sides always
 * read the connection, but write only where there is space. Each message also carries the serial of its call and its
 * items their number: no endpoint looks at them, only the assertions do. Programs read their items sooner or later; in
 * -DENDLESS, one call without end, the program at the callee never reads its upload.
 *
 * Proves: no item is sent without credit, and none comes that was not granted; the sender never has more credit than
 * the receiver gave; credit and held items together never exceed the room of the receiver; items come in order, whole,
 * before the answer that ends them, and for the call they were sent for; behind a response or a cancel its sender says
 * nothing more for that call; each call completes exactly once and each run ends (no deadlock, no livelock). ENDLESS:
 * the connection never stops, and no endless run is without delivered answers, though the other stream stands still.
 *
 * -DPLANT_...: a mistake an implementation could make; tests/spin/run.sh proves that each is found. */

#ifdef ENDLESS
#define CALLS 1
#define MORE(sent) true
#else
#define CALLS 2
#define MORE(sent) ((sent) < ITEMS)
#endif
#ifndef ITEMS
#define ITEMS 3
#endif
#ifndef ROOM
#define ROOM 2
#endif
#define NEXT(n) (((n) + 1) % 8)
#define NOBODY 255
#define NO_ID_OWED (owed == NOBODY)

mtype = { welcome, request, item, upload_end, credit, cancel, response };

chan to_callee = [3] of { mtype, byte, byte }; /* type, call, number or amount */
chan to_caller = [3] of { mtype, byte, byte };

/* The caller. */
byte begun;
byte owed = NOBODY;    /* the call whose response is owed */
bool runs;             /* it was not cancelled */
bool may_give_up;      /* its program may cancel it; else it waits for all */
byte welcome_win;      /* as far as the caller knows */
byte up_sent, up_credit;
bool up_ended;
byte answers_got, answers_held, answers_open; /* open: granted and not come yet */

/* The callee. */
byte serves = NOBODY;
bool early; /* its handler may answer before it is done */
byte own_win;
byte answers_sent, answers_credit;
byte up_got, up_held, up_open;
bool up_end_seen;

/* What the assertions remember. */
byte completed;
bool cancel_seen[CALLS];

#ifdef PLANT_CREDIT_GRANTED_TWICE
#define FREE(open, held) (ROOM - (held))
#elif defined(PLANT_NO_CREDIT_FOLLOWS_WIN_0)
#define FREE(open, held) ((open) + (held) == 0 -> 0 : ROOM - (open) - (held))
#else
#define FREE(open, held) (ROOM - (open) - (held))
#endif
#ifdef PLANT_EMPTY_GRANTS
#define IS_ROOM(n) true
#else
#define IS_ROOM(n) ((n) > 0)
#endif
#ifdef PLANT_ITEM_WITHOUT_CREDIT
#define HAS_CREDIT(n) true
#define CREDIT_IGNORED true
#else
#define HAS_CREDIT(n) ((n) > 0)
#define CREDIT_IGNORED false
#endif

inline begin()
{
	owed = begun;
	runs = true;
	begun++;
	up_sent = 0;
	up_ended = false;
#ifdef PLANT_CREDIT_BEFORE_WELCOME
	up_credit = ROOM;
#else
	up_credit = welcome_win;
#endif
	answers_got = 0;
	answers_held = 0;
#ifndef ENDLESS
	if
	:: may_give_up = true
	:: may_give_up = false
	fi;
#endif
	if
	:: answers_open = 0
	:: answers_open = ROOM
	fi;
	to_callee!request, owed, answers_open
}

inline caller_takes()
{
	to_caller?type, serial, n;
	if
	:: type == welcome ->
		welcome_win = n;
		if
#ifndef PLANT_WELCOME_FORGETS_OPEN_UPLOAD
		:: runs -> up_credit = up_credit + n
#endif
		:: else
		fi
	:: type != welcome ->
		assert(owed == serial);
		if
		:: type == item && runs ->
			assert(answers_open > 0 && n == answers_got);
			answers_open--;
			answers_got = NEXT(answers_got);
			answers_held++
		:: type == credit && runs -> up_credit = up_credit + n
		:: type == response ->
			if
			:: runs ->
				assert(answers_got == n);
				completed++
			:: else
			fi;
#ifdef PLANT_UPLOAD_AFTER_RESPONSE
			if
			:: runs && up_credit > 0 && MORE(up_sent) -> uploads_on = owed
			:: else
			fi;
#endif
			owed = NOBODY;
			runs = false;
			may_give_up = false;
			up_credit = 0;
			answers_open = 0;
			answers_held = 0
		:: else /* it crossed the cancel */
		fi
	fi;
	type = 0;
	serial = 0;
	n = 0
}

#ifdef PLANT_UPLOAD_AFTER_CANCEL
#define UPLOADING !NO_ID_OWED
#else
#define UPLOADING runs
#endif

active proctype Caller()
{
	mtype type;
	byte serial, n;
	byte uploads_on = NOBODY; /* planted: a call that is over */
end:	do
	:: atomic { NO_ID_OWED && begun < CALLS && nfull(to_callee) -> begin() }
	:: atomic { nempty(to_caller) -> caller_takes() }
	:: atomic { UPLOADING && HAS_CREDIT(up_credit) && !up_ended && MORE(up_sent) && nfull(to_callee) ->
		assert(serves != begun - 1 || up_credit <= up_open || CREDIT_IGNORED);
		up_credit--;
		to_callee!item, begun - 1, up_sent;
		up_sent = NEXT(up_sent) }
#ifdef PLANT_UPLOAD_AFTER_RESPONSE
	:: atomic { uploads_on != NOBODY && nfull(to_callee) ->
		to_callee!item, uploads_on, 0;
		uploads_on = NOBODY }
#endif
	:: atomic { UPLOADING && !up_ended && !MORE(up_sent) && nfull(to_callee) ->
		up_ended = true;
		to_callee!upload_end, begun - 1, 0 }
	:: atomic { runs && IS_ROOM(FREE(answers_open, answers_held)) && nfull(to_callee) ->
		n = FREE(answers_open, answers_held);
		answers_open = answers_open + n;
		assert(answers_open + answers_held <= ROOM);
		to_callee!credit, owed, n;
		n = 0 }
#ifdef ENDLESS
	:: atomic { answers_held > 0 -> answers_held-- };
progress_delivered:
		skip
#else
	:: atomic { answers_held > 0 -> answers_held-- }
	:: atomic { runs && may_give_up && nfull(to_callee) ->
		completed++;
		runs = false;
		may_give_up = false;
		to_callee!cancel, owed, 0;
#ifdef PLANT_ID_FREED_AT_CANCEL
		owed = NOBODY;
#endif
#ifndef PLANT_UPLOAD_AFTER_CANCEL
		up_credit = 0;
#endif
		answers_open = 0;
		answers_held = 0 }
#endif
	od
}

inline respond()
{
	to_caller!response, serves, answers_sent;
#ifdef PLANT_ITEM_AFTER_RESPONSE
	ended = serves;
#endif
	serves = NOBODY;
	early = false;
	up_open = 0;
	up_held = 0;
#if !defined(PLANT_CREDIT_KEPT_FOR_NEXT_CALL) && !defined(PLANT_ITEM_AFTER_RESPONSE)
	answers_credit = 0;
#endif
	skip
}

inline callee_takes()
{
	to_callee?type, serial, n;
	assert(!cancel_seen[serial]);
	if
	:: type == request ->
		assert(serves == NOBODY);
		serves = serial;
#ifdef PLANT_CREDIT_KEPT_FOR_NEXT_CALL
		answers_credit = answers_credit + n;
#else
		answers_credit = n;
#endif
		answers_sent = 0;
		up_got = 0;
		up_held = 0;
		up_open = own_win;
		up_end_seen = false;
#ifndef ENDLESS
		if
		:: early = true
		:: early = false
		fi
#endif
	:: type != request && serves == NOBODY -> /* it crossed the response */
		if
		:: type == cancel -> cancel_seen[serial] = true
		:: else
		fi
	:: type != request && serves != NOBODY ->
		assert(serves == serial);
		if
		:: type == item ->
			assert(up_open > 0 && n == up_got && !up_end_seen);
			up_open--;
			up_got = NEXT(up_got);
			up_held++
		:: type == upload_end ->
			assert(!up_end_seen && up_got == ITEMS);
			up_end_seen = true
		:: type == credit -> answers_credit = answers_credit + n
		:: type == cancel ->
			cancel_seen[serial] = true;
			respond()
		fi
	fi;
	type = 0;
	serial = 0;
	n = 0
}

#ifdef PLANT_STALLED_STREAM_STOPS_READING
#define MAY_TAKE (up_held == 0 || !to_callee?[item, _, _])
#else
#define MAY_TAKE true
#endif
#ifdef ENDLESS
#define READS_UPLOAD false
#else
#define READS_UPLOAD true
#endif
#define IS_DONE (!MORE(answers_sent) && up_end_seen && up_held == 0)

active proctype Callee()
{
	mtype type;
	byte serial, n;
	byte ended = NOBODY;
	atomic {
		if
		:: own_win = 1; to_caller!welcome, 0, 1
		:: own_win = ROOM; to_caller!welcome, 0, ROOM
		:: own_win = 0 /* no hello, no welcome */
		fi
	};
end:	do
	:: atomic { nempty(to_callee) && nfull(to_caller) && MAY_TAKE -> callee_takes() }
	:: atomic { serves != NOBODY && HAS_CREDIT(answers_credit) && MORE(answers_sent) && nfull(to_caller) ->
		assert(owed != serves || !runs || answers_credit <= answers_open || CREDIT_IGNORED);
		answers_credit--;
		to_caller!item, serves, answers_sent;
		answers_sent = NEXT(answers_sent) }
#ifdef PLANT_ITEM_AFTER_RESPONSE
	:: atomic { serves == NOBODY && ended != NOBODY && answers_credit > 0 && MORE(answers_sent) && nfull(to_caller) ->
		answers_credit--;
		to_caller!item, ended, answers_sent;
		answers_sent = NEXT(answers_sent) }
#endif
	:: atomic { READS_UPLOAD && up_held > 0 -> up_held-- }
	:: atomic { serves != NOBODY && !up_end_seen && IS_ROOM(FREE(up_open, up_held)) && nfull(to_caller) ->
		n = FREE(up_open, up_held);
		up_open = up_open + n;
		assert(up_open + up_held <= ROOM);
		to_caller!credit, serves, n;
		n = 0 }
#ifndef ENDLESS
	:: atomic { serves != NOBODY && (early || IS_DONE) && nfull(to_caller) -> respond() }
#endif
	od
}

/* Nothing can move any more. */
active proctype AtTheEnd()
{
	atomic {
		timeout ->
#ifdef ENDLESS
		assert(false)
#else
		assert(begun == CALLS && completed == CALLS && NO_ID_OWED && serves == NOBODY)
#endif
	}
}
