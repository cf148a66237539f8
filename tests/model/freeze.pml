// SPDX-License-Identifier: Apache-2.0
/*
 * The freeze and the flip: hv/commit/quiesce.c, try_once and window of hv/commit/commit.c, the sweep of
 * hv/commit/module.c, the life of a CPU (hv/core/cpu.c), hv_before_entry (hv/exits/exit.c) and, with KICKS, how a
 * CPU is made to leave the guest (arch/x86_64/nmi.c). docs/reference/model.md says what is abstracted and claimed.
 *
 * A process is a CPU: in the guest it may exit at any time, in the core it goes the code's way. Each access of a word
 * that other CPUs write is a step of its own; a loop that waits is a wait.
 */
#include "steps.pml"

#ifndef N
#define N 3
#endif
#ifndef FREEZES
#define FREEZES 2 /* as many tickets, in all */
#endif
#ifndef INITS
#define INITS 1 /* of the last CPU */
#endif
#ifndef NMIS
#define NMIS 1 /* of the last CPU's hardware */
#endif
#ifndef TRACE
#define STOPPED(i) (inits < INITS && (i) == N - 1)
#ifdef ANY /* CPU may begin any transaction */
#define COMMITS(i) (ticket < FREEZES)
#define TELLS(i) (ticket < FREEZES)
#else
#define COMMITS(i) ((i) == 0 && ticket < FREEZES)
#define TELLS(i) ((i) == 1 && ticket < FREEZES)
#endif
#define MORE (ticket < FREEZES)
#ifdef AGENTLESS
#define COMMITS_ALONE(i) ((i) == N - 1) /* a thread of the first that calls, and another that does not */
#endif
#endif

#define IDLE 0
#define ASKED 1
#define HELD 2
#define REFUSED 3
#define WORD(t, s) (((t) << 2) | (s))
#define TICKET(r) ((r) >> 2)
#define STATE(r) ((r) & 3)

#define WELL 0  /* stands at CPL 3, or halted */
#define BADLY 1 /* anywhere else in the kernel */
#define FRESH 2 /* was just started, and has not executed yet */
#define LAWFUL 3 /* in the kernel, where the rule for commits without an agent lets it */

#define TRY 1
#define SWEEP 2
#define BY_ITSELF 3 /* a commit without an agent: CPUs are held wherever they stand, and judged in the window */

word armed, ticket, request[N];
bool anywhere;
bool runs[N]; /* NL_CPU_RUNNING; else it waits for SIPI */
bool lock;
word published = 1, root[N];
bool guest[N]; /* executes the guest's instructions */
byte stands[N];
byte inits;
#ifdef KICKS
bool kick[N], wire[N]; /* wire: an NMI is on its way, or waits in the CPU */
byte nmis;
#endif
#ifdef TRACE
byte prepared; /* HALF: more calls of PREPARE are due, and no TRY takes it */
bool stale, alone; /* the agent's was dropped; an agent has asked for a commit without one */
#define HALF 1
#define WHOLE 2
bool behind[N]; /* has answered, and not seen yet that it may go on */
bool knows[N];  /* that it is asked */
#endif
#ifdef LIVE /* who runs comes into the guest again and again, or waits for the lock, which is nobody's in turn */
bool queues[N];
#define QUEUES(x) queues[me] = x
#define GOES_ON(i) ([]<> (guest[i] || !runs[i] || queues[i]))
ltl goes_on { GOES_ON(0) && GOES_ON(1) }
#else
#define QUEUES(x) skip
#endif

inline send_kick(to)
{
#ifdef KICKS
	if /* nmi_kick: announced before it is sent, and sent once */
	:: atomic { !kick[to] -> kick[to] = true }
		wire[to] = true
	:: kick[to]
	fi
#else
	skip /* whoever is in the guest may leave it at any time */
#endif
}

/* It enters the guest. All who execute do so in the generation that is published; and that one only grows. */
inline enter()
{
	guest[me] = true;
	stands[me] = WELL;
	assert(root[me] == published)
}

inline wait_for_sipi()
{
	d_step { runs[me] = false; stands[me] = FRESH }; /* nl_cpu_stopped */
#ifdef KICKS
	if
	:: wire[me] -> wire[me] = false; kick[me] = false /* svm_open; vmx_nmi_reset */
	:: true
	fi;
#endif
end_sipi:
	STARTS(me); /* SIPI comes, or never */
#ifndef MUTANT_RUNS_LATE
	runs[me] = true /* nl_cpu_started */
#endif
}

