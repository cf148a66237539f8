// SPDX-License-Identifier: Apache-2.0
/*
 * Reads every #include of what the configuration may build, whatever #if stands around it, and follows them backwards
 * from the changed headers; of what is reached so, the units count that use a name which changes, or which is made of
 * one. So rather too many units are found than too few; those that the change does not reach drop out when they are
 * compared.
 */
#define _GNU_SOURCE
#include "patch_include.h"
#include "patch_kbuild.h"
#include "patch_names.h"

#include <dirent.h>
#include <limits.h>
#include <newleaf/types.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER_MAX (256u << 10) /* of a header is read: what is longer lists registers */

struct source {
	char *path;     /* below the tree */
	char *includes; /* their names, a line each */
	bool reached;
};

struct sources {
	const struct tree *t;
	struct kbuild *k;
	struct source *s;
	size_t n, room;
};

static char *includes_of(const char *path, bool header)
{
	FILE *f = fopen(path, "re");
	size_t room = 0, read = 0;
	struct buf found = {0};
	char *line = NULL;
	ssize_t n;

	while (f && (n = getline(&line, &room, f)) > 0 && (!header || read < HEADER_MAX)) {
		const char *p = line + strspn(line, " \t"), *end;

		read += (size_t)n;
		if (*p != '#')
			continue;
		p += 1 + strspn(p + 1, " \t");
		if (strncmp(p, "include", 7))
			continue;
		p += 7 + strspn(p + 7, " \t");
		end = *p == '<' ? strchr(p, '>') : *p == '"' ? strchr(p + 1, '"') : NULL;
		if (!end) { /* a macro: whatever it is, it stands for every header of that directory's kind */
			continue;
		}
		buf_add(&found, p + 1, (size_t)(end - p - 1));
		buf_add(&found, "\n", 1);
	}
	free(line);
	if (f)
		fclose(f);
	buf_add(&found, "", 1);
	return (char *)found.p;
}

static void add(struct sources *all, const char *path, bool header)
{
	if (all->n == all->room) {
		struct source *more = xalloc((all->room = all->room * 2 + 4096) * sizeof(*more));

		if (all->n)
			memcpy(more, all->s, all->n * sizeof(*more));
		free(all->s);
		all->s = more;
	}
	all->s[all->n++] = (struct source){xformat("%s", path),
	                                   includes_of(xformat("%s/%s", all->t->source, path), header), false};
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
	                                  "debian"};

	for (size_t i = 0; i < NL_ARRAY_SIZE(out); i++)
		if (!strcmp(path, out[i]))
			return true;
	return !strncmp(path, "arch/", 5) && strncmp(path, "arch/x86", 8) && strcmp(path, "arch");
}

static void walk(struct sources *all, const char *directory)
{
	DIR *d = opendir(xformat("%s/%s", all->t->source, directory));
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char *path = *directory ? xformat("%s/%s", directory, e->d_name) : xformat("%s", e->d_name);

		if (*e->d_name == '.' || left_out(path))
			continue;
		if (e->d_type == DT_DIR) {
			if (!strncmp(path, "include", 7) || strstr(path, "/include") || kbuild_may_enter(all->k, path))
				walk(all, path);
		} else if (e->d_type == DT_REG && *directory &&
		           (ends_with(path, ".h") || ends_with(path, ".c") || ends_with(path, ".S"))) {
			add(all, path, ends_with(path, ".h"));
		}
	}
	if (d)
		closedir(d);
}

/* Could `name`, included by `from`, be this header? Yes unless the name is found elsewhere first. */
static bool may_mean(const struct sources *all, const char *from, const char *name, const char *header)
{
	const char *base = strrchr(name, '/') ? strrchr(name, '/') + 1 : name, *its = strrchr(header, '/');
	const char *plain = name;
	char *slash, *near;

	if (strcmp(base, its ? its + 1 : header))
		return false;
	while (!strncmp(plain, "../", 3))
		plain += 3;
	if (!ends_with(header, plain))
		return false;
	near = xformat("%s", from);
	slash = strrchr(near, '/');
	if (slash)
		slash[1] = 0;
	near = xformat("%s/%s%s", all->t->source, slash ? near : "", name);
	if (strcmp(plain, name) || file_exists(near)) { /* beside the file that includes it: exactly that one */
		char *real = realpath(near, NULL);
		bool is = real && !strcmp(real + strlen(all->t->source) + 1, header);

		if (real)
			return is;
	}
	return true;
}

/* One #include, found by the last part of its name. */
struct entry {
	const char *name, *base;
	struct source *from;
};

