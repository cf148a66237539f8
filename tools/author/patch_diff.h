// SPDX-License-Identifier: Apache-2.0
/* A unified diff, git's or plain: which files, which hunks, and what its header says about it. */
#ifndef NEWLEAF_AUTHOR_PATCH_DIFF_H
#define NEWLEAF_AUTHOR_PATCH_DIFF_H

#include "author.h"

#define DIFF_FILES_MAX 256
#define DIFF_HUNKS_MAX 4096
#define DIFF_CVES_MAX 32

struct diff_line {
	char kind; /* ' ', '-', '+' */
	const char *text;
	uint32_t length; /* with its newline, if it has one */
};

struct diff_hunk {
	uint32_t old_start, old_count, new_start, new_count;
	const char *head; /* behind the second @@ */
	struct diff_line *line;
	size_t n_lines;
};

struct diff_file {
	char *path; /* below the source tree */
	enum { DIFF_CHANGED, DIFF_NEW, DIFF_GONE, DIFF_RENAMED, DIFF_MODE } kind;
	struct diff_hunk *hunk;
	size_t n_hunks;
};

struct diff {
	const char *path; /* of the patch */
	struct diff_file *file;
	size_t n_files;
	char *subject, *author, *date, *commit;              /* NULL where the header does not say */
	char *cve[DIFF_CVES_MAX], *spoken_of[DIFF_CVES_MAX]; /* that it says it mends, and that it only names */
	size_t n_cves, n_spoken_of;
};

/* Refuses NL_ERECIPE with path:line; a path that leads out of the tree, or that a shell or make could take for more
 * than a name, too. */
struct diff *diff_parse(const char *path, const struct buf *text);

/* Has the text what the patch makes of the file already, line by line? Unclear: it is there, but not where the patch
 * says, and another place fits for the patch. */
enum diff_state { DIFF_IS_NOT_IN, DIFF_IS_IN, DIFF_IS_UNCLEAR };

enum diff_state diff_state(const struct diff_file *f, const struct buf *text);
/* The file with the hunks applied, as patch(1) -p1 would; refuses NL_ETARGET when a hunk fits nowhere. Lines that
 * stay keep their number by #line where `keep_lines`. */
struct buf diff_apply(const struct diff *d, const struct diff_file *f, const struct buf *old, bool keep_lines);

#endif
