/* SPDX-License-Identifier: Apache-2.0 */
/* The signed leaves of leaf/commit.c and leaf/stand.c, as files. */
	.data
	.balign 8
	.globl commit_leaf, commit_leaf_end, stand_leaf, stand_leaf_end
commit_leaf:
	.incbin "commit.leaf"
commit_leaf_end:
	.balign 8
stand_leaf:
	.incbin "stand.leaf"
stand_leaf_end:
	.section .note.GNU-stack, "", @progbits
