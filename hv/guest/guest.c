// SPDX-License-Identifier: Apache-2.0
/* What tenants have in common, and which there are: see guest.h. */
#include "guest/guest.h"
#include "core/core.h"
#include "guest/linux/linux.h"
#include "view/current.h"
#include "x86.h"

const struct nl_guest_os *nl_guest_os(const struct nl_leaf_target *t)
{
	NL_ASSERT(t->guest_os == NL_GUEST_LINUX);
	return &nl_linux;
}

enum nl_err nl_guest_find(const struct nl_context *ctx, const struct nl_leaf_target *t, struct nl_kernel *out)
{
	out->target = t;
	out->os = nl_guest_os(t);
	return out->os->find(ctx, nl_current_view(), out);
}

bool nl_guest_fetch(const struct nl_context *c, uint64_t rip, uint8_t *out, size_t n)
{
	uint64_t at = c->long_mode ? rip : (uint32_t)(c->cs_base + rip);
	size_t first = NL_PAGE_SIZE - (at & NL_PAGE_MASK);
	static const bool never;
	struct nl_guest g;

	if (!(c->cr0 & CR0_PG)) { /* firmware, perhaps in memory that its map calls reserved: where code runs, bytes can
		                     be read */
		struct nl_shown page;

		return nl_view_walk(nl_views(), nl_current_view(), GPA(at), &page) && page.rights & NL_X &&
		       x86_copy_safe(out, nl_phys(page.at), first < n ? first : n);
	}
	if (!(c->efer & EFER_LMA)) /* 32-bit paging: nothing that runs under us uses it any more */
		return false;
	nl_guest_init(&g, nl_views(), nl_current_view(), c->cr3, c->cr4 & CR4_LA57);
	g.met_poison = &never; /* the guest has just read them itself */
	if (nl_guest_read(&g, GVA(at), NL_GUEST_READ, out, first < n ? first : n))
		return false;
	if (first < n && nl_guest_read(&g, GVA(at + first), NL_GUEST_READ, out + first, n - first))
		memset(out + first, 0, n - first); /* the next page need not exist if the instruction ends before it */
	return true;
}

/* MWAIT has no activity state on VMX, and nothing has on SVM: what ended the wait leaves RIP behind the instruction. */
bool nl_guest_waits(const struct nl_context *ctx)
{
	uint8_t code[3] = {0};

	if (ctx->halted)
		return true;
	if (ctx->cpl || ctx->rip < 3 || !nl_guest_fetch(ctx, ctx->rip - 3, code, 3))
		return false;
	/* HLT, MWAIT, and IN AL, DX: a C-state entered through an I/O port */
	return code[2] == 0xf4 || (code[0] == 0x0f && code[1] == 0x01 && code[2] == 0xc9) ||
	       (code[2] == 0xec && !(ctx->rflags & RFLAGS_IF));
}

void nl_scan_init(struct nl_scan *scan, const struct nl_watch *watches, uint32_t n)
{
	memset(scan, 0, __builtin_offsetof(struct nl_scan, hidden));
	scan->watches = watches;
	scan->n = n;
	scan->low = ~0ULL;
	scan->blocker.cpu = UINT32_MAX;
	NL_EACH(w, watches, n) {
		scan->strict |= w->strict;
		if (w->start < scan->low)
			scan->low = w->start;
		if (w->end > scan->high)
			scan->high = w->end;
	}
}

bool nl_scan_watched(struct nl_scan *scan, uint64_t word, uint32_t *old)
{
	const struct nl_hidden *hidden = NULL;
	bool blocks = false;

	for (uint32_t i = 0; i < scan->n_hidden && !hidden; i++)
		if (word - scan->hidden[i].at < scan->hidden[i].size)
			hidden = &scan->hidden[i];
	NL_EACH(w, scan->watches, scan->n) {
		if (hidden ? w->site && !hidden->sites : word <= w->start || word >= w->end)
			continue;
		if (!w->site)
			*old |= 1u << w->leaf;
		if (w->site || w->strict) {
			scan->blocker.site_va = w->start;
			scan->blocker.rip = word;
			blocks = true;
		}
	}
	return blocks;
}
