// SPDX-License-Identifier: Apache-2.0
/* What became of each leaf on a machine, of nothing but what it has signed: see enum leaf_word. */
#include "remote.h"

#include <string.h>

static const struct nl_signed_leaf *signed_leaves(const struct host *h)
{
	return (const struct nl_signed_leaf *)(const void *)(&h->status.s + 1);
}

/* By its id the one that is applied, if any is; else whichever stands last. */
const struct nl_signed_leaf *status_leaf(const struct host *h, const struct leaf_name *name)
{
	const struct nl_signed_leaf *l = signed_leaves(h), *found = NULL;

	for (uint32_t i = 0; i < h->status.s.head.count; i++) {
		bool its =
		        name->by_hash ? !memcmp(l[i].state.sha256, name->sha256, 32) : !strcmp(l[i].state.id, name->id);

		if (its && (!found || found->state.condition != NL_LEAF_APPLIED))
			found = &l[i];
	}
	return found;
}

bool kernel_fixed(const struct host *h)
{
	const struct nl_status *s = &h->status.s.status;

	for (size_t i = 0; s->kernel_build_id_len && i < wish.n_fixed; i++)
		if (!memcmp(wish.fixed[i], s->kernel_build_id, s->kernel_build_id_len))
			return true;
	return false;
}

static bool other_kernel(const struct nl_status *s, const struct leaf_name *name)
{
	return s->kernel_build_id_len && name->build_id_len &&
	       (s->kernel_build_id_len != name->build_id_len ||
	        memcmp(s->kernel_build_id, name->build_id, name->build_id_len));
}

/* The newest that the journal says of it, if that is a refusal; NL_OK: it is none. */
static enum nl_err refusal(const struct host *h, const struct leaf_name *name)
{
	for (size_t i = h->journal.n; i--;) {
		const struct nl_journal_entry *e = &h->journal.entries[i];

		if (e->event != NL_EV_REFUSED && e->event != NL_EV_VERIFIED && e->event != NL_EV_REVERTED)
			continue;
		if (name->by_hash ? memcmp(e->leaf_sha256, name->sha256, 32) : strncmp(e->id, name->id, sizeof(e->id)))
			continue;
		return e->event == NL_EV_REFUSED && e->error < NL_ERRORS_KNOWN ? (enum nl_err)e->error : NL_OK;
	}
	return NL_OK;
}

static void judge_absent(const struct host *h, const struct leaf_name *name, struct leaf_state *out)
{
	out->err = other_kernel(&h->status.s.status, name) ? NL_EBUILDID : refusal(h, name);
	switch (out->err) {
	case NL_OK:
		out->err = NL_EUNKNOWN_LEAF;
		out->word = LEAF_NONE;
		break;
	case NL_EBUILDID:
	case NL_EKERNEL:
		out->word = LEAF_OTHER_KERNEL;
		break;
	case NL_EPROBED:
		out->word = LEAF_PROBED;
		break;
	case NL_ELOCKEDOUT:
		out->word = LEAF_LOCKED_OUT;
		break;
	case NL_ETRIAL:
		out->word = LEAF_TAKEN_BACK;
		break;
	default:
		out->word = LEAF_REFUSED;
	}
}

static void judge_applied(const struct host *h, const struct nl_leaf_state *l, struct leaf_state *out)
{
	const struct nl_status *s = &h->status.s.status;
	uint64_t hz = s->boot.tsc_hz;
	bool runs = l->trial_tsc && (int64_t)(l->trial_tsc - s->tsc_now) > 0;

	out->applied = true;
	out->err = l->note                 ? (enum nl_err)l->note
	           : l->trial_tsc && !runs ? NL_ETRIAL /* nobody confirmed it, and it is still on */
	                                   : NL_OK;
	out->word = out->err == NL_EPROBED ? LEAF_PROBED : out->err ? LEAF_WEAKENED : runs ? LEAF_TRIAL : LEAF_APPLIED;
	if (runs && hz)
		out->trial_left_ns = (uint64_t)((unsigned __int128)(l->trial_tsc - s->tsc_now) * 1000000000 / hz);
}

static struct leaf_state judge(const struct host *h, const struct nl_signed_leaf *l, const struct leaf_name *name)
{
	struct leaf_state out = {.id = l             ? l->state.id
	                               : name->id[0] ? name->id
	                                             : name->text,
	                         .version = l ? l->state.version : 0};

	memcpy(out.sha256, l ? l->state.sha256 : name->sha256, sizeof(out.sha256));
	if (l && l->state.condition == NL_LEAF_APPLIED) {
		judge_applied(h, &l->state, &out);
	} else if (kernel_fixed(h)) {
		out.word = LEAF_FIXED;
	} else if (l && l->state.trial_tsc) {
		out.word = LEAF_TAKEN_BACK;
		out.err = NL_ETRIAL;
	} else if (name) {
		judge_absent(h, name, &out);
	} else {
		out.word = LEAF_NONE; /* nobody asked for it, so this is nothing wrong */
	}
	return out;
}

void leaves_judge(struct host *h)
{
	h->n_leaves = 0;
	for (size_t i = 0; i < wish.n_names; i++)
		h->leaves[h->n_leaves++] = judge(h, status_leaf(h, &wish.names[i]), &wish.names[i]);
	for (uint32_t i = 0; !wish.n_names && i < h->status.s.head.count; i++)
		h->leaves[h->n_leaves++] = judge(h, &signed_leaves(h)[i], NULL);
}

/* What is on and weakened is degraded, whatever weakens it. */
enum nl_err leaves_sum(const struct host *h)
{
	enum nl_err worst = NL_OK;

	for (size_t i = 0; i < h->n_leaves; i++) {
		enum nl_err e = h->leaves[i].applied && h->leaves[i].err ? NL_EDEGRADED : h->leaves[i].err;

		if (err_exit(e) > err_exit(worst))
			worst = e;
	}
	return worst;
}
