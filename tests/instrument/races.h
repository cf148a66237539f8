// SPDX-License-Identifier: Apache-2.0
/*
 * How a guest talks to the instrument's build of races (races.c beside this file): by CPUID at any CPL, with RACES_LEAF
 * in EAX and one of these in ECX. The product does not know the leaf. tests/load/races.c asks from a stock Linux.
 */
#ifndef INSTRUMENT_RACES_H
#define INSTRUMENT_RACES_H

#include <newleaf/steps.h>

#define RACES_LEAF 0x45434152U    /* "RACE" */
#define RACES_PRESENT 0x65636172U /* the answer in EAX: "race" */

enum races_call {
	RACES_ASK,    /* is it there? */
	RACES_DELAYS, /* EBX: seed; EDX: at one of so many places a CPU is late, 0: nowhere */
	RACES_FAULT,  /* EBX: enum races_fault; ESI: a step; EDX: which one behind it fails, 0: all are counted */
	RACES_TOLD,   /* ESI: a step. EBX: has it failed; ECX: the most that were counted behind the step;
	               * EDX, ESI: delays, and thousands of turns in all; EDI: exits of CPUs that had run
	               * in the guest with another generation than the current one */
	RACES_DEAD,   /* EBX: so many commits that the core makes by itself (dead.c); EDX: their deadline in ms; ESI:
	               * enum dead_nmis */
};

/* The NMIs at which a commit is tried. */
enum dead_nmis {
	DEAD_GUESTS, /* come from outside, and are the guest's, too */
	DEAD_OURS,   /* the guest does not see them: whoever takes one stays where it is */
	DEAD_CHAIN,  /* come from the core, where nobody outside can send any: behind each try the next CPU is kicked */
	DEAD_NMIS
};

/* What fails once. */
enum races_fault {
	RACES_NOTHING,
	RACES_LOOK,   /* a look into the guest's memory, or a write there: x86_copy_safe, x86_load_safe */
	RACES_PAGE,   /* the pool has no page */
	RACES_REFUSE, /* a CPU that is asked stands where the flip is not safe */
	RACES_LATE,   /* a CPU that is asked answers when the question has been withdrawn */
	RACES_FAULTS
};

/* In the place of a step (enum nl_step): from now on, until the first step. */
#define RACES_BEGIN NL_N_STEPS

#endif
