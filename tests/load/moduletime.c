// SPDX-License-Identifier: Apache-2.0
/*
 * `moduletime FILE NAME ROUNDS`: loads and unloads a module so often, and prints what the cheapest load cost in
 * nanoseconds. On an emulator that counts instructions instead of time those are instructions.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int main(int argc, char **argv)
{
	uint64_t load = UINT64_MAX;
	int fd = argc == 4 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0) {
		fprintf(stderr, "usage: moduletime FILE NAME ROUNDS\n");
		return 2;
	}
	for (long i = strtol(argv[3], NULL, 10); i > 0; i--) {
		uint64_t start = now(), took;

		if (syscall(SYS_finit_module, fd, "", 0) != 0) {
			fprintf(stderr, "moduletime: %s: %s\n", argv[1], strerror(errno));
			return 1;
		}
		took = now() - start;
		if (syscall(SYS_delete_module, argv[2], O_NONBLOCK) != 0) {
			fprintf(stderr, "moduletime: delete %s: %s\n", argv[2], strerror(errno));
			return 1;
		}
		load = took < load ? took : load;
	}
	printf("%llu\n", (unsigned long long)load);
	return 0;
}
