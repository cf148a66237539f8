// SPDX-License-Identifier: Apache-2.0
// sources: tools/newleaf/cli.c tools/newleaf/verbs.c tools/newleaf/answer.c tools/newleaf/change.c
// sources: tools/newleaf/blackout.c tools/newleaf/status.c tools/newleaf/signed.c tools/newleaf/facts.c
// sources: tools/newleaf/vex.c tools/newleaf/livepatch.c tools/newleaf/journal.c tools/newleaf/dates.c
// sources: tools/newleaf/logfile.c tools/newleaf/logkeep.c tools/newleaf/logverify.c
// sources: tools/newleaf/order.c tools/newleaf/carry.c tools/newleaf/standing.c tools/newleaf/anybody.c
// sources: tools/newleaf/confirm.c
// sources: tools/newleaf/log.c tools/newleaf/look.c tools/newleaf/alive.c tools/newleaf/author.c tools/newleaf/text.c
// sources: tools/newleaf/timeline.c tools/newleaf/course.c tools/newleaf/timeline_text.c guest-agent/own.c
// sources: tools/newleaf/timeline_chrome.c tools/newleaf/timeline_svg.c tools/newleaf/symbol.c
// sources: tools/newleaf/sha256.c guest-agent/agent.c guest-agent/look.c
// sources: tests/unit/fake_newleaf.c tests/unit/cli_fixture.c
// sources: guest-agent/order.c
// cflags: -Iguest-agent -Itools/newleaf
/*
 * newleaf timeline: what a ring of steps says, in each of its forms. The clock of the fake runs at 1 GHz, so that ticks
 * are nanoseconds.
 */
#include "cli_fixture.h"
#include "timeline.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define KERNEL 0xffffffff81000000ULL

static void at(uint64_t tsc, uint32_t cpu, enum nl_step step, uint64_t value) { fake_step(f, tsc, cpu, step, value); }

static void own_file(const void *bytes, size_t size)
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/gathers", dir);
	file = fopen(path, "w");
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	fclose(file);
}

static void own_step(enum nl_own_kind kind, uint64_t tsc, uint32_t cpu, uint32_t gather)
{
	nl_own_step(kind, tsc, cpu, gather);
}

static void own_try(uint64_t begin, uint64_t end, enum nl_err error, bool gathered, struct nl_blocker b)
{
	struct nl_own_try *t = nl_own_try(begin);

	t->end = end;
	t->error = error;
	t->gathered = gathered;
	t->cpu = b.cpu;
	t->rip = b.rip;
	t->pid = b.pid;
	memcpy(t->comm, b.comm, sizeof(t->comm));
}

/* A commit: a gather that misses CPU 1, a try that it refuses, one for which it is late, one that finds a task in a
 * site, and one that succeeds. The last CPU says that it goes on when the next transaction has begun. */
