// SPDX-License-Identifier: Apache-2.0
/*
 * The test kernel: a small 64-bit kernel that is an EFI program, so that newleaf.efi (or the firmware itself) can start
 * it. It does to the machine what Linux cannot be made to do and says PASS, FAIL or SKIP for each test. This header is
 * all that its files share.
 */
#ifndef GUEST_KERNEL_H
#define GUEST_KERNEL_H

#include <newleaf/types.h>

#define MAX_CPUS 128
#define MAPPED_TOP (1ULL << 39) /* as far as the kernel maps memory one to one, where it needs it */

/* --- What the firmware said (start.c) --- */

struct machine {
	bool bare;       /* Newleaf is not expected below */
	bool intel;      /* vendor string: VMX, else SVM */
	unsigned scale;  /* percent of the usual number of rounds */
	char only[2048]; /* names of tests, with commas; empty = all */
	char mode[16];   /* what to do instead of tests: "triple" ... */
	uint64_t tsc_hz;
	unsigned n_cpus;
	uint32_t apic_ids[MAX_CPUS]; /* the boot CPU first */
	uint64_t low[2];             /* two free pages below 1 MiB: SIPI vectors */
	struct {
		uint64_t base, size;
	} reserved[128]; /* EfiReservedMemoryType, below MAPPED_TOP */
	unsigned n_reserved;
	uint64_t heap, heap_end;
	/* The hypervisor's own card, as the runner knows it: slot, and place of its registers; 0 = none. */
	uint32_t card, ports;
	uint64_t place, place_size;
	bool high_ram;                         /* there is memory above 4 GiB */
	unsigned firmware_nmis, firmware_seen; /* CPUs that took an NMI in the firmware's hands; on Newleaf at that */
};
extern struct machine machine;

_Noreturn void kernel_main(void);

/* --- Exceptions and interrupts (cpu.c, entry.S) --- */

