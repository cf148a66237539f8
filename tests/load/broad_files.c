// SPDX-License-Identifier: Apache-2.0
/*
 * The part of `broad` for files: a disk with ext4 and all that it can, locks that conflict, leases, handles, mounts by
 * the newer calls, file systems on each other, rights by Landlock and capabilities.
 */
#include "broad.h"

#include <dirent.h>
#include <linux/capability.h>
#include <linux/dqblk_xfs.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/fscrypt.h>
#include <linux/fsmap.h>
#include <linux/fsverity.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/quota.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#define DISK BROAD_HOME "/disk/"

/* A POSIX access list as its attribute has it: user, a named user, group, mask, others. */
static const uint8_t list[] = {2, 0, 0,   0,   1,   0,   6,  0, 255, 255, 255, 255, 2,   0,  4,
                               0, 7, 0,   0,   0,   4,   0,  4, 0,   255, 255, 255, 255, 16, 0,
                               6, 0, 255, 255, 255, 255, 32, 0, 4,   0,   255, 255, 255, 255};

static void attributes(const char *path)
{
	static char value[3000];

	memset(value, 'v', sizeof(value));
	for (size_t n = 0; n < sizeof(value); n = n * 3 + 1) {
		setxattr(path, "user.a", value, n, 0);
		setxattr(path, "trusted.b", value, n / 2, 0);
		setxattr(path, "security.c", value, n / 4, 0);
	}
	setxattr(path, "user.a", value, 10, XATTR_REPLACE), setxattr(path, "user.d", value, 10, XATTR_CREATE);
	setxattr(path, "system.posix_acl_access", list, sizeof(list), 0);
	setxattr(path, "system.posix_acl_default", list, sizeof(list), 0);
	setxattr(path, "security.capability", "\1\0\0\2\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20, 0);
	listxattr(path, value, sizeof(value)), getxattr(path, "user.a", value, sizeof(value));
	getxattr(path, "system.posix_acl_access", value, sizeof(value)),
	        getxattr(path, "security.capability", value, 64);
	removexattr(path, "user.a"), removexattr(path, "system.posix_acl_access"),
	        removexattr(path, "security.capability");
}

static void directories(void)
{
	char path[300], to[300];
	DIR *d;

	mkdir(DISK "many", 0755);
	for (int i = 0; i < 400; i++) {
		snprintf(path, sizeof(path), DISK "many/%0*d", 10 + i % 200, i);
		close(open(path, O_CREAT | O_WRONLY, 0600));
		snprintf(to, sizeof(to), DISK "many/l%d", i);
		if (i % 7 == 0)
			link(path, to), symlink(path, to), rename(path, to);
		if (i % 11 == 0)
			mkdir(to, 0700), rmdir(to);
		if (i % 3 == 0)
			unlink(path);
	}
	d = opendir(DISK "many");
	while (d && readdir(d))
		;
	if (d)
		seekdir(d, 100), rewinddir(d), closedir(d);
	syscall(SYS_renameat2, AT_FDCWD, DISK "many/l7", AT_FDCWD, DISK "many/l14", 2 /* EXCHANGE */);
	syscall(SYS_renameat2, AT_FDCWD, DISK "many/l21", AT_FDCWD, DISK "many/l28", 1 /* NOREPLACE */);
	syscall(SYS_renameat2, AT_FDCWD, DISK "many/l35", AT_FDCWD, DISK "white", 4 /* WHITEOUT */);
	mknod(DISK "node", S_IFBLK | 0600, 0x700), mkfifo(DISK "pipe", 0600);
	symlink("a target that is longer than what an inode holds by itself, which are sixty bytes or so",
	        DISK "symlink");
	(void)!readlink(DISK "symlink", path, sizeof(path));
	open(DISK, O_TMPFILE | O_RDWR, 0600);
}

static void extents(int fd, int other)
{
	static char bytes[65536];
	union {
		struct fiemap m;
		char room[sizeof(struct fiemap) + 16 * sizeof(struct fiemap_extent)];
	} map = {.m = {.fm_length = ~0ULL, .fm_flags = FIEMAP_FLAG_SYNC, .fm_extent_count = 16}};
	static const int modes[] = {0,
	                            FALLOC_FL_KEEP_SIZE,
	                            FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	                            FALLOC_FL_ZERO_RANGE,
	                            FALLOC_FL_COLLAPSE_RANGE,
	                            FALLOC_FL_INSERT_RANGE,
	                            FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE};
	struct {
		uint32_t reserved, donor;
		uint64_t from, to, length, moved;
	} move = {.donor = (uint32_t)other, .length = 4};

	for (int i = 0; i < 60; i++)
		(void)!pwrite(fd, bytes, 3000, i * 20000L);
	fsync(fd);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		fallocate(fd, modes[i], 8192 * (long)(i + 1), 65536),
		        (void)!pwrite(fd, bytes, 5000, 100000 + (long)i * 4096);
	ioctl(fd, FS_IOC_FIEMAP, &map);
	map.m.fm_flags = FIEMAP_FLAG_XATTR, ioctl(fd, FS_IOC_FIEMAP, &map);
	lseek(fd, 0, SEEK_HOLE), lseek(fd, 8192, SEEK_DATA), ioctl(fd, FIBMAP, &(int){3});
	(void)!pwrite(other, bytes, 65536, 0), fsync(other);
	ioctl(fd, _IOWR('f', 15, move), &move); /* MOVE_EXT */
	for (unsigned n = 1; n < 45; n++) {     /* what ext4 has of its own; the values are nothing's */
		memset(bytes, 0, 64);
		if (n != 16 && n != 17) /* not a resize */
			ioctl(fd, _IOC(_IOC_WRITE, 'f', n, 8), bytes), ioctl(fd, _IOC(_IOC_READ, 'f', n, 8), bytes);
	}
	copy_file_range(fd, NULL, other, &(off64_t){100000}, 50000, 0), ioctl(other, FICLONE, fd);
	ftruncate(fd, 30000), ftruncate(fd, 10), fdatasync(fd);
	posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED), readahead(fd, 0, 65536), sync_file_range(fd, 0, 0, 7);
}

