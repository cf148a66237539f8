// SPDX-License-Identifier: Apache-2.0
/* See kernels.h. What is called vmlinuz or vmlinuz-*, as /boot and /usr/lib/modules/RELEASE have it. */
#define _GNU_SOURCE
#include "kernels.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <newleaf/types.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME "vmlinuz"
#define DEPTH 16
#define BOOT_MAGIC_AT 0x1fe /* Documentation/arch/x86/boot.rst: boot_flag, jump, header */
#define HEADER_AT 0x202

static struct kernels found;

static bool is_kernel(const char *path)
{
	uint8_t b[HEADER_AT + 4];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool yes = fd >= 0 && pread(fd, b, sizeof(b), 0) == (ssize_t)sizeof(b) && b[BOOT_MAGIC_AT] == 0x55 &&
	           b[BOOT_MAGIC_AT + 1] == 0xaa && !memcmp(b + HEADER_AT, "HdrS", 4);

	if (fd >= 0)
		close(fd);
	return yes;
}

static void add(char ***list, size_t *n, char *path)
{
	for (size_t i = 0; i < *n; i++)
		if (!strcmp((*list)[i], path))
			return;
	if (*n == KERNELS_MAX)
		refuse(NL_EENVIRONMENT, "more than %u kernels", KERNELS_MAX);
	*list = realloc(*list, (*n + 1) * sizeof(**list));
	if (!*list)
		refuse(NL_EENVIRONMENT, "out of memory");
	(*list)[(*n)++] = path;
}

static void take(const char *path)
{
	char *real = realpath(path, NULL);

	if (real && is_kernel(real))
		add(&found.path, &found.n, real);
	else
		add(&found.ignored, &found.n_ignored, xformat("%s", path));
}

static int visit(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	const char *name = path + where->base;

	(void)st;
	if (kind == FTW_D && !strcmp(name, "kernel")) /* thousands of modules */
		return FTW_SKIP_SUBTREE;
	if ((kind == FTW_F || kind == FTW_SL) && !strncmp(name, NAME, strlen(NAME)) &&
	    (!name[strlen(NAME)] || name[strlen(NAME)] == '-'))
		take(path);
	return FTW_CONTINUE;
}

static int by_release(const void *a, const void *b) { return strverscmp(*(char *const *)a, *(char *const *)b); }

struct kernels kernels_find(const char *directory)
{
	struct stat st;

	found = (struct kernels){0};
	if (stat(directory, &st))
		refuse(NL_EENVIRONMENT, "cannot read %s: %s", directory, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		add(&found.path, &found.n, xformat("%s", directory));
	else if (nftw(directory, visit, DEPTH, FTW_PHYS | FTW_ACTIONRETVAL))
		refuse(NL_EENVIRONMENT, "cannot read all of %s: %s", directory, strerror(errno));
	if (found.n)
		qsort(found.path, found.n, sizeof(*found.path), by_release);
	return found;
}
