// SPDX-License-Identifier: Apache-2.0
/*
 * Small reproducers of kernel fixes that Newleaf's example leaves carry: `repro NAME` asks the running kernel, by
 * behaviour alone, whether it has the fix. Not an exploit of anything: each one shows the difference and undoes what it
 * did. Exit: 0 FIXED, 1 VULNERABLE, 2 cannot tell. `repro --all` runs every one and exits with the worst answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum answer { FIXED = 0, VULNERABLE = 1, CANNOT_TELL = 2 };

static const char *error_name(int error)
{
	const char *name = strerrorname_np(error);
	return error == 0 ? "ok" : name ? name : "?";
}

/* Common ending: this error means fixed, that one vulnerable, all else is no answer. */
static enum answer judge(const char *what, int error, int if_fixed, int if_vulnerable)
{
	printf("%s: %s", what, error_name(error));
	return error == if_fixed ? FIXED : error == if_vulnerable ? VULNERABLE : CANNOT_TELL;
}

/* /proc/self/net is a directory whose mode nobody may change; without .setattr in its inode operations anybody who owns
 * it can. */
static enum answer proc_net_chmod(void)
{
	struct stat before;
	if (stat("/proc/self/net", &before) != 0)
		return judge("stat /proc/self/net", errno, -1, -1);
	int error = chmod("/proc/self/net", 0777) == 0 ? 0 : errno;
	if (error == 0)
		chmod("/proc/self/net", before.st_mode & 07777);
	return judge("chmod(\"/proc/self/net\", 0777)", error, EPERM, 0);
}

/* A shorter auxiliary vector than before must not let the tail of the old one show. */
static enum answer prctl_auxv(void)
{
	static const unsigned long vector[2] = {6 /* AT_PAGESZ */, 4096};
	char buffer[4096];
	if (prctl(PR_SET_MM, PR_SET_MM_AUXV, vector, sizeof(vector), 0) != 0)
		return judge("prctl(PR_SET_MM_AUXV)", errno, -1, -1);
	int fd = open("/proc/self/auxv", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buffer, sizeof(buffer));
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return judge("read /proc/self/auxv", errno, -1, -1);
	printf("/proc/self/auxv after a one-entry vector: %zd bytes, %zd entries", n, n / 16);
	return n == 32 ? FIXED : n > 32 ? VULNERABLE : CANNOT_TELL;
}

/* An offset of a time namespace that overflows the clock must be refused. */
static enum answer timens_range(void)
{
	static const char offset[] = "monotonic 10 18446744073709551615";
	if (unshare(0x80 /* CLONE_NEWTIME */) != 0)
		return judge("unshare(CLONE_NEWTIME)", errno, -1, -1);
	int fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return judge("open /proc/self/timens_offsets", errno, -1, -1);
	int error = write(fd, offset, strlen(offset)) < 0 ? errno : 0;
	close(fd);
	return judge("write \"monotonic 10 18446744073709551615\"", error, EINVAL, 0);
}

/* Hint bits of an I/O priority are no part of its level. */
static enum answer ioprio_hint(void)
{
	int error = syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 8) == 0 ? 0 : errno;
	return judge("ioprio_set(1, 0, 2<<13 | 8)", error, 0, EINVAL);
}

/* A ring of provided buffers whose end wraps around the address space. */
static enum answer uring_pin(void)
{
	uint32_t params[30] = {0};
	struct {
		uint64_t address;
		uint32_t entries;
		uint16_t group, flags;
		uint64_t reserved[3];
	} ring = {.address = 0xfffffffffffff000ULL, .entries = 256};
	int fd = (int)syscall(SYS_io_uring_setup, 1, params);
	if (fd < 0)
		return judge("io_uring_setup", errno, -1, -1);
	int error = syscall(SYS_io_uring_register, fd, 22 /* IORING_REGISTER_PBUF_RING */, &ring, 1) == 0 ? 0 : errno;
	close(fd);
	return judge("REGISTER_PBUF_RING at 0xfffffffffffff000", error, EOVERFLOW, ENOMEM);
}

/* Nothing that is wrong with a kernel: the example of a mitigation (newleaf kill). */
static enum answer userns_off(void)
{
	int error = unshare(CLONE_NEWUSER) == 0 ? 0 : errno;

	return judge("unshare(CLONE_NEWUSER)", error, EPERM, 0);
}

static const struct {
	const char *name;
	enum answer (*ask)(void);
	int not_of_all; /* asked by its name only */
} repros[] = {
        {"proc-net-chmod", proc_net_chmod, 0}, {"prctl-auxv", prctl_auxv, 0}, {"timens-range", timens_range, 0},
        {"ioprio-hint", ioprio_hint, 0},       {"uring-pin", uring_pin, 0},   {"userns-off", userns_off, 1},
};

/* Each runs in a child of its own: what it does to itself (auxiliary vector, time namespace) ends with it. */
static enum answer run(size_t i)
{
	static const char *const words[] = {"FIXED", "VULNERABLE", "CANNOT TELL"};
	int status = 0;
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		printf("%-15s ", repros[i].name);
		enum answer answer = repros[i].ask();
		printf(" -> %s\n", words[answer]);
		fflush(stdout);
		_exit((int)answer);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) {
		printf("%-15s child died -> %s\n", repros[i].name, words[CANNOT_TELL]);
		return CANNOT_TELL;
	}
	return (enum answer)WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	const size_t n = sizeof(repros) / sizeof(repros[0]);
	enum answer worst = FIXED;
	for (size_t i = 0; argc == 2 && i < n; i++) {
		if (strcmp(argv[1], repros[i].name) == 0)
			return (int)run(i);
		if (strcmp(argv[1], "--all") == 0 && !repros[i].not_of_all) {
			enum answer answer = run(i);
			worst = answer > worst ? answer : worst;
		}
	}
	if (argc == 2 && strcmp(argv[1], "--all") == 0)
		return (int)worst;
	fprintf(stderr, "usage: repro --all|NAME; names:");
	for (size_t i = 0; i < n; i++)
		fprintf(stderr, " %s", repros[i].name);
	fprintf(stderr, "\n");
	return CANNOT_TELL;
}
