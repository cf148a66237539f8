// SPDX-License-Identifier: Apache-2.0
/* Code in the kernel's text that is no function of the kernel: it runs as a copy, on another page table, or never. */
#ifndef NEWLEAF_AUTHOR_ELSEWHERE_H
#define NEWLEAF_AUTHOR_ELSEWHERE_H

#include "kernel.h"

/* What the code at va is ("code of kexec: ..."), or NULL. Not here: entry and noinstr code, thunks (redirect.c). */
const char *elsewhere_runs(const struct kernel *k, uint64_t va);

#endif
