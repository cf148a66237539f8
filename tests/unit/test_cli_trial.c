// SPDX-License-Identifier: Apache-2.0
// sources: tools/newleaf/cli.c tools/newleaf/verbs.c tools/newleaf/answer.c tools/newleaf/change.c
// sources: tools/newleaf/blackout.c tools/newleaf/status.c tools/newleaf/signed.c tools/newleaf/facts.c
// sources: tools/newleaf/vex.c tools/newleaf/livepatch.c tools/newleaf/journal.c tools/newleaf/dates.c
// sources: tools/newleaf/logfile.c tools/newleaf/logkeep.c tools/newleaf/logverify.c
// sources: tools/newleaf/order.c tools/newleaf/carry.c tools/newleaf/standing.c tools/newleaf/anybody.c
// sources: tools/newleaf/confirm.c
// sources: tools/newleaf/log.c tools/newleaf/look.c tools/newleaf/alive.c tools/newleaf/author.c tools/newleaf/text.c
// sources: tools/newleaf/sha256.c guest-agent/agent.c guest-agent/look.c
// sources: tests/unit/fake_newleaf.c tests/unit/cli_fixture.c
// sources: guest-agent/order.c
// sources: tools/newleaf/timeline.c tools/newleaf/course.c tools/newleaf/timeline_text.c guest-agent/own.c
// sources: tools/newleaf/timeline_chrome.c tools/newleaf/timeline_svg.c tools/newleaf/symbol.c
// cflags: -Iguest-agent -Itools/newleaf
/*
 * The command where leaves are on trial: what is asked for, shown, confirmed, and told of what was not.
 */
#include "cli_fixture.h"
#include <newleaf/net.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static const char *trial_in_status(void)
{
	static const char *const states[] = {"\"trial\":\"running\"", "\"trial\":\"over\"", "\"trial\":\"taken-back\"",
	                                     "\"trial\":null"};

	assert_true(newleaf("status", "--json") == 0);
	assert_schema("status");
	for (unsigned i = 0; i < 4; i++)
		if (strstr(out, states[i]))
			return states[i];
	return "";
}

static void asked_for(void **state)
{
	(void)state;
	assert_int_equal(newleaf("apply", path_a, "--confirm", "200s"), NL_EXIT_USAGE); /* none is allowed */
	f->status.boot.policy.confirm_ms = 600000;
	assert_int_equal(newleaf("apply", path_a, "--confirm", "601s"), NL_EXIT_USAGE);
	assert_says(err, "at most 600000 ms");
	assert_int_equal(newleaf("apply", path_a, "--confirm", "soon"), NL_EXIT_USAGE);
	assert_int_equal(newleaf("revert", "alpha", "--confirm", "2s"), NL_EXIT_USAGE);
	assert_int_equal(f->prepares, 0);
	assert_int_equal(newleaf("apply", path_a, "--confirm", "200s"), 0);
	assert_int_equal(f->prepared.confirm_ms, 200000);
	assert_says(out, "on trial: taken back in 3m unless newleaf confirm says that it is good");
	assert_int_equal(newleaf("revert", "alpha"), 0);
	assert_null(strstr(out, "on trial"));
	assert_int_equal(newleaf("apply", path_a, "--json", "--confirm", "200s"), 0);
	assert_schema("apply");
	assert_says(out, "\"trial_ns\":200000000000");
	assert_int_equal(newleaf("revert", "alpha", "--json"), 0);
	assert_schema("revert");
	assert_says(out, "\"trial_ns\":0");
	assert_int_equal(newleaf("apply", path_a), 0);
	assert_int_equal(f->prepared.confirm_ms, 0);
}

