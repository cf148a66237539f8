// SPDX-License-Identifier: Apache-2.0
/*
 * Reads lists of trusted keys. Whether a point lies on the curve is for the signature library to find out, each time it
 * uses the key.
 */
#include "keys.h"

#define POINT_UNCOMPRESSED 4 /* SEC 1, 2.3.3 */

static bool valid(const struct nl_key *k)
{
	const uint32_t roles = NL_ROLE_AUTHOR | NL_ROLE_OPERATOR | NL_ROLE_REVOKE;
	size_t n;

	if ((k->role & ~roles) || k->point[0] != POINT_UNCOMPRESSED)
		return false;
	for (n = 0; n < sizeof(k->name) && k->name[n]; n++)
		if (k->name[n] < 0x20 || k->name[n] > 0x7e)
			return false;
	return n < sizeof(k->name);
}

bool nl_keys_add(struct nl_boot_block *b, const void *list, size_t size)
{
	for (const struct nl_key *k = list; size != 0; k++, size -= sizeof(*k)) {
		if (size < sizeof(*k))
			return false;
		if (k->role == 0)
			return true;
		if (b->n_keys == NL_MAX_KEYS || !valid(k))
			return false;
		b->keys[b->n_keys++] = *k;
	}
	return true;
}
