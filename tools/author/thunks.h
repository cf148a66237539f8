// SPDX-License-Identifier: Apache-2.0
/* What code returns and jumps through, which boot chooses for the CPU: known only at run time. */
#ifndef NEWLEAF_AUTHOR_THUNKS_H
#define NEWLEAF_AUTHOR_THUNKS_H

#include "kernel.h"
#include "place.h"

#include <newleaf/leaf.h>

/* The part of a target that says where the kernel has them. Refuses NL_EKERNEL when they stand otherwise than known. */
void thunks_fill(struct nl_leaf_target *t, const struct kernel *k);

/* Is it the name of one that the hypervisor resolves? Then *out says as what. */
bool thunk_place(const struct nl_leaf_target *t, const char *name, struct place *out);

/* The name of the one that jumps to register `number` (NL_SYM_INDIRECT_THUNK). */
char *thunk_of_register(uint64_t number);

/* Is it the name of code that boot or a mitigation writes, or that has a way of its own to be called? */
bool thunk_name(const char *name);

#endif
