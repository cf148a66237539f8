// SPDX-License-Identifier: Apache-2.0
// length: 2048
// quick: 500
// reader: frames from the wire
/*
 * The network's stack as the image has it, HTTP in it, under frames of whoever is on the wire. The input is a list of
 * what happens: frames as they are, well-known ones with bytes changed, segments of connections that really exist,
 * time, a full card, memory that is not there. lwIP looks at no check sum here, and each of its blocks is one of
 * malloc's. Its variables begin anew with each input: tests/net/rules.mk puts them into sections of their own.
 *
 * What must hold: no block is touched outside or after its life (the sanitizer), no assertion fails, every frame sent
 * has a length that the card takes, and when nothing more happens nothing is left.
 */
#include "fuzz.h"
#include "net_memory.h"

#include <setjmp.h>

#include "../../net/conn_tcp.h"
#include "../../net/main.h"
#include "../../net/port/filter.h"

extern uint8_t __start_net_data[], __stop_net_data[], __start_net_bss[], __stop_net_bss[];

enum { CLIENTS = 4, SYN = 2, ACK = 16 };

struct nl_net_mailbox net_mailbox;

static struct client {
	uint32_t seq, ack;
	bool six, known;
} clients[CLIENTS];

static uint64_t now, frames, calls;
static unsigned next_bytes, next_ms;
static bool full;

/* --- memory: every block is known, so that those of the input before can go --- */

static struct block {
	struct block *next, **at;
} * blocks;
static unsigned alive, fail_at;
static bool failed;
static jmp_buf over;

void *fuzz_malloc(size_t n)
{
	struct block *b;

	if (fail_at && !--fail_at) {
		failed = true;
		return NULL;
	}
	/* What is asked for lies at the end, so that one byte more is one too many. */
	b = malloc(sizeof(*b) + n);
	FUZZ_CHECK(b);
	b->next = blocks;
	b->at = &blocks;
	if (blocks)
		blocks->at = &b->next;
	blocks = b;
	alive++;
	return b + 1;
}

void *fuzz_calloc(size_t count, size_t n)
{
	void *p = fuzz_malloc(count * n);

	return p ? memset(p, 0, count * n) : NULL;
}

void fuzz_free(void *p)
{
	struct block *b = (struct block *)p - 1;

	*b->at = b->next;
	if (b->next)
		b->next->at = b->at;
	alive--;
	free(b);
}

/* --- the core --- */

static void seen(const uint8_t *f, size_t n)
{
	const uint8_t *tcp;
	struct client *c;

	if (n < 54 || (frame_16(f + 12) == 0x800 ? f[23] : n < 74 ? 0 : f[20]) != 6)
		return;
	tcp = f + (frame_16(f + 12) == 0x800 ? FRAME_TCP4 : FRAME_TCP6);
	c = &clients[frame_16(tcp + 2) % CLIENTS];
	if ((tcp[13] & (SYN | ACK)) == (SYN | ACK))
		c->ack = (uint32_t)frame_16(tcp + 4) << 16 | frame_16(tcp + 6);
	if (tcp[13] & SYN)
		c->ack++, c->known = true;
}

struct net_answer net_call(enum nl_net_call call, uint64_t rdi, uint64_t rsi, uint64_t rdx)
{
	struct net_answer a = {NL_OK, rdx};

	(void)rsi;
	switch (call) {
	case NL_NET_WAIT:
		now += next_ms < rdi || next_bytes ? next_ms : rdi;
		a = (struct net_answer){next_bytes, now};
		next_bytes = next_ms = 0;
		return a;
	case NL_NET_SEND:
		FUZZ_CHECK(rdi >= NL_NET_FRAME_MIN && rdi <= NL_NET_FRAME_MAX);
		seen(net_mailbox.send, rdi);
		a.rax = full ? NL_EBUSY : NL_OK;
		return a;
	case NL_NET_RANDOM:
		a.rax = now * 0x9e3779b97f4a7c15;
		return a;
	case NL_NET_FAIL:
		abort();
	case NL_NET_FACTS:
		memset(net_mailbox.data, 0, sizeof(struct nl_net_facts));
		return a;
	case NL_NET_LEAVES:
	case NL_NET_JOURNAL:
		a.rdx = 0;
		return a;
	default:
		a.rax = calls++ % 3 ? NL_AGAIN : NL_EUSAGE;
		return a;
	}
}

/* Of timers' memory there is always enough in the image, and lwIP asserts that it gets it. */
#define NO_TIMER (NET_FAIL_ASSERT | 190u << 16)

_Noreturn void net_fail(uint64_t where)
{
	if (where == NO_TIMER && failed)
		longjmp(over, 1);
	fprintf(stderr, "the stack gave up: %#llx\n", (unsigned long long)where);
	abort();
}

/* --- the wire --- */

