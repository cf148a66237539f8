// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/module_at.c
// sources: tools/author/thunks.c
// sources: tools/author/livesites.c tools/author/code.c
// sources: tools/author/kernel.c tools/author/unpack.c tools/author/kallsyms.c tools/author/krelocs.c
// sources: tools/author/types.c tools/author/linux_target.c tools/author/linux_queues.c tools/author/place.c
// sources: tools/author/author.c tests/unit/author_refuse.c tests/unit/makekernel.c
// libs: -lelf -lbpf -llz4 -lzstd -llzma -lbz2 -lz -lZydis
// cflags: -Itools/author
/* Kernel files as anybody may make them: what is read from a good one, and that a bad one is refused by name. */
#include "author_refuse.h"
#include "kernel.h"
#include "linux_target.h"
#include "makekernel.h"
#include "place.h"
#include "types.h"

#include <bpf/btf.h>
#include <elf.h>
#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static struct made_section s[MADE_S_COUNT];

static int setup(void **state)
{
	(void)state;
	make_sections(s);
	return 0;
}

static struct kernel *open_sections(void)
{
	struct buf payload = make_payload(s, MADE_S_COUNT), image = make_bzimage(&payload, MADE_RELEASE);

	return kernel_open(make_file(0, image.p, image.n));
}

static struct kernel *open_release(const char *release)
{
	struct buf payload = make_payload(s, MADE_S_COUNT), image = make_bzimage(&payload, release);

	return kernel_open(make_file(0, image.p, image.n));
}

static void check_queues(const struct nl_leaf_target *t)
{
	assert_int_equal(t->runqueues, 0x40);
	assert_true(t->ext_class == MADE_DATA + 0x3420 && t->cfs_bandwidth == MADE_DATA + 0x3410);
	assert_int_equal(t->task_on_cpu.offset, 128);
	assert_int_equal(t->task_on_cpu.size, 1);
	assert_int_equal(t->task_on_rq.offset, 48);
	assert_int_equal(t->task_on_rq.size, 4);
	assert_int_equal(t->task_class, 136);
	assert_int_equal(t->task_cfs_node, 168);
	assert_int_equal(t->task_rt_node, 224);
	assert_int_equal(t->task_ext_node, 296);
	assert_int_equal(t->task_rt_group, 0);
	assert_int_equal(t->rq_tasks, 0);
	assert_int_equal(t->rq_curr, 8);
	assert_int_equal(t->rq_stop, 16);
	assert_int_equal(t->rq_cfs_tasks, 32);
	assert_int_equal(t->rq_cfs, 72);
	assert_int_equal(t->rq_rt_queues, 144);
	assert_int_equal(t->rq_rt, 128 + 1616);
	assert_int_equal(t->rq_dl_bw, 2056);
	assert_int_equal(t->rq_ext_tasks, 2112);
	assert_int_equal(t->rq_ext, 2120);
	assert_int_equal(t->rq_server_bw[0], 2256);
	assert_int_equal(t->rq_server_bw[1], 2192);
	assert_int_equal(t->server_attached, 25);
	assert_int_equal(t->server_attached_mask, 1 << 2);
}

/* What tells where a CPU may stand in the kernel. */
static void check_contexts(const struct nl_leaf_target *t)
{
	static const struct nl_leaf_run nowhere[] = {{0x900, 0x80}, {0x980, 0x40}, {0x9c0, 0x10}, {0x9d0, 0x30}},
	                                returns[] = {{0x7c8, 0x38}, {0x800, 0x40}};

	assert_memory_equal(t->nowhere, nowhere, sizeof(nowhere));
	assert_memory_equal(t->returns, returns, sizeof(returns));
	assert_int_equal(t->irq_stack, 0x50);
	assert_int_equal(t->probe_slots[0], MADE_DATA + 0x3430);
	assert_int_equal(t->probe_slots[1], MADE_DATA + 0x3440);
	assert_int_equal(t->slots_pages, 8);
	assert_int_equal(t->slots_list, 0);
	assert_int_equal(t->slots_insns, 8);
	assert_int_equal(t->formats, MADE_DATA + 0x3450);
	assert_int_equal(t->format_load, 8);
}