static void features(int fd)
{
	static char page[4096] __attribute__((aligned(4096)));
	struct fsxattr x = {0};
	struct fscrypt_policy_v2 policy = {.version = 2, .contents_encryption_mode = 1, .filenames_encryption_mode = 4};
	union {
		struct fscrypt_add_key_arg a;
		char room[sizeof(struct fscrypt_add_key_arg) + 64];
	} key = {.a = {.key_spec = {.type = 2}, .raw_size = 64}};
	struct fsverity_enable_arg verity = {.version = 1, .hash_algorithm = 1, .block_size = 4096};
	struct fsmap_head *map = (struct fsmap_head *)page;
	int d = open(DISK, O_RDONLY), file;

	for (unsigned flag = 1; flag && flag < 1U << 30; flag *= 2)
		ioctl(fd, FS_IOC_SETFLAGS, &flag), ioctl(fd, FS_IOC_GETFLAGS, &(unsigned){0});
	ioctl(fd, FS_IOC_SETFLAGS, &(unsigned){0x80000}), ioctl(fd, FS_IOC_GETVERSION, page);
	ioctl(fd, FS_IOC_FSGETXATTR, &x), x.fsx_projid = 7, ioctl(fd, FS_IOC_FSSETXATTR, &x);
	ioctl(d, FS_IOC_ADD_ENCRYPTION_KEY, &key),
	        memcpy(policy.master_key_identifier, key.a.key_spec.u.identifier, 16);
	mkdir(DISK "secret", 0700);
	file = open(DISK "secret", O_RDONLY);
	ioctl(file, FS_IOC_SET_ENCRYPTION_POLICY, &policy), ioctl(file, FS_IOC_GET_ENCRYPTION_POLICY_EX, page);
	ioctl(file, FS_IOC_GET_ENCRYPTION_PWSALT, page), ioctl(file, FS_IOC_GET_ENCRYPTION_NONCE, page);
	file = open(DISK "secret/a file with a name", O_RDWR | O_CREAT, 0600);
	(void)!write(file, page, 4096), fsync(file), symlink("to somewhere", DISK "secret/link"),
	        (void)!readlink(DISK "secret/link", page, 100);
	close(file);
	ioctl(d, FS_IOC_GET_ENCRYPTION_KEY_STATUS, &key), ioctl(d, FS_IOC_REMOVE_ENCRYPTION_KEY, &key);
	broad_read(DISK "secret");
	close(open(DISK "verity", O_RDWR | O_CREAT | O_TRUNC, 0600)), truncate(DISK "verity", 100000);
	file = open(DISK "verity", O_RDONLY);
	ioctl(file, FS_IOC_ENABLE_VERITY, &verity), page[2] = 64, ioctl(file, FS_IOC_MEASURE_VERITY, page);
	(void)!read(file, page, 4096), ioctl(file, FS_IOC_READ_VERITY_METADATA, page);
	memset(page, 0, 4096), map->fmh_count = 8, memset(&map->fmh_keys[1], 255, sizeof(map->fmh_keys[1])),
	                       ioctl(d, FS_IOC_GETFSMAP, map);
	ioctl(d, FIFREEZE, 0), ioctl(d, FITHAW, 0);
	ioctl(d, FITRIM, &(struct fstrim_range){.len = ~0ULL});
	ioctl(d, FS_IOC_GETFSLABEL, page), ioctl(d, FS_IOC_SETFSLABEL, "broad");
	ioctl(d, _IOW('f', 16, uint64_t), &(uint64_t){12288}); /* RESIZE_FS, by blocks of 4 KiB or 1 KiB */
	ioctl(d, _IOW('f', 43, uint32_t), &(uint32_t){0});     /* CHECKPOINT */
}

