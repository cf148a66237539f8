// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/module_at.c
// sources: tools/author/livesites.c tools/author/code.c tools/author/kallsyms.c tools/author/author.c
// sources: tests/unit/author_kernel.c tests/unit/author_refuse.c
// libs: -lbpf -lZydis
// cflags: -Itools/author
/* The kernel's tables of patch sites as each line of Linux has them, and tables that nobody has seen before. */
#include "author_kernel.h"
#include "author_refuse.h"
#include "livesites.h"

#include <bpf/btf.h>
#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#define TABLE 0xffffffff83000000ULL
#define PLACES 4 /* entries of a made table */

/* push rbp; mov rbp, rsp; ud2; call +0; ret; int3 ... */
static const uint8_t code[64] = {0x55, 0x48, 0x89, 0xe5, 0x0f, 0x0b, 0xe8, 0, 0, 0, 0, 0xc3};

static struct kernel *kernel(void)
{
	struct kernel *k = author_kernel(code, sizeof(code), 0);

	assert_non_null(kernel_section(k, ".text"));
	return k;
}

/* Entries of `size` bytes, each of which leads to one of `places` by its first field; a table may lack its last bytes.
 */
static void add_table(struct kernel *k, const char *name, uint32_t size, const uint64_t places[PLACES], uint32_t lack)
{
	uint8_t bytes[PLACES * 32] = {0};

	for (unsigned i = 0; i < PLACES; i++) {
		uint64_t at = TABLE + i * size;
		int32_t distance = (int32_t)(places[i] - at), elsewhere = 0x1000;

		memcpy(bytes + i * size, &distance, 4);
		for (uint32_t j = 4; j + 4 <= size; j += 4) /* other fields lead elsewhere */
			memcpy(bytes + i * size + j, &elsewhere, 4);
	}
	author_kernel_section(k, name, TABLE, bytes, PLACES * size - lack);
}

static void add_type(struct kernel *k, const char *name, uint32_t size)
{
	k->btf = k->btf ? k->btf : btf__new_empty();
	assert_true(btf__add_struct(k->btf, name, size) > 0);
}

static const uint64_t four[PLACES] = {AUTHOR_F + 4, AUTHOR_F + 20, AUTHOR_F + 24, AUTHOR_F + 40};

/* BUG: the last entry is found whatever the size of all of them is; without the types 16 bytes are taken for 12. */
static void test_bug_entries(void **state)
{
	(void)state;
	for (uint32_t size = 12; size <= 16; size += 4) {
		struct kernel *k = kernel();

		add_type(k, "bug_entry", size);
		add_table(k, "__bug_table", size, four, 0);
		for (unsigned i = 0; i < PLACES; i++)
			assert_non_null(livesites_conflict(k, four[i], 5));
		assert_null(livesites_conflict(k, AUTHOR_F + 6, 5)); /* right behind the UD2 */
		livesites_verify(k);
	}
}

/* 7.x: the entry of a WARN with a text tells a call. */
static void test_warn_by_call(void **state)
{
	const uint64_t places[PLACES] = {AUTHOR_F + 6, AUTHOR_F + 6, AUTHOR_F + 6, AUTHOR_F + 6};
	struct kernel *k = kernel();

	(void)state;
	add_type(k, "bug_entry", 16);
	add_table(k, "__bug_table", 16, places, 0);
	assert_non_null(livesites_conflict(k, AUTHOR_F + 10, 2)); /* its last byte */
	assert_null(livesites_conflict(k, AUTHOR_F + 11, 2));
}

static void test_wrong_size(void **state)
{
	struct kernel *k = kernel();

	(void)state;
	add_type(k, "bug_entry", 12);
	add_table(k, "__bug_table", 16, four, 0);
	assert_true(AUTHOR_REFUSES(NL_EKERNEL, (livesites_verify(k), 0)));
	assert_non_null(strstr(author_why, "does not lead to code"));
	k = kernel();
	add_table(k, ".return_sites", 4, four, 2);
	assert_true(AUTHOR_REFUSES(NL_EKERNEL, (livesites_verify(k), 0)));
	assert_non_null(strstr(author_why, "no whole number"));
}

