/* SPDX-License-Identifier: Apache-2.0 */
/* The image of cell/image.S, as a file. */
	.data
	.balign 8
	.globl cell_image, cell_image_end
cell_image:
	.incbin "cell.bin"
cell_image_end:
	.section .note.GNU-stack, "", @progbits
