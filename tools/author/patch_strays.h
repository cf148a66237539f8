// SPDX-License-Identifier: Apache-2.0
/* Files that lie where nothing of the kernel is built, or are no sources, and become code of the kernel all the same.
 */
#ifndef NEWLEAF_AUTHOR_PATCH_STRAYS_H
#define NEWLEAF_AUTHOR_PATCH_STRAYS_H

#include "patch_sources.h"

/* Refuses NL_EUNSUPPORTED what a makefile of the configuration or a source names: it can be no part of a leaf. */
void stray_check(const struct sources *all, const char *path);
/* NULL, or a note: a blob of the image has its own copy of the source, which nobody can replace. */
char *stray_copy(const struct sources *all, const char *path);

#endif
