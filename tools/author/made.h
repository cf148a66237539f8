// SPDX-License-Identifier: Apache-2.0
/* Bodies that need no compiler: a function's own machine code, or nothing but a value that it returns. */
#ifndef NEWLEAF_AUTHOR_MADE_H
#define NEWLEAF_AUTHOR_MADE_H

#include "body.h"

/*
 * `transplant F`: the shipped bytes of F at another place (lift.h), which nobody must notice: the test that needs no
 * fix. `kill F [= VALUE]`: F returns at once, with VALUE; of a void function no register changes. Adds the code to the
 * draft and its symbol to b. Refuses NL_ESITE where the code has no copy, NL_ETYPE where VALUE is none that F returns.
 */
void made_add(struct draft *d, const struct kernel *k, const struct recipe *r, const struct recipe_replace *s,
              struct body *b);
/* The part of it that can be said before anything is compiled. */
void made_check(const struct kernel *k, const struct recipe *r, const struct recipe_replace *s);

#endif