static void put16(uint8_t *p, unsigned v) { p[0] = (uint8_t)(v >> 8), p[1] = (uint8_t)v; }

static void put32(uint8_t *p, uint32_t v) { put16(p, v >> 16), put16(p + 2, v & 0xffff); }

static void arrive(const void *frame, size_t n)
{
	memset(net_mailbox.receive, 0xee, sizeof(net_mailbox.receive));
	memcpy(net_mailbox.receive, frame, n);
	next_bytes = (unsigned)n;
	frames++;
	net_step();
}

#define ETHER "\2\x4e\x4c\0\0\1\2\0\0\0\0\x99"
#define US4 "\x0a\0\0\2"
#define THEM4 "\x0a\0\0\x09"
#define US6 "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2"
#define THEM6 "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x09"
#define OURS "\xfe\x80\0\0\0\0\0\0\0\x4e\x4c\xff\xfe\0\0\1"
#define ROUTER "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\1"
#define NODES "\xff\2\0\0\0\0\0\0\0\0\0\0\0\0\0\1"

#define FRAME(text) \
	{ \
		text, sizeof(text) - 1 \
	}
static const struct {
	const char *text;
	size_t n;
} known[] = {
        FRAME(ETHER "\x08\6\0\1\x08\0\6\4\0\1\2\0\0\0\0\x99" THEM4 "\0\0\0\0\0\0" US4),
        FRAME(ETHER "\x08\6\0\1\x08\0\6\4\0\2\2\0\0\0\0\x99" THEM4 "\2\x4e\x4c\0\0\1" US4),
        FRAME(ETHER "\x08\0\x45\0\0\x24\0\7\0\0\x40\1\0\0" THEM4 US4 "\x08\0\0\0\0\1\0\1newleaf!"),
        FRAME(ETHER "\x86\xdd\x60\0\0\0\0\x10\x3a\x40" THEM6 US6 "\x80\0\0\0\0\1\0\1newleaf!"),
        FRAME(ETHER "\x86\xdd\x60\0\0\0\0\x20\x3a\xff" THEM6 US6 "\x87\0\0\0\0\0\0\0" US6 "\1\1\2\0\0\0\0\x99"),
        FRAME(ETHER "\x86\xdd\x60\0\0\0\0\x20\x3a\xff" THEM6 US6 "\x88\0\0\0\x60\0\0\0" THEM6 "\2\1\2\0\0\0\0\x99"),
        FRAME(ETHER "\x86\xdd\x60\0\0\0\0\x20\x3a\xff" ROUTER OURS "\x88\0\0\0\xe0\0\0\0" ROUTER "\2\1\2\0\0\0\0\x99"),
        FRAME(ETHER "\x86\xdd\x60\0\0\0\0\x40\x3a\xff" ROUTER NODES
                    "\x86\0\0\0\x40\0\7\x08\0\0\0\0\0\0\0\0\1\1\2\0\0\0\0\x99\5\1\0\0\0\0\5\xdc"
                    "\3\4\x40\xc0\0\0\0\x60\0\0\0\x60\0\0\0\0\x20\1\x0d\xb8\0\5\0\0\0\0\0\0\0\0\0\0"),
        FRAME(ETHER "\x86\xdd\x60\0\0\0\0\x20\0\1" ROUTER NODES
                    "\x3a\0\5\2\0\0\1\0\x82\0\0\0\3\xe8\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
};

/* DHCP's answer to the last question, whose number is in send[] until something else is sent. */
static void lease(struct fuzz *f)
{
	uint8_t frame[42 + 240 + 64] = ETHER "\x08\0\x45\0\0\0\0\7\0\0\x40\x11\0\0\x0a\0\0\1\xff\xff\xff\xff";
	static const uint8_t options[] =
	        "\x63\x82\x53\x63\x35\1\2\x36\4\x0a\0\0\1\x33\4\0\0\0\x40\1\4\xff\xff\xff\0\3\4"
	        "\x0a\0\0\1\xff";
	uint8_t *dhcp = frame + 42;
	size_t n = sizeof(frame);

	put16(frame + 16, (unsigned)n - 14);
	put16(frame + 34, 67);
	put16(frame + 36, 68);
	put16(frame + 38, (unsigned)n - 34);
	memcpy(dhcp, "\2\1\6", 3);
	memcpy(dhcp + 4, net_mailbox.send + 46, 4);
	memcpy(dhcp + 16, US4, 4);
	memcpy(dhcp + 28, ETHER, 6);
	memcpy(dhcp + 236, options, sizeof(options) - 1);
	dhcp[242] = fuzz_byte(f) % 8;
	for (unsigned i = fuzz_byte(f) % 8; i; i--) {
		size_t at = 240 + fuzz_byte(f) % 64;

		dhcp[at] = fuzz_byte(f);
	}
	arrive(frame, n - fuzz_byte(f) % 64);
}

static void changed(struct fuzz *f)
{
	uint8_t frame[256];
	unsigned which = fuzz_byte(f) % (sizeof(known) / sizeof(known[0])), cut = fuzz_byte(f);
	size_t n = known[which].n;

	memcpy(frame, known[which].text, n);
	for (unsigned i = cut >> 4; i; i--) {
		size_t at = 12 + fuzz_byte(f) % (n - 12);

		frame[at] = fuzz_byte(f);
	}
	arrive(frame, n - (cut & 15) / 8 * (cut & 7));
}

/* Many who ask for an echo: neighbours, or from behind a router; to an address of each kind. */
static void burst(struct fuzz *f)
{
	uint8_t frame[128], how = fuzz_byte(f), n = fuzz_byte(f) % 40, first = fuzz_byte(f);
	bool six = how & 1;

	memcpy(frame, known[six ? 3 : 2].text, known[six ? 3 : 2].n);
	if (six) {
		frame[27] = how >> 4; /* of 2001:db8:: */
		if (how & 2)
			memcpy(frame + 22, how & 4 ? ROUTER : "\x20\1\x0d\xb8\0\5\0\0", 8);
		if (how & 8) {
			memcpy(frame + 38, how & 4 ? OURS : "\x20\1\x0d\xb8\0\5\0\0" OURS, 8);
			memcpy(frame + 46, &OURS[8], 8);
		}
	} else {
		frame[28] = how >> 4;
	}
	while (n--) {
		frame[six ? 37 : 29] = first++;
		arrive(frame, known[six ? 3 : 2].n);
	}
}

/* A segment of a client's connection: its numbers are right but for what the input adds. */
static void segment(struct fuzz *f, uint8_t flags, bool plain)
{
	uint8_t frame[NL_NET_FRAME_MAX], which = fuzz_byte(f);
	struct client *c = &clients[which % CLIENTS];
	unsigned words = plain ? 5 : 5 + fuzz_byte(f) % 11,
	         bytes = flags & SYN ? 0 : (unsigned)fuzz_number(f, 2) % 1400, at;
	uint8_t *tcp;

	if (bytes > f->n)
		bytes = (unsigned)f->n;
	if (flags == SYN)
		c->six = which & 0x80, c->seq = (uint32_t)fuzz_number(f, 2) << 16 | which;
	at = c->six ? FRAME_TCP6 : FRAME_TCP4;
	tcp = frame + at;
	memset(frame, 0, at + 60);
	memcpy(frame, ETHER, 12);
	if (c->six) {
		memcpy(frame + 12, "\x86\xdd\x60", 3);
		put16(frame + 18, 4 * words + bytes);
		memcpy(frame + 20, "\6\x40" THEM6 US6, 34);
	} else {
		memcpy(frame + 12, "\x08\0\x45", 3);
		put16(frame + 16, 20 + 4 * words + bytes);
		memcpy(frame + 22, "\x40\6\0\0" THEM4 US4, 12);
	}
	put16(tcp, 4096 + which % CLIENTS);
	put16(tcp + 2, 9947);
	put32(tcp + 4, c->seq + (plain ? 0 : (uint32_t)(int16_t)fuzz_number(f, 2)));
	put32(tcp + 8, flags & ACK ? c->ack + (plain ? 0 : (uint32_t)(int16_t)fuzz_number(f, 2)) : 0);
	tcp[12] = (uint8_t)(words << 4);
	tcp[13] = flags;
	put16(tcp + 14, plain ? 8192 : (unsigned)fuzz_number(f, 2));
	for (unsigned i = 20; i < 4 * words; i++)
		tcp[i] = fuzz_byte(f);
	for (unsigned i = 0; i < bytes; i++)
		tcp[4 * words + i] = fuzz_byte(f);
	arrive(frame, at + 4 * words + bytes);
	if (flags == SYN)
		c->seq++;
	else if (plain)
		c->seq += bytes + (flags & 1);
}

static void request(struct fuzz *f)
{
	static const char *const texts[] = {
	        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	        "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n",
	        "GET /v1/status HTTP/1.1\r\nHost: a\r\n\r\n",
	        "POST /v1/orders HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n",
	};
	uint8_t bytes[128] = {fuzz_byte(f)};
	const char *text = texts[fuzz_byte(f) % 4];
	struct fuzz own = {bytes, 3 + strlen(text)};

	bytes[1] = (uint8_t)strlen(text);
	memcpy(bytes + 3, text, strlen(text));
	segment(&own, ACK | 8, true);
}

/* Between the variables lie zones of the sanitizer's. */
__attribute__((no_sanitize("address"))) static void copy(uint8_t *to, const uint8_t *from, size_t n)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

/* All that the image's memory was at its start. */
static void begin(bool leases)
{
	static uint8_t *data, *bss;
	size_t data_n = (size_t)(__stop_net_data - __start_net_data),
	       bss_n = (size_t)(__stop_net_bss - __start_net_bss);
	struct nl_net_config *c = &net_mailbox.config;

	if (!data) {
		data = malloc(data_n + bss_n);
		bss = data + data_n;
		copy(data, __start_net_data, data_n);
		copy(bss, __start_net_bss, bss_n);
	}
	copy(__start_net_data, data, data_n);
	copy(__start_net_bss, bss, bss_n);
	memset(&net_mailbox, 0, sizeof(net_mailbox));
	memset(clients, 0, sizeof(clients));
	memcpy(c->mac, ETHER, 6);
	c->may = NL_NET_MAY_ALL;
	c->port = 9947;
	c->seed[0] = 1, c->seed[2] = 2;
	memcpy(c->ip, leases ? "dhcp" : "10.0.0.2/24", leases ? 5 : 12);
	memcpy(c->ip6, leases ? "auto" : "2001:db8::2/64", leases ? 5 : 15);
	now = 1000, next_bytes = next_ms = fail_at = 0;
	full = failed = false;
	net_start();
	while (now < 4000) { /* nobody else has its addresses */
		next_ms = 60000;
		net_step();
	}
}

static void happen(struct fuzz *f)
{
	uint8_t op = fuzz_byte(f);
	size_t n;
	uint8_t *bytes;

	switch (op % 16) {
	case 0:
		bytes = fuzz_bytes(f, (size_t)fuzz_number(f, 2) % 1600, &n);
		if (n)
			arrive(bytes, n);
		free(bytes);
		break;
	case 1:
		changed(f);
		break;
	case 2:
		burst(f);
		break;
	case 3:
		lease(f);
		break;
	case 4:
	case 5: /* a handshake */
		bytes = (uint8_t[]){f->n ? *f->p : 0, 0, 0};
		segment(f, SYN, op & 16);
		segment(&(struct fuzz){bytes, 3}, ACK, true);
		break;
	case 6:
		segment(f, SYN, false);
		break;
	case 7:
	case 8:
		segment(f, ACK, true);
		break;
	case 9:
		segment(f, ACK | 1, true);
		break;
	case 10:
		segment(f, fuzz_byte(f), false);
		break;
	case 11:
		request(f);
		break;
	case 12:
		next_ms = (unsigned)fuzz_number(f, 2);
		net_step();
		break;
	case 13:
		for (unsigned i = op >> 4; i; i--) {
			next_ms = 60000;
			net_step();
		}
		break;
	case 14:
		full = op & 16;
		break;
	default:
		fail_at = op >> 4;
		break;
	}
	/* What is acknowledged is what was sent, when there was a client that did so. */
	if (op & 0x80 && clients[op >> 5 & 3].known)
		clients[op >> 5 & 3].ack += 700;
}

static void report(void) { fprintf(stderr, "fuzz net: frames tried %llu\n", (unsigned long long)frames); }

static void play(struct fuzz *f)
{
	uint8_t what = fuzz_byte(f);
	unsigned before;

	begin(what & 1);
	before = alive;
	if (setjmp(over))
		return;
	while (f->n)
		happen(f);
	if (what & 14)
		return;
	full = false;
	fail_at = 0;
	for (uint64_t end = now + 200000; now < end;) {
		next_ms = 60000;
		net_step();
	}
	FUZZ_CHECK(conn_none());
	/* A lease, and addresses that routers announce, may be there then; of a fixed address nothing is. */
	FUZZ_CHECK(what & 1 ? alive <= before + 12 : alive <= before);
}

void fuzz_one(const uint8_t *bytes, size_t size)
{
	struct fuzz f = {bytes, size};
	static bool told;

	if (!told) /* with the first input: what is allocated for it later, fuzz.c takes back */
		atexit(report);
	told = true;
	play(&f);
	while (blocks)
		fuzz_free(blocks + 1);
}

void fuzz_seeds(void)
{
	static const uint8_t session[] = {0,  4, 0, 0,  5, 0x80, 0,   0,   11,  0,   0,   11,  0,   1,   12,  0,
	                                  10, 7, 0, 10, 0, 'G',  'E', 'T', ' ', '/', ' ', 'H', 'T', 'T', 'P', 0x87,
	                                  0,  0, 0, 0,  9, 0,    0,   0,   13,  10,  0,   16,  1,   2,   3};
	uint8_t seed[8] = {0};

	fuzz_seed(session, sizeof(session));
	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		seed[1] = 1;
		seed[2] = (uint8_t)i;
		for (seed[0] = 0; seed[0] < 2; seed[0]++)
			fuzz_seed(seed, 4);
	}
	memcpy(seed, "\1\3\2\0\0\3\5", 7);
	fuzz_seed(seed, 7);
}
