// SPDX-License-Identifier: Apache-2.0
/*
 * The table of chipset windows.
 *
 * Not in it, and why: BARs and the windows of bridges. An address below TOLUD goes to memory whatever a BAR says
 * (Intel client datasheets vol. 2, system address map: memory decode has priority over overlapping ranges); on AMD the
 * data fabric's map decides before a device is asked (PPR, DRAM and MMIO maps), and QEMU gives RAM priority over the
 * PCI address space (test config-bars). BARs of ports over the ports of the gate: see write_data() there. PAM and the
 * compatible SMRAM: they move what lies below 1 MiB, where nothing of ours is. A function that shall not be there at
 * all would be one more kind of row, asked for reads as well.
 */
#include "exits/windows.h"
#include "core/core.h"
#include <newleaf/hypercall.h>
#include "x86.h"

enum chipset {
	UNKNOWN = 0,
	I440FX = 1, /* no such register but PAM and SMRAM (82441FX datasheet, 3.2) */
	MCH = 2,    /* 3 and 4 series, and QEMU's q35: Intel 3 Series datasheet, 5.1 */
	CLIENT = 4, /* Core processors from the second generation on: datasheet vol. 2, 3.1 (2nd gen) */
	INTEL = MCH | CLIENT,
	AMD = 8,      /* family 17h on, Hygon: PPR for 17h model 01h, D18F0, D18F4; SMN: D0F0 */
	AMD_OLD = 16, /* BKDG for 15h, D18F1, D18F2 */
};

enum kind {
	WINDOW, /* an address: must not come to meet the region */
	FROZEN, /* keeps its value */
	NEVER,  /* is not written */
};

#define HOST 0x0000
#define LPC 0x00f8
#define P2SB 0x00f9
#define DF(fn) (0x00c0 | (fn)), 0xffc7 /* devices 18h to 1Fh, one for each node */
#define ONE 0xffff
#define ROOT 0x00ff /* device 0 of any bus, where it is a host bridge */

