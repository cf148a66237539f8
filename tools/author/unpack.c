// SPDX-License-Identifier: Apache-2.0
/*
 * Unpacks a bzImage: setup header (Linux Documentation/x86/boot.rst: payload_offset, payload_length), then the
 * compressed payload, whose last four bytes are the unpacked size. All packings that Linux offers (init/Kconfig,
 * KERNEL_*) but LZO, which needs a library for a format that no distribution uses. Debian: LZ4 (5.10, 6.1), then zstd.
 */
#include "unpack.h"

#include <bzlib.h>
#include <lz4.h>
#include <lzma.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define SETUP_SECTS 0x1f1
#define SETUP_MAGIC 0x202
#define SETUP_KERNEL_VERSION 0x20e
#define SETUP_PAYLOAD_OFFSET 0x248
#define SETUP_PAYLOAD_LENGTH 0x24c
#define RELEASE_MAX 64 /* __NEW_UTS_LEN */
#define KERNEL_MAX (512u << 20)
#define XZ_MEMORY (256u << 20) /* xz -9 takes a quarter of it; a file can ask for 4 GiB */
#define MODULE_MAX (128u << 20)
#define LZ4_LEGACY_MAGIC 0x184c2102u
#define LZ4_LEGACY_BLOCK (8u << 20)

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v;
}

struct buf unpack_lz4_legacy(const uint8_t *p, size_t n, size_t size, const char *path)
{
	struct buf out = {0};
	size_t at = 4, done = 0;

	if (n < 4 || get32(p) != LZ4_LEGACY_MAGIC)
		refuse(NL_EKERNEL, "%s: no LZ4 legacy frame", path);
	buf_add(&out, NULL, size);
	while (done < size) {
		uint32_t packed = at + 4 <= n ? get32(p + at) : 0;
		size_t room = size - done < LZ4_LEGACY_BLOCK ? size - done : LZ4_LEGACY_BLOCK;
		int got;

		if (!packed || packed > n - at - 4)
			refuse(NL_EKERNEL, "%s: the LZ4 payload ends early", path);
		got = LZ4_decompress_safe((const char *)p + at + 4, (char *)out.p + done, (int)packed, (int)room);
		if (got <= 0)
			refuse(NL_EKERNEL, "%s: the LZ4 payload is damaged", path);
		done += (size_t)got;
		at += 4 + packed;
	}
	return out;
}

static struct buf unpack_gzip(const uint8_t *p, size_t n, size_t size, const char *path)
{
	struct buf out = {0};
	z_stream z = {.next_in = (uint8_t *)(uintptr_t)p, .avail_in = (unsigned)n};
	int end;

	buf_add(&out, NULL, size);
	z.next_out = out.p;
	z.avail_out = (unsigned)size;
	if (inflateInit2(&z, 15 + 16) != Z_OK)
		refuse(NL_EINTERNAL, "zlib does not start");
	end = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	if (end != Z_STREAM_END || z.avail_out)
		refuse(NL_EKERNEL, "%s: the gzip payload is damaged", path);
	return out;
}

static struct buf unpack_xz(const uint8_t *p, size_t n, size_t size, const char *path)
{
	struct buf out = {0};
	uint64_t limit = XZ_MEMORY;
	size_t in = 0, done = 0;

	buf_add(&out, NULL, size);
	if (lzma_stream_buffer_decode(&limit, 0, NULL, p, &in, n, out.p, &done, size) != LZMA_OK || done != size)
		refuse(NL_EKERNEL, "%s: the xz payload is damaged", path);
	return out;
}

/* What scripts/Makefile.lib of Linux calls lzma: the format of LZMA Utils, with no size in its header (-1). */
static struct buf unpack_lzma(const uint8_t *p, size_t n, size_t size, const char *path)
{
	lzma_stream z = LZMA_STREAM_INIT;
	struct buf out = {0};
	lzma_ret end;

