// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/listing.c tools/author/author.c tests/unit/author_refuse.c
// cflags: -Itools/author
// libs: -lZydis
/* Machine code as lines, and two of them side by side. */
#include "author_refuse.h"
#include "listing.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

/* Knows one field. */
static char *namer(const void *with, uint32_t offset, uint32_t size, uint32_t end, uint64_t target)
{
	(void)target, (void)end;
	return offset == *(const uint32_t *)with && size == 4 ? xformat("a_name") : NULL;
}

static struct listing of(const char *code, uint32_t size, uint32_t field)
{
	return listing_make((const uint8_t *)code, size, 0x1000, namer, &field);
}

static void test_lines(void **state)
{
	/* je +9; call (a field); mov 0x10(%rip), %eax; ret; what is no instruction */
	struct listing l = of("\x74\x07\xe8\0\0\0\0\x8b\x05\x10\0\0\0\xc3\x06", 15, 3);

	(void)state;
	assert_int_equal(l.n, 5);
	assert_string_equal(l.line[0].text, "jz +0x9");
	assert_string_equal(l.line[0].plain, "jz .");
	assert_string_equal(l.line[0].bytes, "7407");
	assert_string_equal(l.line[1].text, "call a_name");
	assert_int_equal(l.line[1].offset, 2);
	assert_non_null(strstr(l.line[2].text, "0x10(%rip), %eax"));
	assert_string_equal(l.line[3].text, "ret");
	assert_string_equal(l.line[4].text, ".byte 0x06");
	l = of("\x8b\x05\x10\0\0\0\xe8\0\0\0\0", 11, 2);
	assert_non_null(strstr(l.line[0].text, "# a_name"));
	assert_string_equal(l.line[1].text, "call 0x100b"); /* behind the code: outside of it */
}

static void test_side_by_side(void **state)
{
	/* xor eax,eax; ret against xor eax,eax; inc eax; ret, with a branch whose distance differs */
	struct listing a = of("\x75\x02\x31\xc0\xc3", 5, 99), b = of("\x75\x04\x31\xc0\xff\xc0\xc3", 7, 99);
	struct listing_row *rows;
	size_t n = listing_align(&a, &b, &rows);

	(void)state;
	assert_int_equal(n, 4);
	assert_true(rows[0].same && rows[0].a == 0 && rows[0].b == 0);
	assert_true(rows[1].same && rows[1].a == 1 && rows[1].b == 1);
	assert_true(!rows[2].same && rows[2].a == -1 && rows[2].b == 2);
	assert_true(rows[3].same && rows[3].a == 2 && rows[3].b == 3);
	b.n = 0;
	assert_int_equal(listing_align(&a, &b, &rows), 3);
	assert_true(rows[2].a == 2 && rows[2].b == -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_lines),
	        cmocka_unit_test(test_side_by_side),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
