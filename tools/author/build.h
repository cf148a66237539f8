// SPDX-License-Identifier: Apache-2.0
/* From what an author writes to an unsigned leaf for one kernel, in memory. */
#ifndef NEWLEAF_AUTHOR_BUILD_H
#define NEWLEAF_AUTHOR_BUILD_H

#include "kernel.h"
#include "leaffile.h"
#include "modules.h"
#include "recipe.h"

#define BUILD_CVES_MAX 32u

struct build_with { /* what the caller gave; NULL = looked for */
	const char *headers, *cc;
	/* for patches */
	const char *source, *id;
	uint32_t version, confirm_s;
	bool allow_unproven, allow_layout, allow_modules, allow_objects, allow_state, counters, dry_run, json;
	const char *consistency, *description;
	const char *cve[BUILD_CVES_MAX];
	size_t n_cves;
	struct modules_given modules;
};

struct built {
	const char *id;
	struct leaffile leaf; /* as the hypervisor's parser has read it */
	const char *note;     /* what is not proven about it, or NULL */
};

/* Both refuse whatever cannot be proven right. */
struct built build_leaf(const struct recipe *r, const struct kernel *k, const struct build_with *with);
struct built build_file(const char *path, const struct kernel *k, const struct build_with *with);
void build_write(const struct built *b, const char *output);

#endif
