// SPDX-License-Identifier: Apache-2.0
// sources: hv/net/e1000.c hv/net/virtio.c hv/net/card.c hv/net/wire.c hv/core/pool.c hv/core/clock.c
// sources: tests/unit/nic_model.c tests/unit/e1000_model.c tests/unit/host.c tests/unit/seam/seam.c
// libs: -lcmocka
// length: 512
// quick: 5000
/*
 * An 82574 that says anything, at any time: descriptors done with any bits and lengths, changed behind the driver's
 * back, registers that read as anything. What the driver gives is a frame, in a buffer of a frame's size; and started
 * anew it works.
 */
#include "fuzz.h"
#include "nic_model.h"

enum { RDBAL = 0x2800, TDBAL = 0x3800, RXS = 32, TXS = 8 };
static uint8_t frame[2048] = NIC_MAC;

static uint64_t *descriptor(unsigned ring, unsigned i)
{
	return nic_memory(((uint64_t)*e1000_reg(ring + 4) << 32 | *e1000_reg(ring)) + 16 * i, 16);
}

static void receive(void)
{
	uint8_t *got = malloc(NL_NET_FRAME_MAX);
	unsigned n = nl_wire.nic->receive(got);

	FUZZ_CHECK(!n || (n >= NL_NET_FRAME_MIN && n <= NL_NET_FRAME_MAX));
	FUZZ_CHECK(!n || (got[0] & 1) || !memcmp(got, nl_wire.mac, 6));
	free(got);
}

static void send(unsigned bytes)
{
	bool before = bytes <= NL_NET_FRAME_MAX;
	unsigned n = e1000.n_sent;
	bool ok = nl_wire.nic->send(frame, bytes);

	FUZZ_CHECK(!ok || before);
	FUZZ_CHECK(e1000.n_sent >= n);
}

static void step(struct fuzz *f)
{
	switch (fuzz_byte(f) % 10) {
	case 0:
		e1000_deliver(frame, 14 + (unsigned)fuzz_number(f, 2) % 1501);
		break;
	case 1:
		e1000_forge(frame, 1514, fuzz_number(f, 8));
		break;
	case 2:
		receive();
		break;
	case 3:
		send((unsigned)fuzz_number(f, 2) % 2000);
		break;
	case 4:
		descriptor(RDBAL, fuzz_byte(f) % RXS)[1] = fuzz_number(f, 8);
		break;
	case 5:
		descriptor(TDBAL, fuzz_byte(f) % TXS)[1] ^= 1ULL << 32;
		break;
	case 6:
		*e1000_reg(0xc0) = (uint32_t)fuzz_number(f, 4); /* causes */
		nl_wire.nic->claim();
		break;
	case 7:
		nl_wire.nic->arm(fuzz_byte(f) & 1);
		break;
	case 8:
		nl_wire.nic->timer((unsigned)fuzz_number(f, 4));
		break;
	case 9:
		e1000.stuck = fuzz_byte(f) & 1;
	}
}

void fuzz_one(const uint8_t *bytes, size_t size)
{
	struct fuzz f = {bytes, size};

	if (!nl_wire.nic) {
		nic_machine();
		nic_be_e1000(0x10d3);
		nic_card.message_address = 0xfee00000;
		FUZZ_CHECK(!nic_open());
	}
	while (f.n)
		step(&f);
	e1000.stuck = false;
	FUZZ_CHECK(!nl_wire.nic->start());
	FUZZ_CHECK(e1000_deliver(frame, 60) && nl_wire.nic->receive(frame) == 60);
	FUZZ_CHECK(nl_wire.nic->send(frame, 60) && e1000.sent_bytes == 60);
}

void fuzz_seeds(void)
{
	fuzz_seed("\x01\x3c\0\0\0\x03\0\0\0\x02\x03\x3c\0\x06\x80\0\0\x80\x07\1", 21);
	fuzz_seed("\0\x2e\0\x02\0\x2e\0\x02\x08\x10\x27\0\0", 13);
	fuzz_seed("\x04\0\xff\xff\0\0\x03\0\0\0\x02\x05\0\x03\xff\0", 16);
}
