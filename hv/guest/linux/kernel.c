// SPDX-License-Identifier: Apache-2.0
/* The kernel's anchor and the arena's entries: see linux.h. */
#include "guest/linux/linux.h"
#include "guest/target.h"
#include "core/core.h"
#include "view/current.h"
#include "x86.h"

#define CR3_ADDRESS 0x000ffffffffff000ULL
#define CR3_PTI_USER (1ULL << 12) /* Linux, page table isolation: the user table is the odd page of a pair */
#define KERNEL_LOW 0xffffffff80000000ULL
#define KASLR_RANGE NL_1G
#define KASLR_STEP NL_2M

/* Page directory entries, SDM vol. 3, table 4-18. No G: under page table isolation a global entry would leak into the
 * user table's life. */
#define PDE_TEXT 0x00000000000000e1ULL /* P A D PS */
#define PDE_DATA 0x80000000000000e3ULL /* P W A D PS NX */
#define PDE_STATE 0x60ULL              /* A and D may be set by the CPU */

/* Is `cr3` a table from which the kernel's own one can be found, and do both agree? */
static bool find_root(struct nl_guest *space, uint64_t cr3, bool la57, const struct nl_view *view, uint64_t lstar,
                      uint64_t page_table)
{
	gpa_t root, same, here, there;

	nl_guest_init(space, nl_views(), view, cr3, la57);
	if (nl_guest_translate(space, GVA(page_table), NL_GUEST_READ, &root) ||
	    nl_guest_translate(space, GVA(lstar), NL_GUEST_READ, &here) || root.v & NL_PAGE_MASK)
		return false;
	nl_guest_init(space, nl_views(), view, root.v, la57);
	return !nl_guest_translate(space, GVA(page_table), NL_GUEST_READ, &same) && same.v == root.v &&
	       !nl_guest_translate(space, GVA(lstar), NL_GUEST_READ, &there) && there.v == here.v;
}

static enum nl_err find(const struct nl_context *ctx, const struct nl_view *view, struct nl_kernel *out)
{
	const struct nl_leaf_target *t = out->target;
	uint64_t slide = ctx->lstar - t->syscall_entry, cr3 = ctx->cr3 & CR3_ADDRESS;
	const struct nl_leaf_object *k = &t->kernel;
	bool la57 = ctx->cr4 & CR4_LA57;

	out->build_id_len = 0;
	out->slide = slide;
	if (ctx->lstar < KERNEL_LOW || !(ctx->efer & EFER_LMA) || !(ctx->cr0 & CR0_PG))
		return NL_EKERNEL;
	if (slide % KASLR_STEP || slide >= KASLR_RANGE)
		return NL_EBUILDID;
	if (!find_root(&out->space, cr3, la57, view, ctx->lstar, t->page_table + slide) &&
	    !find_root(&out->space, cr3 & ~CR3_PTI_USER, la57, view, ctx->lstar, t->page_table + slide))
		return NL_EBUILDID;
	if (nl_guest_read(&out->space, GVA(k->regions[k->build_id_region].base + k->build_id_offset + slide),
	                  NL_GUEST_READ, out->build_id, k->build_id_len))
		return NL_EBUILDID;
	out->build_id_len = k->build_id_len;
	return memcmp(out->build_id, k->build_id, k->build_id_len) ? NL_EBUILDID : NL_OK;
}

/* A kernel that has no process yet is another one that begins, though it may lie where the one before lay. */
static bool stands(const struct nl_context *ctx, const struct nl_leaf_target *t, uint64_t slide)
{
	uint64_t list = t->init_task + t->task_tasks + slide, first;
	struct nl_context at = *ctx;
	struct nl_kernel kernel;

	at.lstar = t->syscall_entry + slide;
	return !nl_guest_find(&at, t, &kernel) && !nl_guest_read64(&kernel.space, GVA(list), &first) && first != list;
}

#define JUMP_GROUP 0xff /* the first byte of jmp *%rax */
#define THUNK_STEP 32u
#define ITS_THUNK_STEP 64u

/*
 * Boot makes plain returns of the kernel's where no thunk is wanted; since 6.9 the default one then tells of a return
 * that was forgotten. It makes a bare jump of each thunk where no retpolines are wanted, and leaves the calls of thunks
 * bare as well, or leads them to others, which jump in the half of a cache line in which a CPU with ITS predicts well:
 * those do as well as a bare jump everywhere (arch/x86/kernel/alternative.c, lib/retpoline.S).
 */
