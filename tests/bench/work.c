// SPDX-License-Identifier: Apache-2.0
/*
 * One measurement of one way to patch (an arm), inside the guest: `work ARM [KEY=VALUE...]` lets threads call the
 * functions of the module bench without end, asks for the patch, waits until whoever asked knows that it is on, takes
 * it away again, and prints one line of JSON. All times are ns since the request; on an emulator that counts
 * instructions instead of time they are instructions. What the figures mean: docs/explanation/bench.md.
 *   nap=US      a task falls asleep in the old function for so long just before the request (default 0: nobody)
 *   sleepers=N  so many more tasks sleep in the functions again and again, each for a time of its own up to nap
 *   kthread=1   a kernel thread falls asleep in the old function, and stays there until the request has ended
 *   loop=1      a thread on the last CPU is busy in user space and never calls the kernel
 *   pair=US     a task sleeps for so long between two calls of the inner function, in a caller that nobody patches
 *   spin=MS     a kernel thread on the last CPU is busy for so long and gives the CPU to nobody
 *   timer=NS    the period of the timer on each CPU that sees how long the guest stood still (default 1 ms)
 *   threads=N   that call without end (default 2, spread over the CPUs)
 *   before=US   how long they are watched before the request, after it is done, and after the patch is off (20000)
 *   limit=US    give up (default 20 s)
 *   deadline=MS for newleaf itself (default: its own)
 * Arms: none, stop, leaf-strict, leaf-mixable, klp, klp-fast, klp-force, kpatch, ftrace, kprobe.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../modules/bench/bench.h"

#define KLP "/sys/kernel/livepatch/bench_klp/"
#define THREADS 48
#define FAST 1000 /* us between two looks of the livepatch with the shortened timer */

/* What one thread saw: the end of its first new pass, and start (of who sleeps, the end) and end
 * of its last old one (0: none). */
struct seen {
	pthread_t thread;
	int cpu, nap;
	uint64_t passes, torn, backward, gap, first_new, last_old, last_out;
	bool once, busy, pair;
};

static int device;
static uint64_t zero;           /* the request */
static atomic_bool ended;       /* threads end */
static atomic_bool new_seen;    /* a pass ended in which all was new */
static atomic_bool taking_away; /* from here on, old passes are no step back */
static atomic_uint_fast64_t passes_now;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void until(uint64_t when)
{
	while (now() < when)
		usleep(500);
}

/* One pass: begins after whatever new_seen says was seen, so an old answer then is a step back between two tasks. */
static void pass(struct seen *s, uint64_t *last)
{
	bool after_new = atomic_load(&new_seen) && !atomic_load(&taking_away);
	uint64_t start = now(), end;
	int answer = ioctl(device, s->pair ? BENCH_PAIR : BENCH_PASS, (long)s->nap);
	int outer = answer & 0xff, inner = answer >> 8 & 0xff;

	end = now();
	s->passes++;
	if (!s->nap) {
		atomic_fetch_add_explicit(&passes_now, 1, memory_order_relaxed);
		if (*last && zero && !atomic_load(&taking_away) && end - *last > s->gap)
			s->gap = end - *last;
		*last = end;
	}
	if (outer != inner)
		s->torn++;
	if (atomic_load(&taking_away) || s->pair)
		return;
	if (outer == BENCH_OLD || inner == BENCH_OLD) {
		s->last_old = s->nap ? end : start; /* who slept came out of it at its end */
		s->last_out = end;
		if (after_new)
			s->backward++;
	}
	if (outer == BENCH_NEW && inner == BENCH_NEW) {
		s->first_new = s->first_new ? s->first_new : end;
		atomic_store(&new_seen, true);
	}
}

