// SPDX-License-Identifier: Apache-2.0
/* Builds and changes the overlay. A kernel's tree is 1.5 GiB; only the directories on the way to a changed file become
 * real here, everything else stays a link. */
#define _GNU_SOURCE
#include "patch_tree.h"
#include "compile.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* As before 5.13: the top makefile runs itself so that the included ones are found. */
#define RUNS_ITSELF "MAKEFLAGS += --include-dir=$(abs_srctree)\nneed-sub-make := 1"

#define WHOLE_OBJTOOL "\nCONFIG_X86_KERNEL_IBT=y\n"

static void fail(const char *what, const char *path)
{
	refuse(NL_EENVIRONMENT, "cannot %s %s: %s", what, path, strerror(errno));
}

/* A directory whose entries are links to those of another. */
static void link_directory(const char *from, const char *to)
{
	struct dirent *e;
	DIR *d = opendir(from);

	if (!d)
		fail("read", from);
	if (mkdir(to, 0700))
		fail("make", to);
	while ((e = readdir(d))) {
		char *link = xformat("%s/%s", to, e->d_name), *target = xformat("%s/%s", from, e->d_name);

		if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..") && symlink(target, link))
			fail("link", link);
		free(link);
		free(target);
	}
	closedir(d);
}

void tree_expose(const struct tree *t, const char *path)
{
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		char *part = xformat("%.*s", (int)(slash - path), path);
		char *here = xformat("%s/%s", t->overlay, part), *there = xformat("%s/%s", t->source, part);
		struct stat st;

		if (lstat(there, &st) || !S_ISDIR(st.st_mode))
			refuse(NL_ETARGET, "%s has no directory %s: is it the source of this kernel?", t->source, part);
		if (lstat(here, &st))
			fail("find", here);
		if (!S_ISLNK(st.st_mode))
			continue;
		if (unlink(here))
			fail("replace", here);
		link_directory(there, here);
	}
}

struct buf tree_original(const struct tree *t, const char *path)
{
	char *there = xformat("%s/%s", t->source, path);
	struct stat st;

	if (lstat(there, &st))
		refuse(NL_ETARGET, "%s has no %s: is it the source of this kernel?", t->source, path);
	if (!S_ISREG(st.st_mode))
		refuse(NL_ETARGET, "%s of the source tree is no plain file", path);
	return file_read(there, 16u << 20);
}

void tree_write(const struct tree *t, const char *path, const struct buf *text)
{
	tree_expose(t, path);
	file_write(xformat("%s/%s", t->overlay, path), text->p, text->n, 0600);
}

struct tree tree_make(const char *work, const char *source, const char *headers, struct toolchain tools)
{
	struct tree t = {.work = xformat("%s", work)};
	char *copy[] = {"cp", "-aL", "--", xformat("%s", headers), NULL, NULL};
	struct buf makefile, config;
	char *stamp;

	t.source = realpath(source, NULL);
	if (!t.source || !file_exists(xformat("%s/Kbuild", t.source)) ||
	    !file_exists(xformat("%s/arch/x86/Kconfig", t.source)))
		refuse(NL_EENVIRONMENT, "%s is no source tree of a kernel", source);
	t.overlay = xformat("%s/src", t.work);
	t.output = xformat("%s/obj", t.work);
	link_directory(t.source, t.overlay);
	copy[4] = t.output;
	if (compile_run(copy, NULL))
		refuse(NL_EENVIRONMENT, "cannot copy %s", headers);
	stamp = xformat("%s/include/config/auto.conf.cmd", t.output);
	if (!file_exists(stamp)) /* a list of dependencies; without it make would run the configuration again */
		file_write(stamp, "", 0, 0600);
	t.tools = tools;
	config = file_read(xformat("%s/include/config/auto.conf", t.output), 16u << 20);
	t.late_objtool = memmem(config.p, config.n, WHOLE_OBJTOOL, sizeof(WHOLE_OBJTOOL) - 1);
	makefile = file_read(xformat("%s/Makefile", t.source), 16u << 20);
	t.runs_itself = memmem(makefile.p, makefile.n, RUNS_ITSELF, sizeof(RUNS_ITSELF) - 1);
	return t;
}
