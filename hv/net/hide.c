// SPDX-License-Identifier: Apache-2.0
/*
 * Hiding of a card: PCI Local Bus 3.0, 6.2 (header), PCI-to-PCI Bridge 1.2, 3.2. All functions go with function 0,
 * since nobody finds them without it; any other goes alone, because its siblings may be the chipset's. What is not used
 * is switched off, and stays so: there is no way to the command register.
 */
#include "net/hide.h"
#include "core/core.h"
#include "core/pool.h"
#include "view/base.h"
#include "view/current.h"
#include "x86.h"

#define ADDRESS 0xcf8
#define DATA 0xcfc
#define BRIDGE_WITHOUT_MEMORY 0x12378086u /* 440FX: no configuration space in memory */
#define COMMAND 0x04u
#define COMMAND_MEMORY 2u
#define COMMAND_OFF 0x400u /* nothing but: no INTx */
#define TYPE 0x0eu
#define TYPE_SEVERAL 0x80u
#define BARS 0x10u
#define BAR_FLAGS 15u
#define WINDOWS 0x20u /* of bridges */
#define ROM 0x30u
#define ROM_FLAGS 0x7ffu
#define ROM_OF_BRIDGE 0x38u
#define PLACES_END 0x3cu

static uint16_t card; /* 0: none */
static uint16_t mask; /* what of a function's number says that it is hidden with the card */
static struct nl_boot_range bars[6];
uint64_t nl_hide_nothing;

/* By ports only where nothing else is: other devices may lie over them. */
void nl_config_poke(uint16_t function, unsigned reg, unsigned width, uint32_t value)
{
	uint32_t before;

	if (nl_config_page(function)) {
		nl_config_memory(nl_config_page(function) + reg, width, true, value);
		return;
	}
	before = x86_inl(ADDRESS);
	x86_outl(ADDRESS, 1u << 31 | (uint32_t)function << 8 | (reg & 0xfc));
	x86_out(DATA + (reg & 3), width, value);
	x86_outl(ADDRESS, before);
}

bool nl_hides(uint16_t function) { return card && !((function ^ card) & mask); }

bool nl_hide_meets(uint64_t at, uint64_t size)
{
	NL_EACH(b, bars, NL_ARRAY_SIZE(bars))
		if (at < b->base + b->size && b->base < at + size)
			return true;
	return false;
}

/* What stays of ones: 0 = there is no such register. */
static uint32_t sized(uint16_t f, unsigned reg)
{
	uint32_t was = nl_config_peek(f, reg, 4), got;

	nl_config_poke(f, reg, 4, UINT32_MAX);
	got = nl_config_peek(f, reg, 4);
	nl_config_poke(f, reg, 4, was);
	return got;
}

/* Of a BAR or an expansion ROM, while the function decodes nothing. size 0: none of memory, or a ROM that is off. */
static struct nl_boot_range place(uint16_t f, unsigned reg, uint32_t flags, bool *wide)
{
	uint32_t low = nl_config_peek(f, reg, 4), got = sized(f, reg);
	uint64_t base = low & ~flags, bits = UINT32_MAX;

	*wide = flags == BAR_FLAGS && (low & 7) == 4;
	if (!got || (flags == BAR_FLAGS) == (low & 1))
		return (struct nl_boot_range){0};
	if (*wide) {
		base |= (uint64_t)nl_config_peek(f, reg + 4, 4) << 32;
		bits = sized(f, reg + 4);
	}
	return (struct nl_boot_range){base, -(bits << 32 | (got & ~flags))};
}

static bool place_meets(uint16_t f, unsigned reg, uint32_t flags, bool *wide)
{
	struct nl_boot_range r = place(f, reg, flags, wide);

	return r.size && nl_hide_meets(r.base, r.size);
}

/* Base and limit of a bridge: upper bits of the halves of a register, and the rest of them. */
static bool window_meets(uint32_t low, uint64_t base, uint64_t limit)
{
	base = base << 32 | (low & 0xfff0) << 16;
	limit = limit << 32 | (low & 0xfff00000) | 0xfffff;
	/* All but its last byte: all of memory is a size, too. */
	return base <= limit && nl_hide_meets(base, limit - base);
}

static bool any_meets(uint16_t f)
{
	bool bridge = (nl_config_peek(f, TYPE, 1) & 0x7f) == 1, wide;
	bool meets = place_meets(f, bridge ? ROM_OF_BRIDGE : ROM, ROM_FLAGS, &wide);

	for (unsigned at = BARS; at < (bridge ? 0x18 : 0x28); at += wide ? 8 : 4)
		meets = place_meets(f, at, BAR_FLAGS, &wide) || meets;
	return meets || (bridge && (window_meets(nl_config_peek(f, WINDOWS, 4), 0, 0) ||
	                            window_meets(nl_config_peek(f, WINDOWS + 4, 4), nl_config_peek(f, WINDOWS + 8, 4),
	                                         nl_config_peek(f, WINDOWS + 12, 4))));
}

