// SPDX-License-Identifier: Apache-2.0
// sources: guest-agent/agent.c guest-agent/look.c guest-agent/order.c guest-agent/own.c tools/newleaf/sha256.c
// sources: tests/unit/agent_fixture.c tests/unit/fake_newleaf.c
// cflags: -Iguest-agent -Itools/newleaf
// libs: -lcrypto
/*
 * The agent's logic against a fake hypervisor: discovery, the order of calls, retries and their limits, and answers
 * that make no sense.
 */
#include "host.h"

#include <limits.h>

#include <openssl/sha.h>

#include "agent_fixture.h"
#include "own.h"
#include "sha256.h"

static void finds_it_at_any_block(void **state)
{
	(void)state;
	for (uint32_t base = 0x40000000; base <= 0x4000ff00; base += 0x100) {
		struct fake *f = fake_new();

		f->cpuid_base = base;
		assert_int_equal(nl_agent_open(&agent, &f->transport, NULL), NL_OK);
		nl_agent_close(&agent);
		assert_int_equal(f->closes, 1);
	}
}

static void says_who_else_is_there(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	f->absent = true;
	assert_int_equal(nl_agent_open(&agent, &f->transport, NULL), NL_EABSENT);
	assert_string_equal(agent.details.seen_signature, "OuterOuter??"); /* and nothing that a terminal would obey */
	assert_int_equal(f->calls, 0);
}

static void refuses_another_abi(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	f->abi = NL_ABI_VERSION + 1;
	assert_int_equal(nl_agent_open(&agent, &f->transport, NULL), NL_EABI);
	assert_int_equal(agent.details.found_abi, NL_ABI_VERSION + 1);
	assert_int_equal(f->calls, 0);
}

static void root_is_proven_before_any_call(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	f->ordinary_user = true;
	f->refusal = NL_WHY_NO_DRIVER;
	assert_int_equal(nl_agent_open(&agent, &f->transport, NULL), NL_EROOT);
	assert_int_equal(agent.details.reason, NL_WHY_NO_DRIVER);
	assert_int_equal(f->calls, 0);
}

static void a_faulting_call_is_a_refusal(void **state)
{
	struct nl_status s;

	(void)state;
	opened()->faulting = true;
	assert_int_equal(nl_agent_status(&agent, &s), NL_EROOT);
	assert_int_equal(agent.details.reason, NL_WHY_FAULT);
}

static void silence_is_absence(void **state)
{
	struct nl_status s;

	(void)state;
	opened()->silent = true;
	assert_int_equal(nl_agent_status(&agent, &s), NL_EABSENT);
	assert_int_equal(agent.details.reason, NL_WHY_SILENT);
}

static void garbage_answers_are_named(void **state)
{
	const uint64_t answers[] = {1000, UINT64_MAX, 1ULL << 32};
	struct nl_status s;
	struct nl_leaf_state leaves[NL_MAX_LEAVES];
	size_t n;
	struct fake *f = opened();

	(void)state;
	for (size_t i = 0; i < NL_ARRAY_SIZE(answers); i++) {
		f->garbage_rax = answers[i];
		assert_int_equal(nl_agent_status(&agent, &s), NL_EINTERNAL);
		assert_int_equal(agent.details.reason, NL_WHY_GARBAGE);
	}
	f->garbage_rax = 0;
	f->torn_status = true;
	assert_int_equal(nl_agent_status(&agent, &s), NL_EINTERNAL);
	f->torn_status = false;
	assert_int_equal(nl_agent_status(&agent, &s), NL_OK);
	f->too_many = true;
	assert_int_equal(nl_agent_leaves(&agent, leaves, NL_MAX_LEAVES, &n), NL_EINTERNAL);
	assert_int_equal(n, 0);
	f->too_many = false;
	staged("demo");
	memset(f->leaves[0].id, 'x', sizeof(f->leaves[0].id)); /* no NUL */
	assert_int_equal(nl_agent_leaves(&agent, leaves, NL_MAX_LEAVES, &n), NL_OK);
	assert_int_equal(strlen(leaves[0].id), NL_LEAF_ID_LEN - 1);
	f->leaves[0].condition = 77;
	assert_int_equal(nl_agent_leaves(&agent, leaves, NL_MAX_LEAVES, &n), NL_EINTERNAL);
}

