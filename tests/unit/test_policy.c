// SPDX-License-Identifier: Apache-2.0
// sources: hv/exits/cpuid.c hv/exits/msr.c arch/x86_64/apic.c hv/core/cpu.c hv/core/clock.c
/*
 * What the guest is told of the machine: CPUID and MSRs, for both vendors. The tables themselves are not repeated here;
 * asked are the promises behind them: nothing that would need our help is shown, bits that mirror CR4 mirror the
 * guest's, no write reaches a register by which the guest could get at our memory, and what must exit does.
 */
#include "host.h"
#include "apic.h"
#include "../../arch/x86_64/include/host.h"
#include "commit/commit.h"
#include "exits/cpuid.h"
#include "exits/msr.h"
#include "commit/wish.h"
#include "exits/token.h"
#include "view/base.h"
#include "x86.h"
#undef skip /* cmocka has one, and so has a vendor */

/* A machine whose MSRs are an array; the few that the core reads directly too. */
static struct {
	uint32_t index;
	uint64_t value;
} msrs[16];
static unsigned n_msrs, kernels_gone, skipped, faults;
static uint32_t refuses; /* the MSR whose writes the hardware answers with #GP */
static struct nl_context guest;
static struct nl_cpu me;

static uint64_t *msr(uint32_t index)
{
	for (unsigned i = 0; i < n_msrs; i++)
		if (msrs[i].index == index)
			return &msrs[i].value;
	assert_true(n_msrs < NL_ARRAY_SIZE(msrs));
	msrs[n_msrs].index = index;
	return &msrs[n_msrs++].value;
}

static bool exists(uint32_t index)
{
	for (unsigned i = 0; i < n_msrs; i++)
		if (msrs[i].index == index)
			return true;
	return false;
}

bool x86_rdmsr_safe(uint32_t index, uint64_t *v)
{
	if (exists(index))
		*v = *msr(index);
	return exists(index);
}

bool x86_wrmsr_safe(uint32_t index, uint64_t v)
{
	if (!exists(index) || index == refuses)
		return false;
	*msr(index) = v;
	return true;
}

uint64_t x86_rdmsr(uint32_t index) { return *msr(index); }
void x86_wrmsr(uint32_t index, uint64_t v) { *msr(index) = v; }

static uint64_t xss_listed; /* supervisor state of this CPU, leaf 0xd */

/* No feature that EFER has a bit for. */
void x86_cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	memset(r, 0, 4 * sizeof(*r));
	r[0] = leaf == 0x80000000 ? 0x80000021 : leaf == 0 ? 0xd : 0;
	if (leaf == 0xd && sub == 1)
		r[2] = (uint32_t)xss_listed, r[3] = (uint32_t)(xss_listed >> 32);
}

const struct nl_vendor *nl_vendor;
static uint64_t begins_at;
void nl_commit_kernel_gone(struct nl_cpu *c, const struct nl_context *ctx, uint64_t lstar)
{
	(void)c, (void)ctx, kernels_gone++;
	begins_at = lstar;
}
uint32_t nl_trial_clock;
uint64_t nl_own_due = UINT64_MAX;
static bool tokens_are_given;
static unsigned tokens_forgotten;
bool nl_token_make(struct nl_cpu *c, uint64_t *token)
{
	assert_ptr_equal(c, &me);
	*token = 0x8899aabbccddeeff;
	return tokens_are_given;
}
void nl_tokens_forget(void) { tokens_forgotten++; }
struct nl_cpu *nl_cpus[NL_MAX_CPUS] = {&me};
unsigned nl_n_cpus = 1;
void nl_platform_reset(const char *why)
{
	print_error("%s\n", why);
	abort();
}
static uint8_t exits[3][0x20000]; /* of the three ranges that bitmaps cover: bit 0 reads, bit 1 writes */
static uint64_t efer;

