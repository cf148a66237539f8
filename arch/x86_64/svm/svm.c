// SPDX-License-Identifier: Apache-2.0
/*
 * SVM: switching it on, the VMCB, roots and flushes, and the loop. Decoding of exits is exit.c, NMIs are nmi.c.
 */
#include "svm.h"
#include "apic.h"
#include "core/core.h"
#include "core/cpu.h"
#include "nmi.h"
#include "core/pool.h"
#include "view/npt.h"
#include <svm_insn.h>
#include "x86.h"

#define VM_CR_R_INIT 2ULL
#define VM_CR_DIS_A20M 4ULL
/* one for all generations: a flip flushes it, and guest INVLPG reaches all that it must (APM 15.16) */
#define ASID_GUEST 1u

static uint8_t *msrpm, *iopm;
static bool has_flush_by_asid, has_next_rip;
bool svm_a20_gate;

static struct svm_cpu *svm(struct nl_cpu *cpu) { return cpu->vendor; }

static enum nl_err probe(void)
{
	if (!(x86_cpuid_word(0x80000001, 0, ECX) & 1u << 2))
		return NL_ENOVIRT;
	if (x86_rdmsr(MSR_VM_CR) & 1u << 4)
		return NL_ELOCKED;
	/* nested paging; an ASID besides the host's */
	if (!(x86_cpuid_word(0x8000000a, 0, EDX) & 1) || x86_cpuid_word(0x8000000a, 0, EBX) < 2)
		return NL_ENOVIRT;
	return x86_rdmsr(MSR_EFER) & EFER_SVME ? NL_EVIRTUALISED : NL_OK;
}

static const struct nl_npt_format *format(void)
{
	static struct nl_npt_format f;

	f = nl_npt_format_npt(x86_cpuid_word(0x80000001, 0, EDX) >> 26 & 1, x86_cpuid_word(0x80000008, 0, EAX) & 0xff);
	return &f;
}

static void intercept_port(uint16_t port) { iopm[port / 8] |= (uint8_t)(1u << port % 8); }

/* Emulators: QEMU's TCG masks the line and has not the bit that forbids it, which cpu_init has tried to set. */
static void ask_a20(void)
{
	svm_a20_gate = !(x86_rdmsr(MSR_VM_CR) & VM_CR_DIS_A20M);
	if (!svm_a20_gate)
		return;
	intercept_port(0x60);
	intercept_port(0x64);
	intercept_port(0x92);
}

static enum nl_err machine_init(void)
{
	uint32_t features = x86_cpuid_word(0x8000000a, 0, EDX);
	struct svm_cpu *cpus = nl_pool_bytes(nl_n_cpus * sizeof(*cpus));
	bool la57 = x86_read_cr4() & CR4_LA57;

	has_next_rip = features >> 3 & 1;
	has_flush_by_asid = features >> 6 & 1;
	msrpm = nl_pool_run(2);
	iopm = nl_pool_run(3);
	if (!cpus || !msrpm || !iopm)
		return NL_ENOMEM;
	for (unsigned i = 0; i < nl_n_cpus; i++) {
		cpus[i].vmcb = nl_pool_page();
		cpus[i].host_save = nl_pool_page();
		if (la57)
			cpus[i].top = nl_pool_page();
		if (!cpus[i].vmcb || !cpus[i].host_save || (la57 && !cpus[i].top))
			return NL_ENOMEM;
		nl_cpus[i]->vendor = &cpus[i];
	}
	return NL_OK;
}

static void intercept_msr(uint32_t index, bool read, bool write)
{
	uint32_t bank = index >> 13, bit = (index & 0x1fff) * 2; /* APM vol. 2, 15.11 */
	uint8_t *map = bank == 0                   ? msrpm
	               : bank == 0xc0000000u >> 13 ? msrpm + 0x800
	               : bank == 0xc0010000u >> 13 ? msrpm + 0x1000
	                                           : NULL;

	if (!map)
		return; /* outside the maps every access exits */
	uint8_t mask = (uint8_t)(3u << bit % 8), set = (uint8_t)((read | write << 1) << bit % 8);
	map[bit / 8] = (uint8_t)((map[bit / 8] & ~mask) | set);
}

/* Both scopes of vendor.h are one on SVM: the root is no tag, so everything of the ASID goes. */
static void flush_all(struct nl_cpu *cpu)
{
	svm(cpu)->vmcb->tlb_control = has_flush_by_asid ? TLB_FLUSH_ASID : TLB_FLUSH_ALL;
}

static void set_root(struct nl_cpu *cpu, hpa_t root)
{
	struct svm_cpu *s = svm(cpu);

	if (s->top) /* the nested table has as many levels as the host's (APM vol. 2, 15.25.3) */
		s->top[0] = root.v | format()->table;
	s->vmcb->nested_cr3 = s->top ? nl_pool_hpa(s->top).v : root.v;
	flush_all(cpu);
}