static void test_good(void **state)
{
	struct nl_leaf_target t = {0};
	struct kernel *k = open_sections();
	struct member m;

	(void)state;
	assert_string_equal(k->release, MADE_RELEASE);
	assert_int_equal(k->build_id_len, 20);
	assert_true(k->build_id_va == MADE_RODATA + 0x90000 + 16);
	assert_int_equal(k->relocs.n, 2);
	linux_target_fill(&t, k);
	assert_int_equal(t.task_stack, 24);
	assert_int_equal(t.task_thread_sp, 64);
	assert_int_equal(t.nr_cpu_ids_max, 64);
	assert_int_equal(t.kprobe_hash_bits, 6);
	check_contexts(&t);
	assert_int_equal(t.thread_size, 16384);
	check_queues(&t);
	m = member_find(k, "struct outer", "list[3]", "here");
	assert_int_equal(m.offset, 12);
	assert_int_equal(m.size, 4);
	m = member_find(k, "struct outer", "deep", "here");
	assert_int_equal(m.offset, 16);
	m = member_find(k, "struct outer", "list", "here");
	assert_int_equal(m.array_count, 4);
	assert_true(AUTHOR_REFUSES(NL_ETARGET, member_find(k, "struct outer", "list[4]", "here")));
	assert_true(AUTHOR_REFUSES(NL_ETARGET, member_find(k, "struct outer", "list[]", "here")));
	assert_true(AUTHOR_REFUSES(NL_ETARGET, member_find(k, "struct outer", "deep.er", "here")));
}

/* Per-CPU variables are addresses of the image, among what boot frees, and yet stay. */
static void test_per_cpu_in_the_image(void **state)
{
	struct recipe_symbol per_cpu = {.name = (char *)"runqueues"}, freed = {.name = (char *)"init_thing"};
	struct nl_leaf_target t = {0};
	struct kernel *k;
	struct place p;

	(void)state;
	make_sections_of_7(s, NULL);
	k = open_sections();
	linux_target_fill(&t, k);
	assert_true(t.runqueues == MADE_DATA + 0x3640 && t.idle_threads == MADE_DATA + 0x3648);
	assert_int_equal(t.thread_size, 16384);
	p = place_in_kernel(k, &per_cpu, "here");
	assert_true(p.symbol == NL_SYM_REGION && p.value == MADE_DATA + 0x3640);
	assert_true(AUTHOR_REFUSES(NL_ESITE, (place_in_kernel(k, &freed, "here"), 0)));
}

static void check_lack(const char *name)
{
	struct nl_leaf_target t = {0};

	make_sections_of_7(s, name);
	if (!AUTHOR_REFUSES(NL_ETARGET, (linux_target_fill(&t, open_sections()), 0)))
		fail_msg("not missed: %s", name);
	assert_non_null(strstr(author_why, name));
}

/* A kernel that does not have what the hypervisor needs is refused by what it lacks. */
static void test_lacking(void **state)
{
	(void)state;
	check_lack("idle_threads");
	check_lack("runqueues");
	check_lack("__end_init_stack");
}

static void test_control_flow_integrity(void **state)
{
	const int32_t distance = (int32_t)(MADE_TEXT + 0x300 - (MADE_RODATA + 0x98000));
	struct made_section more[MADE_S_COUNT + 1];
	struct nl_leaf_target t = {0};
	struct buf payload, image;

	(void)state;
	memcpy(more, s, sizeof(s));
	more[MADE_S_COUNT] = (struct made_section){
	        .name = ".cfi_sites", .type = SHT_PROGBITS, .flags = SHF_ALLOC, .va = MADE_RODATA + 0x98000};
	buf_add(&more[MADE_S_COUNT].bytes, &distance, 4);
	payload = make_payload(more, MADE_S_COUNT + 1);
	image = make_bzimage(&payload, MADE_RELEASE);
	assert_true(
	        AUTHOR_REFUSES(NL_EKERNEL, (linux_target_fill(&t, kernel_open(make_file(0, image.p, image.n))), 0)));
	assert_non_null(strstr(author_why, "CONFIG_CFI"));
}

/* Three lists taken for two, or the other way round, name fields that hold no address. */
static void test_relocations_of_another_form(void **state)
{
	struct buf payload = make_payload(s, MADE_S_COUNT), image;

	(void)state;
	memset(payload.p + payload.n - 20 + 4, 0, 4); /* the 64-bit list is empty, and one more begins */
	image = make_bzimage(&payload, MADE_RELEASE);
	assert_true(AUTHOR_REFUSES(NL_EKERNEL, kernel_open(make_file(0, image.p, image.n))));
	assert_non_null(strstr(author_why, "relocation"));
	payload = make_payload(s, MADE_S_COUNT);
	memcpy(payload.p + payload.n - 20 + 4, &(uint32_t){(uint32_t)(MADE_DATA + 0x3508)}, 4); /* no address there */
	image = make_bzimage(&payload, MADE_RELEASE);
	assert_true(AUTHOR_REFUSES(NL_EKERNEL, kernel_open(make_file(0, image.p, image.n))));
	assert_non_null(strstr(author_why, "0 of 1 fields"));
}

