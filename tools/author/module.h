// SPDX-License-Identifier: Apache-2.0
/*
 * One kernel module, read from its .ko, and where the kernel's loader will put each part of it.
 *
 * Its addresses are made up: each run of memory that the loader allocates by itself gets a place of its own above the
 * image, so that everything that asks about code by link addresses can ask about a module's, too. No distance between
 * two runs means anything; draft.c turns addresses into (object, region, offset).
 */
#ifndef NEWLEAF_AUTHOR_MODULE_H
#define NEWLEAF_AUTHOR_MODULE_H

#include "kernel.h"

#include <newleaf/leaf.h>

#define MODULE_SPACE 0xffffffffc0000000ULL /* where Linux has them, above all link addresses of an image */
#define MODULE_SPACE_END 0xfffffffff0000000ULL

enum module_memory { /* as enum mod_mem_type of Linux */
	             MODULE_TEXT,
	             MODULE_DATA,
	             MODULE_RODATA,
	             MODULE_RO_AFTER_INIT,
	             MODULE_INIT_TEXT,
	             MODULE_INIT_DATA,
	             MODULE_INIT_RODATA,
	             MODULE_PERCPU,
	             MODULE_NOWHERE, /* the loader does not keep it */
};

struct module_section {
	const char *name;
	const uint8_t *bytes; /* as the file has them; NULL: zeroes, or nothing */
	uint64_t size, align, flags;
	uint32_t type, link, info; /* as the file has them */
	enum module_memory memory;
	uint64_t va; /* unless it is kept nowhere */
};

struct module_symbol {
	const char *name;
	uint32_t section; /* its number; 0 = undefined, or no address */
	uint64_t va, size;
	bool undefined, function, global;
};

struct module_region {
	struct nl_leaf_region leaf;
	uint64_t va;
};

struct module {
	const char *path, *name;
	const struct kernel *k; /* the image it is for */
	struct buf file;
	struct module_section *sections; /* these two by their number in the file */
	struct module_symbol *symbols;
	size_t n_sections, n_symbols, symbol_table; /* the section */
	const char *info;                           /* .modinfo: KEY=VALUE, each with its NUL */
	size_t info_size;
	uint8_t build_id[NL_BUILD_ID_MAX];
	uint32_t build_id_len;
	uint64_t build_id_va;
	struct module_region regions[NL_MAX_REGIONS]; /* an address belongs to the first that holds it */
	size_t n_regions;
	uint64_t start, end;       /* of its addresses */
	const struct kernel *view; /* modules.h */
	struct module_export {     /* by name; NULL = not asked for yet */
		const char *name;
		uint64_t va;
	} * exports;
	size_t n_exports;
	const struct btf *types;
};

/* Reads and lays out; its addresses begin at `va`, page aligned. Refuses NL_EKERNEL with what is wrong with the file,
 * NL_ETARGET if it is for another kernel. */
struct module *module_read(const struct kernel *k, const char *path, uint64_t va);
/* The value of a key of .modinfo, or NULL. */
const char *module_info(const struct module *m, const char *key);

const struct module_section *module_section_at(const struct module *m, uint64_t va);
/* The region that holds an address, or that ends there; NULL = none. */
const struct module_region *module_region_at(const struct module *m, uint64_t va);
/* Of the initialiser alone: freed when it has returned. */
bool module_region_is_init(const struct module_region *r);
/* Where it has what it exports by that name; 0 = it does not. */
uint64_t module_export(const struct module *m, const char *name);

/* module_layout.c: where the loader puts sections, and the regions. Wants sections, symbols and .modinfo read. */
void module_layout(struct module *m, uint64_t va);

#endif
