// SPDX-License-Identifier: Apache-2.0
/* Everything that the hypervisor compares at run time, compared before. */
#ifndef NEWLEAF_AUTHOR_CHECK_H
#define NEWLEAF_AUTHOR_CHECK_H

#include "kernel.h"
#include "leaffile.h"

/* Refuses NL_EBUILDID, NL_EBYTES, NL_ELEAF. Returns how many bytes were compared. */
uint32_t check_leaf(const struct leaffile *l, const struct kernel *k);

#endif
