// SPDX-License-Identifier: Apache-2.0
/*
 * The owner's settings of the hypervisor's network (net-... of newleaf.conf), and finding the card that they name.
 * netconf.c is pure C, tested on the host; net.c asks the firmware. Not here: addresses, which only the stack reads.
 */
#pragma once

#include <newleaf/bootblock.h>

/* A card's name: its PCI address BB:DD.F, or its MAC address aa:bb:cc:dd:ee:ff. */
struct nl_net_name {
	uint8_t mac[6];
	uint16_t function; /* bus << 8 | device << 3 | function; 0: by its MAC */
	bool said;         /* false: no network */
};

struct nl_net_conf {
	struct nl_net_name nic;
	char ip[NL_NET_TEXT], ip6[NL_NET_TEXT];
	uint32_t port;
	uint32_t may; /* bits of enum nl_net_may; UINT32_MAX: whatever the image allows */
};

/* Rows of the table of keys (conf.c). Words stand in the order of their bits. */
// clang-format off
#define NL_NET_CONF_KEYS \
	{"net-nic", AT(net.nic), .parse = nl_net_name}, \
	{"net-ip", AT(net.ip), .room = NL_NET_TEXT}, {"net-ip6", AT(net.ip6), .room = NL_NET_TEXT}, \
	{"net-port", AT(net.port), .min = 1, .max = 65535}, \
	{"net-may", AT(net.may), .words = {"none", "metrics", "read", "metrics,read", "orders", "metrics,orders", \
	                                   "read,orders", "metrics,read,orders"}}
// clang-format on

/* Into the struct nl_net_name at `out`, which stays as it is if it is none. */
bool nl_net_name(const char *text, void *out);

/* What the wire may: newleaf.conf only takes away from what the image allows, and `warn` hears if it wants more. */
void nl_net_restrict(const struct nl_net_conf *conf, struct nl_policy *policy, void (*warn)(const char *));

/*
 * Finds the card, has the firmware's driver let go of it, and fills the boot block's part. Without a card, or without
 * leave, there is no network: said, and no reason not to launch.
 */
struct loader;
void net_take(struct loader *l);
