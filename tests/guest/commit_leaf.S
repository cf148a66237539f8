/* SPDX-License-Identifier: Apache-2.0 */
/* The signed leaf of leaf/commit.c, as a file. */
	.data
	.balign 8
	.globl commit_leaf, commit_leaf_end
commit_leaf:
	.incbin "commit.leaf"
commit_leaf_end:
	.section .note.GNU-stack, "", @progbits
