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
 * The command where it looks: status, log, exits, console, and what is not there.
 */
#include "cli_fixture.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void status_tells_what_weakens(void **state)
{
	(void)state;
	assert_int_equal(newleaf("apply", path_a), 0);
	assert_int_equal(newleaf("status", "--check"), 0);
	assert_string_equal(out, "");
	f->leaves[0].note = NL_EPROBED;
	assert_int_equal(newleaf("status", "--check"), NL_EXIT_DEGRADED);
	assert_says(out, "alpha: a probe");
	assert_int_equal(newleaf("status"), 0);
	assert_says(out, "NL_EPROBED");
	f->status.kernel_build_id_len = 20;
	f->status.boot.keys_from_file = 1;
	f->status.counts.microcode_dropped = 3;
	f->status.counts.config_refused = 2;
	f->status.boot.n_beyond = 5;
	f->status.counts.ipis_refused = 7;
	f->status.undecided = NL_UNDECIDED_SMN;
	f->status.proof = NL_PROOF_TOKEN;
	f->status.counts.tokens_refused = 9;
	assert_int_equal(newleaf("status", "--json"), 0);
	assert_schema("status");
	assert_says(out, "\"microcode_dropped\":3");
	assert_says(out, "\"config_refused\":2");
	assert_says(out, "\"cpus_beyond\":5");
	assert_says(out, "\"ipis_refused\":7");
	assert_says(out, "\"proof\":{\"by\":\"token\",\"taken\":[\"port\",\"token\"],\"tokens_refused\":9}");
	assert_says(out, "\"undecided\":[\"amd-smn\"]");
	assert_int_equal(newleaf("status"), 0);
	assert_says(out, "from a file");
	assert_says(out, "microcode updates of the guest dropped: 3");
	assert_says(out, "undecided amd-smn");
	assert_says(out, "Proof of root by token");
	assert_says(out, "not valid: 9");
	assert_says(out, "configuration space refused: 2");
	assert_says(out, "can never be started: 5");
	assert_says(out, "CPUs that are not ours refused: 7");
	assert_int_equal(newleaf("-q", "status"), 0);
	assert_string_equal(out, "");
	f->status.list_sequence = f->status.boot.list_known = 12;
	assert_int_equal(newleaf("status"), 0);
	assert_says(out, "signed list 12\n");
	f->status.list_sequence = 0;
	f->status.list_error = NL_ELISTGONE;
	f->status.lockouts = 2;
	f->leaves[0].note = NL_OK;
	assert_int_equal(newleaf("status", "--check"), NL_EXIT_DEGRADED);
	assert_says(out, "signed list: the signed list that this machine has accepted is missing");
	assert_int_equal(newleaf("status", "--json"), 0);
	assert_schema("status");
	assert_says(out, "\"list\":{\"sequence\":0,\"known\":12,\"error\":\"NL_ELISTGONE\"},\"lockouts\":2");
	assert_says(out, "degraded");
	assert_int_equal(newleaf("status"), 0);
	assert_says(out, "not taken: the signed list that this machine has accepted is missing [NL_ELISTGONE]; the "
	                 "newest known is 12");
	assert_says(out, "locked out, since a panic or because nobody confirmed them: 2");
	f->status.list_error = NL_NOTHING;
	assert_int_equal(newleaf("status", "--check"), 0);
	f->torn_status = true;
	assert_int_equal(newleaf("status"), NL_EXIT_INTERNAL);
}

