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
	const uint8_t *bytes;            /* NULL for .bss and the like */
	bool code;                       /* executable; in 7.x .data is so, too (relocate_kernel) */
	const struct module_section *of; /* a module's, in its view; NULL = the image's */
};

struct btf;
struct module;
struct modules;

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
	/* A kernel as one of its modules sees it (modules.h) has that module's parts, and names, in front of the
	 * image's. NULL = it is the image itself. */
	const struct kernel *image;
	const struct module *module;
	struct modules *modules; /* those that the user gave; NULL = none */
};

struct kernel *kernel_open(const char *path);

/* n bytes at a link address as the file has them, or NULL when no section holds all of them. */
const uint8_t *kernel_bytes(const struct kernel *k, uint64_t va, size_t n);
const struct ksection *kernel_section(const struct kernel *k, const char *name);

const struct ksection *kernel_section_at(const struct kernel *k, uint64_t va);
/* How far it is from an address to the next symbol, or to the end of a module's section; 0 = nobody knows. */
uint64_t kernel_extent(const struct kernel *k, uint64_t va);
/* Is there code that calls could be of? A module's sections of code, or the image's _stext .. _etext. */
bool kernel_is_text(const struct kernel *k, uint64_t va);
/* Only the view's own: a module's, or all of the image's. */
bool kernel_owns(const struct kernel *k, uint64_t va);

/* A symbol of the image that must exist once; refuses NL_ETARGET. `kernel_symbol_or_0` allows its absence. */
uint64_t kernel_symbol(const struct kernel *k, const char *name);
uint64_t kernel_symbol_or_0(const struct kernel *k, const char *name);

#endif
