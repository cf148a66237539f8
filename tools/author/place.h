// SPDX-License-Identifier: Apache-2.0
/* Where a name is: in the kernel, in the body, or at a place that KASLR does not move. */
#ifndef NEWLEAF_AUTHOR_PLACE_H
#define NEWLEAF_AUTHOR_PLACE_H

#include "kernel.h"
#include "recipe.h"

struct place {
	enum nl_reloc_symbol
	        symbol; /* with PLACE_OF_KERNEL: of the kernel's part of the leaf, where a module refers to it */
	uint64_t value;
};
#define PLACE_OF_KERNEL 0x100u

/* A symbol of the kernel; refuses NL_ETARGET when it is unknown or ambiguous, NL_ESITE when boot frees it. `where`
 * leads the message. */
struct place place_in_kernel(const struct kernel *k, const struct recipe_symbol *s, const char *where);

/* The same for an address that is known otherwise; `where` begins the message. */
struct place place_at(const struct kernel *k, uint64_t va, const char *where);

/*
 * The bytes that [va, va+len) holds at run time: as in the file, but fields that KASLR moves are zeroed in out[] and
 * described in relocs[], with offsets that count from va. Returns how many. Refuses NL_ESITE when a field crosses an
 * end of the range.
 */
size_t runtime_bytes(const struct kernel *k, uint64_t va, uint32_t len, uint8_t *out, struct nl_leaf_reloc *relocs,
                     size_t max, const char *where);

#endif
