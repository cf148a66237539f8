// SPDX-License-Identifier: Apache-2.0
/* A chain of words with ## between them is a pattern: what the macro writes itself must be there, its arguments may be
 * anything. */
#define _GNU_SOURCE /* memmem */
#include "patch_glue.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define CHAIN_MAX 16

struct word {
	const char *p;
	size_t n;
	bool any; /* an argument */
};

static bool is_word_char(char c) { return isalnum((unsigned char)c) || c == '_'; }

static size_t word_length(const char *p, const char *end)
{
	size_t n = 0;

	while (p + n < end && is_word_char(p[n]))
		n++;
	return n;
}

static const char *skip_blank(const char *p, const char *end)
{
	while (p < end && (isspace((unsigned char)*p) || (*p == '\\' && p + 1 < end && p[1] == '\n')))
		p++;
	return p;
}

static bool fits(const struct word *chain, size_t n, const char *name)
{
	size_t most = strlen(name);

	if (!n)
		return !most;
	if (!chain->any)
		return chain->n <= most && !memcmp(chain->p, name, chain->n) && fits(chain + 1, n - 1, name + chain->n);
	for (size_t taken = 0; taken <= most; taken++)
		if (fits(chain + 1, n - 1, name + taken))
			return true;
	return false;
}

static bool makes(const struct names *s, const struct word *chain, size_t n)
{
	bool own = false;

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < chain[i].n; j++)
			own |= !chain[i].any && isalnum((unsigned char)chain[i].p[j]);
	for (size_t i = 0; own && i < s->room; i++)
		if (s->slot[i] && fits(chain, n, s->slot[i]))
			return true;
	return false;
}

/* One #define: its parameters, in brackets at its name, and what it stands for. */
static bool body_makes(const struct names *s, const char *parameters, const char *body, const char *end)
{
	struct word chain[CHAIN_MAX];
	size_t n = 0;
	bool glued = false; /* a ## stands before */

	for (const char *p = skip_blank(body, end); p < end; p = skip_blank(p, end)) {
		size_t length = word_length(p, end);

		if (end - p >= 2 && p[0] == '#' && p[1] == '#') {
			glued = true;
			p += 2;
			continue;
		}
		if (!glued || n == CHAIN_MAX) {
			if (n > 1 && makes(s, chain, n))
				return true;
			n = 0;
		}
		glued = false;
		if (!length) {
			n = 0;
			p++;
			continue;
		}
		chain[n] = (struct word){p, length, false};
		for (const char *q = parameters; q < body; q++) {
			size_t m = word_length(q, body);

			chain[n].any |= m == length && !memcmp(p, q, m);
			q += m ? m - 1 : 0;
		}
		chain[n].any |= length == 11 && !memcmp(p, "__VA_ARGS__", 11);
		n++;
		p += length;
	}
	return n > 1 && makes(s, chain, n);
}

bool glue_makes(const struct names *s, const char *text, const char *end)
{
	for (const char *p = text; s->n && p < end; p++) {
		const char *parameters, *body, *stop;

		if (*p != '#' || (p > text && p[-1] == '#'))
			continue;
		p += 1 + strspn(p + 1, " \t");
		if (strncmp(p, "define", 6))
			continue;
		p = skip_blank(p + 6, end);
		parameters = body = p + word_length(p, end);
		if (body < end && *body == '(')
			while (body < end && *body++ != ')')
				;
		for (stop = body; stop < end && *stop != '\n'; stop++)
			stop += *stop == '\\' && stop + 1 < end;
		if (memmem(body, (size_t)(stop - body), "##", 2) && body_makes(s, parameters, body, stop))
			return true;
		p = stop;
	}
	return false;
}
