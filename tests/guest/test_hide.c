// SPDX-License-Identifier: Apache-2.0
/*
 * The hypervisor's own network card: its slot is as empty as any, and nothing is where its registers are, whatever way
 * somebody looks. Each of the tests without NEWLEAF_ONLY passes as well on a machine without the card, where the runner
 * names the same slot and the same place: that is what they compare.
 */
#include "kernel.h"

#define FORMS 4
enum { COMMAND = 4, TYPE = 0xe, BAR = 0x10, ROM = 0x30 };

static uint64_t in(uint16_t port, unsigned width)
{
	uint32_t v = 0;

	if (width == 1)
		__asm__ volatile("inb %1, %b0" : "+a"(v) : "d"(port));
	else if (width == 2)
		__asm__ volatile("inw %1, %w0" : "+a"(v) : "d"(port));
	else
		__asm__ volatile("inl %1, %0" : "+a"(v) : "d"(port));
	return v;
}

static void out(uint16_t port, unsigned width, uint32_t v)
{
	if (width == 1)
		__asm__ volatile("outb %b0, %1" ::"a"(v), "d"(port));
	else if (width == 2)
		__asm__ volatile("outw %w0, %1" ::"a"(v), "d"(port));
	else
		__asm__ volatile("outl %0, %1" ::"a"(v), "d"(port));
}

static uint32_t address(uint32_t f, uint32_t reg) { return 1u << 31 | f << 8 | (reg & 0xfc); }
static uint32_t get(uint32_t f, uint32_t reg)
{
	outl(0xcf8, address(f, reg));
	return (uint32_t)in(0xcfc, 4);
}
static void put(uint32_t f, uint32_t reg, unsigned width, uint32_t v)
{
	outl(0xcf8, address(f, reg));
	out((uint16_t)(0xcfc + (reg & 3)), width, v);
}

static uint64_t read_at(uint64_t at, unsigned width)
{
	volatile void *p = (volatile void *)at;

	return width == 1   ? *(volatile uint8_t *)p
	       : width == 2 ? *(volatile uint16_t *)p
	       : width == 4 ? *(volatile uint32_t *)p
	                    : *(volatile uint64_t *)p;
}

static void write_at(uint64_t at, unsigned width, uint64_t v)
{
	volatile void *p = (volatile void *)at;

	if (width == 1)
		*(volatile uint8_t *)p = (uint8_t)v;
	else if (width == 2)
		*(volatile uint16_t *)p = (uint16_t)v;
	else if (width == 4)
		*(volatile uint32_t *)p = (uint32_t)v;
	else
		*(volatile uint64_t *)p = v;
}

static bool named(void)
{
	if (!machine.card)
		skip("no card is named");
	return machine.card;
}

/* q35 alone of those that these tests run on. */
static uint64_t ecam(void)
{
	uint32_t id = get(0, 0), base = get(0, 0x60);

	return (id == 0x29c08086 || id == 0x29b08086) && (base & 1) ? base & 0xfc000000 : 0;
}

/* Of bus 0, another than the card's. */
static uint32_t empty_slot(void)
{
	for (uint32_t f = 8; f < 0x100; f += 8)
		if (f != (machine.card & ~7u) && get(f, 0) == UINT32_MAX)
			return f;
	return 0;
}

/* For the runner, which asks a machine without Newleaf. */
static void find(void)
{
	uint32_t ports = 0, place = 0, size = 0;

	if (!named())
		return;
	if (get(machine.card, 0) == UINT32_MAX)
		skip("the card is not there");
	put(machine.card, COMMAND, 2, 0);
	for (uint32_t reg = BAR; reg < 0x28; reg += 4) {
		uint32_t was = get(machine.card, reg);

		if (was & 1) {
			ports = was & ~3u;
		} else if (was && !(was & 4) && !place) {
			put(machine.card, reg, 4, UINT32_MAX);
			place = was & ~15u;
			size = -(get(machine.card, reg) & ~15u);
			put(machine.card, reg, 4, was);
		}
		reg += (was & 5) == 4 ? 4 : 0;
	}
	note("%x and %x more bytes, ports at %x", place, size, ports);
}