static void one_commit(void)
{
	nl_own_take(NULL, f->status.boot.boot_id);
	at(1000, 0, NL_STEP_PREPARE, 0);
	at(3000, 0, NL_STEP_PREPARED, NL_OK);
	own_step(NL_OWN_GATHER, 3100, 0, 1);
	own_try(3050, 4900, NL_AGAIN, false, (struct nl_blocker){.cpu = 1, .pid = 812, .comm = "kworker/1:2"});
	own_step(NL_OWN_GATHER, 5000, 0, 2);
	own_step(NL_OWN_ARRIVE, 5100, 0, 2);
	own_step(NL_OWN_ARRIVE, 5200, 1, 2);
	at(5300, 0, NL_STEP_FREEZE, 1);
	at(5310, 1, NL_STEP_ASK, 1);
	at(5350, 1, NL_STEP_REFUSED, 1);
	at(5360, 0, NL_STEP_WITHDRAW, 1);
	at(5370, 0, NL_STEP_RESUME, 70);
	at(5380, 1, NL_STEP_RESUME, 40);
	own_step(NL_OWN_LEAVE, 5400, 0, 2);
	own_step(NL_OWN_LEAVE, 5410, 1, 2);
	own_try(4950, 5420, NL_AGAIN, true, (struct nl_blocker){.cpu = 1, .rip = KERNEL + 1, .comm = "<b>\033"});
	at(6000, 0, NL_STEP_FREEZE, 2);
	at(6010, 1, NL_STEP_ASK, 2);
	at(6100, 1, NL_STEP_HELD, 2);
	at(6090, 0, NL_STEP_WITHDRAW, 2); /* the order is that of seq */
	at(6095, 0, NL_STEP_RESUME, 95);
	at(6110, 1, NL_STEP_LATE, 2);
	at(6120, 1, NL_STEP_RESUME, 30);
	at(7000, 1, NL_STEP_FREEZE, 3);
	at(7010, 0, NL_STEP_ASK, 3);
	at(7020, 0, NL_STEP_HELD, 3);
	at(7030, 1, NL_STEP_WINDOW, 3);
	at(7080, 1, NL_STEP_THAW, 3);
	at(7090, 1, NL_STEP_RESUME, 90);
	at(7095, 0, NL_STEP_RESUME, 75);
	own_try(6900, 7100, NL_AGAIN, true, (struct nl_blocker){.cpu = UINT32_MAX, .pid = 9, .comm = "sleep"});
	own_step(NL_OWN_GATHER, 7900, 0, 4);
	own_step(NL_OWN_ARRIVE, 7950, 1, 4);
	own_step(NL_OWN_ARRIVE, 7990, 0, 4);
	at(8000, 0, NL_STEP_FREEZE, 4);
	at(8010, 1, NL_STEP_ASK, 4);
	at(8020, 1, NL_STEP_HELD, 4);
	at(8030, 0, NL_STEP_WINDOW, 4);
	at(8100, 0, NL_STEP_SCAN, 12);
	at(8120, 0, NL_STEP_BUILD, 1);
	at(8130, 0, NL_STEP_FOLD, 1);
	at(8140, 0, NL_STEP_FLIP, 2);
	at(8150, 0, NL_STEP_THAW, 4);
	at(8160, 0, NL_STEP_RESUME, 160);
	at(8170, 0, NL_STEP_SETTLE, 2);
	at(8180, 0, NL_STEP_ADOPT, 2);
	own_step(NL_OWN_LEAVE, 8200, 0, 4);
	own_try(7890, 8190, NL_OK, true, (struct nl_blocker){.cpu = UINT32_MAX});
	at(8900, 0, NL_STEP_COMES, KERNEL);
	at(9000, 1, NL_STEP_RESUME, 985);
	at(9010, 1, NL_STEP_ADOPT, 2);
	own_step(NL_OWN_LEAVE, 9100, 1, 4);
	at(9200, 0, NL_STEP_SETTLE, 0);
	own_file(&nl_own, sizeof(nl_own));
}

static void nothing_yet(void **state)
{
	(void)state;
	assert_int_equal(newleaf("timeline"), NL_EXIT_NOTHING);
	assert_int_equal(newleaf("timeline", "--json"), NL_EXIT_NOTHING);
	assert_schema("timeline");
	fake_step(f, 10, 0, NL_STEP_ADOPT, 1); /* CPUs start: no transaction */
	assert_int_equal(newleaf("timeline"), NL_EXIT_NOTHING);
}

