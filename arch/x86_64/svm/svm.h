// SPDX-License-Identifier: Apache-2.0
/*
 * The VMCB and the numbers of SVM (APM vol. 2, appendices B and C).
 */
#ifndef SVM_SVM_H
#define SVM_SVM_H

#include "vendor.h"

struct vmcb {
	/* control area */
	uint16_t intercept_cr_read, intercept_cr_write; /* 0x000 */
	uint16_t intercept_dr_read, intercept_dr_write; /* 0x004 */
	uint32_t intercept_exceptions;                  /* 0x008 */
	uint32_t intercept1, intercept2, intercept3;    /* 0x00c, 0x010, 0x014 */
	uint8_t reserved0[0x3c - 0x18];
	uint16_t pause_threshold, pause_count; /* 0x03c */
	uint64_t iopm, msrpm;                  /* 0x040 */
	uint64_t tsc_offset;                   /* 0x050 */
	uint32_t asid;                         /* 0x058 */
	uint8_t tlb_control;                   /* 0x05c */
	uint8_t reserved1[3];
	uint64_t v_intr;                                /* 0x060 */
	uint64_t interrupt_shadow;                      /* 0x068 */
	uint64_t exit_code;                             /* 0x070 */
	uint64_t exit_info1, exit_info2, exit_int_info; /* 0x078 */
	uint64_t nested_control;                        /* 0x090 */
	uint64_t avic_bar, ghcb;                        /* 0x098 */
	uint64_t event_injection;                       /* 0x0a8 */
	uint64_t nested_cr3;                            /* 0x0b0 */
	uint64_t lbr_control;                           /* 0x0b8 */
	uint32_t clean, reserved2;                      /* 0x0c0 */
	uint64_t next_rip;                              /* 0x0c8 */
	uint8_t fetched, bytes[15];                     /* 0x0d0 */
	uint8_t reserved3[0x400 - 0xe0];
	/* state save area */
	struct nl_segment segments[NL_SEGMENTS]; /* 0x400 */
	uint8_t reserved4[0x4cb - 0x4a0];
	uint8_t cpl; /* 0x4cb */
	uint32_t reserved5;
	uint64_t efer; /* 0x4d0 */
	uint8_t reserved6[0x548 - 0x4d8];
	uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip; /* 0x548 */
	uint8_t reserved7[0x5d8 - 0x580];
	uint64_t rsp; /* 0x5d8 */
	uint8_t reserved8[0x5f8 - 0x5e0];
	uint64_t rax, msrs[NL_START_MSRS], cr2; /* 0x5f8 */
	uint8_t reserved9[0x668 - 0x648];
	uint64_t g_pat, debugctl, br_from, br_to, last_exception_from, last_exception_to; /* 0x668 */
	uint8_t reserved10[0x1000 - 0x698];
} __attribute__((packed));

_Static_assert(sizeof(struct vmcb) == 4096, "VMCB size");
#define VMCB_AT(field, offset) _Static_assert(offsetof(struct vmcb, field) == (offset), "VMCB." #field)
VMCB_AT(pause_threshold, 0x03c);
VMCB_AT(asid, 0x058);
VMCB_AT(exit_code, 0x070);
VMCB_AT(nested_control, 0x090);
VMCB_AT(event_injection, 0x0a8);
VMCB_AT(clean, 0x0c0);
VMCB_AT(next_rip, 0x0c8);
VMCB_AT(segments, 0x400);
VMCB_AT(cpl, 0x4cb);
VMCB_AT(efer, 0x4d0);
VMCB_AT(cr4, 0x548);
VMCB_AT(rip, 0x578);
VMCB_AT(rsp, 0x5d8);
VMCB_AT(rax, 0x5f8);
VMCB_AT(cr2, 0x640);
VMCB_AT(g_pat, 0x668);

/* intercept1, 0x00c */
#define I1_INTR (1u << 0)
#define I1_NMI (1u << 1)
#define I1_INIT (1u << 3)
#define I1_CPUID (1u << 18)
#define I1_IRET (1u << 20)
#define I1_INVD (1u << 22)
#define I1_INVLPGA (1u << 26)
#define I1_IO (1u << 27)
#define I1_MSR (1u << 28)
#define I1_SHUTDOWN (1u << 31)
/* intercept2, 0x010 */
#define I2_VMRUN (1u << 0)
#define I2_VMMCALL (1u << 1)
#define I2_VMLOAD (1u << 2)
#define I2_VMSAVE (1u << 3)
#define I2_STGI (1u << 4)
#define I2_CLGI (1u << 5)
#define I2_SKINIT (1u << 6)

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
#define EXIT_SKINIT 0x86
#define EXIT_NPF 0x400

#define EVENT_VALID (1ULL << 31)
#define EVENT_HAS_ERROR (1ULL << 11)
#define EVENT_NMI (2ULL << 8)
#define EVENT_EXCEPTION (3ULL << 8)
#define EVENT_TYPE(e) ((e) >> 8 & 7)

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

/* entry.S: VMRUN with the guest's registers; returns at the next exit. rax and rsp are the VMCB's business. */
void svm_enter(struct nl_gprs *gprs, uint64_t vmcb);

#endif
