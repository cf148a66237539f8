// SPDX-License-Identifier: Apache-2.0
/*
 * A module, its frame, and the parts of a body: who may write where, and what is used again when. hv/commit/module.c,
 * hv/leaf/bind.c, hv/leaf/room.c, and of hv/commit/commit.c what is about modules. The freeze and the lock are guards
 * here: a window is one step, in which the guest stands still, and what is done for the hook is one to all but the
 * guest's other CPUs.
 *
 * The first CPU loads and unloads, the second is the agent's, the third executes the module's code, and tells of another
 * module. Frames and addresses are used again at once, in any combination.
 */
#include "steps.pml"

#ifndef INSTANCES
#define INSTANCES 2 /* of the module, in all */
#endif
#ifndef FLIPS
#define FLIPS 2
#endif
#ifndef SWEEPS
#define SWEEPS 1
#endif
#ifndef LIES
#define LIES 1 /* the guest goes through our hook when no module comes or goes */
#endif
#define FRAMES 2
#ifndef PARTS
#define PARTS 2 /* or 1 */
#endif

#define ABSENT 0  /* or not in the list yet, or freed */
#define COMING 1  /* the notifiers have not been called */
#define TOLD 2    /* they have, and nothing has run */
#define LIVE 3
#define LEAVING 4 /* its exit function runs, or its last work */
#define GONE 5    /* the notifiers know, its memory is still its own */

#define UNUSED 0 /* parts of bodies in the arena */
#define BOUND 1
#define STALE 2 /* left behind */

/* The guest's module: one at a time has the name. */
byte life, instance, frame;
bool va;                /* of struct module: one of two */
byte owner[FRAMES];     /* instance whose text it holds; 0: anybody else's */
byte bytes[FRAMES];     /* at the site: 0 the module's own, else p + 1: a jump to part p */
bool telling;           /* notifiers are being called: the list is in use */
byte inside, from;      /* part, plus 1, in which the third CPU is; of which instance */
bool linked;            /* our block is in the list */
/* The leaf's entry, and the transaction */
bool lock, on, ever_applied, unpatched, next, stale;
bool bound, b_va;
byte b_frame, b_part;
bool plan_site; /* the plan of PREPARE has a site in the module: in this frame */
byte plan_frame;
byte part_state[2], part_of[2]; /* part_of: the instance that was in it first, with its data */
bool part_va[2];                    /* the place it was relocated for */
byte flips, sweeps, lies;

#define FOUND (life == COMING || life == TOLD || life == LIVE)
#define ABOUT_TO_COME (life == COMING || life == TOLD)
#ifdef MUTANT_NO_AT_HOME /* what is at the old address is what was there */
#define SAME (FOUND && b_va == va)
#else
#define SAME (FOUND && b_va == va && b_frame == frame)
#endif
#define WRITTEN (bytes[b_frame] == b_part + 1)

/* The module's code jumps into a part: one that is its own, relocated for where it is, and with no other's data. */
inline enter_part(p)
{
	assert(lies || (part_state[p] != UNUSED && part_va[p] == va && (part_of[p] == 0 || part_of[p] == instance)));
	part_of[p] = instance
}

/* The core writes to a frame of the guest's: one that the module owns, which is not on its way out. */
inline write_site(at, value)
{
	assert(owner[at] == instance && FOUND && frame == at);
	bytes[at] = value
}

inline unbind()
{
	if
	:: bound ->
		if
#ifdef MUTANT_REUSE_AT_ONCE /* of a part that nobody enters any more, whoever is inside */
		:: part_state[b_part] = UNUSED
#else
		:: ever_applied -> part_state[b_part] = STALE
		:: !ever_applied -> part_state[b_part] = UNUSED
#endif
		fi;
		bound = false; b_va = 0; b_frame = 0; b_part = 0
	:: else
	fi
}

/* nl_bind: what is gone is forgotten, what is there and may be is bound */
inline bind(may)
{
	if
	:: bound && SAME
	:: else ->
		unbind();
		if
		:: FOUND && (may) && (part_state[0] == UNUSED || (PARTS > 1 && part_state[1] == UNUSED)) ->
			bound = true; b_va = va; b_frame = frame;
			b_part = (part_state[0] == UNUSED -> 0 : 1);
			part_state[b_part] = BOUND;
			part_of[b_part] = 0;
			part_va[b_part] = va
		:: else -> failed = FOUND && (may) /* NL_EARENA */
		fi
	fi
}

inline drop_told()
{
#ifndef MUTANT_NO_DROP
	stale = stale || next;
	next = false
#else
	skip
#endif
}

/* nl_commit_told for the hook of this module: coming, or going */
inline told(coming)
{
	drop_told();
	if
	:: !on -> unbind()
	:: on ->
		failed = false;
		if
#ifdef MUTANT_NO_FORGET /* one that goes is left to the next look */
		:: false
#else
		:: bound && b_va == va && ((coming) -> !WRITTEN : (!FOUND || ABOUT_TO_COME)) -> unbind()
#endif
		:: else
		fi;
#ifdef MUTANT_BELIEVES /* what the hook says is so */
		bind(coming);
#else
		bind((coming) && ABOUT_TO_COME);
#endif
		if
		:: bound && !WRITTEN && bytes[b_frame] == 0 ->
			assert(life == COMING || (lies && ABOUT_TO_COME)); /* nobody has run it: no stop is needed */
			write_site(b_frame, b_part + 1)
		:: bound && !WRITTEN && bytes[b_frame] != 0 -> unbind(); unpatched = true
		:: else
		fi;
		unpatched = unpatched || failed;
		failed = false
	fi;
	assert((coming) || lies || !bound || b_va != va) /* it is forgotten before its memory is anybody's */
}

