// SPDX-License-Identifier: Apache-2.0
/*
 * newleaf log --keep: what the hypervisor's journal has and a file has not, behind the file's end, before the ring is
 * written over. One run adds what there is; --follow goes on.
 */
#define _GNU_SOURCE
#include "log.h"
#include "logfile.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOT_KEPT "journal not kept"

struct keep {
	struct cli *c;
	int fd;
	uint64_t records;           /* in the file */
	struct journal_chain chain; /* up to its last entry */
	uint64_t cut;               /* bytes of it that were half written */
	uint64_t kept, first;       /* how many this round added, and the first one's number */
	bool anew;                  /* among them is a number one of a later boot */
	uint64_t missing, behind;   /* entries before this one, and behind that one, are lost; 0: none */
	bool late;                  /* in any round */
};

static int failed(const struct keep *k, enum nl_err e, const char *why)
{
	return cli_fail(k->c, NOT_KEPT, e, "%s: %s", k->c->keep, why);
}

/* A new file's name must last as well. */
static bool sync_folder(const char *path)
{
	char copy[PATH_MAX];
	int fd;
	bool ok;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	return ok;
}

/* What is there, and where to go on. */
static int open_file(struct keep *k)
{
	const char *path = k->c->keep;
	struct nl_journal_entry e;
	struct logfile f;
	struct stat st;
	uint8_t *bytes;
	size_t size;
	enum nl_err err;

	k->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
	if (k->fd < 0 || fstat(k->fd, &st) != 0)
		return failed(k, NL_EENVIRONMENT, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return failed(k, NL_EUSAGE, "is no file");
	if (flock(k->fd, LOCK_EX | LOCK_NB) != 0)
		return failed(k, NL_EBUSY, "another newleaf log --keep is at work on it");
	if (!st.st_size && !sync_folder(path))
		return failed(k, NL_EENVIRONMENT, strerror(errno));
	if (fstat(k->fd, &st) != 0 || cli_read_file(path, (size_t)st.st_size, &bytes, &size) != NL_OK)
		return failed(k, NL_EENVIRONMENT, strerror(errno));
	err = logfile_read(bytes, size, &f);
	for (uint64_t i = f.records ? f.records - 1 : 0; i < f.records; i++) {
		logfile_entry(bytes, i, &e);
		journal_follows(&k->chain, &e);
	}
	free(bytes);
	if (err)
		return failed(k, err, err == NL_ENEWER ? "a newer newleaf has written it" : "is not a journal");
	k->records = f.records;
	k->cut = f.torn;
	if (!k->cut)
		return NL_EXIT_OK;
	if (ftruncate(k->fd, (off_t)(f.records ? logfile_size(f.records) : 0)) || fdatasync(k->fd))
		return failed(k, NL_EENVIRONMENT, strerror(errno));
	if (!k->c->json)
		fprintf(stderr, "newleaf: %s: %llu bytes at its end were half written, and are cut off\n", path,
		        (unsigned long long)k->cut);
	return NL_EXIT_OK;
}

/* How an entry stands to what the file has. */
static void look(struct keep *k, const struct nl_journal_entry *e)
{
	uint64_t last = k->chain.last.seq;

	switch (journal_follows(&k->chain, e)) {
	case JOURNAL_MISSING:
	case JOURNAL_BROKEN: /* it forked: the newest entries before a reset were lost, and the file has them */
		k->missing = e->seq;
		k->behind = last;
		k->late = true;
		if (!k->c->json)
			fprintf(stderr,
			        "newleaf: %s: what stood before entry %llu, and behind %llu of the file, was written "
			        "over before it was kept\n",
			        k->c->keep, (unsigned long long)e->seq, (unsigned long long)last);
		break;
	case JOURNAL_ANEW:
		k->anew = true;
		break;
	default:
		break;
	}
}

static bool append(struct keep *k, const struct nl_journal_entry *e)
{
	if (!logfile_append(k->fd, k->records, e))
		return false;
	k->first = k->kept++ ? k->first : e->seq;
	k->records++;
	look(k, e);
	return true;
}

static void tell(struct keep *k)
{
	const struct cli *c = k->c;
	uint64_t last = k->chain.last.seq;

	if (c->json) {
		struct json j = {.f = stdout};

		json_document(&j, "keep", "ok");
		json_string(&j, "file", c->keep);
		json_uint(&j, "kept", k->kept);
		json_uint(&j, "first", k->kept ? k->first : 0);
		json_uint(&j, "last", last);
		json_uint(&j, "entries", k->records);
		json_uint(&j, "cut_bytes", k->cut);
		json_bool(&j, "began_anew", k->anew);
		json_uint(&j, "missing_before", k->missing);
		json_end(&j);
	} else if (!c->quiet && k->kept) {
		printf("%s: kept %llu entries, %llu to %llu%s\n", c->keep, (unsigned long long)k->kept,
		       (unsigned long long)k->first, (unsigned long long)last,
		       k->anew ? "; the journal began anew, as after a power-off" : "");
	} else if (!c->quiet && !(c->given & OPT_FOLLOW)) {
		printf("%s: nothing new behind entry %llu\n", c->keep, (unsigned long long)last);
	}
	fflush(stdout);
	k->kept = k->missing = k->cut = 0;
	k->anew = false;
}

/* All that there is. */
static int round_of(struct keep *k, struct nl_journal_entry *batch)
{
	uint64_t from = k->chain.begun ? k->chain.last.seq : 1, newest = 0;
	bool again =
	        k->chain.begun; /* the file's last entry is asked for, too: it shows whether that journal goes on */
	size_t n = 0;

	do {
		enum nl_err e = nl_agent_journal(&k->c->agent, from, batch, LOG_BATCH, &n, &newest);
		size_t skip = 0;

		if (e != NL_OK)
			return cli_fail_agent(k->c, NOT_KEPT, e, NULL);
		if (again && n && !memcmp(batch, &k->chain.last, sizeof(*batch)))
			skip = 1;
		else if (again && from > 1 && (!n || batch->seq <= k->chain.last.seq)) {
			from = 1; /* another one: from its beginning */
			again = false;
			n = 1;
			continue;
		}
		again = false;
		for (size_t i = skip; i < n; i++)
			if (!append(k, &batch[i]))
				return failed(k, NL_EENVIRONMENT, strerror(errno));
		if (n)
			from = batch[n - 1].seq + 1;
	} while (n && from <= newest);
	return NL_EXIT_OK;
}

int log_keep(struct cli *c)
{
	struct nl_journal_entry *batch = calloc(LOG_BATCH, sizeof(*batch));
	struct keep k = {.c = c, .fd = -1};
	bool last = false, told = false;
	int result = batch ? cli_open(c, NOT_KEPT) : NL_EXIT_ENVIRONMENT;

	if (result == NL_EXIT_OK)
		result = open_file(&k);
	while (result == NL_EXIT_OK && !last) {
		last = !(c->given & OPT_FOLLOW) || cli_cancel; /* who is told to end looks once more */
		result = round_of(&k, batch);
		if (result == NL_EXIT_OK && (k.kept || !told))
			tell(&k);
		told = true;
		if (result == NL_EXIT_OK && !last)
			c->transport->pause_ns(c->transport->ctx, LOG_FOLLOW_NS);
	}
	if (k.fd >= 0)
		close(k.fd);
	free(batch);
	if (result == NL_EXIT_OK && k.late)
		return cli_fail(c, "kept, but not all", NL_EJOURNAL,
		                "%s: entries were written over, or lost in a reset, before they were kept", c->keep);
	return result;
}
