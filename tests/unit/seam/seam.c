// SPDX-License-Identifier: Apache-2.0
/* The CPU of the unit tests: see insn.h. */
#include "core/core.h"
#include <insn.h>
#include <svm_insn.h>
#include <vmx_insn.h>
#include <sched.h>

#define WEAK __attribute__((weak))

uint64_t seam_tsc, seam_tsc_step = 1;

uint64_t x86_rdtsc(void)
{
	return __atomic_add_fetch(&seam_tsc, __atomic_load_n(&seam_tsc_step, __ATOMIC_SEQ_CST), __ATOMIC_SEQ_CST);
}
WEAK void x86_pause(void) { sched_yield(); }

void (*seam_flushed)(const void *p, size_t size);
const void *seam_poison;
unsigned seam_fault_in;
unsigned seam_looks, seam_checks;
bool *seam_pending;

static bool poisoned(const void *at) { return seam_poison && ((uintptr_t)at ^ (uintptr_t)seam_poison) < NL_PAGE_SIZE; }
static bool checks(const void *at)
{
	if (!poisoned(at))
		return false;
	seam_checks++;
	if (seam_pending)
		*seam_pending = true;
	return true;
}
static bool faults(void) { return seam_fault_in && !--seam_fault_in; }

bool x86_load_safe(const uint64_t *at, uint64_t *value)
{
	seam_looks++;
	if (checks(at) || faults())
		return false;
	*value = __atomic_load_n(at, __ATOMIC_RELAXED);
	return true;
}

WEAK bool x86_copy_safe(void *to, const void *from, size_t n)
{
	seam_looks++;
	if (checks(from) || checks(to) || faults())
		return false;
	memcpy(to, from, n);
	return true;
}

/* clang-format off */
#define UNEXPECTED(type, name, ...) WEAK type name(__VA_ARGS__) { nl_panic("the test has no " #name); }
/* clang-format on */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
UNEXPECTED(void, x86_cpuid, uint32_t leaf, uint32_t sub, uint32_t r[4])
UNEXPECTED(uint64_t, x86_rdmsr, uint32_t i)
UNEXPECTED(void, x86_wrmsr, uint32_t i, uint64_t v)
UNEXPECTED(bool, x86_rdmsr_safe, uint32_t index, uint64_t *value)
UNEXPECTED(bool, x86_wrmsr_safe, uint32_t index, uint64_t value)
UNEXPECTED(bool, x86_xsetbv_safe, uint32_t index, uint64_t value)
UNEXPECTED(void, x86_halt, void)
UNEXPECTED(void, x86_wbinvd, void)
UNEXPECTED(void, x86_outb, uint16_t p, uint8_t v)
UNEXPECTED(void, x86_outw, uint16_t p, uint16_t v)
UNEXPECTED(void, x86_outl, uint16_t p, uint32_t v)
UNEXPECTED(uint8_t, x86_inb, uint16_t p)
UNEXPECTED(uint16_t, x86_inw, uint16_t p)
UNEXPECTED(uint32_t, x86_inl, uint16_t p)
UNEXPECTED(uint64_t, x86_read_cr0, void)
UNEXPECTED(uint64_t, x86_read_cr2, void)
UNEXPECTED(uint64_t, x86_read_cr3, void)
UNEXPECTED(uint64_t, x86_read_cr4, void)
UNEXPECTED(uint64_t, x86_read_dr6, void)
UNEXPECTED(uint64_t, x86_read_dr7, void)
UNEXPECTED(void, x86_write_cr0, uint64_t v)
UNEXPECTED(void, x86_write_cr2, uint64_t v)
UNEXPECTED(void, x86_write_cr3, uint64_t v)
UNEXPECTED(void, x86_write_cr4, uint64_t v)
UNEXPECTED(void, x86_write_dr6, uint64_t v)
UNEXPECTED(void, x86_write_dr7, uint64_t v)
UNEXPECTED(void, x86_clear_dr0_3, void)
UNEXPECTED(bool, insn_vmread, uint64_t field, uint64_t *value)
UNEXPECTED(bool, insn_vmwrite, uint64_t field, uint64_t value)
UNEXPECTED(bool, insn_vmxon, uint64_t pa)
UNEXPECTED(bool, insn_vmclear, uint64_t pa)
UNEXPECTED(bool, insn_vmptrld, uint64_t pa)
UNEXPECTED(void, insn_vmxoff, void)
UNEXPECTED(void, insn_iret, uint64_t cs, uint64_t ss)
UNEXPECTED(bool, insn_invept, uint64_t type, uint64_t first)
UNEXPECTED(bool, insn_invvpid, uint64_t type, uint64_t first)
UNEXPECTED(void, insn_clgi, void)
UNEXPECTED(void, insn_stgi, void)
UNEXPECTED(void, insn_vmload, uint64_t vmcb)
UNEXPECTED(void, insn_vmsave, uint64_t vmcb)
#pragma GCC diagnostic pop
