/* conn/plant.h - mistakes that the simulator must find, so that it is known to find such. Only its own build of this
 * folder has them (BRINE_PLANTS); there one is chosen at run time. Everywhere else PLANT() is constant. */
#ifndef BRINE_CONN_PLANT_H
#define BRINE_CONN_PLANT_H

#include <stdbool.h>

#ifdef BRINE_PLANTS
#define PLANT_MAP(X)                                                                                                   \
	X(LATE_ANSWER)      /* an answer to a call that ended here is delivered */                                     \
	X(SAYS_NOT_SENT)    /* a lost call says "not sent" also where it was */                                        \
	X(TIMER_ORDER)      /* the heap of timers is not one after a timer was taken out */                            \
	X(ID_EARLY)         /* an id is used again while its answer is owed */                                         \
	X(CANCEL_UNCOUNTED) /* a cancelled handler no longer counts as running */                                      \
	X(CANCEL_UNTOLD)    /* a cancelled handler is not told */                                                      \
	X(ITEM_DROPPED)     /* the item that uses up the credit is lost */                                             \
	X(ITEM_AFTER_END)   /* items of a call that ended here are delivered */                                        \
	X(UPLOAD_END_LOST)  /* the end of an upload is not sent behind other output */                                 \
	X(CREDIT_TWICE)     /* credit counts twice */                                                                  \
	X(CREDIT_WITHHELD)  /* a stream whose credit is used up and whose items are taken gets none */                 \
	X(CREDIT_UNSENT)    /* credit that went out still counts as not sent */                                        \
	X(CREDIT_UNTOLD)    /* a sender is not told that credit came */                                                \
	X(WELCOME_CREDIT)   /* the welcome's credit does not count for uploads opened before */                        \
	X(UNTAKEN_LEAK)     /* items of an ended call still count as not taken */                                      \
	X(DRAIN_CUTS)       /* a drain does not wait for the peer's calls */                                           \
	X(ABANDON_TOLD)     /* an event tells of the end of a call that was abandoned */

#define PLANT_ENUM(name) PLANT_##name,
enum plant { PLANT_NONE, PLANT_MAP(PLANT_ENUM) };
#undef PLANT_ENUM
extern enum plant plant_chosen;
#define PLANT(name) (plant_chosen == PLANT_##name)
#else
#define PLANT(name) false
#endif

#endif
