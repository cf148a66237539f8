// SPDX-License-Identifier: Apache-2.0
/*
 * The way of a leaf behind the parser, in a fake guest (tests/unit/fakeguest.h) in which a step beyond what the leaf
 * may reach is a fault: each page of the guest's memory stands alone between pages that cannot be accessed, and of the
 * arena only the rooms that were found for it are there. Whatever the leaf expects to find is put where it looks, so
 * that everything the parser accepts is bound, relocated, applied, followed and taken back.
 */
#ifndef TESTS_FUZZ_LEAFMACHINE_H
#define TESTS_FUZZ_LEAFMACHINE_H

#include "makeleaf.h"

#define MACHINE_MODULES 3u

/* A leaf that passes all of it: sites of each kind, bodies, relocations, counters; with modules or without. Returns its
 * size, in NL_LEAF_MAX_SIZE bytes. */
size_t machine_leaf(uint8_t *out, bool modules);
/* For a leaf of another kernel: it becomes one of this machine's, its sites somewhere in its image. */
void machine_adopt(uint8_t *leaf, size_t size);
/* The signed part of a leaf, which the parser has accepted. How far did it come? */
enum machine_way { MACHINE_REFUSED, MACHINE_VERIFIED, MACHINE_APPLIED, MACHINE_REVERTED };
enum machine_way machine_run(const uint8_t *leaf, size_t size);

#endif
