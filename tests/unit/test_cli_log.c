// SPDX-License-Identifier: Apache-2.0
// sources: tools/newleaf/cli.c tools/newleaf/verbs.c tools/newleaf/answer.c tools/newleaf/change.c
// sources: tools/newleaf/blackout.c tools/newleaf/status.c tools/newleaf/signed.c tools/newleaf/facts.c
// sources: tools/newleaf/vex.c
// sources: tools/newleaf/livepatch.c tools/newleaf/journal.c tools/newleaf/dates.c
// sources: tools/newleaf/order.c tools/newleaf/carry.c tools/newleaf/standing.c tools/newleaf/anybody.c
// sources: tools/newleaf/confirm.c
// sources: tools/newleaf/logfile.c tools/newleaf/logkeep.c tools/newleaf/logverify.c
// sources: tools/newleaf/log.c tools/newleaf/look.c tools/newleaf/alive.c tools/newleaf/author.c tools/newleaf/text.c
// sources: tools/newleaf/sha256.c guest-agent/agent.c guest-agent/look.c
// sources: tests/unit/fake_newleaf.c tests/unit/cli_fixture.c
// sources: guest-agent/order.c
// sources: tools/newleaf/timeline.c tools/newleaf/course.c tools/newleaf/timeline_text.c guest-agent/own.c
// sources: tools/newleaf/timeline_chrome.c tools/newleaf/timeline_svg.c tools/newleaf/symbol.c
// cflags: -Iguest-agent -Itools/newleaf
/*
 * The journal in a file: what is kept once and what follows, over boots, when it came too late, when the power went at
 * any byte; and that whatever is done to the file afterwards is named.
 */
#include "cli_fixture.h"
#include "logfile.h"
#include "sha256.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[PATH_MAX];

/* The disk is not under test, but that it is asked each time. */
static unsigned syncs;
int fdatasync(int fd)
{
	syncs++;
	return fd < 0 ? -1 : 0;
}

static size_t get(uint8_t *to, size_t size)
{
	FILE *file = fopen(path, "r");
	size_t n;

	assert_non_null(file);
	n = fread(to, 1, size, file);
	fclose(file);
	return n;
}

static void put(const void *bytes, size_t size)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	fclose(file);
}

static void write_entries(unsigned n)
{
	while (n--)
		fake_journal(f, f->n_journal ? NL_EV_COMMIT : NL_EV_BOOT, NL_OK, NULL, 0, 0);
}

static uint64_t size_of(unsigned records) { return sizeof(struct nl_record) + records * sizeof(struct logfile_record); }

static int begin(void **state)
{
	set_up(state);
	snprintf(path, sizeof(path), "%s/kept", dir);
	unlink(path);
	memset(f->status.boot.boot_id, 1, 16);
	return 0;
}

/* Another boot of the machine. */
static void power_off(uint8_t boot)
{
	f = fake_new();
	f->cancel = &cli_cancel;
	memset(f->status.boot.boot_id, boot, 16);
}

static void keeps_what_is_new(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(newleaf("log", "--keep", path), 0); /* the journal is empty */
	assert_says(out, "kept: nothing new behind entry 0\n");
	write_entries(40);
	syncs = 0;
	assert_int_equal(newleaf("log", "--keep", path), 0);
	assert_int_equal(syncs, 40);
	assert_says(out, "kept: kept 40 entries, 1 to 40\n");
	assert_string_equal(err, "");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, size_of(40));
	assert_int_equal(newleaf("log", "--keep", path), 0);
	assert_says(out, "kept: nothing new behind entry 40\n");
	write_entries(1);
	assert_int_equal(newleaf("log", "--keep", path, "--json"), 0);
	assert_says(out, "\"kept\":1,\"first\":41,\"last\":41,\"entries\":41,\"cut_bytes\":0,\"began_anew\":false,"
	                 "\"missing_before\":0");
	assert_int_equal(newleaf("-q", "log", "--keep", path), 0);
	assert_string_equal(out, "");
	assert_int_equal(newleaf("log", "--verify", path), 0);
	assert_says(out, "    1  ");
	assert_says(out, "   41  ");
	assert_says(out, "kept: 41 entries, 1 to 41, of 1 boots: each one holds the hash of the one before\n");
	assert_int_equal(newleaf("log", "--verify", path, "--since", "41", "--json"), 0);
	assert_null(strstr(out, "\"seq\":40,"));
	assert_int_equal(newleaf("log", "--verify", path, "-q", "--json", "--since", "99"), 0);
	assert_says(out, "\"entries\":41,\"first\":1,\"last\":41,\"boots\":1,\"chains\":1,\"half_written_bytes\":0");
	f->absent = true; /* on any machine, as anybody */
	assert_int_equal(newleaf("log", "--verify", path), 0);
	assert_int_equal(newleaf("log", "--keep", path), NL_EXIT_ABSENT);
}

