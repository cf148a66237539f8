// SPDX-License-Identifier: Apache-2.0
/* The signed status: see witness.h. */
#include "leaf/witness.h"
#include "core/clock.h"
#include "core/core.h"
#include "core/journal.h"
#include "core/sha256.h"
#include "leaf/registry.h"
#include "leaf/signature.h"
#include <crypto_sign_ed25519.h>
#include <utils.h>

extern const struct nl_core_header nl_core_header; /* our image begins with it */

static uint8_t boot_key[64]; /* private */

static struct {                                          /* in the making */
	struct nl_signed_status s;                       /* whose witness is made once; boot.boots 0: there is none */
	struct nl_signed_leaf leaves[NL_MAX_LEAVES + 1]; /* behind the last one the signature */
	struct nl_sha256 hash;
	uint32_t n; /* leaves that are in; more than there are: it is done */
	uint64_t signed_at;
} made;

void nl_witness_init(const uint8_t *seed)
{
	struct nl_witness *w = &made.s.witness;
	uint8_t key[64], hash[32];

	w->head = (struct nl_record){NL_WITNESS_MAGIC, NL_ABI_VERSION, sizeof(*w), 0, 0};
	w->boot = nl_boot.facts;
	nl_sha256_of(&nl_core_header, nl_core_header.rodata_end, w->core);
	/* SHA-512 makes the key of it; tokens are SHA-256 of it and more: neither tells anything of the other. */
	crypto_sign_ed25519_seed_keypair(w->boot_key, boot_key, nl_boot.secret);
	crypto_sign_ed25519_seed_keypair(w->machine_key, key, seed);
	nl_sha256_of(w, offsetof(struct nl_witness, signature), hash);
	nl_signature_make(NL_DOMAIN_BOOT, hash, key, w->signature);
	sodium_memzero(key, sizeof(key));
}

static void begin(const struct nl_status *now, const uint8_t nonce[32])
{
	struct nl_journal_entry newest;
	uint64_t unused;

	made.s.head =
	        (struct nl_record){NL_STATUS_MAGIC, NL_ABI_VERSION, sizeof(made.s), sizeof(*made.leaves), now->leaves};
	memcpy(made.s.nonce, nonce, sizeof(made.s.nonce));
	if (nl_journal_read(now->journal_newest, &newest, &unused))
		nl_sha256_of(&newest, sizeof(newest), made.s.journal);
	made.s.status = *now;
	nl_sha256_init(&made.hash);
	nl_sha256_update(&made.hash, &made.s, sizeof(made.s));
	made.n = 0;
}

static void add(const struct nl_entry *e)
{
	struct nl_signed_leaf *l = &made.leaves[made.n++];
	uint8_t shown[NL_SITE_MAX_LEN];
	struct nl_sha256 hash;

	l->text = e->objects[0].at.text;
	l->data = e->objects[0].at.data;
	l->state = e->state;
	nl_sha256_init(&hash);
	NL_EACH(s, e->sites, e->n_sites) {
		uint64_t where[2] = {s->va, s->len};

		if (!s->len || !nl_registry_shown(s, shown))
			continue;
		nl_sha256_update(&hash, where, sizeof(where));
		nl_sha256_update(&hash, shown, s->len);
	}
	nl_sha256_out(&hash, l->digest);
	nl_sha256_update(&made.hash, l, sizeof(*l));
}

enum nl_err nl_witness_sign(const struct nl_context *ctx, const struct nl_status *now, const uint8_t nonce[32],
                            const void **file, size_t *size)
{
	uint8_t hash[32];

	if (!made.s.witness.boot.boots)
		return NL_ENORANDOM;
	if (made.n > made.s.head.count || memcmp(nonce, made.s.nonce, sizeof(made.s.nonce)) ||
	    now->leaves != made.s.head.count || now->generation != made.s.status.generation)
		begin(now, nonce);
	if (nl_registry_note(ctx, made.n) == NL_AGAIN) {
		add(nl_registry_nth(made.n));
		return NL_AGAIN;
	}
	if (now->tsc_now - made.signed_at < nl_tsc_hz())
		return NL_ERATE;
	nl_sha256_out(&made.hash, hash);
	nl_signature_make(NL_DOMAIN_STATUS, hash, boot_key, (uint8_t *)&made.leaves[made.n++]);
	made.signed_at = now->tsc_now;
	*file = &made.s;
	*size = nl_signed_status_size(&made.s) + NL_SIGNATURE_LEN;
	return NL_OK;
}
