// SPDX-License-Identifier: Apache-2.0
// sources: hv/net/e1000.c hv/net/virtio.c hv/net/card.c hv/net/wire.c hv/core/pool.c hv/core/clock.c
// sources: tests/unit/nic_model.c tests/unit/virtio_model.c
/*
 * The driver of virtio-net on a card as the standard has it, and on one that does not keep to it: no capability, no
 * index, no number of a buffer and no length may have the driver read or write anything but its own buffers. And each
 * message that the card sends is claimed once, whatever happens between its steps and ours.
 */
#include "host.h"
#include "nic_model.h"

static const uint8_t mac[6] = NIC_MAC;
static uint8_t frame[2048];
static uint8_t *got; /* of exactly NL_NET_FRAME_MAX bytes, for the sanitizer */

static int setup(void **state)
{
	(void)state;
	host_seed(7);
	nic_machine();
	nic_be_virtio(0x1041);
	nic_card.message_address = 0xfee00000;
	nic_card.message_data = 0x400;
	for (unsigned i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)host_random();
	memcpy(frame, mac, 6);
	got = malloc(NL_NET_FRAME_MAX);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(got);
	return 0;
}

static void open_it(void) { assert_int_equal(nic_open(), NL_OK); }
static unsigned receive(void) { return nl_wire.nic->receive(got); }
static bool send(unsigned bytes) { return nl_wire.nic->send(frame, bytes); }

static void refused(enum nl_err err)
{
	nic_config32(4, 0x00100007);
	assert_int_equal(nic_open(), err);
	if (!nl_wire.nic) /* by attach(): it is as it was */
		assert_int_equal(nic_config_at(4) & 0xffff, 7);
	assert_int_equal(nic_dma, 0);
}

static void comes_up(void **state)
{
	(void)state;
	open_it();
	assert_ptr_equal(nl_wire.nic, &nl_nic_virtio);
	assert_memory_equal(nl_wire.mac, mac, 6);
	assert_int_equal(virtio.taken, 1ULL << 5 | 1ULL << 29 | 1ULL << 32 | 1ULL << 33); /* and no offload */
	assert_int_equal(virtio.status, 0xf);
	assert_int_equal(virtio.before_ok, 0);
	assert_int_equal(virtio.notified[0], 1);
	assert_int_equal(virtio.queues[0].size, 32);
	assert_int_equal(virtio.queues[0].vector, 0);
	assert_int_equal(virtio.queues[1].vector, 0xffff);
	assert_true(nl_wire.messages);
	assert_int_equal(nic_config_at(0x98) >> 30, 2);
	for (unsigned i = 0; i < 32; i++)
		assert_int_equal(virtio_take(0), i);
	assert_int_equal(virtio_take(0), -1);
	assert_int_equal(virtio_take(1), -1);
}

static void transitional(void **state)
{
	(void)state;
	nic_be_virtio(0x1000);
	open_it();
	nic_be_virtio(0x1042); /* a disk */
	nl_wire.nic = NULL;
	refused(NL_EUNSUPPORTED);
}

static void lacks_something(void **state)
{
	(void)state;
	static const unsigned wanted[] = {5, 29, 32};

	for (unsigned i = 0; i < 3; i++) {
		nic_machine();
		nic_be_virtio(0x1041);
		virtio.offered &= ~(1ULL << wanted[i]);
		refused(NL_EUNSUPPORTED);
	}
	nic_machine();
	nic_be_virtio(0x1041);
	virtio.unwilling = true;
	refused(NL_EUNSUPPORTED);
	nic_machine();
	nic_be_virtio(0x1041);
	virtio.queue_max = 16;
	refused(NL_EUNSUPPORTED);
	nic_machine();
	nic_be_virtio(0x1041);
	virtio.mac[0] |= 1;
	refused(NL_EUNSUPPORTED);
	nic_machine();
	nic_be_virtio(0x1041);
	virtio.never = true;
	refused(NL_EMACHINE);
	nic_machine();
	nic_be_virtio(0x1041);
	nic_gone = true;
	refused(NL_EMACHINE);
}

