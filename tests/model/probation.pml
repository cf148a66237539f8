// SPDX-License-Identifier: Apache-2.0
/*
 * Probation: a leaf that nobody confirms in time, or that takes the machine with it, is not on for long, and not on in
 * the next boot. docs/explanation/orders.md. A commit is its mark in nl_kept, the flush, and the flip: in this order, as
 * all CPUs are held, but power can go and watchdogs bite between any two.
 *
 * Leaf 0 is a standing order's, which the loader hands over at each boot unless it leaves it out; leaf 1 is put on by
 * whoever comes. The clock is a TSC: each CPU's own, which the guest may write.
 */
#include "steps.pml"
#include "told.pml"

#ifndef RESETS
#define RESETS 2
#endif
#ifndef WRITES
#define WRITES 1 /* of the TSC */
#endif
#ifndef TICKS
#define TICKS 4
#endif
#define LIMIT 2   /* of a trial, in ticks */
#define LEAVES 2

#define OFF 0
#define TRIAL 1
#define TAKING 2 /* being taken back: tried until it is */
#define GOOD 3   /* confirmed */

#define DOWN 0 /* phase of the machine */
#define READ 1
#define UP 2

byte phase = DOWN, resets;
byte leaf[LEAVES];
byte step, at; /* of a commit, and whose */
#define MARKED 1
#define FLUSHED 2
#define FLIPPED 3
#define REVERTS 4 /* the other way */
#define GONE 5
bool mark[LEAVES], memory[LEAVES]; /* nl_kept as the CPUs see it, and as a reset leaves it */
bool found[LEAVES], out[LEAVES];   /* by the loader; and locked out for this boot, in the boot block */
bool stopped;
/* NewleafBoots; of the state, of this standing order: a boot has died with it, it was confirmed. Until there is a newer. */
bool unfinished, tried, left_out, proved;
byte epochs;
/* Time */
short tsc, began[LEAVES];
bool written; /* since the trial began */
byte writes, ticks;
/* What must be so */
byte age[LEAVES];                  /* in true ticks */
bool said[LEAVES];                 /* somebody has confirmed it */
bool failed[LEAVES], was_out[LEAVES]; /* failed in this boot; was locked out in the boot before */
byte bad[LEAVES];                  /* must not be on: 1 in the next boot, 2 in this one */
bool died;                         /* a boot of this standing order */
bool approved;                     /* this standing order was confirmed, and no power has gone since */
bool doubted;                      /* the guest has written the TSC */

#define ON(l) (leaf[l] != OFF)
#define UNCONFIRMED(l) (leaf[l] == TRIAL || leaf[l] == TAKING)
#define SINCE(l, cpu) (tsc - (cpu) - began[l]) /* of the second CPU the TSC is behind */
#ifdef MUTANT_SUM /* the time is to be later than the beginning and the limit */
#define CAME(l, cpu) (tsc - (cpu) >= began[l] + LIMIT)
#elif defined(MUTANT_UNSIGNED) /* ticks since, and what is negative counts as very much */
#define CAME(l, cpu) (SINCE(l, cpu) >= LIMIT || SINCE(l, cpu) < 0)
#elif defined(MUTANT_UNSEEN) /* nobody looks when the TSC is written */
#define CAME(l, cpu) (SINCE(l, cpu) >= LIMIT || SINCE(l, cpu) < -1)
#else
#define CAME(l, cpu) (written || SINCE(l, cpu) >= LIMIT || SINCE(l, cpu) < -1)
#endif
#define LOCKED(l) (out[l] || (mark[l] && !ON(l)) || ((l) == 0 && left_out))

#ifdef MUTANT_ALIVE_EARLY /* as soon as the guest is up */
#define FINISHED true
#else /* and nothing of the standing order is to come, or on trial */
#define FINISHED (proved || (!ON(0) && LOCKED(0)))
#endif

inline flush()
{
#ifndef MUTANT_NO_FLUSH
	printf("## nl_kept is flushed: marks %d %d\n", mark[0], mark[1]);
	memory[0] = mark[0]; memory[1] = mark[1]
#else
	printf("## not flushed\n")
#endif
}

inline flip_off(l)
{
	leaf[l] = OFF;
	said[l] = false;
	age[l] = 0;
	began[l] = 0
}

/* Another kernel, be it one that is to say why the last has died. */
inline kernel_gone()
{
	failed[0] = failed[0] || UNCONFIRMED(0);
	failed[1] = failed[1] || UNCONFIRMED(1);
	flip_off(0);
	flip_off(1);
#ifdef MUTANT_FORGOTTEN /* and so is what was marked */
	mark[0] = false;
	mark[1] = false;
	flush()
#endif
}

inline flip_on(l)
{
	printf("## leaf %d is put on\n", l);
	assert(!failed[l]);        /* not what was taken back in this boot */
	assert(bad[l] != 2);       /* nor what was so in the boot before, or was on and not confirmed */
	assert((l) != 0 || !died); /* and no order has two boots die with it */
	if
	:: (l) == 0 && proved -> leaf[l] = GOOD; said[l] = true
	:: else -> leaf[l] = TRIAL; began[l] = tsc
	fi;
	written = written && UNCONFIRMED(1 - (l));
	HAPPENED
}