static void a_migrating_page_is_retried(void **state)
{
	struct nl_status s;
	struct fake *f = opened();

	(void)state;
	f->efault = 5;
	assert_int_equal(nl_agent_status(&agent, &s), NL_OK);
	f->efault = 1000;
	assert_int_equal(nl_agent_status(&agent, &s), NL_EFAULT);
	assert_true(f->efault > 900); /* it gave up soon */
}

static void stages_in_chunks(void **state)
{
	static uint8_t file[NL_LEAF_MAX_SIZE];
	struct fake *f = opened();

	(void)state;
	for (size_t i = 0; i < sizeof(file); i++)
		file[i] = (uint8_t)(i * 7 + (i >> 12));
	fake_leaf(file, "big", 1);
	assert_int_equal(nl_agent_verify(&agent, file, sizeof(file), &verified), NL_OK);
	assert_int_equal(f->staged_have, sizeof(file));
	assert_memory_equal(f->staged, file, sizeof(file));
	assert_int_equal(nl_agent_verify(&agent, file, sizeof(file) + 1, &verified), NL_ELEAF);
	assert_int_equal(nl_agent_verify(&agent, file, 0, &verified), NL_ELEAF);
}

static void verifies_in_slices(void **state)
{
	struct fake *f = opened();
	uint8_t file[4096];

	(void)state;
	f->verify_again = 1000;
	staged("demo");
	assert_int_equal(f->verify_again, 0);
	f->verify_again = UINT_MAX; /* never: it ends all the same */
	assert_int_equal(nl_agent_verify(&agent, file, fake_leaf(file, "demo", 2), &verified), NL_EDEADLINE);
}

static void a_refusal_brings_its_report(void **state)
{
	struct fake *f = opened();
	uint8_t file[4096];

	(void)state;
	f->verify_error = NL_EBUILDID;
	f->blocker.site_va = 0x1234;
	f->blocker.bytes_len = 4000;
	assert_int_equal(nl_agent_verify(&agent, file, fake_leaf(file, "demo", 1), &verified), NL_EBUILDID);
	assert_int_equal(verified.found_build_id_len, 20);
	assert_int_equal(verified.blocker.bytes_len, sizeof(verified.blocker.found));
	assert_int_equal(agent.details.blocker.site_va, 0x1234);
}

static void commits(void **state)
{
	struct fake *f = opened();

	(void)state;
	staged("demo");
	assert_int_equal(commit(1000), NL_OK);
	assert_int_equal(committed.generation_to, 2);
	assert_int_equal(f->disperses, 1);
	assert_int_equal(f->abandons, 0);
	assert_int_equal(commit(1000), NL_NOTHING);
	assert_int_equal(f->tries, 1);
}

/* What was done is told, although the answer to it was lost; what was not done is not. */
static void an_answer_that_is_lost(void **state)
{
	struct fake *f = opened();

	(void)state;
	staged("demo");
	f->lose_answer = true;
	assert_int_equal(commit(1000), NL_OK);
	assert_int_equal(committed.generation_from, 1);
	assert_int_equal(committed.generation_to, 2);
	assert_int_equal(committed.window_ns, 214000);
	assert_int_equal(agent.details.error, NL_OK);
	f = opened();
	staged("demo");
	f->lose_answer = true;
	f->try_stale = 1;
	assert_int_equal(commit(1000), NL_ESTATE);
	assert_int_equal(f->status.generation, 1);
}

