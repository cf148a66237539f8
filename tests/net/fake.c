// SPDX-License-Identifier: Apache-2.0
/* See fake.h. */
#include "fake.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t now = 1000, allocations, fail_at, fail_until;
static bool full;

static void put(const void *p, size_t n)
{
	if (fwrite(p, 1, n, stdout) != n)
		exit(2);
}

static void get(void *p, size_t n)
{
	if (fread(p, 1, n, stdin) != n)
		exit(0); /* the test is over */
}

bool fake_allocation(void)
{
	allocations++;
	return allocations >= fail_at && allocations < fail_until;
}

void fake_begin(struct nl_net_mailbox *m, int argc, char **argv)
{
	static const uint8_t mac[6] = {2, 0x4e, 0x4c, 0, 0, 1};

	memset(m, 0, sizeof(*m));
	memcpy(m->config.mac, mac, 6);
	m->config.may = NL_NET_MAY_ALL;
	for (unsigned i = 0; i < 4; i++)
		m->config.seed[i] = 0x9e3779b97f4a7c15 * (i + 1);
	strncpy(m->config.ip, argc > 1 ? argv[1] : "", NL_NET_TEXT - 1);
	strncpy(m->config.ip6, argc > 2 ? argv[2] : "", NL_NET_TEXT - 1);
	m->config.port = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 9947;
	m->config.starts = 1;
}

static struct net_answer wait_for(struct nl_net_mailbox *m, uint32_t ms)
{
	struct net_answer none = {0, 0};
	uint64_t figures[2];
	uint32_t n[2] = {0, 0};

	put("W", 1);
	put(&ms, 4);
	fflush(stdout);
	for (;;) {
		char what;
		uint16_t bytes;

		get(&what, 1);
		switch (what) {
		case 'F':
			get(&bytes, 2);
			if (bytes > sizeof(m->receive))
				exit(2);
			get(m->receive, bytes);
			return (struct net_answer){bytes, now};
		case 'T':
			get(n, 4);
			now += n[0];
			none.rdx = now;
			return none;
		case 'A':
			get(n, 8);
			fail_at = n[0] ? allocations + n[0] : UINT64_MAX;
			fail_until = fail_at + n[1];
			break;
		case 'B':
			get(&full, 1);
			break;
		case 'Q':
			figures[0] = allocations;
			figures[1] = fake_depth();
			put("Q", 1);
			put(figures, sizeof(figures));
			fflush(stdout);
			break;
		default:
			exit(2);
		}
	}
}

struct net_answer fake_call(struct nl_net_mailbox *m, enum nl_net_call call, uint64_t rdi, uint64_t rsi, uint64_t rdx)
{
	static uint64_t random;
	struct net_answer a = {NL_OK, rdx};
	uint16_t bytes = (uint16_t)rdi;

	(void)rsi;
	switch (call) {
	case NL_NET_WAIT:
		return wait_for(m, (uint32_t)rdi);
	case NL_NET_SEND:
		if (rdi < NL_NET_FRAME_MIN || rdi > NL_NET_FRAME_MAX) {
			a.rax = NL_EUSAGE;
		} else if (full) {
			a.rax = NL_EBUSY;
		} else {
			put("S", 1);
			put(&bytes, 2);
			put(m->send, bytes);
		}
		return a;
	case NL_NET_FACTS:
		memset(m->data, 0, sizeof(struct nl_net_facts));
		return a;
	case NL_NET_RANDOM:
		a.rax = ++random * 0xd1342543de82ef95;
		return a;
	case NL_NET_FAIL:
		put("X", 1);
		put(&rdi, 8);
		fflush(stdout);
		exit(0);
	default:
		a.rax = NL_EUSAGE;
		return a;
	}
}
