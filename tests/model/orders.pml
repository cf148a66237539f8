// SPDX-License-Identifier: Apache-2.0
/*
 * Orders of kind NOW: who may have one carried out, once, and when. docs/explanation/orders.md; standing ones:
 * standing.pml. A call holds the lock from its beginning to its end, so each is one step here: what others do happens
 * between two of them, and an order takes as many as it has slices.
 *
 * Three doors: root's port, anybody's VMCALL, the network. The first two share root's challenge. Two operators must have
 * signed. Of each challenge there are two files in the world: GOOD, which both have signed, if they wanted, and FORGED,
 * with two signatures by the same key, which is all that who has stolen one key can make.
 */
#include "steps.pml"
#include "told.pml"

#ifdef TOLD
#define CHALLENGES 60
#define FLIPS 1000
#undef word
#define word int
#endif
#ifndef CHALLENGES
#define CHALLENGES 3 /* that are ever made */
#endif
#ifndef BOOTS
#define BOOTS 2
#endif
#ifndef SLICES
#define SLICES 2 /* before the last */
#endif
#ifndef FLIPS
#define FLIPS 2 /* in a boot */
#endif

#ifndef DOORS
#define DOORS 2 /* root's, anybody's, the network's */
#endif
#ifdef NETWORK /* the last of them is the network's */
#define CHANNEL(door) ((door) == DOORS - 1)
#else
#define CHANNEL(door) 0
#endif

#define GOOD 1
#define FORGED 2

#define SYNC 1
#define FREEZE 2
#define STOP 3
#define RELEASE 4

/* The world: what was told, and signed. */
byte made, count; /* challenges, in all and in this boot */
byte boot = 1;
byte verb[CHALLENGES + 1];  /* of the order that bears this challenge; 0: nobody has signed one */
word bound[CHALLENGES + 1]; /* to this generation; 0: to any */
byte count_of[CHALLENGES + 1], boot_of[CHALLENGES + 1];
bool of_network[CHALLENGES + 1];
/* The core */
byte out[2];                                  /* the challenge of each channel; 0: none */
byte staged[DOORS], file[DOORS], done[DOORS]; /* the challenge it bears, which of the two, slices that are done */
byte waits[2];
word began[2];                                /* an order that waits for leaves and for its commit; generation then */
bool key[2] = true, frozen, leaf;             /* leaf: the orders' is here */
bool prepared;                                /* by an agent */
word generation = 1;
/* What must be so */
bool ended[CHALLENGES + 1]; /* this challenge: by an order, by another challenge, by its age, or with its kernel */
bool acted[CHALLENGES + 1], flipped[CHALLENGES + 1];
bool stands;                /* an operator has said so, and none has said RELEASE */
byte stops, era[CHALLENGES + 1], prepared_era;
word from[CHALLENGES + 1];
#ifdef ALONE
byte alone, last; /* calls at the last door, in turn, with the same GOOD order */
#endif

#ifdef MUTANT_OTHER_CHANNEL /* whosever challenge it is */
#define IS_OUT(c, id) (out[0] == (id) || out[1] == (id))
#elif defined(MUTANT_NO_BOOT) /* challenges are counted, and of which boot they are is not compared */
#define IS_OUT(c, id) (out[c] && count_of[out[c]] == count_of[id])
#else
#define IS_OUT(c, id) (out[c] == (id))
#endif
#ifdef MUTANT_BY_ADDRESS /* what was staged is known by its address */
#define SAME (staged[s] == id)
#else
#define SAME (staged[s] == id && file[s] == what)
#endif
#ifdef MUTANT_TWO_SIGNATURES /* of whichever keys */
#define QUORUM true
#else
#define QUORUM (file[s] == GOOD)
#endif

inline end_challenge(c)
{
	if
	:: out[c] -> printf("## challenge %d has ended\n", out[c]); ended[out[c]] = true; out[c] = 0
	:: else
	fi
}

/* One store makes a generation the running one, whoever asks; by = 0: an agent. */
inline flip(by, of_era)
{
	printf("## a flip, by order %d (0: by an agent)\n", by);
	assert(!stands);               /* frozen means that no generation changes */
	assert((of_era) == stops);     /* what a STOP has found is over, also when all is released */
	assert(!(by) || !flipped[by]); /* an order acts once */
	assert(!(by) || from[by] == generation); /* and on what was there when it was accepted */
	assert(!(by) || (key[0] && key[1])); /* by the word of who is an operator at this moment */
	flipped[by] = (by) != 0;
	generation++;
	prepared = false; /* beside the generation before: NL_ESTALE */
	prepared_era = 0;
	HAPPENED
}

inline carry_out(c, id)
{
	if
	:: verb[id] == SYNC -> waits[c] = id
	:: verb[id] == FREEZE -> frozen = true; stands = true
	:: verb[id] == STOP ->
		frozen = true;
		stands = true;
		stops++;
#ifndef MUTANT_STOP_FORGETS /* what waits for leaves goes on to do so */
		waits[0] = 0; waits[1] = 0; began[0] = 0; began[1] = 0;
#endif
		prepared = false;
		prepared_era = 0
	:: verb[id] == RELEASE -> frozen = false; stands = false
	fi
}

