// SPDX-License-Identifier: Apache-2.0
/*
 * Walks through as much of a kernel as a root shell can reach without harm: every file of /proc and /sys is read, every
 * system call is called with several kinds of arguments, sockets of every family, every file system that needs no disk,
 * memory, files, timers, namespaces; the other parts (broad_*.c) say what they add. What the calls answer does not
 * matter; that the kernel stays well does (its log says). Each step is a child with a time limit of its own. Prints the
 * steps and how many children there were; exit 1 only when there is no child to be had.
 * --quick: a few seconds of it. --all: the other parts, too. --only NAME: the steps of those whose names begin so.
 */
#include "broad.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define LAST_CALL 470
#define HOME BROAD_HOME

static unsigned long *children; /* of the steps, too */

static void tell(const char *name)
{
	struct timespec now;
	char line[64];

	clock_gettime(CLOCK_BOOTTIME, &now);
	printf("%ld %s\n", (long)now.tv_sec, name);
	snprintf(line, sizeof(line), "<6>broad: %s", name); /* beside what the kernel says of it */
	broad_put("/dev/kmsg", line);
}

static pid_t child;

static void give_up(int number)
{
	(void)number;
	kill(-child, SIGKILL);
	kill(child, SIGKILL);
}

static void wake(int number) { (void)number; }

/* Runs the step in a child that lives for so many seconds at most, whatever it does with signals. */
static void step(void (*what)(long), long with, unsigned seconds)
{
	child = fork();
	if (child < 0) {
		perror("fork");
		exit(1);
	}
	if (!child) {
		int nowhere = open("/dev/null", O_RDWR);

		/* a step that writes megabytes to 1 would be heard for hours: answers travel by a serial line */
		dup2(nowhere, 0), dup2(nowhere, 1), dup2(nowhere, 2);
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);                                  /* a step of a step ends with it */
		sigaction(SIGALRM, &(struct sigaction){.sa_handler = wake}, NULL); /* interrupts what sleeps */
		what(with);
		_exit(0);
	}
	++*children;
	sigaction(SIGALRM, &(struct sigaction){.sa_handler = give_up}, NULL);
	setitimer(ITIMER_REAL, &(struct itimerval){{1, 0}, {(long)seconds, 0}}, NULL);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
	kill(-child, SIGKILL); /* what the step left behind */
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* What would end, rename or stop the machine, or reach other processes. */
static const short harmful[] = {
        SYS_reboot,        SYS_kexec_load,    SYS_kexec_file_load, SYS_init_module,   SYS_finit_module,
        SYS_delete_module, SYS_mount,         SYS_umount2,         SYS_pivot_root,    SYS_chroot,
        SYS_swapon,        SYS_swapoff,       SYS_sethostname,     SYS_setdomainname, SYS_iopl,
        SYS_ioperm,        SYS_settimeofday,  SYS_clock_settime,   SYS_clock_adjtime, SYS_adjtimex,
        SYS_vhangup,       SYS_kill,          SYS_tkill,           SYS_tgkill,        SYS_clone,
        SYS_fork,          SYS_vfork,         SYS_clone3,          SYS_acct,          SYS_syslog,
        SYS_ptrace,        SYS_prlimit64,     SYS_process_madvise, SYS_setpriority,   SYS_sched_setaffinity,
        SYS_pause,         SYS_rt_sigsuspend, SYS_lookup_dcookie,  SYS_move_mount,    SYS_sysfs,
};

