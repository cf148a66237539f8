// SPDX-License-Identifier: Apache-2.0
/*
 * Reads `obj-$(CONFIG_X) += a.o dir/` and `name-y := b.o`. Conditions (ifdef) are taken as true, variables as unknown:
 * a unit is left out only where every line that names it hangs on an option that is not set.
 */
#define _GNU_SOURCE
#include "patch_kbuild.h"

#include <ctype.h>
#include <dirent.h>
#include <string.h>

#define DEPTH_MAX 8
#define FILES_MAX 8192

struct kbuild {
	const struct tree *t;
	char *config; /* "\nCONFIG_A=y\n..." */
	struct makefile {
		char *directory, *text; /* lines joined; NULL = there is none */
	} * file;
	size_t n_files;
};

struct kbuild *kbuild_open(const struct tree *t)
{
	struct kbuild *k = xalloc(sizeof(*k));
	struct buf b = file_read(xformat("%s/include/config/auto.conf", t->output), 16u << 20);

	k->t = t;
	k->config = xformat("\n%.*s", (int)b.n, (char *)b.p);
	k->file = xalloc(FILES_MAX * sizeof(*k->file));
	return k;
}

static const char *makefile_of(struct kbuild *k, const char *directory)
{
	static const char *const names[] = {"Kbuild", "Makefile"};
	struct makefile *f;

	for (size_t i = 0; i < k->n_files; i++)
		if (!strcmp(k->file[i].directory, directory))
			return k->file[i].text;
	if (k->n_files == FILES_MAX)
		return NULL;
	f = &k->file[k->n_files++];
	f->directory = xformat("%s", directory);
	for (size_t i = 0; i < 2; i++) { /* an architecture has both */
		char *path = xformat("%s/%s/%s", k->t->source, directory, names[i]);
		struct buf b;

		if (!file_exists(path))
			continue;
		b = file_read(path, 1u << 20);
		f->text = xformat("%s%.*s\n", f->text ? f->text : "", (int)b.n, (char *)b.p);
	}
	for (char *p = f->text; p && (p = strstr(p, "\\\n"));)
		p[0] = p[1] = ' ';
	for (char *p = f->text; p && (p = strstr(p, "$(BITS)"));) {
		memcpy(p, "64", 2);
		memmove(p + 2, p + 7, strlen(p + 7) + 1);
	}
	return f->text;
}

const char *kbuild_makefile(struct kbuild *k, const char *directory)
{
	const char *text = makefile_of(k, directory);

	return text ? text : "";
}

/* "obj-$(CONFIG_X)": is it set to build a part of the image? */
static bool is_set(const struct kbuild *k, const char *left, size_t n)
{
	const char *open = memchr(left, '$', n), *close = open ? memchr(open, ')', n - (size_t)(open - left)) : NULL;

	if (!open || !close || strncmp(open, "$(CONFIG_", 9) || close + 1 != left + n)
		return false;
	return strstr(k->config, xformat("\n%.*s=y\n", (int)(close - open - 2), open + 2));
}

/* "obj-$(CONFIG_X)" is it set? True where it is not of that form. */
static bool is_on(const struct kbuild *k, const char *left, size_t n)
{
	const char *open = memchr(left, '$', n), *close = open ? memchr(open, ')', n - (size_t)(open - left)) : NULL;
	char *key;

	if (!open || !close || strncmp(open, "$(CONFIG_", 9) || close + 1 != left + n)
		return true;
	key = xformat("\n%.*s=", (int)(close - open - 2), open + 2);
	return strstr(k->config, key);
}

static bool is_word_at(const char *line, const char *at, size_t n)
{
	return (at == line || isspace((unsigned char)at[-1]) || at[-1] == '=' || at[-1] == ':') &&
	       (!at[n] || isspace((unsigned char)at[n]));
}

static bool starts_word(const char *p, const char *word)
{
	return !strncmp(p, word, strlen(word)) && !isalnum((unsigned char)p[strlen(word)]);
}

/* Where in the conditions (ifdef) a line stands, seen from one further up. */
struct branch {
	unsigned deeper, other; /* inside of conditions that begin in between; of those whose first half had that one */
};

static void follow(struct branch *b, const char *p)
{
	bool begins = starts_word(p, "ifdef") || starts_word(p, "ifndef") || starts_word(p, "ifeq") ||
	              starts_word(p, "ifneq");
	unsigned *depth = b->other ? &b->other : &b->deeper;

	if (begins)
		++*depth;
	else if (starts_word(p, "else") && !*depth)
		b->other = 1;
	else if (starts_word(p, "endif") && *depth)
		--*depth;
}

/* Is what `name`-y holds replaced further down, whatever the conditions in between? `proc-y := a.o` and then
 * `proc-$(CONFIG_MMU) := b.o` is b.o; `proc-y := $(proc-y) b.o` is both. */