static void thunks(struct nl_kernel *k, struct nl_thunks *out)
{
	const struct nl_leaf_target *t = k->target;
	uint64_t ret;
	uint8_t first;

	memset(out, 0, sizeof(*out));
	if (t->return_thunk && !nl_guest_read64(&k->space, GVA(t->return_thunk + k->slide), &ret)) {
		if (t->return_default && ret == t->return_default + k->slide)
			ret = t->return_plain + k->slide;
		if (nl_inside(ret - k->slide, 1, nl_region_start(t, NL_KERNEL_TEXT), nl_region_end(t, NL_KERNEL_IMAGE)))
			out->ret = ret;
	}
	if (!t->indirect_thunks ||
	    nl_guest_read(&k->space, GVA(t->indirect_thunks + k->slide), NL_GUEST_READ, &first, 1))
		return;
	if (t->its_thunks && first == JUMP_GROUP) {
		out->indirect = t->its_thunks + k->slide;
		out->step = ITS_THUNK_STEP;
	} else {
		out->indirect = t->indirect_thunks + k->slide;
		out->step = THUNK_STEP;
	}
}

static const struct half {
	unsigned entry;
	uint64_t va, offset, bits; /* offset: in the region */
} halves[] = {{NL_LINUX_ARENA_TEXT_ENTRY, NL_LINUX_ARENA_TEXT, NL_REGION_ARENA_TEXT, PDE_TEXT},
              {NL_LINUX_ARENA_DATA_ENTRY, NL_LINUX_ARENA_DATA, NL_REGION_ARENA_DATA, PDE_DATA}};

static bool has_half(struct nl_kernel *k, const struct half *h)
{
	uint64_t is, at = nl_boot.region + h->offset;
	gpa_t out;

	return !nl_guest_read64(&k->space, GVA(k->target->arena_pmd + k->slide + 8 * h->entry), &is) &&
	       !((is ^ (at | h->bits)) & ~PDE_STATE) &&
	       !nl_guest_translate(&k->space, GVA(h->va), NL_GUEST_READ, &out) && out.v == at;
}

static bool has_arena(struct nl_kernel *k) { return has_half(k, &halves[0]) && has_half(k, &halves[1]); }

static uint64_t *arena_table(struct nl_kernel *k)
{
	return (uint64_t *)nl_guest_pointer(&k->space, GVA(k->target->arena_pmd + k->slide), NL_GUEST_WRITE);
}

/* Those of `which`, a bit each. */
static void clear(struct nl_kernel *k, unsigned which)
{
	uint64_t *table = arena_table(k);

	for (unsigned i = 0; table && i < NL_ARRAY_SIZE(halves); i++)
		if (which >> i & 1)
			__atomic_store_n(table + halves[i].entry, 0, __ATOMIC_SEQ_CST);
}

static enum nl_err map_arena(struct nl_kernel *k, bool *made)
{
	uint64_t *table = arena_table(k);
	unsigned fresh = 0; /* those that were empty */

	for (unsigned i = 0; table && i < NL_ARRAY_SIZE(halves); i++) {
		uint64_t was = 0, entry = (nl_boot.region + halves[i].offset) | halves[i].bits;

		if (__atomic_compare_exchange_n(table + halves[i].entry, &was, entry, false, __ATOMIC_SEQ_CST,
		                                __ATOMIC_SEQ_CST))
			fresh |= 1u << i;
	}
	if (table && has_arena(k)) {
		*made = fresh == 3;
		return NL_OK;
	}
	clear(k, fresh);
	return NL_EARENA;
}

static void unmap_arena(struct nl_kernel *k) { clear(k, 3); }

const struct nl_guest_os nl_linux = {
        .find = find,
        .stands = stands,
        .thunks = thunks,
        .arena_text = NL_LINUX_ARENA_TEXT,
        .arena_data = NL_LINUX_ARENA_DATA,
        .map_arena = map_arena,
        .unmap_arena = unmap_arena,
        .has_arena = has_arena,
        .module = nl_linux_module,
        .module_named = nl_linux_module_named,
        .watch_modules = nl_linux_watch_modules,
        .told = nl_linux_told,
        .scan = nl_linux_scan,
        .probes = nl_linux_probes,
        .name = nl_linux_name,
};
