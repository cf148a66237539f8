// SPDX-License-Identifier: Apache-2.0
/*
 * What the core wants to know of the machine: CPUs, reset register, clocks, a random name for this boot.
 */
#include "loader.h"
#include "random.h"

#define STALL_US 20000
#define RANDOM_WORDS 4          /* at most, and two at least */
#define TABLES_TOP (1ULL << 47) /* the firmware maps all its tables one to one, in the lower half */

static const void *map_physical(uint64_t pa, size_t length)
{
	return pa < TABLES_TOP && length <= TABLES_TOP - pa ? (const void *)pa : NULL;
}

static void describe_acpi(struct nl_boot_block *b)
{
	static EFI_GUID guids[] = {ACPI_20_TABLE_GUID, ACPI_TABLE_GUID};
	void *rsdp = NULL;

	for (size_t i = 0; i < NL_ARRAY_SIZE(guids) && !rsdp; i++)
		if (EFI_ERROR(LibGetSystemConfigurationTable(&guids[i], &rsdp)))
			rsdp = NULL;
	nl_acpi_read(map_physical, (uint64_t)rsdp, b);
}

static void describe_clocks(struct nl_boot_block *b)
{
	uint64_t start = x86_rdtsc();
	EFI_TIME t;

	BS->Stall(STALL_US);
	b->facts.tsc_hz = (x86_rdtsc() - start) * (1000000 / STALL_US);
	if (!EFI_ERROR(RT->GetTime(&t, NULL)))
		CopyMem(&b->facts.wall, &t, sizeof(t));
	b->facts.tsc_at_wall = x86_rdtsc();
}
_Static_assert(sizeof(EFI_TIME) == sizeof(struct nl_firmware_time), "what the firmware's clock says");

/* RDSEED, else RDRAND: each may have nothing for a moment (SDM vol. 1, 7.3.17). */
static bool hardware_random(uint64_t *v)
{
	bool seed = x86_cpuid_word(0, 0, EAX) >= 7 && x86_cpuid_word(7, 0, EBX) >> 18 & 1;
	bool rand = x86_cpuid_word(1, 0, ECX) >> 30 & 1;
	uint8_t ok = 0;

	for (int i = 0; i < 10 && !ok && seed; i++)
		__asm__ volatile("pause; rdseed %0; setc %1" : "=r"(*v), "=qm"(ok)::"cc");
	for (int i = 0; i < 10 && !ok && rand; i++)
		__asm__ volatile("rdrand %0; setc %1" : "=r"(*v), "=qm"(ok)::"cc");
	return ok;
}

/* What the firmware gives and what the CPU gives, one over the other. Nothing stays behind in memory that the guest
 * gets. false: this machine has no source; `out` is zero. */
bool randomness(void *out, size_t n)
{
	static EFI_GUID guid = EFI_RNG_PROTOCOL_GUID;
	uint64_t words[RANDOM_WORDS];
	EFI_RNG_PROTOCOL *rng;
	bool ok, some;

	ZeroMem(out, n * sizeof(words[0]));
	ok = !EFI_ERROR(LibLocateProtocol(&guid, (void **)&rng)) &&
	     !EFI_ERROR(rng->GetRNG(rng, NULL, n * sizeof(words[0]), (UINT8 *)words));
	some = nl_random_mix(out, words, ok ? n : 0);
	ok = true;
	for (size_t i = 0; i < n; i++)
		ok = hardware_random(&words[i]) && ok;
	some = nl_random_mix(out, words, ok ? n : 0) || some;
	ZeroMem(words, sizeof(words));
	return some;
}

/* The boot's name is no secret: two boots must differ, nothing more. The secret is one, or there is none. */
static void describe_boot(struct nl_boot_block *b)
{
	uint64_t *id = (uint64_t *)b->facts.boot_id;

	if (!randomness(id, sizeof(b->facts.boot_id) / sizeof(*id))) {
		CopyMem(id, &b->facts.wall, sizeof(*id));
		id[0] ^= x86_rdtsc() * 0x9e3779b97f4a7c15ULL; /* 2^64 / golden ratio: spreads the low bits */
		id[1] = (x86_rdtsc() ^ id[0] >> 29) * 0x9e3779b97f4a7c15ULL;
	}
	b->facts.random = randomness(b->secret, RANDOM_WORDS);
	if (!b->facts.random)
		say_warning(L"no source of randomness: no tokens, so the command needs its I/O port, and no orders");
}
_Static_assert(sizeof(((struct nl_boot_block *)0)->secret) == RANDOM_WORDS * sizeof(uint64_t), "a whole secret");

enum nl_err machine_describe(struct loader *l, struct nl_boot_block *b)
{
	enum nl_err e = cpus_list(l, b);

	if (e)
		return e;
	describe_clocks(b);
	describe_boot(b);
	describe_acpi(b);
	if (!l->mp && b->facts.n_beyond)
		return refuse(NL_ECPUS, L"the firmware has no MP services, by which its other %d CPUs could be taken",
		              b->facts.n_beyond);
	return NL_OK;
}
