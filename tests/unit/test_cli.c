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
 * The command as its users see it, where it changes something or refuses to: exit codes, what is said where, JSON
 * against the published schemas, and that failures change nothing.
 */
#include "cli_fixture.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void usage_errors_exit_2(void **state)
{
	static const char *const bad[][4] = {
	        {"frobnicate"},
	        {"apply"},
	        {"status", "extra"},
	        {"revert"},
	        {"revert", "--all", "x"},
	        {"apply", "--deadline", "5"},
	        {"apply", "--deadline"},
	        {"apply", "--deadline=0s"},
	        {"status", "--all"},
	        {"status", "--json=1"},
	        {"status", "-x"},
	        {"log", "--since", "-1"},
	        {"log", "--since", "x"},
	        {"explain", "NL_NOSUCH"},
	        {"exits", "--interval", "1 s"},
	        {"--frob"},
	        {"sync"},
	        {"sync", "a", "b"},
	};

	(void)state;
	for (size_t i = 0; i < NL_ARRAY_SIZE(bad); i++) {
		const char *args[8] = {"newleaf"};

		for (unsigned k = 0; k < 4 && bad[i][k]; k++)
			args[k + 1] = bad[i][k];
		assert_int_equal(run(args), NL_EXIT_USAGE);
		assert_string_equal(out, "");
		assert_says(err, "nothing changed");
		assert_says(err, "[NL_EUSAGE, exit 2]");
		for (unsigned k = 0; k < 5; k++)
			if (!args[k]) {
				args[k] = "--json";
				break;
			}
		assert_int_equal(run(args), NL_EXIT_USAGE);
		assert_string_equal(err, "");
		assert_schema("error");
	}
	assert_int_equal(f->calls, 0);
	assert_int_equal(run((const char *[]){"newleaf", NULL}), NL_EXIT_USAGE);
}

static void help_needs_nothing(void **state)
{
	(void)state;
	f->absent = true;
	assert_int_equal(newleaf("--help"), 0);
	assert_says(out, "revert");
	assert_int_equal(newleaf("--version"), 0);
	assert_says(out, "ABI 4");
	for (size_t i = 0; i < cli_n_verbs; i++)
		if (cli_verbs[i].group != GROUP_MAKE && cli_verbs[i].group != GROUP_LATER) {
			assert_int_equal(newleaf(cli_verbs[i].name, "--help"), 0);
			assert_says(out, cli_verbs[i].summary);
		}
}

static void every_error_is_explained(void **state)
{
	(void)state;
	f->absent = true;
	for (size_t i = 0; i < cli_n_errors; i++) {
		assert_int_equal(newleaf("explain", cli_errors[i].name), 0);
		assert_says(out, cli_errors[i].what);
		assert_in_range(cli_errors[i].exit, 0, 11);
		assert_int_equal(cli_errors[i].code, i); /* append only, no holes: the agent counts on it */
	}
	assert_int_equal(newleaf("explain", "deadline"), 0);
	assert_says(out, "NL_EDEADLINE");
	assert_int_equal(newleaf("explain", "NL_DEADLINE"), 0);
	assert_int_equal(newleaf("explain", "21"), 0);
	assert_says(out, "NL_EDEADLINE");
	assert_int_equal(newleaf("explain", "--json"), 0);
	assert_schema("explain");
}

static void without_newleaf_exit_9(void **state)
{
	static const char *const verbs[] = {"status", "log", "exits", "console", "blockers", "alive"};

	(void)state;
	f->absent = true;
	for (size_t i = 0; i < NL_ARRAY_SIZE(verbs); i++) {
		assert_int_equal(newleaf(verbs[i]), NL_EXIT_ABSENT);
		assert_says(err, "[NL_EABSENT, exit 9]");
		assert_string_equal(out, "");
		assert_int_equal(newleaf("--json", verbs[i]), NL_EXIT_ABSENT);
		assert_schema("error");
	}
	assert_int_equal(newleaf("apply", path_a), NL_EXIT_ABSENT);
	assert_says(err, "a.leaf not applied; nothing changed");
	f->absent = false;
	f->abi = 7;
	assert_int_equal(newleaf("status"), NL_EXIT_ABSENT);
	assert_says(err, "speaks ABI 7");
}

