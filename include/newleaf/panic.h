// SPDX-License-Identifier: Apache-2.0
/*
 * What a panic of the core leaves behind: a record in the reserved region, which survives a warm reset, for the next
 * boot's loader to show. Memory may have been used by the firmware meanwhile: the checksum decides.
 */
#ifndef NEWLEAF_PANIC_H
#define NEWLEAF_PANIC_H

#include <newleaf/record.h>

#define NL_PANIC_MAGIC 0x43494e41504c4eULL /* "NLPANIC" */
#define NL_PANIC_SIZE 0x4000ULL

struct nl_panic_record {
	uint64_t magic; /* written last */
	uint64_t checksum;
	uint64_t length;
	char text[NL_PANIC_SIZE - 24]; /* length bytes and a NUL */
};
_Static_assert(sizeof(struct nl_panic_record) == NL_PANIC_SIZE, "whole pages");

static inline uint64_t nl_panic_checksum(const struct nl_panic_record *r) { return nl_checksum(r->text, r->length); }

static inline bool nl_panic_valid(const struct nl_panic_record *r)
{
	return r->magic == NL_PANIC_MAGIC && r->length && r->length < sizeof(r->text) && !r->text[r->length] &&
	       r->checksum == nl_panic_checksum(r);
}

#endif
