// SPDX-License-Identifier: Apache-2.0
/*
 * MSRs that could reach the hypervisor, or show it (hv/exits/msr.c is the promise).
 */
#include "kernel.h"
#include "region.h"

#define FEATURE_CONTROL 0x3au
#define APIC_BASE_MSR 0x1bu
#define VM_CR 0xc0010114u
#define VM_HSAVE_PA 0xc0010117u

static void expect_refused(uint32_t index, uint64_t value)
{
	uint64_t before = 0, after = 0;
	int readable = rdmsr(index, &before), vector = wrmsr(index, value);

	EXPECT(vector == GP, "write of %lx to MSR %x: vector %d, expected #GP", value, index, vector);
	rdmsr(index, &after);
	EXPECT(readable != NONE || before == after, "MSR %x was %lx and is %lx", index, before, after);
}

static void expect_dropped(uint32_t index, uint64_t value)
{
	uint64_t before = 0, after = 0;
	int readable = rdmsr(index, &before), vector = wrmsr(index, value);

	EXPECT(vector == NONE, "write to MSR %x: vector %d", index, vector);
	rdmsr(index, &after);
	EXPECT(readable == NONE && before == after, "MSR %x was %lx and is %lx", index, before, after);
}

static void expect_absent(uint32_t index)
{
	uint64_t v;
	int vector = rdmsr(index, &v);

	EXPECT(vector == GP, "read of MSR %x: vector %d, expected #GP", index, vector);
	vector = wrmsr(index, 0);
	EXPECT(vector == GP, "write of MSR %x: vector %d, expected #GP", index, vector);
}

static void efer_svme(void)
{
	uint64_t efer = msr(EFER);

	EXPECT(!(efer & EFER_SVME), "SVME is shown: %lx", efer);
	if (!machine.bare) {
		expect_refused(EFER, efer | EFER_SVME);
	} else if (!machine.intel) { /* on bare hardware the same write works */
		EXPECT_VECTOR(wrmsr(EFER, efer | EFER_SVME), NONE, "SVME on bare hardware");
		EXPECT(msr(EFER) & EFER_SVME, "SVME on bare hardware did not stay");
		wrmsr(EFER, efer);
	}
}

static void efer_reserved(void)
{
	uint64_t efer = msr(EFER);

	if (machine.bare && !machine.intel) {
		skip("the emulator does not check it");
		return;
	}
	for (unsigned bit = 1; bit < 64; bit++)
		if ((bit > 0 && bit < 8) || bit == 9 || bit == 16 || bit > 21)
			expect_refused(EFER, efer | 1ULL << bit);
	expect_refused(EFER, efer & ~EFER_LME); /* paging is on */
}

/* Bits of features: allowed where CPUID shows the feature. One that the hardware lacks must not reach the VMCB, or no
 * entry succeeds. */
static void efer_features(void)
{
	static const struct {
		unsigned bit;
		uint32_t leaf;
		unsigned reg, shift;
	} list[] = {
	        {14, 0x80000001, 3, 25}, {15, 0x80000001, 2, 17}, {17, 0x80000008, 1, 8},
	        {18, 0x80000008, 1, 13}, {20, 0x80000021, 0, 7},  {21, 0x80000021, 0, 8},
	};
	uint64_t efer = msr(EFER);
	uint32_t r[4];

	if (machine.bare && !machine.intel) {
		skip("the emulator does not check it");
		return;
	}
	for (unsigned i = 0; i < NL_ARRAY_SIZE(list); i++) {
		cpuid(0x80000000, 0, r);
		bool reachable = r[0] >= list[i].leaf;
		cpuid(list[i].leaf, 0, r);
		if (!reachable || !(r[list[i].reg] >> list[i].shift & 1)) {
			expect_refused(EFER, efer | 1ULL << list[i].bit);
			continue;
		}
		EXPECT_VECTOR(wrmsr(EFER, efer | 1ULL << list[i].bit), NONE, "a feature that is there");
		EXPECT_VECTOR(wrmsr(EFER, efer), NONE, "EFER as it was");
	}
}

