// SPDX-License-Identifier: Apache-2.0
/* See syn.h. A cookie: which 32 seconds of the clock (5 bits), the client's MSS (2), a keyed hash (25). */
#include "syn.h"

#include "../call.h"
#include "../hash.h"
#include "filter.h"
#include "hooks.h"
#include "wire.h"

#include <lwip/priv/tcp_priv.h>
#include <lwip/prot/ethernet.h>
#include <lwip/prot/icmp6.h>
#include <lwip/prot/ip6.h>
#include <string.h>

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16, OFFSET_FLAGS = 12, HASH_BITS = 25 };

static const uint16_t sizes[4] = {216, 536, 1000, TCP_MSS};

static enum { NONE, FINISHED, REPLAYING } state;
static uint32_t isn;

static uint32_t get32(const uint8_t *p) { return (uint32_t)frame_16(p) << 16 | frame_16(p + 2); }

static void put16(uint8_t *p, unsigned v) { p[0] = (uint8_t)(v >> 8), p[1] = (uint8_t)v; }

static void put32(uint8_t *p, uint32_t v) { put16(p, v >> 16), put16(p + 2, v & 0xffff); }

/* Of a frame that has passed the filter. */
static bool is6(const uint8_t *f) { return frame_16(f + 12) == 0x86dd; }

static unsigned tcp_at(const uint8_t *f) { return is6(f) ? FRAME_TCP6 : FRAME_TCP4; }

/* Offset and bytes of the two addresses, source first. */
static unsigned addresses(const uint8_t *f, unsigned *bytes)
{
	*bytes = is6(f) ? 32 : 8;
	return FRAME_IP + (is6(f) ? 8 : 12);
}

static uint32_t cookie(const uint8_t *f, uint32_t clock, unsigned mss, uint32_t theirs)
{
	struct {
		uint8_t addresses[32], ports[4];
		uint32_t clock, mss, theirs;
	} of = {.clock = clock, .mss = mss, .theirs = theirs};
	unsigned n, at = addresses(f, &n);

	memcpy(of.addresses, f + at, n);
	memcpy(of.ports, f + tcp_at(f), 4);
	return clock << 27 | (uint32_t)mss << HASH_BITS | ((uint32_t)hash(&of, sizeof(of)) & ((1u << HASH_BITS) - 1));
}

static uint32_t clock_now(void) { return (uint32_t)(net_now() >> 15) & 31; }

static uint32_t sum(const uint8_t *p, size_t n, uint32_t before)
{
	for (; n >= 2; n -= 2, p += 2)
		before += frame_16(p);
	return before;
}

static unsigned folded(uint32_t s)
{
	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	return ~s & 0xffff;
}

/* Lengths and check sums of a frame whose TCP header has `head` bytes and nothing behind it. Returns its bytes. */
static size_t seal(uint8_t *f, unsigned head)
{
	uint8_t *ip = f + FRAME_IP, *tcp = f + tcp_at(f);
	unsigned n, at = addresses(f, &n);

	tcp[OFFSET_FLAGS] = (uint8_t)(head / 4 << 4);
	memset(tcp + 16, 0, 4);
	put16(tcp + 16, folded(sum(tcp, head, sum(f + at, n, head + IP_PROTO_TCP))));
	if (is6(f)) {
		put16(ip + 4, head);
	} else {
		put16(ip + 2, 20 + head);
		memset(ip + 10, 0, 2);
		put16(ip + 10, folded(sum(ip, 20, 0)));
	}
	return tcp_at(f) + head;
}

/* To where the frame in the mailbox came from. */
static void answer(unsigned flags, uint32_t seq, uint32_t ack)
{
	const uint8_t *from = net_mailbox.receive;
	uint8_t *to = net_mailbox.send;
	unsigned tcp = tcp_at(from), n, at = addresses(from, &n);

	memcpy(to, from + 6, 6);
	memcpy(to + 6, from, 6);
	memcpy(to + 12, from + 12, tcp - 12);
	memcpy(to + at, from + at + n / 2, n / 2);
	memcpy(to + at + n / 2, from + at, n / 2);
	if (is6(from)) {
		put32(to + FRAME_IP, 6u << 28);
		to[FRAME_IP + 7] = TCP_TTL;
	} else {
		put32(to + FRAME_IP + 4, 0x4000); /* not to be cut, and so without a number */
		to[FRAME_IP + 8] = TCP_TTL;
	}
	memcpy(to + tcp, from + tcp + 2, 2);
	memcpy(to + tcp + 2, from + tcp, 2);
	put32(to + tcp + 4, seq);
	put32(to + tcp + 8, ack);
	to[tcp + 13] = (uint8_t)flags;
	put16(to + tcp + 14, flags & SYN ? TCP_WND : 0);
	put32(to + tcp + 20, 0x02040000 | TCP_MSS);
	wire_send(seal(to, flags & SYN ? 24 : 20));
}

