// SPDX-License-Identifier: Apache-2.0
/*
 * The life of a CPU, in one place: how it comes under the hypervisor with all others or not at all, runs, is stopped by
 * INIT and started again by SIPI. Nobody else writes state, init_pending and sipi_vector of struct nl_cpu.
 *
 *   STARTING --nl_cpu_runs--> RUNNING --nl_cpu_stopped--> WAIT_SIPI --nl_cpu_started--> RUNNING
 */
#pragma once

#include "vendor.h"

enum nl_cpu_state {
	NL_CPU_STARTING = 0, /* the firmware's still */
	NL_CPU_RUNNING,      /* runs the guest, or this core on its behalf */
	NL_CPU_WAIT_SIPI,    /* executes nothing: counts as parked, takes the current root before it enters */
};

/*
 * All CPUs but the boot CPU meet here with what they have achieved. true on every one of them: all are there and well,
 * and run as guests from now on. false on every one: not so within a bound, all go back to the firmware.
 */
bool nl_cpus_meet(bool well);
bool nl_cpus_taken(void); /* the boot CPU asks what has become of them; whoever comes later is sent back */

void nl_cpu_runs(struct nl_cpu *cpu); /* on the CPU itself, before its first entry */
bool nl_cpu_is_running(const struct nl_cpu *cpu);
bool nl_cpu_waits_for_sipi(const struct nl_cpu *cpu);

/*
 * INIT that another CPU hands over (the ICR trap) or an exit tells of, and SIPI that another CPU hands over. An INIT
 * that is posted to a CPU that waits already means nothing, as does a SIPI to one that runs.
 */
bool nl_cpu_post_init(struct nl_cpu *cpu); /* true: to be kicked out of the guest */
bool nl_cpu_takes_sipi(const struct nl_cpu *cpu);
void nl_cpu_post_sipi(struct nl_cpu *cpu, uint8_t vector);
bool nl_cpu_init_pending(const struct nl_cpu *cpu);
bool nl_cpu_take_sipi(struct nl_cpu *cpu, uint8_t *vector);

/* On the CPU itself. */
void nl_cpu_stopped(struct nl_cpu *cpu);                 /* INIT has come: it waits for SIPI */
void nl_cpu_started(struct nl_cpu *cpu, uint8_t vector); /* SIPI has come: state after INIT, CS:IP from the vector */
