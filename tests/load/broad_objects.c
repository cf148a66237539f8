// SPDX-License-Identifier: Apache-2.0
/*
 * The part of `broad` for things that the kernel keeps: BPF maps and programs, keys, rings, cgroups, files of ext4 with
 * their locks, quotas and attributes, mounts by the newer calls, queues, futexes, rule sets of processes.
 */
#include "broad.h"

#include <dirent.h>
#include <errno.h>
#include <linux/aio_abi.h>
#include <linux/bpf.h>
#include <linux/dqblk_xfs.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/fscrypt.h>
#include <linux/fsverity.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/landlock.h>
#include <linux/membarrier.h>
#include <linux/openat2.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/quota.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>

static int bpf(int command, union bpf_attr *a) { return (int)syscall(SYS_bpf, command, a, sizeof(*a)); }

static void maps(long unused)
{
	(void)unused;
	for (unsigned type = 1; type < 40; type++)
		for (unsigned shape = 0; shape < 4; shape++) {
			union bpf_attr a = {.map_type = type,
			                    .key_size = shape == 3   ? 0
			                                : shape == 2 ? 8
			                                             : 4,
			                    .value_size = shape ? 8 : 4,
			                    .max_entries = shape == 3 ? 4096 : 8,
			                    .map_flags = type == BPF_MAP_TYPE_LPM_TRIE ? BPF_F_NO_PREALLOC : 0};
			uint64_t key[2] = {1}, value[64] = {2}, batch = 0;
			int fd = bpf(BPF_MAP_CREATE, &a);
			char path[64], info[256];

			if (fd < 0)
				continue;
			for (uint64_t i = 0; i < 12; i++) {
				key[0] = type == BPF_MAP_TYPE_LPM_TRIE ? 8 + i : i;
				a = (union bpf_attr){
				        .map_fd = (unsigned)fd, .key = (uintptr_t)key, .value = (uintptr_t)value};
				bpf(BPF_MAP_UPDATE_ELEM, &a);
				bpf(BPF_MAP_LOOKUP_ELEM, &a);
			}
			a = (union bpf_attr){
			        .map_fd = (unsigned)fd, .key = (uintptr_t)key, .next_key = (uintptr_t)value};
			bpf(BPF_MAP_GET_NEXT_KEY, &a);
			a = (union bpf_attr){.batch = {.out_batch = (uintptr_t)&batch,
			                               .keys = (uintptr_t)value,
			                               .values = (uintptr_t)value,
			                               .count = 4,
			                               .map_fd = (unsigned)fd}};
			bpf(BPF_MAP_LOOKUP_BATCH, &a);
			bpf(BPF_MAP_UPDATE_BATCH, &a);
			bpf(BPF_MAP_DELETE_BATCH, &a);
			a = (union bpf_attr){.map_fd = (unsigned)fd, .key = (uintptr_t)key, .value = (uintptr_t)value};
			bpf(BPF_MAP_LOOKUP_AND_DELETE_ELEM, &a);
			a = (union bpf_attr){.map_fd = (unsigned)fd, .key = (uintptr_t)key};
			bpf(BPF_MAP_DELETE_ELEM, &a);
			a = (union bpf_attr){
			        .info = {.bpf_fd = (unsigned)fd, .info_len = 128, .info = (uintptr_t)info}};
			bpf(BPF_OBJ_GET_INFO_BY_FD, &a);
			(void)mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
			snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
			broad_read(path);
			mkdir(BROAD_HOME "/bpf", 0700);
			mount("none", BROAD_HOME "/bpf", "bpf", 0, NULL);
			a = (union bpf_attr){.pathname = (uintptr_t)BROAD_HOME "/bpf/x", .bpf_fd = (unsigned)fd};
			bpf(BPF_OBJ_PIN, &a);
			a = (union bpf_attr){.pathname = (uintptr_t)BROAD_HOME "/bpf/x"};
			close(bpf(BPF_OBJ_GET, &a));
			broad_read(BROAD_HOME "/bpf/x");
			unlink(BROAD_HOME "/bpf/x");
			umount(BROAD_HOME "/bpf");
			a = (union bpf_attr){.map_fd = (unsigned)fd};
			bpf(BPF_MAP_FREEZE, &a);
			close(fd);
		}
}

