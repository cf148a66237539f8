// SPDX-License-Identifier: Apache-2.0
/*
 * Network cards as their manuals have them, for the drivers of hv/net/: a function with configuration space, BARs that
 * are reached through the page tables that the core makes, and DMA into the pool, where every access is checked to lie
 * in what was handed out. What a card may do wrong is asked for by name.
 */
#ifndef TESTS_UNIT_NIC_MODEL_H
#define TESTS_UNIT_NIC_MODEL_H

#include "net/card.h"
#include "net/wire.h"

enum { NIC_FUNCTION = 0x18, NIC_PAGES = 256 };
#define NIC_MAC \
	{ \
		0x52, 0x54, 0, 0x12, 0x34, 0x56 \
	}

extern uint8_t nic_config[256];
extern struct nl_wire_card nic_card;
enum nl_err nic_open(void);   /* and started, as the keeper does at its first turn */
extern unsigned nic_messages; /* that the card has sent */
extern bool nic_gone;         /* every register reads as ones */
extern unsigned nic_dma;      /* accesses to memory */

void nic_config32(unsigned reg, uint32_t v);
uint32_t nic_config_at(unsigned reg);

/* A machine of its own: an empty pool, tables as efi/hostmap.c makes them, nothing of nl_wire. */
void nic_machine(void);
/* The one function is such a card, of this device id. */
void nic_be_e1000(uint16_t device);
void nic_be_virtio(uint16_t device);

/* --- What e1000_model.c has --- */
extern struct e1000 {
	uint32_t regs[0x6000 / 4];
	uint16_t eeprom[3];
	bool resets;      /* CTRL.RST does, and RAL, RAH are loaded then; emulators' does not */
	bool stuck;       /* it never is done with a frame to send */
	unsigned enabled; /* how often RCTL was written with its bit */
	uint8_t sent[2048];
	unsigned sent_bytes, n_sent;
	uint64_t sent_word;
} e1000;
uint32_t *e1000_reg(unsigned reg);
/* false: not let through, or no descriptor. The second: the other half of the descriptor is this. */
bool e1000_deliver(const void *frame, unsigned bytes);
bool e1000_forge(const void *frame, unsigned bytes, uint64_t word);

/* --- What virtio_model.c has --- */
struct virtio_queue {
	uint32_t descriptors[2], available[2], used[2];
	uint16_t size, vector, on, seen;
};
extern struct virtio {
	uint64_t offered, taken;
	uint8_t status, mac[6];
	bool unwilling;  /* it does not keep FEATURES_OK */
	bool never;      /* its reset never ends */
	bool no_vectors; /* it has none for a queue */
	uint16_t queue_max, notify_offset;
	struct virtio_queue queues[2];
	unsigned notified[2], before_ok;
	uint8_t sent[2048];
	unsigned sent_bytes, n_sent;
} virtio;
/* The next available buffer's descriptor; -1: none. */
int virtio_take(unsigned q);
/* A used element, and the index behind it; then the card looks whether it shall send a message. */
void virtio_use(unsigned q, uint32_t id, uint32_t bytes);
void virtio_look(unsigned q);
uint16_t *virtio_used_index(unsigned q);
bool virtio_deliver(const void *frame, unsigned bytes); /* all of these */
bool virtio_send(void);                                 /* the next frame is taken, and its buffer used */
void virtio_fill(unsigned id, const void *frame, unsigned bytes);

/* Of the models: memory that the card may reach. Anything else ends the test. */
void *nic_memory(uint64_t hpa, size_t bytes);
extern uint32_t (*nic_read)(unsigned bar, uint64_t at, unsigned width);
extern void (*nic_write)(unsigned bar, uint64_t at, unsigned width, uint32_t v);

#endif
