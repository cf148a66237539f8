// SPDX-License-Identifier: Apache-2.0
// sources: hv/leaf/leaf.c hv/leaf/signature.c hv/core/sha256.c hv/core/sodium.c tests/unit/makeleaf.c
// sources: hv/guest/target.c hv/guest/linux/target.c
// libs: -lcrypto
/*
 * The parser and the signature: a good leaf passes; cut at any length, with any bit flipped, or made by an author with
 * bad intent or bad tools it is refused by the right name. Files lie in buffers of exactly their size, so that ASan
 * sees a read too far.
 */
#include "host.h"
#include "guest/target.h"
#include "leaf/leaf.h"
#include "makeleaf.h"
#include "queuetarget.h"
#include "core/sha256.h"
#include "leaf/signature.h"

#define LINK 0xffffffff81000000ULL

static uint8_t file[NL_LEAF_MAX_SIZE + 256] __attribute__((aligned(64)));
static struct nl_key key;
static struct make_leaf m;

static struct nl_leaf_target target(void)
{
	struct nl_leaf_target t = {
	        .kernel = {.kind = NL_OBJECT_KERNEL,
	                   .n_regions = NL_KERNEL_REGIONS,
	                   .name = "vmlinux",
	                   .build_id_len = 20,
	                   .build_id_offset = 0x2f0000,
	                   .regions = {{.kind = NL_MEM_IMAGE, .size = 0x400000, .base = LINK},
	                               {.kind = NL_MEM_TEXT, .size = 0x200000, .base = LINK},
	                               {.kind = NL_MEM_RODATA, .size = 0x100000, .base = LINK + 0x200000}}},
	        .guest_os = NL_GUEST_LINUX,
	        .syscall_entry = LINK + 0x1000,
	        .page_table = LINK + 0x300000,
	        .arena_pmd = LINK + 0x301000,
	        .return_thunk = LINK + 0x302000,
	        .indirect_thunks = LINK + 0x1000,
	        .its_thunks = LINK + 0x2000,
	        .kprobe_table = LINK + 0x303000,
	        .init_task = LINK + 0x304000,
	        .per_cpu_offset = LINK + 0x305000,
	        .nr_cpu_ids_max = 64,
	        .kprobe_hash_bits = 6,
	        .thread_size = 16384,
	};
	queue_target(&t);
	return t;
}

static void start_leaf(void)
{
	const struct nl_leaf_target t = target();

	make_start(&m, "prctl-auxv", 1, &t);
	make_site(&m, LINK + 0x5005, "\x0f\x1f\x44\x00\x00", "\xe9\x00\x00\x00\x00", 5, LINK + 0x5000, 0x80);
	make_site(&m, LINK + 0x200100, "\0\0\0\0\0\0\0\0", "\1\1\1\1\1\1\1\1", 8, 0, 0);
	memset(m.text, 0x90, m.n_text = 64);
	memset(m.data, 0x11, m.n_data = 32);
	m.header.bss_size = 64;
	make_reloc(&m,
	           (struct nl_leaf_reloc){NL_AT_BYTES, NL_REL_PC32, NL_SYM_TEXT, 0, m.sites[0].fresh + 1, 0, 0, 0, -4});
	make_reloc(&m, (struct nl_leaf_reloc){NL_AT_BYTES, NL_REL_ABS64, NL_SYM_REGION, 1, m.sites[1].fresh, 0,
	                                      NL_KERNEL_IMAGE, 0x6000, 0});
	make_reloc(&m, (struct nl_leaf_reloc){NL_AT_TEXT, NL_REL_ABS32S, NL_SYM_DATA, 0, 8, 0, 0, 96, 0});
	make_reloc(&m, (struct nl_leaf_reloc){NL_AT_DATA, NL_REL_ABS64, NL_SYM_RETURN_THUNK, 0, 24, 0, 0, 0, 0});
	make_reloc(&m, (struct nl_leaf_reloc){NL_AT_TEXT, NL_REL_PC32, NL_SYM_INDIRECT_THUNK, 0, 16, 0, 0, 15, -4});
	make_fact(&m, NL_FACT_CVE, "CVE-2026-1", 0);
	make_fact(&m, NL_FACT_REQUIRES, "other-leaf", 2);
}