static void call_all_ways(long number)
{
	static char buffer[4096] __attribute__((aligned(4096))), path[] = HOME "/file";
	long b = (long)buffer, p = (long)path, fd = open(HOME "/file", O_RDWR | O_CREAT, 0600);
	const long ways[][6] = {
	        {fd, b, 64, 0, 0, 0}, {p, b, 64, 0, 0, 0},   {b, b, b, b, b, b},       {0, 0, 0, 0, 0, 0},
	        {1, 1, 1, 1, 1, 1},   {fd, p, b, 64, 0, 0},  {-100, p, b, 0, 0, 0},    {fd, 2, 64, b, 0, 0},
	        {0, b, 8, 8, b, b},   {fd, fd, b, b, 16, 0}, {-100, p, -100, p, 0, 0}, {-1, -1, -1, -1, -1, -1},
	};

	if (ftruncate(fd, 8192))
		return;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct itimerval soon = {{0, 30000}, {0, 30000}};

		memset(buffer, (int)i, sizeof(buffer) / 2);
		setitimer(ITIMER_REAL, &soon, NULL);
		syscall(number, ways[i][0], ways[i][1], ways[i][2], ways[i][3], ways[i][4], ways[i][5]);
	}
}

void broad_child(void (*what)(long), long with, unsigned seconds) { step(what, with, seconds); }

static void every_call(void)
{
	for (long n = 0; n < LAST_CALL; n++) {
		size_t i;

		for (i = 0; i < sizeof(harmful) / sizeof(harmful[0]); i++)
			if (harmful[i] == n)
				break;
		if (i == sizeof(harmful) / sizeof(harmful[0]))
			step(call_all_ways, n, 2);
	}
}

static char here[4096];

static void read_one(void)
{
	static char bytes[65536];
	int fd = open(here, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ssize_t n;

	if (fd < 0)
		return;
	poll(&p, 1, 0);
	n = read(fd, bytes, sizeof(bytes));
	if (n > 0)
		(void)!pread(fd, bytes, 512, 64);
	lseek(fd, 0, SEEK_SET);
	(void)!readv(fd, (struct iovec[]){{bytes, 100}, {bytes + 200, 4000}}, 2);
	munmap(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0), 4096);
	getxattr(here, "security.selinux", bytes, 64);
	close(fd);
}

/* Files whose reading waits for others, takes the log away, or takes for ever, and a tree that is there twice. */
static const char *const left_alone[] = {
        "/proc/kmsg",   "/proc/kcore", "trace_pipe",        "/proc/kpage", "/proc/sysrq-trigger",      "/proc/acpi",
        "snapshot_raw", "/proc/self",  "/proc/thread-self", "hvc",         "/sys/kernel/debug/tracing"};

static bool is_left_alone(const char *path)
{
	for (size_t i = 0; i < sizeof(left_alone) / sizeof(left_alone[0]); i++)
		if (strstr(path, left_alone[i]))
			return true;
	return false;
}

/* All files of the directory `here`, in one child: a fork for each would be most of the work. */
static void read_directory(long unused)
{
	DIR *d = opendir(here);
	size_t n = strlen(here);
	struct dirent *e;

	(void)unused;
	while (d && (e = readdir(d))) {
		if (e->d_type != DT_REG || n + strlen(e->d_name) + 2 > sizeof(here))
			continue;
		sprintf(here + n, "/%s", e->d_name);
		if (!is_left_alone(here))
			read_one();
		here[n] = 0;
	}
}

static void read_tree(int depth)
{
	DIR *d = opendir(here);
	size_t n = strlen(here);
	struct dirent *e;

	step(read_directory, 0, 4);
	while (d && depth < 12 && (e = readdir(d))) {
		if (e->d_name[0] == '.' || e->d_type != DT_DIR || n + strlen(e->d_name) + 2 > sizeof(here))
			continue;
		sprintf(here + n, "/%s", e->d_name);
		if (!is_left_alone(here))
			read_tree(depth + 1);
		here[n] = 0;
	}
	if (d)
		closedir(d);
}