static void status_signed_for_somebody_else(void **state)
{
	static const char nonce[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
	static union {
		struct nl_signed_status s;
		char bytes[NL_SIGNED_MAX_SIZE];
	} file;
	char path[PATH_MAX];

	(void)state;
	snprintf(path, sizeof(path), "%s/signed", dir);
	f->status.boot.boots = 7;
	f->signed_again = 3;
	f->signed_rate = 4;
	assert_int_equal(newleaf("status", "--signed", "--nonce", nonce, "--out", path), 0);
	assert_says(out, "signed status of boot 7");
	assert_true(f->longest_pause_ns >= 10000000);
	slurp("signed", file.bytes, sizeof(file));
	assert_int_equal(file.s.head.magic, NL_STATUS_MAGIC);
	for (unsigned i = 0; i < 32; i++)
		assert_int_equal(file.s.nonce[i], 0x11 * (i % 16));
	assert_int_equal(newleaf("status", "--signed", "--nonce", nonce, "--out", path, "--json"), 0);
	assert_schema("signed");
	assert_int_equal(newleaf("status", "--machine-key"), 0);
	assert_string_equal(out, "abcd000000000000000000000000000000000000000000000000000000000000\n");
	assert_int_equal(newleaf("status", "--machine-key", "--json"), 0);
	assert_schema("signed");
	assert_int_equal(newleaf("status", "--signed", "--nonce", nonce, "--out", "/nonexistent/x"),
	                 NL_EXIT_ENVIRONMENT);
	f->torn_signed = true;
	assert_int_equal(newleaf("status", "--signed", "--nonce", nonce, "--out", path), NL_EXIT_INTERNAL);
	f->torn_signed = false;
	f->signed_error = NL_ENORANDOM;
	assert_int_equal(newleaf("status", "--signed", "--nonce", nonce, "--out", path), NL_EXIT_ABSENT);
	assert_says(err, "NL_ENORANDOM");
	assert_int_equal(newleaf("status", "--signed", "--nonce", "0011", "--out", path), NL_EXIT_USAGE);
	assert_int_equal(newleaf("status", "--signed", "--nonce", nonce), NL_EXIT_USAGE);
	assert_int_equal(newleaf("status", "--signed", "--out", path), NL_EXIT_USAGE);
	assert_int_equal(newleaf("status", "--nonce", nonce, "--out", path), NL_EXIT_USAGE);
	assert_int_equal(newleaf("status", "--machine-key", "--out", path), NL_EXIT_USAGE);
	assert_int_equal(newleaf("status", "--signed", "--nonce", nonce, "--out", "-", "--json"), NL_EXIT_USAGE);
}

static void status_names_modules(void **state)
{
	struct nl_leaf_module *m = f->facts.modules;

	(void)state;
	f->facts.n_modules = 5;
	for (unsigned i = 0; i < 5; i++)
		m[i].sites = i < 4;
	strcpy(m[0].name, "ext4");
	strcpy(m[1].name, "xfs");
	m[1].state = NL_MODULE_PRESENT;
	strcpy(m[2].name, "nf_tables");
	m[2].state = NL_MODULE_OTHER;
	strcpy(m[3].name, "tls");
	m[3].state = NL_MODULE_UNPATCHED;
	strcpy(m[4].name, "jbd2"); /* only referred to */
	f->leaf_note = NL_EMODULE; /* as the hypervisor has it, with another build there */
	assert_int_equal(newleaf("apply", path_a), NL_EXIT_DEGRADED);
	assert_says(out, "\n  waiting for ext4: patched when it is loaded\n  in xfs\n  another build of nf_tables");
	assert_int_equal(newleaf("revert", "alpha"), 0);
	assert_int_equal(newleaf("apply", path_a, "--json"), NL_EXIT_DEGRADED);
	assert_schema("apply");
	assert_says(out, "\"result\":\"degraded\"");
	assert_says(out, "\"note\":\"NL_EMODULE\"");
	f->leaf_note = NL_OK;
	assert_int_equal(newleaf("revert", "alpha"), 0);
	assert_int_equal(newleaf("apply", path_a), 0);
	assert_int_equal(newleaf("status"), 0);
	assert_says(
	        out,
	        "\n  waiting for ext4: patched when it is loaded\n  in xfs\n  another build of nf_tables is loaded, "
	        "and left alone\n  tls came and could not be patched: newleaf log says why\n");
	assert_null(strstr(out, "jbd2"));
	assert_int_equal(newleaf("status", "--json"), 0);
	assert_schema("status");
	assert_says(out, "{\"name\":\"ext4\",\"state\":\"waiting\",\"sites\":1}");
	assert_says(out, "{\"name\":\"nf_tables\",\"state\":\"other-build\",\"sites\":1}");
	assert_int_equal(newleaf("revert", "alpha"), 0);
	assert_int_equal(newleaf("status"), 0);
	assert_null(strstr(out, "xfs"));
	f->facts.n_modules = 1000; /* from a hypervisor that talks nonsense */
	assert_int_equal(newleaf("status", "--json"), 0);
	fake_journal(f, NL_EV_MODULE, NL_EBYTES, "xfs", 0xffffffffc0001000, 1);
	fake_journal(f, NL_EV_MODULE, NL_NOTHING, "xfs", 0xffffffffc0001000, 0);
	fake_journal(f, NL_EV_MODULE, NL_OK, "xfs", 0xffffffffc0001000, 0);
	assert_int_equal(newleaf("log"), 0);
	assert_says(out, "xfs");
	assert_says(out, "came, could not be patched and was refused");
	assert_says(out, "went\n");
	assert_says(out, "came and was patched");
}

static void fact(enum nl_fact_kind kind, const char *text)
{
	struct nl_leaf_fact *to = (struct nl_leaf_fact *)(void *)(f->facts.bytes + f->facts.size);

	*to = (struct nl_leaf_fact){.kind = (uint16_t)kind, .length = (uint16_t)strlen(text)};
	memcpy(to->text, text, strlen(text));
	f->facts.size += (uint32_t)(sizeof(*to) + ((strlen(text) + 3) & ~(size_t)3));
}

static void status_speaks_to_scanners(void **state)
{
	(void)state;
	assert_int_equal(newleaf("status", "--vex"), NL_EXIT_NOTHING);
	assert_int_equal(newleaf("apply", path_a), 0);
	assert_int_equal(newleaf("status", "--vex"), NL_EXIT_NOTHING);
	assert_string_equal(out, "");
	fact(NL_FACT_CVE, "CVE-2026-0001");
	fact(NL_FACT_ALLOW, "f: types");
	fact(NL_FACT_CVE, "CVE-2026-00022");
	f->leaves[0].counters = f->facts.counters = 2;
	f->leaves[0].hits = 9;
	f->facts.hits[1] = 9;
	assert_int_equal(newleaf("status", "--vex", "--product", "pkg:deb/debian/x@1"), 0);
	assert_says(out, "\"@context\":\"https://openvex.dev/ns/v0.2.0\"");
	assert_says(out,
	            "{\"vulnerability\":{\"name\":\"CVE-2026-00022\"},\"products\":[{\"@id\":\"pkg:deb/debian/x@1\"");
	assert_says(out, "CVE-2026-0001\"");
	assert_int_equal(newleaf("status", "--prometheus"), 0);
	assert_says(out, "newleaf_cve_mitigated{cve=\"CVE-2026-0001\",leaf=\"alpha\"} 1");
	assert_says(out, "newleaf_leaf_hits_total{leaf=\"alpha\"} 9");
	assert_int_equal(newleaf("status", "--json"), 0);
	assert_schema("status");
	assert_says(out, "\"overrides\":[\"f: types\"]");
	assert_says(out, "\"hits_by_function\":[0,9]");
	assert_int_equal(newleaf("status"), 0);
	assert_says(out, "override: f: types");
	f->leaves[0].note = NL_EPROBED; /* other bytes than the leaf's run there */
	assert_int_equal(newleaf("status", "--vex"), 0);
	assert_says(out, "\"status\":\"affected\"");
	assert_null(strstr(out, "not_affected"));
	assert_int_equal(newleaf("status", "--prometheus"), 0);
	assert_says(out, "newleaf_cve_mitigated{cve=\"CVE-2026-0001\",leaf=\"alpha\"} 0");
	f->leaves[0].note = NL_OK;
	assert_int_equal(newleaf("revert", "alpha"), 0);
	assert_int_equal(newleaf("status", "--vex"), 0);
	assert_says(out, "\"status\":\"affected\"");
	assert_null(strstr(out, "not_affected"));
	f->facts.size = sizeof(f->facts.bytes) + 1;
	assert_int_equal(newleaf("status", "--vex"), NL_EXIT_INTERNAL);
}

/* The hypervisor does not look at what a trusted author says; a terminal obeys none of it. */
static void what_authors_say_is_printable(void **state)
{
	(void)state;
	assert_int_equal(newleaf("apply", path_a), 0);
	fact(NL_FACT_NOTE, "\033]0;x\007\n\xff");
	f->facts.n_modules = 1;
	memset(f->facts.modules[0].name, 'm', NL_OBJECT_NAME_LEN); /* and no NUL */
	memcpy(f->facts.modules[0].name, "\033[2J", 4);
	f->facts.modules[0].state = NL_MODULE_PRESENT;
	f->facts.modules[0].sites = 1;
	assert_int_equal(newleaf("status"), 0);
	assert_says(out, "unproven: ?]0;x???\n");
	assert_says(out, "in ?[2Jmmmm");
	assert_null(strpbrk(out, "\033\007"));
	assert_int_equal(newleaf("status", "--json"), 0);
	assert_schema("status");
	assert_says(out, "\"unproven\":[\"?]0;x???\"]");
}

static void log_checks_the_chain(void **state)
{
	(void)state;
	for (unsigned broken = 0; broken < 2; broken++) {
		int expected = broken ? NL_EXIT_INTERNAL : NL_EXIT_OK;

		f = fake_new();
		f->broken_chain = broken;
		fake_journal(f, NL_EV_BOOT, NL_OK, NULL, 0, 0);
		fake_journal(f, NL_EV_CPU, NL_OK, NULL, 1, 0);
		fake_journal(f, NL_EV_COMMIT, NL_OK, NULL, 214000, 0);
		fake_journal(f, NL_EV_REFUSED, NL_EBYTES, "alpha", 0, 0);
		assert_int_equal(newleaf("log"), expected);
		assert_says(out, "2023-11-14T22:13:21.000Z  boot");
		assert_says(out, "stop window 214 us");
		assert_says(out, "refused    generation 1  alpha  NL_EBYTES");
		assert_int_equal(newleaf("log", "--since", "2"), expected); /* the link to the entry before counts */
		assert_null(strstr(out, "boot"));
		if (broken)
			assert_says(err, "the hash chain breaks at entry 2");
		assert_int_equal(newleaf("log", "--since", "3"), 0); /* what is not looked at cannot be broken */
		if (!broken) {
			assert_int_equal(newleaf("log", "--json"), 0);
			assert_schema("log");
		}
	}
}

/* Entries that a warm reset left are dated by their own boot's clocks, and nothing of them stands in the way now. */
static void log_over_boots(void **state)
{
	struct nl_boot_facts before = {
	        .tsc_hz = 2000000000, .tsc_at_wall = 1000, .wall = {.year = 2022, .month = 5, .day = 6, .hour = 7}};

	(void)state;
	memset(f->status.boot.boot_id, 9, 16);
	for (unsigned i = 0; i < 6; i++) {
		static const uint8_t boots[] = {7, 8, 8, 5, 9, 9}; /* of the first one and of 5 the beginning is lost */

		fake_journal(f, i == 1 || i == 4 ? NL_EV_BOOT : NL_EV_ABANDONED, NL_OK, NULL, 2,
		             i == 4 ? NL_PAST_GOES_ON : 0xffffffff81000000 * (i != 1));
		memset(f->journal[i].boot_id, boots[i], 16);
		memcpy(f->journal[i].leaf_sha256, &before, i == 1 ? 32 : 0);
	}
	assert_int_equal(newleaf("log"), 0);
	assert_says(out, "    1  -  ");
	assert_says(out, "    2  2022-05-06T07:00:01.000Z  boot       generation 1  2 CPUs\n");
	assert_says(out, "    3  2022-05-06T07:00:01.500Z  abandoned");
	assert_says(out, "    4  -  ");
	assert_says(out,
	            "    5  2023-11-14T22:13:25.000Z  boot       generation 1  2 CPUs, goes on from the boot before");
	assert_says(out, "    6  2023-11-14T22:13:26.000Z  abandoned");
	assert_int_equal(newleaf("log", "--json"), 0);
	assert_says(out, "\"seq\":1,\"time\":null");
	assert_int_equal(newleaf("blockers"), 0);
	assert_says(out, "(entry 6");
	f->n_journal = 5;
	f->journal[4].b = NL_PAST_DAMAGED;
	assert_int_equal(newleaf("log"), 0);
	assert_says(out, "2 CPUs, what the boot before left was damaged");
	assert_int_equal(newleaf("blockers"), NL_EXIT_NOTHING);
}

static void blockers_come_from_the_journal(void **state)
{
	(void)state;
	assert_int_equal(newleaf("blockers"), NL_EXIT_NOTHING);
	assert_int_equal(newleaf("blockers", "--json"), NL_EXIT_NOTHING);
	assert_schema("blockers");
	fake_journal(f, NL_EV_ABANDONED, NL_EDEADLINE, NULL, 1, 0xffffffff81000000);
	assert_int_equal(newleaf("blockers"), 0);
	assert_says(out, "NL_EDEADLINE");
	assert_says(out, "CPU 1 stood at ");
	assert_int_equal(newleaf("blockers", "--json"), 0);
	assert_schema("blockers");
	fake_journal(f, NL_EV_ABANDONED, NL_OK, NULL, UINT32_MAX, 0xffffffff81000000);
	assert_int_equal(newleaf("blockers"), 0);
	assert_says(out, ": given up by its caller\n  a task stood at ");
	assert_null(strstr(out, "NL_OK"));
	fake_journal(f, NL_EV_MODULE, NL_NOTHING, "fuse", 0, 0);
	assert_int_equal(newleaf("log"), 0);
	assert_says(out, "  a task at 0xffffffff81000000");
	assert_says(out, "  fuse  went");
}

static void counts_and_console(void **state)
{
	(void)state;
	assert_int_equal(newleaf("exits"), 0);
	assert_says(out, "cpuid");
	assert_null(strstr(out, "wrmsr")); /* what never happened is not listed */
	assert_int_equal(newleaf("exits", "--json"), 0);
	assert_schema("exits");
	assert_int_equal(newleaf("exits", "--interval", "4s", "--json"), 0);
	assert_schema("exits");
	assert_says(out, "\"per_second\":{\"cpuid\":1.000");
	assert_int_equal(newleaf("console"), 0);
	assert_string_equal(out, "newleaf: two CPUs\n?[31mred"); /* nothing that a terminal would obey */
	assert_int_equal(newleaf("console", "--json"), 0);
	assert_schema("console");
}

static void what_is_not_there_says_so(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	for (size_t i = 0; i < cli_n_verbs; i++) {
		if (cli_verbs[i].group != GROUP_LATER)
			continue;
		assert_int_equal(newleaf(cli_verbs[i].name, "x"), NL_EXIT_CONFLICT);
		assert_says(err, "NL_EUNSUPPORTED");
		assert_says(err, cli_verbs[i].more);
		assert_null(strstr(err, "the message names it"));
		assert_int_equal(newleaf(cli_verbs[i].name, "--anything", "--help"), 0);
		assert_says(out, cli_verbs[i].summary);
		assert_says(out, "Not in version");
		assert_int_equal(newleaf("-h", cli_verbs[i].name), 0);
		assert_says(out, cli_verbs[i].more);
	}
	fflush(stdout);
	pid = fork(); /* if it were there it would take over this process */
	if (pid == 0) {
		setenv("PATH", "/nonexistent", 1);
		_exit(newleaf("build", "--anything", "x"));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), NL_EXIT_ENVIRONMENT);
	slurp("err", err, sizeof(err));
	assert_says(err, "newleaf-author");
}