/* Address and data in every width, over every end, for each register; and then the address reads as it was written. */
static void ports(void)
{
	uint32_t empty = empty_slot(), slot = machine.card & ~7u;
	unsigned n = 0;

	if (!named())
		return;
	REQUIRE(empty, "no slot is empty");
	for (uint32_t fn = 0; fn < 8; fn++)
		for (uint32_t reg = 0; reg < 0x100; reg += 4)
			for (uint16_t port = 0xcf8; port < 0xd00; port++)
				for (unsigned width = 1; width <= 4; width *= 2, n++) {
					uint64_t want, got;

					outl(0xcf8, address(empty | fn, reg));
					want = in(port, width);
					outl(0xcf8, address(slot | fn, reg));
					got = in(port, width);
					/* What shows the address itself. */
					for (unsigned i = 0; i < width; i++)
						if (port + i < 0xcfc) {
							want &= ~(0xffULL << 8 * i);
							got &= ~(0xffULL << 8 * i);
						}
					EXPECT(got == want, "function %x, register %x: port %x, %u bytes: %lx, not %lx",
					       slot | fn, reg, port, width, got, want);
					EXPECT(in(0xcf8, 4) == address(slot | fn, reg), "the address reads %lx, not %x",
					       in(0xcf8, 4), address(slot | fn, reg));
				}
	for (uint32_t reg = 0; reg < 0x40; reg += 4)
		for (unsigned width = 1; width <= 4; width *= 2)
			for (unsigned at = 0; at < 4; at += width) {
				outl(0xcf8, address(slot, reg));
				out((uint16_t)(0xcfc + at), width, 0x01020304);
				EXPECT(in(0xcfc, 4) == UINT32_MAX && in(0xcf8, 4) == address(slot, reg),
				       "register %x: %lx after a write of %u bytes", reg, in(0xcfc, 4), width);
			}
	/* Whoever asks for nothing gets nothing, and the address keeps what it was given. */
	outl(0xcf8, address(slot, 0) & ~(1u << 31));
	EXPECT(in(0xcf8, 4) == (slot << 8), "an address without its enable bit reads %lx", in(0xcf8, 4));
	outl(0xcf8, address(0, 0));
	EXPECT((in(0xcfc, 4) & 0xffff) != 0xffff, "the host bridge is gone");
	note("%u reads", n);
}

/* All widths at all offsets, over the end of the page as well; then writes by everything that writes. */
static void memory(void)
{
	uint64_t base = ecam(), slot = base + ((machine.card & ~7ULL) << 12), empty;
	unsigned n = 0;

	if (!named())
		return;
	if (!base) {
		skip("no configuration space in memory");
		return;
	}
	empty = base + ((uint64_t)empty_slot() << 12);
	REQUIRE(empty != base, "no slot is empty");
	for (uint32_t fn = 0; fn < 8; fn++)
		for (unsigned width = 1; width <= 8; width *= 2)
			for (uint32_t reg = 0; reg < 0x1000 - (fn == 7 ? width - 1 : 0); reg++, n++) {
				uint64_t want = read_at(empty + (fn << 12) + reg, width),
				         got = read_at(slot + (fn << 12) + reg, width);

				EXPECT(got == want, "function %u, register %x: %u bytes read %lx, not %lx", fn, reg,
				       width, got, want);
			}
	for (unsigned width = 1; width <= 8; width *= 2)
		for (uint32_t reg = 0; reg < 0x60; reg++)
			write_at(slot + reg, width, 0x1020304);
	__asm__ volatile("lock orl $7, 4(%0); xchgl %1, 4(%0)" ::"r"(slot), "r"(7) : "memory", "cc");
	uint64_t to = slot, count = 0x400;
	__asm__ volatile("cld; rep stosl" : "+D"(to), "+c"(count) : "a"(7) : "memory");
	for (uint32_t reg = 0; reg < 0x1000; reg += 4)
		EXPECT(read_at(slot + reg, 4) == UINT32_MAX, "register %x is %lx after writes", reg,
		       read_at(slot + reg, 4));
	note("%u reads", n);
}