static void files(long unused)
{
	int fd = open(HOME "/data", O_RDWR | O_CREAT | O_TRUNC, 0600), p[2], other;
	static char bytes[70000];
	char *map;

	(void)unused;
	for (int i = 0; i < 30; i++)
		(void)!pwrite(fd, bytes, sizeof(bytes), i * 100000);
	fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 65536);
	fallocate(fd, FALLOC_FL_ZERO_RANGE, 8192, 65536);
	fallocate(fd, 0, 0, 1 << 20);
	map = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map != MAP_FAILED) {
		memset(map, 7, 1 << 20);
		msync(map, 1 << 20, MS_SYNC);
		for (int advice = 0; advice < 26; advice++)
			madvise(map, 1 << 19, advice);
		(void)mremap(map, 1 << 20, 1 << 21, MREMAP_MAYMOVE);
	}
	fsetxattr(fd, "user.a", "b", 1, 0);
	fsetxattr(fd, "trusted.a", "b", 1, 0);
	flistxattr(fd, bytes, sizeof(bytes));
	flock(fd, 2);
	fcntl(fd, F_SETLK, &(struct flock){.l_type = F_WRLCK, .l_len = 100});
	fcntl(fd, F_SETLEASE, F_RDLCK);
	if (!pipe(p)) {
		fcntl(p[0], F_SETPIPE_SZ, 1 << 16);
		splice(fd, &(off64_t){0}, p[1], NULL, 4096, 0);
		tee(p[0], p[1], 100, SPLICE_F_NONBLOCK);
		vmsplice(p[1], &(struct iovec){bytes, 4096}, 1, SPLICE_F_NONBLOCK);
		(void)!read(p[0], bytes, 4096);
	}
	other = open(HOME "/copy", O_RDWR | O_CREAT, 0600);
	sendfile(other, fd, NULL, 100000);
	copy_file_range(fd, NULL, other, NULL, 5000, 0);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	fsync(other);
	link(HOME "/copy", HOME "/link");
	symlink("copy", HOME "/symlink");
	rename(HOME "/link", HOME "/renamed");
	mkdir(HOME "/directory", 0700);
	chmod(HOME "/symlink", 0644);
	chown(HOME "/copy", 1, 1);
	mkfifo(HOME "/fifo", 0600);
	mknod(HOME "/null", S_IFCHR | 0600, 0x103);
	utimensat(AT_FDCWD, HOME "/copy", NULL, 0);
	truncate(HOME "/data", 100);
	unlink(HOME "/renamed");
	unlink(HOME "/null");
	rmdir(HOME "/directory");
	inotify_add_watch(inotify_init1(0), HOME, IN_ALL_EVENTS);
	other = (int)syscall(SYS_fanotify_init, 0, 0);
	syscall(SYS_fanotify_mark, other, 1, 0x3b, AT_FDCWD, HOME);
	close(open(HOME "/copy", O_RDONLY));
}

static void mount_one(long unused)
{
	(void)unused;
	mkdir(HOME "/mnt", 0700);
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", HOME "/mnt", here, 0, NULL))
		return;
	strcpy(here, HOME "/mnt");
	read_tree(10);
	close(open(HOME "/mnt/x", O_RDWR | O_CREAT, 0600));
	mount("none", HOME "/mnt", NULL, MS_REMOUNT | MS_RDONLY, NULL);
	umount(HOME "/mnt");
}

static void every_file_system(void)
{
	FILE *f = fopen("/proc/filesystems", "r");
	char line[128], type[64];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "nodev %63s", type) != 1 || !strcmp(type, "debugfs") || !strcmp(type, "tracefs"))
			continue;
		strcpy(here, type);
		step(mount_one, 0, 10);
	}
	if (f)
		fclose(f);
}

