// SPDX-License-Identifier: Apache-2.0
/* OpenSSL behind a small face. Raw signatures are r || s, 32 bytes each, big endian (FIPS 186-4); OpenSSL speaks DER.
 */
#include "p256.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <string.h>

static void is_p256(EVP_PKEY *key, const char *path)
{
	char group[64] = "";
	size_t n;

	if (!EVP_PKEY_is_a(key, "EC") ||
	    !EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group), &n) ||
	    (strcmp(group, "prime256v1") && strcmp(group, "P-256")))
		refuse(NL_EENVIRONMENT, "%s holds no P-256 key", path);
}

EVP_PKEY *key_generate(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	if (!key)
		refuse(NL_EINTERNAL, "OpenSSL makes no P-256 key");
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
	is_p256(key, path);
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

void key_point(EVP_PKEY *key, uint8_t point[65])
{
	size_t n = 0;

	if (!EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "uncompressed") ||
	    !EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, 65, &n) || n != 65)
		refuse(NL_EINTERNAL, "OpenSSL does not give the public point");
}

void key_read_point(const char *path, uint8_t point[65])
{
	struct buf b = file_read(path, 65536);
	EVP_PKEY *key;
	BIO *bio;

	if (b.n < 5 || memcmp(b.p, "-----", 5)) {
		struct nl_key record[2];

		if (key_read_records(path, record, 2) != 1)
			refuse(NL_EENVIRONMENT, "%s: one public key is wanted here", path);
		memcpy(point, record[0].point, 65);
		return;
	}
	bio = BIO_new_mem_buf(b.p, (int)b.n);
	key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	BIO_free(bio);
	if (!key)
		key = key_read_private(path);
	is_p256(key, path);
	key_point(key, point);
	EVP_PKEY_free(key);
}

void key_id(const uint8_t point[65], uint8_t id[32]) { digest_of(point, 65, id); }

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
		if (!memchr(out[i].name, 0, sizeof(out[i].name)))
			refuse(NL_ERECORD, "%s: record %zu has a name without an end", path, i);
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

static void der_to_raw(const uint8_t *der, size_t n, uint8_t rs[64], bool *good)
{
	const uint8_t *p = der;
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)n);

	*good = sig && p == der + n && BN_bn2binpad(ECDSA_SIG_get0_r(sig), rs, 32) == 32 &&
	        BN_bn2binpad(ECDSA_SIG_get0_s(sig), rs + 32, 32) == 32;
	ECDSA_SIG_free(sig);
}

void sign_digest(EVP_PKEY *key, const uint8_t digest[32], uint8_t rs[64])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	uint8_t der[80];
	size_t n = sizeof(der);
	bool good = ctx && EVP_PKEY_sign_init(ctx) == 1 && EVP_PKEY_sign(ctx, der, &n, digest, 32) == 1;

	EVP_PKEY_CTX_free(ctx);
	if (good)
		der_to_raw(der, n, rs, &good);
	if (!good)
		refuse(NL_EINTERNAL, "OpenSSL does not sign");
}

static EVP_PKEY *key_from_point(const uint8_t point[65])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	OSSL_PARAM params[] = {
	        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t) "P-256", 0),
	        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)point, 65),
	        OSSL_PARAM_construct_end(),
	};
	EVP_PKEY *key = NULL;

	if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 || EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	return key;
}

bool verify_digest(const uint8_t point[65], const uint8_t digest[32], const uint8_t rs[64])
{
	EVP_PKEY *key = key_from_point(point);
	EVP_PKEY_CTX *ctx = key ? EVP_PKEY_CTX_new(key, NULL) : NULL;
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(rs, 32, NULL), *s = BN_bin2bn(rs + 32, 32, NULL);
	uint8_t *der = NULL;
	int n = 0;
	bool good = ctx && sig && r && s && ECDSA_SIG_set0(sig, r, s) == 1;

	if (good)
		n = i2d_ECDSA_SIG(sig, &der);
	good = good && n > 0 && EVP_PKEY_verify_init(ctx) == 1 && EVP_PKEY_verify(ctx, der, (size_t)n, digest, 32) == 1;
	OPENSSL_free(der);
	ECDSA_SIG_free(sig);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(key);
	return good;
}

bool signature_to_raw(const struct buf *in, uint8_t rs[64])
{
	bool good = in->n == 64;

	if (good)
		memcpy(rs, in->p, 64);
	else
		der_to_raw(in->p, in->n, rs, &good);
	return good;
}
