// SPDX-License-Identifier: Apache-2.0
/* Reads a recipe: one statement per line, `#` starts a comment. A scanner over one line; no state between lines. */
#define _GNU_SOURCE /* strerrorname_np */
#include "recipe.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ERRORS 134 /* of the ABI: asm-generic/errno.h */

struct scan {
	struct recipe *r;
	const char *p; /* what is left of the line */
	uint32_t line;
};

#define BAD(s, ...) refuse(NL_ERECIPE, "%s:%u: %s", (s)->r->path, (s)->line, xformat(__VA_ARGS__))

static void blank(struct scan *s)
{
	while (*s->p == ' ' || *s->p == '\t' || *s->p == '\r')
		s->p++;
}

static bool at_end(struct scan *s)
{
	blank(s);
	return !*s->p || *s->p == '#';
}

static bool accept(struct scan *s, const char *mark)
{
	blank(s);
	if (strncmp(s->p, mark, strlen(mark)))
		return false;
	s->p += strlen(mark);
	return true;
}

static void expect(struct scan *s, const char *mark)
{
	if (!accept(s, mark))
		BAD(s, "'%s' expected before '%s'", mark, s->p);
}

static char *run(struct scan *s, bool (*member)(int c), const char *what)
{
	const char *start;
	char *word;

	blank(s);
	start = s->p;
	while (*s->p && member((unsigned char)*s->p))
		s->p++;
	if (s->p == start)
		BAD(s, "%s expected before '%s'", what, start);
	word = xformat("%.*s", (int)(s->p - start), start);
	return word;
}

static bool in_name(int c) { return isalnum(c) || c == '_'; }
static bool in_function(int c) { return isalnum(c) || c == '_' || c == '.'; } /* clones are refused later, by name */
static bool in_path(int c) { return isalnum(c) || c == '_' || c == '.' || c == '[' || c == ']'; }
static bool in_id(int c) { return islower(c) || isdigit(c) || c == '.' || c == '_' || c == '-'; }
static bool in_word(int c) { return isalnum(c) || c == '-' || c == '_'; }
static bool in_file(int c) { return !isspace(c) && c != ':' && c != '"'; }

static uint64_t number(struct scan *s)
{
	char *end;
	uint64_t v;

	blank(s);
	errno = 0;
	v = *s->p == '-' ? (uint64_t)strtoll(s->p, &end, 0) : strtoull(s->p, &end, 0);
	if (end == s->p || errno || in_name((unsigned char)*end))
		BAD(s, "a number expected before '%s'", s->p);
	s->p = end;
	return v;
}

static struct recipe_symbol symbol(struct scan *s, bool (*member)(int c))
{
	struct recipe_symbol sym = {.name = NULL};
	size_t n;

	blank(s);
	for (n = 0; in_word((unsigned char)s->p[n]); n++)
		;
	if (n && s->p[n] == ':') { /* of a module, as it is called or as its file is */
		if (n >= NL_OBJECT_NAME_LEN)
			BAD(s, "'%.*s' is the name of no module", (int)n, s->p);
		sym.module = xformat("%.*s", (int)n, s->p);
		s->p += n + 1;
	}
	sym.name = run(s, member, "a name of the kernel");
	if (*s->p == ',') {
		s->p++;
		sym.position = (uint32_t)number(s);
		if (!sym.position)
			BAD(s, "places of a name count from 1");
	}
	return sym;
}

static int64_t addend(struct scan *s)
{
	if (*s->p == '+') {
		s->p++;
		return (int64_t)number(s);
	}
	return *s->p == '-' ? (int64_t)number(s) : 0;
}

static struct recipe_value value(struct scan *s)
{
	struct recipe_value v = {0};

	if (accept(s, "NULL"))
		return v;
	v.address = accept(s, "&");
	if (v.address) {
		v.symbol = symbol(s, in_function);
		v.symbol.addend = addend(s);
	} else {
		v.number = number(s);
	}
	return v;
}