static void documents(void **state)
{
	(void)state;
	write_entries(3);
	assert_int_equal(newleaf("log", "--keep", path, "--json"), 0);
	assert_schema("keep");
	assert_int_equal(newleaf("log", "--verify", path, "--json", "--since", "99"), 0);
	assert_schema("log-verify");
	assert_int_equal(newleaf("log", "--verify", path, "--json", "-q"), 0);
	assert_says(out, "\"schema\":\"newleaf.log/1\",\"seq\":1,");
}

static unsigned pauses;

static void while_it_waits(struct fake *at)
{
	assert_ptr_equal(at, f);
	if (++pauses < 4)
		write_entries(pauses);
	if (pauses < 5)
		return;
	write_entries(2); /* and with these it is told to end */
	raise(SIGTERM);
}

static void follows(void **state)
{
	(void)state;
	write_entries(3);
	pauses = 0;
	f->on_pause = while_it_waits;
	assert_int_equal(newleaf("log", "--keep", path, "-f"), 0);
	assert_says(out, "kept 3 entries, 1 to 3\n");
	assert_says(out, "kept 1 entries, 4 to 4\n");
	assert_says(out, "kept 3 entries, 7 to 9\n");
	assert_says(out, "kept 2 entries, 10 to 11\n");
	assert_null(strstr(out, "nothing new"));
	assert_int_equal(pauses, 5);
	assert_int_equal(newleaf("log", "--verify", path), 0);
	assert_says(out, "11 entries, 1 to 11");
}

static void over_boots(void **state)
{
	(void)state;
	write_entries(20);
	assert_int_equal(newleaf("log", "--keep", path), 0);
	memset(f->status.boot.boot_id, 2, 16); /* a warm reset */
	write_entries(20);
	assert_int_equal(newleaf("log", "--keep", path), 0);
	assert_says(out, "kept 20 entries, 21 to 40\n");
	assert_int_equal(newleaf("log", "--verify", path), 0);
	assert_says(out, "40 entries, 1 to 40, of 2 boots: each one holds the hash of the one before\n");
	for (unsigned n = 1; n < 50; n += 12) { /* fewer, as many and more than there were */
		power_off((uint8_t)(2 + n));
		write_entries(n);
		assert_int_equal(newleaf("log", "--keep", path, "--json"), 0);
		assert_says(out, "\"began_anew\":true,\"missing_before\":0");
		assert_int_equal(newleaf("log", "--keep", path), 0);
		assert_says(out, "nothing new");
	}
	assert_int_equal(newleaf("log", "--verify", path), 0);
	assert_says(out, "165 entries, 1 to 49, of 7 boots: each one holds the hash of the one before, but where");
	assert_int_equal(newleaf("log", "--verify", path, "-q", "--json", "--since", "999"), 0);
	assert_says(out, "\"boots\":7,\"chains\":6");
}

static void names(const char *what)
{
	assert_int_equal(newleaf("log", "--verify", path, "--json", "--since", "999"), NL_EXIT_LEAF);
	assert_says(out, "\"schema\":\"newleaf.log-verify/1\",\"result\":\"failed\"");
	assert_int_equal(newleaf("log", "--verify", path), NL_EXIT_LEAF);
	assert_says(err, "NL_EJOURNAL");
	assert_says(err, what);
	assert_null(strstr(out, "each one holds"));
}

