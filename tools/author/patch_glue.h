// SPDX-License-Identifier: Apache-2.0
/* Names that macros make with ##. */
#ifndef NEWLEAF_AUTHOR_PATCH_GLUE_H
#define NEWLEAF_AUTHOR_PATCH_GLUE_H

#include "patch_names.h"

/* Adds the macros of a text, of which comments and strings are stripped, that could make one of the names, each with
 * the word that it must be given. Where only arguments are glued to arguments it could make any, and none is added. */
void glue_learn(struct names *s, const char *text, const char *end);
/* Does the text have such a macro and its word? */
bool glue_used(const struct names *s, const char *text, const char *end);

#endif
