// SPDX-License-Identifier: Apache-2.0
/*
 * What the owner says of the network: the pure part of net.h.
 */
#include "net.h"

static unsigned digit(char c)
{
	return c >= '0' && c <= '9' ? (unsigned)(c - '0') : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 87u : 16;
}

bool nl_net_name(const char *text, void *out)
{
	struct nl_net_name name = {.said = true};

	for (unsigned n = 1;; n++, text += 3) { /* two digits and what stands behind them */
		unsigned high = digit(text[0]), low = high < 16 ? digit(text[1]) : 16;

		if (low > 15)
			return false;
		name.mac[n - 1] = (uint8_t)(high << 4 | low);
		if (n == 2 && text[2] == '.') {
			name.function = (uint16_t)(name.mac[0] << 8 | name.mac[1] << 3 | (text[3] & 7));
			if (name.mac[1] > 31 || text[3] < '0' || text[3] > '7' || text[4] || !name.function)
				return false;
			break;
		}
		if (text[2] != (n < 6 ? ':' : '\0'))
			return false;
		if (n == 6)
			break;
	}
	*(struct nl_net_name *)out = name;
	return true;
}

void nl_net_restrict(const struct nl_net_conf *conf, struct nl_policy *policy, void (*warn)(const char *))
{
	policy->net_may &= NL_NET_MAY_ALL;
	if (conf->may != UINT32_MAX && (conf->may & ~policy->net_may))
		warn("net-may wants more than the image allows: only restricted");
	policy->net_may &= conf->may;
}
