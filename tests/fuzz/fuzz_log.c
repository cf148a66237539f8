// SPDX-License-Identifier: Apache-2.0
// sources: tools/newleaf/logfile.c tools/newleaf/journal.c tools/newleaf/dates.c
// sources: tools/newleaf/text.c
// length: 12000
// quick: 50000
// reader: a kept journal
/*
 * Any bytes as a kept journal (tools/newleaf/logfile.h): what is read, what is cut, and the walk over what is left. The
 * hash is a sum here, and checksums can be asked to be right, so that what stands behind both is reached.
 */
#include "fuzz.h"

#include "../../tools/newleaf/dates.h"
#include "../../tools/newleaf/logfile.h"
#include "../../tools/newleaf/sha256.h"
#include "../../tools/newleaf/text.h"

void cli_sha256(const void *data, size_t size, uint8_t out[32])
{
	uint8_t sum = 1;

	for (size_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + ((const uint8_t *)data)[i]);
	memset(out, sum, 32);
}

/* Entries that fit form runs: each begins with one that needs nothing before it, or follows with the next number. */
static void walk(const void *p, const struct logfile *f)
{
	struct journal_chain chain = {.begun = false};
	struct journal_clock clock = {.boot_id = {0}};
	struct nl_journal_entry e;

	for (uint64_t i = 0; i < f->records; i++) {
		struct nl_journal_entry before = chain.last;
		struct text t;
		enum journal_fit fit;
		uint64_t wall;

		logfile_entry(p, i, &e);
		fit = journal_follows(&chain, &e);
		FUZZ_CHECK((fit == JOURNAL_FIRST) <= (i == 0) && !memcmp(&chain.last, &e, sizeof(e)));
		if (fit == JOURNAL_FITS)
			FUZZ_CHECK(e.seq == before.seq + 1 && before.seq != UINT64_MAX);
		if (fit == JOURNAL_ANEW)
			FUZZ_CHECK(e.seq == 1 && memcmp(before.boot_id, e.boot_id, sizeof(e.boot_id)));
		if (fit == JOURNAL_MISSING)
			FUZZ_CHECK(e.seq > 1);
		wall = journal_wall(&clock, &e);
		FUZZ_CHECK(*text_time(&t, wall));
	}
}

void fuzz_one(const uint8_t *bytes, size_t size)
{
	struct fuzz f = {bytes, size};
	struct logfile file, again;
	struct nl_journal_entry e;
	uint8_t mend = fuzz_byte(&f);
	size_t n;
	uint8_t *p = fuzz_bytes(&f, 12000, &n);
	enum nl_err err;

	for (size_t at = sizeof(struct nl_record); mend && at + sizeof(struct logfile_record) <= n;
	     at += sizeof(struct logfile_record)) {
		uint64_t sum = nl_checksum(p + at, sizeof(e));

		memcpy(p + at + offsetof(struct logfile_record, checksum), &sum,
		       at / sizeof(struct logfile_record) != mend ? 8 : 0);
	}
	err = logfile_read(p, n, &file);
	FUZZ_CHECK(err == NL_OK || err == NL_ERECORD || err == NL_ENEWER);
	if (err) {
		FUZZ_CHECK(!file.records && !file.torn);
	} else if (file.records) {
		FUZZ_CHECK(logfile_size(file.records) + file.torn == n);
		FUZZ_CHECK(file.torn <= sizeof(struct logfile_record));
		FUZZ_CHECK(!logfile_read(p, n - file.torn, &again) && again.records <= file.records);
		walk(p, &file);
	}
	free(p);
}

void fuzz_seeds(void)
{
	static struct {
		uint8_t mend;
		uint8_t file[sizeof(struct nl_record) + 40 * sizeof(struct logfile_record)];
	} seed;
	struct nl_record head = {LOGFILE_MAGIC, 1, sizeof(struct nl_record), sizeof(struct logfile_record), 0};
	struct logfile_record r;

	memcpy(seed.file, &head, sizeof(head));
	memset(&r, 0, sizeof(r));
	for (unsigned i = 0; i < 40; i++) {
		struct nl_journal_entry before = r.entry;

		memset(&r, 0, sizeof(r));
		r.entry.seq = i < 30 ? i + 1 : i - 29;
		r.entry.tsc = 1000 * i;
		r.entry.event = i % 10 ? NL_EV_COMMIT : NL_EV_BOOT;
		memset(r.entry.boot_id, (int)(i / 10), sizeof(r.entry.boot_id));
		if (r.entry.seq > 1)
			cli_sha256(&before, sizeof(before), r.entry.hash);
		r.checksum = nl_checksum(&r.entry, sizeof(r.entry));
		memcpy(seed.file + logfile_size(i), &r, sizeof(r));
	}
	for (unsigned n = 0; n <= 40; n += 8)
		fuzz_seed(&seed, 1 + logfile_size(n));
	seed.mend = 200;
	fuzz_seed(&seed, sizeof(seed));
	fuzz_seed(&seed, sizeof(seed) - 7);
}
