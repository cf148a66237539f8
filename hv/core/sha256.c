// SPDX-License-Identifier: Apache-2.0
/* SHA-256 by BearSSL: see sha256.h. */
#include "core/sha256.h"
#include <bearssl.h>

_Static_assert(sizeof(br_sha256_context) <= sizeof(struct nl_sha256), "room for the hash context");

void nl_sha256_init(struct nl_sha256 *c) { br_sha256_init((br_sha256_context *)c); }

void nl_sha256_update(struct nl_sha256 *c, const void *data, size_t n)
{
	br_sha256_update((br_sha256_context *)c, data, n);
}

void nl_sha256_out(const struct nl_sha256 *c, uint8_t out[32]) { br_sha256_out((const br_sha256_context *)c, out); }
