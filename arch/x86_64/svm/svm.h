// SPDX-License-Identifier: Apache-2.0
/*
 * The VMCB and the numbers of SVM (APM vol. 2, appendices B and C).
 */
#pragma once

#include "host.h"

/* What the core uses of it, each at its offset; all else is zero. */
#define AT(offset, ...) \
	struct { \
		uint8_t before_##offset[offset]; \
		__VA_ARGS__ \
	} __attribute__((packed))
/* clang-format off */
struct vmcb {
	union {
		uint8_t page[4096];
		/* control area */
		AT(0x008, uint32_t intercept_exceptions, intercept1, intercept2;);
		AT(0x040, uint64_t iopm, msrpm;);
		AT(0x058, uint32_t asid; uint8_t tlb_control;);
		AT(0x068, uint64_t interrupt_shadow, exit_code, exit_info1, exit_info2, exit_int_info;);
		AT(0x090, uint64_t nested_control;);
		AT(0x0a8, uint64_t event_injection, nested_cr3;);
		AT(0x0c8, uint64_t next_rip; uint8_t fetched, bytes[15];);
		/* state save area */
		AT(0x400, struct nl_segment segments[NL_SEGMENTS];);
		AT(0x4cb, uint8_t cpl;);
		AT(0x4d0, uint64_t efer;);
		AT(0x548, uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;);
		AT(0x5d8, uint64_t rsp;);
		AT(0x5f8, uint64_t rax, msrs[NL_START_MSRS], cr2;);
		AT(0x668, uint64_t g_pat, debugctl;);
	};
};
/* clang-format on */
#undef AT
_Static_assert(sizeof(struct vmcb) == 4096 && offsetof(struct vmcb, exit_code) == 0x070 &&
                       offsetof(struct vmcb, rip) == 0x578 && offsetof(struct vmcb, cr2) == 0x640,
               "APM vol. 2, appendix B");

/* intercept1, 0x00c: the exit codes that they make follow each other in the order of the bits */
#define I1(exit) (1u << ((exit)-EXIT_INTR))
/* intercept2, 0x010: VMRUN, VMMCALL, VMLOAD, VMSAVE, STGI, CLGI, SKINIT */
#define I2_SVM 0x7fu

#define TLB_NOTHING 0
#define TLB_FLUSH_ALL 1
#define TLB_FLUSH_ASID 3

/* exit codes */
#define EXIT_EXCEPTION 0x40
#define EXIT_INTR 0x60
#define EXIT_NMI 0x61
#define EXIT_INIT 0x63
#define EXIT_CPUID 0x72
#define EXIT_IRET 0x74
#define EXIT_INVD 0x76
#define EXIT_INVLPGA 0x7a
#define EXIT_IO 0x7b
#define EXIT_MSR 0x7c
#define EXIT_SHUTDOWN 0x7f
#define EXIT_VMRUN 0x80
#define EXIT_VMMCALL 0x81
#define EXIT_SKINIT 0x86
#define EXIT_NPF 0x400

struct svm_step { /* over an IRET, and what it will leave as it was */
	bool armed, tf;
	uint64_t dr6, dr7, debugctl;
};

struct svm_cpu {
	struct vmcb *vmcb; /* first: entry.S knows nothing of it, but the debugger's eye does */
	void *host_save;
	uint64_t *top;       /* fifth level above the root, where the host has five */
	bool nmi_blocked;    /* one is in service: until an IRET has completed */
	uint64_t shadow_rip; /* where an NMI was held back last */
	struct svm_step step;
};

/* exit.c */
void svm_exit(struct nl_cpu *cpu, struct vmcb *v); /* decodes, acts on what is SVM's own, hands the rest to hv_exit */

/* svm.c */
extern bool svm_a20_gate; /* an emulator's: address line 20 can be switched off */

/* nmi.c */
void svm_open(struct nl_cpu *cpu, void (*with)(void)); /* run `with` (or nothing) with GIF open: what waits comes */
void svm_nmi_before_entry(struct nl_cpu *cpu);         /* the guest's, if one waits and may come */
void svm_nmi_reset(struct nl_cpu *cpu);                /* INIT: nothing waits, nothing is blocked */
void svm_iret(struct nl_cpu *cpu);                     /* an IRET is about to be executed while NMIs are blocked */
void svm_step_exception(struct nl_cpu *cpu, uint8_t vector);
void svm_undo_step(struct nl_cpu *cpu); /* before any event that the guest may see */

/* entry.S: VMRUN with the guest's registers; returns at the next exit. rax and rsp are the VMCB's business. */
void svm_enter(struct nl_gprs *gprs, uint64_t vmcb);