static void quotas(void)
{
	static const int commands[] = {Q_SYNC,      Q_GETFMT,    Q_GETINFO,    Q_GETQUOTA, 0x800009 /* GETNEXTQUOTA */,
	                               Q_XGETQSTAT, Q_XGETQUOTA, Q_XGETQSTATV, Q_QUOTAON,  Q_QUOTAOFF,
	                               Q_XQUOTAON,  Q_XQUOTAOFF, Q_SETINFO};
	static char out[1024];
	int d = open(DISK, O_RDONLY);

	for (int type = 0; type < 3; type++) {
		struct dqblk q = {
		        .dqb_bhardlimit = 100, .dqb_bsoftlimit = 20, .dqb_isoftlimit = 2, .dqb_valid = QIF_LIMITS};

		quotactl(QCMD(Q_QUOTAON, type), "/dev/nvme0n1", 2, NULL);
		quotactl(QCMD(Q_SETQUOTA, type), "/dev/nvme0n1", 1, (char *)&q);
		close(open(DISK "of1", O_RDWR | O_CREAT, 0666)), chown(DISK "of1", 1, 1), truncate(DISK "of1", 1000);
		for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
			memset(out, i & 1, 64);
			quotactl(QCMD(commands[i], type), "/dev/nvme0n1", 1, out);
			syscall(443 /* quotactl_fd */, d, QCMD(commands[i], type), 1, out);
		}
	}
	if (!fork()) { /* who has no more */
		int fd = open(DISK "of1", O_RDWR);

		if (!setresgid(1, 1, 1) && !setresuid(1, 1, 1))
			for (int i = 0; i < 200; i++)
				(void)!write(fd, out, sizeof(out));
		_exit(0);
	}
	wait(NULL);
	broad_read("/proc/sys/fs/quota/syncs");
}

