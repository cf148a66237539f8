// SPDX-License-Identifier: Apache-2.0
/* A leaf file read back: parsed by the hypervisor's own parser (hv/leaf/leaf.c), so that both sides agree on what is
 * well-formed, and found to mean something (leafcheck.h). */
#ifndef NEWLEAF_AUTHOR_LEAFFILE_H
#define NEWLEAF_AUTHOR_LEAFFILE_H

#include "author.h"

#include "leaf/leaf.h"
#include "leaf/signature.h"

struct leaffile {
	struct buf file;
	size_t signed_size;
	const struct nl_signature *signatures; /* in the file */
	uint32_t n_signatures;                 /* 0 = unsigned */
	struct nl_leaf leaf;
	const char *strings; /* of the file: names of sites, and the description */
	uint8_t digest[32];  /* SHA-256 of the signed part: the leaf's name everywhere */
};

struct leaffile leaffile_read(const char *path); /* refuses NL_ELEAF and what parser and leafcheck say */
struct leaffile leaffile_parse(struct buf file, const char *path);
uint64_t leaffile_site_va(const struct leaffile *l, const struct nl_leaf_site *s);
const char *leaffile_site_place(const struct leaffile *l, const struct nl_leaf_site *s); /* "prctl_set_auxv+0x5" */

#endif
