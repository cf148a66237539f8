// SPDX-License-Identifier: Apache-2.0
/*
 * One make per unit, which then knows the unit's own flags: they stand in the .cmd file that it leaves. The other forms
 * are made by the compiler alone, with these flags changed.
 */
#include "patch_compile.h"
#include "compile.h"

#include <newleaf/types.h>
#include <stdlib.h>
#include <string.h>

#define ARGUMENTS_MAX 512

/* The words of a command as the shell would make them; ends at an unquoted ';'. Only what Kbuild writes: quotes and
 * backslashes. */
static size_t split_command(const char *p, char **argv)
{
	size_t n = 0;

	while (true) {
		struct buf word = {0};
		bool any = false;

		p += strspn(p, " \t");
		if (!*p || *p == ';' || *p == '\n')
			return n;
		for (char quote = 0; *p && (quote || !strchr(" \t\n;", *p)); p++) {
			any = true;
			if (quote ? *p == quote : *p == '\'' || *p == '"')
				quote = quote ? 0 : *p;
			else if (*p == '\\' && quote != '\'' && p[1])
				buf_add(&word, ++p, 1);
			else
				buf_add(&word, p, 1);
		}
		if (!any || n == ARGUMENTS_MAX)
			return 0;
		buf_add(&word, "", 1);
		argv[n++] = (char *)word.p;
	}
}

static char *object_of(const char *path, const char *prefix, const char *suffix)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;

	return xformat("%.*s%s%.*s%s", (int)(base - path), path, prefix, (int)strlen(base) - 2, base, suffix);
}

static void read_command(const struct tree *t, struct unit_command *c)
{
	char *file = xformat("%s/%s", t->output, object_of(c->path, ".", ".o.cmd"));
	struct buf b = file_read(file, 4u << 20);
	char *text = xformat("%.*s", (int)b.n, (char *)b.p), *at = strstr(text, ":= ");

	c->argv = xalloc((ARGUMENTS_MAX + 1) * sizeof(*c->argv));
	c->n = at ? split_command(at + 3, c->argv) : 0;
	if (c->n < 3 || strcmp(c->argv[0], t->tools.cc) ||
	    strcmp(c->argv[c->n - 1] + strlen(c->argv[c->n - 1]) - 2, ".c"))
		refuse(NL_ECOMPILE, "%s: the command that compiles it is not understood", c->path);
	for (size_t i = 0; i < c->n; i++) {
		if (!strcmp(c->argv[i], "-DMODULE"))
			c->module = xformat("%s", "a module");
		if (c->module && !strncmp(c->argv[i], "-DKBUILD_MODNAME=\"", 18))
			c->module = xformat("%.*s", (int)strcspn(c->argv[i] + 18, "\""), c->argv[i] + 18);
	}
}

bool unit_build(const struct tree *t, const char *path, bool quiet, struct unit_command *c)
{
	char *object = object_of(path, "", ".o");
	char *argv[32] = {"make",
	                  "-s",
	                  "--no-print-directory",
	                  "-f",
	                  xformat("%s/Makefile", t->overlay),
	                  "-o",
	                  "prepare",
	                  "-o",
	                  "outputmakefile",
	                  "-o",
	                  "scripts_basic",
	                  "-o",
	                  "scripts",
	                  "-o",
	                  "include/config/auto.conf",
	                  "-o",
	                  "include/config/auto.conf.cmd",
	                  object};
	size_t n;
	int status;

	n = toolchain_arguments(&t->tools, argv + 18);
	if (t->runs_itself) { /* the options above would not reach that make; so be it ourselves */
		argv[18 + n++] = xformat("--include-dir=%s", t->overlay);
		argv[18 + n++] = "sub_make_done=1";
		argv[18 + n++] = "quiet=silent_";
		argv[18 + n++] = "Q=@";
		argv[18 + n++] = xformat("abs_srctree=%s", t->overlay);
		argv[18 + n] = xformat("abs_objtree=%s", t->output);
	}
	*c = (struct unit_command){.path = xformat("%s", path), .object = xformat("%s/%s", t->output, object)};
	tree_expose(t, path);
	status = quiet ? compile_run_quietly(argv, t->output) : compile_run(argv, t->output);
	if (status == 127)
		refuse(NL_EENVIRONMENT, "make is not installed");
	if (status || !file_exists(c->object))
		return false;
	read_command(t, c);
	return true;
}

/* What is for the original place, for debuggers, or put in anew below. */
static bool dropped(const struct unit_command *c, size_t *i, enum unit_form form)
{
	/* The words -DCC_USING_... stay: headers ask for them. */
	static const char *const traced[] = {"-pg", "-mfentry", "-mrecord-mcount", "-mnop-mcount"};
	const char *a = c->argv[*i];

	if (!strcmp(a, "-o")) {
		++*i;
		return true;
	}
	if (!strcmp(a, "-c") || *i == c->n - 1 || !strncmp(a, "-Wp,-MMD,", 9) || !strncmp(a, "-g", 2))
		return true;
	if (form != UNIT_BODY)
		return false;
	for (size_t j = 0; j < NL_ARRAY_SIZE(traced); j++)
		if (!strcmp(a, traced[j]))
			return true;
	return !strncmp(a, "-fpatchable-function-entry=", 27);
}

bool unit_compile(const struct tree *t, struct unit_command *c, enum unit_form form, const char *object, bool may_fail)
{
	char *argv[ARGUMENTS_MAX + 32];
	size_t n = 0;
	int status;

	for (size_t i = 0; i < c->n; i++)
		if (!dropped(c, &i, form))
			argv[n++] = c->argv[i];
	if (form == UNIT_TYPES)
		argv[0] = "gcc";
	argv[n++] = "-g0";
	if (form == UNIT_TYPES || t->tools.tells_types)
		argv[n++] = "-gbtf";
	argv[n++] = "-ffunction-sections";
	argv[n++] = "-fdata-sections";
	if (form == UNIT_BODY) {
		argv[n++] = "-fno-ipa-ra";
		argv[n++] = "-fkeep-static-functions";
		argv[n++] = xformat("-fmacro-prefix-map=%s/=", t->work);
		if (!c->prelude_failed) {
			argv[n++] = "-include";
			argv[n++] = xformat("%s/newleaf-prelude.h", t->work);
		}
	}
	argv[n++] = xformat("-Wp,-MMD,%s.d", object);
	argv[n++] = "-c";
	argv[n++] = "-o";
	argv[n++] = xformat("%s", object);
	argv[n++] = xformat("%s/%s", t->overlay, c->path);
	argv[n] = NULL;
	/* the prelude's headers come before a unit's own #define of pr_fmt: a warning for each */
	status = may_fail ? compile_run_quietly(argv, t->output) : compile_run(argv, t->output);
	if (status && !may_fail)
		refuse(NL_ECOMPILE, "%s does not compile (%s ended with %d)", c->path, argv[0], status);
	return !status;
}

char *unit_types(const struct tree *t, struct unit_command *c, const char *object)
{
	char *types = xformat("%s.types", object);

	if (t->tools.tells_types)
		return xformat("%s", object);
	unit_compile(t, c, UNIT_TYPES, types, false);
	return types;
}
