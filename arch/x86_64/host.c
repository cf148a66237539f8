// SPDX-License-Identifier: Apache-2.0
/*
 * The core's own machine state: GDT, IDT, TSS, control registers, and what happens when the core itself faults.
 * Not here: anything of the guest's.
 */
#include "host.h"
#include "core/core.h"
#include "core/pool.h"
#include "x86.h"

#define PTE_WRITE 2ULL
#define PTE_NX (1ULL << 63)

struct idt_gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_middle;
	uint32_t offset_high, reserved;
};
_Static_assert(sizeof(struct idt_gate) == 16, "64-bit gate, SDM vol. 3, 7.14.1");

static struct idt_gate idt[256] __attribute__((aligned(16)));
static struct host_tables tables[NL_MAX_CPUS];
struct launch_frame nl_launch_frame;
_Static_assert(offsetof(struct launch_frame, gdtr) == 88 && offsetof(struct launch_frame, idtr) == 98 &&
                       offsetof(struct launch_frame, cs) == 108,
               "entry.S stores by these offsets");

extern const uint8_t host_stubs[], core_start[], core_text_end[], core_rodata_end[],
        core_end[]; /* core.lds: page aligned */
extern const uint8_t x86_rdmsr_fault[], x86_wrmsr_fault[], x86_xsetbv_fault[], x86_access_failed[];
void host_reload_segments(void);
void host_nmi_ignore(void);
void host_interrupt_stub(void);
void host_exception(struct host_frame *f);

void host_set_gate(unsigned vector, void (*handler)(void))
{
	uint64_t at = (uint64_t)handler;
	/* IST stays 0: on SVM the task register is the guest's while the core runs (APM vol. 2, 15.5.1). */
	idt[vector] = (struct idt_gate){.offset_low = (uint16_t)at,
	                                .selector = HOST_CS,
	                                .type = 0x8e,
	                                .offset_middle = (uint16_t)(at >> 16),
	                                .offset_high = (uint32_t)(at >> 32)};
}

void host_init_idt(void)
{
	for (unsigned v = 0; v < 32; v++)
		host_set_gate(v, (void (*)(void))(uintptr_t)(host_stubs + 16 * v));
	for (unsigned v = 32; v < 256; v++)
		host_set_gate(v, host_interrupt_stub);
	host_set_gate(2, host_nmi_ignore);
}

struct host_tables *host_tables(struct nl_cpu *cpu) { return &tables[cpu->index]; }
uint64_t host_idt_base(void) { return (uint64_t)idt; }
uint64_t host_cr3(void) { return nl_boot.host_cr3; }

void host_load(struct nl_cpu *cpu)
{
	struct host_tables *t = host_tables(cpu);
	uint64_t tss = (uint64_t)&t->tss;

	t->tss.iomap_base = sizeof(t->tss);
	t->tss.rsp[0] = (uint64_t)cpu->stack_top;
	t->gdt[0] = 0;
	t->gdt[1] = 0x00af9b000000ffffULL; /* 64-bit code */
	t->gdt[2] = 0x00cf93000000ffffULL; /* data */
	t->gdt[3] = (sizeof(t->tss) - 1) | (tss & 0xffffff) << 16 | 0x89ULL << 40 | (tss >> 24 & 0xff) << 56;
	t->gdt[4] = tss >> 32;

	struct descriptor_pointer g = {sizeof(t->gdt) - 1, (uint64_t)t->gdt}, i = {sizeof(idt) - 1, (uint64_t)idt};
	__asm__ volatile("lgdt %0; lidt %1" ::"m"(g), "m"(i) : "memory");
	host_reload_segments();
	__asm__ volatile("ltr %w0" ::"r"(HOST_TSS));
	x86_wrmsr(MSR_EFER, x86_rdmsr(MSR_EFER) | EFER_NXE | EFER_SCE);
	x86_wrmsr_safe(MSR_EFER,
	               x86_rdmsr(MSR_EFER) |
	                       1u << 21); /* automatic IBRS, AMD: VMRUN switches EFER, the guest's bit is not ours */
	x86_write_cr0((x86_read_cr0() | CR0_NE | CR0_WP) & ~(CR0_CD | CR0_NW));
	x86_write_cr4(x86_read_cr4() | CR4_MCE); /* without it a machine check in the core is a shutdown */
}

void host_undo_load(void)
{
	__asm__ volatile("lgdt %0; lidt %1" ::"m"(nl_launch_frame.gdtr), "m"(nl_launch_frame.idtr) : "memory");
	__asm__ volatile("push %0; lea 1f(%%rip), %%rax; push %%rax; lretq; 1:" ::"r"((uint64_t)nl_launch_frame.cs)
	                 : "rax", "memory");
	__asm__ volatile("mov %0, %%ds; mov %1, %%es; mov %2, %%ss" ::"r"(nl_launch_frame.ds), "r"(nl_launch_frame.es),
	                 "r"(nl_launch_frame.ss));
	x86_write_cr4(nl_launch_frame.cr4);
	x86_write_cr0(nl_launch_frame.cr0);
}

