// SPDX-License-Identifier: Apache-2.0
/*
 * The host's stand-ins for what the core has from console.c and main.c. All weak: a test may link or define the real
 * thing.
 */
#include "host.h"
#include "beside.h"
#include "core/journal.h"

#define WEAK __attribute__((weak))

char host_last_panic[256];
WEAK struct nl_boot_block nl_boot;
WEAK struct nl_counts nl_counts;
WEAK const struct nl_core_header nl_core_header = {.magic = NL_CORE_MAGIC, .rodata_end = sizeof(nl_core_header)};

WEAK void nl_log(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
}

WEAK void nl_panic(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(host_last_panic, sizeof(host_last_panic), format, args);
	va_end(args);
	mock_assert(0, host_last_panic, "nl_panic", 0);
	abort();
}

/* Whoever links the journal has one. */
WEAK enum nl_journal_past nl_journal_init(struct nl_kept_entry left[NL_JOURNAL_ENTRIES]);
__attribute__((constructor)) static void journal(void)
{
	static struct nl_kept_entry left[NL_JOURNAL_ENTRIES];

	if (nl_journal_init)
		nl_journal_init(left);
}

/* HOST_CASE in the environment: this case alone, as tests/mutants/run wants it. */
__attribute__((constructor)) static void one_case(void)
{
	if (getenv("HOST_CASE"))
		cmocka_set_test_filter(getenv("HOST_CASE"));
}

/* xorshift64*: small, and good enough to choose test cases. */
static uint64_t state = 1;

void host_seed(uint64_t seed)
{
	const char *other = getenv("HOST_SEED");
	state = seed * 0x9e3779b97f4a7c15ULL ^ (other ? strtoull(other, NULL, 0) : 0);
	if (!state)
		state = 1;
}

uint64_t host_random(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1dULL;
}

/* Nobody works beside the guest, unless a test has somebody. */
__attribute__((weak)) struct nl_beside nl_beside;
