// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/unpack.c tools/author/author.c tests/unit/author_refuse.c tests/unit/makekernel.c
// libs: -lbpf -llz4 -lzstd -llzma -lbz2 -lz
// cflags: -Itools/author
/* Each packing that a bzImage may have, made by the library's other half: unpacked, damaged, cut short. */
#include "author_refuse.h"
#include "makekernel.h"
#include "unpack.h"

#include <bzlib.h>
#include <lzma.h>
#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define SIZE 100000u
#define ROOM 200000u

static uint8_t plain[SIZE], packed[ROOM];

static size_t by_zstd(void) { return ZSTD_compress(packed, ROOM, plain, SIZE, 3); }

static size_t by_gzip(void)
{
	z_stream z = {.next_in = plain, .avail_in = SIZE, .next_out = packed, .avail_out = ROOM};

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return z.total_out;
}

static size_t by_bzip2(void)
{
	unsigned n = ROOM;

	assert_int_equal(BZ2_bzBuffToBuffCompress((char *)packed, &n, (char *)plain, SIZE, 9, 0, 0), BZ_OK);
	return n;
}

static size_t by_xz(void)
{
	size_t n = 0;

	assert_int_equal(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, NULL, plain, SIZE, packed, &n, ROOM), LZMA_OK);
	return n;
}

static size_t by_lzma(void)
{
	lzma_stream z = LZMA_STREAM_INIT;
	lzma_options_lzma options;

	lzma_lzma_preset(&options, 6);
	assert_int_equal(lzma_alone_encoder(&z, &options), LZMA_OK);
	z.next_in = plain;
	z.avail_in = SIZE;
	z.next_out = packed;
	z.avail_out = ROOM;
	assert_int_equal(lzma_code(&z, LZMA_FINISH), LZMA_STREAM_END);
	lzma_end(&z);
	return z.total_out;
}

static const struct {
	const char *name;
	size_t (*pack)(void);
	bool sums; /* its checksum tells every change, so made */
} packings[] = {{"zstd", by_zstd, false},
                {"gzip", by_gzip, true},
                {"bzip2", by_bzip2, true},
                {"xz", by_xz, true},
                {"lzma", by_lzma, false}};
#define PACKINGS (sizeof(packings) / sizeof(packings[0]))

static struct unpacked unpack(size_t n, uint32_t size)
{
	struct buf image = make_packed(packed, n, size, MADE_RELEASE);

	return unpack_kernel(make_file(0, image.p, image.n));
}

static int setup(void **state)
{
	(void)state;
	srandom(1);
	for (unsigned i = 0; i < SIZE; i++) /* neither one run nor noise */
		plain[i] = (uint8_t)(i % 3 ? i / 100 : (unsigned)random());
	return 0;
}

static void test_every_packing(void **state)
{
	(void)state;
	for (size_t i = 0; i < PACKINGS; i++) {
		struct unpacked u = unpack(packings[i].pack(), SIZE);

		assert_string_equal(u.release, MADE_RELEASE);
		assert_int_equal(u.payload.n, SIZE);
		assert_memory_equal(u.payload.p, plain, SIZE);
	}
}

static void check_damage(const char *name, size_t n, bool sums)
{
	assert_true(AUTHOR_REFUSES(NL_EKERNEL, (unpack(n / 2, SIZE), 0)));
	assert_true(AUTHOR_REFUSES(NL_EKERNEL, (unpack(n, SIZE - 1), 0)));
	assert_true(AUTHOR_REFUSES(NL_EKERNEL, (unpack(n, SIZE + 1), 0)));
	assert_non_null(strstr(author_why, name));
	memset(packed + n / 2, 0xa5, 64);
	assert_true(!sums || AUTHOR_REFUSES(NL_EKERNEL, (unpack(n, SIZE), 0)));
}

static void test_damage(void **state)
{
	(void)state;
	for (size_t i = 0; i < PACKINGS; i++)
		check_damage(packings[i].name, packings[i].pack(), packings[i].sums);
}

static void test_unknown(void **state)
{
	(void)state;
	memcpy(packed, "\x89LZO\0\r\n", 7);
	assert_true(AUTHOR_REFUSES(NL_EKERNEL, (unpack(ROOM, SIZE), 0)));
	assert_non_null(strstr(author_why, "packed with LZO"));
	memset(packed, 0x55, 64);
	assert_true(AUTHOR_REFUSES(NL_EKERNEL, (unpack(ROOM, SIZE), 0)));
	assert_non_null(strstr(author_why, "in an unknown way"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(test_every_packing, setup),
	        cmocka_unit_test_setup(test_damage, setup),
	        cmocka_unit_test_setup(test_unknown, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
