// SPDX-License-Identifier: Apache-2.0
/* ECDSA P-256 against the trusted keys. BearSSL does the arithmetic, compiled with the core's flags. */
#ifndef HV_SIGNATURE_H
#define HV_SIGNATURE_H

#include <newleaf/bootblock.h>
#include <newleaf/errors.h>
#include <newleaf/leaf.h>

/*
 * Is `signature` over `hash` made by an author among the keys? NL_EKEY, NL_ESIGNATURE. *key: which one, on NL_OK. Takes
 * about a millisecond and 4 KiB of stack, in one piece: the one check that does not run in slices.
 */
enum nl_err nl_signature_check(const uint8_t hash[32], const struct nl_leaf_signature *signature,
                               const struct nl_key *keys, uint32_t n_keys, const struct nl_key **key);

#endif
