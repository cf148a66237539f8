// SPDX-License-Identifier: Apache-2.0
/* Names that macros make with ##. */
#ifndef NEWLEAF_AUTHOR_PATCH_GLUE_H
#define NEWLEAF_AUTHOR_PATCH_GLUE_H

#include "patch_names.h"

/* Could a #define of the text, of which comments and strings are stripped, make one of the names? Where only arguments
 * are glued to arguments it could make any, and the answer is no. */
bool glue_makes(const struct names *s, const char *text, const char *end);

#endif
