// SPDX-License-Identifier: Apache-2.0
/* A leaf in the making: parts that grow, then one file. The format is include/newleaf/leaf.h. */
#ifndef NEWLEAF_AUTHOR_DRAFT_H
#define NEWLEAF_AUTHOR_DRAFT_H

#include "author.h"

#include <newleaf/leaf.h>

struct draft_piece { /* a site before draft_finish, which turns link addresses into (object, region, offset) */
	uint64_t va, func_va;
	struct nl_leaf_site site;
};

struct module;
struct kernel;

/* What an object has of its own in the leaf. Offsets count from its beginning. */
struct draft_part {
	const struct module *module; /* NULL = the kernel */
	struct buf text, data;
	uint32_t bss;      /* zero bytes behind data */
	struct buf relocs; /* of struct nl_leaf_reloc; until draft_finish the value of NL_SYM_REGION is a link address,
	                      and NL_SYM_TEXT, NL_SYM_DATA are in this part unless `object` is DRAFT_OF_KERNEL */
};
#define DRAFT_OF_KERNEL 0xffffu

struct draft {
	struct nl_leaf_header h;
	const struct kernel *k; /* whose addresses these are; NULL: of an image without modules */
	struct buf sites;       /* of struct draft_piece */
	struct buf facts, bytes, strings;
	/* The part that is being made; its bss is h.bss_size. The others wait in part[], the kernel's first. */
	struct buf text, data, relocs;
	struct draft_part part[NL_LEAF_MAX_OBJECTS];
	size_t n_parts, now;
	uint32_t counted; /* of the counters, so many have a site */
};

struct draft_site { /* what draft_add_site takes; relocs are in terms of offsets from va */
	uint64_t va;
	uint32_t len, kind;
	const uint8_t *expected, *fresh;
	const struct nl_leaf_reloc *expected_relocs,
	        *fresh_relocs; /* .offset counts from va; .where and .site are filled in */
	size_t n_expected_relocs, n_fresh_relocs;
	uint64_t func_va;
	uint32_t func_size;
	uint32_t body_offset, body_size; /* in text[], or 0 */
	const char *name;
	const uint8_t *old_hash; /* 32 bytes, or NULL */
	uint16_t counter;        /* from 1, or 0 */
};

void draft_start(struct draft *d);
/* Goes on with the part of a module, or of the kernel (NULL). The same again: nothing happens. */
void draft_switch(struct draft *d, const struct module *m);
/* Does it say anything of modules? Then the target needs more fields (linux_modules.h). */
bool draft_has_modules(const struct draft *d);
uint32_t draft_string(struct draft *d, const char *s);
void draft_fact(struct draft *d, enum nl_fact_kind kind, const char *text); /* refuses what the format does not take */
void draft_fact_version(struct draft *d, enum nl_fact_kind kind, const char *text, uint32_t version);
/* So many hit counters, in rows for so many CPUs (a power of two). After the body's data is complete. */
void draft_counters(struct draft *d, uint32_t counters, uint32_t cpus);
/* Refuses overlaps and a relocation that crosses a page; splits a site at a page's end. */
void draft_add_site(struct draft *d, const struct draft_site *s);
struct buf draft_finish(struct draft *d); /* the unsigned file; refuses what exceeds a limit of the format */

#endif
