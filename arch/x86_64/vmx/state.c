// SPDX-License-Identifier: Apache-2.0
/*
 * The guest's registers in the VMCS: how a CPU starts, what INIT and SIPI make of it, and what common code may read or
 * set.
 */
#include "vmx.h"
#include "x86.h"

enum { LDTR = NL_GS + 1, TR }; /* fields of ES to GS and these follow each other, two apart */

/* A loaded code or data segment has the accessed bit, whatever stands in the descriptor table (SDM vol. 3, 27.3.1.2).
 */
static void segment(unsigned n, struct nl_segment s)
{
	if (n <= NL_GS && (s.attributes & 0x80))
		s.attributes |= 1;
	vmx_write(GUEST_ES_SELECTOR + 2 * n, s.selector);
	vmx_write(GUEST_ES_BASE + 2 * n, s.base);
	vmx_write(GUEST_ES_LIMIT + 2 * n, s.limit);
	vmx_write(GUEST_ES_RIGHTS + 2 * n, vmx_rights(s.attributes));
}

static void no_event(void)
{
	VMX_WRITE_ALL({GUEST_INTERRUPTIBILITY, 0}, {GUEST_PENDING_DEBUG, 0}, {ENTRY_EVENT, 0},
	              {PROC_CONTROLS, vmx.controls.proc}); /* no window for an NMI */
}

void vmx_launch_state(struct nl_cpu *cpu, const struct nl_launch_state *s)
{
	/* entry wants a busy TSS; the firmware need not have one */
	static const struct nl_segment no_task = {0, 0x8b, 0x67, 0};
	const struct nl_segment *gdtr = &s->segments[NL_GDTR], *idtr = &s->segments[NL_IDTR];
	const struct vmx_msrs *m = &vmx.msrs;

	cpu->gprs = s->gprs;
	for (unsigned n = NL_ES; n <= NL_GS; n++)
		segment(n, s->segments[n]);
	segment(LDTR, s->segments[NL_LDTR]);
	segment(TR, (s->segments[NL_TR].attributes & 0x8f) == 0x8b ? s->segments[NL_TR] : no_task);
	VMX_WRITE_ALL({GUEST_GDTR_BASE, gdtr->base}, {GUEST_GDTR_LIMIT, gdtr->limit}, {GUEST_IDTR_BASE, idtr->base},
	              {GUEST_IDTR_LIMIT, idtr->limit},
	              {GUEST_CR0, vmx_fix(s->cr0, m->cr0_fixed0 & ~(CR0_PE | CR0_PG), m->cr0_fixed1)},
	              {CR0_SHADOW, s->cr0}, {GUEST_CR3, s->cr3},
	              {GUEST_CR4, vmx_fix(s->cr4, m->cr4_fixed0, m->cr4_fixed1)}, {CR4_SHADOW, s->cr4 & ~CR4_HIDDEN},
	              {GUEST_DR7, s->dr7}, {GUEST_DEBUGCTL, s->debugctl}, {GUEST_PAT, s->pat},
	              {GUEST_RFLAGS, s->rflags}, {GUEST_RIP, s->rip}, {GUEST_ACTIVITY, ACTIVITY_ACTIVE});
	vmx_set_msr(cpu, MSR_EFER, s->efer);
	x86_write_cr2(s->cr2);
	x86_write_dr6(s->dr6); /* not in the VMCS; DR7 is 400h in root operation */
	no_event();
	/* Where not in the VMCS, and not used by the core, the hardware registers are the guest's. */
	for (unsigned i = 0; i < NL_START_MSRS; i++)
		if (!vmx_set_msr(cpu, nl_start_msrs[i], s->msrs[i]))
			x86_wrmsr(nl_start_msrs[i], s->msrs[i]);
	vmx_nmi_reset(cpu);
	vmx_flush_all(cpu);
}

void vmx_wait_for_sipi(struct nl_cpu *cpu)
{
	vmx_write(GUEST_ACTIVITY, ACTIVITY_WAIT_SIPI);
	no_event();
}

/* A bit that is ours shows the guest's value. */
static uint64_t seen(enum vmx_field real, enum vmx_field mask, enum vmx_field shadow)
{
	uint64_t ours = vmx_read(mask);

	return (vmx_read(real) & ~ours) | (vmx_read(shadow) & ours);
}

void vmx_context(struct nl_cpu *cpu, struct nl_context *out)
{
	*out = (struct nl_context){
	        .rip = vmx_read(GUEST_RIP),
	        .rflags = vmx_read(GUEST_RFLAGS),
	        .cr0 = seen(GUEST_CR0, CR0_MASK, CR0_SHADOW),
	        .cr3 = vmx_read(GUEST_CR3),
	        .cr4 = seen(GUEST_CR4, CR4_MASK, CR4_SHADOW),
	        .efer = vmx_read(GUEST_EFER),
	        .lstar = x86_rdmsr(MSR_LSTAR),
	        .cs_base = vmx_read(GUEST_CS_BASE),
	        .cpl = vmx_read(GUEST_SS_RIGHTS) >> 5 & 3,
	        /* MWAIT is no activity state: RIP is behind it, quiesce.c looks */
	        .halted = vmx_read(GUEST_ACTIVITY) != ACTIVITY_ACTIVE,
	};
	out->code32 = vmx_read(GUEST_CS_RIGHTS) >> 14 & 1;
	out->long_mode = (out->efer & EFER_LMA) && (vmx_read(GUEST_CS_RIGHTS) >> 13 & 1);
}

void vmx_set_flags(struct nl_cpu *cpu, uint64_t rflags) { vmx_write(GUEST_RFLAGS, rflags); }

/* What entries and exits switch; 0: the hardware register is the guest's. */
static enum vmx_field field_of(uint32_t index)
{
	static const struct {
		uint32_t msr;
		uint16_t field;
	} switched[] = {{MSR_EFER, GUEST_EFER},
	                {MSR_PAT, GUEST_PAT},
	                {MSR_DEBUGCTL, GUEST_DEBUGCTL},
	                {MSR_FS_BASE, GUEST_FS_BASE},
	                {MSR_GS_BASE, GUEST_GS_BASE},
	                {MSR_SYSENTER_CS, GUEST_SYSENTER_CS},
	                {MSR_SYSENTER_ESP, GUEST_SYSENTER_ESP},
	                {MSR_SYSENTER_EIP, GUEST_SYSENTER_EIP}};

	for (size_t i = 0; i < NL_ARRAY_SIZE(switched); i++)
		if (switched[i].msr == index)
			return switched[i].field;
	return 0;
}

bool vmx_get_msr(struct nl_cpu *cpu, uint32_t index, uint64_t *value)
{
	enum vmx_field field = field_of(index);

	if (field)
		*value = vmx_read(field);
	return field;
}

bool vmx_set_msr(struct nl_cpu *cpu, uint32_t index, uint64_t value)
{
	enum vmx_field field = field_of(index);

	if (field)
		vmx_write(field, value);
	/* From here on the CPU keeps this control in step with EFER.LMA itself (A.6: bit 5, with unrestricted guest).
	 */
	if (field == GUEST_EFER)
		vmx_write(ENTRY_CONTROLS, vmx.controls.entry | (value & EFER_LMA ? ENTRY_IA32E : 0));
	return field;
}
