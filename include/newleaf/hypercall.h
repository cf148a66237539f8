// SPDX-License-Identifier: Apache-2.0
/*
 * The hypercall ABI between guest user space and the core.
 *
 * Channel: an OUT of EAX = NL_CALL_MAGIC, 32 bits wide, to port NL_CALL_PORT. From CPL 3 the CPU checks the TSS I/O
 * bitmap *before* the intercept (SDM vol. 3, 26.1.1; APM vol. 2, 15.10.2), so only a thread with ioperm(2) —
 * CAP_SYS_RAWIO — gets through: the call is its own proof of root. Anybody else gets #GP, as on bare hardware.
 * Any other value or width on the port behaves as an unused port (string I/O there is
 * #GP). Calls from CPL != 3 are treated the same way.
 *
 * Second channel, for kernels whose lockdown closes the ports to root: a read of NL_TOKEN_MSR at CPL 0, which Linux'
 * msr driver does for a holder of CAP_SYS_RAWIO (/dev/cpu/N/msr), yields a token. It counts once, on the CPU that it
 * was read on, within NL_TOKEN_LIFE_MS (ten times that on an emulator), for this kernel. It is presented by a CPUID at
 * CPL 3 with RAX = NL_CALL_MAGIC and RDX = token, other registers as below; the call then also sets RDX =
 * NL_TOKEN_TAKEN, which no CPUID does (it clears the upper halves). Without a valid token CPUID answers as it always
 * does. NL_TOKEN_MSR lies where no CPU will ever have one of its own (SDM vol. 4, table 2-2: 40000000H to 400000FFH).
 *
 * Third, without a proof: VMCALL or VMMCALL, whichever the CPU has, at CPL 3 in 64-bit mode with rbx = NL_CALL_ORDER,
 * other registers as below. It is answered (NL_OK, behind the instruction) when the order is accepted: one of kind NOW
 * that bears the challenge that is out, all of whose signatures are good and enough. In every other case, also while
 * more slices or a second are due, it is #UD as on bare hardware: present the same bytes again.
 *
 * Registers in:  rax = NL_CALL_MAGIC, rbx = enum nl_call, rsi = buffer (guest-virtual), rdi = its length in bytes,
 *                rcx, r8 = arguments as given below.
 * Registers out: rax = enum nl_err, rcx, r8 = results as given below. All others unchanged.
 * The buffer must be resident (mlock) and is read once or written once per call. Lengths over NL_CALL_MAX_BUFFER:
 * NL_EUSAGE.
 */
#ifndef NEWLEAF_HYPERCALL_H
#define NEWLEAF_HYPERCALL_H

#include <newleaf/bootblock.h>
#include <newleaf/errors.h>
#include <newleaf/leaf.h>
#include <newleaf/types.h>

#define NL_CALL_PORT 0x4e4c /* "NL" */
#define NL_CALL_MAGIC 0x4e4c4631u
#define NL_ABI_VERSION 4u
#define NL_CALL_MAX_BUFFER 65536u
#define NL_TOKEN_MSR 0x400000fdu
#define NL_TOKEN_TAKEN 0x4e4c46314e4c4631ULL
#define NL_TOKEN_LIFE_MS 100u

/*
 * Presence: CPUID, at the first free 0x4000_0x00 block (step 0x100, up to 0x4000_ff00; an outer hypervisor's blocks
 * stay): EAX = highest leaf of the block, EBX/ECX/EDX = "NewleafNewle". Leaf +1: EAX = NL_ABI_VERSION.
 */
#define NL_CPUID_EBX 0x6c77654eu /* "Newl" */
#define NL_CPUID_ECX 0x4e666165u /* "eafN" */
#define NL_CPUID_EDX 0x656c7765u /* "ewle" */

