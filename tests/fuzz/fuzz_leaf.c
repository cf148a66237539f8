// SPDX-License-Identifier: Apache-2.0
// sources: hv/leaf/leaf.c hv/leaf/reloc.c hv/guest/target.c hv/guest/linux/target.c
// length: 8192
// quick: 50000
// reader: a leaf
/*
 * libFuzzer: any bytes as a leaf file. What the parser accepts is relocated into buffers of exactly the sizes it
 * promises, so that the sanitizers see a bound that does not hold. The mutator keeps the lengths in the header true
 * most of the time, so that the checks behind them are reached.
 */
#include "fuzz.h"
#include "guest/target.h"
#include "leaf/leaf.h"
#include "leaf/reloc.h"
#include "queuetarget.h"

#define LINK 0xffffffff81000000ULL

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

static void *copy_of(const void *from, size_t n)
{
	void *p = malloc(n ? n : 1);

	return n ? memcpy(p, from, n) : p;
}

static void relocate(const struct nl_leaf *l)
{
	const struct nl_leaf_header *h = l->header;
	const struct nl_placement at = {.slide = 0x1000000,
	                                .text = 0xffffffffff800000,
	                                .data = 0xffffffffffa00000,
	                                .thunks = {LINK, LINK + 64, 32}};
	uint8_t *text = copy_of(l->text, h->text.count), *data = copy_of(l->data, h->data.count);
	const struct nl_leaf_fact *f = NULL;
	uint64_t va;
	uint32_t i;

	while ((f = nl_fact_next(l->facts, h->facts.count, f)))
		if (f->text[f->length - 1] < ' ' || (const uint8_t *)f->text + f->length > l->facts + h->facts.count)
			abort();
	nl_reloc_body(l, &at, text, data);
	for (i = 0; i < h->sites.count; i++) {
		const struct nl_leaf_site *s = &l->sites[i];
		uint8_t *expected = copy_of(l->bytes + s->expected, s->len),
		        *fresh = copy_of(l->bytes + s->fresh, s->len);

		nl_reloc_site(l, &at, i, expected, fresh);
		va = nl_leaf_va(l, s->object, s->region, s->offset);
		if (!nl_in_image(&h->target, va, s->len) || (va & 0xfff) + s->len > 0x1000)
			abort();
		free(expected);
		free(fresh);
	}
	free(text);
	free(data);
}

void fuzz_one(const uint8_t *bytes, size_t size)
{
	uint8_t *file = aligned_alloc(8, (size + 8) & ~(size_t)7);
	struct nl_leaf leaf;
	size_t signed_size = size;

	memcpy(file, bytes, size);
	nl_leaf_split(file, size, &signed_size);
	if (signed_size < size) { /* behind the signed part nothing may be read any more */
		uint8_t *shorter = aligned_alloc(8, (signed_size + 8) & ~(size_t)7);

		memcpy(shorter, file, signed_size);
		free(file);
		file = shorter;
	}
	if (nl_leaf_parse(file, signed_size, &leaf) == NL_OK)
		relocate(&leaf);
	free(file);
}

