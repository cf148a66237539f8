// SPDX-License-Identifier: Apache-2.0
/*
 * A kernel's first program, instead of /init: reads the TSC by its first instruction, and gives it to the real one as
 * FIRST_TSC, hexadecimal, in its environment. Without a libc: nothing of it goes before.
 */
#include <stddef.h>
#include <sys/syscall.h>

__asm__(".globl _start\n"
        "_start: rdtsc\n"
        "	shl $32, %rdx\n"
        "	or %rax, %rdx\n"
        "	mov %rsp, %rdi\n"
        "	mov %rdx, %rsi\n"
        "	and $-16, %rsp\n"
        "	call first\n");

/* The stack is as execve leaves it: argc, argv, NULL, environment, NULL. */
void first(char **stack, unsigned long tsc) __attribute__((noreturn, used));
void first(char **stack, unsigned long tsc)
{
	static char init[] = "/init", word[] = "FIRST_TSC=0000000000000000", *argv[] = {init, NULL}, *env[64];
	size_t n = 0;
	long ret;

	for (size_t i = sizeof(word) - 2; tsc; i--, tsc >>= 4)
		word[i] = "0123456789abcdef"[tsc & 15];
	for (char **e = stack + (size_t)stack[0] + 2; *e && n < 62; e++)
		env[n++] = *e;
	env[n] = word;
	__asm__ volatile("syscall"
	                 : "=a"(ret)
	                 : "a"(SYS_execve), "D"(init), "S"(argv), "d"(env)
	                 : "rcx", "r11", "memory");
	__builtin_trap(); /* the kernel says of its init that it was killed */
}
