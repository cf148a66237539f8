// SPDX-License-Identifier: Apache-2.0
/*
 * What the files of this room share: the per-CPU structure, VMREAD/VMWRITE, and who offers what. vendor.h is the room's
 * door; nothing outside includes this.
 */
#pragma once

/* Offsets for entry.S, checked in vmcs.c */
#define VMX_CPU_CPU 0
#define VMX_CPU_LAUNCHED 8
/* of struct nl_cpu */
#define VMX_GPRS 8

#ifndef __ASSEMBLER__

/* The contract says which CPU is meant; VMREAD, VMWRITE and the rest mean the one that executes them. */
#pragma GCC diagnostic ignored "-Wunused-parameter"

#include "caps.h"
#include "fields.h"
#include "host.h"

/* Bits of CR4 that the guest is not shown in CPUID, so that setting one is #GP as on a CPU without: VMXE, SMXE, PKS,
 * UINTR, FRED. */
#define CR4_HIDDEN (1ULL << 13 | 1ULL << 14 | 1ULL << 24 | 1ULL << 25 | 1ULL << 32)
#define CR4_CET (1ULL << 23)
#define CR4_LASS (1ULL << 27)

/* SDM vol. 3, 25.4.2 */
enum vmx_activity { ACTIVITY_ACTIVE = 0, ACTIVITY_HLT = 1, ACTIVITY_WAIT_SIPI = 3 };
#define BLOCKING_STI 1u
#define BLOCKING_MOV_SS 2u
#define BLOCKING_NMI 8u
#define PENDING_DEBUG_BS (1u << 14)

/* clang-format off */
/* SDM vol. 3, appendix C */
enum vmx_reason {
	REASON_EXCEPTION_NMI = 0, REASON_TRIPLE = 2, REASON_INIT = 3, REASON_SIPI = 4, REASON_NMI_WINDOW = 8,
	REASON_TASK_SWITCH = 9, REASON_CPUID = 10, REASON_GETSEC = 11,
	REASON_INVD = 13, REASON_VMCALL = 18, REASON_VMXON = 27, REASON_CR = 28, REASON_IO = 30, REASON_RDMSR = 31,
	REASON_WRMSR = 32, REASON_MACHINE_CHECK = 41, REASON_EPT_VIOLATION = 48, REASON_INVEPT = 50,
	REASON_PREEMPTION_TIMER = 52, REASON_INVVPID = 53, REASON_XSETBV = 55,
	REASON_VMFUNC = 59, REASON_XSAVES = 63, REASON_XRSTORS = 64, REASON_SEAMCALL = 76, REASON_TDCALL = 77,
	REASON_URDMSR = 80, REASON_UWRMSR = 81, REASON_RDMSR_IMM = 84, REASON_WRMSR_IMM = 85,
	REASON_ENTRY_FAILED = 1u << 31
};
/* clang-format on */

struct vmx_cpu {
	struct nl_cpu *cpu; /* 0 */
	uint32_t launched;  /* 8: VMRESUME from now on */
	bool just_started;  /* by SIPI: nothing has been executed since, as far as exits tell */
	bool holds;         /* programs, at their page faults */
	bool nmi_window;    /* the last exit said that an NMI may come now */
	uint8_t *vmxon, *vmcs;
	struct vmx_msr_entry *guest_msrs, *host_msrs; /* switched by entry and exit themselves */
};

struct vmx_msr_entry { /* SDM vol. 3, table 25-15 */
	uint32_t index, reserved;
	uint64_t value;
};
_Static_assert(sizeof(struct vmx_msr_entry) == 16, "MSR entry layout");

/* The same on all CPUs; made by probe (what the CPU can do) and machine_init. */
struct vmx_machine {
	struct vmx_msrs msrs;
	struct vmx_controls controls;
	uint8_t *msr_bitmap, *io_bitmap; /* one page; two pages */
	bool switch_perf; /* IA32_PERF_GLOBAL_CTRL exists: zero in root, or PEBS would write through the core's page
	                     table */
};
extern struct vmx_machine vmx;

static inline struct vmx_cpu *vmx_cpu(struct nl_cpu *cpu) { return cpu->vendor; }

NL_VENDOR_OPS(NL_VENDOR_DECLARE, vmx_)

/* vmcs.c */
uint64_t vmx_read(enum vmx_field field);
void vmx_write(enum vmx_field field, uint64_t value); /* a failure is a defect of ours: panics */
void vmx_write_host_state(struct nl_cpu *cpu);
#define VMX_WRITE_ALL(...) \
	do { \
		const uint64_t rows_[][2] = {__VA_ARGS__}; /* field, value */ \
		for (size_t i_ = 0; i_ < NL_ARRAY_SIZE(rows_); i_++) \
			vmx_write((enum vmx_field)rows_[i_][0], rows_[i_][1]); \
	} while (0)

/* cell.c: this CPU comes by every nl_beside.poll ticks */
void vmx_poll(uint32_t pin);

/* exit.c */
/* The CPU has come under the hypervisor, or out of INIT: what it holds of the guest is from another life. */
void vmx_flush_all(struct nl_cpu *cpu);
void vmx_run(struct nl_cpu *cpu) __attribute__((noreturn));
void vmx_before_entry(struct vmx_cpu *v); /* these three are called by entry.S */
void vmx_after_exit(struct vmx_cpu *v);
_Noreturn void vmx_entry_failed(struct vmx_cpu *v, uint64_t rflags);

/* nmi.c */
void vmx_nmi_exit(struct nl_cpu *cpu);
void vmx_nmi_in_root(struct nl_cpu *cpu); /* account for those that host_nmi has counted */
void vmx_nmi_before_entry(struct nl_cpu *cpu, bool window);
void vmx_nmi_reset(struct nl_cpu *cpu); /* INIT: nothing waits */

/* entry.S */
_Noreturn void vmx_loop(struct vmx_cpu *v, void *stack_top);
void vmx_exit_entry(void);

#endif