/* Of the bytes that say where something is; returns what they were. */
static uint64_t lay(uint16_t f, unsigned reg, unsigned width, uint64_t value)
{
	uint64_t was = 0;

	for (unsigned i = 0; i < width; i++)
		if (reg + i >= BARS && reg + i < PLACES_END) {
			was |= (uint64_t)nl_config_peek(f, reg + i, 1) << 8 * i;
			nl_config_poke(f, reg + i, 1, (uint8_t)(value >> 8 * i));
		}
	return was;
}

/* Tried on the function itself, with decoding off. What neither moves nor switches on loses no access for it. */
const char *nl_hide_refuse(uint16_t f, unsigned reg, unsigned width, uint64_t value)
{
	uint32_t command = card && reg < PLACES_END ? nl_config_peek(f, COMMAND, 2) : UINT16_MAX, then = command;
	uint64_t was;
	bool meets;

	if (reg <= COMMAND && COMMAND < reg + width)
		then = (uint32_t)(value >> 8 * (COMMAND - reg));
	if (command == UINT16_MAX || !(then & COMMAND_MEMORY) || ((command & COMMAND_MEMORY) && reg + width <= BARS))
		return NULL;
	nl_config_poke(f, COMMAND, 2, command & ~COMMAND_MEMORY);
	was = lay(f, reg, width, value);
	meets = any_meets(f);
	lay(f, reg, width, was);
	nl_config_poke(f, COMMAND, 2, command);
	return meets ? "registers of the network card" : NULL;
}

/* What the guest finds where nothing is. */
static enum nl_err veil(const struct nl_boot_range *r, hpa_t nothing, enum nl_rights rights)
{
	enum nl_err err = r->size % NL_PAGE_SIZE ? NL_EUNSUPPORTED : NL_OK;

	for (uint64_t at = r->base; at < r->base + r->size && !err; at += NL_PAGE_SIZE)
		err = nl_is_guest_ram(GPA(at)) ? NL_ECARD : nl_base_page(GPA(at), nothing, rights);
	return err;
}

/* Every page of configuration space is watched from now on, since any function may have a BAR. The hidden ones show one
 * of the slot that is absent: there all accesses are answered by the machine itself. */
static enum nl_err watch(void)
{
	uint64_t page, absent = 0;
	enum nl_err err = NL_OK;

	for (unsigned f = card & ~7u; f <= (card | 7u); f++)
		if (nl_config_peek((uint16_t)f, 0, 4) == UINT32_MAX)
			absent = nl_config_page((uint16_t)f);
	for (unsigned f = 0; !err && (page = nl_config_page((uint16_t)f)) && f <= UINT16_MAX; f++)
		if (!nl_hides((uint16_t)f))
			err = nl_base_page(GPA(page), HPA(page), NL_R);
		else
			err = absent ? nl_base_page(GPA(page), HPA(absent), NL_RWX) : NL_EUNSUPPORTED;
	return err;
}

enum nl_err nl_hide_card(uint16_t function, struct nl_wire_card *out)
{
	uint8_t type = (uint8_t)nl_config_peek(function, TYPE, 1);
	uint64_t *nothing = nl_pool_page();
	enum nl_err err = nothing ? NL_OK : NL_ENOMEM;
	bool wide;

	if (!nl_config_page(function) && nl_config_peek(0, 0, 4) != BRIDGE_WITHOUT_MEMORY)
		return NL_EMACHINE;
	if (type & ~TYPE_SEVERAL) /* 0xff: nobody is there */
		return NL_ECARD;
	card = function;
	mask = !(function & 7) && (type & TYPE_SEVERAL) ? 0xfff8 : 0xffff;
	for (unsigned f = card & ~7u; f <= (card | 7u); f++)
		if (nl_hides((uint16_t)f))
			nl_config_poke((uint16_t)f, COMMAND, 2, COMMAND_OFF);
	nl_config_poke(card, ROM, 4, 0);
	nl_hide_nothing = UINT64_MAX;
	for (unsigned i = 0, reg = BARS; i < NL_ARRAY_SIZE(bars); i += wide ? 2 : 1, reg = BARS + 4 * i) {
		uint32_t was = nl_config_peek(card, reg, 4);

		bars[i] = place(card, reg, BAR_FLAGS, &wide);
		/* Away from there, since to some emulators a place counts whatever the command register says. */
		nl_config_poke(card, reg, 4, 0);
		if (bars[i].size && bars[i].base < nl_boot.direct_size)
			nl_hide_nothing = nl_config_memory(bars[i].base, 8, false, 0);
		if (bars[i].size)
			nl_config_poke(card, reg, 4, was);
	}
	for (unsigned i = 0; nothing && i < NL_PAGE_SIZE / sizeof(*nothing); i++)
		nothing[i] = nl_hide_nothing;
	NL_EACH(b, bars, NL_ARRAY_SIZE(bars))
		err = err ? err : veil(b, nl_pool_hpa(nothing), NL_R);
	memcpy(out->bar, bars, sizeof(bars));
	out->function = function;
	return err ? err : watch();
}
