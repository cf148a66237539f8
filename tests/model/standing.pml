// SPDX-License-Identifier: Apache-2.0
/*
 * Standing orders: their two places on the ESP, the floor in the machine's state, what outlives a warm reset, keys that
 * one order brings and the next is signed by, and power that goes between any two writes. docs/explanation/orders.md;
 * orders of kind NOW: orders.pml.
 *
 * An order is a number, which is its epoch. So are keys: the operators who sign at that time; a rotation brings the
 * next. Who writes the ESP for an operator does as the page says; guest root deletes besides, and puts things back.
 */
#include "steps.pml"

#ifndef ORDERS
#define ORDERS 4 /* that operators make, in turn */
#endif
#ifndef RESETS
#define RESETS 2
#endif
#ifndef EVILS
#define EVILS 1 /* what guest root does */
#endif

#define TWIN (ORDERS + 1)  /* another order of epoch 2, by a slip of the operators */
#define THIEF (ORDERS + 2) /* by the first keys, which were stolen when they had been rotated away */
#define TORN 15            /* of a place: power has gone while it was written */
#define EPOCH(o) ((o) == TWIN -> 2 : (o))
#define NOBODY 0 /* DISTRUST without TRUST */

/* The world */
byte made, by[THIEF + 1], to[THIEF + 1]; /* signed by these keys; behind it those are the operators' */
byte revoked;                            /* keys on the signed list */
byte resets, evils;
/* The ESP, and the machine's state */
byte place[2];
bool leaf[THIEF + 1];         /* the order's leaves are there, whole */
byte s_keys = 1, s_known; /* the operators, and the hash of the file that has made it so: its epoch is the floor */
/* nl_kept: whoever boots something else can write there, so it says nothing that lets anything in */
bool k_sound, k_frozen;
byte k_at; /* the epoch that was accepted when it was frozen */
/* The core, and in the loader what will be its */
byte keys, known, in_force, on;
bool frozen;
byte frozen_at;
byte rotation; /* the first order since the launch that has brought keys: the state's have signed it */
#define OFF 0
#define READ 1
#define MERGED 2
#define TOOK 3
#define WRITTEN 4
#define UP 5
byte phase = OFF;
/* Who writes the ESP: an order, into a place */
byte writes, at, wrote;
#define LEAVES 1
#define HALF 2
#define RECORD 3
#define TOLD 4
/* What must be so */
byte must;     /* in force at the next launch, or a newer one */
bool withheld; /* guest root has seen to it that it cannot be */
byte booted;   /* the highest floor that a boot has begun with */
bool stands;   /* frozen, by an order, and not released since the power came */
byte stood;    /* what was on when it was so */
byte second;   /* which order of epoch 2 a boot has taken */
byte newest;   /* keys of which a boot has heard */
bool stolen;   /* the first keys, once there were others */
bool suicide;  /* the list has revoked the operators' own keys */

#define COMPLETE(o) ((o) && (o) != TORN && leaf[o])
#define BARRED(k) (revoked && (k) == revoked)
#ifdef MUTANT_SAME_EPOCH /* the floor's own epoch will do */
#define NEWER(o) (EPOCH(o) >= EPOCH(known))
#else
#define NEWER(o) (EPOCH(o) > EPOCH(known))
#endif
#ifdef MUTANT_NO_HASH /* the order in force, too, must be signed by the operators that there are */
#define KNOWN(o) ((o) == known && by[o] == keys && !BARRED(by[o]))
#elif defined(MUTANT_PAST_LIST) /* what is known is known, whoever has signed it */
#define KNOWN(o) ((o) == known)
#else
#define KNOWN(o) ((o) == known && !BARRED(by[o]))
#endif
#ifdef MUTANT_LEAVES_NOBODY
#define SIGNED(o) (by[o] == keys && !BARRED(by[o]))
#else
#define SIGNED(o) (by[o] == keys && !BARRED(by[o]) && to[o] != NOBODY)
#endif
#ifdef MUTANT_FLOOR_EARLY /* before it is asked whether its leaves are there */
#define THERE(o) ((o) && (o) != TORN)
#else
#define THERE(o) COMPLETE(o)
#endif

#ifdef MUTANT_FROZEN_BACK /* nothing new at all, though it was accepted before the freeze */
#define MAY(o) (!frozen)
#else
#define MAY(o) (!frozen || EPOCH(o) <= frozen_at)
#endif

inline take(o)
{
	printf("## order %d is accepted: keys %d\n", o, to[o]);
	known = o;
	keys = to[o];
	stolen = stolen || keys > 1;
	in_force = (COMPLETE(o) -> o : 0)
}

