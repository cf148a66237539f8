// SPDX-License-Identifier: Apache-2.0
/* See trial_fixture.h. */
#include "trial_fixture.h"

struct nl_kept flushed; /* as a reset would leave it */
bool marked_at_flip;
uint8_t both[2][32];

static void flush(const void *p, size_t size)
{
	if (p == nl_kept && size == sizeof(flushed))
		flushed = *nl_kept;
}

uint32_t reason_in(const struct nl_kept *k, const uint8_t leaf[32])
{
	for (unsigned i = 0; i < NL_MAX_LOCKOUTS; i++)
		if (nl_is_leaf(k->lockouts[i].sha256, leaf))
			return k->lockouts[i].reason;
	return 0;
}

/* In memory, and so that a reset finds it. */
uint32_t mark(const uint8_t leaf[32])
{
	assert_int_equal(reason_in(nl_kept, leaf), reason_in(&flushed, leaf));
	assert_int_equal(flushed.checksum, nl_kept_checksum(&flushed));
	return reason_in(&flushed, leaf);
}

void __real_nl_publish_view(const struct nl_view *v);
void __wrap_nl_publish_view(const struct nl_view *v);
void __wrap_nl_publish_view(const struct nl_view *v)
{
	marked_at_flip = reason_in(&flushed, alpha) == NL_LOCKOUT_TRIAL;
	__real_nl_publish_view(v);
}

/* A CPU that passes hv_before_entry. */
void pass(void)
{
	if (nl_own_come())
		nl_own_commit(&fg.cpus[0]);
	fg.cpus[0].root_generation = nl_current_view()->generation;
}

int stopped(void **state)
{
	uint64_t task, *stack;

	begin(state);
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_ALL;
	nl_boot.facts.policy.confirm_ms = 60000;
	seam_flushed = flush;
	nl_kept_seal();
	seam_tsc_step = 1000; /* it waits between tries */
	task = fg_task("stopped", 0, 8, &stack);
	fg_task_on_cpu(task, true);
	fg_current(0, task);
	fg.cpus[0].gprs.rsp = FG_DIRECT + (uint64_t)((uint8_t *)stack - fg.ram);
	fg.ctx.rip = ELSEWHERE;
	while (nl_own_due != UINT64_MAX) /* what a case before has left */
		nl_own_commit(&fg.cpus[0]);
	assert_int_equal(bring("alpha", DATA_SITE), NL_OK);
	assert_int_equal(bring("beta", DATA_SITE + 64), NL_OK);
	memcpy(both[0], alpha, 32);
	memcpy(both[1], beta, 32);
	return 0;
}

int ended(void **state)
{
	seam_flushed = NULL;
	seam_tsc_step = 1;
	return teardown(state);
}

/* These leaves alone are on, what comes by it for so long on probation. */
enum nl_err on_trial(const uint8_t (*set)[32], unsigned count, uint32_t confirm_ms)
{
	struct nl_commit_request r = {.expected_generation = UINT64_MAX,
	                              .deadline_ms = 1000,
	                              .count = count,
	                              .confirm_ms = confirm_ms,
	                              .flags = NL_COMMIT_AGENTLESS};
	enum nl_err err;

	fg.ctx.cpl = 3;
	memcpy(r.set, set, 32 * count);
	do {
		memcpy(fg_user(FG_USER), &r, sizeof(r));
		err = call(NL_CALL_PREPARE, FG_USER, sizeof(r), 0, 0);
	} while (err == NL_AGAIN);
	err = err ? err : try_it();
	fg.ctx.cpl = 0;
	return err;
}

enum nl_err put_on(uint32_t confirm_ms) { return on_trial((const uint8_t(*)[32])alpha, 1, confirm_ms); }

enum nl_err confirm(const uint8_t leaf[32])
{
	enum nl_err err;

	fg.ctx.cpl = 3;
	memcpy(fg_user(FG_USER), leaf, 32);
	err = call(NL_CALL_CONFIRM, FG_USER, 32, 0, 0);
	fg.ctx.cpl = 0;
	return err;
}

enum nl_err revert_all(void) { return on_trial((const uint8_t(*)[32])alpha, 0, 0); }

void third(uint8_t sha[32])
{
	leaf_rodata("gamma", DATA_SITE + 128, 0x33);
	assert_int_equal(verify_leaf(sha), NL_OK);
}

bool is_on(const uint8_t leaf[32]) { return nl_registry_find(leaf)->state.condition == NL_LEAF_APPLIED; }
uint64_t until(const uint8_t leaf[32]) { return nl_registry_find(leaf)->state.trial_tsc; }

struct nl_journal_entry last_of(enum nl_event event)
{
	struct nl_journal_entry e;
	uint64_t last;

	nl_journal_read(UINT64_MAX, &e, &last);
	do
		assert_true(nl_journal_read(last, &e, &(uint64_t){0}) && last);
	while (e.event != event && --last);
	return e;
}

/* It has come, and the machine passes by. */
void time_comes(uint64_t at)
{
	seam_tsc = at > seam_tsc ? at : seam_tsc;
	pass();
}
