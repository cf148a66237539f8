// SPDX-License-Identifier: Apache-2.0
/*
 * Names of C source: which ones a change of a header defines otherwise, and who uses them. Read from the text, without
 * a preprocessor: rather too many than too few.
 */
#ifndef NEWLEAF_AUTHOR_PATCH_NAMES_H
#define NEWLEAF_AUTHOR_PATCH_NAMES_H

#include "author.h"

#define NAMES_MAX 4096u      /* beyond these it is no longer worth while to follow single names */
#define NAMES_GLUE_MAX 2048u /* the same for macros that make them */

struct names { /* a hash table of words */
	char **slot;
	size_t n, room;
	struct names_glue { /* a macro that makes one of them by ##, of a word among its arguments */
		char *macro, *word;
	} * glue;
	size_t n_glue, glue_room;
	struct names *macros; /* of the glue, to see at once that a text has none of them */
	bool lost;            /* what changes cannot be followed by names: everything may use it */
	bool opaque;          /* something of the last text: whoever reads that text may use it */
};

bool names_have(const struct names *s, const char *word, size_t n);
void names_add(struct names *s, const char *word, size_t n);

/* Comments and strings become blanks; the text keeps its length. */
void names_strip(char *text);
/* What the two versions of a header, as they are written, define differently. */
void names_changed(struct names *out, const char *before, const char *after);
/* Does the text use one of the names, or might it? */
bool names_used(const struct names *s, const char *text);
/* Adds what the text defines by means of the names. True if that was anything new. */
bool names_spread(struct names *s, const char *text);

#endif
