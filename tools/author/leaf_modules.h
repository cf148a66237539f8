// SPDX-License-Identifier: Apache-2.0
/* The modules that a leaf speaks of, among those that the user gave. */
#ifndef NEWLEAF_AUTHOR_LEAF_MODULES_H
#define NEWLEAF_AUTHOR_LEAF_MODULES_H

#include "leaffile.h"
#include "modules.h"

/* All of them are given, and are what the leaf says? Refuses NL_ETARGET, NL_EBUILDID, NL_EOBJECT. */
void leaf_modules_check(const struct leaffile *l, const struct kernel *k);
/* As who has a place sees the kernel. What follows relies on the check. */
const struct kernel *leaf_view(const struct leaffile *l, const struct kernel *k, uint16_t object);
/* A place's link address, or a module's made-up one. k NULL: some number. */
uint64_t leaf_place(const struct leaffile *l, const struct kernel *k, uint16_t object, uint16_t region,
                    uint64_t offset);
/* "ext4+text+0x1234", for who has no kernel at hand; of the kernel itself a link address. */
char *leaf_place_name(const struct leaffile *l, uint16_t object, uint16_t region, uint64_t offset);
const char *leaf_memory_name(uint32_t kind); /* enum nl_memory_kind */
/* Are both in one function? */
bool leaf_same_function(const struct nl_leaf_site *a, const struct nl_leaf_site *b);

#endif
