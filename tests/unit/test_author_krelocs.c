// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/krelocs.c tools/author/author.c tests/unit/author_refuse.c
// cflags: -Itools/author
/* The relocation list behind the ELF: three lists, two lists, and what is none. */
#include "author_refuse.h"
#include "krelocs.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static void test_three_lists(void **state)
{
	static const uint32_t list[] = {0, 0x82000010, 0x82000000, 0, 0x81000105, 0, 0x81000203, 0x81000100};
	struct krelocs r;

	(void)state;
	assert_true(krelocs_decode(&r, (const uint8_t *)list, sizeof(list)));
	assert_int_equal(r.n, 5);
	assert_true(r.rel[0].va == 0xffffffff81000100 && r.rel[0].kind == KREL_32);
	assert_true(r.rel[1].va == 0xffffffff81000105 && r.rel[1].kind == KREL_INV_32);
	assert_true(r.rel[2].va == 0xffffffff81000203 && r.rel[2].kind == KREL_32);
	assert_true(r.rel[3].va == 0xffffffff82000000 && r.rel[3].kind == KREL_64);
	assert_true(r.rel[4].va == 0xffffffff82000010 && r.rel[4].kind == KREL_64);
}

static void test_search(void **state)
{
	static const uint32_t list[] = {0, 0x82000000, 0, 0, 0x81000100};
	struct krelocs r;

	(void)state;
	assert_true(krelocs_decode(&r, (const uint8_t *)list, sizeof(list)));
	assert_int_equal(krelocs_from(&r, 0), 0);
	assert_int_equal(krelocs_from(&r, 0xffffffff81000103), 0); /* its last byte */
	assert_int_equal(krelocs_from(&r, 0xffffffff81000104), 1);
	assert_int_equal(krelocs_from(&r, 0xffffffff82000007), 1);
	assert_int_equal(krelocs_from(&r, 0xffffffff82000008), 2);
}

static void test_two_lists(void **state)
{
	static const uint32_t list[] = {0, 0x82000000, 0, 0x81000100};
	struct krelocs r;

	(void)state;
	assert_true(krelocs_decode(&r, (const uint8_t *)list, sizeof(list)));
	assert_int_equal(r.n, 2);
	assert_int_equal(r.rel[0].kind, KREL_32);
	assert_int_equal(r.rel[1].kind, KREL_64);
}

static void test_no_list(void **state)
{
	static const uint32_t lower_half[] = {0, 0x82000000, 0, 0, 0x01000100}, one_zero[] = {0, 0x82000000},
	                      last_bytes[] = {0, 0xfffffffa, 0,
	                                      0x81000100}; /* a field that would end behind the last address */
	struct krelocs r;

	(void)state;
	assert_false(krelocs_decode(&r, (const uint8_t *)lower_half, sizeof(lower_half)));
	assert_false(krelocs_decode(&r, (const uint8_t *)one_zero, sizeof(one_zero)));
	assert_false(krelocs_decode(&r, (const uint8_t *)last_bytes, sizeof(last_bytes)));
	assert_false(krelocs_decode(&r, NULL, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_three_lists),
	        cmocka_unit_test(test_search),
	        cmocka_unit_test(test_two_lists),
	        cmocka_unit_test(test_no_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
