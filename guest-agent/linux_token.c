// SPDX-License-Identifier: Apache-2.0
/*
 * The agent's second door, for kernels whose lockdown keeps the I/O port even from root: a token read from a private
 * MSR by the kernel's msr driver (which asks for CAP_SYS_RAWIO, and which lockdown leaves readable), presented by a
 * CPUID on the same CPU.
 */
#define _GNU_SOURCE
#include "linux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRIES 16 /* another caller on this CPU, or a new kernel's CPU, may void a token before it is presented */

static int fds[CPU_SETSIZE]; /* of /dev/cpu/N/msr, plus one; 0 = not open */

/* true: NL_TOKEN_TAKEN came back, and with it the answer. All else is what CPUID does on any machine. */
static bool present(struct nl_registers *r, uint64_t token)
{
	register uint64_t r8 __asm__("r8") = r->r8;
	uint64_t rax = r->rax, rbx = r->rbx, rcx = r->rcx, begin = __builtin_ia32_rdtsc();

	__asm__ volatile("cpuid"
	                 : "+a"(rax), "+b"(rbx), "+c"(rcx), "+d"(token), "+r"(r8)
	                 : "S"(r->rsi), "D"(r->rdi)
	                 : "memory");
	r->taken = __builtin_ia32_rdtsc() - begin;
	if (token != NL_TOKEN_TAKEN)
		return false;
	r->rax = rax;
	r->rcx = rcx;
	r->r8 = r8;
	return true;
}

/* The kernel's own loader of modules, and the name it has for it: proc(5), /proc/sys/kernel/modprobe. */
static bool load_driver(void)
{
	char path[256] = "/sbin/modprobe";
	int fd = open("/proc/sys/kernel/modprobe", O_RDONLY | O_CLOEXEC), status = -1;
	ssize_t n = fd >= 0 ? read(fd, path, sizeof(path) - 1) : 0;
	pid_t child;

	if (fd >= 0)
		close(fd);
	if (n > 0)
		path[strcspn(path, "\n")] = '\0';
	child = fork();
	if (child == 0) {
		char *const args[] = {path, "-q", "msr", NULL}, *const environment[] = {"PATH=/usr/sbin:/usr/bin",
		                                                                        NULL};

		execve(path, args, environment);
		_exit(127);
	}
	return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int device(unsigned cpu)
{
	char path[32];

	if (cpu >= CPU_SETSIZE)
		return -1;
	if (!fds[cpu]) {
		snprintf(path, sizeof(path), "/dev/cpu/%u/msr", cpu);
		fds[cpu] = open(path, O_RDONLY | O_CLOEXEC) + 1;
	}
	return fds[cpu] - 1;
}

/* Stays on one CPU between reading and presenting. The threads of a gather are pinned already. */
static bool pin(cpu_set_t *old)
{
	int cpu = sched_getcpu();
	cpu_set_t one;

	if (cpu < 0 || sched_getaffinity(0, sizeof(*old), old) != 0)
		return false;
	if (CPU_COUNT(old) == 1)
		return true;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	return sched_setaffinity(0, sizeof(one), &one) == 0;
}

bool nl_linux_token_call(struct nl_registers *r)
{
	bool readable = false, done = false;
	cpu_set_t old;

	for (int i = 0; i < TRIES && !done; i++) {
		uint64_t token;
		int fd;

		if (!pin(&old))
			continue; /* that CPU has gone meanwhile */
		fd = device((unsigned)sched_getcpu());
		readable = fd >= 0 && pread(fd, &token, sizeof(token), NL_TOKEN_MSR) == sizeof(token);
		done = readable && present(r, token);
		if (CPU_COUNT(&old) > 1)
			sched_setaffinity(0, sizeof(old), &old);
	}
	return readable;
}

/* Nothing of this process stands in the way: it has the capability, and no filter of system calls. */
static bool may_rawio(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	return syscall(SYS_capget, &header, data) == 0 && data[0].effective & 1u << CAP_SYS_RAWIO &&
	       prctl(PR_GET_SECCOMP) == 0;
}

enum nl_err nl_linux_token_open(struct nl_details *details)
{
	struct nl_registers nothing = {.rax = NL_CALL_MAGIC};
	cpu_set_t cpus;

	if (device((unsigned)sched_getcpu()) < 0 && errno == ENOENT && geteuid() == 0)
		(void)load_driver();
	if (device((unsigned)sched_getcpu()) < 0) {
		details->sys_errno = errno;
		if (geteuid() != 0)
			details->reason = NL_WHY_NOT_ROOT;
		else if (details->sys_errno == EPERM || !may_rawio())
			details->reason = NL_WHY_NO_RAWIO;
		else
			details->reason = NL_WHY_NO_DRIVER;
		return NL_EROOT;
	}
	if (!nl_linux_token_call(&nothing) || nothing.rax == NL_CALL_MAGIC) {
		details->reason = NL_WHY_FORBIDDEN;
		return NL_EROOT;
	}
	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0) /* not first in the middle of a gather */
		for (unsigned i = 0; i < CPU_SETSIZE; i++)
			if (CPU_ISSET(i, &cpus))
				(void)device(i);
	return NL_OK;
}

void nl_linux_token_close(void)
{
	for (unsigned i = 0; i < CPU_SETSIZE; i++)
		if (fds[i])
			close(fds[i] - 1);
	memset(fds, 0, sizeof(fds));
}