/* Proxy execution: the running task and the one whose turn it is are two members. */
static void test_proxy_execution(void **state)
{
	struct nl_leaf_target t = {0};

	(void)state;
	s[MADE_S_BTF].bytes = make_types(true);
	assert_true(AUTHOR_REFUSES(NL_EKERNEL, (linux_target_fill(&t, open_sections()), 0)));
	assert_non_null(strstr(author_why, "CONFIG_SCHED_PROXY_EXEC"));
}

/* The release becomes part of paths in which make runs. */
static void test_release(void **state)
{
	static const char *const bad[] = {"",
	                                  "../../../tmp/evil",
	                                  "6.1.0/../../../tmp/evil",
	                                  "$(touch x)",
	                                  "6.1.0;touch",
	                                  "6.1.0\x1b[2J",
	                                  "-6.1",
	                                  "x6.1",
	                                  "6.1.0\n",
	                                  "..",
	                                  "6.1.0-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	static const char *const good[] = {"6.1.0-50-cloud-amd64", "7.3.0-rc1+", "6.12.9+bpo~1_x-amd64"};
	struct buf payload = make_payload(s, MADE_S_COUNT), image = make_bzimage(&payload, MADE_RELEASE);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!AUTHOR_REFUSES(NL_EKERNEL, open_release(bad[i])))
			fail_msg("taken: %s", bad[i]);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_string_equal(open_release(good[i])->release, good[i]);
	memcpy(image.p + 0x20e, "\xff\xff", 2); /* behind the setup part */
	assert_true(AUTHOR_REFUSES(NL_EKERNEL, kernel_open(make_file(0, image.p, image.n))));
}

static bool refuses_sections(void) { return AUTHOR_REFUSES(NL_EKERNEL, open_sections()); }

static void test_notes(void **state)
{
	(void)state;
	s[MADE_S_NOTES].type = SHT_NOBITS; /* a section of a size, without bytes */
	s[MADE_S_NOTES].size = s[MADE_S_NOTES].bytes.n;
	s[MADE_S_NOTES].bytes.n = 0;
	assert_true(refuses_sections());
	setup(NULL);
	for (unsigned n = 1; n < 36; n++) { /* cut short: exactly so many bytes */
		s[MADE_S_NOTES].bytes.n = n;
		assert_true(refuses_sections());
	}
	setup(NULL);
	for (unsigned at = 0; at < 12; at += 4) {
		memset(s[MADE_S_NOTES].bytes.p + at, 0xff, 4);
		assert_true(refuses_sections());
		setup(NULL);
	}
}

static void test_sections(void **state)
{
	struct buf payload = make_payload(s, MADE_S_COUNT), image;

	(void)state;
	payload.p[EI_CLASS] = ELFCLASS32;
	image = make_bzimage(&payload, MADE_RELEASE);
	assert_true(AUTHOR_REFUSES(NL_EKERNEL, kernel_open(make_file(0, image.p, image.n))));
	payload.p[EI_CLASS] = ELFCLASS64;
	memset(payload.p + 40, 0xff, 8); /* e_shoff */
	image = make_bzimage(&payload, MADE_RELEASE);
	assert_true(AUTHOR_REFUSES(NL_EKERNEL, kernel_open(make_file(0, image.p, image.n))));
	s[MADE_S_DATA].va = 0ULL - 0x1000; /* 0x4000 bytes from there: round the end */
	assert_true(AUTHOR_REFUSES(NL_EKERNEL, open_sections()));
}

static void use(struct btf *btf)
{
	uint32_t n;
	const void *raw = btf__raw_data(btf, &n);

	s[MADE_S_BTF].bytes = (struct buf){0};
	buf_add(&s[MADE_S_BTF].bytes, raw, n);
	btf__free(btf);
}

