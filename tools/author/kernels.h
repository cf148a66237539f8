// SPDX-License-Identifier: Apache-2.0
/* The kernel files of a directory: /boot, an unpacked package, or a cache full of them. */
#ifndef NEWLEAF_AUTHOR_KERNELS_H
#define NEWLEAF_AUTHOR_KERNELS_H

#include "author.h"

#define KERNELS_MAX 4096u

struct kernels {
	char **path; /* older releases first; each file once, whatever links lead to it */
	size_t n;
	char **ignored; /* called vmlinuz, and no kernel */
	size_t n_ignored;
};

struct kernels kernels_find(const char *directory); /* or one file. Refuses NL_EENVIRONMENT */

#endif
