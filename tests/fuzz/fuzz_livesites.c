// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/module_at.c
// sources: tools/author/code.c
// sources: tests/fuzz/author.c tools/author/livesites.c tools/author/kernel.c tools/author/unpack.c
// sources: tools/author/kallsyms.c tools/author/krelocs.c tools/author/author.c tests/unit/author_refuse.c
// libs: -lelf -lbpf -llz4 -lzstd -llzma -lbz2 -lz -lZydis
// length: 1024
// quick: 15000
/* Any bytes as the kernel's tables of patch sites; where nothing is in the way, a second look finds nothing either. */
#include "author.h"

#include "author_refuse.h"
#include "livesites.h"

/* A table of 4-byte entries, looked at once more. */
static void look(const struct kernel *k, const char *name, uint64_t length, uint64_t va, uint32_t len)
{
	const struct ksection *s = kernel_section(k, name);

	for (uint64_t at = 0; s && at + 4 <= s->size; at += 4) {
		int32_t distance;
		uint64_t site;

		memcpy(&distance, s->bytes + at, 4);
		site = s->va + at + (uint64_t)(int64_t)distance;
		FUZZ_CHECK(site + length <= va || site >= va + len);
	}
}

void fuzz_one(const uint8_t *bytes, size_t size)
{
	struct fuzz f = {bytes, size};
	uint32_t len = fuzz_byte(&f) % 64u + 1;
	uint64_t va = FUZZ_TEXT + 0xe0 + fuzz_byte(&f);
	struct kernel *k;

	if (setjmp(author_refused))
		return;
	k = fuzz_kernel(&f);
	livesites_ftrace(k, va);
	if (livesites_conflict(k, va, len))
		return;
	look(k, ".return_sites", 5, va, len);
	look(k, ".smp_locks", 1, va, len);
	for (size_t i = 0; i < k->relocs.n; i++) {
		const uint8_t *p = kernel_bytes(k, k->relocs.rel[i].va, 8);
		uint64_t v;

		if (k->relocs.rel[i].kind != KREL_64 || !p)
			continue;
		memcpy(&v, p, 8);
		FUZZ_CHECK(v <= va || v >= va + len);
	}
	livesites_verify(k); /* refuses most: it ends, and reads no further than the tables go */
}

void fuzz_seeds(void)
{
	static const uint32_t sizes[] = {12, 16, 4, 4, 4, 4, 4, 4, 12, 12, 64};

	for (unsigned table = 0; table < sizeof(sizes) / sizeof(sizes[0]); table++) {
		uint8_t entry[64] = {0};
		int32_t distance = (int32_t)(FUZZ_TEXT + 0x105 - (FUZZ_DATA + table * 0x1000));
		struct buf all = {0}, b;

		memcpy(entry, &distance, 4);
		entry[10] = entry[9] = 4;
		b = fuzz_kernel_seed("", 0, table, entry, sizes[table]);
		buf_add(&all, "\x05\x25", 2);
		buf_add(&all, b.p, b.n);
		fuzz_seed(all.p, all.n);
	}
}
