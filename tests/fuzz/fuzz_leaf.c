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

/* An object's part of the body, in memory of just its size: what is relocated lies inside. */
static void relocate_part(const struct nl_leaf *l, const struct nl_placement *at, uint32_t object)
{
	const struct nl_leaf_object *o = nl_leaf_object(l, object);
	uint8_t *text = copy_of(l->text + o->text.offset, o->text.count),
	        *data = copy_of(l->data + o->data.offset, o->data.count);
	enum nl_err err = nl_reloc_body(l, at, object, text, data);

	FUZZ_CHECK(err == NL_OK || err == NL_ERELOC || err == NL_EMODULE);
	free(text);
	free(data);
}

static void check_module(const struct nl_leaf_object *o, const struct nl_leaf_target *t)
{
	FUZZ_CHECK(memchr(o->name, 0, sizeof(o->name)) && o->n_regions <= NL_MAX_REGIONS);
	for (uint32_t i = 0; i < o->n_regions; i++)
		FUZZ_CHECK(o->regions[i].pointer_at + 8 <= t->module_size &&
		           o->regions[i].size_at + 4 <= t->module_size);
	FUZZ_CHECK((uint64_t)o->build_id_offset + o->build_id_len <= o->regions[o->build_id_region].size);
}

static void relocate(const struct nl_leaf *l)
{
	const struct nl_leaf_header *h = l->header;
	struct nl_place places[NL_LEAF_MAX_OBJECTS] = {0};
	const struct nl_placement at = {.objects = places, .thunks = {LINK, LINK + 64, 32}};
	const struct nl_leaf_fact *f = NULL;
	uint32_t i, k;

	while ((f = nl_fact_next(l->facts, h->facts.count, f)))
		FUZZ_CHECK(f->text[f->length - 1] >= ' ' &&
		           (const uint8_t *)f->text + f->length <= l->facts + h->facts.count);
	FUZZ_CHECK(h->objects.count < NL_LEAF_MAX_OBJECTS);
	for (i = 0; i <= h->objects.count; i++) {
		places[i] = (struct nl_place){.text = 0xffffffffff800000, .data = 0xffffffffffa00000};
		/* one module is not there, and of the others what the initialiser needed is not */
		for (k = 0; i != 3 && k < nl_leaf_object(l, i)->n_regions; k++)
			if (nl_leaf_object(l, i)->regions[k].kind != NL_MEM_INIT_TEXT)
				places[i].base[k] = i ? 0xffffffffc0000000 + (i * 8 + k) * 0x100000 : LINK;
		if (i)
			check_module(nl_leaf_object(l, i), &h->target);
	}
	for (i = 0; i <= h->objects.count; i++)
		relocate_part(l, &at, i);
	for (i = 0; i < h->sites.count; i++) {
		const struct nl_leaf_site *s = &l->sites[i];
		uint8_t *expected = copy_of(l->bytes + s->expected, s->len),
		        *fresh = copy_of(l->bytes + s->fresh, s->len);
		const struct nl_leaf_object *o = nl_leaf_object(l, s->object);
		uint64_t va = nl_leaf_va(l, s->object, s->region, s->offset);

		nl_reloc_site(l, &at, i, expected, fresh);
		FUZZ_CHECK((uint64_t)s->offset + s->len <= o->regions[s->region].size);
		FUZZ_CHECK((va & 0xfff) + s->len <= 0x1000 && (s->object || nl_in_image(&h->target, va, s->len)));
		free(expected);
		free(fresh);
	}
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

#define PLACES(name_) \
	{ \
		.kind = NL_OBJECT_MODULE, .n_regions = 5, .name = name_, .build_id = {1, 2, 3}, .build_id_len = 20, \
		.build_id_region = 1, .build_id_offset = 0x10, .regions = { \
			{NL_MEM_TEXT, 0x2000, 0x100, 0x110, 0}, \
			{NL_MEM_RODATA, 0x3000, 0x100, 0x114, 0}, \
			{NL_MEM_DATA, 0x1000, 0x140, 0x150, 0}, \
			{NL_MEM_INIT_TEXT, 0x800, 0x160, 0x170, 0}, \
			{NL_MEM_PERCPU, 0x40, 0x180, 0x188, 0} \
		} \
	}

/* A leaf that passes: one site in each kind, a body, one relocation in each place; and, if it has modules, the same in
 * one of them, which refers to another. */
static size_t valid(uint8_t *out, size_t max, bool modules)
{
	static const struct nl_leaf_site sites[4] = {
	        {0, NL_KERNEL_TEXT, 0x5005, 5, NL_SITE_TEXT, 1, 0, 5, 0x5000, 0x80, 0, 0, 0, {7}},
	        {0, NL_KERNEL_RODATA, 0x100, 8, NL_SITE_RODATA, 0, 10, 18, 0, 0, 0, 0, 0, {0}},
	        {1, 0, 0x105, 5, NL_SITE_TEXT, 0, 26, 31, 0x100, 0x80, 0, 0, 32, {7}},
	        {1, 3, 0x45, 5, NL_SITE_TEXT, 0, 36, 41, 0x40, 0x20, 0, 0, 0, {7}},
	};
	static const struct nl_leaf_object objects[2] = {PLACES("alpha"), PLACES("beta")};
	const uint32_t n = modules ? 4 : 2, part = modules ? 64 : 0, n_relocs = modules ? 9 : 4;
	const struct nl_leaf_reloc relocs[9] = {
	        {NL_AT_BYTES, NL_REL_PC32, NL_SYM_TEXT, 0, 6, 0, 0, part, -4},
	        {NL_AT_BYTES, NL_REL_ABS64, NL_SYM_REGION, 1, 18, 0, NL_KERNEL_IMAGE, 0x100, 0},
	        {NL_AT_TEXT, NL_REL_ABS32S, NL_SYM_DATA, 0, part + 8, 0, 0, part, 0},
	        {NL_AT_DATA, NL_REL_ABS64, NL_SYM_RETURN_THUNK, 0, part + 8, 0, 0, 0, 0},
	        {NL_AT_BYTES, NL_REL_PC32, NL_SYM_TEXT, 2, 32, 1, 0, 0, -4},
	        {NL_AT_TEXT, NL_REL_ABS64, NL_SYM_REGION, 0, 8, 2, 0, 0x40, 0},
	        {NL_AT_TEXT, NL_REL_ABS64, NL_SYM_REGION, 0, 16, 1, 3, 0x40, 0},
	        {NL_AT_DATA, NL_REL_ABS64, NL_SYM_DATA, 0, 8, 0, 0, part, 0},
	        {NL_AT_DATA, NL_REL_ABS64, NL_SYM_DATA, 0, 16, 1, 0, 8, 0},
	};
	static const char facts[] = "\x01\0\x0a\0\0\0\0\0CVE-2026-1\0\0\x06\0\x05\0\x02\0\0\0other\0\0";
	struct nl_leaf_header h = {
	        .magic = NL_LEAF_MAGIC, .format = NL_LEAF_FORMAT, .header_size = sizeof(h), .version = 1, .id = "leaf"};
	struct nl_leaf_target *t = &h.target;
	struct nl_leaf_object *o;
	uint32_t at = sizeof(h);

	*t = (struct nl_leaf_target){.kernel = {.kind = NL_OBJECT_KERNEL,
	                                        .n_regions = NL_KERNEL_REGIONS,
	                                        .name = "vmlinux",
	                                        .build_id_len = 20,
	                                        .build_id_offset = 0x2f0000,
	                                        .text = {part, 32},
	                                        .data = {part, 32},
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
	if (modules) {
		t->modules = LINK + 0x306000;
		t->module_notify = LINK + 0x307000;
		t->module_size = 0x400;
		t->module_list = 8;
		t->module_name = 24;
		t->module_state = (struct nl_leaf_field){0, 4};
		t->notify_head = 40;
		t->block_next = 8;
		t->block_priority = 16;
	}
	h.objects = (struct nl_leaf_part){at, modules ? 2 : 0};
	h.sites = (struct nl_leaf_part){at += h.objects.count * (uint32_t)sizeof(objects[0]), n};
	h.relocs = (struct nl_leaf_part){at += n * (uint32_t)sizeof(sites[0]), n_relocs}; /* no padding: n is even */
	h.facts = (struct nl_leaf_part){at += n_relocs * (uint32_t)sizeof(relocs[0]), sizeof(facts)};
	h.bytes = (struct nl_leaf_part){at += sizeof(facts), modules ? 46 : 26};
	h.text = (struct nl_leaf_part){at += h.bytes.count, part + 32};
	h.data = (struct nl_leaf_part){at += h.text.count, part + 32};
	h.strings = (struct nl_leaf_part){at += h.data.count, 2};
	h.counters = 1;
	h.counter_cpus = 2;
	h.counter_offset = part + 64;
	h.bss_size = 32 + NL_COUNTER_ROW(1) * 2;
	h.signed_size = at + 2;
	if (h.signed_size > max)
		return 0;
	memset(out, 0, h.signed_size);
	memcpy(out + h.objects.offset, objects, h.objects.count * sizeof(objects[0]));
	if (modules) {
		o = (struct nl_leaf_object *)(void *)(out + h.objects.offset);
		o[0].text = o[0].data = (struct nl_leaf_part){0, 32};
		o[1].text = o[1].data = (struct nl_leaf_part){64, 0};
	}
	memcpy(out + h.sites.offset, sites, n * sizeof(sites[0]));
	memcpy(out + h.relocs.offset, relocs, n_relocs * sizeof(relocs[0]));
	memcpy(out + h.facts.offset, facts, sizeof(facts));
	memcpy(out, &h, sizeof(h));
	return h.signed_size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	struct nl_leaf_header h;

	if (size < sizeof(h) || seed % 64 == 0)
		size = valid(data, max, seed & 64);
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
	uint8_t leaf[8192] __attribute__((aligned(8)));
	struct nl_leaf parsed;
	size_t size;

	for (unsigned modules = 0; modules < 2; modules++) {
		size = valid(leaf, sizeof(leaf), modules);
		FUZZ_CHECK(!nl_leaf_parse(leaf, size, &parsed)); /* or they are worth nothing */
		fuzz_seed(leaf, size);
	}
}
