// SPDX-License-Identifier: Apache-2.0
/* Sorts the files of a patch by their names, and puts their new content into the overlay. */
#include "patch_files.h"
#include "patch_include.h"
#include "patch_kbuild.h"
#include "patch_macros.h"
#include "patch_scripts.h"
#include "patch_strays.h"

#include <newleaf/types.h>
#include <stdlib.h>
#include <string.h>

#define INCLUDERS_MAX 16u /* sources that include a source of the patch */

/* What is no part of the kernel that runs on this machine. */
static bool ignored(const char *path)
{
	static const char *const without[] = {"Documentation/", "tools/", "samples/", "LICENSES/", "scripts/checkpatch",
	                                      "lib/tests/",     ".",      "usr/",     "rust/"};
	static const char *const text[] = {".rst", ".txt", ".yaml", ".md", "/README", ".gitignore"};

	for (size_t i = 0; i < NL_ARRAY_SIZE(without); i++)
		if (starts_with(path, without[i]))
			return true;
	for (size_t i = 0; i < NL_ARRAY_SIZE(text); i++)
		if (ends_with(path, text[i]))
			return true;
	if (starts_with(path, "arch/"))
		return !starts_with(path, "arch/x86/");
	return !strcmp(path, "MAINTAINERS") || !strcmp(path, "CREDITS") || !strcmp(path, "COPYING");
}

const char *patch_files_impossible(const char *path)
{
	static const struct {
		const char *part, *why;
	} places[] = {
	        {"/vdso/", "the vdso, which runs in processes"},
	        {"arch/x86/boot/", "code that runs before the kernel"},
	        {"arch/x86/realmode/", "code that runs before the kernel"},
	        {"drivers/firmware/efi/libstub/", "code that runs before the kernel"},
	        {"arch/x86/purgatory/", "code of kexec"},
	        {"arch/x86/entry/syscalls/", "the table of system calls"},
	        {"scripts/", "the build"},
	        {"arch/x86/tools/", "the build"},
	};
	const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;

	for (size_t i = 0; i < NL_ARRAY_SIZE(places); i++)
		if (strstr(path, places[i].part))
			return places[i].why;
	if (starts_with(base, "Kconfig"))
		return "the configuration";
	if (starts_with(base, "Makefile") || starts_with(base, "Kbuild"))
		return "how the kernel is built";
	if (ends_with(base, ".S") || ends_with(base, ".lds"))
		return "assembler";
	return ends_with(base, ".c") || ends_with(base, ".h") ? NULL : "neither C nor a header";
}

void patch_files_note(struct patch_files *f, char *text)
{
	char **more = xalloc((f->n_notes + 1) * sizeof(*more));

	if (f->n_notes)
		memcpy(more, f->note, f->n_notes * sizeof(*more));
	more[f->n_notes++] = text;
	f->note = more;
}

char *patch_files_text(const struct patch_files *f)
{
	char *all = xformat("%s", "");

	for (size_t i = 0; i < f->n_notes; i++)
		all = xformat("%s; %s", all, f->note[i]);
	return all;
}

struct patch_files patch_files(const struct diff *d)
{
	struct patch_files f = {.unit = xalloc((INCLUDE_UNITS_MAX + DIFF_FILES_MAX + INCLUDERS_MAX) * sizeof(char *))};

	for (size_t i = 0; i < d->n_spoken_of; i++)
		patch_files_note(&f, xformat("the patch names %s: say --cve %s if it mends it", d->spoken_of[i],
		                             d->spoken_of[i]));
	for (size_t i = 0; i < d->n_files; i++) {
		const struct diff_file *file = &d->file[i];
		const char *why = patch_files_impossible(file->path);

		if (ignored(file->path)) {
			patch_files_note(&f, xformat("%s: no part of this kernel", file->path));
			continue;
		}
		if (why)
			refuse(NL_EUNSUPPORTED, "%s: a leaf cannot change %s", file->path, why);
		f.macros |= macros_check(file);
		if (file->kind == DIFF_GONE || file->kind == DIFF_RENAMED)
			refuse(NL_EUNSUPPORTED, "%s: the patch removes or renames the file", file->path);
		if (file->kind == DIFF_NEW && ends_with(file->path, ".c"))
			refuse(NL_EUNSUPPORTED, "%s: the patch adds a unit", file->path);
		if (ends_with(file->path, ".c"))
			f.unit[f.n_units++] = file->path;
	}
	return f;
}

