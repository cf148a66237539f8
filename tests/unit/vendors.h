// SPDX-License-Identifier: Apache-2.0
/*
 * The product's vendors, arch/x86_64/vmx/ and arch/x86_64/svm/, as they are, on the CPUs of tlb_model.h: VMWRITE,
 * INVEPT, INVVPID, and the VMCB that VMRUN finds are all that the caches hear of.
 */
#ifndef TESTS_UNIT_VENDORS_H
#define TESTS_UNIT_VENDORS_H

#include "vendor.h"
#include "tlb_model.h"

/* The machine: TLB_CPUS of nl_cpus, not yet virtualised. tagged: with VPID, or with FlushByAsid. */
void vendor_start(struct tlb_machine *m, const struct nl_vendor *vendor, bool tagged);

/* What follows is executed by this CPU. */
struct nl_cpu *vendor_on(unsigned cpu);

/* One turn of the vendor's loop: hv_before_entry, entry, and an exit behind which the test goes on. */
void vendor_enter(struct nl_cpu *cpu);

/* Behind the vendor's back, for mutants: the root and (unless 0) VPID or ASID of the control block; SVM:
 * TLB_CONTROL. */
void vendor_put(struct nl_cpu *cpu, hpa_t root, unsigned id);
void vendor_put_flush(struct nl_cpu *cpu, unsigned control);

/* Between vendors.c and the two files that know a vendor's structures. */
extern struct vendor_host {
	struct tlb_machine *m;
	unsigned self;
	bool tagged;
	uint64_t vm_cr;      /* as SVM's cpu_init left it */
	unsigned serialised; /* how often CPUID was executed */
} vendor_host;
void vendor_vmx_enter(struct nl_cpu *cpu);
void vendor_vmx_put(struct nl_cpu *cpu, hpa_t root, unsigned id);
void vendor_svm_enter(struct nl_cpu *cpu);
void vendor_svm_put(struct nl_cpu *cpu, hpa_t root, unsigned id);

#endif