static void not_root_exit_6(void **state)
{
	(void)state;
	f->ordinary_user = true;
	f->refusal = NL_WHY_NOT_ROOT;
	assert_int_equal(newleaf("status"), NL_EXIT_PERMISSION);
	assert_says(err, "not root");
	f->refusal = NL_WHY_NO_DRIVER;
	assert_int_equal(newleaf("apply", path_a), NL_EXIT_PERMISSION);
	assert_says(err, "lockdown");
	f->refusal = NL_WHY_NO_RAWIO;
	assert_int_equal(newleaf("revert", "x", "--json"), NL_EXIT_PERMISSION);
	assert_says(out, "CAP_SYS_RAWIO");
	assert_schema("error");
	assert_int_equal(f->calls, 0);
}

static void apply_revert_apply(void **state)
{
	(void)state;
	assert_int_equal(newleaf("status"), 0);
	assert_says(out, "Newleaf 0.1.0  SVM/NPT  2/2 CPUs");
	assert_says(out, "no leaf is known");
	assert_int_equal(newleaf("apply", path_a), 0);
	assert_string_equal(err, ""); /* progress only on a terminal */
	assert_says(out, "applied alpha: generation 1 -> 2 in ");
	assert_says(out, "stop window 214 us, longest hold 219 us");
	assert_int_equal(newleaf("apply", path_a), NL_EXIT_NOTHING);
	assert_says(out, "nothing to do: alpha is applied already (generation 2)");
	assert_int_equal(newleaf("list"), 0);
	assert_says(out, "alpha           applied");
	assert_int_equal(newleaf("revert", "alpha"), 0);
	assert_says(out, "reverted alpha: generation 2 -> 3");
	assert_int_equal(newleaf("revert", "alpha"), NL_EXIT_CONFLICT);
	assert_says(err, "alpha is not applied");
	assert_says(err, "NL_EUNKNOWN_LEAF");
	assert_int_equal(newleaf("revert", "gamma"), NL_EXIT_CONFLICT);
	assert_says(err, "no leaf \"gamma\" is known");
	assert_int_equal(newleaf("load", path_a), 0);
	assert_int_equal(newleaf("unload", "--all"), 0);
	assert_int_equal(newleaf("revert", "--all"), NL_EXIT_NOTHING);
	assert_int_equal(f->status.generation, 5);
	assert_int_equal(f->abandons, 0);
}

/* The longest piece and its name, in every answer of a verb that changes something. */
static void says_what_it_took(void **state)
{
	(void)state;
	assert_int_equal(newleaf("apply", path_a), 0);
	assert_null(strstr(out, "blackout")); /* nothing was measured: nothing is said */
	f->takes[NL_PIECE_GATHER] = 300000;
	f->takes[NL_CALL_TRY] = 250000;
	f->takes[NL_CALL_VERIFY] = 640000;
	assert_int_equal(newleaf("revert", "alpha"), 0);
	assert_says(out, "longest hold 219 us, blackout 300 us (gather)\n");
	assert_int_equal(newleaf("apply", "-n", path_a), 0);
	assert_says(out, "(generation 3 stays), blackout 640 us (verify)\n");
	assert_int_equal(newleaf("apply", path_a, "--json"), 0);
	assert_schema("apply");
	assert_says(out, "\"gathers\":1,");
	assert_says(out, "\"blackout_ns\":640000,\"blackout_by\":\"verify\","
	                 "\"pieces_ns\":{\"gather\":300000,\"verify\":640000,\"try\":250000}");
	f->try_error = NL_EBYTES;
	assert_int_equal(newleaf("revert", "alpha", "--json"), NL_EXIT_TARGET);
	assert_schema("error");
	assert_says(out, "\"blackout_ns\":300000,\"blackout_by\":\"gather\"");
	f->takes[NL_CALL_TRY] = f->takes[NL_PIECE_GATHER]; /* of equals the outer one */
	f->try_error = NL_OK;
	assert_int_equal(newleaf("revert", "--all", "--json"), 0);
	assert_schema("revert");
	assert_says(out, "\"blackout_by\":\"gather\"");
}