static char *file_name(struct scan *s)
{
	char *name;

	if (!accept(s, "\""))
		return run(s, in_file, "a file name");
	name = xformat("%.*s", (int)strcspn(s->p, "\""), s->p);
	s->p += strlen(name);
	expect(s, "\"");
	return name;
}

/* The file's name becomes a line of a Kbuild file and an argument of make: `$(shell ...)` would run there, `--eval=...`
 * be an option. */
static size_t add_source(struct scan *s, const char *name)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
	struct recipe *r = s->r;
	size_t n = strlen(base);

	if (n < 3 || strcmp(base + n - 2, ".c"))
		BAD(s, "'%s' is no C source", name);
	if (!isalnum((unsigned char)*base) || strspn(base, plain) != n)
		BAD(s,
		    "'%s': the name of a source has only a-z, A-Z, 0-9, '.', '_', '-', and begins with a letter or "
		    "digit",
		    base);
	for (size_t i = 0; i < r->n_source; i++)
		if (!strcmp(r->source[i], name))
			return i;
	if (r->n_source == RECIPE_MAX)
		BAD(s, "too many sources");
	r->source[r->n_source] = xformat("%s", name);
	return r->n_source++;
}

static void statement_data(struct scan *s)
{
	static const char *const plain[] = {"u8", "u16", "u32", "u64"};
	struct recipe_data *d = &s->r->data[s->r->n_data];
	bool is_plain = false;
	char *word;

	if (s->r->n_data++ == RECIPE_MAX)
		BAD(s, "too many data statements");
	d->line = s->line;
	expect(s, "(");
	word = run(s, in_name, "a type");
	for (size_t i = 0; i < 4; i++)
		is_plain |= !strcmp(word, plain[i]);
	if (!is_plain && strcmp(word, "struct") && strcmp(word, "union"))
		BAD(s, "'%s' is no type here: struct NAME, union NAME, u8, u16, u32 or u64", word);
	d->type = is_plain ? word : xformat("%s %s", word, run(s, in_name, "the name of a type"));
	expect(s, ")");
	d->symbol = symbol(s, in_name);
	d->symbol.addend = addend(s);
	d->path = !is_plain && accept(s, ".") ? run(s, in_path, "a member") : xformat("%s", "");
	if (!is_plain && !*d->path)
		BAD(s, "which member of %s? write %s.MEMBER", d->type, d->symbol.name);
	expect(s, "=");
	d->value = value(s);
	d->has_expect = accept(s, "expect");
	if (d->has_expect)
		d->expect = value(s);
}

static struct recipe_replace *new_replace(struct scan *s, enum recipe_origin origin)
{
	struct recipe_replace *p = &s->r->replace[s->r->n_replace];

	if (s->r->n_replace++ == RECIPE_MAX)
		BAD(s, "too many functions");
	p->line = s->line;
	p->origin = origin;
	p->function = symbol(s, in_function);
	return p;
}

static bool of_source(const char *word, unsigned *allow)
{
	static const struct {
		const char *word;
		enum recipe_allow what;
	} words[] = {{"types", ALLOW_TYPES}, {"private", ALLOW_PRIVATE}, {"percpu", ALLOW_PERCPU}};

	for (size_t i = 0; i < NL_ARRAY_SIZE(words); i++) {
		if (strcmp(word, words[i].word))
			continue;
		*allow |= words[i].what;
		return true;
	}
	return false;
}

/* source: what the function's source may do; NULL = it has none. */
static void permissions(struct scan *s, struct recipe_replace *p, unsigned *source)
{
	while (accept(s, "allow")) {
		char *word = run(s, in_word, "a permission");

		if (!strcmp(word, "clones"))
			p->allow_clones = true;
		else if (!strcmp(word, "aliases"))
			p->allow_aliases = true;
		else if (p->origin == FROM_VALUE && !strcmp(word, "callers"))
			p->allow_callers = true;
		else if (source && !strcmp(word, "old"))
			p->allow_old = true;
		else if (!source || !of_source(word, source))
			BAD(s, "unknown permission '%s': clones, aliases%s", word,
			    source                    ? ", types, private, percpu or old"
			    : p->origin == FROM_VALUE ? ", callers"
			                              : "");
	}
}

