// SPDX-License-Identifier: Apache-2.0
/* Old and new code of a leaf side by side, by name: what a reader signs by. */
#ifndef NEWLEAF_AUTHOR_CODEVIEW_H
#define NEWLEAF_AUTHOR_CODEVIEW_H

#include "kernel.h"
#include "leaffile.h"

/* Every replaced function, old left, new right; lines that differ are marked (<, >). k: the kernel that the leaf is
 * for; NULL = the old code is not shown, and places of the kernel are numbers. */
void codeview_text(FILE *f, const struct leaffile *l, const struct kernel *k);
void codeview_html(FILE *f, const struct leaffile *l, const struct kernel *k);

/* Text that went through escape() already, as HTML shows it. */
void html_print(FILE *f, const char *text);

#endif
