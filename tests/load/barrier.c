// SPDX-License-Identifier: Apache-2.0
/*
 * A thread on each CPU asks for memory barriers of every kind that the kernel has, as fast as it can: each is an IPI to
 * all others, or a wait for them. Until it is killed; then it prints how many there were.
 */
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_ulong done, failed;
static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

static long membarrier(int command) { return syscall(SYS_membarrier, command, 0, 0); }

static void *ask(void *arg)
{
	static const int kinds[] = {MEMBARRIER_CMD_PRIVATE_EXPEDITED, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE,
	                            MEMBARRIER_CMD_GLOBAL_EXPEDITED};
	const int cpu = (int)(long)arg;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	for (unsigned i = 0; !stop; i++)
		atomic_fetch_add(membarrier(kinds[i % 3]) ? &failed : &done, 1);
	return NULL;
}

int main(void)
{
	const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t threads[64];

	signal(SIGTERM, on_signal);
	if (membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) ||
	    membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE) ||
	    membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED)) {
		perror("membarrier");
		return 1;
	}
	for (long i = 0; i < cpus && i < 64; i++)
		pthread_create(&threads[i], NULL, ask, (void *)i);
	for (long i = 0; i < cpus && i < 64; i++)
		pthread_join(threads[i], NULL);
	printf("%lu barriers, %lu failures\n", done, failed);
	return failed != 0;
}
