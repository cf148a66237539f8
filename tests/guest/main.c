// SPDX-License-Identifier: Apache-2.0
/*
 * The test kernel's runner and its console. One line per test: PASS name, FAIL name: why, SKIP name: why. Last line: N
 * passed, N failed, N skipped.
 */
#include <stdarg.h>

#include "kernel.h"
#include "region.h"

#define COM1 0x3f8
#define DEBUG_EXIT 0xf4 /* QEMU's isa-debug-exit */

static const char *name; /* of the running test */
static char why[256], notes[256];
static bool has_failed, has_skipped;
static unsigned n_passed, n_failed, n_skipped;

/* --- Console --- */

static uint32_t print_lock;

static void put(char c)
{
	while (!(inb(COM1 + 5) & 0x20))
		pause();
	outb(COM1, (uint8_t)c);
}

struct sink {
	char *at, *end;
}; /* at NULL: the serial port */

static void emit(struct sink *s, char c)
{
	if (!s->at)
		put(c);
	else if (s->at < s->end)
		*s->at++ = c;
}

static void number(struct sink *s, uint64_t v, unsigned base)
{
	char digits[20];
	unsigned n = 0;

	do
		digits[n++] = "0123456789abcdef"[v % base];
	while (v /= base);
	while (n)
		emit(s, digits[--n]);
}

static void format_to(struct sink *s, const char *f, va_list *args)
{
	for (; *f; f++) {
		bool wide = false;

		if (*f != '%') {
			if (*f == '\n')
				emit(s, '\r');
			emit(s, *f);
			continue;
		}
		if (*++f == 'l') {
			wide = true;
			f++;
		}
		if (*f == 's') {
			for (const char *p = va_arg(*args, const char *); *p; p++)
				emit(s, *p);
		} else if (*f == 'd') {
			int64_t v = wide ? va_arg(*args, int64_t) : va_arg(*args, int);
			if (v < 0)
				emit(s, '-');
			number(s, (uint64_t)(v < 0 ? -v : v), 10);
		} else {
			number(s, wide ? va_arg(*args, uint64_t) : va_arg(*args, unsigned), *f == 'x' ? 16 : 10);
		}
	}
}

void print(const char *format, ...)
{
	struct sink s = {NULL, NULL};
	va_list args;

	while (__atomic_exchange_n(&print_lock, 1, __ATOMIC_ACQUIRE))
		pause();
	va_start(args, format);
	format_to(&s, format, &args);
	va_end(args);
	__atomic_store_n(&print_lock, 0, __ATOMIC_RELEASE);
}

/* --- Verdicts --- */

void fail(const char *format, ...)
{
	struct sink s = {why, why + sizeof(why) - 1};
	va_list args;

	if (has_failed)
		return;
	has_failed = true;
	va_start(args, format);
	format_to(&s, format, &args);
	va_end(args);
	*s.at = '\0';
}

void note(const char *format, ...)
{
	struct sink s = {notes, notes + sizeof(notes) - 1};
	va_list args;

	va_start(args, format);
	format_to(&s, format, &args);
	va_end(args);
	*s.at = '\0';
}

bool failed(void) { return has_failed; }

void skip(const char *reason)
{
	has_skipped = true;
	memcpy(why, reason, strlen(reason) + 1);
}

uint64_t rounds(uint64_t n)
{
	n = n * machine.scale / 100;
	return n ? n : 1;
}

static void verdict(void)
{
	if (has_failed) {
		n_failed++;
		print("FAIL %s: %s\n", name, why);
	} else if (has_skipped) {
		n_skipped++;
		print("SKIP %s: %s\n", name, why);
	} else {
		n_passed++;
		print("PASS %s%s%s\n", name, notes[0] ? " -- " : "", notes);
	}
}

_Noreturn void finish(void)
{
	if (name)
		verdict();
	print("%u passed, %u failed, %u skipped\n", n_passed, n_failed, n_skipped);
	outb(DEBUG_EXIT, n_failed ? 1 : 0);
	print("test kernel: end\n");
	for (;;)
		__asm__ volatile("cli; hlt");
}

/* machine.only is a list with commas. */
static bool wanted(const char *test)
{
	size_t n = strlen(test);

	for (const char *p = machine.only; *p; p++)
		if ((p == machine.only || p[-1] == ',') && !memcmp(p, test, n) && (!p[n] || p[n] == ','))
			return true;
	return !machine.only[0];
}

static void run(const struct test *t)
{
	if (!wanted(t->name))
		return;
	has_failed = has_skipped = false;
	notes[0] = '\0';
	name = t->name;
	if ((t->flags & NEWLEAF_ONLY) && machine.bare)
		skip("without Newleaf there is nothing to see");
	else if ((t->flags & SMP_ONLY) && machine.n_cpus < 2)
		skip("one CPU");
	else
		t->run();
	cli();
	verdict();
	name = NULL;
}

/* --- Other things than tests --- */

