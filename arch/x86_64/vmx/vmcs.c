// SPDX-License-Identifier: Apache-2.0
/*
 * Switching VMX on and off, and the parts of a VMCS that never change after: controls, host state, bitmaps. Guest state
 * is state.c.
 */
#include "beside.h"
#include "core/core.h"
#include "core/pool.h"
#include "vmx.h"
#include <vmx_insn.h>
#include "x86.h"

struct vmx_machine vmx;

_Static_assert(offsetof(struct vmx_cpu, cpu) == VMX_CPU_CPU && offsetof(struct vmx_cpu, launched) == VMX_CPU_LAUNCHED,
               "entry.S reads by these offsets");
_Static_assert(offsetof(struct nl_cpu, gprs) == VMX_GPRS, "entry.S reads by this offset");
_Static_assert(offsetof(struct nl_gprs, r15) == 120 && offsetof(struct nl_gprs, rdi) == 56,
               "entry.S saves in this order");
_Static_assert(HOST_STACK_SIZE == 16384, "entry.S finds the CPU through its stack");

uint64_t vmx_read(enum vmx_field field)
{
	uint64_t value;

	if (!insn_vmread(field, &value))
		nl_panic("VMREAD of field %x failed", (unsigned)field);
	return value;
}

void vmx_write(enum vmx_field field, uint64_t value)
{
	if (!insn_vmwrite(field, value))
		nl_panic("VMWRITE of %lx to field %x failed", value, (unsigned)field);
}

void vmx_dump(struct nl_cpu *cpu)
{
	static const struct {
		const char *name;
		uint16_t field;
	} table[] = {
#define VMX_FIELD_ROW(name, encoding) {#name, encoding},
	        VMX_FIELDS(VMX_FIELD_ROW)
#undef VMX_FIELD_ROW
	};
	uint64_t value;

	if (!vmx_cpu(cpu))
		return;
	for (size_t i = 0; i < NL_ARRAY_SIZE(table); i++)
		if (insn_vmread(table[i].field, &value))
			nl_log("%s %lx%s", table[i].name, value, i % 6 == 5 ? "\n" : "  ");
	nl_log("\n");
}

static void read_msrs(unsigned first, unsigned last)
{
	uint64_t *all = (uint64_t *)&vmx.msrs;

	for (unsigned i = first; i <= last; i++)
		all[i] = x86_rdmsr(MSR_VMX_BASIC + i);
}

/* Each says whether the next ones exist. */
static void read_all_msrs(void)
{
	read_msrs(0, 10);
	if (!(vmx.msrs.basic & VMX_BASIC_TRUE_CONTROLS))
		return; /* before any CPU with unrestricted guest */
	read_msrs(13, 16);
	if (!(vmx.msrs.proc >> 32 & PROC_SECONDARY))
		return;
	read_msrs(11, 11);
	if (vmx.msrs.secondary >> 32 & SECONDARY_EPT)
		read_msrs(12, 12);
}

static uint32_t shown(void)
{
	return (x86_cpuid_word(7, 0, EBX) >> 10 & 1 ? SECONDARY_INVPCID : 0) |
	       (x86_cpuid_word(7, 0, ECX) >> 5 & 1 ? SECONDARY_USER_WAIT : 0) |
	       (x86_cpuid_word(13, 1, EAX) >> 3 & 1 ? SECONDARY_XSAVES : 0) |
	       (x86_cpuid_word(0x80000001, 0, EDX) >> 27 & 1 ? SECONDARY_RDTSCP : 0);
}

enum nl_err vmx_probe(void)
{
	uint64_t feature;

	if (!(x86_cpuid_word(1, 0, ECX) >> 5 & 1))
		return NL_ENOVIRT;
	feature = x86_rdmsr(MSR_FEATURE_CONTROL);
	if ((feature & FEATURE_CONTROL_LOCK) && !(feature & FEATURE_CONTROL_VMX))
		return NL_ELOCKED;
	read_all_msrs();
	if (vmx_controls(&vmx.msrs, shown(), &vmx.controls))
		return NL_ENOVIRT;
	return x86_read_cr4() & CR4_VMXE ? NL_EVIRTUALISED : NL_OK;
}

enum nl_err vmx_machine_init(void)
{
	struct vmx_cpu *cpus = nl_pool_bytes(nl_n_cpus * sizeof(*cpus));

	/* Architectural performance monitoring from version 2 on has the global control (SDM vol. 3, 20.2.2). */
	vmx.switch_perf = (x86_cpuid_word(10, 0, EAX) & 0xff) >= 2;
	vmx.msr_bitmap = nl_pool_page();
	vmx.io_bitmap = nl_pool_run(2);
	if (!cpus || !vmx.msr_bitmap || !vmx.io_bitmap)
		return NL_ENOMEM;
	for (unsigned i = 0; i < nl_n_cpus; i++) {
		struct vmx_cpu *v = &cpus[i];

		v->cpu = nl_cpus[i];
		v->vmxon = nl_pool_page();
		v->vmcs = nl_pool_page();
		v->guest_msrs = nl_pool_page();
		if (!v->vmxon || !v->vmcs || !v->guest_msrs)
			return NL_ENOMEM;
		v->host_msrs = v->guest_msrs + 1;
		v->guest_msrs->index = v->host_msrs->index = MSR_PERF_GLOBAL_CTRL;
		*(uint32_t *)v->vmxon = *(uint32_t *)v->vmcs = (uint32_t)(vmx.msrs.basic & VMX_BASIC_REVISION);
		nl_cpus[i]->vendor = v;
	}
	return NL_OK;
}