static void several_leaves_are_one_commit(void **state)
{
	(void)state;
	assert_int_equal(newleaf("apply", path_a, path_b), 0);
	assert_says(out, "applied alpha, beta: generation 1 -> 2");
	assert_int_equal(f->status.generation, 2);
	assert_int_equal(newleaf("revert", "alpha", "beta", "gamma"),
	                 NL_EXIT_CONFLICT); /* one unknown: none is reverted */
	assert_int_equal(f->status.generation, 2);
	assert_int_equal(newleaf("revert", "alpha"), 0);
	assert_int_equal(f->leaves[1].condition, NL_LEAF_APPLIED); /* beta stays */
	assert_int_equal(newleaf("apply", path_a, path_b), 0);
	assert_int_equal(newleaf("revert", "--all"), 0);
	assert_says(out, "reverted alpha, beta");
	assert_int_equal(newleaf("apply", path_a, path_a2), NL_EXIT_USAGE);
	assert_says(err, "two versions of alpha");
}

static void a_new_version_replaces_the_old(void **state)
{
	(void)state;
	assert_int_equal(newleaf("apply", path_a, path_b), 0);
	assert_int_equal(newleaf("apply", path_a2, "--json"), 0);
	assert_schema("apply");
	assert_int_equal(f->prepared.count, 2); /* beta and the new alpha */
	assert_int_equal(f->leaves[0].condition, NL_LEAF_REVERTED);
	assert_int_equal(f->leaves[2].condition, NL_LEAF_APPLIED);
	assert_int_equal(newleaf("revert", "alpha"), 0); /* the applied one of that id, not the old one */
	assert_int_equal(f->leaves[2].condition, NL_LEAF_REVERTED);
}

static void a_successor_takes_the_place(void **state)
{
	static const char id[] = "alpha"; /* of a fact, which is padded to 4 bytes */
	struct nl_leaf_fact f7 = {NL_FACT_SUPERSEDES, sizeof(id) - 1, 1};
	struct {
		uint8_t bytes[4096];
		char path[PATH_MAX];
	} *leaf = calloc(1, sizeof(*leaf));
	struct nl_leaf_header *h = (void *)leaf->bytes;
	size_t n = fake_leaf(leaf->bytes, "gamma", 1);
	FILE *file;

	(void)state;
	h->facts = (struct nl_leaf_part){(uint32_t)n, (uint32_t)nl_fact_size(&f7)};
	memcpy(leaf->bytes + n, &f7, sizeof(f7));
	memcpy(leaf->bytes + n + sizeof(f7), id, f7.length);
	for (unsigned cut = 0; cut < 2; cut++) {
		f = fake_new();
		snprintf(leaf->path, sizeof(leaf->path), "%s/c.file", dir);
		file = fopen(leaf->path, "w");
		assert_int_equal(fwrite(leaf->bytes, 1, n + nl_fact_size(&f7) - 4 * cut, file),
		                 n + nl_fact_size(&f7) - 4 * cut);
		fclose(file);
		assert_int_equal(newleaf("apply", path_a, path_b), 0);
		assert_int_equal(newleaf("apply", leaf->path), 0);
		assert_int_equal(f->prepared.count, 2 + cut); /* beta and gamma; alpha too where no fact is whole */
		assert_int_equal(f->leaves[0].condition, cut ? NL_LEAF_APPLIED : NL_LEAF_REVERTED);
		if (!cut)
			assert_says(out, "applied gamma; reverted alpha: generation 2 -> 3");
	}
	free(leaf);
}

