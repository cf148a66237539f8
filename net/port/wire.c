// SPDX-License-Identifier: Apache-2.0
/* See wire.h. */
#include "wire.h"

#include "../call.h"
#include "filter.h"
#include "hooks.h"
#include "syn.h"

#include <lwip/dhcp.h>
#include <lwip/etharp.h>
#include <lwip/ethip6.h>
#include <lwip/mld6.h>
#include <lwip/nd6.h>
#include <lwip/netif.h>
#include <lwip/prot/dhcp.h>
#include <lwip/timeouts.h>
#include <netif/ethernet.h>
#include <string.h>

#define GATEWAY_MS 30000u

static struct netif wire;
static struct filter filter;
static bool static6, gateway6_set;
static ip6_addr_t address6, gateway6;
static unsigned prefix6;

bool wire_send(size_t bytes) { return net_call(NL_NET_SEND, bytes, 0, 0).rax == NL_OK; }

static err_t link_output(struct netif *netif, struct pbuf *p)
{
	size_t bytes = (size_t)p->tot_len - ETH_PAD_SIZE;

	(void)netif;
	if (p->tot_len < ETH_PAD_SIZE + NL_NET_FRAME_MIN || bytes > NL_NET_FRAME_MAX)
		return ERR_BUF;
	pbuf_copy_partial(p, net_mailbox.send, (u16_t)bytes, ETH_PAD_SIZE);
	return wire_send(bytes) ? ERR_OK : ERR_BUF; /* TCP keeps what did not leave and tries again */
}

/* What lwIP answers to a handshake that is played to it again is long since with the client. */
static err_t output4(struct netif *netif, struct pbuf *p, const ip4_addr_t *to)
{
	return syn_replaying() ? ERR_OK : etharp_output(netif, p, to);
}

static err_t output6(struct netif *netif, struct pbuf *p, const ip6_addr_t *to)
{
	err_t err = ERR_OK;

	/* lwIP sends what waited for a neighbour while that neighbour's entry still has it. If the entry is taken for
	 * another one on the way, it frees the packet that is being sent, and once more afterwards: so it has to stay.
	 */
	pbuf_ref(p);
	if (!syn_replaying())
		err = ethip6_output(netif, p, to);
	pbuf_free(p);
	return err;
}

static err_t init(struct netif *netif)
{
	netif->name[0] = 'n';
	netif->name[1] = 'l';
	netif->output = output4;
	netif->output_ip6 = output6;
	netif->linkoutput = link_output;
	netif->mtu = NL_NET_FRAME_MAX - NL_NET_FRAME_MIN;
	netif->hwaddr_len = 6;
	memcpy(netif->hwaddr, filter.mac, 6);
	netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_MLD6;
	return ERR_OK;
}

static void start6(const struct settings *s)
{
	struct netif *netif = &wire;
	s8_t at = 1;

	netif_create_ip6_linklocal_address(netif, 1);
	netif_set_ip6_autoconfig_enabled(netif, s->auto6);
	if (s->auto6)
		return;
	netif->rs_count = 0;
	static6 = true;
	gateway6_set = s->gateway6;
	prefix6 = s->prefix6;
	memcpy(address6.addr, s->address6, 16);
	memcpy(gateway6.addr, s->router6, 16);
	/* Not as lwIP's static addresses, whose network is always a /64: wire_gateway6 knows the length. */
	netif_ip6_addr_set(netif, at, &address6);
	netif_ip6_addr_set_valid_life(netif, at, IP6_ADDR_LIFE_INFINITE);
	netif_ip6_addr_set_pref_life(netif, at, IP6_ADDR_LIFE_INFINITE);
	netif_ip6_addr_set_state(netif, at, IP6_ADDR_TENTATIVE);
}

/* Clients behind the gateway shall not wait for it to be found. */
static void find_gateway(void *none)
{
	const ip4_addr_t *gateway = netif_ip4_gw(&wire), *found;
	struct eth_addr *at;

	if (!ip4_addr_isany(gateway) && etharp_find_addr(&wire, gateway, &at, &found) < 0)
		etharp_query(&wire, gateway, NULL);
	sys_timeout(GATEWAY_MS, find_gateway, none);
}

bool wire_start(const struct nl_net_config *c, const struct settings *s)
{
	ip4_addr_t address = {0}, mask = {0}, gateway = {0};

	filter = (struct filter){.ip = s->ip || s->dhcp,
	                         .dhcp = s->dhcp,
	                         .ip6 = s->ip6 || s->auto6,
	                         .routers = s->auto6,
	                         .port = (uint16_t)c->port};
	memcpy(filter.mac, c->mac, 6);
	if (s->ip) {
		memcpy(&address.addr, s->address, 4);
		memcpy(&gateway.addr, s->router, 4);
		mask.addr = lwip_htonl(~0u << (32 - s->prefix));
	}
	if (!netif_add(&wire, &address, &mask, &gateway, NULL, init, ethernet_input))
		return false;
	netif_set_default(&wire);
	if (filter.ip6)
		start6(s);
	netif_set_link_up(&wire);
	netif_set_up(&wire);
	find_gateway(NULL);
	return !s->dhcp || dhcp_start(&wire) == ERR_OK;
}

const ip6_addr_t *wire_gateway6(struct netif *netif, const ip6_addr_t *dest)
{
	const uint8_t *a = (const uint8_t *)dest->addr, *b = (const uint8_t *)address6.addr;

	(void)netif;
	if (!static6)
		return NULL; /* routers announce themselves */
	for (unsigned i = 0; i < prefix6; i++)
		if ((a[i / 8] ^ b[i / 8]) & 0x80 >> i % 8)
			return gateway6_set ? &gateway6 : NULL;
	return dest;
}

static void take(const uint8_t *frame, size_t n)
{
	struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)(n + ETH_PAD_SIZE), PBUF_POOL);

	if (!p)
		return; /* lost, as on the wire */
	if (pbuf_take_at(p, frame, (u16_t)n, ETH_PAD_SIZE) != ERR_OK || wire.input(p, &wire) != ERR_OK)
		pbuf_free(p);
}

void wire_receive(uint64_t bytes)
{
	static uint8_t first[SYN_FRAME], neighbour[SYN_FRAME];
	const uint8_t *frame = net_mailbox.receive;
	size_t n;

	if (bytes > NL_NET_FRAME_MAX || !filter_passes(&filter, frame, bytes, net_now()))
		return;
	take(frame, bytes);
	n = syn_replay(first);
	if (!n)
		return;
	take(neighbour, syn_neighbour(neighbour));
	take(first, n);
	syn_replayed();
	take(frame, bytes);
	syn_replay(first); /* no room for it: the client tries again */
	syn_replayed();
}

bool wire_quiet(void)
{
	const struct dhcp *d = netif_dhcp_data(&wire);

	for (unsigned i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++)
		if (netif_ip6_addr_state(&wire, i) & IP6_ADDR_TENTATIVE)
			return false;
	for (const struct mld_group *g = netif_mld6_data(&wire); g; g = g->next)
		if (g->timer)
			return false;
	return !(filter.ip6 && wire.rs_count) && (!d || d->state == DHCP_STATE_BOUND);
}
