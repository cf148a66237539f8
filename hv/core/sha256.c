// SPDX-License-Identifier: Apache-2.0
/* SHA-256 by libsodium: see sha256.h. */
#include "core/sha256.h"
#include <crypto_hash_sha256.h>

_Static_assert(sizeof(crypto_hash_sha256_state) <= sizeof(struct nl_sha256), "room for the hash context");

void nl_sha256_init(struct nl_sha256 *c) { crypto_hash_sha256_init((crypto_hash_sha256_state *)c); }

void nl_sha256_update(struct nl_sha256 *c, const void *data, size_t n)
{
	crypto_hash_sha256_update((crypto_hash_sha256_state *)c, data, n);
}

void nl_sha256_out(struct nl_sha256 *c, uint8_t out[32])
{
	crypto_hash_sha256_final((crypto_hash_sha256_state *)c, out);
}

void nl_sha256_of(const void *data, size_t n, uint8_t out[32]) { crypto_hash_sha256(out, data, n); }