static void waiting(long unused)
{
	int e = epoll_create1(0), t = timerfd_create(CLOCK_MONOTONIC, 0), v = eventfd(1, 0);
	struct itimerspec soon = {.it_value = {0, 1000000}, .it_interval = {0, 500000}};
	struct epoll_event events[4] = {{.events = EPOLLIN}};
	sigset_t set;
	timer_t timer;

	(void)unused;
	timerfd_settime(t, 0, &soon, NULL);
	epoll_ctl(e, EPOLL_CTL_ADD, t, events);
	epoll_ctl(e, EPOLL_CTL_ADD, v, events);
	for (int i = 0; i < 20; i++)
		epoll_wait(e, events, 4, 10);
	(void)!read(t, events, 8);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	e = signalfd(-1, &set, 0);
	raise(SIGUSR1);
	(void)!read(e, (char[128]){0}, 128);
	for (int clock = 0; clock < 12; clock++) {
		struct timespec now;

		clock_gettime(clock, &now);
		clock_getres(clock, &now);
		if (!timer_create(clock, &(struct sigevent){.sigev_notify = SIGEV_NONE}, &timer)) {
			timer_settime(timer, 0, &soon, NULL);
			timer_gettime(timer, &soon);
			timer_delete(timer);
		}
		if (clock != CLOCK_PROCESS_CPUTIME_ID) /* would wait for the time that it sleeps */
			clock_nanosleep(clock, 0, &(struct timespec){0, 100000}, NULL);
	}
}

static void ipc(long unused)
{
	int m = msgget(IPC_PRIVATE, 0600), s = semget(IPC_PRIVATE, 2, 0600), h = shmget(IPC_PRIVATE, 8192, 0600);
	struct {
		long type;
		char text[100];
	} message = {1, "x"};
	char *at;

	(void)unused;
	msgsnd(m, &message, 50, IPC_NOWAIT);
	msgrcv(m, &message, 50, 0, IPC_NOWAIT);
	semop(s, &(struct sembuf){0, 1, SEM_UNDO}, 1);
	semop(s, &(struct sembuf){0, -1, IPC_NOWAIT}, 1);
	at = shmat(h, NULL, 0);
	if (at != (char *)-1)
		memset(at, 1, 8192), shmdt(at);
	msgctl(m, IPC_RMID, NULL);
	semctl(s, 0, IPC_RMID);
	shmctl(h, IPC_RMID, NULL);
}

static void namespaces(long unused)
{
	static const int all[] = {CLONE_NEWUTS, CLONE_NEWIPC,    CLONE_NEWNET, CLONE_NEWNS,
	                          CLONE_NEWPID, CLONE_NEWCGROUP, 0x80,         CLONE_NEWUSER};

	(void)unused;
	for (size_t i = 0; i < 8; i++)
		unshare(all[i]);
	if (!fork())
		_exit(0);
	wait(NULL);
}

static void scheduling(long unused)
{
	(void)unused;
	for (int policy = 0; policy < 8; policy++)
		sched_setscheduler(0, policy, &(struct sched_param){policy == 1 || policy == 2});
	for (int i = 0; i < 10; i++)
		sched_yield();
	setpriority(PRIO_PROCESS, 0, 5);
	mlockall(MCL_CURRENT);
	munlockall();
	for (int i = 0; i < 64; i++)
		prctl(i, 0, 0, 0, 0);
}

static void traced(long unused)
{
	pid_t tracee = fork();
	int status;

	(void)unused;
	if (!tracee) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		getppid();
		_exit(0);
	}
	waitpid(tracee, &status, 0);
	for (int i = 0; i < 40 && !ptrace(PTRACE_SINGLESTEP, tracee, 0, 0); i++)
		waitpid(tracee, &status, 0);
	for (int i = 0; i < 10 && !ptrace(PTRACE_SYSCALL, tracee, 0, 0); i++)
		waitpid(tracee, &status, 0);
	ptrace(PTRACE_PEEKDATA, tracee, &status, 0);
	ptrace(PTRACE_DETACH, tracee, 0, 0);
}

static void measured(long unused)
{
	(void)unused;
	for (unsigned type = 0; type < 8; type++)
		for (unsigned config = 0; config < 12; config++) {
			struct perf_event_attr a = {.type = type, .size = sizeof(a), .config = config};
			int fd = -1;

			if (type != PERF_TYPE_TRACEPOINT ||
			    config != 1) /* of every function: all code is patched for it */
				fd = (int)syscall(SYS_perf_event_open, &a, 0, -1, -1, 0);

			if (fd >= 0) {
				(void)!read(fd, &a, 8);
				close(fd);
			}
		}
}