static bool is_replaced(const struct kbuild *k, const char *text, const char *name)
{
	const char *itself = xformat("%s-", name);
	struct branch at = {0};
	size_t n = strlen(name);

	for (; *text; text += strcspn(text, "\n") + (text[strcspn(text, "\n")] == '\n')) {
		const char *p = text + strspn(text, " \t");
		size_t left = strcspn(p, " \t:+=?\n"), assign = left + strspn(p + left, " \t");

		follow(&at, p);
		if (at.deeper || at.other || strncmp(p, name, n) || p[n] != '-' ||
		    (p[assign] != '=' && strncmp(p + assign, ":=", 2)) ||
		    strstr(xformat("%.*s", (int)strcspn(p + assign, "\n"), p + assign), itself))
			continue;
		if ((left == n + 2 && p[n + 1] == 'y') || (p[n + 1] == '$' && is_set(k, p, left)))
			return true;
	}
	return false;
}

/* Which of the lines that name the object are on? NONE_NAMES: the text does not name it. */
enum answer { NONE_NAMES, OFF, ON };

static enum answer named(struct kbuild *k, const char *directory, const char *word, int depth)
{
	const char *text = makefile_of(k, directory);
	enum answer a = NONE_NAMES;
	size_t n = strlen(word);

	if (depth > DEPTH_MAX)
		return ON;
	while (text && *text && a != ON) {
		char *line = xformat("%.*s", (int)strcspn(text, "\n"), text), *p = line, *dash;
		size_t left;

		text += strcspn(text, "\n") + (text[strcspn(text, "\n")] == '\n');
		while ((p = strstr(p, word)) && !is_word_at(line, p, n))
			p += n;
		if (!p)
			continue;
		left = strspn(line, " \t");
		memmove(line, line + left, strlen(line + left) + 1);
		left = strcspn(line, " \t:+=?");
		while (left < strlen(line) && line[left] == ':' && line[left + 1] != '=')
			left += 1 + strcspn(line + left + 1, " \t:+=?");
		a = a == NONE_NAMES ? OFF : a;
		dash = memchr(line, '-', left);
		if (!dash || !is_on(k, line, left)) {
			a = dash ? a : ON; /* a variable, a rule: unclear */
			continue;
		}
		dash = strstr(line, "-$(") && strstr(line, "-$(") < line + left ? strstr(line, "-$(") : line + left;
		while (dash > line && *dash != '-')
			dash--;
		if (!strncmp(line, "obj-", 4) || !strncmp(line, "lib-", 4) || strncmp(word + n - 2, ".o", 2)) {
			a = ON;
			continue;
		}
		/* a part of another object of the directory */
		if (strcmp(xformat("%.*s.o", (int)(dash - line), line), word) == 0 ||
		    is_replaced(k, text, xformat("%.*s", (int)(dash - line), line)))
			continue;
		switch (named(k, directory, xformat("%.*s.o", (int)(dash - line), line), depth + 1)) {
		case OFF:
			break;
		default:
			a = ON;
		}
	}
	return a;
}

/* drivers/s390/ stands in arch/s390/Makefile, and nowhere else: it is that architecture's. */
static bool is_anothers(struct kbuild *k, const char *directory)
{
	char *path = xformat("%s/", directory);
	DIR *all = opendir(xformat("%s/arch", k->t->source));
	bool another = false, own = named(k, "", path, 0) != NONE_NAMES;
	struct dirent *e;

	while (all && !own && (e = readdir(all))) {
		char *arch = xformat("arch/%s", e->d_name);

		if (*e->d_name == '.' || !strstr(kbuild_makefile(k, arch), path) ||
		    named(k, arch, path, 0) == NONE_NAMES)
			continue;
		own = !strcmp(e->d_name, "x86");
		another = true;
	}
	if (all)
		closedir(all);
	return another && !own;
}

bool kbuild_may_enter(struct kbuild *k, const char *directory)
{
	const char *slash = strrchr(directory, '/');
	enum answer a;
	char *parent;

	if (!slash)
		return true;
	parent = xformat("%.*s", (int)(slash - directory), directory);
	if (!kbuild_may_enter(k, parent))
		return false;
	a = named(k, parent, xformat("%s/", slash + 1), 0);
	return a != OFF && !(a == NONE_NAMES && is_anothers(k, directory));
}

/* process_32.o, where the makefile has process_$(BITS).o. */
static bool is_of_32_bits(struct kbuild *k, const char *directory, const char *object)
{
	size_t n = strlen(object) - 2;

	return n > 2 && !strncmp(object + n - 2, "32", 2) &&
	       named(k, directory, xformat("%.*s64.o", (int)n - 2, object), 0) != NONE_NAMES;
}

bool kbuild_may_build(struct kbuild *k, const char *unit)
{
	const char *slash = strrchr(unit, '/');
	char *directory, *object;
	enum answer a;

	if (!slash)
		return true;
	directory = xformat("%.*s", (int)(slash - unit), unit);
	object = xformat("%.*s.o", (int)strlen(slash + 1) - 2, slash + 1);
	a = kbuild_may_enter(k, directory) ? named(k, directory, object, 0) : OFF;
	return a != OFF && !(a == NONE_NAMES && is_of_32_bits(k, directory, object));
}
