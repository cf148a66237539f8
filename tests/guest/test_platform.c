// SPDX-License-Identifier: Apache-2.0
/*
 * What lies beside the CPU and knows no nested page table: system management mode where the firmware left it to whoever
 * comes.
 */
#include "kernel.h"
#include "region.h"

#define SAVED 0xfe00u /* of the 64 KiB from SMBASE on: the CPU's state */
#define SMBASE (NL_SMI_HANDLER - 0x8000)
#define ICR_SMI 0x200u

/* A handler of ours at the place that a CPU has after reset: it reads the first bytes of the core. */
extern const uint8_t smi_start[], smi_target[], smi_end[];
__asm__(".pushsection .text\n.code16\n"
        "smi_start: movl $0, %edi\n"
        "smi_target: addr32 movl (%edi), %eax\n"
        "addr32 movl %eax, 0x39000\n"
        "lock addr32 incl 0x39004\n"
        "rsm\n"
        "smi_end:\n"
        ".code64\n.popsection");

static volatile uint32_t *const seen = (volatile uint32_t *)0x39000, *const count = (volatile uint32_t *)0x39004;

static int store(uint64_t at, uint8_t v) { return TRY("movb %b0, (%1)", ARGS(), ARGS("q"(v), "r"(at))); }

static void smi_to_self(void) { apic_send(0, ICR_SELF | ICR_SMI); }
static void smi_to_other(void) { apic_send(cpus[1].apic_id, ICR_SMI | ICR_ASSERT); }

/* Nothing of a CPU's state is there to be read or changed. */
static void send(void (*how)(void), const char *who)
{
	uint64_t before;

	for (unsigned i = 0; i < 10 && !failed(); i++) {
		before = *count;
		how();
		WAIT_MS(*count != before, 20);
		EXPECT(!*seen, "%s in SMM has read %x of the core", who, *seen);
		for (unsigned at = 0; at < 0x200; at += 4)
			EXPECT(!*(volatile uint32_t *)(SMBASE + SAVED + at), "%s: its state shows at %x", who, at);
	}
}

static void smi(void)
{
	uint64_t target = region_base() + NL_REGION_CORE;
	size_t n = (size_t)(smi_end - smi_start), patch = (size_t)(smi_target - smi_start) - 4;
	unsigned refused = 0;

	if (target >> 32) {
		skip("the hypervisor's memory lies above 4 GiB");
		return;
	}
	*seen = *count = 0;
	for (size_t i = 0; i < n; i++) {
		uint8_t v = i - patch < 4 ? (uint8_t)(target >> 8 * (i - patch)) : smi_start[i];
		refused += store(NL_SMI_HANDLER + i, v) == GP;
	}
	send(smi_to_self, "this CPU");
	if (machine.n_cpus > 1) {
		apic_send(cpus[1].apic_id, ICR_INIT | ICR_ASSERT);
		settle(10000);
		send(smi_to_other, "a CPU that waits for SIPI");
		EXPECT(smp_start(&cpus[1], 0), "CPU 1 did not start");
		send(smi_to_other, "a CPU that runs");
	}
	EXPECT(refused == n, "the handler of SMIs can be written");
}

const struct test platform_tests[] = {
        {"platform-smi", smi, NEWLEAF_ONLY},
        {NULL, NULL, 0},
};