static void shown(void **state)
{
	(void)state;
	f->status.boot.policy.confirm_ms = 600000;
	assert_int_equal(newleaf("apply", path_a, "--confirm", "200s"), 0);
	f->status.lockouts = 2; /* the mark of one that is on is none */
	assert_string_equal(trial_in_status(), "\"trial\":\"running\"");
	assert_says(out, "\"trial_left_ns\":20000000000,");
	assert_says(out, "\"lockouts\":1,");
	assert_int_equal(newleaf("status"), 0);
	assert_says(out, "on trial, 20s left: newleaf confirm alpha");
	assert_says(out, "because nobody confirmed them: 1");
	assert_int_equal(newleaf("status", "--check"), 0);
	f->leaves[0].trial_tsc -= 30000000000; /* over, and still on */
	assert_string_equal(trial_in_status(), "\"trial\":\"over\"");
	assert_says(out, "\"note\":\"NL_ETRIAL\"");
	assert_says(out, "\"trial_left_ns\":0,");
	assert_int_equal(newleaf("status", "--check"), NL_EXIT_DEGRADED);
	assert_int_equal(newleaf("status"), 0);
	assert_says(out, "nobody confirmed it: it is being taken back");
	f->leaves[0].condition = NL_LEAF_REVERTED;
	assert_string_equal(trial_in_status(), "\"trial\":\"taken-back\"");
	assert_says(out, "\"lockouts\":2,");
	assert_int_equal(newleaf("status"), 0);
	assert_says(out, "taken back, because nobody confirmed it");
	f->leaves[0].trial_tsc = 0;
	assert_string_equal(trial_in_status(), "\"trial\":null");
}

static void confirmed(void **state)
{
	(void)state;
	f->status.boot.policy.confirm_ms = 600000;
	assert_int_equal(newleaf("confirm"), NL_EXIT_NOTHING);
	assert_int_equal(newleaf("confirm", "alpha"), NL_EXIT_CONFLICT);
	assert_says(err, "NL_EUNKNOWN_LEAF");
	assert_int_equal(newleaf("apply", path_a, path_b, "--confirm", "200s"), 0);
	assert_int_equal(newleaf("confirm", "beta"), 0);
	assert_string_equal(out, "confirmed beta\n");
	assert_int_equal(f->confirmed, 1);
	assert_true(f->leaves[0].trial_tsc && !f->leaves[1].trial_tsc);
	assert_int_equal(newleaf("confirm", "beta"), NL_EXIT_NOTHING);
	assert_int_equal(newleaf("confirm", "--json"), 0); /* all that there are */
	assert_schema("confirm");
	assert_says(out, "\"id\":\"alpha\"");
	assert_null(strstr(out, "beta"));
	assert_int_equal(f->confirmed, 2);
	assert_int_equal(newleaf("confirm", "--json"), NL_EXIT_NOTHING);
	assert_schema("confirm");
}

static void not_confirmed(void **state)
{
	(void)state;
	f->status.boot.policy.confirm_ms = 600000;
	assert_int_equal(newleaf("apply", path_a, "--confirm", "200s"), 0);
	f->confirm = NL_EPOLICY;
	assert_int_equal(newleaf("confirm"), NL_EXIT_PERMISSION);
	assert_says(err, "alpha not confirmed");
	f->confirm = NL_ETRIAL;
	assert_int_equal(newleaf("confirm"), NL_EXIT_CONFLICT);
	f->leaves[0].condition = NL_LEAF_REVERTED;
	assert_int_equal(newleaf("confirm", "alpha"), NL_EXIT_CONFLICT); /* it was taken back */
	assert_says(err, "NL_ETRIAL");
	f->confirm = NL_NOTHING; /* somebody else was quicker */
	f->leaves[0].condition = NL_LEAF_APPLIED;
	assert_int_equal(newleaf("confirm"), 0);
}

#define SECOND 1000000000ULL

static uint64_t confirmed_at, cancelled_at;

static void meanwhile(struct fake *fake)
{
	char lock[PATH_MAX];
	int fd;

	snprintf(lock, sizeof(lock), "%s/lock", cli_run_dir);
	fd = open(lock, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0); /* others are not kept from their work */
	close(fd);
	if (confirmed_at && fake->now_ns >= confirmed_at)
		fake->leaves[0].trial_tsc = 0;
	if (cancelled_at && fake->now_ns >= cancelled_at)
		cli_cancel = 1;
}

