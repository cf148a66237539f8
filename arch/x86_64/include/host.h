// SPDX-License-Identifier: Apache-2.0
/*
 * The core's own machine state: GDT, IDT, exception handling, host page table, CPU table. There is no task state
 * segment: no gate has a stack of its own, nothing leaves ring 0, and on SVM the task register is the guest's all the
 * time.
 */
#pragma once

#include "vendor.h"

#define HOST_CS 0x08
#define HOST_DS 0x10
#define HOST_TASK 0x18           /* nobody's descriptor; VMX wants a selector that is not null */
#define HOST_STACK_SIZE 16384ULL /* aligned to its size; its lowest word points to the CPU */

struct descriptor_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

/* An event that an entry delivers, or an exit has cut short: the same bits on both vendors (SDM vol. 3, 25.8.3, 25.9.3;
 * APM vol. 2, 15.20). Types from SOFT on come from instructions. */
#define EVENT_VALID (1u << 31)
#define EVENT_HAS_ERROR (1u << 11)
#define EVENT_TYPE(event) ((event)&7u << 8)
#define EVENT_NMI (2u << 8)
#define EVENT_EXCEPTION (3u << 8)
#define EVENT_SOFT (4u << 8)

#define HOST_INTERRUPT 32 /* vector of each interrupt, from 32 to 255 */

/* What an exception stub leaves on the stack. */
struct host_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

extern const struct descriptor_pointer host_gdtr, host_idtr;
void host_init_idt(void); /* once, on the boot CPU */
/* A machine check that the guest did not get itself: kept for it, or a panic when `where` cannot be resumed. */
void host_machine_check(struct nl_cpu *cpu, const char *where, uint64_t ip);
void host_dump_machine_checks(void); /* what the banks of this CPU hold, on the way down */
/* Is one to be injected now? It is taken. A guest with MCE off would shut down: none for it. */
static inline bool host_give_machine_check(struct nl_cpu *cpu, uint64_t cr4)
{
	bool pending = cpu->mc_pending;

	cpu->mc_pending = false;
	return pending && (cr4 >> 6 & 1);
}

/* entry.S: where the loader stood when it called us, on the firmware's stack */
struct launch_frame {
	struct nl_gprs gprs; /* but for rdi */
	uint64_t rip, rflags, cr0, cr3, cr4;
	struct descriptor_pointer gdtr, idtr;
	uint16_t selectors[NL_GDTR], tr, ldtr; /* of ES to GS */
};

/* On the CPU itself: the firmware's state from the frame and its descriptor tables; then GDT, IDT, control registers
 * and page table of the core; and back, where something failed. */
void host_capture(const struct launch_frame *f, struct nl_launch_state *out);
void host_load(void);
void host_unload(const struct launch_frame *f, const struct nl_launch_state *before);

_Noreturn void host_reset(void);                   /* the machine, without a word */
_Noreturn void nl_platform_reset(const char *why); /* as a triple fault or INIT of the boot CPU on bare hardware */

bool nl_cpus_init(void); /* CPU table from the boot block; false: out of memory */
