// SPDX-License-Identifier: Apache-2.0
/* Leaves for tests: see makeleaf.h. */
#include "makeleaf.h"
#include "host.h"
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/obj_mac.h>
#include <openssl/sha.h>

static EC_KEY *pair;
static struct nl_key public;

void make_start(struct make_leaf *m, const char *id, uint32_t version, const struct nl_leaf_target *target)
{
	memset(m, 0, sizeof(*m));
	m->header = (struct nl_leaf_header){
	        .magic = NL_LEAF_MAGIC, .format = NL_LEAF_FORMAT, .header_size = sizeof(m->header), .version = version};
	strcpy(m->header.id, id);
	m->header.target = *target;
}

unsigned make_site(struct make_leaf *m, uint64_t va, const void *expected, const void *fresh, uint32_t len,
                   uint64_t func_va, uint32_t func_size)
{
	struct nl_leaf_site *s = &m->sites[m->n_sites];
	uint16_t region = func_va ? NL_KERNEL_TEXT : NL_KERNEL_RODATA;
	uint64_t base = m->header.target.kernel.regions[region].base;

	*s = (struct nl_leaf_site){.region = region,
	                           .offset = (uint32_t)(va - base),
	                           .len = len,
	                           .kind = func_va ? NL_SITE_TEXT : NL_SITE_RODATA,
	                           .func_offset = func_va ? (uint32_t)(func_va - base) : 0,
	                           .func_size = func_size};
	s->expected = m->n_bytes;
	s->fresh = m->n_bytes + len;
	memcpy(m->bytes + s->expected, expected, len);
	memcpy(m->bytes + s->fresh, fresh, len);
	m->n_bytes += 2 * len;
	return m->n_sites++;
}

void make_reloc(struct make_leaf *m, struct nl_leaf_reloc r) { m->relocs[m->n_relocs++] = r; }

void make_fact(struct make_leaf *m, enum nl_fact_kind kind, const char *text, uint32_t version)
{
	struct nl_leaf_fact f = {(uint16_t)kind, (uint16_t)strlen(text), version};

	memcpy(m->facts + m->n_facts, &f, sizeof(f));
	memcpy(m->facts + m->n_facts + sizeof(f), text, f.length);
	m->n_facts += sizeof(f) + ((f.length + 3u) & ~3u);
}

static struct nl_leaf_part add(uint8_t *out, size_t *at, const void *from, size_t count, size_t element, size_t align)
{
	struct nl_leaf_part p = {(uint32_t)(*at = (*at + align - 1) & ~(align - 1)), (uint32_t)count};

	memcpy(out + *at, from, count * element);
	*at += count * element;
	return p;
}

size_t make_write(const struct make_leaf *m, uint8_t *out)
{
	struct nl_leaf_header h = m->header;
	size_t at = sizeof(h);

	memset(out, 0, NL_LEAF_MAX_SIZE);
	h.objects = add(out, &at, out, 0, sizeof(struct nl_leaf_object), 8);
	h.sites = add(out, &at, m->sites, m->n_sites, sizeof(m->sites[0]), 8);
	h.relocs = add(out, &at, m->relocs, m->n_relocs, sizeof(m->relocs[0]), 8);
	h.facts = add(out, &at, m->facts, m->n_facts, 1, 4);
	h.bytes = add(out, &at, m->bytes, m->n_bytes, 1, 1);
	h.text = add(out, &at, m->text, m->n_text, 1, 1);
	h.data = add(out, &at, m->data, m->n_data, 1, 1);
	h.strings = add(out, &at, "site", 5, 1, 1);
	h.signed_size = (uint32_t)at;
	memcpy(out, &h, sizeof(h));
	return at;
}

void make_key(struct nl_key *key, const char *name, uint32_t role)
{
	EC_KEY_free(pair);
	pair = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
	assert_true(pair && EC_KEY_generate_key(pair));
	memset(key, 0, sizeof(*key));
	key->role = role;
	assert_int_equal(EC_POINT_point2oct(EC_KEY_get0_group(pair), EC_KEY_get0_public_key(pair),
	                                    POINT_CONVERSION_UNCOMPRESSED, key->point, 65, NULL),
	                 65);
	strcpy(key->name, name);
	public = *key;
}

size_t make_sign(uint8_t *file, size_t signed_size)
{
	struct nl_leaf_signature s = {.magic = NL_SIG_MAGIC, .algorithm = NL_SIG_P256_SHA256, .size = sizeof(s)};
	uint8_t hash[32];
	ECDSA_SIG *sig;

	SHA256(file, signed_size, hash);
	SHA256(public.point, 65, s.key_id);
	sig = ECDSA_do_sign(hash, 32, pair);
	assert_non_null(sig);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(sig), s.rs, 32), 32);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(sig), s.rs + 32, 32), 32);
	ECDSA_SIG_free(sig);
	memcpy(file + signed_size, &s, sizeof(s));
	return signed_size + sizeof(s);
}
