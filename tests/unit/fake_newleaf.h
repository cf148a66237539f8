// SPDX-License-Identifier: Apache-2.0
/*
 * A hypervisor that is not there: the hypercalls as a fake transport of the agent, with every fault a test wants. Time
 * is the fake's own.
 */
#ifndef TESTS_UNIT_FAKE_NEWLEAF_H
#define TESTS_UNIT_FAKE_NEWLEAF_H

#include "agent.h"

#define FAKE_JOURNAL 64
#define FAKE_STEPS 1024

struct fake {
	/* faults and answers, set by the test; zero is healthy */
	bool absent, ordinary_user, silent, faulting;
	enum nl_reason refusal; /* with ordinary_user */
	uint32_t cpuid_base;    /* 0 = 0x40000000 */
	uint32_t abi;           /* 0 = NL_ABI_VERSION */
	unsigned verify_again;  /* NL_AGAIN so many times */
	unsigned prepare_busy;  /* NL_EBUSY so many times: another caller */
	unsigned leaves_again;  /* NL_AGAIN so many times */
	uint64_t leaves_from;   /* rcx of the last LEAVES that was answered */
	unsigned signed_again;  /* NL_AGAIN so many times, then */
	unsigned signed_rate;   /* NL_ERATE so many times */
	enum nl_err signed_error;
	bool torn_signed;
	unsigned try_again;           /* NL_AGAIN so many times; UINT_MAX = for ever */
	unsigned try_stale;           /* NL_ESTALE so many times, with which what was prepared is gone */
	bool lose_answer;             /* NL_EFAULT of the next TRY, whatever it did */
	bool agentless;               /* commits without an agent can be made */
	unsigned gather_missing;      /* so many gathers fail; UINT_MAX = all */
	unsigned gather_missing_from; /* and all behind so many tries; 0 = none */
	bool gather_sleeps;           /* who is missing is awaited to the end, and not for 400 ms */
	const char *missing_comm;     /* 16 bytes: the name of who runs there; NULL = a harmless one */
	unsigned efault;              /* NL_EFAULT so many times, any call */
	unsigned cancel_at_gather;    /* Ctrl-C in this gather, from 1 */
	enum nl_err verify_error, prepare_error, try_error;
	uint64_t garbage_rax; /* answer of every call after open, 0 = none */
	bool torn_status, too_many, broken_chain, too_many_steps;
	uint32_t leaf_note;        /* note of every applied leaf */
	struct nl_blocker blocker; /* of VERIFY and TRY when they fail */
	struct nl_blocker passing; /* of TRY, from the passes_from'th on, 0 = never */
	unsigned passes_from;
	uint64_t takes[NL_PIECES]; /* TSC ticks */
	volatile sig_atomic_t *cancel;

	/* the machine */
	struct nl_status status;
	struct nl_leaf_state leaves[NL_MAX_LEAVES];
	unsigned n_leaves;
	struct nl_leaf_facts facts; /* of each leaf, but for sha256 */
	unsigned order_waits;       /* for so many looks at the status, then: */
	enum nl_err order_ends;
	struct nl_journal_entry journal[FAKE_JOURNAL];
	unsigned n_journal;
	unsigned journal_over;                   /* so many are written over already */
	void (*on_pause)(struct fake *);         /* what happens meanwhile; NULL = nothing */
	void (*on_order)(struct fake *);         /* what happens before one is accepted; NULL = nothing */
	struct nl_step_record steps[FAKE_STEPS]; /* the ring: never full */
	unsigned n_steps;
	uint32_t begun, commit, transaction, ticket;
	uint8_t staged[NL_LEAF_MAX_SIZE];
	uint64_t staged_size, staged_have;
	struct nl_commit_request prepared;
	bool is_prepared;
	struct nl_commit_report last; /* of TRY */

	/* what happened, for the test to look at */
	unsigned calls, prepares, gathers, disperses, abandons, tries, closes, alive;
	enum nl_err confirm;
	unsigned confirmed;
	enum nl_err order;        /* what challenges and orders come to, after so many slices, not before a time */
	uint8_t order_sha256[32]; /* of the last one that was accepted */
	unsigned order_slices, carried;
	void (*order_comes)(void);
	uint64_t order_rate_until;
	uint64_t spin_ns, longest_spin_ns; /* that the last gather, and any, was allowed */
	uint64_t now_ns, paused_ns, shortest_pause_ns, longest_pause_ns;
	uint8_t buffer[NL_CALL_MAX_BUFFER];
	struct nl_transport transport;
};

/* A healthy machine with nothing applied. The fake lives until the next call. */
struct fake *fake_new(void);
/* Begins a transaction if such a step does. */
void fake_step(struct fake *f, uint64_t tsc, uint32_t cpu, enum nl_step step, uint64_t value);
void fake_journal(struct fake *f, enum nl_event event, enum nl_err error, const char *id, uint64_t a, uint64_t b);

/* The least file that the fake takes for a leaf: a header with this id; `salt` makes versions differ. Returns its size.
 */
size_t fake_leaf(uint8_t *out, const char *id, uint32_t salt);

#endif
