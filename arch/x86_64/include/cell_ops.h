// SPDX-License-Identifier: Apache-2.0
/*
 * The contract of a cell between hv/net/cell.c, which makes one, and the two vendors, which run it: a second guest
 * context beside the machine's guest. It has general registers, RIP, flags and the memory of its own nested table, and
 * no other state; of the guest's state nothing changes by its run, and every event of the guest's stays pending.
 */
#pragma once

#include "vendor.h"

/* Why the CPU is out of the cell. */
enum nl_cell_end {
	NL_CELL_CALL,  /* VMMCALL or VMCALL at CPL 3; rip is behind it */
	NL_CELL_FAULT, /* whatever else it did: `fault` says what. It can only be started anew */
	NL_CELL_TIME,  /* its time is over; it can go on, at the same instruction */
	NL_CELL_LEFT   /* an NMI, a kick, an INIT or a machine check came, and was accounted for: the CPU must pass
	                * hv_before_entry and the guest first. Then it can go on, at the same instruction */
};

/* CR0: x87 and SSE fault (MP, EM, TS). CR4: neither OSFXSR nor OSXSAVE, and RDTSC faults (TSD). */
#define NL_CELL_CR0 (CR0_PE | 14ULL | CR0_ET | CR0_NE | CR0_WP | CR0_PG)
#define NL_CELL_CR4 (4ULL | CR4_PAE | CR4_MCE)
#define NL_CELL_EFER (EFER_LME | EFER_LMA | EFER_NXE)
#define NL_CELL_PAT 0x0007040600070406ULL /* as after reset */
#define NL_CELL_NOWHERE UINT32_MAX

struct nl_cell_fault { /* exit code or reason, and what comes with it: EXITINFO1 and 2, or qualification and address */
	uint64_t code, info1, info2;
};

struct nl_cell {
	struct nl_gprs gprs;
	uint64_t rip, rflags;
	struct nl_cell_fault fault;
	uint32_t on; /* the CPU that has its state loaded in `control`; NL_CELL_NOWHERE: it is built from nothing */
	hpa_t root;  /* of its nested table, four levels */
	gpa_t cr3;
	void *control; /* one page: VMCB or VMCS */
	void *more;    /* four pages: SVM's permission maps, and a fifth level of the nested table */
};

struct nl_cell_ops {
	/* Once per machine, behind nl_vendor->machine_init: control and more are there, zeroed. NL_EUNSUPPORTED: this
	 * CPU cannot run a cell. */
	enum nl_err (*init)(struct nl_cell *cell);
	/* On a CPU between an exit and the next entry, one CPU at a time: run it until one of the ends. `ticks` of the
	 * TSC bound it by VMX's preemption timer; on SVM nothing does but what leaves it (docs/explanation/network.md).
	 */
	enum nl_cell_end (*run)(struct nl_cpu *cpu, struct nl_cell *cell, uint64_t ticks);
};

extern const struct nl_cell_ops nl_cell_svm, nl_cell_vmx;
