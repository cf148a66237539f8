// SPDX-License-Identifier: Apache-2.0
/*
 * The table of CPUs: one struct nl_cpu and one stack each, made at launch for every CPU that the firmware calls
 * enabled.
 */
#include "core/core.h"
#include "host.h"
#include "core/pool.h"

struct nl_cpu *nl_cpus[NL_MAX_CPUS];
unsigned nl_n_cpus;
const struct nl_vendor *nl_vendor;

static struct nl_cpu cpus[NL_MAX_CPUS];
extern uint8_t nl_boot_stack[], nl_boot_stack_top[];

bool nl_cpus_init(void)
{
	for (unsigned i = 0; i < nl_boot.n_cpus; i++) {
		struct nl_cpu *cpu = &cpus[i];
		uint8_t *stack = nl_boot_stack;

		if (i) {
			stack = nl_pool_run(2 * HOST_STACK_SIZE / NL_PAGE_SIZE);
			if (!stack)
				return false;
			stack = (uint8_t *)(((uint64_t)stack + HOST_STACK_SIZE - 1) & ~(HOST_STACK_SIZE - 1));
		}
		*(struct nl_cpu **)stack = cpu;
		cpu->index = i;
		cpu->apic_id = nl_boot.apic_ids[i];
		cpu->stack_top = stack + HOST_STACK_SIZE;
		nl_cpus[i] = cpu;
	}
	nl_n_cpus = nl_boot.n_cpus;
	return true;
}

struct nl_cpu *nl_this_cpu(void)
{
	uint64_t sp;

	__asm__("mov %%rsp, %0" : "=r"(sp));
	return *(struct nl_cpu **)(sp & ~(HOST_STACK_SIZE - 1));
}
