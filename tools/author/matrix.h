// SPDX-License-Identifier: Apache-2.0
/* One leaf or recipe against many kernels: `check` and `build` with a directory behind -k. */
#ifndef NEWLEAF_AUTHOR_MATRIX_H
#define NEWLEAF_AUTHOR_MATRIX_H

#include "build.h"

struct matrix_job {
	const char *subject; /* a leaf, or what build takes */
	const char *kernels; /* a directory, or one kernel */
	const char *output;  /* directory for ID_RELEASE.leaf; NULL = the current one */
	struct build_with with;
	bool is_leaf, write, json;
};

bool matrix_wanted(const char *kernels); /* is it a directory? */

/* Prints the matrix on stdout. Returns the highest exit code of all kernels, where "already fixed" counts as 0 unless
 * all are, and "unproven" as NL_EXIT_DEGRADED. */
int matrix_run(const struct matrix_job *job);

#endif
