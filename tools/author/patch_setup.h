// SPDX-License-Identifier: Apache-2.0
/* Functions that are called when something is set up: what is there already keeps what the old code made of it. */
#ifndef NEWLEAF_AUTHOR_PATCH_SETUP_H
#define NEWLEAF_AUTHOR_PATCH_SETUP_H

#include "patch_select.h"

/* Notes those among the functions that the unit replaces. */
void setup_note(struct patch_unit *p);

#endif
