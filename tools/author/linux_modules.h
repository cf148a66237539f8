// SPDX-License-Identifier: Apache-2.0
/* What the hypervisor must know of a kernel to follow its modules: the last fields of struct nl_leaf_target. */
#ifndef NEWLEAF_AUTHOR_LINUX_MODULES_H
#define NEWLEAF_AUTHOR_LINUX_MODULES_H

#include "kernel.h"

#include <newleaf/leaf.h>

/* Refuses NL_EUNSUPPORTED a kernel whose modules it cannot follow. */
void linux_modules_fill(struct nl_leaf_target *t, const struct kernel *k);

#endif
