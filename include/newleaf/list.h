// SPDX-License-Identifier: Apache-2.0
/*
 * The signed list, \EFI\newleaf\list.nll: which leaves and keys are revoked, and how new a leaf must be. The loader
 * reads it and understands none of it; the core believes it when a key of the role revoke has signed it. A machine
 * remembers the highest sequence that it accepted, and goes back behind it no more.
 *
 *     struct nl_list         head_size bytes
 *     struct nl_list_entry[] count of record_size bytes
 *     signatures             as behind a leaf (leaf.h), in the domain "list"
 */
#ifndef NEWLEAF_LIST_H
#define NEWLEAF_LIST_H

#include <newleaf/leaf.h>
#include <newleaf/record.h>

#define NL_LIST_MAGIC 0x5453494c4c4eULL /* "NLLIST" */
#define NL_LIST_MAX_ENTRIES 512u
#define NL_LIST_MAX_SIZE 65536u           /* of the file, with its signatures */
#define NL_LIST_MAX_SEQUENCE (1ULL << 62) /* no slip of the finger shall be the last list that a machine takes */
#define NL_LIST_KIND \
	(&(const struct nl_record_kind){NL_LIST_MAGIC, 1, sizeof(struct nl_list), sizeof(struct nl_list_entry), 0, \
	                                NL_LIST_MAX_ENTRIES})

struct nl_list {
	struct nl_record head;
	uint64_t sequence; /* from 1; each list of an owner has a higher one than that before */
};

enum nl_list_what {
	NL_LIST_LEAF = 1,   /* revoked: name is the leaf's SHA-256 */
	NL_LIST_KEY = 2,    /* revoked: name is the key's SHA-256 */
	NL_LIST_FLOOR = 3,  /* name is a leaf's id, with its NUL: versions below `version` are not applied */
	NL_LIST_PARDON = 4, /* name is the SHA-256 of a leaf that this list lets in although it is locked out */
};

struct nl_list_entry {
	uint32_t what; /* enum nl_list_what; an unknown one: the list is not understood, and not taken */
	uint32_t version;
	uint8_t name[NL_LEAF_ID_LEN]; /* zero behind its end */
};
_Static_assert(sizeof(struct nl_list_entry) == 56, "list entry layout");

/* Bytes that are signed, of a file whose head was checked. */
static inline size_t nl_list_signed_size(const struct nl_list *l)
{
	return l->head.head_size + (size_t)l->head.count * l->head.record_size;
}

#endif
