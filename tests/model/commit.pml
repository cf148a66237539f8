// SPDX-License-Identifier: Apache-2.0
/*
 * Generations: which root, table or frame may be used again when. hv/commit/generation.c, what hv/commit/commit.c and
 * gone.c do with it, the pool. The freeze is a guard here (freeze.pml is about
 * it): the flip waits until every CPU that runs is where it can be held.
 *
 * There are two pages, each with a leaf of its own. A view is a root and, for each page, the frame that is shown: one of
 * the pool's, or HOME, the guest's own. What was allocated last was free first: the pool reuses as soon as it can.
 */
#include "steps.pml"

#ifndef N
#define N 3
#endif
#ifndef GENERATIONS
#define GENERATIONS 4 /* the last that is made */
#endif
#ifndef POOL
#define POOL 6 /* pages of it, from 1 */
#endif

#define HOME 0
#define NONE 3 /* of three slots */

bool lock;
bool used[POOL + 1]; /* pages of the pool */
/* generations[3] of generation.c, and tx of commit.c */
byte current, retired = NONE, next = NONE, published;
byte generation[3], root_of[3], page0[3], page1[3];
bool on0, on1, next0, next1; /* applied: of the current one, and of the next */
byte draft;
byte kernels;
#ifdef CORE
/* Two callers: an agent, by calls on the first CPU, and the core for itself, on the second CPU's way into the guest. */
#define AGENT 1
#define ITSELF 2
byte owner;  /* of what is prepared */
bool strict; /* its plan has everybody's stack in mind: the core's own commits are all so */
bool half;   /* more calls of PREPARE are due */
bool stale;  /* the agent's has gone, and it is to be told so */
bool thinks; /* the agent was told that it has prepared, or half */
#define OWN_HALF(who) (next != NONE && half && owner == (who))
#else
#define AGENT 1
#endif
/* CPUs */
byte root[N], root_generation[N], tlb[N]; /* tlb: frame cached for page 0, plus 1; 0: none */
bool runs[N], guest[N], holds[N];         /* holds: it is where it would be held */
bool stopped_once;
bool frozen;
/* What is in page 0, by frame, and what its owner, the guest, has written there last. */
bool content[POOL + 1], truth;
bool written;

inline allocate(page)
{
	page = 1;
	do
	:: page <= POOL && used[page] -> page++
	:: else -> break
	od;
	if
	:: page <= POOL -> used[page] = true
	:: else -> page = 0
	fi
}

inline free(page)
{
	assert(used[page]); /* nl_pool_release panics */
	used[page] = false
}

/* nl_generation_release: frames and tables that the current one does not use */
inline generation_release(g)
{
	d_step {
		if
#ifdef MUTANT_RELEASE_SHARED /* whether the current one shows it or not */
		:: page0[g] != HOME -> free(page0[g])
#else
		:: page0[g] != HOME && page0[g] != page0[current] -> free(page0[g])
#endif
		:: else
		fi;
		if
		:: page1[g] != HOME && page1[g] != page1[current] -> free(page1[g])
		:: else
		fi;
		free(root_of[g]);
		page0[g] = 0; page1[g] = 0; root_of[g] = 0; generation[g] = 0
	}
}

/* Nobody's page is lost: what is used is what the generations show. */
inline assert_no_leak()
{
	d_step {
		t = 1;
		do
		:: t <= POOL ->
			assert(used[t] == (t == root_of[0] || t == root_of[1] || t == root_of[2] ||
				t == page0[0] || t == page0[1] || t == page0[2] ||
				t == page1[0] || t == page1[1] || t == page1[2]));
			t++
		:: else -> break
		od;
		t = 0
	}
}

inline drop()
{
	if
#ifndef MUTANT_DROP_FORGETS
	:: next != NONE -> generation_release(next); next = NONE; next0 = false; next1 = false
#else
	:: next != NONE ->
		d_step { root_of[next] = 0; page0[next] = 0; page1[next] = 0; generation[next] = 0; next = NONE }
#endif
	:: else
	fi;
	assert_no_leak()
}

/* reclaim: each CPU's word is read in its turn; ok = false: NL_AGAIN */
inline reclaim()
{
	ok = true;
	if
	:: retired != NONE ->
		i = 0;
		do
		:: atomic { i < N ->
				if
#ifdef MUTANT_ROOT_EARLY /* whoever may have it loaded */
				:: false
#else
				:: runs[i] && root_generation[i] < generation[current] -> ok = false
#endif
				:: else
				fi;
				i++ }
		:: else -> break
		od;
		i = 0;
		if
		:: ok -> atomic { generation_release(retired); retired = NONE }
		:: else
		fi
	:: else
	fi
}

/* nl_generation_fork into `next`; ok */
inline fork()
{
	reclaim();
	if
	:: ok ->
		atomic {
			t = 0;
			do
			:: t == current -> t++
			:: else -> break
			od;
			allocate(root_of[t]);
			if
			:: root_of[t] == 0 -> ok = false
			:: else ->
				generation[t] = generation[current] + 1;
				page0[t] = page0[current];
				page1[t] = page1[current];
				next = t
			fi;
			t = 0
		}
	:: else
	fi
}

