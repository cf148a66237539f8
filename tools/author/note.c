// SPDX-License-Identifier: Apache-2.0
/* See note.h. */
#include "note.h"

#include <string.h>

void note(struct draft *d, enum nl_fact_kind kind, const char *text)
{
	fprintf(stderr, "%s: %s\n", kind == NL_FACT_ALLOW ? "allowed" : "note", escape(text, FOR_TERMINAL));
	for (size_t n; *text; text += n) {
		n = strlen(text);
		n = n > NL_FACT_MAX_LEN ? NL_FACT_MAX_LEN : n;
		draft_fact(d, kind, xformat("%.*s", (int)n, text));
	}
}
