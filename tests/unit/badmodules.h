// SPDX-License-Identifier: Apache-2.0
/* A leaf for the kernel and three modules, and one wrong thing each in it: columns as in badleaf.h. test_leaf_modules
 * and test_author_leafcheck_modules read the table. */
#ifndef TESTS_UNIT_BADMODULES_H
#define TESTS_UNIT_BADMODULES_H

#include "guest/target.h"
#include "makeleaf.h"
#include "queuetarget.h"

#define LINK 0xffffffff81000000ULL

static uint8_t file[NL_LEAF_MAX_SIZE + 256] __attribute__((aligned(64)));
static struct make_leaf m;

enum { TEXT, RODATA, DATA, INIT, PERCPU, REGIONS };

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
	        .init_task = LINK + 0x304000,
	        .per_cpu_offset = LINK + 0x305000,
	        .nr_cpu_ids_max = 64,
	        .thread_size = 16384,
	        .modules = LINK + 0x306000,
	        .module_notify = LINK + 0x307000,
	        .module_size = 0x400,
	        .module_list = 8,
	        .module_name = 24,
	        .notify_head = 40,
	        .block_next = 8,
	        .block_priority = 16,
	        .module_state = {0, 4},
	};
	queue_target(&t);
	return t;
}

static struct nl_leaf_object object(const char *name)
{
	struct nl_leaf_object o = {
	        .kind = NL_OBJECT_MODULE,
	        .n_regions = REGIONS,
	        .build_id = {1, 2, 3},
	        .build_id_len = 20,
	        .build_id_region = RODATA,
	        .build_id_offset = 0x10,
	        .regions = {{.kind = NL_MEM_TEXT, .size = 0x2000, .pointer_at = 0x100, .size_at = 0x110},
	                    {.kind = NL_MEM_RODATA, .size = 0x1000, .pointer_at = 0x120, .size_at = 0x130},
	                    {.kind = NL_MEM_DATA, .size = 0x1000, .pointer_at = 0x140, .size_at = 0x150},
	                    {.kind = NL_MEM_INIT_TEXT, .size = 0x800, .pointer_at = 0x160, .size_at = 0x170},
	                    {.kind = NL_MEM_PERCPU, .size = 0x40, .pointer_at = 0x180, .size_at = 0x188}},
	};

	strcpy(o.name, name);
	return o;
}

enum { KERNEL_SITE, ALPHA_SITE, ALPHA_DATA, ALPHA_INIT, BETA_SITE }; /* sites */
enum {                                                               /* relocs */
       ALPHA_JUMP,                                                   /* a site's, to its own body */
       ALPHA_BODY,                                                   /* to beta's text */
       ALPHA_BODY_DATA,
       ALPHA_BODY_KERNEL,
       BETA_EXPECTED, /* expected bytes of a site, to its own per-CPU variable */
       KERNEL_BODY,
       KERNEL_DATA
};

#define ALPHA m.modules[0]
#define BETA m.modules[1]
#define ADD(...) make_reloc(&m, (struct nl_leaf_reloc){__VA_ARGS__})

