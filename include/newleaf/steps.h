// SPDX-License-Identifier: Apache-2.0
/*
 * The steps of a transaction, from the first question to the last CPU that runs again, by which timelines, the models
 * (tests/model) and the instrument speak of it. A transaction is a commit with all its tries, what is done for a
 * module that comes or goes, or the end of a kernel; it begins with one of the first steps. What is done for a module
 * may lie in the midst of a commit, between two of its tries. A large generation is made in several calls of PREPARE,
 * each but the last PREPARED with NL_AGAIN: each begins a transaction, with a number of its own, and the tries are of
 * the last.
 */
#ifndef NEWLEAF_STEPS_H
#define NEWLEAF_STEPS_H

#include <newleaf/types.h>

/*
 * X(name, label): value. The CPU is the one that does it, but for ASK: the one that is asked.
 * Who answers says so before his answer counts, and who was too late says LATE after it; FLIP is said before the store,
 * RESUME and ADOPT by each CPU on its way back into the guest, outside of the lock: perhaps while the next begins.
 */
// clang-format off
#define NL_STEPS(X) \
	X(PREPARE, "prepare")   /* NL_COMMIT_AGENTLESS, NL_STEP_OWN. The next generation is made beside it */ \
	X(COMES, "comes")       /* struct module: one comes, and leaves that are on may name it */ \
	X(GOES, "goes")         /* struct module */ \
	X(GONE, "gone")         /* 0. Another kernel begins: all copies go home, and no CPU is asked */ \
	X(PREPARED, "prepared") /* enum nl_err */ \
	X(FREEZE, "freeze")     /* ticket: all running CPUs will be asked */ \
	X(ASK, "ask")           /* ticket: this one is, and kicked */ \
	X(HELD, "held")         /* ticket: stands well, and waits */ \
	X(REFUSED, "refused")   /* ticket: stands where the flip is not safe, and goes on */ \
	X(LATE, "late")         /* ticket: the question was withdrawn before */ \
	X(WITHDRAW, "withdraw") /* ticket: one refused or was late; all go on */ \
	X(WINDOW, "window")     /* ticket: all are held */ \
	X(SCAN, "scan")         /* tasks read: nobody stands in a site */ \
	X(BUILD, "build")       /* pages: copied as they are now, and changed */ \
	X(FOLD, "fold")         /* pages: contents go home, modules are written */ \
	X(FLIP, "flip")         /* generation that is published */ \
	X(THAW, "thaw")         /* ticket: all go on */ \
	X(RESUME, "resume")     /* ticks for which this CPU was held */ \
	X(ADOPT, "adopt")       /* generation that this CPU enters from now on */ \
	X(SETTLE, "settle")     /* generation: what is on, is on */ \
	X(DROP, "drop")         /* enum nl_err: nothing changed */
// clang-format on
enum nl_step {
#define NL_STEP_ENUM(name, label) NL_STEP_##name,
	NL_STEPS(NL_STEP_ENUM)
#undef NL_STEP_ENUM
	        NL_N_STEPS,
	NL_STEP_LAST_FIRST = NL_STEP_GONE, /* until this one: a transaction begins */
};

#define NL_STEP_OWN 2u /* of PREPARE: a commit of the core's own (orders, probation), in one go; never half made */

struct nl_step_record {
	uint64_t seq; /* from 1, in the order in which it happened; stored last. A gap: two wanted one place in the ring
	               */
	uint64_t tsc;
	uint64_t value;
	uint32_t transaction; /* from 1 */
	uint16_t cpu, step;   /* enum nl_step */
};

_Static_assert(sizeof(struct nl_step_record) == 32, "step record layout");

#endif
