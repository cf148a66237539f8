// SPDX-License-Identifier: Apache-2.0
/* From a diff to a leaf: which units, compiled before, after and as bodies; what changed; the draft. */
#include "patch_build.h"
#include "compile.h"
#include "fetch.h"
#include "patch_alike.h"
#include "patch_compile.h"
#include "patch_cves.h"
#include "patch_diff.h"
#include "patch_exports.h"
#include "patch_files.h"
#include "patch_given.h"
#include "patch_global.h"
#include "patch_include.h"
#include "patch_kbuild.h"
#include "patch_layout.h"
#include "patch_leaf.h"
#include "patch_live.h"
#include "patch_modules.h"
#include "patch_renamed.h"
#include "patch_report.h"
#include "patch_setup.h"
#include "patch_state.h"
#include "patch_threads.h"
#include "patch_units.h"

#include <stdlib.h>
#include <string.h>

bool patch_is(const struct buf *text)
{
	const char *p = (const char *)text->p, *end = p + text->n;

	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p)), *next = nl ? nl + 1 : end;

		if ((size_t)(end - p) > 11 && !memcmp(p, "diff --git ", 11))
			return true;
		if ((size_t)(end - p) > 4 && !memcmp(p, "--- ", 4) && (size_t)(end - next) > 4 &&
		    !memcmp(next, "+++ ", 4))
			return true;
		p = next;
	}
	return false;
}

/* Units that are compiled for the numbers in them, which the build writes into a header for assembler and others. */
static bool makes_offsets(const char *path) { return strstr(path, "-offsets") || !strcmp(path, "kernel/bounds.c"); }

static char *check_layout(struct patch_unit *p, const struct build_with *o)
{
	char *layout = layout_change(p->types_before, p->types_after, &p->types);

	if (layout && !o->allow_layout)
		refuse(NL_ESITE,
		       "%s: the patch changes the layout of %s; the running kernel has such in its memory. If none of "
		       "them outlives a call, say: --allow layout",
		       p->path, layout);
	return layout;
}

/* What functions behind pointers take and return may change only where all of them do: of the image, and of the modules
 * that the patch concerns. */
static char *check_pointees(const struct kernel *k, const struct patch_unit *units, size_t n_units,
                            const struct layout *types, size_t n, const struct build_with *o)
{
	const char *stays = layout_pointees(types, n, k->btf, &k->syms);

	for (size_t i = 0; i < n_units && !stays; i++)
		if (units[i].k->module)
			stays = layout_pointees(types, n, units[i].k->btf, &units[i].k->syms);
	if (stays && !o->allow_layout)
		refuse(NL_ESITE,
		       "the patch changes what functions behind a pointer take or return; the running kernel's memory "
		       "may "
		       "point to %s, which stays as it is. If that is never called so, say: --allow layout",
		       stays);
	return stays ? xformat("what is behind a pointer, as %s", stays) : NULL;
}

/* What is the same structure under another name has to be laid out as before, too. */
static char *check_renamed(const struct kernel *k, const struct diff *d, const struct layout *types, size_t n,
                           const struct build_with *o)
{
	size_t n_taken;
	char **taken = renamed_taken(d, &n_taken), *how = renamed_change(types, n, k->btf, taken, n_taken);

	if (how && !o->allow_layout)
		refuse(NL_ESITE,
		       "%s; the running kernel may have objects of the first in its memory. If none of them outlives a "
		       "call, or the new code meets none, say: --allow layout",
		       how);
	free(taken);
	return how;
}

/* What a header brings to half of the kernel is mostly a layout, and then that is the reason. */
static void refuse_many(const struct patch_files *files, const struct diff *d, struct patch_unit *units, size_t n,
                        const struct build_with *o)
{
	const char *header = "";

	for (size_t i = 0; i < n; i++)
		check_layout(&units[i], o);
	for (size_t i = d->n_files; i-- > 0;)
		if (!strcmp(d->file[i].path + strlen(d->file[i].path) - 2, ".h"))
			header = d->file[i].path;
	refuse(NL_EUNSUPPORTED,
	       "up to %zu units use what the patch changes in headers (%s), each with a copy of it; a leaf takes at "
	       "most %u",
	       files->n_reached, header, INCLUDE_UNITS_MAX);
}

/* What objects that live already would lack. */
static void check_live(const struct patch_unit *p, const char *object, char **structure, size_t n,
                       const struct build_with *o)
{
	struct buf dump = file_read(xformat("%s.gimple", object), 256u << 20);
	char *found;

	buf_add(&dump, "", 1);
	found = live_member((char *)dump.p, structure, n);
	if (found && !o->allow_objects)
		refuse(NL_ESITE,
		       "%s: %s; objects that live already have none. If the new code stands that, say: --allow "
		       "objects",
		       p->path, found);
	free(dump.p);
}

