// SPDX-License-Identifier: Apache-2.0
/*
 * The part of `broad` for memory: copies on write, huge and merged pages, migration, user faults, seals, protection
 * keys, other processes' memory, swap, and a cgroup that has too little of it.
 */
#include "broad.h"

#include <linux/fs.h>
#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define PAGE 4096L
#define HUGE (2L << 20)

static char *get(long size, int flags)
{
	char *p = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void copies(long unused)
{
	char *p = get(4 << 20, 0),
	     *shared = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)unused;
	if (!p || shared == MAP_FAILED)
		return;
	memset(p, 1, 4 << 20);
	memset(shared, 1, 1 << 20);
	for (int i = 0; i < 3; i++)
		if (!fork()) {
			memset(p, 2, 1 << 20);
			memset(shared, 2, 1 << 20);
			mprotect(p + PAGE, 64 * PAGE, PROT_READ);
			munmap(p + 200 * PAGE, 8 * PAGE);
			mremap(p, 64 * PAGE, 128 * PAGE, MREMAP_MAYMOVE);
			mremap(p + 300 * PAGE, 8 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | 4 /* DONTUNMAP */);
			_exit(0);
		}
	while (wait(NULL) > 0)
		;
	for (int advice = 0; advice < 26; advice++)
		madvise(p + advice * 16 * PAGE, 16 * PAGE, advice);
	mlock(p, 64 * PAGE), munlock(p, 64 * PAGE);
	syscall(SYS_mlock2, p, 64 * PAGE, 1);
	mincore(p, 64 * PAGE, (unsigned char *)shared);
	syscall(SYS_remap_file_pages, shared, 16 * PAGE, 0, 16, 0);
	msync(shared, 1 << 20, MS_SYNC);
	for (int i = 0; i < 200; i++) /* regions that split and join */
		mprotect(p + (i * 7 % 500) * PAGE, PAGE, i & 1 ? PROT_READ : PROT_READ | PROT_WRITE);
	for (int i = 0; i < 300; i++)
		(void)mmap(NULL, 2 * PAGE, i & 1 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		           -1, 0);
	broad_read("/proc/self/smaps");
	broad_read("/proc/self/smaps_rollup");
	broad_read("/proc/self/numa_maps");
	broad_read("/proc/self/pagemap");
	broad_put("/proc/self/clear_refs", "1");
	broad_put("/proc/self/clear_refs", "4");
	p[5] = 1;
}

static void huge(long unused)
{
	char *p = get(4 * HUGE, 0), *h;
	char *aligned = (char *)(((uintptr_t)p + HUGE - 1) & ~(uintptr_t)(HUGE - 1));

	(void)unused;
	broad_put("/sys/kernel/mm/transparent_hugepage/enabled", "always");
	broad_put("/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs", "10");
	broad_put("/sys/kernel/mm/transparent_hugepage/khugepaged/alloc_sleep_millisecs", "10");
	broad_put("/proc/sys/vm/nr_hugepages", "6");
	if (!p)
		return;
	madvise(aligned, 3 * HUGE, MADV_HUGEPAGE);
	memset(aligned, 1, 3 * HUGE);
	if (!fork())
		memset(aligned, 2, HUGE), _exit(0);
	wait(NULL);
	mprotect(aligned + PAGE, PAGE, PROT_READ);
	munmap(aligned + HUGE + 8 * PAGE, PAGE);
	madvise(aligned, HUGE, MADV_DONTNEED);
	madvise(aligned + 2 * HUGE, HUGE, 25 /* COLLAPSE */);
	broad_put("/sys/kernel/debug/split_huge_pages", "1");
	for (long i = 0; i < HUGE; i += PAGE)
		aligned[i] = 1;
	usleep(60000); /* khugepaged's turn */
	h = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (h != MAP_FAILED) {
		memset(h, 1, 2 * HUGE);
		if (!fork())
			memset(h, 2, 2 * HUGE), _exit(0);
		wait(NULL);
		mprotect(h, HUGE, PROT_READ);
		mremap(h + HUGE, HUGE, HUGE, MREMAP_MAYMOVE);
		munmap(h, HUGE);
	}
	h = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_SHARED,
	         (int)syscall(SYS_memfd_create, "huge", MFD_HUGETLB | MFD_ALLOW_SEALING), 0);
	if (h != MAP_FAILED)
		memset(h, 1, HUGE);
	broad_read("/proc/self/smaps");
	broad_put("/proc/sys/vm/nr_hugepages", "0");
	broad_put("/proc/sys/vm/nr_overcommit_hugepages", "2");
	h = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (h != MAP_FAILED)
		h[1] = 1, munmap(h, HUGE);
	broad_put("/proc/sys/vm/nr_overcommit_hugepages", "0");
	broad_put("/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs", "10000");
	broad_put("/sys/kernel/mm/transparent_hugepage/enabled", "madvise");
}