/* A place is looked at, in PREPARE. */
inline consider(o)
{
	if
	:: COMPLETE(o) && KNOWN(o) -> printf("## order %d is known\n", o); in_force = o
	:: THERE(o) && (o) != known && NEWER(o) && SIGNED(o) && MAY(o) -> take(o)
	:: else
	fi
}

inline leave_behind()
{
	k_sound = true;
	k_frozen = frozen; k_at = frozen_at
}

inline assert_lawful()
{
	assert(EPOCH(known) >= booted); /* no way back behind a boot */
	assert(in_force == 0 || in_force == known);
	assert(keys != NOBODY);                             /* nobody is left without operators */
	assert(keys >= newest)                              /* nor do keys come back that were rotated away */
}

/* Who launches has what a boot before has had, or something newer. */
inline launch()
{
	printf("## launch: order %d in force (0: none), keys %d\n", in_force, keys);
	assert_lawful();
	assert(!in_force || !BARRED(by[in_force])); /* a revoked key has signed nothing, from the next boot on */
	assert(suicide || !BARRED(keys));           /* somebody is left who can sign */
	if
	:: must && !withheld && !BARRED(by[must]) -> assert(in_force && EPOCH(in_force) >= EPOCH(must))
	:: else
	fi;
#ifdef MUTANT_FROZEN_KEPT
	on = (frozen && in_force != stood -> 0 : in_force);
#else
	on = in_force;
#endif
	assert(frozen == stands);
	/* it is the set, over a reset, too; of two orders of one epoch guest root may choose */
	assert(!frozen || withheld || BARRED(by[stood]) || (on && EPOCH(on) == EPOCH(stood)) || !stood);
	stood = (frozen -> on : 0);
#ifndef MUTANT_FROZEN_LATER
	frozen_at = EPOCH(known);
#endif
	must = in_force;
	withheld = false;
	booted = EPOCH(known);
	newest = keys;
	if
	:: EPOCH(in_force) == 2 -> assert(!second || second == in_force); second = in_force
	:: else
	fi;
	leave_behind();
	phase = UP
}

#define RANK(o) ((o) == TORN -> 0 : EPOCH(o))

proctype loader()
{
	byte i;

end:
	do
	:: atomic { phase == OFF ->
			printf("## the state: floor %d, keys %d\n", EPOCH(s_known), s_keys);
			keys = s_keys; known = s_known;
			if
			:: k_sound -> printf("## nl_kept: frozen %d\n", k_frozen); frozen = k_frozen; frozen_at = k_at
			:: else
			fi;
#ifdef MUTANT_KEPT_ONCE /* it is read once, whatever comes of this boot */
			k_sound = false;
#endif
			phase = READ }
	:: atomic { phase == READ -> phase = MERGED }
	:: atomic { phase == MERGED -> /* the older one only where the newer does not do: it may bring its keys */
			i = (RANK(place[1]) > RANK(place[0]));
#ifndef MUTANT_OLDEST_FIRST
			consider(place[i]);
#endif
#ifndef MUTANT_NEWEST_ALONE
			if
			:: in_force != place[i] || !in_force -> consider(place[1 - i]); consider(place[i])
			:: else
			fi;
#endif
			i = 0;
			phase = TOOK }
	:: atomic { phase == TOOK ->
#ifndef MUTANT_FLOOR_LATE /* the floor does not rise before the launch */
			s_keys = keys; s_known = known;
#endif
			phase = WRITTEN }
	:: atomic { phase == WRITTEN -> launch() }
	od
}

/* Root of the guest has taken away what must be there. */
inline spoilt()
{
	withheld = withheld || (evils && (!COMPLETE(must) || (place[0] != must && place[1] != must) ||
		(rotation && (!COMPLETE(rotation) || (place[0] != rotation && place[1] != rotation)))))
}

/* By hypercall, with leaves that are there or were staged. */
inline accept(o, alone)
{
	if
#ifdef MUTANT_FROZEN_KEPT /* it takes the place of the one in force, and is not carried out */
	:: NEWER(o) && SIGNED(o) ->
#else
	:: NEWER(o) && SIGNED(o) && !frozen ->
#endif
		printf("## by hypercall: order %d is accepted, keys %d\n", o, to[o]);
		known = o;
		keys = to[o];
		in_force = o;
		on = (frozen -> on : o);
		assert_lawful();
		leave_behind();
		stolen = stolen || keys > 1;
		rotation = (to[o] != by[o] && !rotation -> o : rotation);
		must = o;
		withheld = alone || (withheld && rotation); /* what was withheld may have brought the keys of this one */
		spoilt()
	:: else
	fi
}