static void too_late(void **state)
{
	(void)state;
	for (unsigned boot = 1; boot < 3; boot++) {
		begin(NULL);
		write_entries(10);
		assert_int_equal(newleaf("log", "--keep", path), 0);
		if (boot == 2)
			power_off(2);
		write_entries(20);
		f->journal_over = 10; /* not yet: the hash of number 10 is in number 11 */
		if (boot == 1)
			assert_int_equal(newleaf("log", "--keep", path), 0);
		write_entries(20);
		f->journal_over = f->n_journal - 5;
		assert_int_equal(newleaf("log", "--keep", path, "--json"), NL_EXIT_LEAF);
		assert_says(out,
		            boot == 1 ? "\"kept\":5,\"first\":46,\"last\":50" : "\"kept\":5,\"first\":36,\"last\":40");
		assert_says(out, boot == 1 ? "\"missing_before\":46" : "\"missing_before\":36");
		assert_says(out, "NL_EJOURNAL");
		assert_int_equal(newleaf("log", "--keep", path), 0); /* said once */
		names(boot == 1 ? "what was before entry 46 (number 31 in" : "what was before entry 36 (number 11 in");
	}
	begin(NULL);
	write_entries(30); /* who begins to keep late begins there */
	f->journal_over = 20;
	assert_int_equal(newleaf("log", "--keep", path), 0);
	assert_says(out, "kept 10 entries, 21 to 30");
	assert_int_equal(newleaf("log", "--verify", path), 0);
	assert_says(out, "10 entries, 21 to 30");
}

/* The newest before a reset were lost, but were kept: the journal has others in their place. */
static void forked(void **state)
{
	(void)state;
	write_entries(20);
	assert_int_equal(newleaf("log", "--keep", path), 0);
	f->n_journal = 18;
	memset(f->status.boot.boot_id, 2, 16);
	write_entries(10);
	f->journal_over = 10;
	assert_int_equal(newleaf("log", "--keep", path), NL_EXIT_LEAF);
	assert_says(err, "what stood before entry 11, and behind 20 of the file");
	names("entry 11 (number 21 in");
}

/* At any byte, and with anything in the place of what did not come to the disk. */
static void power_cut(void **state)
{
	static uint8_t whole[16384], cut[16384];
	size_t size;

	(void)state;
	write_entries(40);
	assert_int_equal(newleaf("log", "--keep", path), 0);
	size = get(whole, sizeof(whole));
	assert_int_equal(size, size_of(40));
	host_seed(7);
	for (size_t at = 0; at <= size; at += at > 30 && at < size - 30 ? 1 + host_below(60) : 1)
		for (unsigned rest = 0; rest < 2; rest++) { /* gone, or of another file */
			size_t end = rest ? size : at;
			bool torn = at != end && at >= size_of(39);

			if (rest && !torn)
				continue;
			memcpy(cut, whole, at);
			memset(cut + at, 0x5a, size - at);
			put(cut, end);
			torn |= !rest && (at < size_of(0) ? at > 0 : (at - size_of(0)) % sizeof(struct logfile_record));
			assert_int_equal(newleaf("log", "--keep", path, "--json"), 0);
			assert_int_equal(!strstr(out, "\"cut_bytes\":0,"), torn);
			assert_int_equal(get(cut, sizeof(cut)), size);
			assert_memory_equal(cut, whole, size);
		}
	memset(cut, 0, sizeof(cut)); /* the first write of all, of which only the length has come to the disk */
	for (size_t n = 1; n <= size_of(1); n += 23) {
		put(cut, n);
		assert_int_equal(newleaf("log", "--keep", path, "--json"), 0);
		assert_null(strstr(out, "\"cut_bytes\":0,"));
		assert_int_equal(newleaf("log", "--verify", path), 0);
	}
	put(cut, size_of(1) + 1);
	assert_int_equal(newleaf("log", "--keep", path), NL_EXIT_ABSENT);
	put(whole, size - 5);
	assert_int_equal(newleaf("log", "--verify", path), 0);
	assert_says(out, "179 bytes at the end are half written\n");
	assert_says(out, "39 entries, 1 to 39");
	assert_int_equal(newleaf("log", "--keep", path), 0);
	assert_says(err, "kept: 179 bytes at its end were half written, and are cut off\n");
	assert_says(out, "kept 1 entries, 40 to 40\n");
	put(whole, size - 5);
	f->n_journal = 39; /* nobody has it any more */
	assert_int_equal(newleaf("log", "--keep", path), 0);
	assert_int_equal(get(cut, sizeof(cut)), size_of(39));
	put(whole, 7);
	assert_int_equal(newleaf("log", "--verify", path), NL_EXIT_LEAF);
	assert_says(err, "holds no entry");
}

