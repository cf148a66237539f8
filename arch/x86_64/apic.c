// SPDX-License-Identifier: Apache-2.0
/*
 * What the guest sends through the interrupt command register. INIT never reaches a virtualised CPU on SVM: it is
 * caught here and emulated, and so are SIPI and (to keep count of them) NMI. On VMX INIT and SIPI are exits of their
 * target, and the register is watched only if the firmware shows CPUs that are not ours: nobody may ever start one.
 */
#include "apic.h"
#include "core/core.h"
#include "core/cpu.h"
#include "host.h"
#include "x86.h"

enum { MODE_SMI = 2, MODE_NMI = 4, MODE_INIT = 5, MODE_SIPI = 6 };
#define ICR_BUSY (1u << 12)
#define ICR_LOGICAL (1u << 11)
#define ICR_ASSERT (1u << 14)
#define ICR_LEVEL (1u << 15)

static struct {            /* by index of the CPU */
	uint32_t ldr, dfr; /* as the guest wrote them to the xAPIC while it is watched; dfr 0 = not yet */
	bool leaves_x2;    /* the guest switched its x2APIC off, which is done when it switches the xAPIC on */
} seen[NL_MAX_CPUS];

bool apic_is_watched(void) { return !nl_vendor->init_exits || nl_boot.facts.n_beyond; }

void apic_note_write(const struct nl_cpu *cpu, uint32_t offset, uint32_t value)
{
	if (offset == APIC_LDR)
		seen[cpu->index].ldr = value;
	if (offset == APIC_DFR)
		seen[cpu->index].dfr = value | 0x0fffffff;
}

static bool is_x2(void) { return (x86_rdmsr(MSR_APIC_BASE) & 0xc00) == 0xc00; }

static volatile uint32_t *page(uint32_t offset)
{
	return (volatile uint32_t *)x86_phys(HPA(APIC_DEFAULT_BASE + offset));
}

uint32_t apic_read(uint32_t offset)
{
	return is_x2() ? (uint32_t)x86_rdmsr(MSR_X2APIC_BASE + offset / 16) : *page(offset);
}

