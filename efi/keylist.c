// SPDX-License-Identifier: Apache-2.0
/*
 * Reads lists of trusted keys. Whether a key is one at all is for the signature library to find out, each time it uses
 * it.
 */
#include "keylist.h"

static bool valid(const struct nl_key *k)
{
	size_t n;

	for (n = 0; n < sizeof(k->name) && k->name[n]; n++)
		if (k->name[n] < 0x20 || k->name[n] > 0x7e)
			return false;
	return n < sizeof(k->name);
}

enum nl_err nl_keys_add(struct nl_boot_block *b, const void *list, size_t size)
{
	enum nl_err e = nl_record_check(NL_KEYS_KIND, list, size);

	for (uint32_t i = 0; !e && i < ((const struct nl_record *)list)->count; i++) {
		const struct nl_key *k = nl_record_at(list, i);

		if (b->facts.n_keys == NL_MAX_KEYS || !valid(k))
			return NL_ERECORD;
		if (!k->role || (k->role & ~NL_ROLES))
			return NL_EROLE;
		b->keys[b->facts.n_keys++] = *k;
	}
	return e;
}
