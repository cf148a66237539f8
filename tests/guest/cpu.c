// SPDX-License-Identifier: Apache-2.0
/*
 * Descriptor tables, page tables, exceptions and the way to CPL 3: what makes tests of faults one line long.
 */
#include "kernel.h"

struct tss {
	uint32_t reserved0;
	uint64_t rsp[3], reserved1, ist[7], reserved2;
	uint16_t reserved3, iomap_base;
	uint8_t iomap[8192 + 1]; /* the byte behind must be all ones (SDM vol. 1, 19.5.2) */
} __attribute__((packed));
_Static_assert(offsetof(struct tss, iomap) == 104, "TSS, SDM vol. 3, 8.7");

struct gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_middle;
	uint32_t offset_high, reserved;
};
_Static_assert(sizeof(struct gate) == 16, "64-bit gate");
_Static_assert(offsetof(struct cpu, resume) == 8 && offsetof(struct cpu, vector) == 16 &&
                       offsetof(struct cpu, stack_top) == 40 && offsetof(struct cpu, user_rsp) == 48,
               "entry.S and TRY() use these offsets from GS");

extern const uint8_t stubs[];
void enter_user(const struct user_regs *r, uint64_t rip, uint64_t rsp);
_Noreturn void leave_user(void);
void reload_segments(void);
void switch_la57(uint64_t root);
void trap_handler(struct frame *f);

struct cpu cpus[MAX_CPUS];
static struct gate idt[256] __attribute__((aligned(16)));
static uint64_t *root, *window;

void *page_alloc(unsigned n)
{
	void *p = (void *)machine.heap;

	if (machine.heap + n * NL_PAGE_SIZE > machine.heap_end) {
		print("the test kernel is out of memory\n");
		finish();
	}
	machine.heap += n * NL_PAGE_SIZE;
	return memset(p, 0, n * NL_PAGE_SIZE);
}

static uint64_t *level_5(uint64_t *pml4)
{
	uint64_t *pml5 = page_alloc(1);

	pml5[0] = (uint64_t)pml4 | PTE_U | PTE_W | PTE_P;
	return pml5;
}

/* One GiB one to one, for CPL 0. */
static void map_gib(uint64_t *pdpt, uint64_t g)
{
	uint64_t *pd = page_alloc(1);

	for (unsigned i = 0; i < 512; i++)
		pd[i] = g << 30 | (uint64_t)i << 21 | 0x80 | PTE_W | PTE_P;
	pdpt[g] = (uint64_t)pd | PTE_W | PTE_P;
}

/* The first 4 GiB and what is reserved above, and 2 MiB of single pages at WINDOW. */
void map_init(void)
{
	uint64_t *pml4 = page_alloc(1), *pdpt = page_alloc(1), *window_pdpt = page_alloc(1), *window_pd = page_alloc(1);

	window = page_alloc(1);
	for (unsigned g = 0; g < 4; g++)
		map_gib(pdpt, g);
	for (unsigned i = 0; i < machine.n_reserved; i++)
		for (uint64_t at = machine.reserved[i].base; at < machine.reserved[i].base + machine.reserved[i].size;
		     at = (at | (NL_1G - 1)) + 1)
			if (at < MAPPED_TOP && !pdpt[at >> 30])
				map_gib(pdpt, at >> 30);
	pml4[0] = (uint64_t)pdpt | PTE_W | PTE_P;
	pml4[WINDOW >> 39] = (uint64_t)window_pdpt | PTE_U | PTE_W | PTE_P;
	window_pdpt[0] = (uint64_t)window_pd | PTE_U | PTE_W | PTE_P;
	window_pd[0] = (uint64_t)window | PTE_U | PTE_W | PTE_P;
	root = pml4;
	if (read_cr4() & CR4_LA57)
		root = level_5(pml4);
	/* Without TRY: GS is not ours yet. */
	__asm__ volatile("rdmsr; or %0, %%eax; wrmsr" ::"i"(EFER_NXE), "c"(EFER) : "rax", "rdx", "memory");
	write_cr3((uint64_t)root);
}

