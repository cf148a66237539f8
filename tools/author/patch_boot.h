// SPDX-License-Identifier: Apache-2.0
/* What stays in memory after boot, and what nothing reads or runs again: to change it changes nothing. */
#ifndef NEWLEAF_AUTHOR_PATCH_BOOT_H
#define NEWLEAF_AUTHOR_PATCH_BOOT_H

#include "kernel.h"
#include "patch_compare.h"

enum boot_use {
	BOOT_NOT,      /* what runs after boot refers to it; or nobody in the unit does, and then others do */
	BOOT_HANDS_ON, /* code of boot alone has its address, and gives it to others, who may keep it */
	BOOT_READS,    /* code of boot alone reads it */
};

/* By all that the unit itself says of the datum. */
enum boot_use boot_use_of(const struct unit *u, const struct unit_symbol *datum);

/* Of a function that the image has at `va`: why it runs only while the kernel boots; NULL: it may run later. */
const char *boot_alone(const struct kernel *k, const struct unit *u, const struct unit_symbol *f, uint64_t va);

#endif