static int load(unsigned type, unsigned attach, const struct bpf_insn *code, unsigned n)
{
	static char log[65536];
	union bpf_attr a = {.prog_type = type,
	                    .insns = (uintptr_t)code,
	                    .insn_cnt = n,
	                    .license = (uintptr_t) "GPL",
	                    .expected_attach_type = attach,
	                    .log_level = 2,
	                    .log_size = sizeof(log),
	                    .log_buf = (uintptr_t)log};

	strcpy(a.prog_name, "broad");
	return bpf(BPF_PROG_LOAD, &a);
}

static void run(int fd)
{
	static char data[256], out[4096], info[256];
	union bpf_attr a = {.test = {.prog_fd = (unsigned)fd,
	                             .data_size_in = 64,
	                             .data_in = (uintptr_t)data,
	                             .data_size_out = sizeof(out),
	                             .data_out = (uintptr_t)out,
	                             .repeat = 2}};

	data[12] = 8, data[14] = 0x45;
	bpf(BPF_PROG_TEST_RUN, &a);
	a = (union bpf_attr){.info = {.bpf_fd = (unsigned)fd, .info_len = 200, .info = (uintptr_t)info}};
	bpf(BPF_OBJ_GET_INFO_BY_FD, &a);
}

/* Every helper once, with a context, the stack and numbers for arguments: the verifier says what it thinks. */
static void programs(long unused)
{
	int pair[2], cgroup;

	(void)unused;
	mkdir(BROAD_HOME "/cg", 0700);
	mount("none", BROAD_HOME "/cg", "cgroup2", 0, NULL);
	cgroup = open(BROAD_HOME "/cg", O_RDONLY | O_DIRECTORY);
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair))
		return;
	for (unsigned type = 1; type < 34; type++)
		for (unsigned attach = 0; attach < 60; attach++) {
			const struct bpf_insn code[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 1},
			                                {.code = BPF_JMP | BPF_EXIT}};
			int fd = load(type, attach, code, 2), link;
			union bpf_attr a = {
			        .target_fd = (unsigned)cgroup, .attach_bpf_fd = (unsigned)fd, .attach_type = attach};

			if (fd < 0) {
				if (!attach)
					attach = 1; /* of most no value matters, and a second says so */
				continue;
			}
			run(fd);
			bpf(BPF_PROG_ATTACH, &a);
			a = (union bpf_attr){.query = {.target_fd = (unsigned)cgroup, .attach_type = attach}};
			bpf(BPF_PROG_QUERY, &a);
			a = (union bpf_attr){.link_create = {.prog_fd = (unsigned)fd,
			                                     .target_fd = (unsigned)cgroup,
			                                     .attach_type = attach}};
			link = bpf(BPF_LINK_CREATE, &a);
			setsockopt(pair[0], SOL_SOCKET, SO_ATTACH_BPF, &fd, sizeof(fd));
			close(socket(AF_INET, SOCK_STREAM, 0));
			broad_read("/proc/sys/kernel/ostype");
			(void)!write(pair[1], "x", 1);
			close(link);
			a = (union bpf_attr){
			        .target_fd = (unsigned)cgroup, .attach_bpf_fd = (unsigned)fd, .attach_type = attach};
			bpf(BPF_PROG_DETACH, &a);
			close(fd);
			if (type == 1 || type == 5 || type == 7 || type == 17)
				break;
		}
	for (unsigned type = 1; type < 34; type++)
		for (int helper = 1; helper < 212; helper++) {
			const struct bpf_insn code[] = {
			        {.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 6, .src_reg = 1},
			        {.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 2, .src_reg = 10},
			        {.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 2, .imm = -16},
			        {.code = BPF_ST | BPF_MEM | BPF_DW, .dst_reg = 10, .off = -16, .imm = 1},
			        {.code = BPF_ST | BPF_MEM | BPF_DW, .dst_reg = 10, .off = -8, .imm = 1},
			        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3, .imm = 8},
			        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 4},
			        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 5},
			        {.code = BPF_JMP | BPF_CALL, .imm = helper},
			        {.code = BPF_ALU64 | BPF_AND | BPF_K, .imm = 1},
			        {.code = BPF_JMP | BPF_EXIT}};
			int fd = load(type, 0, code, 11);

			if (fd < 0 && errno == EINVAL && helper > 10 && helper % 5)
				continue;
			if (fd >= 0 && type != BPF_PROG_TYPE_KPROBE)
				run(fd);
			close(fd);
		}
}

