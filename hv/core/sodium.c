// SPDX-License-Identifier: Apache-2.0
/* What the files of libsodium that are built into the core (hv/libsodium.mk) want from its others. */
#include "core/core.h"
#include <utils.h>

void sodium_memzero(void *const p, const size_t n)
{
	memset(p, 0, n);
	__asm__ volatile("" : : "r"(p) : "memory"); /* not left out because nobody reads it again */
}

int sodium_memcmp(const void *const a, const void *const b, size_t n) { return memcmp(a, b, n) ? -1 : 0; }

int sodium_is_zero(const unsigned char *p, const size_t n) { return nl_is_zero(p, n); }
