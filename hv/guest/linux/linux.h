// SPDX-License-Identifier: Apache-2.0
/*
 * Linux as a tenant of guest.h. kernel.c finds it without believing the caller: LSTAR holds the address of its system
 * call entry, which the hypervisor sees in the CPU and which the leaf knows at link time. The difference is the KASLR
 * slide; with it everything else is found and then verified. tasks.c knows who stands where in it.
 */
#pragma once

#include "guest/guest.h"

/* Where the arena stands: entries 508 and 509 of the page directory that maps the last GiB. */
#define NL_LINUX_ARENA_TEXT_ENTRY 508u
#define NL_LINUX_ARENA_DATA_ENTRY 509u
#define NL_LINUX_ARENA_TEXT 0xffffffffff800000ULL
#define NL_LINUX_ARENA_DATA 0xffffffffffa00000ULL

extern const struct nl_guest_os nl_linux;

/* modules.c and hook.c: struct nl_guest_os says what they do */
enum nl_err nl_linux_module(struct nl_kernel *k, const struct nl_leaf_object *o, struct nl_module *out);
enum nl_err nl_linux_module_named(struct nl_kernel *k, uint64_t va, const char *name);
enum nl_err nl_linux_watch_modules(struct nl_kernel *k, uint64_t ret);
bool nl_linux_told(const struct nl_context *ctx, const struct nl_gprs *gprs, struct nl_told *out);

/* tasks.c: struct nl_guest_os says what they do */
enum nl_err nl_linux_scan(struct nl_kernel *k, struct nl_scan *scan);
enum nl_err nl_linux_probes(struct nl_kernel *k, struct nl_scan *scan);
void nl_linux_name(struct nl_kernel *k, uint64_t sp, struct nl_blocker *blocker);
