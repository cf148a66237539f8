// SPDX-License-Identifier: Apache-2.0
/*
 * Application processors: from wherever the firmware left them, through our trampoline, under the hypervisor.
 */
#ifndef ARCH_AP_H
#define ARCH_AP_H

#include "vendor.h"

void apic_send(uint32_t apic_id, uint32_t low); /* raw ICR write */
void ap_start(struct nl_cpu *cpu,
              uint8_t vector);          /* returns when it runs the guest at `vector`, or was given up (logged) */
void ap_start_all(struct nl_cpu *self); /* VMX: all absent CPUs into wait-for-SIPI, then the ICR trap is dropped */
_Noreturn void nl_ap_main(struct nl_cpu *cpu);
_Noreturn void ap_reset(void);                     /* the machine, without a word */
_Noreturn void nl_platform_reset(const char *why); /* as a triple fault or INIT of the boot CPU on bare hardware */

/* Logical destination registers as the guest wrote them (xAPIC, trap armed). */
uint32_t ap_ldr(const struct nl_cpu *cpu);
uint32_t ap_dfr(const struct nl_cpu *cpu);
void ap_note_apic_write(struct nl_cpu *cpu, uint32_t offset, uint32_t value);

#endif
