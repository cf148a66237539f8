// SPDX-License-Identifier: Apache-2.0
/*
 * The local APIC: sending from the core, watching what the guest sends.
 */
#pragma once

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
#define APIC_LVT_TIMER 0x320
#define APIC_LVTPC 0x340
#define APIC_LVT_ERROR 0x370
#define APIC_INITIAL_COUNT 0x380

void apic_send_nmi(uint32_t apic_id);
uint32_t apic_read(uint32_t offset);

/* A guest's write of the interrupt command register. INIT, SIPI and NMI are ours to deliver, all else goes to the
 * hardware. false: the hardware refuses the value. */
bool apic_guest_icr(struct nl_cpu *cpu, uint64_t icr, bool x2);
/* A guest's write to the xAPIC page. */
void apic_guest_mmio(struct nl_cpu *cpu, const struct nl_exit *exit);

/* A guest's write of IA32_APIC_BASE. false: #GP. */
bool apic_guest_base(struct nl_cpu *cpu, uint64_t value);

/* In hv_before_entry: an INIT that was caught at the ICR, or has exited. */
void apic_deliver_init(struct nl_cpu *cpu);
void apic_reset_local(void); /* at SIPI: the rest of what INIT does to its APIC */
void apic_forget(void);      /* an interrupt that came while apic_reset_local was taking what waits */

bool apic_is_watched(void); /* the guest's writes come here: fixed at launch */
void apic_note_write(const struct nl_cpu *cpu, uint32_t offset, uint32_t value); /* to the xAPIC page: LDR, DFR */
