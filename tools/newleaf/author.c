// SPDX-License-Identifier: Apache-2.0
/*
 * The authoring verbs, and all that are said with --host, are other programs, found as git finds its own: beside this
 * one, then in PATH. They may use shared libraries; this one may not.
 */
#define _GNU_SOURCE
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Does not come back if it finds the program; argv[0] is its name. */
static int run_beside(struct cli *c, char **argv)
{
	const char *program = argv[0];
	char path[4096], *slash;
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - strlen(program) - 1);

	if (n > 0) {
		path[n] = 0;
		slash = strrchr(path, '/');
		if (slash) {
			memcpy(slash + 1, program, strlen(program) + 1);
			execv(path, argv);
		}
	}
	if (n <= 0 || errno == ENOENT)
		execvp(program, argv);
	return cli_fail(c, "nothing done", NL_EENVIRONMENT, "cannot run %s, neither beside newleaf nor in PATH: %s",
	                program, strerror(errno));
}

int verb_author(struct cli *c)
{
	char **argv = calloc((size_t)c->n_args + 3, sizeof(*argv));
	int result;

	if (!argv)
		return cli_fail(c, "nothing done", NL_EENVIRONMENT, "out of memory");
	argv[0] = (char *)"newleaf-author";
	argv[1] = (char *)c->verb->name;
	memcpy(argv + 2, c->args, (size_t)c->n_args * sizeof(*argv));
	result = run_beside(c, argv);
	free(argv);
	return result;
}

bool cli_is_remote(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
		if (!strcmp(argv[i], "--host") || !strncmp(argv[i], "--host=", 7))
			return true;
	return false;
}

int cli_remote(struct cli *c, int argc, char **argv)
{
	char **args = calloc((size_t)argc + 1, sizeof(*args));
	int result;

	if (!args)
		return cli_fail(c, "nothing done", NL_EENVIRONMENT, "out of memory");
	memcpy(args, argv, (size_t)argc * sizeof(*args));
	args[0] = (char *)"newleaf-remote";
	result = run_beside(c, args);
	free(args);
	return result;
}
