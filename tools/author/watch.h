// SPDX-License-Identifier: Apache-2.0
/*
 * What a strict leaf waits for beside the functions that it replaces: code that belongs to the old version and has no
 * jump of its own. In the leaf that is a site of one byte which stays as it is (docs/reference/leaf-format.md).
 */
#ifndef NEWLEAF_AUTHOR_WATCH_H
#define NEWLEAF_AUTHOR_WATCH_H

#include "draft.h"
#include "kernel.h"
#include "leaffile.h"

/* The code at va, up to the next symbol, and its half that the compiler put elsewhere. Nothing unless d is strict.
 * NL_ESITE: not one byte there is the code's alone; `where` leads the message. */
void watch_code(struct draft *d, const struct kernel *k, uint64_t va, const char *where);
/* The half of a function (f.cold) that is reached by jumps alone: who sleeps in a call from there has no address of
 * the function itself on the stack. */
void watch_half(struct draft *d, const struct kernel *k, uint64_t va, const char *where);

/* Is this site there to be waited for, and changes nothing? */
bool watch_is(const struct leaffile *l, const struct nl_leaf_site *s);

#endif
