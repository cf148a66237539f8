// SPDX-License-Identifier: Apache-2.0
/*
 * What must not be applied: by the signed list (newleaf/list.h), which is taken once, before the launch, and by
 * lock-outs.
 */
#pragma once

#include "leaf/signature.h"
#include <newleaf/list.h>

/*
 * Takes a list of `size` bytes, which stay where they are; 0: there is none. known: sequence of the newest that this
 * machine has accepted. NL_OK: revoked keys have lost their roles; those that may sign lists and have not signed this
 * one, for good. NL_NOTHING: there is none, and there never was. NL_ELISTGONE, NL_ELISTOLD; NL_ERECORD, NL_ENEWER and
 * what a signature can answer. Whatever is wrong, nothing of the list counts.
 */
enum nl_err nl_list_take(const void *file, size_t size, uint64_t known);
enum nl_err nl_list_error(void); /* what it answered */
uint64_t nl_list_sequence(void); /* of the list that was taken, else 0 */

bool nl_list_revokes(const uint8_t key_id[32]);

/* The list that would say what is revoked is not here, and the policy does not go on without it. */
bool nl_list_withheld(void);

/* May this leaf be applied, or stay on if it is `on`? NL_EREVOKED, NL_ELOCKEDOUT; NL_ELIST: the list that would say so
 * is not here. */
enum nl_err nl_list_bars(const uint8_t sha256[32], bool on);
/* How new a leaf must be: by this list, or as it was on this machine before. A later list may ask for less. */
uint32_t nl_list_floor(const char *id);
/* All signatures are good: are there enough that count? key_id: the first one's, or whose it would have to be.
 * NL_EKEY, NL_EKEYREVOKED by the list that was taken, NL_EQUORUM. */
enum nl_err nl_list_quorum(const struct nl_check *c, uint32_t needed, uint8_t key_id[32]);
