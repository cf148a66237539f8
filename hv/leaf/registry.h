// SPDX-License-Identifier: Apache-2.0
/*
 * The leaves that this boot knows: staged, verified, applied or reverted. A leaf gets here only through
 * nl_registry_verify, with its bytes relocated and its body placed in the arena. All functions but nl_registry_copy
 * want the commit lock.
 */
#ifndef HV_REGISTRY_H
#define HV_REGISTRY_H

#include "guest/guestmem.h"
#include "guest/guest.h"
#include <newleaf/hypercall.h>

struct nl_site { /* a site of a verified leaf, at run time */
	uint64_t va, gpa;
	uint64_t func_start, func_end; /* the function replaced; equal: none (data) */
	uint32_t len;
	uint8_t expected[NL_SITE_MAX_LEN], fresh[NL_SITE_MAX_LEN];
};

struct nl_run { /* in one half of the arena */
	uint32_t offset, size;
};

struct nl_entry {
	struct nl_leaf_state state;
	struct nl_leaf_target target;
	struct nl_run text, data;
	uint32_t counter_offset, counter_cpus; /* in data, as the header has it */
	uint32_t authors;                      /* bits of the keys whose signatures count */
	struct nl_leaf_facts facts;
	bool used;
	bool ever_applied; /* its body may be in use until reboot: the entry stays */
	bool pinned;       /* part of the prepared commit */
	uint32_t n_sites;
	struct nl_site sites[NL_LEAF_MAX_SITES];
};
extern struct nl_entry nl_registry[NL_MAX_LEAVES];

/* NULL: not known. */
struct nl_entry *nl_registry_find(const uint8_t sha256[32]);
const struct nl_entry *nl_registry_nth(uint64_t n); /* of those that are used */

/* Copy a chunk of a leaf file from the caller into hypervisor memory. Chunks come in order; offset 0 starts anew. */
enum nl_err nl_registry_stage(struct nl_guest *caller, gva_t from, size_t n, uint64_t offset, uint64_t size);

/* The staged file. NL_AGAIN: not finished, call again. A refused leaf leaves no trace but a line in the journal. */
enum nl_err nl_registry_verify(const struct nl_context *ctx, struct nl_verify_report *report);

/* What weakens each applied leaf now, and what it counts: state.note and state.hits of all entries. */
void nl_registry_note(const struct nl_context *ctx);

uint32_t nl_registry_count(void);
void nl_registry_arena_free(uint64_t *text, uint64_t *data);
const uint8_t *nl_registry_build_id(uint32_t *len, uint64_t *slide); /* of the kernel that a leaf matched */
bool nl_registry_kernel_stands(
        const struct nl_context *ctx); /* is the kernel that the leaves matched still where it was? */
void nl_registry_forget(void);         /* the kernel is gone */

#endif
