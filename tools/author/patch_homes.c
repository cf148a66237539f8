// SPDX-License-Identifier: Apache-2.0
/*
 * Read from GCC's dump of its call graph (-fdump-ipa-cgraph). Its first tables list who speaks of each variable before
 * anything is inlined; its last one has the numbered names. An entry begins with `lock.2/10 (lock)`: 10 is one and the
 * same variable from table to table.
 */
#include "patch_homes.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define ORDERS_MAX (1u << 20)

struct order {
	char *name, *home;
	bool read;
};

struct orders {
	struct order *at; /* by GCC's number of a symbol */
	size_t n;
};

bool home_is(const char *name) { return strchr(name, '.') != NULL; }

bool home_same(const char *x, const char *y)
{
	const char *side[] = {x, y};

	if (!x || !y)
		return false;
	for (size_t i = 0; i < 2; i++)
		for (const char *p = side[i] + 1; *p; p += strcspn(p, " ") + 1)
			if (!strstr(side[!i], xformat(" %.*s ", (int)strcspn(p, " "), p)))
				return false;
	return true;
}

/* `name/12`: how long the name is; 0 = it is none. */
static size_t numbered_name(const char *p, size_t *order)
{
	size_t n = strcspn(p, "/ \n");
	unsigned long v;
	char *end;

	if (!n || p[n] != '/' || !isdigit((unsigned char)p[n + 1]))
		return 0;
	v = strtoul(p + n + 1, &end, 10);
	*order = v;
	return v < ORDERS_MAX && isspace((unsigned char)*end) ? n : 0;
}

static struct order *order_at(struct orders *o, size_t i)
{
	if (i >= o->n) {
		struct orders more = {.n = i * 2 + 64};

		more.at = xalloc(more.n * sizeof(*more.at));
		if (o->n)
			memcpy(more.at, o->at, o->n * sizeof(*more.at));
		*o = more;
	}
	return &o->at[i];
}

/* "f/1 (read) g/2 (write) ": also a read is whatever gives the address away. */
static void add_users(struct order *of, const char *line)
{
	for (const char *p = line; *p; p += strcspn(p, " "), p += strspn(p, " ")) {
		size_t unused, n = numbered_name(p, &unused);
		char *word;

		of->read |= *p == '(' && !starts_with(p, "(write)");
		if (!n)
			continue;
		n = strcspn(p, "./") < n ? strcspn(p, "./") : n;
		word = xformat(" %.*s ", (int)n, p);
		if (!of->home)
			of->home = xformat("%s", word);
		else if (!strstr(of->home, word))
			of->home = xformat("%s%s", of->home, word + 1);
	}
}

/* By their last names: what is in the object. */
static void settle(struct unit *u, const struct order *of, const char *name, size_t n)
{
	for (uint32_t i = 1; i < u->n_symbols; i++) {
		const struct unit_symbol *s = &u->symbol[i];

		if (s->type == STT_OBJECT && home_is(s->name) && !strncmp(s->name, name, n) && !s->name[n])
			u->home[i] = of->name ? xformat("%s", of->home ? of->home : " ") : NULL;
	}
}

static void read_line(struct unit *u, struct orders *o, struct order **of, bool source, bool last, const char *line)
{
	static const char referring[] = "  Referring: ";
	size_t i, n;

	if (!isspace((unsigned char)*line)) {
		n = numbered_name(line, &i);
		*of = n ? order_at(o, i) : NULL;
		if (n && last && memchr(line, '.', n))
			settle(u, *of, line, n);
		else if (n && source && !(*of)->name)
			(*of)->name = xformat("%.*s", (int)n, line);
	} else if (source && *of && starts_with(line, referring)) {
		add_users(*of, line + sizeof(referring) - 1);
	}
}

void homes_read(struct unit *u, const char *dump)
{
	struct buf b = file_read(dump, 256u << 20);
	struct orders o = {0};
	struct order *of = NULL;
	bool source = false, last = false;

	buf_add(&b, "", 1);
	for (char *line = (char *)b.p, *next; *line; line = next) {
		size_t n = strcspn(line, "\n");

		next = line + n + (line[n] == '\n');
		line[n] = 0;
		if (ends_with(line, " Symbol table:") || ends_with(line, " symbol table:")) {
			source = starts_with(line, "Initial ");
			last = starts_with(line, "Final ");
			of = NULL;
			continue;
		}
		read_line(u, &o, &of, source, last, line);
	}
	u->spoken = xalloc((o.n + 1) * sizeof(*u->spoken));
	for (size_t i = 0; i < o.n; i++)
		if (o.at[i].read)
			u->spoken[u->n_spoken++] = (struct unit_spoken){o.at[i].name, o.at[i].home};
	free(b.p);
}

bool home_reads(const struct unit *u, const char *name, const char *home)
{
	for (size_t i = 0; i < u->n_spoken; i++)
		if (unit_same_base(u->spoken[i].name, name) &&
		    (!home_is(name) || !home || home_same(u->spoken[i].home, home)))
			return true;
	return false;
}

/* What the kernel's macros (EXPORT_SYMBOL, NOKPROBE_SYMBOL, ALLOW_ERROR_INJECTION) make to list a function. */
static bool only_lists(const char *name)
{
	return starts_with(name, "__UNIQUE_ID_") || strstr(name, "addressable_") || starts_with(name, "__ksymtab") ||
	       starts_with(name, "_kbl_addr_") || starts_with(name, "_eil_addr_");
}

char *home_givers(const struct unit *u, const char *function)
{
	char *all = NULL;

	for (size_t i = 0; i < u->n_spoken; i++) {
		if (!u->spoken[i].home || strcmp(u->spoken[i].name, function))
			continue;
		for (const char *p = u->spoken[i].home + 1; *p; p += strcspn(p, " ") + 1)
			if (!only_lists(p))
				all = xformat("%s%.*s ", all ? all : " ", (int)strcspn(p, " "), p);
	}
	return all;
}
