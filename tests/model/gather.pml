// SPDX-License-Identifier: Apache-2.0
/*
 * The agent's gather, guest-agent/linux_gather.c: one word of round, phase and how many have arrived. The caller's
 * thread calls, all say that they can be had, all spin, and the last to arrive acts. A member's CPU may be somebody
 * else's at any time, so it takes each step when it likes; the limits may pass at any moment.
 */
#include "steps.pml"

#ifndef N
#define N 3
#endif
#ifndef GATHERS
#define GATHERS 2
#endif

#define CALLING 0
#define GATHERING 1
#define ACTING 2
#define OVER 3

byte round, phase = OVER, arrived; /* the word */
bool inside[N];                    /* arrived, and spins: in user mode, with interrupts on */
byte in_round[N], said[N];         /* the round in which it arrived, and the one in which it could be had */
byte acted;    /* in this gather */
bool stop;

#ifdef MUTANT_NO_ROUND /* the round is not in the word that is compared */
#define SAME (phase == p && arrived == a)
#else
#define SAME (round == r && phase == p && arrived == a)
#endif

inline load() { atomic { r = round; p = phase; a = arrived } }

inline answer_call()
{
	do
	:: load();
		if
		:: p != CALLING || r != mine -> break
		:: else ->
			if
			:: atomic { SAME ->
					said[me] = mine;
					if
					:: a + 1 == N ->
						do /* who begins the gathering has heard of all */
						:: i < N -> assert(said[i] == round); i++
						:: else -> break
						od;
						i = 0;
						round++; phase = GATHERING; arrived = 0
					:: else -> arrived++
					fi }
				break
			:: atomic { !SAME }
			fi
		fi
	od
}

/* The last one acts: all are here, of this round, and stay until it is over. */
inline act()
{
	atomic {
		acted++;
		assert(acted == 1);
		i = 0;
		do
		:: i < N -> assert(inside[i] && in_round[i] == mine); i++
		:: else -> break
		od;
		i = 0
	}
	atomic {
		do
		:: i < N -> assert(inside[i] && in_round[i] == mine); i++
		:: else -> break
		od;
		i = 0
	}
	atomic { round = mine; phase = OVER; arrived = N }
}

inline spin()
{
	do
	:: load();
		if
		:: r != mine || p == OVER -> break
		:: r == mine && p == GATHERING -> /* its own limit has passed */
#ifdef MUTANT_GIVES_UP_BLINDLY /* by a store: whatever has happened meanwhile */
			atomic { phase = OVER }
#else
			atomic {
				if
				:: SAME -> phase = OVER
				:: else
				fi
			}
#endif
		:: r == mine && p != OVER -> (!SAME) /* pause */
		fi
	od;
	inside[me] = false
}

inline take_part()
{
	load();
	if
	:: p == CALLING -> answer_call()
	:: else ->
		do
		:: load();
			if
			:: p != GATHERING || r != mine -> break
			:: p == GATHERING && r == mine ->
				if
				:: atomic { SAME ->
						arrived++;
						inside[me] = true;
						in_round[me] = mine;
						if
#ifdef MUTANT_NO_ACTING /* a gathering goes on while the last one acts: somebody may give it up */
						:: arrived == N -> last = true
#else
						:: arrived == N -> phase = ACTING; last = true
#endif
						:: else
						fi }
					if
					:: last -> act(); last = false
					:: else
					fi;
					spin();
					break
				:: atomic { !SAME }
				fi
			fi
		od
	fi
}

proctype member(byte me)
{
	byte r, p, a, i, mine, done;
	bool last;

end:
	do
	:: atomic { !stop && round != done -> mine = round }
		take_part();
		done = mine
	:: stop -> break
	od
}

proctype caller()
{
	byte me, r, p, a, i, mine, gathers;
	bool last, ok;

	do
	:: gathers < GATHERS ->
		gathers++;
		acted = 0;
		atomic { round++; phase = CALLING; arrived = 0; mine = round } /* next_round */
		answer_call();
		do /* await_call: all can be had, or the limit passes */
		:: load();
			if
			:: r != mine || p != CALLING -> ok = true; break
			:: r == mine && p == CALLING ->
				if
				:: atomic { SAME -> phase = OVER; ok = false }
					break
				:: atomic { !SAME }
				fi
			fi
		od;
		mine = mine + ok;
		take_part();
		atomic {
			assert((arrived == N) == (acted == 1)); /* it says what has happened */
			assert(phase == OVER)
		}
	:: gathers == GATHERS -> break
	od;
	stop = true
}

init {
	byte i = 1;

	atomic {
		run caller();
		do
		:: i < N -> run member(i); i++
		:: else -> break
		od
	}
}
