// SPDX-License-Identifier: Apache-2.0
/*
 * STEP(cpu, step, value): where the code says nl_step(). The numbers STEP_X are those of newleaf/steps.h; tests/model/run
 * writes them. When a timeline is replayed (TRACE), nobody passes a STEP but the one whose turn it is.
 */
#ifdef TRACE
#include "trace.pml"
#define TRACING true
#define TURN(c, s) (at < EVENTS && trace_step[at] == (s) && trace_cpu[at] == (c))
#define STEP_ANY(c, s) atomic { TURN(c, s) -> NEXT }
#define STEP(c, s, v) atomic { TURN(c, s) && trace_value[at] == (v) -> NEXT }
#define STEP_COMES_GOES(c) atomic { TURN(c, STEP_COMES) || TURN(c, STEP_GOES) -> NEXT }
#define SETTLE_TOLD(c) STEP_ANY(c, STEP_SETTLE)
#define HOLDS(x) holds = x
#define LATE() STEP(me, STEP_LATE, mine)
#define ADOPT() if \
	:: atomic { root[me] == published } \
	:: atomic { root[me] != published && TURN(me, STEP_ADOPT) && trace_value[at] == published -> \
		root[me] = published; NEXT } \
	fi
#define RESUMES() if :: holds -> STEP_ANY(me, STEP_RESUME); holds = false :: else fi
#else
#define TRACING false
#define STEP_ANY(c, s) skip
#define STEP(c, s, v) skip
#define STEP_COMES_GOES(c) skip
#define SETTLE_TOLD(c) skip
#define HOLDS(x) skip
#define LATE() skip
#define ADOPT() root[me] = published
#define RESUMES() skip
#endif
/* leaves the guest at CPL 3, halted, or elsewhere in the kernel */
#define NOT_WELL if :: true :: stands[me] = BADLY fi
