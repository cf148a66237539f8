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

static void remember(struct names *s, const char *macro, size_t n, const char *word, size_t length)
{
	for (size_t i = 0; i < s->n_glue; i++)
		if (strlen(s->glue[i].macro) == n && !memcmp(s->glue[i].macro, macro, n) &&
		    strlen(s->glue[i].word) == length && !memcmp(s->glue[i].word, word, length))
			return;
	if (s->n_glue == NAMES_GLUE_MAX) {
		s->lost = true;
		return;
	}
	if (s->n_glue == s->glue_room) { /* the old ones stay: a copy of the set may hold them */
		struct names_glue *more = xalloc((s->glue_room = s->glue_room * 2 + 16) * sizeof(*more));

		if (s->n_glue)
			memcpy(more, s->glue, s->n_glue * sizeof(*more));
		s->glue = more;
	}
	if (!s->macros)
		s->macros = xalloc(sizeof(*s->macros));
	names_add(s->macros, macro, n);
	s->glue[s->n_glue++] = (struct names_glue){xformat("%.*s", (int)n, macro), xformat("%.*s", (int)length, word)};
}

struct macro {
	struct names *s;
	const char *name;
	size_t n;
};

/* Every way in which the chain can make the name is one to remember, by the longest word that an argument gives. */
static void fit(const struct macro *m, const struct word *chain, size_t n, const char *name, struct word longest)
{
	size_t most = strlen(name);

	if (!n) {
		if (!most)
			remember(m->s, m->name, m->n, longest.p, longest.n);
		return;
	}
	if (!chain->any) {
		if (chain->n <= most && !memcmp(chain->p, name, chain->n))
			fit(m, chain + 1, n - 1, name + chain->n, longest);
		return;
	}
	for (size_t taken = 0; taken <= most; taken++)
		fit(m, chain + 1, n - 1, name + taken, taken > longest.n ? (struct word){name, taken, true} : longest);
}

static void match(const struct macro *m, const struct word *chain, size_t n)
{
	size_t known = m->s->n_glue;
	struct word own = {"", 0, false}; /* the longest that the macro writes itself: the name must hold it */
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		if (chain[i].any)
			continue;
		for (size_t j = 0; j < chain[i].n; j++)
			any |= isalnum((unsigned char)chain[i].p[j]);
		own = chain[i].n > own.n ? chain[i] : own;
	}
	for (size_t i = 0; any && i < m->s->room && !m->s->lost; i++)
		if (m->s->slot[i] && memmem(m->s->slot[i], strlen(m->s->slot[i]), own.p, own.n))
			fit(m, chain, n, m->s->slot[i], (struct word){"", 0, true});
	for (size_t i = 0; any && i < known && !m->s->lost; i++) /* it may make the word that another macro wants */
		if (memmem(m->s->glue[i].word, strlen(m->s->glue[i].word), own.p, own.n))
			fit(m, chain, n, m->s->glue[i].word, (struct word){"", 0, true});
}

/* One #define: its parameters, in brackets at its name, and what it stands for. */
static void learn_body(const struct macro *m, const char *parameters, const char *body, const char *end)
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
			if (n > 1)
				match(m, chain, n);
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
			size_t l = word_length(q, body);

			chain[n].any |= l == length && !memcmp(p, q, l);
			q += l ? l - 1 : 0;
		}
		chain[n].any |= length == 11 && !memcmp(p, "__VA_ARGS__", 11);
		n++;
		p += length;
	}
	if (n > 1)
		match(m, chain, n);
}

static bool has(const char *p, const char *end, const char *word)
{
	size_t wanted = strlen(word);

	while (p < end) {
		size_t n = word_length(p, end);

		if (n == wanted && !memcmp(p, word, n))
			return true;
		p += n ? n : 1;
	}
	return false;
}

static bool has_one_of(const struct names *s, const char *p, const char *end)
{
	while (s && p < end) {
		size_t n = word_length(p, end);

		if (n && names_have(s, p, n))
			return true;
		p += n ? n : 1;
	}
	return false;
}

/* A macro with parameters that hands them on to one of those. */
static void learn_user(const struct macro *m, const char *body, const char *end)
{
	if (!has_one_of(m->s->macros, body, end))
		return;
	for (size_t i = 0, n = m->s->n_glue; i < n; i++)
		if (has(body, end, m->s->glue[i].macro) && !has(body, end, m->s->glue[i].word))
			remember(m->s, m->name, m->n, m->s->glue[i].word, strlen(m->s->glue[i].word));
}

void glue_learn(struct names *s, const char *text, const char *end)
{
	for (const char *p = text; s->n && p < end; p++) {
		const char *parameters, *body, *stop;
		struct macro m = {.s = s};

		if (*p != '#' || (p > text && p[-1] == '#'))
			continue;
		p += 1 + strspn(p + 1, " \t");
		if (strncmp(p, "define", 6))
			continue;
		m.name = skip_blank(p + 6, end);
		m.n = word_length(m.name, end);
		parameters = body = m.name + m.n;
		if (body < end && *body == '(')
			while (body < end && *body++ != ')')
				;
		for (stop = body; stop < end && *stop != '\n'; stop++)
			stop += *stop == '\\' && stop + 1 < end;
		if (body > parameters) {
			learn_user(&m, body, stop);
			if (memmem(body, (size_t)(stop - body), "##", 2))
				learn_body(&m, parameters, body, stop);
		}
		p = stop;
	}
}

bool glue_used(const struct names *s, const char *text, const char *end)
{
	if (!has_one_of(s->macros, text, end))
		return false;
	for (size_t i = 0; i < s->n_glue; i++)
		if ((!*s->glue[i].word || has(text, end, s->glue[i].word)) && has(text, end, s->glue[i].macro))
			return true;
	return false;
}
