// SPDX-License-Identifier: Apache-2.0
// sources: hv/net/e1000.c hv/net/virtio.c hv/net/card.c hv/net/wire.c hv/core/pool.c hv/core/clock.c
// sources: tests/unit/nic_model.c tests/unit/virtio_model.c tests/unit/host.c tests/unit/seam/seam.c
// libs: -lcmocka
// length: 512
// quick: 5000
/*
 * A virtio-net that says anything, at any time: used elements of any number and length, any index, flags and events
 * changed behind the driver's back. What the driver gives is a frame, in a buffer of a frame's size; what cannot be
 * ends its use; and started anew it works.
 */
#include "fuzz.h"
#include "nic_model.h"

static uint8_t frame[2048] = NIC_MAC;

static void receive(void)
{
	uint8_t *got = malloc(NL_NET_FRAME_MAX);
	bool was = nl_wire.broken;
	unsigned n = nl_wire.nic->receive(got);

	FUZZ_CHECK(!n || (n >= NL_NET_FRAME_MIN && n <= NL_NET_FRAME_MAX && !was));
	FUZZ_CHECK(!n || (got[0] & 1) || !memcmp(got, nl_wire.mac, 6));
	free(got);
}

static void send(unsigned bytes)
{
	bool was = nl_wire.broken, ok = nl_wire.nic->send(frame, bytes);

	FUZZ_CHECK(!ok || (bytes <= NL_NET_FRAME_MAX && !was));
}

static void step(struct fuzz *f)
{
	unsigned q = fuzz_byte(f) & 1;
	uint16_t *used = virtio_used_index(q);

	switch (fuzz_byte(f) % 10) {
	case 0:
		virtio_deliver(frame, 14 + (unsigned)fuzz_number(f, 2) % 1501);
		break;
	case 1:
		virtio_use(q, fuzz_byte(f) % 40, (uint32_t)fuzz_number(f, 2));
		break;
	case 2:
		receive();
		break;
	case 3:
		send((unsigned)fuzz_number(f, 2) % 2000);
		break;
	case 4:
		*used = (uint16_t)(*used + fuzz_byte(f) % 40);
		break;
	case 5: /* flags, index, ring, event */
		used[-1 + (int)(fuzz_byte(f) % 131)] = (uint16_t)fuzz_number(f, 2);
		break;
	case 6:
		nl_wire.nic->claim();
		break;
	case 7:
		nl_wire.nic->arm(fuzz_byte(f) & 1);
		break;
	case 8:
		virtio_look(q);
		break;
	case 9:
		virtio_send();
	}
}

void fuzz_one(const uint8_t *bytes, size_t size)
{
	struct fuzz f = {bytes, size};

	if (!nl_wire.nic) {
		nic_machine();
		nic_be_virtio(0x1041);
		nic_card.message_address = 0xfee00000;
		FUZZ_CHECK(!nic_open());
	}
	while (f.n)
		step(&f);
	FUZZ_CHECK(!nl_wire.nic->start());
	FUZZ_CHECK(!nl_wire.broken && virtio_deliver(frame, 60) && nl_wire.nic->receive(frame) == 60);
	FUZZ_CHECK(nl_wire.nic->send(frame, 60) && virtio_send() && virtio.sent_bytes == 60);
}

void fuzz_seeds(void)
{
	fuzz_seed("\0\1\0\x48\0\0\2\0\1\x20\x48\0\0\2", 14);
	fuzz_seed("\0\0\x2e\0\0\x08\0\2\0\x06\0\7\1\0\0\x2e\0\0\2", 19);
	fuzz_seed("\1\3\x3c\0\1\x09\1\3\x3c\0\1\1\0\0\0\1\1\0\0\0\1\3\x3c\0", 24);
	fuzz_seed("\0\4\x21\0\2\0\5\0\1\0\0\2", 12);
}
