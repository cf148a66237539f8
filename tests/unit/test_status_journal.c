// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/status_journal.c tools/newleaf/journal.c tools/newleaf/logfile.c tools/newleaf/sha256.c
// cflags: -Itools/author
/*
 * What a signed status proves of a kept journal: all up to its newest entry that is of one chain with it, and nothing
 * else.
 */
#include "host.h"
#include "status_journal.h"

#include "../../tools/newleaf/logfile.h"
#include "../../tools/newleaf/sha256.h"

#define N 60u

static struct {
	struct nl_record head;
	struct logfile_record r[N];
} file;
static unsigned n; /* records */
static struct nl_signed_status s;
static struct proven_journal p;

static void add(uint64_t seq, uint8_t boot)
{
	struct nl_journal_entry *e = &file.r[n].entry;

	memset(&file.r[n], 0, sizeof(file.r[n]));
	e->seq = seq;
	e->tsc = host_random();
	memset(e->boot_id, boot, sizeof(e->boot_id));
	if (seq > 1 && n)
		cli_sha256(&file.r[n - 1].entry, sizeof(*e), e->hash);
	file.r[n].checksum = nl_checksum(e, sizeof(*e));
	n++;
}

/* The machine signs when this record was its newest. */
static void signs(unsigned record)
{
	s.status.journal_newest = file.r[record].entry.seq;
	cli_sha256(&file.r[record].entry, sizeof(file.r[0].entry), s.journal);
}

static enum nl_err prove(void)
{
	p = (struct proven_journal){77, 77, 77, 77};
	return status_journal(&s, &file, sizeof(file.head) + n * sizeof(file.r[0]), &p);
}

static void proves(uint64_t first, uint64_t last, uint64_t boots, uint64_t behind)
{
	assert_int_equal(prove(), NL_OK);
	assert_int_equal(p.first, first);
	assert_int_equal(p.last, last);
	assert_int_equal(p.boots, boots);
	assert_int_equal(p.behind, behind);
}

/* Two boots in one chain, a third that began anew. */
static int begin(void **state)
{
	(void)state;
	host_seed(9);
	file.head = (struct nl_record){LOGFILE_MAGIC, 1, sizeof(struct nl_record), sizeof(struct logfile_record), 0};
	n = 0;
	for (unsigned i = 5; i < 25; i++)
		add(i, i < 15 ? 1 : 2);
	for (unsigned i = 1; i <= 10; i++)
		add(i, 3);
	return 0;
}

static void up_to_the_newest(void **state)
{
	(void)state;
	signs(29);
	proves(1, 10, 1, 0);
	signs(22);
	proves(1, 3, 1, 7);
	signs(19);
	proves(5, 24, 2, 10);
	signs(9);
	proves(5, 14, 1, 20);
	signs(0);
	proves(5, 5, 1, 29);
}

static void nothing_else(void **state)
{
	(void)state;
	signs(29);
	s.journal[31]++;
	assert_int_equal(prove(), NL_EJOURNAL);
	s.journal[31]--;
	s.status.journal_newest++;
	assert_int_equal(prove(), NL_EJOURNAL);
	s.status.journal_newest--;
	n--; /* the file has not got so far */
	assert_int_equal(prove(), NL_EJOURNAL);
	n++;
	file.r[29].entry.a++; /* or was changed there, with a checksum for it */
	file.r[29].checksum = nl_checksum(&file.r[29].entry, sizeof(file.r[29].entry));
	assert_int_equal(prove(), NL_EJOURNAL);
	file.r[29].entry.a--;
	file.r[29].checksum++;
	assert_int_equal(prove(), NL_EJOURNAL);
	file.head.magic++;
	assert_int_equal(prove(), NL_EJOURNAL);
	n = 0;
	begin(NULL);
	n = 0;
	assert_int_equal(prove(), NL_EJOURNAL);
}

/* What was changed, or taken out, is not proven, nor what stands before it. */
static void not_what_was_changed(void **state)
{
	for (unsigned record = 0; record < 19; record++) {
		begin(state);
		signs(19);
		file.r[record].entry.b ^= 1;
		file.r[record].checksum = nl_checksum(&file.r[record].entry, sizeof(file.r[record].entry));
		assert_int_equal(prove(), NL_OK);
		assert_int_equal(p.first, 5 + record + 1);
		begin(state);
		signs(19);
		memmove(&file.r[record], &file.r[record + 1], (n - record - 1) * sizeof(file.r[0]));
		n--;
		proves(5 + record + 1, 24, record + 1 < 10 ? 2 : 1, 10);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(up_to_the_newest, begin),
	        cmocka_unit_test_setup(nothing_else, begin),
	        cmocka_unit_test_setup(not_what_was_changed, begin),
	};

	return cmocka_run_group_tests_name("status_journal", tests, NULL, NULL);
}