static void sync_makes_exactly_this_set(void **state)
{
	char command[4 * PATH_MAX], set[PATH_MAX];

	(void)state;
	snprintf(set, sizeof(set), "%s/set", dir);
	assert_int_equal(newleaf("sync", set), NL_EXIT_ENVIRONMENT);
	snprintf(command, sizeof(command), "mkdir %s && cp %s %s", set, path_b, set);
	assert_int_equal(system(command), 0);
	assert_int_equal(newleaf("apply", path_a), 0);
	assert_int_equal(newleaf("sync", "-n", set), 0);
	assert_says(out, "would be synced: beta; reverted: alpha (generation 2 stays)");
	assert_int_equal(newleaf("sync", set, "--json"), 0);
	assert_schema("sync");
	assert_int_equal(f->leaves[0].condition, NL_LEAF_REVERTED);
	assert_int_equal(f->leaves[1].condition, NL_LEAF_APPLIED);
	assert_int_equal(newleaf("sync", set), NL_EXIT_NOTHING);
	char here[PATH_MAX];
	assert_non_null(getcwd(here, sizeof(here)));
	assert_int_equal(chdir(set), 0);
	f->ordinary_user = true;
	assert_int_equal(newleaf("sync", "."), NL_EXIT_PERMISSION);
	assert_says(err, "/set not synced; nothing changed");
	f->ordinary_user = false;
	assert_int_equal(chdir(here), 0);
	snprintf(command, sizeof(command), "rm %s/*.leaf", set);
	assert_int_equal(system(command), 0);
	assert_int_equal(newleaf("sync", set), 0);
	assert_says(out, "reverted beta: generation 3 -> 4 ");
	assert_int_equal(f->leaves[1].condition, NL_LEAF_REVERTED);
	assert_int_equal(f->status.generation, 4);
	assert_int_equal(newleaf("apply", path_a), 0);
	snprintf(command, sizeof(command), "cp %s %s", path_b, set);
	assert_int_equal(system(command), 0);
	assert_int_equal(newleaf("sync", set), 0);
	assert_says(out, "synced beta; reverted alpha: generation 5 -> 6 ");
}

static void dry_run_changes_nothing(void **state)
{
	(void)state;
	assert_int_equal(newleaf("apply", "-n", path_a), 0);
	assert_says(out, "would be applied: alpha (generation 1 stays)");
	assert_int_equal(newleaf("apply", "--dry-run", "--json", path_a), 0);
	assert_schema("apply");
	f->verify_error = NL_EKEY;
	assert_int_equal(newleaf("apply", "-n", path_a), NL_EXIT_LEAF);
	assert_int_equal(f->tries, 0);
	assert_int_equal(f->status.generation, 1);
}

static void each_refusal_has_its_exit_code(void **state)
{
	(void)state;
	for (size_t i = NL_EINTERNAL; i < cli_n_errors; i++) {
		const struct cli_error *e = &cli_errors[i];
		char code[64];

		if (e->code == NL_EDEGRADED || e->code == NL_EFAULT)
			continue; /* not refusals of VERIFY; the latter is retried */
		f->verify_error = e->code;
		snprintf(code, sizeof(code), "[%s, exit %d]", e->name, e->exit);
		assert_int_equal(newleaf("apply", path_a), e->exit);
		assert_says(err, code);
		assert_says(err, "alpha not applied; nothing changed (generation 1)");
		assert_says(err, "\n  why   ");
		assert_says(err, "\n  next  ");
		assert_string_equal(out, "");
		assert_int_equal(newleaf("apply", path_a, "--json"), e->exit);
		assert_schema("error");
		f->verify_error = NL_OK;
		if (e->code == NL_EBUSY)
			continue; /* of TRY: another try, until the deadline */
		f->try_error = e->code;
		assert_int_equal(newleaf("apply", path_a), e->exit);
		assert_says(err, code);
		f->try_error = NL_OK;
	}
	assert_int_equal(f->status.generation, 1);
}

static void particulars_are_named(void **state)
{
	(void)state;
	f->verify_error = NL_EBUILDID;
	assert_int_equal(newleaf("apply", path_a), NL_EXIT_TARGET);
	assert_says(err, "3f3f3f3f"); /* of the kernel */
	assert_says(err, "a1a1a1a1"); /* of the leaf */
	f->verify_error = NL_EKEY;
	assert_int_equal(newleaf("apply", path_a), NL_EXIT_LEAF);
	assert_says(err, "key 7c7c7c7c");
	f->verify_error = NL_EBYTES;
	f->blocker = (struct nl_blocker){
	        .cpu = UINT32_MAX, .site_va = 0x1234, .bytes_len = 2, .expected = {0x0f, 0x1f}, .found = {0xe9, 0}};
	assert_int_equal(newleaf("apply", path_a), NL_EXIT_TARGET);
	assert_says(err, "expected 0f1f, found e900");
	assert_int_equal(newleaf("apply", path_a, "--json"), NL_EXIT_TARGET);
	assert_schema("error");
	assert_says(out, "\"found\":\"e900\"");
	assert_int_equal(newleaf("apply", "/nonexistent/x.leaf"), NL_EXIT_ENVIRONMENT);
	assert_says(err, "cannot read /nonexistent/x.leaf: No such file");
	assert_int_equal(newleaf("apply", dir), NL_EXIT_ENVIRONMENT);
}

