// SPDX-License-Identifier: Apache-2.0
/* OpenSSL behind a small face: it makes keys and signs. What a signature is worth says the hypervisor's own check
 * (hv/leaf/signature.c). */
#include "keys.h"
#include "leaf/signature.h"

#include <openssl/pem.h>
#include <openssl/sha.h>
#include <string.h>

static void is_ed25519(EVP_PKEY *key, const char *path)
{
	if (!EVP_PKEY_is_a(key, "ED25519"))
		refuse(NL_EENVIRONMENT, "%s holds no Ed25519 key", path);
}

EVP_PKEY *key_generate(void)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

	if (!key)
		refuse(NL_EINTERNAL, "OpenSSL makes no Ed25519 key");
	return key;
}

EVP_PKEY *key_read_private(const char *path)
{
	struct buf b = file_read(path, 65536);
	BIO *bio = BIO_new_mem_buf(b.p, (int)b.n);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

	BIO_free(bio);
	if (!key)
		refuse(NL_EENVIRONMENT, "%s holds no private key in PEM form", path);
	is_ed25519(key, path);
	return key;
}

void key_write_private(const char *path, EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *p;
	long n;

	if (!bio || !PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL))
		refuse(NL_EINTERNAL, "OpenSSL does not write the key");
	n = BIO_get_mem_data(bio, &p);
	file_write(path, p, (size_t)n, 0600);
	BIO_free(bio);
}

void key_public(EVP_PKEY *key, uint8_t public[32])
{
	size_t n = 32;

	if (EVP_PKEY_get_raw_public_key(key, public, &n) != 1 || n != 32)
		refuse(NL_EINTERNAL, "OpenSSL does not give the public key");
}

void key_read_public(const char *path, uint8_t public[32])
{
	struct buf b = file_read(path, 65536);
	EVP_PKEY *key;
	BIO *bio;

	if (b.n < 5 || memcmp(b.p, "-----", 5)) {
		struct nl_key record[2];

		if (key_read_records(path, record, 2) != 1)
			refuse(NL_EENVIRONMENT, "%s: one public key is wanted here", path);
		memcpy(public, record[0].key, 32);
		return;
	}
	bio = BIO_new_mem_buf(b.p, (int)b.n);
	key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	BIO_free(bio);
	if (!key)
		key = key_read_private(path);
	is_ed25519(key, path);
	key_public(key, public);
	EVP_PKEY_free(key);
}

size_t key_read_records(const char *path, struct nl_key *out, size_t max)
{
	struct buf b = file_read(path, 65536);
	enum nl_err err = nl_record_check(NL_KEYS_KIND, b.p, b.n);
	size_t n = err ? 0 : ((const struct nl_record *)(const void *)b.p)->count;

	if (err)
		refuse(err, "%s is no list of keys that this version reads", path);
	if (n > max)
		refuse(NL_EENVIRONMENT, "%s holds more than %zu keys", path, max);
	for (size_t i = 0; i < n; i++) {
		memcpy(&out[i], nl_record_at(b.p, (uint32_t)i), sizeof(out[i]));
		if (!out[i].role || (out[i].role & ~NL_ROLES))
			refuse(NL_EROLE, "%s: record %zu has a role that is not known", path, i);
		for (const char *c = out[i].name; *c; c++) /* as the loader wants it */
			if (c == out[i].name + sizeof(out[i].name) - 1 || *c < ' ' || *c > '~')
				refuse(NL_ERECORD, "%s: record %zu has a name without an end, or not in ASCII", path,
				       i);
	}
	return n;
}

void key_write_records(const char *path, const struct nl_key *keys, size_t n)
{
	struct nl_record head = {.magic = NL_KEYS_MAGIC,
	                         .version = NL_KEYS_KIND->version,
	                         .head_size = sizeof(head),
	                         .record_size = sizeof(*keys),
	                         .count = (uint32_t)n};
	struct buf out = {0};

	buf_add(&out, &head, sizeof(head));
	buf_add(&out, keys, n * sizeof(*keys));
	file_write(path, out.p, out.n, 0644);
}

static const struct {
	const char *name;
	uint32_t role;
} roles[] = {{"author", NL_ROLE_AUTHOR}, {"operator", NL_ROLE_OPERATOR}, {"revoke", NL_ROLE_REVOKE}};

const char *key_role_name(uint32_t role)
{
	char *text = xformat("%s", "");

	for (size_t i = 0; i < NL_ARRAY_SIZE(roles); i++)
		if (role & roles[i].role)
			text = xformat("%s%s%s", text, *text ? "," : "", roles[i].name);
	return text;
}

uint32_t key_role(const char *names)
{
	uint32_t role = 0;

	for (size_t n; *names; names += n + (names[n] == ',')) {
		uint32_t one = 0;

		n = strcspn(names, ",");
		for (size_t i = 0; i < NL_ARRAY_SIZE(roles); i++)
			if (strlen(roles[i].name) == n && !memcmp(names, roles[i].name, n))
				one = roles[i].role;
		if (!one)
			return 0;
		role |= one;
	}
	return role;
}

void digest_of(const void *p, size_t n, uint8_t digest[32]) { SHA256(p, n, digest); }

struct nl_signed signed_message(const char *domain, const uint8_t digest[32])
{
	struct nl_signed m = {.domain = ""};

	memcpy(m.domain, domain, strlen(domain));
	memcpy(m.sha256, digest, sizeof(m.sha256));
	return m;
}

void sign_digest(EVP_PKEY *key, const char *domain, const uint8_t digest[32], struct nl_signature *out)
{
	struct nl_signed m = signed_message(domain, digest);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t n = sizeof(out->bytes);
	bool good = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
	            EVP_DigestSign(ctx, out->bytes, &n, (const uint8_t *)&m, sizeof(m)) == 1 && n == sizeof(out->bytes);

	EVP_MD_CTX_free(ctx);
	if (!good)
		refuse(NL_EINTERNAL, "OpenSSL does not sign");
	key_public(key, out->key);
}
