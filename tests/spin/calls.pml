/* calls.pml - requests, answers, cancel and deadlines in one direction of a connection (WIRE.md sections 2 and 3).
 *
 * Models: ids that are used again only after their answer arrived; cancel, of a request not yet, partly or wholly
 * written; the caller's own timer with ttl (it says nothing) and without (it sends cancel); the callee's ttl; answers
 * that cross cancels and deadlines; handlers that outlive their ids; the limit of running calls; loss at any point.
 *
 * Abstracts: time (a timer that runs may fire at any moment), methods and params, byte positions but for "partly
 * written". Each message also carries the serial of its call: no endpoint looks at it, only the assertions do. A
 * program that has a call cancelled does so at any moment; the handler of a call whose caller has a timer but sent no
 * ttl never ends by itself, only when it is told. The callee reads nothing while its output is full, the caller always
 * reads. The connection may be lost at any moment: each side still reads some prefix of what was under way.
 *
 * Proves: each call begun completes exactly once at its caller; an answer completes the call it belongs to and no
 * other, and always finds its id owed; a request is started at most once, and never where the caller was told "not
 * sent" or error 5; no request comes for an id still owed; a cancel names the call it was meant for, and only one that
 * was written; never more than LIMIT handlers exist, those of ended calls included; a handler that waits for the end of
 * its call is told; each run ends, with no id owed and no handler left (no deadlock, no livelock).
 *
 * -DPLANT_...: a mistake an implementation could make; tests/spin/run.sh proves that each is found. */

#define CALLS 3
#ifndef LIMIT
#define LIMIT 1
#endif
#define IDS 2
#define NOBODY 255

/* How a call ends: answers of the peer, and what the caller says by itself. */
#define OK 0
#define DEADLINE 3
#define CANCELLED 4
#define OVERLOADED 5
#define LOST 20
#define NOT_SENT 21

mtype = { request, cancel, response, garbage };
mtype = { no_deadline, with_ttl, without_ttl }; /* of a call: how its caller's deadline travels */
mtype = { unborn, running, ended };             /* of a call, at its caller; of a handler, also: */
mtype = { outliving };                          /* its call was answered already */

chan unsent = [3] of { mtype, byte, byte };    /* the caller's output: type, id, serial */
chan to_callee = [2] of { mtype, byte, byte }; /* written, not read yet */
chan to_caller = [2] of { byte, byte, byte };  /* answers: code, id, serial */

mtype deadline[CALLS] = no_deadline;
mtype call[CALLS] = unborn;
byte id_of[CALLS];
byte owed_id[IDS] = NOBODY; /* which call the answer to this id will be for, ended or not */
byte begun;
byte half = NOBODY; /* the call whose request is partly written */

mtype handler[CALLS] = unborn;
byte named[IDS] = NOBODY; /* the running call of this id, at the callee */
byte handlers;            /* as the callee counts them */

bool lost, caller_saw_loss, callee_saw_loss;

/* What the assertions remember. */
bool completed[CALLS], arrived[CALLS], started[CALLS], told_not_run[CALLS];

inline complete(c, status)
{
	assert(!completed[c]);
	completed[c] = true;
	call[c] = ended;
	if
	:: status == OVERLOADED || status == NOT_SENT ->
		assert(!started[c]);
		told_not_run[c] = true
	:: else
	fi
}

#ifdef PLANT_TAKE_BACK_PARTLY_SENT
#define IS_UNSENT(c) unsent??[request, eval(id_of[c]), eval(c)]
#else
#define IS_UNSENT(c) (half != c && unsent??[request, eval(id_of[c]), eval(c)])
#endif

/* The caller ends a call by itself. An unsent request is taken back and its id is free at once; else the id stays
 * owed, and what is to be told is written. */
inline end_call(c, status, tells)
{
	if
	:: IS_UNSENT(c) ->
		unsent??request, eval(id_of[c]), eval(c);
		owed_id[id_of[c]] = NOBODY;
		told_not_run[c] = true;
#ifdef PLANT_CANCEL_OF_TAKEN_BACK
		if
		:: tells -> unsent!cancel, id_of[c], c
		:: else
		fi;
#endif
		complete(c, (status == LOST -> NOT_SENT : status))
	:: else ->
		if
		:: tells -> unsent!cancel, id_of[c], c
		:: else
		fi;
#ifdef PLANT_ID_FREED_AT_CANCEL
		owed_id[id_of[c]] = NOBODY;
#endif
#ifdef PLANT_LOST_SAYS_NOT_SENT
		complete(c, (status == LOST -> NOT_SENT : status))
#else
		complete(c, status)
#endif
	fi
}

