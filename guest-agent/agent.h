// SPDX-License-Identifier: Apache-2.0
/*
 * The agent: what guest user space needs to talk to Newleaf. A silent library: nothing is printed, every answer is an
 * enum nl_err and the particulars are in nl_agent.details. It knows no operating system: that is behind struct
 * nl_transport (linux.c, or a test's fake).
 */
#ifndef NEWLEAF_AGENT_H
#define NEWLEAF_AGENT_H

#include <signal.h>

#include <newleaf/hypercall.h>
#include <newleaf/order.h>
#include <newleaf/steps.h>
#include <newleaf/witness.h>

/* Why a call could not be made at all; the error code alone does not tell what to do about it. */
enum nl_reason {
	NL_WHY_NONE,
	NL_WHY_NOT_ROOT,     /* not uid 0 */
	NL_WHY_NO_RAWIO,     /* root without CAP_SYS_RAWIO, a container */
	NL_WHY_NO_DRIVER,    /* ioperm refused by kernel lockdown, and there is no msr driver for a token */
	NL_WHY_FORBIDDEN,    /* root, but the image's policy takes no proof that this kernel allows */
	NL_WHY_FAULT,        /* the OUT faulted, or no token could be read */
	NL_WHY_SILENT,       /* CPUID shows Newleaf but the call was not answered */
	NL_WHY_GARBAGE,      /* the answer makes no sense */
	NL_WHY_NOT_GATHERED, /* a CPU did not arrive in user mode in time: details.missing */
	NL_WHY_HELD_OFF,     /* the hypervisor released everybody at each try: details.blocker */
	NL_WHY_CANCELLED,    /* the caller asked to stop */
};

struct nl_missing {     /* the first CPU on which the agent's thread did not get to run, and who runs there */
	uint32_t cpu;   /* UINT32_MAX = none */
	uint32_t count; /* how many were missing */
	uint32_t pid;
	char comm[16];
};

struct nl_details {
	enum nl_err error;
	enum nl_reason reason;
	enum nl_call call; /* the hypercall concerned, 0 = none */
	int sys_errno;
	uint32_t found_abi;      /* with NL_EABI */
	char seen_signature[13]; /* with NL_EABSENT: what CPUID 0x4000_0000 shows, if anything */
	uint32_t deadline_ms;
	uint32_t gathers, tries; /* by this agent, in the last commit */
	struct nl_blocker blocker;
	struct nl_missing missing;
};

struct nl_registers {
	uint64_t rax, rbx, rcx, rsi, rdi, r8;
	uint64_t taken; /* out: for so many TSC ticks this call took the CPU from everybody, interrupts included */
};

/* What takes a CPU from everybody else: each call by its number, but those to VERIFY that want another one (slices of
 * the hash, a signature) for themselves; and gathering, the TRY in its midst included. */
enum nl_piece { NL_PIECE_GATHER = 0, NL_PIECE_CHECK = NL_CALL_CONFIRM + 1, NL_PIECES };

/*
 * What differs between guests. `call` makes one hypercall on the CPU it is called on; false: the instruction faulted.
 * `gather` brings every online CPU into user mode and lets the last one to arrive run `last` there; false: somebody was
 * missing when `until_ns` came, or not there with the others within `spin_ns`; everybody is released, `last` was not
 * run. Nobody is kept from running for longer than `spin_ns` while others are awaited. It may be called again
 * and again; `disperse` ends it and gives back scheduling class and affinity; it answers for how many TSC ticks a
 * gather took a CPU from everybody else at the longest. The buffer is resident, page aligned and NL_CALL_MAX_BUFFER
 * long.
 */
struct nl_transport {
	void *ctx;
	void (*cpuid)(void *ctx, uint32_t leaf, uint32_t out[4]); /* eax ebx ecx edx */
	enum nl_err (*open)(void *ctx, struct nl_details *details, uint8_t **buffer);
	void (*close)(void *ctx);
	bool (*call)(void *ctx, struct nl_registers *r);
	bool (*gather)(void *ctx, uint64_t until_ns, uint64_t spin_ns, void (*last)(void *arg), void *arg,
	               struct nl_missing *missing);
	uint64_t (*disperse)(void *ctx);
	uint64_t (*now_ns)(void *ctx); /* monotonic */
	void (*pause_ns)(void *ctx, uint64_t ns);
};