static void merged(long unused)
{
	char *p = get(256 * PAGE, 0);

	(void)unused;
	if (!p)
		return;
	memset(p, 3, 256 * PAGE);
	madvise(p, 256 * PAGE, MADV_MERGEABLE);
	broad_put("/sys/kernel/mm/ksm/sleep_millisecs", "1");
	broad_put("/sys/kernel/mm/ksm/pages_to_scan", "400");
	broad_put("/sys/kernel/mm/ksm/use_zero_pages", "1");
	broad_put("/sys/kernel/mm/ksm/run", "1");
	memset(p + 200 * PAGE, 0, 20 * PAGE);
	usleep(150000);
	for (int i = 0; i < 64; i++)
		p[i * PAGE] = 4;
	broad_read("/proc/self/ksm_stat");
	broad_put("/sys/kernel/mm/ksm/run", "2");
	broad_put("/sys/kernel/mm/ksm/run", "0");
	broad_put("/sys/kernel/mm/ksm/use_zero_pages", "0");
	broad_put("/sys/kernel/mm/ksm/sleep_millisecs", "20");
	madvise(p, 256 * PAGE, MADV_UNMERGEABLE);
}

static void policies(long unused)
{
	unsigned long node = 1, all[16] = {1};
	char *p = get(64 * PAGE, 0);
	void *pages[4] = {p, p + PAGE, p + 2 * PAGE, p + 9 * PAGE};
	int nodes[4] = {0}, status[4];

	(void)unused;
	if (!p)
		return;
	memset(p, 1, 64 * PAGE);
	for (int mode = 0; mode < 7; mode++) {
		syscall(SYS_set_mempolicy, mode, mode && mode != MPOL_LOCAL ? &node : NULL,
		        mode && mode != MPOL_LOCAL ? 8 : 0);
		syscall(SYS_mbind, p, 64 * PAGE, mode, &node, 8, MPOL_MF_MOVE | MPOL_MF_STRICT);
		syscall(SYS_get_mempolicy, status, all, 1024, p, MPOL_F_ADDR);
		free(malloc(1 << 20));
	}
	syscall(SYS_move_pages, 0, 4UL, pages, NULL, status, 0);
	syscall(SYS_move_pages, 0, 4UL, pages, nodes, status, MPOL_MF_MOVE_ALL);
	syscall(SYS_migrate_pages, 0, 8UL, &node, &node);
	syscall(SYS_set_mempolicy_home_node, p, 64 * PAGE, 0, 0);
	syscall(SYS_set_mempolicy, 0, NULL, 0);
	broad_read("/proc/self/numa_maps");
	broad_put("/proc/sys/vm/compact_memory", "1");
	broad_put("/proc/sys/vm/drop_caches", "3");
}

static void *touch(void *p)
{
	for (int i = 0; i < 16; i++)
		((volatile char *)p)[i * PAGE] = 1;
	return NULL;
}