static void any_flipped_bit(void **state)
{
	static uint8_t whole[16384];
	size_t size;

	(void)state;
	write_entries(40);
	assert_int_equal(newleaf("log", "--keep", path), 0);
	size = get(whole, sizeof(whole));
	host_seed(8);
	for (unsigned i = 0; i < 600; i++) {
		size_t bit = i < 192 ? i : host_below(8 * size);
		char what[64];

		whole[bit / 8] ^= (uint8_t)(1u << bit % 8);
		put(whole, size);
		whole[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (bit / 8 >= size_of(39)) { /* as what a power cut leaves: gone, and said */
			assert_int_equal(newleaf("log", "--verify", path), 0);
			assert_says(out, "bytes at the end are half written");
		} else if (bit / 8 >= size_of(0)) {
			snprintf(what, sizeof(what), "(number %zu in",
			         (bit / 8 - size_of(0)) / sizeof(struct logfile_record) + 1);
			names(what);
			assert_says(err, "is damaged");
			assert_int_equal(newleaf("log", "--keep", path), 0); /* and is none of the keeper's business */
		} else {
			assert_int_not_equal(newleaf("log", "--verify", path), 0);
			assert_int_not_equal(newleaf("log", "--keep", path), 0);
		}
	}
}

static struct logfile_record records[60];

static void put_records(unsigned n)
{
	static struct {
		struct nl_record head;
		struct logfile_record r[60];
	} all;

	all.head = (struct nl_record){LOGFILE_MAGIC, 1, sizeof(struct nl_record), sizeof(struct logfile_record), 0};
	for (unsigned i = 0; i < n; i++) {
		all.r[i] = records[i];
		all.r[i].checksum = nl_checksum(&records[i].entry, sizeof(records[i].entry));
	}
	put(&all, size_of(n));
}

/* By somebody who can make checksums. */
static void any_change(void **state)
{
	struct logfile_record kept;

	(void)state;
	write_entries(20);
	memset(f->status.boot.boot_id, 2, 16);
	write_entries(20);
	for (unsigned i = 0; i < 40; i++)
		records[i].entry = f->journal[i];
	put_records(40);
	assert_int_equal(newleaf("log", "--verify", path), 0);
	records[9].entry.a++; /* another word in one of them: the next one says so */
	put_records(40);
	names("entry 11 (number 11 in");
	records[9].entry.a--;
	records[9].entry.hash[0]++;
	put_records(40);
	names("entry 10 (number 10 in");
	records[9].entry.hash[0]--;
	kept = records[9]; /* two change places */
	records[9] = records[10];
	records[10] = kept;
	put_records(40);
	names("what was before entry 11 (number 10 in");
	records[10] = records[9];
	records[9] = kept;
	memmove(&records[10], &records[11], 29 * sizeof(records[0])); /* one is taken out */
	put_records(39);
	names("what was before entry 12 (number 11 in");
	for (unsigned i = 0; i < 40; i++)
		records[i].entry = f->journal[i];
	memmove(&records[11], &records[10], 29 * sizeof(records[0])); /* one is put in */
	put_records(40);
	names("entry 11 (number 12 in");
	for (unsigned i = 0; i < 40; i++)
		records[i].entry = f->journal[i];
	records[30].entry.seq = 1; /* within a boot nothing begins anew */
	memset(records[30].entry.hash, 0, 32);
	put_records(40);
	names("entry 1 (number 31 in");
	records[20].entry.seq = 1; /* at another one it does, with a hash of nothing alone */
	memset(records[20].entry.hash, 0, 32);
	put_records(21);
	assert_int_equal(newleaf("log", "--verify", path), 0);
	records[20].entry.hash[31] = 1;
	put_records(21);
	names("entry 1 (number 21 in");
	records[0].entry.hash[31] = 1;
	put_records(15);
	names("entry 1 (number 1 in");
	records[0].entry.seq = 0;
	put_records(15);
	names("entry 0 (number 1 in");
	records[0].entry.seq = UINT64_MAX; /* no number follows */
	records[1].entry.seq = 0;
	cli_sha256(&records[0].entry, sizeof(records[0].entry), records[1].entry.hash);
	put_records(2);
	names("entry 0 (number 2 in");
}

static void what_is_no_journal(void **state)
{
	uint8_t whole[size_of(20)];
	struct rlimit before, limit;
	int fd;

	(void)state;
	write_entries(20);
	assert_int_equal(newleaf("log", "--keep", dir), NL_EXIT_ENVIRONMENT);
	assert_int_equal(newleaf("log", "--keep", "/dev/null"), NL_EXIT_USAGE);
	assert_int_equal(newleaf("log", "--keep", "/nowhere/kept"), NL_EXIT_ENVIRONMENT);
	assert_int_equal(newleaf("log", "--verify", dir), NL_EXIT_ENVIRONMENT);
	assert_int_equal(newleaf("log", "--verify", path), NL_EXIT_ENVIRONMENT);
	assert_int_equal(newleaf("log", "--verify", "/dev/zero"), NL_EXIT_LEAF);
	put("this is a letter to somebody, and no journal", 44);
	assert_int_equal(newleaf("log", "--keep", path), NL_EXIT_ABSENT);
	assert_says(err, "is not a journal");
	assert_int_equal(newleaf("log", "--verify", path), NL_EXIT_LEAF);
	put("NL", 2);
	assert_int_equal(newleaf("log", "--keep", path), NL_EXIT_OK); /* a first write that was cut off */
	assert_int_equal(get(whole, sizeof(whole)), size_of(20));
	whole[8]++;
	put(whole, sizeof(whole));
	assert_int_equal(newleaf("log", "--keep", path), NL_EXIT_ABSENT);
	assert_says(err, "NL_ENEWER");
	assert_int_equal(newleaf("log", "--verify", path), NL_EXIT_ABSENT);
	whole[8]--;
	whole[16] += 8; /* larger records: hashes would be over what we do not know */
	put(whole, sizeof(whole));
	assert_int_equal(newleaf("log", "--verify", path), NL_EXIT_ABSENT);
	whole[16] -= 8;
	put(whole, sizeof(whole));
	fd = open(path, O_RDONLY);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(newleaf("log", "--keep", path), NL_EXIT_CONFLICT);
	close(fd);

	/* The disk is full: what cannot be written whole is not written. */
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	for (unsigned room = 0; room < 20 * sizeof(struct logfile_record); room += 97) {
		f->n_journal = 20;
		write_entries(20);
		put(whole, sizeof(whole));
		limit = before;
		limit.rlim_cur = sizeof(whole) + room;
		setrlimit(RLIMIT_FSIZE, &limit);
		assert_int_equal(newleaf("log", "--keep", path), NL_EXIT_ENVIRONMENT);
		setrlimit(RLIMIT_FSIZE, &before);
		assert_int_equal(newleaf("log", "--verify", path), 0);
		assert_null(strstr(out, "half written"));
		assert_int_equal(newleaf("log", "--keep", path), 0);
		assert_null(strstr(out, "cut off"));
		assert_int_equal(newleaf("log", "--verify", path), 0);
		assert_says(out, "40 entries, 1 to 40");
	}
}

static void does_not_go_together(void **state)
{
	(void)state;
	assert_int_equal(newleaf("log", "--keep", path, "--verify", path), NL_EXIT_USAGE);
	assert_int_equal(newleaf("log", "--keep", path, "--since", "3"), NL_EXIT_USAGE);
	assert_int_equal(newleaf("log", "--verify", path, "-f"), NL_EXIT_USAGE);
	assert_int_equal(newleaf("status", "--keep", path), NL_EXIT_USAGE);
	assert_int_not_equal(access(path, F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(keeps_what_is_new, begin),
	        cmocka_unit_test_setup(documents, begin),
	        cmocka_unit_test_setup(follows, begin),
	        cmocka_unit_test_setup(over_boots, begin),
	        cmocka_unit_test_setup(too_late, begin),
	        cmocka_unit_test_setup(forked, begin),
	        cmocka_unit_test_setup(power_cut, begin),
	        cmocka_unit_test_setup(any_flipped_bit, begin),
	        cmocka_unit_test_setup(any_change, begin),
	        cmocka_unit_test_setup(what_is_no_journal, begin),
	        cmocka_unit_test_setup(does_not_go_together, begin),
	};

	return cmocka_run_group_tests_name("cli_log", tests, set_up_group, tear_down_group);
}
