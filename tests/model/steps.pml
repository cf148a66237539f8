// SPDX-License-Identifier: Apache-2.0
/*
 * STEP(cpu, step, value): where the code says nl_step(). Nothing but when a timeline is replayed (TRACE): then nobody
 * passes a STEP but the one whose turn it is. Where the model has a choice, what a CPU does next in the timeline makes it,
 * and it leaves the guest when its turn comes: that only leaves out ways through the model, and those that would have led
 * nowhere, or the same way.
 * trace.pml is written by tests/model/replay.py: the numbers STEP_X as in newleaf/steps.h (OWN: a PREPARE by the core), AGAIN of errors.h. The timeline itself is read
 * from the file `trace`: how many events; of each CPU, whether it is still held by what came before, and whether it has
 * the root before; and of each event its step, CPU and value, what each CPU does next itself (own), whether it may
 * wait for SIPI before that (may_stop), and whether what it answers next comes too late (loses).
 */
#ifdef TRACE
#include "trace.pml"
#define ROOM 4100
int at; /* how much of the timeline has happened */
hidden int EVENTS, trace_value[ROOM];
hidden byte trace_step[ROOM], trace_cpu[ROOM], own[ROOM * N];
hidden byte held_before[N], old_before[N], may_stop[ROOM * N], loses[ROOM * N];
c_decl {
	static int furthest;

	static void got_to(int at)
	{
		if (at <= furthest)
			return;
		furthest = at;
		printf("event %d\n", at);
		fflush(stdout); /* who waits for the end may lose patience */
	}

	static int number(FILE *file)
	{
		int n;

		if (fscanf(file, "%d", &n) != 1)
			exit(3);
		return n;
	}
}
inline read_trace()
{
	c_code {
		FILE *file = fopen("trace", "r");
		int i, c;

		if (!file)
			exit(3);
		EVENTS = number(file);
		for (c = 0; c < N; c++)
			held_before[c] = number(file);
		for (c = 0; c < N; c++)
			old_before[c] = number(file);
		for (i = 0; i <= EVENTS; i++) {
			trace_step[i] = number(file);
			trace_cpu[i] = number(file);
			trace_value[i] = number(file);
			for (c = 0; c < N; c++)
				own[i * N + c] = number(file);
			for (c = 0; c < N; c++)
				may_stop[i * N + c] = number(file);
			for (c = 0; c < N; c++)
				loses[i * N + c] = number(file);
		}
		fclose(file);
	}
}
#define NEXT at++; c_code { got_to(now.at); }; assert(at < EVENTS)
#define TURN(c, s) (trace_step[at] == (s) && trace_cpu[at] == (c))
#define STEP_ANY(c, s) atomic { TURN(c, s) -> NEXT }
#define STEP(c, s, v) atomic { TURN(c, s) && trace_value[at] == (v) -> NEXT }
#define STEP_FAILS(c, s) atomic { TURN(c, s) && trace_value[at] != 0 -> NEXT }
#define STEP_COMES_GOES(c) atomic { TURN(c, STEP_COMES) || TURN(c, STEP_GOES) -> NEXT }
/* A CPU that goes on before it answers again has seen that nobody asks any more. */
#define STEP_FREEZES(c) atomic { TURN(c, STEP_FREEZE) && trace_value[at] == ticket && ALL_AHEAD -> NEXT }
/* Who answers too late has seen the question before it is withdrawn. */
#define STEP_WITHDRAWS(c) atomic { TURN(c, STEP_WITHDRAW) && trace_value[at] == ticket && ALL_KNOW -> NEXT }
#define LOSES(c) (loses[at * N + (c)] && request[c] == WORD(armed, ASKED))
#define KNOWS(c, x) knows[c] = x
#define READS (armed || !holds || OWN(me, STEP_RESUME)) ->
#define PASSES(c) OWN(c, STEP_WITHDRAW)
#define STARTS(c) (!may_stop[at * N + (c)] || trace_cpu[at] == (c))
#define RESUMES() behind[me] = false; if :: holds -> STEP_ANY(me, STEP_RESUME); holds = false :: else fi
#define LATE() STEP(me, STEP_LATE, mine)
#define ADOPT() if \
	:: atomic { TURN(me, STEP_OWN) && !lock -> lock = true; NEXT } \
		own_commit(); \
		lock = false; \
		goto answer \
	:: atomic { root[me] == published && !TURN(me, STEP_OWN) } \
	:: atomic { root[me] != published && TURN(me, STEP_ADOPT) && trace_value[at] == published -> \
		root[me] = published; NEXT } \
	fi
#define OWN(c, s) (own[at * N + (c)] == (s))
#define EXITS(c) (TURN(c, STEP_OWN) || TURN(c, STEP_HELD) || TURN(c, STEP_REFUSED) || TURN(c, STEP_ADOPT) || may_stop[at * N + (c)] || \
	LOSES(c))
#define COMMITS(c) (TURN(c, STEP_PREPARE) || TURN(c, STEP_FREEZE) || TURN(c, STEP_DROP))
#define TELLS(c) (TURN(c, STEP_COMES) || TURN(c, STEP_GOES) || TURN(c, STEP_GONE))
/* Whether a commit without an agent may find it there is said by SCAN. */
#define IN_KERNEL LAWFUL
#define NOT_WELL if :: !OWN(me, STEP_REFUSED) :: stands[me] = IN_KERNEL fi
#define STOPPED(i) may_stop[at * N + (i)]
#define STOPS skip /* as often as the timeline wants it */
#define HELD_BEFORE held_before[me]
/* Who is on its way back stands anywhere, or is asked again before it is in the guest. */
#define BEFORE(i) root[i] = published - old_before[i]; if :: true :: held_before[i] -> stands[i] = IN_KERNEL fi
#define word int
#else
#define IN_KERNEL BADLY
#define read_trace() skip
#define STEP_ANY(c, s) skip
#define STEP(c, s, v) skip
#define STEP_FREEZES(c) skip
#define STEP_WITHDRAWS(c) skip
#define KNOWS(c, x) true
#define READS
#define PASSES(c) true
#define STARTS(c) true
#define RESUMES() skip
#define LATE() skip
#define ADOPT() root[me] = published
#define EXITS(c) true
#define STOPS inits++
#define HELD_BEFORE false
#define BEFORE(i) root[i] = published
#define word byte
/* leaves the guest at CPL 3, halted, or elsewhere in the kernel */
#ifdef AGENTLESS
#define NOT_WELL if :: true :: stands[me] = BADLY :: stands[me] = LAWFUL fi
#else
#define NOT_WELL if :: true :: stands[me] = BADLY fi
#endif
#endif
