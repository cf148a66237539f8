// SPDX-License-Identifier: Apache-2.0
/*
 * MSR policy as a table of ranges that can be read aloud. What is not in it never exits, or (outside the ranges of the
 * hardware's bitmaps) is the hardware's own answer through a #GP-safe access.
 */
#include "exits/msr.h"
#include "exits/token.h"
#include "apic.h"
#include "commit/commit.h"
#include "commit/wish.h"
#include "core/core.h"
#include "x86.h"

enum policy {
	PASS = 0, /* no exit; where the vendor needs one, the hardware's answer */
	FAULT,    /* #GP, as where the MSR does not exist */
	DROP,     /* a write is swallowed and logged once */
	UPDATE,   /* microcode: dropped, and counted for `status` */
	FEATURES, /* IA32_FEATURE_CONTROL: locked, without VMX and SMX */
	SVM_OFF,  /* VM_CR: SVM disabled and locked */
	APIC,     /* APIC_BASE: may not move */
	ICR,      /* x2APIC ICR */
	KERNEL,   /* LSTAR: a kernel begins */
	CLOCK,    /* whoever sets a TSC ends each probation */
	EFER,
	MISC, /* IA32_MISC_ENABLE: the core's page tables need NX */
	XSS,  /* IA32_XSS: only supervisor state that is shown */
	PAGE, /* of an outer hypervisor: may not name a page of ours */
	TOKEN,
};

static const struct range {
	uint32_t first, last;
	uint8_t read, write; /* enum policy */
	const char *vendor;  /* its name; NULL: both */
	const char *name;
} ranges[] = {
        {0x010, 0x010, PASS, CLOCK, NULL, "TSC"},
        {0x03b, 0x03b, PASS, CLOCK, NULL, "TSC_ADJUST"},
        {MSR_APIC_BASE, MSR_APIC_BASE, PASS, APIC, NULL, "APIC_BASE"},
        {0x011, 0x012, PASS, PAGE, NULL, "KVM's first clocks"},
        {MSR_FEATURE_CONTROL, MSR_FEATURE_CONTROL, FEATURES, FAULT, "VMX", "FEATURE_CONTROL"},
        {MSR_BIOS_UPDT_TRIG, MSR_BIOS_UPDT_TRIG, PASS, UPDATE, "VMX", "microcode update"},
        /* key IDs are address bits: aliases of our memory */
        {0x087, 0x087, FAULT, FAULT, "VMX", "TME-MK partitioning"},
        {0x981, 0x984, FAULT, FAULT, "VMX", "TME"},
        {0x9fb, 0x9fb, FAULT, FAULT, "VMX", "TME saved key"},
        {0x1a0, 0x1a0, PASS, MISC, "VMX", "MISC_ENABLE"},
        {MSR_XSS, MSR_XSS, PASS, XSS, NULL, "XSS"},                    /* XRSTORS loads MSRs and asks no bitmap */
        {0x0ed, 0x0f0, FAULT, FAULT, "VMX", "remote action requests"}, /* of physical tables, as the next two */
        {0x17d0, 0x17d4, FAULT, FAULT, "VMX", "hardware feedback"},
        {0x3f1, 0x3f5, FAULT, FAULT, "VMX", "PEBS"}, /* 3f4 on: architectural PEBS */
        {0x600, 0x600, FAULT, FAULT, "VMX", "DS_AREA"},
        {0x480, 0x493, FAULT, FAULT, "VMX", "VMX capabilities"},
        {0x560, 0x587, FAULT, FAULT, "VMX", "Intel PT"}, /* would write to physical memory past the EPT */
        {MSR_X2APIC_ICR, MSR_X2APIC_ICR, PASS, ICR, NULL, "x2APIC ICR"},
        {NL_TOKEN_MSR, NL_TOKEN_MSR, TOKEN, FAULT, NULL, "token"}, /* outside the bitmaps: exits by itself */
        {MSR_EFER, MSR_EFER, EFER, EFER, "SVM", "EFER"},
        {MSR_LSTAR, MSR_LSTAR, PASS, KERNEL, NULL, "LSTAR"},
        /* could put memory encryption or DRAM routing under us */
        {0xc0010010, 0xc0010010, PASS, DROP, "SVM", "SYSCFG"},
        {0xc0010016, 0xc001001d, PASS, DROP, "SVM", "IORR, TOM"},
        {MSR_AMD_PATCH_LOADER, MSR_AMD_PATCH_LOADER, PASS, UPDATE, "SVM", "microcode update"},
        {MSR_AMD_MMIO_CFG_BASE, MSR_AMD_MMIO_CFG_BASE, PASS, DROP, "SVM", "MMIO_CFG_BASE"}, /* could be moved over us */
        {0xc0010111, 0xc0010113, PASS, DROP, "SVM", "SMM_BASE, TSEG"},
        {0xc0010130, 0xc0010133, FAULT, FAULT, "SVM", "SEV, RMP"},
        {MSR_VM_CR, MSR_VM_CR, SVM_OFF, DROP, "SVM", "VM_CR"},
        {0xc0010115, 0xc0010119, FAULT, FAULT, "SVM", "IGNNE, SMM_CTL, VM_HSAVE_PA, SVM_KEY, SMM_KEY"},
};

