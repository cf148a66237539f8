// SPDX-License-Identifier: Apache-2.0
/* Reads `savedcmd_fs/pipe.o := gcc-12 ... fs/pipe.c`; what follows a ';' is objtool. */
#include "patch_cmdfile.h"

#include <string.h>

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
		if (!any || n == COMMAND_WORDS)
			return 0;
		buf_add(&word, "", 1);
		argv[n++] = (char *)word.p;
	}
}

bool command_parse(const char *text, const char *cc, struct unit_command *c)
{
	static const char name[] = "-DKBUILD_MODNAME=\"";
	const char *at = strstr(text, ":= ");

	c->argv = xalloc((COMMAND_WORDS + 1) * sizeof(*c->argv));
	c->n = at ? split_command(at + 3, c->argv) : 0;
	if (c->n < 3 || strcmp(c->argv[0], cc) || !ends_with(c->argv[c->n - 1], ".c"))
		return false;
	for (size_t i = 0; i < c->n; i++) {
		if (!strcmp(c->argv[i], "-DMODULE"))
			c->module = xformat("%s", "a module");
		if (c->module && !strncmp(c->argv[i], name, sizeof(name) - 1))
			c->module = xformat("%.*s", (int)strcspn(c->argv[i] + sizeof(name) - 1, "\""),
			                    c->argv[i] + sizeof(name) - 1);
	}
	return true;
}