struct frame { /* what the stubs leave on the stack */
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

enum { DB = 1, NMI = 2, BP = 3, UD = 6, GP = 13, PF = 14, NONE = -1 };

struct cpu {
	struct cpu *self; /* gs:0 */
	uint64_t resume;  /* gs:8, where the handler sends a fault; 0 = none is expected */
	int32_t vector;   /* gs:16, of the fault that was caught, NONE */
	uint32_t error;   /* gs:20 */
	uint64_t fault_rip, cr2;
	uint64_t stack_top; /* gs:40, trampoline and TSS */
	uint64_t user_rsp;  /* gs:48, where enter_user returns to */
	struct frame user;  /* how user mode was left */
	unsigned index;
	uint32_t apic_id;
	/* #DB by single step: each RIP is noted, after db_max of them TF is cleared */
	unsigned db_count, db_max;
	uint64_t db_rip[8], db_dr6[8];
	/* counts, read by other CPUs */
	volatile uint64_t irqs[256], nmis;
	volatile uint64_t irq_rip, irq_rflags, nmi_rip;
	uint64_t fault_nmis; /* nmis when the fault that was caught came */
	struct frame *nmi_frame;
	void (*volatile nmi_hook)(struct cpu *);
	void (*volatile job)(struct cpu *);
	volatile uint64_t arg, result, base;
	volatile uint64_t starts;   /* times this CPU came out of SIPI */
	volatile uint8_t sipi_page; /* vector it started with */
	uint64_t tss_page;          /* struct tss with the I/O bitmap */
	uint64_t gdt[9];
};

extern struct cpu cpus[MAX_CPUS];

static inline struct cpu *this_cpu(void)
{
	struct cpu *c;
	__asm__ volatile("mov %%gs:0, %0" : "=r"(c));
	return c;
}

/*
 * TRY("rdmsr", ARGS("=a"(lo)), ARGS("c"(msr))): runs instructions of which one may fault, and gives the vector of the
 * fault, or NONE. Execution goes on behind the instructions; r11 is used.
 */
#define ARGS(...) __VA_ARGS__
#define TRY(insn, out, in, ...) \
	({ \
		__asm__ volatile("lea 99f(%%rip), %%r11; movl $-1, %%gs:16; mov %%r11, %%gs:8\n\t" insn \
		                 "\n99:\tmovq $0, %%gs:8" \
		                 : out:in \
		                 : "r11", "memory", "cc", ##__VA_ARGS__); \
		this_cpu()->vector; \
	})

void cpu_load(struct cpu *cpu); /* GDT, IDT, TSS, GS base, local APIC; on the CPU itself */
void map_init(void);
void map_la57(void); /* 5-level paging, where the CPU has it */
void *map_window(unsigned slot, uint64_t pa,
                 uint64_t flags); /* one 4 KiB page at a virtual address of its own; slot 0..511 */
#define WINDOW 0x8000000000ULL
#define PTE_P 1ULL
#define PTE_W 2ULL
#define PTE_U 4ULL
#define PTE_CD 16ULL
#define PTE_NX (1ULL << 63)
void map_kernel_page(uint64_t va, uint64_t pa);
uint64_t kernel_cr3(void);
void *page_alloc(unsigned n); /* zeroed, never freed */

/* CPL 3 (cpu.c): the code between two labels runs at CPL 3 with these registers until it faults or executes INT 0x80.
 */
struct user_regs {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, r8, rflags;
};
void user_init(void);
void user_allow_ports(bool allowed);
int user_run(const void *code, const void *end, struct user_regs *r); /* vector by which it was left; 0x80 = INT 0x80 */
int user_call(uint64_t call, uint64_t buffer, uint64_t length, uint64_t rcx, uint64_t r8,
              struct user_regs *r); /* test_call.c: a hypercall, by the port */
#define USER_DATA_VA \
	(WINDOW + 0x2000) /* 64 KiB + one page, user read-write; physical pages not adjacent to what follows: nothing \
	                     follows */
#define USER_DATA_PAGES 17

/* --- Local APIC (apic.c) --- */

#define APIC_BASE 0xfee00000ULL
enum {
	APIC_ID = 0x20,
	APIC_VERSION = 0x30,
	APIC_TPR = 0x80,
	APIC_EOI = 0xb0,
	APIC_LDR = 0xd0,
	APIC_DFR = 0xe0,
	APIC_SVR = 0xf0,
	APIC_ISR = 0x100,
	APIC_IRR = 0x200,
	APIC_ESR = 0x280,
	APIC_ICR = 0x300,
	APIC_ICR_HIGH = 0x310,
	APIC_LVT_TIMER = 0x320,
	APIC_LVT_PC = 0x340,
	APIC_LVT_LINT0 = 0x350,
	APIC_LVT_LINT1 = 0x360,
	APIC_INITIAL = 0x380,
	APIC_CURRENT = 0x390,
	APIC_DIVIDE = 0x3e0
};
#define ICR_FIXED 0u
#define ICR_NMI 0x400u
#define ICR_INIT 0x500u
#define ICR_SIPI 0x600u
#define ICR_LOGICAL 0x800u
#define ICR_ASSERT 0x4000u
#define ICR_LEVEL 0x8000u
#define ICR_SELF 0x40000u
#define ICR_ALL 0x80000u
#define ICR_OTHERS 0xc0000u

static inline uint32_t apic_read(uint32_t reg) { return *(volatile uint32_t *)(APIC_BASE + reg); }
static inline void apic_write(uint32_t reg, uint32_t v) { *(volatile uint32_t *)(APIC_BASE + reg) = v; }
void apic_enable(struct cpu *cpu); /* software enable, everything masked, LDR = 1 << index in the flat model */
void apic_send(uint32_t dest, uint32_t low);
bool apic_waits(unsigned vector); /* bit in IRR */
extern bool apic_x2;

/* --- CPUs (smp.c) --- */

/* What a CPU saw in its first instructions behind SIPI; layout known to entry.S. */
struct first_state {
	uint32_t eax_high, ecx, edx, ebx, esp, ebp, esi, edi;
	uint32_t eflags, cr0, cr2, cr3, cr4, dr6, dr7;
	uint32_t efer_low, efer_high;
	uint16_t cs, ds, es, ss, gs, gdtr_limit, idtr_limit, ip;
	uint32_t gdtr_base, idtr_base;
};

void smp_init(void); /* trampolines into both low pages */
volatile struct first_state *smp_first_state(unsigned page);
unsigned smp_running(void); /* CPUs that answer, the boot CPU included */
bool smp_wait_started(struct cpu *cpu, uint64_t starts_before);
bool smp_start(struct cpu *cpu, unsigned page); /* INIT-SIPI-SIPI, physical */
bool smp_start_all(void);
void smp_give(struct cpu *cpu, void (*job)(struct cpu *));
bool smp_wait(struct cpu *cpu); /* until its job is done */
bool smp_call(struct cpu *cpu, void (*job)(struct cpu *));

/* --- Time --- */

static inline uint64_t tsc(void)
{
	uint32_t lo, hi;
	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi)::"memory");
	return (uint64_t)hi << 32 | lo;
}
static inline void pause(void) { __asm__ volatile("pause" ::: "memory"); }
static inline uint64_t us(uint64_t n) { return machine.tsc_hz / 1000000 * n; }
#define LIMIT_MS 10000 /* an event that is not there by then will not come: emulators on a busy machine are slow */
/* Until the condition holds or the time limit is over; gives the condition. */
#define WAIT_MS(condition, ms) \
	({ \
		uint64_t end_ = tsc() + us((ms)*1000ULL); \
		while (!(condition) && tsc() < end_) \
			pause(); \
		(condition); \
	})
