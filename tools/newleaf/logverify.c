// SPDX-License-Identifier: Apache-2.0
/*
 * newleaf log --verify: a kept journal, printed and checked from its first entry to its last, over boots. Needs neither
 * Newleaf nor root, and believes nothing that the file says.
 */
#include "log.h"
#include "dates.h"
#include "logfile.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NOT_VERIFIED "journal not verified"

struct verdict {
	uint64_t entries, first, last; /* how many; numbers */
	uint64_t boots, chains;
	uint64_t torn; /* bytes at the end */
	uint64_t bad,
	        place; /* number, and place in the file from 1 on, of the first one that does not fit; 0: all do */
	enum journal_fit reason; /* why it does not */
	bool damaged;            /* because of its own checksum */
	uint64_t before;         /* number of the one before it */
};

static void look(struct verdict *v, struct journal_chain *chain, const struct nl_journal_entry *e, bool whole)
{
	struct nl_journal_entry before = chain->last;
	bool first = !chain->begun;
	enum journal_fit fit = journal_follows(chain, e);

	v->entries++;
	v->boots += first || memcmp(before.boot_id, e->boot_id, sizeof(e->boot_id));
	v->chains += first || fit == JOURNAL_ANEW;
	if (first)
		v->first = e->seq;
	v->last = e->seq;
	if (v->place || (whole && fit < JOURNAL_MISSING))
		return;
	v->place = v->entries;
	v->bad = e->seq;
	v->before = first ? 0 : before.seq;
	v->reason = fit;
	v->damaged = !whole;
}

static const char *why(const struct verdict *v)
{
	return v->damaged ? "damaged" : v->reason == JOURNAL_MISSING ? "missing" : "broken";
}

static void tell(const struct cli *c, const struct verdict *v)
{
	struct json j = {.f = stdout};

	if (c->json) {
		json_document(&j, "log-verify", v->place ? "failed" : "ok");
		json_string(&j, "file", c->verify);
		json_uint(&j, "entries", v->entries);
		json_uint(&j, "first", v->first);
		json_uint(&j, "last", v->last);
		json_uint(&j, "boots", v->boots);
		json_uint(&j, "chains", v->chains);
		json_uint(&j, "half_written_bytes", v->torn);
		json_open(&j, "first_that_does_not_fit", '{');
		json_uint(&j, "place", v->place);
		json_uint(&j, "seq", v->bad);
		json_string(&j, "why", v->place ? why(v) : NULL);
		json_close(&j, '}');
		json_end(&j);
		return;
	}
	if (c->quiet)
		return;
	if (v->torn)
		printf("%llu bytes at the end are half written\n", (unsigned long long)v->torn);
	if (!v->place)
		printf("%s: %llu entries, %llu to %llu, of %llu boots: each one holds the hash of the one before%s\n",
		       c->verify, (unsigned long long)v->entries, (unsigned long long)v->first,
		       (unsigned long long)v->last, (unsigned long long)v->boots,
		       v->chains > 1 ? ", but where the journal began anew, as after a power-off" : "");
}

static int answer(struct cli *c, const struct verdict *v)
{
	unsigned long long place = v->place, bad = v->bad, before = v->before;

	if (!v->place)
		return NL_EXIT_OK;
	if (v->damaged)
		return cli_fail(c, NOT_VERIFIED, NL_EJOURNAL, "entry %llu (number %llu in %s) is damaged", bad, place,
		                c->verify);
	if (v->reason == JOURNAL_MISSING)
		return cli_fail(
		        c, NOT_VERIFIED, NL_EJOURNAL,
		        "what was before entry %llu (number %llu in %s) is missing: it stands behind entry %llu", bad,
		        place, c->verify, before);
	return cli_fail(c, NOT_VERIFIED, NL_EJOURNAL,
	                "entry %llu (number %llu in %s) does not fit to what stands before it", bad, place, c->verify);
}

int log_verify(struct cli *c)
{
	struct journal_chain chain = {.begun = false};
	struct journal_clock clock = {.boot_id = {0}};
	struct verdict v = {0};
	struct logfile f;
	struct stat st;
	uint8_t *bytes;
	size_t size;
	enum nl_err err;

	err = stat(c->verify, &st) ? NL_EENVIRONMENT : cli_read_file(c->verify, (size_t)st.st_size, &bytes, &size);
	if (err == NL_EENVIRONMENT)
		return cli_fail(c, NOT_VERIFIED, err, "%s: %s", c->verify, strerror(errno));
	if (err) /* it grows while it is read */
		size = (size_t)st.st_size;
	err = logfile_read(bytes, size, &f);
	for (uint64_t i = 0; i < f.records; i++) {
		struct nl_journal_entry e;
		bool whole = logfile_entry(bytes, i, &e);
		uint64_t wall = journal_wall(&clock, &e);

		look(&v, &chain, &e, whole);
		if (e.seq >= c->since)
			log_print(c, &e, wall);
	}
	free(bytes);
	if (err)
		return cli_fail(c, NOT_VERIFIED, err == NL_ERECORD ? NL_EJOURNAL : err, "%s %s", c->verify,
		                err == NL_ENEWER ? "was written by a newer newleaf" : "is not a journal");
	if (!f.records)
		return cli_fail(c, NOT_VERIFIED, NL_EJOURNAL, "%s holds no entry", c->verify);
	v.torn = f.torn;
	tell(c, &v);
	return answer(c, &v);
}
