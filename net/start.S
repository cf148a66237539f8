// SPDX-License-Identifier: Apache-2.0
/* The image's head (struct nl_net_header) and first instruction. The cell set rsp and rdi; memory behind the image is
 * zero, and what begins otherwise is copied to its place: so all that is written lies behind all that is not. */
	.section .head, "a"
	.quad 0x54454e4c4e
	.long 1, image_size, text_end, rodata_end, memory_size, mailbox_at, entry_at, stack_at

	.section .text.start, "ax"
	.globl net_start_here
net_start_here:
	push %rdi
	lea data_start, %rdi
	lea data_image, %rsi
	mov $data_bytes, %ecx
	rep movsb
	pop %rdi
	xor %ebp, %ebp
	call net_entry
	ud2

	.section .note.GNU-stack, "", @progbits
