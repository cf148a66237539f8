// SPDX-License-Identifier: Apache-2.0
/*
 * kernel/bpf/Makefile makes an object of tools/lib/bpf/relo_core.c, arch/x86/lib/Makefile a table of
 * x86-opcode-map.txt: by the whole path; by the directory, in which make looks (vpath), and the name; or by the name
 * alone in the file's own directory.
 */
#include "patch_strays.h"

#include <ctype.h>
#include <newleaf/types.h>
#include <stdlib.h>
#include <string.h>

/* Is the word there, and not as a part of another? Of a directory's files only a pattern counts. */
static bool has_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = text; (p = strstr(p, word)); p += n)
		if ((p == text || !(isalnum((unsigned char)p[-1]) || strchr("_-", p[-1]))) &&
		    !(isalnum((unsigned char)p[n]) || p[n] == '_' || p[n] == '-' || (p[n] == '/' && p[n + 1] != '%')))
			return true;
	return false;
}

static bool names_file(const char *makefile, const char *path, bool own)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	char *directory = xformat("%.*s", slash ? (int)(slash - path) : 0, path);
	bool c = ends_with(base, ".c"), near = own || (strchr(directory, '/') && has_word(makefile, directory));

	return has_word(makefile, path) ||
	       (near && (has_word(makefile, base) ||
	                 (c && has_word(makefile, xformat("%.*s.o", (int)strlen(base) - 2, base)))));
}

/* Directories in which makefiles of other programs build other things of files that lie there. */
static bool is_apart(const char *path)
{
	return starts_with(path, "tools/") || starts_with(path, "arch/") || starts_with(path, "usr/") ||
	       starts_with(path, "rust/");
}

void stray_check(const struct sources *all, const char *path)
{
	const char *user = sources_naming(all, path), *slash = strrchr(path, '/');
	char *own = xformat("%.*s", slash ? (int)(slash - path) : 0, path), **directory;
	size_t n;

	if (user)
		refuse(NL_EUNSUPPORTED,
		       "%s: %s includes it, from where nothing is built, and a leaf cannot follow that", path, user);
	directory = sources_directories(all, &n);
	for (size_t i = 0; i < n; i++)
		if (names_file(kbuild_makefile(all->k, directory[i]), path,
		               !is_apart(path) && !strcmp(directory[i], own)))
			refuse(NL_EUNSUPPORTED,
			       "%s: the makefile of %s makes code of the kernel of it, and a leaf is made of units and "
			       "their headers alone",
			       path, directory[i]);
	free(directory);
}

char *stray_copy(const struct sources *all, const char *path)
{
	static const struct {
		const char *directory, *who;
	} blobs[] = {{"arch/x86/purgatory", "kexec"}, {"arch/x86/realmode/rm", "a CPU that wakes up"}};

	for (size_t i = 0; i < NL_ARRAY_SIZE(blobs); i++)
		if (kbuild_may_enter(all->k, blobs[i].directory) &&
		    names_file(kbuild_makefile(all->k, blobs[i].directory), path, false))
			return xformat("%s: %s has a copy of its own, which %s runs; that stays as it is", path,
			               blobs[i].directory, blobs[i].who);
	return NULL;
}
