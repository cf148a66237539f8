// SPDX-License-Identifier: Apache-2.0
/*
 * An 82540EM, 82574L or 82576 with legacy descriptors, by the PCI/PCI-X Family of Gigabit Ethernet Controllers Software
 * Developer's Manual and the 82574's datasheet: see nic_model.h.
 */
#include "nic_model.h"
#include <stdlib.h>
#include <string.h>

enum {
	CTRL = 0,
	EERD = 0x14,
	CTRL_EXT = 0x18,
	ICR = 0xc0,
	ICS = 0xc8,
	IMS = 0xd0,
	IMC = 0xd8,
	IAM = 0xe0,
	RCTL = 0x100,
	TCTL = 0x400,
	RDBAL = 0x2800,
	RDLEN = 0x2808,
	RDH = 0x2810,
	RDT = 0x2818,
	RXDCTL = 0x2828,
	TDBAL = 0x3800,
	TDLEN = 0x3808,
	TDH = 0x3810,
	TDT = 0x3818,
	TXDCTL = 0x3828,
	MPC = 0x4010,
	RAL = 0x5400
};
#define ASSERTED (1u << 31)
#define RXT0 (1u << 7)
#define TXDW 1u

struct e1000 e1000;
static uint16_t device;

uint32_t *e1000_reg(unsigned reg) { return &e1000.regs[reg / 4]; }
#define R(reg) (*e1000_reg(reg))

/* 82574 10.2.4.1: asserted are causes that the mask lets through. */
static void cause(uint32_t causes)
{
	R(ICR) |= causes;
	if ((R(ICR) & R(IMS)) && !(R(ICR) & ASSERTED)) {
		R(ICR) |= ASSERTED;
		nic_messages++;
	}
}

static void reset(void)
{
	uint64_t mac = (uint64_t)e1000.eeprom[2] << 32 | (uint32_t)e1000.eeprom[1] << 16 | e1000.eeprom[0];

	memset(e1000.regs, 0, sizeof(e1000.regs));
	R(RAL) = (uint32_t)mac;
	R(RAL + 4) = (uint32_t)(mac >> 32) | 1u << 31;
}

static bool queue_is_on(unsigned control) { return device != 0x10c9 || (R(control) & 1u << 25); }

static void transmit(void)
{
	while ((R(TCTL) & 2) && queue_is_on(TXDCTL) && R(TDH) != R(TDT)) {
		uint64_t *d = nic_memory(((uint64_t)R(TDBAL + 4) << 32 | R(TDBAL)) + 16 * R(TDH), 16);

		if (R(TDT) >= R(TDLEN) / 16)
			abort();
		e1000.sent_bytes = d[1] & 0xffff;
		e1000.sent_word = d[1];
		memcpy(e1000.sent, nic_memory(d[0], e1000.sent_bytes), e1000.sent_bytes % sizeof(e1000.sent));
		e1000.n_sent++;
		R(TDH) = (R(TDH) + 1) % (R(TDLEN) / 16);
		if (!e1000.stuck && (d[1] & 1u << 27))
			d[1] |= 1ULL << 32;
		cause(TXDW);
	}
}

static uint32_t read(unsigned bar, uint64_t at, unsigned width)
{
	uint32_t v;

	if (bar || width != 4 || at & 3 || at >= sizeof(e1000.regs))
		abort();
	v = R(at);
	if (at == ICR && (!R(IMS) || (v & ASSERTED))) {
		R(ICR) = 0;
		if ((v & ASSERTED) && (R(CTRL_EXT) & 1u << 27))
			R(IMS) &= ~R(IAM);
	}
	if (at == MPC)
		R(MPC) = 0;
	return v;
}

static void write(unsigned bar, uint64_t at, unsigned width, uint32_t v)
{
	unsigned shift = device == 0x100e ? 8 : 2;

	if (bar || width != 4 || at & 3 || at >= sizeof(e1000.regs))
		abort();
	switch (at) {
	case CTRL:
		if (v & 1u << 26 && e1000.resets)
			reset();
		R(CTRL) = v & ~(1u << 26);
		break;
	case EERD:
		if (v & 1)
			R(EERD) = (uint32_t)e1000.eeprom[v >> shift & 3] << 16 | 1u << (shift == 8 ? 4 : 1);
		break;
	case IMS:
		R(IMS) |= v;
		cause(0);
		break;
	case IMC:
		R(IMS) &= ~v;
		break;
	case ICS:
		cause(v);
		break;
	case RCTL:
		e1000.enabled += v >> 1 & 1;
		R(RCTL) = v;
		break;
	default:
		R(at) = v;
		if (at == TDT)
			transmit();
	}
}

bool e1000_forge(const void *frame, unsigned bytes, uint64_t word)
{
	uint64_t *d;

	if (!(R(RCTL) & 2) || !queue_is_on(RXDCTL))
		return false;
	if (R(RDH) == R(RDT)) {
		R(MPC)++;
		return false;
	}
	if (R(RDT) >= R(RDLEN) / 16)
		abort();
	d = nic_memory(((uint64_t)R(RDBAL + 4) << 32 | R(RDBAL)) + 16 * R(RDH), 16);
	memcpy(nic_memory(d[0], 2048), frame, bytes);
	d[0] = 0xdeadbeef; /* it may: who gives it again writes both halves */
	d[1] = word;
	R(RDH) = (R(RDH) + 1) % (R(RDLEN) / 16);
	cause(RXT0);
	return true;
}

bool e1000_deliver(const void *frame, unsigned bytes)
{
	static const uint8_t everybody[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	const uint8_t *to = frame;
	uint32_t rctl = R(RCTL);
	bool ours = false;

	for (unsigned i = 0; i < 16; i++)
		ours |= R(RAL + 8 * i + 4) >> 31 && !memcmp(to, e1000_reg(RAL + 8 * i), 6);
	ours |= (rctl & 8) || ((rctl & 0x10) && (to[0] & 1)) || ((rctl & 0x8000) && !memcmp(to, everybody, 6));
	return ours && e1000_forge(frame, bytes, bytes | 3ULL << 32);
}

void nic_be_e1000(uint16_t id)
{
	static const uint8_t mac[] = NIC_MAC;

	device = id;
	memset(&e1000, 0, sizeof(e1000));
	memcpy(e1000.eeprom, mac, 6);
	e1000.resets = true;
	memset(&e1000.regs, 0x5a, 0x5400); /* of who drove it before */
	R(ICR) = R(IMS) = R(MPC) = 0;
	nic_card.bar[0] = (struct nl_boot_range){0xfeb80000, 0x20000};
	nic_config32(0, (uint32_t)id << 16 | 0x8086);
	nic_config32(4, 0x00100007); /* a list; memory, ports, master */
	nic_config[0x34] = 0xc8;
	nic_config32(0xc8, 0x0022d001);                             /* power */
	nic_config32(0xd0, id == 0x10d3 ? 0x0080e005 : 0x0000e005); /* MSI, with an upper half or without */
	nic_config32(0xe0, 0x00020010);
	nic_read = read;
	nic_write = write;
}
