/* shutdown.pml - how a connection ends with calls in both directions (WIRE.md section 5, "Ending", and rule 6 of
 * section 3).
 *
 * Models: two equal sides, each calling the other; goaway 0 of one or both, sent at any moment; requests that cross it
 * (error 6); closing where nothing is owed and awaited, by the receiver of a goaway at once, by its sender only after
 * the peer has had its turn; the grace that is over, or a program that closes: cancelling first; goaway of a fault:
 * nothing behind it is parsed; the end of a side (FIN), reading on until the other's end; reset of a connection that is
 * closed while bytes for it are under way; loss at any moment, after which each side still reads some prefix of what
 * was under way.
 *
 * Abstracts: ids (calls.pml has them: a call is named by its serial), deadlines, streams, limits. The channels hold all
 * that one side ever sends. Time: the wait for the peer's turn and the lingering read end only after everything under
 * way has arrived, as both are far longer than that takes; handlers end sooner or later. At most one rough thing
 * happens in a run: a loss, or side 0 reports a fault or closes; the sides are equal, so that is enough.
 *
 * Proves: each call completes exactly once at its caller, also when everything is lost; error 6 means never started;
 * nothing is started or parsed after a fault, nor a request that came behind one's own goaway; where nothing rough
 * happens no call is lost: each is answered, by its handler or with error 6, whoever drains and when; each started
 * drain, fault, close and loss ends with both sides closed, also when both drain at once; no deadlock, no livelock.
 * A side makes no calls after its own goaway: they could be lost where the peer, which owes and awaits nothing, closes
 * while they are under way. -DCALLS_AFTER_OWN_GOAWAY lets it, and shows that.
 * -DSMOOTH: nothing rough happens, so that more calls fit. -DLIVENESS: the same for drains, as an ltl formula.
 *
 * -DPLANT_...: a mistake an implementation could make; tests/spin/run.sh proves that each is found. */

#ifndef CALLS
#define CALLS 2 /* of each side */
#endif
#define ALL (2 * CALLS)
#define CALLER(c) ((c) / CALLS)
#define CALLEE(c) (1 - (c) / CALLS)
#define ROOM (3 * CALLS + 3)

#define OK 0
#define CANCELLED 4
#define GOING_AWAY 6
#define LOST 20

mtype = { request, cancel, response, goaway, fault_goaway, fin };
mtype = { unborn, running, outliving, ended };
mtype = { open, draining, closing, closed };
mtype = { nothing, loss, fault, close }; /* what rough thing happens */

chan wire0 = [ROOM] of { mtype, byte, byte }; /* from side 0 to side 1: type, call, code */
chan wire1 = [ROOM] of { mtype, byte, byte };

mtype state[2] = open;
bool drain_sent[2], drain_received[2], eof[2];
bool may_drain[2];
mtype rough = nothing;
bool lost;      /* the connection, for both */
bool broken[2]; /* a reset came: lost for that side */

mtype call[ALL] = unborn;
mtype handler[ALL] = unborn;
byte begun[2];

/* What the assertions remember. */
bool completed[ALL], started[ALL], told_not_run[ALL], fault_seen[2];
mtype happened = nothing;

inline complete(c, status)
{
	assert(!completed[c]);
	completed[c] = true;
	call[c] = ended;
	assert(status != LOST || rough != nothing);
	if
	:: status == GOING_AWAY ->
		assert(!started[c]);
		told_not_run[c] = true
	:: else
	fi
}

/* A peer that is closed answers with a reset, which destroys what lies unread here. */
inline send(type, c, code)
{
	if
	:: lost || broken[me]
	:: !(lost || broken[me]) && state[1 - me] == closed ->
		broken[me] = true;
		do
		:: in?_, _, _
		:: empty(in) -> break
		od
	:: !(lost || broken[me]) && state[1 - me] != closed -> out!type, c, code
	fi
}

#define IS_AWAITING (call[me * CALLS] == running || call[me * CALLS + CALLS - 1] == running)
#define IS_OWING (handler[(1 - me) * CALLS] == running || handler[(1 - me) * CALLS + CALLS - 1] == running)