/* The guest may be between its two writes of the ICR when we send: its high half is put back. */
static void apic_send(uint32_t apic_id, uint32_t low)
{
	if (is_x2()) {
		x86_fence(); /* what the IPI is about is seen before it (SDM vol. 3, 11.12.3) */
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

void apic_send_nmi(uint32_t apic_id) { apic_send(apic_id, ICR_ASSERT | MODE_NMI << 8); }

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
	uint32_t ldr = seen[c->index].ldr >> 24, dfr = seen[c->index].dfr;
	return !dfr || dfr >> 28 == 0xf ? (dest & ldr) != 0 : dest >> 4 == ldr >> 4 && (dest & ldr & 15);
}

static void guest_init(struct nl_cpu *self, struct nl_cpu *c)
{
	if (nl_cpu_post_init(c) && c != self)
		nl_vendor->kick(c);
}

static void guest_sipi(struct nl_cpu *c, uint8_t vector)
{
	if (!nl_cpu_takes_sipi(c))
		return; /* a running CPU ignores it: the second one of the usual pair */
	nl_cpu_post_sipi(c, vector);
	if (nl_vendor->init_exits) /* it may wait in the hardware already; in root operation a SIPI is lost */
		apic_send(c->apic_id, ICR_ASSERT | MODE_SIPI << 8 | vector);
}

static void guest_nmi(struct nl_cpu *c)
{
	if (nl_cpu_is_running(c)) { /* blocked in wait-for-SIPI */
		__atomic_store_n(&c->nmi_pending, 1, __ATOMIC_SEQ_CST);
		nl_vendor->kick(c);
	}
}

/* For a CPU that the loader did not take, or for nobody: it would run beside the hypervisor. Or an SMI. */
static void refuse(void) { __atomic_fetch_add(&nl_counts.ipis_refused, 1, __ATOMIC_RELAXED); }

bool apic_guest_icr(struct nl_cpu *cpu, uint64_t icr, bool x2)
{
	unsigned mode = icr >> 8 & 7, targets = 0;
	bool deassert = (icr & ICR_LEVEL) && !(icr & ICR_ASSERT);

	if (mode == MODE_INIT && deassert)
		return true;    /* ignored by every CPU since the Pentium 4 */
	if (mode == MODE_SMI) { /* firmware's alone; and two CPUs at a time could meet at one SMBASE (base.c) */
		refuse();
		return true;
	}
	if (mode != MODE_SIPI && mode != MODE_INIT && mode != MODE_NMI) {
		if (x2)
			return x86_wrmsr_safe(MSR_X2APIC_ICR, icr);
		*page(APIC_ICR_LOW) = (uint32_t)icr;
		return true;
	}
	NL_EACH_CPU(c) {
		if (!is_target(cpu, c, icr, x2))
			continue;
		targets++;
		if (mode == MODE_INIT)
			guest_init(cpu, c);
		else if (mode == MODE_SIPI)
			guest_sipi(c, (uint8_t)icr);
		else
			guest_nmi(c);
	}
	if (!targets && !(icr & ICR_LOGICAL) && !(icr >> 18 & 3))
		refuse();
	return true;
}

/* The page that is watched, and any page of ours, must stay where they are, and the APIC on, since we send through it.
 * Off as the way from x2APIC to xAPIC is done when the second step comes (SDM vol. 3, 11.12.5). */
bool apic_guest_base(struct nl_cpu *cpu, uint64_t v)
{
	bool *leaves_x2 = &seen[cpu->index].leaves_x2;

	if ((v ^ APIC_DEFAULT_BASE) & ~0xfffULL)
		return false;
	if (!(v & 1u << 11))
		return *leaves_x2 = is_x2() && !(v & 1u << 10);
	bool off = *leaves_x2 && !(v & 1u << 10);
	if (off)
		x86_wrmsr_safe(MSR_APIC_BASE, v & ~0xc00ULL);
	*leaves_x2 = false;
	bool ok = x86_wrmsr_safe(MSR_APIC_BASE, v);
	if (off) /* a kick that came meanwhile is lost, and the next must be sent */
		__atomic_store_n(&cpu->kick, 0, __ATOMIC_SEQ_CST);
	return ok;
}

/* Takes whatever is deliverable: the handler of vectors 32 and up (host.c) is one EOI. */
static void open_interrupts(void) { __asm__ volatile("sti; nop; nop; cli" ::: "memory"); }

static bool requests_wait(void)
{
	uint32_t any = 0;

	for (uint32_t i = 0; i < 8; i++)
		any |= (i ? apic_read(APIC_IRR + 16 * i) : 0) | apic_read(APIC_ISR + 16 * i);
	return any != 0;
}

static void write_local(uint32_t offset, uint32_t value)
{
	if (is_x2())
		x86_wrmsr_safe(MSR_X2APIC_BASE + offset / 16, value);
	else
		*page(offset) = value;
}

void apic_forget(void) { write_local(APIC_EOI, 0); }

/*
 * What INIT does to the local APIC (SDM vol. 3, 11.4.7.3), as far as software can, in two steps: an INIT that exits, or
 * is caught, performs nothing of it (26.2). At INIT, so that nobody's logical or lowest-priority message ends at a CPU
 * that waits for SIPI: three writes, for a SIPI is near. Clearing SVR's enable bit masks the LVTs.
 */
static void forget_address(struct nl_cpu *cpu)
{
	apic_note_write(cpu, APIC_LDR, 0);
	apic_note_write(cpu, APIC_DFR, UINT32_MAX);
	write_local(APIC_SVR, 0xff);
	if (!is_x2()) { /* there the LDR comes from the ID and stays (11.12.5.1) */
		write_local(APIC_DFR, UINT32_MAX);
		write_local(APIC_LDR, 0);
	}
}

/*
 * At SIPI, the rest. Requests cannot be cleared, only taken: so they are, by a handler that forgets them; but not
 * vectors 16 to 31, which would look like exceptions. Interrupts must be able to reach the core here: on SVM the caller
 * opens GIF.
 */
void apic_reset_local(void)
{
	for (uint32_t lvt = APIC_LVT_TIMER; lvt <= APIC_LVT_ERROR; lvt += 16)
		write_local(lvt, 0x10000); /* no mode but one-shot: a deadline is disarmed */
	write_local(APIC_INITIAL_COUNT, 0);
	write_local(APIC_SVR, 0x1ff); /* a disabled APIC delivers nothing */
	write_local(APIC_TPR, 0x10);
	for (unsigned i = 0; i < 256 && requests_wait(); i++) {
		apic_forget(); /* what the guest had in service */
		open_interrupts();
	}
	write_local(APIC_TPR, 0);
	write_local(APIC_SVR, 0xff);
}

/* No more is done than must be before the entry: where INIT exits, a SIPI that comes in root operation is lost. The
 * reset state is made when it comes. */
void apic_deliver_init(struct nl_cpu *cpu)
{
	uint8_t vector;

	while (nl_cpu_init_pending(cpu)) {
		if (cpu->index == 0)
			nl_platform_reset("INIT for the boot CPU");
		forget_address(cpu);
		nl_cpu_stopped(cpu);
		nl_vendor->wait_for_sipi(cpu);
		if (nl_cpu_waits_for_sipi(cpu) && nl_cpu_take_sipi(cpu, &vector)) {
			apic_reset_local();
			nl_cpu_started(cpu, vector);
		}
	}
}
