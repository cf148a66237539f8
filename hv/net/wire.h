// SPDX-License-Identifier: Apache-2.0
/*
 * The wire: one network card, driven by the core. Frames are copied out of and into buffers that only the card and its
 * driver name, once each. Not here: what is in a frame, when the card is asked, and that the guest does not see it.
 *
 * The card is believed as little as it can be: what it writes into memory is read once, an index or a length that
 * cannot be ends its use (broken) until it is started anew, and a frame that cannot be is counted and dropped.
 *
 * One caller at a time, but for claim() and quiet(), which any CPU may call at any time. Nothing here waits for the
 * card but start(), for 50 ms at most.
 */
#pragma once

#include <newleaf/errors.h>
#include <newleaf/net.h>

/* Where the card is: whoever fills this found it there. */
struct nl_wire_card {
	uint16_t function; /* bus << 8 | device << 3 | function, of segment 0 */
	uint16_t vendor, device;
	uint16_t reserved;
	struct {
		uint64_t at, size;
	} bar[6]; /* those of memory, by the number of their register; size 0 = none such, or the upper half of one */
};

/* What the card writes to wake somebody, as its MSI capability has it. Address 0: it shall stay silent. */
struct nl_wire_message {
	uint64_t address;
	uint32_t data;
};

struct nl_nic {
	const char *name;
	uint32_t memory; /* bytes for rings and buffers, one run of the pool's */

	bool (*knows)(uint16_t vendor, uint16_t device);
	/* Registers found, checked and mapped; once, before the guest runs, since it touches configuration space. */
	enum nl_err (*attach)(const struct nl_wire_card *card, void *memory, const struct nl_wire_message *message);
	/* Reset, and frames from then on; messages are off. As often as wanted. NL_EMACHINE: it does not answer. */
	enum nl_err (*start)(void);
	/* The next frame, NL_NET_FRAME_MIN to NL_NET_FRAME_MAX bytes, into a buffer of NL_NET_FRAME_MAX; 0 = none. */
	unsigned (*receive)(void *frame);
	bool (*send)(const void *frame, unsigned bytes); /* of such a length; false: the ring is full */
	/* Messages for frames that come: on, off. Frames that came before are for the caller to fetch afterwards. */
	void (*arm)(bool on);
	/* One message when so long has passed since the last; 0 = called off. NULL: the card has no such clock. */
	void (*timer)(unsigned us);
	/* Has it sent a message since this was last asked? Each message is claimed once. */
	bool (*claim)(void);
	void (*quiet)(void); /* no message and no access to memory any more, until start(); without waiting */
};

extern const struct nl_nic nl_nic_e1000, nl_nic_virtio;

/* The one card. */
extern struct nl_wire {
	const struct nl_nic *nic; /* NULL: none */
	uint8_t mac[6];
	bool messages; /* it can send them */
	bool broken;
	/* as in struct nl_net_facts */
	uint64_t received, sent, refused, lost;
} nl_wire;

/* Once, in the core's initialisation, on the boot CPU alone and after nl_config_init(): driver, memory, bus mastering,
 * attach(), start(). NL_EUNSUPPORTED: no driver knows it, or it lacks what the driver needs. Without an error
 * nl_wire.nic is there. */
enum nl_err nl_wire_open(const struct nl_wire_card *card, const struct nl_wire_message *message);
