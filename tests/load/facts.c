// SPDX-License-Identifier: Apache-2.0
/*
 * What this CPU says of itself, one fact a line: every CPUID leaf and subleaf, and every MSR of a list that
 * /dev/cpu/0/msr can read
 * ("fault" where it cannot). Two runs, with Newleaf and without, are compared by a test. Left out: what changes from
 * read to read.
 */
#include <cpuid.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

static void cpuid_leaf(uint32_t leaf)
{
	uint32_t last[4] = {0}, r[4];
	/* Leaves with subleaves end at different marks: stop when nothing changes any more. */
	for (uint32_t sub = 0; sub < 64; sub++) {
		__cpuid_count(leaf, sub, r[0], r[1], r[2], r[3]);
		if (sub && r[0] == last[0] && r[1] == last[1] && r[2] == last[2] && r[3] == last[3])
			break;
		printf("cpuid %08x %02x: %08x %08x %08x %08x\n", leaf, sub, r[0], r[1], r[2], r[3]);
		for (int i = 0; i < 4; i++)
			last[i] = r[i];
	}
}

static void cpuid_range(uint32_t base, uint32_t most)
{
	uint32_t r[4];
	__cpuid(base, r[0], r[1], r[2], r[3]);
	uint32_t end = r[0] >= base && r[0] - base < most ? r[0] : base;
	for (uint32_t leaf = base; leaf <= end; leaf++)
		cpuid_leaf(leaf);
}

static void msr_range(int fd, uint32_t first, uint32_t last)
{
	for (uint32_t i = first; i <= last; i++) {
		uint64_t value;
		if (pread(fd, &value, sizeof(value), i) == sizeof(value))
			printf("msr %08x: %016llx\n", i, (unsigned long long)value);
		else
			printf("msr %08x: fault\n", i);
	}
}

int main(void)
{
	/* Not read: time stamp counters, performance counters, kernel addresses (LSTAR, GS base), the deadline timer.
	 */
	static const uint32_t ranges[][2] = {
	        {0x17, 0x17},
	        {0x1b, 0x1b},
	        {0x2a, 0x2a},
	        {0x3a, 0x3b},
	        {0x48, 0x48},
	        {0x8b, 0x8b},
	        {0xce, 0xcf},
	        {0xfe, 0xfe},
	        {0x10a, 0x10a},
	        {0x122, 0x122},
	        {0x174, 0x174},
	        {0x179, 0x17b},
	        {0x1a0, 0x1a0},
	        {0x1d9, 0x1d9},
	        {0x200, 0x20f},
	        {0x250, 0x250},
	        {0x258, 0x259},
	        {0x268, 0x26f},
	        {0x277, 0x277},
	        {0x2ff, 0x2ff},
	        {0x345, 0x345},
	        {0x480, 0x491},
	        {0x560, 0x561},
	        {0xda0, 0xda0},
	        {0xc0000080, 0xc0000081},
	        {0xc0000084, 0xc0000084},
	        {0xc0010010, 0xc0010010},
	        {0xc0010015, 0xc0010015},
	        {0xc001001f, 0xc0010020},
	        {0xc0010058, 0xc0010058},
	        {0xc0010111, 0xc0010118},
	        {0xc0011020, 0xc0011023},
	};
	cpuid_range(0, 0x40);
	for (uint32_t base = 0x40000000; base < 0x40010000; base += 0x100)
		cpuid_leaf(base);
	cpuid_range(0x80000000, 0x40);
	int fd = open("/dev/cpu/0/msr", O_RDONLY);
	if (fd < 0) {
		printf("msr: no /dev/cpu/0/msr\n");
		return 1;
	}
	for (unsigned i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		msr_range(fd, ranges[i][0], ranges[i][1]);
	return 0;
}