static void disk(long which)
{
	static const char *const options[] = {"acl,user_xattr,barrier=1",
	                                      "data=journal,dioread_lock,commit=1",
	                                      "data=writeback,nobarrier,delalloc,discard",
	                                      "nodelalloc,i_version,lazytime,journal_checksum,nombcache,init_itable=1",
	                                      "no_such_option",
	                                      "data=ordered,errors=continue,stripe=4,inode_readahead_blks=8"};
	int fd, other;

	if (broad_disk(options[which]))
		return;
	fd = open(DISK "data", O_RDWR | O_CREAT | O_TRUNC, 0600),
	other = open(DISK "other", O_RDWR | O_CREAT | O_TRUNC, 0600);
	extents(fd, other);
	attributes(DISK "data"), attributes(DISK);
	directories();
	features(fd);
	quotas();
	if (which == 0) { /* aside of the cache, mapped, and gone while open */
		char *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, other, 0);

		if (p != MAP_FAILED)
			memset(p, 1, 60000), msync(p, 65536, MS_SYNC), munmap(p, 65536);
		unlink(DISK "other"), (void)!pwrite(other, "x", 1, 70000);
	}
	statfs(DISK, &(struct statfs){0}), syncfs(fd);
	syscall(SYS_statx, AT_FDCWD, DISK "data", 0, 0xfff, (char[256]){0});
	close(fd), close(other);
	mount("none", BROAD_HOME "/disk", NULL, MS_REMOUNT | MS_RDONLY, NULL),
	        mount("none", BROAD_HOME "/disk", NULL, MS_REMOUNT, "data_err=abort");
	broad_read("/proc/fs/ext4/nvme0n1/mb_groups"), broad_read("/proc/fs/ext4/nvme0n1/options"),
	        broad_read("/proc/fs/jbd2/nvme0n1-8/info");
	broad_read("/proc/self/mountstats"), broad_read("/proc/self/mountinfo");
	mkdir(BROAD_HOME "/over", 0700), mkdir(DISK "up", 0700), mkdir(DISK "work", 0700);
	mount("none", BROAD_HOME "/over", "overlay", 0, "lowerdir=/bin,upperdir=" DISK "up,workdir=" DISK "work");
	close(open(BROAD_HOME "/over/x", O_RDWR | O_CREAT, 0600)), unlink(BROAD_HOME "/over/true"),
	        umount(BROAD_HOME "/over");
	if (umount(BROAD_HOME "/disk"))
		umount2(BROAD_HOME "/disk", MNT_DETACH);
}

static void alarmed(int n) { (void)n; }