void map_la57(void)
{
	uint32_t r[4];

	cpuid(7, 0, r);
	if (!(r[2] >> 16 & 1) || (read_cr4() & CR4_LA57))
		return;
	root = level_5(root);
	this_cpu()->gdt[3] = 0x00cf9b000000ffffULL; /* 32-bit code */
	switch_la57((uint64_t)root);
	this_cpu()->gdt[3] = 0;
}

uint64_t kernel_cr3(void) { return (uint64_t)root; }

void *map_window(unsigned slot, uint64_t pa, uint64_t flags)
{
	uint8_t *va = (uint8_t *)WINDOW + slot * NL_PAGE_SIZE;

	window[slot] = flags ? pa | flags | PTE_P : 0;
	__asm__ volatile("invlpg (%0)" ::"r"(va) : "memory");
	return va;
}

/* One page anywhere, read-write, in all CPUs' table; never taken back. */
void map_kernel_page(uint64_t va, uint64_t pa)
{
	uint64_t *table = root;

	for (unsigned level = read_cr4() & CR4_LA57 ? 5 : 4; level > 1; level--) {
		uint64_t *entry = &table[va >> (12 + 9 * (level - 1)) & 511];

		if (!*entry)
			*entry = (uint64_t)page_alloc(1) | PTE_W | PTE_P;
		table = (uint64_t *)(*entry & ~NL_PAGE_MASK);
	}
	table[va >> 12 & 511] = pa | PTE_W | PTE_P;
}

static void init_idt(void)
{
	for (unsigned v = 0; v < 256; v++) {
		uint64_t at = (uint64_t)(stubs + 16 * v);

		idt[v] = (struct gate){.offset_low = (uint16_t)at,
		                       .selector = 8,
		                       .type = v == 0x80 ? 0xee : 0x8e,
		                       .offset_middle = (uint16_t)(at >> 16),
		                       .offset_high = (uint32_t)(at >> 32)};
	}
}

void cpu_load(struct cpu *cpu)
{
	struct tss *t = (struct tss *)cpu->tss_page;

	if (!t) {
		t = page_alloc(3);
		cpu->tss_page = (uint64_t)t;
		memset(t->iomap, 0xff, sizeof(t->iomap));
		t->iomap_base = sizeof(*t); /* beyond the limit: no port at CPL 3 */
		t->rsp[0] = (uint64_t)page_alloc(4) + 4 * NL_PAGE_SIZE;
	}
	if (!idt[0].selector)
		init_idt();
	uint64_t base = (uint64_t)t;
	cpu->self = cpu;
	cpu->gdt[1] = 0x00af9b000000ffffULL; /* 64-bit code */
	cpu->gdt[2] = 0x00cf93000000ffffULL;
	cpu->gdt[4] = 0x00cff3000000ffffULL; /* CPL 3: data 0x23, code 0x2b */
	cpu->gdt[5] = 0x00affb000000ffffULL;
	cpu->gdt[6] = (sizeof(*t) - 1) | (base & 0xffffff) << 16 | 0x89ULL << 40 | (base >> 24 & 0xff) << 56;
	cpu->gdt[7] = base >> 32;

	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) g = {sizeof(cpu->gdt) - 1, (uint64_t)cpu->gdt}, i = {sizeof(idt) - 1, (uint64_t)idt};
	__asm__ volatile("lgdt %0; lidt %1" ::"m"(g), "m"(i) : "memory");
	reload_segments();
	__asm__ volatile("ltr %w0" ::"r"(0x30));
	/* Without TRY: it needs what is being set here. */
	__asm__ volatile("wrmsr" ::"c"(0xc0000101), "a"((uint32_t)(uint64_t)cpu), "d"((uint32_t)((uint64_t)cpu >> 32))
	                 : "memory");
	apic_enable(cpu);
}

static void unexpected(const struct frame *f)
{
	struct cpu *cpu = this_cpu();

	print("CPU %u: unexpected exception %lu error %lx at %lx cs %lx rflags %lx rsp %lx cr2 %lx rax %lx rcx %lx rdx "
	      "%lx (image at "
	      "%lx)\n",
	      cpu->index, f->vector, f->error, f->rip, f->cs, f->rflags, f->rsp, read_cr2(), f->rax, f->rcx, f->rdx,
	      (uint64_t)stubs);
	fail("unexpected exception %lu at %lx", f->vector, f->rip);
	finish();
}

