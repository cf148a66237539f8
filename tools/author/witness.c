// SPDX-License-Identifier: Apache-2.0
/* Signed statuses as whoever asked reads them: see witness.h. */
#include "witness.h"
#include "core/sha256.h"
#include "leaf/reloc.h"
#include "leaf/signature.h"

#include <string.h>

static bool is_text(const char *s, size_t room) { return memchr(s, 0, room); }

static bool witness_ok(const struct nl_witness *w)
{
	static const struct nl_record head = {NL_WITNESS_MAGIC, NL_ABI_VERSION, sizeof(*w), 0, 0};

	return !memcmp(&w->head, &head, sizeof(head)) && w->boot.boots && w->boot.random <= 1;
}

static bool status_ok(const struct nl_status *s)
{
	return s->abi == NL_ABI_VERSION && s->size == sizeof(*s) && s->orders <= (NL_ORDER_FROZE | NL_ORDER_WAITS) &&
	       s->standing.error < NL_ERRORS_KNOWN && s->standing.carried < NL_ERRORS_KNOWN &&
	       s->kernel_build_id_len <= sizeof(s->kernel_build_id) && is_text(s->version, sizeof(s->version)) &&
	       is_text(s->vendor, sizeof(s->vendor)) && is_text(s->paging, sizeof(s->paging));
}

static bool leaf_ok(const struct nl_signed_leaf *l)
{
	return l->state.condition >= NL_LEAF_VERIFIED && l->state.condition <= NL_LEAF_REVERTED &&
	       l->state.note < NL_ERRORS_KNOWN && is_text(l->state.id, sizeof(l->state.id)) &&
	       is_text(l->state.key_name, sizeof(l->state.key_name));
}

static const struct nl_signed_leaf *leaves(const struct nl_signed_status *s)
{
	return (const struct nl_signed_leaf *)(const void *)(s + 1);
}

enum nl_err witness_form(const void *file, size_t size)
{
	const struct nl_signed_status *s = file;
	enum nl_err err = nl_record_check(NL_SIGNED_STATUS_KIND, file, size);

	if (err)
		return err == NL_ENEWER ? err : NL_ESTATUS;
	if (s->head.head_size != sizeof(*s) || s->head.record_size != sizeof(struct nl_signed_leaf) ||
	    size != nl_signed_status_size(s) + NL_SIGNATURE_LEN || s->head.count != s->status.leaves)
		return NL_ESTATUS;
	for (uint32_t i = 0; i < s->head.count; i++)
		if (!leaf_ok(&leaves(s)[i]))
			return NL_ESTATUS;
	return witness_ok(&s->witness) && status_ok(&s->status) ? NL_OK : NL_ESTATUS;
}

/* By this key alone. */
static enum nl_err signed_by(const uint8_t key[32], const char *domain, const void *p, size_t n,
                             const uint8_t signature[NL_SIGNATURE_LEN])
{
	struct nl_signature s;
	uint32_t known = 0;
	uint8_t sha256[32];

	memcpy(s.key, key, sizeof(s.key));
	memcpy(s.bytes, signature, sizeof(s.bytes));
	nl_sha256_of(p, n, sha256);
	return nl_signature_check(domain, sha256, &s, NULL, 0, 0, &known);
}

enum nl_err witness_check(const struct nl_signed_status *s, const struct witness_wanted *wanted)
{
	const struct nl_witness *w = &s->witness;
	size_t n = nl_signed_status_size(s);

	if (memcmp(w->machine_key, wanted->machine_key, sizeof(w->machine_key)))
		return NL_EMACHINEID;
	if (signed_by(wanted->machine_key, NL_DOMAIN_BOOT, w, offsetof(struct nl_witness, signature), w->signature) ||
	    signed_by(w->boot_key, NL_DOMAIN_STATUS, s, n, (const uint8_t *)s + n))
		return NL_ESIGNATURE;
	/* A boot's key may be found in memory that something else has now: it says nothing that its witness does not.
	 */
	if (memcmp(&s->status.boot, &w->boot, sizeof(w->boot)))
		return NL_ESIGNATURE;
	if (w->boot.boots < wanted->after)
		return NL_EBOOTID;
	return memcmp(s->nonce, wanted->nonce, sizeof(s->nonce)) ? NL_ECHALLENGE : NL_OK;
}

const struct nl_signed_leaf *witness_leaf(const struct nl_signed_status *s, const uint8_t sha256[32])
{
	for (uint32_t i = 0; i < s->head.count; i++)
		if (!memcmp(leaves(s)[i].state.sha256, sha256, 32))
			return &leaves(s)[i];
	return NULL;
}

/* As the core hashes a site (hv/leaf/witness.c). */
static enum nl_err hash_site(const struct nl_leaf *leaf, const struct nl_placement *at, uint32_t i, bool applied,
                             struct nl_sha256 *hash)
{
	const struct nl_leaf_site *s = &leaf->sites[i];
	uint64_t where[2] = {at->objects[0].base[s->region] + s->offset, s->len};
	uint8_t expected[NL_SITE_MAX_LEN], fresh[NL_SITE_MAX_LEN];
	enum nl_err err;

	memcpy(expected, leaf->bytes + s->expected, s->len);
	memcpy(fresh, leaf->bytes + s->fresh, s->len);
	err = nl_reloc_site(leaf, at, i, expected, fresh);
	nl_sha256_update(hash, where, sizeof(where));
	nl_sha256_update(hash, applied ? fresh : expected, s->len);
	return err;
}

enum nl_err witness_bytes(const struct nl_signed_status *s, const struct nl_signed_leaf *signed_leaf,
                          const struct nl_leaf *leaf)
{
	const struct nl_leaf_object *kernel = &leaf->header->target.kernel;
	bool modules = leaf->header->objects.count, applied = signed_leaf->state.condition == NL_LEAF_APPLIED;
	struct nl_place places[NL_LEAF_MAX_OBJECTS] = {{.text = signed_leaf->text, .data = signed_leaf->data}};
	struct nl_placement at = {.objects = places};
	struct nl_sha256 hash;
	uint8_t digest[32];
	enum nl_err err = NL_OK;

	for (uint32_t i = 0; i < kernel->n_regions; i++)
		places[0].base[i] = kernel->regions[i].base + s->status.kernel_slide;
	nl_sha256_init(&hash);
	for (uint32_t i = 0; !err && i < leaf->header->sites.count; i++)
		if (!leaf->sites[i].object)
			err = hash_site(leaf, &at, i, applied, &hash);
	if (err)
		return err;
	nl_sha256_out(&hash, digest);
	if (!memcmp(digest, signed_leaf->digest, sizeof(digest)))
		return NL_OK;
	return modules ? NL_EMODULE : NL_EBYTES;
}