static void tries_until_it_holds(void **state)
{
	struct fake *f = opened();

	(void)state;
	staged("demo");
	f->try_again = 30;
	f->gather_missing = 1;
	assert_int_equal(commit(2000), NL_OK);
	assert_int_equal(f->tries, 31);
	assert_int_equal(f->gathers, 32);
	assert_int_equal(agent.details.tries, 31);
	assert_true(f->shortest_pause_ns >= 200000);
	assert_true(f->longest_pause_ns > 2000000); /* it grew */
	assert_true(f->longest_pause_ns <= 5200000);
}

static void gives_up_at_the_deadline(void **state)
{
	struct fake *f = opened();
	uint64_t begin;

	(void)state;
	staged("demo");
	f->try_again = UINT_MAX;
	f->blocker = (struct nl_blocker){.cpu = 1, .rip = 0xffffffff81000000, .pid = 812, .comm = "kworker/1:2"};
	begin = f->now_ns;
	assert_int_equal(commit(250), NL_EDEADLINE);
	assert_in_range(f->now_ns - begin, 250000000, 260000000);
	assert_int_equal(agent.details.reason, NL_WHY_HELD_OFF);
	assert_int_equal(agent.details.blocker.pid, 812);
	assert_int_equal(f->abandons, 1);
	assert_int_equal(f->disperses, 1);
	assert_false(f->is_prepared);
	assert_int_equal(f->status.generation, 1);
}

/* Somebody sleeps in the site; in the last tries a CPU was met in an interrupt, which says less. */
static void names_who_stands_in_a_site(void **state)
{
	struct fake *f = opened();

	(void)state;
	staged("demo");
	f->try_again = UINT_MAX;
	f->blocker = (struct nl_blocker){.cpu = UINT32_MAX, .rip = 0x1010, .pid = 7, .comm = "cat", .site_va = 0x1000};
	f->passing = (struct nl_blocker){.cpu = 1, .rip = 0x2000, .pid = 812, .comm = "newleaf"};
	f->passes_from = 5;
	assert_int_equal(commit(250), NL_EDEADLINE);
	assert_true(f->tries > 5);
	assert_int_equal(agent.details.blocker.pid, 7);
	assert_int_equal(agent.details.blocker.rip, 0x1010);
	f->passes_from = 1; /* nobody in a site: who was met is named, and of another commit nothing is left */
	f->tries = 0;
	assert_int_equal(commit(250), NL_EDEADLINE);
	assert_int_equal(agent.details.blocker.pid, 812);
}

/* Who never comes is stopped where he is, when half of the time has passed; and without gathering if it is asked for.
 */
static void agentless(void **state)
{
	struct nl_commit_request r;
	struct fake *f = opened();
	uint64_t begun;

	(void)state;
	staged("demo");
	f->agentless = true;
	f->gather_missing = UINT_MAX;
	f->gather_sleeps = true; /* as the real one does whose CPU has a runaway thread */
	f->try_again = 3;
	begun = f->now_ns;
	assert_int_equal(commit(1000), NL_OK);
	assert_in_range(f->now_ns - begun, 500000000, 1000000000 - 1);
	assert_int_equal(committed.flags, NL_COMMIT_AGENTLESS);
	assert_int_equal(f->prepares, 2);
	assert_int_equal(f->tries, 4);
	f = opened();
	staged("demo");
	f->agentless = true;
	f->gather_missing_from = 1; /* who came once may come again */
	f->try_again = UINT_MAX;
	assert_int_equal(commit(1000), NL_EDEADLINE);
	assert_int_equal(f->prepares, 1);
	f = opened();
	staged("demo");
	f->agentless = true;
	r = request_of(verified.sha256, 1000);
	r.flags = NL_COMMIT_AGENTLESS;
	f->try_again = 2;
	assert_int_equal(nl_agent_commit(&agent, &r, &committed), NL_OK);
	assert_int_equal(f->gathers, 0);
	assert_int_equal(committed.flags, NL_COMMIT_AGENTLESS);
	f = opened();
	staged("demo");
	r = request_of(verified.sha256, 1000);
	r.flags = NL_COMMIT_AGENTLESS;
	assert_int_equal(nl_agent_commit(&agent, &r, &committed), NL_EUNSUPPORTED); /* nothing else was asked for */
	assert_int_equal(f->gathers, 0);
}

