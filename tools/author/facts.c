// SPDX-License-Identifier: Apache-2.0
/* See facts.h. The text is printable ASCII: the parser of the hypervisor has seen it. */
#include "facts.h"

static const char *const names[NL_FACT_KINDS] = NL_FACT_NAMES;

static const struct nl_leaf_fact *next(const struct leaffile *l, const struct nl_leaf_fact *before)
{
	return nl_fact_next(l->leaf.facts, l->leaf.header->facts.count, before);
}

void facts_print(FILE *to, const struct leaffile *l, bool risks)
{
	for (const struct nl_leaf_fact *f = NULL; (f = next(l, f));) {
		bool allow = f->kind == NL_FACT_ALLOW;

		if (risks != (allow || f->kind == NL_FACT_NOTE))
			continue;
		fprintf(to, "%-5s %s %.*s", risks ? "RISK" : "SAYS", allow ? "override:" : names[f->kind], f->length,
		        f->text);
		if (f->version)
			fprintf(to, " version %u or %s", f->version,
			        f->kind == NL_FACT_SUPERSEDES ? "earlier" : "later");
		fputc('\n', to);
	}
}

void facts_print_json(const struct leaffile *l)
{
	const char *comma = "";

	putchar('[');
	for (const struct nl_leaf_fact *f = NULL; (f = next(l, f)); comma = ",") {
		printf("%s{\"kind\":\"%s\",\"text\":", comma, names[f->kind]);
		json_string(stdout, xformat("%.*s", f->length, f->text));
		printf(",\"version\":%u}", f->version);
	}
	putchar(']');
}