/* Alpha, beta, and gamma, which is only referred to. */
static void start_leaf(void)
{
	const struct nl_leaf_object alpha = object("alpha"), beta = object("beta"), gamma = object("gamma");
	const struct nl_leaf_target t = target();

	make_start(&m, "modules", 1, &t);
	make_module(&m, &alpha);
	make_module(&m, &beta);
	make_module(&m, &gamma);
	memset(m.parts[0].text, 0x90, m.parts[0].n_text = 70);
	memset(m.parts[0].data, 0x11, m.parts[0].n_data = 24);
	memset(m.parts[1].text, 0x90, m.parts[1].n_text = 64);
	memset(m.text, 0x90, m.n_text = 33);
	memset(m.data, 0x22, m.n_data = 16);
	m.header.bss_size = 40;
	make_layout(&m); /* text: 0, 128, 192, 192; data: 0, 64, 64, 64 */
	make_site(&m, LINK + 0x5005, "\x0f\x1f\x44\0\0", "\xe9\0\0\0\0", 5, LINK + 0x5000, 0x80);
	make_module_site(&m, 1, TEXT, 0x105, "\x0f\x1f\x44\0\0", "\xe9\0\0\0\0", 5, 0x100, 0x40);
	make_module_site(&m, 1, RODATA, 0x200, "\1\2\3\4\5\6\7\10", "\0\0\0\0\0\0\0\0", 8, 0, 0);
	make_module_site(&m, 1, INIT, 0x45, "\x0f\x1f\x44\0\0", "\xe9\0\0\0\0", 5, 0x40, 0x20);
	make_module_site(&m, 2, TEXT, 0x105, "\x0f\x1f\x44\0\0\0\0\0", "\xe9\0\0\0\0\0\0\0", 8, 0x100, 0x40);
	m.sites[ALPHA_SITE].body_size = 70;
	m.sites[BETA_SITE].body_offset = 128;
	m.sites[BETA_SITE].body_size = 64;
	ADD(NL_AT_BYTES, NL_REL_PC32, NL_SYM_TEXT, ALPHA_SITE, m.sites[ALPHA_SITE].fresh + 1, 1, 0, 0, -4);
	ADD(NL_AT_TEXT, NL_REL_PC32, NL_SYM_REGION, 0, 66, 2, TEXT, 0x2000, -4);
	ADD(NL_AT_TEXT, NL_REL_ABS64, NL_SYM_DATA, 0, 8, 1, 0, 24, 0);
	ADD(NL_AT_DATA, NL_REL_ABS64, NL_SYM_DATA, 0, 8, 0, 0, 64 + 16 + 40, 0);
	ADD(NL_AT_BYTES, NL_REL_ABS32, NL_SYM_REGION, BETA_SITE, m.sites[BETA_SITE].expected + 1, 2, PERCPU, 8, 0);
	ADD(NL_AT_TEXT, NL_REL_ABS64, NL_SYM_TEXT, 0, 192 + 25, 0, 0, 192 + 33, 0);
	ADD(NL_AT_DATA, NL_REL_ABS64, NL_SYM_REGION, 0, 64 + 8, 0, NL_KERNEL_TEXT, 8, 0);
}

