// SPDX-License-Identifier: Apache-2.0
/* What `inspect` shows of a leaf's facts. */
#ifndef NEWLEAF_AUTHOR_FACTS_H
#define NEWLEAF_AUTHOR_FACTS_H

#include "leaffile.h"

void facts_print(FILE *to, const struct leaffile *l,
                 bool risks);                    /* the overrides and notes, or all others; a line each */
void facts_print_json(const struct leaffile *l); /* an array */

#endif
