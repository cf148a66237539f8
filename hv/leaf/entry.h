// SPDX-License-Identifier: Apache-2.0
/* What is known of each leaf of this boot, and where its objects are: the table that the registry (registry.h) keeps.
 * The commit lock protects it. */
#pragma once

#include "guest/guest.h"
#include "leaf/reloc.h"
#include <newleaf/hypercall.h>

struct nl_site { /* a site of a verified leaf, at run time */
	uint64_t va, gpa;
	uint64_t func_start, func_end; /* the function replaced; equal: none (data) */
	uint64_t run; /* of a module: a number for the place in it, the same in every leaf; pages stay pages */
	uint32_t object, size;
	uint32_t len; /* size; 0: its object is not there, and then nothing but run, object and size is set */
	uint8_t expected[NL_SITE_MAX_LEN], fresh[NL_SITE_MAX_LEN];
};

struct nl_run { /* in one half of the arena, or in the store of files */
	uint32_t offset, size;
};

struct nl_binding {  /* of an object to what is there (bind.h) */
	uint64_t va; /* of struct module; 0: not there */
	struct nl_place at;
	struct nl_run text, data; /* its part of the body */
};

struct nl_entry {
	struct nl_leaf_state state;
	struct nl_leaf_target target;
	uint32_t n_objects;
	struct nl_binding objects[NL_LEAF_MAX_OBJECTS];
	struct nl_run file;                    /* kept for what comes later; empty: the leaf has no modules */
	uint32_t counter_offset, counter_cpus; /* in the kernel's part of the data */
	uint32_t authors;                      /* bits of the keys whose signatures count */
	struct nl_leaf_facts facts;
	bool used;
	bool ever_applied;    /* its body may be in use until reboot: the entry stays */
	uint64_t trial_from;  /* when its probation began, TSC, less what clocks may differ, */
	uint32_t trial_clock; /* and nl_trial_clock then */
	uint32_t n_sites;
	struct nl_site sites[NL_LEAF_MAX_SITES];
};
extern struct nl_entry nl_registry[NL_MAX_LEAVES];
extern uint32_t nl_pinned; /* those that the prepared commit is about, a bit each: they stay what they are */

/* Each leaf of a set, a bit each. */
#define NL_EACH_LEAF(i, set) \
	for (uint32_t rest_ = (set); rest_ && ((i) = (uint32_t)__builtin_ctz(rest_), true); rest_ &= rest_ - 1)
