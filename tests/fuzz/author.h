// SPDX-License-Identifier: Apache-2.0
/* A kernel as tools/author/kernel.c would have read it, from the input: for the parts behind it. */
#ifndef TESTS_FUZZ_AUTHOR_H
#define TESTS_FUZZ_AUTHOR_H

#include "fuzz.h"

#include "kernel.h"

#define FUZZ_TEXT 0xffffffff81000000ULL
#define FUZZ_TEXT_SIZE 0x300u
#define FUZZ_DATA 0xffffffff81100000ULL

/* With no input left: one function `f` of nops, and no table. */
struct kernel *fuzz_kernel(struct fuzz *f);

/* What the input must hold for text (n bytes at FUZZ_TEXT + 0x100, where `f` begins), and one entry of a table. */
struct buf fuzz_kernel_seed(const void *f, size_t n, unsigned table, const void *entry, size_t size);

#endif