/* Everything the core does with a file before it looks at the guest. */
static enum nl_err check(const void *bytes, size_t size)
{
	const struct nl_signature *signatures;
	uint32_t n, known = 0;
	struct nl_leaf leaf;
	size_t signed_size;
	uint8_t digest[32];
	enum nl_err err = nl_leaf_split(bytes, size, &signed_size);

	if (!err)
		err = nl_signatures_find((const uint8_t *)bytes + signed_size, size - signed_size, &signatures, &n);
	if (err)
		return err;
	nl_sha256_of(bytes, signed_size, digest);
	for (uint32_t i = 0; i < n && !err; i++)
		err = nl_signature_check(NL_DOMAIN_LEAF, digest, &signatures[i], &key, 1, NL_ROLE_AUTHOR, &known);
	return err ? err : !known ? NL_EKEY : nl_leaf_parse(bytes, signed_size, &leaf);
}

static enum nl_err check_exact(size_t size)
{
	uint8_t *copy = aligned_alloc(8, (size + 7) & ~(size_t)7 ? (size + 7) & ~(size_t)7 : 8);
	enum nl_err err;

	memcpy(copy, file, size);
	err = check(copy, size);
	free(copy);
	return err;
}

/* Write, sign, check: an author's key does not make a bad leaf good. */
static enum nl_err check_signed(void) { return check_exact(make_sign(file, make_write(&m, file))); }

static int setup(void **state)
{
	(void)state;
	host_seed(2);
	make_key(&key, "demo", NL_ROLE_AUTHOR);
	start_leaf();
	return 0;
}

static void good(void **state)
{
	(void)state;
	assert_int_equal(check_signed(), NL_OK);
}

static void truncated_everywhere(void **state)
{
	size_t size = make_sign(file, make_write(&m, file)), i;

	(void)state;
	for (i = 0; i < size; i++) {
		enum nl_err err = check_exact(i);

		assert_int_equal(err, i == size - MAKE_SIGNATURE ? NL_EUNSIGNED : NL_ELEAF);
	}
	assert_int_equal(check_exact(size + 1), NL_ELEAF);
}

static void any_bit_flipped(void **state)
{
	unsigned stranger;
	struct nl_key other;
	size_t size, i;

	(void)state;
	/* Signed by somebody whom nobody knows, too: what does not count is checked as well. */
	stranger = make_key(&other, "stranger", NL_ROLE_AUTHOR);
	size = make_sign_by(file, make_write(&m, file), (unsigned[]){stranger, stranger - 1}, 2);
	assert_int_equal(check_exact(size), NL_OK);
	for (i = 0; i < size * 8; i++) {
		enum nl_err err;

		file[i / 8] ^= (uint8_t)(1u << i % 8);
		err = check_exact(size);
		file[i / 8] ^= (uint8_t)(1u << i % 8);
		if (err != NL_ELEAF && err != NL_ESIGNATURE)
			fail_msg("bit %zu: error %d", i, err);
	}
	assert_int_equal(check_exact(size), NL_OK);
}

static void keys(void **state)
{
	struct nl_key trusted = key, other;

	(void)state;
	make_key(&other, "stranger", NL_ROLE_AUTHOR);
	assert_int_equal(check_signed(), NL_EKEY);
	key = other;
	assert_int_equal(check_signed(), NL_OK);
	key.role = NL_ROLE_OPERATOR;
	assert_int_equal(check_signed(), NL_EKEY);
	key = trusted;
}

/* One wrong thing each; the name it must be refused by. */
#define TARGET m.header.target
#define FACT ((struct nl_leaf_fact *)(void *)m.facts)
#define LONG_ID "a23456789.b23456789.c23456789.d23456789.e2345678"

/* n counters, of which the first begins there, behind the body's data. */
static void count(uint32_t n, uint32_t at)
{
	m.header.counters = n;
	m.header.counter_cpus = 4;
	m.header.counter_offset = at;
	m.header.bss_size = at + NL_COUNTER_ROW(n) * 4 - m.n_data;
}

/* Bytes that are the other way round are no site's. */
static void swap_runs(struct make_leaf *leaf)
{
	uint32_t expected = leaf->sites[1].expected;

	leaf->sites[1].expected = leaf->sites[1].fresh;
	leaf->sites[1].fresh = expected;
}

#define REGION(name) TARGET.kernel.regions[NL_KERNEL_##name]
#define BAD(name, error, change) \
	static void bad_##name(void **state) \
	{ \
		(void)state; \
		change; \
		assert_int_equal(check_signed(), error); \
	}
