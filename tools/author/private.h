// SPDX-License-Identifier: Apache-2.0
/* Variables of a body under the name of one of the kernel's: a lock of its own locks nobody out. */
#ifndef NEWLEAF_AUTHOR_PRIVATE_H
#define NEWLEAF_AUTHOR_PRIVATE_H

#include "body.h"

/* Refuses NL_EBODY; where the recipe says `allow private`, a fact of the draft names them. */
void private_check(struct draft *d, const struct kernel *k, const struct recipe *r, const struct body *b);

/* Of which a second copy does no harm: "said already", and names. */
bool private_is_harmless(const char *name);

#endif