enum nl_call {
	NL_CALL_STATUS = 1, /* out buffer: struct nl_status; rcx out: bytes written */
	NL_CALL_LEAVES = 2, /* rcx = 0; out buffer: struct nl_leaf_state[]; rcx out: how many there are. NL_AGAIN: one
	                       leaf was looked at, call again with the rcx that came */
	NL_CALL_STAGE =
	        3, /* in buffer: a chunk of a leaf file; rcx = offset (0 starts anew), r8 = size of the whole file */
	NL_CALL_VERIFY = 4,    /* the staged file: signature, identity, bounds, expected bytes. Idempotent.
	                          out buffer: struct nl_verify_report. NL_AGAIN: again (long checks run in slices) */
	NL_CALL_PREPARE = 5,   /* in buffer: struct nl_commit_request; makes the next generation, beside the running.
	                          NL_AGAIN: call again with the same (some pages a call, or an old root is in use) */
	NL_CALL_TRY = 6,       /* one try to freeze and flip. out buffer: struct nl_commit_report, also on failure.
	                          NL_AGAIN: released everybody, try again; the report names the blocker */
	NL_CALL_ABANDON = 7,   /* forget the prepared commit; always possible; nothing changed.
	                          out buffer: struct nl_commit_report; its blocker says what PREPARE met, too */
	NL_CALL_JOURNAL = 8,   /* rcx = first seq wanted; out buffer: struct nl_journal_entry[]; rcx out: how many, r8
	                          out: newest seq */
	NL_CALL_EXITS = 9,     /* rcx = CPU index; out buffer: struct nl_exit_counts */
	NL_CALL_CONSOLE = 10,  /* rcx = offset in the hypervisor's console ring; out buffer: text; rcx out: bytes, r8
	                          out: next offset */
	NL_CALL_ALIVE = 11,    /* the guest is up: boot counter may be cleared (the agent does it); journaled once */
	NL_CALL_FACTS = 12,    /* rcx = place in the list of NL_CALL_LEAVES, from 0; out buffer: struct nl_leaf_facts */
	NL_CALL_TIMELINE = 13, /* rcx = first seq wanted; out buffer: struct nl_step_record[] (steps.h), older ones may
	                          have been written over; rcx out: how many, r8 out: newest seq */
	NL_CALL_SIGNED =
	        14, /* buffer of NL_SIGNED_MAX_SIZE or more: in 32 bytes, the asker's nonce, out the signed status
	               (witness.h); rcx out: its bytes. NL_AGAIN: again with the same, one leaf was looked at */
	NL_CALL_CHALLENGE = 15, /* out buffer: struct nl_challenge (order.h); the one before is void */
	NL_CALL_ORDER = 16,     /* in buffer: an order with its signatures (order.h). NL_AGAIN: again with the same
	                           bytes (long checks run in slices), NL_ERATE: after a second. NL_OK: accepted */
	NL_CALL_CONFIRM = 17, /* in buffer: the SHA-256 of a leaf that is on probation, which it is no more. NL_NOTHING:
	                         it is not; NL_ETRIAL: its time has come */
};

/* What a guest tried and did not get, since launch. */
struct nl_counts {
	uint64_t tokens_refused;    /* presented and not valid; 64 bits, or whoever wraps it fills the journal */
	uint64_t microcode_dropped; /* updates */
	uint64_t orders_refused;    /* VMCALLs and VMMCALLs that carried none for this machine, 64 bits likewise */
	uint32_t config_refused;    /* writes to configuration space */
	uint32_t ipis_refused;      /* SMIs, and IPIs for CPUs that are not ours */
};

/* Of standing orders (order.h). */
struct nl_standing_state {
	uint64_t epoch;   /* of the one in force, 0 = none */
	uint64_t floor;   /* the machine's state has this one: none below it, whatever becomes of this boot */
	uint32_t error;   /* enum nl_err, of the newest: NL_OK = in force, NL_NOTHING = there is none and never was */
	uint32_t carried; /* enum nl_err, of the one in force: NL_OK = carried out, NL_AGAIN = not yet, NL_NOTHING = it
	                     is not for the core to do, else why it is not */
};