/* Not into the place of what is in force; nor of the order by which the state's keys lead to those of now. */
#ifdef MUTANT_PLACE_OVER
#define FREE(i) true
#elif defined(MUTANT_ROTATION_OVER)
#define FREE(i) (place[i] != in_force || !in_force)
#else
#define FREE(i) ((place[i] != in_force || !in_force) && (place[i] != rotation || !rotation))
#endif

/* Leaves, the record, the hypercall. */
proctype writer()
{
end:
	do
	:: atomic { phase == UP && !writes && made > EPOCH(known) ->
			if
			:: FREE(0) -> at = 0; writes = made
			:: FREE(1) -> at = 1; writes = made
			:: else
			fi }
	:: atomic { phase == UP && writes && wrote == 0 ->
#ifdef MUTANT_TOLD_FIRST
			accept(writes, false);
#endif
#ifndef MUTANT_LEAVES_LAST
			printf("## leaves of order %d\n", writes);
			leaf[writes] = true;
#endif
			wrote = LEAVES }
	:: atomic { phase == UP && wrote == LEAVES ->
			printf("## place %d is torn\n", at);
			place[at] = TORN; wrote = HALF }
	:: atomic { phase == UP && wrote == HALF ->
			printf("## order %d is in place %d\n", writes, at);
			place[at] = writes; wrote = RECORD }
	:: atomic { phase == UP && wrote == RECORD -> accept(writes, false); wrote = TOLD }
	:: atomic { phase == UP && wrote == TOLD ->
			leaf[writes] = true; /* long since */
			writes = 0;
			wrote = 0;
			at = 0 }
	od
}

/* They look at who is an operator by the core's word. */
proctype operators()
{
end:
	do
	:: atomic { phase == UP && made < ORDERS ->
			made++;
			by[made] = keys;
			if
			:: printf("## order %d, signed by keys %d, brings no other keys\n", made, keys); to[made] = keys
			:: printf("## order %d, signed by keys %d, brings the next keys\n", made, keys); to[made] = keys + 1
			:: printf("## order %d, signed by keys %d, brings no keys any more\n", made, keys); to[made] = NOBODY
			fi;
			if
			:: made == 2 -> by[TWIN] = keys; to[TWIN] = keys
			:: else
			fi }
#ifdef MUTANT_REVOKED_EARLY /* before a boot has heard of the keys that came in their place */
	:: atomic { phase == UP && !revoked ->
#else
	:: atomic { phase == UP && !revoked && !rotation ->
#endif
			select(revoked : 1 .. keys);
			printf("## the list revokes keys %d\n", revoked);
			suicide = (revoked == keys) }
	:: atomic { phase == UP && !frozen -> printf("## frozen\n"); frozen = true; frozen_at = EPOCH(known); stands = true; stood = on; leave_behind() }
	:: atomic { phase == UP && frozen -> printf("## released\n"); frozen = false; stands = false; stood = 0; leave_behind() }
	od
}

/* Root of the guest: files that are gone, or old, and an order that never comes to the ESP. */
proctype root()
{
	byte o, i;

end:
	do
	:: atomic { phase == UP && evils < EVILS ->
			evils++;
			if
			:: select(o : 0 .. made)
			:: made >= 2 -> o = TWIN
			:: stolen -> o = THIEF
			fi;
			select(i : 0 .. 1);
			if
			:: o || place[i] -> printf("## place %d: order %d (0: deleted)\n", i, o); place[i] = o
			:: o && o <= ORDERS && leaf[o] -> printf("## leaves of order %d deleted\n", o); leaf[o] = false
			:: o && NEWER(o) -> printf("## not on the ESP\n"); accept(o, true)
			:: else
			fi;
			spoilt();
			o = 0; i = 0 }
	od
}

inline reset()
{
	resets++;
	phase = OFF;
	keys = 0; known = 0; in_force = 0; on = 0; frozen = false; frozen_at = 0; rotation = 0;
	writes = 0; at = 0; wrote = 0
}

proctype power()
{
end:
	do
	:: atomic { resets < RESETS && phase != OFF -> printf("## a warm reset\n"); reset() }
	:: atomic { resets < RESETS && (phase != OFF || k_sound) ->
			printf("## power-off\n");
			reset();
			k_sound = false; k_frozen = false; k_at = 0;
			stands = false; stood = 0 }
	od
}

init {
	atomic {
		by[THIEF] = 1; to[THIEF] = 1;
		leaf[TWIN] = true; leaf[THIEF] = true;
		run loader();
		run writer();
		run operators();
		run root();
		run power()
	}
}
