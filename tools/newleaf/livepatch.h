// SPDX-License-Identifier: Apache-2.0
/*
 * The guest's own livepatches: they take a function's calls over at its first bytes, by ftrace, so that what a leaf
 * puts behind those is passed by.
 */
#ifndef NEWLEAF_LIVEPATCH_H
#define NEWLEAF_LIVEPATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct livepatch {
	char name[256], object[256], function[256]; /* object: "vmlinux", or a module */
};

/* Every function that one which is enabled patches, as the kernel shows them; false from `visit` ends it. */
void livepatch_each(bool (*visit)(const struct livepatch *l, void *arg), void *arg);

/* Does one patch a function of this leaf, a verified file? Fills *out. */
bool livepatch_meets(const uint8_t *leaf, size_t size, struct livepatch *out);

#endif