struct nl_status {
	uint32_t abi;                      /* NL_ABI_VERSION */
	uint32_t size;                     /* sizeof(struct nl_status) */
	char version[16];                  /* of the core */
	char vendor[8];                    /* "SVM" or "VMX" */
	char paging[8];                    /* "NPT" or "EPT" */
	uint32_t cpus_known, cpus_running; /* enabled in the firmware's tables / under the hypervisor now */
	uint64_t generation;
	uint64_t tsc_now;
	struct nl_boot_facts boot;
	struct nl_counts counts;
	uint32_t leaves;                    /* known */
	uint32_t lockouts;                  /* leaves that are locked out */
	uint64_t journal_newest;            /* seq, 0 = empty */
	uint64_t memory_total, memory_free; /* bytes of the pool */
	uint64_t arena_text_free, arena_data_free;
	uint8_t kernel_build_id[NL_BUILD_ID_MAX]; /* of the matched kernel, length 0 until a leaf matched */
	uint32_t kernel_build_id_len;
	uint32_t emulated; /* 1 = an emulator was recognised: compare ratios, not microseconds */
	uint64_t kernel_slide;
	uint32_t undecided;     /* bits of enum nl_undecided */
	uint32_t proof;         /* enum nl_proof of this very call */
	uint64_t list_sequence; /* of the signed list that was taken, 0 = none */
	uint32_t list_error;    /* enum nl_err: NL_OK = taken, NL_NOTHING = there is none and never was */
	uint32_t orders;        /* bits of enum nl_order_state */
	struct nl_standing_state standing;
};

enum nl_order_state {
	NL_ORDER_FROZE = 1, /* nothing changes until an order releases it */
	NL_ORDER_WAITS = 2, /* one was accepted whose commit is not made yet */
};

/* Ways of the guest to the hypervisor's memory that cannot be decided on this chipset (hv/exits/windows.c). */
enum nl_undecided {
	NL_UNDECIDED_CHIPSET = 1, /* not known: none of its windows is watched */
	NL_UNDECIDED_SMN = 2,     /* AMD: the system management network is reached through devices, too */
	NL_UNDECIDED_MCHBAR = 4,  /* Intel: registers behind MCHBAR are held by the firmware's locks alone */
};

enum nl_leaf_condition { NL_LEAF_VERIFIED = 1, NL_LEAF_APPLIED = 2, NL_LEAF_REVERTED = 3 };

#define NL_UNCOUNTED UINT32_MAX /* the stop window read no tasks but those that could stand inside a site */

struct nl_leaf_state {
	char id[NL_LEAF_ID_LEN];
	uint8_t sha256[32]; /* of the signed part */
	uint8_t key_id[32];
	char key_name[27];
	uint8_t condition; /* enum nl_leaf_condition */
	uint32_t version;
	uint32_t pages, sites;
	uint32_t body_bytes;
	uint32_t old_tasks; /* tasks that stood in replaced functions at the flip, or NL_UNCOUNTED */
	uint64_t since_tsc;
	uint64_t generation;  /* in which it became what it is */
	uint32_t consistency; /* enum nl_consistency */
	uint32_t note;        /* enum nl_err: NL_OK, or what weakens it (NL_EPROBED ...) */
	uint32_t
	        signatures; /* of different trusted authors; key_id and key_name: of the first of this machine's keys */
	uint32_t counters;  /* how many hit counters it has */
	uint64_t hits;      /* all of them together, as the guest's memory says: information, no proof */
	/* On probation, when it is applied: it is taken back when this time comes. If it is reverted: it was taken back
	 * then, and does not come on again in this boot or the next one. 0: neither. */
	uint64_t trial_tsc;
	uint32_t confirm_s; /* how long its author wants it on probation, 0 = not */
	uint32_t reserved;
};

/* A module of a leaf. A leaf is all or nothing over what is PRESENT; if it is applied, it is in these modules. */
enum nl_module_state {
	NL_MODULE_WAITING = 0, /* not loaded: patched when it comes */
	NL_MODULE_PRESENT = 1,
	NL_MODULE_OTHER = 2,     /* loaded, and another build: left alone */
	NL_MODULE_UNPATCHED = 3, /* came while the leaf was on, and could not be patched: the journal says why */
};
struct nl_leaf_module {
	char name[NL_OBJECT_NAME_LEN];
	uint32_t state; /* enum nl_module_state */
	uint32_t sites;
};

/* What the author says of a leaf, as it was signed (leaf.h), and its counters. A leaf may have gone since its place was
 * read: compare sha256. */
struct nl_leaf_facts {
	uint8_t sha256[32];
	uint32_t size;     /* of the records in bytes[] */
	uint32_t counters; /* of hits[] */
	/* What each counter of the leaf said at the last NL_CALL_LEAVES, as the guest's memory has it: no proof. */
	uint64_t hits[NL_LEAF_MAX_SITES];
	uint32_t n_modules;
	uint32_t reserved;
	struct nl_leaf_module modules[NL_LEAF_MAX_OBJECTS - 1];
	uint8_t bytes[NL_LEAF_MAX_FACTS];
};

