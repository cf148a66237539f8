// SPDX-License-Identifier: Apache-2.0
/* The files of a patch: units to compile, headers, what means nothing to a running kernel, and what cannot be done. */
#ifndef NEWLEAF_AUTHOR_PATCH_FILES_H
#define NEWLEAF_AUTHOR_PATCH_FILES_H

#include "patch_diff.h"
#include "patch_sources.h"

struct patch_files {
	char **unit;
	size_t n_units, n_named; /* the first n_named are files of the patch; the others use its headers */
	char **note;             /* what was left out, and why */
	size_t n_notes;
	size_t n_reached; /* units that use its headers, where they are too many and none of them is in the list; or 0
	                   */
	bool macros;      /* kpatch's headers are included */
	bool stays;       /* what the build's scripts make of a header would change, and does not */
	struct sources *sources;
};

struct patch_files patch_files(const struct diff *d); /* refuses by name what no leaf can do */
/* Adds the sources that include one of the units. Refuses what is code of the kernel where none should be. */
void patch_files_sources(struct patch_files *f, const struct diff *d, const struct tree *t, struct kbuild *k);
/* Does every hunk fit this source? Adds the units that include a changed header. */
void patch_files_check(struct patch_files *f, const struct diff *d, const struct tree *t);
/* Has this source the patch already: does it not fit, but what it makes is there in every file? */
bool patch_files_are_in(const struct diff *d, const struct tree *t);
void patch_files_restore(const struct diff *d, const struct tree *t);
void patch_files_apply(const struct patch_files *f, const struct diff *d, const struct tree *t);
/* NULL, or why code of a file of this name cannot become a leaf. */
const char *patch_files_impossible(const char *path);
void patch_files_note(struct patch_files *f, char *text);
char *patch_files_text(const struct patch_files *f); /* the notes as the rest of a sentence */

#endif
