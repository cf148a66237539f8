// SPDX-License-Identifier: Apache-2.0
/*
 * The fake core's hashes and signatures. Apart from it, since a fuzzer does without.
 */
#include "fake.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(bool fine, const char *what)
{
	if (!fine) {
		fprintf(stderr, "fake core: %s\n", what);
		abort();
	}
}

void fake_sha256(const void *bytes, size_t n, uint8_t hash[32])
{
	must(EVP_Digest(bytes, n, hash, NULL, EVP_sha256(), NULL) == 1, "SHA-256");
}

static EVP_PKEY *key_of(const uint8_t seed[32])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32);

	must(key, "Ed25519");
	return key;
}

void fake_public(const uint8_t seed[32], uint8_t public[32])
{
	EVP_PKEY *key = key_of(seed);
	size_t n = 32;

	must(EVP_PKEY_get_raw_public_key(key, public, &n) == 1, "public key");
	EVP_PKEY_free(key);
}

void fake_sign(const uint8_t seed[32], const char *domain, const void *bytes, size_t n, uint8_t signature[64])
{
	EVP_PKEY *key = key_of(seed);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	struct nl_signed what = {0};
	size_t size = 64;

	memcpy(what.domain, domain, strlen(domain));
	fake_sha256(bytes, n, what.sha256);
	must(c && EVP_DigestSignInit(c, NULL, NULL, NULL, key) == 1 &&
	             EVP_DigestSign(c, signature, &size, (const uint8_t *)&what, sizeof(what)) == 1,
	     "signature");
	EVP_MD_CTX_free(c);
	EVP_PKEY_free(key);
}
