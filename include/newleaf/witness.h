// SPDX-License-Identifier: Apache-2.0
/*
 * What runs below a system, said so that somebody outside can believe it: the status and each leaf, signed by a key of
 * this boot together with the asker's nonce; and the witness, by which the machine's own key vouches for the boot's.
 * docs/explanation/orders.md says what that proves and what not.
 *
 *     struct nl_signed_status    800 bytes, the witness in it
 *     struct nl_signed_leaf[]    head.count of 264 bytes
 *     signature                  64 bytes, by witness.boot_key: domain "newleaf status", over all before it
 *
 * Fixed places, nothing in between, and exactly the sizes that this version knows. A signature is Ed25519 over struct
 * nl_signed (signature.h).
 */
#ifndef NEWLEAF_WITNESS_H
#define NEWLEAF_WITNESS_H

#include <newleaf/hypercall.h>
#include <newleaf/record.h>

#define NL_SIGNATURE_LEN 64u
#define NL_WITNESS_MAGIC 0x53454e5449574c4eULL /* "NLWITNES" */
#define NL_STATUS_MAGIC 0x5355544154534c4eULL  /* "NLSTATUS" */

/* Signed once, before the launch: after it no memory holds the machine's key. */
struct nl_witness {
	struct nl_record head;               /* 0: version NL_ABI_VERSION, no records */
	uint8_t machine_key[32];             /* 24: Ed25519 public keys */
	uint8_t boot_key[32];                /* 56 */
	uint8_t core[32];                    /* 88: SHA-256 of the core's code */
	struct nl_boot_facts boot;           /* 120 */
	uint8_t signature[NL_SIGNATURE_LEN]; /* 264: by machine_key, domain "newleaf boot", over 0..263 */
};

struct nl_signed_status {
	struct nl_record head;     /* 0: version NL_ABI_VERSION, since struct nl_status is that version's */
	uint8_t nonce[32];         /* 24: the asker's */
	uint8_t journal[32];       /* 56: SHA-256 of the entry status.journal_newest, as NL_CALL_JOURNAL answers it */
	struct nl_witness witness; /* 88 */
	struct nl_status status;   /* 416: status.boot is witness.boot once more */
};

/* What struct nl_leaf_state says of a leaf, the bytes at its sites now, and where its part of the kernel is placed:
 * with that and status.kernel_slide whoever has the leaf can say what they must be. */
struct nl_signed_leaf {
	/* 0: SHA-256 over each site that is there (of a module: while it is loaded), in the leaf's order: its address
	 * and its length, 64 bits each, and the bytes that the guest is shown. */
	uint8_t digest[32];
	uint64_t text, data;        /* 32: guest-virtual, of offset 0 of text[] and data[], for object 0 */
	struct nl_leaf_state state; /* 48 */
};

_Static_assert(sizeof(struct nl_witness) == 328 && offsetof(struct nl_witness, machine_key) == 24 &&
                       offsetof(struct nl_witness, boot_key) == 56 && offsetof(struct nl_witness, core) == 88 &&
                       offsetof(struct nl_witness, boot) == 120 && offsetof(struct nl_witness, signature) == 264,
               "witness layout");
_Static_assert(sizeof(struct nl_signed_status) == 800 && offsetof(struct nl_signed_status, nonce) == 24 &&
                       offsetof(struct nl_signed_status, journal) == 56 &&
                       offsetof(struct nl_signed_status, witness) == 88 &&
                       offsetof(struct nl_signed_status, status) == 416,
               "signed status layout");
_Static_assert(sizeof(struct nl_signed_leaf) == 264 && offsetof(struct nl_signed_leaf, text) == 32 &&
                       offsetof(struct nl_signed_leaf, state) == 48,
               "signed leaf layout");

#define NL_SIGNED_STATUS_KIND \
	(&(const struct nl_record_kind){NL_STATUS_MAGIC, NL_ABI_VERSION, sizeof(struct nl_signed_status), \
	                                sizeof(struct nl_signed_leaf), 0, NL_MAX_LEAVES})
/* Of the longest, in bytes. */
#define NL_SIGNED_MAX_SIZE \
	(sizeof(struct nl_signed_status) + NL_MAX_LEAVES * sizeof(struct nl_signed_leaf) + NL_SIGNATURE_LEN)

/* Bytes that are signed, of a file whose form was checked: the signature stands behind them. */
static inline size_t nl_signed_status_size(const struct nl_signed_status *s)
{
	return sizeof(*s) + s->head.count * sizeof(struct nl_signed_leaf);
}

#endif
