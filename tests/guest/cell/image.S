/* SPDX-License-Identifier: Apache-2.0 */
/* An image as include/newleaf/net.h describes it, that does what it is told, to show what a cell can and cannot. */
#include "commands.h"

	.text
	.globl mailbox, stack
start:
	.quad 0x54454e4c4e		/* NL_NET_MAGIC */
	.long 1, image_size
	.long text_size, rodata_end_at
	.long memory_size, mailbox_at, entry - start, stack_at

	.macro ask_core		/* r15: enum nl_net_vendor */
	cmp $1, %r15
	je 1f
	vmcall
	jmp 2f
1:	vmmcall
2:
	.endm

entry:
	mov %rdi, %r15
	xor %edi, %edi
again:
	mov $1, %eax
	ask_core
	lea commands(%rip), %rcx
	jmp *(%rcx,%rax,8)

/* --- what it may --- */

do_add:	/* two numbers of 32 bits, over the stack */
	mov %edx, %edi
	push %rdi
	shr $32, %rdx
	add (%rsp), %rdx
	pop %rdi
	mov %rdx, %rdi
	jmp again

do_sum:	/* of all that can be written, stack and mailbox in it */
	lea data(%rip), %rsi
	lea stack(%rip), %rcx
	xor %edi, %edi
1:	add (%rsi), %rdi
	rol $1, %rdi
	add $8, %rsi
	cmp %rcx, %rsi
	jb 1b
	jmp again

do_dirty:
	lea data(%rip), %rsi
	lea stack(%rip), %rcx
1:	add %rsi, (%rsi)
	add $8, %rsi
	cmp %rcx, %rsi
	jb 1b
	jmp again

do_mailbox:
	mov %rdx, mailbox_data+8(%rip)
	mov mailbox_data+8(%rip), %rdi
	jmp again

do_selectors:
	xor %eax, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %fs
	mov %eax, %gs
	xor %edi, %edi
	jmp again

do_flags:
	cmp $1, %r15
	je 1f				/* SVM: PUSHF and POPF are its end */
	pushfq
	orq $0x200, (%rsp)
	popfq
	pushfq
	pop %rdi
	and $0x200, %edi
	jmp again
1:	xor %edi, %edi
	jmp again

do_spin:
	jmp do_spin

do_count:
	incq mailbox_data(%rip)
	jmp do_count

/* --- what it may not --- */

do_read_absent:
	mov 0x300000, %eax
	ud2
do_read_tables:			/* where its page tables are, in the numbers of the nested table */
	mov 0x480000, %eax
	ud2
do_read_behind:
	mov image_end, %eax
	ud2
do_write_absent:
	mov %eax, 0x300000
	ud2
do_write_text:
	movb $0, entry(%rip)
	jmp again
do_write_rodata:
	movb $0, rodata(%rip)
	jmp again
do_fetch_rodata:
	call rodata_code
	jmp again
do_fetch_data:
	call data_code
	jmp again
do_fetch_mailbox:
	movb $0xc3, mailbox(%rip)
	call mailbox
	jmp again
do_jump_wild:
	mov $0x7fff12345678, %rax
	jmp *%rax
do_jump_noncanonical:
	mov $0x8000123456789abc, %rax
	jmp *%rax
do_push_wild:
	mov $0x10000, %esp
	push %rax
	jmp again

	.macro bad name, insn:vararg
do_\name:
	\insn
	jmp again
	.endm

	bad x87, fld1
	bad fwait, fwait
	bad mmx, movd %eax, %mm0
	bad sse, movaps %xmm1, %xmm2
	bad fxsave, fxsave mailbox_data(%rip)
	bad avx, vzeroupper
	bad xgetbv, xgetbv
	bad cpuid, cpuid
	bad in, in $0x60, %al
	bad out, out %al, $0x80
	bad rdtsc, rdtsc
	bad rdtscp, rdtscp
	bad rdpmc, rdpmc
	bad syscall, syscall
	bad sysenter, sysenter
	bad int3, int3
	bad icebp, .byte 0xf1
	bad int80, int $0x80
	bad ud2, ud2
	bad iret, iretq
	bad far_return, lretq
	bad hlt, hlt
	bad cli, cli
	bad sti, sti
	bad read_cr0, mov %cr0, %rax
	bad read_cr3, mov %cr3, %rax
	bad write_cr3, mov %rax, %cr3
	bad read_dr7, mov %dr7, %rax
	bad write_dr0, mov %rax, %dr0
	bad clts, clts
	bad lidt, lidt rodata(%rip)
	bad lgdt, lgdt rodata(%rip)
	bad ltr, ltr %ax
	bad swapgs, swapgs
	bad sysret, sysretq
	bad invlpg, invlpg start
	bad wbinvd, wbinvd
	bad invd, invd
	bad monitor, monitor
	bad mwait, mwait
	bad vmload, vmload %rax
	bad vmsave, vmsave %rax
	bad vmrun, vmrun %rax
	bad stgi, stgi
	bad clgi, clgi
	bad vmxon, vmxon rodata(%rip)
	bad xsetbv, xsetbv
	bad wrfsbase, wrfsbase %rax

do_rdmsr:
	mov $0xc0000082, %ecx		/* LSTAR */
	rdmsr
	jmp again
do_wrmsr:
	mov $0xc0000102, %ecx		/* KERNEL_GS_BASE */
	wrmsr
	jmp again
do_divide:
	xor %ecx, %ecx
	div %ecx
	jmp again
do_step:
	pushfq
	orq $0x100, (%rsp)
	popfq
	nop
	nop
	jmp again
do_other_call:
	cmp $1, %r15
	je 1f
	vmmcall
	jmp again
1:	vmcall
	jmp again
do_load_ds:
	mov $0x10, %eax
	mov %eax, %ds
	jmp again
do_load_ss:
	mov $0x13, %eax
	mov %eax, %ss
	jmp again

	.section .rodata
rodata:
#define X(name) .quad do_##name;
commands:
	CELL_GOOD(X)
	CELL_BAD(X)
rodata_code:
	ret

	.data
data:
	.quad 0x0123456789abcdef
data_code:
	ret
	.balign 8
	.quad 0xfedcba9876543210
	.bss
	.skip 100
	.balign 4096
mailbox:
	.skip 8192
mailbox_data:
	.skip 16384
	.balign 4096
	.skip 4096
stack:
	.skip 4096
	.section .note.GNU-stack, "", @progbits
