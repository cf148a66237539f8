// SPDX-License-Identifier: Apache-2.0
/* What the head of a hunk says behind its second @@: the last line before the hunk with which a function may begin. */
#ifndef NEWLEAF_AUTHOR_PATCH_HEAD_H
#define NEWLEAF_AUTHOR_PATCH_HEAD_H

#include "patch_diff.h"

/* Could a function or a datum begin with this line, as diff sees it? */
bool head_begins(const char *line, size_t n);
/* Do both name the same? Unclear where the head names nothing, because it is empty, cut off, or a label; and where only
 * underscores before the names differ: a function that is split leaves its code to one of the longer name. */
enum head { HEAD_NAMES_ANOTHER, HEAD_IS_UNCLEAR, HEAD_NAMES_IT };
enum head head_names(const char *head, const char *line, size_t n);
/* The name, for a message. */
char *head_name(const char *line, size_t n);

#endif
