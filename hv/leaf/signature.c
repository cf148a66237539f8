// SPDX-License-Identifier: Apache-2.0
/* Signatures: see signature.h. */
#include "leaf/signature.h"
#include "core/core.h"
#include <crypto_sign_ed25519.h>

#define HASH_SLICE 768u /* bytes per call, some 36,000 instructions: interrupts are off meanwhile */

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

static struct nl_signed signed_of(const char *domain, const uint8_t sha256[32])
{
	struct nl_signed message = {.domain = ""};

	memcpy(message.domain, domain, strlen(domain));
	memcpy(message.sha256, sha256, sizeof(message.sha256));
	return message;
}

enum nl_err nl_signature_check(const char *domain, const uint8_t sha256[32], const struct nl_signature *s,
                               const struct nl_key *keys, uint32_t n_keys, uint32_t role, uint32_t *known)
{
	struct nl_signed message = signed_of(domain, sha256);

	/* Refuses keys and R of small order, keys that are not canonical, and S of the group's order and more. */
	if (crypto_sign_ed25519_verify_detached(s->bytes, (const void *)&message, sizeof(message), s->key))
		return NL_ESIGNATURE;
	NL_EACH(k, keys, n_keys < NL_MAX_KEYS ? n_keys : NL_MAX_KEYS)
		if (k->role & role && !memcmp(k->key, s->key, sizeof(s->key))) {
			*known |= 1u << (k - keys);
			break;
		}
	return NL_OK;
}

void nl_signature_make(const char *domain, const uint8_t sha256[32], const uint8_t key[64], uint8_t out[64])
{
	struct nl_signed message = signed_of(domain, sha256);

	crypto_sign_ed25519_detached(out, NULL, (const void *)&message, sizeof(message), key);
}

enum nl_err nl_check_step(struct nl_check *c)
{
	size_t left = c->signed_size - c->hashed, n = left < HASH_SLICE ? left : HASH_SLICE;
	const uint8_t *file = c->file;
	const struct nl_signature *s;
	uint32_t known = c->known;
	enum nl_err err = nl_signatures_find(file + c->signed_size, c->size - c->signed_size, &s, &c->count);

	if (err || (!left && c->checked == c->count))
		return err;
	if (left) {
		if (!c->hashed)
			nl_sha256_init(&c->hash);
		nl_sha256_update(&c->hash, file + c->hashed, n);
		c->hashed += n;
		if (n == left)
			nl_sha256_out(&c->hash, c->sha256);
		return NL_AGAIN;
	}
	err = nl_signature_check(c->domain, c->sha256, s + c->checked++, nl_boot.keys, NL_MAX_KEYS, c->role, &c->known);
	c->n_known += c->known != known;
	return err ? err : NL_AGAIN;
}

enum nl_err nl_check_whole(struct nl_check *c)
{
	enum nl_err err;

	while ((err = nl_check_step(c)) == NL_AGAIN)
		;
	return err;
}

void nl_key_id(const uint8_t key[32], uint8_t id[32]) { nl_sha256_of(key, 32, id); }