/* A segment register's hidden part, from the descriptor table it was loaded from. */
static struct nl_segment segment(uint16_t selector)
{
	struct nl_segment s = {.selector = selector};
	const struct descriptor_pointer *g = &nl_launch_frame.gdtr;

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

void host_capture(struct nl_launch_state *out)
{
	const struct launch_frame *f = &nl_launch_frame;

	*out = (struct nl_launch_state){
	        .gprs = {.rbx = f->rbx,
	                 .rbp = f->rbp,
	                 .r12 = f->r12,
	                 .r13 = f->r13,
	                 .r14 = f->r14,
	                 .r15 = f->r15,
	                 .rsp = f->rsp + 8,
	                 .rax = NL_OK},
	        .rip = f->rip,
	        .rflags = f->rflags & ~(RFLAGS_IF | RFLAGS_TF),
	        .cr0 = f->cr0,
	        .cr3 = nl_boot.firmware_cr3,
	        .cr4 = f->cr4,
	        .efer = x86_rdmsr(MSR_EFER),
	        .dr7 = x86_read_dr7(),
	        .cs = segment(f->cs),
	        .ds = segment(f->ds),
	        .es = segment(f->es),
	        .fs = segment(f->fs),
	        .gs = segment(f->gs),
	        .ss = segment(f->ss),
	        .tr = segment(f->tr),
	        .ldtr = segment(f->ldtr),
	        .gdtr = {.base = f->gdtr.base, .limit = f->gdtr.limit},
	        .idtr = {.base = f->idtr.base, .limit = f->idtr.limit},
	        .star = x86_rdmsr(MSR_STAR),
	        .lstar = x86_rdmsr(MSR_LSTAR),
	        .cstar = x86_rdmsr(MSR_CSTAR),
	        .fmask = x86_rdmsr(MSR_FMASK),
	        .kernel_gs = x86_rdmsr(MSR_KERNEL_GS_BASE),
	        .sysenter_cs = x86_rdmsr(MSR_SYSENTER_CS),
	        .sysenter_esp = x86_rdmsr(MSR_SYSENTER_ESP),
	        .sysenter_eip = x86_rdmsr(MSR_SYSENTER_EIP),
	        .pat = x86_rdmsr(MSR_PAT),
	        .debugctl = x86_rdmsr(MSR_DEBUGCTL),
	};
	out->fs.base = x86_rdmsr(MSR_FS_BASE);
	out->gs.base = x86_rdmsr(MSR_GS_BASE);
}

void host_exception(struct host_frame *f)
{
	bool access = f->rip == (uint64_t)x86_rdmsr_fault || f->rip == (uint64_t)x86_wrmsr_fault ||
	              f->rip == (uint64_t)x86_xsetbv_fault;

	if (f->vector == 13 && access) {
		f->rip = (uint64_t)x86_access_failed;
		return;
	}
	if (f->vector == 18) { /* broadcast: the guest's business, as if it had come one instruction later */
		host_tables(nl_this_cpu())->mc_pending = true;
		return;
	}
	nl_panic("exception %lu error %lx at %lx rsp %lx cr2 %lx rax %lx rcx %lx rdx %lx rbx %lx rsi %lx rdi %lx",
	         f->vector, f->error, f->rip, f->rsp, x86_read_cr2(), f->rax, f->rcx, f->rdx, f->rbx, f->rsi, f->rdi);
}

/* The loader maps the image in 4 KiB pages, all of them writable and executable: from here on none is both. */
static void protect(const uint8_t *from, const uint8_t *to, uint64_t clear, uint64_t set)
{
	for (uint64_t va = (uint64_t)from; va < (uint64_t)to; va += NL_PAGE_SIZE) {
		uint64_t table = nl_boot.host_cr3;

		for (unsigned level = 3; level > 0; level--)
			table = ((uint64_t *)x86_phys(HPA(table)))[va >> (12 + 9 * level) & 511] &
			        0x000ffffffffff000ULL;
		uint64_t *e = &((uint64_t *)x86_phys(HPA(table)))[va >> 12 & 511];
		*e = (*e & ~clear) | set;
	}
}

bool host_drop_identity(void)
{
	uint64_t at = nl_boot.trampoline;
	uint64_t *pdpt = nl_pool_page(), *pd = nl_pool_page(), *pt = nl_pool_page();

	if (!pdpt || !pd || !pt)
		return false;
	pt[at >> 12 & 511] = at | 3; /* below 1 MiB: first entries of the upper tables */
	pd[0] = nl_pool_hpa(pt).v | 3;
	pdpt[0] = nl_pool_hpa(pd).v | 3;
	*(uint64_t *)x86_phys(HPA(nl_boot.host_cr3)) = nl_pool_hpa(pdpt).v | 3;
	protect(core_start, core_text_end, PTE_WRITE, 0);
	protect(core_text_end, core_rodata_end, PTE_WRITE, PTE_NX);
	protect(core_rodata_end, core_end, 0, PTE_NX);
	x86_write_cr3(nl_boot.host_cr3);
	return true;
}
