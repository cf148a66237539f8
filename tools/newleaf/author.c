// SPDX-License-Identifier: Apache-2.0
/*
 * The authoring verbs are another program, found as git finds its own: beside this one, then in PATH. It may use shared
 * libraries; this one may not.
 */
#define _GNU_SOURCE
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AUTHOR "newleaf-author"

int verb_author(struct cli *c)
{
	char **argv = calloc((size_t)c->n_args + 3, sizeof(*argv));
	char path[4096], *slash;
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof(AUTHOR) - 1);

	if (!argv)
		return cli_fail(c, "nothing done", NL_EENVIRONMENT, "out of memory");
	argv[0] = (char *)AUTHOR;
	argv[1] = (char *)c->verb->name;
	memcpy(argv + 2, c->args, (size_t)c->n_args * sizeof(*argv));
	if (n > 0) {
		path[n] = 0;
		slash = strrchr(path, '/');
		if (slash) {
			memcpy(slash + 1, AUTHOR, sizeof(AUTHOR));
			execv(path, argv);
		}
	}
	if (n <= 0 || errno == ENOENT)
		execvp(AUTHOR, argv);
	n = errno;
	free(argv);
	return cli_fail(c, "nothing done", NL_EENVIRONMENT, "cannot run %s, neither beside newleaf nor in PATH: %s",
	                AUTHOR, strerror((int)n));
}