/* Each field of each structure that is read, so that it leads out of its BAR, or out of itself. */
static void capabilities_that_lead_out(void **state)
{
	(void)state;
	static const struct {
		unsigned reg;
		uint32_t value;
	} bad[] = {
	        {0x44, 6},          {0x44, 0xff},       {0x44, 0}, /* BARs that there are not */
	        {0x48, 0x3fd0},     {0x48, 0xfffffff0}, {0x48, 0x80000000}, {0x4c, 55},
	        {0x4c, 0},          {0x64, 3},          {0x68, 0x3ffb},     {0x6c, 5},
	        {0x74, 7},          {0x78, 0x3ff0},     {0x78, 0xffffffff}, {0x7c, 13},
	        {0x80, 0xffffffff}, {0x80, 0x1000},     {0x40, 0x02100009}, {0x80, 0x55555556},
	};
	for (unsigned i = 0; i < NL_ARRAY_SIZE(bad); i++) {
		nic_machine();
		nic_be_virtio(0x1041);
		nic_config32(bad[i].reg, bad[i].value);
		refused(NL_EUNSUPPORTED);
	}
	nic_be_virtio(0x1041);
	nic_config[0x41] = 0x98; /* a circle, and what is looked for is in it */
	open_it();
	nic_machine();
	nic_be_virtio(0x1041);
	nic_config[0x61] = 0x70; /* and behind it */
	refused(NL_EUNSUPPORTED);
}

/* A structure whose last register would lie behind configuration space. */
static void capability_at_the_end(void **state)
{
	(void)state;
	nic_config[0x71] = 0xf0;
	memcpy(nic_config + 0xf0, nic_config + 0x60, 16);
	refused(NL_EUNSUPPORTED);
}

static void messages_that_cannot_be(void **state)
{
	(void)state;
	nic_config32(0x9c, 5); /* a BAR that is not there */
	open_it();
	assert_false(nl_wire.messages);
	assert_int_equal(nic_config_at(0x98) >> 30, 0);
	nic_machine();
	nic_be_virtio(0x1041);
	nic_card.message_address = 0xfee00000;
	nic_config32(0x9c, 0xff8 | 1); /* over its end */
	open_it();
	assert_false(nl_wire.messages);
	nic_machine();
	nic_be_virtio(0x1041);
	nic_card.message_address = 0xfee00000;
	virtio.no_vectors = true;
	open_it();
	assert_false(nl_wire.messages);
	assert_true(virtio_deliver(frame, 60));
	assert_int_equal(nic_messages, 0);
	assert_false(nl_wire.nic->claim());
	assert_int_equal(receive(), 60);
}

static void receives(void **state)
{
	(void)state;
	open_it();
	for (unsigned i = 0; i < 70000; i++) { /* around the ring, and around its index */
		unsigned n = NL_NET_FRAME_MIN + i % (NL_NET_FRAME_MAX - NL_NET_FRAME_MIN + 1);

		frame[12] = (uint8_t)i;
		assert_true(virtio_deliver(frame, n));
		assert_int_equal(receive(), n);
		assert_memory_equal(got, frame, n);
		assert_int_equal(receive(), 0);
	}
	for (unsigned i = 0; i < 32; i++) {
		frame[12] = (uint8_t)i;
		assert_true(virtio_deliver(frame, 60));
	}
	assert_false(virtio_deliver(frame, 60));
	for (unsigned i = 0; i < 32; i++) {
		assert_int_equal(receive(), 60);
		assert_int_equal(got[12], i);
	}
	assert_int_equal(nl_wire.received, 70032);
	assert_int_equal(nl_wire.refused, 0);
}

