// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/references.c tools/author/code.c
// sources: tools/author/author.c tools/author/kallsyms.c tools/author/krelocs.c tests/unit/author_refuse.c
// sources: tests/unit/author_kernel.c
// cflags: -Itools/author
// libs: -lZydis
/* Who holds or takes an address of a made-up kernel. */
#include "author_kernel.h"
#include "author_refuse.h"
#include "references.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#define TEXT 0xffffffff81000000ULL
#define DATA 0xffffffff82000000ULL
#define TARGET (TEXT + 0x100)
#define MODULE 0xffffffffc0000000ULL

struct counted {
	unsigned n;
	struct reference last;
};

static bool counts(const void *arg, const struct reference *r)
{
	struct counted *c = *(struct counted *const *)arg;

	c->n++;
	c->last = *r;
	return false;
}

static struct counted references(const struct kernel *k, uint64_t start, uint64_t size)
{
	struct counted c = {0}, *arg = &c;
	struct reference found;

	assert_false(references_find(k, start, start + size, counts, &arg, &found));
	return c;
}

static void put_distance(uint8_t *code, uint32_t at, uint32_t end, uint64_t to)
{
	int32_t v = (int32_t)(to - (AUTHOR_F + end));

	memcpy(code + at, &v, 4);
}

static void put_whole(uint8_t *code, uint32_t at, uint64_t value)
{
	int32_t v = (int32_t)value;

	memcpy(code + at, &v, 4);
}

static void test_code(void **state)
{
	uint8_t given[] = "\x48\xc7\xc7....\xc3", taken[] = "\x48\x8d\x3d....\xc3", called[] = "\xe8....\xe9....\xc3";
	uint8_t read[] = "\x48\x8b\x05....\xc7\x05....\x07\0\0\0\xc3", within[] = "\xb8\x48\x8d\x3d\0\xb8....\xc3";
	struct counted c;
	struct kernel *k;

	(void)state;
	put_whole(given, 3, TARGET); /* mov $target, %rdi */
	k = author_kernel(given, sizeof(given) - 1, AUTHOR_NOT_TRACED);
	assert_int_equal(references(k, TARGET, 1).n, 0); /* the list of relocations says what is one */
	author_kernel_reloc(k, AUTHOR_F + 3, KREL_32);
	c = references(k, TARGET, 1);
	assert_int_equal(c.n, 1);
	assert_true(c.last.in_code && c.last.at == AUTHOR_F + 3);
	assert_string_equal(c.last.in->name, "f");
	assert_int_equal(references(k, TARGET + 1, 16).n, 0);
	put_distance(taken, 3, 7, TARGET); /* lea target(%rip), %rdi */
	k = author_kernel(taken, sizeof(taken) - 1, AUTHOR_NOT_TRACED);
	c = references(k, TARGET, 1);
	assert_int_equal(c.n, 1);
	assert_true(c.last.in_code);
	assert_string_equal(c.last.in->name, "f");
	put_distance(called, 1, 5, TARGET);
	put_distance(called, 6, 10, TARGET);
	k = author_kernel(called, sizeof(called) - 1, AUTHOR_NOT_TRACED);
	assert_int_equal(references(k, TARGET, 1).n, 0);
	put_distance(read, 3, 7, DATA + 0x108);  /* mov outside+8(%rip), %rax */
	put_distance(read, 9, 17, DATA + 0x10c); /* movl $7, outside+12(%rip) */
	k = author_kernel(read, sizeof(read) - 1, AUTHOR_NOT_TRACED);
	assert_int_equal(references(k, DATA + 0x100, 16).n, 2);
	assert_int_equal(references(k, DATA + 0x10c, 4).n, 1);
	put_distance(within, 4, 8, TARGET); /* in the middle of other instructions */
	k = author_kernel(within, sizeof(within) - 1, AUTHOR_NOT_TRACED);
	assert_int_equal(references(k, TARGET, 1).n, 0);
}