static void intercept(uint32_t index, bool read, bool write)
{
	if (index >> 17 == 0)
		exits[0][index] = (uint8_t)(read | write << 1);
	else if (index - 0xc0000000u < 0x20000)
		exits[index - 0xc0000000u < 0x10000 ? 1 : 2][index & 0xffff] = (uint8_t)(read | write << 1);
}

static unsigned exit_of(uint32_t index)
{
	return index >> 17 == 0 ? exits[0][index] : exits[index - 0xc0000000u < 0x10000 ? 1 : 2][index & 0xffff];
}
static void context(struct nl_cpu *c, struct nl_context *out) { (void)c, *out = guest; }
static void skip(struct nl_cpu *c, unsigned length) { (void)c, (void)length, skipped++; }

static void inject(struct nl_cpu *c, uint8_t vector, bool has_error, uint32_t error)
{
	(void)c;
	assert_int_equal(vector, 13);
	assert_true(has_error && !error);
	faults++;
}

static bool get_msr(struct nl_cpu *c, uint32_t index, uint64_t *v)
{
	(void)c;
	*v = efer;
	return index == MSR_EFER;
}

static bool set_msr(struct nl_cpu *c, uint32_t index, uint64_t v)
{
	(void)c;
	if (index == MSR_EFER)
		efer = v;
	return index == MSR_EFER;
}

#define FAKE(n, exits_by_itself) \
	{ \
		.name = n, .intercept_msr = intercept, .context = context, .skip = skip, .inject = inject, \
		.get_msr = get_msr, .set_msr = set_msr, .init_exits = exits_by_itself \
	}
static const struct nl_vendor vmx = FAKE("VMX", true), svm = FAKE("SVM", false);

static void machine(const struct nl_vendor *vendor)
{
	memset(exits, 0, sizeof(exits));
	n_msrs = kernels_gone = skipped = faults = refuses = 0;
	guest = (struct nl_context){.cr0 = CR0_PG, .efer = EFER_LME | EFER_LMA | EFER_SCE | EFER_NXE};
	efer = guest.efer;
	*msr(MSR_APIC_BASE) = APIC_DEFAULT_BASE | 1u << 11 | 1u << 8;
	*msr(MSR_LSTAR) = 0xffffffff81a00000;
	*msr(MSR_EFER) = EFER_SVME | efer;
	memset(&me, 0, sizeof(me));
	nl_vendor = vendor;
	nl_msr_init();
}

/* One access of the guest as the exit it is. true: it went on behind the instruction; false: #GP. */
static bool access(bool write, uint32_t index, uint64_t *v)
{
	struct nl_exit e = {.cause = write ? NL_CAUSE_WRMSR : NL_CAUSE_RDMSR, .length = 2, .msr = {index, write}};
	unsigned before = skipped + faults;
	unsigned faulted = faults;

	me.gprs = (struct nl_gprs){
	        .rax = 0x1111111100000000 | (uint32_t)*v, .rdx = 0x2222222200000000 | *v >> 32, .rcx = index};
	nl_msr_exit(&me, &e);
	assert_int_equal(skipped + faults, before + 1);
	if (!write && faults == faulted) {
		assert_int_equal(me.gprs.rax >> 32, 0); /* both halves are cleared above 32 bits */
		assert_int_equal(me.gprs.rdx >> 32, 0);
		*v = me.gprs.rdx << 32 | me.gprs.rax;
	}
	return faults == faulted;
}

static bool write_of(uint32_t index, uint64_t v) { return access(true, index, &v); }
static bool read_of(uint32_t index, uint64_t *v) { return access(false, index, v); }

static bool write_of_other(uint32_t index, uint64_t v)
{
	struct nl_cpu kept = me;
	bool done;

	memset(&me, 0, sizeof(me));
	me.index = 1;
	done = write_of(index, v);
	me = kept;
	return done;
}