/* The first digits of a hash, 16 or more, of functions that the last `replace` may replace. */
static void hashes(struct scan *s, struct recipe_replace *p)
{
	do {
		char *word = run(s, in_name, "a hash");

		if (strlen(word) < 16 || strlen(word) > 64 || strspn(word, "0123456789abcdef") != strlen(word))
			BAD(s, "'%s' is no hash: 16 to 64 digits of 0-9, a-f, as newleaf symbols --hash shows them",
			    word);
		if (p->n_old == RECIPE_OLD_MAX)
			BAD(s, "more than %u hashes", RECIPE_OLD_MAX);
		p->old[p->n_old++] = word;
		blank(s);
	} while (isxdigit((unsigned char)*s->p) && strcspn(s->p, " \t\r#") >= 16);
}

static void statement_old(struct scan *s)
{
	struct recipe *r = s->r;

	if (!r->n_replace || r->replace[r->n_replace - 1].origin != FROM_SOURCE)
		BAD(s, "'old' belongs below a 'replace'");
	hashes(s, &r->replace[r->n_replace - 1]);
}

static void statement_replace(struct scan *s)
{
	struct recipe_replace *p = new_replace(s, FROM_SOURCE);
	unsigned *allow;

	expect(s, "with");
	p->source = file_name(s);
	p->body = accept(s, ":") ? run(s, in_name, "the name of a function") : xformat("%s", p->function.name);
	allow = &s->r->allow[add_source(s, p->source)];
	if (accept(s, "old"))
		hashes(s, p);
	permissions(s, p, allow);
}

/* What the body of a function that needs no source is called; a comma is in no name of C. */
static char *made_name(const struct recipe_symbol *f) { return xformat("%s,%u", f->name, f->position); }

static void statement_transplant(struct scan *s)
{
	struct recipe_replace *p = new_replace(s, FROM_ITSELF);

	p->body = made_name(&p->function);
	permissions(s, p, NULL);
}

/* A number, or an error by its name: -EPERM. */
static int64_t returned(struct scan *s)
{
	char *name;

	blank(s);
	if (strncmp(s->p, "-E", 2))
		return (int64_t)number(s);
	s->p++;
	name = run(s, in_name, "the name of an error");
	for (int e = 1; e < ERRORS; e++)
		if (strerrorname_np(e) && !strcmp(strerrorname_np(e), name))
			return -e;
	BAD(s, "there is no error %s", name);
}

static void statement_kill(struct scan *s)
{
	struct recipe_replace *p = new_replace(s, FROM_VALUE);

	p->body = made_name(&p->function);
	p->has_value = accept(s, "=");
	if (p->has_value)
		p->value = returned(s);
	permissions(s, p, NULL);
}

static void statement_symbol(struct scan *s)
{
	struct recipe_alias *a = &s->r->alias[s->r->n_alias];

	if (s->r->n_alias++ == RECIPE_MAX)
		BAD(s, "too many symbol statements");
	a->name = run(s, in_name, "a name used by the body");
	expect(s, "=");
	a->symbol = symbol(s, in_function);
}

bool recipe_consistency(const char *word, enum nl_consistency *out)
{
	static const char *const words[] = {"switch", "strict", "mixable"};

	for (uint32_t i = 0; i < NL_ARRAY_SIZE(words); i++)
		if (!strcmp(word, words[i])) {
			*out = (enum nl_consistency)i;
			return true;
		}
	return false;
}

static void statement_consistency(struct scan *s)
{
	char *word = run(s, in_word, "switch, strict or mixable");

	if (!recipe_consistency(word, &s->r->consistency))
		BAD(s, "unknown consistency '%s': switch, strict or mixable", word);
}

static void statement_id(struct scan *s)
{
	if (s->r->id)
		BAD(s, "a second id");
	s->r->id = run(s, in_id, "an id of a-z, 0-9, '.', '_', '-'");
	if (strlen(s->r->id) >= NL_LEAF_ID_LEN || !isalnum((unsigned char)s->r->id[0]))
		BAD(s, "an id starts with a letter or digit and has at most %d characters", NL_LEAF_ID_LEN - 1);
}