static long key(const char *type, const char *name, const char *value, int ring)
{
	return syscall(SYS_add_key, type, name, value, value ? strlen(value) : 0, ring);
}

static void keys(long unused)
{
	static char buffer[4096];
	long ring, k[8];

	(void)unused;
	syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "broad");
	ring = key("keyring", "ring", NULL, KEY_SPEC_SESSION_KEYRING);
	k[0] = key("user", "a", "secret", (int)ring);
	k[1] = key("user", "a", "another", (int)ring);
	k[2] = key("logon", "a:b", "secret", (int)ring);
	k[3] = key("encrypted", "e", "new user:a 32", (int)ring);
	k[4] = key("encrypted", "f", "new default user:a 32", (int)ring);
	k[5] = key("big_key", "b", "much", (int)ring);
	k[6] = key("asymmetric", "x", "no certificate", (int)ring);
	k[7] = key("trusted", "t", "new 32", (int)ring);
	for (int i = 0; i < 8; i++) {
		syscall(SYS_keyctl, KEYCTL_DESCRIBE, k[i], buffer, sizeof(buffer));
		syscall(SYS_keyctl, KEYCTL_READ, k[i], buffer, sizeof(buffer));
		syscall(SYS_keyctl, KEYCTL_UPDATE, k[i], "new", 3UL);
		syscall(SYS_keyctl, KEYCTL_CHOWN, k[i], 1, 1);
		syscall(SYS_keyctl, KEYCTL_SETPERM, k[i], 0x3f3f0000);
		syscall(SYS_keyctl, KEYCTL_SET_TIMEOUT, k[i], 100);
		syscall(SYS_keyctl, KEYCTL_GET_SECURITY, k[i], buffer, sizeof(buffer));
		syscall(SYS_keyctl, KEYCTL_LINK, k[i], KEY_SPEC_PROCESS_KEYRING);
	}
	broad_read("/proc/keys"), broad_read("/proc/key-users");
	syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", "a", 0);
	syscall(SYS_request_key, "user", "a", NULL, 0), syscall(SYS_request_key, "user", "nobody", "x", ring);
	for (int special = -1; special > -9; special--)
		syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, special, 1),
		        syscall(SYS_keyctl, KEYCTL_READ, special, buffer, 100);
	syscall(SYS_keyctl, KEYCTL_GET_PERSISTENT, 0, KEY_SPEC_PROCESS_KEYRING);
	syscall(SYS_keyctl, KEYCTL_RESTRICT_KEYRING, ring, "asymmetric", "builtin_trusted");
	syscall(SYS_keyctl, KEYCTL_MOVE, k[0], ring, KEY_SPEC_SESSION_KEYRING, 0);
	syscall(SYS_keyctl, KEYCTL_DH_COMPUTE, (int32_t[]){(int)k[0], (int)k[0], (int)k[0]}, buffer, 64UL, NULL);
	syscall(SYS_keyctl, KEYCTL_CAPABILITIES, buffer, 64UL), syscall(SYS_keyctl, KEYCTL_SESSION_TO_PARENT);
	syscall(SYS_keyctl, KEYCTL_PKEY_QUERY, k[6], 0, "", buffer);
	syscall(SYS_keyctl, KEYCTL_WATCH_KEY, ring, -1, 1), syscall(SYS_keyctl, KEYCTL_SET_REQKEY_KEYRING, 1);
	syscall(SYS_keyctl, KEYCTL_REVOKE, k[1]), syscall(SYS_keyctl, KEYCTL_INVALIDATE, k[3]);
	syscall(SYS_keyctl, KEYCTL_UNLINK, k[0], ring), syscall(SYS_keyctl, KEYCTL_CLEAR, ring);
	usleep(20000); /* the collector's turn */
}