static void hidden_features(void **state)
{
	static const struct {
		uint32_t leaf, sub;
		unsigned reg, bit;
	} must[] = {
	        {1, 0, 2, 5},          {1, 0, 2, 6},          {1, 0, 3, 21},         {7, 0, 1, 2},
	        {7, 0, 1, 25},         {7, 0, 2, 31},         {7, 1, 0, 8},          {7, 1, 0, 17},
	        {6, 0, 0, 19},         {6, 0, 0, 23},         {0x80000001, 0, 2, 2}, {0x80000001, 0, 2, 12},
	        {0x80000008, 0, 1, 3}, {0x8000000a, 0, 3, 0}, {0x8000001f, 0, 0, 0}, {0x8000001f, 0, 0, 1},
	        {0x12, 0, 0, 0},       {0x14, 0, 0, 0},       {7, 1, 0, 20},         {0x80000021, 0, 0, 24},
	        {7, 1, 2, 5},          {7, 1, 3, 15},
	};

	(void)state;
	for (size_t i = 0; i < NL_ARRAY_SIZE(must); i++) {
		uint32_t r[4] = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};

		nl_cpuid_filter(must[i].leaf, must[i].sub, 0, 0x40000000, r);
		assert_int_equal(r[must[i].reg] >> must[i].bit & 1, 0);
	}
}

/* A stock kernel must not break: what is shown is what the hardware says, but for the bits above. */
static void the_rest_is_the_hardwares(void **state)
{
	static const uint32_t plain[] = {0,    2,    4,          5,          0xa,        0xb,       0xd,
	                                 0x15, 0x16, 0x80000000, 0x80000002, 0x80000006, 0x80000007};
	uint32_t r[4];

	(void)state;
	for (size_t i = 0; i < NL_ARRAY_SIZE(plain); i++) {
		memcpy(r, (uint32_t[4]){1, 2, 3, 4}, sizeof(r));
		nl_cpuid_filter(plain[i], 0, 0, 0x40000000, r);
		assert_memory_equal(r, ((uint32_t[4]){1, 2, 3, 4}), sizeof(r));
	}
	memset(r, 0xff, sizeof(r));
	nl_cpuid_filter(1, 0, CR4_OSXSAVE, 0x40000000, r);
	assert_int_equal(r[0] & r[1], UINT32_MAX);
	assert_int_equal(r[2], ~(1u << 2 | 1u << 4 | 1u << 5 | 1u << 6));
	assert_int_equal(r[3], ~(1u << 21));
	memset(r, 0xff, sizeof(r));
	nl_cpuid_filter(7, 2, 0, 0x40000000, r);
	assert_int_equal(r[0] & r[1] & r[2] & r[3], UINT32_MAX);
}

/*
 * Supervisor state (SDM vol. 1, 13.2): XRSTORS loads MSRs past the MSR bitmap, Intel PT's output base among them. What
 * may be enabled is shown, what is not is neither shown nor taken, with its sub-leaf.
 */