inline quiesce_answer()
{
	atomic {
		READS mine = armed;
		if
		:: mine == 0 -> goto answered
		:: else
		fi
	}
	atomic {
		r = request[me];
		if
		:: r == WORD(mine, ASKED) -> KNOWS(me, true)
		:: r == WORD(mine, REFUSED) -> goto answered
		:: else -> goto waits
		fi
	}
	good = (stands[me] == WELL || anywhere);
#ifdef TRACE
	atomic { /* it counts at once, or is too late */
		STEP(me, (good -> STEP_HELD : STEP_REFUSED), mine);
		KNOWS(me, false);
		holds = true;
		behind[me] = true;
		if
		:: request[me] == r && !OWN(me, STEP_LATE) ->
			request[me] = WORD(mine, (good -> HELD : REFUSED));
			r = 0; good = false; mine = 0; goto answer
		:: else
		fi
	}
#endif
	atomic {
		if
#ifdef MUTANT_LATE_COUNTED /* an answer is a store: it counts however late it comes */
		:: request[me] = WORD(mine, (good -> HELD : REFUSED))
#else
		:: request[me] == r ->
			request[me] = WORD(mine, (good -> HELD : REFUSED));
			assert(armed == mine) /* an answer that counts is one to the freeze under way */
		:: request[me] != r -> LATE()
#endif
		fi;
		r = 0; good = false; mine = 0; goto answer
	}
waits:
	atomic { armed != mine || request[me] != r -> mine = 0; r = 0; goto answer } /* x86_pause */
answered:
	RESUMES();
	atomic { mine = 0; r = 0 }
}

/* Withdraw what is still asked, one after the other, and let everybody go. */
inline release()
{
	do
	:: atomic {
			i = 0;
			do
			:: i < N && request[i] != WORD(armed, ASKED) -> i++
			:: else -> break
			od;
#ifdef MUTANT_NO_WITHDRAW /* questions stay, and are answered when nobody asks any more */
			i = N;
#endif
			if
			:: i < N -> request[i] = IDLE; i = 0
			:: else -> armed = 0; i = 0; break
			fi
		}
	od
}

/* One look at everybody: how many have not answered, and has anybody refused? */
inline look()
{
	missing = 0; refused = false; i = 0;
	do
	:: i < N ->
		if
#ifdef MUTANT_ANY_TICKET /* of whichever freeze an answer is */
		:: STATE(request[i]) == ASKED -> missing++
		:: STATE(request[i]) == REFUSED -> refused = true
#else
		:: request[i] == WORD(ticket, ASKED) -> missing++
		:: request[i] == WORD(ticket, REFUSED) -> refused = true
#endif
		:: else
		fi;
		i++
	:: else -> break
	od;
	i = 0
}

#define IS(i, s) (request[i] == WORD(ticket, s))
#if N == 2
#define ANSWERS(s) (IS(0, s) + IS(1, s))
#elif N == 3
#define ANSWERS(s) (IS(0, s) + IS(1, s) + IS(2, s))
#endif
#define MISSING ANSWERS(ASKED)
#define REFUSES ANSWERS(REFUSED)

/* nl_freeze; `ok`: all running CPUs are held, or nobody is */
inline freeze()
{
#ifdef MUTANT_ANYWHERE_STAYS /* the permission to stand anywhere outlives the sweep that gave it */
	anywhere = (anywhere || what != TRY);
#else
	anywhere = (what != TRY);
#endif
	ticket++;
	STEP_FREEZES(me);
#ifndef MUTANT_ARMED_LATE
	armed = ticket;
#endif
	i = 0;
	do
	:: i < N && (i == me || !runs[i]) -> i++
	:: i < N && i != me && runs[i] -> /* takes_part */
		STEP(i, STEP_ASK, ticket);
		request[i] = WORD(ticket, ASKED);
		send_kick(i);
		i++
	:: i == N -> break
	od;
#ifdef MUTANT_ARMED_LATE /* who starts meanwhile is not asked, and sees no freeze either */
	armed = ticket;
#endif
	do
	:: atomic {
			look();
			if
			:: refused -> assert(REFUSES); ok = false; break /* who lets a freeze fail was asked in it */
			:: !refused && missing == 0 -> ok = true; break
#ifdef MUTANT_DEADLINE_PASSES /* who is late is passed over */
			:: !refused && missing -> ok = true; break
#endif
			:: !refused && missing
			fi
		}
		if
		:: MISSING < missing /* x86_pause, until somebody answers */
#ifndef MUTANT_NO_DEADLINE /* each CPU is awaited for as long as it takes */
		:: atomic { PASSES(me) -> assert_on_its_way(); ok = false; break } /* the limit has passed */
#endif
		fi
	od;
	missing = 0;
	refused = false;
	if
	:: ok -> STEP(me, STEP_WINDOW, ticket)
	:: else ->
		STEP_WITHDRAWS(me);
		release();
		STEP_ANY(me, STEP_RESUME)
	fi
}

