// SPDX-License-Identifier: Apache-2.0
/*
 * The kernel's static branches, one a line: address of the code, address of the key, 1 if it is a jump now. From
 * __jump_table, read through /proc/kcore (a CPU's view of memory, as any debugger has it). Usage: jumplabels START STOP
 * (addresses of __start/__stop___jump_table)
 */
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int kcore;
static Elf64_Phdr segments[64];
static int n_segments;

static int peek(uint64_t address, void *to, size_t size)
{
	for (int i = 0; i < n_segments; i++)
		if (address >= segments[i].p_vaddr && address + size <= segments[i].p_vaddr + segments[i].p_memsz)
			return pread(kcore, to, size, (off_t)(segments[i].p_offset + address - segments[i].p_vaddr)) ==
			       (ssize_t)size;
	return 0;
}

int main(int argc, char **argv)
{
	Elf64_Ehdr header;
	kcore = open("/proc/kcore", O_RDONLY);
	if (argc != 3 || pread(kcore, &header, sizeof(header), 0) != sizeof(header))
		return 2;
	n_segments = header.e_phnum < 64 ? header.e_phnum : 64;
	if (pread(kcore, segments, (size_t)n_segments * sizeof(segments[0]), (off_t)header.e_phoff) <= 0)
		return 2;
	struct { /* struct jump_entry, include/linux/jump_label.h: all three relative to themselves */
		int32_t code, target;
		int64_t key;
	} entry;
	uint64_t start = strtoull(argv[1], NULL, 16), stop = strtoull(argv[2], NULL, 16);
	for (uint64_t at = start; at < stop; at += sizeof(entry)) {
		uint64_t code = 0;
		uint8_t byte = 0;
		if (!peek(at, &entry, sizeof(entry)))
			return 1;
		code = at + (uint64_t)(int64_t)entry.code;
		if (entry.code == 0 || !peek(code, &byte, 1))
			continue; /* belongs to init code that is gone */
		printf("%016llx %016llx %d\n", (unsigned long long)code,
		       (unsigned long long)((at + 8 + (uint64_t)entry.key) & ~3ULL), byte == 0xe9 || byte == 0xeb);
	}
	return 0;
}
