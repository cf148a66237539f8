// SPDX-License-Identifier: Apache-2.0
/*
 * The instructions of VMX, one inline function each. true: it worked; false: CF or ZF (SDM vol. 3, 31.2).
 */
#pragma once

#include <newleaf/types.h>

static inline bool insn_vmread(uint64_t field, uint64_t *value)
{
	bool failed;

	__asm__ volatile("vmread %2, %1" : "=@ccbe"(failed), "=r"(*value) : "r"(field));
	return !failed;
}

static inline bool insn_vmwrite(uint64_t field, uint64_t value)
{
	bool failed;

	__asm__ volatile("vmwrite %1, %2" : "=@ccbe"(failed) : "r"(value), "r"(field) : "memory");
	return !failed;
}

#define VMX_ON_MEMORY(name) \
	static inline bool insn_##name(uint64_t pa) \
	{ \
		bool failed; \
		__asm__ volatile(#name " %1" : "=@ccbe"(failed) : "m"(pa) : "memory"); \
		return !failed; \
	}
VMX_ON_MEMORY(vmxon)
VMX_ON_MEMORY(vmclear)
VMX_ON_MEMORY(vmptrld)
#undef VMX_ON_MEMORY

static inline void insn_vmxoff(void) { __asm__ volatile("vmxoff" ::: "cc", "memory"); }

/* To the next instruction, with the selectors that are loaded: NMIs are unblocked. */
static inline void insn_iret(uint64_t cs, uint64_t ss)
{
	__asm__ volatile("mov %%rsp, %%rax; push %1; push %%rax; pushfq; push %0; lea 1f(%%rip), %%rax; push %%rax\n\t"
	                 "iretq\n1:" ::"r"(cs),
	                 "r"(ss)
	                 : "rax", "cc", "memory");
}

/* Types of both: 1 single-context, 2 all-context. */
#define VMX_INVALIDATE(name) \
	static inline bool insn_##name(uint64_t type, uint64_t first) \
	{ \
		const struct { \
			uint64_t first, second; \
		} descriptor = {first, 0}; \
		bool failed; \
		__asm__ volatile(#name " %1, %2" : "=@ccbe"(failed) : "m"(descriptor), "r"(type) : "memory"); \
		return !failed; \
	}
VMX_INVALIDATE(invept)
VMX_INVALIDATE(invvpid)
#undef VMX_INVALIDATE