static void locks(long unused)
{
	static const char name[] = BROAD_HOME "/locked";
	int fd = open(name, O_RDWR | O_CREAT, 0600);
	struct flock whole = {.l_type = F_WRLCK, .l_len = 0}, part = {.l_type = F_RDLCK, .l_start = 10, .l_len = 5};

	(void)unused;
	sigaction(SIGALRM, &(struct sigaction){.sa_handler = alarmed}, NULL);
	sigaction(SIGIO, &(struct sigaction){.sa_handler = alarmed}, NULL);
	fcntl(fd, F_SETLK, &whole), fcntl(fd, F_SETLK, &part), part.l_start = 12, part.l_type = F_UNLCK,
	                                                       fcntl(fd, F_SETLK, &part);
	for (int i = 0; i < 2; i++)
		if (!fork()) { /* waits for the other, and the other for it */
			int mine = open(name, O_RDWR);
			struct flock f = {.l_type = F_WRLCK, .l_start = 100 + i, .l_len = 1};

			setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 80000}}, NULL);
			fcntl(mine, F_GETLK, &whole), fcntl(mine, F_SETLK, &f);
			f.l_start = 101 - i, fcntl(mine, F_SETLKW, &f);
			setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 20000}}, NULL);
			fcntl(mine, F_SETLKW, &whole);
			f.l_start = 200, f.l_pid = 0, fcntl(mine, 37 /* OFD_SETLK */, &f), fcntl(mine, 38, &f),
			fcntl(mine, 36, &f);
			flock(mine, LOCK_EX), flock(mine, LOCK_UN);
			_exit(0);
		}
	broad_read("/proc/locks");
	usleep(30000), whole.l_type = F_UNLCK, fcntl(fd, F_SETLK, &whole);
	flock(fd, LOCK_SH), usleep(10000), flock(fd, LOCK_UN);
	wait(NULL), wait(NULL);
	close(fd), fd = open(name, O_RDONLY);
	fcntl(fd, F_SETSIG, SIGIO), fcntl(fd, F_SETOWN, getpid()), fcntl(fd, 15, (int[]){1, getpid()}),
	        fcntl(fd, 16, (int[]){0, 0});
	fcntl(fd, F_SETLEASE, F_RDLCK), fcntl(fd, F_GETLEASE);
	if (!fork())
		open(name, O_WRONLY | O_NONBLOCK), truncate(name, 5), _exit(0); /* breaks it */
	usleep(20000), fcntl(fd, F_SETLEASE, F_UNLCK), wait(NULL);
	fcntl(open(BROAD_HOME, O_RDONLY), F_NOTIFY, 0x8000003f), close(open(BROAD_HOME "/new", O_CREAT | O_RDWR, 0600)),
	        unlink(BROAD_HOME "/new");
	fcntl(fd, F_SET_RW_HINT, &(uint64_t){2}), fcntl(fd, F_GET_RW_HINT, &(uint64_t){0}),
	        fcntl(fd, F_DUPFD_CLOEXEC, 200);
	syscall(SYS_close_range, 100, 300, 4), syscall(SYS_close_range, 100, 300, 2);
}

static void watched(long unused)
{
	int i = inotify_init1(IN_NONBLOCK), w = inotify_add_watch(i, BROAD_HOME, IN_ALL_EVENTS);
	static const unsigned ways[] = {0x0, 0x4 | 0x2, 0x8, 0x200 | 0x2, 0xe00 | 0x2, 0x80 | 0x2};
	static char events[8192];

	(void)unused;
	for (size_t n = 0; n < sizeof(ways) / sizeof(ways[0]); n++) {
		int f = (int)syscall(SYS_fanotify_init, ways[n], O_RDONLY);

		for (unsigned kind = 1; kind < 0x100; kind *= 0x10)
			syscall(SYS_fanotify_mark, f, 1 | kind, 0x0800003bULL | (ways[n] & 0xe00 ? 0xfc4 : 0), AT_FDCWD,
			        BROAD_HOME);
		close(open(BROAD_HOME "/seen", O_CREAT | O_RDWR, 0600)),
		        rename(BROAD_HOME "/seen", BROAD_HOME "/moved"), unlink(BROAD_HOME "/moved");
		fcntl(f, F_SETFL, O_NONBLOCK);
		(void)!read(f, events, sizeof(events));
		syscall(SYS_fanotify_mark, f, 0x80, 0ULL, AT_FDCWD, NULL);
		close(f);
	}
	(void)!read(i, events, sizeof(events)), ioctl(i, 0x541b, &(int){0}), inotify_rm_watch(i, w);
}