static void test_data(void **state)
{
	static const uint64_t pointer = TARGET;
	struct counted c;
	struct kernel *k = author_kernel((const uint8_t *)"\xc3", 1, AUTHOR_NOT_TRACED);

	(void)state;
	author_kernel_pointer(k, TARGET);
	c = references(k, TARGET, 1);
	assert_int_equal(c.n, 1);
	assert_false(c.last.in_code);
	assert_string_equal(c.last.in->name, "outside");
	/* the table of ftrace's nops only tells where they are */
	author_kernel_pointer(k, 0);
	memcpy((uint8_t *)(uintptr_t)kernel_bytes(k, DATA, 8), &pointer, 8);
	author_kernel_reloc(k, DATA, KREL_64);
	assert_int_equal(references(k, TARGET, 1).n, 0);
	/* exit code never runs */
	author_kernel_section(k, ".exit.text", TEXT + 0x100000, &pointer, 8);
	author_kernel_reloc(k, TEXT + 0x100000, KREL_64);
	assert_int_equal(references(k, TARGET, 1).n, 0);
}

/* The first copy of what each CPU has is linked to 0 and loaded elsewhere. */
static void test_each_cpu(void **state)
{
	static const uint64_t pointer = TARGET;
	struct kernel *k = author_kernel((const uint8_t *)"\xc3", 1, AUTHOR_NOT_TRACED);
	struct counted c;

	(void)state;
	author_kernel_symbol(k, "__per_cpu_load", DATA + 0x100000);
	author_kernel_section(k, ".data..percpu", 0x10, &pointer, 8);
	author_kernel_reloc(k, DATA + 0x100010, KREL_64);
	c = references(k, TARGET, 1);
	assert_int_equal(c.n, 1);
	assert_string_equal(c.last.in->name, "percpu");
}

static bool kernel_is_view;
bool kernel_owns(const struct kernel *k, uint64_t va)
{
	return (k->module != NULL) == (va >= MODULE) || !kernel_is_view;
}

/* A module's code, its end with it, and what is there of the image's tables as sections. */
static void test_module(void **state)
{
	static const struct module_section *const of = (const struct module_section *)(const void *)&kernel_is_view;
	uint8_t taken[] = "\x48\x8d\x3d....\xc3", pointer[8];
	struct kernel *k = author_kernel((const uint8_t *)"\xc3", 1, AUTHOR_NOT_TRACED);
	const uint64_t to = MODULE + 0x2000;
	int32_t distance = (int32_t)(to - (MODULE + 7));
	struct counted c;

	(void)state;
	kernel_is_view = true;
	k->module = (const struct module *)(const void *)&kernel_is_view;
	memcpy(taken + 3, &distance, 4); /* lea to(%rip), %rdi */
	memcpy(pointer, &to, 8);
	author_kernel_symbol(k, "g", MODULE);
	author_kernel_section(k, ".text.unlikely", MODULE, taken, sizeof(taken));
	assert_int_equal(references(k, to, 1).n, 0); /* as long as it is the image's */
	k->sections[k->n_sections - 1].of = of;
	k->sections[k->n_sections - 1].code = true;
	c = references(k, to, 1);
	assert_int_equal(c.n, 1);
	assert_string_equal(c.last.in->name, "g");
	author_kernel_section(k, "__mcount_loc", MODULE + 0x1000, pointer, 8);
	k->sections[k->n_sections - 1].of = of;
	author_kernel_reloc(k, MODULE + 0x1000, KREL_64);
	assert_int_equal(references(k, to, 1).n, 1);
	author_kernel_section(k, ".exit.text", MODULE + 0x1100, pointer, 8);
	k->sections[k->n_sections - 1].of = of;
	author_kernel_reloc(k, MODULE + 0x1100, KREL_64);
	assert_int_equal(references(k, to, 1).n, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_code),
	        cmocka_unit_test(test_data),
	        cmocka_unit_test(test_each_cpu),
	        cmocka_unit_test(test_module),
	};

	return cmocka_run_group_tests_name("author_references", tests, NULL, NULL);
}