#ifdef CORE
/* Whoever comes drops what the other has prepared; the agent will hear of it. */
#ifdef MUTANT_STALE_FORGOTTEN /* as by another PREPARE of its own */
#define DROP_FOR(who) drop(); atomic { stale = false; owner = 0; strict = false; half = false }
#else
#define DROP_FOR(who) drop(); atomic { \
	stale = (stale || owner == AGENT) && (who) != AGENT; owner = 0; strict = false; half = false }
#endif
#define MADE(who) atomic { owner = (who); strict = ((who) == ITSELF); if :: half = true :: half = false fi }
#else
#define DROP_FOR(who) drop()
#define MADE(who) skip
#endif

/* nl_commit_prepare: one of the leaves is to change its state. Pages that get a leaf get a fresh frame; those without
 * one go home, also if a former kernel's leaf has left them. */
inline prepare(who)
{
	DROP_FOR(who);
	fork();
	if
	:: ok ->
		MADE(who);
		atomic { /* build_generation: the tables on the way are copied as the current view has them */
			if
			:: next0 = !on0; next1 = on1
			:: next0 = on0; next1 = !on1
			fi;
			if
			:: !next0 -> page0[next] = HOME
			:: next0 && !on0 -> allocate(draft); page0[next] = draft; ok = (draft != 0)
			:: else
			fi;
			if
			:: !next1 -> page1[next] = HOME
			:: next1 && !on1 -> allocate(draft); page1[next] = draft; ok = (ok && draft != 0)
			:: else
			fi;
			draft = 0;
#ifdef MUTANT_COPY_EARLY /* contents are copied while the guest runs */
			content[page0[next]] = content[page0[current]]
#endif
		}
		if
		:: !ok -> drop()
		:: else
		fi
	:: else
	fi;
	ok = false
}

/* What every CPU has to be: nobody executes, nobody is on its way from the compare of the root to the entry. */
#define OUT(i) ((i) == me || !runs[i] || holds[i])
#if N == 2
#define ALL_OUT (OUT(0) && OUT(1))
#else
#define ALL_OUT (OUT(0) && OUT(1) && OUT(2))
#endif

/* nl_freeze: NL_AGAIN leaves everybody as he was */
inline freeze()
{
	if
	:: atomic { ALL_OUT -> frozen = true; ok = true }
	:: ok = false
	fi
}

inline window_copy()
{
	atomic { /* nl_window_build, nl_window_fold */
		if
		:: page0[next] != page0[current] ->
#if !defined(MUTANT_COPY_EARLY) && !defined(MUTANT_NO_FOLD)
			content[page0[next]] = content[page0[current]]
#elif defined(MUTANT_NO_FOLD) /* what goes home shows what was there before the leaf came */
			if
			:: page0[next] != HOME -> content[page0[next]] = content[page0[current]]
			:: else
			fi
#else
			skip
#endif
		:: else
		fi
	}
}

inline turn()
{
	d_step { retired = current; current = next; next = NONE; on0 = next0; on1 = next1; next0 = 0; next1 = 0 }
}

#ifndef CORE
#define MINE(who) true
#define assert_mine(who) skip
#define settled() skip
#else
#ifdef MUTANT_WHOSEVER /* what is prepared is prepared */
#define MINE(who) (!half)
#elif defined(MUTANT_HALF_TRIED)
#define MINE(who) (owner == (who))
#else
#define MINE(who) (owner == (who) && !half)
#endif
inline assert_mine(who)
{
	assert(owner == (who) && !half && strict == ((who) == ITSELF)) /* nobody commits what another has asked for */
}
inline settled() { owner = 0; strict = false; half = false }
#endif

inline try(who)
{
	if
	:: next != NONE && MINE(who) ->
		freeze();
		if
		:: ok ->
			if
			:: window_copy();
				atomic {
					STEP(me, STEP_FLIP, generation[next]);
					assert_mine(who);
					published = next
				}
			:: ok = false
			fi;
			frozen = false;
			if
			:: ok ->
				atomic { turn(); settled() };
#ifdef MUTANT_RELEASE_AT_ONCE /* the old one goes when the flip was made */
				atomic { generation_release(retired); retired = NONE };
#endif
				STEP(me, STEP_SETTLE, generation[current])
			:: else
			fi
		:: else
		fi;
		if
		:: !ok && next != NONE -> drop(); settled() /* the deadline has passed, or bytes are not what they should be */
		:: true                   /* NL_AGAIN */
		fi
	:: else /* NL_ESTATE, NL_ESTALE */
	fi;
	ok = false
}

#ifdef CORE
/* PREPARE of a large generation is several calls; what another has half made is no half of this one. */
inline go_on(who)
{
	if
#ifdef MUTANT_HALF_SHARED /* of the same leaves */
	:: next != NONE && half -> atomic { stale = (stale || owner == AGENT) && (who) != AGENT; half = false; owner = (who) }
#else
	:: OWN_HALF(who) -> half = false
#endif
	:: else -> prepare(who)
	fi
}

