// SPDX-License-Identifier: Apache-2.0
/*
 * STEP(cpu, step, value): where the code says nl_step(). Nothing but when a timeline is replayed (TRACE): then nobody
 * passes a STEP but the one whose turn it is, and nobody leaves the guest but for what he does next in the timeline.
 * trace.pml is written by tests/model/replay.py: the numbers STEP_X as in newleaf/steps.h. The timeline itself is read
 * from the file `trace`: how many events, whether CPUs stop, and of each event its step, CPU and value, and what each CPU
 * does next itself (own).
 */
#ifdef TRACE
#include "trace.pml"
#define ROOM 4100
int at; /* how much of the timeline has happened */
hidden int EVENTS, STOPS, trace_value[ROOM];
hidden byte trace_step[ROOM], trace_cpu[ROOM], own[ROOM * N];
c_decl {
	static int furthest;

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
		STOPS = number(file);
		for (i = 0; i <= EVENTS; i++) {
			trace_step[i] = number(file);
			trace_cpu[i] = number(file);
			trace_value[i] = number(file);
			for (c = 0; c < N; c++)
				own[i * N + c] = number(file);
		}
		fclose(file);
	}
}
#define NEXT at++; c_code { if (now.at > furthest) printf("event %d\n", furthest = now.at); }; assert(at < EVENTS)
#define TURN(c, s) (trace_step[at] == (s) && trace_cpu[at] == (c))
#define STEP_ANY(c, s) atomic { TURN(c, s) -> NEXT }
#define STEP(c, s, v) atomic { TURN(c, s) && trace_value[at] == (v) -> NEXT }
#define STEP_FAILS(c, s) atomic { TURN(c, s) && trace_value[at] != 0 -> NEXT }
#define STEP_COMES_GOES(c) atomic { TURN(c, STEP_COMES) || TURN(c, STEP_GOES) -> NEXT }
#define SETTLE_TOLD(c) STEP_ANY(c, STEP_SETTLE)
#define HOLDS(x) holds = x
#define RESUMES() if :: holds -> STEP_ANY(me, STEP_RESUME); holds = false :: else fi
#define LATE() STEP(me, STEP_LATE, mine)
#define ADOPT() if \
	:: atomic { root[me] == published } \
	:: atomic { root[me] != published && TURN(me, STEP_ADOPT) && trace_value[at] == published -> \
		root[me] = published; NEXT } \
	fi
#define OWN(c, s) (own[at * N + (c)] == (s))
#define EXITS(c) (OWN(c, STEP_HELD) || OWN(c, STEP_REFUSED) || OWN(c, STEP_ADOPT) || STOPS)
#define COMMITS(c) (OWN(c, STEP_PREPARE) || OWN(c, STEP_FREEZE) || OWN(c, STEP_DROP))
#define TELLS(c) (OWN(c, STEP_COMES) || OWN(c, STEP_GOES) || OWN(c, STEP_GONE))
#define word int
#else
#define read_trace() skip
#define STEP_ANY(c, s) skip
#define STEP(c, s, v) skip
#define STEP_COMES_GOES(c) skip
#define SETTLE_TOLD(c) skip
#define HOLDS(x) skip
#define RESUMES() skip
#define LATE() skip
#define ADOPT() root[me] = published
#define EXITS(c) true
#define word byte
#endif
/* leaves the guest at CPL 3, halted, or elsewhere in the kernel */
#define NOT_WELL if :: true :: stands[me] = BADLY fi
