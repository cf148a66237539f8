// SPDX-License-Identifier: Apache-2.0
/* The sources that a configuration may build, the headers, and the wrappers of headers that the build has made: who
 * includes whom, read from the text, whatever #if stands around it. So rather too many include something than too few.
 */
#ifndef NEWLEAF_AUTHOR_PATCH_SOURCES_H
#define NEWLEAF_AUTHOR_PATCH_SOURCES_H

#include "patch_kbuild.h"

struct source {
	char *path;     /* below the tree, or below the output */
	char *includes; /* their names, a line each */
	bool made;      /* by the build: it lies below the output */
	bool reached;   /* includes a changed header, directly or through others */
	bool user;      /* uses what changes in it */
	bool opaque;    /* whoever includes it may use what changes in it, by names that do not stand there */
};

struct sources {
	const struct tree *t;
	struct kbuild *k;
	struct source *s;
	size_t n, room;
	struct source_entry { /* one #include, in the order of the last parts of their names */
		const char *name, *base;
		size_t from;
	} * entry;
	size_t n_entries;
};

struct sources *sources_read(const struct tree *t, struct kbuild *k);
/* The same of the programs that only run in the build. */
struct sources *sources_scripts(const struct sources *all);
/* The directories with sources that the configuration may build. */
char **sources_directories(const struct sources *all, size_t *n);
/* What a file includes by its new text, too; the file may be new. */
struct source *sources_add(struct sources *all, const char *path, char *text);
/* Whatever includes the file, directly or through others: out has room for all->n. Returns how many. */
size_t sources_above(const struct sources *all, const char *path, struct source **out);
/* A source that includes this source, and is compiled; or NULL. */
const char *sources_whole(const struct sources *all, const char *path);
/* A source that includes the file by a name that only means this one: it lies where nothing is built. Or NULL. */
const char *sources_naming(const struct sources *all, const char *path);
const struct source *sources_find(const struct sources *all, const char *path);
char *sources_text(const struct sources *all, const struct source *s);

#endif