const struct nl_transport *nl_linux_transport(void); /* one per process */

struct nl_agent {
	const struct nl_transport *t;
	uint8_t *buffer;
	bool emulated;   /* as the last status said */
	uint64_t tsc_hz; /* likewise; 0 = not known */
	const volatile sig_atomic_t
	        *cancel;           /* set by the caller, may be NULL: non-zero ends loops, the commit is abandoned */
	struct nl_details details; /* of the last call */
	uint64_t took;             /* TSC ticks of the last call */
	uint64_t taken[NL_PIECES]; /* the longest of each since it was opened, in TSC ticks, failed ones included */
};

/* Find Newleaf, check its ABI, prove root. NL_EABSENT, NL_EABI, NL_EROOT. After NL_OK close it. */
enum nl_err nl_agent_open(struct nl_agent *a, const struct nl_transport *t, const volatile sig_atomic_t *cancel);
void nl_agent_close(struct nl_agent *a);

enum nl_err nl_agent_status(struct nl_agent *a, struct nl_status *out);
enum nl_err nl_agent_leaves(struct nl_agent *a, struct nl_leaf_state *out, size_t max, size_t *n);
/* Of the leaf at that place of nl_agent_leaves; which it is says out->sha256. */
enum nl_err nl_agent_facts(struct nl_agent *a, size_t place, struct nl_leaf_facts *out);

/* The signed status in answer to a nonce of 32 bytes; `out` has NL_SIGNED_MAX_SIZE bytes. It is not checked here: who
 * asked does that, elsewhere. */
enum nl_err nl_agent_signed(struct nl_agent *a, const uint8_t nonce[32], struct nl_signed_status *out, size_t *n);

/* Hand over a leaf file and have it verified. Nothing is applied by this. `report` is filled as far as known, also on
 * failure. */
enum nl_err nl_agent_verify(struct nl_agent *a, const void *file, size_t size, struct nl_verify_report *report);

/* Make exactly this set applied. On any error nothing has changed. `report` is filled as far as known, also on failure;
 * its flags say whether the CPUs were gathered or, as asked for or because one did not come, stopped where they were.
 */
enum nl_err nl_agent_commit(struct nl_agent *a, const struct nl_commit_request *request,
                            struct nl_commit_report *report);

/* Ask for a challenge; the one before is void. */
enum nl_err nl_agent_challenge(struct nl_agent *a, struct nl_challenge *out);
/* Carry a signed order until there is an answer: a second for each signature but the first. NL_OK: it was accepted. */
enum nl_err nl_agent_order(struct nl_agent *a, const void *file, size_t size);
/* The leaf is good: its probation is over. NL_NOTHING: it was on none. NL_ETRIAL: its time had come. */
enum nl_err nl_agent_confirm(struct nl_agent *a, const uint8_t sha256[32]);

/* `newest` 0: the journal is empty. */
enum nl_err nl_agent_journal(struct nl_agent *a, uint64_t from_seq, struct nl_journal_entry *out, size_t max, size_t *n,
                             uint64_t *newest);
/* Steps in the order of their seq, from this one on or from the oldest that is there; some may be missing among them.
 * At most so many a call: the hypervisor copies them while this CPU does nothing else. */
#define NL_AGENT_STEPS_A_CALL 128u
enum nl_err nl_agent_timeline(struct nl_agent *a, uint64_t from_seq, struct nl_step_record *out, size_t max, size_t *n,
                              uint64_t *newest);
enum nl_err nl_agent_exits(struct nl_agent *a, uint32_t cpu, struct nl_exit_counts *out);
enum nl_err nl_agent_console(struct nl_agent *a, uint64_t from, char *out, size_t max, size_t *n, uint64_t *next);
enum nl_err nl_agent_alive(struct nl_agent *a);

#endif