/* Where a refusal comes from: filled as far as known, else zero. */
struct nl_blocker {
	uint32_t cpu; /* UINT32_MAX = none */
	uint32_t cpl;
	uint64_t rip; /* where that CPU stood */
	uint32_t pid; /* of the task concerned, 0 = none */
	char comm[16];
	uint64_t site_va;                /* run-time address of the site concerned */
	uint8_t expected[16], found[16]; /* first bytes of that site */
	uint32_t bytes_len;
	uint32_t missing; /* CPUs that did not answer in time */
	/* NL_EREQUIRES, NL_ECONFLICT: who says so, and of whom; NL_EOVERLAP: whose sites overlap; NL_EMODULE and what
	 * is wrong with a module: of which leaf, its name (cut off) */
	char leaf[NL_LEAF_ID_LEN], other[NL_LEAF_ID_LEN];
};

struct nl_verify_report {
	char id[NL_LEAF_ID_LEN];
	uint8_t sha256[32]; /* names the leaf in every later call */
	uint8_t key_id[32];
	char key_name[32];
	uint8_t found_build_id[NL_BUILD_ID_MAX]; /* of the running kernel, when it could be read */
	uint32_t found_build_id_len;
	uint32_t
	        signatures; /* of different trusted authors; key_id and key_name: of the first of this machine's keys */
	uint64_t slide;
	struct nl_blocker blocker;
};

#define NL_MAX_LEAVES 32
/* Nobody has gathered the CPUs in user mode: where each stands in the kernel is judged when all are held, every leaf
 * counts as strict, and every task is read. The policy may forbid it (NL_EPOLICY). */
#define NL_COMMIT_AGENTLESS 1u
struct nl_commit_request {
	uint64_t expected_generation;   /* UINT64_MAX = any */
	uint32_t deadline_ms;           /* from PREPARE on; 1..nl_status.deadline_max_ms */
	uint32_t count;                 /* entries of set that count, 0..NL_MAX_LEAVES */
	uint32_t flags;                 /* NL_COMMIT_* */
	uint32_t confirm_ms;            /* what it puts on is on probation for so long, or for as long as the policy,
	                                   an order or the leaf itself says, if that is shorter; 0 = as they say */
	uint8_t set[NL_MAX_LEAVES][32]; /* sha256 of each leaf that shall be applied; exactly these */
};

enum nl_quiesce_level { NL_LEVEL_FETCH = 1, NL_LEVEL_CPU = 2, NL_LEVEL_TASK = 3 };

struct nl_commit_report {
	uint64_t generation_from, generation_to;
	uint64_t prepare_ns; /* building the next generation */
	uint64_t window_ns;  /* all CPUs held: last check to root switch */
	uint64_t longest_hold_ns;
	uint64_t since_prepare_ns; /* PREPARE to now */
	uint32_t tries;
	uint32_t cpus_held, cpus_total;
	uint32_t pages;
	uint32_t old_tasks;     /* or NL_UNCOUNTED */
	uint32_t level;         /* enum nl_quiesce_level that was held */
	uint32_t tasks_scanned; /* tasks that the stop window read */
	uint32_t flags;         /* of the request */
	struct nl_blocker blocker;
};

