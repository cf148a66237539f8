// SPDX-License-Identifier: Apache-2.0
/*
 * Read from the end backwards, as handle_relocations() of arch/x86/boot/compressed/misc.c does: 32-bit fields until a
 * zero, inverse 32-bit fields until a zero, 64-bit fields until a zero. Kernels without inverse relocations (6.15 on)
 * have two lists.
 */
#include "krelocs.h"

#include <stdlib.h>
#include <string.h>

static int by_va(const void *a, const void *b)
{
	const struct krel *x = a, *y = b;

	return x->va < y->va ? -1 : x->va > y->va;
}

bool krelocs_decode(struct krelocs *out, const uint8_t *list, size_t n)
{
	static const enum krel_kind three[] = {KREL_32, KREL_INV_32, KREL_64}, two[] = {KREL_32, KREL_64};
	const enum krel_kind *kind;
	size_t words = n / 4, zeroes = 0, seen = 0;

	for (size_t i = 0; i < words; i++) {
		int32_t v;

		memcpy(&v, list + 4 * i, 4);
		zeroes += !v;
		if (v > -8 && v) /* the upper half only: each is the low part of an address, of 8 bytes at most */
			return false;
	}
	if ((zeroes != 2 && zeroes != 3) || memcmp(list, "\0\0\0", 4)) /* each list begins with one */
		return false;
	kind = zeroes >= 3 ? three : two;
	out->rel = xalloc(words * sizeof(*out->rel));
	out->n = 0;
	for (size_t i = words; i-- > 0 && seen < (zeroes >= 3 ? 3u : 2u);) {
		int32_t v;

		memcpy(&v, list + 4 * i, 4);
		if (!v)
			seen++;
		else
			out->rel[out->n++] = (struct krel){.va = (uint64_t)(int64_t)v, .kind = kind[seen]};
	}
	qsort(out->rel, out->n, sizeof(*out->rel), by_va);
	return true;
}

size_t krelocs_from(const struct krelocs *r, uint64_t va)
{
	size_t low = 0, high = r->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (r->rel[middle].va + krel_size(&r->rel[middle]) <= va)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