static void supervisor_state(void **state)
{
	static const unsigned hidden_bits[] = {8, 9, 14, 17, 20, 31}, shown[] = {10, 11, 12, 13, 15, 16};
	static const struct nl_vendor *const vendors[] = {&vmx, &svm};
	uint64_t v;

	(void)state;
	for (size_t j = 0; j < NL_ARRAY_SIZE(vendors); j++) {
		machine(vendors[j]);
		*msr(MSR_XSS) = 0;
		xss_listed = 0;
		assert_false(write_of(MSR_XSS, 1ULL << 11)); /* not on this CPU, whatever it does with the write */
		assert_true(write_of(MSR_XSS, 0));
		xss_listed = UINT64_MAX;
		assert_int_equal(exit_of(MSR_XSS), 2);
		for (unsigned bit = 0; bit < 64; bit++) {
			uint32_t r[4] = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
			bool may = false;

			for (size_t i = 0; i < NL_ARRAY_SIZE(shown); i++)
				may |= bit == shown[i];
			nl_cpuid_filter(0xd, 1, 0, 0x40000000, r);
			assert_int_equal(r[2 + bit / 32] >> bit % 32 & 1, may);
			assert_int_equal(write_of(MSR_XSS, 1ULL << bit), may);
			assert_true(read_of(MSR_XSS, &v));
			assert_false(v & ~(1ULL << 10 | 0x3ULL << 11 | 1ULL << 13 | 0x3ULL << 15));
		}
	}
	for (size_t i = 0; i < NL_ARRAY_SIZE(hidden_bits); i++) {
		uint32_t r[4] = {128, 0, 1, 0}; /* of IA32_XSS, 128 bytes */

		nl_cpuid_filter(0xd, hidden_bits[i], 0, 0x40000000, r);
		assert_int_equal(r[0] | r[1] | r[2] | r[3], 0);
	}
	for (size_t i = 0; i < NL_ARRAY_SIZE(shown); i++) {
		uint32_t r[4] = {128, 0, 1, 0};

		nl_cpuid_filter(0xd, shown[i], 0, 0x40000000, r);
		assert_int_equal(r[0], 128);
	}
	for (unsigned bit = 2; bit < 64; bit++) { /* user state, of XCR0: the hardware's own business */
		uint32_t r[4] = {64, 576, 2, 0};

		nl_cpuid_filter(0xd, bit, 0, 0x40000000, r);
		assert_int_equal(r[0], 64);
	}
}

static void mirrors_of_cr4(void **state)
{
	(void)state;
	for (unsigned on = 0; on < 2; on++) {
		uint32_t r[4] = {0, 0, on ? 0 : UINT32_MAX, 0};

		nl_cpuid_filter(1, 0, on ? CR4_OSXSAVE : 0, 0x40000000, r);
		assert_int_equal(r[2] >> 27 & 1, on);
		r[2] = on ? 0 : UINT32_MAX;
		nl_cpuid_filter(7, 0, on ? 1ULL << 22 : 0, 0x40000000, r);
		assert_int_equal(r[2] >> 4 & 1, on); /* OSPKE */
		r[2] = on ? 0 : UINT32_MAX;
		nl_cpuid_filter(7, 1, on ? 1ULL << 22 : 0, 0x40000000, r); /* another subleaf has no such bit */
		assert_int_equal(r[2] >> 4 & 1, !on);
	}
}

static void presence(void **state)
{
	uint32_t r[4] = {0};

	(void)state;
	nl_cpuid_filter(0x40000100, 0, 0, 0x40000100, r);
	assert_int_equal(r[0], 0x40000101);
	assert_int_equal(r[1], NL_CPUID_EBX);
	nl_cpuid_filter(0x40000101, 0, 0, 0x40000100, r);
	assert_int_equal(r[0], NL_ABI_VERSION);
	memcpy(r, (uint32_t[4]){1, 2, 3, 4}, sizeof(r));
	nl_cpuid_filter(0x40000000, 0, 0, 0x40000100, r); /* the outer hypervisor's own */
	assert_memory_equal(r, ((uint32_t[4]){1, 2, 3, 4}), sizeof(r));
}

/* Registers that point hardware at physical memory, and those of virtualisation itself: read and written they are as if
 * they did not exist. */
static void physical_pointers(void **state)
{
	static const uint32_t intel[] = {0x480, 0x48b, 0x491,  0x3f1,  0x3f4, 0x3f5, 0x600, 0x560, 0x570, 0x580,
	                                 0xed,  0xf0,  0x17d0, 0x17d1, 0x87,  0x981, 0x982, 0x983, 0x984, 0x9fb};
	static const uint32_t amd[] = {MSR_VM_HSAVE_PA, 0xc0010115, 0xc0010116, 0xc0010118, 0xc0010119};
	uint64_t v = 0;

	(void)state;
	machine(&vmx);
	for (size_t i = 0; i < NL_ARRAY_SIZE(intel); i++) {
		assert_int_equal(exit_of(intel[i]), 3);
		assert_false(read_of(intel[i], &v));
		assert_false(write_of(intel[i], 0));
	}
	assert_int_equal(exit_of(MSR_VM_HSAVE_PA), 0); /* the other vendor's are the hardware's business */
	machine(&svm);
	for (size_t i = 0; i < NL_ARRAY_SIZE(amd); i++) {
		assert_int_equal(exit_of(amd[i]), 3);
		assert_false(read_of(amd[i], &v));
		assert_false(write_of(amd[i], 0));
	}
	assert_int_equal(exit_of(0x480), 0);
}