/* Who is late is on its way out of the guest: no kick is lost. */
inline assert_on_its_way()
{
#ifdef KICKS
	i = 0;
	do
	:: i < N -> assert(!(request[i] == WORD(ticket, ASKED) && guest[i] && !wire[i])); i++
	:: else -> break
	od;
	i = 0
#else
	skip
#endif
}

/* All are held: nobody executes, and nobody stands where the flip is not safe. Who has called for it is at CPL 3. */
inline assert_frozen()
{
	d_step {
		i = 0;
		do
		:: i < N ->
			assert(i == me || (!guest[i] && stands[i] != BADLY && (stands[i] != LAWFUL || what == BY_ITSELF)));
			assert(i != me || what != BY_ITSELF || stands[i] != BADLY);
			i++
		:: else -> break
		od;
		i = 0
	}
}

#ifdef MUTANT_NOT_JUDGED
#define BAD(i) false
#elif defined(MUTANT_SELF_NOT_JUDGED)
#define BAD(i) ((i) != me && stands[i] == BADLY)
#else
#define BAD(i) (stands[i] == BADLY)
#endif

/* Where does everybody stand? One that waits for SIPI stands nowhere. */
inline judge()
{
	d_step {
		lawful = true;
		i = 0;
		do
		:: i < N -> lawful = lawful && !BAD(i); i++
		:: else -> break
		od;
		i = 0
	}
}

inline thaw()
{
	STEP(me, STEP_THAW, ticket);
#ifndef MUTANT_NO_THAW
	release();
#endif
	STEP_ANY(me, STEP_RESUME)
}

inline publish()
{
	STEP(me, STEP_FLIP, published + 1);
	atomic { assert_frozen(); published++ }
}

#ifdef AGENTLESS
#define JUDGED (what != BY_ITSELF || lawful)
#define FORGET lawful = false; was = 0
#define WAS was = published /* it may have flipped on this way into the guest, and tries again */
#define UNCHANGED (published == was)
#else
#define JUDGED true
#define FORGET skip
#define WAS skip
/* While this CPU is in the core and is not held, nobody else flips: what it has loaded is what was published before. */
#define UNCHANGED (published == root[me])
#endif

/* nl_commit_try, which finds something prepared */
inline commit_try(kind)
{
	atomic { what = kind; WAS };
#ifdef MUTANT_JUDGED_EARLY /* before all are held */
	judge();
#endif
	freeze();
#if defined(AGENTLESS) && !defined(MUTANT_JUDGED_EARLY)
	judge();
#endif
	if
	:: ok ->
#ifdef TRACE /* the same, and it may end behind each of its steps */
		if
		:: OWN(me, STEP_SCAN) -> STEP_ANY(me, STEP_SCAN)
		:: else -> ok = false
		fi;
		if
		:: ok && OWN(me, STEP_BUILD) -> STEP_ANY(me, STEP_BUILD)
		:: else -> ok = false
		fi;
		if
		:: ok && OWN(me, STEP_FOLD) -> STEP_ANY(me, STEP_FOLD); publish()
		:: else -> ok = false
		fi;
#else
		if
		:: JUDGED -> /* window */
			STEP_ANY(me, STEP_SCAN);
			STEP_ANY(me, STEP_BUILD);
			STEP_ANY(me, STEP_FOLD);
#ifndef MUTANT_FLIP_AFTER_THAW
			publish()
#endif
		:: true -> ok = false /* modules or probes are not as they were, or somebody stands in a site */
		fi;
#endif
		thaw();
#ifdef MUTANT_FLIP_AFTER_THAW
		if
		:: ok -> publish()
		:: else
		fi
#endif
	:: else
	fi;
	assert(ok || UNCHANGED); /* the deadline, and every other refusal, means unchanged */
#ifdef TRACE
	if
	:: ok -> prepared = 0; STEP(me, STEP_SETTLE, published)
	:: !ok /* NL_AGAIN; what is dropped at once, may as well be so by the next call */
	fi;
#endif
	atomic { what = 0; ok = false; FORGET }
}

#ifdef TRACE
#include "traced.pml"
#endif

