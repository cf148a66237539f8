// SPDX-License-Identifier: Apache-2.0
/*
 * EPT's entry format and the invalidation of what the CPU remembers of it (SDM vol. 3, 29.4.3).
 *
 * Cached translations carry VPID, PCID and the root. A root that was never loaded needs no INVEPT, but root pages are
 * reused, so the one that is being loaded is always invalidated; VPID is one for all views, so that the guest's own
 * invalidations reach what they must.
 */
#include "core/core.h"
#include "view/tlb.h"
#include "vmx.h"
#include "view/npt.h"
#include <vmx_insn.h>
#include "x86.h"

static void invept(uint64_t type, uint64_t eptp)
{
	if (!insn_invept(type, eptp))
		nl_panic("INVEPT %lu of %lx failed", type, eptp);
}

static void flush_linear(void)
{
	if (!vmx.controls.vpid)
		return; /* every entry and exit flushes */
	if (!insn_invvpid(2, 0))
		nl_panic("INVVPID failed");
}

const struct nl_npt_format *vmx_format(void)
{
	static struct nl_npt_format f;

	f = nl_npt_format_ept(x86_rdmsr(MSR_VMX_BASIC + 12) & EPT_CAP_1G, x86_cpuid_word(0x80000008, 0, EAX) & 0xff);
	return &f;
}

static void forget(enum nl_flush_reason why, uint64_t eptp)
{
	if (nl_flush_for(why) == NL_FLUSH_ROOT) {
		invept(1, eptp);
		return;
	}
	invept(2, 0);
	flush_linear();
}

void vmx_set_root(struct nl_cpu *cpu, hpa_t root)
{
	(void)cpu;
	vmx_write(EPTP, vmx_eptp(root));
	forget(NL_ROOT_LOADED, vmx_eptp(root));
}

void vmx_flush_all(struct nl_cpu *cpu)
{
	(void)cpu;
	forget(NL_BASE_EDITED, 0);
}