static void efer_nxe(void)
{
	uint64_t efer = msr(EFER);
	volatile uint8_t *p = map_window(400, (uint64_t)page_alloc(1), PTE_W | PTE_NX);

	for (unsigned i = 0; i < 3; i++) {
		EXPECT_VECTOR(wrmsr(EFER, efer & ~EFER_NXE), NONE, "clear NXE");
		EXPECT(msr(EFER) == (efer & ~EFER_NXE), "EFER reads %lx", msr(EFER));
		write_cr3(kernel_cr3());
		EXPECT_VECTOR(TRY("movb $1, %0", ARGS("=m"(*p)), ARGS()), PF, "NX entry without NXE");
		EXPECT(this_cpu()->error & 8, "page fault error %x: not a reserved bit", this_cpu()->error);
		EXPECT_VECTOR(wrmsr(EFER, efer), NONE, "set NXE");
		EXPECT(msr(EFER) == efer, "EFER reads %lx", msr(EFER));
		write_cr3(kernel_cr3());
		EXPECT_VECTOR(TRY("movb $1, %0", ARGS("=m"(*p)), ARGS()), NONE, "NX entry with NXE");
		EXPECT_VECTOR(TRY("jmp *%0", ARGS(), ARGS("r"(p))), PF, "execute with NX");
	}
}

/* SYSCALL from CPL 0 comes back to CPL 0: STAR's selectors are ours. */
static int do_syscall(void) { return TRY("syscall", ARGS(), ARGS(), "rcx"); }

static void efer_sce(void)
{
	uint64_t efer = msr(EFER), star = msr(0xc0000081), lstar = msr(0xc0000082), fmask = msr(0xc0000084), target,
	         came = 0;

	wrmsr(0xc0000081, 8ULL << 32);
	wrmsr(0xc0000084, 0x200);
	EXPECT_VECTOR(wrmsr(EFER, efer & ~EFER_SCE), NONE, "clear SCE");
	EXPECT_VECTOR(do_syscall(), UD, "SYSCALL without SCE");
	EXPECT_VECTOR(wrmsr(EFER, efer | EFER_SCE), NONE, "set SCE");
	__asm__ volatile("lea 1f(%%rip), %0" : "=r"(target));
	wrmsr(0xc0000082, target);
	EXPECT(msr(0xc0000082) == target, "LSTAR reads %lx", msr(0xc0000082));
	__asm__ volatile("xor %0, %0; syscall; jmp 2f; 1: mov $1, %0; 2:" : "=&r"(came) : : "rcx", "r11", "memory");
	EXPECT(came == 1, "SYSCALL did not go to LSTAR");
	wrmsr(0xc0000081, star);
	wrmsr(0xc0000082, lstar);
	wrmsr(0xc0000084, fmask);
	EXPECT_VECTOR(wrmsr(EFER, efer), NONE, "EFER as it was");
}

static void amd_virtualisation(void)
{
	uint64_t v = 0;

	if (machine.intel) {
		skip("Intel");
		return;
	}
	if (machine.bare) {
		EXPECT_VECTOR(rdmsr(VM_HSAVE_PA, &v), NONE, "VM_HSAVE_PA on bare hardware");
		rdmsr(VM_CR, &v);
		EXPECT(!(v & 0x10), "SVM is disabled on bare hardware");
		return;
	}
	EXPECT_VECTOR(rdmsr(VM_CR, &v), NONE, "VM_CR");
	EXPECT(v == 0x18, "VM_CR reads %lx, not locked and disabled", v);
	expect_dropped(VM_CR, 0);
	for (uint32_t i = 0xc0010115; i <= 0xc0010119; i++)
		expect_absent(i);
	EXPECT_VECTOR(wrmsr(VM_HSAVE_PA, region_base()), GP, "VM_HSAVE_PA = the region");
}

static void amd_memory_routing(void)
{
	static const uint32_t list[] = {0xc0010010, 0xc0010016, 0xc0010017, 0xc001001a,
	                                0xc001001d, 0xc0010111, 0xc0010112, 0xc0010113};

	if (machine.intel) {
		skip("Intel");
		return;
	}
	for (unsigned i = 0; i < NL_ARRAY_SIZE(list); i++)
		expect_dropped(list[i], 0xffff0000 | (i << 12));
}

static void intel_virtualisation(void)
{
	uint64_t v = 0;

	if (!machine.intel) {
		skip("AMD");
		return;
	}
	if (machine.bare) {
		EXPECT_VECTOR(rdmsr(0x480, &v), NONE, "VMX_BASIC on bare hardware");
		return;
	}
	EXPECT_VECTOR(rdmsr(FEATURE_CONTROL, &v), NONE, "FEATURE_CONTROL");
	EXPECT((v & 1) && !(v & 6), "FEATURE_CONTROL reads %lx: not locked without VMX", v);
	expect_refused(FEATURE_CONTROL, 5);
	expect_refused(FEATURE_CONTROL, v);
	for (uint32_t i = 0x480; i <= 0x493; i++)
		expect_absent(i);
	for (uint32_t i = 0x570; i <= 0x572; i++)
		expect_absent(i);
}

/* Supervisor state: no bit that CPUID does not list, and never Intel PT or user interrupts, whose MSRs XRSTORS loads.
 */