static void files_that_are_no_leaves(void **state)
{
	char path[PATH_MAX];
	uint8_t bytes[4096];
	size_t n = fake_leaf(bytes, "alpha", 1);

	(void)state;
	snprintf(path, sizeof(path), "%s/cut", dir);
	for (size_t len = 0; len < n; len += 13) {
		FILE *file = fopen(path, "w");

		fwrite(bytes, 1, len, file);
		fclose(file);
		assert_int_equal(newleaf("apply", path), NL_EXIT_LEAF);
		assert_says(err, "cut not applied; nothing changed (generation 1)");
	}
	assert_int_equal(truncate(path, NL_LEAF_MAX_SIZE + 1), 0);
	assert_int_equal(newleaf("apply", path), NL_EXIT_LEAF);
	assert_says(err, "larger than a leaf may be");
}

static void a_terminal_obeys_no_name(void **state)
{
	static const char *const odd[] = {"/nonexistent/\033[2J\2331m\nx.leaf", "\033]0;title\a.leaf"};

	(void)state;
	for (size_t i = 0; i < NL_ARRAY_SIZE(odd); i++) {
		assert_int_equal(newleaf("apply", odd[i]), NL_EXIT_ENVIRONMENT);
		for (const char *p = err; *p; p++)
			assert_true((*p >= 0x20 && *p <= 0x7e) || *p == '\n');
	}
	assert_says(err, "newleaf: ?]0;title?.leaf not applied; nothing changed");
	assert_says(err, "cannot read ?]0;title?.leaf: ");
	assert_int_equal(newleaf("apply", odd[0], "--json"), NL_EXIT_ENVIRONMENT);
	assert_schema("error");
}

static void deadline_names_the_blocker(void **state)
{
	(void)state;
	f->gather_missing = UINT_MAX;
	assert_int_equal(newleaf("apply", path_a, "--deadline", "100ms"), NL_EXIT_DEADLINE);
	assert_says(err, "alpha not applied; nothing changed (generation 1) [NL_EDEADLINE, exit 8]");
	assert_says(err, "CPU 1 did not arrive within 100.0 ms: pid 812 kworker/1:2");
	assert_int_equal(newleaf("apply", path_a, "--json"), NL_EXIT_DEADLINE);
	assert_schema("error");
	assert_says(out, "\"blockers\":[{\"cpu\":1,\"pid\":812,\"comm\":\"kworker/1:2\"");
	f->gather_missing = 0;
	f->try_again = UINT_MAX;
	f->gather_missing_from = f->tries + 3; /* somebody was seen in a site before the last gathers failed */
	f->blocker =
	        (struct nl_blocker){.cpu = UINT32_MAX, .rip = 0x1010, .site_va = 0x1000, .pid = 499, .comm = "acc"};
	assert_int_equal(newleaf("apply", path_a, "--deadline", "100ms", "--json"), NL_EXIT_DEADLINE);
	assert_says(out, "\"detail\":\"pid 499 acc stood at 0x1010 when last seen; 3 tries within 100.0 ms\"");
	assert_says(out, "\"blockers\":[{\"cpu\":null,\"pid\":499,\"comm\":\"acc\"");
	f->gather_missing_from = 0;
	f->blocker = (struct nl_blocker){.cpu = 0, .rip = 0x1000, .cpl = 0};
	assert_int_equal(newleaf("apply", path_a), NL_EXIT_DEADLINE);
	assert_says(err, "CPU 0 stood at 0x1000 (CPL 0) in the last of");
	assert_int_equal(newleaf("apply", path_a, "--deadline=11s"), NL_EXIT_USAGE);
	assert_says(err, "at most 10000 ms");
	assert_int_equal(f->abandons, 4);
}

static void ctrl_c_leaves_it_unchanged(void **state)
{
	(void)state;
	f->try_again = UINT_MAX;
	f->cancel_at_gather = 2;
	assert_int_equal(newleaf("apply", path_a), NL_EXIT_DEADLINE);
	assert_says(err, "NL_EINTERRUPTED");
	assert_int_equal(f->abandons, 1);
	f->try_again = 0;
	assert_int_equal(newleaf("apply", path_a), 0);
}