static void frames_that_are_none(void **state)
{
	(void)state;
	static const uint32_t lengths[] = {0, 1, 11, 12, 25, 12 + 1515, 2048, 2049, 0x10000, 0xffffffff, 0x80000000};

	open_it();
	for (unsigned i = 0; i < 1000; i++) {
		for (unsigned k = 0; k < i % 4; k++)
			virtio_use(0, (uint32_t)virtio_take(0), lengths[host_below(NL_ARRAY_SIZE(lengths))]);
		assert_true(virtio_deliver(frame, 64));
		assert_int_equal(receive(), 64);
	}
	assert_int_equal(nl_wire.refused, 1000 / 4 * 6);
	frame[5]++; /* another's: it is not told whose we want */
	assert_true(virtio_deliver(frame, 64));
	assert_int_equal(receive(), 0);
	frame[0] = 0x33;
	assert_true(virtio_deliver(frame, 64));
	assert_int_equal(receive(), 64);
	assert_false(nl_wire.broken);
}

static void broken(void)
{
	assert_int_equal(receive(), 0);
	assert_false(send(60));
	assert_true(nl_wire.broken);
	assert_int_equal(receive(), 0);
	assert_int_equal(nl_wire.nic->start(), NL_OK);
	assert_false(nl_wire.broken);
	assert_true(virtio_deliver(frame, 60));
	assert_int_equal(receive(), 60);
	assert_true(send(60));
	assert_true(virtio_send());
}

static void rings_that_cannot_be(void **state)
{
	(void)state;
	open_it();
	virtio_use(0, 32, 72); /* no such buffer */
	broken();
	virtio_use(0, UINT32_MAX, 72);
	broken();
	*virtio_used_index(0) += 33; /* more than it was given */
	broken();
	*virtio_used_index(0) -= 1; /* backwards */
	broken();
	virtio_use(1, 5, 0); /* it was not given that one */
	assert_false(send(60));
	broken();
	assert_true(send(60));
	assert_true(virtio_send());
	virtio_use(1, 0, 0); /* twice */
	assert_false(send(60));
	broken();
	*virtio_used_index(1) += 32; /* all, of which it has none */
	broken();
}

static void sends(void **state)
{
	(void)state;
	open_it();
	for (unsigned i = 0; i < 70000; i++) {
		unsigned n = NL_NET_FRAME_MIN + i % (NL_NET_FRAME_MAX - NL_NET_FRAME_MIN + 1);

		frame[12] = (uint8_t)i;
		assert_true(send(n));
		assert_true(virtio_send());
		assert_int_equal(virtio.sent_bytes, n);
		assert_memory_equal(virtio.sent, frame, n);
	}
	assert_int_equal(virtio.notified[1], 70000);
	assert_false(send(NL_NET_FRAME_MAX + 1));
	assert_false(send(UINT32_MAX));
	assert_int_equal(nl_wire.sent, 70000);
	assert_int_equal(nl_wire.lost, 2);
}

static void in_any_order(void **state)
{
	(void)state;
	bool has[32] = {false};
	unsigned n = 0;

	open_it();
	for (unsigned i = 0; i < 10000; i++) {
		if (host_below(2)) {
			assert_int_equal(send(60), n < 32);
			int id = virtio_take(1);
			if (n < 32) {
				assert_in_range(id, 0, 31);
				assert_false(has[id]);
				has[id] = true;
				n++;
			} else {
				assert_int_equal(id, -1);
			}
		} else if (n) {
			unsigned id = (unsigned)host_below(32);

			while (!has[id])
				id = (id + 1) % 32;
			has[id] = false;
			n--;
			virtio_use(1, id, 0);
		}
	}
	assert_false(nl_wire.broken);
}

static void never_done(void **state)
{
	(void)state;
	open_it();
	for (unsigned i = 0; i < 32; i++)
		assert_true(send(60));
	for (unsigned i = 0; i < 10; i++)
		assert_false(send(60));
	assert_int_equal(nl_wire.lost, 10);
	assert_int_equal(virtio.notified[1], 1); /* it has not looked since */
	assert_int_equal(nl_wire.nic->start(), NL_OK);
	assert_true(send(60));
}

