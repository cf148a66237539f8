// SPDX-License-Identifier: Apache-2.0
/* The relocations by which KASLR moves a kernel: the list that stands behind the ELF in the unpacked bzImage. */
#ifndef NEWLEAF_AUTHOR_KRELOCS_H
#define NEWLEAF_AUTHOR_KRELOCS_H

#include "author.h"

enum krel_kind {
	KREL_64,     /* *(u64 *)va += slide */
	KREL_INV_32, /* *(s32 *)va -= slide: a PC-relative field that refers to something that does not move (per-CPU)
	              */
	KREL_32,     /* *(s32 *)va += slide */
	/* Of modules, which the loader puts anywhere (module_relocs.c): distances to what does not move along. */
	KREL_PC32,
	KREL_PC64,
};

struct krel {
	uint64_t va;
	enum krel_kind kind;
	bool linked; /* a module's: `symbol` is what the field was made from, and the rest was added to it */
	uint64_t symbol;
};

struct krelocs { /* ascending by va */
	struct krel *rel;
	size_t n;
};

/* `list` = everything behind the ELF. False: not a list. */
bool krelocs_decode(struct krelocs *out, const uint8_t *list, size_t n);
/* First relocation whose field ends above va, or the end; walk on while rel->va < end of the range. */
size_t krelocs_from(const struct krelocs *r, uint64_t va);
static inline size_t krel_size(const struct krel *r) { return r->kind == KREL_64 || r->kind == KREL_PC64 ? 8 : 4; }
/* Does it hold an address, rather than a distance? */
static inline bool krel_is_address(const struct krel *r) { return r->kind == KREL_64 || r->kind == KREL_32; }

#endif