static void supervisor_state(void)
{
	uint32_t r[4];
	uint64_t xss = 0, shown;

	cpuid(0, 0, r);
	if (r[0] < 0xd || rdmsr(0xda0, &xss) == GP) {
		skip("no XSAVES");
		return;
	}
	cpuid(0xd, 1, r);
	shown = r[2] | (uint64_t)r[3] << 32;
	EXPECT(!(shown & (1u << 8 | 1u << 14)), "CPUID lists %lx", shown);
	for (unsigned bit = 0; bit < 64; bit++) {
		int vector = wrmsr(0xda0, 1ULL << bit);

		if (vector == GP)
			continue;
		EXPECT(vector == NONE && (shown >> bit & 1), "bit %u: vector %d, CPUID lists %lx", bit, vector, shown);
		cpuid(0xd, bit, r);
		EXPECT(bit < 2 || r[0], "component %u may be enabled and has no size", bit);
	}
	EXPECT_VECTOR(wrmsr(0xda0, xss), NONE, "XSS as it was");
	note("CPUID lists %lx", shown);
}

static void memory_encryption(void)
{
	static const uint32_t intel[] = {0x87, 0x981, 0x982, 0x983, 0x984, 0x9fb};
	static const uint32_t amd[] = {0xc0010130, 0xc0010131, 0xc0010132, 0xc0010133};
	const uint32_t *list = machine.intel ? intel : amd;

	for (unsigned i = 0; i < (machine.intel ? NL_ARRAY_SIZE(intel) : NL_ARRAY_SIZE(amd)); i++)
		expect_absent(list[i]);
}

static void apic_base(void)
{
	uint64_t v = msr(APIC_BASE_MSR);

	expect_refused(APIC_BASE_MSR, (v & 0xfff) | region_base());
	expect_refused(APIC_BASE_MSR, (v & 0xfff) | (region_base() + 0x5000));
	expect_refused(APIC_BASE_MSR, (v & 0xfff) | 0x1000000);
	expect_refused(APIC_BASE_MSR, (v & 0xfff) | 0xfee01000);
	expect_refused(APIC_BASE_MSR, v | 1ULL << 63);
	EXPECT_VECTOR(wrmsr(APIC_BASE_MSR, v), NONE, "APIC_BASE as it is");
	EXPECT(msr(APIC_BASE_MSR) == v, "APIC_BASE was %lx and is %lx", v, msr(APIC_BASE_MSR));
	EXPECT(apic_read(APIC_SVR) == 0x1ff, "the APIC is not where it was: SVR %x", apic_read(APIC_SVR));
}

/* Every MSR the hardware could have: the machine survives reading it, and reading it twice gives the same kind of
 * answer. */
static void scan(void)
{
	static const uint32_t first[] = {0, 0xc0000000, 0xc0010000};
	unsigned faults = 0, answers = 0;
	uint64_t v;

	for (unsigned b = 0; b < 3; b++)
		for (uint32_t i = first[b]; i < first[b] + 0x2000; i++) {
			int vector = rdmsr(i, &v), again = rdmsr(i, &v);

			EXPECT(vector == again && (vector == NONE || vector == GP), "read of MSR %x: vectors %d, %d", i,
			       vector, again);
			vector == NONE ? answers++ : faults++;
		}
	note("%u readable, %u #GP", answers, faults);
}

/* Outside the ranges of the hardware's bitmaps every access exits; the answer is the hardware's (some emulators read 0
 * where hardware faults). */
static void outside(void)
{
	static const uint32_t list[] = {0x2000,     0x12345678, 0x40000000, 0x40000100, 0xbfffffff,
	                                0xc0002000, 0xc0012000, 0xc0020000, 0xffffffff};
	unsigned faults = 0;
	uint64_t v;

	for (unsigned i = 0; i < NL_ARRAY_SIZE(list); i++) {
		int r = rdmsr(list[i], &v), w = wrmsr(list[i], 0x1234);

		EXPECT(r == GP || (r == NONE && v == 0), "read of MSR %x: vector %d, value %lx", list[i], r, v);
		EXPECT(w == GP || w == NONE, "write of MSR %x: vector %d", list[i], w);
		faults += (r == GP) + (w == GP);
	}
	note("%u of %u accesses fault", faults, 2 * (unsigned)NL_ARRAY_SIZE(list));
}

