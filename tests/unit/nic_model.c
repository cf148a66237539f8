// SPDX-License-Identifier: Apache-2.0
/* The function, its configuration space, the way to its BARs, and its DMA: see nic_model.h. */
#include "nic_model.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/core.h"
#include "core/pool.h"
#include "insn.h"

#define CHECK(x) ((x) ? (void)0 : (void)(fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x), abort()))
#define POOL_HPA 0x1d0000000ULL /* above 4 GiB, where the region is if it can */

uint8_t nic_config[256];
struct nl_wire_card nic_card;
unsigned nic_messages, nic_dma;
bool nic_gone;
uint32_t (*nic_read)(unsigned bar, uint64_t at, unsigned width);
void (*nic_write)(unsigned bar, uint64_t at, unsigned width, uint32_t v);

static uint8_t pool[NIC_PAGES * NL_PAGE_SIZE] __attribute__((aligned(NL_PAGE_SIZE)));
static size_t tables; /* bytes of the pool that are the core's alone */

uint64_t x86_read_cr4(void) { return 0; }

uint32_t nic_config_at(unsigned reg)
{
	uint32_t v;

	memcpy(&v, nic_config + (reg & 0xfc), 4);
	return v;
}

void nic_config32(unsigned reg, uint32_t v) { memcpy(nic_config + reg, &v, 4); }

uint32_t nl_config_peek(uint16_t function, unsigned reg, unsigned width)
{
	CHECK(reg + width <= sizeof(nic_config) && (reg & (width - 1)) == 0);
	return function == NIC_FUNCTION ? nic_config_at(reg) & (uint32_t)(UINT64_MAX >> (64 - 8 * width)) : UINT32_MAX;
}

/* The head of a capability, and all of those of vendors, are read only. */
static bool is_capability(unsigned reg)
{
	unsigned at = nic_config[0x34] & 0xfc;

	for (unsigned n = 0; n < 64 && at >= 0x40; n++, at = nic_config[at + 1] & 0xfc)
		if (at == reg)
			return true;
	return false;
}

void nl_config_poke(uint16_t function, unsigned reg, unsigned width, uint32_t v)
{
	CHECK(function == NIC_FUNCTION && reg + width <= sizeof(nic_config) &&
	      (width == 4 || (reg == 4 && width == 2)));
	if (reg == 4 || is_capability(reg)) { /* status; number and next of a capability */
		memcpy(nic_config + (reg == 4 ? 4 : reg + 2), (uint8_t *)&v + (reg == 4 ? 0 : 2), 2);
		return;
	}
	nic_config32(reg, v);
}

void *nic_memory(uint64_t hpa, size_t bytes)
{
	CHECK(nic_config[4] & 4); /* a bus master */
	CHECK(hpa >= POOL_HPA + tables && bytes <= sizeof(pool) && hpa - POOL_HPA <= sizeof(pool) - bytes);
	nic_dma++;
	return pool + (hpa - POOL_HPA);
}

/* As the CPU does it; UC by PCD and PWT, no execution. */
static uint64_t physical(uint64_t va)
{
	uint64_t entry = nl_boot.host_cr3;

	for (unsigned level = 4; level--;) {
		const uint64_t *table = nl_pool_va(HPA(entry & 0xffffffffff000));
		entry = table[va >> (12 + 9 * level) & 511];
		CHECK((entry & 3) == 3);
	}
	CHECK((entry & 0x18) == 0x18 && entry >> 63);
	return (entry & 0xffffffffff000) | (va & NL_PAGE_MASK);
}

static uint64_t find(const volatile void *reg, unsigned width, unsigned *bar)
{
	uint64_t pa = physical((uint64_t)reg);

	CHECK(nic_config[4] & 2);
	for (*bar = 0; *bar < 6; ++*bar)
		if (pa - nic_card.bar[*bar].base <= nic_card.bar[*bar].size - width && nic_card.bar[*bar].size)
			return pa - nic_card.bar[*bar].base;
	CHECK(!"a BAR");
	return 0;
}

uint32_t nic_get(const volatile void *reg, unsigned width)
{
	unsigned bar;
	uint64_t at = find(reg, width, &bar);

	return nic_gone ? (uint32_t)(UINT64_MAX >> (64 - 8 * width)) : nic_read(bar, at, width);
}

void nic_put(volatile void *reg, unsigned width, uint32_t v)
{
	unsigned bar;
	uint64_t at = find(reg, width, &bar);

	if (!nic_gone)
		nic_write(bar, at, width, v);
}

void nic_machine(void)
{
	uint64_t *root, *third;

	nl_pool_init(pool, HPA(POOL_HPA), NIC_PAGES);
	root = nl_pool_page();
	third = nl_pool_page();
	tables = (size_t)((uint8_t *)third - pool) + NL_PAGE_SIZE;
	root[511] = nl_pool_hpa(third).v | 0x23;
	nl_boot.host_cr3 = nl_pool_hpa(root).v;
	nl_boot.facts.tsc_hz = 1000000000;
	seam_tsc_step = 10000;
	memset(&nl_wire, 0, sizeof(nl_wire));
	memset(nic_config, 0, sizeof(nic_config));
	memset(&nic_card, 0, sizeof(nic_card));
	nic_card.function = NIC_FUNCTION;
	nic_messages = nic_dma = 0;
	nic_gone = false;
}

enum nl_err nic_open(void)
{
	enum nl_err err = nl_wire_open(&nic_card);

	return err ? err : nl_wire.nic->start();
}
