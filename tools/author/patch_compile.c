// SPDX-License-Identifier: Apache-2.0
/*
 * One make per unit, which then knows the unit's own flags: they stand in the .cmd file that it leaves. The other forms
 * are made by the compiler alone, with these flags changed.
 */
#define _GNU_SOURCE
#include "patch_compile.h"
#include "compile.h"
#include "patch_cmdfile.h"

#include <newleaf/types.h>
#include <stdlib.h>
#include <string.h>

static char *object_of(const char *path, const char *prefix, const char *suffix)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;

	return xformat("%.*s%s%.*s%s", (int)(base - path), path, prefix, (int)strlen(base) - 2, base, suffix);
}

static void read_command(const struct tree *t, struct unit_command *c)
{
	struct buf b = file_read(xformat("%s/%s", t->output, object_of(c->path, ".", ".o.cmd")), 4u << 20);

	if (!command_parse(xformat("%.*s", (int)b.n, (char *)b.p), t->tools.cc, c))
		refuse(NL_ECOMPILE, "%s: the command that compiles it is not understood", c->path);
}

int kbuild_run(const struct tree *t, const char *environment, char *variable, char *goal, const char *log)
{
	char *argv[32] = {"env",
	                  xformat("%s", environment),
	                  "make",
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
	                  goal};
	size_t n = 20;
	int status;

	n += toolchain_arguments(&t->tools, argv + n);
	if (t->runs_itself) { /* the options above would not reach that make; so be it ourselves */
		argv[n++] = xformat("--include-dir=%s", t->overlay);
		argv[n++] = "sub_make_done=1";
		argv[n++] = "quiet=silent_";
		argv[n++] = "Q=@";
		argv[n++] = xformat("abs_srctree=%s", t->overlay);
		argv[n++] = xformat("abs_objtree=%s", t->output);
	}
	/* A module of one unit alone would be seen by it, and the headers' own objtool may want another libc. */
	if (t->late_objtool)
		argv[n++] = "OBJECT_FILES_NON_STANDARD=y";
	argv[n] = variable;
	status = compile_run_into(argv, t->output, log);
	if (status == 127)
		refuse(NL_EENVIRONMENT, "make is not installed");
	return status;
}

/* The first line in which the compiler complains, else the first in which make does. */
char *kbuild_error(const char *log)
{
	struct buf b = file_read(log, 16u << 20);
	char *text = xformat("%.*s", (int)b.n, (char *)b.p);
	const char *why = NULL;

	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		if (strstr(line, "error:"))
			return line;
		if (strstr(line, "***") && !why)
			why = line;
	}
	return xformat("%s", why ? why : "make does not say why");
}

/* Programs of the kernel's build that make sources, and that headers packages lack: their own makefiles build them. */
static bool make_programs(const struct tree *t, const char *log)
{
	static const char goal[] =
	        "newleaf-programs:\n"
	        "\t@$(if $(obj),:,$(foreach p,asn1_compiler selinux/genheaders/genheaders,"
	        "$(if $(wildcard $(srctree)/scripts/$p.c),$(MAKE) -s -f $(srctree)/scripts/Makefile.build "
	        "obj=$(patsubst %/,%,$(dir scripts/$p)) scripts/$p &&)) :)\n"
	        ".PHONY: newleaf-programs\n";
	char *makefile = xformat("%s/programs.mk", t->work);
	struct buf b = file_read(log, 16u << 20);

	if (file_exists(makefile) || !b.n || !memmem(b.p, b.n, "No rule to make target", 22))
		return false;
	file_write(makefile, goal, sizeof(goal) - 1, 0600);
	return !kbuild_run(t, xformat("MAKEFILES=%s", makefile), NULL, xformat("newleaf-programs"), "/dev/null");
}

bool unit_build(const struct tree *t, const char *path, const char *log, struct unit_command *c)
{
	char *object = object_of(path, "", ".o"), *said = xformat("%s", log ? log : xformat("%s/unit.log", t->work));

	*c = (struct unit_command){.path = xformat("%s", path), .object = xformat("%s/%s", t->output, object)};
	tree_expose(t, path);
	while (kbuild_run(t, "MAKEFILES=", NULL, object, said) || !file_exists(c->object)) {
		struct buf b;

		if (make_programs(t, said))
			continue;
		b = file_read(said, 16u << 20);
		if (!log)
			escape_lines(stderr, b.p, b.n);
		return false;
	}
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
	char *argv[COMMAND_WORDS + 32];
	static const char *const inlined[] = {"-fno-partial-inlining",
	                                      "-fno-ipa-cp",
	                                      "-fno-ipa-sra",
	                                      "-fno-conserve-stack",
	                                      "-finline-functions",
	                                      "-ftrivial-auto-var-init=pattern",
	                                      "--param=max-inline-insns-auto=400",
	                                      "--param=max-inline-insns-single=1000",
	                                      "--param=large-function-growth=10000",
	                                      "--param=inline-unit-growth=10000",
	                                      "--param=large-stack-frame-growth=10000",
	                                      "--param=early-inlining-insns=400",
	                                      "--param=max-early-inliner-iterations=8"};
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
	if (form == UNIT_NOTED)
		argv[n++] = xformat("-fdump-tree-gimple=%s.gimple", object);
	for (size_t i = 0; form == UNIT_INLINED && i < NL_ARRAY_SIZE(inlined); i++)
		argv[n++] = xformat("%s", inlined[i]);
	if (form == UNIT_BODY) {
		argv[n++] = "-fno-ipa-ra";
		argv[n++] = "-fkeep-static-functions";
		argv[n++] = xformat("-fmacro-prefix-map=%s/=", t->work);
		if (!c->prelude_failed) {
			argv[n++] = "-include";
			argv[n++] = xformat("%s/newleaf-prelude.h", t->work);
		}
	}
	argv[n++] = xformat("-fdump-ipa-cgraph=%s.homes", object);
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
