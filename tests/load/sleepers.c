// SPDX-License-Identifier: Apache-2.0
/*
 * Tasks that sleep, and nothing else: `sleepers COUNT` makes so many threads, says so when all are asleep, and waits to
 * be killed. Each sleeps in the kernel on a futex that nobody wakes.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
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

int main(int argc, char **argv)
{
	unsigned count = argc == 2 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
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
	printf("sleepers: %u\n", count);
	fflush(stdout);
	pause();
	return 0;
}
