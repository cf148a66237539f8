// SPDX-License-Identifier: Apache-2.0
/*
 * See history.h. A write to a protected page raises SIGSEGV: the handler opens the page and sets the trap flag. After
 * that one instruction SIGTRAP comes: the handler protects the page again and calls the hook. Repeated string
 * instructions trap after each repetition.
 */
#define _GNU_SOURCE
#include "host.h"
#include "history.h"
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#define TRAP_FLAG 0x100

static uint8_t *memory;
static bool used[HISTORY_PAGES];
static size_t n_used;
static int allocations_left;
static bool reuse_at_once;
static size_t next; /* where the search for a free page begins */

static struct {
	void (*wrote)(hpa_t, unsigned);
	uint8_t *page; /* the one that is open for a write */
	uint64_t before[NL_PAGE_SIZE / 8];
	size_t writes;
	bool tore;
} watch;

bool history_is_table(hpa_t table)
{
	const uint64_t page = (table.v - HISTORY_BASE) / NL_PAGE_SIZE;
	return page < HISTORY_PAGES && used[page];
}

uint64_t *history_map(hpa_t table)
{
	if (!history_is_table(table))
		nl_panic("%lx is not a table", (unsigned long)table.v);
	return (uint64_t *)(memory + (table.v - HISTORY_BASE));
}

static void *op_map(hpa_t table) { return history_map(table); }

static bool op_alloc(hpa_t *out)
{
	if (allocations_left == 0 || n_used == HISTORY_PAGES)
		return false;
	if (allocations_left > 0)
		allocations_left--;
	if (reuse_at_once)
		next = 0;
	while (used[next])
		next = (next + 1) % HISTORY_PAGES;
	used[next] = true;
	n_used++;
	*out = HPA(HISTORY_BASE + next * NL_PAGE_SIZE);
	/* The allocator's own zeroing is not a write of the code under test. */
	if (watch.wrote)
		mprotect(memory + next * NL_PAGE_SIZE, NL_PAGE_SIZE, PROT_READ | PROT_WRITE);
	memset(memory + next * NL_PAGE_SIZE, 0, NL_PAGE_SIZE);
	if (watch.wrote)
		mprotect(memory + next * NL_PAGE_SIZE, NL_PAGE_SIZE, PROT_READ);
	return true;
}

static void op_release(hpa_t table)
{
	history_map(table); /* panics if it is not one */
	used[(table.v - HISTORY_BASE) / NL_PAGE_SIZE] = false;
	n_used--;
}

struct nl_table_ops history_ops(void)
{
	return (struct nl_table_ops){.map = op_map, .alloc = op_alloc, .release = op_release};
}
size_t history_used(void) { return n_used; }
void history_reuse_at_once(bool at_once) { reuse_at_once = at_once; }
void history_fail_after(int allocations) { allocations_left = allocations; }
size_t history_writes(void) { return watch.writes; }
bool history_tore(void) { return watch.tore; }

static void on_segv(int signal_number, siginfo_t *info, void *context)
{
	uint8_t *at = info->si_addr;
	if (!watch.wrote || watch.page || at < memory || at >= memory + HISTORY_PAGES * NL_PAGE_SIZE) {
		signal(signal_number, SIG_DFL); /* a real fault: happens again, and ends the test */
		return;
	}
	watch.page = (uint8_t *)((uintptr_t)at & ~NL_PAGE_MASK);
	memcpy(watch.before, watch.page, NL_PAGE_SIZE);
	mprotect(watch.page, NL_PAGE_SIZE, PROT_READ | PROT_WRITE);
	((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void on_trap(int signal_number, siginfo_t *info, void *context)
{
	(void)signal_number;
	(void)info;
	const uint64_t *now = (const uint64_t *)watch.page;
	const hpa_t table = HPA(HISTORY_BASE + (uint64_t)(watch.page - memory));
	unsigned changed = 0, entry = 0;

	((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
	mprotect(watch.page, NL_PAGE_SIZE, PROT_READ);
	watch.page = NULL;
	for (unsigned i = 0; i < NL_PAGE_SIZE / 8; i++)
		if (now[i] != watch.before[i]) {
			changed++;
			entry = i;
		}
	watch.tore = changed > 1;
	watch.writes++;
	watch.wrote(table, entry);
}

static void install(int number, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_NODEFER};
	assert_int_equal(sigaction(number, &action, NULL), 0);
}

void history_watch(void (*wrote)(hpa_t table, unsigned entry))
{
	install(SIGSEGV, on_segv);
	install(SIGTRAP, on_trap);
	watch.wrote = wrote;
	watch.writes = 0;
	assert_int_equal(mprotect(memory, HISTORY_PAGES * NL_PAGE_SIZE, PROT_READ), 0);
}

void history_unwatch(void)
{
	watch.wrote = NULL;
	assert_int_equal(mprotect(memory, HISTORY_PAGES * NL_PAGE_SIZE, PROT_READ | PROT_WRITE), 0);
}

void history_reset(void)
{
	if (!memory)
		memory = mmap(NULL, HISTORY_PAGES * NL_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		              -1, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	history_unwatch();
	memset(used, 0, sizeof(used));
	n_used = 0;
	allocations_left = -1;
	reuse_at_once = false;
}