static bool mine(const struct range *r)
{
	if (r->write == ICR && !apic_is_watched())
		return false;
	return !r->vendor || !memcmp(r->vendor, nl_vendor->name, strlen(r->vendor) + 1);
}

void nl_msr_init(void)
{
	NL_EACH(r, ranges, NL_ARRAY_SIZE(ranges))
		for (uint32_t i = r->first; mine(r) && i <= r->last; i++)
			nl_vendor->intercept_msr(i, r->read != PASS, r->write != PASS);
}

static const struct range *find(uint32_t index)
{
	NL_EACH(r, ranges, NL_ARRAY_SIZE(ranges))
		if (index >= r->first && index <= r->last && mine(r))
			return r;
	return NULL;
}

static bool read_msr(struct nl_cpu *cpu, uint32_t index, uint64_t *v)
{
	const struct range *r = find(index);

	switch (r ? r->read : PASS) {
	case FAULT:
		return false;
	case FEATURES:
		if (!x86_rdmsr_safe(index, v))
			return false;
		*v = (*v & ~6ULL) | 1;
		return true;
	case SVM_OFF:
		*v = 0x18; /* LOCK, SVMDIS (APM vol. 2, 15.30.1) */
		return true;
	case TOKEN:
		return nl_token_make(cpu, v);
	default:
		return nl_vendor->get_msr(cpu, index, v) || x86_rdmsr_safe(index, v);
	}
}

/* Bits that this CPU has: VMRUN refuses any other (APM vol. 2, 3.1.7, 15.5.1). SVME is not among them: the guest's
 * VM_CR says that SVM is off. */
static uint64_t efer_known(void)
{
	static const struct {
		uint8_t bit;
		uint32_t leaf;
		uint8_t reg, shift;
	} features[] = {
	        {14, 0x80000001, EDX, 25}, {15, 0x80000001, ECX, 17},
	        {17, 0x80000008, EBX, 8}, /* FFXSR, TCE, MCOMMIT */
	        {18, 0x80000008, EBX, 13}, {20, 0x80000021, EAX, 7},
	        {21, 0x80000021, EAX, 8}, /* INTWB, upper address ignore, automatic IBRS */
	};
	uint64_t known = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;

	for (unsigned i = 0; i < NL_ARRAY_SIZE(features); i++)
		if (x86_cpuid_word(features[i].leaf, 0, features[i].reg) >> features[i].shift & 1)
			known |= 1ULL << features[i].bit;
	return known;
}

