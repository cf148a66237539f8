// SPDX-License-Identifier: Apache-2.0
/*
 * `fentry [--exit] FUNCTION`: attaches a BPF program that does nothing to a function of the kernel, at its entry or
 * around it, says "attached", and holds it until standard input ends; then prints how often it ran. The kernel counts
 * while kernel.bpf_stats_enabled is 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/btf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static long bpf(int command, union bpf_attr *attr) { return syscall(SYS_bpf, command, attr, sizeof(*attr)); }

static char *read_all(const char *path, size_t *size)
{
	struct stat s;
	char *data = NULL;
	int fd = open(path, O_RDONLY);

	*size = 0;
	if (fd < 0 || fstat(fd, &s) || !(data = malloc((size_t)s.st_size)))
		return NULL;
	for (ssize_t n; *size < (size_t)s.st_size && (n = read(fd, data + *size, (size_t)s.st_size - *size)) > 0;)
		*size += (size_t)n;
	close(fd);
	return data;
}

/* What follows a type's own 12 bytes (Documentation/bpf/btf.rst of Linux). */
static size_t behind(const struct btf_type *t)
{
	const size_t n = BTF_INFO_VLEN(t->info);

	switch (BTF_INFO_KIND(t->info)) {
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
		return 4;
	case BTF_KIND_ARRAY:
		return 12;
	case BTF_KIND_ENUM:
	case BTF_KIND_FUNC_PROTO:
		return 8 * n;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
	case BTF_KIND_DATASEC:
	case BTF_KIND_ENUM64:
		return 12 * n;
	}
	return 0;
}

static uint32_t function(const char *name)
{
	size_t size;
	const char *data = read_all("/sys/kernel/btf/vmlinux", &size);
	const struct btf_header *h = (const void *)data;
	uint32_t id = 1;

	if (!data || size < sizeof(*h))
		return 0;
	const char *types = data + h->hdr_len + h->type_off, *end = types + h->type_len;
	const char *strings = data + h->hdr_len + h->str_off;
	for (; types < end; id++) {
		const struct btf_type *t = (const void *)types;

		if (BTF_INFO_KIND(t->info) == BTF_KIND_FUNC && !strcmp(strings + t->name_off, name))
			return id;
		types += sizeof(*t) + behind(t);
	}
	return 0;
}

int main(int argc, char **argv)
{
	static char log[65536];
	const struct bpf_insn nothing[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
	                                   {.code = BPF_JMP | BPF_EXIT}};
	const int exits = argc == 3 && !strcmp(argv[1], "--exit");
	struct bpf_prog_info info;
	union bpf_attr attr;
	char byte;
	int program, link;

	if (argc != 2 + exits)
		return 2;
	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_TRACING;
	attr.expected_attach_type = exits ? BPF_TRACE_FEXIT : BPF_TRACE_FENTRY;
	attr.attach_btf_id = function(argv[1 + exits]);
	attr.insns = (uintptr_t)nothing;
	attr.insn_cnt = 2;
	attr.license = (uintptr_t) "GPL";
	attr.log_buf = (uintptr_t)log;
	attr.log_size = sizeof(log);
	attr.log_level = 1;
	if ((program = (int)bpf(BPF_PROG_LOAD, &attr)) < 0) {
		fprintf(stderr, "load: %s\n%s", strerror(errno), log);
		return 1;
	}
	memset(&attr, 0, sizeof(attr));
	attr.raw_tracepoint.prog_fd = (uint32_t)program;
	if ((link = (int)bpf(BPF_RAW_TRACEPOINT_OPEN, &attr)) < 0) {
		perror("attach");
		return 1;
	}
	puts("attached");
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	memset(&attr, 0, sizeof(attr));
	memset(&info, 0, sizeof(info));
	attr.info.bpf_fd = (uint32_t)program;
	attr.info.info_len = sizeof(info);
	attr.info.info = (uintptr_t)&info;
	if (bpf(BPF_OBJ_GET_INFO_BY_FD, &attr)) {
		perror("info");
		return 1;
	}
	close(link);
	printf("%llu runs\n", (unsigned long long)info.run_cnt);
	return 0;
}
