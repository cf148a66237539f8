// SPDX-License-Identifier: Apache-2.0
/* See filter.h. */
#include "filter.h"

#include <string.h>

enum { ICMP = 1, TCP = 6, UDP = 17, ICMP6 = 58 };

static bool echo_may(struct filter *f, uint64_t now_ms)
{
	if (f->second != now_ms / 1000)
		f->second = now_ms / 1000, f->echoes = 0;
	return f->echoes++ < FILTER_ECHOES;
}

/* lwIP reads an ARP packet's fields without a look at its length. */
static bool arp(const uint8_t *p, size_t n) { return n >= 28 && !memcmp(p, "\0\1\x08\0\6\4", 6); }

static bool tcp(const struct filter *f, const uint8_t *p, size_t n)
{
	size_t head = n < 20 ? 0 : (size_t)(p[12] >> 4) * 4;

	return head >= 20 && head <= n && frame_16(p + 2) == f->port;
}

static bool ip4(struct filter *f, const uint8_t *p, size_t n, uint64_t now_ms)
{
	size_t total;

	if (n < 20 || p[0] != 0x45 || frame_16(p + 6) & 0x3fff) /* more fragments, or not the first */
		return false;
	total = frame_16(p + 2);
	if (total < 20 || total > n)
		return false;
	switch (p[9]) {
	case ICMP:
		return total >= 28 && p[20] == 8 && echo_may(f, now_ms);
	case TCP:
		return tcp(f, p + 20, total - 20);
	case UDP:
		return f->dhcp && total >= 28 && frame_16(p + 20) == 67 && frame_16(p + 22) == 68;
	default:
		return false;
	}
}

/* Of a neighbour or router. lwIP takes an address out of one that says it has no bytes. */
static bool options(const uint8_t *p, size_t n)
{
	while (n) {
		if (n < 8 || !p[1] || 8u * p[1] > n || ((p[0] == 1 || p[0] == 2) && p[1] != 1))
			return false;
		n -= 8u * p[1];
		p += 8u * p[1];
	}
	return true;
}

static bool ip6(struct filter *f, const uint8_t *p, size_t n, uint64_t now_ms)
{
	size_t length;

	if (n < 40 || p[0] >> 4 != 6)
		return false;
	length = frame_16(p + 4);
	if (length > n - 40)
		return false;
	/* Who forwards multicast asks with a router alert which groups we are in: else no neighbour would find us. */
	if (!p[6])
		return length >= 32 && p[40] == ICMP6 && !memcmp(p + 41, "\0\5\2\0\0\1\0", 7) && p[48] == 130;
	if (p[6] == TCP)
		return tcp(f, p + 40, length);
	if (p[6] != ICMP6 || length < 8)
		return false;
	switch (p[40]) {
	case 128:
		return echo_may(f, now_ms);
	case 134:
		return f->routers && length >= 16 && options(p + 56, length - 16);
	case 135: /* solicitation */
	case 136:
		return length >= 24 && options(p + 64, length - 24);
	default:
		return false; /* redirects, path MTUs, errors: nothing of ours needs them */
	}
}

bool filter_passes(struct filter *f, const uint8_t *frame, size_t n, uint64_t now_ms)
{
	if (n < FRAME_IP || (!(frame[0] & 1) && memcmp(frame, f->mac, 6)) || frame[6] & 1)
		return false;
	switch (frame_16(frame + 12)) {
	case 0x0800:
		return f->ip && ip4(f, frame + FRAME_IP, n - FRAME_IP, now_ms);
	case 0x0806:
		return f->ip && arp(frame + FRAME_IP, n - FRAME_IP);
	case 0x86dd:
		return f->ip6 && ip6(f, frame + FRAME_IP, n - FRAME_IP, now_ms);
	default:
		return false;
	}
}
