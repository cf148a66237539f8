// SPDX-License-Identifier: Apache-2.0
/*
 * Instructions (insn.h) and registers of x86-64 that both vendors and common code need; names are the manuals'.
 */
#pragma once

#include <insn.h>

/* One register of a leaf; 0 where the CPU has no such leaf. Not for those of hypervisors. */
enum { EAX, EBX, ECX, EDX };
static inline uint32_t x86_cpuid_word(uint32_t leaf, uint32_t sub, unsigned reg)
{
	uint32_t r[4], first = leaf & 0x80000000;

	x86_cpuid(first, 0, r);
	if (r[EAX] < leaf || r[EAX] > first + 0xffff)
		return 0;
	x86_cpuid(leaf, sub, r);
	return r[reg];
}

/* Of the CPU that asks, as the firmware numbered it; SDM vol. 2, CPUID leaf 0BH: the x2APIC ID. */
static inline uint32_t x86_apic_id(void)
{
	return x86_cpuid_word(0xb, 0, EBX) ? x86_cpuid_word(0xb, 0, EDX) : x86_cpuid_word(1, 0, EBX) >> 24;
}

/* An access whose width is known at run time only. */
static inline uint32_t x86_in(uint16_t p, unsigned width)
{
	return width == 4 ? x86_inl(p) : width == 2 ? x86_inw(p) : x86_inb(p);
}
static inline void x86_out(uint16_t p, unsigned width, uint32_t v)
{
	if (width == 4)
		x86_outl(p, v);
	else if (width == 2)
		x86_outw(p, (uint16_t)v);
	else
		x86_outb(p, (uint8_t)v);
}

/* Any physical address, through the host's direct map. */
static inline void *x86_phys(hpa_t pa) { return (void *)(pa.v + 0xffff800000000000ULL); }

#define CR0_PE (1ULL << 0)
#define CR0_ET (1ULL << 4)
#define CR0_NE (1ULL << 5)
#define CR0_WP (1ULL << 16)
#define CR0_NW (1ULL << 29)
#define CR0_CD (1ULL << 30)
#define CR0_PG (1ULL << 31)
#define CR4_PAE (1ULL << 5)
#define CR4_MCE (1ULL << 6)
#define CR4_LA57 (1ULL << 12)
#define CR4_VMXE (1ULL << 13)
#define CR4_OSXSAVE (1ULL << 18)
#define EFER_SCE (1ULL << 0)
#define EFER_LME (1ULL << 8)
#define EFER_LMA (1ULL << 10)
#define EFER_NXE (1ULL << 11)
#define EFER_SVME (1ULL << 12)
#define DR6_NONE 0xffff0ff0ULL
#define DR7_NONE 0x400ULL
#define RFLAGS_TF (1ULL << 8)
#define RFLAGS_IF (1ULL << 9)

#define MSR_APIC_BASE 0x1b
#define MSR_FEATURE_CONTROL 0x3a
#define MSR_BIOS_UPDT_TRIG 0x79
#define MSR_SYSENTER_CS 0x174
#define MSR_SYSENTER_ESP 0x175
#define MSR_SYSENTER_EIP 0x176
#define MSR_MCG_CAP 0x179
#define MSR_MCG_STATUS 0x17a
#define MCG_RIPV 1ULL
#define MCG_EIPV 2ULL
#define MSR_MC0_STATUS 0x401
#define MSR_DEBUGCTL 0x1d9
#define MSR_PAT 0x277
#define MSR_PERF_GLOBAL_CTRL 0x38f
#define MSR_VMX_BASIC 0x480
#define MSR_X2APIC_BASE 0x800
#define MSR_X2APIC_ICR 0x830
#define MSR_XSS 0xda0
/* Supervisor state that a guest may have (SDM vol. 1, 13.2): PASID, CET (2), HDC, LBR, HWP. Not Intel PT (8) and not
 * user interrupts (14), which are hidden; what comes later is not known to be harmless. */
#define XSS_MAY (1ULL << 10 | 3ULL << 11 | 1ULL << 13 | 1ULL << 15 | 1ULL << 16)
#define MSR_EFER 0xc0000080
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_CSTAR 0xc0000083
#define MSR_FMASK 0xc0000084
#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_AMD_PATCH_LOADER 0xc0010020
#define MSR_AMD_MMIO_CFG_BASE 0xc0010058
#define MSR_VM_CR 0xc0010114
#define MSR_VM_HSAVE_PA 0xc0010117
