// SPDX-License-Identifier: Apache-2.0
/*
 * The memory functions that the compiler calls by itself and the core by name. String instructions: no SIMD, and short.
 * Not linked into host tests, where libc has them.
 */
#include "core/core.h"

void *memcpy(void *restrict d, const void *restrict s, size_t n)
{
	void *to = d;
	size_t words = n / 8, rest = n % 8;
	__asm__ volatile("rep movsq" : "+D"(to), "+S"(s), "+c"(words)::"memory");
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(s), "+c"(rest)::"memory");
	return d;
}

void *memmove(void *d, const void *s, size_t n)
{
	/* volatile: else the compiler would see a memmove in this loop and call it. */
	volatile uint8_t *to = d;
	const volatile uint8_t *from = s;
	if ((uintptr_t)d - (uintptr_t)s >= n) /* also when d lies below s: a forward copy never overtakes itself then */
		return memcpy(d, s, n);
	while (n--)
		to[n] = from[n];
	return d;
}

void *memset(void *d, int c, size_t n)
{
	void *to = d;
	uint64_t pattern = (uint8_t)c * 0x0101010101010101ULL;
	size_t words = n / 8, rest = n % 8;
	__asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(pattern) : "memory");
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(rest) : "a"(pattern) : "memory");
	return d;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *p = a, *q = b;
	for (; n; n--, p++, q++)
		if (*p != *q)
			return *p < *q ? -1 : 1;
	return 0;
}

size_t strlen(const char *s)
{
	const volatile char *p = s; /* volatile: as in memmove */
	while (*p)
		p++;
	return (size_t)(p - s);
}