/* Once is not enough: a signal that comes before the command listens is ignored. */
static void interrupt_until_it_ends(pid_t pid)
{
	while (getppid() == pid) {
		kill(pid, SIGINT);
		usleep(10000);
	}
	_exit(0);
}

static void changes_are_serialised(void **state)
{
	char path[PATH_MAX];
	int fd;
	pid_t pid;

	(void)state;
	snprintf(path, sizeof(path), "%s/lock", dir);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		close(fd);
		signal(SIGINT, SIG_IGN);
		if (fork() == 0)
			interrupt_until_it_ends(getppid());
		_exit(newleaf("apply", path_a));
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), NL_EXIT_DEADLINE);
	slurp("err", err, sizeof(err));
	assert_says(err, "another newleaf command");
	assert_int_equal(newleaf("status"), 0); /* looking needs no lock */
	close(fd);
	assert_int_equal(newleaf("apply", path_a), 0);
}

/* A lock in /tmp could be made and held by any user. */
static void the_lock_has_one_place(void **state)
{
	char path[PATH_MAX];

	(void)state;
	snprintf(path, sizeof(path), "%s/no/run", dir);
	cli_run_dir = path;
	assert_int_equal(newleaf("apply", path_a), NL_EXIT_ENVIRONMENT);
	cli_run_dir = dir;
	assert_says(err, "/no/run/lock: No such file or directory");
	assert_says(err, "mount -t tmpfs tmpfs /run");
	assert_int_equal(f->status.generation, 1);
	assert_int_equal(newleaf("apply", path_a), 0);
}

/* No commit, no timeline of one: who asked for the file is told. */
static void no_timeline_of_no_commit(void **state)
{
	char path[PATH_MAX], said[2 * PATH_MAX];

	(void)state;
	snprintf(path, sizeof(path), "%s/course", dir);
	unlink(path);
	snprintf(said, sizeof(said), "no commit: %s not written", path);
	assert_int_equal(newleaf("revert", "--all", "--timeline", path), NL_EXIT_NOTHING);
	assert_says(out, said);
	assert_int_equal(newleaf("apply", path_a, "--dry-run", "--timeline", path), 0);
	assert_says(err, said);
	assert_int_equal(newleaf("apply", path_a), 0);
	assert_null(strstr(out, "not written"));
	assert_int_equal(newleaf("apply", path_a, "--timeline", path), NL_EXIT_NOTHING);
	assert_says(out, said);
	assert_int_equal(newleaf("apply", path_a, "--timeline", path, "--json"), NL_EXIT_NOTHING);
	assert_schema("apply");
	assert_says(out, said);
	assert_int_equal(newleaf("apply", path_a), NL_EXIT_NOTHING);
	assert_null(strstr(out, "not written"));
	assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(usage_errors_exit_2, set_up),
	        cmocka_unit_test_setup(help_needs_nothing, set_up),
	        cmocka_unit_test_setup(every_error_is_explained, set_up),
	        cmocka_unit_test_setup(without_newleaf_exit_9, set_up),
	        cmocka_unit_test_setup(not_root_exit_6, set_up),
	        cmocka_unit_test_setup(apply_revert_apply, set_up),
	        cmocka_unit_test_setup(says_what_it_took, set_up),
	        cmocka_unit_test_setup(several_leaves_are_one_commit, set_up),
	        cmocka_unit_test_setup(a_new_version_replaces_the_old, set_up),
	        cmocka_unit_test_setup(a_successor_takes_the_place, set_up),
	        cmocka_unit_test_setup(sync_makes_exactly_this_set, set_up),
	        cmocka_unit_test_setup(dry_run_changes_nothing, set_up),
	        cmocka_unit_test_setup(each_refusal_has_its_exit_code, set_up),
	        cmocka_unit_test_setup(particulars_are_named, set_up),
	        cmocka_unit_test_setup(files_that_are_no_leaves, set_up),
	        cmocka_unit_test_setup(a_terminal_obeys_no_name, set_up),
	        cmocka_unit_test_setup(deadline_names_the_blocker, set_up),
	        cmocka_unit_test_setup(ctrl_c_leaves_it_unchanged, set_up),
	        cmocka_unit_test_setup(changes_are_serialised, set_up),
	        cmocka_unit_test_setup(the_lock_has_one_place, set_up),
	        cmocka_unit_test_setup(no_timeline_of_no_commit, set_up),
	};

	return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
