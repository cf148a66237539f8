// SPDX-License-Identifier: Apache-2.0
/*
 * Linux's thunks (arch/x86/lib/retpoline.S, arch/x86/kernel/alternative.c). The compiler calls __x86_indirect_thunk_REG
 * and jumps to __x86_return_thunk; boot changes these calls of the kernel's own, and never sees a body's. So a body's
 * name a register, or the pointer that boot has set, and the hypervisor looks where they lead on this CPU
 * (hv/guest/linux/kernel.c). What it takes for granted of their places is checked here.
 */
#include "thunks.h"

#include <newleaf/types.h>
#include <string.h>

#define INDIRECT "__x86_indirect_thunk_"
#define ITS "__x86_indirect_its_thunk_"
#define INDIRECT_STEP 32u
#define ITS_STEP 64u
#define RET 0xc3

static const char *const registers[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                        "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

static uint64_t find(const struct kernel *k, const char *kind, uint32_t step)
{
	uint64_t first = kernel_symbol_or_0(k, xformat("%s%s", kind, registers[0]));

	for (size_t i = 1; first && i < NL_ARRAY_SIZE(registers); i++)
		if (kernel_symbol_or_0(k, xformat("%s%s", kind, registers[i])) != first + i * step)
			refuse(NL_EKERNEL, "%s: %s%s does not stand %u bytes behind %s%s", k->path, kind, registers[i],
			       step, kind, registers[i - 1]);
	return first;
}

void thunks_fill(struct nl_leaf_target *t, const struct kernel *k)
{
	const uint8_t *ret;

	t->return_thunk = kernel_symbol_or_0(k, "x86_return_thunk");
	if (t->return_thunk && kernel_symbol_or_0(k, "__warn_thunk")) {
		t->return_default = kernel_symbol(k, "__x86_return_thunk");
		t->return_plain = kernel_symbol_or_0(k, "its_return_thunk");
		ret = t->return_plain ? kernel_bytes(k, t->return_plain, 1) : NULL;
		if (!ret || *ret != RET)
			refuse(NL_EKERNEL,
			       "%s: __x86_return_thunk warns of who uses it, and its_return_thunk is no plain return",
			       k->path);
	}
	t->indirect_thunks = find(k, INDIRECT, INDIRECT_STEP);
	t->its_thunks = t->indirect_thunks ? find(k, ITS, ITS_STEP) : 0;
}

char *thunk_of_register(uint64_t number)
{
	return xformat("%s%s", INDIRECT, number < NL_ARRAY_SIZE(registers) ? registers[number] : "?");
}

bool thunk_place(const struct nl_leaf_target *t, const char *name, struct place *out)
{
	if (t->return_thunk && !strcmp(name, "__x86_return_thunk")) {
		*out = (struct place){NL_SYM_RETURN_THUNK, 0};
		return true;
	}
	if (!t->indirect_thunks || strncmp(name, INDIRECT, strlen(INDIRECT)))
		return false;
	for (uint64_t i = 0; i < NL_ARRAY_SIZE(registers); i++) {
		if (strcmp(name + strlen(INDIRECT), registers[i]))
			continue;
		*out = (struct place){NL_SYM_INDIRECT_THUNK, i};
		return true;
	}
	return false;
}

bool thunk_name(const char *name)
{
	static const char *const beginnings[] = {
	        "__x86_indirect_", "__x86_return_", "its_return_", "retbleed_", "srso_",      "call_depth_return",
	        "zen_untrain",     "entry_untrain", "__SCT__",     "__pfx_",    "clear_bhb_", "warn_thunk"};

	for (size_t i = 0; i < NL_ARRAY_SIZE(beginnings); i++)
		if (!strncmp(name, beginnings[i], strlen(beginnings[i])))
			return true;
	return false;
}
