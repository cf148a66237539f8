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

struct orders {
	char **home; /* by GCC's number of a symbol */
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

static void add_users(struct orders *o, size_t order, char *line)
{
	if (order >= o->n) {
		struct orders more = {.n = order * 2 + 64};

		more.home = xalloc(more.n * sizeof(*more.home));
		if (o->n)
			memcpy(more.home, o->home, o->n * sizeof(*more.home));
		*o = more;
	}
	if (!o->home[order])
		o->home[order] = xformat(" ");
	for (const char *p = line; *p; p += strcspn(p, " \n"), p += strspn(p, " \n")) {
		size_t unused, n = numbered_name(p, &unused);
		char *word;

		if (!n)
			continue;
		n = strcspn(p, "./") < n ? strcspn(p, "./") : n;
		word = xformat(" %.*s ", (int)n, p);
		if (!strstr(o->home[order], word))
			o->home[order] = xformat("%s%s", o->home[order], word + 1);
	}
}

static void settle(struct unit *u, const struct orders *o, const char *name, size_t n, size_t order)
{
	for (uint32_t i = 1; i < u->n_symbols; i++) {
		const struct unit_symbol *s = &u->symbol[i];

		if (s->type == STT_OBJECT && home_is(s->name) && !strncmp(s->name, name, n) && !s->name[n])
			u->home[i] = order < o->n ? o->home[order] : NULL;
	}
}

void homes_read(struct unit *u, const char *dump)
{
	static const char table[] = " Symbol table:", referring[] = "  Referring: ";
	struct buf b = file_read(dump, 256u << 20);
	struct orders o = {0};
	bool source = false, last = false, within = false;
	size_t order = 0;

	buf_add(&b, "", 1);
	for (char *line = (char *)b.p, *next; *line; line = next) {
		size_t len = strcspn(line, "\n"), n;

		next = line + len + (line[len] == '\n');
		if (line[len])
			line[len] = 0;
		if (len > sizeof(table) - 1 - 1 && isupper((unsigned char)*line) &&
		    !strcmp(line + len - (sizeof(table) - 1), table)) {
			source = starts_with(line, "Initial ");
			last = starts_with(line, "Final ");
			within = false;
			continue;
		}
		if (!isspace((unsigned char)*line)) {
			n = numbered_name(line, &order);
			within = n != 0;
			if (last && within && memchr(line, '.', n))
				settle(u, &o, line, n, order);
		} else if (source && within && starts_with(line, referring)) {
			add_users(&o, order, line + sizeof(referring) - 1);
		}
	}
	free(b.p);
}