static void as_text(void **state)
{
	(void)state;
	one_commit();
	assert_int_equal(newleaf("timeline", "--transaction", "1"), 0);
	assert_says(out, "transaction 1: commit, NL_OK, generation 2, 4 tries, 3 gathers, 7 us\n  prepared in 2 us\n");
	assert_says(out, "a gather failed: CPU 1 did not arrive (kworker/1:2, pid 812)\n");
	assert_says(out, "try 1 at +4 us: withdrawn after 60 ns\n    because CPU 1 was in the kernel at ");
	assert_says(out, " (<b>?, pid 0)\n");
	assert_says(out, "try 2 at +5 us: withdrawn after 90 ns\n    because CPU 1 did not answer in time\n");
	assert_says(out, "try 3 at +6 us: let go; window 50 ns\n    because sleep (pid 9) stood in a site\n");
	assert_says(out,
	            "try 4 at +7 us: flip to generation 2; window 120 ns (scan 70 ns, build 20 ns, fold 10 ns, flip "
	            "10 ns); flip at +140 ns\n");
	assert_says(out, "    CPU       asked       held     let go  entered with it   held for\n");
	assert_says(out, "    0             -      +0 ns    +160 ns          +180 ns     160 ns  asks\n"
	                 "    1        +10 ns     +20 ns      +1 us            +1 us     985 ns\n");
	assert_says(out, "    1        +10 ns    refused     +80 ns                -      40 ns\n");
	assert_says(out, "too late\n");
	assert_int_equal(newleaf("timeline"), 0);
	assert_says(out, "transaction 2: module-comes, NL_OK, module at 0xffffffff81000000, 0 tries, 300 ns\n");
	assert_null(strstr(out, "transaction 1"));
	assert_int_equal(newleaf("timeline", "--last", "7"), 0);
	assert_says(out, "transaction 1");
	assert_int_equal(newleaf("-q", "timeline"), 0);
	assert_string_equal(out, "");
}

static void jq(const char *filter, const char *file, const char *expected)
{
	char command[3 * PATH_MAX], said[4096] = "";
	FILE *p;

	snprintf(command, sizeof(command), "jq -r %s %s/%s 2>&1", filter, dir, file);
	p = popen(command, "r");
	assert_non_null(p);
	said[fread(said, 1, sizeof(said) - 1, p)] = 0;
	assert_int_equal(pclose(p), 0);
	assert_string_equal(said, expected);
}

static void as_json(void **state)
{
	(void)state;
	one_commit();
	assert_int_equal(newleaf("timeline", "--json", "--last", "9"), 0);
	assert_schema("timeline");
	jq("'[.events[].seq | numbers] | . == sort and length == 38'", "out", "true\n");
	jq("-c '.transactions[0] | [.code, .generation, (.tries | map(.course)), (.tries | map(.causes[0].why)), "
	   ".missing[0].comm]'",
	   "out",
	   "[\"NL_OK\",2,[\"withdrawn\",\"withdrawn\",\"let go\",\"flip\"],[\"refused\",\"late\",\"site\",null],"
	   "\"kworker/1:2\"]\n");
	jq("-c '.transactions[0].tries[3].cpus[1]'", "out",
	   "{\"cpu\":1,\"asked_ns\":7010,\"held_ns\":7020,\"refused_ns\":null,\"late_ns\":null,\"adopted_ns\":8010,"
	   "\"resumed_ns\":8000,\"hold_ns\":985}\n");
	/* Only what was asked for. */
	assert_int_equal(newleaf("timeline", "--json"), 0);
	jq("-c '[.transactions[].transaction], ([.events[].transaction] | unique)'", "out", "[2]\n[2]\n");
}

static void belongs_together(void **state)
{
	(void)state;
	one_commit();
	assert_int_equal(newleaf("timeline", "--json", "--last", "9"), 0);
	/* What belongs together, though another transaction had begun. */
	jq("-c '[.events[] | select(.cpu == 1 and .tsc > 8900) | [.step, .transaction, .value]]'", "out",
	   "[[\"resume\",1,985],[\"adopt\",1,2],[\"leave\",2,4]]\n");
	jq("-c '[.events[] | select(.cpu == 0) | .tsc] | . == sort'", "out", "true\n");
}

static void is_whole(const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	snprintf(path, sizeof(path), "ls %s | grep -c '^%s[.]'", dir, name);
	FILE *p = popen(path, "r");
	assert_int_equal(fgetc(p), '0'); /* nothing is left beside it */
	pclose(p);
}

