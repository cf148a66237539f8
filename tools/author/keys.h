// SPDX-License-Identifier: Apache-2.0
/* Ed25519 keys and signatures, by OpenSSL. The record of a public key is struct nl_key (include/newleaf/bootblock.h),
 * what is signed is in include/newleaf/signature.h. */
#ifndef NEWLEAF_AUTHOR_KEYS_H
#define NEWLEAF_AUTHOR_KEYS_H

#include "author.h"

#include <newleaf/bootblock.h>
#include <newleaf/signature.h>

#include <openssl/evp.h>

EVP_PKEY *key_generate(void);
EVP_PKEY *key_read_private(const char *path);            /* PEM */
void key_write_private(const char *path, EVP_PKEY *key); /* PEM (PKCS#8), mode 0600 */
void key_public(EVP_PKEY *key, uint8_t public[32]);
/* Public key from a PEM (public or private) or from a record file with one key. */
void key_read_public(const char *path, uint8_t public[32]);
/* All records of a file; returns how many. Refuses what is malformed or newer, and roles that are not known. */
size_t key_read_records(const char *path, struct nl_key *out, size_t max);
void key_write_records(const char *path, const struct nl_key *keys, size_t n);
const char *key_role_name(uint32_t role);
uint32_t key_role(const char *names); /* "author,revoke"; 0: not understood */

void digest_of(const void *p, size_t n, uint8_t digest[32]);
struct nl_signed signed_message(const char *domain, const uint8_t digest[32]); /* NL_DOMAIN_* */
void sign_digest(EVP_PKEY *key, const char *domain, const uint8_t digest[32], struct nl_signature *out);

#endif
