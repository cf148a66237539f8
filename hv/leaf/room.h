// SPDX-License-Identifier: Apache-2.0
/*
 * Room for what leaves bring along: bodies in either half of the arena, files of leaves with modules in a store of
 * their own. Whose it is stands in the entries (entry.h); beside them there are parts of bodies that a module has left
 * behind: nobody enters them any more, somebody may still be in. The commit lock protects all.
 */
#pragma once

#include "leaf/entry.h"

enum nl_room { NL_ROOM_TEXT, NL_ROOM_DATA, NL_ROOM_FILES };

/* First fit; `fresh` is an entry that need not be in the table yet. false: there is none. Size 0 fits anywhere. */
bool nl_room_find(const struct nl_entry *fresh, enum nl_room in, uint64_t size, struct nl_run *out);
uint64_t nl_room_free(enum nl_room in); /* bytes */
void *nl_room_at(enum nl_room in, uint32_t offset);

/* A part of a body is left behind. There is place to remember it if nl_room_for_part was true when its object, of `e`,
 * was bound. */
void nl_room_leave(const struct nl_binding *b);
bool nl_room_for_part(const struct nl_entry *e, const struct nl_binding *b);

/*
 * Watches for the first parts left behind, at most NL_MAX_LEAVES, where the arena's text stands in the guest; of those
 * in which a whole scan has found nobody (old[]: tasks in each) the room is used again.
 */
uint32_t nl_room_watch(uint64_t arena, struct nl_watch *watches);
void nl_room_reuse(uint32_t n, const uint32_t *old);
void nl_room_forget(void); /* the kernel is gone, and the table empty */
