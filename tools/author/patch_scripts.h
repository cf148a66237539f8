// SPDX-License-Identifier: Apache-2.0
/* Headers of which the build makes code by other means than the compiler: tables of names, numbers in another header.
 * The makefiles run for single units here, so what is made stays what it was. */
#ifndef NEWLEAF_AUTHOR_PATCH_SCRIPTS_H
#define NEWLEAF_AUTHOR_PATCH_SCRIPTS_H

#include "patch_diff.h"
#include "patch_sources.h"

/* Refuses NL_EUNSUPPORTED a change of lines that such a script reads. Otherwise NULL, or a note on what stays. */
char *scripts_check(const struct sources *all, const struct diff_file *f);

#endif