#define BAD_LEAVES(X) \
	X(id_upper, NL_ELEAF, m.header.id[0] = 'P') \
	X(id_empty, NL_ELEAF, memset(m.header.id, 0, NL_LEAF_ID_LEN)) \
	X(id_endless, NL_ELEAF, memset(m.header.id, 'a', NL_LEAF_ID_LEN)) \
	X(id_tail, NL_ELEAF, m.header.id[40] = 'x') \
	X(consistency, NL_ELEAF, m.header.consistency = 3) \
	X(reserved_header, NL_ELEAF, m.header.reserved[1] = 1) \
	X(run_empty, NL_ERANGE, TARGET.probe_return = 0x100) \
	X(run_out, NL_ERANGE, TARGET.graph_return = 0xffffff01) \
	X(reserved_kernel, NL_ELEAF, TARGET.kernel.reserved = 1) \
	X(kernel_kind, NL_ELEAF, TARGET.kernel.kind = NL_OBJECT_MODULE) \
	X(kernel_name, NL_ELEAF, TARGET.kernel.name[NL_OBJECT_NAME_LEN - 1] = 1) \
	X(build_id_tail, NL_ELEAF, TARGET.kernel.build_id[31] = 1) \
	X(build_id_region, NL_ELEAF, TARGET.kernel.build_id_region = NL_KERNEL_REGIONS) \
	X(regions_few, NL_ELEAF, TARGET.kernel.n_regions = 2) \
	X(regions_many, NL_ELEAF, TARGET.kernel.n_regions = 4) \
	X(region_kind, NL_ELEAF, REGION(TEXT).kind = NL_MEM_DATA) \
	X(region_unused, NL_ELEAF, TARGET.kernel.regions[7].base = 1) \
	X(no_sites, NL_ELEAF, (m.n_sites = 0, m.n_relocs = 0)) \
	X(description, NL_ELEAF, m.header.description = 5) \
	X(guest, NL_EUNSUPPORTED, TARGET.guest_os = 2) \
	X(build_id_short, NL_ELEAF, TARGET.kernel.build_id_len = 7) \
	X(build_id_long, NL_ELEAF, TARGET.kernel.build_id_len = 33) \
	X(build_id_out, NL_ERANGE, TARGET.kernel.build_id_offset = 0x400000 - 19) \
	X(image_low, NL_ERANGE, REGION(IMAGE).base = 0x1000) \
	X(image_wraps, NL_ERANGE, REGION(IMAGE).size = 0x7f000000) \
	X(image_top, NL_ERANGE, REGION(IMAGE).size = 0x40000000) \
	X(text_out, NL_ERANGE, REGION(TEXT).size = 0x400001) \
	X(text_before, NL_ERANGE, REGION(TEXT).base = LINK - 1) \
	X(table_out, NL_ERANGE, TARGET.page_table = LINK + 0x3ff800) \
	X(table_skewed, NL_ERANGE, TARGET.page_table = LINK + 0x300008) \
	X(arena_out, NL_ERANGE, TARGET.arena_pmd = 0x1000) \
	X(arena_none, NL_EUNSUPPORTED, TARGET.arena_pmd = 0) \
	X(kprobes_out, NL_ERANGE, TARGET.kprobe_table = LINK + 0x3fff00) \
	X(kprobes_bits, NL_ERANGE, TARGET.kprobe_hash_bits = 63) \
	X(stack_odd, NL_ELEAF, TARGET.thread_size = 12288) \
	X(stack_huge, NL_ELEAF, TARGET.thread_size = 1u << 31) \
	X(offset_huge, NL_ELEAF, TARGET.task_stack = 0xfffffff0u) \
	X(cpus_none, NL_ELEAF, TARGET.nr_cpu_ids_max = 0) \
	X(queues_none, NL_ELEAF, TARGET.runqueues = 0) \
	X(queues_out, NL_ERANGE, TARGET.runqueues = LINK + 0x400000) \
	X(queues_odd, NL_ERANGE, TARGET.runqueues = 16u << 20) \
	X(idle_out, NL_ERANGE, TARGET.idle_threads = LINK - 8) \
	X(queue_of_no_class, NL_ELEAF, TARGET.rq_cfs_tasks = 0) \
	X(queue_node_none, NL_ELEAF, TARGET.task_rt_node = 0) \
	X(queue_deadline_none, NL_ELEAF, TARGET.rq_dl_bw = 0) \
	X(queue_offset_huge, NL_ELEAF, TARGET.rq_stop = 1u << 16) \
	X(on_cpu_none, NL_ELEAF, TARGET.task_on_cpu.size = 0) \
	X(on_cpu_wide, NL_ELEAF, TARGET.task_on_cpu.size = 16) \
	X(on_rq_odd, NL_ELEAF, TARGET.task_on_rq.size = 3) \
	X(ext_by_halves, NL_ELEAF, TARGET.ext_class = LINK + 0x310000) \
	X(ext_without_class, NL_ELEAF, TARGET.rq_ext = 8) \
	X(cpu_ids_out, NL_ERANGE, TARGET.nr_cpu_ids = LINK + 0x400000 - 2) \
	X(bandwidth_out, NL_ERANGE, TARGET.cfs_bandwidth = LINK + 0x400000 - 2) \
	X(attached_mask, NL_ELEAF, TARGET.server_attached_mask = 0x100) \
	X(site_empty, NL_ELEAF, m.sites[1].len = 0) \
	X(site_long, NL_ELEAF, m.sites[0].len = NL_SITE_MAX_LEN + 1) \
	X(site_kind, NL_ELEAF, m.sites[0].kind = 3) \
	X(site_name, NL_ELEAF, m.sites[0].name = 5) \
	X(site_object, NL_ELEAF, m.sites[1].object = 1) \
	X(site_region, NL_ELEAF, m.sites[1].region = NL_KERNEL_REGIONS) \
	X(site_image, NL_ERANGE, m.sites[1].region = NL_KERNEL_IMAGE) \
	X(site_behind_region, NL_ERANGE, m.sites[1].offset = 0x100000) \
	X(site_wraps, NL_ERANGE, m.sites[1].offset = ~0u - 3) \
	X(rodata_in_text, NL_ERANGE, m.sites[1].region = NL_KERNEL_TEXT) \
	X(text_in_rodata, NL_ERANGE, m.sites[0].region = NL_KERNEL_RODATA) \
	X(site_crosses_page, NL_ERANGE, m.sites[1].offset = 0xffc) \
	X(site_outside_function, NL_ERANGE, m.sites[0].offset = 0x507c) \
	X(site_before_function, NL_ERANGE, m.sites[0].offset = 0x4fff) \
	X(function_wraps, NL_ERANGE, (m.sites[0].func_offset = ~0u - 7, m.sites[0].func_size = 0xffffffff)) \
	X(function_of_data, NL_ELEAF, m.sites[1].func_size = 1) \
	X(body_outside_text, NL_ERANGE, m.sites[0].body_offset = 0x10000) \
	X(body_of_data, NL_ELEAF, m.sites[1].body_size = 1) \
	X(hash_of_data, NL_ELEAF, m.sites[1].old_hash[31] = 1) \
	X(sites_overlap, NL_EOVERLAP, (m.sites[1] = m.sites[0], m.sites[1].offset++)) \
	X(sites_same, NL_EOVERLAP, m.sites[1] = m.sites[0]) \
	X(counter_unknown, NL_ELEAF, m.sites[0].counter = 1) \
	X(counter_of_data, NL_ELEAF, (count(1, 64), m.sites[1].counter = 1)) \
	X(counters_in_data, NL_ELEAF, count(1, 0)) \
	X(counters_skewed, NL_ELEAF, count(1, 72)) \
	X(counters_too_long, NL_ELEAF, (count(1, 64), m.header.bss_size--)) \
	X(counters_too_many, NL_ELEAF, count(3, 64)) \
	X(counters_without, NL_ELEAF, (count(1, 64), m.header.counters = 0)) \
	X(bytes_unused, NL_ELEAF, m.n_bytes++) \
	X(fact_kind, NL_ELEAF, FACT->kind = NL_FACT_KINDS) \
	X(fact_no_kind, NL_ELEAF, FACT->kind = 0) \
	X(fact_empty, NL_ELEAF, FACT->length = 0) \
	X(fact_long, NL_ELEAF, (memset(FACT->text, 'x', 600), FACT->length = NL_FACT_MAX_LEN + 1, m.n_facts = 524)) \
	X(fact_past_the_end, NL_ELEAF, FACT->length = 64) \
	X(fact_cut, NL_ELEAF, m.n_facts += 4) \
	X(fact_escape, NL_ELEAF, FACT->text[3] = 0x1b) \
	X(fact_nul, NL_ELEAF, FACT->text[9] = 0) \
	X(fact_padding, NL_ELEAF, FACT->text[10] = 'x') \
	X(fact_version, NL_ELEAF, FACT->version = 1) \
	X(fact_no_id, NL_ELEAF, make_fact(&m, NL_FACT_CONFLICTS, "No Id", 0)) \
	X(fact_long_id, NL_ELEAF, make_fact(&m, NL_FACT_SUPERSEDES, LONG_ID, 0)) \
	X(fact_of_itself, NL_ELEAF, make_fact(&m, NL_FACT_REQUIRES, "prctl-auxv", 0)) \
	X(facts_too_many, NL_ELEAF, (memset(m.facts, 0, sizeof(m.facts)), m.n_facts = NL_LEAF_MAX_FACTS + 4)) \
	X(bytes_out_of_order, NL_ELEAF, swap_runs(&m)) \
	X(bytes_out, NL_ELEAF, m.sites[0].expected = m.n_bytes - 4) \
	X(bytes_wrap, NL_ELEAF, m.sites[0].fresh = 0xfffffffeu) \
	X(bytes_shared, NL_ELEAF, m.sites[0].fresh = m.sites[0].expected + 1) \
	X(bytes_of_other_site, NL_ELEAF, m.sites[0].fresh = m.sites[1].fresh) \
	X(reloc_type, NL_ERELOC, m.relocs[0].type = 9) \
	X(reloc_symbol, NL_ERELOC, m.relocs[0].symbol = 9) \
	X(reloc_where, NL_ERELOC, m.relocs[0].where = 9) \
	X(reloc_site, NL_ERELOC, m.relocs[0].site = 2) \
	X(reloc_other_site, NL_ERELOC, m.relocs[0].site = 1) \
	X(reloc_past_site, NL_ERELOC, m.relocs[0].offset++) \
	X(reloc_arena_in_expected, NL_ERELOC, m.relocs[0].offset = m.sites[0].expected) \
	X(reloc_past_text, NL_ERELOC, m.relocs[2].offset = 61) \
	X(reloc_past_data, NL_ERELOC, m.relocs[3].offset = 25) \
	X(reloc_wraps, NL_ERELOC, m.relocs[2].offset = 0xfffffffeu) \
	X(reloc_outside_kernel, NL_ERELOC, m.relocs[1].value = 0x400001) \
	X(reloc_object, NL_ERELOC, m.relocs[1].object = 1) \
	X(reloc_region, NL_ERELOC, m.relocs[1].region = NL_KERNEL_REGIONS) \
	X(reloc_region_of_none, NL_ERELOC, m.relocs[0].region = 1) \
	X(reloc_behind_data, NL_ERELOC, m.relocs[2].value = 97) \
	X(reloc_behind_text, NL_ERELOC, m.relocs[0].value = 65) \
	X(thunk_none, NL_ERELOC, TARGET.return_thunk = 0) \
	X(thunk_register, NL_ERELOC, m.relocs[4].value = 16) \
	X(indirect_thunk_none, NL_ERELOC, TARGET.indirect_thunks = 0) \
	X(indirect_thunk_outside, NL_ERANGE, TARGET.indirect_thunks = LINK + 0x400000 - 16 * 32 + 1) \
	X(its_thunk_outside, NL_ERANGE, TARGET.its_thunks = LINK + 0x400000 - 16 * 64 + 1) \
	X(plain_return_outside, NL_ERANGE, (TARGET.return_default = LINK, TARGET.return_plain = LINK + 0x400000)) \
	X(many_sites, NL_ELEAF, (m.n_sites = NL_LEAF_MAX_SITES + 1))
