// SPDX-License-Identifier: Apache-2.0
/*
 * What a panic of the core leaves behind: a record in the reserved region, which survives a warm reset, for the next
 * boot's loader to show. Memory may have been used by the firmware meanwhile: the checksum decides.
 */
#ifndef NEWLEAF_PANIC_H
#define NEWLEAF_PANIC_H

#include <newleaf/types.h>

#define NL_PANIC_MAGIC 0x43494e41504c4eULL /* "NLPANIC" */
#define NL_PANIC_SIZE 0x4000ULL
/* The variable's content is the record's physical address, 8 bytes; boot services alone can reach it. */
#define NL_PANIC_VARIABLE "NewleafPanic"

struct nl_panic_record {
	uint64_t magic; /* written last */
	uint64_t checksum;
	uint64_t length;
	char text[NL_PANIC_SIZE - 24]; /* length bytes and a NUL */
};
_Static_assert(sizeof(struct nl_panic_record) == NL_PANIC_SIZE, "whole pages");

/* FNV-1a, 64 bits: against chance, not against malice. */
static inline uint64_t nl_panic_checksum(const struct nl_panic_record *r)
{
	uint64_t sum = 0xcbf29ce484222325ULL ^ r->length;

	for (uint64_t i = 0; i < r->length; i++)
		sum = (sum ^ (uint8_t)r->text[i]) * 0x100000001b3ULL;
	return sum;
}

static inline bool nl_panic_valid(const struct nl_panic_record *r)
{
	return r->magic == NL_PANIC_MAGIC && r->length && r->length < sizeof(r->text) && !r->text[r->length] &&
	       r->checksum == nl_panic_checksum(r);
}

#endif
