// SPDX-License-Identifier: Apache-2.0
/*
 * The hypervisor's memory from the guest's kernel mode: reading shows the sink, writing reaches nothing but the sink,
 * the arena keeps its rights.
 */
#include "kernel.h"
#include "region.h"

static volatile uint64_t *word(uint64_t pa) { return (volatile uint64_t *)pa; }

/* Do two pages show the same memory? Leaves both as they were. */
static bool same_page(uint64_t a, uint64_t b)
{
	uint64_t before_a = *word(a), before_b = *word(b);
	bool same;

	*word(a) = 0x6e65776c65616621;
	same = *word(b) == 0x6e65776c65616621;
	*word(a) = 0x1234567890abcdef;
	same = same && *word(b) == 0x1234567890abcdef;
	*word(b) = before_b;
	*word(a) = before_a;
	return same;
}

#define HIDDEN (NL_REGION_SIZE(1) - NL_REGION_CORE) /* at least */

static bool is_hidden(uint64_t at)
{
	return same_page(at, at + NL_PAGE_SIZE) && same_page(at, at + HIDDEN - NL_PAGE_SIZE);
}

uint64_t region_base(void)
{
	static uint64_t found;

	if (found && !is_hidden(found + NL_REGION_CORE))
		found = 0; /* it was hidden and is not any more: the caller sees another answer */
	for (unsigned i = 0; i < machine.n_reserved && !found; i++) {
		uint64_t end = machine.reserved[i].base + machine.reserved[i].size,
		         at = (machine.reserved[i].base + NL_2M - 1) & ~(NL_2M - 1);

		for (; at + NL_REGION_SIZE(1) <= end && !found; at += NL_2M)
			if (is_hidden(at + NL_REGION_CORE))
				found = at;
	}
	return found;
}

static uint64_t hidden_base(void)
{
	uint64_t base = region_base();

	return base ? base + NL_REGION_CORE : 0;
}

/* Every word of every hidden page equals the word of the first page. Nothing else may be seen, so nothing of the core
 * can be. */
static void compare_all(void)
{
	uint64_t base = hidden_base();

	for (uint64_t at = NL_PAGE_SIZE; at < HIDDEN; at += 8)
		if (*word(base + at) != *word(base + (at & NL_PAGE_MASK))) {
			fail("offset %lx shows %lx", at, *word(base + at));
			return;
		}
}

static void hidden_read(void)
{
	uint64_t base = hidden_base();

	REQUIRE(base, "no region found in %u reserved ranges", machine.n_reserved);
	for (uint64_t at = 0; at < NL_PAGE_SIZE; at += 8)
		EXPECT(*word(base + at) == 0, "offset %lx of the sink shows %lx before anything was written", at,
		       *word(base + at));
	compare_all();
	note("region at %lx", region_base());
}

static void hypervisor_alive(void)
{
	uint32_t r[4];

	for (unsigned i = 0; i < 100; i++) {
		cpuid(1, 0, r);
		EXPECT(r[0] && !(r[2] & 1u << 5), "CPUID answers %x %x", r[0], r[2]);
		msr(EFER);
	}
}

static void hidden_write(void)
{
	uint64_t base = hidden_base();

	REQUIRE(base, "no region found");
	for (uint64_t at = 0; at < HIDDEN; at += 8) /* every word of it */
		*word(base + at) = 0xcccccccccccccccc ^ at;
	hypervisor_alive();
	compare_all();
	EXPECT(*word(base) == (0xcccccccccccccccc ^ (HIDDEN - NL_PAGE_SIZE)), "the sink shows %lx", *word(base));
	for (unsigned i = 0; i < 512; i++) /* with locked and with string instructions */
		__asm__ volatile("lock incq %0" : "+m"(*word(base + i * 0x6000 % HIDDEN)));
	memset((void *)(base + 0x3000), 0, 0x10000);
	compare_all();
	hypervisor_alive();
}

static void arena_text(void)
{
	uint64_t base = region_base() + NL_REGION_ARENA_TEXT;

	REQUIRE(region_base(), "no region found");
	for (uint64_t at = 0; at < NL_2M; at += 0x1ff000 / 3 & ~7ULL) {
		uint64_t before = *word(base + at);

		EXPECT_VECTOR(TRY("movq $-1, %0", ARGS("=m"(*word(base + at))), ARGS()), GP, "write to arena text");
		EXPECT_VECTOR(TRY("lock incq %0", ARGS("+m"(*word(base + at))), ARGS()), GP,
		              "locked write to arena text");
		EXPECT(*word(base + at) == before, "arena text was %lx and is %lx", before, *word(base + at));
	}
}

