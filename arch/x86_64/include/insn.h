// SPDX-License-Identifier: Apache-2.0
/*
 * Instructions of x86-64 that both vendors and common code need, one inline function each; names are the manuals'. This
 * header, vmx_insn.h and svm_insn.h are the whole seam between code and CPU, found by the search path (<insn.h>): unit
 * tests put a CPU of their own in front (tests/unit/seam/).
 */
#ifndef ARCH_INSN_H
#define ARCH_INSN_H

#include <newleaf/types.h>

static inline void x86_cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	__asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(sub));
}

static inline uint64_t x86_rdmsr(uint32_t i)
{
	uint32_t lo, hi;
	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(i));
	return (uint64_t)hi << 32 | lo;
}

static inline void x86_wrmsr(uint32_t i, uint64_t v)
{
	__asm__ volatile("wrmsr" ::"c"(i), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

/* #GP-safe forms (entry.S, exception table of two entries): false when the CPU raised #GP. */
bool x86_rdmsr_safe(uint32_t index, uint64_t *value);
bool x86_wrmsr_safe(uint32_t index, uint64_t value);
bool x86_xsetbv_safe(uint32_t index, uint64_t value);

static inline uint64_t x86_rdtsc(void)
{
	uint32_t lo, hi;
	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi)::"memory");
	return (uint64_t)hi << 32 | lo;
}

static inline void x86_pause(void) { __asm__ volatile("pause" ::: "memory"); }
static inline void x86_halt(void) { __asm__ volatile("cli; hlt" ::: "memory"); }
static inline void x86_wbinvd(void) { __asm__ volatile("wbinvd" ::: "memory"); }
static inline void x86_outb(uint16_t p, uint8_t v) { __asm__ volatile("outb %0, %1" ::"a"(v), "Nd"(p)); }
static inline void x86_outw(uint16_t p, uint16_t v) { __asm__ volatile("outw %0, %1" ::"a"(v), "Nd"(p)); }
static inline void x86_outl(uint16_t p, uint32_t v) { __asm__ volatile("outl %0, %1" ::"a"(v), "Nd"(p)); }
static inline uint8_t x86_inb(uint16_t p)
{
	uint8_t v;
	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(p));
	return v;
}
static inline uint16_t x86_inw(uint16_t p)
{
	uint16_t v;
	__asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(p));
	return v;
}
static inline uint32_t x86_inl(uint16_t p)
{
	uint32_t v;
	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(p));
	return v;
}

#define X86_RW_REG(name) \
	static inline uint64_t x86_read_##name(void) \
	{ \
		uint64_t v; \
		__asm__ volatile("mov %%" #name ", %0" : "=r"(v)::"memory"); \
		return v; \
	} \
	static inline void x86_write_##name(uint64_t v) { __asm__ volatile("mov %0, %%" #name ::"r"(v) : "memory"); }
X86_RW_REG(cr0)
X86_RW_REG(cr2)
X86_RW_REG(cr3)
X86_RW_REG(cr4)
X86_RW_REG(dr6)
X86_RW_REG(dr7)
#undef X86_RW_REG
static inline void x86_clear_dr0_3(void)
{
	__asm__ volatile("mov %0, %%dr0; mov %0, %%dr1; mov %0, %%dr2; mov %0, %%dr3" ::"r"(0UL));
}

#endif
