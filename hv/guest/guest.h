// SPDX-License-Identifier: Apache-2.0
/*
 * What the core asks of a guest OS: the whole contract. linux/ is its first tenant. A tenant answers from raw guest
 * memory with the offsets that a leaf carries, and every walk of it is bounded: the guest is not believed.
 */
#pragma once

#include <newleaf/hypercall.h>
#include "guest/guestmem.h"
#include "guest/target.h"
#include "vendor.h"

/* Where a held CPU stands. */
struct nl_held {
	uint64_t rip, rsp, cr3;
	const struct nl_gprs *gprs; /* as the core keeps them meanwhile */
	unsigned cpl;
	bool held;
	bool halted; /* at CPL 0, in or just behind an instruction that waits: its stack must be scanned */
};

struct nl_watch { /* run-time addresses */
	uint64_t start, end;
	uint32_t leaf; /* index in the registry */
	bool site; /* bytes that will be written: nobody may stand strictly inside. false: a replaced function, counted
	            */
	bool strict; /* a replaced function in which nobody may stand either */
};

#define NL_MAX_HIDDEN 258u

struct nl_scan {
	const struct nl_watch *watches;
	uint32_t n;
	uint64_t low, high;         /* all watches lie in [low, high], and what is hidden in (low, high) */
	const struct nl_held *held; /* nl_n_cpus of them; NULL: no CPU is held, only who waits for one is looked at */
	uint64_t until;             /* TSC when a walk gives up; 0 = never */
	bool strict;                /* a watch is: every task is read */
	bool anywhere; /* CPUs may stand at CPL 0, if the tenant can tell in what; all watches are strict */
	/* results */
	bool all; /* every task was read; else those alone that could stand inside a site, and the next two say nothing
	           */
	uint32_t old_tasks;
	uint32_t old_by_leaf[NL_MAX_LEAVES];
	uint32_t scanned; /* tasks read, each time they were */
	struct nl_blocker blocker;
	uint32_t n_hidden;
	/*
	 * Set by the tenant: code from where others go on at an address that is not on their stack. Who has a word in
	 * it could be inside any replaced function, and with `sites` inside any site.
	 */
	struct nl_hidden {
		uint64_t at, size;
		bool sites;
	} hidden[NL_MAX_HIDDEN]; /* last: it is not cleared */
};
void nl_scan_init(struct nl_scan *scan, const struct nl_watch *watches, uint32_t n);
/* Does an address lie strictly inside a watch, or could it, being hidden? Adds the leaf to *old when in a replaced
 * function. true: in the way. */
bool nl_scan_watched(struct nl_scan *scan, uint64_t word, uint32_t *old);
static inline bool nl_scan_word(struct nl_scan *scan, uint64_t word, uint32_t *old)
{
	return word > scan->low && word < scan->high && nl_scan_watched(scan, word, old);
}

struct nl_kernel { /* the kernel that a leaf is for, where it runs */
	const struct nl_leaf_target *target;
	const struct nl_guest_os *os;
	uint64_t slide;                    /* run-time minus link address */
	struct nl_guest space;             /* its address space, in the view in which it was looked for */
	uint8_t build_id[NL_BUILD_ID_MAX]; /* as far as it could be read, also when it is another's */
	uint32_t build_id_len;
};

struct nl_module {                     /* a module of a leaf, as it is in the guest */
	uint64_t va;                   /* of its struct module; never 0 */
	bool coming;                   /* its first instruction is still to run, or its initialiser runs */
	bool leaving;                  /* with NL_NOTHING: its memory is still there, and its exit function may run */
	uint64_t base[NL_MAX_REGIONS]; /* 0: freed, as what an initialiser needs is */
};

struct nl_told {         /* a tenant's hook says that a module comes or goes: a hint, as good as who gives it */
	uint64_t module; /* guest-virtual, of its struct module */
	bool coming;
	unsigned further;       /* bytes from here to where the answer is used, */
	uint64_t go_on, refuse; /* rax: it may come in, or not */
};