#define TARGET m.header.target
#define BAD_LEAVES(X) \
	X(kind_none, NL_OK, NL_EOBJECT, ALPHA.kind = 0) \
	X(kind_kernel, NL_OK, NL_EOBJECT, BETA.kind = NL_OBJECT_KERNEL) \
	X(name_empty, NL_OK, NL_EOBJECT, memset(ALPHA.name, 0, NL_OBJECT_NAME_LEN)) \
	X(name_endless, NL_EOBJECT, NL_EOBJECT, memset(ALPHA.name, 'a', NL_OBJECT_NAME_LEN)) \
	X(name_tail, NL_EOBJECT, NL_EOBJECT, ALPHA.name[NL_OBJECT_NAME_LEN - 1] = 'a') \
	X(name_space, NL_OK, NL_EOBJECT, ALPHA.name[1] = ' ') \
	X(name_escape, NL_OK, NL_EOBJECT, ALPHA.name[1] = 0x1b) \
	X(name_high, NL_OK, NL_EOBJECT, ALPHA.name[1] = (char)0x80) \
	X(name_twice, NL_OK, NL_EOBJECT, strcpy(m.modules[2].name, "alpha")) \
	X(regions_none, NL_EOBJECT, NL_EOBJECT, m.modules[2].n_regions = 0) \
	X(regions_many, NL_EOBJECT, NL_EOBJECT, ALPHA.n_regions = NL_MAX_REGIONS + 1) \
	X(region_unused, NL_OK, NL_EOBJECT, ALPHA.regions[REGIONS].size_at = 1) \
	X(region_kind_none, NL_OK, NL_EOBJECT, ALPHA.regions[DATA].kind = 0) \
	X(region_kind_new, NL_OK, NL_EOBJECT, ALPHA.regions[DATA].kind = NL_MEM_PERCPU + 1) \
	X(region_based, NL_OK, NL_EOBJECT, ALPHA.regions[DATA].base = LINK) \
	X(region_empty, NL_OK, NL_EOBJECT, ALPHA.regions[DATA].size = 0) \
	X(pointer_out, NL_OK, NL_EOBJECT, ALPHA.regions[DATA].pointer_at = 0x400 - 7) \
	X(pointer_wraps, NL_OK, NL_EOBJECT, ALPHA.regions[DATA].pointer_at = ~0u - 3) \
	X(size_out, NL_OK, NL_EOBJECT, ALPHA.regions[DATA].size_at = 0x400 - 3) \
	X(reserved, NL_OK, NL_EOBJECT, ALPHA.reserved = 1) \
	X(build_id_short, NL_EOBJECT, NL_EOBJECT, ALPHA.build_id_len = 7) \
	X(build_id_long, NL_EOBJECT, NL_EOBJECT, ALPHA.build_id_len = NL_BUILD_ID_MAX + 1) \
	X(build_id_tail, NL_OK, NL_EOBJECT, ALPHA.build_id[31] = 1) \
	X(build_id_region, NL_EOBJECT, NL_EOBJECT, ALPHA.build_id_region = REGIONS) \
	X(build_id_out, NL_OK, NL_EOBJECT, ALPHA.build_id_offset = 0x1000 - 19) \
	X(build_id_freed, NL_OK, NL_EOBJECT, ALPHA.build_id_region = INIT) \
	X(build_id_per_cpu, NL_OK, NL_EOBJECT, ALPHA.build_id_region = PERCPU) \
	X(target_without, NL_OK, NL_EUNSUPPORTED, TARGET.modules = 0) \
	X(target_without_arena, NL_OK, NL_EUNSUPPORTED, TARGET.arena_pmd = 0) \
	X(list_out, NL_OK, NL_ERANGE, TARGET.modules = LINK + 0x400000 - 8) \
	X(chain_out, NL_OK, NL_ERANGE, TARGET.module_notify = LINK + 0x400000 - 8) \
	X(chain_none, NL_OK, NL_ERANGE, TARGET.module_notify = 0) \
	X(struct_none, NL_OK, NL_ELEAF, TARGET.module_size = 0) \
	X(struct_huge, NL_OK, NL_ELEAF, TARGET.module_size = (1u << 16) + 1) \
	X(struct_list_out, NL_OK, NL_ELEAF, TARGET.module_list = 0x400 - 15) \
	X(struct_name_out, NL_OK, NL_ELEAF, TARGET.module_name = 0x400 - NL_OBJECT_NAME_LEN + 1) \
	X(struct_state_out, NL_OK, NL_ELEAF, TARGET.module_state.offset = 0x400 - 3) \
	X(struct_state_none, NL_OK, NL_ELEAF, TARGET.module_state.size = 0) \
	X(struct_state_wide, NL_ELEAF, NL_ELEAF, TARGET.module_state.size = 16) \
	X(block_call_out, NL_ELEAF, NL_ELEAF, TARGET.block_call = 64 - 7) \
	X(block_next_out, NL_ELEAF, NL_ELEAF, TARGET.block_next = 64 - 7) \
	X(block_priority_out, NL_ELEAF, NL_ELEAF, TARGET.block_priority = ~0u) \
	X(chain_count_out, NL_OK, NL_ELEAF, TARGET.notify_count = 256) \
	X(chain_count_skewed, NL_OK, NL_ELEAF, TARGET.notify_count = 4) \
	X(chain_head_out, NL_OK, NL_ELEAF, TARGET.notify_head = 256) \
	X(chain_head_skewed, NL_OK, NL_ELEAF, TARGET.notify_head = 1) \
	X(part_order, NL_OK, NL_ELEAF, (ALPHA.text.offset = 64, BETA.text.offset = 0)) \
	X(part_overlap, NL_OK, NL_ELEAF, BETA.text.offset = 64) \
	X(part_unaligned, NL_OK, NL_ELEAF, BETA.text.offset = 70) \
	X(part_hole, NL_ELEAF, NL_ELEAF, BETA.text.offset = 192) \
	X(part_long, NL_OK, NL_ELEAF, BETA.text.count = 66) \
	X(part_short, NL_OK, NL_ELEAF, BETA.text.count = 0) \
	X(part_out, NL_ELEAF, NL_ELEAF, TARGET.kernel.text.count = 34) \
	X(part_wraps, NL_ELEAF, NL_ELEAF, TARGET.kernel.text.count = ~0u) \
	X(part_of_kernel_first, NL_OK, NL_ELEAF, TARGET.kernel.text.offset = 0) \
	X(part_of_kernel_short, NL_OK, NL_ELEAF, TARGET.kernel.text.count = 32) \
	X(data_part_overlap, NL_OK, NL_ELEAF, TARGET.kernel.data.offset = 0) \
	X(data_part_short, NL_OK, NL_ELEAF, TARGET.kernel.data.count = 15) \
	X(padding, NL_OK, NL_ELEAF, (m.parts[0].text[70] = 1, m.parts[0].n_text = 71)) \
	X(site_object, NL_ELEAF, NL_ELEAF, m.sites[BETA_SITE].object = 4) \
	X(site_region, NL_ELEAF, NL_ELEAF, m.sites[BETA_SITE].region = REGIONS) \
	X(site_text_in_data, NL_OK, NL_ERANGE, m.sites[ALPHA_SITE].region = DATA) \
	X(site_text_in_rodata, NL_OK, NL_ERANGE, m.sites[ALPHA_SITE].region = RODATA) \
	X(site_rodata_in_text, NL_OK, NL_ERANGE, m.sites[ALPHA_DATA].region = TEXT) \
	X(site_rodata_in_data, NL_OK, NL_ERANGE, m.sites[ALPHA_DATA].region = DATA) \
	X(site_rodata_in_init, NL_OK, NL_ERANGE, m.sites[ALPHA_DATA].region = INIT) \
	X(site_rodata_per_cpu, NL_OK, NL_ERANGE, \
	  (m.sites[ALPHA_DATA].region = PERCPU, m.sites[ALPHA_DATA].offset = 0)) \
	X(site_out, NL_OK, NL_ERANGE, (m.sites[ALPHA_INIT].offset = 0x7fc, m.sites[ALPHA_INIT].func_offset = 0x7f0)) \
	X(site_of_smaller_region, NL_OK, NL_ERANGE, \
	  (m.sites[ALPHA_INIT].offset += 0x800, m.sites[ALPHA_INIT].func_offset += 0x800)) \
	X(site_crosses_page, NL_OK, NL_ERANGE, m.sites[ALPHA_DATA].offset = 0xffc - 0x1000) \
	X(function_out, NL_OK, NL_ERANGE, m.sites[ALPHA_SITE].func_size = 0x1f01) \
	X(sites_overlap, NL_OK, NL_EOVERLAP, \
	  (m.sites[BETA_SITE].object = 1, m.sites[BETA_SITE].body_offset = 0, m.n_relocs = BETA_EXPECTED)) \
	X(body_of_another, NL_OK, NL_ERANGE, m.sites[BETA_SITE].body_offset = 0) \
	X(body_past_its_part, NL_OK, NL_ERANGE, m.sites[ALPHA_SITE].body_size = 71) \
	X(body_of_the_kernel, NL_OK, NL_ERANGE, m.sites[BETA_SITE].body_offset = 192) \
	X(body_of_none, NL_OK, NL_ERANGE, \
	  (m.sites[KERNEL_SITE].body_offset = 128, m.sites[KERNEL_SITE].body_size = 8)) \
	X(reloc_in_padding, NL_OK, NL_ERELOC, m.relocs[ALPHA_BODY].offset = 70) \
	X(reloc_across_parts, NL_OK, NL_ERELOC, m.relocs[ALPHA_BODY].offset = 67) \
	X(reloc_kernel_to_module, NL_OK, NL_ERELOC, \
	  (m.relocs[KERNEL_DATA].object = 1, m.relocs[KERNEL_DATA].region = TEXT)) \
	X(reloc_kernel_to_part, NL_OK, NL_ERELOC, (m.relocs[KERNEL_BODY].object = 1, m.relocs[KERNEL_BODY].value = 8)) \
	X(reloc_kernel_site_to_part, NL_OK, NL_ERELOC, \
	  (m.relocs[ALPHA_JUMP].site = KERNEL_SITE, m.relocs[ALPHA_JUMP].offset = m.sites[KERNEL_SITE].fresh + 1)) \
	X(reloc_to_anothers_part, NL_OK, NL_ERELOC, \
	  (m.relocs[ALPHA_BODY_DATA].object = 2, m.relocs[ALPHA_BODY_DATA].value = 64)) \
	X(reloc_past_own_part, NL_OK, NL_ERELOC, m.relocs[ALPHA_BODY_DATA].value = 25) \
	X(reloc_before_own_part, NL_OK, NL_ERELOC, m.relocs[KERNEL_BODY].value = 191) \
	X(reloc_past_bss, NL_OK, NL_ERELOC, m.relocs[ALPHA_BODY_KERNEL].value++) \
	X(reloc_jump_to_another, NL_OK, NL_ERELOC, \
	  (m.relocs[ALPHA_JUMP].object = 2, m.relocs[ALPHA_JUMP].value = 128)) \
	X(reloc_object, NL_ERELOC, NL_ERELOC, m.relocs[ALPHA_BODY].object = 4) \
	X(reloc_region, NL_ERELOC, NL_ERELOC, m.relocs[ALPHA_BODY].region = REGIONS) \
	X(reloc_past_region, NL_OK, NL_ERELOC, m.relocs[ALPHA_BODY].value = 0x2001) \
	X(reloc_region_of_part, NL_OK, NL_ERELOC, m.relocs[ALPHA_JUMP].region = 1) \
	X(reloc_object_of_constant, NL_OK, NL_ERELOC, m.relocs[ALPHA_BODY].symbol = NL_SYM_ABSOLUTE) \
	X(reloc_of_wrong_site, NL_OK, NL_ERELOC, m.relocs[BETA_EXPECTED].site = ALPHA_SITE)

#endif
