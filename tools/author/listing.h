// SPDX-License-Identifier: Apache-2.0
/* Machine code as lines to read and to compare: one instruction each, places by name. */
#ifndef NEWLEAF_AUTHOR_LISTING_H
#define NEWLEAF_AUTHOR_LISTING_H

#include "author.h"

struct listing_line {
	uint32_t offset; /* from the first byte of the code */
	char *bytes;     /* hexadecimal */
	char *text;      /* instruction with names; branches within the code say +0x.. */
	char *plain;     /* for comparison: the same without distances within the code */
};

struct listing {
	struct listing_line *line;
	size_t n;
};

/*
 * What stands in the field at `offset` (of `size` bytes) of the instruction that ends at `end`, by name; NULL = the
 * bytes mean what they say. `target`: where a PC-relative field leads if nothing moves it.
 */
typedef char *listing_namer(const void *with, uint32_t offset, uint32_t size, uint32_t end, uint64_t target);

/* va: where the code stands, for distances to what is outside of it. */
struct listing listing_make(const uint8_t *code, uint32_t size, uint64_t va, listing_namer *name, const void *with);

/* Two listings beside each other: rows[i] = {index in a or -1, index in b or -1}; returns how many. */
struct listing_row {
	int32_t a, b;
	bool same;
};
size_t listing_align(const struct listing *a, const struct listing *b, struct listing_row **rows);

#endif
