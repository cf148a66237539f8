// SPDX-License-Identifier: Apache-2.0
/*
 * What the hypervisor does when a guest CPU leaves the guest: one table of causes. Common to both vendors.
 */
#include "apic.h"
#include "ap.h"
#include "view/base.h"
#include "commit/commit.h"
#include "core/core.h"
#include "core/panic.h"
#include "exits/cpuid.h"
#include "exits/hypercall.h"
#include "exits/msr.h"
#include "commit/quiesce.h"
#include "x86.h"

enum { UD = 6, GP = 13 };

static void cpuid(struct nl_cpu *cpu, const struct nl_exit *exit)
{
	struct nl_context c;
	uint32_t r[4], leaf = (uint32_t)cpu->gprs.rax, sub = (uint32_t)cpu->gprs.rcx;

	nl_vendor->context(cpu, &c);
	x86_cpuid(leaf, sub, r);
	nl_cpuid_filter(leaf, sub, c.cr4, nl_cpuid_block(), r);
	cpu->gprs.rax = r[0];
	cpu->gprs.rbx = r[1];
	cpu->gprs.rcx = r[2];
	cpu->gprs.rdx = r[3];
	nl_vendor->skip(cpu, exit->length);
}

/* A port that exits but is not a call: done on the guest's behalf, as if nobody had looked. */
static void port(struct nl_cpu *cpu, const struct nl_exit *exit)
{
	uint16_t p = exit->io.port;
	uint64_t *rax = &cpu->gprs.rax;
	struct nl_context c;

	if (exit->io.string) {
		nl_vendor->inject(cpu, GP, true, 0);
		return;
	}
	nl_vendor->context(cpu, &c);
	if (!exit->io.in && p == NL_CALL_PORT && exit->io.width == 4 && (uint32_t)*rax == NL_CALL_MAGIC && c.cpl == 3) {
		cpu->exits[NL_CAUSE_CALL]++;
		nl_hypercall(cpu, &c);
	} else {
		cpu->exits[NL_CAUSE_IO]++;
		if (exit->io.in)
			*rax = exit->io.width == 4 ? UINT32_MAX : exit->io.width == 2 ? *rax | 0xffff : *rax | 0xff;
	}
	nl_vendor->skip(cpu, exit->length);
}

static void nested_fault(struct nl_cpu *cpu, const struct nl_exit *exit)
{
	static uint32_t logged;

	if (exit->npf.gpa.v - APIC_DEFAULT_BASE < NL_PAGE_SIZE && exit->npf.write) {
		cpu->exits[NL_CAUSE_APIC]++;
		if (apic_trap_armed()) /* else another CPU disarmed it meanwhile: simply try again */
			apic_guest_mmio(cpu, exit);
		else
			nl_vendor->flush_all(cpu);
		return;
	}
	cpu->exits[NL_CAUSE_NPF]++;
	if (logged++ < 8)
		nl_log("newleaf: CPU %u: guest access to %lx refused\n", cpu->index, exit->npf.gpa.v);
	nl_vendor->inject(cpu, GP, true, 0);
}

void hv_exit(struct nl_cpu *cpu, const struct nl_exit *exit)
{
	if (exit->cause != NL_CAUSE_IO && exit->cause != NL_CAUSE_NPF)
		cpu->exits[exit->cause]++;
	switch (exit->cause) {
	case NL_CAUSE_CPUID:
		cpuid(cpu, exit);
		break;
	case NL_CAUSE_RDMSR:
	case NL_CAUSE_WRMSR:
		nl_msr_exit(cpu, exit);
		break;
	case NL_CAUSE_XSETBV: /* always exits on VMX; the guest's XCR0 is the hardware's */
		if (x86_xsetbv_safe((uint32_t)cpu->gprs.rcx, cpu->gprs.rdx << 32 | (uint32_t)cpu->gprs.rax))
			nl_vendor->skip(cpu, exit->length);
		else
			nl_vendor->inject(cpu, GP, true, 0);
		break;
	case NL_CAUSE_IO:
		port(cpu, exit);
		break;
	case NL_CAUSE_NPF:
		nested_fault(cpu, exit);
		break;
	case NL_CAUSE_INVD: /* dropping dirty lines would drop ours, too */
		x86_wbinvd();
		nl_vendor->skip(cpu, exit->length);
		break;
	case NL_CAUSE_VIRT: /* hypercalls do not come this way */
		nl_vendor->inject(cpu, UD, false, 0);
		break;
	case NL_CAUSE_TRIPLE:
		nl_vendor->dump(cpu);
		nl_platform_reset("triple fault of the guest");
	case NL_CAUSE_NMI:
	case NL_CAUSE_IRET:
	case NL_CAUSE_INIT:
	case NL_CAUSE_SIPI:
	case NL_CAUSE_KICK:
	case NL_CAUSE_EXCEPTION:
	case NL_CAUSE_MC:
	case NL_CAUSE_CR:
		break; /* the vendor has acted: counted here */
	default:
		nl_panic("unexpected exit %lx info %lx %lx", exit->raw.code, exit->raw.info1, exit->raw.info2);
	}
}

void hv_before_entry(struct nl_cpu *cpu)
{
	const struct nl_view *v;

	nl_panic_stop();
	apic_deliver_init(cpu);
	if (nl_quiesce_pending() && __atomic_load_n(&cpu->state, __ATOMIC_SEQ_CST) == NL_CPU_RUNNING)
		nl_quiesce_answer(cpu);
	v = nl_current_view();
	if (cpu->root_generation != v->generation) {
		nl_vendor->set_root(cpu, v->root);
		cpu->root = v->root;
		cpu->root_generation = v->generation;
	}
}