static void terminal(long unused)
{
	int m = posix_openpt(O_RDWR | O_NOCTTY), s;
	struct termios t;

	(void)unused;
	grantpt(m);
	unlockpt(m);
	s = open(ptsname(m) ? ptsname(m) : "/dev/null", O_RDWR | O_NOCTTY | O_NONBLOCK);
	tcgetattr(s, &t);
	for (int i = 0; i < 4; i++) {
		t.c_lflag ^= i & 1 ? ICANON : ECHO;
		tcsetattr(s, TCSANOW, &t);
		(void)!write(m, "abc\x7f\n", 5);
		(void)!read(s, (char[64]){0}, 64);
		(void)!write(s, "xyz\n", 4);
	}
	for (unsigned long request = 0x5400; request < 0x5470; request++)
		ioctl(s, request, (char[256]){0});
}

int broad_disk(const char *options)
{
	static bool mounted;
	char *direct;
	int fd;

	mkdir(HOME "/disk", 0700);
	if (!mounted && (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	                 mount("/dev/nvme0n1", HOME "/disk", "ext4", 0, options)))
		return -1;
	mounted = true;
	fd = open(HOME "/disk/broad", O_RDWR | O_CREAT | O_DIRECT, 0600);
	direct = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	(void)!write(fd, direct, 65536);
	(void)!pread(fd, direct, 65536, 0);
	fsync(fd);
	munmap(direct, 65536);
	close(fd);
	return 0;
}

void broad_some(void)
{
	static void (*const some[])(long) = {files, waiting, ipc, traced, scheduling};

	step(broad_stream, AF_INET, 10);
	step(broad_stream, AF_INET6, 10);
	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++)
		step(some[i], 0, 10);
	broad_disk(NULL);
	system("cat /proc/self/status >/dev/null");
}

static void part(const struct broad_step *s, const char *only)
{
	for (; s->name; s++)
		if (!strncmp(s->name, only, strlen(only))) {
			tell(s->name);
			step(s->what, s->with, s->seconds);
		}
}

static void parts(const char *only)
{
	static const struct broad_step *const all[] = {broad_files,   broad_memory,  broad_net,
	                                               broad_netlink, broad_objects, broad_system};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		part(all[i], only);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*what)(long);
	} steps[] = {{"files", files},           {"waiting", waiting},       {"ipc", ipc},
	             {"namespaces", namespaces}, {"scheduling", scheduling}, {"traced", traced},
	             {"measured", measured},     {"terminal", terminal}};

	mkdir(HOME, 0700);
	setvbuf(stdout, NULL, _IONBF, 0);
	children = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (argc > 2 && !strcmp(argv[1], "--only")) {
		parts(argv[2]);
		printf("%lu children\n", *children);
		return 0;
	}
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		tell(steps[i].name);
		for (int round = 0; round < 3; round++)
			step(steps[i].what, 0, 20);
	}
	tell("calls");
	every_call();
	if (argc > 1 && !strcmp(argv[1], "--quick")) {
		step(broad_stream, AF_INET, 20);
		step(broad_stream, AF_UNIX, 20);
		strcpy(here, "/proc/sys");
		read_tree(0);
		printf("%lu children\n", *children);
		return 0;
	}
	tell("sockets");
	for (long family = 0; family < 48; family++)
		step(broad_sockets, family, 3);
	step(broad_stream, AF_INET, 20);
	step(broad_stream, AF_INET6, 20);
	step(broad_stream, AF_UNIX, 20);
	tell("file-systems");
	every_file_system();
	tell("sys");
	strcpy(here, "/sys");
	read_tree(0);
	tell("proc");
	strcpy(here, "/proc");
	read_tree(0);
	if (argc > 1 && !strcmp(argv[1], "--all"))
		parts("");
	printf("%lu children\n", *children);
	return 0;
}
