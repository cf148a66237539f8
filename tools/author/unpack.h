// SPDX-License-Identifier: Apache-2.0
/* From a distribution's /boot/vmlinuz (bzImage) to the bytes that its own decompressor would produce. */
#ifndef NEWLEAF_AUTHOR_UNPACK_H
#define NEWLEAF_AUTHOR_UNPACK_H

#include "author.h"

struct unpacked {
	struct buf payload; /* the kernel's ELF with its relocation list behind it */
	char *release;      /* "6.1.0-50-cloud-amd64", from the setup header; only [A-Za-z0-9._+~-], a digit first */
};

struct unpacked unpack_kernel(const char *path);
struct buf unpack_module(const char *path); /* .ko, .ko.xz, .ko.zst, .ko.gz: the ELF */
struct buf unpack_lz4_legacy(const uint8_t *p, size_t n, size_t size, const char *path); /* size = bytes expected */

#endif
