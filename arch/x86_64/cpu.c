// SPDX-License-Identifier: Apache-2.0
/*
 * The table of CPUs: one struct nl_cpu and one stack each, made before the launch for every CPU that the firmware
 * hands over.
 */
#include "core/core.h"
#include "core/pool.h"
#include "host.h"
#include "x86.h"

struct nl_cpu *nl_cpus[NL_MAX_CPUS];
unsigned nl_n_cpus;
const struct nl_vendor *nl_vendor;

extern uint8_t nl_boot_stack[];
void *nl_entry_stack(enum nl_enter what);

bool nl_cpus_init(void)
{
	uint64_t others = nl_boot.n_cpus - 1;
	struct nl_cpu *table = nl_pool_bytes(nl_boot.n_cpus * sizeof(*table));
	uint8_t *stacks = others ? nl_pool_bytes((others + 1) * HOST_STACK_SIZE) : nl_boot_stack;

	if (!table || !stacks)
		return false;
	stacks = (uint8_t *)(((uint64_t)stacks + HOST_STACK_SIZE - 1) & ~(HOST_STACK_SIZE - 1));
	for (unsigned i = 0; i < nl_boot.n_cpus; i++) {
		struct nl_cpu *cpu = &table[i];
		uint8_t *stack = i ? stacks + (i - 1) * HOST_STACK_SIZE : nl_boot_stack;

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

/* entry.S asks, on the firmware's stack. NULL: a CPU that the loader has not listed. */
void *nl_entry_stack(enum nl_enter what)
{
	uint32_t id = x86_apic_id();

	if (what != NL_ENTER_JOIN)
		return nl_boot_stack + HOST_STACK_SIZE;
	for (unsigned i = 1; i < nl_n_cpus; i++)
		if (nl_cpus[i]->apic_id == id)
			return nl_cpus[i]->stack_top;
	return NULL;
}
