// SPDX-License-Identifier: Apache-2.0
/*
 * Tasks that sleep, and nothing else: `sleepers COUNT` makes so many threads, says so when all have begun, and waits to
 * be killed. Each sleeps in the kernel on a futex that nobody wakes. `sleepers --deadline` makes none, and sleeps as a
 * deadline task itself.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_uint begun;
static uint32_t never;

static void *sleeper(void *unused)
{
	(void)unused;
	atomic_fetch_add(&begun, 1);
	for (;;)
		syscall(SYS_futex, &never, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	return NULL;
}

/* A tenth of a CPU. Not for threads: such a task may make none. */
static int become_deadline(void)
{
	/* sched_setattr(2): the header of struct sched_attr and that of the C library do not go together */
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period; /* ns */
	} a = {.size = sizeof(a), .policy = 6, .runtime = 10000000, .deadline = 100000000, .period = 100000000};

	return (int)syscall(SYS_sched_setattr, 0, &a, 0);
}

int main(int argc, char **argv)
{
	bool deadline = argc == 2 && strcmp(argv[1], "--deadline") == 0;
	unsigned count = argc == 2 && !deadline ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 32768);
	for (unsigned i = 0; i < count; i++)
		if (pthread_create(&thread, &attributes, sleeper, NULL) != 0) {
			printf("sleepers: only %u\n", i);
			return 1;
		}
	while (atomic_load(&begun) < count)
		usleep(1000);
	if (deadline && become_deadline() != 0) {
		printf("sleepers: no deadline task\n");
		return 1;
	}
	printf("sleepers: %u\n", count);
	fflush(stdout);
	pause();
	return 0;
}
