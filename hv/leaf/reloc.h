// SPDX-License-Identifier: Apache-2.0
/* Relocations of a leaf: pure functions. What S and P mean is in include/newleaf/leaf.h. */
#pragma once

#include "guest/target.h"
#include "leaf/leaf.h"

struct nl_place {                      /* of an object, at run time */
	uint64_t base[NL_MAX_REGIONS]; /* 0: not there, or not any more */
	uint64_t text, data; /* guest-virtual, of offset 0 of the leaf's text[] and data[], were its part not alone */
};

struct nl_placement {
	const struct nl_place *objects; /* by number; what no relocation asked for need not be there */
	struct nl_thunks thunks;
};

/* Relocate copies of an object's part of the body: its bytes of text[] and data[]. NL_EMODULE: it refers to a module
 * that is not there. */
enum nl_err nl_reloc_body(const struct nl_leaf *leaf, const struct nl_placement *at, uint32_t object, uint8_t *text,
                          uint8_t *data);

/* Relocate copies of one site's bytes, sites[site].len each. */
enum nl_err nl_reloc_site(const struct nl_leaf *leaf, const struct nl_placement *at, uint32_t site, uint8_t *expected,
                          uint8_t *fresh);
