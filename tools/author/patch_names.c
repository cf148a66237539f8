// SPDX-License-Identifier: Apache-2.0
/*
 * A header is a row of pieces: a #define with its continuation, or a declaration or definition up to its `;` or its
 * closing brace. A piece defines names and mentions others.
 */
#include "patch_names.h"
#include "patch_glue.h"

#include <ctype.h>
#include <newleaf/types.h>
#include <stdlib.h>
#include <string.h>

static size_t hash(const char *word, size_t n)
{
	size_t h = 5381;

	while (n--)
		h = h * 33 + (uint8_t)*word++;
	return h;
}

static char **find(const struct names *s, const char *word, size_t n)
{
	size_t at = hash(word, n) % s->room;

	while (s->slot[at] && (strncmp(s->slot[at], word, n) || s->slot[at][n]))
		at = (at + 1) % s->room;
	return &s->slot[at];
}

static bool is_keyword(const char *word, size_t n)
{
	static const char *const keywords[] = {
	        "auto",     "bool",   "break",    "case",   "char",     "const",  "continue",
	        "default",  "do",     "double",   "else",   "enum",     "extern", "float",
	        "for",      "goto",   "if",       "inline", "int",      "long",   "return",
	        "short",    "signed", "sizeof",   "static", "struct",   "switch", "typedef",
	        "typeof",   "union",  "unsigned", "void",   "volatile", "while",  "__attribute__",
	        "__inline", "asm",    "u8",       "u16",    "u32",      "u64",    "size_t",
	};

	for (size_t i = 0; i < NL_ARRAY_SIZE(keywords); i++)
		if (strlen(keywords[i]) == n && !strncmp(keywords[i], word, n))
			return true;
	return false;
}

bool names_have(const struct names *s, const char *word, size_t n) { return s->n && *find(s, word, n); }

void names_add(struct names *s, const char *word, size_t n)
{
	if (!n || names_have(s, word, n) || is_keyword(word, n))
		return;
	if (s->n == NAMES_MAX) {
		s->lost = true;
		return;
	}
	if (s->n * 2 >= s->room) {
		struct names more = {.room = s->room * 2 + 64};

		more.slot = xalloc(more.room * sizeof(*more.slot));
		for (size_t i = 0; i < s->room; i++)
			if (s->slot[i])
				*find(&more, s->slot[i], strlen(s->slot[i])) = s->slot[i];
		free(s->slot);
		s->slot = more.slot;
		s->room = more.room;
	}
	*find(s, word, n) = xformat("%.*s", (int)n, word);
	s->n++;
}

static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

static bool begins_word(const char *p) { return isalpha((unsigned char)*p) || *p == '_'; }

static size_t word_length(const char *p)
{
	size_t n = 0;

	while (isalnum((unsigned char)p[n]) || p[n] == '_')
		n++;
	return n;
}

/* Comments become blanks, and strings, too, unless they are kept. */
static void blank(char *text, bool keep_strings)
{
	for (char *p = text; *p; p++) {
		char *end = p;

		if (p[0] == '/' && p[1] == '*') {
			end = strstr(p + 2, "*/");
			end = end ? end + 2 : p + strlen(p);
		} else if (p[0] == '/' && p[1] == '/') {
			end = p + strcspn(p, "\n");
		} else if (*p == '"' || *p == '\'') {
			for (end = p + 1; *end && *end != *p && *end != '\n'; end++)
				end += *end == '\\' && end[1];
			end += *end == *p;
			if (keep_strings) {
				p = end - 1;
				continue;
			}
		}
		if (end == p)
			continue;
		for (; p < end; p++)
			*p = *p == '\n' ? '\n' : ' ';
		p--;
	}
}

void names_strip(char *text) { blank(text, false); }

struct piece {
	const char *p;    /* without strings */
	const char *said; /* with them */
	size_t n;
	uint64_t where; /* under which conditions it stands, 0 = under none */
};

