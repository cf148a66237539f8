// SPDX-License-Identifier: Apache-2.0
/* A runaway thread: `hog CPU spin` is there at the highest real-time priority until it is killed; `hog CPU calls` makes
 * system calls there, one after the other. `hog CPU spin|calls COMMAND` does the command first, at that priority. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	const struct sched_param top = {.sched_priority = 99};
	cpu_set_t one;

	if (argc < 3 || argc > 4 || (strcmp(argv[2], "spin") && strcmp(argv[2], "calls")))
		return 2;
	CPU_ZERO(&one);
	CPU_SET((unsigned)strtoul(argv[1], NULL, 10), &one);
	if (sched_setaffinity(0, sizeof(one), &one) || sched_setscheduler(0, SCHED_FIFO, &top)) {
		perror("hog");
		return 1;
	}
	puts("hog: runs");
	fflush(stdout);
	if (argc == 4 && system(argv[3]))
		return 1;
	for (;;) {
		if (*argv[2] == 'c')
			syscall(SYS_getppid);
		__asm__ volatile("pause");
	}
}
