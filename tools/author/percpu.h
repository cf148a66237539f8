// SPDX-License-Identifier: Apache-2.0
/* Variables of which each CPU has one: what the linker knows of is a template, or a number, and never the variable. */
#ifndef NEWLEAF_AUTHOR_PERCPU_H
#define NEWLEAF_AUTHOR_PERCPU_H

#include "body.h"

/* Follows the address of each such variable through the body's code: it must meet %gs, this_cpu_off or an element of
 * __per_cpu_offset before it is used. Refuses NL_EBODY with what does not, or cannot be followed; where the recipe says
 * `allow percpu`, a fact of the draft names it. */
void percpu_check(struct draft *d, const struct kernel *k, const struct recipe *r, const struct body *b);

#endif
