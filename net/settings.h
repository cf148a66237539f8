// SPDX-License-Identifier: Apache-2.0
/* net-ip and net-ip6 of newleaf.conf, read strictly: what is not understood whole is refused whole. */
#ifndef NET_SETTINGS_H
#define NET_SETTINGS_H

#include <newleaf/net.h>
#include <stdbool.h>

struct settings {
	bool ip, dhcp, ip6, auto6, gateway, gateway6; /* which of these there are */
	uint8_t prefix, prefix6;
	uint8_t address[4], router[4], address6[16], router6[16];
};

/* Returns which were refused (NET_REFUSED_*); these families are as if they were not set. */
unsigned settings_read(const struct nl_net_config *c, struct settings *s);

#endif
