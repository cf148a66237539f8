// SPDX-License-Identifier: Apache-2.0
/* A runaway thread: `hog CPU` spins there at the highest real-time priority until it is killed. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	const struct sched_param top = {.sched_priority = 99};
	cpu_set_t one;

	if (argc != 2)
		return 2;
	CPU_ZERO(&one);
	CPU_SET((unsigned)strtoul(argv[1], NULL, 10), &one);
	if (sched_setaffinity(0, sizeof(one), &one) || sched_setscheduler(0, SCHED_FIFO, &top)) {
		perror("hog");
		return 1;
	}
	puts("hog: runs");
	fflush(stdout);
	for (;;)
		__asm__ volatile("pause");
}
