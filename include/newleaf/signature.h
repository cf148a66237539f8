// SPDX-License-Identifier: Apache-2.0
/*
 * Signatures, of leaves and of everything else that somebody signs for Newleaf: Ed25519 (RFC 8032) over 64 bytes, a
 * domain and the SHA-256 of what is signed. The domain keeps what was signed as one thing from being taken for another.
 */
#ifndef NEWLEAF_SIGNATURE_H
#define NEWLEAF_SIGNATURE_H

#include <newleaf/types.h>

#define NL_SIG_MAGIC 0x53474953464c4eULL /* "NLFSIGS" */
#define NL_MAX_SIGNATURES 8u

struct nl_signed { /* the bytes that are signed */
	char domain[32];
	uint8_t sha256[32];
};

/* Domains; the rest of the 32 bytes is zero. */
#define NL_DOMAIN_LEAF "newleaf leaf"
#define NL_DOMAIN_ORDER "newleaf order"
#define NL_DOMAIN_LIST "newleaf list"
#define NL_DOMAIN_STATUS "newleaf status"
#define NL_DOMAIN_BOOT "newleaf boot"

/* The key itself and not its name: a signature is checked by whoever reads it, whether he trusts the key or not. */
struct nl_signature {
	uint8_t key[32];   /* Ed25519 public key; its name, key_id, is the SHA-256 of it */
	uint8_t bytes[64]; /* R || S */
};

/* Behind what is signed, up to the end of the file. */
struct nl_signatures {
	uint64_t magic;
	uint32_t size;  /* of all of it */
	uint32_t count; /* 1..NL_MAX_SIGNATURES; as many struct nl_signature follow */
};

_Static_assert(sizeof(struct nl_signature) == 96 && sizeof(struct nl_signatures) == 16, "signature layout");

#endif