/* T has come, and it is off again: the mark stays. */
inline taken_back(l)
{
	printf("## leaf %d is taken back\n", l);
	assert((l) != 0 || !approved); /* what is confirmed is never taken back by the clock */
	failed[l] = true;
	flip_off(l);
	HAPPENED
}

proctype commits()
{
	byte l;

end:
	do
	:: atomic { phase == UP && !step && !stopped ->
			select(l : FIRST .. 1);
			if
			:: !ON(l) && !LOCKED(l) && NEXT_IS(EV_PUT_ON) ->
				at = l;
#ifndef MUTANT_MARK_LATE
				mark[at] = (at || !proved);
#endif
				step = MARKED
			:: (leaf[l] == TRIAL || leaf[l] == GOOD) && NEXT_IS(EV_PUT_OFF) -> /* whoever may */
				at = l;
#ifdef MUTANT_UNMARK_EARLY /* before it is off */
				mark[at] = false;
				flush();
#endif
				step = REVERTS
			:: leaf[l] == TAKING && NEXT_IS(EV_TAKEN_BACK) -> taken_back(l)
			:: else
			fi;
			l = 0 }
	:: atomic { step == MARKED -> flush(); step = FLUSHED }
	:: atomic { step == FLUSHED -> flip_on(at); step = FLIPPED }
	:: atomic { step == FLIPPED ->
#ifdef MUTANT_MARK_LATE /* behind the flip */
			mark[at] = (at || !proved);
			flush();
#endif
			step = 0;
			at = 0 }
	:: atomic { step == REVERTS ->
			if
			:: step = 0; at = 0 /* somebody was in the way */
			:: leaf[at] == TAKING && NEXT_IS(EV_TAKEN_BACK) -> taken_back(at); step = 0; at = 0 /* T has come meanwhile */
			:: leaf[at] != TAKING -> printf("## leaf %d is reverted\n", at); flip_off(at); step = GONE; HAPPENED
			fi }
	:: atomic { step == GONE ->
			mark[at] = false;
			flush();
			step = 0;
			at = 0 }
	od
}

/* On each way into the guest, on either CPU. */
inline look(l, cpu)
{
	if
	:: leaf[l] == TRIAL && CAME(l, cpu) ->
		assert(doubted || age[l] >= LIMIT); /* not before its time, if nobody has turned the clock */
		printf("## the time of leaf %d has come\n", l);
		leaf[l] = TAKING;
#ifdef MUTANT_CLEARED_AT_EXPIRY
		mark[l] = false;
		flush()
#endif
	:: else
	fi;
	assert(leaf[l] != TRIAL || age[l] <= LIMIT) /* off, or being taken back */
}

inline confirm(l)
{
	if
	:: leaf[l] == TRIAL ->
		printf("## leaf %d is confirmed\n", l);
		leaf[l] = GOOD;
		said[l] = true;
		approved = approved || (l) == 0;
#ifndef MUTANT_PROVED_ONCE /* for as long as its kernel lives */
		proved = proved || (l) == 0;
#endif
		mark[l] = false;
#ifdef MUTANT_CONFIRMS_ALL
		if
		:: leaf[1 - (l)] == TRIAL -> leaf[1 - (l)] = GOOD; mark[1 - (l)] = false
		:: else
		fi;
#endif
		flush()
	:: else /* NL_NOTHING; NL_ETRIAL when T has come */
	fi;
	assert((leaf[0] != GOOD || said[0]) && (leaf[1] != GOOD || said[1]))
}

/* A reset, a panic, a watchdog, with what caches have not written; or the power. */
inline reset(warm)
{
	printf("## a reset, %d (0: power-off)\n", warm);
	resets++;
	if
	:: phase == UP ->
		died = died || UNCONFIRMED(0);
		bad[0] = (warm && (UNCONFIRMED(0) || failed[0]) -> 1 : 0);
		bad[1] = (warm && (UNCONFIRMED(1) || failed[1]) -> 1 : 0)
	:: phase != UP && !(warm) -> bad[0] = 0; bad[1] = 0
	:: else
	fi;
	if
	:: warm
	:: !(warm) -> memory[0] = false; memory[1] = false; proved = false; approved = false
	fi;
	phase = DOWN;
	flip_off(0); flip_off(1);
	mark[0] = false; mark[1] = false; found[0] = false; found[1] = false; out[0] = false; out[1] = false;
	failed[0] = false; failed[1] = false;
	step = 0; at = 0; stopped = false; left_out = false; written = false; doubted = false;
	tsc = 0; ticks = 0; writes = 0
}