inline agent_prepares()
{
	atomic { thinks = false };
	go_on(AGENT);
	atomic { thinks = (next != NONE); stale = false }
}

inline agent_tries()
{
	if
	:: atomic { thinks && !(next != NONE && owner == AGENT) ->
			assert(stale); /* NL_ESTALE: by its name */
			thinks = false; stale = false }
	:: else -> try(AGENT); atomic { thinks = (next != NONE && owner == AGENT) }
	fi
}

/* nl_order_due: who has the lock is not waited for. */
inline core_commits()
{
	if
	:: atomic { !lock -> lock = true }
		if
		:: generation[current] < GENERATIONS -> go_on(ITSELF)
		:: next != NONE -> try(ITSELF)
		fi;
		lock = false
	:: lock
	fi
}
#endif

/* nl_commit_kernel_gone: no leaf is on any more, and copies go home. Nobody is asked: the other CPUs of a kernel that
 * has gone execute nothing, which is what the guard says here. There the turn comes before the store. */
inline gone()
{
	DROP_FOR(ITSELF);
	fork();
	if
	:: ok ->
		atomic { page0[next] = HOME; page1[next] = HOME }
		next0 = false; next1 = false;
		freeze();
		if
		:: ok ->
			window_copy();
			turn();
			STEP(me, STEP_FLIP, generation[current]);
			published = current;
			frozen = false
		:: else -> drop()
		fi
	:: else
	fi;
	ok = false
}

inline hypercall()
{
	view = published; /* c.caller walks by it until the answer is written */
	g = generation[view];
	if
	:: atomic { !lock -> lock = true }
		if
#ifdef CORE
		:: generation[current] < GENERATIONS -> agent_prepares()
		:: thinks || next != NONE -> agent_tries()
		:: next != NONE && owner == AGENT -> drop(); settled(); thinks = false
#else
		:: generation[current] < GENERATIONS ->
			STEP(me, STEP_PREPARE, 0); prepare(AGENT); STEP_ANY(me, STEP_PREPARED)
		:: next != NONE -> try(AGENT)
		:: drop() /* ABANDON */
#endif
		:: reclaim(); ok = false /* STAGE, FACTS */
		fi;
		lock = false
	:: lock
	fi;
	assert(generation[view] == g && used[root_of[view]]); /* the answer is written: outside of the lock */
	view = 0; g = 0
}

/* One access of the guest to page 0, by what is cached or by a walk. */
inline access()
{
	atomic {
		assert(used[root[me]] && root[me] == root_of[published] && root_generation[me] == generation[published]);
		if
		:: tlb[me] == 0 -> tlb[me] = page0[published] + 1
		:: else
		fi;
		assert(tlb[me] - 1 == page0[published]);          /* nothing of another generation */
		assert(tlb[me] == 1 || used[tlb[me] - 1]);        /* nor what is somebody else's meanwhile */
		assert(content[tlb[me] - 1] == truth);            /* and nothing that was written is lost */
		if
		:: !written -> written = true; truth = !truth; content[tlb[me] - 1] = truth
		:: true
		fi
	}
}

#ifdef CORE
#define HYPERCALL if :: me == 0 -> hypercall() :: else fi
#else
#define HYPERCALL if :: me < 2 -> hypercall() :: else fi
#endif

proctype cpu(byte me)
{
	byte i, t, view, g;
	bool ok;

entry:
	atomic { holds[me] = true }
	atomic { !frozen -> holds[me] = false } /* nl_quiesce_answer */
#ifdef CORE
	if
	:: me == 1 -> core_commits(); goto entry
	:: true
	fi;
#endif
	atomic {
		if
#ifdef MUTANT_NO_FLUSH
		:: root_generation[me] != generation[published] ->
			root[me] = root_of[published]; root_generation[me] = generation[published]
#else
		:: root_generation[me] != generation[published] ->
			root[me] = root_of[published]; root_generation[me] = generation[published]; tlb[me] = 0
#endif
		:: else
		fi
	}
	guest[me] = true;
end_guest:
	if
	:: access(); goto end_guest
	:: guest[me] = false
	:: guest[me] = false; HYPERCALL
	:: me == 1 && (on0 || on1) && kernels == 0 && generation[current] < GENERATIONS ->
		kernels++;
		guest[me] = false;
		atomic { !lock -> lock = true };
		gone();
		lock = false
	:: me == N - 1 && !stopped_once -> /* INIT, and SIPI */
		atomic { guest[me] = false; stopped_once = true; runs[me] = false };
end_sipi:
		atomic { tlb[me] = 0; runs[me] = true }
	fi;
	goto entry
}
init {
	atomic {
		root_of[0] = 1; used[1] = true; generation[0] = 1;
		root[0] = 1; root_generation[0] = 1; runs[0] = true; run cpu(0);
		root[1] = 1; root_generation[1] = 1; runs[1] = true; run cpu(1);
#if N > 2
		root[2] = 1; root_generation[2] = 1; runs[2] = true; run cpu(2);
#endif
	}
}