static void names_the_cpu_that_is_missing(void **state)
{
	struct fake *f = opened();

	(void)state;
	staged("demo");
	f->gather_missing = UINT_MAX;
	assert_int_equal(commit(1000), NL_EDEADLINE);
	assert_int_equal(agent.details.reason, NL_WHY_NOT_GATHERED);
	assert_int_equal(agent.details.missing.cpu, 1);
	assert_int_equal(agent.details.missing.pid, 812);
	assert_string_equal(agent.details.missing.comm, "kworker/1:2");
	assert_int_equal(f->tries, 0);
	assert_int_equal(f->abandons, 1);
	f->missing_comm = "a\033[2Jb\n\23331mcdefg"; /* every user names his tasks, and no NUL need be there */
	assert_int_equal(commit(1000), NL_EDEADLINE);
	assert_string_equal(agent.details.missing.comm, "a?[2Jb??31mcdef");
}

static void ctrl_c_abandons(void **state)
{
	struct fake *f = opened();

	(void)state;
	staged("demo");
	f->try_again = UINT_MAX;
	f->cancel_at_gather = 3;
	assert_int_equal(commit(10000), NL_EINTERRUPTED);
	assert_int_equal(f->gathers, 3);
	assert_int_equal(f->abandons, 1);
	assert_int_equal(f->status.generation, 1);
}

static void another_caller_is_waited_out(void **state)
{
	struct fake *f = opened();
	struct nl_leaf_state leaves[NL_MAX_LEAVES];
	size_t n;

	(void)state;
	staged("demo");
	f->prepare_busy = 20;
	f->leaves_again = 20;
	assert_int_equal(commit(1000), NL_OK);
	assert_int_equal(nl_agent_leaves(&agent, leaves, NL_MAX_LEAVES, &n), NL_OK);
	assert_int_equal(n, 1);
	assert_int_equal(f->leaves_from, 20); /* and the list is read on from where it was */
	f->prepare_busy = UINT_MAX;           /* but not for ever */
	assert_int_equal(commit(1000), NL_EBUSY);
	f->leaves_again = UINT_MAX;
	assert_int_equal(nl_agent_leaves(&agent, leaves, NL_MAX_LEAVES, &n), NL_AGAIN);
}

static void a_refused_prepare_names_its_site(void **state)
{
	struct fake *f = opened();

	(void)state;
	staged("demo");
	f->prepare_error = NL_EPROBED;
	f->blocker.site_va = 0x1234;
	assert_int_equal(commit(1000), NL_EPROBED);
	assert_int_equal(agent.details.blocker.site_va, 0x1234);
}

static void a_final_refusal_is_not_retried(void **state)
{
	const enum nl_err errors[] = {NL_EBYTES, NL_EPROBED, NL_EPOLICY, NL_EGENERATION, NL_ENOMEM, NL_EARENA};
	struct fake *f = opened();

	(void)state;
	staged("demo");
	for (size_t i = 0; i < NL_ARRAY_SIZE(errors); i++) {
		unsigned tries = f->tries;

		f->try_error = errors[i];
		assert_int_equal(commit(1000), errors[i]);
		assert_int_equal(f->tries, tries + 1);
		f->prepare_error = errors[i];
		assert_int_equal(commit(1000), errors[i]);
		assert_int_equal(f->tries, tries + 1);
		f->prepare_error = NL_OK;
	}
	assert_int_equal(f->status.generation, 1);
}

