// SPDX-License-Identifier: Apache-2.0
/*
 * The part of `broad` that comes from outside: calls of 32-bit programs, values of /proc/sys and /sys that are written
 * back as they were read, device nodes, programs that are no programs, faults of every kind and their core files.
 */
#include "broad.h"

#include <dirent.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#define LAST_CALL_32 470

/* As `harmful` of broad.c, by the numbers of i386. */
static const short harmful_32[] = {88,  283, 128, 350, 129, 21,  22, 52,  217, 61,  87,  115, 74,  121, 110, 101,
                                   79,  25,  264, 343, 124, 111, 37, 238, 270, 120, 2,   190, 435, 51,  103, 26,
                                   340, 440, 97,  241, 29,  179, 72, 253, 429, 135, 404, 405, 178, 335, 424, 112};

static long call_32(long n, uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e)
{
	long result;

	__asm__ volatile("int $0x80"
	                 : "=a"(result)
	                 : "a"(n), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
	                 : "memory", "r8", "r9", "r10", "r11");
	return result;
}

static void call_32_all_ways(long number)
{
	char *low = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	uint32_t b = (uint32_t)(uintptr_t)low, p = b + 8192,
	         fd = (uint32_t)open(BROAD_HOME "/file", O_RDWR | O_CREAT, 0600);
	const uint32_t ways[][5] = {{fd, b, 64, 0, 0},       {p, b, 64, 0, 0},  {b, b, b, b, b},     {0, 0, 0, 0, 0},
	                            {1, 1, 1, 1, 1},         {fd, p, b, 64, 0}, {-100U, p, b, 0, 0}, {fd, 2, 64, b, 0},
	                            {-100U, p, -100U, p, 0}, {0, b, 8, 8, b},   {0, b, 8, 0, 0}};

	if (low == MAP_FAILED || ftruncate((int)fd, 8192))
		return;
	strcpy(low + 8192, BROAD_HOME "/file");
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct itimerval soon = {{0, 30000}, {0, 30000}};

		memset(low, (int)i, 2048);
		setitimer(ITIMER_REAL, &soon, NULL);
		call_32(number, ways[i][0], ways[i][1], ways[i][2], ways[i][3], ways[i][4]);
	}
}

/* socketcall and ipc: one number, many calls. */
static void calls_in_calls_32(long unused)
{
	uint32_t *low = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	uint32_t b = (uint32_t)(uintptr_t)low;

	(void)unused;
	if (low == MAP_FAILED)
		return;
	low[1024] = b + 5000, low[1025] = 64; /* an iovec */
	for (uint32_t call = 1; call < 21; call++)
		for (int family = 1; family < 3; family++) {
			uint32_t pair[2] = {0, 0};
			const uint32_t of_socket[6] = {pair[0], b + 4096, 16, 0x40, b + 4200, b + 4300};

			low[0] = (uint32_t)family, low[1] = 2, low[2] = 0, low[3] = b + 100;
			call_32(102, 8, b, 0, 0, 0); /* socketpair */
			low[0] = (uint32_t)family, low[1] = 1 + (call & 1), low[2] = 0;
			pair[0] = (uint32_t)call_32(102, 1, b, 0, 0, 0);
			memcpy(low, of_socket, sizeof(of_socket));
			low[0] = pair[0];
			low[1050] = b + 4400, low[1051] = 16, low[1052] = b + 4096, low[1053] = 1; /* a msghdr */
			setitimer(ITIMER_REAL, &(struct itimerval){{0, 30000}, {0, 30000}}, NULL);
			call_32(102, call, b, 0, 0, 0);
			low[0] = pair[0], low[1] = b + 4200, low[2] = 0x40, low[3] = 64, low[4] = 0;
			call_32(102, call, b, 0, 0, 0);
			low[0] = pair[0], low[1] = 1, low[2] = call, low[3] = b + 4096, low[4] = b + 4090;
			call_32(102, call, b, 0, 0, 0);
		}
	for (uint32_t kind = 0; kind < 3; kind++) { /* message queues, semaphores, shared memory */
		static const uint32_t get[] = {13, 2, 23}, control[] = {14, 3, 24};
		uint32_t id = (uint32_t)call_32(117, get[kind], 0, kind == 1 ? 2 : 0x3ff, 0x3ff, 0);

		if (kind == 2)
			id = (uint32_t)call_32(117, 23, 0, 8192, 0x380, 0);
		if (kind == 0)
			id = (uint32_t)call_32(117, 13, 0, 0x380, 0, 0);
		low[0] = 1;
		call_32(117, 11, id, 16, 04000, b);
		call_32(117, 12 | 1 << 16, id, 16, 04000, b);
		call_32(117, 12, id, 16, 04000, b + 64);
		call_32(117, 1, id, 1, 0, b + 200);
		call_32(117, 4, id, 1, 0, b + 200);
		call_32(117, 21, id, 0, b + 300, 0);
		call_32(117, 22, 0, 0, 0, low[75]);
		for (uint32_t command = 1; command < 20; command++) {
			low[100] = b + 1000;
			call_32(117, control[kind], id, command & 1 ? 0 : 1, command | 0x100, b + 400);
			call_32(117, control[kind], id, 0, command, b + 400);
		}
		call_32(117, control[kind], id, 0, 0, b + 400);
	}
	for (uint32_t request = 0x5400; request < 0x5470; request++)
		call_32(54, 0, request == 0x541d ? 0x5401 : request, b, 0, 0);
}