static const struct row {
	uint8_t chipsets;
	uint8_t kind;
	uint16_t function, mask;
	uint16_t reg, bytes;
	uint64_t base, enable, size; /* of a WINDOW: bits of the address, any of these bits set = on */
	const char *name;
} rows[] = {
        {INTEL, WINDOW, HOST, ONE, 0x40, 8, ~0xfffULL, 1, 0x1000, "EPBAR"},
        {INTEL, WINDOW, HOST, ONE, 0x48, 8, ~0x3fffULL, 1, 0x20000, "MCHBAR"}, /* 16 KiB to 128 KiB by generation */
        {INTEL, FROZEN, HOST, ONE, 0x60, 8, 0, 0, 0, "PCIEXBAR"},
        {INTEL, WINDOW, HOST, ONE, 0x68, 8, ~0xfffULL, 1, 0x1000, "DMIBAR"},
        {MCH, FROZEN, HOST, ONE, 0x50, 4, 0, 0, 0, "GGC"}, /* q35: the size of TSEG is there, too */
        {MCH, FROZEN, HOST, ONE, 0x97, 1, 0, 0, 0, "LAC"},
        {MCH, FROZEN, HOST, ONE, 0x98, 4, 0, 0, 0, "REMAPBASE, REMAPLIMIT"},
        {MCH, FROZEN, HOST, ONE, 0x9c, 4, 0, 0, 0, "SMRAM, ESMRAMC"},
        {MCH, FROZEN, HOST, ONE, 0xa0, 4, 0, 0, 0, "TOM, TOUUD"},
        {MCH, FROZEN, HOST, ONE, 0xa4, 12, 0, 0, 0, "GBSM, BGSM, TSEGMB"},
        {MCH, FROZEN, HOST, ONE, 0xb0, 2, 0, 0, 0, "TOLUD"},
        {CLIENT, FROZEN, HOST, ONE, 0x50, 2, 0, 0, 0, "GGC"},
        {CLIENT, FROZEN, HOST, ONE, 0x58, 8, 0, 0, 0, "PAVPC, DPR"},
        {CLIENT, FROZEN, HOST, ONE, 0x70, 16, 0, 0, 0, "MESEG"},
        {CLIENT, FROZEN, HOST, ONE, 0x87, 2, 0, 0, 0, "LAC, SMRAMC"},
        {CLIENT, FROZEN, HOST, ONE, 0x90, 16, 0, 0, 0, "REMAPBASE, REMAPLIMIT"},
        {CLIENT, FROZEN, HOST, ONE, 0xa0, 16, 0, 0, 0, "TOM, TOUUD"},
        {CLIENT, FROZEN, HOST, ONE, 0xb0, 12, 0, 0, 0, "BDSM, BGSM, TSEGMB"},
        {CLIENT, FROZEN, HOST, ONE, 0xbc, 4, 0, 0, 0, "TOLUD"},
        {INTEL, WINDOW, LPC, ONE, 0xf0, 4, 0xffffc000, 1, 0x4000, "RCBA"},                /* ICH9 datasheet, 13.1.35 */
        {INTEL, WINDOW, P2SB, ONE, 0x10, 8, ~0xffffffULL, ~0ULL, 0x1000000, "SBREG_BAR"}, /* 100 series PCH, 33.1 */
        {AMD, NEVER, HOST, ROOT, 0x64, 4, 0, 0, 0, "SMN data"}, /* the index before it (60, B8, C4) reads, too */
        {AMD, NEVER, HOST, ROOT, 0xbc, 4, 0, 0, 0, "SMN data"},
        {AMD, NEVER, HOST, ROOT, 0xc8, 4, 0, 0, 0, "SMN data"},
        {AMD, FROZEN, DF(0), 0x40, 0xfc0, 0, 0, 0, "data fabric"},
        {AMD, FROZEN, DF(1), 0x40, 0xfc0, 0, 0, 0, "data fabric"},
        {AMD, FROZEN, DF(7), 0x40, 0xfc0, 0, 0, 0, "data fabric"},
        {AMD, NEVER, DF(4), 0x98, 8, 0, 0, 0, "data fabric, indirect"},
        {AMD, NEVER, DF(4), 0xb8, 8, 0, 0, 0, "data fabric, indirect"},
        {AMD_OLD, FROZEN, DF(1), 0x40, 0xcc, 0, 0, 0, "address map"}, /* 10C selects what is read */
        {AMD_OLD, FROZEN, DF(1), 0x110, 0xef0, 0, 0, 0, "address map"},
        {AMD_OLD, FROZEN, DF(2), 0x40, 0x40, 0, 0, 0, "DRAM base"},
};

static uint8_t chipset;
static uint16_t vendor;

static bool is_host_bridge(uint16_t function)
{
	return nl_config_peek(function, 0, 2) == vendor && nl_config_peek(function, 10, 2) == 0x0600;
}

static uint8_t identify(void)
{
	uint32_t device = nl_config_peek(HOST, 2, 2);

	vendor = (uint16_t)nl_config_peek(HOST, 0, 2);
	if (!is_host_bridge(HOST))
		return UNKNOWN;
	if (vendor == 0x8086 && device == 0x1237)
		return I440FX;
	if (vendor == 0x8086 && (device & 0xff00) >= 0x2900 && (device & 0xff00) <= 0x2e00)
		return MCH;
	if (vendor == 0x8086) /* servers have PCI Express capabilities there */
		return nl_config_peek(HOST, 0x34, 1) == 0xe0 && nl_config_peek(HOST, 0xe0, 1) == 9 ? CLIENT : UNKNOWN;
	if (vendor == 0x1022 || vendor == 0x1d94)
		return (x86_cpuid_word(1, 0, EAX) >> 20 & 0xff) >= 8 ? AMD
		                                                     : AMD_OLD; /* extended family: 17h is 0Fh + 8 */
	return UNKNOWN;
}

static bool has(const struct row *r, uint16_t function)
{
	return (r->chipsets & chipset) && ((function ^ r->function) & r->mask) == 0 &&
	       (r->mask != ROOT || is_host_bridge(function));
}

