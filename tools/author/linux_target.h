// SPDX-License-Identifier: Apache-2.0
/* The description of the target kernel that a leaf carries for the hypervisor. */
#ifndef NEWLEAF_AUTHOR_LINUX_TARGET_H
#define NEWLEAF_AUTHOR_LINUX_TARGET_H

#include "kernel.h"

#include <newleaf/leaf.h>

void linux_target_fill(struct nl_leaf_target *t, const struct kernel *k);
void linux_queues_fill(struct nl_leaf_target *t, const struct kernel *k); /* part of it */

#endif
