// SPDX-License-Identifier: Apache-2.0
/*
 * Bring every online CPU into user mode at the same time: one SCHED_FIFO 99 thread pinned to each, and the last one to
 * arrive acts for all. There is no coordinator beside them, because a FIFO 98 coordinator starves beside FIFO 99
 * spinners: the caller's own thread is one of the threads. Nobody is held by the kernel or by the hypervisor here, so a
 * SIGKILL at any time leaves nothing behind.
 *
 * In two steps, because a thread that spins keeps everybody else from its CPU. First the threads are called, and each
 * that gets to run says so and sleeps again: a CPU that is deep in the kernel is awaited by nobody who spins. The last
 * one called, on the CPU that was hardest to get, stays there, spinning in user mode with interrupts on, and wakes the
 * others to do the same. They have a short time for that.
 */
#define _GNU_SOURCE
#include "linux.h"
#include "own.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MAX_CPUS 1024
#define PRIORITY 99
/* RT throttling stops FIFO threads after 0.95 s of a second, and says so in the kernel log: rest for this part of the
 * time spun. On an emulator the time that its host took away counts as spun. */
#define REST_DIVISOR 2
#define NAME_EVERY_NS 100000000ULL /* all of /proc is read for a name */
#define SPINS_PER_CLOCK 64u
#define CALIBRATION_NS 200000ULL
#define STACK_SIZE 65536
#define START_LIMIT_NS 200000000L
#define FUTEX_WAIT_PRIVATE 128 /* <linux/futex.h> is not there for every libc */
#define FUTEX_WAKE_PRIVATE 129

/*
 * A round in one word, so that a thread that comes late can never count in the wrong round:
 * bits 63:32 round number (futex), 31:24 phase, 23:0 how many have arrived. Calling and gathering are a round each.
 */
enum phase { CALLING = 0, GATHERING = 1, ACTING = 2, OVER = 3 };
#define WORD(round, phase, arrived) ((uint64_t)(round) << 32 | (uint64_t)(phase) << 24 | (arrived))
#define ROUND(word) ((uint32_t)((word) >> 32))
#define PHASE(word) ((enum phase)((word) >> 24 & 0xff))
#define ARRIVED(word) ((uint32_t)((word)&0xffffff))

struct member {
	pthread_t thread;
	uint32_t cpu;
	uint32_t seen; /* last round in which it arrived */
};

static struct {
	_Alignas(64) uint64_t word;
	_Alignas(64) uint64_t spin_ticks; /* how long one thread spins in a round at most */
	uint64_t taken;                   /* the longest that a member had its CPU for itself, in TSC ticks */
	uint64_t ticks_per_ms;
	uint64_t rest_until_ns, named_ns;
	void (*last)(void *arg);
	void *arg;
	uint32_t n;       /* members, [0] is the caller's thread */
	uint32_t started; /* threads created, without the caller's */
	uint32_t ready;   /* of these, pinned and in their scheduling class */
	bool stop;
	bool gathered; /* this process has members and a changed scheduling class */
	cpu_set_t cpus, old_cpus;
	int old_policy;
	struct sched_param old_param;
	struct member member[MAX_CPUS];
} g;

