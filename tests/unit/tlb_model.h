// SPDX-License-Identifier: Apache-2.0
/*
 * CPUs whose translation caches keep every entry until an instruction that the manuals name removes it, and that may
 * use any they keep. Cached are translations of guest-linear pages, of guest-physical pages, and pointers to nested
 * tables (paging-structure caches). The tables are the real ones, of hv/view/view.c in the fake memory (history.h); the
 * guest's own page table is an array per PCID, in memory that no view changes. What a CPU could translate an address to
 * is a set; it is right when every member is what the current view shows.
 */
#ifndef TESTS_UNIT_TLB_MODEL_H
#define TESTS_UNIT_TLB_MODEL_H

#include "view/npt.h"

enum { TLB_CPUS = 3, TLB_PCIDS = 2, TLB_PAGES = 8, TLB_ENTRIES = 4096 };

enum tlb_vendor { TLB_INTEL, TLB_AMD };

struct tlb_entry {
	enum { TLB_COMBINED, TLB_GUEST_PHYSICAL, TLB_TABLE } kind;
	unsigned id; /* VPID or ASID */
	unsigned pcid;
	hpa_t root;     /* Intel's EP4TA; 0 on AMD: no tag there */
	uint64_t key;   /* guest-linear or guest-physical page; for a table the first guest-physical address it maps */
	unsigned level; /* of a table */
	uint64_t value; /* hpa of the page | rights, or of the table */
};

struct tlb_cpu {
	enum tlb_vendor vendor;
	unsigned id;          /* VPID (0 = VPID is off) or ASID, as the control block has it */
	hpa_t root;           /* EPTP or nCR3, as the control block has it */
	unsigned tlb_control; /* SVM: 0, 1 or 3, of the last VMRUN */
	size_t n;
	struct tlb_entry entries[TLB_ENTRIES];
};

struct tlb_machine {
	const struct nl_npt_format *format;
	uint64_t guest[TLB_PCIDS][TLB_PAGES]; /* the guest's page table: linear page number -> guest-physical address */
	struct tlb_cpu cpus[TLB_CPUS];
};

/* The instructions. */
void tlb_invept_single(struct tlb_cpu *cpu, hpa_t root);
void tlb_invept_all(struct tlb_cpu *cpu);
void tlb_invvpid_all(struct tlb_cpu *cpu);
void tlb_enter(struct tlb_cpu *cpu); /* VM entry and the exit after it, or VMRUN and #VMEXIT: what those flush */
void tlb_guest_invlpg(struct tlb_cpu *cpu, unsigned pcid, unsigned page);

/*
 * The guest on this CPU touches every page through every PCID, and the CPU fills its caches with everything it may.
 * Returns NULL if all that it could translate to is what `shows` says, else what went wrong. `shows` gives hpa | rights
 * of a guest-physical page in the current view.
 */
const char *tlb_guest_runs(struct tlb_machine *m, struct tlb_cpu *cpu, uint64_t (*shows)(uint64_t gpa));

#endif