static void messages(void **state)
{
	(void)state;
	open_it();
	assert_false(nl_wire.nic->claim());
	for (unsigned i = 0; i < 100; i++) {
		unsigned before = nic_messages;

		virtio_deliver(frame, 60);
		virtio_deliver(frame, 60);
		assert_int_equal(nic_messages, before + 1);
		if (i & 1)
			assert_int_equal(receive(), 60);
		nl_wire.nic->arm(true); /* what was asked for has come: nothing is asked for */
		virtio_deliver(frame, 60);
		assert_int_equal(nic_messages, before + 1);
		assert_true(nl_wire.nic->claim());
		assert_false(nl_wire.nic->claim());
		virtio_deliver(frame, 60);
		assert_int_equal(nic_messages, before + 1);
		assert_false(nl_wire.nic->claim());
		while (receive())
			;
		nl_wire.nic->arm(true);
		assert_false(nl_wire.nic->claim());
	}
	nl_wire.nic->arm(false);
	unsigned before = nic_messages;
	for (unsigned i = 0; i < 1000; i++) {
		virtio_deliver(frame, 60);
		receive();
	}
	assert_int_equal(nic_messages, before);
	assert_false(nl_wire.nic->claim());
	assert_null(nl_wire.nic->timer);
}

/*
 * The card's two steps, and ours, in any order. A message that came is claimed by who asks then, and there is never
 * more than one; nobody claims one that did not come and will not. But where it was armed while the card had more than
 * we saw, nobody knows until somebody has asked.
 */
static void messages_in_any_order(void **state)
{
	(void)state;
	unsigned claimed = 0, sure = 0;
	bool uses = false, doubt = false; /* it is between its steps */
	int id;

	open_it();
	for (unsigned i = 0; i < 300000; i++) {
		switch (host_below(5)) {
		case 0:
			if (uses || (id = virtio_take(0)) < 0)
				break;
			virtio_fill((unsigned)id, frame, 60);
			virtio_use(0, (uint32_t)id, 72);
			uses = true;
			break;
		case 1:
			if (uses)
				virtio_look(0);
			uses = false;
			break;
		case 2:
			receive();
			break;
		case 3: /* as a caller does it: none there, armed; and not so now and then */
			if (receive() && host_below(8))
				break;
			doubt |= (uint16_t)nl_wire.received != *virtio_used_index(0);
			nl_wire.nic->arm(host_below(8));
			break;
		case 4:
			if (nic_messages == claimed && host_below(8))
				break;
			bool came = nic_messages > claimed, ours = nl_wire.nic->claim();

			if (!came && ours && uses) { /* it is about to come */
				virtio_look(0);
				uses = false;
				came = nic_messages > claimed;
			}
			if (!doubt)
				assert_int_equal(came, ours);
			sure += came && !doubt;
			doubt &= uses; /* it may look yet */
			claimed = nic_messages;
		}
		assert_true(doubt || nic_messages - claimed <= 1);
	}
	assert_true(sure > 1000);
}

static void is_quiet(void **state)
{
	(void)state;
	open_it();
	nl_wire.nic->quiet();
	assert_false(virtio_deliver(frame, 60));
	assert_int_equal(nl_wire.nic->start(), NL_OK);
	assert_true(virtio_deliver(frame, 60));
	assert_int_equal(receive(), 60);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(comes_up),
	        T(transitional),
	        T(lacks_something),
	        T(capabilities_that_lead_out),
	        T(capability_at_the_end),
	        T(messages_that_cannot_be),
	        T(receives),
	        T(frames_that_are_none),
	        T(rings_that_cannot_be),
	        T(sends),
	        T(in_any_order),
	        T(never_done),
	        T(messages),
	        T(messages_in_any_order),
	        T(is_quiet),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