BAD_LEAVES(BAD)

/* They are read in one piece. */
static void bad_strings_long(void **state)
{
	size_t size = make_write(&m, file);
	struct nl_leaf_header *h = (struct nl_leaf_header *)file;
	uint32_t more = NL_LEAF_MAX_STRINGS - h->strings.count;

	(void)state;
	memset(file + size, 0, more + 1);
	h->signed_size += more;
	h->strings.count += more;
	assert_int_equal(check_exact(make_sign(file, size + more)), NL_OK);
	h->signed_size++;
	h->strings.count++;
	assert_int_equal(check_exact(make_sign(file, size + more + 1)), NL_ELEAF);
}

/* Two parts that share bytes: one of them would be relocated under the other's eyes. */
static void bad_parts_overlap(void **state)
{
	size_t size = make_write(&m, file);
	struct nl_leaf_header *h = (struct nl_leaf_header *)file;

	(void)state;
	h->text.offset = h->bytes.offset;
	assert_int_equal(check_exact(make_sign(file, size)), NL_ELEAF);
}

/* Bytes between two parts, or behind the last one, are no part of anything. */
static void bad_holes(void **state)
{
	size_t size;
	struct nl_leaf_header *h = (struct nl_leaf_header *)file;

	(void)state;
	m.n_sites = 1; /* 76 bytes: four of padding follow */
	m.n_bytes = 10;
	m.n_relocs = 1;
	assert_int_equal(check_signed(), NL_OK);
	size = make_write(&m, file);
	file[h->relocs.offset - 1] = 1;
	assert_int_equal(check_exact(make_sign(file, size)), NL_ELEAF);
	size = make_write(&m, file);
	h->signed_size++;
	assert_int_equal(check_exact(make_sign(file, size + 1)), NL_ELEAF);
}

