// SPDX-License-Identifier: Apache-2.0
/* See author_units.h. */
#define _GNU_SOURCE
#include "author_units.h"

#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[] = "/tmp/newleaf-units.XXXXXX";

struct kernel author_units_kernel;

int author_units_start(void **state)
{
	(void)state;
	return !mkdtemp(directory);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st, (void)kind, (void)where;
	return remove(path);
}

int author_units_end(void **state)
{
	(void)state;
	return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static char *compiled(const char *unit, const char *side, const char *text)
{
	char *source = xformat("%s/%s-%s.c", directory, unit, side);
	char *object = xformat("%s/%s-%s.o", directory, unit, side);
	int status = 1;
	pid_t pid;

	file_write(source, text, strlen(text), 0600);
	pid = fork();
	if (!pid) {
		execlp("gcc-12", "gcc-12", "-O2", "-g0", "-gbtf", "-fno-pie", "-mcmodel=kernel", "-fno-common",
		       "-fno-asynchronous-unwind-tables", "-ffunction-sections", "-fdata-sections", "-w",
		       xformat("-fdump-ipa-cgraph=%s.homes", object), "-c", "-o", object, source, (char *)NULL);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		abort();
	return object;
}

void author_unit(struct patch_unit *p, const char *path, const char *before, const char *after)
{
	char *x = compiled(path, "before", before), *y = compiled(path, "after", after);

	*p = (struct patch_unit){.path = path, .k = &author_units_kernel, .shipped = unit_read(x)};
	p->c = unit_compare(p->shipped, unit_read(y));
	layout_change(x, y, &p->types);
}

void patch_note(struct patch_unit *p, char *text)
{
	char **more = xalloc((p->n_notes + 1) * sizeof(*more));

	if (p->n_notes)
		memcpy(more, p->notes, p->n_notes * sizeof(*more));
	more[p->n_notes++] = text;
	p->notes = more;
}
