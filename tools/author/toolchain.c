// SPDX-License-Identifier: Apache-2.0
/*
 * The kernel's own compiler makes bodies that certainly agree with it about types, calls and the meaning of options.
 * The kernel says which one that was (linux_banner: LINUX_COMPILER of scripts/mkcompile_h); it is looked for where the
 * caller says, in the cache where scripts/get-kernel unpacks compilers, and on the machine. Another one is used where
 * there is no such: the leaf then carries a note, and what can be compared (types, by BTF) is compared all the same.
 */
#define _GNU_SOURCE
#include "toolchain.h"
#include "fetch.h"

#include <errno.h>
#include <glob.h>
#include <newleaf/types.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRIPLET "x86_64-linux-gnu-"
#define BANNER_MAX 512u
#define SAYS_MAX 256u

char *toolchain_banner(const struct kernel *k)
{
	uint64_t va = kernel_symbol_or_0(k, "linux_banner");
	const char *banner = NULL;
	size_t n = BANNER_MAX;

	while (va && n && !(banner = (const char *)kernel_bytes(k, va, n))) /* it may stand at a section's end */
		n /= 2;
	return banner && memchr(banner, '\n', n) ? xformat("%.*s", (int)strcspn(banner, "\n"), banner) : NULL;
}

char *toolchain_of_kernel(const struct kernel *k)
{
	/* Linux version RELEASE (somebody@somewhere) (COMPILER, LINKER) #1 ... */
	const char *banner = toolchain_banner(k), *start = banner ? strstr(banner, ") (") : NULL, *end;

	end = start ? strstr(start, ", ") : NULL;
	return end ? xformat("%.*s", (int)(end - start - 3), start + 3) : NULL;
}

/* The first line that `cc --version` prints, or NULL. */
static char *says(const char *cc)
{
	char line[SAYS_MAX] = "";
	int ends[2], status = -1;
	FILE *f;
	pid_t pid;

	if (pipe(ends))
		refuse(NL_EENVIRONMENT, "no pipe: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		refuse(NL_EENVIRONMENT, "cannot start %s: %s", cc, strerror(errno));
	if (!pid) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		setenv("LC_ALL", "C", 1);
		execlp(cc, cc, "--version", (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	f = fdopen(ends[0], "r");
	if (f && fgets(line, sizeof(line), f))
		line[strcspn(line, "\n")] = 0;
	while (f && fgetc(f) != EOF)
		;
	if (f)
		fclose(f);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && !WEXITSTATUS(status) && *line ? xformat("%s", line) : NULL;
}

/* The same program has several names: what tells compilers apart begins behind the name. */
static const char *build_of(const char *text)
{
	const char *paren = strchr(text, '(');

	return paren ? paren : text;
}

/* gcc-12, of "x86_64-linux-gnu-gcc-12 (Debian ...". */
static char *name_of(const char *text)
{
	if (!strncmp(text, TRIPLET, strlen(TRIPLET)))
		text += strlen(TRIPLET);
	return xformat("%.*s", (int)strcspn(text, " "), text);
}

static char *cache_pattern(const char *name)
{
	const char *cache = getenv("NEWLEAF_CACHE"), *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

	if (cache && *cache)
		return xformat("%s/compilers/*-%s_*/bin/gcc", cache, name);
	if (base && *base)
		return xformat("%s/newleaf/compilers/*-%s_*/bin/gcc", base, name);
	return xformat("%s/.cache/newleaf/compilers/*-%s_*/bin/gcc", home ? home : "/root", name);
}

struct search {
	const char *wanted;  /* what the kernel says; NULL = nothing */
	char *exact, *other; /* found: the same; the first that is another */
	char *other_says;
};

static void consider(struct search *s, const char *cc)
{
	char *text = s->exact ? NULL : says(cc);

	if (!text)
		return;
	if (s->wanted && !strcmp(build_of(text), build_of(s->wanted)))
		s->exact = xformat("%s", cc);
	else if (!s->other) {
		s->other = xformat("%s", cc);
		s->other_says = text;
	}
}

static void search(struct search *s, const struct kernel *k)
{
	static const char *const usual[] = {"gcc-12", "gcc"};
	char *name = s->wanted ? name_of(s->wanted) : NULL, *fetched;
	glob_t g;

	/* A kernel file may say anything. */
	if (name && !strncmp(name, "gcc-", 4) && strspn(name + 4, "0123456789") == strlen(name + 4)) {
		consider(s, name);
		if (!glob(cache_pattern(name), 0, NULL, &g))
			for (size_t i = 0; i < g.gl_pathc; i++)
				consider(s, g.gl_pathv[i]);
	}
	/* Before others, so that what is taken does not depend on whether it was in the cache already. */
	if (s->wanted && !s->exact && (fetched = fetch_part(k, "compiler")))
		consider(s, fetched);
	for (size_t i = 0; i < NL_ARRAY_SIZE(usual); i++)
		consider(s, usual[i]);
}

/* 10, of "gcc-10 (Debian 10.2.1-6) 10.2.1 20210110". */
static long version_of(const char *cc)
{
	char *text = says(cc);
	const char *version = text ? strrchr(text, ')') : NULL;

	return version ? strtol(version + 1, NULL, 10) : 0; /* 0: it does not say */
}

struct toolchain toolchain_find(const struct kernel *k, const char *given)
{
	struct search s = {.wanted = toolchain_of_kernel(k)};
	struct toolchain t = {NULL};
	char *inside = given ? xformat("%s/bin/gcc", given) : NULL;

	if (given)
		consider(&s, file_exists(inside) ? inside : given);
	else
		search(&s, k);
	t.cc = s.exact ? s.exact : s.other;
	if (!t.cc)
		refuse(NL_EENVIRONMENT, "%s: no compiler; %s was built by %s", given ? given : "gcc-12, gcc",
		       k->release, s.wanted ? s.wanted : "one that it does not name");
	t.tells_types = version_of(t.cc) >= 12;
	if (!s.exact)
		t.note = xformat("unproven: compiled by %s, and the kernel by %s", s.other_says,
		                 s.wanted ? s.wanted : "one that it does not name");
	return t;
}

size_t toolchain_arguments(const struct toolchain *t, char **argv)
{
	size_t n = 0;

	argv[n++] = xformat("CC=%s", t->cc);
	/* what the kernel's configuration takes for granted, because its own compiler has it */
	if (version_of(t->cc) < 14)
		argv[n++] = xformat("CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT=");
	return n;
}
