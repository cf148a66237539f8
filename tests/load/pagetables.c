// SPDX-License-Identifier: Apache-2.0
/*
 * A process whose page tables lie high: `pagetables COUNT GIB` touches a page in each of COUNT pieces of 2 MiB, which
 * costs a page table each, says how many page tables of all the machine's lie above GIB before and after (as
 * /proc/kpageflags has it), and then runs at CPL 3 until it is killed.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PGTABLE (1ULL << 26) /* KPF_PGTABLE, Documentation/admin-guide/mm/pagemap.rst */
#define PIECE (2UL << 20)

/* Page tables from that frame on; -1: the kernel does not tell. */
static long count_from(uint64_t frame)
{
	static uint64_t flags[65536];
	int fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	long found = 0;
	ssize_t n = -1;

	while (fd >= 0 && (n = pread(fd, flags, sizeof(flags), (off_t)(frame * 8))) > 0) {
		for (size_t i = 0; i < (size_t)n / 8; i++)
			found += (flags[i] & PGTABLE) != 0;
		frame += (uint64_t)n / 8;
	}
	if (fd >= 0)
		close(fd);
	return n < 0 ? -1 : found;
}

int main(int argc, char **argv)
{
	unsigned long count = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
	uint64_t frame = argc == 3 ? strtoull(argv[2], NULL, 10) << 18 : 0;
	long before = count_from(frame), after;
	volatile char *memory =
	        mmap(NULL, count * PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED || madvise((void *)memory, count * PIECE, MADV_NOHUGEPAGE) != 0) {
		printf("pagetables: no memory\n");
		return 1;
	}
	for (unsigned long i = 0; i < count; i++)
		memory[i * PIECE] = 1;
	after = count_from(frame);
	printf("pagetables: %ld %ld\n", before, after);
	fflush(stdout);
	for (;;)
		for (unsigned long i = 0; i < count; i++)
			memory[i * PIECE]++;
}
