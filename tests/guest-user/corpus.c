// SPDX-License-Identifier: Apache-2.0
/*
 * Behaviour that fixes of 6.1.176 -> 6.1.192 change, for leaves that are made from the kernel's own differences. Says
 * "-> FIXED" or "-> VULNERABLE" as repro does, and "-> WORKS" where a fix changes nothing that can be seen. Not part of
 * repro: what these ask may cost the guest a task.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum answer { FIXED, VULNERABLE, WORKS, CANNOT_TELL };

static enum answer judge(const char *what, int error, int if_fixed, int if_vulnerable)
{
	printf("%s: %s", what, error ? strerrorname_np(error) : "ok");
	return error == if_fixed ? FIXED : error == if_vulnerable ? VULNERABLE : CANNOT_TELL;
}

/* Root without capabilities has no business in the fdinfo of a task that has them. */
static enum answer fdinfo_perm(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/0", getppid());
	if (syscall(SYS_capset, &head, none))
		return judge("capset", errno, -1, -1);
	return judge("stat /proc/PPID/fdinfo/0", stat(path, &st) ? errno : 0, EACCES, 0);
}

static int event(const char *line)
{
	int fd = open("/sys/kernel/tracing/dynamic_events", O_WRONLY | O_APPEND), error;

	if (fd < 0)
		return errno;
	error = write(fd, line, strlen(line)) < 0 ? errno : 0;
	close(fd);
	return error;
}

/* A probe on sched/sched_switch is not one on sch/sched_switch. */
static enum answer eprobe_match(void)
{
	int error;

	mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
	error = event("e:nl/x sched/sched_switch");
	if (error)
		return judge("add e:nl/x", error, -1, -1);
	error = event("-:nl/x sch/sched_switch");
	if (error)
		event("-:nl/x");
	return judge("delete -:nl/x sch/sched_switch", error, ENOENT, 0);
}

/* The pages of a process that has unmapped everything are moved to another node. */
static int migrate_nothing(void)
{
	unsigned long from = 1, to = 2;
	pid_t child = fork();
	int status;

	if (!child) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		syscall(SYS_munmap, 0, 0x7ffffffff000);
		_exit(1);
	}
	waitpid(child, &status, 0);
	ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	for (int stops = 0; stops < 2; stops++) { /* into munmap, and out of it */
		do {
			ptrace(PTRACE_SYSCALL, child, NULL, NULL);
			if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
				return EPROTO;
		} while (WSTOPSIG(status) != (SIGTRAP | 0x80) ||
		         (!stops && ptrace(PTRACE_PEEKUSER, child, 15 * 8, NULL) != SYS_munmap));
	}
	return syscall(SYS_migrate_pages, child, 64, &from, &to) < 0 ? errno : 0;
}

static enum answer migrate_null(void)
{
	pid_t child = fork();
	int status = 0;

	if (!child)
		_exit(migrate_nothing());
	waitpid(child, &status, 0);
	if (WIFSIGNALED(status)) {
		printf("migrate_pages of a task without memory: died of signal %d", WTERMSIG(status));
		return VULNERABLE;
	}
	return judge("migrate_pages of a task without memory", WEXITSTATUS(status), 0, -1);
}

/* Keys can be described and read, and what cannot be read says so. */
static enum answer keys_describe(void)
{
	char text[256];
	long user = syscall(SYS_add_key, "user", "newleaf", "secret", 6, -2 /* process keyring */);
	long sealed = syscall(SYS_add_key, "logon", "newleaf:x", "secret", 6, -2);
	long n = syscall(SYS_keyctl, 6 /* DESCRIBE */, user, text, sizeof(text));

	printf("described by %ld bytes", n);
	if (user < 0 || sealed < 0 || n < 10 || strncmp(text, "user;0;0;", 9))
		return CANNOT_TELL;
	n = syscall(SYS_keyctl, 11 /* READ */, user, text, sizeof(text));
	printf(", read %ld bytes", n);
	if (n != 6 || memcmp(text, "secret", 6))
		return CANNOT_TELL;
	n = syscall(SYS_keyctl, 11, sealed, text, sizeof(text));
	printf(", of a logon key: %s", n < 0 ? strerrorname_np(errno) : "read");
	return n < 0 && errno == EOPNOTSUPP ? WORKS : CANNOT_TELL;
}

static enum answer mount_over(void)
{
	mkdir("/tmp/point", 0700);
	if (mount("tmpfs", "/tmp/point", "tmpfs", 0, NULL))
		return judge("mount", errno, -1, -1);
	if (umount("/tmp/point"))
		return judge("umount", errno, -1, -1);
	printf("mounted and unmounted");
	return WORKS;
}

/* A plain file of an ext4 at /mnt still serves as swap. */
static enum answer swap_on(void)
{
	static char page[4096];
	int fd = open("/mnt/swap", O_RDWR | O_CREAT | O_TRUNC, 0600);
	unsigned *head = (unsigned *)(page + 1024);

	for (int i = 0; i < 64 && fd >= 0; i++) {
		memset(page, 0, sizeof(page));
		if (!i) {
			head[0] = 1;  /* version */
			head[1] = 63; /* last page */
			memcpy(page + 4086, "SWAPSPACE2", 10);
		}
		if (write(fd, page, sizeof(page)) != sizeof(page))
			return judge("write", errno, -1, -1);
	}
	if (fd < 0 || fsync(fd) || swapon("/mnt/swap", 0))
		return judge("swapon", errno, -1, -1);
	if (swapoff("/mnt/swap"))
		return judge("swapoff", errno, -1, -1);
	printf("swapped on and off");
	return WORKS;
}

static const struct {
	const char *name;
	enum answer (*ask)(void);
} list[] = {
        {"fdinfo-perm", fdinfo_perm},     {"eprobe-match", eprobe_match}, {"migrate-null", migrate_null},
        {"keys-describe", keys_describe}, {"dcache-mount", mount_over},   {"swapon-encrypted", swap_on},
};

int main(int argc, char **argv)
{
	static const char *const words[] = {"FIXED", "VULNERABLE", "WORKS", "CANNOT TELL"};

	for (size_t i = 0; argc == 2 && i < sizeof(list) / sizeof(*list); i++) {
		int status;
		pid_t child;

		if (strcmp(argv[1], list[i].name))
			continue;
		fflush(stdout);
		child = fork(); /* what it does to itself ends with it */
		if (!child) {
			enum answer answer = list[i].ask();

			printf(" -> %s\n", words[answer]);
			fflush(stdout);
			_exit((int)answer);
		}
		waitpid(child, &status, 0);
		return WIFEXITED(status) ? WEXITSTATUS(status) : CANNOT_TELL;
	}
	fprintf(stderr, "usage: corpus NAME\n");
	return CANNOT_TELL;
}
