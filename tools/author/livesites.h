// SPDX-License-Identifier: Apache-2.0
/* The places in the kernel's text that the kernel itself patches or looks up by address, at boot or at any time. */
#ifndef NEWLEAF_AUTHOR_LIVESITES_H
#define NEWLEAF_AUTHOR_LIVESITES_H

#include "kernel.h"

/* Are all tables of the image known, and as expected? Refuses NL_EKERNEL; what follows relies on it. */
void livesites_verify(const struct kernel *k);
/* The same of the module whose view it is. */
void livesites_verify_module(const struct kernel *k);
/* What of the kernel's own overlaps [va, va+len), or holds an address strictly inside it; NULL = nothing. */
const char *livesites_conflict(const struct kernel *k, uint64_t va, uint32_t len);
/* The same for code that is copied elsewhere: what boot would have made better (returns, locks, ftrace) does not count.
 */
const char *livesites_uncopyable(const struct kernel *k, uint64_t va, uint32_t len);
/* Is there a call to __fentry__ (a nop at run time, until a tracer wants it) at va? */
bool livesites_ftrace(const struct kernel *k, uint64_t va);

/* Tables that say about code what its own bytes do not. `section`: as objects name it. */
bool livesites_says(const char *section);
uint32_t livesites_entry_size(const struct kernel *k, const char *section);
/* Where the image has the nth entry about code in [va, va+len); 0 = nowhere. */
uint64_t livesites_entry(const struct kernel *k, const char *section, uint64_t va, uint64_t len, size_t nth);

#endif
