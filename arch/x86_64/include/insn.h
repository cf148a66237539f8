// SPDX-License-Identifier: Apache-2.0
/*
 * Instructions of x86-64 that both vendors and common code need, one inline function each; names are the manuals'. This
 * header, vmx_insn.h and svm_insn.h are the whole seam between code and CPU, found by the search path (<insn.h>): unit
 * tests put a CPU of their own in front (tests/unit/seam/).
 */
#pragma once

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

/* Instructions that may fault, by #GP or by #MC of the access itself: the handler (host.c) goes on behind, with `ok` as
 * it was. */
#define X86_MAY_FAULT(insn) \
	"xor %k[ok], %k[ok]\n1:\t" insn \
	"\n\tmov $1, %k[ok]\n2:\t.pushsection .faults, \"a\"\n\t.quad 1b, 2b\n\t.popsection"
static inline bool x86_rdmsr_safe(uint32_t index, uint64_t *value)
{
	uint32_t ok, lo, hi;
	__asm__ volatile(X86_MAY_FAULT("rdmsr") : [ok] "=&r"(ok), "=a"(lo), "=d"(hi) : "c"(index) : "cc");
	if (ok)
		*value = (uint64_t)hi << 32 | lo;
	return ok;
}

#define X86_WRITE_SAFE(name) \
	static inline bool x86_##name##_safe(uint32_t index, uint64_t value) \
	{ \
		uint32_t ok; \
		__asm__ volatile(X86_MAY_FAULT(#name) \
		                 : [ok] "=&r"(ok) \
		                 : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) \
		                 : "cc", "memory"); \
		return ok; \
	}
X86_WRITE_SAFE(wrmsr)
X86_WRITE_SAFE(xsetbv)
#undef X86_WRITE_SAFE

/* Memory of the guest's: false where the hardware calls it poisoned. */
static inline bool x86_load_safe(const uint64_t *at, uint64_t *value)
{
	uint64_t v;
	uint32_t ok;
	__asm__ volatile(X86_MAY_FAULT("mov %[at], %[v]")
	                 : [ok] "=&r"(ok), [v] "=r"(v)
	                 : [at] "m"(*at)
	                 : "cc", "memory");
	if (ok)
		*value = v;
	return ok;
}

static inline bool x86_copy_safe(void *to, const void *from, size_t n)
{
	size_t words = n / 8, rest = n % 8;
	uint32_t ok;
	__asm__ volatile(X86_MAY_FAULT("rep movsq")
	                 : [ok] "=&r"(ok), "+D"(to), "+S"(from), "+c"(words)::"cc", "memory");
	if (ok)
		__asm__ volatile(X86_MAY_FAULT("rep movsb")
		                 : [ok] "=&r"(ok), "+D"(to), "+S"(from), "+c"(rest)::"cc", "memory");
	return ok;
}

static inline uint64_t x86_rdtsc(void)
{
	uint32_t lo, hi;
	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi)::"memory");
	return (uint64_t)hi << 32 | lo;
}

static inline void x86_pause(void) { __asm__ volatile("pause" ::: "memory"); }
static inline void x86_fence(void) { __asm__ volatile("mfence; lfence" ::: "memory"); }
static inline void x86_halt(void) { __asm__ volatile("cli; hlt" ::: "memory"); }
static inline void x86_wbinvd(void) { __asm__ volatile("wbinvd" ::: "memory"); }
static inline void x86_flush(const void *p, size_t size) /* from the beginning of a line on */
{
	for (const uint8_t *at = p; at < (const uint8_t *)p + size; at += 64)
		__asm__ volatile("clflush (%0)" ::"r"(at) : "memory");
}
#define X86_PORT(name, type) \
	static inline void x86_out##name(uint16_t p, type v) \
	{ \
		__asm__ volatile("out" #name " %0, %1" ::"a"(v), "Nd"(p)); \
	} \
	static inline type x86_in##name(uint16_t p) \
	{ \
		type v; \
		__asm__ volatile("in" #name " %1, %0" : "=a"(v) : "Nd"(p)); \
		return v; \
	}
X86_PORT(b, uint8_t)
X86_PORT(w, uint16_t)
X86_PORT(l, uint32_t)
#undef X86_PORT

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
