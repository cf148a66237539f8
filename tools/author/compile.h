// SPDX-License-Identifier: Apache-2.0
/* Compiles bodies with the kernel's own flags against its headers package (Kbuild). */
#ifndef NEWLEAF_AUTHOR_COMPILE_H
#define NEWLEAF_AUTHOR_COMPILE_H

#include "kernel.h"
#include "recipe.h"

struct compiled {
	char *directory;        /* temporary; also removed when the command ends early */
	char *path[RECIPE_MAX]; /* one object per source of the recipe */
	char *note;             /* what is not proven about the compiler: toolchain.h */
};

/* headers, cc: where the caller says that they are, or NULL. Refuses NL_ECOMPILE, NL_EENVIRONMENT. */
struct compiled compile(const struct kernel *k, const struct recipe *r, const char *headers, const char *cc);
/* The same without what makes a body of it: for a comparison with the image. */
struct compiled compile_as_kernel(const struct kernel *k, const struct recipe *r, const char *headers, const char *cc,
                                  bool traced);
void compile_clean(struct compiled *c);

/* The parts of it that the compilation of a kernel's own units needs, too. */
char *compile_directory(void); /* temporary, as above */
char *compile_headers(const struct kernel *k, const char *given);
const char *compile_plain_path(const char *path); /* refuses what make or a shell would take for more than a path */
/* No shell: arguments as they are. What an outer make, or an environment, would tell this one is not for it. Gives the
 * exit status; 127: it could not be started. What it says goes to stderr, without what a terminal
 * obeys, or as it is to `log`. */
int compile_run(char *const argv[], const char *directory);
int compile_run_quietly(char *const argv[], const char *directory);
int compile_run_into(char *const argv[], const char *directory, const char *log);
void compile_prelude(const char *path);

#endif
