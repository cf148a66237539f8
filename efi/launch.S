/*
 * The step into the core. On success the core lets the return path below run as its guest: CR3 is then the firmware's again already,
 * and every instruction here means the same for both. Callee-saved registers and the stack are the core's to keep.
 */
#define MSR_EFER 0xc0000080
#define EFER_NXE (1 << 11)

	.text
/* uint64_t launch(uint64_t host_cr3, uint64_t entry_va, uint64_t boot_va, uint64_t use_nx) */
	.globl launch
launch:
	pushfq
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	cli
	cld
	mov %rsi, %r13
	mov %rdx, %r14
	mov %cr3, %r12
	/* The host page table forbids execution where it can; before CR3 knows of it, EFER must. */
	xor %r15d, %r15d
	test %rcx, %rcx
	jz 1f
	mov $MSR_EFER, %ecx
	rdmsr
	test $EFER_NXE, %eax
	jnz 1f
	inc %r15d
	or $EFER_NXE, %eax
	wrmsr
1:	mov %rdi, %cr3
	mov %r14, %rdi
	call *%r13
	mov %r12, %cr3
	mov %rax, %rbx
	test %r15d, %r15d
	jz 2f
	mov $MSR_EFER, %ecx
	rdmsr
	and $~EFER_NXE, %eax
	wrmsr
2:	mov %rbx, %rax
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	popfq
	ret

	.section .note.GNU-stack, "", @progbits
