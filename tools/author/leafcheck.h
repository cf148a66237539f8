// SPDX-License-Identifier: Apache-2.0
/*
 * What a leaf means, and whether its form is the one form of it: everything that the hypervisor does not look at
 * because neither its memory nor its time hangs on it (hv/leaf/leaf.c does that). Pure functions: every command that
 * reads or writes a leaf asks here.
 */
#ifndef NEWLEAF_AUTHOR_LEAFCHECK_H
#define NEWLEAF_AUTHOR_LEAFCHECK_H

#include "guest/target.h"
#include "leaf/leaf.h"

/* A leaf that nl_leaf_parse has accepted. NL_ELEAF, NL_EOBJECT, NL_EOVERLAP, NL_ERANGE, NL_ERELOC, NL_EUNSUPPORTED;
 * *what says which part of it then, until the next call. */
enum nl_err leafcheck(const struct nl_leaf *l, const char **what);

/* A place in a space of the leaf's own, in which places can be compared and pages stay pages: a link address of the
 * kernel, or, far from them, a number for a place in a module. */
uint64_t leafcheck_va(const struct nl_leaf *l, uint16_t object, uint16_t region, uint64_t offset);

/* leafcheck_target.c: what it says of its kernel, and one of its modules. */
enum nl_err leafcheck_target(const struct nl_leaf_target *t);
enum nl_err leafcheck_module(const struct nl_leaf_target *t, const struct nl_leaf_object *o);

bool leafcheck_is_zero(const void *p, size_t n);

#endif
