// SPDX-License-Identifier: Apache-2.0
/* Reads the records of NL_CALL_FACTS, and says what is so in modules. The registry may change between two calls: then
 * all is read again. */
#include "facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct nl_leaf_fact *facts_next(const struct nl_leaf_facts *f, const struct nl_leaf_fact *before)
{
	return nl_fact_next(f->bytes, f->size <= sizeof(f->bytes) ? f->size : 0, before);
}

struct nl_leaf_facts *facts_read(struct cli *c, const struct nl_leaf_state *leaves, size_t n, enum nl_err *error)
{
	struct nl_leaf_facts *all = calloc(n ? n : 1, sizeof(*all));

	*error = all ? NL_OK : NL_EENVIRONMENT;
	for (size_t i = 0; all && i < n && *error == NL_OK; i++) {
		*error = nl_agent_facts(&c->agent, i, &all[i]);
		if (*error == NL_OK && memcmp(all[i].sha256, leaves[i].sha256, sizeof(all[i].sha256)))
			*error = NL_AGAIN;
	}
	if (*error == NL_OK)
		return all;
	free(all);
	return NULL;
}

static const char *const module_states[] = {[NL_MODULE_WAITING] = "waiting",
                                            [NL_MODULE_PRESENT] = "patched",
                                            [NL_MODULE_OTHER] = "other-build",
                                            [NL_MODULE_UNPATCHED] = "unpatched"};

const char *facts_module_state(const struct nl_leaf_facts *facts, uint32_t i)
{
	uint32_t state = facts->modules[i].state;

	return state < NL_ARRAY_SIZE(module_states) ? module_states[state] : "unknown";
}

uint32_t facts_modules(const struct nl_leaf_facts *facts)
{
	return facts->n_modules < NL_ARRAY_SIZE(facts->modules) ? facts->n_modules : NL_ARRAY_SIZE(facts->modules);
}

/* What an operator must know: what is waited for, and what is not as the leaf would have it. */
void facts_print_modules(const struct nl_leaf_state *l, const struct nl_leaf_facts *facts)
{
	static const char *const said[] = {[NL_MODULE_WAITING] = "waiting for %s: patched when it is loaded",
	                                   [NL_MODULE_PRESENT] = "in %s",
	                                   [NL_MODULE_OTHER] = "another build of %s is loaded, and left alone",
	                                   [NL_MODULE_UNPATCHED] =
	                                           "%s came and could not be patched: newleaf log says why"};

	for (uint32_t i = 0; l->condition == NL_LEAF_APPLIED && i < facts_modules(facts); i++) {
		const struct nl_leaf_module *m = &facts->modules[i];

		if (m->state >= NL_ARRAY_SIZE(said) || !m->sites)
			continue;
		fputs("  ", stdout);
		printf(said[m->state], m->name);
		putchar('\n');
	}
}
