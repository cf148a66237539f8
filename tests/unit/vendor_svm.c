// SPDX-License-Identifier: Apache-2.0
/* SVM's half of vendors.h: VMRUN is svm_enter, and the loop is left where it hands the exit over. */
#include "host.h"
#include "vendors.h"
#include "svm.h"
#include <svm_insn.h>

static jmp_buf exited;

void insn_clgi(void) {}
void insn_stgi(void) {}
void insn_vmload(uint64_t vmcb) { (void)vmcb; }

static struct vmcb *vmcb(struct nl_cpu *cpu) { return ((struct svm_cpu *)cpu->vendor)->vmcb; }

void svm_enter(struct nl_gprs *gprs, uint64_t pa)
{
	const struct vmcb *v = (const struct vmcb *)pa; /* nl_pool_hpa of vendors.c */
	struct tlb_cpu *tlb = &vendor_host.m->cpus[vendor_host.self];

	(void)gprs;
	assert_true(v->tlb_control != TLB_FLUSH_ASID || vendor_host.tagged); /* reserved without FlushByAsid */
	assert_true(v->asid); /* the host's own: VMRUN refuses (APM vol. 2, 15.5.1) */
	/* Clean bits: what one names is taken from a cache of the CPU, not from memory (APM vol. 2, 15.15). */
	assert_memory_equal(v->page + 0xc0, "\0\0\0", 4);
	tlb->root = HPA(v->nested_cr3);
	tlb->id = v->asid;
	tlb->tlb_control = v->tlb_control;
	tlb_enter(tlb);
}

void svm_exit(struct nl_cpu *cpu, struct vmcb *v)
{
	(void)cpu, (void)v;
	longjmp(exited, 1);
}

void vendor_svm_enter(struct nl_cpu *cpu)
{
	if (!setjmp(exited))
		nl_svm.run(cpu);
}

void vendor_svm_put(struct nl_cpu *cpu, hpa_t root, unsigned id)
{
	vmcb(cpu)->nested_cr3 = root.v;
	if (id)
		vmcb(cpu)->asid = id;
}

void vendor_put_flush(struct nl_cpu *cpu, unsigned control) { vmcb(cpu)->tlb_control = (uint8_t)control; }