static void calls_32(long unused)
{
	(void)unused;
	for (long n = 3; n < LAST_CALL_32; n++) {
		size_t i;

		for (i = 0; i < sizeof(harmful_32) / sizeof(harmful_32[0]); i++)
			if (harmful_32[i] == n)
				break;
		if (i == sizeof(harmful_32) / sizeof(harmful_32[0]))
			broad_child(call_32_all_ways, n, 2);
	}
	broad_child(calls_in_calls_32, 0, 4);
}

static char here[4096];

/* Where writing back what was read is not nothing: it starts something, taints, or the value is another when read. */
static const char *const not_written[] = {"/sys/kernel/debug",
                                          "/sys/kernel/tracing",
                                          "/sys/fs/cgroup",
                                          "/efivars",
                                          "/sys/power/state",
                                          "/sys/power/disk",
                                          "/sys/power/resume",
                                          "/sys/power/autosleep",
                                          "/sys/power/pm_",
                                          "/reset",
                                          "/remove",
                                          "/rescan",
                                          "/unbind",
                                          "/bind",
                                          "/new_id",
                                          "/uevent",
                                          "/config",
                                          "/resource",
                                          "/rom",
                                          "/vpd",
                                          "/numa_node",
                                          "/driver_override",
                                          "/enable",
                                          "/firmware/acpi",
                                          "/kernel/profiling",
                                          "/kernel/reboot",
                                          "/kernel/security",
                                          "/tty/",
                                          "/fs/selinux",
                                          "/crash_",
                                          "/kexec_",
                                          "/sys/kernel/boot_params",
                                          "/proc/sysrq",
                                          "/nvmem",
                                          "/dev_loss",
                                          "/probe",
                                          "/delete",
                                          "/sys/proc/",
                                          "randomize_va_space_",
                                          "/sys/kernel/modules_disabled",
                                          "/kexec_load_disabled",
                                          "unprivileged_bpf_disabled",
                                          "/panic",
                                          "bpf_stats_enabled",
                                          "/compact_memory",
                                          "/drop_caches",
                                          "/self",
                                          "/stat_refresh"};

static void write_back(long unused)
{
	DIR *d = opendir(here);
	size_t n = strlen(here);
	struct dirent *e;

	(void)unused;
	while (d && (e = readdir(d))) {
		static char bytes[4096];
		struct stat s;
		bool skip = false;
		ssize_t got;
		int fd;

		if (e->d_type != DT_REG || n + strlen(e->d_name) + 2 > sizeof(here))
			continue;
		sprintf(here + n, "/%s", e->d_name);
		for (size_t i = 0; i < sizeof(not_written) / sizeof(not_written[0]); i++)
			skip |= strstr(here, not_written[i]) != NULL;
		fd = skip || stat(here, &s) || (s.st_mode & 0600) != 0600 ? -1 : open(here, O_RDWR | O_NONBLOCK);
		here[n] = 0;
		if (fd < 0)
			continue;
		got = read(fd, bytes, sizeof(bytes) - 1);
		if (got > 0 && (size_t)got < sizeof(bytes) - 1 && !lseek(fd, 0, SEEK_SET))
			(void)!write(fd, bytes, (size_t)got);
		(void)!write(fd, "\n", 0);
		close(fd);
	}
}