static bool only_blank(const char *p, size_t n)
{
	while (n && isspace((unsigned char)*p))
		p++, n--;
	return !n;
}

/* The piece at *p, which is moved behind it. */
static struct piece next_piece(const char **p)
{
	const char *start, *q;
	int depth = 0;
	bool function = false, brackets = false;

	while (isspace((unsigned char)**p))
		++*p;
	start = q = *p;
	if (*q == '#') {
		while (*q && *q != '\n')
			q += q[0] == '\\' && q[1] ? 2 : 1;
		*p = q;
		return (struct piece){start, start, (size_t)(q - start), 0};
	}
	for (; *q; q++) {
		if (*q == '#' && (q == start || q[-1] == '\n') && !depth)
			break; /* a directive inside a declaration: both are pieces */
		if (*q == '(' || *q == '{') {
			function |= *q == '{' && !depth && brackets;
			depth++;
		} else if (*q == ')' || *q == '}') {
			depth -= depth > 0;
			/* in the kernel's style a piece ends here, whatever an #else has left open */
			depth = *q == '}' && q > start && q[-1] == '\n' ? 0 : depth;
			brackets |= *q == ')' && !depth;
		}
		if (!depth && (*q == ';' || (*q == '}' && function))) {
			q++;
			break;
		}
	}
	*p = q;
	return (struct piece){start, start, (size_t)(q - start), 0};
}

static bool is_directive(const struct piece *c, const char *what, const char **rest)
{
	const char *p = c->p + 1;

	if (!c->n || *c->p != '#')
		return false;
	while (*p == ' ' || *p == '\t')
		p++;
	if (strncmp(p, what, strlen(what)))
		return false;
	p += strlen(what);
	while (*p == ' ' || *p == '\t')
		p++;
	*rest = p;
	return true;
}

/* What a declaration declares: what stands before brackets, in an enum's braces, behind struct, before the end. */
static void declared(struct names *out, const struct piece *c)
{
	const char *end = c->p + c->n, *last = NULL;
	size_t last_n = 0;
	bool is_enum = false, tag = false, plain = false;
	int depth = 0, braces = 0;
	char before = 0;

	for (int pass = 0; pass < 2; pass++) { /* names that begin with __ before brackets are mostly attributes */
		for (const char *p = c->p; p < end; p++) {
			size_t n = begins_word(p) ? word_length(p) : 0;
			const char *behind = p + n;

			if (!n) {
				depth += (*p == '(') - (*p == ')');
				braces += (*p == '{') - (*p == '}');
				if (*p == ';' || *p == '=' || *p == '[' || *p == ',') {
					if (!depth && !braces && last)
						names_add(out, last, last_n);
				}
				before = isspace((unsigned char)*p) ? before : *p;
				if (isdigit((unsigned char)*p))
					while (isalnum((unsigned char)p[1]))
						p++;
				continue;
			}
			while (behind < end && isspace((unsigned char)*behind))
				behind++;
			if (n == 4 && !strncmp(p, "enum", 4))
				is_enum = true;
			else if (tag || (is_enum && braces == 1 && !depth && (before == '{' || before == ',')) ||
			         (depth == 1 && !braces && !memchr(c->p, '{', c->n) && isupper((unsigned char)*c->p)))
				names_add(out, p, n); /* the last: DECLARE_SOMETHING(name) */
			else if (!depth && !braces && behind < end && *behind == '(' && (strncmp(p, "__", 2) || pass)) {
				names_add(out, p, n);
				plain = true;
			}
			tag = (n == 6 && !strncmp(p, "struct", 6) && !depth && !braces &&
			       memchr(p, '{', (size_t)(end - p))) ||
			      (n == 5 && !strncmp(p, "union", 5) && !depth && !braces &&
			       memchr(p, '{', (size_t)(end - p)));
			last = depth || braces ? NULL : p;
			last_n = n;
			before = 0;
			p += n - 1;
		}
		if (plain)
			break;
	}
}

