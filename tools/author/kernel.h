// SPDX-License-Identifier: Apache-2.0
/*
 * One target kernel, read from its bzImage: sections, symbols, relocations, types, the build-id.
 * All addresses are link addresses (before KASLR).
 */
#ifndef NEWLEAF_AUTHOR_KERNEL_H
#define NEWLEAF_AUTHOR_KERNEL_H

#include "author.h"
#include "kallsyms.h"
#include "krelocs.h"

struct ksection {
	const char *name;
	uint64_t va, size;
	const uint8_t *bytes; /* NULL for .bss and the like */
	bool code;            /* executable; in 7.x .data is so, too (relocate_kernel) */
};

struct btf;

struct kernel {
	const char *path;
	char *release;
	struct ksection *sections;
	size_t n_sections;
	struct kallsyms syms;
	struct krelocs relocs;
	struct btf *btf;
	uint8_t build_id[32];
	uint32_t build_id_len;
	uint64_t build_id_va;
};

struct kernel *kernel_open(const char *path);

/* n bytes at a link address as the file has them, or NULL when no section holds all of them. */
const uint8_t *kernel_bytes(const struct kernel *k, uint64_t va, size_t n);
const struct ksection *kernel_section(const struct kernel *k, const char *name);

/* A symbol that must exist once; refuses NL_ETARGET. `kernel_symbol_or_0` allows its absence. */
uint64_t kernel_symbol(const struct kernel *k, const char *name);
uint64_t kernel_symbol_or_0(const struct kernel *k, const char *name);

#endif