static void write_back_tree(int depth)
{
	DIR *d = opendir(here);
	size_t n = strlen(here);
	struct dirent *e;

	broad_child(write_back, 0, 4);
	while (d && depth < 12 && (e = readdir(d))) {
		if (e->d_name[0] == '.' || e->d_type != DT_DIR || n + strlen(e->d_name) + 2 > sizeof(here))
			continue;
		sprintf(here + n, "/%s", e->d_name);
		if (!strstr(here, "/kernel/debug") && !strstr(here, "/kernel/tracing"))
			write_back_tree(depth + 1);
		here[n] = 0;
	}
	if (d)
		closedir(d);
}

static void written_back(long which)
{
	strcpy(here, which ? "/sys" : "/proc/sys");
	write_back_tree(0);
}

/* Choices that a disk and a kernel offer, each taken once. */
static void choices(long unused)
{
	static const struct {
		const char *file, *values[8];
	} all[] = {{"/sys/block/nvme0n1/queue/scheduler", {"mq-deadline", "none", "kyber", "bfq", "none"}},
	           {"/sys/block/nvme0n1/queue/wbt_lat_usec", {"1000", "-1", "0"}},
	           {"/sys/block/nvme0n1/queue/nr_requests", {"32", "64"}},
	           {"/sys/block/nvme0n1/queue/iostats", {"0", "1"}},
	           {"/sys/block/nvme0n1/queue/write_cache", {"write through", "write back"}},
	           {"/sys/block/nvme0n1/queue/io_poll_delay", {"0", "-1"}},
	           {"/sys/kernel/mm/transparent_hugepage/enabled", {"always", "never", "madvise"}},
	           {"/sys/kernel/mm/transparent_hugepage/defrag", {"always", "defer", "defer+madvise", "madvise"}},
	           {"/sys/kernel/mm/transparent_hugepage/shmem_enabled", {"advise", "within_size", "never"}},
	           {"/proc/sys/net/ipv4/tcp_congestion_control", {"reno", "cubic"}},
	           {"/proc/sys/net/core/default_qdisc", {"pfifo_fast", "fq_codel"}},
	           {"/proc/sys/kernel/sched_schedstats", {"1", "0"}},
	           {"/proc/sys/kernel/task_delayacct", {"1", "0"}},
	           {"/proc/sys/kernel/bpf_stats_enabled", {"1", "0"}},
	           {"/proc/sys/vm/stat_refresh", {"1"}},
	           {"/proc/sys/vm/compact_memory", {"1"}},
	           {"/proc/sys/vm/drop_caches", {"1", "2", "3"}},
	           {"/proc/sys/vm/nr_hugepages", {"4", "0"}},
	           {"/proc/sys/kernel/core_pattern", {"|/bin/busybox true %p", "core"}},
	           {"/proc/sysrq-trigger", {"h", "m", "s", "n"}},
	           {"/sys/devices/system/cpu/cpu1/online", {"0", "1"}},
	           {"/sys/power/pm_test", {"none"}},
	           {"/sys/power/wakeup_count", {"0"}},
	           {"/sys/class/rtc/rtc0/wakealarm", {"+1000", "0"}},
	           {"/sys/devices/virtual/workqueue/cpumask", {"1", "3"}},
	           {"/sys/kernel/mm/lru_gen/enabled", {"7", "0", "7"}},
	           {"/proc/self/oom_score_adj", {"100", "0"}},
	           {"/proc/self/coredump_filter", {"7f", "33"}},
	           {"/proc/self/clear_refs", {"1", "2", "3", "4", "5"}},
	           {"/proc/self/timerslack_ns", {"1000", "0"}},
	           {"/proc/self/comm", {"broad"}},
	           {"/proc/self/autogroup", {"5"}},
	           {"/proc/self/sched", {"0"}},
	           {"/proc/self/attr/current", {"changeprofile unconfined", "nonsense"}},
	           {"/proc/self/attr/exec", {"exec unconfined"}},
	           {"/proc/self/loginuid", {"0", "4294967295"}},
	           {"/proc/mtrr", {"disable=9"}},
	           {"/sys/kernel/security/apparmor/.load", {"nonsense of a policy"}},
	           {"/sys/kernel/security/apparmor/.remove", {"nobody"}},
	           {"/sys/kernel/security/apparmor/.access", {"label\0"}}};

	(void)unused;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		for (int v = 0; v < 8 && all[i].values[v]; v++) {
			broad_put(all[i].file, all[i].values[v]);
			if (!strncmp(all[i].file, "/sys/block", 10))
				broad_read("/dev/nvme0n1");
		}
}