static void interrupt(struct cpu *cpu, const struct frame *f)
{
	cpu->irq_rip = f->rip;
	cpu->irq_rflags = f->rflags;
	cpu->irqs[f->vector]++;
	if (f->vector >= 0x20 && f->vector < 0x30) { /* the 8259 */
		if (f->vector >= 0x28)
			outb(0xa0, 0x20);
		outb(0x20, 0x20);
	} else if (f->vector != 0xff) {
		if (apic_x2) /* not by wrmsr(): the interrupt may have come between the parts of a TRY */
			__asm__ volatile("wrmsr" ::"c"(0x80b), "a"(0), "d"(0) : "memory");
		else
			apic_write(APIC_EOI, 0);
	}
}

void trap_handler(struct frame *f)
{
	struct cpu *cpu = this_cpu();

	if (f->vector == NMI) {
		cpu->nmi_rip = f->rip;
		cpu->nmi_frame = f;
		cpu->nmis++;
		if (cpu->nmi_hook)
			cpu->nmi_hook(cpu);
		return;
	}
	if ((f->vector >= 32 && f->vector != 0x80) || f->vector == 0x12 || f->vector == 0x1f) { /* start-low-vectors */
		interrupt(cpu, f);
		return;
	}
	if ((f->cs & 3) == 3) {
		cpu->user = *f;
		cpu->cr2 = read_cr2();
		leave_user();
	}
	if (f->vector == DB && cpu->db_max) {
		if (cpu->db_count < 8) {
			cpu->db_rip[cpu->db_count] = f->rip;
			cpu->db_dr6[cpu->db_count] = read_dr6();
		}
		if (read_dr6() & 0xf)
			f->rflags |= 0x10000; /* RF: over the breakpoint (SDM vol. 3, 18.3.1.1) */
		write_dr6(0xffff0ff0);
		if (++cpu->db_count >= cpu->db_max)
			f->rflags &= ~0x100ULL;
		return;
	}
	if (!cpu->resume)
		unexpected(f);
	cpu->vector = (int32_t)f->vector;
	cpu->error = (uint32_t)f->error;
	cpu->fault_rip = f->rip;
	cpu->fault_nmis = cpu->nmis;
	cpu->cr2 = read_cr2();
	f->rip = cpu->resume;
	f->rflags &= ~0x100ULL;
	cpu->resume = 0;
}

enum { USER_CODE = 0, USER_STACK = 1, USER_DATA = 2 }; /* slots of the window */
_Static_assert(USER_DATA_VA == WINDOW + USER_DATA * NL_PAGE_SIZE, "user data slot");
static uint8_t *user_code;

void user_init(void)
{
	user_code = page_alloc(1);
	map_window(USER_CODE, (uint64_t)user_code, PTE_U);
	map_window(USER_STACK, (uint64_t)page_alloc(1), PTE_U | PTE_W | PTE_NX);
	for (unsigned i = 0; i < USER_DATA_PAGES; i++)
		map_window(USER_DATA + i, (uint64_t)page_alloc(1), PTE_U | PTE_W | PTE_NX);
}

void user_allow_ports(bool allowed)
{
	struct tss *t = (struct tss *)this_cpu()->tss_page;

	memset(t->iomap, allowed ? 0 : 0xff, 8192);
	t->iomap_base = allowed ? offsetof(struct tss, iomap) : sizeof(*t);
}

int user_run(const void *code, const void *end, struct user_regs *r)
{
	struct cpu *cpu = this_cpu();
	const struct frame *u = &cpu->user;

	memcpy(user_code, code, (size_t)((const uint8_t *)end - (const uint8_t *)code));
	enter_user(r, WINDOW, WINDOW + (USER_STACK + 1) * NL_PAGE_SIZE - 64);
	*r = (struct user_regs){u->rax, u->rbx, u->rcx, u->rdx, u->rsi, u->rdi, u->r8, u->rflags};
	return (int)u->vector;
}