static void statement_version(struct scan *s)
{
	uint64_t v = number(s);

	if (!v || v > UINT32_MAX)
		BAD(s, "versions are numbers from 1");
	s->r->version = (uint32_t)v;
}

static void statement_description(struct scan *s)
{
	expect(s, "\"");
	s->r->description = xformat("%.*s", (int)strcspn(s->p, "\""), s->p);
	for (const char *p = s->r->description; *p; p++)
		if (*p < 0x20 || *p > 0x7e) /* the hypervisor takes no other text */
			BAD(s, "a description is plain text: printable ASCII, without tabs");
	s->p += strlen(s->r->description);
	expect(s, "\"");
}

static void statement_counters(struct scan *s)
{
	uint64_t cpus = accept(s, "cpus") ? number(s) : NL_COUNTER_CPUS;

	if (!cpus || cpus > NL_COUNTER_CPUS || cpus & (cpus - 1))
		BAD(s, "rows for CPUs are a power of two up to %u", NL_COUNTER_CPUS);
	s->r->counter_cpus = (uint32_t)cpus;
}

static void statement_body(struct scan *s)
{
	size_t source = add_source(s, file_name(s));

	while (accept(s, "allow")) {
		char *word = run(s, in_word, "a permission");

		if (!of_source(word, &s->r->allow[source]))
			BAD(s, "unknown permission '%s': types, private or percpu", word);
	}
}

static struct recipe_fact *new_fact(struct scan *s, enum nl_fact_kind kind)
{
	struct recipe_fact *f = &s->r->fact[s->r->n_fact];

	if (s->r->n_fact++ == RECIPE_MAX)
		BAD(s, "too many statements about the leaf");
	f->kind = kind;
	return f;
}

/* The rest of the line, up to a comment: a blank and #. */
static char *text(struct scan *s, const char *what)
{
	const char *start;
	size_t n = 0;

	blank(s);
	for (start = s->p; *s->p && !(*s->p == '#' && (s->p == start || s->p[-1] == ' ' || s->p[-1] == '\t')); s->p++) {
		if (*s->p < 0x20 || *s->p > 0x7e) /* the hypervisor takes no other text */
			BAD(s, "%s is plain text: printable ASCII, without tabs", what);
		if (*s->p != ' ')
			n = (size_t)(s->p - start) + 1;
	}
	if (!n || n > NL_FACT_MAX_LEN)
		BAD(s, "%s has 1 to %u characters", what, NL_FACT_MAX_LEN);
	return xformat("%.*s", (int)n, start);
}

/* 9 stands for a digit; * for more of them. */
static bool looks_like(const char *text, const char *form)
{
	for (; *form && *form != '*'; form++, text++)
		if (*form == '9' ? !isdigit((unsigned char)*text) : *text != *form)
			return false;
	return text[*form ? strspn(text, "0123456789") : 0] == 0;
}

static void statement_cve(struct scan *s)
{
	do {
		char *id = run(s, in_word, "a CVE");

		if (!looks_like(id, "CVE-9999-9999*"))
			BAD(s, "'%s' is no CVE: CVE-2024-1086", id);
		new_fact(s, NL_FACT_CVE)->text = id;
	} while (!at_end(s));
}

static void statement_author(struct scan *s) { new_fact(s, NL_FACT_AUTHOR)->text = text(s, "an author"); }
static void statement_licence(struct scan *s) { new_fact(s, NL_FACT_LICENCE)->text = text(s, "a licence"); }

static void statement_source(struct scan *s)
{
	struct recipe_fact *f = new_fact(s, NL_FACT_SOURCE);

	f->text = text(s, "a source");
	if (strncmp(f->text, "https://", 8) && strncmp(f->text, "http://", 7))
		BAD(s, "'%s' is no https:// or http:// address", f->text);
}

static void statement_date(struct scan *s)
{
	struct recipe_fact *f = new_fact(s, NL_FACT_DATE);

	f->text = run(s, in_word, "a date");
	if (!looks_like(f->text, "9999-99-99"))
		BAD(s, "'%s' is no date: YYYY-MM-DD", f->text);
}

