// SPDX-License-Identifier: Apache-2.0
/* The core's side of what outlives a warm reset (newleaf/kept.h). Callers hold the commit lock, but for a panic. */
#pragma once

#include <newleaf/kept.h>

extern struct nl_kept *nl_kept; /* after a change: nl_kept_seal */

/* From then on k is nl_kept: with what the loader put there, or nothing. */
void nl_kept_init(struct nl_kept *k);
void nl_kept_seal(void);

extern const uint8_t *nl_kept_on[NL_MAX_LEAVES]; /* SHA-256 of each leaf that is applied, else NULL */
bool nl_kept_alive(void);  /* the guest is up: what is on by now is not to blame any more. True: it is news */
void nl_kept_forget(void); /* another kernel: nothing is on, and it is not up yet */
void nl_kept_panic(void);  /* the core gives up: what is on is locked out, unless the guest was up */
