// SPDX-License-Identifier: Apache-2.0
/*
 * The CPU of the unit tests: the headers of this folder stand before the core's of the same names in the search path.
 * Each instruction is a weak function of seam.c; a test defines what its CPU shall do. One that the test does not
 * define fails it by name: no unit test executes a privileged instruction, or sees the host's clock.
 */
#ifndef TESTS_UNIT_SEAM_INSN_H
#define TESTS_UNIT_SEAM_INSN_H

#include <newleaf/types.h>

/* The time stamp counter stands still but for the step that each look at it takes: 1, so that it is never the same
 * twice; a test that waits for a limit takes larger ones. */
extern uint64_t seam_tsc, seam_tsc_step;
uint64_t x86_rdtsc(void);
static inline void x86_fence(void) { __sync_synchronize(); }
void x86_pause(void); /* gives way to the threads that stand for other CPUs */

void x86_cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4]);
uint64_t x86_rdmsr(uint32_t i);
void x86_wrmsr(uint32_t i, uint64_t v);
bool x86_rdmsr_safe(uint32_t index, uint64_t *value);
bool x86_wrmsr_safe(uint32_t index, uint64_t value);
bool x86_xsetbv_safe(uint32_t index, uint64_t value);
/* As they are, but for a page that the test calls poisoned, and the one in so many looks that the test wants to fail,
 * 0 = none. */
extern const void *seam_poison;
extern unsigned seam_fault_in;
extern unsigned seam_looks, seam_checks; /* of them in all; and machine checks: how many met the poisoned page */
extern bool *seam_pending;               /* mc_pending of the CPU that looks: host.c says it there; NULL = nobody */
bool x86_load_safe(const uint64_t *at, uint64_t *value);
bool x86_copy_safe(void *to, const void *from, size_t n);
void x86_halt(void);
void x86_wbinvd(void);

/* Coherent without; a test may want to know what would be in memory after a reset. */
extern void (*seam_flushed)(const void *p, size_t size);
static inline void x86_flush(const void *p, size_t size)
{
	if (seam_flushed)
		seam_flushed(p, size);
}
void x86_outb(uint16_t p, uint8_t v);
void x86_outw(uint16_t p, uint16_t v);
void x86_outl(uint16_t p, uint32_t v);
uint8_t x86_inb(uint16_t p);
uint16_t x86_inw(uint16_t p);
uint32_t x86_inl(uint16_t p);
uint64_t x86_read_cr0(void);
uint64_t x86_read_cr2(void);
uint64_t x86_read_cr3(void);
uint64_t x86_read_cr4(void);
uint64_t x86_read_dr6(void);
uint64_t x86_read_dr7(void);
void x86_write_cr0(uint64_t v);
void x86_write_cr2(uint64_t v);
void x86_write_cr3(uint64_t v);
void x86_write_cr4(uint64_t v);
void x86_write_dr6(uint64_t v);
void x86_write_dr7(uint64_t v);
void x86_clear_dr0_3(void);

#endif