/* What a machine shows where nothing is: its own answer, asked of a place that no BAR can have. */
static void registers(void)
{
	uint64_t place = machine.place, nothing;
	unsigned n = 0;

	if (!named())
		return;
	if (!place) {
		skip("its place is not named");
		return;
	}
	nothing = read_at(place, 8);
	for (unsigned width = 1; width <= 8; width *= 2)
		for (uint64_t at = 0; at + width <= machine.place_size; at += at < 0x6000 ? 1 : 0xfff, n++)
			EXPECT(read_at(place + at, width) == (nothing & UINT64_MAX >> (64 - 8 * width)),
			       "%lx: %u bytes read %lx, not %lx", place + at, width, read_at(place + at, width),
			       nothing);
	for (unsigned width = 1; width <= 8; width *= 2)
		for (uint64_t at = 0; at < 0x6000 && at + width <= machine.place_size; at += width * 13, n++)
			write_at(place + at, width, 0x0405060708090a0bULL);
	for (uint64_t at = 0; at + 8 <= machine.place_size; at += at < 0x6000 ? 8 : 0x1000)
		EXPECT(read_at(place + at, 8) == nothing, "%lx reads %lx after writes", place + at,
		       read_at(place + at, 8));
	for (unsigned i = 0; machine.ports && i < 0x20; i += 4)
		for (unsigned width = 1; width <= 4; width *= 2, n++) {
			out((uint16_t)(machine.ports + i), width, 0);
			EXPECT(in((uint16_t)(machine.ports + i), width) == UINT32_MAX >> (32 - 8 * width),
			       "port %x reads %lx", machine.ports + i, in((uint16_t)(machine.ports + i), width));
		}
	EXPECT(nothing == 0 || nothing == UINT64_MAX, "where nothing should be, %lx is", nothing);
	note("%u accesses, nothing reads %lx", n, nothing);
}

/* The second CPU turns the address round between the first one's two accesses: whoever is named, it is never the card.
 */
static volatile bool racing;

static void turn(struct cpu *cpu)
{
	for (cpu->result = 0; racing; cpu->result++)
		outl(0xcf8, address(cpu->result & 1 ? machine.card : 0, 0));
}

static void race(void)
{
	uint32_t host = get(0, 0), seen;
	uint64_t i, empty = 0;

	if (!named())
		return;
	REQUIRE(smp_running() > 1 || smp_start(&cpus[1], 0), "no second CPU");
	racing = true;
	smp_give(&cpus[1], turn);
	for (i = 0; i < rounds(20000) && !failed(); i++) {
		outl(0xcf8, address(i & 1 ? machine.card : 0, 0));
		for (uint64_t wait = i % 64; wait--;)
			pause();
		seen = (uint32_t)in(0xcfc, 4);
		empty += seen == UINT32_MAX;
		EXPECT(seen == host || seen == UINT32_MAX, "%x answers", seen);
		seen = (uint32_t)in(0xcf8, 4);
		EXPECT(seen == address(0, 0) || seen == address(machine.card, 0), "the address reads %x", seen);
	}
	racing = false;
	EXPECT(smp_wait(&cpus[1]), "the second CPU does not come back");
	EXPECT(empty > 0 && empty < i, "of %lu reads %lu of nothing", i, empty);
	note("%lu reads, %lu of nothing, %lu turns", i, empty, cpus[1].result);
}

/* Who is there, of all functions that there can be: the runner compares with a machine without the card. */
static uint64_t mix(uint64_t sum, uint64_t v) { return (sum ^ v) * 0x100000001b3ULL; }

static void space(void)
{
	uint32_t last = (uint32_t)rounds(0x10000), found = 0;
	uint64_t sum = 0xcbf29ce484222325ULL, base = ecam();
	static const uint8_t fixed[] = {0x00, 0x08, 0x2c, 0x34}; /* nothing that the firmware chooses */

	if (!named())
		return;
	for (uint32_t f = 0; f < last; f++) {
		uint32_t id = get(f, 0);

		EXPECT(!base || read_at(base + ((uint64_t)f << 12), 4) == id, "function %x: %x by port, %lx in memory",
		       f, id, read_at(base + ((uint64_t)f << 12), 4));
		if (id == UINT32_MAX)
			continue;
		found++;
		sum = mix(sum, f);
		for (unsigned i = 0; i < NL_ARRAY_SIZE(fixed); i++)
			sum = mix(sum, get(f, fixed[i]));
		sum = mix(sum, get(f, 0xc) >> 16 & 0xff);
	}
	note("of %u functions %u are there, sum %lx", last, found, sum);
}

/* The ways to put something over the card's registers: each is refused, and what does not meet them goes through. */
static bool by_memory;

static void set(uint32_t f, uint32_t reg, unsigned width, uint32_t v)
{
	if (by_memory)
		write_at(ecam() + ((uint64_t)f << 12) + reg, width, v);
	else
		put(f, reg, width, v);
}