/* Calls of the agent's gathered thread, at CPL 3: NL_EBUSY while somebody else has the lock. The agent may die between
 * any two of them, and in one: the CPU does not know. */
inline hypercall()
{
	if
#ifdef MUTANT_NO_LOCK /* two at a time */
	:: lock = true;
#else
	:: atomic { !lock -> lock = true }
#endif
		if
#ifdef TRACE
		:: true -> traced_call()
#else
		:: MORE -> commit_try(TRY)
#ifdef AGENTLESS
		:: MORE -> commit_try(BY_ITSELF)
#endif
		:: true /* PREPARE, ABANDON, NL_ESTATE, or a question */
#endif
		fi;
		lock = false
#ifndef TRACE
	:: lock
#endif
	fi
}

/* A module comes or goes, or another kernel begins: with interrupts off, at CPL 0, and waiting for the lock. */
inline told()
{
	atomic { !lock -> lock = true; QUEUES(false) };
	if
#ifdef TRACE
	:: STEP_COMES_GOES(me) ->
		if
		:: OWN(me, STEP_FREEZE) -> what = SWEEP; freeze()
		:: else
		fi;
		if
		:: ok -> thaw()
		:: else
		fi;
		STEP_ANY(me, STEP_SETTLE)
	:: STEP(me, STEP_GONE, 0) ->
		prepared = 0;
		stale = false;
		if /* copies go home, and nobody is asked: all others halt */
		:: OWN(me, STEP_FLIP) ->
			atomic { TURN(me, STEP_FLIP) && trace_value[at] == published + 1 && ALONE && RECLAIMED ->
				published++; NEXT }
		:: else
		fi
#else
	:: MORE ->
		what = SWEEP;
		freeze();
		if
		:: ok -> thaw()
		:: else
		fi
	:: true
#endif
	fi;
	atomic { what = 0; ok = false };
	lock = false
}

/* nl_order_due: on its way into the guest, wherever it comes from. Who has the lock is not waited for. */
inline order_due()
{
	if
	:: atomic { !lock -> lock = true }
		commit_try(BY_ITSELF);
		lock = false
	:: lock
	fi
}

inline before_entry()
{
#ifdef MUTANT_ADOPT_BEFORE /* the root is compared before the freeze is waited for */
	root[me] = published;
#endif
	if
	:: atomic { STOPPED(me) -> STOPS } /* INIT has come: at the ICR, or as an exit */
		wait_for_sipi()
	:: true
	fi;
#ifndef MUTANT_NO_CHECK
answer:
	quiesce_answer();
#endif
#ifdef AGENTLESS
	if
	:: MORE && COMMITS_ALONE(me) -> order_due(); goto answer
	:: true
	fi;
#endif
#ifdef MUTANT_RUNS_LATE /* a CPU that starts looks for a freeze first, and is seen by it after */
	runs[me] = true;
#endif
#if !defined(MUTANT_ADOPT_BEFORE) && !defined(MUTANT_NO_ADOPT)
	ADOPT()
#else
	skip
#endif
}

proctype cpu(byte me)
{
	word mine, r;
	byte i, missing, what;
	bool good, refused, ok, holds = HELD_BEFORE;
#ifdef AGENTLESS
	bool lawful;
	word was;
#endif

entry:
	before_entry();
#ifdef MUTANT_NMI_SWALLOWED /* one that comes after the last look is counted, and the entry goes on */
	atomic { wire[me] = false; enter() }
#else
	atomic { enter() }
#endif
end_guest:
	if
#ifdef KICKS
	:: atomic { wire[me] -> guest[me] = false; NOT_WELL } /* one that has waited for the entry exits at once */
		wire[me] = false;
		kick[me] = false /* nmi_taken */
	:: atomic { nmis < NMIS && me == N - 1 -> nmis++; wire[me] = true; goto end_guest }
	:: atomic { me != N - 1 -> guest[me] = false }
		send_kick(N - 1) /* an NMI or INIT that the guest sends */
#else
	:: atomic { EXITS(me) -> guest[me] = false; NOT_WELL }
#endif
	:: atomic { COMMITS(me) -> guest[me] = false }
		hypercall()
	:: atomic { TELLS(me) -> guest[me] = false; stands[me] = IN_KERNEL; QUEUES(true) }
		told()
	fi;
	goto entry
}

init {
	byte i;

	atomic {
		read_trace();
		do
		:: i < N -> runs[i] = true; BEFORE(i); run cpu(i); i++
		:: else -> break
		od
	}
}
