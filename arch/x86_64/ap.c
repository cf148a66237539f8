// SPDX-License-Identifier: Apache-2.0
/*
 * Starting application processors through our own trampoline, and the platform reset.
 */
#include "ap.h"
#include "apic.h"
#include "view/base.h"
#include "core/core.h"
#include "host.h"
#include "x86.h"

/* At offset 0xf00 of the trampoline page; offsets are written in trampoline.S. */
struct trampoline_params {
	uint16_t gdt_limit;
	uint32_t gdt_base;
	uint16_t pad0;
	struct {
		uint32_t offset;
		uint16_t selector;
		uint16_t pad;
	} far32, far64;
	uint32_t cr3, pad1;
	uint64_t stack, cpu, entry;
	uint64_t gdt[4];
} __attribute__((packed));
_Static_assert(offsetof(struct trampoline_params, far32) == 8 && offsetof(struct trampoline_params, far64) == 0x10 &&
                       offsetof(struct trampoline_params, cr3) == 0x18 &&
                       offsetof(struct trampoline_params, stack) == 0x20,
               "trampoline.S reads by these offsets");

extern const uint8_t ap_trampoline[], ap_trampoline_32[], ap_trampoline_64[], ap_trampoline_end[];
void nl_ap_entry(void);

static uint32_t ldr[NL_MAX_CPUS], dfr[NL_MAX_CPUS];
static bool trap_armed = true;

bool apic_trap_armed(void) { return trap_armed; }
uint32_t ap_ldr(const struct nl_cpu *cpu) { return ldr[cpu->index]; }
uint32_t ap_dfr(const struct nl_cpu *cpu) { return dfr[cpu->index] ? dfr[cpu->index] : UINT32_MAX; }

void ap_note_apic_write(struct nl_cpu *cpu, uint32_t offset, uint32_t value)
{
	if (offset == APIC_LDR)
		ldr[cpu->index] = value;
	if (offset == APIC_DFR)
		dfr[cpu->index] = value | 0x0fffffff;
}

static void wait_us(uint64_t us)
{
	uint64_t hz = nl_boot.tsc_hz ? nl_boot.tsc_hz : 1000000000;
	uint64_t end = x86_rdtsc() + hz / 1000000 * us;

	while (x86_rdtsc() < end)
		x86_pause();
}

static uint32_t state(struct nl_cpu *cpu) { return __atomic_load_n(&cpu->state, __ATOMIC_SEQ_CST); }

static bool came_up(struct nl_cpu *cpu, uint64_t us)
{
	for (uint64_t waited = 0; waited < us && state(cpu) == NL_CPU_STARTING; waited += 10)
		wait_us(10);
	return state(cpu) != NL_CPU_STARTING;
}

/* sipi_vector says what the CPU shall do once it is ours: run the guest there, or wait for SIPI (0). */
static void bring_up(struct nl_cpu *cpu)
{
	static nl_lock_t lock; /* one trampoline page; the guest may start two CPUs from two others at once */
	uint8_t *at = x86_phys(HPA(nl_boot.trampoline));
	struct trampoline_params *p = (struct trampoline_params *)(at + 0xf00);
	uint32_t base = (uint32_t)nl_boot.trampoline;

	nl_lock(&lock);
	if (state(cpu) != NL_CPU_ABSENT) { /* another CPU was quicker */
		nl_unlock(&lock);
		return;
	}
	memcpy(at, ap_trampoline, (size_t)(ap_trampoline_end - ap_trampoline));
	*p = (struct trampoline_params){
	        .gdt_limit = sizeof(p->gdt) - 1,
	        .gdt_base = base + 0xf00 + (uint32_t)offsetof(struct trampoline_params, gdt),
	        .far32 = {base + (uint32_t)(ap_trampoline_32 - ap_trampoline), 0x08, 0},
	        .far64 = {base + (uint32_t)(ap_trampoline_64 - ap_trampoline), 0x18, 0},
	        .cr3 = (uint32_t)nl_boot.host_cr3,
	        .stack = (uint64_t)cpu->stack_top,
	        .cpu = (uint64_t)cpu,
	        .entry = (uint64_t)nl_ap_entry,
	        .gdt = {0, 0x00cf9b000000ffffULL, 0x00cf93000000ffffULL, 0x00af9b000000ffffULL},
	};
	__atomic_store_n(&cpu->state, NL_CPU_STARTING, __ATOMIC_SEQ_CST);
	apic_send_init(cpu->apic_id);
	wait_us(10000); /* SDM vol. 3, 9.4.4.1 */
	for (int i = 0; i < 2 && state(cpu) == NL_CPU_STARTING; i++) {
		apic_send(cpu->apic_id, 0x4600u | base >> 12);
		came_up(cpu, i ? 5000000 : 20000);
	}
	if (state(cpu) == NL_CPU_STARTING)
		nl_log("newleaf: CPU %u (APIC %u) did not start\n", cpu->index, cpu->apic_id);
	nl_unlock(&lock);
}

void ap_start(struct nl_cpu *cpu, uint8_t vector)
{
	cpu->sipi_vector = 0x100u | vector;
	bring_up(cpu);
}

void ap_start_all(struct nl_cpu *self)
{
	bool all = true;

	for (unsigned i = 0; i < nl_n_cpus; i++) {
		if (nl_cpus[i] != self && state(nl_cpus[i]) == NL_CPU_ABSENT) {
			nl_cpus[i]->sipi_vector = 0;
			bring_up(nl_cpus[i]);
		}
		all &= state(nl_cpus[i]) != NL_CPU_STARTING;
	}
	if (!all) /* a CPU that is not ours must not be started by the guest: it would run beside the hypervisor */
		return;
	/* All others wait for SIPI and load a root with a full flush before they enter; only this CPU may hold stale
	 * translations. */
	trap_armed = false;
	nl_base_disarm_apic();
	nl_vendor->intercept_msr(MSR_X2APIC_ICR, false, false);
	nl_vendor->flush_all(self);
}

void nl_ap_main(struct nl_cpu *cpu)
{
	enum nl_err err;

	host_load(cpu);
	__atomic_store_n(&cpu->init_pending, 0, __ATOMIC_SEQ_CST);
	err = nl_base_cpu_start(cpu);
	if (err)
		nl_panic("CPU %u: cannot be virtualised (error %u)", cpu->index, err);
	nl_vendor->reset_to_sipi(cpu, (uint8_t)cpu->sipi_vector);
	uint32_t wanted = cpu->sipi_vector;
	cpu->sipi_vector = 0;
	__atomic_store_n(&cpu->state, wanted ? NL_CPU_RUNNING : NL_CPU_WAIT_SIPI, __ATOMIC_SEQ_CST);
	if (!wanted)
		nl_vendor->wait_for_sipi(cpu);
	nl_vendor->run(cpu);
}

void nl_platform_reset(const char *why)
{
	nl_log("newleaf: platform reset: %s\n", why);
	ap_reset();
}

void ap_reset(void)
{
	if (nl_boot.reset_port)
		x86_outb((uint16_t)nl_boot.reset_port, (uint8_t)nl_boot.reset_value);
	x86_outb(0xcf9, 0x02);
	x86_outb(0xcf9, 0x0e);
	x86_outb(0x64, 0xfe);
	for (;;)
		__asm__ volatile("cli; hlt");
}
