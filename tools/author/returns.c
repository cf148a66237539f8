// SPDX-License-Identifier: Apache-2.0
/* Control leaves by ret, by a jump to the return thunk or to another function, or by a jump through a register. */
#include "returns.h"
#include "code.h"

#include <string.h>

/* ud2, hlt, int3: the end of everything, or padding. */
static bool stops(const uint8_t *p, uint32_t len)
{
	return (len == 2 && p[0] == 0x0f && p[1] == 0x0b) || (len == 1 && (p[0] == 0xf4 || p[0] == 0xcc));
}

/* own, own_size: another part of the same function, to which a jump does not leave it. */
static bool leaves(const uint8_t *code, uint32_t size, uint64_t va, uint64_t own, uint32_t own_size)
{
	for (uint32_t at = 0; at < size;) {
		struct code_step s = code_decode(code + at, size - at, va + at);

		if (!s.len)
			return true; /* who knows */
		if (s.jumps && !s.is_call && s.target - va >= size && s.target - own >= own_size)
			return true;
		if (s.ends && !s.jumps && !stops(code + at, s.len))
			return true;
		at += s.len;
	}
	return false;
}

bool returns_ever(const struct kernel *k, const char *name, uint64_t va, uint32_t size)
{
	const uint8_t *code = kernel_bytes(k, va, size), *cold_code;
	const struct ksym *cold = NULL, *next;
	uint32_t cold_size = 0;

	if (kallsyms_find(&k->syms, xformat("%s.cold", name), 1, &cold) == 1 &&
	    (next = kallsyms_next(&k->syms, cold->va)))
		cold_size = (uint32_t)(next->va - cold->va);
	cold_code = cold_size ? kernel_bytes(k, cold->va, cold_size) : NULL;
	return !code || leaves(code, size, va, cold_size ? cold->va : 0, cold_size) ||
	       (cold_code && leaves(cold_code, cold_size, cold->va, va, size));
}
