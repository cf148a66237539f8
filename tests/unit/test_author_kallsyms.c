// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/kallsyms.c tools/author/author.c tests/unit/author_refuse.c
// sources: tests/unit/makekernel.c
// libs: -lbpf -llz4
// cflags: -Itools/author
/*
 * kallsyms tables made here in the orders of 6.1 and of 6.4, with tokens of more than one character, and decoded back.
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
#define PERCPU 3 /* the first ones are absolute */

static char *name_of(unsigned i)
{
	return i == 590 ? xformat("sym_%d", 10) : xformat("sym_%u", i); /* one name twice */
}

static struct made_kallsyms make(bool addresses_last)
{
	struct ksym sym[SYMBOLS];

	for (unsigned i = 0; i < SYMBOLS; i++)
		sym[i] = (struct ksym){i < PERCPU ? i * 8 : BASE + i * 16, name_of(i), 'T'};
	return make_kallsyms(sym, SYMBOLS, addresses_last);
}

static void check(const struct made_kallsyms *m)
{
	const struct ksym *found = NULL;
	struct kallsyms s = {0};

	assert_true(kallsyms_decode(&s, m->b.p, m->b.n));
	assert_int_equal(s.n, SYMBOLS);
	for (unsigned i = 0; i < SYMBOLS; i++) {
		assert_string_equal(s.sym[i].name, name_of(i));
		assert_int_equal(s.sym[i].type, 'T');
		assert_true(s.sym[i].va == (i < PERCPU ? i * 8 : BASE + i * 16));
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
	struct made_kallsyms m = make(false);

	(void)state;
	check(&m);
}

static void test_order_since_6_4(void **state)
{
	struct made_kallsyms m = make(true);

	(void)state;
	check(&m);
}

static void test_damage(void **state)
{
	struct made_kallsyms m = make(false);
	struct kallsyms s = {0};

	(void)state;
	m.b.p[m.markers + 4]++; /* a marker that disagrees with the names */
	assert_false(kallsyms_decode(&s, m.b.p, m.b.n));
	m = make(true);
	assert_false(kallsyms_decode(&s, m.b.p, m.b.n - 80)); /* the addresses are cut off */
	assert_false(kallsyms_decode(&s, m.b.p, 0));
}

/* Whatever is thrown at it: no access outside the buffer (ASan), and an end. */
static void test_noise(void **state)
{
	(void)state;
	srandom(1);
	for (int round = 0; round < 300; round++) {
		struct made_kallsyms m = make(round & 1);
		uint8_t *exact = malloc(m.b.n);
		struct kallsyms s = {0};

		memcpy(exact, m.b.p, m.b.n);
		for (int i = 0; i < 4; i++)
			exact[(size_t)random() % m.b.n] = (uint8_t)random();
		kallsyms_decode(&s, exact, m.b.n - (size_t)random() % 64);
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_order_of_6_1),
	        cmocka_unit_test(test_order_since_6_4),
	        cmocka_unit_test(test_damage),
	        cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