#if defined(PLANT_CLOSES_WHILE_OWING)
#define IS_IDLE (!IS_AWAITING)
#elif defined(PLANT_CLOSES_WHILE_AWAITING)
#define IS_IDLE (!IS_OWING)
#else
#define IS_IDLE (!IS_AWAITING && !IS_OWING)
#endif

#if defined(PLANT_GOAWAY_SENDER_CLOSES_AT_ONCE)
#define WAITS false
#elif defined(PLANT_DRAINING_SIDES_WAIT_FOR_EACH_OTHER)
#define WAITS drain_sent[me]
#else
#define WAITS (drain_sent[me] && !drain_received[me])
#endif

/* The peer had its turn: it knows of the goaway, and what it had sent until then is here. */
#ifdef PLANT_DRAINING_SIDES_WAIT_FOR_EACH_OTHER
#define IS_QUIET false
#else
#define IS_QUIET (drain_received[1 - me] && empty(in))
#endif

inline end_all(outgoing_status)
{
	k = 0;
	do
	:: k < ALL ->
		if
		:: CALLER(k) == me && call[k] == running ->
#ifdef PLANT_CLOSING_FORGETS_CALLS
			call[k] = ended;
#else
			complete(k, outgoing_status);
#endif
			if
			:: outgoing_status == CANCELLED -> send(cancel, k, 0)
			:: else
			fi
		:: CALLEE(k) == me && handler[k] == running ->
			handler[k] = outliving;
			if
			:: outgoing_status == CANCELLED -> send(response, k, CANCELLED)
			:: else
			fi
		:: else
		fi;
		k++
	:: else -> break
	od;
	k = 0
}

inline enter_closing()
{
	end_all(LOST);
	send(fin, 0, 0);
#ifdef PLANT_CLOSES_WITHOUT_READING_ON
	state[me] = closed;
	if
	:: nempty(in) && !lost && state[1 - me] != closed ->
		broken[1 - me] = true;
		do
		:: out?_, _, _
		:: empty(out) -> break
		od
	:: empty(in) || lost || state[1 - me] == closed
	fi;
	do
	:: in?_, _, _
	:: empty(in) -> break
	od
#else
	state[me] = (eof[me] -> closed : closing)
#endif
}

inline take_request()
{
	if
#ifndef PLANT_DRAIN_STARTS_CALLS
	:: drain_sent[me] ->
#ifdef PLANT_REFUSED_BUT_STARTED
		started[c] = true;
#endif
		send(response, c, GOING_AWAY)
#endif
	:: else ->
		assert(!started[c] && !told_not_run[c] && !drain_sent[me]);
		started[c] = true;
		handler[c] = running
	fi
}

inline take_message()
{
	in?type, c, code;
	assert(!fault_seen[me]);
	if
	:: type == request -> take_request()
	:: type == cancel ->
		if
		:: handler[c] == running ->
			handler[c] = outliving;
			send(response, c, CANCELLED)
		:: else
		fi
	:: type == response ->
		if
#ifdef PLANT_DRAIN_IGNORES_ANSWERS
		:: drain_sent[me]
#endif
		:: call[c] == running -> complete(c, code)
		:: call[c] != running
		fi
	:: type == goaway ->
		drain_received[me] = true;
		state[me] = draining
	:: type == fault_goaway ->
		fault_seen[me] = true;
#ifndef PLANT_PARSES_ON_AFTER_FAULT
		enter_closing()
#endif
	:: type == fin ->
		eof[me] = true;
		k = 0;
		do
		:: k < CALLS ->
			if
			:: call[me * CALLS + k] == running -> complete(me * CALLS + k, LOST)
			:: else
			fi;
			k++
		:: else -> break
		od;
		k = 0
	fi;
	type = 0;
	c = 0;
	code = 0
}

/* After one's own side has ended: what comes is read and dropped until the peer's end. */
inline discard()
{
	in?type, c, code;
	if
	:: type == fin ->
		eof[me] = true;
		state[me] = closed
	:: else
	fi;
	type = 0;
	c = 0;
	code = 0
}

