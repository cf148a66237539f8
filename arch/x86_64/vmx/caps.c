// SPDX-License-Identifier: Apache-2.0
/*
 * Pure computations on VMX's capabilities: see caps.h.
 */
#include "view/npt.h"
#include "caps.h"

bool vmx_control(uint64_t cap, uint32_t need, uint32_t like, uint32_t *out)
{
	uint32_t must = (uint32_t)cap, may = (uint32_t)(cap >> 32);

	*out = must | need | (like & may);
	return (need & ~may) == 0;
}

enum nl_err vmx_controls(const struct vmx_msrs *m, uint32_t shown, struct vmx_controls *out)
{
	uint32_t need = SECONDARY_EPT | SECONDARY_UNRESTRICTED | shown, like = SECONDARY_VPID;
	uint64_t ept = EPT_CAP_4_LEVELS | EPT_CAP_WB | EPT_CAP_2M | EPT_CAP_INVEPT;
	bool ok;

	if (VMX_BASIC_TYPE(m->basic) != 6 || !(m->basic & VMX_BASIC_TRUE_CONTROLS) || (m->ept_vpid & ept) != ept ||
	    (m->misc & VMX_MISC_STATES) != VMX_MISC_STATES)
		return NL_ENOVIRT;
	/* VPID without a way to invalidate is of no use; on every CPU with EPT and unrestricted guest both exist. */
	if ((m->ept_vpid & VPID_CAP_INVVPID) != VPID_CAP_INVVPID)
		like = 0;
	/* Interrupts go to the guest, NMIs exit (nmi.c). */
	ok = vmx_control(m->pin, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS, 0, &out->pin);
	ok &= m->proc >> 32 & PROC_NMI_WINDOW ? 1 : 0; /* set when it is needed */
	ok &= vmx_control(m->proc, PROC_IO_BITMAPS | PROC_MSR_BITMAPS | PROC_SECONDARY, 0, &out->proc);
	ok &= vmx_control(m->secondary, need, like, &out->secondary);
	ok &= vmx_control(m->exit,
	                  EXIT_SAVE_DEBUG | EXIT_HOST_64 | EXIT_SAVE_PAT | EXIT_LOAD_PAT | EXIT_SAVE_EFER |
	                          EXIT_LOAD_EFER,
	                  0, &out->exit);
	ok &= vmx_control(m->entry, ENTRY_LOAD_DEBUG | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER, 0, &out->entry);
	out->vpid = out->secondary & SECONDARY_VPID;
	return ok ? NL_OK : NL_ENOVIRT;
}

uint64_t vmx_fix(uint64_t v, uint64_t fixed0, uint64_t fixed1) { return (v | fixed0) & fixed1; }

uint32_t vmx_rights(uint16_t attributes)
{
	uint32_t rights = (attributes & 0xffu) | (attributes & 0xf00u) << 4;

	return attributes & 0x80 ? rights : rights | RIGHTS_UNUSABLE;
}

uint64_t vmx_eptp(hpa_t root)
{
	/* SDM vol. 3, 25.6.11: paging-structure memory type WB, walk of 4, no accessed and dirty flags (they would be
	 * written to shared tables) */
	return root.v | 3u << 3 | NL_MT_WB;
}

void vmx_intercept_in(uint8_t *bitmaps, uint32_t index, bool read, bool write)
{
	uint32_t bank = index >> 13; /* SDM vol. 3, 25.6.9: 0..1fff and c0000000..c0001fff */
	uint8_t *r = bitmaps + (bank ? 1024 : 0) + (index & 0x1fff) / 8, *w = r + 2048,
	        mask = (uint8_t)(1u << index % 8);

	if (bank != 0 && bank != 0xc0000000u >> 13)
		return;
	*r = (uint8_t)(read ? *r | mask : *r & ~mask);
	*w = (uint8_t)(write ? *w | mask : *w & ~mask);
}
