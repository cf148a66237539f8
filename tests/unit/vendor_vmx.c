// SPDX-License-Identifier: Apache-2.0
/* VMX's half of vendors.h: a VMCS for each CPU, as an array of fields, and the instructions that the caches hear of. */
#include "host.h"
#include "vendors.h"
#include "vmx.h"
#include <vmx_insn.h>

static uint64_t vmcs[TLB_CPUS][0x7000];

static struct tlb_cpu *tlb(void) { return &vendor_host.m->cpus[vendor_host.self]; }

bool insn_vmread(uint64_t field, uint64_t *value)
{
	*value = vmcs[vendor_host.self][field];
	return true;
}

bool insn_vmwrite(uint64_t field, uint64_t value)
{
	vmcs[vendor_host.self][field] = value;
	if (field == EPTP)
		tlb()->root = HPA(value & ~NL_PAGE_MASK);
	return true;
}

/* A VMCS that is clear: VPID is 0, as it is without the control. */
bool insn_vmclear(uint64_t pa)
{
	memset(vmcs[vendor_host.self], 0, sizeof(vmcs[0]));
	return pa;
}

bool insn_vmxon(uint64_t pa) { return pa; }
bool insn_vmptrld(uint64_t pa) { return pa; }

bool insn_invept(uint64_t type, uint64_t eptp)
{
	if (type == 1)
		tlb_invept_single(tlb(), HPA(eptp & ~NL_PAGE_MASK));
	if (type == 2)
		tlb_invept_all(tlb());
	return type == 1 || type == 2;
}

bool insn_invvpid(uint64_t type, uint64_t first)
{
	(void)first;
	if (type == 2)
		tlb_invvpid_all(tlb());
	return type == 2;
}

void vendor_vmx_enter(struct nl_cpu *cpu)
{
	vmx_before_entry(cpu->vendor);
	tlb()->id = (unsigned)vmcs[vendor_host.self][VPID];
	assert_true(tlb()->id || !vendor_host.tagged); /* entry refuses VPID 0 with the control on (27.2.1.1) */
	tlb_enter(tlb());
}

void vendor_vmx_put(struct nl_cpu *cpu, hpa_t root, unsigned id)
{
	(void)cpu;
	vmx_write(EPTP, vmx_eptp(root));
	if (id)
		vmx_write(VPID, id);
}