/* Everything about one unit up to the point where it is known what it brings. False: nothing that a leaf changes. */
static bool examine(struct patch_unit *p, const struct tree *t, const struct build_with *o, struct unit_command *c,
                    size_t index)
{
	char *before = xformat("%s/before-%zu.o", t->work, index), *after = xformat("%s/after-%zu.o", t->work, index);

	p->allow_unproven = o->allow_unproven;
	p->allow_state = o->allow_state;
	p->c = unit_compare(unit_read(before), unit_read(after));
	if (!p->proof) {
		char *how = unit_difference(p->c);

		if (how && !o->allow_modules)
			refuse(NL_EUNSUPPORTED,
			       "%s, a part of the module %s, changes with the patch's headers (%s), and the module is "
			       "not among those given by -M. Give it, or if it may stay as it is, say: --allow modules",
			       p->path, c->module, how);
		if (how)
			patch_note(p, xformat("%s: module %s stays as it is", p->path, c->module));
		p->stays = how != NULL;
		return false;
	}
	if (p->offsets) {
		char *how = unit_difference(p->c);

		if (how)
			refuse(NL_EUNSUPPORTED, "%s: the patch changes a number that assembler is told (%s)", p->path,
			       how);
		return false;
	}
	p->layout = check_layout(p, o);
	patch_changes(p);
	return true;
}

static bool is_changed(const struct patch_unit *p)
{
	for (uint32_t i = 1; i < p->c->after->n_symbols; i++) /* another unit of the patch may use it */
		if (p->c->fate[i] == FATE_NEW && p->c->after->symbol[i].binding != STB_LOCAL)
			return true;
	return p->n_functions || p->n_data;
}

static void note_same(const struct patch_unit *p, struct patch_files *files)
{
	if (!p->stays)
		patch_files_note(files, xformat("%s: the compiler makes the same of it", p->path));
	for (size_t i = 0; i < p->n_notes; i++)
		patch_files_note(files, xformat("%s: %s", p->path, p->notes[i]));
}

/* What a unit has read, after the patch, must be the patched files, by whatever way its #includes led there; and that
 * it reads them must be known from the sources' text, or others that do so are not known either. */
static void check_reads(const struct tree *t, const struct diff *d, const struct sources *all, const char *unit,
                        const char *object)
{
	const struct source *known = sources_find(all, unit);
	struct buf b = file_read(xformat("%s.d", object), 4u << 20);
	char *text = xformat("%.*s", (int)b.n, (char *)b.p), *overlay = realpath(t->overlay, NULL);

	for (char *word = strtok(text, " \\\n"); word; word = strtok(NULL, " \\\n")) {
		char *real = *word == '/' ? realpath(word, NULL) : NULL;

		for (size_t i = 0; real && i < d->n_files; i++)
			if (!strcmp(real, xformat("%s/%s", t->source, d->file[i].path)))
				refuse(NL_EUNSUPPORTED, "%s includes %s by a path that leads around the patch", unit,
				       d->file[i].path);
		for (size_t i = 0; real && i < d->n_files && !(known && known->reached); i++)
			if (ends_with(real, ".h") && !strcmp(real, xformat("%s/%s", overlay, d->file[i].path)))
				refuse(NL_EUNSUPPORTED,
				       "%s reads %s in a way that its #includes do not tell, and so may others", unit,
				       d->file[i].path);
		free(real);
	}
}

/* A unit of which nothing is needed after all. */
static size_t drop_unused(struct patch_unit *units, size_t n, struct patch_files *files)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (units[i].n_list) {
			units[kept++] = units[i];
			continue;
		}
		patch_files_note(files, xformat("%s: nothing that runs uses what the patch adds", units[i].path));
		for (size_t j = 0; j < units[i].n_notes; j++)
			patch_files_note(files, xformat("%s: %s", units[i].path, units[i].notes[j]));
	}
	return kept;
}

enum made { MADE, MADE_NOT, MADE_IN_ANOTHER };

/* A source that others include need not compile alone; they are among the units, too. */
static enum made make_unit(const struct tree *t, struct patch_files *files, const char *unit, struct unit_command *c)
{
	const char *whole = sources_whole(files->sources, unit), *spelled;

	if (unit_build(t, unit, xformat("%s/part.log", t->work), c))
		return MADE;
	if (!whole) {
		spelled = units_spelled(t, unit);
		return unit_build(t, spelled ? spelled : unit, NULL, c) ? MADE : MADE_NOT;
	}
	patch_files_note(files, xformat("%s: compiled as a part of %s", unit, whole));
	return MADE_IN_ANOTHER;
}