static void as_a_trace(void **state)
{
	char path[PATH_MAX];

	(void)state;
	one_commit();
	snprintf(path, sizeof(path), "%s/trace", dir);
	umask(022);
	assert_int_equal(newleaf("timeline", "--last", "2", "--chrome", path), 0);
	assert_string_equal(out, "");
	is_whole("trace");
	jq("-f tests/unit/trace.jq", "trace", "");
	jq("-c '.traceEvents[] | select(.name == \"window\") | [.tid, .ts, .dur, .args.tasks]'", "trace",
	   "[3,6.03,0.05,0]\n[2,7.03,0.12,12]\n");
	jq("-c '[.traceEvents[] | select(.name == \"gathered\") | [.tid, .args.gather]]'", "trace",
	   "[[2,2],[3,2],[3,4],[2,4]]\n");
	jq("-c '.traceEvents[] | select(.name == \"try 3\").args.because'", "trace",
	   "[\"sleep (pid 9) stood in a site\"]\n");
	assert_int_equal(newleaf("timeline", "--chrome", "-"), 0);
	jq("-f tests/unit/trace.jq", "out", "");
	assert_int_equal(newleaf("timeline", "--chrome", "/nonexistent/trace"), NL_EXIT_ENVIRONMENT);
	assert_says(err, "cannot write /nonexistent/trace");
}

static void as_a_picture(void **state)
{
	char path[PATH_MAX];

	(void)state;
	one_commit();
	snprintf(path, sizeof(path), "%s/picture", dir);
	assert_int_equal(newleaf("timeline", "--last", "2", "--svg", path), 0);
	slurp("picture", out, sizeof(out));
	assert_says(out, "transaction 1: commit, NL_OK, 4 tries</text>");
	assert_says(out, "(&#60;b&#62;?, pid 0)</text>");
	assert_null(strstr(out, "<b>"));
	assert_says(out, "try 4: flip to generation 2, window 120 ns");
	snprintf(path, sizeof(path), "python3 -c 'import sys, xml.dom.minidom as x; x.parse(sys.argv[1])' %s/picture",
	         dir);
	assert_int_equal(system(path), 0);
}

/* A CPU took its number early and its time late, as a host that runs others makes it do: the agent's steps stand where
 * no CPU's clock goes back. */
static void a_cpu_is_slow(void **state)
{
	(void)state;
	nl_own_take(NULL, f->status.boot.boot_id);
	at(1000, 0, NL_STEP_PREPARE, 0);
	at(5000, 1, NL_STEP_ADOPT, 1);
	at(2000, 0, NL_STEP_PREPARED, NL_OK);
	at(3000, 0, NL_STEP_DROP, NL_OK);
	own_step(NL_OWN_ARRIVE, 4500, 1, 1);
	own_step(NL_OWN_LEAVE, 6000, 1, 1);
	own_step(NL_OWN_GATHER, 2500, 0, 1);
	own_step(NL_OWN_LEAVE, 3500, 0, 1);
	own_file(&nl_own, sizeof(nl_own));
	assert_int_equal(newleaf("timeline", "--json"), 0);
	jq("-c '.events | group_by(.cpu)[] | map(.tsc) | (. == sort)'", "out", "true\ntrue\n");
	jq("-c '[.events[] | .seq // .step]'", "out", "[1,\"arrive\",2,3,\"gather\",4,\"leave\",\"leave\"]\n");
	assert_int_equal(newleaf("timeline"), 0);
	assert_says(out, "given up");
}

/* A module comes between two tries of a commit, and all CPUs are stopped for it as well; another one, and the commit is
 * dropped. */
