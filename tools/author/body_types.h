// SPDX-License-Identifier: Apache-2.0
/* The types of a body (.BTF of its objects) against the kernel's. */
#ifndef NEWLEAF_AUTHOR_BODY_TYPES_H
#define NEWLEAF_AUTHOR_BODY_TYPES_H

#include "body.h"
#include "compare_types.h"

/*
 * Compares the prototype of each function replaced, the type of each function and variable of the kernel that the body
 * uses, and the inside of each structure, union and enumeration that it shares with the kernel. Refuses NL_ETARGET with
 * all that differs, unless the recipe says `allow types`; then, and for what the kernel's types do not know, the facts
 * of the draft name it.
 */
void body_types_check(struct draft *d, const struct kernel *k, const struct recipe *r, const struct body *b);

/* The same for the bodies of a patch, without the prototypes of what is replaced: they change with all callers, or the
 * source does not compile; contract.h looks where it matters. What the kernel's types do not know is no news there: the
 * headers are the kernel's, and what the source compiles to is proven to be what the image has.
 * `expected`: of each object, which prototypes behind pointers change and may. */
void body_types_check_patch(struct draft *d, const struct kernel *k, const struct recipe *r, const struct body *b,
                            const struct compare_expected *expected);

/* The functions that data statements put into members of the kernel: are they what such a member points to? Refuses
 * NL_ETYPES. b: NULL = there is no body. */
void data_types_check(const struct kernel *k, const struct recipe *r, const struct body *b);

#endif