/* All its signatures are good. What was compared when it came may be otherwise by now. */
inline accept(id, what)
{
	if
	:: bound[id] && bound[id] != generation /* NL_EGENERATION */
#ifndef MUTANT_KEY_LATE /* a key counts that was one when its signature was looked at */
	:: !key[0] || !key[1] /* NL_EKEYREVOKED */
#endif
	:: frozen && verb[id] == SYNC /* NL_EFROZEN */
	:: else ->
		printf("## all signatures are good, and nothing speaks against it\n");
		assert(what == GOOD && verb[id]);         /* nothing acts that was not signed so */
		assert(key[0] && key[1]);                 /* nor without quorum */
		assert(!acted[id]);                       /* nor twice */
		assert(of_network[id] == CHANNEL(d));     /* nor by another channel's challenge */
		assert(boot_of[id] == boot);              /* nor by another boot's */
		printf("## order %d is accepted\n", id);
		acted[id] = true;
		era[id] = stops;
		from[id] = generation;
		began[CHANNEL(d)] = generation;
		waits[CHANNEL(d)] = 0; /* it takes the place of one that waits */
#ifndef MUTANT_NOT_SPENT
		end_challenge(CHANNEL(d));
#endif
		carry_out(CHANNEL(d), id);
		HAPPENED
	fi
}

inline unstage(x) { staged[x] = 0; file[x] = 0; done[x] = 0 }

#ifdef ALONE
inline answered()
{
	if
	:: d == DOORS - 1 -> alone = 0; last = 0
	:: else
	fi
}
inline presents()
{
	if
	:: d != DOORS - 1
	:: d == DOORS - 1 && what == GOOD && last == id -> alone++
	:: d == DOORS - 1 && what == GOOD && last != id -> alone = 1; last = id
	:: d == DOORS - 1 && what != GOOD -> answered()
	fi;
	assert(alone <= SLICES + 1) /* nobody at another door can keep who comes again and again from his answer */
}
#else
#define answered() skip
#define presents() skip
#endif

/* NL_CALL_ORDER: in the caller's page lies the order `what` that bears the challenge `id`. It is copied once; if it is
 * what is half checked at this door, that goes on by a slice. Each answer is one about these bytes. */
inline call()
{
	printf("## at door %d: the file of challenge %d, %d (1: as it was signed, 2: forged)\n", d, id, what);
	presents();
	if
#ifdef MUTANT_NOT_AGAIN /* the address is compared when it comes, and not again */
	:: !IS_OUT(CHANNEL(d), id) && !SAME ->
#else
	:: !IS_OUT(CHANNEL(d), id) ->
#endif
		assert(what == FORGED || ended[id] || of_network[id] != CHANNEL(d)); /* NL_ECHALLENGE: nobody has burnt it */
		answered()
	:: else ->
		if
		:: !SAME -> staged[s] = id; file[s] = what; done[s] = 0
		:: else
		fi;
#ifdef MUTANT_SPENT_EARLY /* before it is accepted */
		out[CHANNEL(d)] = 0;
#endif
		if
		:: done[s] < SLICES -> printf("## a slice\n"); done[s]++ /* the hash, a signature: NL_AGAIN */
		:: done[s] == SLICES ->
			assert(QUORUM == (what == GOOD)); /* NL_OK, or NL_EQUORUM */
			if
			:: QUORUM ->
#ifdef MUTANT_READ_TWICE /* it is done what the caller's page says by now */
				what = FORGED;
				accept(id, what)
#else
				accept(staged[s], file[s])
#endif
			:: else
			fi;
			unstage(s);
			answered()
		fi
	fi
}

/* Who comes to it: with any file that there can be, again and again. */
proctype door(byte d)
{
	byte id, what;
#ifdef MUTANT_ONE_STAGING /* for all doors */
	byte s = 0;
#else
	byte s = d;
#endif

end:
	do
	:: atomic { made ->
			select(id : 1 .. made);
			if
			:: verb[id] -> what = GOOD
#ifdef HONEST /* nobody has stolen a key */
			:: else
#else
			:: what = FORGED
#endif
			fi;
			if
			:: what -> call()
			:: else
			fi;
			id = 0;
			what = 0 }
	od
}

/* Whoever asks for a challenge shows it to the operators, who sign what they like, or nothing. */
inline ask(c)
{
	end_challenge(c);
	made++;
	count++;
	count_of[made] = count;
	boot_of[made] = boot;
	of_network[made] = c;
	out[c] = made;
	if
#ifdef TOLD
	:: verb[made] = event[told]
#else
	:: printf("## challenge %d: is signed by nobody\n", made); verb[made] = 0
	:: printf("## challenge %d: SYNC, on any generation\n", made); verb[made] = SYNC
	:: printf("## challenge %d: SYNC, on this generation\n", made); verb[made] = SYNC; bound[made] = generation
	:: printf("## challenge %d: FREEZE\n", made); verb[made] = FREEZE
	:: printf("## challenge %d: STOP\n", made); verb[made] = STOP
	:: printf("## challenge %d: RELEASE\n", made); verb[made] = RELEASE
#endif
	fi
}

