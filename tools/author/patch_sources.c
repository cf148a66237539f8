// SPDX-License-Identifier: Apache-2.0
/* Reads every #include once, and finds backwards by the last part of a name who means a file. */
#define _GNU_SOURCE
#include "patch_sources.h"

#include <dirent.h>
#include <limits.h>
#include <newleaf/types.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define HEADER_MAX (256u << 10) /* of a header is read: what is longer lists registers */

/* The name that a line includes, or NULL; one that a macro gives is not known. */
static const char *included(const char *line, size_t *n)
{
	const char *p = line + strspn(line, " \t"), *end;

	if (*p != '#')
		return NULL;
	p += 1 + strspn(p + 1, " \t");
	if (strncmp(p, "include", 7))
		return NULL;
	p += strspn(p, "include_nxt");
	p += strspn(p, " \t");
	end = *p == '<' ? strchr(p, '>') : *p == '"' ? strchr(p + 1, '"') : NULL;
	*n = end ? (size_t)(end - p - 1) : 0;
	return end ? p + 1 : NULL;
}

static char *includes_of(FILE *f, bool header)
{
	size_t room = 0, read = 0, length;
	struct buf found = {0};
	char *line = NULL;
	ssize_t n;

	while (f && (n = getline(&line, &room, f)) > 0 && (!header || read < HEADER_MAX)) {
		const char *name = included(line, &length);

		read += (size_t)n;
		if (!name)
			continue;
		buf_add(&found, name, length);
		buf_add(&found, "\n", 1);
	}
	free(line);
	if (f)
		fclose(f);
	buf_add(&found, "", 1);
	return (char *)found.p;
}

static char *place(const struct sources *all, const char *path, bool made)
{
	return xformat("%s/%s", made ? all->t->output : all->t->source, path);
}

static struct source *add(struct sources *all, const char *path)
{
	if (all->n == all->room) {
		struct source *more = xalloc((all->room = all->room * 2 + 4096) * sizeof(*more));

		if (all->n)
			memcpy(more, all->s, all->n * sizeof(*more));
		free(all->s);
		all->s = more;
	}
	all->s[all->n] = (struct source){.path = xformat("%s", path)};
	return &all->s[all->n++];
}

static bool left_out(const char *path)
{
	static const char *const out[] = {"Documentation",
	                                  "tools",
	                                  "samples",
	                                  "scripts",
	                                  "LICENSES",
	                                  "rust",
	                                  "usr",
	                                  "arch/x86/boot",
	                                  "arch/x86/realmode",
	                                  "arch/x86/purgatory",
	                                  "arch/x86/um",
	                                  "arch/x86/tools",
	                                  "drivers/firmware/efi/libstub",
	                                  "debian"};

	for (size_t i = 0; i < NL_ARRAY_SIZE(out); i++)
		if (!strcmp(path, out[i]))
			return true;
	return !strncmp(path, "arch/", 5) && strncmp(path, "arch/x86", 8) && strcmp(path, "arch");
}

static void walk(struct sources *all, const char *directory, bool made)
{
	DIR *d = opendir(place(all, directory, made));
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char *path = *directory ? xformat("%s/%s", directory, e->d_name) : xformat("%s", e->d_name);

		if (*e->d_name == '.' || left_out(path))
			continue;
		if (e->d_type == DT_DIR) {
			if (!strncmp(path, "include", 7) || strstr(path, "/include") || kbuild_may_enter(all->k, path))
				walk(all, path, made);
		} else if (e->d_type == DT_REG && *directory &&
		           (ends_with(path, ".h") || ends_with(path, ".c") || ends_with(path, ".S"))) {
			struct source *s = add(all, path);

			s->made = made;
			s->includes = includes_of(fopen(place(all, path, made), "re"), ends_with(path, ".h"));
		}
	}
	if (d)
		closedir(d);
}

static int by_base(const void *a, const void *b)
{
	return strcmp(((const struct source_entry *)a)->base, ((const struct source_entry *)b)->base);
}

static const char *base_of(const char *path) { return strrchr(path, '/') ? strrchr(path, '/') + 1 : path; }

static void make_index(struct sources *all)
{
	size_t room = 1;

	for (size_t i = 0; i < all->n; i++)
		for (const char *p = all->s[i].includes; *p; p++)
			room += *p == '\n';
	free(all->entry);
	all->entry = xalloc(room * sizeof(*all->entry));
	all->n_entries = 0;
	for (size_t i = 0; i < all->n; i++) {
		for (const char *p = all->s[i].includes; *p; p += strcspn(p, "\n") + 1) {
			char *name = xformat("%.*s", (int)strcspn(p, "\n"), p);

			all->entry[all->n_entries++] = (struct source_entry){name, base_of(name), i};
		}
	}
	qsort(all->entry, all->n_entries, sizeof(*all->entry), by_base);
}

struct sources *sources_read(const struct tree *t, struct kbuild *k)
{
	struct sources *all = xalloc(sizeof(*all));

	all->t = t;
	all->k = k;
	walk(all, "", false);
	walk(all, "arch/x86/include/generated", true);
	walk(all, "include/generated", true);
	make_index(all);
	return all;
}