static void write_controls(struct vmx_cpu *v)
{
	static const uint16_t zero[] = {EXCEPTION_BITMAP, PF_ERROR_MASK, PF_ERROR_MATCH, CR3_TARGET_COUNT, ENTRY_EVENT};
	const struct vmx_controls *c = &vmx.controls;

	for (size_t i = 0; i < NL_ARRAY_SIZE(zero); i++)
		vmx_write(zero[i], 0);
	VMX_WRITE_ALL({PIN_CONTROLS, c->pin}, {PROC_CONTROLS, c->proc}, {SECONDARY_CONTROLS, c->secondary},
	              {EXIT_CONTROLS, c->exit}, {ENTRY_CONTROLS, c->entry}, {IO_BITMAP_A, nl_pool_hpa(vmx.io_bitmap).v},
	              {IO_BITMAP_B, nl_pool_hpa(vmx.io_bitmap + NL_PAGE_SIZE).v},
	              {MSR_BITMAP, nl_pool_hpa(vmx.msr_bitmap).v}, {EXIT_MSR_STORE, nl_pool_hpa(v->guest_msrs).v},
	              {ENTRY_MSR_LOAD, nl_pool_hpa(v->guest_msrs).v}, {EXIT_MSR_LOAD, nl_pool_hpa(v->host_msrs).v},
	              {EXIT_MSR_STORE_COUNT, vmx.switch_perf}, {ENTRY_MSR_LOAD_COUNT, vmx.switch_perf},
	              {EXIT_MSR_LOAD_COUNT, vmx.switch_perf}, {VMCS_LINK, UINT64_MAX},
	              /* Ours: what VMX operation forces; the guest sees its own value in the shadow (exit.c). */
	              {CR0_MASK, vmx.msrs.cr0_fixed0 & ~(CR0_PE | CR0_PG)},
	              {CR4_MASK, vmx.msrs.cr4_fixed0 | CR4_HIDDEN});
	if (nl_beside.poll && !v->cpu->index)
		vmx_poll(c->pin);
	if (vmx.switch_perf)
		v->guest_msrs->value = x86_rdmsr(MSR_PERF_GLOBAL_CTRL);
	if (c->vpid)
		vmx_write(VPID, 1);
	if (c->secondary & SECONDARY_XSAVES)
		vmx_write(XSS_EXIT_BITMAP, ~XSS_MAY); /* what the firmware may have left on (SDM vol. 3, 25.6) */
}

void vmx_write_host_state(struct nl_cpu *cpu)
{
	VMX_WRITE_ALL({HOST_CR0, x86_read_cr0()}, {HOST_CR3, nl_boot.host_cr3}, {HOST_CR4, x86_read_cr4()},
	              {HOST_CS_SELECTOR, HOST_CS}, {HOST_SS_SELECTOR, HOST_DS}, {HOST_DS_SELECTOR, HOST_DS},
	              {HOST_ES_SELECTOR, HOST_DS}, {HOST_TR_SELECTOR, HOST_TASK}, {HOST_GDTR_BASE, host_gdtr.base},
	              {HOST_IDTR_BASE, host_idtr.base}, {HOST_PAT, x86_rdmsr(MSR_PAT)},
	              {HOST_EFER, x86_rdmsr(MSR_EFER)}, {HOST_FS_SELECTOR, 0}, {HOST_GS_SELECTOR, 0}, {HOST_FS_BASE, 0},
	              {HOST_GS_BASE, 0}, {HOST_TR_BASE, 0}, {HOST_SYSENTER_CS, 0}, {HOST_SYSENTER_ESP, 0},
	              {HOST_SYSENTER_EIP, 0}, {HOST_RIP, (uint64_t)vmx_exit_entry},
	              {HOST_RSP, (uint64_t)cpu->stack_top - 16});
}

static enum nl_err unlock(void)
{
	uint64_t feature = x86_rdmsr(MSR_FEATURE_CONTROL);

	/* the firmware left it to us; some leave it so on every CPU but the first */
	if (!(feature & FEATURE_CONTROL_LOCK))
		x86_wrmsr(MSR_FEATURE_CONTROL, feature | FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX);
	else if (!(feature & FEATURE_CONTROL_VMX))
		return NL_ELOCKED;
	return NL_OK;
}

enum nl_err vmx_cpu_init(struct nl_cpu *cpu, hpa_t root)
{
	struct vmx_cpu *v = vmx_cpu(cpu);
	const struct vmx_msrs *m = &vmx.msrs;
	uint64_t xsave = x86_cpuid_word(1, 0, ECX) >> 26 & 1 ? CR4_OSXSAVE : 0; /* for XSETBV on the guest's behalf */
	enum nl_err err = unlock();

	if (err)
		return err;
	x86_write_cr0(vmx_fix(x86_read_cr0(), m->cr0_fixed0, m->cr0_fixed1));
	x86_write_cr4(vmx_fix((x86_read_cr4() & ~(CR4_HIDDEN | CR4_CET | CR4_LASS)) | CR4_VMXE | xsave, m->cr4_fixed0,
	                      m->cr4_fixed1));
	if (!insn_vmxon(nl_pool_hpa(v->vmxon).v))
		return NL_EVIRTUALISED;
	v->launched = v->holds = 0;
	if (!insn_vmclear(nl_pool_hpa(v->vmcs).v) || !insn_vmptrld(nl_pool_hpa(v->vmcs).v)) {
		vmx_cpu_exit(cpu);
		return NL_EINTERNAL;
	}
	vmx_flush_all(cpu);
	write_controls(v);
	vmx_write_host_state(cpu);
	vmx_set_root(cpu, root);
	return NL_OK;
}

void vmx_cpu_exit(struct nl_cpu *cpu)
{
	insn_vmclear(nl_pool_hpa(vmx_cpu(cpu)->vmcs).v);
	insn_vmxoff();
}
