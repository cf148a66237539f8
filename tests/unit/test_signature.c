// SPDX-License-Identifier: Apache-2.0
// sources: hv/leaf/signature.c hv/core/sha256.c hv/core/sodium.c
// libs: -lcrypto
// cflags: -isystem build/libsodium-src/src/libsodium/include/sodium
/*
 * Ed25519 as the hypervisor checks it: vectors of RFC 8032, and everything that a lax check lets pass: S at or above
 * the group's order, points of small order, points that are not canonical, another domain. And who is counted.
 */
#include "host.h"
#include "leaf/signature.h"
#include <crypto_sign_ed25519.h>
#include <openssl/evp.h>

static uint8_t digest[32];
static struct nl_signature s;

static void unhex(uint8_t *out, const char *hex)
{
	for (; *hex; hex += 2) {
		const char byte[] = {hex[0], hex[1], '\0'};
		char *end;

		*out++ = (uint8_t)strtoul(byte, &end, 16);
		assert_ptr_equal(end, byte + 2);
	}
}

/* RFC 8032, section 7.1: tests 1, 2, 3 and SHA(abc). */
static void rfc8032(void **state)
{
	static const struct {
		const char *key, *message, *signature;
	} v[] = {
	        {"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
	         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
	         "d25bf5f0595bbe24655141438e7a100b"},
	        {"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
	         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
	         "387b2eaeb4302aeeb00d291612bb0c00"},
	        {"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
	         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
	         "4a7c15e9716ed28dc027beceea1ec40a"},
	        {"ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
	         "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"
	         "454d4423643ce80e2a9ac94fa54ca49f",
	         "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e030"
	         "3dca179c138ac17ad9bef1177331a704"},
	};
	(void)state;
	for (size_t i = 0; i < NL_ARRAY_SIZE(v); i++) {
		uint8_t key[32], message[64], signature[64];
		size_t n = strlen(v[i].message) / 2;

		unhex(key, v[i].key);
		unhex(message, v[i].message);
		unhex(signature, v[i].signature);
		assert_int_equal(crypto_sign_ed25519_verify_detached(signature, message, n, key), 0);
		for (unsigned bit = 0; bit < 512; bit++) {
			signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_int_not_equal(crypto_sign_ed25519_verify_detached(signature, message, n, key), 0);
			signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		message[0] ^= 1;
		if (n)
			assert_int_not_equal(crypto_sign_ed25519_verify_detached(signature, message, n, key), 0);
	}
}

static void sign(const char *domain)
{
	EVP_PKEY *pair = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct nl_signed message = {.domain = ""};
	size_t n = sizeof(s.key);

	for (size_t i = 0; i < sizeof(digest); i++)
		digest[i] = (uint8_t)host_random();
	strcpy(message.domain, domain);
	memcpy(message.sha256, digest, sizeof(digest));
	EVP_PKEY_get_raw_public_key(pair, s.key, &n);
	n = sizeof(s.bytes);
	assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, pair), 1);
	assert_int_equal(EVP_DigestSign(ctx, s.bytes, &n, (const uint8_t *)&message, sizeof(message)), 1);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(pair);
}

static enum nl_err check(const char *domain)
{
	uint32_t known = 0;

	return nl_signature_check(domain, digest, &s, NULL, 0, NL_ROLE_AUTHOR, &known);
}

static void domains(void **state)
{
	static const char *const all[] = {NL_DOMAIN_LEAF, NL_DOMAIN_ORDER, NL_DOMAIN_LIST, NL_DOMAIN_STATUS};

	(void)state;
	for (size_t i = 0; i < NL_ARRAY_SIZE(all); i++) {
		sign(all[i]);
		for (size_t j = 0; j < NL_ARRAY_SIZE(all); j++)
			assert_int_equal(check(all[j]), i == j ? NL_OK : NL_ESIGNATURE);
	}
}

/* S + L says the same as S (RFC 8032, 5.1.7: S must be below L): a second form of each signature. */
static void second_form(void **state)
{
	static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
	                                  0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
	unsigned carry = 0;

	(void)state;
	sign(NL_DOMAIN_LEAF);
	assert_int_equal(check(NL_DOMAIN_LEAF), NL_OK);
	for (unsigned i = 0; i < 32; i++) {
		carry += s.bytes[32 + i] + order[i];
		s.bytes[32 + i] = (uint8_t)carry;
		carry >>= 8;
	}
	assert_int_equal(check(NL_DOMAIN_LEAF), NL_ESIGNATURE);
}

