// SPDX-License-Identifier: Apache-2.0
/* P-256 keys and signatures, by OpenSSL. The record of a public key is struct nl_key (include/newleaf/bootblock.h). */
#ifndef NEWLEAF_AUTHOR_P256_H
#define NEWLEAF_AUTHOR_P256_H

#include "author.h"

#include <newleaf/bootblock.h>
#include <newleaf/leaf.h>

#include <openssl/evp.h>

EVP_PKEY *key_generate(void);
EVP_PKEY *key_read_private(const char *path);            /* PEM */
void key_write_private(const char *path, EVP_PKEY *key); /* PEM, mode 0600 */
void key_point(EVP_PKEY *key, uint8_t point[65]);
/* Public key from a PEM (public or private) or from a record file with one key. */
void key_read_point(const char *path, uint8_t point[65]);
void key_id(const uint8_t point[65], uint8_t id[32]);
/* All records of a file; returns how many. Refuses what is malformed or newer, and roles that are not known. */
size_t key_read_records(const char *path, struct nl_key *out, size_t max);
void key_write_records(const char *path, const struct nl_key *keys, size_t n);
const char *key_role_name(uint32_t role);
uint32_t key_role(const char *names); /* "author,revoke"; 0: not understood */

void digest_of(const void *p, size_t n, uint8_t digest[32]);
void sign_digest(EVP_PKEY *key, const uint8_t digest[32], uint8_t rs[64]);
bool verify_digest(const uint8_t point[65], const uint8_t digest[32], const uint8_t rs[64]);
/* A signature made elsewhere: 64 raw bytes r || s, or DER. False: neither. */
bool signature_to_raw(const struct buf *in, uint8_t rs[64]);

#endif
