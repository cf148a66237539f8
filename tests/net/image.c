// SPDX-License-Identifier: Apache-2.0
/*
 * The real image, run as a process: mapped where its cell would show it and with the same rights; VMMCALL and VMCALL
 * become UD2, whose signal is the call. usage: net-image IMAGE [NET-IP [NET-IP6 [PORT]]]
 */
#define _GNU_SOURCE
#include "fake.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

enum { STACK = 16384, PAINT = 0xa5 };

static uint8_t *const base = (uint8_t *)NL_NET_BASE;
static struct nl_net_mailbox *mailbox;
static struct nl_net_header head;

uint64_t fake_depth(void)
{
	const uint8_t *lowest = base + head.stack - STACK;

	while (*lowest == PAINT)
		lowest++;
	return (uint64_t)(base + head.stack - lowest);
}

static void refuse(const char *why)
{
	fprintf(stderr, "net-image: %s\n", why);
	exit(1);
}

static void called(int signal, siginfo_t *info, void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
	const uint8_t *at = (const uint8_t *)r[REG_RIP];
	struct net_answer a;

	(void)info;
	if (signal != SIGILL || at < base || at >= base + head.text_end || memcmp(at, "\x0f\x0b\x90", 3))
		refuse(signal == SIGILL ? "not a call" : "a fault");
	a = fake_call(mailbox, (enum nl_net_call)r[REG_RAX], (uint64_t)r[REG_RDI], (uint64_t)r[REG_RSI],
	              (uint64_t)r[REG_RDX]);
	r[REG_RAX] = (greg_t)a.rax;
	r[REG_RDX] = (greg_t)a.rdx;
	r[REG_RIP] += 3;
}

static void load(const char *path)
{
	int file = open(path, O_RDONLY);
	ssize_t n;

	if (file < 0 || read(file, &head, sizeof(head)) != sizeof(head) || head.magic != NL_NET_MAGIC ||
	    head.version != NL_NET_VERSION)
		refuse("no image");
	if (head.memory_size > NL_NET_MAX || head.image_size > head.memory_size || head.text_end > NL_NET_TEXT_MAX ||
	    head.mailbox % 4096 || head.mailbox < head.rodata_end || head.entry >= head.text_end || head.stack % 16 ||
	    head.mailbox + sizeof(struct nl_net_mailbox) > head.memory_size)
		refuse("its head makes no sense");
	if (mmap(base, head.memory_size, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
	    base)
		refuse("no memory at its address");
	n = pread(file, base, head.memory_size, 0);
	if (n != (ssize_t)head.image_size)
		refuse("its size is not what its head says");
	for (uint8_t *p = base; p < base + head.text_end - 2; p++)
		if (p[0] == 0x0f && p[1] == 0x01 && (p[2] == 0xd9 || p[2] == 0xc1))
			memcpy(p, "\x0f\x0b\x90", 3);
	mprotect(base, head.text_end, PROT_READ | PROT_EXEC);
	mprotect(base + head.text_end, head.rodata_end - head.text_end, PROT_READ);
}

int main(int argc, char **argv)
{
	static uint8_t signals[65536];
	stack_t own = {.ss_sp = signals, .ss_size = sizeof(signals)};
	struct sigaction act = {.sa_sigaction = called, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};

	if (argc < 2)
		return 2;
	load(argv[1]);
	mailbox = (struct nl_net_mailbox *)(base + head.mailbox);
	fake_begin(mailbox, argc - 1, argv + 1);
	memset(base + head.stack - STACK, PAINT, STACK);
	sigaltstack(&own, NULL);
	sigaction(SIGILL, &act, NULL);
	sigaction(SIGSEGV, &act, NULL);
	__asm__ volatile("mov %0, %%rsp\n\tjmp *%1"
	                 :
	                 : "r"(base + head.stack), "r"(base + head.entry), "D"(NL_NET_SVM));
	__builtin_unreachable();
}
