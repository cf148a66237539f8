// SPDX-License-Identifier: Apache-2.0
/* What the files of libsodium that are built into the core (hv/libsodium.mk) want from its others. */
#include "core/core.h"
#include <crypto_hash_sha512.h>
#include <utils.h>

/* Declared in a header of the library's own. */
void _crypto_sign_ed25519_ref10_hinit(crypto_hash_sha512_state *hs, int prehashed);

void _crypto_sign_ed25519_ref10_hinit(crypto_hash_sha512_state *hs, int prehashed)
{
	(void)prehashed; /* Ed25519ph is not what anybody here signs by */
	crypto_hash_sha512_init(hs);
}

void sodium_memzero(void *const p, const size_t n)
{
	memset(p, 0, n);
	__asm__ volatile("" : : "r"(p) : "memory"); /* not left out because nobody reads it again */
}

int sodium_memcmp(const void *const a, const void *const b, size_t n) { return memcmp(a, b, n) ? -1 : 0; }

int sodium_is_zero(const unsigned char *p, const size_t n)
{
	size_t i = 0;

	while (i < n && !p[i])
		i++;
	return i == n;
}
