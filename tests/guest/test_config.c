// SPDX-License-Identifier: Apache-2.0
/*
 * The chipset's windows: no write to configuration space, by port or by ECAM, may put one over the hypervisor's
 * memory, and every other access is as on bare hardware. What is aimed at is the arena, where the guest would see an
 * attack and the core would survive it, and only if that was refused the core's own pages.
 */
#include "kernel.h"
#include "region.h"
#include <newleaf/hypercall.h>

#define LPC 0xf8u /* 0:1f.0 */
#define RCBA 0xf0u
#define PCIEXBAR 0x60u
#define RCRB_DEFAULT 0xfed1c000u
#define SCRATCH 0x3cu /* interrupt line: software's own, every function has it */
#define MARKER 0xbadc0de5u

static void outw(uint16_t port, uint16_t v) { __asm__ volatile("outw %0, %1" ::"a"(v), "Nd"(port)); }
static uint16_t inw(uint16_t port)
{
	uint16_t v;
	__asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}
static uint32_t inl(uint16_t port)
{
	uint32_t v;
	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static void aim(uint32_t function, uint32_t reg) { outl(0xcf8, 1u << 31 | function << 8 | (reg & 0xfc)); }
static uint32_t get(uint32_t function, uint32_t reg)
{
	aim(function, reg);
	return inl(0xcfc);
}
static void put(uint32_t function, uint32_t reg, uint32_t v)
{
	aim(function, reg);
	outl(0xcfc, v);
}

static volatile uint8_t *ecam(uint32_t function, uint32_t reg)
{
	return (volatile uint8_t *)((uint64_t)(get(0, PCIEXBAR) & 0xfc000000) + (function << 12) + reg);
}

static volatile uint32_t *at(uint64_t pa) { return (volatile uint32_t *)pa; }

static bool is_q35(void) { return (get(0, 0) == 0x29c08086 || get(0, 0) == 0x29b08086) && (get(0, PCIEXBAR) & 1); }

static bool q35(void)
{
	if (!is_q35())
		skip("no q35 chipset");
	else if (region_base() >> 32)
		skip("the hypervisor's memory lies above 4 GiB, where RCBA does not reach");
	return is_q35() && !(region_base() >> 32);
}

/* One attack: a way to write a value to RCBA. */
struct way {
	const char *name;
	void (*write)(uint32_t v);
};

static void by_port(uint32_t v) { put(LPC, RCBA, v); }

static void by_port_bytes(uint32_t v)
{
	aim(LPC, RCBA);
	for (unsigned i = 4; i--;) /* the enable bit last */
		outb((uint16_t)(0xcfc + i), (uint8_t)(v >> 8 * i));
}

static void by_port_words(uint32_t v)
{
	aim(LPC, RCBA);
	outw(0xcfc, (uint16_t)v);
	outw(0xcfe, (uint16_t)(v >> 16));
}

/* One access over address and data: its last bytes are data. */
static void by_port_across(uint32_t v)
{
	aim(LPC, RCBA);
	outw(0xcfe, (uint16_t)(v >> 16));
	outb(0xcfd, (uint8_t)(v >> 8));
	outw(0xcfb, (uint16_t)(v << 8 | 0x80));
}

static void by_ecam(uint32_t v) { *(volatile uint32_t *)ecam(LPC, RCBA) = v; }

static void by_ecam_pieces(uint32_t v)
{
	*(volatile uint16_t *)ecam(LPC, RCBA + 2) = (uint16_t)(v >> 16);
	*ecam(LPC, RCBA + 1) = (uint8_t)(v >> 8);
	*ecam(LPC, RCBA) = (uint8_t)v;
}

static void by_ecam_wide(uint32_t v) { *(volatile uint64_t *)ecam(LPC, RCBA) = v; }

static void by_ecam_modify(uint32_t v)
{
	volatile uint8_t *p = ecam(LPC, RCBA);

	__asm__ volatile("andl %1, (%0); orl %1, (%0)" ::"r"(p), "r"(v) : "memory", "cc");
}

static void by_ecam_exchange(uint32_t v)
{
	__asm__ volatile("xchgl %0, (%1)" : "+r"(v) : "r"(ecam(LPC, RCBA)) : "memory");
}

/* A form that the core does not decode: #GP while it watches. */
static void by_ecam_string(uint32_t v)
{
	volatile uint8_t *p = ecam(LPC, RCBA);
	uint64_t count = 1;

	(void)TRY("cld; rep stosl", ARGS("+D"(p), "+c"(count)), ARGS("a"(v)));
}

static const struct way ways[] = {
        {"ports", by_port},
        {"ports, bytes", by_port_bytes},
        {"ports, words", by_port_words},
        {"ports, across", by_port_across},
        {"ECAM", by_ecam},
        {"ECAM, pieces", by_ecam_pieces},
        {"ECAM, 64 bits", by_ecam_wide},
        {"ECAM, AND and OR", by_ecam_modify},
        {"ECAM, XCHG", by_ecam_exchange},
        {"ECAM, STOS", by_ecam_string},
};

static void alive(void)
{
	uint32_t r[4];

	for (unsigned i = 0; i < 100; i++) {
		cpuid(1, 0, r);
		EXPECT(r[0] && !(r[2] & 1u << 5), "CPUID answers %x %x", r[0], r[2]);
	}
}

/* What the root complex's registers hold that software may write: shown wherever RCBA puts them. */
static void mark(uint32_t rcba)
{
	put(LPC, RCBA, RCRB_DEFAULT | 1);
	for (uint32_t i = 0; i < NL_PAGE_SIZE; i += 4)
		*at(RCRB_DEFAULT + i) = MARKER;
	put(LPC, RCBA, rcba);
}

static void rcba(void)
{
	uint64_t region = region_base();
	uint64_t core = region + NL_REGION_CORE;
	uint32_t arena = (uint32_t)(region + NL_REGION_ARENA_TEXT), before;

	if (!q35())
		return;
	REQUIRE(region, "no region found");
	before = get(LPC, RCBA);
	mark(before);
	for (unsigned i = 0; i < NL_ARRAY_SIZE(ways); i++) {
		ways[i].write(arena | 1);
		bool shown = *at(arena) == MARKER || get(LPC, RCBA) == (arena | 1);
		REQUIRE(!shown, "%s: RCBA lies over the arena", ways[i].name); /* QEMU may end when it is put back */
		put(LPC, RCBA, before);
	}
	for (unsigned i = 0; i < NL_ARRAY_SIZE(ways) && !failed(); i++) {
		*at(core) = 0x600df00d;
		ways[i].write((uint32_t)core | 1);
		EXPECT(*at(core + NL_PAGE_SIZE) == 0x600df00d, "%s: the sink shows %x", ways[i].name,
		       *at(core + NL_PAGE_SIZE));
		put(LPC, RCBA, before);
		*at(core) = 0;
		alive();
	}
	/* What does not meet the hypervisor's memory goes through. */
	for (unsigned i = 0; i < NL_ARRAY_SIZE(ways); i++) {
		if (ways[i].write == by_port_across || ways[i].write == by_ecam_string)
			continue; /* loses the low byte; refused whatever it writes */
		ways[i].write(RCRB_DEFAULT | 1);
		EXPECT(get(LPC, RCBA) == (RCRB_DEFAULT | 1), "%s: RCBA is %x", ways[i].name, get(LPC, RCBA));
		ways[i].write(0);
		EXPECT(get(LPC, RCBA) == 0, "%s: RCBA is %x", ways[i].name, get(LPC, RCBA));
	}
	put(LPC, RCBA, before);
	note("%u ways", (unsigned)NL_ARRAY_SIZE(ways));
}

/* The second CPU turns the address round between the first one's two writes. */
static volatile bool racing;

static void turn(struct cpu *cpu)
{
	for (cpu->result = 0; racing; cpu->result++)
		aim(LPC, RCBA);
}

static void race(void)
{
	uint32_t arena = (uint32_t)(region_base() + NL_REGION_ARENA_TEXT), before;
	bool shown = false;
	uint64_t i;

	if (!q35())
		return;
	REQUIRE(smp_running() > 1 || smp_start(&cpus[1], 0), "no second CPU");
	before = get(LPC, RCBA);
	racing = true;
	smp_give(&cpus[1], turn);
	for (i = 0; i < rounds(20000) && !shown; i++) {
		aim(LPC, SCRATCH); /* the aim of the check, not of the write */
		for (uint64_t wait = i % 256; wait--;)
			pause();
		outl(0xcfc, arena | 1);
		shown = *at(arena) == MARKER;
	}
	racing = false;
	EXPECT(smp_wait(&cpus[1]), "the second CPU does not come back");
	shown = shown || get(LPC, RCBA) == (arena | 1);
	put(LPC, RCBA, before);
	EXPECT(!shown, "RCBA lies over the arena after %lu rounds", i);
	alive();
	note("%lu rounds, %lu turns", i, cpus[1].result);
}

/*
 * The second CPU lets a device's ports cover address and data, and takes them away again, by memory: then the address
 * that is checked is the device's answer, and what is written may go where the true one says.
 */
static volatile uint16_t *shadow_command;

static void flicker(struct cpu *cpu)
{
	uint16_t off = *shadow_command & 0xfffe;

	for (cpu->result = 0; racing; cpu->result++) {
		*shadow_command = off | 1;
		for (uint64_t wait = cpu->result % 64; wait--;)
			pause();
		*shadow_command = off;
	}
}

static void shadowed(void)
{
	uint32_t arena = (uint32_t)(region_base() + NL_REGION_ARENA_TEXT), before, bar, command, size, f;
	bool shown;

	if (!q35())
		return;
	REQUIRE(smp_running() > 1 || smp_start(&cpus[1], 0), "no second CPU");
	for (f = 8; f < 0xf8; f++) /* a device with ports in its first BAR */
		if (get(f, 0) != UINT32_MAX && !(get(f, 0xc) >> 16 & 0x7f) && (get(f, 0x10) & 1))
			break;
	if (f == 0xf8) {
		skip("no device with ports");
		return;
	}
	before = get(LPC, RCBA);
	bar = get(f, 0x10);
	command = get(f, 4);
	put(f, 4, command & 0xfffe);
	put(f, 0x10, UINT32_MAX);
	size = -(get(f, 0x10) & ~3u);
	put(f, 0x10, 0xcf8 & -size);
	shadow_command = (volatile uint16_t *)ecam(f, 4);
	aim(LPC, RCBA);
	racing = true;
	smp_give(&cpus[1], flicker);
	for (uint64_t i = 0; i < rounds(60000); i++)
		outl(0xcfc, arena | 1);
	racing = false;
	EXPECT(smp_wait(&cpus[1]), "the second CPU does not come back");
	shown = get(LPC, RCBA) == (arena | 1);
	REQUIRE(!shown, "RCBA lies over the arena");
	put(LPC, RCBA, before);
	put(f, 0x10, bar);
	put(f, 4, command);
	alive();
	note("function %x, %u ports, %lu times", f, size, cpus[1].result);
}

/* Where memory and its windows begin and end is not the guest's to change. Each is moved to where it would do no harm.
 */
static void frozen(void)
{
	static const struct {
		uint32_t reg, flip;
	} registers[] = {{PCIEXBAR, 0x10000000}, {PCIEXBAR + 4, 1}, {0x9c, 0x00010800}, {0xb0, 0x1000}};
	uint32_t ecam_base = get(0, PCIEXBAR) & 0xfc000000;
	uint64_t region = region_base();

	if (!q35())
		return;
	for (unsigned i = 0; i < NL_ARRAY_SIZE(registers); i++)
		for (unsigned by_memory = 0; by_memory < 2; by_memory++) {
			uint32_t reg = registers[i].reg, before = get(0, reg);

			if (by_memory)
				*at(ecam_base + reg) = before ^ registers[i].flip;
			else
				put(0, reg, before ^ registers[i].flip);
			uint32_t after = get(0, reg);
			put(0, reg, before);
			EXPECT(after == before, "register %x of the host bridge was %x and is %x", reg, before, after);
		}
	if (failed())
		return;
	put(0, PCIEXBAR, (uint32_t)(region & 0xf0000000) | 1);
	*at(ecam_base + PCIEXBAR) = (uint32_t)(region & 0xf0000000) | 1;
	EXPECT((get(0, PCIEXBAR) & 0xfc000000) == ecam_base, "PCIEXBAR is %x", get(0, PCIEXBAR));
	alive();
}

/* A function whose interrupt line keeps what is written. */
static uint32_t with_scratch(void)
{
	for (uint32_t f = 1; f < 0x100; f++) {
		uint32_t before = get(f, SCRATCH);

		if (get(f, 0) == UINT32_MAX)
			continue;
		put(f, SCRATCH, before ^ 0xff);
		bool kept = (get(f, SCRATCH) & 0xff) == ((before ^ 0xff) & 0xff);
		put(f, SCRATCH, before);
		if (kept)
			return f;
	}
	return 0;
}

/* Everything else is as on bare hardware: this test passes with --bare, too. */
static void ordinary(void)
{
	uint32_t f = with_scratch(), before = get(f, SCRATCH), id = get(0, 0);
	bool has_ecam = is_q35();

	REQUIRE(id != UINT32_MAX && id != 0 && f, "no host bridge, or no function with an interrupt line");
	aim(0, 0);
	EXPECT(inl(0xcf8) == 1u << 31, "the address reads %x", inl(0xcf8));
	for (unsigned i = 0; i < 4; i++)
		EXPECT(inb((uint16_t)(0xcfc + i)) == (uint8_t)(id >> 8 * i), "byte %u of the ID reads %x", i,
		       inb((uint16_t)(0xcfc + i)));
	EXPECT(inw(0xcfc) == (uint16_t)id && inw(0xcfe) == id >> 16, "words of the ID: %x %x", inw(0xcfc), inw(0xcfe));
	outb(0xcf8, 0x44); /* no dword: ordinary ports, the address stays */
	outw(0xcfa, 0x1234);
	EXPECT(inl(0xcf8) == 1u << 31, "the address reads %x after a byte was written", inl(0xcf8));
	outb(0xcf9, 0); /* the reset register */
	EXPECT(inb(0xcf9) == 0, "the reset register reads %x", inb(0xcf9));
	aim(f, SCRATCH);
	for (unsigned i = 1; i < 256; i += 0x23) {
		outb(0xcfc, (uint8_t)i);
		EXPECT(inb(0xcfc) == i, "%x written by byte reads %x", i, inb(0xcfc));
		outw(0xcfc, (uint16_t)(i ^ 0x5a));
		EXPECT(inb(0xcfc) == (i ^ 0x5a), "%x written by word reads %x", i ^ 0x5a, inb(0xcfc));
		outl(0xcfc, i ^ 0xc3);
		EXPECT(inb(0xcfc) == (i ^ 0xc3), "%x written by dword reads %x", i ^ 0xc3, inb(0xcfc));
	}
	if (has_ecam) {
		volatile uint8_t *p = ecam(f, SCRATCH);
		uint64_t flags;

		EXPECT(*(volatile uint32_t *)ecam(0, 0) == id, "ECAM shows %x", *(volatile uint32_t *)ecam(0, 0));
		*p = 0x7f;
		__asm__ volatile("orb $0x80, (%1); pushfq; pop %0" : "=r"(flags) : "r"(p) : "memory", "cc");
		EXPECT(*p == 0xff && (flags & 0x8c5) == 0x84, "7f | 80: %x, flags %lx", *p, flags & 0x8c5);
		__asm__ volatile("andb %b2, (%1); pushfq; pop %0" : "=r"(flags) : "r"(p), "q"(0x3c) : "memory", "cc");
		EXPECT(*p == 0x3c && (flags & 0x8c5) == 4, "ff & 3c: %x, flags %lx", *p, flags & 0x8c5);
		uint32_t eax = 0x77;
		__asm__ volatile("xchgb %b0, (%1)" : "+a"(eax) : "r"(p) : "memory");
		EXPECT(*p == 0x77 && eax == 0x3c, "XCHG: %x, %x comes back", *p, eax);
	}
	put(f, SCRATCH, before);
}

/* What is no call to the call port is done for everybody: a serial port's ports are put there, 4E48 to 4E4F. */
enum { CALL = 0x4e4c, MCR = CALL, LSR, MSR, SCR }; /* MCR keeps 5 bits, SCR all */

static void neighbours(void)
{
	uint32_t f = 0, bar, command;

	while (f < 0x100 && get(f, 0) != 0x00021b36)
		f++;
	if (f == 0x100) {
		skip("no PCI serial port");
		return;
	}
	bar = get(f, 0x10);
	command = get(f, 4);
	put(f, 0x10, CALL & ~7u);
	put(f, 4, command | 1);
	outb(SCR, 0x5a);
	EXPECT(inb(SCR) == 0x5a, "the serial port is not there: %x", inb(SCR));
	outb(MCR, 0x13);
	EXPECT(inb(MCR) == 0x13, "a byte to the call port reads %x", inb(MCR));
	outl(CALL, 0xa6000011);
	EXPECT(inb(SCR) == 0xa6 && inb(MCR) == 0x11, "a dword to the call port: %x %x", inb(SCR), inb(MCR));
	outw(CALL, 0x10);
	EXPECT(inb(MCR) == 0x10, "a word to the call port reads %x", inb(MCR));
	EXPECT(inl(CALL) >> 24 == 0xa6, "a dword from the call port reads %x", inl(CALL));
	EXPECT((uint8_t)inw(CALL) == 0x10, "a word from the call port reads %x", inw(CALL));
	outl(CALL, NL_CALL_MAGIC); /* not from CPL 3: no call */
	EXPECT(inb(SCR) == NL_CALL_MAGIC >> 24, "the magic value: %x", inb(SCR));
	put(f, 4, command);
	put(f, 0x10, bar);
}

/* A device's memory does not win over RAM: were it otherwise, BARs would need a watch, too. */
static void bars(void)
{
	uint8_t *page = page_alloc(8);
	uint64_t target = ((uint64_t)page + 0x3fff) & ~0x3fffULL;
	unsigned tried = 0;

	for (unsigned i = 0; i < 0x4000; i += 8)
		*(volatile uint64_t *)(target + i) = 0x6e65776c00000000 | i;
	for (uint32_t f = 0; f < 0x100; f += 8) {
		if (get(f, 0) == UINT32_MAX || (get(f, 0xc) >> 16 & 0x7f))
			continue;
		for (uint32_t reg = 0x10; reg < 0x28; reg += 4) {
			uint32_t before = get(f, reg), command = get(f, 4), upper = 0;
			bool wide = (before & 6) == 4;

			if (!before || (before & 1))
				continue;
			if (wide) {
				upper = get(f, reg + 4);
				put(f, reg + 4, 0);
			}
			put(f, reg, (uint32_t)target | (before & 15));
			put(f, 4, command | 2);
			for (unsigned i = 0; i < 0x4000; i += 8)
				EXPECT(*(volatile uint64_t *)(target + i) == (0x6e65776c00000000 | i),
				       "function %x, BAR %x: memory shows %lx at %x", f, reg,
				       *(volatile uint64_t *)(target + i), i);
			put(f, 4, command);
			put(f, reg, before);
			if (wide)
				put(f, reg + 4, upper);
			reg += wide ? 4 : 0;
			tried++;
		}
	}
	if (!tried)
		skip("no memory BAR on bus 0");
	note("%u BARs", tried);
}

const struct test config_tests[] = {
        {"config-ordinary", ordinary, 0},
        {"config-bars", bars, 0},
        {"config-neighbours", neighbours, 0},
        {"config-frozen", frozen, NEWLEAF_ONLY},
        {"config-rcba", rcba, NEWLEAF_ONLY},
        {"config-race", race, NEWLEAF_ONLY | SMP_ONLY},
        {"config-shadowed", shadowed, NEWLEAF_ONLY | SMP_ONLY},
        {NULL, NULL, 0},
};