struct sources *sources_scripts(const struct sources *all)
{
	struct sources *scripts = xalloc(sizeof(*scripts));

	scripts->t = all->t;
	scripts->k = all->k;
	walk(scripts, "scripts", false);
	make_index(scripts);
	return scripts;
}

char **sources_directories(const struct sources *all, size_t *n)
{
	char **found = xalloc((all->n + 1) * sizeof(*found));

	*n = 0;
	for (size_t i = 0; i < all->n; i++) {
		const char *unit = all->s[i].path, *end = base_of(unit);
		size_t length = end > unit ? (size_t)(end - unit - 1) : 0;

		if (all->s[i].made || ends_with(unit, ".h") ||
		    (*n && !strncmp(unit, found[*n - 1], length) && !found[*n - 1][length]))
			continue;
		found[*n] = xformat("%.*s", (int)length, unit);
		*n += kbuild_may_enter(all->k, found[*n]);
	}
	return found;
}

const struct source *sources_find(const struct sources *all, const char *path)
{
	for (size_t i = 0; i < all->n; i++)
		if (!strcmp(all->s[i].path, path))
			return &all->s[i];
	return NULL;
}

struct source *sources_add(struct sources *all, const char *path, char *text)
{
	const struct source *known = sources_find(all, path);
	struct source *s = known ? &all->s[known - all->s] : add(all, path);
	char *more = includes_of(*text ? fmemopen(text, strlen(text), "r") : NULL, false);

	s->includes = xformat("%s%s", known ? known->includes : "", more);
	make_index(all);
	return s;
}

/* Could `name`, included by `from`, be this file? Yes unless the name is found elsewhere first. */
static bool may_mean(const struct sources *all, const char *from, const char *name, const char *path)
{
	const char *plain = name;
	char *slash, *near;

	while (!strncmp(plain, "../", 3))
		plain += 3;
	if (!ends_with(path, plain))
		return false;
	near = xformat("%s", from);
	slash = strrchr(near, '/');
	if (slash)
		slash[1] = 0;
	near = xformat("%s/%s%s", all->t->source, slash ? near : "", name);
	if (strcmp(plain, name) || file_exists(near)) { /* beside the file that includes it: exactly that one */
		char *real = realpath(near, NULL);
		bool is = real && !strcmp(real + strlen(all->t->source) + 1, path);

		if (real)
			return is;
	}
	return true;
}

/* What the compiler's own options include before the first line of every source. */
static bool always_included(const char *path)
{
	return !strcmp(path, "include/linux/compiler_types.h") || !strcmp(path, "include/linux/kconfig.h") ||
	       !strcmp(path, "include/linux/compiler-version.h");
}

static size_t first_entry(const struct sources *all, const char *base)
{
	size_t low = 0, high = all->n_entries;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(all->entry[middle].base, base) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Adds what includes the file, and is not seen yet. */
static size_t above(const struct sources *all, const char *path, bool *seen, struct source **out, size_t n)
{
	const char *base = base_of(path);

	for (size_t i = 0; always_included(path) && i < all->n; i++)
		if (!seen[i] && !ends_with(all->s[i].path, ".h")) {
			seen[i] = true;
			out[n++] = &all->s[i];
		}
	for (size_t i = first_entry(all, base); i < all->n_entries && !strcmp(all->entry[i].base, base); i++) {
		struct source *s = &all->s[all->entry[i].from];

		if (seen[s - all->s] || !may_mean(all, s->path, all->entry[i].name, path))
			continue;
		seen[s - all->s] = true;
		out[n++] = s;
	}
	return n;
}

size_t sources_above(const struct sources *all, const char *path, struct source **out)
{
	bool *seen = xalloc(all->n);
	size_t n = above(all, path, seen, out, 0);

	for (size_t i = 0; i < n; i++) /* a .c, too: others include it */
		n = above(all, out[i]->path, seen, out, n);
	free(seen);
	return n;
}

const char *sources_whole(const struct sources *all, const char *path)
{
	struct source **found = xalloc((all->n + 1) * sizeof(*found));
	size_t n = sources_above(all, path, found);
	const char *whole = NULL;

	for (size_t i = 0; i < n && !whole; i++)
		if (ends_with(found[i]->path, ".c") && strcmp(found[i]->path, path) &&
		    kbuild_may_build(all->k, found[i]->path))
			whole = found[i]->path;
	free(found);
	return whole;
}

const char *sources_naming(const struct sources *all, const char *path)
{
	const char *base = base_of(path);

	for (size_t i = first_entry(all, base); i < all->n_entries && !strcmp(all->entry[i].base, base); i++) {
		const char *name = all->entry[i].name, *from = all->s[all->entry[i].from].path;

		while (!strncmp(name, "../", 3))
			name += 3;
		if (!strcmp(name, path) || /* "../tools/lib/bpf/relo_core.h", by -I, or beside */
		    (name != all->entry[i].name && may_mean(all, from, all->entry[i].name, path)))
			return from;
	}
	return NULL;
}

char *sources_text(const struct sources *all, const struct source *s)
{
	struct buf b = file_read(place(all, s->path, s->made), 64u << 20);
	char *text = xformat("%.*s", (int)b.n, (char *)b.p);

	free(b.p);
	return text;
}
