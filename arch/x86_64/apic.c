// SPDX-License-Identifier: Apache-2.0
/*
 * What the guest sends through the interrupt command register, and how application processors come under the
 * hypervisor. INIT never reaches a virtualised CPU on SVM: it is caught here and emulated, and so are SIPI and (to keep
 * count of them) NMI. On VMX the trap stands only until every CPU is under the hypervisor; from then on INIT and SIPI
 * are exits of their target.
 */
#include "apic.h"
#include "core/core.h"
#include "ap.h"
#include "x86.h"

enum { MODE_NMI = 4, MODE_INIT = 5, MODE_SIPI = 6 };
#define ICR_BUSY (1u << 12)
#define ICR_LOGICAL (1u << 11)
#define ICR_ASSERT (1u << 14)
#define ICR_LEVEL (1u << 15)

bool apic_is_x2(void) { return (x86_rdmsr(MSR_APIC_BASE) & 0xc00) == 0xc00; }

static volatile uint32_t *page(uint32_t offset)
{
	return (volatile uint32_t *)x86_phys(HPA(APIC_DEFAULT_BASE + offset));
}

uint32_t apic_read(uint32_t offset)
{
	return apic_is_x2() ? (uint32_t)x86_rdmsr(MSR_X2APIC_BASE + offset / 16) : *page(offset);
}

/* The guest may be between its two writes of the ICR when we send: its high half is put back. */
void apic_send(uint32_t apic_id, uint32_t low)
{
	if (apic_is_x2()) {
		x86_wrmsr(MSR_X2APIC_ICR, (uint64_t)apic_id << 32 | low);
		return;
	}
	while (*page(APIC_ICR_LOW) & ICR_BUSY)
		x86_pause();
	uint32_t high = *page(APIC_ICR_HIGH);
	*page(APIC_ICR_HIGH) = apic_id << 24;
	*page(APIC_ICR_LOW) = low;
	while (*page(APIC_ICR_LOW) & ICR_BUSY)
		x86_pause();
	*page(APIC_ICR_HIGH) = high;
}

void apic_send_init(uint32_t apic_id) { apic_send(apic_id, ICR_ASSERT | MODE_INIT << 8); }
void apic_send_nmi(uint32_t apic_id) { apic_send(apic_id, ICR_ASSERT | MODE_NMI << 8); }

static uint32_t load(uint32_t *p) { return __atomic_load_n(p, __ATOMIC_SEQ_CST); }
static void store(uint32_t *p, uint32_t v) { __atomic_store_n(p, v, __ATOMIC_SEQ_CST); }

/* SDM vol. 3, 11.6.2: does a destination name this CPU? Logical destinations go by the LDR that the guest wrote through
 * the trap. */
static bool is_target(const struct nl_cpu *self, const struct nl_cpu *c, uint64_t icr, bool x2)
{
	uint32_t dest = x2 ? (uint32_t)(icr >> 32) : (uint32_t)(icr >> 56);

	switch (icr >> 18 & 3) {
	case 1:
		return c == self;
	case 2:
		return true;
	case 3:
		return c != self;
	}
	if (dest == (x2 ? UINT32_MAX : 0xff))
		return true;
	if (!(icr & ICR_LOGICAL))
		return dest == c->apic_id;
	if (x2)
		return dest >> 16 == c->apic_id >> 4 && (dest & 0xffff & 1u << (c->apic_id & 15));
	uint32_t ldr = ap_ldr(c) >> 24;
	return ap_dfr(c) >> 28 == 0xf ? (dest & ldr) != 0 : dest >> 4 == ldr >> 4 && (dest & ldr & 15);
}

static void guest_init(struct nl_cpu *self, struct nl_cpu *c)
{
	switch (load(&c->state)) {
	case NL_CPU_ABSENT: /* sits where the firmware left it until its SIPI */
		store(&c->init_pending, 1);
		break;
	case NL_CPU_RUNNING:
		store(&c->sipi_vector, 0); /* a SIPI may follow before the target has seen the INIT */
		store(&c->init_pending, 1);
		if (c != self)
			nl_vendor->kick(c);
		break;
	default: /* already waits */
		break;
	}
}

static void guest_sipi(struct nl_cpu *c, uint8_t vector)
{
	if (load(&c->state) == NL_CPU_ABSENT) {
		if (load(&c->init_pending))
			ap_start(c, vector);
	} else if (load(&c->init_pending) || load(&c->state) == NL_CPU_WAIT_SIPI) {
		if (nl_vendor->keep_icr_trap)
			store(&c->sipi_vector, 0x100u | vector);
		else /* one CPU is not ours, so the trap still stands: the others wait in the hardware */
			apic_send(c->apic_id, ICR_ASSERT | MODE_SIPI << 8 | vector);
	} /* a running CPU ignores SIPI: the second one of the usual pair */
}