static uint64_t read_clock(clockid_t clock)
{
	struct timespec t = {0};

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

uint64_t nl_linux_now_ns(void *ctx)
{
	(void)ctx;
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t nl_linux_thread_ns(void) { return read_clock(CLOCK_THREAD_CPUTIME_ID); }

void nl_linux_pause_ns(void *ctx, uint64_t ns)
{
	struct timespec t = {(time_t)(ns / 1000000000ULL), (long)(ns % 1000000000ULL)};

	(void)ctx;
	nanosleep(&t, NULL);
}

static uint32_t *round_futex(void) { return (uint32_t *)&g.word + 1; }

static uint64_t load(void) { return __atomic_load_n(&g.word, __ATOMIC_ACQUIRE); }

static bool swap(uint64_t *from, uint64_t to)
{
	return __atomic_compare_exchange_n(&g.word, from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static void wake_all(void) { syscall(SYS_futex, round_futex(), FUTEX_WAKE_PRIVATE, MAX_CPUS, NULL, NULL, 0); }

static void next_round(enum phase phase)
{
	__atomic_store_n(&g.word, WORD(ROUND(load()) + 1, phase, 0), __ATOMIC_RELEASE);
	wake_all();
}

/* This CPU can be had. The last one to say so begins the gathering. */
static void answer_call(struct member *m, uint32_t round)
{
	uint64_t w = load();
	bool is_last;

	do {
		if (PHASE(w) != CALLING || ROUND(w) != round)
			return;
		is_last = ARRIVED(w) + 1 == g.n;
	} while (!swap(&w, is_last ? WORD(round + 1, GATHERING, 0) : WORD(round, CALLING, ARRIVED(w) + 1)));
	__atomic_store_n(&m->seen, round, __ATOMIC_RELEASE);
	if (is_last)
		wake_all();
}

/* Arrive in this round and stay in user mode until it is over. The last to arrive acts. */
static void take_part(struct member *m, uint32_t round)
{
	/* Not the kernel's clock: without a vDSO clock source it is a system call, and this CPU would not be found in
	 * user mode. */
	uint64_t w = load(), begin = __builtin_ia32_rdtsc();

	if (PHASE(w) == CALLING) {
		answer_call(m, round);
		return;
	}
	do {
		if (PHASE(w) != GATHERING || ROUND(w) != round)
			return;
	} while (!swap(&w, WORD(round, ARRIVED(w) + 1 == g.n ? ACTING : GATHERING, ARRIVED(w) + 1)));
	__atomic_store_n(&m->seen, round, __ATOMIC_RELEASE);
	nl_own_step(NL_OWN_ARRIVE, begin, m->cpu, round);
	if (ARRIVED(w) + 1 == g.n) {
		g.last(g.arg);
		__atomic_store_n(&g.word, WORD(round, OVER, g.n), __ATOMIC_RELEASE);
	}
	for (uint32_t spins = 1;; spins++) {
		w = load();
		if (ROUND(w) != round || PHASE(w) == OVER)
			break;
		if (spins % SPINS_PER_CLOCK == 0 && PHASE(w) == GATHERING &&
		    __builtin_ia32_rdtsc() - begin > g.spin_ticks)
			(void)swap(&w, WORD(round, OVER,
			                    ARRIVED(w))); /* lost: somebody else arrived or ended it; look again */
		__builtin_ia32_pause();
	}
	nl_own_step(NL_OWN_LEAVE, nl_own_now(), m->cpu, round);
}

/* A member gave its CPU back that it had from `begin` on: at the top of all classes nobody else ran there. */
static void give_back(uint64_t begin)
{
	uint64_t ticks = __builtin_ia32_rdtsc() - begin, longest = __atomic_load_n(&g.taken, __ATOMIC_RELAXED);

	while (ticks > longest &&
	       !__atomic_compare_exchange_n(&g.taken, &longest, ticks, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

static bool pin(uint32_t cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	return sched_setaffinity(0, sizeof(one), &one) == 0;
}

/* By system call: musl's wrappers refuse, because POSIX means the process where Linux means the thread. */
static bool set_scheduler(int policy, const struct sched_param *param)
{
	return syscall(SYS_sched_setscheduler, 0, policy, param) == 0;
}

static void *member_main(void *arg)
{
	struct member *m = arg;
	const struct sched_param top = {.sched_priority = PRIORITY};
	uint64_t begin = 0; /* not yet at the top: the first wait is entered by whoever is due */
	uint32_t done = 0;

	set_scheduler(SCHED_FIFO, &top); /* first: who is lower may be kept out where it is to go */
	pin(m->cpu); /* if the CPU has gone meanwhile the round fails, and the next one counts the CPUs again */
	__atomic_add_fetch(&g.ready, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &g.ready, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	while (!__atomic_load_n(&g.stop, __ATOMIC_ACQUIRE)) {
		uint32_t round = ROUND(load());

		if (round == done) {
			if (begin)
				give_back(begin);
			if (syscall(SYS_futex, round_futex(), FUTEX_WAIT_PRIVATE, round, NULL, NULL, 0) == 0 || !begin)
				begin = __builtin_ia32_rdtsc(); /* it slept */
			continue;
		}
		take_part(m, round);
		done = round;
	}
	if (begin) /* dismissed before it slept again */
		give_back(begin);
	return NULL;
}

/* Asleep until all have been called. false: the time is over, or a signal came. */
static bool await_call(uint32_t round, uint64_t until_ns)
{
	bool enough = false;
	uint64_t w, now;

	while (w = load(), ROUND(w) == round && PHASE(w) == CALLING) {
		struct timespec left;

		now = nl_linux_now_ns(NULL);
		if (enough || now >= until_ns) {
			if (swap(&w, WORD(round, OVER, ARRIVED(w))))
				return false;
			continue;
		}
		left.tv_sec = (time_t)((until_ns - now) / 1000000000ULL);
		left.tv_nsec = (long)((until_ns - now) % 1000000000ULL);
		enough = syscall(SYS_futex, round_futex(), FUTEX_WAIT_PRIVATE, round, &left, NULL, 0) != 0 &&
		         errno == EINTR;
	}
	return true;
}

/* A member may wait for good behind somebody of its own priority, and could not even end there: all come to this CPU.
 */
static void rescue(void)
{
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(g.member[0].cpu, &here);
	while (d && (e = readdir(d)))
		if (isdigit((unsigned char)e->d_name[0]))
			sched_setaffinity((pid_t)strtol(e->d_name, NULL, 10), sizeof(here), &here);
	if (d)
		closedir(d);
}

static void dismiss(void)
{
	__atomic_store_n(&g.stop, true, __ATOMIC_RELEASE);
	next_round(OVER);
	if (g.started)
		rescue();
	for (uint32_t i = 1; i <= g.started; i++)
		pthread_join(g.member[i].thread, NULL);
	g.started = 0;
	g.n = 0;
	g.stop = false;
}

static void move_to_root_cpuset(void)
{
	static const char *const files[] = {"/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/cpuset/cgroup.procs"};

	for (size_t i = 0; i < NL_ARRAY_SIZE(files); i++) {
		int fd = open(files[i], O_WRONLY | O_CLOEXEC);

		if (fd >= 0) {
			(void)!write(
			        fd, "0",
			        1); /* refused or absent: the machine has no cpuset, or the gather will name the CPU */
			close(fd);
		}
	}
}

/* "0-3,5" of /sys/devices/system/cpu/online. false: no sysfs here. */
static bool online_by_sysfs(cpu_set_t *out)
{
	FILE *f = fopen("/sys/devices/system/cpu/online", "re");
	unsigned first, last;
	int c = ',';

	if (!f)
		return false;
	CPU_ZERO(out);
	while (c == ',' && fscanf(f, "%u", &first) == 1) { // NOLINT(cert-err34-c): the kernel's own numbers
		last = first;
		c = fgetc(f);
		if (c == '-') {
			if (fscanf(f, "%u", &last) != 1) // NOLINT(cert-err34-c)
				break;
			c = fgetc(f);
		}
		for (unsigned i = first; i <= last && i < CPU_SETSIZE; i++)
			CPU_SET(i, out);
	}
	fclose(f);
	return CPU_COUNT(out) > 0;
}

/* The kernel cuts an affinity to what is online and in the cpuset: ask for everything and read back. */
static void online_cpus(cpu_set_t *out)
{
	cpu_set_t all, sysfs;

	memset(&all, 0xff, sizeof(all));
	for (int attempt = 0;; attempt++) {
		(void)sched_setaffinity(0, sizeof(all), &all);
		if (sched_getaffinity(0, sizeof(*out), out) != 0)
			CPU_ZERO(out);
		if (attempt || !online_by_sysfs(&sysfs) || CPU_EQUAL(&sysfs, out))
			return;
		move_to_root_cpuset();
	}
}

/* A new thread may still stand in the run queue of the CPU on which the caller is about to spin, and would never get
 * there. */
static void await_ready(void)
{
	const struct timespec limit = {0, START_LIMIT_NS};
	uint64_t until = nl_linux_now_ns(NULL) + START_LIMIT_NS;
	uint32_t now;

	while ((now = __atomic_load_n(&g.ready, __ATOMIC_ACQUIRE)) < g.started && nl_linux_now_ns(NULL) < until)
		syscall(SYS_futex, &g.ready, FUTEX_WAIT_PRIVATE, now, &limit, NULL, 0);
}

static void enlist(const cpu_set_t *cpus)
{
	sigset_t all, old;
	pthread_attr_t attr;
	uint32_t n = 0;
	int own = sched_getcpu();

	g.cpus = *cpus;
	if (own >= 0 && own < CPU_SETSIZE &&
	    CPU_ISSET(own, cpus)) /* the caller's stays his: there he is not kept out */
		g.member[n++].cpu = (uint32_t)own;
	for (uint32_t cpu = 0; cpu < CPU_SETSIZE && n < MAX_CPUS; cpu++)
		if (CPU_ISSET(cpu, cpus) && (!n || cpu != g.member[0].cpu))
			g.member[n++].cpu = cpu;
	g.n = n;
	g.ready = 0;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	sigfillset(&all);
	sigdelset(&all, SIGSEGV);
	pthread_sigmask(SIG_SETMASK, &all, &old); /* Ctrl-C goes to the caller's thread */
	for (uint32_t i = 1; i < n; i++) {
		g.member[i].seen = 0;
		if (pthread_create(&g.member[i].thread, &attr, member_main, &g.member[i]) != 0)
			break; /* it will be missed in the round, and named */
		g.started = i;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	await_ready();
}

/* Who is running on `cpu`? Best effort, after the fact: /proc/PID/stat, fields 1, 2, 3, 39 and the priority, proc(5).
 */
static void name_occupant(struct nl_missing *m)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	long best = 1000;

	if (!d)
		return;
	while ((e = readdir(d))) {
		char path[64], text[512], *comm, *rest, *field;
		long priority = 0, cpu = -1;
		int fd;
		ssize_t n;

		if (!isdigit((unsigned char)e->d_name[0]) || strtol(e->d_name, NULL, 10) == getpid())
			continue;
		snprintf(path, sizeof(path), "/proc/%.16s/stat", e->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
		if (fd >= 0)
			close(fd);
		if (n <= 0)
			continue;
		text[n] = 0;
		comm = strchr(text, '(');
		rest = strrchr(text, ')');
		if (!comm || !rest || rest[1] != ' ' || rest[2] != 'R')
			continue;
		*rest = 0;
		field = rest + 2;
		for (int i = 3; i < 39 && field; i++) { /* field 3 is the state */
			field = strchr(field, ' ');
			if (!field)
				break;
			field++;
			if (i + 1 == 18)
				priority = strtol(field, NULL, 10);
			if (i + 1 == 39)
				cpu = strtol(field, NULL, 10);
		}
		if (cpu == (long)m->cpu && priority < best) {
			best = priority;
			m->pid = (uint32_t)strtol(e->d_name, NULL, 10);
			snprintf(m->comm, sizeof(m->comm), "%.15s", comm + 1);
		}
	}
	closedir(d);
}

/* TSC ticks of a millisecond, once: the threads only compare readings of their own CPU with each other. */
static void calibrate(void)
{
	uint64_t ns = nl_linux_now_ns(NULL), tsc = __builtin_ia32_rdtsc(), now;

	do
		now = nl_linux_now_ns(NULL);
	while (now - ns < CALIBRATION_NS);
	g.ticks_per_ms = (__builtin_ia32_rdtsc() - tsc) * 1000000 / (now - ns);
}

/* Who did not answer the call, or did not come in time. */
static void note_missing(uint32_t round, struct nl_missing *out)
{
	uint64_t now = nl_linux_now_ns(NULL);
	struct nl_missing m = {.cpu = UINT32_MAX};

	for (uint32_t i = 0; i < g.n; i++) {
		if (__atomic_load_n(&g.member[i].seen, __ATOMIC_ACQUIRE) == round)
			continue;
		if (!m.count++)
			m.cpu = g.member[i].cpu;
	}
	if (out->pid && now - g.named_ns < NAME_EVERY_NS)
		return;
	*out = m;
	if (m.count) {
		name_occupant(out);
		g.named_ns = now;
	}
}

bool nl_linux_gather(void *ctx, uint64_t until_ns, uint64_t spin_ns, void (*last)(void *arg), void *arg,
                     struct nl_missing *missing)
{
	const struct sched_param top = {.sched_priority = PRIORITY};
	uint64_t begin, begin_tsc;
	cpu_set_t cpus;
	uint32_t round;
	bool acted;

	if (!g.ticks_per_ms)
		calibrate();
	if (!g.gathered) {
		g.old_policy = sched_getscheduler(0);
		if (g.old_policy < 0 || syscall(SYS_sched_getparam, 0, &g.old_param) != 0)
			g.old_policy = SCHED_OTHER;
		sched_getaffinity(0, sizeof(g.old_cpus), &g.old_cpus);
		g.gathered = true;
	}
	begin = nl_linux_now_ns(ctx);
	if (begin < g.rest_until_ns)
		nl_linux_pause_ns(ctx, g.rest_until_ns - begin);
	online_cpus(&cpus);
	if (!g.n || !CPU_EQUAL(&cpus, &g.cpus)) {
		dismiss();
		enlist(&cpus);
	}
	set_scheduler(SCHED_FIFO, &top);
	pin(g.member[0].cpu);
	begin_tsc = __builtin_ia32_rdtsc();
	g.last = last;
	g.arg = arg;
	g.spin_ticks = spin_ns / 1000 * g.ticks_per_ms / 1000;
	nl_own_step(NL_OWN_GATHER, nl_own_now(), g.member[0].cpu, ROUND(load()) + (g.n > 1 ? 2 : 1));
	next_round(g.n > 1 ? CALLING : GATHERING);
	round = ROUND(load());
	if (g.n > 1) {
		answer_call(&g.member[0], round);
		give_back(begin_tsc);
		round += await_call(round, until_ns);
		begin_tsc = __builtin_ia32_rdtsc();
	}
	begin = nl_linux_now_ns(ctx);
	take_part(&g.member[0], round);
	acted = ARRIVED(load()) == g.n;
	give_back(begin_tsc);
	set_scheduler(g.old_policy, &g.old_param);
	g.rest_until_ns = nl_linux_now_ns(ctx);
	g.rest_until_ns += (g.rest_until_ns - begin) / REST_DIVISOR;
	if (acted)
		return true;
	note_missing(round, missing);
	return false;
}

uint64_t nl_linux_disperse(void *ctx)
{
	uint64_t taken;

	(void)ctx;
	if (!g.gathered)
		return 0;
	dismiss(); /* all members have said what they took */
	set_scheduler(g.old_policy, &g.old_param);
	sched_setaffinity(0, sizeof(g.old_cpus), &g.old_cpus);
	g.gathered = false;
	taken = g.taken;
	g.taken = 0;
	return taken;
}
