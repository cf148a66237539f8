// SPDX-License-Identifier: Apache-2.0
/* What a leaf is made with and nobody gave: parts of exactly the package that a kernel file came in. */
#ifndef NEWLEAF_AUTHOR_FETCH_H
#define NEWLEAF_AUTHOR_FETCH_H

#include "kernel.h"

void fetch_offline(void);    /* from here on only what the cache holds */
void fetch_speak_to(int fd); /* what get-kernel says; default: stderr */

/*
 * Where get-kernel --PART ("headers", "source", "compiler") has it, or NULL: it cannot be had, or this is no kernel of
 * Debian. What is fetched, and why not, get-kernel says on stderr.
 */
char *fetch_part(const struct kernel *k, const char *part);

#endif
