// SPDX-License-Identifier: Apache-2.0
/*
 * `blackout [-p NS] [-i MS] -o FILE COMMAND...`: what those who run beside a command feel of it. A thread on each CPU,
 * real-time and just below the agent's own, asks the kernel to wake it all the time; how late it is woken at the worst
 * is for how long it could not have had that CPU. Beside them a pair of ordinary real-time threads on one CPU answers
 * requests that come by the clock, whether or not the last one is answered. All that is done first for a while without
 * the command, then with it; FILE gets one JSON document. Exit code: the command's.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROBE_PRIORITY 98 /* the agent gathers at 99 */
#define PAIR_PRIORITY 10
#define PAIR_PERIOD_NS 500000u
#define BUCKET_NS 100u
#define BUCKETS 20000u /* to 2 ms; what is later is in the last one, and in `worst` */
#define MAX_CPUS 64

struct lateness {
	uint64_t n, worst; /* ns */
	uint32_t bucket[BUCKETS];
};

enum phase { IDLE, BUSY, PHASES, OVER = PHASES };
static int phase = IDLE;
static uint64_t period = 100000;
static struct lateness probe[PHASES][MAX_CPUS], pair[PHASES];
static int requests[2], replies[2]; /* pipes */

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void sleep_until(uint64_t ns)
{
	struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

static int current(void) { return __atomic_load_n(&phase, __ATOMIC_ACQUIRE); }

/* What began in one phase and ended in the next belongs to the first. */
static void note(struct lateness *l, uint64_t ns)
{
	l->n++;
	l->bucket[ns / BUCKET_NS < BUCKETS ? ns / BUCKET_NS : BUCKETS - 1]++;
	if (ns > l->worst)
		l->worst = ns;
}

static void become(int cpu, int priority)
{
	const struct sched_param p = {.sched_priority = priority};
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one) != 0 || sched_setscheduler(0, SCHED_FIFO, &p) != 0) {
		perror("blackout");
		exit(11);
	}
}

/* Not in step with anything: what begins just when the probe goes to sleep is met as early as any other. */
static void *prober(void *arg)
{
	int cpu = (int)(intptr_t)arg, in;
	uint64_t random = (uint64_t)cpu + 1, at;

	become(cpu, PROBE_PRIORITY);
	while ((in = current()) < OVER) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		at = now() + (random >> 33) % (2 * period);
		sleep_until(at);
		note(&probe[in][cpu], now() - at);
	}
	return NULL;
}

static void *server(void *arg)
{
	uint64_t at;

	become((int)(intptr_t)arg, PAIR_PRIORITY);
	while (read(requests[0], &at, sizeof(at)) == sizeof(at))
		if (write(replies[1], &at, sizeof(at)) != sizeof(at))
			break;
	return NULL;
}

/* Requests come when they come: the time counts from when one was due. */
static void *client(void *arg)
{
	uint64_t at = now(), back;
	int in;

	become((int)(intptr_t)arg, PAIR_PRIORITY);
	while ((in = current()) < OVER) {
		at += PAIR_PERIOD_NS;
		sleep_until(at);
		if (write(requests[1], &at, sizeof(at)) != sizeof(at) ||
		    read(replies[0], &back, sizeof(back)) != sizeof(back))
			break;
		note(&pair[in], now() - at);
	}
	close(requests[1]);
	return NULL;
}

static uint64_t percentile(const struct lateness *l, uint64_t per_mille)
{
	uint64_t seen = 0;

	for (uint32_t i = 0; i < BUCKETS; i++)
		if ((seen += l->bucket[i]) * 1000 >= l->n * per_mille)
			return (uint64_t)i * BUCKET_NS;
	return 0;
}

static void print(FILE *f, const char *name, const struct lateness *l)
{
	fprintf(f, "\"%s\":{\"n\":%llu,\"p50_ns\":%llu,\"p99_ns\":%llu,\"max_ns\":%llu}", name,
	        (unsigned long long)l->n, (unsigned long long)percentile(l, 500),
	        (unsigned long long)percentile(l, 990), (unsigned long long)l->worst);
}

/* All CPUs together. */
static struct lateness *sum(enum phase in)
{
	struct lateness *all = calloc(1, sizeof(*all));

	if (!all)
		abort();
	for (int cpu = 0; cpu < MAX_CPUS; cpu++) {
		all->n += probe[in][cpu].n;
		if (probe[in][cpu].worst > all->worst)
			all->worst = probe[in][cpu].worst;
		for (uint32_t i = 0; i < BUCKETS; i++)
			all->bucket[i] += probe[in][cpu].bucket[i];
	}
	return all;
}

static int report(const char *path)
{
	static const char *const names[PHASES] = {"idle", "busy"};
	FILE *f = fopen(path, "w");

	if (!f) {
		perror(path);
		return 11;
	}
	fprintf(f, "{\"period_ns\":%llu", (unsigned long long)period);
	for (int in = 0; in < PHASES; in++) {
		struct lateness *all = sum((enum phase)in);

		fprintf(f, ",\"%s\":{", names[in]);
		print(f, "probe", all);
		fputc(',', f);
		print(f, "pair", &pair[in]);
		fputc('}', f);
		free(all);
	}
	fputs("}\n", f);
	return fclose(f) == 0 ? 0 : 11;
}

static int run(char **command)
{
	int status;
	pid_t child;

	/* not fork(): the copy on write would make the probes fault */
	if (posix_spawnp(&child, command[0], NULL, NULL, command, environ) != 0 || waitpid(child, &status, 0) != child)
		return 11;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
	pthread_t thread[MAX_CPUS], two[2];
	const char *path = NULL;
	unsigned idle_ms = 500;
	int option, code, first = -1, n = 0;
	cpu_set_t cpus;

	while ((option = getopt(argc, argv, "+p:i:o:")) != -1)
		switch (option) {
		case 'p':
			period = strtoul(optarg, NULL, 10);
			break;
		case 'i':
			idle_ms = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'o':
			path = optarg;
			break;
		default:
			path = NULL;
			optind = argc;
		}
	if (!path || !period || optind >= argc) {
		fprintf(stderr, "usage: blackout [-p NS] [-i MS] -o FILE COMMAND...\n");
		return 2;
	}
	if (sched_getaffinity(0, sizeof(cpus), &cpus) != 0 || pipe(requests) != 0 || pipe(replies) != 0) {
		perror("blackout");
		return 11;
	}
	mlockall(MCL_CURRENT);
	for (int cpu = 0; cpu < MAX_CPUS; cpu++)
		if (CPU_ISSET(cpu, &cpus)) {
			first = first < 0 ? cpu : first;
			if (pthread_create(&thread[n++], NULL, prober, (void *)(intptr_t)cpu) != 0)
				return 11;
		}
	if (pthread_create(&two[0], NULL, server, (void *)(intptr_t)first) != 0 ||
	    pthread_create(&two[1], NULL, client, (void *)(intptr_t)first) != 0)
		return 11;
	sleep_until(now() + idle_ms * 1000000ull);
	__atomic_store_n(&phase, BUSY, __ATOMIC_RELEASE);
	code = run(argv + optind);
	__atomic_store_n(&phase, OVER, __ATOMIC_RELEASE);
	for (int i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
	pthread_join(two[0], NULL);
	pthread_join(two[1], NULL);
	option = report(path);
	return option ? option : code;
}