/* A module came or went in between: what the commit is about is looked at anew, as long as there is time. */
static void what_is_stale_is_prepared_again(void **state)
{
	struct fake *f = opened();
	uint64_t begin;

	(void)state;
	staged("demo");
	f->try_stale = 3;
	assert_int_equal(commit(1000), NL_OK);
	assert_int_equal(f->prepares, 4);
	assert_int_equal(f->tries, 4);
	assert_int_equal(f->disperses, 4); /* nobody is held while it is prepared */
	assert_int_equal(f->abandons, 0);
	assert_int_equal(committed.generation_to, 2);
	f = opened();
	staged("demo");
	f->try_stale = UINT_MAX; /* without an end: the deadline is one for all */
	begin = f->now_ns;
	assert_int_equal(commit(250), NL_ESTALE);
	assert_in_range(f->now_ns - begin, 250000000, 260000000);
	assert_int_equal(f->disperses, f->gathers);
	assert_int_equal(f->abandons, 1);
	f = opened();
	staged("demo");
	f->try_stale = UINT_MAX;
	f->cancel_at_gather = 5;
	assert_int_equal(commit(10000), NL_EINTERRUPTED);
	assert_int_equal(f->gathers, 5);
	f = opened();
	staged("demo");
	f->try_stale = 1;
	f->try_error = NL_EBYTES; /* and then it is another answer */
	assert_int_equal(commit(1000), NL_EBYTES);
	assert_int_equal(f->prepares, 2);
}

/* Page by page, to the newest; what cannot be true is not handed on. */
static void reads_the_ring(void **state)
{
	static struct nl_step_record steps[2 * NL_AGENT_STEPS_A_CALL];
	struct fake *f = opened();
	uint64_t newest, from = 0;
	size_t n, all = 0;

	(void)state;
	assert_int_equal(nl_agent_timeline(&agent, 0, steps, NL_ARRAY_SIZE(steps), &n, &newest), NL_OK);
	assert_int_equal(n, 0);
	for (unsigned i = 0; i < 300; i++)
		fake_step(f, 1000 + i, i % 2, i % 10 ? NL_STEP_ASK : NL_STEP_PREPARE, i);
	f->steps[7].seq = 0; /* is being written */
	do {
		assert_int_equal(nl_agent_timeline(&agent, from, steps, NL_ARRAY_SIZE(steps), &n, &newest), NL_OK);
		assert_true(n <= NL_AGENT_STEPS_A_CALL);
		assert_int_equal(newest, 300);
		all += n;
		if (n)
			from = steps[n - 1].seq + 1;
	} while (n);
	assert_int_equal(all, 299);
	assert_int_equal(from, 301);
	for (unsigned wrong = 0; wrong < 6; wrong++) {
		f = opened();
		for (unsigned i = 0; i < 10; i++)
			fake_step(f, 1000 + i, 0, NL_STEP_ASK, i);
		f->too_many_steps = wrong == 0;
		if (wrong == 1)
			f->steps[4].seq = f->steps[3].seq;
		if (wrong == 2)
			f->steps[4].seq = 11; /* newer than the newest */
		if (wrong == 3)
			f->steps[4].cpu = NL_MAX_CPUS;
		if (wrong == 4)
			f->steps[4].step = NL_N_STEPS;
		if (wrong == 5)
			f->garbage_rax = 1000;
		assert_int_equal(nl_agent_timeline(&agent, 1, steps, NL_ARRAY_SIZE(steps), &n, &newest), NL_EINTERNAL);
		assert_int_equal(agent.details.reason, NL_WHY_GARBAGE);
		assert_int_equal(n, 0);
	}
}