#ifdef TOLD
proctype guest()
{
end:
	do
	:: atomic { phase == UP && !step && NEXT_IS(EV_CONFIRMED) && leaf[1] == TRIAL -> confirm(1); HAPPENED }
	:: atomic { phase == UP && !step && NEXT_IS(EV_STOPS) -> stopped = true; HAPPENED }
	:: atomic { phase == UP && !step && NEXT_IS(EV_RELEASED) -> stopped = false; HAPPENED }
	:: atomic { phase == UP && !step && NEXT_IS(EV_KERNEL) && ON(1) -> kernel_gone(); HAPPENED }
	:: atomic { phase == UP && !step && NEXT_IS(EV_WRITTEN) -> /* the TSC has gone back */
			doubted = true;
			written = UNCONFIRMED(1);
			look(1, 0);
			HAPPENED }
	:: atomic { phase == UP && !step && NEXT_IS(EV_TIME_CAME) && leaf[1] == TRIAL ->
			tsc = tsc + LIMIT;
			age[1] = age[1] + LIMIT;
			look(1, 0);
			HAPPENED }
	:: atomic { phase == UP && !step && NEXT_IS(EV_BOOT) -> reset(true); resets = 0; HAPPENED }
	od
}
#else
proctype guest()
{
	byte l, cpu;

end:
	do
	:: atomic { phase == UP && !step ->
			select(l : 0 .. 1);
			select(cpu : 0 .. 1);
			look(l, cpu);
			l = 0;
			cpu = 0 }
	:: atomic { phase == UP && !step -> confirm(0) }
	:: atomic { phase == UP && !step -> confirm(1) }
	:: atomic { phase == UP && !step && !stopped ->
			printf("## STOP\n");
			stopped = true;
#ifdef MUTANT_STOP_CONFIRMS /* it leaves what is on as it is, for good */
			if
			:: UNCONFIRMED(0) -> leaf[0] = GOOD
			:: else
			fi;
			assert(leaf[0] != GOOD || said[0])
#endif
		}
	:: atomic { stopped && !step -> printf("## RELEASE\n"); stopped = false } /* RELEASE */
	:: atomic { phase == UP && !step && (ON(0) || ON(1)) -> printf("## another kernel\n"); kernel_gone() }
	:: atomic { phase == UP && !step && unfinished && FINISHED -> printf("## newleaf alive\n"); unfinished = false } /* newleaf alive */
	:: atomic { epochs < 1 && phase == UP && !step && !ON(0) -> /* a newer order is handed over */
			printf("## a newer standing order\n");
			epochs++;
#ifndef MUTANT_NOT_RAISED
			unfinished = true;
#endif
			tried = false; died = false; left_out = false; proved = false; approved = false }
	:: atomic { phase == UP && !step && writes < WRITES ->
			writes++;
			doubted = true;
			written = UNCONFIRMED(0) || UNCONFIRMED(1);
			select(tsc : 0 .. TICKS);
			printf("## the guest sets the TSC to %d\n", tsc) }
	od
}
#endif

/* One tick of true time. A trial is looked at in each, as each CPU leaves the guest more often than that. */
proctype clock()
{
end:
	do
	:: atomic { phase == UP && !step && ticks < TICKS ->
			ticks++;
			printf("## a tick\n");
			tsc++;
			age[0] = age[0] + (leaf[0] == TRIAL);
			age[1] = age[1] + (leaf[1] == TRIAL) }
	od
}

inline launch()
{
	left_out = unfinished || tried;
#ifndef MUTANT_TRIES_AGAIN /* in the boot behind it, and not in the next */
	tried = left_out;
#endif
	printf("## launch; the standing order left out: %d\n", left_out);
	unfinished = true;
	assert(!(found[0] && was_out[0]) && !(found[1] && was_out[1])); /* a lock-out ends */
	out[0] = found[0]; out[1] = found[1];
	was_out[0] = found[0]; was_out[1] = found[1];
	bad[0] = bad[0] * 2; bad[1] = bad[1] * 2;
#ifdef MUTANT_WRITTEN_ON /* what the loader has found is put into the next boot's place */
	mark[0] = found[0]; mark[1] = found[1];
#else
	mark[0] = false; mark[1] = false;
#endif
	flush();
	found[0] = false; found[1] = false
}

proctype loader()
{
end:
	do
	:: atomic { phase == DOWN ->
			found[0] = memory[0]; found[1] = memory[1];
#ifdef MUTANT_READ_ONCE /* whatever comes of this boot */
			memory[0] = false; memory[1] = false;
#endif
			printf("## the loader has found marks %d %d\n", found[0], found[1]);
			phase = READ }
	:: atomic { phase == READ -> launch(); phase = UP }
	od
}

#ifndef TOLD
proctype power()
{
end:
	do
	:: atomic { resets < RESETS && phase != DOWN -> reset(true) }
	:: atomic { resets < RESETS && phase != DOWN -> reset(false) }
	od
}
#endif

init {
	atomic {
#ifdef TOLD
		read_told();
#else
		run clock();
		run power();
#endif
		run commits();
		run guest();
		run loader()
	}
}