static void a_module_in_the_midst(void **state)
{
	(void)state;
	nl_own_take(NULL, f->status.boot.boot_id);
	at(1000, 0, NL_STEP_PREPARE, 0);
	at(1100, 0, NL_STEP_PREPARED, NL_OK);
	at(2000, 0, NL_STEP_FREEZE, 1);
	at(2010, 1, NL_STEP_ASK, 1);
	at(2020, 1, NL_STEP_REFUSED, 1);
	at(2030, 0, NL_STEP_WITHDRAW, 1);
	at(3000, 1, NL_STEP_COMES, KERNEL);
	at(3010, 1, NL_STEP_FREEZE, 2);
	at(3020, 0, NL_STEP_ASK, 2);
	at(3030, 0, NL_STEP_HELD, 2);
	at(3040, 1, NL_STEP_WINDOW, 2);
	at(3050, 1, NL_STEP_THAW, 2);
	at(3060, 1, NL_STEP_SETTLE, 0);
	at(3070, 0, NL_STEP_RESUME, 40);
	own_step(NL_OWN_GATHER, 3500, 0, 2);
	at(4000, 0, NL_STEP_FREEZE, 3);
	at(4010, 1, NL_STEP_ASK, 3);
	at(4020, 1, NL_STEP_HELD, 3);
	at(4030, 0, NL_STEP_WINDOW, 3);
	at(4040, 0, NL_STEP_FLIP, 2);
	at(4050, 0, NL_STEP_THAW, 3);
	at(4060, 0, NL_STEP_SETTLE, 2);
	at(5000, 0, NL_STEP_PREPARE, 0);
	at(5010, 0, NL_STEP_PREPARED, NL_OK);
	at(5020, 1, NL_STEP_COMES, KERNEL);
	at(5030, 1, NL_STEP_SETTLE, 0);
	at(5040, 0, NL_STEP_DROP, NL_ESTALE);
	own_file(&nl_own, sizeof(nl_own));
	assert_int_equal(newleaf("timeline", "--json", "--last", "9"), 0);
	jq("-c '.transactions[] | [.what, .code, .generation, .gathers, (.tries | map(.course))]'", "out",
	   "[\"commit\",\"NL_OK\",2,1,[\"withdrawn\",\"flip\"]]\n"
	   "[\"module-comes\",\"NL_OK\",null,0,[\"looked\"]]\n"
	   "[\"commit\",\"NL_ESTALE\",null,0,[]]\n"
	   "[\"module-comes\",\"NL_OK\",null,0,[]]\n");
	assert_int_equal(newleaf("timeline", "--last", "9", "--chrome", "-"), 0);
	jq("-f tests/unit/trace.jq", "out", "");
}

/* Another kernel begins: that is all there is, and what a commit waits for later is not its. */
static void a_kernel_goes(void **state)
{
	(void)state;
	at(500, 0, NL_STEP_GONE, 0);
	at(510, 0, NL_STEP_FLIP, 1);
	one_commit();
	at(9900, 0, NL_STEP_GONE, 0);
	at(9950, 0, NL_STEP_PREPARE, 0); /* of which no more is known yet */
	assert_int_equal(newleaf("timeline", "--json", "--last", "9"), 0);
	assert_schema("timeline");
	jq("-c '.transactions[] | [.what, .code, .generation, .end_ns, (.missing | length), (.tries | length)]'", "out",
	   "[\"kernel-gone\",\"NL_OK\",1,10,0,0]\n[\"commit\",\"NL_OK\",2,7170,1,4]\n"
	   "[\"module-comes\",\"NL_OK\",null,300,0,0]\n[\"kernel-gone\",\"NL_OK\",null,0,0,0]\n"
	   "[\"commit\",null,null,null,0,0]\n");
}