/* Those that the vendors switch: a value written stays through exits of every kind. */
static void kept(void)
{
	static const struct {
		uint32_t index;
		uint64_t value;
	} list[] = {
	        {0x174, 0x28},
	        {0x175, 0xffff888812345678},
	        {0x176, 0xffff888887654321},
	        {0x277, 0x0007010600070106},
	        {0xc0000081, 0x23001000000000},
	        {0xc0000083, 0xffff888811111111},
	        {0xc0000084, 0x47700},
	        {0xc0000100, 0xffff888822222222},
	        {0xc0000102, 0xffff888833333333},
	};
	uint64_t before[NL_ARRAY_SIZE(list)];
	uint32_t r[4];

	for (unsigned i = 0; i < NL_ARRAY_SIZE(list); i++) {
		before[i] = msr(list[i].index);
		EXPECT_VECTOR(wrmsr(list[i].index, list[i].value), NONE, "write of a switched MSR");
	}
	for (uint64_t n = rounds(1000); n; n--) {
		cpuid(0, 0, r);
		msr(EFER);
		apic_write(APIC_TPR, 0);
		outl(0x4e4c, 0);
	}
	for (unsigned i = 0; i < NL_ARRAY_SIZE(list); i++) {
		EXPECT(msr(list[i].index) == list[i].value, "MSR %x was %lx and is %lx", list[i].index, list[i].value,
		       msr(list[i].index));
		wrmsr(list[i].index, before[i]);
	}
}

/*
 * Memory types changed by the guest, over memory in use and over the hypervisor's: values stay, memory keeps its
 * content, hidden stays hidden. (What the types themselves do no emulator shows.)
 */
static void mtrrs(void)
{
	uint64_t cap = msr(0xfe), heap = (uint64_t)page_alloc(1) & ~(NL_2M - 1), *word = page_alloc(1);
	uint64_t targets[] = {heap, machine.bare ? heap : region_base(), 0xc0000000};
	uint32_t r[4], base = 0;

	for (unsigned i = 0; i < (cap & 0xff) && !base; i++)
		if (!(msr(0x201 + 2 * i) & 0x800))
			base = 0x200 + 2 * i;
	if (!base) {
		skip("no free variable range");
		return;
	}
	cpuid(0x80000008, 0, r);
	uint64_t mask = ((1ULL << (r[0] & 0xff)) - 1) & ~(NL_2M - 1), before_base = msr(base),
	         before_mask = msr(base + 1), fixed = msr(0x268);
	static const uint8_t types[] = {0, 1, 4, 5, 6};

	for (unsigned t = 0; t < NL_ARRAY_SIZE(targets); t++)
		for (unsigned i = 0; i < NL_ARRAY_SIZE(types) && !failed(); i++) {
			*word = t * 100 + i;
			EXPECT_VECTOR(wrmsr(base, targets[t] | types[i]), NONE, "variable range");
			EXPECT_VECTOR(wrmsr(base + 1, mask | 0x800), NONE, "its mask");
			EXPECT(msr(base) == (targets[t] | types[i]) && msr(base + 1) == (mask | 0x800),
			       "range reads %lx %lx", msr(base), msr(base + 1));
			EXPECT(*word == t * 100 + i, "memory shows %lu", *word);
			EXPECT(machine.bare || region_base() == targets[1], "the region shows itself with type %u",
			       types[i]);
			wrmsr(base + 1, 0);
		}
	EXPECT_VECTOR(wrmsr(0x268, 0), NONE, "a fixed range");
	EXPECT(msr(0x268) == 0, "fixed range reads %lx", msr(0x268));
	wrmsr(0x268, fixed);
	wrmsr(base, before_base);
	wrmsr(base + 1, before_mask);
	EXPECT(apic_read(APIC_SVR) == 0x1ff, "the APIC shows %x", apic_read(APIC_SVR));
	cpuid(0, 0, r);
}

const struct test msr_tests[] = {
        {"msr-efer-svme", efer_svme, 0},
        {"msr-efer-reserved", efer_reserved, 0},
        {"msr-efer-features", efer_features, 0},
        {"msr-efer-nxe", efer_nxe, 0},
        {"msr-efer-sce", efer_sce, 0},
        {"msr-amd-virtualisation", amd_virtualisation, 0},
        {"msr-amd-memory-routing", amd_memory_routing, NEWLEAF_ONLY},
        {"msr-intel-virtualisation", intel_virtualisation, 0},
        {"msr-supervisor-state", supervisor_state, NEWLEAF_ONLY},
        {"msr-memory-encryption", memory_encryption, NEWLEAF_ONLY},
        {"msr-apic-base", apic_base, NEWLEAF_ONLY},
        {"msr-scan", scan, 0},
        {"msr-outside", outside, 0},
        {"msr-mtrr", mtrrs, 0},
        {"msr-kept", kept, 0},
        {NULL, NULL, 0},
};