bool nl_windows_watched(uint16_t function)
{
	NL_EACH(r, rows, NL_ARRAY_SIZE(rows))
		if (has(r, function))
			return true;
	return false;
}

static bool meets(const struct row *r, uint64_t v, uint64_t at, uint64_t size)
{
	uint64_t base = v & r->base;

	return (v & r->enable) && base < at + size && at < base + r->size;
}

/* The register as it is, with what is written (width bytes at reg, perhaps none) laid over. */
static uint64_t resulting(const struct row *r, uint16_t function, unsigned reg, unsigned width, uint64_t value)
{
	uint64_t v = 0;

	for (unsigned i = r->bytes; i--;) {
		unsigned at = r->reg + i - reg;

		v = v << 8 | (at < width ? value >> 8 * at & 0xff : nl_config_peek(function, r->reg + i, 1));
	}
	return v;
}

static bool changed(const struct row *r, uint16_t function, unsigned reg, unsigned width, uint64_t value)
{
	for (unsigned i = 0; i < width; i++)
		if (reg + i - r->reg < r->bytes && nl_config_peek(function, reg + i, 1) != (uint8_t)(value >> 8 * i))
			return true;
	return false;
}

/* Nor may a window hide the place where the gate reads what registers hold. */
static bool refused(const struct row *r, uint16_t function, unsigned reg, unsigned width, uint64_t value)
{
	unsigned buses;

	if (r->kind == FROZEN)
		return changed(r, function, reg, width, value);
	if (r->kind == NEVER)
		return true;
	value = resulting(r, function, reg, width, value);
	uint64_t ecam = nl_windows_ecam(&buses);
	return meets(r, value, nl_boot.region, nl_boot.region_size) ||
	       (ecam && meets(r, value, ecam, (uint64_t)buses << 20)) ||
	       ((value & r->enable) && nl_hide_meets(value & r->base, r->size));
}

const char *nl_windows_refuse(uint16_t function, unsigned reg, unsigned width, uint64_t value)
{
	NL_EACH(r, rows, NL_ARRAY_SIZE(rows))
		if (reg < r->reg + r->bytes && r->reg < reg + width && has(r, function) &&
		    refused(r, function, reg, width, value))
			return r->name;
	return nl_hide_refuse(function, reg, width, value);
}

uint64_t nl_windows_ecam(unsigned *buses)
{
	uint64_t v = 0;

	if (chipset & INTEL) { /* 256, 128 or 64 buses; longer ones have more segments behind the first */
		v = (uint64_t)nl_config_peek(HOST, 0x64, 4) << 32 | nl_config_peek(HOST, 0x60, 4);
		*buses = (v & 14) == 2 ? 128 : (v & 14) == 4 ? 64 : 256;
		return v & 1 ? v & ~(((uint64_t)*buses << 20) - 1) & 0x7fffffffffffULL : 0;
	}
	if ((chipset & (AMD | AMD_OLD)) && x86_rdmsr_safe(MSR_AMD_MMIO_CFG_BASE, &v) && (v & 1)) {
		*buses = 1u << (v >> 2 & 15); /* BKDG, MSRC001_0058 */
		return v & 0xffffffff00000ULL;
	}
	return 0;
}

uint32_t nl_windows_undecided(void)
{
	return chipset == I440FX ? 0
	       : chipset & INTEL ? NL_UNDECIDED_MCHBAR
	       : chipset == AMD  ? NL_UNDECIDED_SMN
	                         : NL_UNDECIDED_CHIPSET;
}

enum nl_err nl_windows_init(void)
{
	chipset = identify();
	NL_EACH(r, rows, NL_ARRAY_SIZE(rows)) {
		if (r->kind != WINDOW || !has(r, r->function) ||
		    !meets(r, resulting(r, r->function, 0, 0, 0), nl_boot.region, nl_boot.region_size))
			continue;
		nl_log("newleaf: %s lies over the hypervisor's memory\n", r->name);
		return NL_EWINDOW;
	}
	return NL_OK;
}