/* The same, and copies have gone home. */
static void a_kernel_goes_with_copies(void **state)
{
	(void)state;
	at(1000, 0, NL_STEP_COMES, KERNEL);
	at(1100, 0, NL_STEP_SETTLE, 0);
	at(2000, 0, NL_STEP_GONE, 0);
	at(2050, 0, NL_STEP_FLIP, 3);
	at(2060, 0, NL_STEP_ADOPT, 3);
	at(2070, 1, NL_STEP_ADOPT, 3);
	assert_int_equal(newleaf("timeline", "--json", "--last", "2"), 0);
	jq("-c '[.transactions[] | [.what, .code, .generation, (.tries | length)]]'", "out",
	   "[[\"module-comes\",\"NL_OK\",null,0],[\"kernel-gone\",\"NL_OK\",3,0]]\n");
	jq("-c '[.events[] | select(.transaction == 2) | .step] | .[0], .[-1]'", "out", "gone\nadopt\n");
}

/* Held to be looked at: not a try that failed. */
static void a_look_is_no_failure(void **state)
{
	(void)state;
	at(1000, 0, NL_STEP_GOES, KERNEL);
	at(2000, 0, NL_STEP_FREEZE, 9);
	at(2010, 1, NL_STEP_ASK, 9);
	at(2020, 1, NL_STEP_HELD, 9);
	at(2030, 0, NL_STEP_WINDOW, 9);
	at(2060, 0, NL_STEP_THAW, 9);
	at(2070, 0, NL_STEP_RESUME, 70);
	at(2080, 1, NL_STEP_RESUME, 60);
	at(2090, 0, NL_STEP_SETTLE, 0);
	assert_int_equal(newleaf("timeline"), 0);
	assert_says(out, "try 1 at +1 us: looked; window 30 ns\n    CPU ");
	assert_int_equal(newleaf("timeline", "--json"), 0);
	assert_schema("timeline");
	jq("-c '.transactions[].tries[] | [.course, .causes]'", "out", "[\"looked\",[]]\n");
}

/* The oldest steps have been written over: what is left of a transaction is shown as that. */
static void what_is_cut(void **state)
{
	(void)state;
	one_commit();
	memmove(f->steps, f->steps + 6, (f->n_steps - 6) * sizeof(*f->steps));
	f->n_steps -= 6;
	assert_int_equal(newleaf("timeline", "--json", "--last", "9"), 0);
	assert_schema("timeline");
	jq("-c '.transactions[0] | [.what, .generation, (.tries | map(.course))]'", "out",
	   "[\"unknown\",2,[\"withdrawn\",\"let go\",\"flip\"]]\n");
	assert_int_equal(newleaf("timeline", "--last", "9"), 0);
	assert_says(out, "transaction 1: unknown, NL_OK");
}

static void of_another_boot(void **state)
{
	static const char junk[] = "junk";

	(void)state;
	one_commit();
	f->status.boot.boot_id[3] ^= 1;
	assert_int_equal(newleaf("timeline", "--last", "2"), 0);
	assert_null(strstr(out, "gather"));
	assert_says(out, "because CPU 1 was in the kernel\n"); /* where it stood is not known then */
	f->status.boot.boot_id[3] ^= 1;
	assert_int_equal(newleaf("timeline", "--last", "2"), 0);
	assert_says(out, "3 gathers");
	own_file(junk, sizeof(junk));
	assert_int_equal(newleaf("timeline", "--last", "2"), 0);
	assert_null(strstr(out, "gather"));
}

