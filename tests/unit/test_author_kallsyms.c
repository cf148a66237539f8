// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/kallsyms.c tools/author/author.c tests/unit/author_refuse.c
// sources: tests/unit/makekernel.c
// libs: -lbpf -llz4
// cflags: -Itools/author
/*
 * kallsyms tables made here in every order that kernels have, with tokens of more than one character, and decoded back.
 * 600 symbols: three markers.
 */
#include "author_refuse.h"
#include "kallsyms.h"
#include "makekernel.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define BASE 0xffffffff81000000ULL
#define SYMBOLS 600
#define PERCPU 3 /* the first ones are absolute, where kernels have such */
#define LONG 300 /* a name of more than 128 packed bytes */
#define VA 0xffffffff82345678ULL

static char *name_of(unsigned i)
{
	if (i == LONG)
		return xformat("sym_%0180u", i);
	return i == 590 ? xformat("sym_%d", 10) : xformat("sym_%u", i); /* one name twice */
}

static uint64_t va_of(unsigned i, enum made_form form)
{
	return i < PERCPU && form != MADE_RELATIVE ? i * 8 : BASE + i * 16;
}

/* 7.x: the letter of data, too */
static char type_of(unsigned i, enum made_form form) { return i % 2 || form == MADE_RELATIVE ? 'T' : 'D'; }

static struct made_kallsyms make(enum made_form form)
{
	struct ksym sym[SYMBOLS];

	for (unsigned i = 0; i < SYMBOLS; i++)
		sym[i] = (struct ksym){va_of(i, form), name_of(i), type_of(i, form)};
	return make_kallsyms(sym, SYMBOLS, form, VA);
}

static void check(enum made_form form)
{
	struct made_kallsyms m = make(form);
	const struct ksym *found = NULL;
	struct kallsyms s = {0};

	assert_true(kallsyms_decode(&s, m.b.p, m.b.n, VA));
	assert_int_equal(s.n, SYMBOLS);
	for (unsigned i = 0; i < SYMBOLS; i++) {
		assert_string_equal(s.sym[i].name, name_of(i));
		assert_int_equal(s.sym[i].type, type_of(i, form));
		assert_true(s.sym[i].va == va_of(i, form));
	}
	assert_int_equal(kallsyms_find(&s, "sym_77", 1, &found), 1);
	assert_true(found->va == BASE + 77 * 16);
	assert_int_equal(kallsyms_find(&s, "sym_10", 2, &found), 2);
	assert_true(found->va == BASE + 590 * 16);
	assert_int_equal(kallsyms_find(&s, "sym_1000", 1, &found), 0);
	assert_true(kallsyms_next(&s, BASE + 100 * 16)->va == BASE + 101 * 16);
	assert_true(kallsyms_at(&s, BASE + 100 * 16 + 15)->va == BASE + 100 * 16);
	assert_null(kallsyms_next(&s, BASE + (SYMBOLS - 1) * 16));
}

static void test_order_of_6_1(void **state)
{
	(void)state;
	check(MADE_OFFSETS_FIRST);
}

static void test_order_of_6_2(void **state)
{
	(void)state;
	check(MADE_ORDER);
}

static void test_order_since_6_4(void **state)
{
	(void)state;
	check(MADE_OFFSETS_LAST);
}

static void test_order_of_7(void **state)
{
	(void)state;
	check(MADE_RELATIVE);
}

static void test_damage(void **state)
{
	struct made_kallsyms m = make(MADE_OFFSETS_FIRST);
	struct kallsyms s = {0};

	(void)state;
	m.b.p[m.markers + 4]++; /* a marker that disagrees with the names */
	assert_false(kallsyms_decode(&s, m.b.p, m.b.n, VA));
	m = make(MADE_OFFSETS_LAST);
	assert_false(kallsyms_decode(&s, m.b.p, m.b.n - 80, VA)); /* the addresses are cut off */
	assert_false(kallsyms_decode(&s, m.b.p, 0, VA));
	m = make(MADE_RELATIVE);
	assert_false(kallsyms_decode(&s, m.b.p, m.b.n, VA ^ (1ULL << 40))); /* no address of a kernel from there */
}

/*
 * Two names of the table, read from their middle, are a small number and names of their own, and a byte behind that is
 * 0 their marker: of a kernel of 7.2 so were 57 symbols found.
 */
static void test_nothing_between(void **state)
{
	static const char few[] = {20, 0, 0, 0, 2, 'T', 'a', 0};
	struct kallsyms s = {0};
	struct made_kallsyms m = make(MADE_RELATIVE);

	(void)state;
	/* A table of 20 names with its marker, in the place of the last of the real one's */
	for (size_t at = m.markers - 200; at < m.markers; at++)
		m.b.p[at] = 0;
	memcpy(m.b.p + ((m.markers - 200) & ~(size_t)3), few, 4);
	for (size_t i = 0, at = ((m.markers - 200) & ~(size_t)3) + 4; i < 20; i++, at += 3)
		memcpy(m.b.p + at, few + 4, 3);
	assert_false(kallsyms_decode(&s, m.b.p, m.b.n, VA));
}

/* Whatever is thrown at it: no access outside the buffer (ASan), and an end. */
static void test_noise(void **state)
{
	(void)state;
	srandom(1);
	for (int round = 0; round < 300; round++) {
		struct made_kallsyms m = make((enum made_form)(round % 4));
		uint8_t *exact = malloc(m.b.n);
		struct kallsyms s = {0};

		memcpy(exact, m.b.p, m.b.n);
		for (int i = 0; i < 4; i++)
			exact[(size_t)random() % m.b.n] = (uint8_t)random();
		kallsyms_decode(&s, exact, m.b.n - (size_t)random() % 64, VA);
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_order_of_6_1),    cmocka_unit_test(test_order_of_6_2),
	        cmocka_unit_test(test_order_since_6_4), cmocka_unit_test(test_nothing_between),
	        cmocka_unit_test(test_order_of_7),      cmocka_unit_test(test_damage),
	        cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