/* A leaf that passes: one site in each kind, a body, one relocation in each place. */
static size_t valid(uint8_t *out, size_t max)
{
	static const struct nl_leaf_site sites[2] = {
	        {0, NL_KERNEL_TEXT, 0x5005, 5, NL_SITE_TEXT, 1, 0, 5, 0x5000, 0x80, 0, 8, 16, {7}},
	        {0, NL_KERNEL_RODATA, 0x100, 8, NL_SITE_RODATA, 0, 10, 18, 0, 0, 0, 0, 0, {0}},
	};
	static const struct nl_leaf_reloc relocs[4] = {
	        {NL_AT_BYTES, NL_REL_PC32, NL_SYM_TEXT, 0, 6, 0, 0, 0, -4},
	        {NL_AT_BYTES, NL_REL_ABS64, NL_SYM_REGION, 1, 18, 0, NL_KERNEL_IMAGE, 0x100, 0},
	        {NL_AT_TEXT, NL_REL_ABS32S, NL_SYM_DATA, 0, 8, 0, 0, 0, 0},
	        {NL_AT_DATA, NL_REL_ABS64, NL_SYM_RETURN_THUNK, 0, 8, 0, 0, 0, 0},
	};
	static const char facts[] = "\x01\0\x0a\0\0\0\0\0CVE-2026-1\0\0\x06\0\x05\0\x02\0\0\0other\0\0";
	struct nl_leaf_header h = {
	        .magic = NL_LEAF_MAGIC, .format = NL_LEAF_FORMAT, .header_size = sizeof(h), .version = 1, .id = "leaf"};
	struct nl_leaf_target *t = &h.target;
	uint32_t at = sizeof(h);

	*t = (struct nl_leaf_target){.kernel = {.kind = NL_OBJECT_KERNEL,
	                                        .n_regions = NL_KERNEL_REGIONS,
	                                        .name = "vmlinux",
	                                        .build_id_len = 20,
	                                        .build_id_offset = 0x2f0000,
	                                        .text = {0, 32},
	                                        .data = {0, 32},
	                                        .regions = {{NL_MEM_IMAGE, 0x400000, 0, 0, LINK},
	                                                    {NL_MEM_TEXT, 0x200000, 0, 0, LINK},
	                                                    {NL_MEM_RODATA, 0x100000, 0, 0, LINK + 0x200000}}},
	                             .guest_os = NL_GUEST_LINUX,
	                             .syscall_entry = LINK + 0x1000,
	                             .page_table = LINK + 0x300000,
	                             .arena_pmd = LINK + 0x301000,
	                             .return_thunk = LINK + 0x302000,
	                             .kprobe_table = LINK + 0x303000,
	                             .init_task = LINK + 0x304000,
	                             .per_cpu_offset = LINK + 0x305000,
	                             .nr_cpu_ids_max = 64,
	                             .kprobe_hash_bits = 6,
	                             .thread_size = 16384};
	queue_target(&h.target);
	h.objects = (struct nl_leaf_part){at, 0};
	h.sites = (struct nl_leaf_part){at, 2};
	h.relocs = (struct nl_leaf_part){at += sizeof(sites), 4}; /* 152 bytes: no padding */
	h.facts = (struct nl_leaf_part){at += sizeof(relocs), sizeof(facts)};
	h.bytes = (struct nl_leaf_part){at += sizeof(facts), 26};
	h.text = (struct nl_leaf_part){at += 26, 32};
	h.data = (struct nl_leaf_part){at += 32, 32};
	h.strings = (struct nl_leaf_part){at += 32, 2};
	h.counters = 1;
	h.counter_cpus = 2;
	h.counter_offset = 64;
	h.bss_size = 32 + NL_COUNTER_ROW(1) * 2;
	h.signed_size = at + 2;
	if (h.signed_size > max)
		return 0;
	memset(out, 0, h.signed_size);
	memcpy(out + h.sites.offset, sites, sizeof(sites));
	memcpy(out + h.relocs.offset, relocs, sizeof(relocs));
	memcpy(out + h.facts.offset, facts, sizeof(facts));
	memcpy(out, &h, sizeof(h));
	return h.signed_size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	struct nl_leaf_header h;

	if (size < sizeof(h) || seed % 64 == 0)
		size = valid(data, max);
	if (seed % 3) {
		/* in place: fields change, lengths stay */
		size_t from = (seed >> 8) % (size + 1), n = size - from < 64 ? size - from : 64;
		uint8_t part[64];

		memcpy(part, data + from, n);
		n = LLVMFuzzerMutate(part, n, n);
		memcpy(data + from, part, n);
	} else {
		size = LLVMFuzzerMutate(data, size, max);
	}
	if (size >= sizeof(h) && seed % 16) {
		memcpy(&h, data, sizeof(h));
		h.magic = NL_LEAF_MAGIC;
		h.format = NL_LEAF_FORMAT;
		h.header_size = sizeof(h);
		h.signed_size = (uint32_t)size;
		memcpy(data, &h, sizeof(h));
	}
	return size;
}

void fuzz_seeds(void)
{
	uint8_t leaf[8192];

	fuzz_seed(leaf, valid(leaf, sizeof(leaf)));
}