static void counters(void **state)
{
	(void)state;
	count(1, 64);
	m.sites[0].counter = 1;
	assert_int_equal(check_signed(), NL_OK);
}

/* Mutations that no one thought of: the parser either refuses or everything it points at is inside the file. */
static void mutated(void **state)
{
	size_t size = make_write(&m, file), i, k;
	uint8_t *copy = aligned_alloc(8, (size + 7) & ~(size_t)7);
	unsigned accepted = 0;

	(void)state;
	for (i = 0; i < 200000; i++) {
		struct nl_leaf l;

		memcpy(copy, file, size);
		for (k = 1 + host_below(3); k; k--) {
			size_t at = host_below(host_below(4) ? sizeof(struct nl_leaf_header) + 300 : size);

			if (host_below(2))
				copy[at] = (uint8_t)host_random();
			else
				copy[at & ~(size_t)3] = (uint8_t)(host_below(2) ? 0xff : 0);
		}
		if (nl_leaf_parse(copy, size, &l))
			continue;
		accepted++;
		for (k = 0; k < l.header->sites.count; k++) {
			const struct nl_leaf_site *s = &l.sites[k];

			assert_true((uint64_t)l.header->bytes.offset + s->fresh + s->len <= size);
			assert_true((uint64_t)l.header->bytes.offset + s->expected + s->len <= size);
			uint64_t va = l.header->target.kernel.regions[s->region].base + s->offset;

			assert_true((va & NL_PAGE_MASK) + s->len <= NL_PAGE_SIZE);
			assert_true(nl_in_image(&l.header->target, va, s->len));
		}
		for (k = 0; k < l.header->relocs.count; k++) {
			const struct nl_leaf_part *p = l.relocs[k].where == NL_AT_TEXT   ? &l.header->text
			                               : l.relocs[k].where == NL_AT_DATA ? &l.header->data
			                                                                 : &l.header->bytes;

			assert_true((uint64_t)l.relocs[k].offset + nl_reloc_size(l.relocs[k].type) <= p->count);
			assert_true((uint64_t)p->offset + p->count <= size);
		}
	}
	free(copy);
	assert_true(accepted > 1000); /* the mutations reach behind the first check */
}

int main(void)
{
#define BAD_TEST(name, error, change) cmocka_unit_test_setup(bad_##name, setup),
	const struct CMUnitTest tests[] = {cmocka_unit_test_setup(good, setup),
	                                   cmocka_unit_test_setup(truncated_everywhere, setup),
	                                   cmocka_unit_test_setup(any_bit_flipped, setup),
	                                   cmocka_unit_test_setup(keys, setup),
	                                   cmocka_unit_test_setup(bad_parts_overlap, setup),
	                                   cmocka_unit_test_setup(bad_holes, setup),
	                                   cmocka_unit_test_setup(bad_strings_long, setup),
	                                   cmocka_unit_test_setup(counters, setup),
	                                   cmocka_unit_test_setup(mutated, setup),
	                                   BAD_LEAVES(BAD_TEST)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