/* All operations with several kinds of arguments, some in links, through a ring with its own threads or not. */
static void rings(long flags)
{
	struct io_uring_params p = {.flags = (unsigned)flags};
	int fd = (int)syscall(SYS_io_uring_setup, 32, &p), pair[2],
	    file = open(BROAD_HOME "/data", O_RDWR | O_CREAT, 0600);
	static char bytes[8192] __attribute__((aligned(4096))), path[] = BROAD_HOME "/ring";
	char *ring, *entries;

	if (fd < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return;
	ring = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, IORING_OFF_SQ_RING);
	entries = mmap(NULL, p.sq_entries * 64, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, IORING_OFF_SQES);
	if (ring == MAP_FAILED || entries == MAP_FAILED)
		return;
	syscall(SYS_io_uring_register, fd, IORING_REGISTER_BUFFERS, &(struct iovec){bytes, sizeof(bytes)}, 1);
	syscall(SYS_io_uring_register, fd, IORING_REGISTER_FILES, (int[]){file, pair[0]}, 2);
	syscall(SYS_io_uring_register, fd, IORING_REGISTER_PROBE, bytes, 50);
	syscall(SYS_io_uring_register, fd, IORING_REGISTER_PERSONALITY, NULL, 0);
	for (unsigned code = 0; code < 64; code++)
		for (unsigned way = 0; way < 7; way++) {
			unsigned *head = (unsigned *)(ring + p.sq_off.head), *tail = (unsigned *)(ring + p.sq_off.tail),
			         n;
			struct io_uring_sqe *e = (struct io_uring_sqe *)entries + (*tail & (p.sq_entries - 1));
			struct __kernel_timespec soon = {0, 3000000};

			n = *tail & (p.sq_entries - 1);
			((unsigned *)(ring + p.sq_off.array))[n] = n;
			*e = (struct io_uring_sqe){
			        .opcode = (uint8_t)code, .user_data = code, .fd = way & 1 ? file : pair[0]};
			e->addr = way == 3 ? (uintptr_t)path : way == 5 ? (uintptr_t)&soon : (uintptr_t)bytes;
			e->len = way == 4 ? 0 : way == 5 ? 1 : 64;
			e->off = way == 2 ? (uintptr_t)bytes : 0;
			e->flags = way == 6 ? IOSQE_ASYNC : way == 4 ? IOSQE_IO_LINK : 0;
			if (way == 3)
				e->fd = AT_FDCWD, e->open_flags = O_CREAT | O_RDWR;
			if (code == IORING_OP_CLOSE || code == IORING_OP_SHUTDOWN)
				e->fd = way == 1 ? 900 : dup(0);
			__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
			syscall(SYS_io_uring_enter, fd, 1, 0, IORING_ENTER_GETEVENTS | IORING_ENTER_SQ_WAKEUP, NULL, 0);
			if (way == 6) {
				(void)!write(pair[1], bytes, 64);
				syscall(SYS_io_uring_enter, fd, 0, 0, IORING_ENTER_GETEVENTS, NULL, 0);
			}
			*(unsigned *)(ring + p.cq_off.head) = *(unsigned *)(ring + p.cq_off.tail);
			(void)head;
		}
	for (unsigned code = 0; code < 34; code++)
		syscall(SYS_io_uring_register, fd, code, bytes, code & 1);
	broad_read("/proc/self/fdinfo/3");
	poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 10);
}

static void every_ring(long unused)
{
	static const long flags[] = {0, IORING_SETUP_SQPOLL, 1U << 8 | 1U << 12, 1U << 12 | 1U << 13,
	                             IORING_SETUP_IOPOLL};

	(void)unused;
	broad_put("/proc/sys/kernel/io_uring_disabled", "0");
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		broad_child(rings, flags[i], 6);
}

/* Each file of a group, read; some written. */
static void group_files(const char *group)
{
	DIR *d = opendir(group);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		static const char *const values[] = {"max",        "1",          "0",
		                                     "default 50", "rbytes=max", "some 150000 1000000"};
		char path[512];

		snprintf(path, sizeof(path), "%s/%.200s", group, e->d_name);
		if (e->d_type != DT_REG)
			continue;
		broad_read(path);
		for (size_t i = 0; i < 6 && strcmp(e->d_name, "cgroup.procs") && strcmp(e->d_name, "tasks"); i++)
			if (!strstr(e->d_name, "freez") && !strstr(e->d_name, "state") && !strstr(e->d_name, "kill") &&
			    !strstr(e->d_name, "release") && strncmp(e->d_name, "cgroup.", 7))
				broad_put(path, values[i]);
	}
	if (d)
		closedir(d);
}