#define WAIT(condition) WAIT_MS(condition, LIMIT_MS)
/* To show that something does not happen there is no event to wait for: this long. */
static inline void settle(uint64_t n_us)
{
	for (uint64_t end = tsc() + us(n_us); tsc() < end;)
		pause();
}

/* --- Registers --- */

static inline void cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	__asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(sub) : "memory");
}
static inline int rdmsr(uint32_t index, uint64_t *v) /* vector or NONE */
{
	uint32_t lo = 0, hi = 0;
	int vector = TRY("rdmsr", ARGS("+a"(lo), "+d"(hi)), "c"(index));
	*v = (uint64_t)hi << 32 | lo;
	return vector;
}
static inline int wrmsr(uint32_t index, uint64_t v)
{
	return TRY("wrmsr", ARGS(), ARGS("c"(index), "a"((uint32_t)v), "d"((uint32_t)(v >> 32))));
}
static inline uint64_t msr(uint32_t index)
{
	uint64_t v;
	rdmsr(index, &v);
	return v;
}
#define REGISTER(name) \
	static inline uint64_t read_##name(void) \
	{ \
		uint64_t v; \
		__asm__ volatile("mov %%" #name ", %0" : "=r"(v)::"memory"); \
		return v; \
	} \
	static inline void write_##name(uint64_t v) { __asm__ volatile("mov %0, %%" #name ::"r"(v) : "memory"); }
REGISTER(cr0)
REGISTER(cr2)
REGISTER(cr3)
REGISTER(cr4)
REGISTER(dr0)
REGISTER(dr1)
REGISTER(dr2)
REGISTER(dr3)
REGISTER(dr6)
REGISTER(dr7)
#undef REGISTER
static inline void outb(uint16_t port, uint8_t v) { __asm__ volatile("outb %0, %1" ::"a"(v), "Nd"(port)); }
static inline void outl(uint16_t port, uint32_t v) { __asm__ volatile("outl %0, %1" ::"a"(v), "Nd"(port)); }
static inline uint8_t inb(uint16_t port)
{
	uint8_t v;
	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}
static inline void sti(void) { __asm__ volatile("sti" ::: "memory"); }
static inline void cli(void) { __asm__ volatile("cli" ::: "memory"); }

#define MSR_LSTAR 0xc0000082u
#define EFER 0xc0000080u
#define EFER_SCE (1ULL << 0)
#define EFER_LME (1ULL << 8)
#define EFER_NXE (1ULL << 11)
#define EFER_SVME (1ULL << 12)
#define CR4_OSXSAVE (1ULL << 18)
#define CR4_LA57 (1ULL << 12)

void *memset(void *d, int c, size_t n);
void *memcpy(void *restrict d, const void *restrict s, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);

/* --- Tests (main.c) --- */

struct test {
	const char *name;
	void (*run)(void);
	unsigned flags;
};
#define NEWLEAF_ONLY 1u /* says something about Newleaf alone */
#define SMP_ONLY 2u     /* wants a second CPU */

extern const struct test memory_tests[], msr_tests[], cpuid_tests[], instruction_tests[], mmio_tests[], step_tests[],
        state_tests[], call_tests[], start_tests[], ipi_tests[], nmi_tests[], iret_tests[], time_tests[],
        x2apic_tests[], config_tests[], hide_tests[], freeze_tests[], stand_tests[], platform_tests[], token_tests[],
        litmus_tests[], cell_tests[], litmus_product_tests[]; /* each ended by a null name */

void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void fail(const char *format, ...) __attribute__((format(printf, 1, 2))); /* the first one is kept */
bool failed(void);
void skip(const char *why);
void note(const char *format, ...) __attribute__((format(printf, 1, 2))); /* a figure for the reader */
_Noreturn void finish(void);
bool litmus_present(void);   /* test_litmus.c: is it the instrument's build below? */
bool cell_present(void);     /* test_cell.c: likewise */
uint64_t rounds(uint64_t n); /* n by the scale asked for, at least 1 */

#define EXPECT(condition, ...) ((condition) ? (void)0 : fail(__VA_ARGS__))
#define REQUIRE(condition, ...) \
	do { \
		if (!(condition)) { \
			fail(__VA_ARGS__); \
			return; \
		} \
	} while (0)
#define EXPECT_VECTOR(got, want, what) \
	do { \
		int got_ = (got); \
		EXPECT(got_ == (want), "%s: vector %d, expected %d", what, got_, want); \
	} while (0)

#endif
