/* waiting.pml - the threads that wait in a client of mode BLOCKING: who moves the bytes, who handles what the peer asks,
 * and how that ends (src/rpc/client.h, src/rpc/wait.c).
 *
 * Models: threads that each wait for a call; the peer answers at once, or asks first and answers when that was; what it
 * asks is handled by a thread that waits, with or without a call of its own, in which that thread waits again, on top;
 * one thread at a time moves the bytes; a signal wakes one sleeper. With -DFREE the client is freed at any moment, by
 * another thread or in a handler.
 *
 * Abstracts: a step under the client's lock is atomic; what is written arrives at once; handlers nest twice.
 *
 * Proves: each run ends with every call and every handler over: nobody sleeps for good while bytes or requests of the
 * peer wait; at most one thread moves the bytes; the client ends, and nobody uses it then.
 *
 * -DPLANT_...: a mistake an implementation could make; tests/spin/run.sh proves that each is found. */

#define THREADS 2
#define LEVELS 2
#define CALLS (THREADS * LEVELS) /* of a thread, and of the handler on it */
#define CALL_OF(level) (level * THREADS + _pid)
#define NOBODY 255

mtype = { call, answer, request };

chan to_peer = [CALLS * 2] of { mtype, byte };   /* call: which one; answer: to what was asked for that one */
chan to_client = [CALLS * 2] of { mtype, byte }; /* answer: of a call; request: what is asked for one */
chan arrived = [CALLS] of { byte };              /* requests that were read, but not handled */

bool over[CALLS], reader_of[THREADS];
bool moving, wakeup, closing, freed;
bool asleep[THREADS], signalled[THREADS];
byte handling;             /* threads in handlers, in all levels */
byte freer = NOBODY;       /* the thread that frees it in a handler */
bool done[THREADS + 1];

/* One that sleeps, where nobody moves the bytes. Called under the lock. */
inline pass_on()
{
#ifndef PLANT_MOVER_LEAVES_SILENTLY
	if
	:: !moving && asleep[0] -> signalled[0] = true /* it may have been before */
	:: !moving && asleep[1] -> signalled[1] = true
	:: else
	fi
#else
	skip
#endif
}

inline end_call(c)
{
	over[c] = true;
	signalled[c % THREADS] = asleep[c % THREADS]
}

/* What the free of a client does first: whoever waits has no reason to go on. */
inline end_calls()
{
	k = 0;
	do
	:: k < CALLS -> end_call(k); k++
	:: else -> k = 0; break
	od;
	do
	:: arrived?_
	:: empty(arrived) -> break
	od;
#ifndef PLANT_FREE_SIGNALS_NO_WAKEUP
	wakeup = true
#endif
}

/* Reads what there is, and lets others move. */
inline move()
{
	assert(moving && !freed);
	do
	:: nempty(to_client) ->
		to_client?type, c;
		if
		:: closing
		:: !closing && type == answer -> end_call(c)
		:: !closing && type == request -> arrived!c
		fi
	:: empty(to_client) -> break
	od;
	wakeup = false;
	moving = false;
	type = 0; c = 0
}

#ifdef PLANT_ONLY_THE_READER_HANDLES
#define MAY_HANDLE reader_of[_pid]
#else
#define MAY_HANDLE true
#endif

/* Waits for the call of that level; handle is a label to go to with a request in `asked`. */
#define WAIT(level, handle)                                                                                            \
	do                                                                                                             \
	:: atomic { nempty(arrived) && !closing && !over[CALL_OF(level)] && MAY_HANDLE ->                              \
		arrived?asked[level]; pass_on(); handling++; goto handle }                                             \
	:: atomic { over[CALL_OF(level)] -> reader_of[_pid] = false; pass_on(); break }                                \
	:: atomic { (empty(arrived) || closing || !(MAY_HANDLE)) && !over[CALL_OF(level)] && (moving || closing) ->    \
		asleep[_pid] = true }                                                                                  \
		atomic { signalled[_pid] -> signalled[_pid] = false; asleep[_pid] = false }                            \
	:: atomic { (empty(arrived) || !(MAY_HANDLE)) && !over[CALL_OF(level)] && !moving && !closing ->               \
		moving = true }                                                                                        \
		atomic { nempty(to_client) || wakeup -> move(); reader_of[_pid] = true }                                 \
	od

inline begin(level)
{
	atomic {
		over[CALL_OF(level)] = closing;
		if
		:: closing
		:: else -> to_peer!call, CALL_OF(level)
		fi
	}
}

inline end_handler(level)
{
	atomic {
		if
		:: closing
		:: else -> to_peer!answer, asked[level]
		fi;
		handling--
	};
	if
	:: atomic { freer == _pid ->
		freer = NOBODY;
		end_calls() }
		/* Its own handlers, further down, wait for nothing but this. */
		atomic { !moving && handling == level -> freed = true }
	:: atomic { else }
	fi
}

active [THREADS] proctype Thread()
{
	mtype type;
	byte c, k, asked[LEVELS];
	begin(0);
wait0:	WAIT(0, handle0);
	goto end_of_thread;
handle0:
	if
	:: begin(1);
wait1:	   WAIT(1, handle1)
	:: skip
	fi;
	end_handler(0);
	goto wait0;
handle1:
#ifdef FREE
	if
	:: atomic { !closing -> closing = true; freer = _pid }
	:: skip
	fi;
#endif
	end_handler(1);
	goto wait1;
end_of_thread:
	done[_pid] = true
}

/* Answers each call, those of threads sometimes not before it has asked back. */
active proctype Peer()
{
	mtype type;
	byte c;
end:	do
	:: atomic { nempty(to_peer) ->
		to_peer?type, c;
		if
		:: type == call && nfull(to_client) -> to_client!request, c
		:: type == call -> to_client!answer, c
		:: type == answer -> to_client!answer, c
		fi;
		type = 0; c = 0 }
	od
}

active proctype Freer()
{
	byte k;
#ifdef FREE
	if
	:: atomic { !closing ->
		closing = true;
#ifndef PLANT_FREE_WAITS_FIRST
		end_calls()
#endif
	}
		atomic { !moving && handling == 0 -> end_calls(); freed = true }
	:: atomic { closing }
	:: skip
	fi;
#endif
	done[THREADS] = true
}

/* Nothing can move any more. */
active proctype AtTheEnd()
{
	byte k;
	atomic {
		timeout ->
		do
		:: k <= THREADS -> assert(done[k]); k++
		:: else -> break
		od;
		assert(!moving && handling == 0);
		assert(!closing || freed)
	}
}
