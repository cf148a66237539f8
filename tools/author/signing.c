// SPDX-License-Identifier: Apache-2.0
/* See signing.h. Nothing is written that does not verify. */
#include "signing.h"
#include "leaf/signature.h"

#include <string.h>

static void take(const char *path, struct nl_signature *s)
{
	struct buf sig = file_read(path, 4096);

	if (sig.n != sizeof(s->bytes))
		refuse(NL_ESIGNATURE, "%s is no Ed25519 signature, which has %zu bytes", path, sizeof(s->bytes));
	memcpy(s->bytes, sig.p, sig.n);
}

void signing_message(const struct signing *g, const char *output)
{
	struct nl_signed message;
	uint8_t sha256[32];

	digest_of(g->file, g->signed_size, sha256);
	message = signed_message(g->domain, sha256);
	file_write(output, &message, sizeof(message), 0644);
}

uint32_t signing_do(const struct signing *g, const char *output, uint8_t key_id[32])
{
	struct nl_signatures head = {.magic = NL_SIG_MAGIC};
	const struct nl_signature *old = NULL;
	struct buf all = {0}, out = {0};
	uint32_t n = 0, known = 0;
	struct nl_signature s;
	uint8_t sha256[32];

	digest_of(g->file, g->signed_size, sha256);
	if (g->key) {
		sign_digest(key_read_private(g->key), g->domain, sha256, &s);
	} else {
		take(g->attached, &s);
		key_read_public(g->pub, s.key);
	}
	if (nl_signature_check(g->domain, sha256, &s, NULL, 0, 0, &known))
		refuse(NL_ESIGNATURE, "the signature does not verify with that key");
	if (g->size > g->signed_size &&
	    nl_signatures_find(g->file + g->signed_size, g->size - g->signed_size, &old, &n))
		refuse(NL_ERECORD, "the signatures of %s are malformed", g->what);
	for (uint32_t i = 0; i < n; i++) {
		if (!memcmp(old[i].key, s.key, sizeof(s.key)))
			continue;
		if (nl_signature_check(g->domain, sha256, &old[i], NULL, 0, 0, &known)) {
			nl_key_id(old[i].key, key_id);
			refuse(NL_ESIGNATURE, "signature %u of %s, by key %02x%02x%02x%02x, does not verify", i + 1,
			       g->what, key_id[0], key_id[1], key_id[2], key_id[3]);
		}
		buf_add(&all, &old[i], sizeof(s));
	}
	buf_add(&all, &s, sizeof(s));
	head.count = (uint32_t)(all.n / sizeof(s));
	head.size = (uint32_t)(sizeof(head) + all.n);
	if (head.count > NL_MAX_SIGNATURES || g->signed_size + head.size > g->max)
		refuse(NL_EARENA, "%s has at most %u signatures, and %zu bytes", g->what, NL_MAX_SIGNATURES, g->max);
	buf_add(&out, g->file, g->signed_size);
	buf_add(&out, &head, sizeof(head));
	buf_add(&out, all.p, all.n);
	file_write(output, out.p, out.n, 0644);
	nl_key_id(s.key, key_id);
	return head.count;
}
