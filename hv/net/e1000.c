// SPDX-License-Identifier: Apache-2.0
/*
 * Intel's 82540EM, 82574L and, polled only, 82576, by legacy descriptors, which all of them have. Sections are of the
 * PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual. What arrives is found in descriptors:
 * the register of causes is read for a message's sake only.
 *
 * Not here: link and PHY. After a reset these negotiate by themselves and tell the card the result.
 */
#include "net/wire.h"
#include "net/card.h"
#include "core/core.h"
#include "core/pool.h"

#define ID_82540EM 0x100e8086u
#define ID_82574L 0x10d38086u /* sends messages as wanted here */
#define ID_82576 0x10c98086u  /* its messages have registers of their own (EITR, GPIE) */

enum { CTRL = 0x0, EERD = 0x14, CTRL_EXT = 0x18, RCTL = 0x100, TCTL = 0x400, TIPG = 0x410, RXCSUM = 0x5000 }; /* 13.4 */
enum { ICR = 0xc0, ITR = 0xc4, ICS = 0xc8, IMS = 0xd0, IMC = 0xd8, IAM = 0xe0 };
enum { MPC = 0x4010, RAL = 0x5400, RAH = 0x5404 };
enum { RX = 0x2800, TX = 0x3800 }; /* rings, each with: */
enum { LOW = 0, HIGH = 4, LENGTH = 8, HEAD = 0x10, TAIL = 0x18, CONTROL = 0x28, REGISTERS = 0x6000 };

#define CTRL_UP (1u << 6)
#define CTRL_RESET (1u << 26)
/* What must not be: speed guessed or forced, loss of signal inverted, VLANs, link and PHY in reset */
#define CTRL_NOT (1u << 3 | 1u << 5 | 1u << 7 | 3u << 11 | 1u << 30 | 1u << 31)
/* On; all multicast, since IPv6 asks for neighbours in groups; broadcast; 2 KiB a buffer; without the check sum */
#define RCTL_ALL (1u << 1 | 1u << 4 | 1u << 15 | 1u << 26)
#define TCTL_ALL (1u << 1 | 1u << 3 | 0xfu << 4 | 0x40u << 12) /* on, pads; collisions as 14.5 has them */
#define TIPG_ALL (10u | 8u << 10 | 6u << 20)                   /* 13.4.34 */
#define CTRL_EXT_IAME (1u << 27)
#define QUEUE_ON (1u << 25)    /* 82576 */
#define TX_RESERVED (1u << 22) /* 82574: shall be set */
#define RAH_VALID (1u << 31)
#define FRAME (1u << 7) /* a cause, RXT0 */
#define SENT (1u << 31) /* in ICR: a message was. Read then, ICR is cleared, and IMS of what IAM has (82574) */
#define REST_US 200u    /* between two messages */

/* The second half of a descriptor (3.2.3, 3.3.3) */
#define DONE (1ULL << 32)
#define RX_END (1ULL << 33)
#define RX_ERRORS (0xffULL << 40)
#define TX_WHOLE (1ULL << 24 | 1ULL << 25 | 1ULL << 27) /* its end; with a check sum; say when it is done */

#define RXS 32u
#define TXS 8u /* a ring has a multiple of 128 bytes */

static struct memory {
	struct descriptor {
		uint64_t buffer, word;
	} rx[RXS], tx[TXS];
	uint8_t in[RXS][2048], out[TXS][2048];
} * m;
static uint32_t id;
static volatile uint32_t *registers;
static unsigned head, tail; /* next descriptor to look at, to fill */

static uint32_t get(unsigned reg) { return nl_io_get(registers[reg / 4]); }
static void put(unsigned reg, uint32_t v) { nl_io_put(registers[reg / 4], v); }
static bool is_done(const struct descriptor *d) { return __atomic_load_n(&d->word, __ATOMIC_ACQUIRE) & DONE; }

static void quiet(void)
{
	put(IMC, UINT32_MAX);
	put(RCTL, 0);
	put(TCTL, 0);
	put(CTRL, get(CTRL) | CTRL_RESET); /* on emulators that does nothing */
}

static enum nl_err attach(const struct nl_wire_card *card)
{
	id = nl_config_peek(card->function, 0, 4);
	if (id != ID_82540EM && id != ID_82574L && id != ID_82576)
		return NL_EUNSUPPORTED;
	registers = nl_card_map(card, 0, 0, REGISTERS);
	m = nl_pool_bytes(sizeof(*m));
	if (!registers || !m)
		return NL_ENOMEM;
	quiet();
	nl_wire.messages = id == ID_82574L && nl_card_use_messages(card, NL_CAPABILITY_MSI);
	return NL_OK;
}

