// SPDX-License-Identifier: Apache-2.0
/* What all cards have in common: see card.h. */
#include "net/card.h"
#include "core/clock.h"
#include "core/core.h"
#include "core/pool.h"
#include "x86.h"

#define STATUS_LIST (1u << 20)
/* The topmost 2 MiB of virtual memory: the last entry of each table, of which the first is both roots' (hostmap.c). */
#define WINDOW 0xffffffffffe00000ULL
#define LAST 511u
#define TABLE 0x23ULL /* present, written, accessed */
/* Besides: dirty, not executed, PCD and PWT, by which it is UC: PAT's fourth entry as since reset. */
#define UNCACHED (0x7bULL | 1ULL << 63)

struct nl_wire nl_wire;

/* PCI Local Bus 3.0, 6.7: behind the header, at whole dwords. */
unsigned nl_card_next(uint16_t function, unsigned at)
{
	uint32_t next = at                                             ? nl_config_peek(function, at, 4) >> 8
	                : nl_config_peek(function, 4, 4) & STATUS_LIST ? nl_config_peek(function, 0x34, 4)
	                                                               : 0;

	return (next & 0xfc) < 0x40 ? 0 : next & 0xfc;
}

/* 6.8.1 */
static bool use_msi(const struct nl_wire_card *card, unsigned at, uint32_t head)
{
	bool wide = head & 1u << 23; /* the address's upper half stands before the data */

	nl_config_poke(card->function, at + 4, 4, card->message_address);
	nl_config_poke(card->function, at + 8, 4, wide ? 0 : card->message_data);
	if (wide)
		nl_config_poke(card->function, at + 12, 4, card->message_data);
	nl_config_poke(card->function, at, 4, (head & ~(7u << 20)) | 1u << 16);
	return true;
}

/* 6.8.2: the first of the table, written while all are masked. */
static bool use_msix(const struct nl_wire_card *card, unsigned at, uint32_t head)
{
	uint32_t where = nl_config_peek(card->function, at + 4, 4);
	volatile uint32_t *entry = nl_card_map(card, where & 7, where & ~7u, 16);

	if (!entry)
		return false;
	nl_config_poke(card->function, at, 4, head | 3u << 30);
	nl_io_put(entry[0], card->message_address);
	nl_io_put(entry[1], 0);
	nl_io_put(entry[2], card->message_data);
	nl_io_put(entry[3], 0);
	nl_config_poke(card->function, at, 4, (head & ~(1u << 30)) | 1u << 31);
	return true;
}

bool nl_card_use_messages(const struct nl_wire_card *card, uint8_t capability)
{
	NL_EACH_CAPABILITY(at, card->function) {
		uint32_t head = nl_config_peek(card->function, at, 4);

		if (card->message_address && (head & 0xff) == capability)
			return capability == NL_CAPABILITY_MSI ? use_msi(card, at, head) : use_msix(card, at, head);
	}
	return false;
}

static uint64_t *table_at(uint64_t *entry)
{
	void *page = *entry ? nl_pool_va(HPA(*entry & ~NL_PAGE_MASK)) : nl_pool_page();

	if (page)
		*entry = nl_pool_hpa(page).v | TABLE;
	return page;
}

/* The direct map would not do: it is write-back where no MTRR says otherwise, and may end below. What was not there
 * before is in no translation cache. */
volatile void *nl_card_map(const struct nl_wire_card *card, unsigned bar, uint64_t offset, uint64_t size)
{
	static unsigned used; /* pages of the window; its last one is left out */
	const unsigned first = used;
	uint64_t *table = nl_pool_va(HPA(nl_boot.host_cr3 & ~NL_PAGE_MASK));

	if (bar >= NL_ARRAY_SIZE(card->bar) || offset > card->bar[bar].size || size > card->bar[bar].size - offset)
		return NULL;
	for (unsigned levels = x86_read_cr4() & CR4_LA57 ? 4 : 3; levels && table; levels--)
		table = table_at(&table[LAST]);
	uint64_t at = card->bar[bar].base + offset;
	for (uint64_t page = at & ~NL_PAGE_MASK; page < at + size; page += NL_PAGE_SIZE) {
		if (!table || used == LAST)
			return NULL;
		table[used++] = page | UNCACHED;
	}
	return (volatile void *)(WINDOW + first * NL_PAGE_SIZE + (at & NL_PAGE_MASK));
}

void nl_card_wait(unsigned us)
{
	for (uint64_t since = x86_rdtsc(); !nl_passed(since, us);)
		x86_pause();
}

/* Copied first, then looked at. A card that was not told whose frames we want shows all. */
unsigned nl_card_take(void *frame, const void *buffer, uint64_t bytes)
{
	if (bytes >= NL_NET_FRAME_MIN && bytes <= NL_NET_FRAME_MAX) {
		const uint8_t *to = memcpy(frame, buffer, bytes);

		if ((to[0] & 1) || !memcmp(to, nl_wire.mac, sizeof(nl_wire.mac))) {
			nl_wire.received++;
			return (unsigned)bytes;
		}
	}
	nl_wire.refused++;
	return 0;
}
