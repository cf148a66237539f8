// SPDX-License-Identifier: Apache-2.0
/*
 * kpatch's and klp-build's words in what a patch adds. Some only help those tools (a syscall that ftrace can reach, a
 * printk that moves no code): here they mean what the kernel's own say. Callbacks, and marks for the tools, do not
 * exist in a leaf.
 */
#include "patch_macros.h"

#include <ctype.h>
#include <newleaf/types.h>
#include <stdlib.h>
#include <string.h>

static const char header[] = "#pragma once\n"
                             "#include <linux/jiffies.h>\n"
                             "#include <linux/printk.h>\n"
                             "#include <linux/version.h>\n"
                             "#ifdef CONFIG_LIVEPATCH\n"
                             "#include <linux/livepatch.h>\n"
                             "#endif\n"
                             "#define KPATCH_PRINTK(text...) ({ if (jiffies) printk(text); })\n"
                             "#define KPATCH_PRINTK_DEFERRED(text...) ({ if (jiffies) printk_deferred(text); })\n"
                             "#define KPATCH_SYSCALL_DEFINE1 SYSCALL_DEFINE1\n"
                             "#define KPATCH_SYSCALL_DEFINE2 SYSCALL_DEFINE2\n"
                             "#define KPATCH_SYSCALL_DEFINE3 SYSCALL_DEFINE3\n"
                             "#define KPATCH_SYSCALL_DEFINE4 SYSCALL_DEFINE4\n"
                             "#define KPATCH_SYSCALL_DEFINE5 SYSCALL_DEFINE5\n"
                             "#define KPATCH_SYSCALL_DEFINE6 SYSCALL_DEFINE6\n";
static const char *const files[] = {"kpatch-macros.h", "kpatch-syscall.h"};

/* The first that fits counts. */
static const struct {
	const char *prefix, *part; /* a word begins with the one and holds the other */
	const char *why;           /* NULL: it means something */
} words[] = {
        {"KPATCH_", "_CALLBACK",
         "a callback, which a module's loading runs; a leaf has none: leave it out, and do what it did where the new "
         "code first needs it"},
        {"KLP_", "_CALLBACK",
         "a callback, which a module's loading runs; a leaf has none: leave it out, and do what it did where the new "
         "code first needs it"},
        {"KPATCH_FORCE_UNSAFE", "", "no leaf is applied while a task is in the old code: leave it out"},
        {"KPATCH_IGNORE_", "", "a leaf holds whatever the compiler makes otherwise: leave it out"},
        {"KPATCH_SYSCALL_DEFINE", "", NULL},
        {"KPATCH_PRINTK", "", NULL},
        {"KPATCH_STATIC_CALL", "", "the kernel's own static_call() works in a leaf: say that"},
        {"KLP_STATIC_CALL", "", "the kernel's own static_call() works in a leaf: say that"},
        {"KLP_SYSCALL_DEFINE", "", "the kernel's own SYSCALL_DEFINE works in a leaf: say that"},
        {"kpatch_shadow_", "", "shadow variables by the kernel's own functions work in a leaf: say klp_shadow_*()"},
        {"KPATCH_", "", "a word of kpatch's that means nothing in a leaf: write the fix without it"},
};

/* Everything that a C compiler could take for a name. */
static void check_names(const struct diff_file *file, const char *text)
{
	while (*text) {
		size_t n = 0;
		char *name;

		while (isalnum((unsigned char)text[n]) || text[n] == '_')
			n++;
		name = xformat("%.*s", (int)n, text);
		for (size_t i = 0; i < NL_ARRAY_SIZE(words); i++) {
			if (strncmp(name, words[i].prefix, strlen(words[i].prefix)) || !strstr(name, words[i].part))
				continue;
			if (words[i].why)
				refuse(NL_EUNSUPPORTED, "%s: uses %s: %s", file->path, name, words[i].why);
			break;
		}
		free(name);
		text += n ? n : 1;
	}
}

bool macros_check(const struct diff_file *file)
{
	bool any = false;

	for (size_t h = 0; h < file->n_hunks; h++)
		for (size_t l = 0; l < file->hunk[h].n_lines; l++) {
			const struct diff_line *line = &file->hunk[h].line[l];
			char *text = line->kind == '+' ? xformat("%.*s", (int)line->length, line->text) : NULL;

			if (!text)
				continue;
			check_names(file, text);
			if (strstr(text, "linux/livepatch_helpers.h"))
				refuse(NL_EUNSUPPORTED,
				       "%s: includes <linux/livepatch_helpers.h>, of which a leaf needs nothing: leave "
				       "it out",
				       file->path);
			for (size_t i = 0; i < NL_ARRAY_SIZE(files); i++)
				any |= strstr(text, files[i]) != NULL;
			free(text);
		}
	return any;
}

void macros_write(const struct tree *t)
{
	const struct buf text = {.p = (uint8_t *)(uintptr_t)header, .n = sizeof(header) - 1};

	for (size_t i = 0; i < NL_ARRAY_SIZE(files); i++)
		tree_write(t, xformat("include/%s", files[i]), &text);
}
