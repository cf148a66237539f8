// SPDX-License-Identifier: Apache-2.0
/*
 * The test kernel's assembly: exception stubs, the way to CPL 3 and back, the trampoline of application processors, and
 * the probe that shows every general register around one instruction.
 */
	.text

/* 256 stubs of 16 bytes. Vectors with an error code of the CPU's own: SDM vol. 3, table 6-1. */
	.balign 16
	.globl stubs
stubs:
	.set vector, 0
	.rept 256
	.balign 16
	.if vector != 8 && (vector < 10 || vector > 14) && vector != 17 && vector != 21 && vector != 29 && vector != 30
	push $0
	.endif
	push $vector
	jmp common
	.set vector, vector + 1
	.endr

common:
	push %rax
	push %rcx
	push %rdx
	push %rbx
	push %rbp
	push %rsi
	push %rdi
	push %r8
	push %r9
	push %r10
	push %r11
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, %rdi
	cld
	call trap_handler
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rdi
	pop %rsi
	pop %rbp
	pop %rbx
	pop %rdx
	pop %rcx
	pop %rax
	add $16, %rsp
	iretq

/*
 * void leave_nmi(struct frame *f, const void *last): leaves a handler as `common` does, but by the two instructions at
 * `last`: the word of the error code is on top of the stack, the IRET frame follows.
 */
	.globl leave_nmi, leave_by_popf, leave_by_sti
leave_nmi:
	mov %rsi, 120(%rdi)		/* the vector's word */
	mov %rdi, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rdi
	pop %rsi
	pop %rbp
	pop %rbx
	pop %rdx
	pop %rcx
	pop %rax
	ret
leave_by_popf:
	popfq
	iretq
leave_by_sti:
	add $8, %rsp
	sti
	iretq

/*
 * void enter_user(const struct user_regs *r, uint64_t rip, uint64_t rsp): returns by leave_user, called by the handler
 * at CPL 0
 */
	.globl enter_user, leave_user
enter_user:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, %gs:48
	pushq $0x23
	push %rdx
	pushq 56(%rdi)
	pushq $0x2b
	push %rsi
	mov 0(%rdi), %rax
	mov 8(%rdi), %rbx
	mov 16(%rdi), %rcx
	mov 24(%rdi), %rdx
	mov 32(%rdi), %rsi
	mov 48(%rdi), %r8
	mov 40(%rdi), %rdi
	iretq
leave_user:
	mov %gs:48, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

/* void reload_segments(void): CS 8, data 0x10 */
	.globl reload_segments
reload_segments:
	pop %rax
	pushq $8
	push %rax
	mov $0x10, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	lretq

/*
 * void switch_la57(uint64_t root): to 5-level paging. The bit cannot be changed in long mode (SDM vol. 3, 4.1.2):
 * through a 32-bit segment (0x18), where paging can be off. Code and stack are below 4 GiB and mapped one to one.
 */
	.globl switch_la57
switch_la57:
	lea 1f(%rip), %rax
	pushq $0x18
	push %rax
	lretq
	.code32
1:	mov %cr0, %eax
	btr $31, %eax
	mov %eax, %cr0
	mov %cr4, %ecx
	or $0x1000, %ecx
	mov %ecx, %cr4
	mov %edi, %cr3
	bts $31, %eax
	mov %eax, %cr0
	push $8
	call 2f
2:	addl $(3f - 2b), (%esp)
	lretl
	.code64
3:	ret

/*
 * void probe(uint64_t r[16], const void *code): loads rax rcx rdx rbx rbp rsi rdi r8..r14, a gap, and RFLAGS from r,
 * calls code (an instruction and RET), stores them back. r15 holds the address of the code and is not probed.
 */
	.globl probe
probe:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	push %rdi
	mov %rsi, %r15
	mov 8(%rdi), %rcx
	mov 16(%rdi), %rdx
	mov 24(%rdi), %rbx
	mov 32(%rdi), %rbp
	mov 40(%rdi), %rsi
	mov 56(%rdi), %r8
	mov 64(%rdi), %r9
	mov 72(%rdi), %r10
	mov 80(%rdi), %r11
	mov 88(%rdi), %r12
	mov 96(%rdi), %r13
	mov 104(%rdi), %r14
	mov 0(%rdi), %rax
	pushq 120(%rdi)
	mov 48(%rdi), %rdi
	popfq
	call *%r15
	pushfq
	xchg %rdi, 8(%rsp)	/* the guest's rdi against the array */
	mov %rax, 0(%rdi)
	mov %rcx, 8(%rdi)
	mov %rdx, 16(%rdi)
	mov %rbx, 24(%rdi)
	mov %rbp, 32(%rdi)
	mov %rsi, 40(%rdi)
	mov %r8, 56(%rdi)
	mov %r9, 64(%rdi)
	mov %r10, 72(%rdi)
	mov %r11, 80(%rdi)
	mov %r12, 88(%rdi)
	mov %r13, 96(%rdi)
	mov %r14, 104(%rdi)
	pop %rax
	mov %rax, 120(%rdi)
	pop %rax
	mov %rax, 48(%rdi)
	cld
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

