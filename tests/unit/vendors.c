// SPDX-License-Identifier: Apache-2.0
/* See vendors.h: what both vendors find around them, as little as they need to enter a guest. */
#include "host.h"
#include "vendors.h"
#include "apic.h"
#include "../../arch/x86_64/include/host.h"
#include "core/cpu.h"
#include "core/pool.h"
#include "x86.h"

struct vendor_host vendor_host;
const struct nl_vendor *nl_vendor;
struct nl_cpu *nl_cpus[NL_MAX_CPUS];
unsigned nl_n_cpus;
static uint8_t pages[64][NL_PAGE_SIZE] __attribute__((aligned(4096)));
static unsigned n_pages;

void *nl_pool_page(void) { return nl_pool_run(1); }
void *nl_pool_bytes(size_t n) { return nl_pool_run((n + NL_PAGE_MASK) / NL_PAGE_SIZE); }
hpa_t nl_pool_hpa(const void *va) { return HPA((uintptr_t)va); }

void *nl_pool_run(size_t n)
{
	n_pages += n;
	assert_true(n_pages <= NL_ARRAY_SIZE(pages));
	return pages[n_pages - n];
}

/* Every control may be 1 and none must be; IA32_FEATURE_CONTROL is locked with VMX on. */
uint64_t x86_rdmsr(uint32_t index)
{
	const uint64_t tags = 1ULL << 32 | 1ULL << 42; /* INVVPID and its all-context type */

	switch (index) {
	case MSR_FEATURE_CONTROL:
		return 5;
	case MSR_VMX_BASIC:
		return 1ULL << 55 | 6ULL << 50 | 1;
	case MSR_VMX_BASIC + 5: /* IA32_VMX_MISC */
	case MSR_VMX_BASIC + 7: /* CR0 and CR4, fixed to 1 */
	case MSR_VMX_BASIC + 9:
		return ~0ULL;
	case MSR_VMX_BASIC + 12:
		return vendor_host.tagged ? ~0ULL : ~tags;
	case MSR_VMX_BASIC + 11:
	case MSR_VMX_BASIC + 13 ... MSR_VMX_BASIC + 16:
		return 0xffffffff00000000;
	default:
		return 0;
	}
}

void x86_cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	(void)sub;
	memset(r, 0, 4 * sizeof(*r));
	vendor_host.serialised++;
	if (!(leaf & 0x7fffffff))
		r[EAX] = leaf | 0xa;
	if (leaf == 1)
		r[ECX] = 1u << 5; /* VMX */
	if (leaf == 0x80000001)
		r[ECX] = 1u << 2; /* SVM */
	if (leaf == 0x8000000a) {
		r[EBX] = 2;
		r[EDX] = 1 | (vendor_host.tagged ? 1u << 6 : 0); /* nested paging, FlushByAsid */
	}
}

void x86_wrmsr(uint32_t index, uint64_t v) { (void)index, (void)v; }
bool x86_wrmsr_safe(uint32_t index, uint64_t v)
{
	if (index == MSR_VM_CR)
		vendor_host.vm_cr = v;
	return index && v;
}
uint64_t x86_read_cr0(void) { return CR0_PE | CR0_PG; }
uint64_t x86_read_cr4(void) { return CR4_PAE; }
void x86_write_cr0(uint64_t v) { (void)v; }
void x86_write_cr2(uint64_t v) { (void)v; }
void x86_write_cr4(uint64_t v) { (void)v; }
void x86_write_dr6(uint64_t v) { (void)v; }
void x86_clear_dr0_3(void) {}

const struct descriptor_pointer host_gdtr, host_idtr;
void apic_deliver_init(struct nl_cpu *cpu) { (void)cpu; }

void vendor_start(struct tlb_machine *m, const struct nl_vendor *vendor, bool tagged)
{
	static struct nl_cpu cpus[TLB_CPUS];

	memset(pages, 0, sizeof(pages));
	memset(cpus, 0, sizeof(cpus));
	n_pages = 0;
	vendor_host = (struct vendor_host){.m = m, .tagged = tagged};
	nl_vendor = vendor;
	nl_n_cpus = TLB_CPUS;
	for (unsigned i = 0; i < TLB_CPUS; i++) {
		nl_cpus[i] = &cpus[i];
		nl_cpus[i]->index = i;
		nl_cpu_runs(nl_cpus[i]);
		m->cpus[i].vendor = vendor == &nl_vmx ? TLB_INTEL : TLB_AMD;
	}
	assert_int_equal(vendor->probe(), NL_OK);
	assert_int_equal(vendor->machine_init(), NL_OK);
}

struct nl_cpu *vendor_on(unsigned cpu)
{
	vendor_host.self = cpu;
	return nl_cpus[cpu];
}

void vendor_enter(struct nl_cpu *cpu) { (nl_vendor == &nl_vmx ? vendor_vmx_enter : vendor_svm_enter)(cpu); }

void vendor_put(struct nl_cpu *cpu, hpa_t root, unsigned id)
{
	(nl_vendor == &nl_vmx ? vendor_vmx_put : vendor_svm_put)(cpu, root, id);
}