/* Where the unit is, and whether it is the same there. False: nowhere in this kernel. A directory that a makefile
 * elsewhere names has rules of its own, by which make compiles its units for nobody. */
static bool find_unit(struct patch_unit *p, const struct kernel *k, const struct tree *t, struct unit_command *c,
                      bool beside)
{
	const char *spelled = NULL;

	for (bool again = true; again; again = spelled) {
		p->k = unit_kernel(k, c, beside);
		p->shipped = unit_read(c->object);
		p->proof = p->k ? prove(p->k, p->shipped) : NULL;
		p->offsets = p->proof && !proof_is_linked(p->proof) && makes_offsets(p->path);
		if (!p->proof || p->offsets || proof_is_linked(p->proof))
			return true;
		spelled = spelled || c->module ? NULL : units_spelled(t, p->path);
		if (spelled && !unit_build(t, spelled, NULL, c))
			refuse(NL_ECOMPILE, "%s is not made by the kernel's makefiles as %s", p->path, spelled);
	}
	return false;
}

/* The source has the fix. Has the image? Every function of the units must be what this source makes. */
static _Noreturn void already(const char *path, const struct kernel *k, struct patch_files *files, const struct tree *t,
                              struct kbuild *makefiles)
{
	size_t functions = 0;

	for (size_t i = 0; i < files->n_units; i++) {
		struct unit_command c;
		struct proof *p;
		enum made made;

		if (!kbuild_may_build(makefiles, files->unit[i]))
			continue;
		made = make_unit(t, files, files->unit[i], &c);
		if (made == MADE_IN_ANOTHER)
			continue;
		if (made == MADE_NOT)
			refuse(NL_EUNSUPPORTED,
			       "the source has what %s does already; whether %s of the running kernel has it is not "
			       "known",
			       path, files->unit[i]);
		if (!unit_kernel(k, &c, true))
			unit_refuse_module(k, &c);
		p = prove(unit_kernel(k, &c, true), unit_read(c.object));
		for (size_t j = 0; j < p->n_functions; j++)
			if (p->function[j].why && !p->function[j].discarded)
				refuse(NL_ETARGET,
				       "the source has what %s does already, but %s of %s is not of this source (%s)",
				       path, p->function[j].symbol->name, unit_kernel_text(p->k), p->function[j].why);
		functions += p->n_functions;
	}
	if (!functions)
		refuse(NL_ETARGET, "the source has what %s does already; what of it is in the image is not known",
		       path);
	refuse(NL_FIXED, "%s is in the source of %s already, and all %zu functions of its units are the image's", path,
	       k->release, functions);
}

/* The third compilation of each unit, and what of it is needed. */
static size_t make_bodies(struct patch_unit *units, struct unit_command **command, size_t n, const struct tree *t,
                          struct patch_files *files)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		struct patch_unit *p = &units[i];
		const char *slash = strrchr(p->path, '/');
		char *body = xformat("%s/%zu-%s.o", t->work, i, slash ? slash + 1 : p->path);

		if (p->alike) {
			patch_files_note(
			        files, xformat("%s: the compiler makes the same of it where all is inlined", p->path));
			continue;
		}
		if (!unit_compile(t, command[i], UNIT_BODY, body, true)) {
			command[i]->prelude_failed = true;
			patch_note(p, xformat("compiled without the prelude, with which it does not compile"));
			unit_compile(t, command[i], UNIT_BODY, body, false);
		}
		p->body = unit_read(body);
		patch_select(p);
		units[kept++] = *p;
	}
	return kept;
}

static struct diff *parsed(const char *path, const struct buf *text, const struct build_with *o)
{
	struct diff *d = diff_parse(path, text);

	cves_given(d, o->cve, o->n_cves);
	return d;
}

struct built patch_build(const char *path, const struct buf *text, const struct kernel *k, const struct build_with *o)
{
	struct diff *d = parsed(path, text, o);
	struct recipe *r = leaf_recipe(d, o, path);
	struct patch_files files = patch_files(d);
	struct unit_command *commands, **command;
	struct patch_unit *units;
	struct layout *types;
	struct kbuild *makefiles;
	char *before, *layout, *renamed, **structures;
	size_t n = 0, n_image = 0, n_commands = 0, n_types = 0, n_structures;
	const char *source = o->source;
	struct built built = {.id = r->id};
	struct tree t;