	buf_add(&out, NULL, size);
	if (lzma_alone_decoder(&z, XZ_MEMORY) != LZMA_OK)
		refuse(NL_EINTERNAL, "liblzma does not start");
	z.next_in = p;
	z.avail_in = n;
	z.next_out = out.p;
	z.avail_out = size;
	end = lzma_code(&z, LZMA_FINISH);
	lzma_end(&z);
	if (end != LZMA_STREAM_END || z.avail_out)
		refuse(NL_EKERNEL, "%s: the lzma payload is damaged", path);
	return out;
}

static struct buf unpack_bzip2(const uint8_t *p, size_t n, size_t size, const char *path)
{
	struct buf out = {0};
	unsigned done = (unsigned)size;

	buf_add(&out, NULL, size);
	if (BZ2_bzBuffToBuffDecompress((char *)out.p, &done, (char *)(uintptr_t)p, (unsigned)n, 0, 0) != BZ_OK ||
	    done != size)
		refuse(NL_EKERNEL, "%s: the bzip2 payload is damaged", path);
	return out;
}

/* In one step it takes no memory but the output, whatever window the frame asks for. */
static struct buf unpack_zstd(const uint8_t *p, size_t n, size_t size, const char *path)
{
	struct buf out = {0};

	buf_add(&out, NULL, size);
	if (ZSTD_decompress(out.p, size, p, n) != size) /* errors are huge sizes */
		refuse(NL_EKERNEL, "%s: the zstd payload is damaged", path);
	return out;
}

static struct buf unpack_payload(const uint8_t *p, size_t n, size_t size, const char *path)
{
	static const struct {
		const char *magic;
		size_t n;
		const char *name;
		struct buf (*unpack)(const uint8_t *p, size_t n, size_t size, const char *path);
	} kinds[] = {
	        {"\x02\x21\x4c\x18", 4, "LZ4", unpack_lz4_legacy},
	        {"\x1f\x8b", 2, "gzip", unpack_gzip},
	        {"\xfd"
	         "7zXZ",
	         5, "xz", unpack_xz},
	        {"\x28\xb5\x2f\xfd", 4, "zstd", unpack_zstd},
	        {"BZh", 3, "bzip2", unpack_bzip2},
	        {"\x5d\x00\x00", 3, "lzma", unpack_lzma},
	        {"\x89LZO", 4, "LZO", NULL},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (n < kinds[i].n || memcmp(p, kinds[i].magic, kinds[i].n))
			continue;
		if (!kinds[i].unpack)
			refuse(NL_EKERNEL,
			       "%s: the kernel is packed with %s; this version unpacks LZ4, zstd, gzip, xz, lzma and "
			       "bzip2",
			       path, kinds[i].name);
		return kinds[i].unpack(p, n, size, path);
	}
	refuse(NL_EKERNEL, "%s: the kernel is packed in an unknown way", path);
}

/* It becomes part of paths that make runs in: what uname -r can be (Linux's Makefile, kernelrelease), and no more. */
static char *read_release(const char *version, const char *path)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+~-";
	char *release = xformat("%.*s", (int)strcspn(version, " "), version);
	size_t n = strlen(release);

	if (n > RELEASE_MAX || *release < '0' || *release > '9' || strspn(release, plain) != n)
		refuse(NL_EKERNEL, "%s says that its release is '%.80s', which is none: do not trust this file", path,
		       release);
	return release;
}

struct unpacked unpack_kernel(const char *path)
{
	struct unpacked u;
	struct buf file = file_read(path, KERNEL_MAX);
	uint64_t start, offset, length, version;
	uint32_t size;