/* The kernel calls its notifiers; ours is the first of them, if it is in the list by now. */
inline notify(coming)
{
	telling = true;
	if
	:: linked ->
		atomic { !lock -> lock = true };
		if
		:: coming -> STEP_ANY(0, STEP_COMES)
		:: !coming -> STEP_ANY(0, STEP_GOES)
		fi;
		atomic { told(coming) };
		STEP_ANY(0, STEP_SETTLE);
		lock = false
	:: !linked
	fi;
	telling = false
}

/* The first instruction of its own. A leaf that is on is there by then, or says that it is not. */
inline runs_first()
{
	assert(!on || unpatched || lies || bytes[frame] != 0)
}

inline release_module()
{
	atomic { life = ABSENT; owner[frame] = 0; frame = 0; unpatched = false }
}

active proctype loader()
{
	bool failed;

	do
	:: atomic { instance < INSTANCES ->
			instance++;
			if
			:: owner[0] == 0 -> frame = 0
			:: owner[1] == 0 -> frame = 1
			fi;
			if
			:: va = 0
			:: va = 1
			fi;
			owner[frame] = instance; bytes[frame] = 0;
			life = COMING }
		notify(true);
		if
		:: atomic { true -> life = TOLD }; /* its parameters or its initialiser fail, or a notifier refuses */
			notify(false);
			release_module()
		:: atomic { true -> life = LIVE; runs_first() };
			if
			:: true -> break /* stays for good */
			:: life = LEAVING;
				if
				:: bytes[frame] -> /* its exit function is patched */
					atomic { enter_part(bytes[frame] - 1) }
				:: else
				fi;
				notify(false);
				life = GONE;
				release_module()
			fi
		fi
	:: instance == INSTANCES -> break
	od
end:
	false
}

inline stands() /* nl_bind_stands */
{
	if
#ifdef MUTANT_NO_STAND /* modules are what they were when the plan was made */
	:: true -> ok = true
#else
	:: bound -> ok = SAME
	:: !bound -> ok = (on || !FOUND)
#endif
	fi
}

active proctype agent()
{
	bool ok, failed;

end:
	do
	:: atomic { !lock -> lock = true }
		if
		:: atomic { on -> bind(false) } /* status: nl_registry_note */
		:: atomic { !on && !next -> bind(true); failed = false } /* verify */
		:: STEP(1, STEP_PREPARE, 0);
			atomic {
				next = false; stale = false; failed = false;
				bind(!on);
				next = !failed && (!bound || bytes[b_frame] == (on -> b_part + 1 : 0));
				failed = false;
				plan_site = next && bound;
				plan_frame = (next && bound -> b_frame : 0)
			}
			STEP_ANY(1, STEP_PREPARED)
		:: next && flips < FLIPS ->
			atomic { /* window: the guest stands still */
				stands();
				ok = ok && (!bound || bytes[b_frame] == (on -> b_part + 1 : 0));
				ok = ok && (on || linked || !telling); /* NL_AGAIN: somebody is being told */
				if
				:: ok ->
#ifndef MUTANT_LINK_LATER
					linked = linked || !on;
#endif
					if
					:: plan_site && bound -> write_site(plan_frame, (on -> 0 : b_part + 1))
					:: else
					fi;
					on = !on; ever_applied = true; next = false; unpatched = false; flips++
				:: else -> next = false
				fi;
				plan_site = false; plan_frame = 0; ok = false
			}
#ifdef MUTANT_LINK_LATER /* the block is linked when the leaf is on */
			linked = linked || on
#endif
		:: true
		fi;
		lock = false
	od
}

/* Another CPU executes the module's code, which may lead it into a part; and it may stay there while the module goes.
 * Its hook for another module that comes sweeps what was left behind. */
active proctype other()
{
	bool failed;

end:
	do
	:: atomic { inside == 0 && (life == LIVE || life == LEAVING) ->
			if
			:: bytes[frame] ->
				inside = bytes[frame];
				from = instance;
				enter_part(inside - 1)
			:: else
			fi }
	:: atomic { inside -> assert(lies || part_of[inside - 1] == from) } /* what it executes is what it went into */
		if
		:: atomic { inside = 0; from = 0 }
		:: true
		fi
	:: atomic { linked && !lock && lies < LIES ->
			lies++;
			if
			:: told(true)
			:: told(false)
			fi }
	:: atomic { sweeps < SWEEPS && linked && !lock ->
			sweeps++;
			if
#ifndef MUTANT_SWEEP_LEAVING /* one that goes may enter yet what it has left behind */
			:: life == LEAVING
			:: life != LEAVING ->
#else
			:: true ->
#endif
				if
#ifdef MUTANT_SWEEP_BLIND /* whoever is inside */
				:: part_state[0] == STALE -> part_state[0] = UNUSED
#else
				:: part_state[0] == STALE && inside != 1 -> part_state[0] = UNUSED
#endif
				:: else
				fi;
				if
				:: part_state[1] == STALE && inside != 2 -> part_state[1] = UNUSED
				:: else
				fi
			fi }
	od
}