/* Registers of an outer hypervisor name pages that it writes, or lays over memory: KVM's clocks, Hyper-V's pages. */
static void outer_hypervisors_pages(void **state)
{
	static const uint32_t pages[] = {0x11,       0x12,       0x40000001, 0x40000021, 0x40000073,
	                                 0x40000083, 0x4b564d00, 0x4b564d01, 0x4b564d03};
	const uint64_t region = 0x40000000, size = 0x1000000;

	(void)state;
	for (unsigned i = 0; i < 2 * NL_ARRAY_SIZE(pages); i++) {
		uint32_t index = pages[i / 2];

		machine(i & 1 ? &svm : &vmx);
		nl_boot.region = region;
		nl_boot.region_size = size;
		*msr(index) = 0;
		assert_true(index > 0x1fff || exit_of(index) == 2);
		assert_true(write_of(index, region - 0x2000 + 1));
		assert_true(write_of(index, region + size + 1));
		assert_int_equal(*msr(index), region + size + 1);
		assert_false(write_of(index, region - 0x20 + 1)); /* and on into ours */
		assert_false(write_of(index, region + 1));
		assert_false(write_of(index, region + 0x400040));
		assert_false(write_of(index, region + size - 8));
		assert_int_equal(*msr(index), region + size + 1);
		assert_true(write_of(index, 0));
		assert_true(write_of(index, UINT64_MAX));
	}
	nl_boot.region = nl_boot.region_size = 0;
}

static void locked_off(void **state)
{
	uint64_t v;

	(void)state;
	machine(&vmx);
	assert_false(read_of(MSR_FEATURE_CONTROL, &v)); /* not there, not there */
	*msr(MSR_FEATURE_CONTROL) = 0x106;
	assert_true(read_of(MSR_FEATURE_CONTROL, &v));
	assert_int_equal(v, 0x101);
	assert_false(write_of(MSR_FEATURE_CONTROL, 5));
	machine(&svm);
	assert_true(read_of(MSR_VM_CR, &v));
	assert_int_equal(v, 0x18);
	assert_true(write_of(MSR_VM_CR, 0)); /* swallowed */
	assert_false(exists(MSR_VM_CR));
}

/* Writes that are swallowed change nothing. */
static void dropped(void **state)
{
	static const uint32_t amd[] = {0xc0010010, 0xc0010016, 0xc001001d, 0xc0010020,
	                               0xc0010058, 0xc0010111, 0xc0010112, 0xc0010113};
	uint64_t v;

	(void)state;
	machine(&svm);
	for (size_t i = 0; i < NL_ARRAY_SIZE(amd); i++) {
		*msr(amd[i]) = 0x1234;
		assert_int_equal(exit_of(amd[i]) & 2, 2);
		assert_true(write_of(amd[i], 0xffffffff12345678));
		assert_true(read_of(amd[i], &v));
		assert_int_equal(v, 0x1234);
		n_msrs--; /* room for the next */
	}
	assert_int_equal(nl_counts.microcode_dropped, 1); /* microcode: an administrator wants to know */
	machine(&vmx);
	*msr(MSR_BIOS_UPDT_TRIG) = 0;
	assert_true(write_of(MSR_BIOS_UPDT_TRIG, 0x1000));
	assert_int_equal(*msr(MSR_BIOS_UPDT_TRIG), 0);
	assert_int_equal(nl_counts.microcode_dropped, 2);
}