enum nl_event {
	NL_EV_BOOT = 1, /* a = CPUs, b = enum nl_journal_past; leaf_sha256: the first 32 bytes of nl_boot_facts, its
	                   clocks */
	NL_EV_ALIVE,
	NL_EV_VERIFIED,
	NL_EV_REFUSED,
	NL_EV_APPLIED,
	NL_EV_REVERTED,
	NL_EV_COMMIT,
	NL_EV_ABANDONED,
	NL_EV_KERNEL, /* a kernel was found, or replaced by another */
	NL_EV_CPU,    /* a CPU came under the hypervisor */
	NL_EV_POLICY,
	NL_EV_CONFIG, /* a write to configuration space was refused: a = function << 12 | register, b = value */
	NL_EV_TOKEN,  /* tokens that were not valid: a = how many since launch (noted at each power of two), b = CPU */
	NL_EV_LIST,   /* the signed list: a = its sequence, 0 = not taken; b = that of the newest this machine knew */
	NL_EV_MODULE, /* a module of a leaf that is on came and was patched, or was not (error); id = the module's name
	                 (cut off), a = its struct module, b = 1: it was refused by policy. NL_NOTHING: it went */
	NL_EV_ORDER,  /* an order was accepted or refused (error), or what was accepted and waited for its commit was
	                 ended without (error, NL_ORDER_ENDED); leaf_sha256 = its SHA-256, if it came so far; a =
	                 nl_order.what | nl_order.kind << 32, b = nl_order.generation or epoch */
	NL_EV_STRANGER, /* VMCALL or VMMCALL that carried no order which bears the challenge: a = how many since launch
	                   (noted at each power of two), b = CPU */
	NL_EV_TRIAL, /* probation of a leaf; a = what the leaf is now, enum nl_leaf_condition; b = when its time comes,
	                TSC: begun, or (error) taken back. b = 0: confirmed, or (REVERTED) gone before its time */
	NL_EV_NET,   /* the network: a = enum nl_net_event (net.h) | how often in this boot << 32 (noted at each power
	                of two); error = why it is off; b = where the stack stood */
};

/* By the place of each. */
#define NL_EVENT_NAMES \
	{ \
		"", "boot", "alive", "verified", "refused", "applied", "reverted", "commit", "abandoned", "kernel", \
		        "cpu", "policy", "config", "token", "list", "module", "order", "stranger", "trial", "network" \
	}

/* Of the boot before, whose entries stand in front of an NL_EV_BOOT, or do not. */
enum nl_journal_past {
	NL_PAST_NONE = 0,    /* nothing was left: seq begins with 1 */
	NL_PAST_GOES_ON = 1, /* what was left is sound: this entry is its next one */
	NL_PAST_DAMAGED = 2, /* something was left that does not fit: thrown away, seq begins with 1 */
};

#define NL_ORDER_ENDED (1ULL << 63) /* in `a` of NL_EV_ORDER */

struct nl_journal_entry { /* hash = SHA-256 of the entry before (all bytes); the first one has zeroes */
	uint64_t seq;     /* from 1 */
	uint64_t tsc;
	uint8_t boot_id[16];
	uint8_t hash[32];
	uint32_t event; /* enum nl_event */
	uint32_t error; /* enum nl_err */
	uint64_t generation;
	char id[NL_LEAF_ID_LEN];
	uint8_t leaf_sha256[32];
	uint64_t a, b; /* by event: signatures and overrides of a leaf; window_ns and old_tasks of a commit; CPU and RIP
	                  of a blocker; ... */
};

/* X(name, label): why the guest was left. The label is the metric's and the document's name. */
// clang-format off
#define NL_EXIT_CAUSES(X) \
	X(CPUID, "cpuid") X(RDMSR, "rdmsr") X(WRMSR, "wrmsr") X(XSETBV, "xsetbv") X(CR, "cr-access") X(IO, "io") \
	X(CALL, "hypercall") X(NMI, "nmi") X(IRET, "iret-window") X(INIT, "init") X(SIPI, "sipi") \
	X(APIC, "apic-write") \
	X(NPF, "nested-fault") X(INVD, "invd") X(VIRT, "virt-instruction") X(TRIPLE, "triple-fault") \
	X(MC, "machine-check") X(EXCEPTION, "exception") X(PREEMPT, "preemption-timer") X(KICK, "kick") \
	X(CONFIG, "config") X(OTHER, "other")
// clang-format on
enum nl_cause {
#define NL_CAUSE_ENUM(name, label) NL_CAUSE_##name,
	NL_EXIT_CAUSES(NL_CAUSE_ENUM)
#undef NL_CAUSE_ENUM
	        NL_CAUSES
};

struct nl_exit_counts {
	uint64_t tsc;
	uint64_t count[NL_CAUSES];
};

_Static_assert(sizeof(struct nl_journal_entry) == 176, "journal entry layout");
_Static_assert(sizeof(struct nl_counts) == 32 && sizeof(struct nl_status) == 384, "status layout, without a gap");
_Static_assert(offsetof(struct nl_boot_facts, list_known) == 32, "clocks of a boot in its NL_EV_BOOT");
_Static_assert(sizeof(struct nl_leaf_state) == 216, "leaf state layout");

#endif
