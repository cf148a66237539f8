// SPDX-License-Identifier: Apache-2.0
/*
 * The local APIC: sending from the core, watching what the guest sends, starting application processors.
 */
#ifndef ARCH_APIC_H
#define ARCH_APIC_H

#include "vendor.h"

#define APIC_DEFAULT_BASE 0xfee00000ULL
#define APIC_ID 0x20
#define APIC_TPR 0x80
#define APIC_EOI 0xb0
#define APIC_LDR 0xd0
#define APIC_DFR 0xe0
#define APIC_SVR 0xf0
#define APIC_ISR 0x100
#define APIC_IRR 0x200
#define APIC_ICR_LOW 0x300
#define APIC_ICR_HIGH 0x310
#define APIC_LVTPC 0x340
#define APIC_INITIAL_COUNT 0x380

void apic_send_init(uint32_t apic_id);
void apic_send_nmi(uint32_t apic_id);
bool apic_is_x2(void);
uint32_t apic_read(uint32_t offset);

/* A guest's write of the interrupt command register. INIT, SIPI and NMI are ours to deliver, all else goes to the
 * hardware. false: the hardware refuses the value. */
bool apic_guest_icr(struct nl_cpu *cpu, uint64_t icr, bool x2);
/* A guest's write to the xAPIC page. */
void apic_guest_mmio(struct nl_cpu *cpu, const struct nl_exit *exit);

/* In hv_before_entry: INIT and SIPI that the ICR trap caught (SVM always, VMX until all CPUs are ours). */
void apic_deliver_init(struct nl_cpu *cpu);
void apic_reset_local(void); /* this CPU's APIC as after INIT */
void host_interrupt(void);   /* entry.S: an interrupt that came while apic_reset_local was taking what waits */

/* Is the trap armed? Both are written by apic.c only. */
bool apic_trap_armed(void);

#endif
