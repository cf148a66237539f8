// SPDX-License-Identifier: Apache-2.0
/*
 * What the loader carries for others: the core, the trusted keys, the policy. Each is a section of the image, so that
 * the image's signature covers it; keys and policy have IMAGE_ROOM bytes (loader.h) and can be replaced in a built
 * image with objcopy --update-section, which keeps every section's address: the loader finds them by symbol.
 */
	.hidden image_core, image_keys, image_policy
	.globl image_core, image_keys, image_policy

	.section .core, "a"
	.balign 4096
image_core:
	.incbin NL_CORE_FILE
	.balign 16

	.section .nlkeys, "a"
	.balign 4096
image_keys:
#ifdef NL_KEYS_FILE
	.incbin NL_KEYS_FILE
#else
	.quad 0x5359454b4c4e /* struct nl_record: NL_KEYS_MAGIC, version, size of head and of a record, none */
	.long 2, 24, 64, 0
#endif
	.if . - image_keys > 4096
	.error "more keys than IMAGE_ROOM"
	.endif
	.org image_keys + 4096, 0

	.section .nlpol, "a"
	.balign 4096
image_policy:
	.quad 0x5943494c4f504c4e /* struct nl_record: NL_POLICY_MAGIC, version, size of head and of a record, one */
	.long 1, 24, 48, 1
	.long 15 /* guest_may: all */
	.long 10000 /* deadline_ms */
	.long 0 /* conf_may: under Secure Boot neither options nor console */
	.long 1 /* security_version: one more with each hole that is closed */
	.long 3 /* proofs: port and token */
	.long 1 /* signatures: one author's is enough */
	.long 0 /* without_list: launch, apply no leaf */
	.long 0 /* unpatched: let a module in that cannot be patched */
	.long 0 /* operators: orders are off */
	.long 0 /* order_may */
	.long 600000 /* confirm_ms: ten minutes */
	.long 0 /* net_may: the network is off */
	.org image_policy + 4096, 0

	/* Without it shim starts nothing: the generation of this program, which a list can revoke (SBAT.md of shim). */
	.section .sbat, "a"
	.balign 4096
	.ascii "sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\n"
	.ascii "newleaf,1,Newleaf,newleaf,0.1.0,SECURITY.md\n"

	.section .note.GNU-stack, "", @progbits