static void mounts(long unused)
{
	static const char *const types[] = {"tmpfs",    "proc",      "sysfs",      "ramfs",   "devpts",     "mqueue",
	                                    "cgroup2",  "hugetlbfs", "bpf",        "ext4",    "securityfs", "tracefs",
	                                    "debugfs",  "configfs",  "fuse",       "overlay", "squashfs",   "pstore",
	                                    "efivarfs", "devtmpfs",  "rpc_pipefs", "fusectl", "autofs",     "vfat",
	                                    "xfs",      "btrfs",     "iso9660",    "nsfs",    "bdev"};
	struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
	struct {
		unsigned bytes;
		int type;
		char handle[128];
	} handle = {.bytes = 128};
	int tree, id;

	(void)unused;
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		int fs = (int)syscall(SYS_fsopen, types[i], 1), m;

		if (fs < 0)
			continue;
		syscall(SYS_fsconfig, fs, 1 /* string */, "source", "/dev/nvme0n1", 0),
		        syscall(SYS_fsconfig, fs, 1, "size", "1m", 0);
		syscall(SYS_fsconfig, fs, 1, "mode", "0755", 0), syscall(SYS_fsconfig, fs, 0, "ro", NULL, 0);
		syscall(SYS_fsconfig, fs, 1, "nonsense", "x", 0), syscall(SYS_fsconfig, fs, 5, "fd", NULL, 0),
		        syscall(SYS_fsconfig, fs, 6, NULL, NULL, 0);
		(void)!read(fs, (char[256]){0}, 256);
		m = (int)syscall(SYS_fsmount, fs, 1, 2);
		mkdir(BROAD_HOME "/fs", 0700);
		syscall(SYS_move_mount, m, "", AT_FDCWD, BROAD_HOME "/fs", 4);
		id = (int)syscall(SYS_fspick, AT_FDCWD, BROAD_HOME "/fs", 0);
		syscall(SYS_fsconfig, id, 0, "ro", NULL, 0), syscall(SYS_fsconfig, id, 7, NULL, NULL, 0), close(id);
		statfs(BROAD_HOME "/fs", &(struct statfs){0});
		umount2(BROAD_HOME "/fs", MNT_DETACH);
		close(m), close(fs);
	}
	mount("none", BROAD_HOME "/fs", "tmpfs", 0, "size=1m,nr_inodes=50,mode=700,uid=1,huge=advise,noswap,usrquota");
	mkdir(BROAD_HOME "/fs/a", 0700), mkdir(BROAD_HOME "/fs/b", 0700);
	attributes(BROAD_HOME "/fs/a");
	mount(BROAD_HOME "/fs/a", BROAD_HOME "/fs/b", NULL, MS_BIND, NULL),
	        mount(NULL, BROAD_HOME "/fs/b", NULL, MS_SHARED, NULL);
	mount(NULL, BROAD_HOME "/fs/b", NULL, MS_SLAVE, NULL),
	        mount(NULL, BROAD_HOME "/fs/b", NULL, MS_UNBINDABLE, NULL);
	mount(BROAD_HOME "/fs/b", BROAD_HOME "/fs/a", NULL, MS_MOVE, NULL);
	tree = (int)syscall(SYS_open_tree, AT_FDCWD, BROAD_HOME "/fs", 1 | 0x8000);
	syscall(442 /* mount_setattr */, tree, "", 0x1000, (uint64_t[]){1, 2, 0, 0}, 32);
	syscall(457 /* statmount */, (uint64_t[]){24, 1, 0x7f}, (char[1024]){0}, 1024, 0),
	        syscall(458, (uint64_t[]){24, ~0ULL, 0}, (uint64_t[64]){0}, 64, 0);
	syscall(SYS_openat2, AT_FDCWD, "a", &how, sizeof(how)), syscall(SYS_faccessat2, AT_FDCWD, BROAD_HOME, 4, 0x200);
	id = 0, syscall(SYS_name_to_handle_at, AT_FDCWD, BROAD_HOME "/fs/a", &handle, &id, 0);
	syscall(SYS_open_by_handle_at, tree, &handle, O_RDONLY),
	        syscall(SYS_open_by_handle_at, open("/", O_RDONLY), &handle, O_RDONLY);
	for (int i = 0; i < 60; i++) { /* more than fits */
		char path[64];
		int fd;

		snprintf(path, sizeof(path), BROAD_HOME "/fs/%d", i);
		fd = open(path, O_CREAT | O_RDWR, 0600), (void)!write(fd, list, sizeof(list)),
		fallocate(fd, 0, 0, 40000), close(fd);
	}
	if (!fork()) {
		chroot(BROAD_HOME "/fs"), syscall(SYS_pivot_root, ".", "."), _exit(0);
	}
	wait(NULL);
	umount2(BROAD_HOME "/fs", MNT_EXPIRE), umount2(BROAD_HOME "/fs", MNT_FORCE | MNT_DETACH);
}