static void of_a_command(void **state)
{
	char path[PATH_MAX];

	(void)state;
	snprintf(path, sizeof(path), "%s/gathers", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/course", dir);
	f->try_again = 2;
	f->blocker.cpu = 0;
	f->blocker.rip = KERNEL;
	assert_int_equal(newleaf("apply", path_a, "--timeline", path), 0);
	is_whole("course");
	jq("-f tests/unit/trace.jq", "course", "");
	jq("-c '[.traceEvents[] | select(.tid == 1 and .ph == \"X\") | .name]'", "course",
	   "[\"commit 1\",\"prepare\",\"try 1\",\"try 2\",\"try 3\"]\n");
	assert_int_equal(newleaf("timeline", "--json"), 0);
	assert_schema("timeline");
	jq("-c '.transactions[0] | [.gathers, (.tries | map(.causes[0].rip))]'", "out",
	   "[3,[\"0xffffffff81000000\",\"0xffffffff81000000\",null]]\n");
	jq("-c '[.events[] | select(.seq == null)] | length'", "out", "15\n");
	/* One that fails is of more interest still, and what the command before saw is kept. */
	f->try_error = NL_EBYTES;
	assert_int_equal(newleaf("revert", "alpha", "--timeline", path), NL_EXIT_TARGET);
	assert_says(err, "NL_EBYTES");
	jq("-c '[.traceEvents[] | select(.tid == 1 and .ph == \"X\") | .name], "
	   "(.traceEvents[] | select(.name == \"try 1\").args.because)'",
	   "course",
	   "[\"commit 2\",\"prepare\",\"try 1\"]\n[\"NL_EBYTES: a site does not hold the bytes the leaf expects\"]\n");
	assert_int_equal(newleaf("timeline", "--last", "2"), 0);
	assert_says(out, "3 gathers");
	assert_says(out, "1 gather,");
	assert_says(out, "because NL_EBYTES");
	/* What was done stands. */
	f->try_error = NL_OK;
	assert_int_equal(newleaf("revert", "alpha", "--timeline", "/nonexistent/x"), 0);
	assert_says(out, "reverted alpha");
	assert_says(err, "no timeline in /nonexistent/x: No such file");
}

/* Whatever the agent lets through, it is written without a stumble. */
static void whatever_the_ring_says(void **state)
{
	static void (*const forms[])(FILE *, const struct timeline *) = {timeline_text, timeline_json, timeline_chrome,
	                                                                 timeline_svg};

	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		struct nl_step_record steps[60];
		struct timeline t = {.cpus = 1, .tsc_hz = round % 3 ? 1000000000 : 0};
		size_t n = host_below(NL_ARRAY_SIZE(steps) + 1), from;
		FILE *nowhere = fopen("/dev/null", "w");

		nl_own_take(NULL, f->status.boot.boot_id);
		for (size_t i = 0; i < n; i++) {
			steps[i] = (struct nl_step_record){.seq = i + 1,
			                                   .tsc = host_below(5) ? 1000 + 10 * i : host_random(),
			                                   .value = host_below(4) ? host_below(4) : host_random(),
			                                   .transaction = host_below(4),
			                                   .cpu = (uint16_t)host_below(3),
			                                   .step = (uint16_t)host_below(NL_N_STEPS)};
			own_step(host_below(NL_N_OWN), 1000 + host_below(700), host_below(5), host_below(3));
			own_try(host_below(1700), host_below(1700), host_below(2) ? NL_AGAIN : NL_EBYTES, host_below(2),
			        (struct nl_blocker){.cpu = host_below(3), .comm = "<&\"\\"});
		}
		assert_true(course_make(&t, steps, n, &nl_own));
		from = t.n_transactions ? host_below((uint32_t)t.n_transactions) : 0;
		course_select(&t, from, t.n_transactions - from);
		for (size_t i = 0; i < NL_ARRAY_SIZE(forms); i++)
			forms[i](nowhere, &t);
		fclose(nowhere);
		course_free(&t);
	}
}