static void groups(long unused)
{
	/* no memory: what was charged in the one hierarchy is not what the other takes back, and the kernel warns */
	static const char *const v1[] = {"cpu",     "cpuacct", "cpuset",     "devices",         "freezer",
	                                 "net_cls", "blkio",   "perf_event", "net_prio",        "hugetlb",
	                                 "pids",    "rdma",    "misc",       "none,name=broad", "debug"};
	pid_t pid;

	(void)unused;
	mkdir(BROAD_HOME "/cg", 0700);
	unshare(CLONE_NEWNS), mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	mount("none", BROAD_HOME "/cg", "cgroup2", 0, "nsdelegate,memory_recursiveprot");
	broad_put(BROAD_HOME "/cg/cgroup.subtree_control", "+cpu +cpuset +io +memory +pids +hugetlb +rdma +misc");
	mkdir(BROAD_HOME "/cg/a", 0700), mkdir(BROAD_HOME "/cg/a/b", 0700);
	broad_put(BROAD_HOME "/cg/a/cgroup.type", "threaded");
	group_files(BROAD_HOME "/cg/a"), group_files(BROAD_HOME "/cg");
	broad_put(BROAD_HOME "/cg/a/memory.max", "max"), broad_put(BROAD_HOME "/cg/a/memory.high", "max");
	broad_put(BROAD_HOME "/cg/a/pids.max", "100"), broad_put(BROAD_HOME "/cg/a/cpu.max", "5000 10000");
	broad_put(BROAD_HOME "/cg/a/io.max", "259:0 rbps=10000000 wiops=1000");
	broad_put(BROAD_HOME "/cg/io.cost.qos", "259:0 enable=1 ctrl=auto"),
	        broad_put(BROAD_HOME "/cg/io.cost.qos", "259:0 enable=0");
	broad_put(BROAD_HOME "/cg/a/cpuset.cpus", "0-1"), broad_put(BROAD_HOME "/cg/a/cpuset.cpus.partition", "member");
	pid = fork();
	if (!pid) {
		broad_put(BROAD_HOME "/cg/a/cgroup.procs", "0");
		broad_some();
		pause(), _exit(0);
	}
	usleep(100000);
	broad_put(BROAD_HOME "/cg/a/cgroup.freeze", "1");
	broad_read(BROAD_HOME "/cg/a/cgroup.events");
	broad_put(BROAD_HOME "/cg/a/cgroup.freeze", "0");
	group_files(BROAD_HOME "/cg/a");
	broad_put(BROAD_HOME "/cg/a/cgroup.kill", "1");
	kill(pid, SIGKILL), waitpid(pid, NULL, 0);
	rmdir(BROAD_HOME "/cg/a/b"), rmdir(BROAD_HOME "/cg/a");
	broad_put(BROAD_HOME "/cg/cgroup.subtree_control", "-cpu -cpuset -io -memory -pids -hugetlb -rdma -misc");
	mkdir(BROAD_HOME "/v1", 0700);
	for (size_t i = 0; i < sizeof(v1) / sizeof(v1[0]); i++) {
		if (mount("none", BROAD_HOME "/v1", "cgroup", 0, v1[i]))
			continue;
		mkdir(BROAD_HOME "/v1/a", 0700);
		group_files(BROAD_HOME "/v1/a"), group_files(BROAD_HOME "/v1");
		broad_put(BROAD_HOME "/v1/a/cpuset.cpus", "0"), broad_put(BROAD_HOME "/v1/a/cpuset.mems", "0");
		pid = fork();
		if (!pid) {
			broad_put(BROAD_HOME "/v1/a/cgroup.procs", "0");
			free(malloc(1 << 20));
			broad_put(BROAD_HOME "/v1/cgroup.procs", "0");
			_exit(0);
		}
		broad_put(BROAD_HOME "/v1/a/freezer.state", "FROZEN"),
		        broad_put(BROAD_HOME "/v1/a/freezer.state", "THAWED");
		waitpid(pid, NULL, 0);
		rmdir(BROAD_HOME "/v1/a");
		umount(BROAD_HOME "/v1");
	}
}

static void *lock_both(void *with)
{
	static uint32_t pi;
	struct timespec soon = {0, 20000000};

	(void)with;
	syscall(SYS_futex, &pi, FUTEX_LOCK_PI, 0, &soon), usleep(1000), syscall(SYS_futex, &pi, FUTEX_UNLOCK_PI, 0);
	syscall(SYS_futex, &pi, FUTEX_TRYLOCK_PI, 0), syscall(SYS_futex, &pi, FUTEX_UNLOCK_PI, 0);
	return NULL;
}

