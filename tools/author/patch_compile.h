// SPDX-License-Identifier: Apache-2.0
/* Compiles single units of the kernel, as the kernel's own build does and in two other ways. */
#ifndef NEWLEAF_AUTHOR_PATCH_COMPILE_H
#define NEWLEAF_AUTHOR_PATCH_COMPILE_H

#include "patch_tree.h"

enum unit_form {
	UNIT_APART,   /* as shipped, but each function and datum in a section of its own: to be compared */
	UNIT_NOTED,   /* the same, with the compiler's notes about each statement in OBJECT.gimple */
	UNIT_INLINED, /* everything inlined that can be: two sources of one meaning become the same code */
	UNIT_TYPES,   /* for its types alone, by the machine's own compiler where the kernel's does not tell them */
	UNIT_BODY, /* as a leaf needs it: prelude, untraced, no registers shared with callees, static functions kept */
};

struct unit_command { /* how the kernel's build compiles one unit */
	char *path;   /* fs/pipe.c */
	char *object; /* made by that build, below the output directory */
	char **argv;
	size_t n;
	char *module; /* whose part it is; NULL: of the image */
	bool prelude_failed;
};

/* Runs the kernel's makefiles for one goal; one variable more in the environment, and (or NULL) on the command line. */
int kbuild_run(const struct tree *t, const char *environment, char *variable, char *goal, const char *log);
char *kbuild_error(const char *log); /* what it said when it failed, in one line */
/* Builds the unit as shipped and keeps how. False: make could not; `log`, if given, has what it said, and nobody else.
 * Refuses NL_ECOMPILE what it does not understand. */
bool unit_build(const struct tree *t, const char *path, const char *log, struct unit_command *out);
/* The unit as it is in the overlay now. False: it does not compile (only with `may_fail`). */
bool unit_compile(const struct tree *t, struct unit_command *c, enum unit_form form, const char *object, bool may_fail);
/* An object with the types of the unit as it is in the overlay now; `object` is what the kernel's compiler made of it.
 */
char *unit_types(const struct tree *t, struct unit_command *c, const char *object);

#endif
