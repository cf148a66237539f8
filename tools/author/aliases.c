// SPDX-License-Identifier: Apache-2.0
/* See aliases.h. */
#include "aliases.h"

#include <newleaf/types.h>
#include <string.h>

/* The name that the source has: a system call without arguments is one function with three names, and what early boot
 * runs at another place has a second name. */
static const char *of_source(const char *name)
{
	static const char *const prefixes[] = {"__do_sys_",        "__se_sys_",          "__x64_sys_", "__ia32_sys_",
	                                       "__do_compat_sys_", "__ia32_compat_sys_", "__pi_"};

	for (size_t i = 0; i < NL_ARRAY_SIZE(prefixes); i++)
		if (!strncmp(name, prefixes[i], strlen(prefixes[i])))
			return name + strlen(prefixes[i]);
	return name;
}

/* _stext, __sched_text_start, __split_text_end; in a module, what the loader calls its first and last function. */
static bool is_mark(const char *name)
{
	return !strcmp(name, "_stext") || !strcmp(name, "_text") || !strcmp(name, "init_module") ||
	       !strcmp(name, "cleanup_module") ||
	       (!strncmp(name, "__", 2) && (ends_with(name, "_start") || ends_with(name, "_end")));
}

char *aliases_of(const struct kernel *k, const char *name, uint64_t va)
{
	char *list = NULL;

	for (size_t i = 0; i < k->syms.n; i++) {
		const struct ksym *s = &k->syms.sym[i];

		if (s->va != va || !strcmp(s->name, name) || is_mark(s->name) || !strncmp(s->name, "__pfx_", 6) ||
		    !strcmp(of_source(s->name), of_source(name)))
			continue;
		list = list ? xformat("%s, %s", list, s->name) : xformat("%s", s->name);
	}
	return list;
}