static void faults_by_user(long unused)
{
	int u = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	struct uffdio_api api = {.api = UFFD_API,
	                         .features = UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMAP |
	                                     UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_EVENT_UNMAP};
	char *p = get(16 * PAGE, 0), *from = get(16 * PAGE, 0);
	struct uffdio_register r = {.range = {(uintptr_t)p, 16 * PAGE},
	                            .mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP};
	struct uffd_msg m;
	pthread_t t;

	(void)unused;
	if (u < 0 || ioctl(u, UFFDIO_API, &api) || ioctl(u, UFFDIO_REGISTER, &r))
		return;
	if (pthread_create(&t, NULL, touch, p))
		return;
	for (int i = 0; i < 16; i++) {
		struct uffdio_copy copy = {
		        .src = (uintptr_t)from, .len = PAGE, .mode = i & 1 ? UFFDIO_COPY_MODE_WP : 0};
		struct uffdio_zeropage zero;

		if (poll(&(struct pollfd){.fd = u, .events = POLLIN}, 1, 500) <= 0 ||
		    read(u, &m, sizeof(m)) != sizeof(m))
			break;
		copy.dst = m.arg.pagefault.address & ~(uint64_t)(PAGE - 1);
		zero = (struct uffdio_zeropage){.range = {copy.dst, PAGE}};
		if (m.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP)
			ioctl(u, UFFDIO_WRITEPROTECT, &(struct uffdio_writeprotect){.range = {copy.dst, PAGE}});
		else if (i % 3 || ioctl(u, UFFDIO_ZEROPAGE, &zero))
			ioctl(u, UFFDIO_COPY, &copy);
	}
	ioctl(u, UFFDIO_WRITEPROTECT,
	      &(struct uffdio_writeprotect){.range = r.range, .mode = UFFDIO_WRITEPROTECT_MODE_WP});
	ioctl(u, UFFDIO_WAKE, &r.range);
	ioctl(u, UFFDIO_CONTINUE, &(struct uffdio_continue){.range = r.range});
	broad_read("/proc/self/smaps");
	ioctl(u, UFFDIO_UNREGISTER, &r.range);
	pthread_join(t, NULL);
}

static void seals(long unused)
{
	int fd = (int)syscall(SYS_memfd_create, "sealed", MFD_ALLOW_SEALING), secret;
	char *p;

	(void)unused;
	if (ftruncate(fd, 64 * PAGE))
		return;
	p = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	for (int i = 0; i < 64; i += 2)
		p[i * PAGE] = 1;
	lseek(fd, 0, SEEK_DATA), lseek(fd, 0, SEEK_HOLE);
	fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 8 * PAGE);
	fallocate(fd, 0, 0, 32 * PAGE);
	for (int i = 0; i < 6; i++)
		fcntl(fd, F_ADD_SEALS, 1 << i);
	munmap(p, 64 * PAGE);
	fcntl(fd, F_ADD_SEALS, 8), fcntl(fd, F_GET_SEALS);
	(void)!write(fd, "x", 1);
	ioctl((int)open("/dev/udmabuf", O_RDWR), 0x40187542, (char[64]){0});
	secret = (int)syscall(SYS_memfd_secret, 0);
	if (secret >= 0 && !ftruncate(secret, PAGE)) {
		p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, secret, 0);
		if (p != MAP_FAILED)
			p[1] = 1;
	}
	p = get(PAGE, 0);
	secret = (int)syscall(SYS_pkey_alloc, 0, 0);
	syscall(SYS_pkey_mprotect, p, PAGE, PROT_READ, secret);
	syscall(SYS_pkey_free, secret);
	broad_read("/proc/self/smaps");
}

