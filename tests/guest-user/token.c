// SPDX-License-Identifier: Apache-2.0
/*
 * The token channel, from user space. Each part prints one line and ends with 0 if all is well.
 *     token guess N       as an ordinary user: neither port nor device, and N guesses of which none counts
 *     token replay        as root: each token counts once, on its CPU, in its time
 *     token race N        as root: two callers on one CPU, N tokens each, none of which counts twice or for the other
 *     token drop COMMAND  runs COMMAND as root without CAP_SYS_RAWIO
 *     token user COMMAND  runs it as an ordinary user
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <newleaf/hypercall.h>

#define NOBODY 65534
#define CAP_SYS_RAWIO 17 /* capabilities(7) */

static uint64_t answer[64]; /* a buffer too short for STATUS: a token that counts is answered by an error */

static bool counts(uint64_t token)
{
	uint64_t rax = NL_CALL_MAGIC, rbx = NL_CALL_STATUS, rcx = 0, rdx = token;

	__asm__ volatile("cpuid"
	                 : "+a"(rax), "+b"(rbx), "+c"(rcx), "+d"(rdx)
	                 : "S"(answer), "D"(8ULL)
	                 : "memory", "r8");
	return rdx == NL_TOKEN_TAKEN;
}

static void pin(unsigned cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one) != 0) {
		perror("sched_setaffinity");
		exit(2);
	}
}

static int device(unsigned cpu)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/cpu/%u/msr", cpu);
	return open(path, O_RDONLY);
}

static uint64_t token(int fd)
{
	uint64_t v;

	if (pread(fd, &v, sizeof(v), NL_TOKEN_MSR) != sizeof(v)) {
		perror("token");
		exit(2);
	}
	return v;
}

static int guess(uint64_t n)
{
	uint64_t taken = 0, x = (uint64_t)time(NULL) ^ (uint64_t)getpid() << 32;

	if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
		return 2;
	if (ioperm(NL_CALL_PORT, 4, 1) == 0 || errno != EPERM) {
		printf("guess: ioperm: %s\n", strerror(errno));
		return 1;
	}
	if (device(0) >= 0 || errno != EACCES) {
		printf("guess: /dev/cpu/0/msr: %s\n", strerror(errno));
		return 1;
	}
	for (uint64_t i = 0; i < n; i++) {
		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
		taken += counts(x ^ x >> 29);
	}
	printf("guess: %llu guesses, %llu taken\n", (unsigned long long)n, (unsigned long long)taken);
	return taken != 0;
}

static int replay(void)
{
	struct timespec late = {.tv_sec = NL_TOKEN_LIFE_MS / 100 +
	                                  1}; /* ten times its life: on an emulator it has that */
	int bad = 0, here, there;
	uint64_t a, b;

	pin(0);
	here = device(0);
	a = token(here);
	bad += !counts(a);
	bad += counts(a);
	a = token(here);
	b = token(here);
	bad += counts(a) || !counts(b) || counts(b);
	a = token(here);
	nanosleep(&late, NULL);
	bad += counts(a);
	there = device(1);
	if (there >= 0) {
		a = token(there);
		bad += counts(a);
		pin(1);
		bad += !counts(token(there));
	}
	printf("replay: %d of %d expectations failed\n", bad, there >= 0 ? 6 : 4);
	return bad != 0;
}

struct racer {
	uint64_t last, n, counted[]; /* the token that it read last; how many counted for it, and which */
};

static int by_value(const void *a, const void *b)
{
	return (*(const uint64_t *)a > *(const uint64_t *)b) - (*(const uint64_t *)a < *(const uint64_t *)b);
}

/* Both present their own token and the other's last one, late and early: whichever counts does so once. */
static int race(uint64_t n)
{
	size_t size = sizeof(struct racer) + 2 * n * sizeof(uint64_t), twice = 0;
	char *shared = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = 0;
	pid_t other;

	pin(0);
	other = fork();
	volatile struct racer *me = (void *)(shared + (other ? 0 : size)), *you = (void *)(shared + (other ? size : 0));
	int fd = device(0);
	for (uint64_t i = 0; i < n; i++) {
		uint64_t t = me->last = token(fd);

		if (i % 3 == 0)
			sched_yield(); /* the other one reads a token meanwhile, and this one is void */
		if (counts(t))
			me->counted[me->n++] = t;
		t = you->last;
		if (counts(t))
			me->counted[me->n++] = t;
	}
	if (!other)
		_exit(0);
	if (waitpid(other, &status, 0) != other || status != 0)
		return 2;
	uint64_t all = me->n + you->n, *list = calloc(all + 1, sizeof(*list));
	memcpy(list, (const void *)me->counted, me->n * sizeof(*list));
	memcpy(list + me->n, (const void *)you->counted, you->n * sizeof(*list));
	qsort(list, all, sizeof(*list), by_value);
	for (uint64_t i = 1; i < all; i++)
		twice += list[i] == list[i - 1];
	printf("race: %llu presented, %llu counted, %zu twice\n", 4ULL * n, (unsigned long long)all, twice);
	return twice || all < n || all > 2 * n;
}

/* Out of every set, the bounding set first: exec gives root what is in that (capabilities(7)). */
static int drop(char **command)
{
	struct {
		uint32_t version;
		int pid;
	} header = {0x20080522, 0}; /* _LINUX_CAPABILITY_VERSION_3 */
	struct {
		uint32_t effective, permitted, inheritable;
	} data[2];

	if (prctl(PR_CAPBSET_DROP, CAP_SYS_RAWIO) != 0 || syscall(SYS_capget, &header, data) != 0)
		return 2;
	data[0].effective &= ~(1u << CAP_SYS_RAWIO);
	data[0].permitted &= ~(1u << CAP_SYS_RAWIO);
	data[0].inheritable &= ~(1u << CAP_SYS_RAWIO);
	if (syscall(SYS_capset, &header, data) != 0)
		return 2;
	execvp(command[0], command);
	return 127;
}

int main(int argc, char **argv)
{
	uint64_t n = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1 && !strcmp(argv[1], "guess"))
		return guess(n);
	if (argc > 1 && !strcmp(argv[1], "replay"))
		return replay();
	if (argc > 1 && !strcmp(argv[1], "race"))
		return race(n);
	if (argc > 2 && !strcmp(argv[1], "drop"))
		return drop(argv + 2);
	if (argc > 2 && !strcmp(argv[1], "user")) {
		if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
			return 2;
		execvp(argv[2], argv + 2);
		return 127;
	}
	fputs("usage: token guess N | replay | race N | drop COMMAND | user COMMAND\n", stderr);
	return 2;
}
