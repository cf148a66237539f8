// SPDX-License-Identifier: Apache-2.0
/* The signed status: see witness.h. */
#include "leaf/witness.h"
#include "core/clock.h"
#include "core/core.h"
#include "core/journal.h"
#include "core/sha256.h"
#include "leaf/registry.h"
#include <crypto_sign_ed25519.h>
#include <utils.h>

extern const struct nl_core_header nl_core_header; /* our image begins with it */

static uint8_t boot_key[64]; /* private */

static struct nl_witness witness; /* boot.boots 0: there is none */
static struct making {
	struct nl_signed_status s;
	struct nl_signed_leaf leaves[NL_MAX_LEAVES + 1]; /* behind the last one the signature */
	struct nl_sha256 hash;
	uint32_t n; /* leaves that are in; more than there are: it is done */
	uint64_t signed_at;
} making[NL_ASKERS];

void nl_witness_init(const uint8_t *seed)
{
	struct nl_witness *w = &witness;
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

static void begin(struct making *m, const struct nl_status *now, const uint8_t nonce[32])
{
	struct nl_journal_entry newest;
	uint64_t unused;

	m->s.head = (struct nl_record){NL_STATUS_MAGIC, NL_ABI_VERSION, sizeof(m->s), sizeof(*m->leaves), now->leaves};
	memcpy(m->s.nonce, nonce, sizeof(m->s.nonce));
	if (nl_journal_read(now->journal_newest, &newest, &unused))
		nl_sha256_of(&newest, sizeof(newest), m->s.journal);
	m->s.witness = witness;
	m->s.status = *now;
	nl_sha256_init(&m->hash);
	nl_sha256_update(&m->hash, &m->s, sizeof(m->s));
	m->n = 0;
}

static void add(struct making *m, const struct nl_entry *e)
{
	struct nl_signed_leaf *l = &m->leaves[m->n++];
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
	nl_sha256_update(&m->hash, l, sizeof(*l));
}

enum nl_err nl_witness_sign(enum nl_asker asker, const struct nl_context *ctx, const struct nl_status *now,
                            const uint8_t nonce[32], const void **file, size_t *size)
{
	struct making *m = &making[asker];
	uint8_t hash[32];

	if (!witness.boot.boots)
		return NL_ENORANDOM;
	if (m->n > m->s.head.count || memcmp(nonce, m->s.nonce, sizeof(m->s.nonce)) || now->leaves != m->s.head.count ||
	    now->generation != m->s.status.generation)
		begin(m, now, nonce);
	if (nl_registry_note(ctx, m->n) == NL_AGAIN) {
		add(m, nl_registry_nth(m->n));
		return NL_AGAIN;
	}
	if (now->tsc_now - m->signed_at < nl_tsc_hz())
		return NL_ERATE;
	nl_sha256_out(&m->hash, hash);
	nl_signature_make(NL_DOMAIN_STATUS, hash, boot_key, (uint8_t *)&m->leaves[m->n++]);
	m->signed_at = now->tsc_now;
	*file = &m->s;
	*size = nl_signed_status_size(&m->s) + NL_SIGNATURE_LEN;
	return NL_OK;
}