/* Values that boot writes into instructions: 8, 1 and 4 bytes, one section for each variable. */
static void test_runtime_constants(void **state)
{
	static const struct {
		const char *section;
		uint32_t length;
	} kinds[] = {{"runtime_ptr_dentry_hashtable", 8}, {"runtime_shift_d_hash_shift", 1}, {"runtime_mask_x", 4}};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct kernel *k = kernel();

		add_table(k, kinds[i].section, 4, four, 0);
		assert_non_null(livesites_conflict(k, AUTHOR_F + 40 + kinds[i].length - 1, 4));
		assert_null(livesites_conflict(k, AUTHOR_F + 40 + kinds[i].length, 4));
		livesites_verify(k);
	}
}

/* Several sections of one kind: all are read. */
static void test_second_variable(void **state)
{
	const int32_t distance = (int32_t)(AUTHOR_F + 50 - (TABLE + 0x1000));
	struct kernel *k = kernel();

	(void)state;
	add_table(k, "runtime_ptr_a", 4, four, 0);
	author_kernel_section(k, "runtime_ptr_b", TABLE + 0x1000, &distance, 4);
	assert_non_null(livesites_conflict(k, AUTHOR_F + 57, 1));
}

/* 5.10, 6.1: struct paravirt_patch_site is aligned by what comes next, so that the last one is four bytes shorter. */
static void test_last_paravirt_site(void **state)
{
	struct {
		uint64_t site;
		uint8_t type, length, unused[6];
	} sites[2] = {{AUTHOR_F + 20, 0, 6, {0}}, {AUTHOR_F + 40, 0, 7, {0}}};
	struct kernel *k = kernel();

	(void)state;
	author_kernel_section(k, ".parainstructions", TABLE, sites, sizeof(sites) - 4);
	assert_non_null(livesites_conflict(k, AUTHOR_F + 25, 1));
	assert_null(livesites_conflict(k, AUTHOR_F + 26, 1));
	assert_non_null(livesites_conflict(k, AUTHOR_F + 46, 1));
	livesites_verify(k);
}

/* An ENDBR that boot seals, as such functions begin: no site has a byte of it. */
static void test_sealed(void **state)
{
	struct kernel *k = kernel();

	(void)state;
	add_table(k, ".ibt_endbr_seal", 4, four, 0);
	assert_non_null(livesites_conflict(k, AUTHOR_F + 43, 5));
	assert_null(livesites_conflict(k, AUTHOR_F + 44, 5));
}

/* What a dropped weak function leaves in a list, and what fills a page of lock prefixes. */
static void test_zeroes(void **state)
{
	const uint32_t sites[3] = {(uint32_t)(AUTHOR_F - TABLE), 0, 0};
	struct kernel *k = kernel();

	(void)state;
	author_kernel_section(k, ".smp_locks", TABLE, sites, sizeof(sites));
	livesites_verify(k);
	assert_null(livesites_conflict(k, AUTHOR_F + 5, 5));
	memset((uint8_t *)(uintptr_t)kernel_bytes(k, 0xffffffff82000000ULL, 8), 0, 8); /* __start_mcount_loc */
	livesites_verify(k);
	assert_false(livesites_ftrace(k, AUTHOR_F));
}

static void test_unknown_tables(void **state)
{
	struct kernel *k = kernel();

	(void)state;
	livesites_verify(k);
	add_table(k, ".sites_of_tomorrow", 4, four, 0);
	assert_true(AUTHOR_REFUSES(NL_EKERNEL, (livesites_verify(k), 0)));
	assert_non_null(strstr(author_why, ".sites_of_tomorrow"));
	k = kernel();
	author_kernel_rename(k, "_end", "__stop_patches");
	livesites_verify(k); /* an end without a beginning */
	author_kernel_rename(k, "outside", "__start_patches");
	assert_true(AUTHOR_REFUSES(NL_EKERNEL, (livesites_verify(k), 0)));
	assert_non_null(strstr(author_why, "patches"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_bug_entries),        cmocka_unit_test(test_warn_by_call),
	        cmocka_unit_test(test_wrong_size),         cmocka_unit_test(test_runtime_constants),
	        cmocka_unit_test(test_second_variable),    cmocka_unit_test(test_sealed),
	        cmocka_unit_test(test_last_paravirt_site), cmocka_unit_test(test_zeroes),
	        cmocka_unit_test(test_unknown_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
