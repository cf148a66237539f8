// SPDX-License-Identifier: Apache-2.0
/*
 * What lies beside the CPU and knows no nested page table: system management mode where the firmware left it to whoever
 * comes, and the gate of address line 20.
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

/*
 * RDI: a page table that needs no line 20, RSI: an address with it, RDX: three pairs of port and byte. What stands at
 * the address while the line is off; then port 92 puts it on.
 */
extern const uint8_t a20_start[], a20_end[];
uint64_t a20_start_type(uint64_t cr3, uint64_t at, const uint8_t *out);
__asm__(".pushsection .text\n"
        "a20_start: mov %cr3, %r8; mov %rdx, %r9; mov %rdi, %cr3; mov $3, %ecx; xor %edx, %edx\n"
        "1: mov (%r9), %dl; mov 1(%r9), %al; out %al, %dx; add $2, %r9; loop 1b\n"
        "mov (%rsi), %r10; mov $2, %al; out %al, $0x92; mov %r8, %cr3; mov %r10, %rax; ret\n"
        "a20_end:\n.popsection");

#define LINE_20 0x100000ULL

static uint64_t *page_with(uint64_t line)
{
	uint64_t *p;

	do
		p = page_alloc(1);
	while (((uint64_t)p & LINE_20) != line);
	return p;
}

/* Through that gate pages of the core would be those 1 MiB below: sink, nested tables and all. */
static void a20(void)
{
	static const uint8_t ways[][6] = {
	        {0x92, 0, 0x92, 0, 0x92, 0},
	        {0x64, 0xd1, 0x60, 0xdd, 0x64, 0xff},
	        {0x64, 0xdd, 0x64, 0xdd, 0x64, 0xff},
	};
	uint64_t *table, *upper, *code, *data;
	uint8_t *list;
	uint32_t r[4];

	cpuid(0x40000000, 0, r);
	if (r[1] != 0x54474354) { /* "TCGT". Bochs masks the line in VMX operation, too, against SDM vol. 3, 24.8 */
		skip("not QEMU's TCG, whose gate can be held open");
		return;
	}
	table = page_with(0);
	upper = page_with(0);
	code = page_with(0);
	data = page_with(LINE_20);
	list = (uint8_t *)(code + 256);
	memcpy(code, a20_start, (size_t)(a20_end - a20_start));
	table[0] = (uint64_t)upper | PTE_P | PTE_W;
	for (unsigned i = 0; i < 4; i++) {
		uint64_t *lower = page_with(0);

		upper[i] = (uint64_t)lower | PTE_P | PTE_W;
		for (uint64_t j = 0; j < 512; j++)
			lower[j] = (i * 512 + j) << 21 | 0x80 | PTE_P | PTE_W;
	}
	*data = 0x6e65776c65616621;
	for (unsigned i = 0; i < NL_ARRAY_SIZE(ways); i++) {
		memcpy(list, ways[i], sizeof(ways[i]));
		uint64_t v = ((typeof(a20_start_type) *)code)((uint64_t)table, (uint64_t)data, list);

		EXPECT(v == *data, "way %u: %lx shows %lx, line 20 is off", i, (uint64_t)data, v);
	}
}

const struct test platform_tests[] = {
        {"platform-a20", a20, NEWLEAF_ONLY},
        {"platform-smi", smi, NEWLEAF_ONLY},
        {NULL, NULL, 0},
};