static void *worker(void *argument)
{
	struct seen *s = argument;
	uint64_t last = 0;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(s->cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	while (s->busy && !atomic_load_explicit(&ended, memory_order_relaxed))
		;
	do
		pass(s, &last);
	while (!s->once && !atomic_load(&ended));
	return NULL;
}

static void begin(struct seen *s)
{
	if (pthread_create(&s->thread, NULL, worker, s) != 0) {
		perror("work: pthread_create");
		exit(1);
	}
}

/* -- requests -- */

static int command(const char *const words[])
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		int out = open("/tmp/work.said", O_WRONLY | O_CREAT | O_TRUNC, 0644);

		dup2(out, 1);
		dup2(out, 2);
		execvp(words[0], (char *const *)words);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define COMMAND(...) command((const char *const[]){__VA_ARGS__, NULL})

static int say(const char *path, const char *word)
{
	int file = open(path, O_WRONLY), error = -1;

	if (file < 0)
		return -1;
	if (write(file, word, strlen(word)) == (ssize_t)strlen(word))
		error = 0;
	close(file);
	return error;
}

static bool in_transition(void)
{
	char word = '0';
	int file = open(KLP "transition", O_RDONLY);

	if (file < 0)
		return false;
	if (read(file, &word, 1) != 1)
		word = '0';
	close(file);
	return word == '1';
}

/* Until a livepatch is through with its transition, or the limit; every: hurry it so often, 0: leave it alone. */
static int settle(uint64_t limit, unsigned every)
{
	while (in_transition()) {
		if (now() > limit)
			return ETIMEDOUT;
		if (every)
			ioctl(device, BENCH_HURRY, 0);
		usleep(every ? every : 1000);
	}
	return 0;
}

static int livepatch(uint64_t limit, unsigned every, bool force)
{
	int error = COMMAND("insmod", "/mod/bench_klp.ko");

	if (error)
		return error;
	if (force && in_transition() && say(KLP "force", "1") != 0)
		return EIO;
	return settle(limit, every);
}

static int livepatch_off(uint64_t limit)
{
	say(KLP "enabled", "0");
	while (access(KLP "enabled", F_OK) == 0) {
		if (now() > limit)
			return ETIMEDOUT;
		ioctl(device, BENCH_HURRY, 0);
		usleep(FAST);
	}
	while (COMMAND("rmmod", "bench_klp") != 0) {
		if (now() > limit)
			return ETIMEDOUT;
		usleep(FAST);
	}
	return 0;
}

/* A request that says "not now" is made again, as the scripts around such tools do. */
static int again(unsigned long request, uint64_t limit, unsigned *refused)
{
	while (ioctl(device, request, 1L) != 0) {
		if ((errno != EAGAIN && errno != EBUSY) || now() > limit)
			return errno;
		++*refused;
		usleep(FAST);
	}
	return 0;
}

static unsigned deadline; /* ms; 0: the command's own */

static int leaf(const char *which, uint64_t limit, unsigned *refused)
{
	char path[64], time[32];
	int error;

	snprintf(path, sizeof(path), "/mod/bench_%s.leaf", which);
	snprintf(time, sizeof(time), "%ums", deadline);
	while ((error = COMMAND("newleaf", "apply", path, "--json", deadline ? "--deadline" : NULL, time)) == 8) {
		if (now() > limit)
			return error;
		++*refused;
	}
	return error;
}

static int leaf_off(const char *which)
{
	char id[64];
	int error;

	snprintf(id, sizeof(id), "bench-%s", which);
	while ((error = COMMAND("newleaf", "revert", id, "--json")) == 8)
		;
	return error;
}

static int on(const char *arm, uint64_t limit, unsigned *refused)
{
	if (!strcmp(arm, "none"))
		return 0;
	if (!strcmp(arm, "stop"))
		return (int)ioctl(device, BENCH_STOP, 0L);
	if (!strncmp(arm, "leaf-", 5))
		return leaf(arm + 5, limit, refused);
	if (!strcmp(arm, "klp"))
		return livepatch(limit, 0, false);
	if (!strcmp(arm, "klp-fast"))
		return livepatch(limit, FAST, false);
	if (!strcmp(arm, "klp-force"))
		return livepatch(limit, 0, true);
	if (!strcmp(arm, "kpatch"))
		return again(BENCH_KPATCH, limit, refused);
	if (!strcmp(arm, "ftrace"))
		return again(BENCH_FTRACE, limit, refused);
	if (!strcmp(arm, "kprobe"))
		return again(BENCH_KPROBE, limit, refused);
	return EINVAL;
}

static int off(const char *arm)
{
	uint64_t limit = now() + 60000000000u;

	if (!strncmp(arm, "leaf-", 5))
		return leaf_off(arm + 5);
	if (!strncmp(arm, "klp", 3))
		return strcmp(arm, "klp-force") ? livepatch_off(limit) : 0; /* a forced one can never be unloaded */
	if (!strcmp(arm, "ftrace"))
		return (int)ioctl(device, BENCH_FTRACE, 0L);
	if (!strcmp(arm, "kprobe"))
		return (int)ioctl(device, BENCH_KPROBE, 0L);
	if (strcmp(arm, "kpatch"))
		return 0;
	while (ioctl(device, BENCH_KPATCH, 0L) != 0)
		if ((errno != EAGAIN && errno != EBUSY) || now() > limit)
			return errno;
	return 0;
}

/* -- one round -- */

static struct seen seen[THREADS + 3];
static struct seen *caller = &seen[THREADS + 2]; /* not among those whose passes are counted */

static uint64_t least(uint64_t a, uint64_t b) { return !a ? b : !b ? a : a < b ? a : b; }
static uint64_t most(uint64_t a, uint64_t b) { return a > b ? a : b; }
static long long since(uint64_t when) { return when ? (long long)(when - zero) : -1; }

struct figures {
	const char *arm;
	int nap, error, error_off;
	unsigned refused;
	uint64_t done, known, calm, calm_ns, busy;
	long late;
};

/* When a sleeper last came out of old code; or how long it was watched, if it is not known to have come out. */
static void tell_sleepers(const struct seen *first, int sleepers, uint64_t known)
{
	printf(",\"drain\":[");
	for (int i = 0; i < sleepers; i++) {
		bool out = first[i].first_new != 0;

		printf("%s[%lld,%s]", i ? "," : "", since(out ? first[i].last_out : known), out ? "true" : "false");
	}
	printf("]");
}

static void report(const struct figures *f, int threads, int sleepers)
{
	struct seen all = {0};

	for (int i = 0; i < threads + sleepers + 1; i++) {
		struct seen *s = &seen[i];

		all.passes += s->passes;
		all.torn += s->torn;
		all.backward += s->backward;
		all.gap = most(all.gap, s->gap);
		all.first_new = least(all.first_new, s->first_new);
		all.last_old = most(all.last_old, s->last_old);
	}
	printf("{\"arm\":\"%s\",\"nap\":%d,\"error\":%d,\"error_off\":%d,\"refused\":%u,\"done\":%lld,", f->arm, f->nap,
	       f->error, f->error_off, f->refused, since(f->done));
	printf("\"known\":%lld,\"first_new\":%lld,\"last_old\":%lld,\"torn\":%llu,\"backward\":%llu,\"passes\":%llu,",
	       since(f->known), since(all.first_new), since(all.last_old), (unsigned long long)all.torn,
	       (unsigned long long)all.backward, (unsigned long long)all.passes);
	printf("\"gap\":%llu,\"late\":%ld,\"calm\":%llu,\"calm_ns\":%llu,\"busy\":%llu", (unsigned long long)all.gap,
	       f->late, (unsigned long long)f->calm, (unsigned long long)f->calm_ns, (unsigned long long)f->busy);
	if (caller->nap)
		printf(",\"split\":%llu", (unsigned long long)caller->torn);
	if (sleepers)
		tell_sleepers(&seen[threads + 1], sleepers, f->known);
	printf("}\n");
}

static unsigned given(int argc, char **argv, const char *key, unsigned otherwise)
{
	size_t length = strlen(key);

	for (int i = 2; i < argc; i++)
		if (!strncmp(argv[i], key, length) && argv[i][length] == '=')
			return (unsigned)strtoul(argv[i] + length + 1, NULL, 10);
	return otherwise;
}

/* Who stands in the way of a request. The threads themselves run already. */
static void in_the_way(int argc, char **argv, int threads, int sleepers, int nap)
{
	int last = (int)sysconf(_SC_NPROCESSORS_ONLN) - 1;

	if (given(argc, argv, "loop", 0)) {
		seen[threads + sleepers + 1] = (struct seen){.cpu = last, .busy = true, .once = true};
		begin(&seen[threads + sleepers + 1]);
		usleep(100000);
	}
	for (int i = 0; i < sleepers; i++) {
		seen[threads + 1 + i] = (struct seen){.cpu = i % (last + 1), .nap = nap * (i + 1) / sleepers};
		begin(&seen[threads + 1 + i]);
	}
	if (nap) {
		seen[threads] = (struct seen){.cpu = 0, .nap = nap, .once = true};
		begin(&seen[threads]);
		while (ioctl(device, BENCH_NAPPING, 0L) < sleepers / 2 + 1)
			usleep(100);
	}
	if (caller->nap) {
		begin(caller);
		while (ioctl(device, BENCH_NAPPING, 0L) == 0)
			usleep(100);
	}
	if (given(argc, argv, "kthread", 0))
		ioctl(device, BENCH_THREAD, 1L);
	if (given(argc, argv, "spin", 0))
		ioctl(device, BENCH_SPIN, (long)given(argc, argv, "spin", 0));
}

int main(int argc, char **argv)
{
	int threads = (int)given(argc, argv, "threads", 2), nap = (int)given(argc, argv, "nap", 0);
	int sleepers = (int)given(argc, argv, "sleepers", 0), loop = (int)given(argc, argv, "loop", 0);
	uint64_t before = given(argc, argv, "before", 20000) * 1000ull,
	         limit = given(argc, argv, "limit", 20000000) * 1000ull;
	int cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
	struct figures f = {.arm = argc > 1 ? argv[1] : "", .nap = nap};

	device = open("/dev/bench", O_RDWR | O_CLOEXEC);
	if (argc < 2 || device < 0 || threads < 1 || threads + sleepers > THREADS) {
		fprintf(stderr, "usage: work ARM [KEY=VALUE...], with the module bench\n");
		return 2;
	}
	*caller = (struct seen){.nap = (int)given(argc, argv, "pair", 0), .once = true, .pair = true};
	deadline = given(argc, argv, "deadline", 0);
	ioctl(device, BENCH_TIMER, (long)given(argc, argv, "timer", 1000000));
	for (int i = 0; i < threads; i++) {
		seen[i].cpu = i % cpus;
		begin(&seen[i]);
	}
	until(now() + before);
	f.calm = atomic_load(&passes_now), f.calm_ns = now();
	until(f.calm_ns + before);
	f.calm = atomic_load(&passes_now) - f.calm, f.calm_ns = now() - f.calm_ns;
	in_the_way(argc, argv, threads, sleepers, nap);
	setpriority(PRIO_PROCESS, 0, -20); /* what is measured is the request, not its share of the CPU */
	ioctl(device, BENCH_LATE, 0L);
	f.busy = atomic_load(&passes_now);
	zero = now();
	f.error = on(argv[1], zero + limit, &f.refused);
	f.done = now();
	until(f.done + before); /* who asked need not be the last to see the new */
	if (given(argc, argv, "kthread", 0))
		ioctl(device, BENCH_THREAD, 0L);
	if (nap)
		pthread_join(seen[threads].thread, NULL);
	if (caller->nap)
		pthread_join(caller->thread, NULL);
	f.busy = atomic_load(&passes_now) - f.busy;
	f.known = now();
	f.late = ioctl(device, BENCH_LATE, 0L);
	ioctl(device, BENCH_TIMER, 0L);
	atomic_store(&taking_away, true);
	if (loop) {
		atomic_store(&ended, true);
		pthread_join(seen[threads + sleepers + 1].thread, NULL);
	}
	if (!f.error || !strncmp(argv[1], "klp", 3) || !strcmp(argv[1], "kpatch")) /* what these began stays begun */
		f.error_off = off(argv[1]);
	until(now() + before / 2);
	atomic_store(&ended, true);
	for (int i = 0; i < threads; i++)
		pthread_join(seen[i].thread, NULL);
	for (int i = 0; i < sleepers; i++)
		pthread_join(seen[threads + 1 + i].thread, NULL);
	report(&f, threads, sleepers);
	return f.error || f.error_off;
}
