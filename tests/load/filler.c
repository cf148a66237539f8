// SPDX-License-Identifier: Apache-2.0
/*
 * `filler FILE fill SPARE`: fills what memory is free but for SPARE MiB with a file of the page cache, each word of
 * which is known by its place; prints the file's MiB. `filler FILE check`: is each word still that one?
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK (1u << 20)

static uint64_t word(uint64_t at) { return (at + 1) * 0x9e3779b97f4a7c15u; }

static unsigned long free_mib(void)
{
	unsigned long kib = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "r");

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "MemFree:", 8)) {
			kib = strtoul(line + 8, NULL, 10);
			break;
		}
	if (f)
		fclose(f);
	return kib >> 10;
}

static int fill(int fd, unsigned long spare)
{
	static uint64_t chunk[CHUNK / sizeof(uint64_t)];
	unsigned long mib = 0;

	for (; free_mib() > spare; mib++) {
		for (uint64_t i = 0; i < CHUNK / sizeof(uint64_t); i++)
			chunk[i] = word(mib * (CHUNK / sizeof(uint64_t)) + i);
		if (write(fd, chunk, CHUNK) != CHUNK)
			break;
	}
	printf("%lu\n", mib);
	return mib == 0;
}

static int check(int fd)
{
	struct stat s;
	const uint64_t *words;
	uint64_t wrong = 0;

	if (fstat(fd, &s) != 0 || s.st_size == 0)
		return 1;
	words = mmap(NULL, (size_t)s.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (words == MAP_FAILED)
		return 1;
	for (uint64_t i = 0; i < (uint64_t)s.st_size / sizeof(uint64_t); i++)
		if (words[i] != word(i) && wrong++ < 10)
			printf("at 0x%llx: 0x%016llx, was 0x%016llx\n", (unsigned long long)i * sizeof(uint64_t),
			       (unsigned long long)words[i], (unsigned long long)word(i));
	printf("%lld bytes, %llu words wrong\n", (long long)s.st_size, (unsigned long long)wrong);
	return wrong != 0;
}

int main(int argc, char **argv)
{
	int fd = argc >= 3 ? open(argv[1], O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;

	if (fd >= 0 && argc == 4 && strcmp(argv[2], "fill") == 0)
		return fill(fd, strtoul(argv[3], NULL, 10));
	if (fd >= 0 && argc == 3 && strcmp(argv[2], "check") == 0)
		return check(fd);
	fprintf(stderr, "usage: filler FILE fill SPARE|check\n");
	return 2;
}
