// SPDX-License-Identifier: Apache-2.0
/*
 * The head of everything that may be read by another version of Newleaf than wrote it: lists of keys, the policy, the
 * signed list, the state of a machine. What an old reader must not overlook raises the version, and such a record is
 * refused by name; what it may overlook is added behind the head's or the records' known part, and only their size
 * rises.
 */
#ifndef NEWLEAF_RECORD_H
#define NEWLEAF_RECORD_H

#include <newleaf/errors.h>
#include <newleaf/types.h>

struct nl_record {
	uint64_t magic; /* of the kind */
	uint32_t version;
	uint32_t head_size;   /* bytes in front of the first record, these included; a multiple of 8 */
	uint32_t record_size; /* a multiple of 8 */
	uint32_t count;
};

struct nl_record_kind { /* what a reader knows of one kind: its version, and the least of everything else */
	uint64_t magic;
	uint32_t version, head_size, record_size, min, max;
};

/* Whether `size` bytes at p, which are 8-byte aligned, hold such a head and all its records. NL_ERECORD, NL_ENEWER. */
static inline enum nl_err nl_record_check(const struct nl_record_kind *k, const void *p, size_t size)
{
	const struct nl_record *r = (const struct nl_record *)p;

	if (!r || size < sizeof(*r) || r->magic != k->magic || r->version < k->version)
		return NL_ERECORD;
	if (r->version > k->version)
		return NL_ENEWER;
	if (((r->head_size | r->record_size) & 7) || r->head_size < k->head_size || r->head_size > size ||
	    r->record_size < k->record_size || r->count < k->min || r->count > k->max ||
	    (uint64_t)r->record_size * r->count > size - r->head_size)
		return NL_ERECORD;
	return NL_OK;
}

static inline const void *nl_record_at(const void *p, uint32_t i)
{
	const struct nl_record *r = (const struct nl_record *)p;

	return (const uint8_t *)p + r->head_size + (size_t)i * r->record_size;
}

/* FNV-1a, 64 bits: against chance, not against malice. */
static inline uint64_t nl_checksum(const void *p, size_t size)
{
	const uint8_t *bytes = (const uint8_t *)p;
	uint64_t sum = 0xcbf29ce484222325ULL ^ size;

	while (size--)
		sum = (sum ^ *bytes++) * 0x100000001b3ULL;
	return sum;
}

#endif
