// SPDX-License-Identifier: Apache-2.0
/* Leaves for tests: see makeleaf.h. */
#include "makeleaf.h"
#include "host.h"
#include <openssl/evp.h>
#include <openssl/sha.h>

static EVP_PKEY *pairs[64];
static unsigned n_pairs;
const char *make_domain = NL_DOMAIN_LEAF;

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

unsigned make_module(struct make_leaf *m, const struct nl_leaf_object *o)
{
	m->modules[m->n_modules] = *o;
	return ++m->n_modules;
}

unsigned make_module_site(struct make_leaf *m, unsigned object, unsigned region, uint32_t offset, const void *expected,
                          const void *fresh, uint32_t len, uint32_t func_offset, uint32_t func_size)
{
	/* by link addresses of the kernel's, which are then taken away again */
	uint64_t base = m->header.target.kernel.regions[func_size ? NL_KERNEL_TEXT : NL_KERNEL_RODATA].base;
	unsigned site =
	        make_site(m, base + offset, expected, fresh, len, func_size ? base + func_offset : 0, func_size);

	m->sites[site].object = (uint16_t)object;
	m->sites[site].region = (uint16_t)region;
	return site;
}

static unsigned aligned(unsigned at) { return (at + NL_PART_ALIGN - 1) & ~(NL_PART_ALIGN - 1); }

void make_layout(struct make_leaf *m)
{
	unsigned i, text = 0, data = 0;

	for (i = 0; i < m->n_modules; i++) {
		m->modules[i].text = (struct nl_leaf_part){text = aligned(text), m->parts[i].n_text};
		m->modules[i].data = (struct nl_leaf_part){data = aligned(data), m->parts[i].n_data};
		text += m->parts[i].n_text;
		data += m->parts[i].n_data;
	}
	m->header.target.kernel.text = (struct nl_leaf_part){aligned(text), m->n_text};
	m->header.target.kernel.data = (struct nl_leaf_part){aligned(data), m->n_data};
	m->laid_out = true;
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
	static struct make_leaf real; /* where parts are, whatever the leaf says */
	static uint8_t text[8192], data[8192];
	struct nl_leaf_header h;
	size_t at = sizeof(h);
	unsigned i;

	real = *m;
	make_layout(&real);
	h = m->laid_out ? m->header : real.header;
	memset(out, 0, NL_LEAF_MAX_SIZE);
	memset(text, 0, sizeof(text));
	memset(data, 0, sizeof(data));
	for (i = 0; i < m->n_modules; i++) {
		memcpy(text + real.modules[i].text.offset, m->parts[i].text, m->parts[i].n_text);
		memcpy(data + real.modules[i].data.offset, m->parts[i].data, m->parts[i].n_data);
	}
	memcpy(text + real.header.target.kernel.text.offset, m->text, m->n_text);
	memcpy(data + real.header.target.kernel.data.offset, m->data, m->n_data);
	h.objects = add(out, &at, m->laid_out ? m->modules : real.modules, m->n_modules, sizeof(m->modules[0]), 8);
	h.sites = add(out, &at, m->sites, m->n_sites, sizeof(m->sites[0]), 8);
	h.relocs = add(out, &at, m->relocs, m->n_relocs, sizeof(m->relocs[0]), 8);
	h.facts = add(out, &at, m->facts, m->n_facts, 1, 4);
	h.bytes = add(out, &at, m->bytes, m->n_bytes, 1, 1);
	h.text = add(out, &at, text, real.header.target.kernel.text.offset + m->n_text, 1, 1);
	h.data = add(out, &at, data, real.header.target.kernel.data.offset + m->n_data, 1, 1);
	h.strings = add(out, &at, "site", 5, 1, 1);
	h.signed_size = (uint32_t)at;
	memcpy(out, &h, sizeof(h));
	return at;
}

unsigned make_key(struct nl_key *key, const char *name, uint32_t role)
{
	EVP_PKEY **pair = &pairs[n_pairs % NL_ARRAY_SIZE(pairs)];
	size_t n = sizeof(key->key);

	EVP_PKEY_free(*pair);
	*pair = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	memset(key, 0, sizeof(*key));
	key->role = role;
	assert_int_equal(EVP_PKEY_get_raw_public_key(*pair, key->key, &n), 1);
	strcpy(key->name, name);
	return n_pairs++;
}

static struct nl_signature sign(unsigned by, const uint8_t *file, size_t signed_size)
{
	EVP_PKEY *pair = pairs[by % NL_ARRAY_SIZE(pairs)];
	struct nl_signed message = {.domain = ""};
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct nl_signature s;
	size_t n = sizeof(s.key);

	strcpy(message.domain, make_domain);
	SHA256(file, signed_size, message.sha256);
	EVP_PKEY_get_raw_public_key(pair, s.key, &n);
	n = sizeof(s.bytes);
	assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, pair), 1);
	assert_int_equal(EVP_DigestSign(ctx, s.bytes, &n, (const uint8_t *)&message, sizeof(message)), 1);
	EVP_MD_CTX_free(ctx);
	return s;
}

void make_signature(unsigned by, const void *p, size_t n, uint8_t out[64])
{
	struct nl_signature s = sign(by, p, n);

	memcpy(out, s.bytes, sizeof(s.bytes));
}

size_t make_sign_by(uint8_t *file, size_t signed_size, const unsigned *by, unsigned n)
{
	struct nl_signatures head = {NL_SIG_MAGIC, (uint32_t)(sizeof(head) + n * sizeof(struct nl_signature)), n};

	for (unsigned i = 0; i < n; i++) {
		struct nl_signature s = sign(by[i], file, signed_size);

		memcpy(file + signed_size + sizeof(head) + i * sizeof(s), &s, sizeof(s));
	}
	memcpy(file + signed_size, &head, sizeof(head));
	return signed_size + head.size;
}

size_t make_sign(uint8_t *file, size_t signed_size)
{
	return make_sign_by(file, signed_size, (unsigned[]){n_pairs - 1}, 1);
}
