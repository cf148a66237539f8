// SPDX-License-Identifier: Apache-2.0
/*
 * A virtio-net card by Virtual I/O Device Version 1.2, with split rings and VIRTIO_F_EVENT_IDX: see nic_model.h. The
 * used index and the look at the driver's event are two steps of the card's, as they are in the world.
 */
#include "nic_model.h"
#include <stdlib.h>
#include <string.h>

#define VERSION_1 (1ULL << 32)
#define NONE 0xffff

struct virtio virtio;
static uint32_t offered_select, taken_select;
static uint16_t queue;
static uint32_t table[4];  /* of MSI-X, the first entry */
static uint16_t looked[2]; /* used index when the card last looked */

static struct virtio_queue *selected(void) { return queue < 2 ? &virtio.queues[queue] : NULL; }

static uint16_t *part(const uint32_t at[2], size_t offset, size_t bytes)
{
	return nic_memory(((uint64_t)at[1] << 32 | at[0]) + offset, bytes);
}

uint16_t *virtio_used_index(unsigned q) { return part(virtio.queues[q].used, 2, 2); }

static void zero(void)
{
	for (unsigned q = 0; q < 2; q++)
		virtio.queues[q] = (struct virtio_queue){.size = virtio.queue_max, .vector = NONE};
	virtio.taken = 0;
	looked[0] = looked[1] = 0;
}

static uint32_t common(uint64_t at)
{
	const struct virtio_queue *q = selected();

	switch (at) {
	case 4:
		return offered_select < 2 ? (uint32_t)(virtio.offered >> 32 * offered_select) : 0;
	case 18:
		return 2;
	case 20:
		return virtio.status;
	case 24:
		return q ? q->size : 0;
	case 26:
		return q ? q->vector : NONE;
	case 30:
		return q ? virtio.notify_offset * (unsigned)(queue + 1) : 0;
	}
	return 0;
}

static uint32_t read(unsigned bar, uint64_t at, unsigned width)
{
	if (bar == 4 && at < 0x1000)
		return common(at);
	if (bar == 4 && at >= 0x2000 && at < 0x2006 && width == 1)
		return virtio.mac[at - 0x2000];
	abort();
}

static void status(uint8_t v)
{
	if (!v && !virtio.never)
		zero();
	if (virtio.unwilling)
		v &= (uint8_t)~8;
	virtio.status = !v && virtio.never ? 0x40 : v;
}

static void common_write(uint64_t at, uint32_t v)
{
	struct virtio_queue *q = selected();

	switch (at) {
	case 0:
		offered_select = v;
		break;
	case 8:
		taken_select = v;
		break;
	case 12:
		virtio.taken = (virtio.taken & ~(0xffffffffULL << 32 * taken_select)) | (uint64_t)v
		                                                                                << 32 * taken_select;
		break;
	case 20:
		status((uint8_t)v);
		break;
	case 22:
		queue = (uint16_t)v;
		break;
	case 24:
		q->size = (uint16_t)v;
		break;
	case 26:
		q->vector = virtio.no_vectors ? NONE : (uint16_t)v;
		break;
	case 28:
		q->on = (uint16_t)v;
		break;
	default:
		if (at >= 32 && at < 56)
			(&q->descriptors[0])[(at - 32) / 4] = v;
	}
}

static void write(unsigned bar, uint64_t at, unsigned width, uint32_t v)
{
	if (bar == 4 && at < 0x1000) {
		common_write(at, v);
	} else if (bar == 4 && at >= 0x3000 && at < 0x4000 && width == 2) {
		if (v > 1 || at != 0x3000 + 4 * virtio.notify_offset * (v + 1))
			abort();
		virtio.notified[v]++;
		virtio.before_ok += !(virtio.status & 4);
	} else if (bar == 1 && at < sizeof(table) && width == 4) {
		if (nic_config_at(0x98) >> 30 != 3)
			abort(); /* masked meanwhile */
		table[at / 4] = v;
	} else {
		abort();
	}
}

int virtio_take(unsigned n)
{
	struct virtio_queue *q = &virtio.queues[n];

	if (!q->on || !(virtio.status & 4) || *part(q->available, 2, 2) == q->seen)
		return -1;
	int id = *part(q->available, 4 + 2 * (q->seen % q->size), 2);
	q->seen++;
	*part(q->used, 4 + 8 * q->size, 2) = q->seen; /* it wants to be told of the next */
	if (id >= q->size)
		abort();
	return id;
}

