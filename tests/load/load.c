// SPDX-License-Identifier: Apache-2.0
/*
 * Load for the guest while leaves are applied: on every CPU a loop of forks, and one process with a thread on every CPU
 * that maps, protects and unmaps pages, so that the CPUs keep sending each other TLB shootdowns. Runs until it is
 * killed or `load SECONDS` is over; `load --once` does a short fixed amount. Prints what it did; exit 1 when the kernel
 * refused anything or memory was not what was written.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_CPUS 64

static atomic_ulong *counters; /* shared: [0] forks, [1] mappings, [2] failures */
static volatile sig_atomic_t stop;
static unsigned long limit; /* iterations of each loop, 0 = until told */

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

static void pin(int cpu)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set); /* a CPU that is offline: run anywhere */
}

static void fork_loop(int cpu)
{
	pin(cpu);
	for (unsigned long i = 0; !stop && (!limit || i < limit); i++) {
		int status;
		pid_t child = fork();
		if (child == 0)
			_exit((int)(i & 0x7f));
		if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
		    WEXITSTATUS(status) != (int)(i & 0x7f)) {
			if (errno != EINTR)
				atomic_fetch_add(&counters[2], 1);
			continue;
		}
		atomic_fetch_add(&counters[0], 1);
	}
}

static void *map_loop(void *argument)
{
	const size_t length = 16 * 4096;
	pin((int)(intptr_t)argument);
	for (unsigned long i = 0; !stop && (!limit || i < limit); i++) {
		uint64_t *page = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (page == MAP_FAILED) {
			atomic_fetch_add(&counters[2], 1);
			continue;
		}
		for (size_t at = 0; at < length / 8; at += 512)
			page[at] = i ^ at;
		bool good = mprotect(page, length, PROT_READ) == 0;
		for (size_t at = 0; at < length / 8; at += 512)
			good = good && page[at] == (i ^ at);
		good = good && mprotect(page, length, PROT_READ | PROT_WRITE) == 0;
		page[0] = ~i;
		good = munmap(page, length) == 0 && good;
		atomic_fetch_add(&counters[good ? 1 : 2], 1);
	}
	return NULL;
}

static void map_process(int cpus)
{
	pthread_t threads[MAX_CPUS];
	for (int i = 0; i < cpus; i++)
		if (pthread_create(&threads[i], NULL, map_loop, (void *)(intptr_t)i) != 0)
			exit(1);
	for (int i = 0; i < cpus; i++)
		pthread_join(threads[i], NULL);
}

int main(int argc, char **argv)
{
	unsigned seconds = 0;
	if (argc == 2 && strcmp(argv[1], "--once") == 0)
		limit = 20;
	else if (argc == 2)
		seconds = (unsigned)strtoul(argv[1], NULL, 10);
	int cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
	cpus = cpus > MAX_CPUS ? MAX_CPUS : cpus;
	counters = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (counters == MAP_FAILED)
		return 1;
	struct sigaction action = {.sa_handler = on_signal};
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	pid_t children[MAX_CPUS + 1];
	for (int i = 0; i <= cpus; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			alarm(seconds);
			if (i < cpus)
				fork_loop(i);
			else
				map_process(cpus);
			_exit(0);
		}
	}
	bool told = false;
	for (int i = 0; i <= cpus; i++) {
		int status;
		while (waitpid(children[i], &status, 0) < 0 && errno == EINTR) {
			for (int c = 0; stop && !told && c <= cpus; c++)
				kill(children[c], SIGTERM);
			told = stop;
		}
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			atomic_fetch_add(&counters[2], 1);
	}
	printf("load: %d CPUs, %lu forks, %lu mappings, %lu failures\n", cpus, counters[0], counters[1], counters[2]);
	return counters[2] != 0 || counters[0] == 0 || counters[1] == 0;
}
