// SPDX-License-Identifier: Apache-2.0
/* The private place where units are compiled: the source tree by symbolic links, with copies of what changes, and an
 * output directory made from the headers package. Neither of the two originals is ever written. */
#ifndef NEWLEAF_AUTHOR_PATCH_TREE_H
#define NEWLEAF_AUTHOR_PATCH_TREE_H

#include "toolchain.h"

struct tree {
	char *source;  /* the original, absolute */
	char *work;    /* temporary; source and output lie in it */
	char *overlay; /* work/src */
	char *output;  /* work/obj */
	struct toolchain tools;
	bool runs_itself;  /* the kernel's make would start another make, without its options */
	bool late_objtool; /* objtool sees the whole image and whole modules, and no single unit of several */
};

struct tree tree_make(const char *work, const char *source, const char *headers, struct toolchain tools);
/* Makes the directory of `path` real, so that the unit's own relative paths stay inside. */
void tree_expose(const struct tree *t, const char *path);
struct buf tree_original(const struct tree *t, const char *path); /* refuses what is no regular file */
void tree_write(const struct tree *t, const char *path, const struct buf *text);

#endif
