// SPDX-License-Identifier: Apache-2.0
/*
 * Find the guest's kernel without believing the caller: LSTAR holds the address of its system call entry, which the
 * hypervisor sees in the CPU and which the leaf knows at link time. The difference is the KASLR slide; with it
 * everything else is found and then verified.
 */
#ifndef HV_KERNEL_H
#define HV_KERNEL_H

#include <newleaf/leaf.h>
#include "guest/guestmem.h"
#include "vendor.h"

/* Where the arena stands in the guest's address space: entries 508 and 509 of the page directory that maps the last
 * GiB. */
#define NL_ARENA_TEXT_ENTRY 508u
#define NL_ARENA_DATA_ENTRY 509u
#define NL_ARENA_TEXT_VA 0xffffffffff800000ULL
#define NL_ARENA_DATA_VA 0xffffffffffa00000ULL

struct nl_kernel {
	uint64_t slide;
	uint64_t root; /* guest-physical, of the kernel's own page table */
	bool la57;
};

/*
 * NL_EKERNEL: no kernel where one must be. NL_EBUILDID: another kernel. `found` (NL_BUILD_ID_MAX bytes) and *found_len
 * are filled as far as they could be read. On NL_OK `space` is the kernel's address space in `view`.
 */
enum nl_err nl_kernel_find(const struct nl_context *ctx, const struct nl_leaf_target *t, const struct nl_views *views,
                           const struct nl_view *view, struct nl_kernel *out, struct nl_guest *space, uint8_t *found,
                           uint32_t *found_len);

/* The pointer that returns go through on this CPU, 0 when the target has none or it points outside the kernel. */
uint64_t nl_kernel_return_thunk(struct nl_guest *space, const struct nl_leaf_target *t, uint64_t slide);

/*
 * Fill the two entries that make the arena part of the kernel's address space, once. They stay for ever: a sleeper may
 * be in a body. All CPUs held. NL_EARENA leaves the guest's table as it was.
 */
enum nl_err nl_kernel_map_arena(struct nl_guest *space, const struct nl_leaf_target *t, uint64_t slide);

#endif
