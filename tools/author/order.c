// SPDX-License-Identifier: Apache-2.0
/* See order.h. */
#include "order.h"
#include "core/core.h"
#include "leaf/signature.h"

struct nl_boot_block nl_boot; /* of the machine that is asked: nothing but its keys */

enum nl_err order_signed(const void *file, size_t size, const struct nl_key *keys, uint32_t n_keys, uint32_t needed,
                         uint32_t *good)
{
	struct nl_check c = {file, size, nl_order_signed_size(file), NL_DOMAIN_ORDER, .role = NL_ROLE_OPERATOR};
	enum nl_err err = NL_AGAIN;

	nl_boot.facts.n_keys = n_keys < NL_MAX_KEYS ? n_keys : NL_MAX_KEYS;
	memcpy(nl_boot.keys, keys, nl_boot.facts.n_keys * sizeof(*keys));
	while (err == NL_AGAIN)
		err = nl_check_step(&c);
	*good = c.n_known;
	if (err)
		return err == NL_ELEAF ? NL_EORDER : err;
	if (!c.n_known)
		return NL_EKEY;
	return c.n_known < needed ? NL_EQUORUM : NL_OK;
}