static void others(long unused)
{
	char *p = get(8 * PAGE, 0), *into = get(8 * PAGE, 0), path[64];
	pid_t pid;
	int fd;

	(void)unused;
	memset(p, 1, 8 * PAGE);
	pid = fork();
	if (!pid)
		pause(), _exit(0);
	process_vm_readv(pid, &(struct iovec){into, 8 * PAGE}, 1, &(struct iovec){p, 8 * PAGE}, 1, 0);
	process_vm_writev(pid, &(struct iovec){into, 8 * PAGE}, 1, &(struct iovec){p, 8 * PAGE}, 1, 0);
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	for (int advice = 20; advice < 26; advice++)
		syscall(SYS_process_madvise, fd, &(struct iovec){p, 8 * PAGE}, 1, advice, 0);
	syscall(SYS_kcmp, pid, getpid(), 0, 1, 1), syscall(SYS_kcmp, pid, getpid(), 1, 0, 0);
	syscall(SYS_pidfd_getfd, fd, 1, 0);
	for (int i = 0; i < 3; i++) {
		static const char *const files[] = {"mem", "maps", "environ"};

		snprintf(path, sizeof(path), "/proc/%d/%s", pid, files[i]);
		broad_read(path);
	}
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	close(fd), fd = open(path, O_RDWR);
	(void)!pread(fd, into, 100, (off_t)(uintptr_t)p), (void)!pwrite(fd, into, 100, (off_t)(uintptr_t)p);
	close(fd), fd = (int)syscall(SYS_pidfd_open, pid, 0);
	syscall(SYS_pidfd_send_signal, fd, 9, NULL, 0);
	poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 1000);
	syscall(SYS_waitid, 3 /* P_PIDFD */, fd, (char[128]){0}, WEXITED, (char[256]){0});
	syscall(SYS_process_mrelease, fd, 0);
}

/* A swap file of 32 MB on the disk; whoever has 24 MB of memory for 40 must use it. */
static void pressure(long unused)
{
	static char header[PAGE];
	unsigned pages = 8192;
	char *p;
	int fd;

	(void)unused;
	if (broad_disk(NULL))
		return;
	fd = open(BROAD_HOME "/disk/swap", O_RDWR | O_CREAT | O_TRUNC, 0600);
	memcpy(header + 1024, &(unsigned[]){1, pages - 1, 0}, 12);
	memcpy(header + PAGE - 10, "SWAPSPACE2", 10);
	(void)!write(fd, header, PAGE);
	if (posix_fallocate(fd, PAGE, (pages - 1) * PAGE) || fsync(fd))
		return;
	for (long i = 1; i < pages; i++) /* written: a swap file may have no extents that are not */
		(void)!pwrite(fd, header + 512, 1, i * PAGE);
	fsync(fd);
	swapon(BROAD_HOME "/disk/swap", SWAP_FLAG_DISCARD | SWAP_FLAG_PREFER | 5);
	mkdir(BROAD_HOME "/cg", 0700);
	mount("none", BROAD_HOME "/cg", "cgroup2", 0, NULL);
	broad_put(BROAD_HOME "/cg/cgroup.subtree_control", "+memory");
	mkdir(BROAD_HOME "/cg/few", 0700);
	broad_put(BROAD_HOME "/cg/few/memory.high", "20M");
	broad_put(BROAD_HOME "/cg/few/memory.max", "24M");
	if (!fork()) {
		broad_put(BROAD_HOME "/cg/few/cgroup.procs", "0");
		p = get(40 << 20, 0);
		for (int round = 0; round < 2; round++)
			for (long i = 0; i < 40 << 20; i += PAGE)
				p[i] = (char)i;
		madvise(p, 4 << 20, 21 /* PAGEOUT */), madvise(p + (8 << 20), 4 << 20, MADV_WILLNEED);
		if (!fork())
			memset(p, 1, 2 << 20), _exit(0);
		wait(NULL);
		broad_read("/proc/self/smaps"), broad_read("/proc/self/pagemap");
		_exit(0);
	}
	wait(NULL);
	broad_put(BROAD_HOME "/cg/few/memory.reclaim", "1M");
	broad_read(BROAD_HOME "/cg/few/memory.stat"), broad_read(BROAD_HOME "/cg/few/memory.events");
	broad_read("/proc/swaps"), broad_read("/proc/pressure/memory");
	swapoff(BROAD_HOME "/disk/swap");
	rmdir(BROAD_HOME "/cg/few");
	unlink(BROAD_HOME "/disk/swap");
}

const struct broad_step broad_memory[] = {{"copies", copies, 0, 20},
                                          {"huge", huge, 0, 20},
                                          {"merged", merged, 0, 20},
                                          {"policies", policies, 0, 20},
                                          {"user-faults", faults_by_user, 0, 10},
                                          {"seals", seals, 0, 10},
                                          {"others", others, 0, 10},
                                          {"pressure", pressure, 0, 40},
                                          {NULL, NULL, 0, 0}};
