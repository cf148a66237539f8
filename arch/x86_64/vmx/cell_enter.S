// SPDX-License-Identifier: Apache-2.0
/*
 * bool vmx_cell_enter(struct nl_gprs *gprs, const uint32_t *nmis): one trip into the cell whose VMCS is current and
 * clear. false: nothing of it was executed, for an NMI came first (nmis) or VMLAUNCH refused. What looks at nmis and
 * enters lies before vmx_restart_end (entry.S), so that an NMI behind the look comes back by cell_back; all else, where
 * the stack's top is another, lies behind.
 */
cell_go:
	cmpl $0, (%rsi)
	jne cell_back
	row load, rdi, 0, 8, GPRS
	mov 56(%rdi), %rdi
	vmlaunch
vmx_restart_end:
cell_back:
	pop %rax
	each pop, r15, r14, r13, r12, rbp, rbx
	xor %eax, %eax
	ret

	.globl vmx_cell_enter, vmx_cell_exit
vmx_cell_enter:
	each push, rbx, rbp, r12, r13, r14, r15
	lea 1(%rdi), %rax		/* odd: entry.S knows it by that */
	push %rax
	mov $0x6c14, %eax		/* HOST_RSP */
	vmwrite %rsp, %rax
	jmp cell_go

/* HOST_RIP of its VMCS; rsp is what was written above */
vmx_cell_exit:
	xchg %rdi, (%rsp)
	dec %rdi
	row save, rdi, 0, 8, GPRS
	pop 56(%rdi)
	each pop, r15, r14, r13, r12, rbp, rbx
	mov $1, %eax
	ret