static void waits(long unused)
{
	static uint32_t a, b;
	struct timespec soon = {0, 5000000}, now;
	struct mq_attr attributes = {.mq_maxmsg = 4, .mq_msgsize = 64};
	struct {
		uint64_t val, uaddr;
		uint32_t flags, reserved;
	} vector[2] = {{0, (uintptr_t)&a, 2, 0}, {0, (uintptr_t)&b, 2, 0}};
	pthread_t t[4];
	mqd_t q;

	(void)unused;
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, lock_both, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	syscall(SYS_futex, &a, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &(struct timespec){1, 0}, NULL, 1);
	syscall(SYS_futex, &a, FUTEX_CMP_REQUEUE, 1, 1, &b, 0),
	        syscall(SYS_futex, &a, FUTEX_WAKE_OP, 1, 1, &b, 1 << 28 | 1 << 12);
	syscall(SYS_futex, &a, FUTEX_WAIT_REQUEUE_PI, 0, &(struct timespec){1, 0}, &b, 0);
	syscall(SYS_futex, &a, FUTEX_CMP_REQUEUE_PI, 1, 1, &b, 0);
	clock_gettime(CLOCK_MONOTONIC, &now), now.tv_nsec = 0, now.tv_sec++;
	syscall(449 /* futex_waitv */, vector, 2, 0, &now, CLOCK_MONOTONIC);
	for (int i = 454; i < 457; i++)
		syscall(i, &a, 1, 2, 0, &soon, 1);
	syscall(SYS_get_robust_list, 0, (void *[1]){0}, (size_t[1]){0});
	q = mq_open("/broad", O_RDWR | O_CREAT | O_NONBLOCK, 0600, &attributes);
	mq_notify(q, &(struct sigevent){.sigev_notify = SIGEV_NONE});
	for (unsigned i = 0; i < 6; i++)
		mq_send(q, "message", 7, i), mq_timedsend(q, "message", 7, i, &now);
	mq_getattr(q, &attributes), mq_setattr(q, &attributes, NULL);
	for (int i = 0; i < 6; i++)
		mq_receive(q, (char[64]){0}, 64, NULL);
	mq_close(q), mq_unlink("/broad");
	for (int i = 0; i < 10; i++)
		syscall(SYS_membarrier, 1 << i, 0, 0);
	for (int i = 0; i < 2; i++) {
		static const uint64_t deadline[] = {48 | 6ULL << 32, 0, 0, 1000000, 10000000, 10000000};

		syscall(SYS_sched_setattr, 0, deadline, 0), sched_yield(), usleep(20000);
		syscall(SYS_sched_getattr, 0, (char[64]){0}, 64, 0);
	}
	sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0});
	sched_setscheduler(0, SCHED_RR, &(struct sched_param){5}), sched_rr_get_interval(0, &soon);
	for (int cpu = 0; cpu < 3; cpu++)
		sched_setaffinity(0, 8, (cpu_set_t *)&(uint64_t){cpu < 2 ? 1U << cpu : 3}), sched_yield();
}

static void aio(long unused)
{
	static char bytes[8192] __attribute__((aligned(4096)));
	struct iocb cb[9], *list[9];
	struct io_event events[9];
	aio_context_t context = 0;
	int fd;

	(void)unused;
	broad_disk(NULL);
	fd = open(BROAD_HOME "/disk/aio", O_RDWR | O_CREAT | O_DIRECT, 0600);
	syscall(SYS_io_setup, 16, &context);
	for (int i = 0; i < 9; i++) {
		cb[i] = (struct iocb){.aio_fildes = (unsigned)fd,
		                      .aio_lio_opcode = (unsigned short)i,
		                      .aio_buf = (uintptr_t)bytes,
		                      .aio_nbytes = i == 5 ? POLLIN : 4096,
		                      .aio_offset = 0};
		list[i] = &cb[i];
		syscall(SYS_io_submit, context, 1L, &list[i]);
	}
	syscall(SYS_io_getevents, context, 1L, 9L, events, &(struct timespec){0, 50000000});
	syscall(SYS_io_cancel, context, &cb[0], events);
	syscall(SYS_io_destroy, context);
}

const struct broad_step broad_objects[] = {
        {"maps", maps, 0, 20},     {"programs", programs, 0, 12}, {"keys", keys, 0, 10}, {"rings", every_ring, 0, 40},
        {"groups", groups, 0, 40}, {"waits", waits, 0, 20},       {"aio", aio, 0, 10},   {NULL, NULL, 0, 0}};