static bool wanted(const struct diff_file *file)
{
	return !ignored(file->path) && (file->kind == DIFF_CHANGED || file->kind == DIFF_NEW);
}

static struct buf fresh(const struct diff *d, const struct diff_file *file, const struct tree *t)
{
	struct buf old = file->kind == DIFF_NEW ? (struct buf){0} : tree_original(t, file->path);

	return diff_apply(d, file, &old, true);
}

static char *text_of(const struct buf *b) { return xformat("%.*s", (int)b->n, b->n ? (char *)b->p : ""); }

/* Sources that include this one, as fs/compat_binfmt_elf.c does: they hold what changes a second time, or alone. */
static void add_includers(struct patch_files *f, const char *path, size_t room)
{
	struct source **above = xalloc((f->sources->n + 1) * sizeof(*above));
	size_t n = sources_above(f->sources, path, above);

	for (size_t i = 0; i < n; i++) {
		bool known = !ends_with(above[i]->path, ".c");

		for (size_t j = 0; j < f->n_units; j++)
			known |= !strcmp(f->unit[j], above[i]->path);
		if (known || !kbuild_may_build(f->sources->k, above[i]->path))
			continue;
		if (f->n_units == room)
			refuse(NL_EUNSUPPORTED, "too many sources include %s", path);
		f->unit[f->n_units++] = above[i]->path;
	}
	free(above);
}

void patch_files_sources(struct patch_files *f, const struct diff *d, const struct tree *t, struct kbuild *k)
{
	size_t n = f->n_units;

	f->sources = sources_read(t, k);
	for (size_t i = 0; i < n; i++) {
		char *copy = stray_copy(f->sources, f->unit[i]);

		if (copy)
			patch_files_note(f, copy);
		add_includers(f, f->unit[i], n + INCLUDERS_MAX);
	}
	f->n_named = n;
	for (size_t i = 0; i < d->n_files; i++)
		if (ignored(d->file[i].path) && !starts_with(d->file[i].path, "Documentation/"))
			stray_check(f->sources, d->file[i].path);
}

void patch_files_check(struct patch_files *f, const struct diff *d, const struct tree *t)
{
	struct include_header header[DIFF_FILES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < d->n_files; i++) {
		const struct diff_file *file = &d->file[i];
		bool is_new = file->kind == DIFF_NEW;
		struct buf old = {0}, new;
		char *stays;

		if (!wanted(file))
			continue;
		fresh(d, file, t);
		if (!ends_with(file->path, ".h"))
			continue;
		stays = scripts_check(f->sources, file);
		if (stays)
			patch_files_note(f, stays);
		f->stays |= stays != NULL;
		if (!is_new)
			old = tree_original(t, file->path);
		new = diff_apply(d, file, &old, false);
		header[n++] = (struct include_header){file->path, is_new ? NULL : text_of(&old), text_of(&new)};
	}
	if (n)
		f->n_reached = include_find(f->sources, header, n, f->unit, &f->n_units);
}

bool patch_files_are_in(const struct diff *d, const struct tree *t)
{
	bool unclear = false, any = false;

	for (size_t i = 0; i < d->n_files; i++) {
		enum diff_state state;
		struct buf text;

		if (!wanted(&d->file[i]))
			continue;
		if (d->file[i].kind != DIFF_CHANGED)
			return false;
		text = tree_original(t, d->file[i].path);
		state = diff_state(&d->file[i], &text);
		if (state == DIFF_IS_NOT_IN)
			return false;
		unclear |= state == DIFF_IS_UNCLEAR;
		any = true;
	}
	if (unclear)
		refuse(NL_ETARGET,
		       "%s is in this source already by other lines than it names, and fits by others, too: which of "
		       "the two "
		       "is meant cannot be told",
		       d->path);
	return any;
}

void patch_files_restore(const struct diff *d, const struct tree *t)
{
	for (size_t i = 0; i < d->n_files; i++) {
		struct buf b;

		if (!wanted(&d->file[i]) || d->file[i].kind != DIFF_CHANGED)
			continue;
		b = tree_original(t, d->file[i].path);
		tree_write(t, d->file[i].path, &b);
	}
}

void patch_files_apply(const struct patch_files *f, const struct diff *d, const struct tree *t)
{
	if (f->macros)
		macros_write(t);
	for (size_t i = 0; i < d->n_files; i++) {
		struct buf b;

		if (!wanted(&d->file[i]))
			continue;
		b = fresh(d, &d->file[i], t);
		tree_write(t, d->file[i].path, &b);
	}
}