static void apic_base(void **state)
{
	const uint64_t on = APIC_DEFAULT_BASE | 1u << 11, x2 = on | 1u << 10;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		machine(i ? &svm : &vmx);
		assert_int_equal(exit_of(MSR_APIC_BASE), 2);
		assert_false(write_of(MSR_APIC_BASE, on + 0x1000));
		assert_false(write_of(MSR_APIC_BASE, 0x1000 | 1u << 11)); /* over the region */
		assert_false(write_of(MSR_APIC_BASE, APIC_DEFAULT_BASE)); /* off */
		assert_true(write_of(MSR_APIC_BASE, x2));
		assert_int_equal(*msr(MSR_APIC_BASE), x2);
		assert_true(
		        write_of(MSR_APIC_BASE, APIC_DEFAULT_BASE)); /* the way back: promised, and kept by the next */
		assert_int_equal(*msr(MSR_APIC_BASE), x2);
		assert_true(write_of(MSR_APIC_BASE, on));
		assert_int_equal(*msr(MSR_APIC_BASE), on);
		refuses = MSR_APIC_BASE;
		assert_false(write_of(MSR_APIC_BASE, x2)); /* what the hardware refuses is #GP */
	}
}

static void icr(void **state)
{
	(void)state;
	machine(&svm);
	assert_int_equal(exit_of(MSR_X2APIC_ICR), 2);
	*msr(MSR_X2APIC_ICR) = 0;
	assert_true(write_of(MSR_X2APIC_ICR, 0x40053)); /* an interrupt to itself is the hardware's business */
	assert_int_equal(*msr(MSR_X2APIC_ICR), 0x40053);
	machine(&vmx);
	assert_int_equal(exit_of(MSR_X2APIC_ICR), 0); /* INIT and SIPI are exits of their target */
	nl_boot.facts.n_beyond = 1;                   /* unless there is a CPU that is not ours */
	machine(&vmx);
	assert_int_equal(exit_of(MSR_X2APIC_ICR), 2);
	nl_boot.facts.n_beyond = 0;
}

/* Only the boot CPU's first write, or another value, may mean a new kernel; whether one begins is not decided here. */
static void lstar(void **state)
{
	(void)state;
	machine(&vmx);
	assert_int_equal(exit_of(MSR_LSTAR), 2);
	assert_true(write_of(MSR_LSTAR, *msr(MSR_LSTAR)));
	assert_int_equal(kernels_gone, 1);
	assert_true(write_of_other(MSR_LSTAR, 1)); /* a crash kernel begins on any CPU */
	assert_int_equal(kernels_gone, 2);
	*msr(MSR_LSTAR) = 0xffffffff81a00000;
	assert_true(write_of(MSR_LSTAR, 0xffffffff82a00000));
	assert_int_equal(kernels_gone, 3);
	assert_int_equal(begins_at, 0xffffffff82a00000);
	assert_int_equal(*msr(MSR_LSTAR), 0xffffffff82a00000);
}

static void efer_of_svm(void **state)
{
	const uint64_t was = EFER_LME | EFER_LMA | EFER_SCE | EFER_NXE;
	uint64_t v;

	(void)state;
	machine(&svm);
	assert_int_equal(exit_of(MSR_EFER), 3);
	assert_true(read_of(MSR_EFER, &v));
	assert_int_equal(v, was);
	assert_true(write_of(MSR_EFER, was & ~EFER_SCE));
	assert_int_equal(efer, was & ~EFER_SCE);
	assert_false(write_of(MSR_EFER, was | EFER_SVME)); /* the guest's VM_CR says that it is off */
	assert_false(write_of(MSR_EFER, was & ~EFER_LME)); /* with paging on */
	assert_false(write_of(MSR_EFER, was | 1ULL << 1)); /* reserved */
	assert_false(write_of(MSR_EFER, was | 1ULL << 63));
	guest.cr0 = 0;
	guest.efer = efer = EFER_LME;
	assert_true(write_of(MSR_EFER, 0)); /* LMA is the hardware's */
	assert_int_equal(efer, 0);
	assert_int_equal(*msr(MSR_EFER) & (EFER_SVME | EFER_LMA),
	                 EFER_SVME | EFER_LMA); /* the core's own is what it was */
	machine(&vmx);
	assert_int_equal(exit_of(MSR_EFER), 0);
}