#define IS_UP (state[me] == open || state[me] == draining)
#define CUT (lost || broken[me])

#ifdef CALLS_AFTER_OWN_GOAWAY
#define MAY_CALL true
#else
#define MAY_CALL !drain_sent[me]
#endif

#define HANDLER_MAY_END(C)                                                                                             \
	:: atomic { handler[(1 - me) * CALLS + C] == running ->                                                        \
		handler[(1 - me) * CALLS + C] = ended;                                                                 \
		send(response, (1 - me) * CALLS + C, OK) }                                                             \
	:: atomic { handler[(1 - me) * CALLS + C] == outliving -> handler[(1 - me) * CALLS + C] = ended }

proctype Side(bit me; chan in, out)
{
	mtype type;
	byte c, code, k;
end:	do
	:: atomic { IS_UP && !CUT && !eof[me] && !drain_received[me] && MAY_CALL && begun[me] < CALLS ->
		c = me * CALLS + begun[me];
		begun[me]++;
		call[c] = running;
		send(request, c, 0);
		c = 0 }
	/* Its program gives the first of its calls up. */
	:: atomic { IS_UP && !CUT && call[me * CALLS] == running ->
		complete(me * CALLS, CANCELLED);
		send(cancel, me * CALLS, 0) }
	HANDLER_MAY_END(0)
#if CALLS > 1
	HANDLER_MAY_END(1)
#endif
	:: atomic { IS_UP && may_drain[me] && !CUT ->
		may_drain[me] = false;
		drain_sent[me] = true;
		state[me] = draining;
		send(goaway, 0, 0) }
	:: atomic { IS_UP && nempty(in) && !eof[me] -> take_message() }
	:: atomic { IS_UP && state[me] == draining && IS_IDLE && !WAITS -> enter_closing() }
	:: atomic { IS_UP && state[me] == draining && IS_IDLE && WAITS && IS_QUIET -> enter_closing() }
	:: atomic { IS_UP && eof[me] && !IS_OWING -> enter_closing() }
	:: atomic { IS_UP && me == 0 && happened == nothing && rough == fault ->
		happened = fault;
		end_all(LOST);
		send(fault_goaway, 0, 0);
		enter_closing() }
	:: atomic { IS_UP && me == 0 && happened == nothing && rough == close ->
		happened = close;
		end_all(CANCELLED);
		enter_closing() }
	:: atomic { state[me] == closing && nempty(in) -> discard() }
	/* The peer reads but does not end: long enough. */
	:: atomic { state[me] == closing && empty(in) && empty(out) -> state[me] = closed }
	:: atomic { CUT && state[me] != closed ->
		end_all(LOST);
		state[me] = closed;
		do
		:: in?_, _, _
		:: empty(in) -> break
		od }
	od
}

init
{
	byte c;
	atomic {
#ifndef SMOOTH
		if
		:: rough = nothing
		:: rough = loss
		:: rough = fault
		:: rough = close
		fi;
#endif
		if
		:: true
		:: may_drain[0] = true
		:: may_drain[1] = true
		:: may_drain[0] = true; may_drain[1] = true
		fi;
		run Side(0, wire1, wire0);
		run Side(1, wire0, wire1)
	};
	if
	:: atomic { rough == loss -> lost = true; happened = loss }
	:: rough != loss
	fi;
	atomic {
		timeout -> /* nothing can move any more */
		if
		:: drain_sent[0] || drain_sent[1] || happened != nothing ->
			assert(state[0] == closed && state[1] == closed)
		:: else -> assert(state[0] == open && state[1] == open)
		fi;
		do
		:: c < ALL ->
			assert(completed[c] == (c % CALLS < begun[c / CALLS]));
			assert(handler[c] != running && handler[c] != outliving);
			c++
		:: else -> break
		od
	}
}

#ifdef LIVENESS
#define DRAINS (drain_sent[0] || drain_sent[1])
#define BOTH_CLOSED (state[0] == closed && state[1] == closed)
ltl every_drain_ends { [] (DRAINS -> <> BOTH_CLOSED) }
#endif