/* Legal values only: the vendor ORs in what the hardware needs of ours (SVME). APM vol. 2, 3.1.7. */
static bool write_efer(struct nl_cpu *cpu, uint64_t v)
{
	struct nl_context c;

	nl_vendor->context(cpu, &c);
	if (v & ~efer_known())
		return false;
	if ((c.cr0 & CR0_PG) && ((v ^ c.efer) & EFER_LME))
		return false;
	uint64_t ours = x86_rdmsr(MSR_EFER);
	if (!x86_wrmsr_safe(MSR_EFER, ours | (v & ~(EFER_LME | EFER_LMA)))) /* the hardware says which bits it has */
		return false;
	x86_wrmsr(MSR_EFER, ours);
	v = (v & ~EFER_LMA) | (c.efer & EFER_LMA);
	return nl_vendor->set_msr(cpu, MSR_EFER, v);
}

/* What CPUID shows the guest (cpuid.c). Asked here as well: emulators take bits that their CPUID does not list. */
static uint64_t xss_shown(void)
{
	return (x86_cpuid_word(0xd, 1, ECX) | (uint64_t)x86_cpuid_word(0xd, 1, EDX) << 32) & XSS_MAY;
}

static void drop(const struct nl_cpu *cpu, const struct range *r, uint32_t index)
{
	static uint64_t logged;
	_Static_assert(NL_ARRAY_SIZE(ranges) <= 64, "a bit for each");
	uint64_t bit = 1ULL << (r - ranges);

	if (r->write == UPDATE)
		__atomic_add_fetch(&nl_counts.microcode_dropped, 1, __ATOMIC_RELAXED);
	if (!(__atomic_fetch_or(&logged, bit, __ATOMIC_RELAXED) & bit))
		nl_log("newleaf: CPU %u: write of %s (MSR %x) dropped\n", cpu->index, r->name, index);
}

/* KVM writes up to 64 bytes at the address, which may run on into the next page; Hyper-V and Xen lay a page there. */
static bool names_a_page_of_ours(uint64_t v)
{
	uint64_t page = v & ~NL_PAGE_MASK;

	return page - nl_boot.region < nl_boot.region_size || nl_boot.region - page == NL_PAGE_SIZE;
}

static bool write_msr(struct nl_cpu *cpu, uint32_t index, uint64_t v)
{
	const struct range *r = find(index);
	struct nl_context c;

	switch (r ? r->write : PAGE) { /* none: beyond the hardware's bitmaps, where it has no registers itself */
	case FAULT:
		return false;
	case PAGE:
		return !names_a_page_of_ours(v) && (nl_vendor->set_msr(cpu, index, v) || x86_wrmsr_safe(index, v));
	case UPDATE:
	case DROP:
		drop(cpu, r, index);
		return true;
	case APIC:
		return apic_guest_base(cpu, v);
	case ICR:
		return apic_guest_icr(cpu, v, true);
	case EFER:
		return write_efer(cpu, v);
	case MISC:
		return !(v >> 34 & 1) && x86_wrmsr_safe(index, v);
	case XSS:
		return !(v & ~xss_shown()) && x86_wrmsr_safe(index, v);
	case KERNEL:
		nl_tokens_forget();
		nl_vendor->context(cpu, &c);
		nl_commit_kernel_gone(cpu, &c, v);
		break;
	case CLOCK:
		__atomic_add_fetch(&nl_trial_clock, 1, __ATOMIC_RELAXED);
		nl_own_soon(0);
		break;
	}
	return nl_vendor->set_msr(cpu, index, v) || x86_wrmsr_safe(index, v);
}

void nl_msr_exit(struct nl_cpu *cpu, const struct nl_exit *exit)
{
	uint32_t index = exit->msr.index;
	uint64_t v = (uint64_t)(uint32_t)cpu->gprs.rdx << 32 | (uint32_t)cpu->gprs.rax;
	bool ok = exit->msr.write ? write_msr(cpu, index, v) : read_msr(cpu, index, &v);

	if (!ok) {
		nl_vendor->inject(cpu, 13, true, 0);
		return;
	}
	if (!exit->msr.write) {
		cpu->gprs.rax = (uint32_t)v;
		cpu->gprs.rdx = v >> 32;
	}
	nl_vendor->skip(cpu, exit->length);
}
