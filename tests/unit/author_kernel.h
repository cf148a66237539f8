// SPDX-License-Identifier: Apache-2.0
/* A made-up kernel for the tests of the authoring companion: one function `f` with given bytes, and some names around
 * it. */
#ifndef AUTHOR_KERNEL_H
#define AUTHOR_KERNEL_H

#include "../../tools/author/kernel.h"

#define AUTHOR_F 0xffffffff81000200ULL
#define AUTHOR_NOT_TRACED UINT32_MAX

/* traced = offset of the ftrace nop in f. */
struct kernel *author_kernel(const uint8_t *code, size_t n, uint32_t traced);
void author_kernel_section(struct kernel *k, const char *name, uint64_t va, const void *bytes, size_t n);
void author_kernel_rename(struct kernel *k, const char *from, const char *to); /* a symbol */
void author_kernel_symbol(struct kernel *k, const char *name, uint64_t va);    /* one more */
void author_kernel_reloc(struct kernel *k, uint64_t va, enum krel_kind kind);
void author_kernel_pointer(struct kernel *k, uint64_t value); /* a pointer in data that KASLR knows of */
void author_kernel_text(struct kernel *k, const char *name, const char *text); /* a symbol of data, and what is there */
void author_kernel_table(struct kernel *k, const char *section, uint64_t va); /* a table of one 4-byte relative entry */

#endif
