// SPDX-License-Identifier: Apache-2.0
/* A kernel that leaves were applied to has gone, because another began (kexec): see commit.h. */
#include "commit/commit.h"
#include "commit/generation.h"
#include "core/journal.h"
#include "core/step.h"
#include "leaf/registry.h"

/* What was applied is so no more: the journal says it, whoever asked for it. */
static void tell_lost(void)
{
	for (unsigned i = 0; i < NL_MAX_LEAVES; i++) {
		const struct nl_leaf_state *s = &nl_registry[i].state;

		if (nl_registry[i].used && s->condition == NL_LEAF_APPLIED)
			nl_journal(NL_EV_REVERTED, NL_OK, s->id, s->sha256, 0, 0);
	}
}

/*
 * The other CPUs still halt in the text of the old kernel, which is written over: who is kicked there goes on behind
 * its HLT (SVM). So nobody is asked. Copies hold what the new kernel has written to them, and are its memory like any
 * other, until the next commit brings them home.
 */
void nl_commit_kernel_gone(struct nl_cpu *cpu, const struct nl_context *ctx)
{
	nl_lock(&nl_generation_lock);          /* who holds it waits for this CPU no longer than one freeze */
	if (!nl_registry_kernel_stands(ctx)) { /* or was LSTAR written, and no kernel begins? */
		nl_commit_drop();
		nl_step(cpu->index, NL_STEP_GONE, 0);
		tell_lost();
		nl_generation_current()->applied = 0;
		if (nl_registry_count()) {
			nl_journal(NL_EV_KERNEL, NL_OK, NULL, NULL, ctx->lstar, 0);
			nl_registry_forget();
		}
	}
	nl_unlock(&nl_generation_lock);
}