/* Types come from the memory map: the guest's MTRRs are its own, and cost no exit. */
static void mtrrs_are_not_watched(void **state)
{
	(void)state;
	machine(&vmx);
	assert_int_equal(exit_of(0x2ff), 0);
	assert_int_equal(exit_of(0x200), 0);
}

static void tokens(void **state)
{
	const struct nl_vendor *vendors[] = {&vmx, &svm};
	unsigned before;
	uint64_t v;

	(void)state;
	for (unsigned i = 0; i < NL_ARRAY_SIZE(vendors); i++) {
		machine(vendors[i]);
		*msr(NL_TOKEN_MSR) = 1; /* even where the hardware below has one */
		tokens_are_given = true;
		assert_true(read_of(NL_TOKEN_MSR, &v));
		assert_true(v == 0x8899aabbccddeeff);
		assert_false(write_of(NL_TOKEN_MSR, v));
		tokens_are_given = false;
		assert_false(read_of(NL_TOKEN_MSR, &v));
		before = tokens_forgotten;
		assert_true(write_of(MSR_LSTAR, 0xffffffff82a00000));
		assert_true(write_of_other(MSR_LSTAR, 0xffffffff82a00000));
		assert_int_equal(tokens_forgotten, before + 2);
	}
}

/* What no row names: the hardware's own answer, and its own #GP. */
static void unknown(void **state)
{
	uint64_t v;

	(void)state;
	machine(&vmx);
	assert_false(read_of(0x12345678, &v));
	assert_false(write_of(0x12345678, 1));
	*msr(0x12345678) = 0xabcdef0123456789;
	assert_true(read_of(0x12345678, &v));
	assert_int_equal(v, 0xabcdef0123456789);
	assert_true(write_of(0x12345678, 1));
	assert_int_equal(*msr(0x12345678), 1);
}

/* The value is the hardware's, and so is #GP where there is none; whatever is on probation hears of it at once. */
static void clocks(void **state)
{
	uint32_t set = nl_trial_clock;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		machine(i ? &svm : &vmx);
		assert_int_equal(exit_of(0x10), 2);
		assert_int_equal(exit_of(0x3b), 2);
		*msr(0x10) = 5;
		nl_own_due = 1000;
		assert_true(write_of(0x10, 7));
		assert_int_equal(*msr(0x10), 7);
		assert_int_equal(nl_trial_clock, ++set);
		assert_int_equal(nl_own_due, 0);
		assert_false(write_of(0x3b, 7));
		assert_int_equal(nl_trial_clock, ++set);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(hidden_features),
	        cmocka_unit_test(the_rest_is_the_hardwares),
	        cmocka_unit_test(supervisor_state),
	        cmocka_unit_test(mirrors_of_cr4),
	        cmocka_unit_test(presence),
	        cmocka_unit_test(physical_pointers),
	        cmocka_unit_test(outer_hypervisors_pages),
	        cmocka_unit_test(locked_off),
	        cmocka_unit_test(dropped),
	        cmocka_unit_test(apic_base),
	        cmocka_unit_test(icr),
	        cmocka_unit_test(lstar),
	        cmocka_unit_test(tokens),
	        cmocka_unit_test(efer_of_svm),
	        cmocka_unit_test(mtrrs_are_not_watched),
	        cmocka_unit_test(unknown),
	        cmocka_unit_test(clocks),
	};
	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
