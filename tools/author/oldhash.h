// SPDX-License-Identifier: Apache-2.0
/*
 * What a function of the kernel does, as a hash: its instructions, with each address in them replaced by what stands
 * there (a name and an offset, the text of a string), without padding. The same source and compiler give the same hash
 * wherever the linker has put things; another function, another hash. Line numbers and sizes in instructions count.
 */
#ifndef NEWLEAF_AUTHOR_OLDHASH_H
#define NEWLEAF_AUTHOR_OLDHASH_H

#include "kernel.h"

#define OLDHASH_SIZE 32u
#define OLDHASH_SHOWN 8u /* bytes that are shown, and the least that a recipe says */

/* [va, va + size): from the function's symbol to the next. False: the image has no bytes there. */
bool oldhash(const struct kernel *k, uint64_t va, uint64_t size, uint8_t out[OLDHASH_SIZE]);
char *oldhash_text(const uint8_t hash[OLDHASH_SIZE]); /* its first digits */

#endif
