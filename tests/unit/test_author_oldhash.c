// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/oldhash.c tools/newleaf/sha256.c
// sources: tools/author/code.c tools/author/kallsyms.c tools/author/krelocs.c
// sources: tools/author/author.c tools/author/escape.c tests/unit/author_refuse.c
// sources: tests/unit/author_kernel.c
// cflags: -Itools/author
// libs: -lZydis
/* The hash of a function: what the linker and the compiler's counting change is not in it, everything else is. */
#include "author_kernel.h"
#include "author_refuse.h"
#include "oldhash.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#define HASH(code) hash_of((const uint8_t *)(code), sizeof(code) - 1, 0)

static char *hash_of(const uint8_t *code, size_t n, uint64_t reloc)
{
	struct kernel *k = author_kernel(code, n, AUTHOR_NOT_TRACED);
	uint8_t hash[OLDHASH_SIZE];

	if (reloc)
		author_kernel_reloc(k, AUTHOR_F + reloc, KREL_32);
	assert_true(oldhash(k, AUTHOR_F, n, hash));
	return oldhash_text(hash);
}

#define SAME(a, b) assert_string_equal(HASH(a), HASH(b))
#define OTHER(a, b) assert_string_not_equal(HASH(a), HASH(b))

static void test_code(void **state)
{
	(void)state;
	SAME("\x31\xc0\xc3", "\x31\xc0\xc3");
	OTHER("\x31\xc0\xc3", "\x31\xc9\xc3");
	OTHER("\xb8\x01\x00\x00\x00\xc3", "\xb8\x02\x00\x00\x00\xc3");
	OTHER("\x31\xc0\xc3", "\x31\xc0\x31\xc0\xc3");
	SAME("\x31\xc0\xc3\xcc\xcc\xcc", "\x31\xc0\xc3\x0f\x1f\x40\x00"); /* padding */
	SAME("\x31\xc0\x90\x31\xc9\xc3", "\x31\xc0\x66\x90\x31\xc9\xc3");
	assert_int_equal(strlen(HASH("\xc3")), 16);
}

static void test_branches(void **state)
{
	(void)state;
	/* xor eax; jne back: short and near, with and without padding in between */
	SAME("\x31\xc0\x75\xfc\xc3", "\x31\xc0\x0f\x85\xf8\xff\xff\xff\xc3");
	SAME("\xeb\x01\x90\x31\xc0\xc3", "\xe9\x03\x00\x00\x00\x0f\x1f\x00\x31\xc0\xc3");
	OTHER("\x31\xc0\x75\xfc\xc3", "\x31\xc0\x74\xfc\xc3");         /* another condition */
	OTHER("\x31\xc0\x75\xfc\xc3", "\x31\xc0\x75\x00\xc3");         /* another place of it */
	OTHER("\xe8\x00\x00\x00\x00\xc3", "\xe8\xfb\xff\xff\xff\xc3"); /* a call of itself */
}

static void test_addresses(void **state)
{
	/* mov $0xffffffff81000100,%rdi: the address of `twice`; and a number that only looks like it */
	static const uint8_t mov[] = {0x48, 0xc7, 0xc7, 0x00, 0x01, 0x00, 0x81, 0xc3};
	static const uint8_t other[] = {0x48, 0xc7, 0xc7, 0x10, 0x01, 0x00, 0x81, 0xc3};

	(void)state;
	assert_string_equal(hash_of(mov, sizeof(mov), 3), hash_of(mov, sizeof(mov), 3));
	assert_string_not_equal(hash_of(mov, sizeof(mov), 3), hash_of(mov, sizeof(mov), 0));
	/* Both are places called `twice`, and which one it is nobody can tell by name: it is the same to a reader. */
	assert_string_equal(hash_of(mov, sizeof(mov), 3), hash_of(other, sizeof(other), 3));
}

static void test_anything(void **state)
{
	(void)state;
	OTHER("\x06\x06\xc3", "\x06\x07\xc3"); /* no instructions, but bytes */
	HASH("\xe9\xff\xff\xff\x7f");
	HASH("\x0f");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_code),
	        cmocka_unit_test(test_branches),
	        cmocka_unit_test(test_addresses),
	        cmocka_unit_test(test_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