/* Calls of macros that declare something by the very name that stands in their brackets. */
static bool is_plain_call(const char *p)
{
	static const char *const plain[] = {"DECLARE_PER_CPU", "DECLARE_EARLY_PER_CPU", "DECLARE_STATIC_",
	                                    "DEFINE_STATIC_",  "DECLARE_BITMAP",        "static_assert",
	                                    "typeof"};

	for (size_t i = 0; i < NL_ARRAY_SIZE(plain); i++)
		if (!strncmp(p, plain[i], strlen(plain[i])))
			return true;
	return p[0] == '_' && p[1] == '_' && !isupper((unsigned char)p[2]); /* an attribute */
}

/* Does a piece define what its words do not tell: by the call of a macro that may write any declaration, in assembler,
 * or for all that follows? */
static bool is_opaque(const struct piece *c)
{
	size_t n = c->n && begins_word(c->p) ? word_length(c->p) : 0;
	const char *p = c->p + n, *rest;

	if (!n)
		return is_directive(c, "pragma", &rest) && !(!strncmp(rest, "once", 4) && !is_word(rest[4]));
	while (p < c->p + c->n && isspace((unsigned char)*p))
		p++;
	return p < c->p + c->n && *p == '(' && !is_plain_call(c->p);
}

static void defines(struct names *out, const struct piece *c)
{
	const char *rest;

	if (is_opaque(c))
		out->opaque = true;
	else if (is_directive(c, "define", &rest) || is_directive(c, "undef", &rest))
		names_add(out, rest, word_length(rest));
	else if (*c->p != '#')
		declared(out, c);
}

static const char *skip_between(const char *p, const char *end)
{
	while (p < end && (isspace((unsigned char)*p) || *p == '\\'))
		p++;
	return p;
}

/* Two pieces are equal when their words, their strings and the conditions around them are, whatever lies between. */
static bool equal(const struct piece *a, const struct piece *b)
{
	const char *p = a->said, *q = b->said, *pe = p + a->n, *qe = q + b->n;
	char quote = 0;

	while (a->where == b->where) {
		if (!quote) {
			p = skip_between(p, pe);
			q = skip_between(q, qe);
		}
		if (p == pe || q == qe)
			return p == pe && q == qe;
		if (*p != *q)
			return false;
		if (quote && *p == '\\' && p + 1 < pe && q + 1 < qe && p[1] == q[1])
			p++, q++;
		else if (quote ? *p == quote : *p == '"' || *p == '\'')
			quote = quote ? 0 : *p;
		p++, q++;
	}
	return false;
}

/* The conditions that are open, innermost last: each as a hash of its words and of those around it, and whether they
 * use one of `names`. */
#define CONDITIONS_MAX 64

struct conditions {
	const struct names *names;
	uint64_t hash[CONDITIONS_MAX];
	bool touched[CONDITIONS_MAX];
	size_t n;
};

static bool used(const struct names *s, const char *p, const char *end);

static uint64_t hash_words(uint64_t h, const struct piece *c)
{
	h = (h ^ 0xcbf29ce484222325) * 0x100000001b3; /* FNV-1a */
	for (size_t i = 0; i < c->n; i++)
		if (!isspace((unsigned char)c->said[i]) && c->said[i] != '\\')
			h = (h ^ (uint8_t)c->said[i]) * 0x100000001b3;
	return h ? h : 1;
}

static void follow(struct conditions *open, const struct piece *c)
{
	bool branch, touches;
	const char *rest;
	size_t at;

	if (is_directive(c, "endif", &rest)) {
		open->n -= open->n > 0;
		return;
	}
	branch = is_directive(c, "el", &rest); /* else, elif and their like: of what is open */
	if (!branch && !is_directive(c, "if", &rest))
		return;
	open->n += !branch || !open->n;
	at = open->n < CONDITIONS_MAX ? open->n - 1 : CONDITIONS_MAX - 1;
	touches = open->names && used(open->names, c->p, c->p + c->n);
	open->touched[at] = touches || (branch ? open->touched[at] : at && open->touched[at - 1]);
	open->hash[at] = hash_words(branch ? open->hash[at] : at ? open->hash[at - 1] : 0, c);
}

