// SPDX-License-Identifier: Apache-2.0
/* Reads the records of NL_CALL_FACTS. The registry may change between two calls: then all is read again. */
#include "facts.h"

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
