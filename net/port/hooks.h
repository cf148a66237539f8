// SPDX-License-Identifier: Apache-2.0
/* What lwIP asks us (LWIP_HOOK_*, lwipopts.h). */
#ifndef NET_PORT_HOOKS_H
#define NET_PORT_HOOKS_H

#include <lwip/err.h>
#include <lwip/ip_addr.h>

struct netif;
struct tcp_pcb;

/* syn.c */
u32_t syn_isn(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote, u16_t remote_port);
err_t syn_hook(const struct tcp_pcb *pcb, void *options, u16_t bytes);
/* wire.c */
const ip6_addr_t *wire_gateway6(struct netif *netif, const ip6_addr_t *dest);

#endif
