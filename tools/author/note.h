// SPDX-License-Identifier: Apache-2.0
/* What the author of a leaf, and who signs it, shall know: said while building, and kept in the leaf. */
#ifndef NEWLEAF_AUTHOR_NOTE_H
#define NEWLEAF_AUTHOR_NOTE_H

#include "draft.h"

/* kind: NL_FACT_ALLOW, what the recipe lets pass; NL_FACT_NOTE, what nobody could prove. */
void note(struct draft *d, enum nl_fact_kind kind, const char *text);

#endif
