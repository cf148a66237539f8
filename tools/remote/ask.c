// SPDX-License-Identifier: Apache-2.0
/* Asking one machine until it answers, and what it says of itself: its signed status, and the journal that this proves.
 */
#include "remote.h"

#include "../newleaf/journal.h"
#include "../newleaf/sha256.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define REQUEST_MS 20000u /* one request at most: an order's signatures are looked at for eight seconds */
#define AGAIN_MS 1000u    /* between two tries; machines make one signature a second */
#define BATCH_MAX 16384u  /* bytes of a journal in one answer */

uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void pause_ms(uint64_t ms)
{
	struct timespec t = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

uint64_t left_ms(const struct host *h)
{
	uint64_t now = now_ms();

	return now < h->until_ms ? h->until_ms - now : 0;
}

enum nl_err host_fail(struct host *h, enum nl_err err, const char *why, ...)
{
	char text[sizeof(h->why)]; /* what is said may quote what was said before */
	va_list ap;

	va_start(ap, why);
	vsnprintf(text, sizeof(text), why, ap);
	va_end(ap);
	memcpy(h->why, text, sizeof(text));
	h->err = err;
	return err;
}

/* Shall the same be asked again? It says so itself, or nothing at all came. */
static bool later(enum nl_err err, const struct http_answer *a)
{
	return err == NL_EUNREACHABLE || (!err && a->after_s && (a->status == 429 || a->status == 503));
}

enum nl_err ask(struct host *h, const char *method, const char *path, const void *body, size_t size, size_t max,
                struct http_answer *a)
{
	struct http_request r = {
	        .base = h->base, .method = method, .path = path, .body = body, .size = size, .max = max};

	enum nl_err said = NL_OK; /* by the answer before, if that was "later" */

	for (;;) {
		uint64_t left = left_ms(h);
		enum nl_err err;

		r.time_ms = left < REQUEST_MS ? left + 1 : REQUEST_MS;
		err = http_ask(&r, a);
		left = left_ms(h);
		if (!later(err, a) || !left) {
			if (err == NL_EUNREACHABLE && said && r.time_ms < AGAIN_MS)
				err = host_fail(h, said, "it answers %s, until the time was over", err_name(said));
			else if (err)
				host_fail(h, err, "%s", a->why);
			else if (later(err, a))
				err = host_fail(h, a->said ? a->said : NL_EUNREACHABLE, "%s, until the time was over",
				                a->why);
			if (err)
				http_free(a);
			return err;
		}
		h->broken += err != NL_OK;
		said = err ? NL_OK : a->said;
		http_free(a);
		pause_ms(left < AGAIN_MS ? left : a->after_s > 1 ? AGAIN_MS * 2 : AGAIN_MS);
	}
}

static void hex(char *out, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", p[i]);
}

static const char *disbelief(enum nl_err err)
{
	switch (err) {
	case NL_EMACHINEID:
		return "another machine's key stands in its status";
	case NL_ECHALLENGE:
		return "its status answers another nonce: it is an old one";
	case NL_EBOOTID:
		return "its status is of an earlier boot than one that it has shown";
	case NL_ESIGNATURE:
		return "its status was forged, or changed after it was signed";
	default:
		return "its status is none that this version reads";
	}
}

enum nl_err ask_status(struct host *h)
{
	struct witness_wanted wanted = h->wanted;
	struct http_answer a;
	char path[128] = "/v1/status?nonce=";
	enum nl_err err;

	if (!h->has_key)
		return host_fail(h, NL_EUSAGE,
		                 "no key to believe it by: newleaf status --machine-key tells it on the machine, "
		                 "once; --machine or --machines gives it here");
	if (getrandom(wanted.nonce, sizeof(wanted.nonce), 0) != (ssize_t)sizeof(wanted.nonce))
		return host_fail(h, NL_EENVIRONMENT, "no random numbers: %s", strerror(errno));
	hex(path + strlen(path), wanted.nonce, sizeof(wanted.nonce));
	err = ask(h, "GET", path, NULL, 0, NL_SIGNED_MAX_SIZE, &a);
	if (err) { /* who says "later" has said before what he is, or not */
		h->word = err == NL_ESTATUS                     ? HOST_NOT_BELIEVED
		          : err == NL_EUNREACHABLE || !h->holds ? HOST_UNREACHABLE
		                                                : HOST_KNOWN;
		return err;
	}
	h->word = HOST_NOT_BELIEVED;
	if (a.status != 200) {
		err = host_fail(h, a.said ? a.said : NL_ESTATUS, "%s, and no status", a.why);
	} else {
		err = witness_form(a.bytes, a.size);
		err = err ? err : witness_check((const struct nl_signed_status *)(const void *)a.bytes, &wanted);
		if (err)
			host_fail(h, err, "%s", disbelief(err));
	}
	if (!err) {
		memcpy(h->status.bytes, a.bytes, a.size);
		h->wanted.after = h->status.s.witness.boot.boots; /* no earlier boot from now on */
		h->word = HOST_KNOWN;
		h->holds = true;
	}
	http_free(&a);
	return err;
}

/* All of it in one chain, up to the one that the machine has signed the hash of; what came later is left out. */
static enum nl_err prove(struct host *h, const struct nl_journal_entry *e, size_t n)
{
	const struct nl_signed_status *s = &h->status.s;
	struct journal_chain chain = {.begun = false};
	uint8_t hash[32];
	size_t i;

	for (i = 0; i < n && e[i].seq <= s->status.journal_newest; i++) {
		enum journal_fit fit = journal_follows(&chain, &e[i]);

		if (fit != JOURNAL_FITS && (i || fit != JOURNAL_FIRST))
			return host_fail(h, NL_EJOURNAL, "entry %llu of its journal does not follow the one before",
			                 (unsigned long long)e[i].seq);
	}
	if (!i || e[i - 1].seq != s->status.journal_newest)
		return host_fail(h, NL_EJOURNAL, "its journal does not have the entry that it signed");
	cli_sha256(&e[i - 1], sizeof(*e), hash);
	if (memcmp(hash, s->journal, sizeof(hash)))
		return host_fail(h, NL_EJOURNAL, "its journal is not the one that it signed");
	free(h->journal.entries);
	h->journal.entries = xalloc(i * sizeof(*e));
	memcpy(h->journal.entries, e, i * sizeof(*e));
	h->journal.n = i;
	return NL_OK;
}

enum nl_err ask_journal(struct host *h, uint64_t from)
{
	uint64_t newest = h->status.s.status.journal_newest;
	struct buf all = {0};
	enum nl_err err = NL_OK;

	h->journal.n = 0;
	while (from <= newest && all.n < JOURNAL_MAX * sizeof(struct nl_journal_entry)) {
		const struct nl_journal_entry *last;
		struct http_answer a;
		char path[64];

		snprintf(path, sizeof(path), "/v1/journal?from=%llu", (unsigned long long)from);
		err = ask(h, "GET", path, NULL, 0, BATCH_MAX, &a);
		if (err)
			break;
		if (a.status != 200 || !a.size || a.size % sizeof(*last)) {
			err = host_fail(h, NL_EJOURNAL, "%s instead of its journal",
			                a.status == 200 ? "something else came" : a.why);
		} else {
			buf_add(&all, a.bytes, a.size);
			last = (const struct nl_journal_entry *)(const void *)(a.bytes + a.size) - 1;
			if (last->seq < from)
				err = host_fail(h, NL_EJOURNAL, "entries of its journal do not ascend");
			from = last->seq + 1;
		}
		http_free(&a);
		if (err || !from)
			break;
	}
	if (!err && all.n)
		err = prove(h, (const struct nl_journal_entry *)(const void *)all.p,
		            all.n / sizeof(struct nl_journal_entry));
	free(all.p);
	return err;
}