static size_t innermost(const struct conditions *open)
{
	return open->n < CONDITIONS_MAX ? open->n - 1 : CONDITIONS_MAX - 1;
}

static size_t cut(const char *source, struct piece **out)
{
	size_t n = 0, room = strlen(source) / 2 + 2;
	char *stripped = xformat("%s", source), *said = xformat("%s", source);
	const char *text = stripped;
	struct conditions open = {0};

	blank(stripped, false);
	blank(said, true);
	*out = xalloc(room * sizeof(**out));
	while (*text) {
		struct piece c = next_piece(&text);

		c.said = said + (c.p - stripped);
		follow(&open, &c);
		c.where = open.n ? open.hash[innermost(&open)] : 0;
		if (c.n && !only_blank(c.p, c.n) && n < room)
			(*out)[n++] = c;
		else if (!c.n && *text)
			text++;
	}
	return n;
}

static void only_in(struct names *out, const struct piece *a, size_t n, const struct piece *b, size_t m)
{
	for (size_t i = 0; i < n; i++) {
		bool found = false;

		for (size_t j = 0; j < m && !found; j++)
			found = equal(&a[i], &b[j]);
		if (!found)
			defines(out, &a[i]);
	}
}

void names_changed(struct names *out, const char *before, const char *after)
{
	struct piece *b, *a;
	size_t n = cut(before, &b), m = cut(after, &a);

	only_in(out, b, n, a, m);
	only_in(out, a, m, b, n);
	free(a);
	free(b);
}

static bool used(const struct names *s, const char *p, const char *end)
{
	if (glue_used(s, p, end))
		return true;
	while (p < end) {
		size_t n = begins_word(p) ? word_length(p) : 0;

		if (n && names_have(s, p, n))
			return true;
		if (!n && isdigit((unsigned char)*p))
			n = word_length(p);
		p += n ? n : 1;
	}
	return false;
}

bool names_used(const struct names *s, const char *text)
{
	const char *end = text + strlen(text);
	struct names own = *s, macros = {0}; /* with what its own macros glue */
	bool found;

	if (s->lost)
		return true;
	if (s->macros) {
		macros = *s->macros;
		macros.slot = xalloc(macros.room * sizeof(*macros.slot));
		memcpy(macros.slot, s->macros->slot, macros.room * sizeof(*macros.slot));
	}
	own.macros = &macros;
	glue_learn(&own, text, end);
	found = own.lost || used(&own, text, end);
	free(macros.slot);
	return found;
}

/* A prototype or an extern variable: it mentions types, and is as it was. */
static bool only_declares(const struct piece *c)
{
	return *c->p != '#' && !is_opaque(c) && !memchr(c->p, '{', c->n) && !memchr(c->p, '=', c->n) &&
	       strncmp(c->p, "typedef", 7) && (memchr(c->p, '(', c->n) || !strncmp(c->p, "extern", 6));
}

bool names_spread(struct names *s, const char *text)
{
	struct conditions open = {.names = s};
	size_t before = s->n + s->n_glue;

	while (*text && !s->lost) {
		struct piece c = next_piece(&text);

		if (!c.n && *text)
			text++;
		follow(&open, &c);
		if (c.n && !only_declares(&c) &&
		    (used(s, c.p, c.p + c.n) || (open.n && open.touched[innermost(&open)])))
			defines(s, &c);
		if (c.n && *c.p == '#')
			glue_learn(s, c.p, c.p + c.n);
	}
	return s->n + s->n_glue != before;
}