/* The card takes its address over from the EEPROM at reset; Bochs's, an 82540EM, has it there only (5.6, 13.4.4). */
static bool take_address(void)
{
	uint64_t mac = (uint64_t)get(RAH) << 32 | get(RAL);

	if (!(get(RAH) & RAH_VALID))
		for (unsigned i = 3; i--;) {
			put(EERD, i << 8 | 1);
			nl_card_wait(1000);
			mac = mac << 16 | get(EERD) >> 16;
		}
	memcpy(nl_wire.mac, &mac, sizeof(nl_wire.mac));
	put(RAL, (uint32_t)mac);
	put(RAH, (uint32_t)(mac >> 32 & 0xffff) | RAH_VALID);
	return !(mac & 1) && mac << 16;
}

static void set_up(unsigned ring, const struct descriptor *d, unsigned n)
{
	uint64_t at = nl_pool_hpa(d).v;

	put(ring + LOW, (uint32_t)at);
	put(ring + HIGH, (uint32_t)(at >> 32));
	put(ring + LENGTH, n * sizeof(*d));
	put(ring + HEAD, 0);
	put(ring + TAIL, 0);
	if (id == ID_82576)
		put(ring + CONTROL, get(ring + CONTROL) | QUEUE_ON);
	if (id == ID_82574L && ring == TX)
		put(ring + CONTROL, get(ring + CONTROL) | TX_RESERVED);
}

static void give(unsigned i) /* both halves: the card may have written both */
{
	m->rx[i] = (struct descriptor){nl_pool_hpa(m->in[i]).v, 0};
}

static void arm(bool on)
{
	if (nl_wire.messages)
		put(on ? IMS : IMC, FRAME);
}

static void timer(unsigned us) /* in 256 ns, 16 bits */
{
	put(ITR, us > 16000 ? 62500 : (us ? us : REST_US) * 125 / 32);
	if (us) {
		put(ICS, FRAME);
		arm(true);
	}
}

static enum nl_err start(void)
{
	quiet();
	nl_card_wait(20000); /* it reads its EEPROM anew (14.3) */
	put(IMC, UINT32_MAX);
	if (get(CTRL) == UINT32_MAX || !take_address())
		return NL_EMACHINE;
	for (unsigned i = 1; i < 16; i++) /* other addresses */
		put(RAH + 8 * i, 0);
	for (unsigned i = 0; i < RXS; i++)
		give(i);
	for (unsigned i = 0; i < TXS; i++)
		m->tx[i].word = DONE;
	head = tail = 0;
	put(CTRL, (get(CTRL) & ~CTRL_NOT) | CTRL_UP);
	put(RXCSUM, 0);
	put(TIPG, TIPG_ALL);
	timer(0);
	if (nl_wire.messages) {
		put(CTRL_EXT, get(CTRL_EXT) | CTRL_EXT_IAME);
		put(IAM, FRAME);
	}
	set_up(RX, m->rx, RXS); /* before anything is on: where no reset was, another's rings still stand there */
	set_up(TX, m->tx, TXS);
	put(TCTL, TCTL_ALL);
	put(RCTL, RCTL_ALL); /* once: QEMU's card then takes no frame for a second */
	nl_card_wait(1000);  /* until the queues are on */
	put(RX + TAIL, RXS - 1);
	arm(true);
	return NL_OK;
}

/* The descriptor before the tail stays ours: head and tail at one place mean that there are none. */
static unsigned receive(void *frame)
{
	unsigned bytes = 0;

	for (unsigned n = 0; n < RXS && !bytes; n++) {
		uint64_t word = __atomic_load_n(&m->rx[head].word, __ATOMIC_ACQUIRE);
		bool good = (word & (RX_END | RX_ERRORS)) == RX_END;

		if (!(word & DONE))
			break;
		bytes = nl_card_take(frame, m->in[head], good ? word & 0xffff : 0);
		give(head);
		put(RX + TAIL, head);
		head = (head + 1) % RXS;
		if (!head)
			nl_wire.lost += get(MPC); /* since it was last read */
	}
	return bytes;
}

/* One descriptor stays empty, see above. */
static bool send(const void *frame, unsigned bytes)
{
	unsigned next = (tail + 1) % TXS;

	if (bytes > NL_NET_FRAME_MAX || !is_done(&m->tx[tail]) || !is_done(&m->tx[next])) {
		nl_wire.lost++;
		return false;
	}
	memcpy(m->out[tail], frame, bytes);
	m->tx[tail] = (struct descriptor){nl_pool_hpa(m->out[tail]).v, bytes | TX_WHOLE};
	put(TX + TAIL, next);
	tail = next;
	nl_wire.sent++;
	return true;
}

static bool claim(void)
{
	uint32_t causes = nl_wire.messages ? get(ICR) : 0;

	if ((causes & (SENT | FRAME)) == SENT) /* QEMU's: of others, without a message, and masked all the same */
		put(IMS, FRAME);
	return (causes & SENT) && (causes & FRAME);
}

const struct nl_nic nl_nic_e1000 = {attach, start, receive, send, arm, timer, claim, quiet};
