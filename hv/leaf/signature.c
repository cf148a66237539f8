// SPDX-License-Identifier: Apache-2.0
/* Signatures: see signature.h. */
#include "leaf/signature.h"
#include "core/core.h"
#include "core/sha256.h"
#include <crypto_sign_ed25519.h>

enum nl_err nl_signatures_find(const void *block, size_t size, const struct nl_signature **first, uint32_t *count)
{
	struct nl_signatures head;

	if (!size)
		return NL_EUNSIGNED;
	if (size < sizeof(head))
		return NL_ELEAF;
	memcpy(&head, block, sizeof(head));
	if (head.magic != NL_SIG_MAGIC || head.size != size || !head.count || head.count > NL_MAX_SIGNATURES ||
	    size != sizeof(head) + head.count * sizeof(**first))
		return NL_ELEAF;
	*first = (const struct nl_signature *)((const uint8_t *)block + sizeof(head));
	*count = head.count;
	return NL_OK;
}

enum nl_err nl_signature_check(const char *domain, const uint8_t sha256[32], const struct nl_signature *s,
                               const struct nl_key *keys, uint32_t n_keys, uint32_t role, uint32_t *known)
{
	struct nl_signed message = {.domain = ""};
	uint32_t i;

	memcpy(message.domain, domain, strlen(domain));
	memcpy(message.sha256, sha256, sizeof(message.sha256));
	/* Refuses keys and R of small order, keys that are not canonical, and S of the group's order and more. */
	if (crypto_sign_ed25519_verify_detached(s->bytes, (const void *)&message, sizeof(message), s->key))
		return NL_ESIGNATURE;
	for (i = 0; i < n_keys && i < NL_MAX_KEYS; i++)
		if (keys[i].role & role && !memcmp(keys[i].key, s->key, sizeof(s->key))) {
			*known |= 1u << i;
			break;
		}
	return NL_OK;
}

void nl_key_id(const uint8_t key[32], uint8_t id[32]) { nl_sha256_of(key, 32, id); }
