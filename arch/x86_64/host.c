// SPDX-License-Identifier: Apache-2.0
/*
 * The core's own machine state: GDT, IDT, control registers, and what happens when the core itself faults.
 * Not here: anything of the guest's.
 */
#include "host.h"
#include "apic.h"
#include "core/core.h"
#include "x86.h"

static uint64_t idt[256][2] __attribute__((aligned(16)));
static const uint64_t gdt[] = {0, 0x00af9b000000ffffULL, 0x00cf93000000ffffULL}; /* 64-bit code; data */
const struct descriptor_pointer host_gdtr = {sizeof(gdt) - 1, (uint64_t)gdt};
const struct descriptor_pointer host_idtr = {sizeof(idt) - 1, (uint64_t)idt};

_Static_assert(offsetof(struct launch_frame, rip) == 128 && offsetof(struct launch_frame, gdtr) == 168 &&
                       offsetof(struct launch_frame, idtr) == 178 && offsetof(struct launch_frame, selectors) == 188 &&
                       NL_ES == 0 && NL_CS == 1 && NL_SS == 2 && NL_DS == 3 && NL_FS == 4 && NL_GS == 5,
               "entry.S stores by these offsets");
_Static_assert(NL_ECPUS == 54 && NL_BOOT_VERSION == 6, "entry.S knows these numbers");

extern const uint8_t host_stubs[];
extern const struct fault { /* made by X86_MAY_FAULT */
	uint64_t at, resume;
} core_faults[], core_faults_end[];
void host_nmi(void);
void host_interrupt_stub(void);
void host_exception(struct host_frame *f);

static void set_gate(unsigned vector, void (*handler)(void))
{
	uint64_t at = (uint64_t)handler;

	/* A present 64-bit interrupt gate (SDM vol. 3, 6.14.1). IST stays 0: on SVM the task register is the guest's
	 * while the core runs (APM vol. 2, 15.5.1). */
	idt[vector][0] = (at & 0xffff) | HOST_CS << 16 | 0x8eULL << 40 | (at >> 16 & 0xffff) << 48;
	idt[vector][1] = at >> 32;
}

void host_init_idt(void)
{
	for (unsigned v = 0; v < 32; v++)
		set_gate(v, (void (*)(void))(uintptr_t)(host_stubs + 16 * v));
	for (unsigned v = 32; v < 256; v++)
		set_gate(v, host_interrupt_stub);
	set_gate(2, host_nmi);
}

/* Selectors in the order of enum nl_segment_name. */
static void load_tables(const struct descriptor_pointer *gdtr, const struct descriptor_pointer *idtr,
                        const uint16_t s[])
{
	__asm__ volatile("lgdt %0; lidt %1" ::"m"(*gdtr), "m"(*idtr) : "memory");
	__asm__ volatile("push %0; lea 1f(%%rip), %%rax; push %%rax; lretq; 1:" ::"r"((uint64_t)s[NL_CS])
	                 : "rax", "memory");
	__asm__ volatile("mov %0, %%ds; mov %1, %%es; mov %2, %%ss" ::"r"(s[NL_DS]), "r"(s[NL_ES]), "r"(s[NL_SS]));
}

/* The task register is not loaded: VMX sets it at the first exit, on SVM it is the guest's, and no gate needs it. */
void host_load(void)
{
	static const uint16_t selectors[] = {
	        [NL_ES] = HOST_DS, [NL_CS] = HOST_CS, [NL_SS] = HOST_DS, [NL_DS] = HOST_DS};

	load_tables(&host_gdtr, &host_idtr, selectors);
	x86_wrmsr(MSR_EFER, x86_rdmsr(MSR_EFER) | EFER_NXE | EFER_SCE);
	/* automatic IBRS, AMD: VMRUN switches EFER, the guest's bit is not ours */
	x86_wrmsr_safe(MSR_EFER, x86_rdmsr(MSR_EFER) | 1u << 21);
	x86_write_cr0((x86_read_cr0() | CR0_NE | CR0_WP) & ~(CR0_CD | CR0_NW));
	x86_write_cr4(x86_read_cr4() | CR4_MCE); /* without it a machine check in the core is a shutdown */
	x86_write_cr3(nl_boot.host_cr3);
}

void host_unload(const struct launch_frame *f, const struct nl_launch_state *before)
{
	x86_write_cr3(nl_boot.launch_cr3); /* shows the firmware's tables */
	load_tables(&f->gdtr, &f->idtr, f->selectors);
	x86_write_cr4(f->cr4);
	x86_write_cr0(f->cr0);
	x86_wrmsr(MSR_EFER, before->efer);
}

/* A segment register's hidden part, from the descriptor table it was loaded from. */
static struct nl_segment segment(const struct launch_frame *f, uint16_t selector)
{
	struct nl_segment s = {.selector = selector};
	const struct descriptor_pointer *g = &f->gdtr;

