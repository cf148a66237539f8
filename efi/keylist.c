// SPDX-License-Identifier: Apache-2.0
/*
 * Reads lists of trusted keys. Whether a point lies on the curve is for the signature library to find out, each time it
 * uses the key.
 */
#include "keylist.h"

#define POINT_UNCOMPRESSED 4 /* SEC 1, 2.3.3 */

static bool valid(const struct nl_key *k)
{
	size_t n;

	for (n = 0; n < sizeof(k->name) && k->name[n]; n++)
		if (k->name[n] < 0x20 || k->name[n] > 0x7e)
			return false;
	return n < sizeof(k->name) && k->point[0] == POINT_UNCOMPRESSED;
}

enum nl_err nl_keys_add(struct nl_boot_block *b, const void *list, size_t size)
{
	for (const struct nl_key *k = list; size != 0; k++, size -= sizeof(*k)) {
		if (size < sizeof(*k))
			return NL_EKEYLIST;
		if (k->role == 0)
			return NL_OK;
		if (b->n_keys == NL_MAX_KEYS || !valid(k))
			return NL_EKEYLIST;
		if (k->role != NL_ROLE_AUTHOR)
			return NL_EROLE;
		b->keys[b->n_keys++] = *k;
	}
	return NL_OK;
}
