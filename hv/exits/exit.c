// SPDX-License-Identifier: Apache-2.0
/*
 * What the hypervisor does when a guest CPU leaves the guest: one table of causes. Common to both vendors.
 */
#include "apic.h"
#include "beside.h"
#include "view/current.h"
#include "commit/commit.h"
#include "exits/own.h"
#include "core/core.h"
#include "core/cpu.h"
#include "core/panic.h"
#include "core/step.h"
#include "exits/config.h"
#include "exits/cpuid.h"
#include "exits/hypercall.h"
#include "host.h"
#include "exits/msr.h"
#include "commit/quiesce.h"
#include "commit/standing.h"
#include "exits/token.h"
#include "x86.h"

enum { UD = 6, GP = 13 };

static void cpuid(struct nl_cpu *cpu, const struct nl_exit *exit)
{
	struct nl_context c;
	uint32_t r[4], leaf = (uint32_t)cpu->gprs.rax, sub = (uint32_t)cpu->gprs.rcx;
	unsigned n;

	nl_vendor->context(cpu, &c);
	if (leaf == NL_CALL_MAGIC && c.cpl == 3 && nl_token_spend(cpu, cpu->gprs.rdx)) {
		cpu->exits[NL_CAUSE_CALL]++;
		nl_hypercall(cpu, &c, NL_PROOF_TOKEN);
		cpu->gprs.rdx = NL_TOKEN_TAKEN;
		nl_vendor->skip(cpu, exit->length);
		return;
	}
	if (leaf == NL_CALL_MAGIC && c.cpl == 0 && (n = nl_commit_told(cpu, &c))) {
		cpu->exits[NL_CAUSE_CALL]++;
		nl_vendor->skip(cpu, n);
		return;
	}
	x86_cpuid(leaf, sub, r);
	nl_cpuid_filter(leaf, sub, c.cr4, nl_cpuid_block(), r);
	cpu->gprs.rax = r[0];
	cpu->gprs.rbx = r[1];
	cpu->gprs.rcx = r[2];
	cpu->gprs.rdx = r[3];
	nl_vendor->skip(cpu, exit->length);
}

static bool touches(const struct nl_exit *exit, unsigned first, unsigned n)
{
	return exit->io.port < first + n && first < exit->io.port + exit->io.width;
}

/* A port that exits but is not a call: done on the guest's behalf, as if nobody had looked. Not so INS and OUTS: nobody
 * uses them on the call port and on a pair of address and data, and they would need a walker that injects faults. */
static void port(struct nl_cpu *cpu, const struct nl_exit *exit)
{
	bool config = touches(exit, NL_CONFIG_PORTS, 8), in = exit->io.in;
	uint64_t mask = UINT64_MAX >> (64 - 8 * exit->io.width), v = cpu->gprs.rax & mask;
	struct nl_context c;

	nl_vendor->context(cpu, &c);
	if (!in && !exit->io.string && exit->io.port == NL_CALL_PORT && v == NL_CALL_MAGIC && exit->io.width == 4 &&
	    c.cpl == 3 && (nl_boot.facts.policy.proofs & NL_PROOF_PORT)) {
		cpu->exits[NL_CAUSE_CALL]++;
		nl_hypercall(cpu, &c, NL_PROOF_PORT);
		nl_vendor->skip(cpu, exit->length);
		return;
	}
	cpu->exits[config ? NL_CAUSE_CONFIG : NL_CAUSE_IO]++;
	if (exit->io.string) {
		nl_vendor->inject(cpu, GP, true, 0);
		return;
	}
	if (config)
		v = nl_config_port(cpu, exit->io.port, exit->io.width, in, (uint32_t)v);
	else if (in)
		v = x86_in(exit->io.port, exit->io.width);
	else
		x86_out(exit->io.port, exit->io.width, (uint32_t)v);
	if (in) /* a dword clears the upper half */
		cpu->gprs.rax = exit->io.width == 4 ? v : (cpu->gprs.rax & ~mask) | v;
	nl_vendor->skip(cpu, exit->length);
}

/* An order may come by the instruction for such calls, from anybody. In all else a guest that cannot virtualise has
 * none of these. */
static void virtualisation(struct nl_cpu *cpu, const struct nl_exit *exit)
{
	struct nl_context c;

	nl_vendor->context(cpu, &c);
	if (exit->length && cpu->gprs.rax == NL_CALL_MAGIC && c.cpl == 3 && nl_hypercall(cpu, &c, NL_PROOF_NONE))
		nl_vendor->skip(cpu, exit->length);
	else
		nl_vendor->inject(cpu, UD, false, 0);
}

static void nested_fault(struct nl_cpu *cpu, const struct nl_exit *exit)
{
	static uint32_t logged;

	if (exit->npf.gpa.v - APIC_DEFAULT_BASE < NL_PAGE_SIZE && exit->npf.write) {
		cpu->exits[NL_CAUSE_APIC]++;
		apic_guest_mmio(cpu, exit);
		return;
	}
	if (exit->npf.write && nl_config_store(cpu, exit->npf.gpa))
		return;
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
	case NL_CAUSE_EXCEPTION: /* a page fault of a program */
		nl_standing_hold();
		break;
	case NL_CAUSE_VIRT:
		virtualisation(cpu, exit);
		break;
	case NL_CAUSE_TRIPLE:
		nl_vendor->dump(cpu);
		nl_platform_reset("triple fault of the guest");
	default:
		nl_panic("unexpected exit %lx info %lx %lx", exit->raw.code, exit->raw.info1, exit->raw.info2);
	}
}

void hv_before_entry(struct nl_cpu *cpu)
{
	const struct nl_view *v;
	uint32_t r[4];

	nl_panic_stop();
	if (nl_beside.turn && nl_cpu_is_running(cpu)) /* an INIT that ends it is delivered at once */
		nl_beside.turn(cpu);
	apic_deliver_init(cpu);
	if (nl_own_come() && nl_cpu_is_running(cpu))
		nl_own_commit(cpu);
	if (nl_quiesce_pending() && nl_cpu_is_running(cpu))
		nl_quiesce_answer(cpu);
	v = nl_current_view();
	if (cpu->root_generation != v->generation) {
		nl_step(cpu->index, NL_STEP_ADOPT, v->generation);
		nl_vendor->set_root(cpu, v->root);
		cpu->root = v->root;
		cpu->root_generation = v->generation;
		x86_cpuid(0, 0,
		          r); /* what was written to text in place is not in this CPU's pipeline (SDM vol. 3, 9.1.3) */
	}
	nl_vendor->hold(cpu, nl_standing_holds());
}