	if (file.n > 4 && !memcmp(file.p,
	                          "\x7f"
	                          "ELF",
	                          4))
		refuse(NL_EKERNEL,
		       "%s is a bare ELF; give the /boot/vmlinuz that the machine boots: only it holds the relocation "
		       "list",
		       path);
	if (file.n < 0x300 || memcmp(file.p + SETUP_MAGIC, "HdrS", 4))
		refuse(NL_EKERNEL, "%s is no x86 bzImage", path);
	start = (file.p[SETUP_SECTS] ? file.p[SETUP_SECTS] + 1u : 5u) * 512u;
	offset = get32(file.p + SETUP_PAYLOAD_OFFSET);
	length = get32(file.p + SETUP_PAYLOAD_LENGTH);
	if (length < 16 || start + offset + length > file.n)
		refuse(NL_EKERNEL, "%s is truncated", path);
	version = 0x200u + file.p[SETUP_KERNEL_VERSION] + 256u * file.p[SETUP_KERNEL_VERSION + 1];
	if (version >= start || !memchr(file.p + version, 0, start - version))
		refuse(NL_EKERNEL, "%s does not say its release; give the /boot/vmlinuz that the machine boots", path);
	u.release = read_release((const char *)file.p + version, path);
	size = get32(file.p + start + offset + length - 4);
	if (size < 4096 || size > KERNEL_MAX)
		refuse(NL_EKERNEL, "%s: unpacked size %u is not plausible", path, size);
	u.payload = unpack_payload(file.p + start + offset, length - 4, size, path);
	return u;
}

/* Neither says beforehand how much it is: the end of the xz file would, if it were believed. */
static struct buf unpack_unknown(const uint8_t *p, size_t n, const char *path, bool xz)
{
	lzma_stream z = LZMA_STREAM_INIT;
	z_stream g = {.next_in = (uint8_t *)(uintptr_t)p, .avail_in = (unsigned)n};
	struct buf out = {0};
	bool ended = false;

	if (xz ? lzma_stream_decoder(&z, XZ_MEMORY, 0) != LZMA_OK : inflateInit2(&g, 15 + 16) != Z_OK)
		refuse(NL_EINTERNAL, "a decompressor does not start");
	z.next_in = p;
	z.avail_in = n;
	while (!ended) {
		size_t had = out.n, room = had ? had : 1u << 20, left;

		if (had + room > MODULE_MAX)
			refuse(NL_EKERNEL, "%s unpacks to more than %u bytes: that is no module", path, MODULE_MAX);
		buf_add(&out, NULL, room);
		if (xz) {
			lzma_ret r;

			z.next_out = out.p + had;
			z.avail_out = room;
			r = lzma_code(&z, LZMA_FINISH);
			ended = r == LZMA_STREAM_END;
			left = z.avail_out;
			if (!ended && (r != LZMA_OK || left))
				refuse(NL_EKERNEL, "%s: the xz file is damaged", path);
		} else {
			int r;

			g.next_out = out.p + had;
			g.avail_out = (unsigned)room;
			r = inflate(&g, Z_NO_FLUSH);
			ended = r == Z_STREAM_END;
			left = g.avail_out;
			if (!ended && (r != Z_OK || left))
				refuse(NL_EKERNEL, "%s: the gzip file is damaged", path);
		}
		out.n -= left;
	}
	lzma_end(&z);
	inflateEnd(&g);
	return out;
}

struct buf unpack_module(const char *path)
{
	struct buf file = file_read(path, MODULE_MAX);
	unsigned long long size;

	if (file.n > 5 && !memcmp(file.p,
	                          "\xfd"
	                          "7zXZ",
	                          5))
		return unpack_unknown(file.p, file.n, path, true);
	if (file.n > 2 && !memcmp(file.p, "\x1f\x8b", 2))
		return unpack_unknown(file.p, file.n, path, false);
	if (file.n < 4 || memcmp(file.p, "\x28\xb5\x2f\xfd", 4))
		return file;
	size = ZSTD_getFrameContentSize(file.p, file.n); /* kmod's and the kernel's build say it */
	if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || !size || size > MODULE_MAX)
		refuse(NL_EKERNEL, "%s: the zstd file does not say its size, or more than %u bytes", path, MODULE_MAX);
	return unpack_zstd(file.p, file.n, size, path);
}
