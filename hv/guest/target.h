// SPDX-License-Identifier: Apache-2.0
/*
 * The target that a leaf names, before the machine is looked at: pure functions, shared with the tools. Its addresses
 * and offsets are the guest's business; what is refused is what bounds the core's own memory and time.
 */
#pragma once

#include <newleaf/errors.h>
#include <newleaf/leaf.h>

struct nl_thunks {         /* what boot left of the kernel's own; 0: the target has none, or it cannot be told */
	uint64_t ret;      /* to return by */
	uint64_t indirect; /* to jump to what register 0 holds by; the next registers' follow */
	uint32_t step;     /* by so many bytes */
};

enum nl_err nl_linux_target_check(const struct nl_leaf_target *t); /* linux/target.c */

/* NL_EUNSUPPORTED: an OS that nobody here knows. NL_ELEAF, NL_ERANGE: numbers that cannot be true. */
static inline enum nl_err nl_target_check(const struct nl_leaf_target *t)
{
	return t->guest_os == NL_GUEST_LINUX ? nl_linux_target_check(t) : NL_EUNSUPPORTED;
}

/* [va, va+len) inside [start, end), all of them link addresses; empty ranges hold nothing. */
static inline bool nl_inside(uint64_t va, uint64_t len, uint64_t start, uint64_t end)
{
	return start <= end && va >= start && va <= end && len <= end - va;
}

/* Do [a, a+a_len) and [b, b+b_len) share a byte? */
static inline bool nl_overlap(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a < b + b_len && b < a + a_len;
}

/* What a module's initialiser needs alone: freed when it has returned. */
static inline bool nl_region_is_init(const struct nl_leaf_region *r)
{
	return r->kind == NL_MEM_INIT_TEXT || r->kind == NL_MEM_INIT_DATA;
}

static inline uint64_t nl_region_start(const struct nl_leaf_target *t, enum nl_kernel_region r)
{
	return t->kernel.regions[r].base;
}

static inline uint64_t nl_region_end(const struct nl_leaf_target *t, enum nl_kernel_region r)
{
	return t->kernel.regions[r].base + t->kernel.regions[r].size;
}

static inline bool nl_in_image(const struct nl_leaf_target *t, uint64_t va, uint64_t len)
{
	return nl_inside(va, len, nl_region_start(t, NL_KERNEL_IMAGE), nl_region_end(t, NL_KERNEL_IMAGE));
}

#define NL_LINUX_BLOCK_SIZE 64u /* bytes: no struct notifier_block is longer */