/* A device or a pipe that the name stands for is not pushed aside: `--chrome /dev/null` is what people write. */
static void no_regular_file(void **state)
{
	char path[PATH_MAX], at[PATH_MAX];
	struct stat st;

	(void)state;
	one_commit();
	snprintf(path, sizeof(path), "%s/pipe", dir);
	snprintf(at, sizeof(at), "%s/link", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(symlink(path, at), 0);
	assert_int_equal(newleaf("timeline", "--chrome", path), NL_EXIT_ENVIRONMENT);
	assert_says(err, "/pipe: Operation not supported");
	assert_int_equal(newleaf("timeline", "--svg", at), NL_EXIT_ENVIRONMENT);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(lstat(at, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	unlink(at);
	unlink(path);
}

/* Who reads the file need not be one who may know where the kernel is: what has no name has no address either. */
static void says_no_address(void **state)
{
	char path[PATH_MAX];

	(void)state;
	nl_own_take(NULL, f->status.boot.boot_id);
	at(1000, 0, NL_STEP_PREPARE, 0);
	for (unsigned i = 0; i < 60; i++) {
		uint64_t t = 2000 + 100 * (uint64_t)i;

		at(t, 0, NL_STEP_FREEZE, i + 1);
		at(t + 1, 1, NL_STEP_ASK, i + 1);
		at(t + 2, 1, NL_STEP_REFUSED, i + 1);
		at(t + 3, 0, NL_STEP_WITHDRAW, i + 1);
		own_try(t - 10, t + 10, NL_AGAIN, true,
		        (struct nl_blocker){.cpu = 1, .rip = 0xffffffff9e600000 + 16 * (uint64_t)i, .comm = "x"});
	}
	at(9000, 0, NL_STEP_DROP, NL_OK);
	own_file(&nl_own, sizeof(nl_own));
	snprintf(path, sizeof(path), "%s/course", dir);
	assert_int_equal(newleaf("timeline", "--chrome", path), 0);
	jq("-r '[.traceEvents[].args.because // [] | .[]] | length'", "course", "60\n");
	jq("-r '[.traceEvents[].args.because // [] | .[] | select(test(\"0xffffffff\"))] | length'", "course", "0\n");
	assert_int_equal(newleaf("timeline", "--svg", path), 0);
	jq("-Rn '[inputs | select(test(\"0xffffffff\"))] | length'", "course", "0\n");
}

static void what_is_asked_wrongly(void **state)
{
	(void)state;
	one_commit();
	assert_int_equal(newleaf("timeline", "--last", "0"), NL_EXIT_USAGE);
	assert_int_equal(newleaf("timeline", "--last", "x"), NL_EXIT_USAGE);
	assert_int_equal(newleaf("timeline", "--transaction", "3"), NL_EXIT_USAGE);
	assert_says(err, "transaction 3 is not among those that are kept: 1 to 2");
	assert_int_equal(newleaf("timeline", "--last", "1", "--transaction", "1"), NL_EXIT_USAGE);
	f->too_many_steps = true;
	assert_int_equal(newleaf("timeline"), NL_EXIT_INTERNAL);
	f->steps[3].cpu = NL_MAX_CPUS;
	f->too_many_steps = false;
	assert_int_equal(newleaf("timeline", "--json"), NL_EXIT_INTERNAL);
	assert_schema("error");
}

static int fresh(void **state)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/gathers", dir);
	unlink(path);
	return set_up(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(nothing_yet, fresh),
	        cmocka_unit_test_setup(as_text, fresh),
	        cmocka_unit_test_setup(as_json, fresh),
	        cmocka_unit_test_setup(belongs_together, fresh),
	        cmocka_unit_test_setup(as_a_trace, fresh),
	        cmocka_unit_test_setup(as_a_picture, fresh),
	        cmocka_unit_test_setup(a_cpu_is_slow, fresh),
	        cmocka_unit_test_setup(a_kernel_goes, fresh),
	        cmocka_unit_test_setup(a_kernel_goes_with_copies, fresh),
	        cmocka_unit_test_setup(a_module_in_the_midst, fresh),
	        cmocka_unit_test_setup(a_look_is_no_failure, fresh),
	        cmocka_unit_test_setup(what_is_cut, fresh),
	        cmocka_unit_test_setup(of_another_boot, fresh),
	        cmocka_unit_test_setup(of_a_command, fresh),
	        cmocka_unit_test_setup(whatever_the_ring_says, fresh),
	        cmocka_unit_test_setup(no_regular_file, fresh),
	        cmocka_unit_test_setup(says_no_address, fresh),
	        cmocka_unit_test_setup(what_is_asked_wrongly, fresh),
	};

	return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
