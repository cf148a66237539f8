// SPDX-License-Identifier: Apache-2.0
/*
 * virtio-net over PCI, of version 1 on, with split rings; sections are of Virtual I/O Device Version 1.2. Nothing is
 * negotiated that would let a frame lie in two buffers, or the card compute anything of it. Without a control queue it
 * shows us the frames of others, too: nl_card_take(). VIRTIO_F_EVENT_IDX it must have: by it one message comes for each
 * time that they are armed, and no other.
 */
#include "net/wire.h"
#include "net/card.h"
#include "core/core.h"
#include "core/pool.h"
#include "x86.h"

#define F_WANTED (1ULL << 5 | 1ULL << 29 | 1ULL << 32) /* MAC, EVENT_IDX, VERSION_1 */
#define F_TAKEN (F_WANTED | 1ULL << 33 | 1ULL << 36)   /* addresses and order as of any card, if it wants that said */
enum { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8 }; /* 2.1 */
#define WRITTEN 2                                                     /* a descriptor's flag: the card writes there */
#define NO_VECTOR 0xffff

enum { COMMON = 1, NOTIFY = 2, DEVICE = 4 }; /* structures, by a capability each (4.1.4) */
static volatile struct {
	uint32_t offered_select, offered, taken_select, taken;
	uint16_t changes_vector, queues;
	uint8_t status, generation;
	uint16_t queue, size, vector, on, notify;
	uint32_t descriptors[2], available[2], used[2];
} * common;
static volatile uint8_t *own_mac;
static volatile uint16_t *notify[2];
static bool vector;

#define SLOTS 32u
#define HEAD 12u       /* bytes before a frame (5.1.6) */
enum { RX, TX, BOTH }; /* queues */
static struct memory {
	struct queue { /* 2.7; buffer i is always that of descriptor i */
		struct descriptor {
			uint64_t buffer;
			uint32_t bytes;
			uint16_t flags, next;
		} descriptors[SLOTS];
		struct {
			uint16_t flags, index, ring[SLOTS], event;
		} available;
		struct {
			uint16_t flags, index;
			struct {
				uint32_t id, bytes;
			} ring[SLOTS];
			uint16_t event;
		} used;
	} queues[BOTH] __attribute__((aligned(16)));
	uint8_t buffers[BOTH][SLOTS][2048];
} * m;
_Static_assert(sizeof(*common) == 56 && sizeof(struct descriptor) == 16 && sizeof(struct queue) % 16 == 0 &&
                       offsetof(struct queue, used.ring) == offsetof(struct queue, used) + 4,
               "layouts");

static struct {              /* since start() */
	uint16_t seen[BOTH]; /* index of the next used element */
	uint32_t out;        /* buffers to send that the card has */
	nl_lock_t lock;      /* of what is behind */
	uint16_t event;      /* the used element that a message is asked for, */
	bool armed, unsure;  /* if it is; one was sent, perhaps */
} now;

#define LOAD(place) __atomic_load_n(&(place), __ATOMIC_ACQUIRE)

/* The card sends its message as it uses the element that was asked for (2.7.7.2). With the lock held. */
static bool is_due(void) { return now.armed && LOAD(m->queues[RX].used.index) != now.event; }

/* What was asked for stays until its message is claimed: the card may be about to look. If it used the element while it
 * was told, nobody knows which it saw. */
static void arm(bool on)
{
	bool due;

	nl_lock(&now.lock);
	if (!is_due()) {
		now.event = (uint16_t)(now.seen[RX] - (on ? 0 : SLOTS + 1)); /* off: none that it may still look at */
		__atomic_store_n(&m->queues[RX].available.event, now.event, __ATOMIC_RELEASE);
		x86_fence(); /* what comes now is seen by us, or the card sees this */
		now.armed = on && nl_wire.messages;
		due = is_due();
		now.unsure |= due;
		now.armed &= !due;
	}
	nl_unlock(&now.lock);
}

static bool claim(void)
{
	bool due, ours;

	nl_lock(&now.lock);
	due = is_due();
	ours = due || now.unsure;
	now.armed &= !due;
	now.unsure = false;
	nl_unlock(&now.lock);
	return ours;
}

static void quiet(void) { nl_io_put(common->status, 0); }

static bool reset(void) /* 4.1.4.3.2 */
{
	quiet();
	for (unsigned ms = 0; ms < 40 && nl_io_get(common->status); ms++)
		nl_card_wait(1000);
	return !nl_io_get(common->status);
}

/* `times` the multiplier that NOTIFY's capability has behind. */
static volatile void *structure(const struct nl_wire_card *card, unsigned type, unsigned times, unsigned size)
{
	const uint16_t f = card->function;

	NL_EACH_CAPABILITY(at, f) {
		uint32_t head = nl_config_peek(f, at, 4);

		if (at > 0x100 - 20 || (head & 0xff) != NL_CAPABILITY_VENDOR || head >> 24 != type)
			continue;
		uint64_t offset = (uint64_t)times * nl_config_peek(f, at + 16, 4);
		if (offset + size > nl_config_peek(f, at + 12, 4))
			return NULL;
		return nl_card_map(card, nl_config_peek(f, at + 4, 4) & 0xff, offset + nl_config_peek(f, at + 8, 4),
		                   size);
	}
	return NULL;
}

static enum nl_err attach(const struct nl_wire_card *card)
{
	uint32_t id = nl_config_peek(card->function, 0, 4);