/* The console and the tests' own line; what sleeps the machine, sets it back, or ends processes. */
static const char *const not_opened[] = {"/ttyS", "/console", "/hvc",  "/snapshot", "/watchdog", "/nvram",
                                         "/port", "/mem",     "/kmsg", "/sda",      "/vda"};

static void device(long unused)
{
	static const unsigned char kinds[] = {'T',  'K',  'V',  'F',  'E',  'p',  'h',  'R',  'U',
	                                      'B',  0x12, 0x03, 0x02, 0x54, 0x4b, 0x56, 0x45, 0x09,
	                                      0xfd, 0xe5, 0xaa, 'M',  'r',  's',  'b',  'k',  'v'};
	static char bytes[8192];
	int fd = open(here, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	bool disk = strstr(here, "nvme") != NULL;

	(void)unused;
	if (fd < 0)
		return;
	poll(&(struct pollfd){.fd = fd, .events = POLLIN | POLLOUT}, 1, 0);
	(void)!read(fd, bytes, 512);
	fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK);
	(void)mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	(void)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	for (size_t k = 0; k < sizeof(kinds); k++)
		for (unsigned n = 0; n < 0xa0; n++) {
			unsigned request = (unsigned)kinds[k] << 8 | n;

			if (request == 0x541d || request == 0x5437 || (disk && kinds[k] != 0x12 && kinds[k] != 0x03))
				continue;
			setitimer(ITIMER_REAL, &(struct itimerval){{0, 30000}, {0, 30000}}, NULL);
			memset(bytes, n & 3 ? 0 : 1, 512);
			if (kinds[k] < 0x10 || kinds[k] == 'T' || kinds[k] == 'K' || kinds[k] == 'V' ||
			    kinds[k] == 0x12 || kinds[k] == 'F')
				ioctl(fd, request, bytes);
			for (unsigned size = 4; size <= 64 && !disk; size *= 2)
				ioctl(fd, request | 2U << 30 | size << 16, bytes),
				        ioctl(fd, request | 1U << 30 | size << 16, bytes);
		}
	close(fd);
}

static void devices(long unused)
{
	static const char *const folders[] = {"/dev",       "/dev/input", "/dev/net", "/dev/mapper",
	                                      "/dev/cpu/0", "/dev/vfio",  "/dev/snd", "/dev/dri"};

	(void)unused;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		DIR *d = opendir(folders[i]);
		struct dirent *e;

		while (d && (e = readdir(d))) {
			bool skip = e->d_type != DT_CHR && e->d_type != DT_BLK;
			const char *n = e->d_name; /* of 64 terminals and their copies a few */

			skip |= !strncmp(n, "tty", 3) && n[3] && n[3] != '0' && strcmp(n, "tty9");
			skip |= !strncmp(n, "vcs", 3) && n[3] && strcmp(n, "vcs1") && strcmp(n, "vcsa1") &&
			        strcmp(n, "vcsu1");
			snprintf(here, sizeof(here), "%s/%s", folders[i], n);
			for (size_t j = 0; j < sizeof(not_opened) / sizeof(not_opened[0]); j++)
				skip |= strstr(here, not_opened[j]) != NULL;
			if (!skip)
				broad_child(device, 0, 3);
		}
		if (d)
			closedir(d);
	}
}

static void write_file(const char *name, const char *bytes, size_t n)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0700);

	(void)!write(fd, bytes, n);
	close(fd);
}

static void execute(char *const *arguments)
{
	static char *const environment[] = {"A=b", NULL};
	pid_t pid = fork();

	if (!pid) {
		int nowhere = open("/dev/null", O_RDWR);

		dup2(nowhere, 0), dup2(nowhere, 1), dup2(nowhere, 2);
		execve(arguments[0], arguments, environment);
		_exit(1);
	}
	waitpid(pid, NULL, 0);
}

