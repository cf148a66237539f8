// SPDX-License-Identifier: Apache-2.0
/*
 * Goes where `broad` does not get by chance, and a shell cannot: keys that are changed, memory that userfaultfd fills,
 * huge pages that smaps counts, a BPF stack, lists of netlink, options of sockets. Whether a kernel has each does not
 * matter.
 */
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/userfaultfd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SO_RESERVE_MEM
#define SO_RESERVE_MEM 73
#endif
#define HUGE (2UL << 20)

static void keys(void)
{
	for (int i = 0; i < 2; i++) {
		long key = syscall(SYS_add_key, "user", "newleaf-reach", i ? "two" : "one", 3L, -3L);

		if (key > 0 && i)
			syscall(SYS_keyctl, 3L, key); /* KEYCTL_REVOKE */
	}
}

static void read_all(const char *path)
{
	char buffer[4096];
	int fd = open(path, O_RDONLY);

	while (fd >= 0 && read(fd, buffer, sizeof(buffer)) > 0)
		;
	if (fd >= 0)
		close(fd);
}

static void huge_pages(void)
{
	FILE *f = fopen("/proc/sys/vm/nr_hugepages", "w");
	char *p;

	if (f) {
		fputs("2\n", f);
		fclose(f);
	}
	p = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (p == MAP_FAILED)
		return;
	*p = 1;
	read_all("/proc/self/smaps");
	munmap(p, HUGE);
}

static void fill(void)
{
	struct uffdio_api api = {.api = UFFD_API};
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *hole = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffdio_register range = {.range = {(uintptr_t)hole, 8192}, .mode = UFFDIO_REGISTER_MODE_MISSING};
	struct uffdio_copy copy = {.dst = (uintptr_t)hole, .src = (uintptr_t)page, .len = 4096};
	struct uffdio_zeropage zero = {.range = {(uintptr_t)hole + 4096, 4096}};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0 || page == MAP_FAILED || hole == MAP_FAILED || ioctl(fd, UFFDIO_API, &api))
		return;
	strcpy(page, "filled");
	ioctl(fd, UFFDIO_REGISTER, &range);
	ioctl(fd, UFFDIO_COPY, &copy);
	ioctl(fd, UFFDIO_ZEROPAGE, &zero);
	printf("userfaultfd: %s, %d\n", hole, hole[4096]);
	close(fd);
}

static void bpf_stack(uint32_t type)
{
	union bpf_attr a = {0};
	uint32_t value = 7;
	int map;

	a.map_type = type;
	a.value_size = sizeof(value);
	a.max_entries = 4;
	map = (int)syscall(SYS_bpf, BPF_MAP_CREATE, &a, sizeof(a));
	memset(&a, 0, sizeof(a));
	a.map_fd = (uint32_t)map;
	a.value = (uintptr_t)&value;
	if (map < 0 || syscall(SYS_bpf, BPF_MAP_UPDATE_ELEM, &a, sizeof(a)))
		return;
	value = 0;
	a.flags = 0;
	syscall(SYS_bpf, BPF_MAP_LOOKUP_ELEM, &a, sizeof(a));
	syscall(SYS_bpf, BPF_MAP_LOOKUP_AND_DELETE_ELEM, &a, sizeof(a));
	printf("bpf map of type %u: %u\n", type, value);
	close(map);
}

static void list(uint16_t what, uint8_t family)
{
	struct {
		struct nlmsghdr h;
		struct ndtmsg m;
	} ask = {{sizeof(ask), what, NLM_F_REQUEST | NLM_F_DUMP, 1, 0}, {.ndtm_family = family}};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	char answer[16384];

	if (fd < 0)
		return;
	if (send(fd, &ask, sizeof(ask), 0) > 0)
		while (recv(fd, answer, sizeof(answer), MSG_DONTWAIT) > 0 &&
		       ((struct nlmsghdr *)(void *)answer)->nlmsg_type != NLMSG_DONE)
			;
	close(fd);
}

static void options(void)
{
	static const int families[] = {AF_INET, AF_INET6};

	for (int i = 0; i < 4; i++) {
		int fd = socket(families[i & 1], i & 2 ? SOCK_DGRAM : SOCK_STREAM, 0), bytes = 4096;

		setsockopt(fd, SOL_SOCKET, SO_RESERVE_MEM, &bytes, sizeof(bytes));
		if (fd >= 0)
			close(fd);
	}
}

int main(void)
{
	keys();
	huge_pages();
	fill();
	bpf_stack(22); /* BPF_MAP_TYPE_QUEUE */
	bpf_stack(23); /* BPF_MAP_TYPE_STACK */
	list(RTM_GETNEIGHTBL, AF_INET);
	list(RTM_GETROUTE, AF_INET);
	list(RTM_GETROUTE, AF_INET6);
	options();
	return 0;
}
