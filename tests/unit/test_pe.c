// SPDX-License-Identifier: Apache-2.0
/*
 * Sections of the loader's own image: found by name, and never read beyond the image, whatever its headers say.
 */
// sources: efi/pe.c
// cflags: -Iefi
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pe.h"

#define SIZE 0x3000u
#define PE 0x80u
#define OPTIONAL 0xf0u
#define TABLE (PE + 24 + OPTIONAL)

static uint8_t *image; /* of exactly SIZE bytes, for ASan */

static void put(unsigned at, uint32_t v, unsigned bytes)
{
	for (; bytes--; v >>= 8)
		image[at++] = (uint8_t)v;
}

static void section(unsigned n, const char *name, uint32_t address, uint32_t size)
{
	unsigned at = TABLE + n * 40;

	memset(image + at, 0, 40);
	memcpy(image + at, name, strnlen(name, 8));
	put(at + 8, size, 4);
	put(at + 12, address, 4);
}

static void build(void)
{
	memset(image, 0, SIZE);
	put(0, 0x5a4d, 2);
	put(0x3c, PE, 4);
	put(PE, 0x4550, 4);
	put(PE + 6, 3, 2);
	put(PE + 20, OPTIONAL, 2);
	section(0, ".text", 0x1000, 0x800);
	section(1, ".core", 0x2000, 0x30);
	section(2, ".section", 0x2800, 0x800);
}

static int setup(void **state)
{
	(void)state;
	image = malloc(SIZE);
	return image == NULL;
}

static int teardown(void **state)
{
	(void)state;
	free(image);
	return 0;
}

static void test_found(void **state)
{
	size_t n = 0;

	(void)state;
	build();
	assert_ptr_equal(nl_pe_section(image, SIZE, ".core", &n), image + 0x2000);
	assert_int_equal(n, 0x30);
	assert_ptr_equal(nl_pe_section(image, SIZE, ".section", &n),
	                 image + 0x2800); /* eight characters, and up to the last byte */
	assert_int_equal(n, 0x800);
	assert_null(nl_pe_section(image, SIZE, ".cor", &n));
	assert_null(nl_pe_section(image, SIZE, ".core1", &n));
	assert_null(nl_pe_section(image, SIZE, ".sections", &n));
}

static void test_does_not_fit(void **state)
{
	size_t n;

	(void)state;
	build();
	section(1, ".core", 0x2000, 0x1001);
	assert_null(nl_pe_section(image, SIZE, ".core", &n));
	section(1, ".core", 0x3001, 0);
	assert_null(nl_pe_section(image, SIZE, ".core", &n));
	section(1, ".core", 0xffffffff, 0xffffffff);
	assert_null(nl_pe_section(image, SIZE, ".core", &n));
	section(1, ".core", 0x2fff, 1);
	assert_non_null(nl_pe_section(image, SIZE, ".core", &n));
	put(PE + 6, 0xffff, 2); /* more sections than image */
	assert_null(nl_pe_section(image, SIZE, ".none", &n));
	for (uint32_t at = 0; at < 0x200; at++) { /* headers anywhere, also behind the end */
		put(0x3c, at < 0x100 ? at : SIZE - (0x200 - at), 4);
		nl_pe_section(image, SIZE, ".core", &n);
	}
	put(0x3c, 0xffffffff, 4);
	assert_null(nl_pe_section(image, SIZE, ".core", &n));
}

/* An image of every length: what is found lies inside. */
static void test_every_length(void **state)
{
	(void)state;
	for (size_t size = 0; size < 0x400; size++) {
		uint8_t *cut = malloc(size ? size : 1);
		size_t n;
		const void *p;

		build();
		section(0, ".text", 0, 0x10);
		memcpy(cut, image, size);
		p = nl_pe_section(cut, size, ".text", &n);
		assert_true((p != NULL) == (size >= TABLE + 40));
		p = nl_pe_section(cut, size, ".core", &n);
		assert_null(p);
		free(cut);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_found),
	        cmocka_unit_test(test_does_not_fit),
	        cmocka_unit_test(test_every_length),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
