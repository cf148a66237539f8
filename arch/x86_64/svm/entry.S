// SPDX-License-Identifier: Apache-2.0
/*
 * void svm_enter(struct nl_gprs *gprs, uint64_t vmcb_pa): one trip into the guest. VMRUN saves and restores rax, rsp
 * and the host's control state (VM_HSAVE_PA); the other registers are swapped here. GIF is 0 before and after.
 */
#include <rows.S>

	.text
	.globl svm_enter, svm_vmrun
svm_enter:
	each push, rbx, rbp, r12, r13, r14, r15, rdi, rsi
	row load, rdi, 0, 8, GPRS
	mov 56(%rdi), %rdi
	pop %rax
svm_vmrun:
	vmrun %rax
	xchg %rdi, (%rsp)
	row save, rdi, 0, 8, GPRS	/* rax is ours again, and its place the VMCB's business */
	pop 56(%rdi)
	each pop, r15, r14, r13, r12, rbp, rbx
	ret
	.section .note.GNU-stack, "", @progbits