/* Its own steps: each gather and who was in it, each try and what it met; and on from there in the next process. */
static void keeps_what_it_sees(void **state)
{
	static const uint8_t boot[16] = "this boot", other[16] = "another";
	static struct nl_own before;
	struct fake *f = opened();

	(void)state;
	nl_own_take(NULL, boot);
	staged("demo");
	f->gather_missing = 1;
	f->try_again = 1;
	f->blocker = (struct nl_blocker){.cpu = 1, .rip = 0xffffffff81000000, .pid = 7, .comm = "seven\033"};
	assert_int_equal(commit(1000), NL_OK);
	assert_int_equal(nl_own.n_tries, 3);
	assert_int_equal(nl_own.tries[0].gathered, 0);
	assert_string_equal(nl_own.tries[0].comm, "kworker/1:2");
	assert_int_equal(nl_own.tries[1].error, NL_AGAIN);
	assert_int_equal(nl_own.tries[1].rip, 0xffffffff81000000);
	assert_string_equal(nl_own.tries[1].comm, "seven?");
	assert_int_equal(nl_own.tries[2].error, NL_OK);
	assert_true(nl_own.tries[1].begin <= nl_own.tries[1].end && nl_own.tries[1].end <= nl_own.tries[2].begin);
	assert_int_equal(nl_own.n_steps, 10);
	assert_int_equal(nl_own.steps[0].kind, NL_OWN_GATHER);
	assert_int_equal(nl_own.steps[9].kind, NL_OWN_LEAVE);
	before = nl_own;
	assert_true(nl_own_take(&before, boot));
	assert_int_equal(nl_own.n_steps, 10);
	assert_int_equal(nl_own.base, nl_own.last);
	for (unsigned i = 0; i < 2 * NL_OWN_STEPS; i++)
		nl_own_step(NL_OWN_GATHER, i, 1, 1 + i);
	assert_int_equal(nl_own.steps[(nl_own.n_steps - 1) % NL_OWN_STEPS].gather, before.last + 2 * NL_OWN_STEPS);
	assert_false(nl_own_take(&before, other));
	assert_int_equal(nl_own.n_steps, 0);
	before.steps[3].cpu = NL_MAX_CPUS;
	assert_false(nl_own_take(&before, boot));
	before.steps[3].cpu = 0;
	memset(before.tries[2].comm, 'x', sizeof(before.tries[2].comm));
	assert_false(nl_own_take(&before, boot));
	before.tries[2].comm[0] = 0;
	before.magic++;
	assert_false(nl_own_take(&before, boot));
}

static void sha256_is_sha256(void **state)
{
	uint8_t data[300], ours[32], theirs[32];

	(void)state;
	for (size_t n = 0; n <= sizeof(data); n++) {
		for (size_t i = 0; i < n; i++)
			data[i] = (uint8_t)host_random();
		cli_sha256(data, n, ours);
		SHA256(data, n, theirs);
		assert_memory_equal(ours, theirs, 32);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(finds_it_at_any_block),
	        cmocka_unit_test(says_who_else_is_there),
	        cmocka_unit_test(refuses_another_abi),
	        cmocka_unit_test(root_is_proven_before_any_call),
	        cmocka_unit_test(a_faulting_call_is_a_refusal),
	        cmocka_unit_test(silence_is_absence),
	        cmocka_unit_test(garbage_answers_are_named),
	        cmocka_unit_test(a_migrating_page_is_retried),
	        cmocka_unit_test(stages_in_chunks),
	        cmocka_unit_test(verifies_in_slices),
	        cmocka_unit_test(a_refusal_brings_its_report),
	        cmocka_unit_test(commits),
	        cmocka_unit_test(an_answer_that_is_lost),
	        cmocka_unit_test(tries_until_it_holds),
	        cmocka_unit_test(gives_up_at_the_deadline),
	        cmocka_unit_test(names_who_stands_in_a_site),
	        cmocka_unit_test(agentless),
	        cmocka_unit_test(names_the_cpu_that_is_missing),
	        cmocka_unit_test(ctrl_c_abandons),
	        cmocka_unit_test(another_caller_is_waited_out),
	        cmocka_unit_test(a_refused_prepare_names_its_site),
	        cmocka_unit_test(a_final_refusal_is_not_retried),
	        cmocka_unit_test(what_is_stale_is_prepared_again),
	        cmocka_unit_test(reads_the_ring),
	        cmocka_unit_test(keeps_what_it_sees),
	        cmocka_unit_test(sha256_is_sha256),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