static enum nl_err cpu_init(struct nl_cpu *cpu, hpa_t root)
{
	struct svm_cpu *s = svm(cpu);
	struct vmcb *v = s->vmcb;

	x86_wrmsr(MSR_EFER, x86_rdmsr(MSR_EFER) | EFER_SVME);
	/* R_INIT: an INIT by chipset or IOAPIC that comes in the core becomes #SX, a panic, and never a CPU that runs
	 * beside us (APM 15.21.8). DIS_A20M: no gate of the chipset changes our addresses (APM 15.30.1; on VMX the
	 * processor sees to it, SDM vol. 3, 24.8). */
	x86_wrmsr_safe(MSR_VM_CR, x86_rdmsr(MSR_VM_CR) | VM_CR_R_INIT | VM_CR_DIS_A20M);
	if (!cpu->index) /* while it tries itself: before any guest runs */
		ask_a20();
	insn_clgi();
	x86_wrmsr(MSR_VM_HSAVE_PA, nl_pool_hpa(s->host_save).v);
	memset(v, 0, sizeof(*v));
	v->intercept1 = I1(EXIT_NMI) | I1(EXIT_INIT) | I1(EXIT_CPUID) | I1(EXIT_INVD) | I1(EXIT_INVLPGA) | I1(EXIT_IO) |
	                I1(EXIT_MSR) | I1(EXIT_SHUTDOWN);
	v->intercept_exceptions = 1u << 30; /* #SX */
	v->intercept2 = I2_SVM;
	v->iopm = nl_pool_hpa(iopm).v;
	v->msrpm = nl_pool_hpa(msrpm).v;
	v->asid = ASID_GUEST;
	v->nested_control = 1;
	set_root(cpu, root);
	return NL_OK;
}

static void cpu_exit(struct nl_cpu *cpu)
{
	(void)cpu;
	x86_wrmsr(MSR_VM_HSAVE_PA, 0);
	x86_wrmsr_safe(MSR_VM_CR, x86_rdmsr(MSR_VM_CR) & ~(VM_CR_R_INIT | VM_CR_DIS_A20M));
	insn_stgi();
}

static void launch_state(struct nl_cpu *cpu, const struct nl_launch_state *s)
{
	struct vmcb *v = svm(cpu)->vmcb;

	cpu->gprs = s->gprs;
	memcpy(v->segments, s->segments, sizeof(v->segments));
	v->cpl = 0;
	v->efer = s->efer | EFER_SVME;
	v->cr0 = s->cr0;
	v->cr2 = s->cr2;
	v->cr3 = s->cr3;
	v->cr4 = s->cr4;
	v->dr6 = s->dr6;
	v->dr7 = s->dr7;
	v->rflags = s->rflags;
	v->rip = s->rip;
	memcpy(v->msrs, s->msrs, sizeof(v->msrs));
	v->g_pat = s->pat;
	v->debugctl = s->debugctl;
	v->interrupt_shadow = 0;
	v->event_injection = 0;
	svm_nmi_reset(cpu);
	flush_all(cpu);
	/* FS, GS, TR, LDTR and the system-call MSRs are loaded once: the core uses none of them, so they stay the
	 * guest's (APM vol. 2, 15.5.2). */
	insn_vmload(nl_pool_hpa(v).v);
}

/* SIPI cannot be intercepted (APM vol. 2, 15.21.8): a CPU that waits for it waits here, with GIF closed, for what the
 * ICR trap leaves. */
static void wait_for_sipi(struct nl_cpu *cpu)
{
	uint8_t vector;

	while (!nl_cpu_take_sipi(cpu, &vector)) {
		svm_open(cpu, NULL); /* SMIs are held while GIF is 0 (APM vol. 2, 15.17): let them in */
		x86_pause();
	}
	svm_open(cpu, apic_reset_local);
	nl_cpu_started(cpu, vector);
}

static void context(struct nl_cpu *cpu, struct nl_context *out)
{
	const struct vmcb *v = svm(cpu)->vmcb;

	*out = (struct nl_context){.rip = v->rip,
	                           .rflags = svm(cpu)->step.armed && !svm(cpu)->step.tf ? v->rflags & ~RFLAGS_TF
	                                                                                : v->rflags,
	                           .cr0 = v->cr0,
	                           .cr3 = v->cr3,
	                           .cr4 = v->cr4,
	                           .efer = v->efer & ~EFER_SVME,
	                           .lstar = x86_rdmsr(MSR_LSTAR),
	                           .cs_base = v->segments[NL_CS].base,
	                           .cpl = v->cpl,
	                           .long_mode = (v->efer & EFER_LMA) && (v->segments[NL_CS].attributes & 0x200),
	                           .code32 = v->segments[NL_CS].attributes >> 10 & 1};
	if (v->exit_code == EXIT_NPF) /* decode assists (APM vol. 2, 15.8.4) */
		out->bytes = v->bytes, out->n_bytes = v->fetched & 15;
}