static int by_base(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->base, ((const struct entry *)b)->base);
}

static size_t index_includes(const struct sources *all, struct entry **out)
{
	size_t n = 0, room = 1;

	for (size_t i = 0; i < all->n; i++)
		for (const char *p = all->s[i].includes; *p; p++)
			room += *p == '\n';
	*out = xalloc(room * sizeof(**out));
	for (size_t i = 0; i < all->n; i++) {
		for (char *p = all->s[i].includes; *p;) {
			size_t length = strcspn(p, "\n");

			p[length] = 0;
			(*out)[n++] = (struct entry){p, strrchr(p, '/') ? strrchr(p, '/') + 1 : p, &all->s[i]};
			p += length + 1;
		}
	}
	qsort(*out, n, sizeof(**out), by_base);
	return n;
}

/* Marks what includes the header; new ones go to the end of work. */
static void mark(const struct sources *all, const struct entry *e, size_t n, const char *header, char **work,
                 size_t *n_work)
{
	const char *base = strrchr(header, '/') ? strrchr(header, '/') + 1 : header;
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(e[middle].base, base) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < n && !strcmp(e[low].base, base); low++) {
		if (e[low].from->reached || !may_mean(all, e[low].from->path, e[low].name, header))
			continue;
		e[low].from->reached = true;
		work[(*n_work)++] = e[low].from->path; /* a .c, too: others include it */
	}
}

static char *stripped(const struct sources *all, const char *path)
{
	struct buf b = file_read(xformat("%s/%s", all->t->source, path), 64u << 20);
	char *text = xformat("%.*s", (int)b.n, (char *)b.p);

	free(b.p);
	names_strip(text);
	return text;
}

/* From the names that changed to those that change with them, through every header on the way. */
static void spread(const struct sources *all, struct names *names)
{
	char **text = xalloc(all->n * sizeof(*text));
	bool more = true;
	size_t n = 0;

	for (size_t i = 0; i < all->n; i++)
		if (all->s[i].reached && ends_with(all->s[i].path, ".h"))
			text[n++] = stripped(all, all->s[i].path);
	while (more) {
		more = false;
		for (size_t i = 0; i < n && !names->lost; i++)
			more |= names_spread(names, text[i]);
	}
	for (size_t i = 0; i < n; i++)
		free(text[i]);
	free(text);
}

static bool uses(const struct sources *all, const struct names *names, const struct source *s)
{
	char *text;
	bool found;

	if (names->lost)
		return true;
	text = stripped(all, s->path);
	found = names_used(names, text);
	free(text);
	return found;
}

size_t include_find(const struct tree *t, const struct include_header *header, size_t n_headers, char **list, size_t *n)
{
	struct sources all = {.t = t, .k = kbuild_open(t)};
	size_t n_work = 0, found = 0, given = *n, n_entries;
	const char *assembler = NULL;
	struct names names = {0};
	struct entry *entry;
	char **work;

	if (isatty(STDERR_FILENO))
		fprintf(stderr, "looking for the units that include %s\n", header[0].path);
	walk(&all, "");
	n_entries = index_includes(&all, &entry);
	work = xalloc((all.n + n_headers) * sizeof(*work));
	for (size_t i = 0; i < n_headers; i++) {
		work[n_work++] = header[i].path;
		names_changed(&names, header[i].before, header[i].after);
	}
	for (size_t w = 0; w < n_work; w++)
		mark(&all, entry, n_entries, work[w], work, &n_work);
	spread(&all, &names);
	for (size_t i = 0; i < all.n; i++) {
		struct source *s = &all.s[i];
		bool known = false;

		if (!s->reached || ends_with(s->path, ".h") || !kbuild_may_build(all.k, s->path))
			continue;
		for (size_t j = 0; j < *n; j++)
			known |= !strcmp(list[j], s->path);
		if (known)
			continue;
		if (!uses(&all, &names, s))
			continue;
		if (ends_with(s->path, ".S")) {
			assembler = s->path;
			if (!names.lost)
				break;
			continue;
		}
		found++;
		if (*n < given + INCLUDE_UNITS_MAX)
			list[(*n)++] = s->path;
	}
	if (assembler && (!names.lost || found <= INCLUDE_UNITS_MAX))
		refuse(NL_EUNSUPPORTED, "%s, assembler, %s what the patch changes in %s, and a leaf cannot change it",
		       assembler, names.lost ? "may use" : "uses", header[0].path);
	if (found <= INCLUDE_UNITS_MAX)
		return 0;
	*n = given;
	return found;
}
