// SPDX-License-Identifier: Apache-2.0
/*
 * Bringing up application processors by INIT-SIPI-SIPI, and giving them work.
 */
#include "kernel.h"

extern const uint8_t trampoline[], trampoline_32[], trampoline_64[], trampoline_end[];
static _Noreturn void ap_main(struct cpu *cpu, uint64_t page);

struct params { /* at 0xc00 of the page; offsets are written in entry.S */
	uint16_t gdt_limit;
	uint32_t gdt_base;
	uint16_t pad;
	struct {
		uint32_t offset;
		uint16_t selector, pad;
	} far32, far64;
	uint32_t cr3, cr4;
	uint64_t by_apic_id, entry;
	uint64_t gdt[4];
} __attribute__((packed));
_Static_assert(offsetof(struct params, far32) == 8 && offsetof(struct params, far64) == 16 &&
                       offsetof(struct params, cr3) == 24 && offsetof(struct params, by_apic_id) == 32,
               "entry.S reads by these offsets");
_Static_assert(offsetof(struct first_state, efer_low) == 0x3c && offsetof(struct first_state, cs) == 0x44 &&
                       offsetof(struct first_state, gdtr_base) == 0x54,
               "entry.S stores by these offsets");

static struct cpu *by_apic_id[256];

void smp_init(void)
{
	for (unsigned i = 0; i < machine.n_cpus; i++) {
		struct cpu *c = &cpus[i];

		c->index = i;
		c->apic_id = machine.apic_ids[i];
		if (!c->stack_top)
			c->stack_top = (uint64_t)page_alloc(4) + 4 * NL_PAGE_SIZE;
		by_apic_id[c->apic_id & 0xff] = c;
	}
	for (unsigned i = 0; i < 2; i++) {
		uint32_t page = (uint32_t)machine.low[i];
		struct params *p = (struct params *)((uint64_t)page + 0xc00);

		memcpy((void *)(uint64_t)page, trampoline, (size_t)(trampoline_end - trampoline));
		*p = (struct params){
		        .gdt_limit = sizeof(p->gdt) - 1,
		        .gdt_base = page + 0xc00 + (uint32_t)offsetof(struct params, gdt),
		        .far32 = {page + (uint32_t)(trampoline_32 - trampoline), 8, 0},
		        .far64 = {page + (uint32_t)(trampoline_64 - trampoline), 0x18, 0},
		        .cr3 = (uint32_t)kernel_cr3(),
		        .cr4 = (uint32_t)read_cr4(),
		        .by_apic_id = (uint64_t)by_apic_id,
		        .entry = (uint64_t)ap_main,
		        .gdt = {0, 0x00cf9b000000ffffULL, 0x00cf93000000ffffULL, 0x00af9b000000ffffULL},
		};
	}
}

volatile struct first_state *smp_first_state(unsigned page)
{
	return (volatile struct first_state *)(machine.low[page] + 0x800);
}

static _Noreturn void ap_main(struct cpu *cpu, uint64_t page)
{
	cpu_load(cpu);
	cpu->resume = 0;
	cpu->job = NULL;
	cpu->nmi_hook = NULL;
	cpu->sipi_page = (uint8_t)(page >> 12);
	__atomic_fetch_add(&cpu->starts, 1, __ATOMIC_SEQ_CST);
	for (;;) {
		void (*job)(struct cpu *) = __atomic_load_n(&cpu->job, __ATOMIC_SEQ_CST);

		if (job) {
			job(cpu);
			cli();
			__atomic_store_n(&cpu->job, NULL, __ATOMIC_SEQ_CST);
		}
		__asm__ volatile("sti; hlt; cli" ::
		                         : "memory"); /* smp_give() wakes it; a job that was given before STI has its
		                                         interrupt waiting */
	}
}

bool smp_wait_started(struct cpu *cpu, uint64_t before) { return WAIT(cpu->starts > before); }

bool smp_start(struct cpu *cpu, unsigned page)
{
	uint64_t before = cpu->starts;

	apic_send(cpu->apic_id, ICR_INIT | ICR_ASSERT);
	settle(200);
	apic_send(cpu->apic_id, ICR_SIPI | ICR_ASSERT | (uint32_t)(machine.low[page] >> 12));
	if (!WAIT_MS(cpu->starts > before, 20))
		apic_send(cpu->apic_id, ICR_SIPI | ICR_ASSERT | (uint32_t)(machine.low[page] >> 12));
	return smp_wait_started(cpu, before);
}

bool smp_start_all(void)
{
	for (unsigned i = 1; i < machine.n_cpus; i++)
		if (!cpus[i].starts && !smp_start(&cpus[i], 0))
			return false;
	return true;
}

unsigned smp_running(void)
{
	unsigned n = 1;

	for (unsigned i = 1; i < machine.n_cpus; i++)
		n += cpus[i].starts != 0;
	return n;
}

#define WAKE_VECTOR 0xe0

void smp_give(struct cpu *cpu, void (*job)(struct cpu *))
{
	__atomic_store_n(&cpu->job, job, __ATOMIC_SEQ_CST);
	apic_send(cpu->apic_id, ICR_FIXED | ICR_ASSERT | WAKE_VECTOR);
}

bool smp_wait(struct cpu *cpu) { return WAIT(!__atomic_load_n(&cpu->job, __ATOMIC_SEQ_CST)); }

bool smp_call(struct cpu *cpu, void (*job)(struct cpu *))
{
	smp_give(cpu, job);
	return smp_wait(cpu);
}
