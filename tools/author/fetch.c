// SPDX-License-Identifier: Apache-2.0
/*
 * Asks get-kernel, which stands in libexec/newleaf of the place where this program is installed, or in scripts/ of the
 * tree where it was built. The kernel's banner names its package's version. No shell reads what a kernel says.
 */
#define _GNU_SOURCE
#include "fetch.h"
#include "toolchain.h"

#include <errno.h>
#include <newleaf/types.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_SIZE 4096u

static bool offline;
static int speak_to = STDERR_FILENO;

void fetch_offline(void) { offline = true; }

void fetch_speak_to(int fd) { speak_to = fd; }

static char *get_kernel(void)
{
	static const char *const places[] = {"../libexec/newleaf/get-kernel", "../scripts/get-kernel"};
	char self[PATH_SIZE];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0)
		return NULL;
	self[n] = 0;
	*strrchr(self, '/') = 0;
	for (size_t i = 0; i < NL_ARRAY_SIZE(places); i++) {
		char *path = xformat("%s/%s", self, places[i]);

		if (!access(path, X_OK))
			return path;
	}
	return NULL;
}

/* linux-image-RELEASE=VERSION, of "... Debian 6.1.176-1 (2026-07-02)". */
static char *package_of(const struct kernel *k)
{
	char *banner = toolchain_banner(k), *version = banner ? strstr(banner, " Debian ") : NULL;
	const char *next;

	/* The compiler is Debian's, too: "(Debian 12.2.0-14) 12.2.0". The package comes last. */
	while (version && (next = strstr(version + 1, " Debian ")))
		version = (char *)next;
	if (!version)
		return NULL;
	version += strlen(" Debian ");
	return xformat("linux-image-%s=%.*s", k->release, (int)strcspn(version, " "), version);
}

/* The line that it prints. */
static char *ask(char *const argv[])
{
	char line[PATH_SIZE] = "";
	int ends[2], status = -1;
	FILE *f;
	pid_t pid;

	if (pipe(ends))
		refuse(NL_EENVIRONMENT, "no pipe: %s", strerror(errno));
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		refuse(NL_EENVIRONMENT, "cannot start %s: %s", argv[0], strerror(errno));
	if (!pid) {
		if (offline)
			setenv("OFFLINE", "1", 1);
		dup2(ends[1], STDOUT_FILENO);
		dup2(speak_to, STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		execv(argv[0], argv);
		_exit(127);
	}
	close(ends[1]);
	f = fdopen(ends[0], "r");
	if (f && fgets(line, sizeof(line), f))
		line[strcspn(line, "\n")] = 0;
	if (f)
		fclose(f);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && !WEXITSTATUS(status) && *line ? xformat("%s", line) : NULL;
}

char *fetch_part(const struct kernel *k, const char *part)
{
	char *argv[] = {get_kernel(), xformat("--%s", part), package_of(k), NULL};

	return argv[0] && argv[2] ? ask(argv) : NULL;
}
