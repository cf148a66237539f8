// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/kallsyms.c tools/author/author.c tests/unit/author_refuse.c
// cflags: -Itools/author
/*
 * kallsyms tables made here in the orders of 6.1 and of 6.4, with tokens of more than one character, and decoded back.
 * 600 symbols: three markers.
 */
#include "author_refuse.h"
#include "kallsyms.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define BASE 0xffffffff81000000ULL
#define SYMBOLS 600
#define PERCPU 3 /* the first ones are absolute */

struct image {
	struct buf b;
	size_t markers;
};

/* Token 0 is "sym_"; every other token is its own character, or nothing useful. */
static char *token(unsigned i)
{
	return i == 0 ? xformat("sym_") : i >= 33 && i < 127 ? xformat("%c", (int)i) : xformat("{%u}", i);
}

static char *name_of(unsigned i)
{
	return i == 590 ? xformat("sym_%d", 10) : xformat("sym_%u", i); /* one name twice */
}

static void add32(struct buf *b, uint32_t v) { buf_add(b, &v, 4); }

static void add_addresses(struct buf *b)
{
	for (unsigned i = 0; i < SYMBOLS; i++)
		add32(b, i < PERCPU ? i * 8 : (uint32_t)(-1 - (int32_t)(i * 16)));
	buf_align(b, 8, 0);
	buf_add(b, &(uint64_t){BASE}, 8);
}

static struct image make(bool addresses_last)
{
	struct image m = {0};
	uint32_t markers[(SYMBOLS + 255) / 256];
	struct buf index = {0};
	size_t names, table;

	buf_add(&m.b, NULL, 64);
	add32(&m.b, 0x1234567);
	buf_align(&m.b, 8, 0x55);
	if (!addresses_last)
		add_addresses(&m.b);
	add32(&m.b, SYMBOLS);
	names = buf_align(&m.b, 8, 0);
	for (unsigned i = 0; i < SYMBOLS; i++) {
		char *name = name_of(i) + 4;
		uint8_t head[3] = {(uint8_t)(strlen(name) + 2), 'T', 0};

		if (i % 256 == 0)
			markers[i / 256] = (uint32_t)(m.b.n - names);
		buf_add(&m.b, head, 3); /* length, type, token "sym_" */
		buf_add(&m.b, name, strlen(name));
	}
	m.markers = buf_align(&m.b, 8, 0);
	for (unsigned i = 0; i < (SYMBOLS + 255) / 256; i++)
		add32(&m.b, markers[i]);
	table = buf_align(&m.b, 8, 0);
	for (unsigned i = 0; i < 256; i++) {
		uint16_t at = (uint16_t)(m.b.n - table);
		char *t = token(i);

		buf_add(&index, &at, 2);
		buf_add(&m.b, t, strlen(t) + 1);
	}
	buf_align(&m.b, 8, 0);
	buf_add(&m.b, index.p, index.n);
	buf_align(&m.b, 8, 0);
	if (addresses_last)
		add_addresses(&m.b);
	buf_add(&m.b, NULL, 40);
	return m;
}

static void check(const struct image *m)
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
	struct image m = make(false);

	(void)state;
	check(&m);
}

static void test_order_since_6_4(void **state)
{
	struct image m = make(true);

	(void)state;
	check(&m);
}

static void test_damage(void **state)
{
	struct image m = make(false);
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
		struct image m = make(round & 1);
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