static void rights(long unused)
{
	struct landlock_ruleset_attr set = {.handled_access_fs = 0x1fff};
	struct landlock_path_beneath_attr path = {.allowed_access = 0xc, .parent_fd = open("/proc", O_PATH)};
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];
	int l = (int)syscall(444, &set, sizeof(set), 0);

	(void)unused;
	syscall(444, NULL, 0, 1), syscall(445, l, 1, &path, 0);
	syscall(SYS_capget, &h, data), data[0].effective &= ~4U, syscall(SYS_capset, &h, data);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 5, 0, 0), prctl(PR_CAPBSET_DROP, 30), prctl(PR_SET_SECUREBITS, 0),
	        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_SPECULATION_CTRL, 0, 2, 0, 0), prctl(PR_GET_SPECULATION_CTRL, 1, 0, 0, 0),
	        prctl(62 /* SCHED_CORE */, 1, 0, 0, 0);
	prctl(PR_SET_MM, PR_SET_MM_BRK, 0, 0, 0), prctl(PR_SET_VMA, 0, &set, 4096, "name"),
	        prctl(PR_SET_TAGGED_ADDR_CTRL, 1, 0, 0, 0);
	if (!fork()) {
		syscall(446, l, 0);
		open("/etc/passwd", O_RDONLY), open("/proc/self/status", O_RDONLY), mkdir(BROAD_HOME "/no", 0700),
		        rename(BROAD_HOME "/a", "/b"), link("/a", "/b");
		unlink(BROAD_HOME "/file"), mknod(BROAD_HOME "/p", S_IFIFO, 0), symlink("a", BROAD_HOME "/s"),
		        mount("a", "/b", "tmpfs", 0, NULL), chroot("/");
		_exit(0);
	}
	if (!fork()) { /* another user, in namespaces of his own */
		unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP);
		broad_put("/proc/self/setgroups", "deny"), broad_put("/proc/self/uid_map", "0 0 1"),
		        broad_put("/proc/self/gid_map", "0 0 1");
		sethostname("inner", 5), setresuid(0, 0, 0);
		if (!fork())
			broad_read("/proc/self/uid_map"), _exit(0);
		wait(NULL);
		_exit(0);
	}
	if (!fork()) {
		if (!setresgid(65534, 65534, 65534) && !setresuid(65534, 65534, 65534))
			open("/proc/1/mem", O_RDONLY), kill(1, 0), open("/dev/mem", O_RDONLY), mkdir("/no", 0700),
			        chown("/tmp", 0, 0), broad_read("/proc/kallsyms");
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
	for (int i = 0; i < 8; i++) {
		static const char *const names[] = {"ns/net", "ns/pid", "ns/user", "ns/mnt",
		                                    "ns/uts", "ns/ipc", "ns/time", "ns/cgroup"};
		char file[64];
		int fd;

		snprintf(file, sizeof(file), "/proc/1/%s", names[i]), fd = open(file, O_RDONLY);
		for (unsigned n = 1; n < 12; n++)
			ioctl(fd, 0xb700 | n, NULL), ioctl(fd, _IOC(_IOC_READ, 0xb7, n, 8), (char[16]){0});
		syscall(SYS_setns, fd, 0);
	}
}

const struct broad_step broad_files[] = {
        {"disk-a", disk, 0, 30},   {"disk-b", disk, 1, 30}, {"disk-c", disk, 2, 30},     {"disk-d", disk, 3, 30},
        {"disk-e", disk, 5, 30},   {"locks", locks, 0, 10}, {"watched", watched, 0, 10}, {"mounts", mounts, 0, 20},
        {"rights", rights, 0, 10}, {NULL, NULL, 0, 0}};