/*
 * An NMI while a CPU is still the firmware's: is Newleaf below? Looks at the signature in the first CPUID blocks
 * (0x40000000, 0x40000100) and counts in firmware_nmi_counts: all, those that saw it.
 */
	.globl firmware_nmi, firmware_nmi_counts
firmware_nmi:
	push %rax
	push %rbx
	push %rcx
	push %rdx
	push %rsi
	mov $0x40000000, %esi
1:	mov %esi, %eax
	cpuid
	cmp $0x6c77654e, %ebx		/* NL_CPUID_EBX */
	je 2f
	add $0x100, %esi
	cmp $0x40000200, %esi
	jne 1b
	jmp 3f
2:	lock incl firmware_nmi_counts+4(%rip)
3:	lock incl firmware_nmi_counts(%rip)
	pop %rsi
	pop %rdx
	pop %rcx
	pop %rbx
	pop %rax
	iretq
	.data
	.balign 8
firmware_nmi_counts:
	.long 0, 0
	.text

/*
 * The trampoline, copied to a page below 1 MiB. Registers as SIPI left them are stored at 0x800 (struct first_state),
 * parameters stand at 0xc00 (smp.c). AX and FS are used up before they can be stored: there is no other way to reach
 * the page.
 */
	.globl trampoline, trampoline_end, trampoline_32, trampoline_64
	.balign 16
	.code16
trampoline:
	mov %cs, %ax
	mov %ax, %fs
	mov %eax, %fs:0x800
	mov %ecx, %fs:0x804
	mov %edx, %fs:0x808
	mov %ebx, %fs:0x80c
	mov %esp, %fs:0x810
	mov %ebp, %fs:0x814
	mov %esi, %fs:0x818
	mov %edi, %fs:0x81c
	mov %cs, %fs:0x844
	mov %ds, %fs:0x846
	mov %es, %fs:0x848
	mov %ss, %fs:0x84a
	mov %gs, %fs:0x84c
	mov %ax, %ds
	mov %ax, %ss
	mov $0x1000, %sp
	pushfl
	pop %eax
	mov %eax, 0x820
	cli
	cld
	mov %cr0, %eax
	mov %eax, 0x824
	mov %cr2, %eax
	mov %eax, 0x828
	mov %cr3, %eax
	mov %eax, 0x82c
	mov %cr4, %eax
	mov %eax, 0x830
	mov %dr6, %eax
	mov %eax, 0x834
	mov %dr7, %eax
	mov %eax, 0x838
	mov $0xc0000080, %ecx
	rdmsr
	mov %eax, 0x83c
	mov %edx, 0x840
	sgdtl 0xb80
	sidtl 0xb88
	mov 0xb80, %ax
	mov %ax, 0x84e
	mov 0xb88, %ax
	mov %ax, 0x850
	mov 0xb82, %eax
	mov %eax, 0x854
	mov 0xb8a, %eax
	mov %eax, 0x858
	xor %ebx, %ebx
	mov %cs, %bx
	shl $4, %ebx			/* the page's address, from here on */
	lgdtl 0xc00
	mov %cr0, %eax
	and $~0x60000000, %eax
	or $1, %eax
	mov %eax, %cr0
	ljmpl *0xc08
	.code32
trampoline_32:
	mov $0x10, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov 0xc1c(%ebx), %eax
	mov %eax, %cr4
	mov 0xc18(%ebx), %eax
	mov %eax, %cr3
	mov $0xc0000080, %ecx
	mov $0x900, %eax		/* LME, NXE */
	xor %edx, %edx
	wrmsr
	mov $0x80010033, %eax		/* PG, WP, NE, ET, MP, PE */
	mov %eax, %cr0
	ljmpl *0xc10(%ebx)
	.code64
trampoline_64:
	mov %ebx, %ebx
	mov %rbx, %rsi			/* second argument: which page */
	mov 0xc20(%rbx), %r8		/* struct cpu *by_apic_id[256] */
	mov 0xc28(%rbx), %r9		/* ap_main */
	mov $1, %eax
	cpuid
	shr $24, %ebx
	mov (%r8,%rbx,8), %rdi
	mov 40(%rdi), %rsp
	xor %ebp, %ebp
	call *%r9
	ud2
trampoline_end:
	.section .note.GNU-stack, "", @progbits