static void triple_fault(struct cpu *cpu)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) nothing = {0, 0};

	(void)cpu;
	__asm__ volatile("lidt %0; int3" ::"m"(nothing));
}

static void fxrstor_loop(struct cpu *cpu)
{
	static uint8_t area[512] __attribute__((aligned(16)));

	__asm__ volatile("fxsave (%0)" ::"r"(area) : "memory");
	while (!cpu->arg)
		__asm__ volatile("fxrstor (%0)" ::"r"(area) : "memory");
}

/*
 * Not a test of Newleaf but of the emulator. QEMU lets an FXRSTOR on any CPU clear a bit of the first CPU's state, in a
 * word that holds "in a guest with nested paging" as well, without a lock. Where that undoes the end of a guest, the
 * first CPU's next step walks the core's page tables as if they were a guest's, and the machine is reset by a triple
 * fault; where it undoes its beginning, the guest runs without nested paging until its next exit, and sees what is
 * hidden (docs/explanation/limits.md).
 */
static void fxrstor_race(void)
{
	uint64_t base = region_base(); /* 0: without Newleaf nothing is hidden */
	volatile uint64_t *hidden = (volatile uint64_t *)(base + NL_REGION_CORE);
	uint32_t r[4];

	if (machine.n_cpus < 2 || !smp_start(&cpus[1], 0)) {
		print("no second CPU: nothing was tried\n");
		return;
	}
	cpus[1].arg = 0;
	smp_give(&cpus[1], fxrstor_loop);
	for (uint64_t i = 1; i <= 2000000; i++) {
		uint64_t seen;

		cpuid(0, 0, r);
		seen = base ? hidden[0] | hidden[1] | hidden[2] | hidden[3] : 0;
		if (seen)
			print("behind exit %lu a hidden page shows %lx\n", i, seen);
		if (!(i % 100000))
			print("%lu exits\n", i);
	}
	cpus[1].arg = 1;
	smp_wait(&cpus[1]);
}

/* The runner (tests/guest/run) sees the banner of the second boot, or this mode has failed. */
static _Noreturn void run_mode(void)
{
	print("test kernel: mode %s\n", machine.mode);
	if (!strcmp(machine.mode, "triple"))
		triple_fault(this_cpu());
	if (!strcmp(machine.mode, "fxrstor"))
		fxrstor_race();
	if (!strcmp(machine.mode, "triple-ap") && machine.n_cpus > 1 && smp_start(&cpus[1], 0)) {
		smp_give(&cpus[1], triple_fault);
		settle(5000000);
	}
	if (!strcmp(machine.mode, "init-bsp") && machine.n_cpus > 1 && smp_start(&cpus[1], 0)) {
		cpus[1].arg = cpus[0].apic_id;
		apic_send(cpus[0].apic_id, ICR_INIT | ICR_ASSERT);
		settle(5000000);
	}
	print("test kernel: still here\n");
	finish();
}

/* In this order: what is tested before all CPUs run comes first, what cannot be undone last. */
static const struct test *const groups[] = {
        cpuid_tests,  msr_tests,   instruction_tests, memory_tests, call_tests,     mmio_tests,  step_tests,
        state_tests,  time_tests,  start_tests,       ipi_tests,    nmi_tests,      iret_tests,  litmus_product_tests,
        freeze_tests, stand_tests, config_tests,      hide_tests,   platform_tests, token_tests, x2apic_tests};

_Noreturn void kernel_main(void)
{
	cli();
	map_init();
	cpus[0].stack_top = (uint64_t)page_alloc(4) + 4 * NL_PAGE_SIZE;
	cpus[0].apic_id = machine.apic_ids[0];
	cpu_load(&cpus[0]);
	map_la57();
	smp_init();
	user_init();
	print("\ntest kernel: %u CPUs, %s, %s, %s-level paging, TSC %lu kHz, scale %u%s%s\n", machine.n_cpus,
	      machine.intel ? "Intel" : "AMD", machine.bare ? "bare" : "on Newleaf", read_cr4() & CR4_LA57 ? "5" : "4",
	      machine.tsc_hz / 1000, machine.scale, machine.only[0] ? ", only " : "", machine.only);
	if (machine.mode[0])
		run_mode();
	for (unsigned i = 0; i < NL_ARRAY_SIZE(groups); i++)
		for (const struct test *t = groups[i]; t->name; t++)
			run(t);
	for (const struct test *t = cell_tests; t->name && cell_present(); t++)
		run(t);
	for (const struct test *t = litmus_tests; t->name && litmus_present(); t++)
		run(t);
	finish();
}

/* --- What the compiler calls --- */

void *memset(void *d, int c, size_t n)
{
	void *at = d;
	__asm__ volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(c) : "memory");
	return d;
}

void *memcpy(void *restrict d, const void *restrict s, size_t n)
{
	void *at = d;
	__asm__ volatile("rep movsb" : "+D"(at), "+S"(s), "+c"(n)::"memory");
	return d;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;

	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	for (; *a && *a == *b; a++, b++)
		;
	return *a - *b;
}
