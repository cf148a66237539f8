// SPDX-License-Identifier: Apache-2.0
/* A kernel that leaves were applied to has gone, because another began (kexec): see commit.h. */
#include "commit/commit.h"
#include "commit/generation.h"
#include "commit/order.h"
#include "core/journal.h"
#include "core/step.h"
#include "leaf/registry.h"

/*
 * Every copy goes home before the new kernel's drivers begin: a device would find the frame and not the copy. No CPU is
 * asked. The others halt in the text of the old kernel, which is written over, and who is kicked there goes on behind
 * its HLT (SVM). They keep the old root, and the old generation its memory, until they are started anew; as long as one
 * is not, nl_generation_fork lets nobody commit, whose kick would be the end of it.
 */
static enum nl_err fold_all(struct nl_cpu *self)
{
	const struct nl_generation *current = nl_generation_current();
	struct nl_generation *g;
	enum nl_err err = nl_generation_fork(&g);

	if (err)
		return err;
	NL_EACH(page, current->pages, current->n_pages)
		if ((err = nl_view_set_page(nl_views(), &g->view, &current->view, GPA(page->gpa), HPA(page->gpa),
		                            NL_RWX))) {
			nl_generation_release(g);
			return err;
		}
	NL_EACH(page, current->pages, current->n_pages)
		memcpy(nl_phys(HPA(page->gpa)), page->frame, NL_PAGE_SIZE);
	nl_generation_turn(g);
	nl_step(self->index, NL_STEP_FLIP, g->view.generation);
	nl_publish_view(&g->view);
	return NL_OK;
}

/* What was applied is so no more: the journal says it, whoever asked for it. */
static void tell_lost(void)
{
	NL_EACH(e, nl_registry, NL_MAX_LEAVES)
		if (e->used && e->state.condition == NL_LEAF_APPLIED)
			nl_journal(NL_EV_REVERTED, NL_OK, e->state.id, e->state.sha256, 0, 0);
}

void nl_commit_kernel_gone(struct nl_cpu *cpu, const struct nl_context *ctx, uint64_t lstar)
{
	enum nl_err err = NL_OK;
	uint32_t known;
	uint64_t slide;

	/* Who holds it waits for this CPU in freezes alone, that have a limit each: one a call, and of a commit of the
	 * core's own four with pauses between. The lock is not fair: beside a CPU that calls for ever it may be long in
	 * coming. */
	nl_lock(&nl_generation_lock);
	nl_registry_build_id(&known, &slide);
	/* A crash kernel begins on any CPU. Where no kernel is known: the boot CPU writes LSTAR once in a kernel's
	 * life. */
	bool gone = known ? !nl_registry_kernel_stands(ctx) : cpu->index == 0 && lstar != ctx->lstar;
	if (gone) {
		nl_commit_drop();
		nl_order_forget();
	}
	if (gone && (nl_registry_count() || ctx->lstar)) /* LSTAR: there was a kernel */
		nl_step(cpu->index, NL_STEP_GONE, 0);
	if (gone && nl_generation_current()->applied)
		err = fold_all(cpu);
	else if (gone && ctx->lstar)
		(void)fold_all(cpu); /* for the CPUs' sake; where it fails, an older root waits for one already */
	if (gone && !err)
		tell_lost();
	if (gone && nl_registry_count()) {
		nl_journal(NL_EV_KERNEL, err, NULL, NULL, ctx->lstar, 0);
		if (!err)
			nl_registry_forget();
	}
	nl_unlock(&nl_generation_lock);
}
