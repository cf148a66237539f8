// SPDX-License-Identifier: Apache-2.0
/* Signatures: see signature.h. */
#include "leaf/signature.h"
#include "core/core.h"
#include "core/sha256.h"
#include <bearssl.h>

enum nl_err nl_signature_check(const uint8_t hash[32], const struct nl_leaf_signature *signature,
                               const struct nl_key *keys, uint32_t n_keys, const struct nl_key **key)
{
	uint32_t i;

	for (i = 0; i < n_keys && i < NL_MAX_KEYS && keys[i].role; i++) {
		struct nl_sha256 c;
		uint8_t id[32], point[65];
		br_ec_public_key public = {.curve = BR_EC_secp256r1, .q = point, .qlen = sizeof(point)};

		nl_sha256_init(&c);
		nl_sha256_update(&c, keys[i].point, sizeof(keys[i].point));
		nl_sha256_out(&c, id);
		if (!(keys[i].role & NL_ROLE_AUTHOR) || memcmp(id, signature->key_id, sizeof(id)))
			continue;
		memcpy(point, keys[i].point, sizeof(point));
		if (!br_ecdsa_i31_vrfy_raw(&br_ec_p256_m31, hash, 32, &public, signature->rs, sizeof(signature->rs)))
			return NL_ESIGNATURE;
		*key = &keys[i];
		return NL_OK;
	}
	return NL_EKEY;
}
