// SPDX-License-Identifier: Apache-2.0
/* The stack's image (net/), from which the keeper starts its cell. */
.section .rodata
.balign 8
.globl nl_net_image, nl_net_image_end
nl_net_image:
	.incbin NET_IMAGE
nl_net_image_end:
