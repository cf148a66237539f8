// SPDX-License-Identifier: Apache-2.0
/* See watch.h. */
#include "watch.h"
#include "code.h"
#include "livesites.h"
#include "place.h"

#include <string.h>

struct range {
	uint64_t va;
	uint32_t size;
	const uint8_t *bytes;
	const char *name;
};

static bool range_of(const struct kernel *k, uint64_t va, struct range *out)
{
	const struct ksym *sym = kallsyms_at(&k->syms, va);

	if (!sym || !kernel_owns(k, va) || !kernel_extent(k, sym->va))
		return false;
	*out = (struct range){sym->va, (uint32_t)kernel_extent(k, sym->va), NULL, sym->name};
	out->bytes = kernel_bytes(k, out->va, out->size);
	return out->bytes != NULL;
}

static bool is_in(const struct draft *d, uint64_t func_va)
{
	const struct draft_piece *all = (const struct draft_piece *)d->sites.p;

	for (size_t i = 0; i < d->sites.n / sizeof(*all); i++)
		if (all[i].site.kind == NL_SITE_TEXT && all[i].func_va == func_va)
			return true;
	return false;
}

/* The first byte of an instruction is of no address; what the kernel writes itself may hold anything at any time. */
static void add_range(struct draft *d, const struct kernel *k, const struct range *r, const char *where)
{
	for (uint32_t at = 0; at < r->size;) {
		struct code_step s = code_decode(r->bytes + at, r->size - at, r->va + at);
		struct draft_site site = {.va = r->va + at,
		                          .len = 1,
		                          .kind = NL_SITE_TEXT,
		                          .expected = r->bytes + at,
		                          .fresh = r->bytes + at,
		                          .func_va = r->va,
		                          .func_size = r->size,
		                          .name = r->name};

		if (s.len && !livesites_conflict(k, r->va + at, s.len)) {
			draft_add_site(d, &site);
			return;
		}
		at += s.len ? s.len : 1;
	}
	refuse(NL_ESITE, "%s: whether a task is inside %s cannot be watched: the kernel writes all of it", where,
	       r->name);
}

void watch_half(struct draft *d, const struct kernel *k, uint64_t va, const char *where)
{
	struct range own, half;

	if (d->h.consistency != NL_CONSISTENCY_STRICT || !range_of(k, va, &own))
		return;
	for (uint32_t at = 0; at < own.size;) {
		struct code_step s = code_decode(own.bytes + at, own.size - at, own.va + at);

		if (s.jumps && !s.is_call && (s.target < own.va || s.target >= own.va + own.size) &&
		    range_of(k, s.target, &half) && strstr(half.name, ".cold") && !is_in(d, half.va))
			add_range(d, k, &half, where);
		at += s.len ? s.len : 1;
	}
}

void watch_code(struct draft *d, const struct kernel *k, uint64_t va, const char *where)
{
	struct range own;

	if (d->h.consistency != NL_CONSISTENCY_STRICT || !range_of(k, va, &own))
		return;
	if (!is_in(d, own.va))
		add_range(d, k, &own, where);
	watch_half(d, k, va, where);
}

bool watch_is(const struct leaffile *l, const struct nl_leaf_site *s)
{
	return l->leaf.header->consistency == NL_CONSISTENCY_STRICT && s->kind == NL_SITE_TEXT && s->len == 1 &&
	       l->leaf.bytes[s->expected] == l->leaf.bytes[s->fresh];
}
