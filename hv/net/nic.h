// SPDX-License-Identifier: Apache-2.0
/*
 * A network card and its driver: what they owe the core. Frames are copied out of and into buffers that only the card
 * and its driver name, once each. Not here: what is in a frame, when the card is asked, and that the guest does not see
 * it.
 *
 * The card is believed as little as it can be: what it writes into memory is read once, an index that cannot be ends
 * its use (broken) until it is started anew, and a frame that cannot be is counted and dropped.
 *
 * One caller at a time, but for claim() and quiet(), any CPU's at any time. Nothing waits for the card but attach() and
 * start(), for 50 ms at most.
 */
#pragma once

#include <newleaf/bootblock.h>
#include <newleaf/errors.h>
#include <newleaf/net.h>

/* Where the card is: whoever fills this found it there, and that this is no memory's place. */
struct nl_wire_card {
	uint16_t function; /* bus << 8 | device << 3 | function, of segment 0 */
	struct nl_boot_range
	        bar[6]; /* those of memory, by the number of their register; size 0 = none, or upper half */
	/* What it writes to wake somebody, as the MSI capability has it. Address 0: it shall stay silent. */
	uint32_t message_address, message_data;
};

struct nl_nic {
	/* Registers found, checked and mapped, memory taken, the card silent; once, since it touches configuration
	 * space. NL_EUNSUPPORTED: not this driver's, or it lacks what the driver needs. */
	enum nl_err (*attach)(const struct nl_wire_card *card);
	/* Reset; frames from then on, and armed; no message of before is claimed. As often as wanted. NL_EMACHINE: it
	 * does not answer. */
	enum nl_err (*start)(void);
	/* The next frame, NL_NET_FRAME_MIN to NL_NET_FRAME_MAX bytes, into a buffer of NL_NET_FRAME_MAX; 0 = none. */
	unsigned (*receive)(void *frame);
	bool (*send)(const void *frame, unsigned bytes); /* of such a length; false: the ring is full, the frame lost */
	/* Messages for frames that come: on, off. Once on, one comes for the first frame, and no other before that was
	 * claimed and this is on again. Frames that were there before are for the caller to fetch afterwards. */
	void (*arm)(bool on);
	/* On, and one message as soon as the last is so long ago, or 16 ms; 0 = called off. NULL: no such clock. */
	void (*timer)(unsigned us);
	/* Has it sent a message since this was last asked? Each message is claimed once. */
	bool (*claim)(void);
	void (*quiet)(void); /* no message and no access to memory any more, until start() */
};

/* The one card. */
extern struct nl_wire {
	const struct nl_nic *nic; /* NULL: none */
	uint8_t mac[6];
	bool messages; /* it can send them */
	bool broken;
	uint64_t received, sent, refused, lost; /* frames, as in struct nl_net_facts */
} nl_wire;
