// SPDX-License-Identifier: Apache-2.0
/* A leaf straight from a patch: see docs/how-to/leaf-from-patch.md. */
#ifndef NEWLEAF_AUTHOR_PATCH_BUILD_H
#define NEWLEAF_AUTHOR_PATCH_BUILD_H

#include "author.h"

struct patch_options {
	const char *kernel, *headers, *source, *cc;
	const char *id; /* NULL: from the patch */
	uint32_t version;
	bool allow_unproven, allow_layout, dry_run, json;
};

bool patch_is(const struct buf *text); /* is it a diff, and not a recipe? */
/* The unsigned leaf; *id is what it is called. Empty when only the plan was asked for. */
struct buf patch_build(const char *path, const struct buf *text, const struct patch_options *o, char **id);

#endif