static void guest_nmi(struct nl_cpu *c, uint64_t icr)
{
	switch (load(&c->state)) {
	case NL_CPU_RUNNING:
		store(&c->nmi_pending, 1);
		nl_vendor->kick(c);
		break;
	case NL_CPU_ABSENT:
		apic_send(c->apic_id, (uint32_t)(icr & 0xff) | ICR_ASSERT | MODE_NMI << 8);
		break;
	default: /* blocked in wait-for-SIPI */
		break;
	}
}

bool apic_guest_icr(struct nl_cpu *cpu, uint64_t icr, bool x2)
{
	unsigned mode = icr >> 8 & 7;
	bool deassert = (icr & ICR_LEVEL) && !(icr & ICR_ASSERT);
	bool ours =
	        mode == MODE_SIPI || (mode == MODE_INIT && !deassert) || (mode == MODE_NMI && nl_vendor->keep_icr_trap);

	if (mode == MODE_INIT && deassert)
		return true; /* ignored by every CPU since the Pentium 4 */
	if (!ours) {
		if (x2)
			return x86_wrmsr_safe(MSR_X2APIC_ICR, icr);
		*page(APIC_ICR_LOW) = (uint32_t)icr;
		return true;
	}
	if (!nl_vendor->keep_icr_trap && mode == MODE_INIT && apic_trap_armed())
		ap_start_all(cpu); /* VMX: all come under the hypervisor now and wait for SIPI; the trap is no longer
		                      needed */
	for (unsigned i = 0; i < nl_n_cpus; i++) {
		struct nl_cpu *c = nl_cpus[i];

		if (!is_target(cpu, c, icr, x2))
			continue;
		if (mode == MODE_INIT)
			guest_init(cpu, c);
		else if (mode == MODE_SIPI)
			guest_sipi(c, (uint8_t)icr);
		else
			guest_nmi(c, icr);
	}
	return true;
}

void apic_deliver_init(struct nl_cpu *cpu)
{
	while (load(&cpu->init_pending)) {
		if (cpu->index == 0)
			nl_platform_reset("INIT for the boot CPU");
		ap_note_apic_write(
		        cpu, APIC_LDR,
		        0); /* INIT clears it: no logical destination names this CPU until it is written again */
		ap_note_apic_write(cpu, APIC_DFR, UINT32_MAX);
		store(&cpu->state, NL_CPU_WAIT_SIPI);
		store(&cpu->init_pending, 0);
		nl_vendor->wait_for_sipi(cpu);
	}
}

/* Takes whatever is deliverable: the handler of vectors 32 and up (entry.S) is one EOI. */
static void open_interrupts(void) { __asm__ volatile("sti; nop; nop; cli" ::: "memory"); }

static bool requests_wait(void)
{
	uint32_t any = 0;

	for (uint32_t i = 0; i < 8; i++)
		any |= apic_read(APIC_IRR + 16 * i) | apic_read(APIC_ISR + 16 * i);
	return any != 0;
}

static void write_local(uint32_t offset, uint32_t value)
{
	if (apic_is_x2())
		x86_wrmsr_safe(MSR_X2APIC_BASE + offset / 16, value);
	else
		*page(offset) = value;
}

void host_interrupt(void) { write_local(APIC_EOI, 0); }

/*
 * What INIT does to the local APIC (SDM vol. 3, 11.4.7.3), as far as software can. Requests cannot be cleared, only
 * taken: so they are, by a handler that forgets them. Clearing SVR's enable bit masks the LVTs. Interrupts must be able
 * to reach the core here: on SVM the caller opens GIF.
 */
void apic_reset_local(void)
{
	write_local(APIC_INITIAL_COUNT, 0);
	write_local(APIC_SVR, 0x1ff); /* a disabled APIC delivers nothing */
	write_local(APIC_TPR, 0);
	for (unsigned i = 0; i < 256 && requests_wait(); i++) {
		write_local(APIC_EOI, 0); /* what the guest had in service */
		open_interrupts();
	}
	write_local(APIC_SVR, 0xff);
	if (!apic_is_x2()) {
		write_local(APIC_DFR, UINT32_MAX);
		write_local(APIC_LDR, 0);
	}
}