inline forget_oldest()
{
#ifdef PLANT_OLDEST_OWED_ID_FORGOTTEN
	/* Only so many ended calls are remembered, though their ids are owed. */
	if
	:: owed_id[0] != NOBODY && owed_id[1] != NOBODY && call[owed_id[0]] == ended && call[owed_id[1]] == ended ->
		if
		:: owed_id[0] < owed_id[1] -> owed_id[0] = NOBODY
		:: else -> owed_id[1] = NOBODY
		fi
	:: else
	fi
#endif
	skip
}

inline begin()
{
	if
	:: owed_id[0] == NOBODY -> id = 0
	:: owed_id[1] == NOBODY -> id = 1
#ifdef PLANT_ID_IN_USE_TAKEN
	:: owed_id[0] != NOBODY && owed_id[1] == NOBODY -> id = 0
#endif
	fi;
	if
	:: deadline[begun] = no_deadline
	:: deadline[begun] = with_ttl
	:: deadline[begun] = without_ttl
	fi;
	id_of[begun] = id;
	owed_id[id] = begun;
	call[begun] = running;
	unsent!request, id, begun;
	begun++
}

/* Writes the head of the output; a request takes two steps, so that there is a moment in between. */
inline write_on()
{
	if
	:: half == NOBODY && unsent?[request, _, _] ->
		unsent?<type, id, serial>;
		half = serial
	:: half == NOBODY && !unsent?[request, _, _] ->
		unsent?type, id, serial;
		if
		:: lost
		:: else -> to_callee!type, id, serial
		fi
	:: half != NOBODY ->
		if
		:: unsent?[request, eval(id_of[half]), eval(half)] -> unsent?type, id, serial
		:: else -> type = garbage; id = 0; serial = half
		fi;
		half = NOBODY;
		if
		:: lost
		:: else -> to_callee!type, id, serial
		fi
	fi
}

inline take_answer()
{
	to_caller?code, id, serial;
	assert(owed_id[id] != NOBODY);
	assert(owed_id[id] == serial);
	c = owed_id[id];
	owed_id[id] = NOBODY;
	if
#ifdef PLANT_LATE_ANSWER_DELIVERED
	:: true -> complete(c, code)
#else
	:: call[c] == running -> complete(c, code)
	:: else /* late: only now is the id free */
#endif
	fi
}

#define CALLER_MAY_END(C)                                                                                              \
	:: atomic { call[C] == running && nfull(unsent) && !caller_saw_loss ->                                         \
		end_call(C, CANCELLED, true); forget_oldest() }                                                        \
	:: atomic { call[C] == running && !caller_saw_loss && deadline[C] == with_ttl ->                               \
		end_call(C, DEADLINE, false); forget_oldest() }                                                        \
	:: atomic { call[C] == running && nfull(unsent) && !caller_saw_loss && deadline[C] == without_ttl ->           \
		end_call(C, DEADLINE, TIMER_TELLS); forget_oldest() }

#ifdef PLANT_TIMER_WITHOUT_TTL_IS_SILENT
#define TIMER_TELLS false
#else
#define TIMER_TELLS true
#endif

active proctype Caller()
{
	mtype type;
	byte id, serial, code, c;
end:	do
	:: atomic { begun < CALLS && !caller_saw_loss && nfull(unsent) &&
		(owed_id[0] == NOBODY || owed_id[1] == NOBODY) -> begin() }
	:: atomic { !caller_saw_loss && nempty(unsent) && (nfull(to_callee) || lost) ->
		write_on(); type = 0; id = 0; serial = 0 }
	:: atomic { !caller_saw_loss && nempty(to_caller) -> take_answer(); id = 0; serial = 0; code = 0; c = 0 }
	CALLER_MAY_END(0)
	CALLER_MAY_END(1)
	CALLER_MAY_END(2)
	:: atomic { lost && !caller_saw_loss ->
		caller_saw_loss = true;
		c = 0;
		do
		:: c < begun ->
			if
			:: call[c] == running -> end_call(c, LOST, false)
			:: else
			fi;
			c++
		:: else -> break
		od;
		c = 0;
		half = NOBODY;
		do
		:: unsent?_, _, _
		:: to_caller?_, _, _
		:: empty(unsent) && empty(to_caller) -> break
		od }
	od
}