/* Chains of types that never end, in every form. libbpf does not look. */
static void test_circles(void **state)
{
	struct btf *btf = btf__new_empty();
	int id;

	(void)state;
	btf__add_typedef(btf, "a", 2);
	btf__add_typedef(btf, "b", 1);
	btf__add_const(btf, 3);
	id = btf__add_struct(btf, "self", 8);
	btf__add_field(btf, NULL, id, 0, 0);
	btf__add_struct(btf, "holder", 24);
	btf__add_field(btf, "typedef_", 1, 0, 0);
	btf__add_field(btf, "const_", 3, 64, 0);
	btf__add_field(btf, "self_", id, 128, 0);
	id = btf__add_array(btf, 6, 6, 2);
	btf__add_struct(btf, "arrays", 24);
	btf__add_field(btf, "a", id, 0, 0);
	use(btf);
	assert_true(AUTHOR_REFUSES(NL_EKERNEL, member_find(open_sections(), "struct self", "x", "here")));
	assert_true(AUTHOR_REFUSES(NL_EKERNEL, member_find(open_sections(), "struct holder", "typedef_.x", "here")));
	assert_true(AUTHOR_REFUSES(NL_EKERNEL, member_find(open_sections(), "struct holder", "const_", "here")));
	assert_true(AUTHOR_REFUSES(NL_EKERNEL, member_find(open_sections(), "struct holder", "self_.x", "here")));
	assert_true(AUTHOR_REFUSES(NL_EKERNEL, member_find(open_sections(), "struct arrays", "a[1][1][1]", "here")));
}

/* Each level holds the next one ten times, unnamed: a walk without a count takes 10^20 steps. */
static void test_fan_out(void **state)
{
	struct btf *btf = btf__new_empty();

	(void)state;
	for (int level = 1; level <= 20; level++) {
		btf__add_struct(btf, level == 1 ? "top" : NULL, 8);
		for (int i = 0; i < 10; i++)
			btf__add_field(btf, NULL, level + 1, 0, 0);
	}
	btf__add_struct(btf, NULL, 8);
	use(btf);
	assert_true(AUTHOR_REFUSES(NL_EKERNEL, member_find(open_sections(), "struct top", "x", "here")));
}

static void test_names_of_types(void **state)
{
	struct buf *b = &s[MADE_S_BTF].bytes;
	struct btf_header *h;
	struct btf *btf;
	struct btf_type *t;
	int id;

	(void)state;
	btf = btf__new_empty();
	id = btf__add_int(btf, "int", 4, 0);
	btf__add_struct(btf, "outer", 8);
	btf__add_field(btf, "a", id, 0, 0);
	btf__add_field(btf, "b", id, 32, 0);
	use(btf);
	h = (struct btf_header *)b->p;
	t = (struct btf_type *)(b->p + h->hdr_len + h->type_off + 16); /* behind the int of 16 bytes */
	assert_int_equal(btf_vlen(t), 2);
	btf_members(t)[0].name_off = h->str_len + 1000;
	assert_true(AUTHOR_REFUSES(NL_EKERNEL, member_find(open_sections(), "struct outer", "b", "here")));
	btf_members(t)[0].name_off = 0xffffffff;
	assert_true(AUTHOR_REFUSES(NL_EKERNEL, member_find(open_sections(), "struct outer", "b", "here")));
	btf_members(t)[0].name_off = btf_members(t)[1].name_off; /* good again */
	btf_members(t)[0].offset = 0x00fffffe;                   /* no whole byte */
	assert_true(AUTHOR_REFUSES(NL_EKERNEL, member_find(open_sections(), "struct outer", "b", "here")));
	t->name_off = 0xfffffff0;
	assert_true(AUTHOR_REFUSES(NL_ETARGET, member_find(open_sections(), "struct outer", "b", "here")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(test_good, setup),
	        cmocka_unit_test_setup(test_per_cpu_in_the_image, setup),
	        cmocka_unit_test_setup(test_lacking, setup),
	        cmocka_unit_test_setup(test_relocations_of_another_form, setup),
	        cmocka_unit_test_setup(test_control_flow_integrity, setup),
	        cmocka_unit_test_setup(test_release, setup),
	        cmocka_unit_test_setup(test_notes, setup),
	        cmocka_unit_test_setup(test_sections, setup),
	        cmocka_unit_test_setup(test_circles, setup),
	        cmocka_unit_test_setup(test_fan_out, setup),
	        cmocka_unit_test_setup(test_names_of_types, setup),
	        cmocka_unit_test_setup(test_proxy_execution, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