	refuse_context(r->id, o->dry_run ? "planned" : "built", o->json);
	if (!source && !(source = fetch_part(k, "source")))
		refuse(NL_EENVIRONMENT,
		       "a patch needs the source of exactly this kernel, and it cannot be fetched: give -S");
	t = tree_make(compile_directory(), source, compile_headers(k, o->headers), toolchain_find(k, o->cc));
	makefiles = kbuild_open(&t);
	compile_prelude(xformat("%s/newleaf-prelude.h", t.work));
	patch_files_sources(&files, d, &t, makefiles);
	if (patch_files_are_in(d, &t))
		already(path, k, &files, &t, makefiles);
	patch_files_check(&files, d, &t);
	commands = xalloc(files.n_units * sizeof(*commands));
	units = xalloc(files.n_units * sizeof(*units));
	types = xalloc(files.n_units * sizeof(*types));
	command = xalloc(files.n_units * sizeof(*command));
	for (size_t i = 0; i < files.n_units; i++) {
		struct patch_unit *p = &units[n_commands];
		struct unit_command *c = &commands[n_commands];
		enum made made;

		if (!kbuild_may_build(makefiles, files.unit[i])) {
			patch_files_note(&files, xformat("%s: not built by this configuration", files.unit[i]));
			continue;
		}
		if (patch_files_impossible(files.unit[i]))
			refuse(NL_EUNSUPPORTED,
			       "%s may use what the patch changes in headers, and a leaf cannot change %s",
			       files.unit[i], patch_files_impossible(files.unit[i]));
		made = make_unit(&t, &files, files.unit[i], c);
		if (made == MADE_IN_ANOTHER)
			continue;
		if (made == MADE_NOT)
			refuse(NL_ECOMPILE,
			       "%s is not made by the kernel's makefiles, and whether this kernel has it is not known",
			       files.unit[i]);
		p->path = files.unit[i];
		/* a module that may stay as it is does so, unless it was given */
		if (!find_unit(p, k, &t, c, i < files.n_named || !o->allow_modules)) {
			/* single units are built on demand, whether the configuration has them or not */
			patch_files_note(
			        &files, xformat("%s: not in %s of this kernel", files.unit[i], unit_kernel_text(p->k)));
			continue;
		}
		if (!p->k && i < files.n_named)
			unit_refuse_module(k, c);
		before = xformat("%s/before-%zu.o", t.work, n_commands++);
		unit_compile(&t, c, UNIT_APART, before, false);
		p->types_before = unit_types(&t, c, before);
	}
	patch_files_apply(&files, d, &t);
	structures = live_structures(d, &n_structures);
	for (size_t i = 0; i < n_commands; i++) {
		char *after = xformat("%s/after-%zu.o", t.work, i);

		unit_compile(&t, &commands[i], n_structures ? UNIT_NOTED : UNIT_APART, after, false);
		check_reads(&t, d, files.sources, units[i].path, after);
		units[i].types_after = unit_types(&t, &commands[i], after);
	}
	if (files.n_reached)
		refuse_many(&files, d, units, n_commands, o);
	for (size_t i = 0; i < n_commands; i++) {
		struct patch_unit p = units[i];
		bool of_image = examine(&p, &t, o, &commands[i], i);

		if (p.types.before)
			types[n_types++] = p.types;
		if (!of_image) {
			note_same(&p, &files);
			continue;
		}
		command[n_image] = &commands[i];
		units[n_image++] = p;
	}
	state_check(units, n_image);
	global_check(units, n_image);
	exports_check(units, n_image, o->allow_modules);
	given_check(units, n_image, o->allow_objects);
	threads_check(units, n_image, o->allow_objects);
	for (size_t i = 0; i < n_image; i++) {
		if (!is_changed(&units[i])) {
			note_same(&units[i], &files);
			continue;
		}
		if (n_structures)
			check_live(&units[i], xformat("%s/after-%zu.o", t.work, (size_t)(command[i] - commands)),
			           structures, n_structures, o);
		setup_note(&units[i]);
		command[n] = command[i];
		units[n++] = units[i];
	}
	layout = check_pointees(k, units, n, types, n_types, o);
	renamed = check_renamed(k, d, types, n_types, o);
	if (renamed)
		layout = layout ? xformat("%s; %s", layout, renamed) : renamed;
	if (n && layout && !units->layout)
		units->layout = layout;
	patch_alike(units, command, n, &t, d, &files);
	n = make_bodies(units, command, n, &t, &files);
	patch_join(units, n);
	n = drop_unused(units, n, &files);
	if (!n && files.stays)
		refuse(NL_EUNSUPPORTED, "%s changes nothing that a leaf can%s", path, patch_files_text(&files));
	if (!n)
		refuse(NL_NOTHING, "%s changes nothing that this kernel runs%s", path, patch_files_text(&files));
	leaf_consistency(r, units, n, o->consistency);
	built.note = t.tools.note;
	built.leaf = leaffile_parse(leaf_make(r, k, units, n, d, t.tools.note, o), r->id);
	patch_report(r, k, &files, units, n, o, t.tools.note);
	return built;
}
