// SPDX-License-Identifier: Apache-2.0
/*
 * arch/x86/kernel/cpu/Makefile makes a table of the comments in asm/cpufeatures.h, lib/Makefile one of the numbers in
 * linux/oid_registry.h; genheaders, a program that runs in the build, makes constants of SELinux's include/classmap.h.
 * What they read are lists: macros, constants, elements of an array. Prototypes and functions of the same header are
 * nothing to them.
 */
#include "patch_scripts.h"

#include <ctype.h>
#include <fnmatch.h>
#include <newleaf/types.h>
#include <string.h>

static const char *base_of(const char *path) { return strrchr(path, '/') ? strrchr(path, '/') + 1 : path; }

/* `#define X`, the next line of such, `X_Y = 3,`, `{ "x", ...`, `"x",` */
static bool is_listed(const struct diff_line *l)
{
	char *line = xformat("%.*s", (int)l->length, l->text), *p = line + strspn(line, " \t");
	size_t n = strlen(p);

	while (n && isspace((unsigned char)p[n - 1]))
		p[--n] = 0;
	if (!n || l->kind == ' ')
		return false;
	if (*p == '{')
		p += 1 + strspn(p + 1, " \t{");
	if (*p == '#')
		return starts_with(p + 1 + strspn(p + 1, " \t"), "define") || starts_with(p, "#undef");
	return *p == '"' || isupper((unsigned char)*p) || (n && line[strlen(line) - 1] == '\\');
}

/* Lines of lists that the patch takes away (a line that changes goes and comes), and that it only brings. */
static void listed(const struct diff_file *f, bool *gone, bool *come)
{
	*gone = *come = false;
	for (size_t h = 0; h < f->n_hunks; h++)
		for (size_t i = 0; i < f->hunk[h].n_lines; i++) {
			const struct diff_line *l = &f->hunk[h].line[i];

			*gone |= l->kind == '-' && is_listed(l);
			*come |= l->kind == '+' && is_listed(l);
		}
}

/* "a/b/../c" -> "a/c" */
static char *straight(char *path)
{
	for (char *up; (up = strstr(path, "/../"));) {
		char *before = up;

		while (before > path && before[-1] != '/')
			before--;
		memmove(before, up + 4, strlen(up + 4) + 1);
	}
	return path;
}

/* Is a word of a makefile the file, in whatever way it may be written there? */
static bool means(const char *directory, char *word, const char *path)
{
	static const char *const prefix[] = {"$(srctree)/$(src)/", "$(srctree)/$(obj)/", "$(src)/", "$(srctree)/"};
	char *here = xformat("%s", word);

	for (size_t i = 0; i < NL_ARRAY_SIZE(prefix); i++) {
		if (!starts_with(word, prefix[i]))
			continue;
		word += strlen(prefix[i]);
		here = i == 3 ? word : xformat("%s%s%s", directory, *directory ? "/" : "", word);
		break;
	}
	return !fnmatch(straight(here), path, FNM_PATHNAME) ||
	       (!strchr(word, '/') && !strcmp(xformat("%s/%s", directory, word), path));
}

/* Tests of headers leave nothing in the kernel; -include is the compiler's. */
static bool names_header(const char *text, const char *directory, const char *path)
{
	for (; *text; text += strcspn(text, "\n") + (text[strcspn(text, "\n")] == '\n')) {
		char *line = xformat("%.*s", (int)strcspn(text, "\n"), text), *left, *last = line;

		if (*line == '#' || !strstr(line, ".h"))
			continue;
		left = xformat("%.*s", (int)strcspn(line, ":"), line);
		if (strstr(left, ".log") || strstr(left, ".hdrtest") || strstr(left, "clean-files"))
			continue;
		for (char *word = strtok(line, " \t:=,"); word; last = word, word = strtok(NULL, " \t:=,"))
			if (ends_with(word, ".h") && strcmp(last, "-include") && means(directory, word, path))
				return true;
	}
	return false;
}

/* Which makefile that the build reads names the header? */
static const char *maker(const struct sources *all, const char *path)
{
	static const char *const more[] = {"", "arch/x86", "arch/x86/entry/syscalls"}; /* no sources are there */
	size_t n;
	char **directory = sources_directories(all, &n);

	for (size_t i = 0; i < n; i++)
		if (names_header(kbuild_makefile(all->k, directory[i]), directory[i], path))
			return xformat("the makefile of %s", directory[i]);
	for (size_t i = 0; i < NL_ARRAY_SIZE(more); i++)
		if (names_header(kbuild_makefile(all->k, more[i]), more[i], path))
			return xformat("the makefile of %s", *more[i] ? more[i] : "the whole");
	return NULL;
}

/* Does the makefile beside it say that it runs in the build? */
static bool is_program(const struct sources *all, const char *path)
{
	const char *base = base_of(path);
	char *directory = xformat("%.*s", base > path ? (int)(base - path - 1) : 0, path);
	char *stem = xformat("%.*s", (int)strcspn(base, "."), base);

	for (const char *p = kbuild_makefile(all->k, directory); (p = strstr(p, "hostprogs")); p += 9) {
		char *line = xformat("%.*s", (int)strcspn(p, "\n"), p);

		for (char *word = strtok(line, " \t:=+"); word; word = strtok(NULL, " \t:=+"))
			if (!strcmp(word, stem))
				return true;
	}
	return false;
}

/* <linux/types.h> is the building machine's there, where userspace has one of that name. */
static bool is_machines(const struct sources *all, const char *path)
{
	return starts_with(path, "include/uapi/") ||
	       (starts_with(path, "include/") &&
	        file_exists(xformat("%s/include/uapi/%s", all->t->source, path + strlen("include/"))));
}

/* A program of the build that reads it; what makes the names of modules is no part of the image. */
static const char *program(const struct sources *all, const char *path)
{
	const struct sources *const where[] = {sources_scripts(all), all};

	for (size_t w = 0; w < 2 && !is_machines(all, path); w++)
		for (size_t i = 0; i < where[w]->n_entries; i++) {
			const struct source_entry *e = &where[w]->entry[i];
			const char *from = where[w]->s[e->from].path, *name = e->name;

			while (starts_with(name, "../"))
				name += 3;
			if (strcmp(e->base, base_of(path)) || !ends_with(path, xformat("/%s", name)) ||
			    !ends_with(from, ".c") || starts_with(from, "scripts/mod/"))
				continue;
			if (!w || is_program(all, from))
				return xformat("%s, which runs in the build,", from);
		}
	return NULL;
}

char *scripts_check(const struct sources *all, const struct diff_file *f)
{
	const char *by;
	bool gone, come;

	listed(f, &gone, &come);
	if (!gone && !come)
		return NULL;
	by = maker(all, f->path);
	by = by ? by : program(all, f->path);
	if (!by)
		return NULL;
	/* a feature of the CPU that nobody knew has no name in the table: it is not shown */
	if (!gone && (ends_with(f->path, "/cpufeatures.h") || ends_with(f->path, "/vmxfeatures.h")))
		return xformat("%s: the names in /proc/cpuinfo, which %s makes of it, stay as they are", f->path, by);
	refuse(NL_EUNSUPPORTED,
	       "%s: %s makes code of the kernel of the lists in it, and a leaf is made of units and their headers "
	       "alone",
	       f->path, by);
}