	if (!(selector & ~3u) || (selector & 4) || (selector | 7u) > g->limit)
		return s; /* null: attributes 0, not present */
	const uint64_t *entry = (const uint64_t *)(g->base + (selector & ~7u));
	uint64_t d = *entry;
	s.attributes = (uint16_t)((d >> 40 & 0xff) | (d >> 52 & 0xf) << 8);
	s.limit = (uint32_t)((d & 0xffff) | (d >> 48 & 0xf) << 16);
	if (s.attributes & 0x800)
		s.limit = s.limit << 12 | 0xfff;
	s.base = (d >> 16 & 0xffffff) | (d >> 56) << 24;
	if (!(s.attributes & 0x10)) /* a system descriptor has 16 bytes in long mode */
		s.base |= entry[1] << 32;
	return s;
}

void host_capture(const struct launch_frame *f, struct nl_launch_state *out)
{
	*out = (struct nl_launch_state){
	        .gprs = f->gprs,
	        .rip = f->rip,
	        .rflags = f->rflags & ~(RFLAGS_IF | RFLAGS_TF),
	        .cr0 = f->cr0,
	        .cr2 = x86_read_cr2(),
	        .cr3 = f->cr3,
	        .cr4 = f->cr4,
	        .efer = x86_rdmsr(MSR_EFER),
	        .dr6 = x86_read_dr6(),
	        .dr7 = x86_read_dr7(),
	        .segments = {[NL_GDTR] = {.base = f->gdtr.base, .limit = f->gdtr.limit},
	                     [NL_LDTR] = segment(f, f->ldtr),
	                     [NL_IDTR] = {.base = f->idtr.base, .limit = f->idtr.limit},
	                     [NL_TR] = segment(f, f->tr)},
	        .pat = x86_rdmsr(MSR_PAT),
	        .debugctl = x86_rdmsr(MSR_DEBUGCTL),
	};
	out->gprs.rax = NL_OK;
	for (unsigned i = 0; i < NL_GDTR; i++)
		out->segments[i] = segment(f, f->selectors[i]);
	out->segments[NL_FS].base = x86_rdmsr(MSR_FS_BASE);
	out->segments[NL_GS].base = x86_rdmsr(MSR_GS_BASE);
	for (unsigned i = 0; i < NL_START_MSRS; i++)
		out->msrs[i] = x86_rdmsr(nl_start_msrs[i]);
}

/*
 * A machine check that came to the core is broadcast, or the guest's memory is its reason: the guest gets it with the
 * next entry. `ip` says what of the core's was interrupted: without RIPV that cannot go on (SDM vol. 3, 16.3.1.2; APM
 * vol. 2, 9.3.1.2).
 */
void host_machine_check(struct nl_cpu *cpu, const char *where, uint64_t ip)
{
	uint64_t status = x86_rdmsr(MSR_MCG_STATUS);

	if (!(status & MCG_RIPV))
		nl_panic("machine check %s at %lx: MCG_STATUS %lx, it cannot be resumed", where, ip, status);
	cpu->mc_pending = true;
}

void host_dump_machine_checks(void)
{
	uint64_t banks = 0, status;

	x86_rdmsr_safe(MSR_MCG_CAP, &banks);
	for (uint32_t i = 0; i < (banks & 0xff); i++)
		if (x86_rdmsr_safe(MSR_MC0_STATUS + 4 * i, &status) && status >> 63)
			nl_log("machine check bank %u: %lx\n", i, status);
}

void host_exception(struct host_frame *f)
{
	const struct fault *fault = core_faults;

	if (f->vector == HOST_INTERRUPT) {
		apic_forget();
		return;
	}
	while (fault < core_faults_end && fault->at != f->rip)
		fault++;
	if (f->vector == 18 && fault < core_faults_end && (x86_rdmsr(MSR_MCG_STATUS) & MCG_EIPV)) {
		nl_this_cpu()->mc_pending = true; /* the access itself */
		f->rip = fault->resume;
		return;
	}
	if (f->vector == 18) {
		host_machine_check(nl_this_cpu(), "in the core", f->rip);
		return;
	}
	if (f->vector == 13 && fault < core_faults_end) {
		f->rip = fault->resume;
		return;
	}
	nl_panic("exception %lu error %lx at %lx rsp %lx cr2 %lx rax %lx rcx %lx rdx %lx rbx %lx rsi %lx rdi %lx",
	         f->vector, f->error, f->rip, f->rsp, x86_read_cr2(), f->rax, f->rcx, f->rdx, f->rbx, f->rsi, f->rdi);
}

void nl_platform_reset(const char *why)
{
	nl_log("newleaf: platform reset: %s\n", why);
	host_reset();
}

void host_reset(void)
{
	static const struct descriptor_pointer nothing;

	x86_outb(0xcf9, 0x02);
	x86_outb(0xcf9, 0x0e);
	x86_outb(0x64, 0xfe);
	for (;;) /* a triple fault */
		__asm__ volatile("lidt %0; ud2" ::"m"(nothing));
}
