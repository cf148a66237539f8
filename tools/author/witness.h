// SPDX-License-Identifier: Apache-2.0
/*
 * Reads signed statuses (newleaf/witness.h): pure functions, believing nothing. In their order: what is not whole is
 * not looked into, and of what is not signed nothing is told.
 */
#ifndef NEWLEAF_AUTHOR_WITNESS_H
#define NEWLEAF_AUTHOR_WITNESS_H

#include "leaf/leaf.h"

#include <newleaf/witness.h>

struct witness_wanted { /* what whoever asked knows */
	uint8_t machine_key[32];
	uint8_t nonce[32];
	uint32_t after; /* the highest number of a boot that this machine has shown; 0: none */
};

/* Is it one, whole, with all numbers in their range? `file` is 8-byte aligned. NL_ESTATUS, NL_ENEWER. */
enum nl_err witness_form(const void *file, size_t size);

/* Of that machine, signed, of no earlier boot, and the answer to that nonce? The form is good. NL_EMACHINEID,
 * NL_ESIGNATURE, NL_EBOOTID, NL_ECHALLENGE. */
enum nl_err witness_check(const struct nl_signed_status *s, const struct witness_wanted *wanted);

/* The leaf of that name, or NULL. */
const struct nl_signed_leaf *witness_leaf(const struct nl_signed_status *s, const uint8_t sha256[32]);

/* Are the bytes that run those of this leaf, which is the one that `signed_leaf` names: its new ones if it is applied,
 * else those that it expects? NL_EBYTES: no. NL_EMODULE: nobody can tell, sites of modules may be among them, and
 * NL_ERELOC: neither, they hold what only the running kernel knows. */
enum nl_err witness_bytes(const struct nl_signed_status *s, const struct nl_signed_leaf *signed_leaf,
                          const struct nl_leaf *leaf);

#endif
