// SPDX-License-Identifier: Apache-2.0
/*
 * A leaf for the kernel, and one wrong thing each in it: the name by which the hypervisor refuses that, or NL_OK where
 * nothing of its own hangs on it; and the name by which the author's tools refuse it. test_leaf and
 * test_author_leafcheck read the table, each its own column.
 */
#ifndef TESTS_UNIT_BADLEAF_H
#define TESTS_UNIT_BADLEAF_H

#include "guest/target.h"
#include "makeleaf.h"
#include "queuetarget.h"

#define LINK 0xffffffff81000000ULL

static uint8_t file[NL_LEAF_MAX_SIZE + 256] __attribute__((aligned(64)));
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
#define BAD_LEAVES(X) \
	X(id_upper, NL_ELEAF, NL_ELEAF, m.header.id[0] = 'P') \
	X(id_empty, NL_ELEAF, NL_ELEAF, memset(m.header.id, 0, NL_LEAF_ID_LEN)) \
	X(id_endless, NL_ELEAF, NL_ELEAF, memset(m.header.id, 'a', NL_LEAF_ID_LEN)) \
	X(id_tail, NL_ELEAF, NL_ELEAF, m.header.id[40] = 'x') \
	X(consistency, NL_ELEAF, NL_ELEAF, m.header.consistency = 3) \
	X(reserved_header, NL_ELEAF, NL_ELEAF, m.header.reserved = 1) \
	X(confirmation, NL_OK, NL_ELEAF, m.header.confirm_s = NL_LEAF_MAX_CONFIRM_S + 1) \
	X(run_empty, NL_OK, NL_ERANGE, TARGET.returns[0].offset = 0x100) \
	X(run_out, NL_OK, NL_ERANGE, (TARGET.returns[1].offset = 0xffffff0, TARGET.returns[1].size = 16)) \
	X(nowhere_out, NL_OK, NL_ERANGE, (TARGET.nowhere[3].offset = 0xffffff0, TARGET.nowhere[3].size = 16)) \
	X(irq_stack_out, NL_OK, NL_ERANGE, TARGET.irq_stack = 0x100000000) \
	X(slots_out, NL_OK, NL_ERANGE, TARGET.probe_slots[1] = 0x1000) \
	X(formats_out, NL_OK, NL_ERANGE, TARGET.formats = 0x1000) \
	X(slots_huge, NL_OK, NL_ELEAF, TARGET.slots_insns = 1u << 16) \
	X(reserved_kernel, NL_OK, NL_ELEAF, TARGET.kernel.reserved = 1) \
	X(kernel_kind, NL_OK, NL_ELEAF, TARGET.kernel.kind = NL_OBJECT_MODULE) \
	X(kernel_name, NL_ELEAF, NL_ELEAF, TARGET.kernel.name[NL_OBJECT_NAME_LEN - 1] = 1) \
	X(build_id_tail, NL_OK, NL_ELEAF, TARGET.kernel.build_id[31] = 1) \
	X(build_id_region, NL_ELEAF, NL_ELEAF, TARGET.kernel.build_id_region = NL_KERNEL_REGIONS) \
	X(regions_few, NL_ELEAF, NL_ELEAF, TARGET.kernel.n_regions = 2) \
	X(regions_many, NL_OK, NL_ELEAF, TARGET.kernel.n_regions = 4) \
	X(region_kind, NL_OK, NL_ELEAF, REGION(TEXT).kind = NL_MEM_DATA) \
	X(region_unused, NL_OK, NL_ELEAF, TARGET.kernel.regions[7].base = 1) \
	X(no_sites, NL_ELEAF, NL_ELEAF, (m.n_sites = 0, m.n_relocs = 0)) \
	X(description, NL_OK, NL_ELEAF, m.header.description = 5) \
	X(guest, NL_EUNSUPPORTED, NL_EUNSUPPORTED, TARGET.guest_os = 2) \
	X(build_id_short, NL_ELEAF, NL_ELEAF, TARGET.kernel.build_id_len = 7) \
	X(build_id_long, NL_ELEAF, NL_ELEAF, TARGET.kernel.build_id_len = 33) \
	X(build_id_out, NL_OK, NL_ERANGE, TARGET.kernel.build_id_offset = 0x400000 - 19) \
	X(image_low, NL_OK, NL_ERANGE, REGION(IMAGE).base = 0x1000) \
	X(image_wraps, NL_OK, NL_ERANGE, REGION(IMAGE).size = 0x7f000000) \
	X(image_top, NL_OK, NL_ERANGE, REGION(IMAGE).size = 0x40000000) \
	X(text_out, NL_OK, NL_ERANGE, REGION(TEXT).size = 0x400001) \
	X(text_before, NL_OK, NL_ERANGE, REGION(TEXT).base = LINK - 1) \
	X(table_out, NL_OK, NL_ERANGE, TARGET.page_table = LINK + 0x3ff800) \
	X(table_skewed, NL_OK, NL_ERANGE, TARGET.page_table = LINK + 0x300008) \
	X(arena_out, NL_OK, NL_ERANGE, TARGET.arena_pmd = 0x1000) \
	X(arena_none, NL_OK, NL_EUNSUPPORTED, TARGET.arena_pmd = 0) \
	X(kprobes_out, NL_OK, NL_ERANGE, TARGET.kprobe_table = LINK + 0x3fff00) \
	X(kprobes_bits, NL_ERANGE, NL_ERANGE, TARGET.kprobe_hash_bits = 63) \
	X(stack_odd, NL_OK, NL_ELEAF, TARGET.thread_size = 12288) \
	X(stack_huge, NL_ELEAF, NL_ELEAF, TARGET.thread_size = 1u << 31) \
	X(offset_huge, NL_OK, NL_ELEAF, TARGET.task_stack = 0xfffffff0u) \
	X(cpus_none, NL_OK, NL_ELEAF, TARGET.nr_cpu_ids_max = 0) \
	X(queues_none, NL_OK, NL_ELEAF, TARGET.runqueues = 0) \
	X(queues_out, NL_OK, NL_ERANGE, TARGET.runqueues = LINK + 0x400000) \
	X(queues_odd, NL_OK, NL_ERANGE, TARGET.runqueues = 16u << 20) \
	X(idle_out, NL_OK, NL_ERANGE, TARGET.idle_threads = LINK - 8) \
	X(queue_of_no_class, NL_OK, NL_ELEAF, TARGET.rq_cfs_tasks = 0) \
	X(queue_node_none, NL_OK, NL_ELEAF, TARGET.task_rt_node = 0) \
	X(queue_deadline_none, NL_OK, NL_ELEAF, TARGET.rq_dl_bw = 0) \
	X(queue_offset_huge, NL_OK, NL_ELEAF, TARGET.rq_stop = 1u << 16) \
	X(on_cpu_none, NL_ELEAF, NL_ELEAF, TARGET.task_on_cpu.size = 0) \
	X(on_cpu_wide, NL_ELEAF, NL_ELEAF, TARGET.task_on_cpu.size = 16) \
	X(on_rq_odd, NL_OK, NL_ELEAF, TARGET.task_on_rq.size = 3) \
	X(ext_by_halves, NL_OK, NL_ELEAF, TARGET.ext_class = LINK + 0x310000) \
	X(ext_without_class, NL_OK, NL_ELEAF, TARGET.rq_ext = 8) \
	X(cpu_ids_out, NL_OK, NL_ERANGE, TARGET.nr_cpu_ids = LINK + 0x400000 - 2) \
	X(bandwidth_out, NL_OK, NL_ERANGE, TARGET.cfs_bandwidth = LINK + 0x400000 - 2) \
	X(attached_mask, NL_OK, NL_ELEAF, TARGET.server_attached_mask = 0x100) \
	X(site_empty, NL_ELEAF, NL_ELEAF, m.sites[1].len = 0) \
	X(site_long, NL_ELEAF, NL_ELEAF, (m.n_bytes = 200, m.sites[0].len = NL_SITE_MAX_LEN + 1)) \
	X(site_kind, NL_OK, NL_ELEAF, m.sites[0].kind = 3) \
	X(site_name, NL_OK, NL_ELEAF, m.sites[0].name = 5) \
	X(site_object, NL_ELEAF, NL_ELEAF, m.sites[1].object = 1) \
	X(site_region, NL_ELEAF, NL_ELEAF, m.sites[1].region = NL_KERNEL_REGIONS) \
	X(site_image, NL_OK, NL_ERANGE, m.sites[1].region = NL_KERNEL_IMAGE) \
	X(site_behind_region, NL_OK, NL_ERANGE, m.sites[1].offset = 0x100000) \
	X(site_wraps, NL_OK, NL_ERANGE, m.sites[1].offset = ~0u - 3) \
	X(rodata_in_text, NL_OK, NL_ERANGE, m.sites[1].region = NL_KERNEL_TEXT) \
	X(text_in_rodata, NL_OK, NL_ERANGE, m.sites[0].region = NL_KERNEL_RODATA) \
	X(site_crosses_page, NL_OK, NL_ERANGE, m.sites[1].offset = 0xffc) \
	X(site_outside_function, NL_OK, NL_ERANGE, m.sites[0].offset = 0x507c) \
	X(site_before_function, NL_OK, NL_ERANGE, m.sites[0].offset = 0x4fff) \
	X(function_wraps, NL_OK, NL_ERANGE, (m.sites[0].func_offset = ~0u - 7, m.sites[0].func_size = 0xffffffff)) \
	X(function_of_data, NL_OK, NL_ELEAF, m.sites[1].func_size = 1) \
	X(body_outside_text, NL_OK, NL_ERANGE, m.sites[0].body_offset = 0x10000) \
	X(body_of_data, NL_OK, NL_ELEAF, m.sites[1].body_size = 1) \
	X(hash_of_data, NL_OK, NL_ELEAF, m.sites[1].old_hash[31] = 1) \
	X(sites_overlap, NL_OK, NL_EOVERLAP, (m.sites[1] = m.sites[0], m.sites[1].offset++)) \
	X(sites_same, NL_OK, NL_EOVERLAP, m.sites[1] = m.sites[0]) \
	X(counter_unknown, NL_OK, NL_ELEAF, m.sites[0].counter = 1) \
	X(counter_of_data, NL_OK, NL_ELEAF, (count(1, 64), m.sites[1].counter = 1)) \
	X(counters_in_data, NL_OK, NL_ELEAF, count(1, 0)) \
	X(counters_skewed, NL_OK, NL_ELEAF, count(1, 72)) \
	X(counters_too_long, NL_ELEAF, NL_ELEAF, (count(1, 64), m.header.bss_size--)) \
	X(counters_too_many, NL_ELEAF, NL_ELEAF, count(3, 64)) \
	X(counters_without, NL_ELEAF, NL_ELEAF, (count(1, 64), m.header.counters = 0)) \
	X(bytes_unused, NL_OK, NL_ELEAF, m.n_bytes++) \
	X(fact_kind, NL_ELEAF, NL_ELEAF, FACT->kind = NL_FACT_KINDS) \
	X(fact_no_kind, NL_OK, NL_ELEAF, FACT->kind = 0) \
	X(fact_empty, NL_OK, NL_ELEAF, FACT->length = 0) \
	X(fact_long, NL_OK, NL_ELEAF, \
	  (memset(FACT->text, 'x', 600), FACT->length = NL_FACT_MAX_LEN + 1, m.n_facts = 524)) \
	X(fact_past_the_end, NL_OK, NL_ELEAF, FACT->length = 64) \
	X(fact_cut, NL_OK, NL_ELEAF, m.n_facts += 4) \
	X(fact_escape, NL_OK, NL_ELEAF, FACT->text[3] = 0x1b) \
	X(fact_nul, NL_OK, NL_ELEAF, FACT->text[9] = 0) \
	X(fact_padding, NL_OK, NL_ELEAF, FACT->text[10] = 'x') \
	X(fact_version, NL_OK, NL_ELEAF, FACT->version = 1) \
	X(fact_no_id, NL_OK, NL_ELEAF, make_fact(&m, NL_FACT_CONFLICTS, "No Id", 0)) \
	X(fact_long_id, NL_ELEAF, NL_ELEAF, make_fact(&m, NL_FACT_SUPERSEDES, LONG_ID, 0)) \
	X(fact_of_itself, NL_OK, NL_ELEAF, make_fact(&m, NL_FACT_REQUIRES, "prctl-auxv", 0)) \
	X(facts_too_many, NL_ELEAF, NL_ELEAF, \
	  (memset(m.facts, 0, sizeof(m.facts)), m.n_facts = NL_LEAF_MAX_FACTS + 4)) \
	X(bytes_out_of_order, NL_OK, NL_ELEAF, swap_runs(&m)) \
	X(bytes_out, NL_ELEAF, NL_ELEAF, m.sites[0].expected = m.n_bytes - 4) \
	X(bytes_wrap, NL_ELEAF, NL_ELEAF, m.sites[0].fresh = 0xfffffffeu) \
	X(bytes_shared, NL_OK, NL_ELEAF, m.sites[0].fresh = m.sites[0].expected + 1) \
	X(bytes_of_other_site, NL_OK, NL_ELEAF, m.sites[0].fresh = m.sites[1].fresh) \
	X(reloc_type, NL_ERELOC, NL_ERELOC, m.relocs[0].type = 9) \
	X(reloc_symbol, NL_OK, NL_ERELOC, m.relocs[0].symbol = 9) \
	X(reloc_where, NL_OK, NL_ERELOC, m.relocs[0].where = 9) \
	X(reloc_site, NL_OK, NL_ERELOC, m.relocs[0].site = 2) \
	X(reloc_other_site, NL_OK, NL_ERELOC, m.relocs[0].site = 1) \
	X(reloc_past_site, NL_OK, NL_ERELOC, m.relocs[0].offset++) \
	X(reloc_arena_in_expected, NL_OK, NL_ERELOC, m.relocs[0].offset = m.sites[0].expected) \
	X(reloc_past_text, NL_OK, NL_ERELOC, m.relocs[2].offset = 61) \
	X(reloc_past_data, NL_OK, NL_ERELOC, m.relocs[3].offset = 25) \
	X(reloc_wraps, NL_OK, NL_ERELOC, m.relocs[2].offset = 0xfffffffeu) \
	X(reloc_outside_kernel, NL_OK, NL_ERELOC, m.relocs[1].value = 0x400001) \
	X(reloc_object, NL_ERELOC, NL_ERELOC, m.relocs[1].object = 1) \
	X(reloc_region, NL_ERELOC, NL_ERELOC, m.relocs[1].region = NL_KERNEL_REGIONS) \
	X(reloc_region_of_none, NL_OK, NL_ERELOC, m.relocs[0].region = 1) \
	X(reloc_behind_data, NL_OK, NL_ERELOC, m.relocs[2].value = 97) \
	X(reloc_behind_text, NL_OK, NL_ERELOC, m.relocs[0].value = 65) \
	X(thunk_none, NL_OK, NL_ERELOC, TARGET.return_thunk = 0) \
	X(thunk_register, NL_OK, NL_ERELOC, m.relocs[4].value = 16) \
	X(indirect_thunk_none, NL_OK, NL_ERELOC, TARGET.indirect_thunks = 0) \
	X(indirect_thunk_outside, NL_OK, NL_ERANGE, TARGET.indirect_thunks = LINK + 0x400000 - 16 * 32 + 1) \
	X(its_thunk_outside, NL_OK, NL_ERANGE, TARGET.its_thunks = LINK + 0x400000 - 16 * 64 + 1) \
	X(plain_return_outside, NL_OK, NL_ERANGE, \
	  (TARGET.return_default = LINK, TARGET.return_plain = LINK + 0x400000)) \
	X(many_sites, NL_ELEAF, NL_ELEAF, (m.n_sites = NL_LEAF_MAX_SITES + 1)) \
	X(arena_skewed, NL_ERANGE, NL_ERANGE, TARGET.arena_pmd = LINK + 0x301008) \
	X(block_of_none, NL_ELEAF, NL_ELEAF, TARGET.block_next = 64 - 7) \
	X(cpus_many, NL_ELEAF, NL_ELEAF, TARGET.nr_cpu_ids_max = 8193) \
	X(counter_cpus_many, NL_ELEAF, NL_ELEAF, \
	  (count(1, 64), m.header.counter_cpus = 1024, m.header.bss_size = 0x100000)) \
	X(counter_cpus_odd, NL_OK, NL_ELEAF, (count(1, 64), m.header.counter_cpus = 3)) \
	X(counter_cpus_of_none, NL_ELEAF, NL_ELEAF, m.header.counter_cpus = ~0u) \
	X(counters_odd, NL_ELEAF, NL_ELEAF, count(1, 68)) \
	X(kernel_name_endless, NL_ELEAF, NL_ELEAF, memset(TARGET.kernel.name, 97, NL_OBJECT_NAME_LEN)) \
	X(regions_too_many, NL_ELEAF, NL_ELEAF, TARGET.kernel.n_regions = NL_MAX_REGIONS + 1) \
	X(part_of_kernel_long, NL_ELEAF, NL_ELEAF, \
	  (m.laid_out = true, TARGET.kernel.text.count = 65, TARGET.kernel.data.count = 32))

#endif
