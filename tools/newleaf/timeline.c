// SPDX-License-Identifier: Apache-2.0
/*
 * newleaf timeline, and --timeline of the verbs that change something: read the hypervisor's ring, and what the last
 * commands saw of their own gathers, which they leave in /run/newleaf/gathers. What is written is another file's.
 */
#define _GNU_SOURCE
#include "timeline.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEPS_MAX 65536 /* far more than any ring */

static const char *own_path(char *out, size_t size)
{
	snprintf(out, size, "%s/gathers", cli_run_dir);
	return out;
}

static const struct nl_own *own_read(const struct cli *c)
{
	static struct nl_own o;
	char path[PATH_MAX];
	int fd = open(own_path(path, sizeof(path)), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	bool whole = fd >= 0 && read(fd, &o, sizeof(o)) == (ssize_t)sizeof(o);

	if (fd >= 0)
		close(fd);
	nl_own_take(whole ? &o : NULL, c->status.boot.boot_id);
	return &nl_own;
}

/* Beside the file, then in its place: who reads it sees the old one or the whole new one. errno is kept. */
static bool write_file(const char *path, mode_t mode, void (*fill)(FILE *f, const struct timeline *t),
                       const struct timeline *t)
{
	char beside[PATH_MAX];
	struct stat st;
	bool good;
	FILE *f;
	int fd, kept;

	if (!strcmp(path, "-")) {
		fill(stdout, t);
		return true;
	}
	if (!lstat(path, &st) && !S_ISREG(st.st_mode)) { /* /dev/null would be pushed aside */
		errno = EOPNOTSUPP;
		return false;
	}
	if ((size_t)snprintf(beside, sizeof(beside), "%s.%ld", path, (long)getpid()) >= sizeof(beside)) {
		errno = ENAMETOOLONG;
		return false;
	}
	fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	f = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!f)
		return false;
	fill(f, t);
	good = !ferror(f) && fflush(f) == 0 && fsync(fd) == 0;
	good &= fclose(f) == 0;
	good = good && rename(beside, path) == 0;
	kept = errno;
	if (!good)
		unlink(beside);
	errno = kept;
	return good;
}

static void own_fill(FILE *f, const struct timeline *t)
{
	(void)t;
	fwrite(&nl_own, sizeof(nl_own), 1, f);
}

/* On failure *steps is NULL. */
static enum nl_err read_ring(struct cli *c, struct nl_step_record **steps, size_t *n)
{
	uint64_t from = 1, newest = 0, until = UINT64_MAX;
	size_t got = 1, room = 0;
	enum nl_err e = NL_OK;

	*steps = NULL;
	*n = 0;
	/* Up to what is there now: while we read, others commit. */
	while (e == NL_OK && got && from <= until && *n < STEPS_MAX) {
		if (room - *n < NL_AGENT_STEPS_A_CALL) {
			struct nl_step_record *more = realloc(*steps, (room += 4096) * sizeof(**steps));

			if (!more) {
				e = NL_EENVIRONMENT;
				break;
			}
			*steps = more;
		}
		e = nl_agent_timeline(&c->agent, from, *steps + *n, room - *n, &got, &newest);
		*n += got;
		from = *n ? (*steps)[*n - 1].seq + 1 : from;
		if (until == UINT64_MAX)
			until = newest;
	}
	if (e != NL_OK) {
		free(*steps);
		*steps = NULL;
	}
	return e;
}

static enum nl_err get(struct cli *c, struct timeline *t)
{
	struct nl_step_record *steps;
	size_t n;
	enum nl_err e = read_ring(c, &steps, &n);

	memset(t, 0, sizeof(*t));
	t->cpus = c->status.cpus_known;
	t->tsc_hz = c->status.boot.tsc_hz;
	t->emulated = c->status.emulated;
	if (e == NL_OK && !course_make(t, steps, n, &nl_own))
		e = NL_EENVIRONMENT;
	free(steps);
	return e;
}

/* The transactions that were asked for. */
static int choose(struct cli *c, struct timeline *t)
{
	size_t n = t->n_transactions, last = c->given & OPT_LAST ? c->last : 1;

	if (!(c->given & OPT_TRANSACTION)) {
		course_select(t, n > last ? n - last : 0, n > last ? last : n);
		return NL_EXIT_OK;
	}
	for (size_t i = 0; i < n; i++)
		if (t->transaction[i].number == c->transaction) {
			course_select(t, i, 1);
			return NL_EXIT_OK;
		}
	return cli_fail(c, "no timeline", NL_EUSAGE, "transaction %llu is not among those that are kept: %u to %u",
	                (unsigned long long)c->transaction, t->transaction[0].number, t->transaction[n - 1].number);
}

static int write_all(struct cli *c, const struct timeline *t)
{
	const struct {
		const char *path;
		void (*fill)(FILE *f, const struct timeline *t);
	} file[] = {{c->chrome, timeline_chrome}, {c->svg, timeline_svg}};
	bool said = false;

	for (size_t i = 0; i < NL_ARRAY_SIZE(file); i++) {
		if (!file[i].path)
			continue;
		if (!write_file(file[i].path, 0644, file[i].fill, t))
			return cli_fail(c, "no timeline", NL_EENVIRONMENT, "cannot write %s: %s", file[i].path,
			                strerror(errno));
		said = true;
	}
	if (c->json)
		timeline_json(stdout, t);
	else if (!c->quiet && !said)
		timeline_text(stdout, t);
	return NL_EXIT_OK;
}

int verb_timeline(struct cli *c)
{
	struct timeline t = {.cpus = 0};
	int result;
	enum nl_err e;

	if (c->given & OPT_TRANSACTION && c->given & OPT_LAST)
		return cli_fail(c, "no timeline", NL_EUSAGE, "either --transaction or --last");
	result = cli_open(c, "no timeline");
	if (result != NL_EXIT_OK)
		return result;
	own_read(c);
	e = get(c, &t);
	if (e != NL_OK)
		result = cli_fail_agent(c, "no timeline", e, NULL);
	else if (!t.n_transactions)
		result = cli_nothing(c, "timeline", "there was no transaction since boot");
	else if ((result = choose(c, &t)) == NL_EXIT_OK)
		result = write_all(c, &t);
	course_free(&t);
	return result;
}

void cli_timeline_begin(struct cli *c)
{
	own_read(c);
	c->begin_tsc = nl_own_now();
}

void cli_timeline_end(struct cli *c)
{
	char path[PATH_MAX];
	struct timeline t = {.cpus = 0};
	struct nl_details kept = c->agent.details; /* of the commit */
	size_t n = 0;

	(void)write_file(own_path(path, sizeof(path)), 0600, own_fill, NULL); /* a timeline without it is one, too */
	if (!c->timeline)
		return;
	errno = 0;
	if (get(c, &t) == NL_OK) {
		while (n < t.n_transactions && t.transaction[t.n_transactions - 1 - n].begin >= c->begin_tsc)
			n++;
		course_select(&t, t.n_transactions - n, n);
		n = write_file(c->timeline, 0644, timeline_chrome, &t);
	}
	course_free(&t);
	c->agent.details = kept;
	if (!n) /* what was done stands, and the answer is of it */
		fprintf(stderr, "newleaf: no timeline in %s: %s\n", c->timeline, strerror(errno));
}