void virtio_use(unsigned n, uint32_t id, uint32_t bytes)
{
	struct virtio_queue *q = &virtio.queues[n];
	uint16_t *index = virtio_used_index(n);
	const uint32_t element[2] = {id, bytes};

	memcpy(part(q->used, 4 + 8 * (*index % q->size), 8), element, 8);
	++*index;
}

void virtio_look(unsigned n)
{
	struct virtio_queue *q = &virtio.queues[n];
	uint16_t index = *virtio_used_index(n), event = *part(q->available, 4 + 2 * q->size, 2);

	if ((uint16_t)(index - event - 1) < (uint16_t)(index - looked[n]) && q->vector == 0 && table[0] &&
	    nic_config_at(0x98) >> 30 == 2 && !(table[3] & 1))
		nic_messages++;
	looked[n] = index;
}

static uint64_t *descriptor(unsigned q, unsigned id)
{
	return (uint64_t *)(void *)part(virtio.queues[q].descriptors, 16 * id, 16);
}

void virtio_fill(unsigned id, const void *frame, unsigned bytes)
{
	uint64_t *d = descriptor(0, id);
	uint8_t *to;

	if ((uint32_t)d[1] < 12 + bytes || d[1] >> 32 != 2)
		abort();
	to = nic_memory(d[0], 12 + bytes);
	memset(to, 0, 12);
	to[10] = 1;
	memcpy(to + 12, frame, bytes);
}

bool virtio_deliver(const void *frame, unsigned bytes)
{
	int id = virtio_take(0);

	if (id < 0)
		return false;
	virtio_fill((unsigned)id, frame, bytes);
	virtio_use(0, (uint32_t)id, 12 + bytes);
	virtio_look(0);
	return true;
}

bool virtio_send(void)
{
	int id = virtio_take(1);

	if (id < 0)
		return false;
	uint64_t *d = descriptor(1, (unsigned)id);
	const uint8_t *from = nic_memory(d[0], (uint32_t)d[1]);
	for (unsigned i = 0; i < 12; i++)
		if (from[i])
			abort();
	if (d[1] >> 32)
		abort();
	virtio.sent_bytes = (uint32_t)d[1] - 12;
	memcpy(virtio.sent, from + 12, virtio.sent_bytes);
	virtio.n_sent++;
	virtio_use(1, (uint32_t)id, 0);
	virtio_look(1);
	return true;
}

static void structure(unsigned at, unsigned next, unsigned type, unsigned bar, uint32_t offset, uint32_t length)
{
	nic_config32(at, type << 24 | (type == 2 ? 20u : 16u) << 16 | next << 8 | 9);
	nic_config32(at + 4, bar);
	nic_config32(at + 8, offset);
	nic_config32(at + 12, length);
}

void nic_be_virtio(uint16_t id)
{
	static const uint8_t mac[] = NIC_MAC;

	memset(&virtio, 0, sizeof(virtio));
	memset(table, 0, sizeof(table));
	memcpy(virtio.mac, mac, 6);
	virtio.offered = VERSION_1 | 1 << 29 | 1 << 5 | 0x3ULL << 33 | 0xffff;
	virtio.queue_max = 256;
	virtio.notify_offset = 3;
	zero();
	nic_card.bar[1] = (struct nl_boot_range){0xc1000000, 0x1000};
	nic_card.bar[4] = (struct nl_boot_range){0xe000008000, 0x4000};
	nic_config32(0, (uint32_t)id << 16 | 0x1af4);
	nic_config32(4, 0x00100007);
	nic_config[0x34] = 0x98;
	nic_config32(0x98, 0x00028411); /* MSI-X, of three */
	nic_config32(0x9c, 1);
	structure(0x84, 0x70, 5, 0, 0, 0); /* access by configuration space */
	structure(0x70, 0x60, 2, 4, 0x3000, 0x1000);
	nic_config32(0x80, 4); /* times which */
	structure(0x60, 0x50, 4, 4, 0x2000, 0x1000);
	structure(0x50, 0x40, 3, 4, 0x1000, 0x1000);
	structure(0x40, 0, 1, 4, 0, 0x1000);
	nic_read = read;
	nic_write = write;
}
