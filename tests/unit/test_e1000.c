// SPDX-License-Identifier: Apache-2.0
// sources: hv/net/e1000.c hv/net/virtio.c hv/net/card.c hv/net/wire.c hv/core/pool.c hv/core/clock.c
// sources: tests/unit/nic_model.c tests/unit/e1000_model.c
/*
 * The driver of 8254x, 82574 and 82576 on a card as the manual has it, and on one that does not keep to it: no bit, no
 * length and no order of its descriptors may have the driver read or write anything but its own buffers.
 */
#include "host.h"
#include "nic_model.h"

enum {
	RCTL = 0x100,
	ITR = 0xc4,
	IMS = 0xd0,
	RDT = 0x2818,
	RDLEN = 0x2808,
	RXDCTL = 0x2828,
	TXDCTL = 0x3828,
	RAL = 0x5400
};
static const uint8_t mac[6] = NIC_MAC;
static uint8_t frame[2048];
static uint8_t *got; /* of exactly NL_NET_FRAME_MAX bytes, for the sanitizer */

static int setup(void **state)
{
	(void)state;
	host_seed(7);
	nic_machine();
	nic_be_e1000(0x10d3);
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

static void comes_up(void **state)
{
	(void)state;
	open_it();
	assert_ptr_equal(nl_wire.nic, &nl_nic_e1000);
	assert_memory_equal(nl_wire.mac, mac, 6);
	assert_int_equal(nic_config_at(4) & 0xffff, 0x406); /* memory, master, no ports, no INTx */
	assert_int_equal(e1000.enabled, 1);
	assert_int_equal(*e1000_reg(RCTL), 0x4008012); /* on, multicast, broadcast, no check sum */
	assert_int_equal(*e1000_reg(RAL + 4) >> 31, 1);
	assert_int_equal(nic_dma, 0);
	assert_true(nl_wire.messages);
	assert_int_equal(nic_config_at(0xd4), 0xfee00000);
	assert_int_equal(nic_config_at(0xd8), 0);
	assert_int_equal(nic_config_at(0xdc), 0x400);
	assert_int_equal(nic_config_at(0xd0) >> 16, 0x81);
	assert_int_equal(*e1000_reg(IMS), 0x80);
	assert_int_equal(*e1000_reg(TXDCTL), 1 << 22);
	assert_int_equal(*e1000_reg(RXDCTL), 0);
}

/* Bochs's card: a reset does nothing, and the address is in the EEPROM alone. The rings of whoever drove it before
 * still stand there. */
static void comes_up_without_reset(void **state)
{
	(void)state;
	nic_be_e1000(0x100e);
	e1000.resets = false;
	open_it();
	assert_memory_equal(nl_wire.mac, mac, 6);
	assert_memory_equal(e1000_reg(RAL), mac, 6);
	assert_false(nl_wire.messages);
	assert_int_equal(*e1000_reg(IMS), 0);
	nl_wire.nic->arm(true);
	assert_int_equal(*e1000_reg(IMS), 0);
	assert_true(e1000_deliver(frame, 60));
	assert_int_equal(receive(), 60);
}

static void other_addresses_are_gone(void **state)
{
	(void)state;
	nic_be_e1000(0x100e);
	e1000.resets = false;
	*e1000_reg(RAL + 8) = 0x12121212;
	*e1000_reg(RAL + 12) = 0x80001212;
	open_it();
	memset(frame, 0x12, 6);
	assert_false(e1000_deliver(frame, 60));
	for (unsigned i = 1; i < 16; i++)
		assert_int_equal(*e1000_reg(RAL + 8 * i + 4), 0);
}

static void is_refused(void **state)
{
	(void)state;
	nic_gone = true;
	assert_int_equal(nic_open(), NL_EMACHINE);
	nic_gone = false;
	e1000.eeprom[0] |= 1; /* a group's address */
	assert_int_equal(nic_open(), NL_EMACHINE);
	memset(e1000.eeprom, 0, sizeof(e1000.eeprom));
	assert_int_equal(nic_open(), NL_EMACHINE);
	nic_card.bar[0].size = 0x4000;
	assert_int_equal(nic_open(), NL_ENOMEM);
	nic_config32(4, 0x00100007);
	nic_config32(0, 0x12348086);
	assert_int_equal(nic_open(), NL_EUNSUPPORTED);
	assert_int_equal(nic_config_at(4) & 0xffff, 7);
	assert_null(nl_wire.nic);
}

static void lists_without_end(void **state)
{
	(void)state;
	nic_config[0xd1] = 0xc8; /* a circle */
	nic_config[0xd0] = 9;
	open_it();
	assert_false(nl_wire.messages);
	nic_config[0xc9] = 0x3f; /* into the header */
	assert_int_equal(nl_card_next(NIC_FUNCTION, 0xc8), 0);
	nic_config[0xc9] = 0xd3; /* the lowest bits are nobody's */
	assert_int_equal(nl_card_next(NIC_FUNCTION, 0xc8), 0xd0);
	nic_config32(4, 0x00000007);
	assert_int_equal(nl_card_next(NIC_FUNCTION, 0), 0);
}

static void msi_of_32_bits(void **state)
{
	(void)state;
	nic_config32(0xd0, 0x0000e005);
	open_it();
	assert_true(nl_wire.messages);
	assert_int_equal(nic_config_at(0xd4), 0xfee00000);
	assert_int_equal(nic_config_at(0xd8), 0x400);
	assert_int_equal(nic_config_at(0xd0) >> 16, 1);
	assert_int_equal(nic_config_at(0xdc), 0);
}

static void receives(void **state)
{
	(void)state;
	uint64_t taken = 0;

	open_it();
	assert_int_equal(receive(), 0);
	for (unsigned n = NL_NET_FRAME_MIN; n <= NL_NET_FRAME_MAX; n++) { /* forty times around */
		frame[12] = (uint8_t)n;
		assert_true(e1000_deliver(frame, n));
		assert_int_equal(receive(), n);
		assert_memory_equal(got, frame, n);
		assert_int_equal(receive(), 0);
		taken++;
	}
	for (unsigned i = 0; i < 31; i++) {
		frame[12] = (uint8_t)i;
		assert_true(e1000_deliver(frame, 60));
	}
	assert_false(e1000_deliver(frame, 60)); /* one descriptor is always ours */
	for (unsigned i = 0; i < 31; i++) {
		assert_int_equal(receive(), 60);
		assert_int_equal(got[12], i);
	}
	assert_int_equal(receive(), 0);
	for (unsigned i = 0; i < 32; i++) {
		e1000_deliver(frame, 60);
		receive();
	}
	assert_int_equal(nl_wire.lost, 1);
	assert_int_equal(nl_wire.received, taken + 31 + 32);
	assert_int_equal(nl_wire.refused, 0);
}

static void whose_frames(void **state)
{
	(void)state;
	open_it();
	memset(frame, 0xff, 6);
	assert_true(e1000_deliver(frame, 60));
	assert_int_equal(receive(), 60);
	frame[0] = frame[1] = 0x33;
	assert_true(e1000_deliver(frame, 60));
	assert_int_equal(receive(), 60);
	memcpy(frame, mac, 6);
	frame[5]++;
	assert_false(e1000_deliver(frame, 60));
	assert_true(e1000_forge(frame, 60, 60 | 3ULL << 32)); /* the card lets it through all the same */
	assert_int_equal(receive(), 0);
	assert_int_equal(nl_wire.refused, 1);
}

static void descriptors_that_cannot_be(void **state)
{
	(void)state;
	static const uint64_t words[] = {
	        13 | 3ULL << 32,
	        0 | 3ULL << 32,
	        1515 | 3ULL << 32,
	        0xffff | 3ULL << 32,
	        2048 | 3ULL << 32,
	        60 | 1ULL << 32,                 /* it goes on in the next buffer */
	        60 | 3ULL << 32 | 1ULL << 40,    /* check sum, */
	        60 | 3ULL << 32 | 0x80ULL << 40, /* or the transfer failed */
	};
	open_it();
	for (unsigned i = 0; i < 64; i++) {
		for (unsigned k = 0; k < i % 5; k++)
			assert_true(e1000_forge(frame, 1514, words[host_below(NL_ARRAY_SIZE(words))]));
		assert_true(e1000_deliver(frame, 64));
		assert_int_equal(receive(), 64); /* behind them */
		assert_memory_equal(got, frame, 64);
	}
	assert_int_equal(nl_wire.refused, 64 / 5 * 10 + (0 + 1 + 2 + 3));
	assert_int_equal(nl_wire.received, 64);
	for (unsigned i = 0; i < 31; i++)
		e1000_forge(frame, 1514, words[0]);
	assert_int_equal(receive(), 0); /* and it ends */
	assert_true(e1000_deliver(frame, 64));
	assert_int_equal(receive(), 64);
}

/* No bit says that it is done: whatever else is there was not read. */
static void not_done(void **state)
{
	(void)state;
	open_it();
	assert_true(e1000_forge(frame, 60, 60 | 2ULL << 32));
	assert_int_equal(receive(), 0);
	assert_int_equal(nl_wire.refused, 0);
}

static void sends(void **state)
{
	(void)state;
	open_it();
	for (unsigned n = NL_NET_FRAME_MIN; n <= NL_NET_FRAME_MAX; n++) {
		frame[12] = (uint8_t)n;
		assert_true(send(n));
		assert_int_equal(e1000.sent_bytes, n);
		assert_memory_equal(e1000.sent, frame, n);
		assert_int_equal(e1000.sent_word >> 24 & 0xff, 0x0b);
	}
	assert_int_equal(nl_wire.sent, NL_NET_FRAME_MAX - NL_NET_FRAME_MIN + 1);
	assert_false(send(NL_NET_FRAME_MAX + 1));
	assert_false(send(UINT32_MAX));
	assert_int_equal(nl_wire.lost, 2);
	assert_int_equal(e1000.n_sent, nl_wire.sent);
}

static void never_done(void **state)
{
	(void)state;
	open_it();
	e1000.stuck = true;
	for (unsigned i = 0; i < 7; i++)
		assert_true(send(60));
	for (unsigned i = 0; i < 10; i++)
		assert_false(send(60));
	assert_int_equal(nl_wire.lost, 10);
	assert_int_equal(nl_wire.nic->start(), NL_OK);
	e1000.stuck = false;
	for (unsigned i = 0; i < 20; i++)
		assert_true(send(60));
}

static void messages(void **state)
{
	(void)state;
	open_it();
	assert_false(nl_wire.nic->claim());
	for (unsigned i = 0; i < 100; i++) {
		unsigned before = nic_messages;

		e1000_deliver(frame, 60);
		e1000_deliver(frame, 60);
		send(60);
		assert_int_equal(nic_messages, before + 1);
		if (i & 1) /* fetched before somebody asks */
			assert_int_equal(receive(), 60);
		assert_true(nl_wire.nic->claim());
		assert_false(nl_wire.nic->claim());
		e1000_deliver(frame, 60); /* and not before it is armed again */
		assert_int_equal(nic_messages, before + 1);
		assert_false(nl_wire.nic->claim());
		while (receive())
			;
		nl_wire.nic->arm(true);
		assert_int_equal(nic_messages, before + 1);
	}
	nl_wire.nic->arm(false);
	unsigned before = nic_messages;
	e1000_deliver(frame, 60);
	assert_int_equal(nic_messages, before);
	receive();
	nl_wire.nic->claim();
	nl_wire.nic->timer(10000);
	assert_int_equal(*e1000_reg(ITR), 39062);
	assert_int_equal(nic_messages, before + 1);
	assert_true(nl_wire.nic->claim());
	nl_wire.nic->timer(1000000);
	assert_int_equal(*e1000_reg(ITR), 62500);
	nl_wire.nic->timer(0);
	assert_true(*e1000_reg(ITR) < 1000);
}

static void silent(void **state)
{
	(void)state;
	nic_card.message_address = 0;
	open_it();
	assert_false(nl_wire.messages);
	assert_int_equal(nic_config_at(0xd0) >> 16, 0x80);
	e1000_deliver(frame, 60);
	assert_false(nl_wire.nic->claim());
	assert_int_equal(nic_messages, 0);
	assert_int_equal(receive(), 60);
}

static void is_quiet(void **state)
{
	(void)state;
	open_it();
	nl_wire.nic->quiet();
	assert_false(e1000_deliver(frame, 60));
	nl_wire.nic->send(frame, 60);
	assert_int_equal(e1000.n_sent, 0);
	assert_int_equal(*e1000_reg(IMS), 0);
	assert_int_equal(nl_wire.nic->start(), NL_OK);
	assert_true(e1000_deliver(frame, 60));
	assert_int_equal(receive(), 60);
}

/* Where no reset is, silence is what its switches say. */
static void is_quiet_without_reset(void **state)
{
	(void)state;
	e1000.resets = false;
	open_it();
	nl_wire.nic->quiet();
	assert_false(e1000_deliver(frame, 60));
	nl_wire.nic->send(frame, 60);
	assert_int_equal(e1000.n_sent, 0);
	assert_int_equal(*e1000_reg(IMS), 0);
}

static void igb(void **state)
{
	(void)state;
	nic_be_e1000(0x10c9);
	open_it();
	assert_false(nl_wire.messages);
	for (unsigned i = 0; i < 100; i++) {
		assert_true(e1000_deliver(frame, 60 + i));
		assert_int_equal(receive(), 60 + i);
		assert_true(send(60 + i));
		assert_int_equal(e1000.sent_bytes, 60 + i);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(comes_up),
	        T(comes_up_without_reset),
	        T(other_addresses_are_gone),
	        T(is_refused),
	        T(lists_without_end),
	        T(msi_of_32_bits),
	        T(receives),
	        T(whose_frames),
	        T(descriptors_that_cannot_be),
	        T(not_done),
	        T(sends),
	        T(never_done),
	        T(messages),
	        T(silent),
	        T(is_quiet),
	        T(is_quiet_without_reset),
	        T(igb),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
