// SPDX-License-Identifier: Apache-2.0
/* See attempt.h. The reason is read from what refuse() prints: the line `why` and the brackets of the first line. */
#include "attempt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char *between(const char *text, const char *from, const char *to)
{
	const char *start = strstr(text, from);

	if (!start)
		return NULL;
	start += strlen(from);
	return xformat("%.*s", (int)strcspn(start, to), start);
}

static void child(int out, void (*what)(const void *with), const void *with)
{
	dup2(out, STDERR_FILENO);
	close(out);
	what(with);
	_exit(0);
}

struct attempt attempt(void (*what)(const void *with), const void *with)
{
	struct buf said = {0};
	struct attempt a = {0};
	char piece[4096];
	int ends[2], status;
	ssize_t n;
	pid_t pid;

	fflush(NULL);
	if (pipe(ends) || (pid = fork()) < 0)
		refuse(NL_EENVIRONMENT, "cannot start a process: %s", strerror(errno));
	if (!pid) {
		close(ends[0]);
		child(ends[1], what, with);
	}
	close(ends[1]);
	while ((n = read(ends[0], piece, sizeof(piece))) > 0 || (n < 0 && errno == EINTR))
		if (n > 0)
			buf_add(&said, piece, (size_t)n);
	close(ends[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	a.exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	buf_add(&said, "", 1);
	if (a.exit) {
		a.code = between((char *)said.p, "nothing changed [", ",");
		a.why = between((char *)said.p, "\n  why   ", "\n");
	}
	free(said.p);
	return a;
}
