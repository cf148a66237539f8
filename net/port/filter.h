// SPDX-License-Identifier: Apache-2.0
/*
 * What lwIP gets to see: ARP, echo requests, TCP to our port, DHCP's answers, and what finds neighbours in IPv6. All
 * else is dropped before it is parsed: options and fragments of IPv4, extension headers, other ports and protocols.
 */
#ifndef NET_PORT_FILTER_H
#define NET_PORT_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILTER_ECHOES 100u /* answered in a second, of both families together */

struct filter {
	bool ip, dhcp, ip6, routers; /* families in use; UDP to DHCP's client; router advertisements */
	uint16_t port;
	uint8_t mac[6];
	uint64_t second; /* of the echo requests counted */
	unsigned echoes;
};

enum { FRAME_IP = 14, FRAME_TCP4 = 34, FRAME_TCP6 = 54 }; /* offsets in a frame that passed */

bool filter_passes(struct filter *f, const uint8_t *frame, size_t n, uint64_t now_ms);

static inline unsigned frame_16(const uint8_t *p) { return (unsigned)p[0] << 8 | p[1]; }

#endif