/* `newleaf --help build` is answered by the other tool, as `newleaf build --help` is. */
static void help_of_authoring_verbs(void **state)
{
	static const char *const order[][2] = {{"--help", "build"}, {"build", "--help"}};
	char path[PATH_MAX];
	int status;

	(void)state;
	snprintf(path, sizeof(path), "%s/newleaf-author", dir);
	FILE *tool = fopen(path, "w");
	fputs("#!/bin/sh\necho author \"$@\"\n", tool);
	fclose(tool);
	chmod(path, 0700);
	for (size_t i = 0; i < NL_ARRAY_SIZE(order); i++) {
		fflush(stdout);
		pid_t pid = fork();
		if (pid == 0) {
			setenv("PATH", dir, 1);
			_exit(newleaf(order[i][0], order[i][1]));
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(WEXITSTATUS(status), 0);
		slurp("out", out, sizeof(out));
		assert_string_equal(out, "author build --help\n");
	}
}

static const char *in_dir(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void challenges(void **state)
{
	char bytes[sizeof(struct nl_challenge) + 1];

	(void)state;
	assert_int_equal(newleaf("challenge", in_dir("c")), NL_EXIT_PERMISSION);
	assert_says(err, "NL_EPOLICY");
	f->status.boot.policy.operators = 1;
	f->status.boot.policy.order_may = NL_ORDER_MAY_NOW;
	assert_int_equal(newleaf("challenge", in_dir("c")), NL_EXIT_ABSENT);
	assert_says(err, "no name that lasts");
	f->status.boot.machine_id[0] = 0xab;
	assert_int_equal(newleaf("challenge", in_dir("c")), 0);
	assert_says(out, "generation 5 -> ");
	slurp("c", bytes, sizeof(bytes));
	assert_memory_equal(bytes, "NLCHALL", 8);
	assert_int_equal(newleaf("--json", "challenge", in_dir("c")), 0);
	assert_schema("challenge");
	assert_int_equal(newleaf("challenge", "-"), 0);
	assert_memory_equal(out, "NLCHALL", 8);
	assert_int_equal(newleaf("challenge", in_dir("no/c")), NL_EXIT_ENVIRONMENT);
	f->order = NL_ENORANDOM;
	assert_int_equal(newleaf("challenge", in_dir("c")), NL_EXIT_ABSENT);
	assert_says(err, "NL_ENORANDOM");
}

static uid_t root(void) { return 0; }

static void orders_are_carried(void **state)
{
	struct nl_order o = {.what = NL_ORDER_FREEZE};
	FILE *file = fopen(in_dir("o"), "w");

	(void)state;
	cli_uid = root;
	fwrite(&o, sizeof(o), 1, file);
	fclose(file);
	f->order_slices = 3;
	f->order_rate_until = f->now_ns + 2500000000ULL;
	assert_int_equal(newleaf("carry", in_dir("o")), 0);
	assert_says(out, "order freeze: accepted, and done");
	assert_in_range(f->carried, 20, 40);
	assert_true(f->now_ns >= f->order_rate_until);
	file = fopen(in_dir("o"), "w");
	o.what = NL_ORDER_APPLY;
	fwrite(&o, sizeof(o), 1, file);
	fclose(file);
	assert_int_equal(newleaf("carry", in_dir("o")), 0);
	assert_says(out, "newleaf apply");
	assert_int_equal(newleaf("--json", "carry", in_dir("o")), 0);
	assert_schema("carry");
	assert_says(out, "\"waiting\":true");
	f->order = NL_EQUORUM;
	assert_int_equal(newleaf("carry", in_dir("o")), NL_EXIT_LEAF);
	assert_says(err, "NL_EQUORUM");
	f->order_rate_until = UINT64_MAX; /* others carry without end */
	assert_int_equal(newleaf("carry", in_dir("o")), NL_EXIT_DEADLINE);
	assert_says(err, "NL_ERATE");
	assert_int_equal(newleaf("carry", in_dir("none")), NL_EXIT_ENVIRONMENT);
	file = fopen(in_dir("o"), "w");
	fputs("no order", file);
	fclose(file);
	assert_int_equal(newleaf("carry", in_dir("o")), NL_EXIT_LEAF);
	assert_says(err, "NL_EORDER");
}

/* The hypervisor carries it out: the command waits for that, and says what the journal says of it. */
static void orders_without_an_agent(void **state)
{
	struct nl_order o = {.what = NL_ORDER_APPLY, .flags = NL_ORDER_AGENTLESS};
	FILE *file = fopen(in_dir("o"), "w");

	(void)state;
	cli_uid = root;
	fwrite(&o, sizeof(o), 1, file);
	fclose(file);
	f->status.orders = NL_ORDER_WAITS;
	f->order_waits = 5;
	assert_int_equal(newleaf("carry", "--json", in_dir("o")), 0);
	assert_schema("carry");
	assert_says(out, "\"waiting\":false");
	assert_int_equal(f->order_waits, 0);
	f->status.orders = NL_ORDER_WAITS;
	f->order_waits = 5;
	f->order_ends = NL_ESTANDS;
	assert_int_equal(newleaf("carry", in_dir("o")), NL_EXIT_DEADLINE);
	assert_says(err, "NL_ESTANDS");
	f->status.orders = 0; /* its leaf did not come: nothing is said of it */
	assert_int_equal(newleaf("carry", in_dir("o")), NL_EXIT_CONFLICT);
	assert_says(err, "NL_EUNKNOWN_LEAF");
	f->status.orders = NL_ORDER_WAITS; /* and one that never ends */
	assert_int_equal(newleaf("carry", in_dir("o")), NL_EXIT_DEADLINE);
	assert_says(err, "NL_EDEADLINE");
	f->status.orders = 0;
	assert_int_equal(newleaf("carry", in_dir("o"), in_dir("no.leaf")), NL_EXIT_ENVIRONMENT);
}

/* Before an order is accepted: somebody's commit, and with it the end of another order that waited. */
static void by_others(struct fake *fake)
{
	fake_journal(fake, NL_EV_ORDER, NL_EGENERATION, NULL, 0, 0);
	fake_journal(fake, NL_EV_COMMIT, NL_OK, NULL, 0, 0);
}

static void not_what_others_do(void **state)
{
	struct nl_order o = {.what = NL_ORDER_APPLY, .flags = NL_ORDER_AGENTLESS};
	FILE *file = fopen(in_dir("o"), "w");

	(void)state;
	cli_uid = root;
	fwrite(&o, sizeof(o), 1, file);
	fclose(file);
	f->on_order = by_others;
	for (unsigned i = 0; i < 2; i++) {
		f->status.orders = NL_ORDER_WAITS;
		f->order_waits = 5;
		f->order_ends = i ? NL_OK : NL_ESTANDS;
		assert_int_equal(newleaf("carry", in_dir("o")), i ? 0 : NL_EXIT_DEADLINE);
		if (!i)
			assert_says(err, "NL_ESTANDS");
	}
}

static void status_of_orders(void **state)
{
	(void)state;
	assert_int_equal(newleaf("status"), 0);
	assert_null(strstr(out, "order"));
	f->status.boot.policy.operators = 2;
	f->status.boot.policy.order_may = NL_ORDER_MAY_NOW | NL_ORDER_MAY_KEYS;
	f->status.orders = NL_ORDER_FROZE | NL_ORDER_WAITS;
	f->status.counts.orders_refused = 7;
	assert_int_equal(newleaf("status"), 0);
	assert_says(out, "orders need 2 operators");
	assert_says(out, "no source of randomness");
	assert_says(out, "frozen by an order");
	assert_int_equal(newleaf("status", "--json"), 0);
	assert_schema("status");
	assert_says(
	        out,
	        "\"orders\":{\"operators\":2,\"may\":[\"now\",\"keys\"],\"random\":false,\"refused\":7,\"frozen\":true,"
	        "\"waiting\":true,\"standing\":{\"epoch\":0,\"floor\":0,\"error\":null,\"carried\":\"NL_OK\"}}");
	f->status.orders = 0;
	f->status.boot.random = 1;
	assert_int_equal(newleaf("status"), 0);
	assert_null(strstr(out, "frozen"));
	assert_null(strstr(out, "randomness"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(status_tells_what_weakens, set_up),
	        cmocka_unit_test_setup(status_signed_for_somebody_else, set_up),
	        cmocka_unit_test_setup(status_names_modules, set_up),
	        cmocka_unit_test_setup(status_speaks_to_scanners, set_up),
	        cmocka_unit_test_setup(what_authors_say_is_printable, set_up),
	        cmocka_unit_test_setup(log_checks_the_chain, set_up),
	        cmocka_unit_test_setup(log_over_boots, set_up),
	        cmocka_unit_test_setup(blockers_come_from_the_journal, set_up),
	        cmocka_unit_test_setup(counts_and_console, set_up),
	        cmocka_unit_test_setup(what_is_not_there_says_so, set_up),
	        cmocka_unit_test_setup(help_of_authoring_verbs, set_up),
	        cmocka_unit_test_setup(challenges, set_up),
	        cmocka_unit_test_setup(orders_without_an_agent, set_up),
	        cmocka_unit_test_setup(orders_are_carried, set_up),
	        cmocka_unit_test_setup(not_what_others_do, set_up),
	        cmocka_unit_test_setup(status_of_orders, set_up),
	};

	return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