struct nl_guest_os {
	/* Fills slide, space and build_id of *out, whose target is set. NL_EKERNEL: no kernel where one must be.
	 * NL_EBUILDID: another kernel. */
	enum nl_err (*find)(const struct nl_context *ctx, const struct nl_view *view, struct nl_kernel *out);
	/* Where `t` was found before: is it there still, wherever the system call entry points now? */
	bool (*stands)(const struct nl_context *ctx, const struct nl_leaf_target *t, uint64_t slide);
	/* What a body returns and jumps through on this machine. */
	void (*thunks)(struct nl_kernel *k, struct nl_thunks *out);

	/* Where bodies stand in the guest's address space, */
	uint64_t arena_text, arena_data;
	/* and the entries that make them part of it, filled once: a sleeper may be in a body for ever. *made: they were
	 * by this call, and may go again before anybody runs. All CPUs held. NL_EARENA: the guest's table is as it was.
	 */
	enum nl_err (*map_arena)(struct nl_kernel *k, bool *made);
	void (*unmap_arena)(struct nl_kernel *k);
	/* Are they there? */
	bool (*has_arena)(struct nl_kernel *k);

	/* The module as it is now, if it runs or is about to. NL_NOTHING: it is not there, or on its way in or out.
	 * NL_EMODULE: it is there, and not as the leaf says. NL_EKERNEL: the guest's list is none, or cannot be
	 * read. */
	enum nl_err (*module)(struct nl_kernel *k, const struct nl_leaf_object *o, struct nl_module *out);
	/* Is it `name` (NL_OBJECT_NAME_LEN bytes) that the kernel calls the module at `va`? NL_NOTHING: no. NL_EKERNEL:
	 * that cannot be read. */
	enum nl_err (*module_named)(struct nl_kernel *k, uint64_t va, const char *name);
	/* Be told of modules that come and go from now on, at once or never. All CPUs held, the arena mapped. `ret`:
	 * what a body returns by, or 0. NL_AGAIN: somebody else is being told, or asks to be. */
	enum nl_err (*watch_modules)(struct nl_kernel *k, uint64_t ret);
	/* Does the hook of watch_modules ask here? */
	bool (*told)(const struct nl_context *ctx, const struct nl_gprs *gprs, struct nl_told *out);

	/*
	 * Scan the contexts that could stand inside a watched site, and every context when it looks anywhere, a
	 * replaced function is strict or the tenant cannot tell them apart; all CPUs held. Conservative: any word
	 * between a saved stack pointer and the top of its stack counts as a return address. NL_AGAIN: somebody is in
	 * the way, the blocker names him. NL_ESTANDS: a CPU stands where nobody can tell. NL_EKERNEL: the guest's lists
	 * are not what the leaf says. NL_EDEADLINE: scan->until. NL_EPROBED: more probes' slots than can be looked at.
	 * NL_EUNSUPPORTED: `anywhere`, and the target does not say what must be known for it.
	 */
	enum nl_err (*scan)(struct nl_kernel *k, struct nl_scan *scan);
	/* NL_EPROBED: somebody (a kprobe, armed or not) is registered inside a watched site. */
	enum nl_err (*probes)(struct nl_kernel *k, struct nl_scan *scan);
	/* Whose stack is it? Fills pid and comm, or leaves them zero. The guest may run meanwhile: good for a message.
	 */
	void (*name)(struct nl_kernel *k, uint64_t sp, struct nl_blocker *blocker);
};

/* The tenant for a target that nl_target_check has accepted (target.h). */
const struct nl_guest_os *nl_guest_os(const struct nl_leaf_target *t);

/* Find its kernel in the current view: what the tenant answers. *out is filled as far as that goes; t must stay. */
enum nl_err nl_guest_find(const struct nl_context *ctx, const struct nl_leaf_target *t, struct nl_kernel *out);

/* Instruction bytes at rip (an offset in CS). Bytes on a following page that is not mapped read as zero; false: nothing
 * could be read. */
bool nl_guest_fetch(const struct nl_context *c, uint64_t rip, uint8_t *out, size_t n);

/*
 * Does a CPU that stands here wait, whatever its OS: in or just behind HLT, MWAIT, or a read of a C-state's port? One
 * that an interrupt has just woken stands there too, which is as good: its stack is scanned.
 */
bool nl_guest_waits(const struct nl_context *ctx);