static void arena_data(void)
{
	uint64_t base = region_base() + NL_REGION_ARENA_DATA;

	REQUIRE(region_base(), "no region found");
	for (uint64_t at = 0; at < NL_2M; at += NL_PAGE_SIZE)
		*word(base + at) = at ^ 0xdada;
	for (uint64_t at = 0; at < NL_2M; at += NL_PAGE_SIZE)
		EXPECT(*word(base + at) == (at ^ 0xdada), "arena data at %lx shows %lx", at, *word(base + at));
	*word(base) = 0x90e3ff41; /* jmp *%r11: back behind the TRY if it could be executed */
	EXPECT_VECTOR(TRY("jmp *%0", ARGS(), ARGS("r"(base))), GP, "execute in arena data");
	for (uint64_t at = 0; at < NL_2M; at += NL_PAGE_SIZE)
		*word(base + at) = 0;
}

/* A guest page table that lies in read-only memory: the walk is refused, or finds nothing, and the guest goes on. */
static void table_in_arena(void)
{
	uint64_t *pd =
	        (uint64_t *)(*(uint64_t *)((*(uint64_t *)((read_cr4() & CR4_LA57 ? *(uint64_t *)kernel_cr3() & ~0xfffULL
	                                                                         : kernel_cr3()) +
	                                                  8) &
	                                    ~0xfffULL)) &
	                     ~0xfffULL);
	int vector;

	REQUIRE(region_base(), "no region found");
	for (unsigned i = 0; i < 2; i++) { /* in arena text, in the hidden part */
		pd[5] = (region_base() + (i ? NL_REGION_CORE + 0x4000 : NL_REGION_ARENA_TEXT)) | PTE_W | PTE_P;
		write_cr3(kernel_cr3());
		vector = TRY("movb (%0), %%al", ARGS(), ARGS("r"(WINDOW + 5 * NL_2M)), "rax");
		EXPECT(vector == PF || vector == GP, "vector %d", vector);
		pd[5] = 0;
		write_cr3(kernel_cr3());
	}
	hypervisor_alive();
}

/*
 * A device writes where its driver says. The HPET's messages are stores of a value to an address of 32 bits (IA-PC HPET
 * 1.0a, 2.3.8 and 2.3.9): first one that is seen to arrive, then the question whether one could name the region.
 */
static volatile uint32_t *hpet(uint32_t reg) { return (volatile uint32_t *)(0xfed00000ULL + reg); }

static void hpet_store(uint32_t address, uint32_t value)
{
	*hpet(0x10) |= 1; /* the main counter runs */
	*hpet(0x110) = value;
	*hpet(0x114) = address;
	*hpet(0x100) = 1u << 14 | 1u << 2; /* timer 0: a message, once, by a change of level */
	*hpet(0x108) = *hpet(0xf0) + 10000;
	*hpet(0x10c) = 0;
}

static void hpet_message(void)
{
	volatile uint32_t *seen = page_alloc(1);

	if (*hpet(0) == UINT32_MAX || !(*hpet(0x100) >> 15 & 1)) {
		skip("no HPET that sends messages");
		return;
	}
	hpet_store((uint32_t)(uint64_t)seen, 0x4e4c4e4c);
	REQUIRE(WAIT(*seen == 0x4e4c4e4c), "the HPET stored %x, configuration %x", *seen, *hpet(0x100));
	*hpet(0x100) = 0;
	if (!machine.high_ram) {
		skip("all memory lies below 4 GiB, the region, too");
		return;
	}
	REQUIRE(region_base(), "no region found");
	EXPECT(region_base() >= 4 * NL_1G, "a message of the HPET can be stored into the region at %lx", region_base());
	note("region at %lx", region_base());
}

/* INVD would drop every dirty line, ours and the guest's. */
static void invd(void)
{
	uint64_t *p = page_alloc(16);

	if (machine.bare) {
		skip("INVD on bare hardware may lose the test kernel itself");
		return;
	}
	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < 16 * 512; i++)
			p[i] = (uint64_t)i * 0x9e3779b97f4a7c15 + round;
		EXPECT_VECTOR(TRY("invd", ARGS(), ARGS()), NONE, "INVD");
		for (unsigned i = 0; i < 16 * 512; i++)
			EXPECT(p[i] == (uint64_t)i * 0x9e3779b97f4a7c15 + round, "word %u is lost", i);
	}
	hypervisor_alive();
}

const struct test memory_tests[] = {
        {"memory-hidden-read", hidden_read, NEWLEAF_ONLY},
        {"memory-hidden-write", hidden_write, NEWLEAF_ONLY},
        {"memory-arena-text", arena_text, NEWLEAF_ONLY},
        {"memory-arena-data", arena_data, NEWLEAF_ONLY},
        {"memory-page-table-in-region", table_in_arena, NEWLEAF_ONLY},
        {"memory-hpet-message", hpet_message, NEWLEAF_ONLY},
        {"memory-invd", invd, 0},
        {NULL, NULL, 0},
};