/* How long `newleaf alive` waits, in seconds; there is no counter on this host. */
static uint64_t alive(void)
{
	uint64_t before = f->now_ns;

	f->on_pause = meanwhile;
	newleaf("alive");
	f->on_pause = NULL;
	return (f->now_ns - before) / SECOND;
}

/* Who pulls the plug of a machine that hangs by a leaf on trial has the counter alone to tell the next boot. */
static void alive_waits_for_its_end(void **state)
{
	uint64_t trial_tsc;

	(void)state;
	f->status.boot.policy.confirm_ms = 600000;
	assert_int_equal(newleaf("apply", path_a, "--confirm", "200s"), 0);
	trial_tsc = f->leaves[0].trial_tsc;
	confirmed_at = f->now_ns + 30 * SECOND;
	assert_int_equal(alive(), 30);
	assert_says(out, "waiting for alpha, which is on trial for 20s: newleaf confirm");
	confirmed_at = 0;
	f->leaves[0].trial_tsc = trial_tsc;
	assert_int_equal(alive(), 660); /* its time does not go by here: others may begin another and another */
	assert_says(err, "NL_ETRIAL");
	f->leaves[0].trial_tsc -= 30 * SECOND; /* over, and not taken back */
	assert_int_equal(alive(), 60);
	assert_says(err, "NL_ETRIAL");
	assert_null(strstr(out, "waiting"));
	cancelled_at = f->now_ns + 5 * SECOND;
	assert_int_equal(alive(), 5);
	assert_says(err, "NL_EINTERRUPTED");
	cancelled_at = cli_cancel = 0;
	f->leaves[0].condition = NL_LEAF_REVERTED; /* taken back */
	assert_int_equal(alive(), 0);
	assert_null(strstr(err, "NL_ETRIAL"));
}

static void journaled(void **state)
{
	(void)state;
	fake_journal(f, NL_EV_TRIAL, NL_OK, "alpha", NL_LEAF_APPLIED, 5000);
	fake_journal(f, NL_EV_TRIAL, NL_OK, "alpha", NL_LEAF_APPLIED, 0);
	fake_journal(f, NL_EV_TRIAL, NL_OK, "alpha", NL_LEAF_REVERTED, 0);
	fake_journal(f, NL_EV_TRIAL, NL_ETRIAL, "alpha", NL_LEAF_REVERTED, 5000);
	fake_journal(f, NL_EV_NET, NL_OK, "", NL_NET_OPENED, 3 << 3);
	fake_journal(f, NL_EV_NET, NL_EINTERNAL, "", NL_NET_LOOPED | 4ULL << 32, 0x401234);
	fake_journal(f, NL_EV_NET, NL_EINTERNAL, "", 99, 0);
	assert_int_equal(newleaf("log"), 0);
	assert_says(out, "card 00:03.0\n");
	assert_says(out, "the stack did not come to an end, at 0x401234, 4 times in this boot\n");
	assert_says(out, "trial      generation 1  alpha  begun\n");
	assert_says(out, "alpha  confirmed\n");
	assert_says(out, "alpha  gone before its time\n");
	assert_says(out, "alpha  NL_ETRIAL  not confirmed, and taken back\n");
	assert_int_equal(newleaf("log", "--json"), 0);
	assert_schema("log");
	assert_says(out, "\"event\":\"trial\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(asked_for, set_up), cmocka_unit_test_setup(shown, set_up),
	        cmocka_unit_test_setup(confirmed, set_up), cmocka_unit_test_setup(not_confirmed, set_up),
	        cmocka_unit_test_setup(journaled, set_up), cmocka_unit_test_setup(alive_waits_for_its_end, set_up),
	};

	return cmocka_run_group_tests_name("cli_trial", tests, set_up_group, tear_down_group);
}
