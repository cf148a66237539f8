// SPDX-License-Identifier: Apache-2.0
/* Relocations of a leaf: pure functions. What S and P mean is in include/newleaf/leaf.h. */
#ifndef HV_RELOC_H
#define HV_RELOC_H

#include "guest/guest.h"
#include "leaf/leaf.h"

struct nl_placement {        /* where things are at run time */
	uint64_t slide;      /* KASLR */
	uint64_t text, data; /* guest-virtual, of the body's parts in the arena */
	struct nl_thunks thunks;
};

/* Relocate copies of the body: text[header.text.count] and data[header.data.count]. */
enum nl_err nl_reloc_body(const struct nl_leaf *leaf, const struct nl_placement *at, uint8_t *text, uint8_t *data);

/* Relocate copies of one site's bytes, sites[site].len each. */
enum nl_err nl_reloc_site(const struct nl_leaf *leaf, const struct nl_placement *at, uint32_t site, uint8_t *expected,
                          uint8_t *fresh);

#endif
