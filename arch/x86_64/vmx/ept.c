// SPDX-License-Identifier: Apache-2.0
/*
 * EPT's entry format and the invalidation of what the CPU remembers of it (SDM vol. 3, 29.4.3).
 *
 * Cached translations carry VPID, PCID and the root. A root that was never loaded needs no INVEPT, but root pages are
 * reused, so the one that is being loaded is always invalidated; VPID is one for all views, so that the guest's own
 * invalidations reach what they must.
 */
#include "core/core.h"
#include "vmx.h"
#include "view/npt.h"
#include <vmx_insn.h>
#include "x86.h"

static void invept(uint64_t type, uint64_t eptp)
{
	if (!insn_invept(type, eptp))
		nl_panic("INVEPT %lu of %lx failed", type, eptp);
}

const struct nl_npt_format *vmx_format(void)
{
	static struct nl_npt_format f;

	f = nl_npt_format_ept(vmx.msrs.ept_vpid & EPT_CAP_1G, x86_cpuid_word(0x80000008, 0, EAX) & 0xff);
	return &f;
}

void vmx_set_root(struct nl_cpu *cpu, hpa_t root)
{
	vmx_write(EPTP, vmx_eptp(root));
	invept(1, vmx_eptp(root));
}

void vmx_flush_all(struct nl_cpu *cpu)
{
	invept(2, 0);
	/* without VPIDs every entry and exit flushes */
	if (vmx.controls.vpid && !insn_invvpid(2, 0))
		nl_panic("INVVPID failed");
}
