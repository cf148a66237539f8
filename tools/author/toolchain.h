// SPDX-License-Identifier: Apache-2.0
/* The compiler that bodies are made with, and whether it is the one that made the kernel. */
#ifndef NEWLEAF_AUTHOR_TOOLCHAIN_H
#define NEWLEAF_AUTHOR_TOOLCHAIN_H

#include "kernel.h"

struct toolchain {
	char *cc;         /* the program */
	char *note;       /* what is not proven about it, as one sentence for the leaf; NULL = it is the kernel's own */
	bool tells_types; /* -gbtf: GCC 12 or later */
};

#define TOOLCHAIN_ARGUMENTS 2u

/* given: a compiler, or a directory with bin/gcc; NULL = looked for. Refuses NL_EENVIRONMENT when there is none. */
struct toolchain toolchain_find(const struct kernel *k, const char *given);
/* What make must be told, at most TOOLCHAIN_ARGUMENTS words. Returns how many. */
size_t toolchain_arguments(const struct toolchain *t, char **argv);

/* The kernel's linux_banner without its line end, or NULL. */
char *toolchain_banner(const struct kernel *k);
/* "gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0", as the kernel says it of its compiler. NULL: it does not. */
char *toolchain_of_kernel(const struct kernel *k);

#endif