/* The MSS option of the TCP header at p, which lies whole in the frame (filter.c). */
static unsigned client_mss(const uint8_t *p)
{
	unsigned end = (unsigned)(p[12] >> 4) * 4;

	for (unsigned i = 20; i < end && p[i];) {
		if (p[i] == 1) {
			i++;
			continue;
		}
		if (i + 2 > end || p[i + 1] < 2 || i + p[i + 1] > end)
			break;
		if (p[i] == 2 && p[i + 1] == 4)
			return frame_16(p + i + 2);
		i += p[i + 1];
	}
	return 536;
}

static void begin(const uint8_t *f, const uint8_t *tcp)
{
	unsigned mss = client_mss(tcp), i = 3;

	if (mss < sizes[0])
		return; /* each of our bytes would cost a header */
	while (sizes[i] > mss)
		i--;
	answer(SYN | ACK, cookie(f, clock_now(), i, get32(tcp + 4)), get32(tcp + 4) + 1);
}

static bool valid(const uint8_t *f, uint32_t c, uint32_t theirs)
{
	return ((clock_now() - (c >> 27)) & 31) <= 1 && c == cookie(f, c >> 27, c >> HASH_BITS & 3, theirs);
}

/* lwIP has found that the segment in the mailbox, whose check sum is right, belongs to this PCB. */
err_t syn_hook(const struct tcp_pcb *pcb, void *options, u16_t bytes)
{
	const uint8_t *f = net_mailbox.receive, *tcp = f + tcp_at(f);
	uint8_t flags = tcp[13] & (FIN | SYN | RST | ACK);

	if (state !=
	    REPLAYING) /* lwIP would take an MSS of 1 in the middle of a connection, and reads past the last option */
		memset(options, 0, bytes);
	if (pcb->state != LISTEN || state == REPLAYING)
		return ERR_OK;
	if (flags == SYN) {
		begin(f, tcp);
	} else if ((flags & (SYN | RST | ACK)) == ACK && valid(f, get32(tcp + 8) - 1, get32(tcp + 4) - 1)) {
		state = FINISHED;
		isn = get32(tcp + 8) - 1;
	} else if (flags & ACK && !(flags & RST)) {
		answer(RST, get32(tcp + 8), 0);
	}
	return ERR_RST;
}

size_t syn_replay(uint8_t frame[SYN_FRAME])
{
	unsigned at = tcp_at(net_mailbox.receive);
	uint8_t *tcp = frame + at;

	if (state != FINISHED)
		return 0;
	state = REPLAYING;
	memcpy(frame, net_mailbox.receive, at + 20);
	put32(tcp + 4, get32(tcp + 4) - 1);
	put32(tcp + 8, 0);
	tcp[13] = SYN;
	put32(tcp + 20, 0x02040000 | sizes[isn >> HASH_BITS & 3]);
	return seal(frame, 24);
}

size_t syn_neighbour(uint8_t frame[SYN_FRAME])
{
	static const uint8_t reply[8] = {0, 1, 8, 0, 6, 4, 0, 2};
	const uint8_t *from = net_mailbox.receive;
	unsigned n, at = addresses(from, &n);
	uint8_t *p = frame + FRAME_IP;

	memcpy(frame, from, FRAME_IP);
	if (!is6(from)) {
		put16(frame + 12, ETHTYPE_ARP);
		memcpy(p, reply, 8);
		memcpy(p + 8, from + 6, 6);
		memcpy(p + 14, from + at, 4);
		memcpy(p + 18, from, 6);
		memcpy(p + 24, from + at + 4, 4);
		return FRAME_IP + 28;
	}
	memcpy(p, from + FRAME_IP, 40);
	put16(p + 4, 32);
	p[6] = IP6_NEXTH_ICMP6;
	p[7] = 255;
	memset(p + 40, 0, 32);
	p[40] = ICMP6_TYPE_NS;
	memcpy(p + 48, from + at + 16, 16); /* looks for us */
	p[64] = p[65] = 1;                  /* and is there */
	memcpy(p + 66, from + 6, 6);
	put16(p + 42, folded(sum(p + 40, 32, sum(p + 8, 32, 32 + IP6_NEXTH_ICMP6))));
	return FRAME_TCP6 + 32;
}

void syn_replayed(void) { state = NONE; }

bool syn_replaying(void) { return state == REPLAYING; }

u32_t syn_isn(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote, u16_t remote_port)
{
	(void)local, (void)local_port, (void)remote, (void)remote_port;
	return state == REPLAYING ? isn : net_random();
}
