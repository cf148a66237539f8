// SPDX-License-Identifier: Apache-2.0
/* SHA-256 (FIPS 180-4). libsodium does the arithmetic, compiled with the core's flags. */
#pragma once

#include <newleaf/types.h>

struct nl_sha256 { /* crypto_hash_sha256_state, whose layout stays in sha256.c */
	uint64_t opaque[16];
};
void nl_sha256_init(struct nl_sha256 *c);
void nl_sha256_update(struct nl_sha256 *c, const void *data, size_t n);
void nl_sha256_out(struct nl_sha256 *c, uint8_t out[32]); /* ends it */
void nl_sha256_of(const void *data, size_t n, uint8_t out[32]);
