// SPDX-License-Identifier: Apache-2.0
/*
 * Where the objects of a leaf are: the kernel, always; a module, while it is loaded. Binding an object gives its sites
 * their addresses and its part of the body a place in the arena; nothing of the guest is written. What was bound in an
 * applied leaf has been written to, so there who binds also writes (commit/). All functions want the commit lock.
 */
#pragma once

#include "leaf/entry.h"

/* The leaf of an entry that is not in the registry yet, and has no object bound. Keeps its file if it has modules.
 * NL_ENOMEM. */
enum nl_err nl_bind_begin(struct nl_entry *e, const struct nl_leaf *leaf, size_t signed_size);

/*
 * Look at each object: what is gone is forgotten, what is there and may be (a bit each) is bound. `leaf` NULL: that
 * which was kept. NL_EARENA, NL_ERELOC, NL_ERANGE, NL_EMODULE of a module that is there and cannot be bound: the
 * blocker names it, and it is not bound. NL_EKERNEL. A module of another build is no error: facts.modules[] says it.
 */
enum nl_err nl_bind(struct nl_entry *e, const struct nl_leaf *leaf, uint32_t may, struct nl_kernel *k,
                    struct nl_blocker *blocker);
/* Is all that is bound where it was, and has nothing come that would be bound? All CPUs held; changes nothing. */
bool nl_bind_stands(const struct nl_entry *e, struct nl_kernel *k);
/* Object of an entry with modules, as its leaf has it. */
const struct nl_leaf_object *nl_bind_object(const struct nl_entry *e, uint32_t object);
/* Writes leaf and module into the blocker; returns err. */
enum nl_err nl_bind_blames(const struct nl_entry *e, uint32_t object, enum nl_err err, struct nl_blocker *blocker);
void nl_unbind(struct nl_entry *e, uint32_t object);
