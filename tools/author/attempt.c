// SPDX-License-Identifier: Apache-2.0
/* See attempt.h. The refusal comes back in memory that both processes share. */
#define _GNU_SOURCE
#include "attempt.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void child(struct refusal *r, void (*what)(const void *with), const void *with)
{
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (nowhere >= 0)
		dup2(nowhere, STDERR_FILENO);
	refuse_to(r);
	what(with);
	_exit(0);
}

struct attempt attempt(void (*what)(const void *with), const void *with)
{
	struct refusal *r = mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct attempt a = {0};
	int status;
	pid_t pid;

	fflush(NULL);
	if (r == MAP_FAILED || (pid = fork()) < 0)
		refuse(NL_EENVIRONMENT, "cannot start a process: %s", strerror(errno));
	if (!pid)
		child(r, what, with);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	a.exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	if (r->err) {
		a.code = xformat("%s", err_name(r->err));
		a.why = xformat("%s", r->why);
	}
	munmap(r, sizeof(*r));
	return a;
}
