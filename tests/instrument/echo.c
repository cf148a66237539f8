// SPDX-License-Identifier: Apache-2.0
/*
 * The wire without a stack: where newleaf.conf names a card and the port ECHO_PORT, the core answers by itself at each
 * exit, ARP for ECHO_IP and frames of a private type (echo.h). The card's messages go to a word of memory instead of a
 * CPU, so that each of them is seen, and that it is claimed once.
 */
#include "echo.h"
#include "core/core.h"
#include "core/pool.h"
#include "net/hide.h"
#include "net/keeper.h"

void echo_net_hide(void);
void echo_net_init(void (*status)(struct nl_status *));
void echo_exit(void);

static nl_lock_t lock;
static uint32_t *word; /* where messages go */
static uint8_t frame[NL_NET_FRAME_MAX];
static struct echo_counts counts;
static bool clock;

static bool asked(void) { return nl_boot.net.function && nl_boot.net.port == ECHO_PORT; }

/* In the place of nl_net_hide: hidden, and opened. */
void echo_net_hide(void)
{
	struct nl_wire_card card;
	enum nl_err err;

	if (!asked()) {
		nl_net_hide();
		return;
	}
	err = nl_hide_card(nl_boot.net.function, &card);
	word = nl_pool_page();
	if (word && !(nl_pool_hpa(word).v >> 32))
		card.message_address = (uint32_t)nl_pool_hpa(word).v;
	card.message_data = 1;
	if (!err)
		err = nl_wire_open(&card);
	if (!err)
		err = nl_wire.nic->start();
	nl_boot.net.error = err;
	nl_log("newleaf: echo on %x: error %u%s\n", nl_boot.net.function, err, nl_wire.messages ? ", messages" : "");
}

void echo_net_init(void (*status)(struct nl_status *))
{
	if (!asked())
		nl_net_init(status);
}

static void back(void)
{
	memcpy(frame, frame + 6, 6);
	memcpy(frame + 6, nl_wire.mac, 6);
}

static void answer(unsigned bytes)
{
	static const uint8_t arp[] = {8, 6, 0, 1, 8, 0, 6, 4, 0, 1}, ip[] = ECHO_IP;
	unsigned type = frame[12] << 8 | frame[13];

	if (bytes >= 42 && !memcmp(frame + 12, arp, sizeof(arp)) && !memcmp(frame + 38, ip, 4)) {
		back();
		frame[21] = 2;
		memcpy(frame + 32, frame + 22, 10);
		memcpy(frame + 22, nl_wire.mac, 6);
		memcpy(frame + 28, ip, 4);
		nl_wire.nic->send(frame, 42);
	} else if (type == ECHO_TYPE) {
		back();
		nl_wire.nic->send(frame, bytes);
	} else if (type == ECHO_TELL) {
		back();
		counts.received = nl_wire.received;
		counts.sent = nl_wire.sent;
		counts.refused = nl_wire.refused;
		counts.lost = nl_wire.lost;
		memcpy(frame + NL_NET_FRAME_MIN, &counts, sizeof(counts));
		nl_wire.nic->send(frame, NL_NET_FRAME_MIN + sizeof(counts));
	} else if (type == ECHO_AGAIN) {
		counts.failed += nl_wire.nic->start() != NL_OK;
	} else if (type == ECHO_CLOCK && nl_wire.nic->timer) {
		clock = true;
		nl_wire.nic->timer(10000);
	} else if (type == ECHO_QUIET) {
		nl_wire.nic->quiet();
	}
}

static void claim(void)
{
	if (__atomic_exchange_n(word, 0, __ATOMIC_SEQ_CST)) {
		counts.messages++;
		counts.claimed += nl_wire.nic->claim();
		if (clock)
			nl_wire.nic->timer(10000);
	}
}

void echo_exit(void)
{
	unsigned bytes;

	if (!asked() || !nl_wire.nic || !nl_trylock(&lock))
		return;
	if (nl_wire.messages)
		claim();
	for (unsigned n = 0; n < 16 && (bytes = nl_wire.nic->receive(frame)) != 0; n++)
		answer(bytes);
	nl_wire.nic->arm(true);
	if ((bytes = nl_wire.nic->receive(frame)) != 0)
		answer(bytes);
	nl_unlock(&lock);
}