inline answer(c, code)
{
	if
	:: lost
	:: else -> to_caller!code, id_of[c], c
	fi
}

/* The call is answered before its handler ended: the id may name another from now on, the handler still counts. */
inline outlive(c, code)
{
	handler[c] = outliving;
	named[id_of[c]] = NOBODY;
#ifdef PLANT_CANCELLED_NOT_COUNTED
	handlers--;
#endif
#ifdef PLANT_CANCEL_NOT_ANSWERED
	if
	:: code == CANCELLED
	:: else -> answer(c, code)
	fi
#else
	answer(c, code)
#endif
}

#define EXISTS(c) (handler[c] == running || handler[c] == outliving)

inline start(c)
{
	assert(!started[c] && !told_not_run[c]);
	started[c] = true;
	handler[c] = running;
	named[id] = c;
	handlers++;
	assert(EXISTS(0) + EXISTS(1) + EXISTS(2) <= LIMIT)
}

inline take_request()
{
	arrived[serial] = true;
	assert(named[id] == NOBODY);
	if
	:: handlers >= LIMIT ->
#ifdef PLANT_REFUSED_BUT_STARTED
		started[serial] = true;
#endif
		answer(serial, OVERLOADED)
	:: handlers < LIMIT -> start(serial)
	:: handlers < LIMIT && deadline[serial] == with_ttl -> answer(serial, DEADLINE) /* past when it came */
	fi
}

inline take_message()
{
	to_callee?type, id, serial;
	assert(type != garbage);
	if
	:: type == request -> take_request()
	:: type == cancel ->
		assert(arrived[serial]);
		if
		:: named[id] == NOBODY /* it crossed the answer */
		:: else ->
			assert(named[id] == serial);
			outlive(serial, CANCELLED)
		fi
	fi
}

inline finish(c)
{
	handlers--;
	handler[c] = ended;
	named[id_of[c]] = NOBODY;
	answer(c, OK)
}

inline finish_outliving(c)
{
	handler[c] = ended;
#ifndef PLANT_CANCELLED_NOT_COUNTED
	handlers--;
#endif
#ifdef PLANT_ANSWER_AFTER_EXPIRY
	answer(c, OK);
#endif
#ifdef PLANT_HANDLER_KEYED_BY_ID
	if
	:: named[id_of[c]] != NOBODY ->
		named[id_of[c]] = NOBODY;
		answer(c, OK)
	:: else
	fi;
#endif
	skip
}

#if defined(PLANT_HANDLER_KEYED_BY_ID) || defined(PLANT_ANSWER_AFTER_EXPIRY)
#define MAY_ANSWER_OUTLIVING nfull(to_caller)
#else
#define MAY_ANSWER_OUTLIVING true
#endif

#define HANDLER_MAY_END(C)                                                                                             \
	:: atomic { handler[C] == running && deadline[C] != without_ttl && nfull(to_caller) -> finish(C) }             \
	:: atomic { handler[C] == outliving && MAY_ANSWER_OUTLIVING -> finish_outliving(C) }                           \
	:: atomic { handler[C] == running && deadline[C] == with_ttl && nfull(to_caller) && !callee_saw_loss ->        \
		outlive(C, DEADLINE) }

active proctype Callee()
{
	mtype type;
	byte id, serial, c;
end:	do
	:: atomic { !callee_saw_loss && nempty(to_callee) && nfull(to_caller) ->
		take_message(); type = 0; id = 0; serial = 0 }
	HANDLER_MAY_END(0)
	HANDLER_MAY_END(1)
	HANDLER_MAY_END(2)
	:: atomic { lost && !callee_saw_loss ->
		callee_saw_loss = true;
		c = 0;
		do
		:: c < CALLS ->
			if
			:: handler[c] == running -> outlive(c, LOST)
			:: else
			fi;
			c++
		:: else -> break
		od;
		c = 0;
		do
		:: to_callee?_, _, _
		:: empty(to_callee) -> break
		od }
	od
}

active proctype Network()
{
	if
	:: lost = true
	:: true
	fi
}

/* Nothing can move any more. */
active proctype AtTheEnd()
{
	byte c;
	atomic {
		timeout ->
		assert(lost || begun == CALLS);
		assert(handlers == 0);
		assert(lost || (owed_id[0] == NOBODY && owed_id[1] == NOBODY));
		do
		:: c < CALLS ->
			assert(completed[c] == (c < begun));
			assert(!EXISTS(c));
			c++
		:: else -> break
		od
	}
}
