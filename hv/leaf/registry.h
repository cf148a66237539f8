// SPDX-License-Identifier: Apache-2.0
/*
 * The leaves that this boot knows: staged, verified, applied or reverted. A leaf gets here only through
 * nl_registry_verify, with its bytes relocated and its body placed in the arena. All functions but nl_registry_copy
 * want the commit lock.
 */
#pragma once

#include "guest/guest.h"
#include "leaf/entry.h"
#include "leaf/order.h"
#include "leaf/signature.h"

/* NULL: not known. */
struct nl_entry *nl_registry_find(const uint8_t sha256[32]);
struct nl_entry *nl_registry_nth(uint64_t n); /* of those that are used */

/* Copy a chunk of a leaf file from the caller into hypervisor memory. Chunks come in order; offset 0 starts anew. */
enum nl_err nl_registry_stage(struct nl_guest *caller, gva_t from, size_t n, uint64_t offset, uint64_t size);

/* A leaf's file in our own memory, to be checked. NL_ELEAF. */
enum nl_err nl_registry_open(struct nl_check *c, const void *file, size_t size);

/* The staged file; or, not journaled when it is refused, one that was opened. NL_AGAIN: not finished, call again.
 * NL_EPOLICY: it is none that `only` names (NULL: any). A refused leaf leaves no trace but in the journal, and the
 * kernel that it names, if it is this one. */
enum nl_err nl_registry_verify(const struct nl_context *ctx, struct nl_check *c, const struct nl_order *only,
                               struct nl_verify_report *report);

/* What weakens an applied leaf now, and what it counts: state.note and state.hits of the n-th entry. NL_AGAIN: there
 * may be more. NL_OK: there is no such entry. */
enum nl_err nl_registry_note(const struct nl_context *ctx, uint64_t n);

/* The bytes that the guest sees at a site that is there. false: nobody could read them. */
bool nl_registry_shown(const struct nl_site *s, uint8_t *out);

/* Do all sites that are there hold what the leaf expects, were none applied? `object`: of that one alone, or
 * UINT32_MAX. */
enum nl_err nl_registry_check(const struct nl_entry *e, uint32_t object, struct nl_kernel *k,
                              struct nl_blocker *blocker);

uint32_t nl_registry_count(void);
const uint8_t *nl_registry_build_id(uint32_t *len, uint64_t *slide); /* of the kernel that a leaf matched */
bool nl_registry_kernel_stands(
        const struct nl_context *ctx); /* is the kernel that the leaves matched still where it was? */
void nl_registry_forget(void);         /* the kernel is gone */