static void programs(long unused)
{
	static const char script[] = "#!/bin/sh -e\n:\n", self[] = "#!" BROAD_HOME "/self\n", line[] = "#!\n",
	                  text[] = "nothing\n";
	static char *many[2002];
	char *args[] = {BROAD_HOME "/program", "a", "b", NULL}, elf[4096] = {0};
	int fd = open("/proc/self/exe", O_RDONLY);

	(void)unused;
	write_file(args[0], script, sizeof(script) - 1), execute(args);
	write_file(BROAD_HOME "/self", self, sizeof(self) - 1), execute(args);
	write_file(args[0], line, sizeof(line) - 1), execute(args);
	write_file(args[0], text, sizeof(text) - 1), execute(args);
	write_file(args[0], text, 0), execute(args);
	(void)!read(fd, elf, sizeof(elf));
	for (unsigned at = 4; at < 0x120; at += 3) { /* a header with one byte that is wrong */
		elf[at] = (char)(elf[at] ^ 0x41);
		write_file(args[0], elf, sizeof(elf)), execute(args);
		elf[at] = (char)(elf[at] ^ 0x41);
	}
	for (int i = 0; i < 2000; i++)
		many[i] = i ? "an argument of some length, and another word" : "/bin/busybox";
	many[1] = "true";
	execute(many);
	fd = (int)syscall(SYS_memfd_create, "p", 0);
	write_file(args[0], script, sizeof(script) - 1);
	(void)!write(fd, script, sizeof(script) - 1);
	if (!fork())
		syscall(SYS_execveat, fd, "", args, NULL, AT_EMPTY_PATH);
	wait(NULL);
	setrlimit(RLIMIT_STACK, &(struct rlimit){1 << 16, 1 << 20});
	execute(many);
	mkdir(BROAD_HOME "/binfmt", 0700);
	mount("none", BROAD_HOME "/binfmt", "binfmt_misc", 0, NULL);
	umount(BROAD_HOME "/binfmt");
}

static void caught(int number)
{
	(void)number;
	_exit(0);
}

static void fault(long which)
{
	static char stack[65536];
	char *page = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int kind = (int)(which & 15);
	volatile int zero = 0;

	if (which & 16) {
		sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof(stack)}, NULL);
		for (int i = 1; i < 32; i++)
			sigaction(i, &(struct sigaction){.sa_handler = caught, .sa_flags = SA_ONSTACK}, NULL);
	} else {
		setrlimit(RLIMIT_CORE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
		(void)!chdir(BROAD_HOME);
	}
	switch (kind) {
	case 0:
		*(volatile int *)(uintptr_t)which = 1;
		break;
	case 1:
		page[1] = 1;
		break;
	case 2:
		((void (*)(void))(uintptr_t)page)();
		break;
	case 3:
		*(volatile int *)0x8000000000000000UL = 1;
		break;
	case 4:
		zero = 1 / zero;
		break;
	case 5:
		__asm__ volatile("ud2");
		break;
	case 6:
		__asm__ volatile("int3");
		break;
	case 7:
		__asm__ volatile("pushf; orl $0x100, (%%rsp); popf; nop; nop" ::: "memory");
		break;
	case 8:
		__asm__ volatile("cli");
		break;
	case 9:
		__asm__ volatile("fldcw %0; fldz; fld1; fdivp; fwait" ::"m"((uint16_t){0x340}));
		break;
	case 10:
		__asm__ volatile("ldmxcsr %0; divss %1, %1" ::"m"((uint32_t){0}), "x"(0.0f));
		break;
	case 11:
		*(volatile int *)0xffffffff81000000UL = 1;
		break;
	case 12:
		__asm__ volatile("int $0x50");
		break;
	case 13:
		__asm__ volatile("mov %0, %%rsp; push %%rax" ::"r"(16UL));
		break;
	case 14:
		raise(SIGABRT);
		break;
	default:
		__asm__ volatile(".byte 0xf1");
		break; /* int1 */
	}
}

static void faults(long unused)
{
	(void)unused;
	for (long i = 0; i < 32; i++)
		broad_child(fault, i, 3);
}

static void seccomp(long unused)
{
	struct sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
	                             BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
	                             BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1),
	                             BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getuid, 0, 1),
	                             BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
	                             BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getgid, 0, 1),
	                             BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_LOG),
	                             BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_geteuid, 0, 1),
	                             BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL),
	                             BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	(void)unused;
	sigaction(SIGSYS, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, (char[16]){0});
	syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &(uint32_t){SECCOMP_RET_LOG});
	syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
	syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
	getppid(), getgid();
	if (!fork())
		getuid(), _exit(0);
	if (!fork())
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT), syscall(SYS_getpid);
	wait(NULL), wait(NULL);
	geteuid();
}

const struct broad_step broad_system[] = {
        {"calls-32", calls_32, 0, 120}, {"sysctls", written_back, 0, 40}, {"sysfs", written_back, 1, 60},
        {"choices", choices, 0, 30},    {"devices", devices, 0, 90},      {"programs", programs, 0, 20},
        {"faults", faults, 0, 30},      {"seccomp", seccomp, 0, 10},      {NULL, NULL, 0, 0}};
