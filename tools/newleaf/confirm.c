// SPDX-License-Identifier: Apache-2.0
/*
 * newleaf confirm, and what is said of leaves on probation.
 */
#include "probation.h"

#include <string.h>

enum probation probation_of(const struct nl_status *s, const struct nl_leaf_state *l)
{
	if (!l->trial_tsc)
		return PROBATION_NONE;
	if (l->condition != NL_LEAF_APPLIED)
		return PROBATION_TAKEN_BACK;
	return (int64_t)(l->trial_tsc - s->tsc_now) > 0 ? PROBATION_RUNNING : PROBATION_OVER;
}

uint64_t probation_left_ns(const struct nl_status *s, const struct nl_leaf_state *l)
{
	return probation_of(s, l) == PROBATION_RUNNING ? text_tsc_ns(l->trial_tsc - s->tsc_now, s->boot.tsc_hz) : 0;
}

const char *probation_name(enum probation p)
{
	static const char *const names[] = {[PROBATION_NONE] = NULL,
	                                    [PROBATION_RUNNING] = "running",
	                                    [PROBATION_OVER] = "over",
	                                    [PROBATION_TAKEN_BACK] = "taken-back"};

	return names[p];
}

void probation_print(const struct nl_status *s, const struct nl_leaf_state *l)
{
	struct text t;

	switch (probation_of(s, l)) {
	case PROBATION_RUNNING:
		printf("  on trial, %s left: newleaf confirm %s\n",
		       s->boot.tsc_hz ? text_age(&t, probation_left_ns(s, l)) : "some time", l->id);
		break;
	case PROBATION_OVER:
		printf("  its trial is over and nobody confirmed it: it is being taken back\n");
		break;
	case PROBATION_TAKEN_BACK:
		printf("  taken back, because nobody confirmed it; this boot and the next one refuse it\n");
		break;
	case PROBATION_NONE:
		break;
	}
}

bool probation_weakens(const struct nl_status *s, struct nl_leaf_state *l)
{
	if (l->note == NL_OK && probation_of(s, l) == PROBATION_OVER)
		l->note = NL_ETRIAL;
	return l->condition == NL_LEAF_APPLIED && l->trial_tsc;
}

const struct nl_leaf_state *probation_longest(const struct nl_leaf_state *leaves, size_t n)
{
	const struct nl_leaf_state *found = NULL;

	for (size_t i = 0; i < n; i++)
		if (leaves[i].condition == NL_LEAF_APPLIED && leaves[i].trial_tsc &&
		    (!found || (int64_t)(leaves[i].trial_tsc - found->trial_tsc) > 0))
			found = &leaves[i];
	return found;
}

struct confirmation {
	const struct nl_leaf_state *leaves[NL_MAX_LEAVES];
	size_t n;
};

/* The leaf that is applied under that id, or was taken back. */
static const struct nl_leaf_state *find(const struct nl_leaf_state *leaves, size_t n, const char *id)
{
	const struct nl_leaf_state *found = NULL;

	for (size_t i = 0; i < n; i++)
		if (!strcmp(leaves[i].id, id) && (leaves[i].condition == NL_LEAF_APPLIED || leaves[i].trial_tsc) &&
		    (!found || leaves[i].condition == NL_LEAF_APPLIED))
			found = &leaves[i];
	return found;
}

static int choose(struct cli *c, const struct nl_leaf_state *leaves, size_t n, struct confirmation *chosen)
{
	for (size_t i = 0; i < n && !c->n_args; i++)
		if (leaves[i].condition == NL_LEAF_APPLIED && leaves[i].trial_tsc)
			chosen->leaves[chosen->n++] = &leaves[i];
	for (int i = 0; i < c->n_args; i++) {
		const struct nl_leaf_state *l = find(leaves, n, c->args[i]);

		if (!l)
			return cli_fail(c, "nothing confirmed", NL_EUNKNOWN_LEAF, "no leaf \"%s\" is applied",
			                c->args[i]);
		if (l->trial_tsc)
			chosen->leaves[chosen->n++] = l;
	}
	return chosen->n ? NL_EXIT_OK
	                 : cli_nothing(c, "confirm", "no leaf%s is on trial", c->n_args ? " of these" : "");
}

static void tell(const struct cli *c, const struct confirmation *done)
{
	if (c->json) {
		struct json j = {.f = stdout};

		json_document(&j, "confirm", "ok");
		json_open(&j, "leaves", '[');
		for (size_t i = 0; i < done->n; i++) {
			json_open(&j, NULL, '{');
			json_string(&j, "id", done->leaves[i]->id);
			json_bytes(&j, "sha256", done->leaves[i]->sha256, 32);
			json_close(&j, '}');
		}
		json_close(&j, ']');
		json_end(&j);
	} else if (!c->quiet) {
		for (size_t i = 0; i < done->n; i++)
			printf("confirmed %s\n", done->leaves[i]->id);
	}
}

int verb_confirm(struct cli *c)
{
	struct nl_leaf_state leaves[NL_MAX_LEAVES];
	struct confirmation chosen = {.n = 0};
	int result = cli_open(c, "nothing confirmed");
	char what[NL_LEAF_ID_LEN + 16];
	enum nl_err e;
	size_t n;

	if (result != NL_EXIT_OK)
		return result;
	e = nl_agent_leaves(&c->agent, leaves, NL_MAX_LEAVES, &n);
	if (e != NL_OK)
		return cli_fail_agent(c, "nothing confirmed", e, NULL);
	result = choose(c, leaves, n, &chosen);
	for (size_t i = 0; i < chosen.n && result == NL_EXIT_OK; i++) {
		e = nl_agent_confirm(&c->agent, chosen.leaves[i]->sha256);
		snprintf(what, sizeof(what), "%s not confirmed", chosen.leaves[i]->id);
		if (e != NL_OK && e != NL_NOTHING) /* somebody else was quicker */
			result = cli_fail_agent(c, what, e, NULL);
	}
	if (result == NL_EXIT_OK)
		tell(c, &chosen);
	return result;
}