/* With a key and an R of small order, S = 0 fits every message, or every eighth. */
static void small_order(void **state)
{
	static const char *const points[] = {
	        "0000000000000000000000000000000000000000000000000000000000000000", /* order 4 */
	        "0100000000000000000000000000000000000000000000000000000000000000", /* 1 */
	        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", /* 8 */
	        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", /* 8 */
	        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* 2 */
	        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* p: 0, not canonical */
	        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* p + 1: 1, not canonical */
	        "0100000000000000000000000000000000000000000000000000000000000080", /* 1, with the sign of -0 */
	};
	struct nl_signature good;

	(void)state;
	sign(NL_DOMAIN_LEAF);
	good = s;
	for (size_t i = 0; i < NL_ARRAY_SIZE(points); i++)
		for (size_t j = 0; j < NL_ARRAY_SIZE(points); j++)
			for (unsigned n = 0; n < 16; n++) { /* messages */
				memset(&s, 0, sizeof(s));
				unhex(s.key, points[i]);
				unhex(s.bytes, points[j]);
				digest[0] = (uint8_t)n;
				assert_int_equal(check(NL_DOMAIN_LEAF), NL_ESIGNATURE);
			}
	for (size_t i = 0; i < NL_ARRAY_SIZE(points); i++) {
		s = good;
		unhex(s.bytes, points[i]);
		assert_int_equal(check(NL_DOMAIN_LEAF), NL_ESIGNATURE);
	}
}

static void who_counts(void **state)
{
	struct nl_key keys[4] = {{.role = NL_ROLE_OPERATOR}, {.role = NL_ROLE_AUTHOR}, {.role = NL_ROLE_AUTHOR}};
	uint32_t known = 0;

	(void)state;
	sign(NL_DOMAIN_LEAF);
	assert_int_equal(nl_signature_check(NL_DOMAIN_LEAF, digest, &s, keys, 3, NL_ROLE_AUTHOR, &known), NL_OK);
	assert_int_equal(known, 0); /* good, by nobody who is known */
	memcpy(keys[0].key, s.key, 32);
	assert_int_equal(nl_signature_check(NL_DOMAIN_LEAF, digest, &s, keys, 3, NL_ROLE_AUTHOR, &known), NL_OK);
	assert_int_equal(known, 0); /* not an author */
	memcpy(keys[1].key, s.key, 32);
	memcpy(keys[2].key, s.key, 32); /* twice in the list: one key all the same */
	assert_int_equal(nl_signature_check(NL_DOMAIN_LEAF, digest, &s, keys, 3, NL_ROLE_AUTHOR, &known), NL_OK);
	assert_int_equal(known, 2);
	keys[1].role = NL_ROLE_REVOKE;
	known = 1;
	assert_int_equal(nl_signature_check(NL_DOMAIN_LEAF, digest, &s, keys, 2, NL_ROLE_AUTHOR, &known), NL_OK);
	assert_int_equal(known, 1);
	s.bytes[5] ^= 1;
	assert_int_equal(nl_signature_check(NL_DOMAIN_LEAF, digest, &s, keys, 3, NL_ROLE_AUTHOR, &known),
	                 NL_ESIGNATURE);
}

static void blocks(void **state)
{
	static uint8_t block[sizeof(struct nl_signatures) + 9 * sizeof(s)];
	struct nl_signatures head = {NL_SIG_MAGIC, 0, 0};
	const struct nl_signature *first;
	uint32_t count;

	(void)state;
	assert_int_equal(nl_signatures_find(block, 0, &first, &count), NL_EUNSIGNED);
	for (uint32_t n = 0; n <= 9; n++)
		for (uint32_t size = 1; size <= sizeof(block); size++) {
			bool good = n >= 1 && n <= NL_MAX_SIGNATURES && size == sizeof(head) + n * sizeof(s);
			uint8_t *exact = malloc(size);

			head.count = n;
			head.size = size;
			memcpy(block, &head, sizeof(head));
			memcpy(exact, block, size);
			assert_int_equal(nl_signatures_find(exact, size, &first, &count), good ? NL_OK : NL_ELEAF);
			free(exact);
		}
	head = (struct nl_signatures){NL_SIG_MAGIC, sizeof(head) + sizeof(s), 1};
	head.size++;
	memcpy(block, &head, sizeof(head));
	assert_int_equal(nl_signatures_find(block, head.size - 1, &first, &count), NL_ELEAF);
	head.size--;
	head.magic ^= 1;
	memcpy(block, &head, sizeof(head));
	assert_int_equal(nl_signatures_find(block, head.size, &first, &count), NL_ELEAF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(rfc8032),     cmocka_unit_test(domains),
	                                   cmocka_unit_test(second_form), cmocka_unit_test(small_order),
	                                   cmocka_unit_test(who_counts),  cmocka_unit_test(blocks)};

	host_seed(4);
	return cmocka_run_group_tests_name("signature", tests, NULL, NULL);
}
