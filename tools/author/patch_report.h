// SPDX-License-Identifier: Apache-2.0
/* What is in a leaf from a patch, and why: for the author to read (--dry-run), or for a program (--json). */
#ifndef NEWLEAF_AUTHOR_PATCH_REPORT_H
#define NEWLEAF_AUTHOR_PATCH_REPORT_H

#include "patch_build.h"
#include "patch_files.h"
#include "patch_select.h"

void patch_report(const struct recipe *r, const struct kernel *k, const struct patch_files *f,
                  const struct patch_unit *units, size_t n, const struct build_with *o, const char *compiler_note);

#endif