static void skip(struct nl_cpu *cpu, unsigned length)
{
	struct vmcb *v = svm(cpu)->vmcb;

	/* nRIP knows about redundant prefixes, but is saved for instruction intercepts only (APM vol. 2, 15.7.1). */
	v->rip = has_next_rip && v->exit_code != EXIT_NPF && v->next_rip ? v->next_rip : v->rip + length;
	v->interrupt_shadow &= ~1ULL;
	/* the trap that the instruction would have caused; BTF: branches only */
	if ((v->rflags & RFLAGS_TF) && !(x86_rdmsr(MSR_DEBUGCTL) & 2)) {
		v->dr6 |= 1u << 14;
		nl_vendor->inject(cpu, 1, false, 0);
	}
}

static void inject(struct nl_cpu *cpu, uint8_t vector, bool has_error, uint32_t error)
{
	struct vmcb *v = svm(cpu)->vmcb;

	/* An event whose delivery this exit cut short comes first; the fault happens again by itself. */
	if (v->event_injection & EVENT_VALID)
		return;
	svm_undo_step(cpu);
	has_error = has_error && (v->cr0 & CR0_PE); /* real mode has no error codes */
	v->event_injection =
	        vector | EVENT_EXCEPTION | EVENT_VALID | (has_error ? EVENT_HAS_ERROR | (uint64_t)error << 32 : 0);
}

/* Not while an event whose delivery has met a page fault is delivered again: a double fault is the hardware's to make.
 */
static void hold(struct nl_cpu *cpu, bool programs)
{
	struct vmcb *v = svm(cpu)->vmcb;
	bool again = v->exit_code == EXIT_EXCEPTION + 14 && v->exit_int_info & EVENT_VALID;

	if (programs && !again)
		v->intercept_exceptions |= 1u << 14;
	else if (!svm(cpu)->step.armed)
		v->intercept_exceptions &= ~(1u << 14);
}

static void set_flags(struct nl_cpu *cpu, uint64_t rflags) { svm(cpu)->vmcb->rflags = rflags; }

static bool get_msr(struct nl_cpu *cpu, uint32_t index, uint64_t *value)
{
	if (index == MSR_EFER)
		*value = svm(cpu)->vmcb->efer & ~EFER_SVME;
	else if (index == MSR_PAT) /* with nested paging the guest's own (APM vol. 2, 15.25.2) */
		*value = svm(cpu)->vmcb->g_pat;
	else
		return false;
	return true;
}

static bool set_msr(struct nl_cpu *cpu, uint32_t index, uint64_t value)
{
	struct vmcb *v = svm(cpu)->vmcb;

	if (index != MSR_EFER)
		return false;
	v->efer = value | EFER_SVME;
	return true;
}

/* INTn, INT3 and INTO are executed again instead: without nRIP an injection would return to them (APM vol.
 * 2, 15.7.1, 15.20). */
static bool by_instruction(uint64_t event)
{
	uint32_t type = EVENT_TYPE(event), vector = event & 0xff;

	return type == EVENT_SOFT || (type == EVENT_EXCEPTION && (vector == 3 || vector == 4));
}

__attribute__((noreturn)) static void run(struct nl_cpu *cpu)
{
	struct svm_cpu *s = svm(cpu);
	struct vmcb *v = s->vmcb;
	hpa_t pa = nl_pool_hpa(v);

	for (;;) {
		hv_before_entry(cpu);
		if (!(v->event_injection & EVENT_VALID) && host_give_machine_check(cpu, v->cr4))
			inject(cpu, 18, false, 0);
		svm_nmi_before_entry(cpu);
		v->efer |= EFER_SVME; /* SMM code entered in the guest may have cleared it */
		v->rax = cpu->gprs.rax;
		v->rsp = cpu->gprs.rsp;
		svm_enter(&cpu->gprs, pa.v);
		cpu->gprs.rax = v->rax;
		cpu->gprs.rsp = v->rsp;
		v->tlb_control = TLB_NOTHING;
		v->event_injection =
		        v->exit_int_info & EVENT_VALID && !by_instruction(v->exit_int_info) ? v->exit_int_info : 0;
		svm_exit(cpu, v);
	}
}

static void dump(struct nl_cpu *cpu)
{
	const struct vmcb *v = svm(cpu)->vmcb;

	nl_log("VMCB exit %lx info %lx %lx int %lx rip %lx rflags %lx cpl %u\n", v->exit_code, v->exit_info1,
	       v->exit_info2, v->exit_int_info, v->rip, v->rflags, v->cpl);
	nl_log("cr0 %lx cr2 %lx cr3 %lx cr4 %lx efer %lx cs %x base %lx attr %x ncr3 %lx asid %u inj %lx\n", v->cr0,
	       v->cr2, v->cr3, v->cr4, v->efer, v->segments[NL_CS].selector, v->segments[NL_CS].base,
	       v->segments[NL_CS].attributes, v->nested_cr3, v->asid, v->event_injection);
}

const struct nl_vendor nl_svm =
        NL_VENDOR(, .name = "SVM", .paging = "NPT", .run = run, .kick = nmi_kick, .init_exits = false);