static struct recipe_fact *other(struct scan *s, enum nl_fact_kind kind)
{
	struct recipe_fact *f = new_fact(s, kind);

	f->text = run(s, in_id, "the id of a leaf");
	if (strlen(f->text) >= NL_LEAF_ID_LEN || !isalnum((unsigned char)f->text[0]))
		BAD(s, "'%s' is no id of a leaf", f->text);
	return f;
}

static void statement_confirm(struct scan *s)
{
	uint64_t v = number(s);

	if (v < 1 || v > NL_LEAF_MAX_CONFIRM_S)
		BAD(s, "seconds from 1 to %u (a day)", NL_LEAF_MAX_CONFIRM_S);
	s->r->confirm_s = (uint32_t)v;
}

static void other_version(struct scan *s, enum nl_fact_kind kind)
{
	struct recipe_fact *f = other(s, kind);
	uint64_t v = at_end(s) ? 0 : number(s);

	if (v > UINT32_MAX)
		BAD(s, "versions are numbers from 1");
	f->version = (uint32_t)v;
}

static void statement_requires(struct scan *s) { other_version(s, NL_FACT_REQUIRES); }
static void statement_supersedes(struct scan *s) { other_version(s, NL_FACT_SUPERSEDES); }
static void statement_conflicts(struct scan *s) { other(s, NL_FACT_CONFLICTS); }

static void one_line(struct scan *s)
{
	static const struct {
		const char *word;
		void (*parse)(struct scan *s);
	} statements[] = {
	        {"id", statement_id},
	        {"version", statement_version},
	        {"description", statement_description},
	        {"consistency", statement_consistency},
	        {"confirm", statement_confirm},
	        {"data", statement_data},
	        {"replace", statement_replace},
	        {"symbol", statement_symbol},
	        {"body", statement_body},
	        {"old", statement_old},
	        {"kill", statement_kill},
	        {"counters", statement_counters},
	        {"transplant", statement_transplant},
	        {"cve", statement_cve},
	        {"author", statement_author},
	        {"source", statement_source},
	        {"licence", statement_licence},
	        {"date", statement_date},
	        {"requires", statement_requires},
	        {"supersedes", statement_supersedes},
	        {"conflicts", statement_conflicts},
	};
	char *word;

	if (at_end(s))
		return;
	word = run(s, in_word, "a statement");
	for (size_t i = 0; i < NL_ARRAY_SIZE(statements); i++) {
		if (strcmp(word, statements[i].word))
			continue;
		statements[i].parse(s);
		if (!at_end(s))
			BAD(s, "not understood from '%s' on", s->p);
		return;
	}
	BAD(s, "unknown statement '%s'", word);
}

struct recipe *recipe_parse(const char *path, const char *text)
{
	struct recipe *r = xalloc(sizeof(*r));
	const char *slash = strrchr(path, '/');
	struct scan s = {.r = r};

	r->path = xformat("%s", path);
	r->directory = slash ? xformat("%.*s", (int)(slash - path), path) : xformat(".");
	while (*text) {
		size_t n = strcspn(text, "\n");
		char *line = xformat("%.*s", (int)n, text);

		s.line++;
		s.p = line;
		one_line(&s);
		text += n + (text[n] == '\n');
	}
	if (!r->id)
		refuse(NL_ERECIPE, "%s: no 'id' statement", path);
	if (!r->version)
		refuse(NL_ERECIPE, "%s: no 'version' statement", path);
	if (!r->n_data && !r->n_replace)
		refuse(NL_ERECIPE,
		       "%s: neither 'data' nor 'replace', 'kill' or 'transplant': the leaf would do nothing", path);
	if (!r->description)
		r->description = xformat("%s", "");
	return r;
}

struct recipe *recipe_read(const char *path)
{
	struct buf b = file_read(path, 1u << 20);

	if (b.n && memchr(b.p, 0, b.n))
		refuse(NL_ERECIPE, "%s: not a text file", path);
	buf_add(&b, "", 1);
	return recipe_parse(path, (const char *)b.p);
}