/* The whole of a register, the upper half of a wide one last: only then it is there. */
static void move(uint32_t f, uint32_t reg, bool wide, uint64_t v)
{
	set(f, reg, 4, (uint32_t)v);
	if (wide)
		set(f, reg + 4, 4, (uint32_t)(v >> 32));
}

static uint64_t held(uint32_t f, uint32_t reg, bool wide)
{
	return (wide ? (uint64_t)get(f, reg + 4) << 32 : 0) | get(f, reg);
}

static bool is_at(uint32_t f, uint32_t reg, bool wide, uint64_t target)
{
	uint64_t v = held(f, reg, wide);

	return (v ^ target) < 0x800 && (reg != ROM || (v & 1)); /* a ROM's bit 0 says that it is on */
}

static void over(uint32_t f, uint32_t reg, bool wide, uint64_t target)
{
	uint64_t was = held(f, reg, wide), nothing = read_at(machine.place, 8);
	uint32_t command = get(f, COMMAND) & 0xffff;

	/* At rest it may stand anywhere, but cannot be switched on there. */
	set(f, COMMAND, 2, command & ~2u);
	move(f, reg, wide, (wide ? ~0ULL : UINT32_MAX) << 11 | 1);
	target &= held(f, reg, wide) | 0x7ff; /* from the last place on from where it reaches the card's */
	move(f, reg, wide, target);
	EXPECT((held(f, reg, wide) ^ target) < 0x800, "function %x: register %x at rest is %lx", f, reg,
	       held(f, reg, wide));
	set(f, COMMAND, 2, command | 2);
	EXPECT(!(get(f, COMMAND) & 2), "function %x: %x was switched on over the card", f, reg);
	move(f, reg, wide, was);
	set(f, COMMAND, 2, command | 2);
	EXPECT(get(f, COMMAND) & 2, "function %x cannot be switched on any more", f);
	/* And once it is on, it cannot be moved there, not byte by byte either. */
	move(f, reg, wide, target);
	EXPECT(!is_at(f, reg, wide, target), "function %x: register %x lies over the card", f, reg);
	for (unsigned i = wide ? 8 : 4; i--;)
		set(f, reg + i, 1, target >> 8 * i & 0xff);
	EXPECT(!is_at(f, reg, wide, target), "function %x: register %x lies over the card, by bytes", f, reg);
	EXPECT(read_at(machine.place, 8) == nothing, "the card's place shows %lx", read_at(machine.place, 8));
	set(f, COMMAND, 2, command & ~2u);
	move(f, reg, wide, was);
	set(f, COMMAND, 2, command);
	EXPECT(held(f, reg, wide) == was && (get(f, COMMAND) & 0xffff) == command, "function %x: %lx, command %x", f,
	       held(f, reg, wide), get(f, COMMAND));
}

static void overlaps(void)
{
	unsigned bars = 0, roms = 0, bridges = 0;
	uint32_t place = (uint32_t)machine.place;

	if (!named())
		return;
	if (!machine.place) {
		skip("its place is not named");
		return;
	}
	for (by_memory = false; !failed(); by_memory = true) {
		for (uint32_t f = 8; f < 0x100; f++) {
			uint32_t id = get(f, 0), type = get(f, TYPE & ~3) >> 16 & 0x7f;
			uint32_t rom = get(f, ROM);

			if (id == UINT32_MAX || f == 0xf8)
				continue;
			for (uint32_t reg = BAR; reg < (type ? 0x18 : 0x28); reg += 4) {
				uint32_t v = get(f, reg);
				bool wide = (v & 7) == 4;

				if (v && !(v & 3) && ++bars)
					over(f, reg, wide, place | (v & 15));
				reg += wide ? 4 : 0;
			}
			if (!type && (rom & ~1u) && ++roms)
				over(f, ROM, false, place | 1);
			if (type == 1 && ++bridges)
				over(f, 0x20, false, (place & 0xfff00000) | (place >> 16 & 0xfff0));
		}
		if (by_memory || !ecam())
			break;
	}
	if (!bars && !roms && !bridges)
		skip("nothing here can be moved");
	note("%u BARs, %u ROMs, %u bridges", bars, roms, bridges);
}

const struct test hide_tests[] = {
        {"hide-find", find, 0},
        {"hide-ports", ports, 0},
        {"hide-memory", memory, 0},
        {"hide-registers", registers, 0},
        {"hide-race", race, SMP_ONLY},
        {"hide-space", space, 0},
        {"hide-overlaps", overlaps, NEWLEAF_ONLY},
        {NULL, NULL, 0},
};