proctype operators()
{
end:
	do
	:: atomic { made < CHALLENGES -> ask(0) }
#ifdef NETWORK
	:: atomic { made < CHALLENGES -> ask(1) }
#endif
	:: atomic { out[0] -> end_challenge(0) } /* too old, or its kernel has gone */
	:: atomic { out[1] -> end_challenge(1) }
	:: atomic { key[1] -> printf("## a key is revoked\n"); key[1] = false; /* a signed list, or a standing order */
#ifndef MUTANT_WAITS_REVOKED /* what it has signed, and what waits, is carried out all the same */
			waits[0] = 0; began[0] = 0;
			waits[1] = 0; began[1] = 0
#endif
		}
	od
}

/* An order that waits is committed when its leaves are there; or by the agent, whose TRY is asked the same. */
inline commit(c)
{
	if
#ifndef MUTANT_ANY_GENERATION /* it goes on, whatever was committed meanwhile */
	:: began[c] != generation /* NL_EGENERATION */
#endif
#ifndef MUTANT_FREEZE_AT_PREPARE
	:: frozen /* NL_EFROZEN */
#endif
	:: else -> flip(waits[c], era[waits[c]])
	fi;
	waits[c] = 0;
	began[c] = 0
}

inline reset(warm)
{
	printf("## a reset, %d (0: power-off)\n", warm);
	boot++;
	count = 0;
	end_challenge(0);
	end_challenge(1);
	d = 0;
	do
	:: d < DOORS -> unstage(d); answered(); d++
	:: else -> break
	od;
	d = 0;
	waits[0] = 0; began[0] = 0;
	waits[1] = 0; began[1] = 0;
	leaf = false;
	prepared = false;
	prepared_era = 0;
	generation = 1;
#ifdef MUTANT_FROZEN_FORGOTTEN /* it is not among what outlives a warm reset */
	frozen = false;
#else
	frozen = frozen && warm;
#endif
	stands = stands && warm
}

proctype machine()
{
	byte d;

end:
	do
	:: atomic { (waits[0] || waits[1]) && !leaf -> printf("## its leaves are here\n"); leaf = true } /* STAGE and VERIFY, of what such an order names */
	:: atomic { waits[0] && leaf && generation <= FLIPS -> commit(0) }
	:: atomic { waits[1] && leaf && generation <= FLIPS -> commit(1) }
	:: atomic { waits[0] -> printf("## order %d has waited too long\n", waits[0]); waits[0] = 0; began[0] = 0 } /* a minute has passed, or its deadline */
	:: atomic { waits[1] -> printf("## order %d has waited too long\n", waits[1]); waits[1] = 0; began[1] = 0 }
	:: atomic { !frozen && !prepared -> printf("## an agent prepares\n"); prepared = true; prepared_era = stops } /* an agent, by itself */
	:: atomic { prepared && generation <= FLIPS ->
			if
#ifndef MUTANT_FREEZE_AT_PREPARE /* who has prepared before may go on */
			:: frozen -> prepared = false; prepared_era = 0 /* NL_EFROZEN */
#endif
			:: else -> flip(0, prepared_era)
			fi }
	:: atomic { boot < BOOTS -> reset(true) }
	:: atomic { boot < BOOTS -> reset(false) }
	od
}

#ifdef TOLD
#define CAN (waits[0] && began[0] == generation && !frozen)
/* Of each order that was accepted its challenge is made when it is. */
proctype journal()
{
	byte d = 0;

end:
	do
	:: atomic { NEXT_IS(SYNC) && !frozen || NEXT_IS(FREEZE) || NEXT_IS(STOP) || NEXT_IS(RELEASE) ->
			ask(0);
			accept(made, GOOD) }
	:: atomic { NEXT_IS(EV_ENDED) && waits[0] -> waits[0] = 0; began[0] = 0; HAPPENED }
	:: atomic { (NEXT_IS(EV_OWN) || NEXT_IS(EV_AGENTS)) && CAN -> commit(0) }
	:: atomic { NEXT_IS(EV_AGENTS) && !frozen -> flip(0, stops) } /* as policy lets it */
	:: atomic { NEXT_IS(EV_STANDING) || NEXT_IS(EV_BACK) -> generation++; HAPPENED } /* also while all is frozen */
	:: atomic { NEXT_IS(EV_RESET) -> reset(true); HAPPENED }
	od
}
#endif

init {
	atomic {
#ifdef TOLD
		read_told();
		run journal()
#else
		run door(0);
		run door(1);
#if DOORS > 2
		run door(2);
#endif
		run operators();
		run machine()
#endif
	}
}