	if (id != 0x10411af4 && id != 0x10001af4) /* the latter has an older face as well */
		return NL_EUNSUPPORTED;
	common = structure(card, COMMON, 0, sizeof(*common));
	own_mac = structure(card, DEVICE, 0, sizeof(nl_wire.mac));
	m = nl_pool_bytes(sizeof(*m));
	if (!common || !own_mac || !m)
		return NL_EUNSUPPORTED;
	if (!reset())
		return NL_EMACHINE;
	for (uint16_t q = 0; q < (uint16_t)BOTH; q++) {
		nl_io_put(common->queue, q);
		notify[q] = structure(card, NOTIFY, nl_io_get(common->notify), sizeof(*notify[q]));
		if (!notify[q])
			return NL_EUNSUPPORTED;
	}
	vector = nl_card_use_messages(card, NL_CAPABILITY_MSIX);
	return NL_OK;
}

/* 3.1.1 */
static bool negotiate(void)
{
	uint64_t taken = 0;

	nl_io_put(common->status, ACKNOWLEDGE | DRIVER);
	for (unsigned half = 0; half < 2; half++) {
		nl_io_put(common->offered_select, half);
		nl_io_put(common->taken_select, half);
		taken |= (nl_io_get(common->offered) & F_TAKEN >> 32 * half) << 32 * half;
		nl_io_put(common->taken, (uint32_t)(taken >> 32 * half));
	}
	nl_io_put(common->status, ACKNOWLEDGE | DRIVER | FEATURES_OK);
	return (taken & F_WANTED) == F_WANTED && (nl_io_get(common->status) & FEATURES_OK);
}

static void put_address(volatile uint32_t reg[2], const void *p)
{
	nl_io_put(reg[0], (uint32_t)nl_pool_hpa(p).v);
	nl_io_put(reg[1], (uint32_t)(nl_pool_hpa(p).v >> 32));
}

static bool set_up(uint16_t q)
{
	struct queue *r = &m->queues[q];

	for (uint16_t i = 0; i < SLOTS; i++) {
		r->descriptors[i] = (struct descriptor){nl_pool_hpa(m->buffers[q][i]).v, sizeof(m->buffers[q][i]),
		                                        q == RX ? WRITTEN : 0, 0};
		r->available.ring[i] = i;
	}
	r->available.index = q == RX ? SLOTS : 0;
	nl_io_put(common->queue, q);
	if (nl_io_get(common->size) < SLOTS)
		return false;
	nl_io_put(common->size, SLOTS);
	nl_io_put(common->vector, q == RX && vector ? 0 : NO_VECTOR);
	nl_wire.messages = q == RX ? nl_io_get(common->vector) == 0 : nl_wire.messages;
	put_address(common->descriptors, r->descriptors);
	put_address(common->available, &r->available);
	put_address(common->used, &r->used);
	nl_io_put(common->on, 1);
	return true;
}

static enum nl_err start(void)
{
	if (!reset())
		return NL_EMACHINE;
	memset(m, 0, sizeof(*m));
	memset(&now, 0, sizeof(now));
	nl_wire.broken = false;
	for (unsigned i = 0; i < sizeof(nl_wire.mac); i++)
		nl_wire.mac[i] = nl_io_get(own_mac[i]);
	if ((nl_wire.mac[0] & 1) || !negotiate() || !set_up(RX) || !set_up(TX))
		return NL_EUNSUPPORTED;
	nl_io_put(common->changes_vector, NO_VECTOR);
	arm(true); /* QEMU sends the first message unasked */
	nl_io_put(common->status, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
	nl_io_put(*notify[RX], RX);
	return NL_OK;
}

/* The buffer that the card has done with next; -1: none. */
static int used(unsigned q, uint32_t *bytes)
{
	struct queue *r = &m->queues[q];
	uint16_t n = (uint16_t)(LOAD(r->used.index) - now.seen[q]);
	unsigned at = now.seen[q] % SLOTS;
	uint32_t id = LOAD(r->used.ring[at].id);

	*bytes = LOAD(r->used.ring[at].bytes);
	nl_wire.broken |= n > SLOTS || (n && id >= SLOTS);
	if (!n || nl_wire.broken)
		return -1;
	now.seen[q]++;
	return (int)id;
}

static void offer(unsigned q, unsigned id)
{
	struct queue *r = &m->queues[q];
	uint16_t index = r->available.index;

	r->available.ring[index % SLOTS] = (uint16_t)id;
	__atomic_store_n(&r->available.index, (uint16_t)(index + 1), __ATOMIC_RELEASE);
	x86_fence(); /* seen before we look whether the card wants to be told (2.7.13.4.1) */
	if (LOAD(r->used.event) == index)
		nl_io_put(*notify[q], (uint16_t)q);
}

static unsigned receive(void *frame)
{
	unsigned bytes = 0;
	uint32_t written;
	int slot;

	for (unsigned n = 0; n < SLOTS && !bytes && (slot = used(RX, &written)) >= 0; n++) {
		bytes = nl_card_take(frame, m->buffers[RX][slot] + HEAD, (uint64_t)written - HEAD);
		offer(RX, (unsigned)slot);
	}
	return bytes;
}

static bool send(const void *frame, unsigned bytes)
{
	uint32_t written;
	int slot;

	while ((slot = used(TX, &written)) >= 0) {
		nl_wire.broken |= !(now.out >> slot & 1);
		now.out &= ~(1u << slot);
	}
	if (bytes > NL_NET_FRAME_MAX || nl_wire.broken || now.out == UINT32_MAX) {
		nl_wire.lost++;
		return false;
	}
	slot = __builtin_ctz(~now.out);
	now.out |= 1u << slot;
	memcpy(m->buffers[TX][slot] + HEAD, frame, bytes);
	m->queues[TX].descriptors[slot].bytes = HEAD + bytes;
	offer(TX, (unsigned)slot);
	nl_wire.sent++;
	return true;
}

const struct nl_nic nl_nic_virtio = {attach, start, receive, send, arm, NULL, claim, quiet};
