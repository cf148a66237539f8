// SPDX-License-Identifier: Apache-2.0
/*
 * What this CPU's VMX can do, and the pure computations on it: controls, fixed bits, segment rights. No instruction of
 * VMX is executed here, so that all of it runs on the host under test (tests/unit/test_vmx_caps.c).
 */
#pragma once

#include "vendor.h"

/* IA32_VMX_BASIC, SDM vol. 3, A.1 */
#define VMX_BASIC_REVISION 0x7fffffffULL
#define VMX_BASIC_TYPE(x) ((x) >> 50 & 15)
#define VMX_BASIC_TRUE_CONTROLS (1ULL << 55)
/* IA32_FEATURE_CONTROL, SDM vol. 3, 24.7 */
#define FEATURE_CONTROL_LOCK 1ULL
#define FEATURE_CONTROL_VMX 4ULL
/* IA32_VMX_MISC, A.6: activity states that an entry takes */
#define VMX_MISC_STATES (1ULL << 6 | 1ULL << 8) /* HLT, wait-for-SIPI */
/* IA32_VMX_EPT_VPID_CAP, A.10 */
#define EPT_CAP_4_LEVELS (1ULL << 6)
#define EPT_CAP_WB (1ULL << 14)
#define EPT_CAP_2M (1ULL << 16)
#define EPT_CAP_1G (1ULL << 17)
#define EPT_CAP_INVEPT (1ULL << 20 | 1ULL << 25 | 1ULL << 26) /* the instruction, single-context, all-context */
#define VPID_CAP_INVVPID (1ULL << 32 | 1ULL << 42)            /* the instruction, all-context */

/* Controls, SDM vol. 3, 25.6 to 25.8 */
#define PIN_NMI_EXITING (1u << 3)
#define PIN_VIRTUAL_NMIS (1u << 5)
#define PIN_PREEMPTION_TIMER (1u << 6)
#define PROC_NMI_WINDOW (1u << 22)
#define PROC_IO_BITMAPS (1u << 25)
#define PROC_MSR_BITMAPS (1u << 28)
#define PROC_SECONDARY (1u << 31)
#define SECONDARY_EPT (1u << 1)
#define SECONDARY_RDTSCP (1u << 3)
#define SECONDARY_VPID (1u << 5)
#define SECONDARY_UNRESTRICTED (1u << 7)
#define SECONDARY_INVPCID (1u << 12)
#define SECONDARY_XSAVES (1u << 20)
#define SECONDARY_USER_WAIT (1u << 26)
#define EXIT_SAVE_DEBUG (1u << 2)
#define EXIT_HOST_64 (1u << 9)
#define EXIT_SAVE_PAT (1u << 18)
#define EXIT_LOAD_PAT (1u << 19)
#define EXIT_SAVE_EFER (1u << 20)
#define EXIT_LOAD_EFER (1u << 21)
#define ENTRY_LOAD_DEBUG (1u << 2)
#define ENTRY_IA32E (1u << 9)
#define ENTRY_LOAD_PAT (1u << 14)
#define ENTRY_LOAD_EFER (1u << 15)

#define RIGHTS_UNUSABLE (1u << 16) /* SDM vol. 3, 25.4.1 */

/* The capability MSRs in their order, from IA32_VMX_BASIC on; the controls' low half: must be 1, high half: may be 1
 * (A.2). */
struct vmx_msrs {
	uint64_t basic, not_true[4], misc, cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1, vmcs_enum;
	uint64_t secondary, ept_vpid, pin, proc, exit, entry;
};

struct vmx_controls {
	uint32_t pin, proc, secondary, exit, entry;
	bool vpid;
};

/* false: a bit of `need` may not be 1. Bits of `like` are set where the CPU has them. */
bool vmx_control(uint64_t cap, uint32_t need, uint32_t like, uint32_t *out);
/* All controls of this hypervisor. `shown`: secondary ones for instructions that CPUID shows the guest, or it would get
 * #UD for them. NL_ENOVIRT: something that is needed is not there. */
enum nl_err vmx_controls(const struct vmx_msrs *m, uint32_t shown, struct vmx_controls *out);
/* The value nearest to `v` that VMX operation allows; with unrestricted guest, PE and PG of CR0 are free (24.8, A.7).
 */
uint64_t vmx_fix(uint64_t v, uint64_t fixed0, uint64_t fixed1);
/* Attributes in VMCB form (vendor.h) to access rights: bits 8..11 move to 12..15; not present is unusable. */
uint32_t vmx_rights(uint16_t attributes);
uint64_t vmx_eptp(hpa_t root);
/* In the page of MSR bitmaps. Outside of them every access exits. */
void vmx_intercept_in(uint8_t *bitmaps, uint32_t index, bool read, bool write);
