// SPDX-License-Identifier: Apache-2.0
/* What is told of all hosts: a table, or one JSON document (docs/reference/schemas/newleaf.remote-1.json). */
#include "remote.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

static const char *const leaf_words[LEAF_WORDS] = {"no-leaf",    "applied",      "on-probation",    "weakened",
                                                   "probed",     "other-kernel", "fixed-in-kernel", "locked-out",
                                                   "taken-back", "refused"};

void show_progress(size_t done, size_t n)
{
	if (isatty(STDERR_FILENO) && !wish.quiet)
		fprintf(stderr, "\r%zu of %zu hosts%s", done, n, done == n ? "\n" : "");
}

static bool is_frozen(const struct host *h) { return h->holds && h->status.s.status.orders & NL_ORDER_FROZE; }

static const char *host_word(const struct host *h)
{
	return h->word == HOST_UNREACHABLE    ? "unreachable"
	       : h->word == HOST_NOT_BELIEVED ? "not-believed"
	       : is_frozen(h)                 ? "frozen"
	                                      : "known";
}

static const char *result_word(const struct host *h)
{
	return h->would                 ? "would"
	       : h->err == NL_OK        ? "ok"
	       : h->err == NL_NOTHING   ? "nothing"
	       : h->err == NL_EDEGRADED ? "degraded"
	                                : "failed";
}

static void put_hex(const char *key, const uint8_t *p, size_t n)
{
	printf(",\"%s\":%s", key, n ? "\"" : "null");
	hex_print(stdout, p, n);
	printf("%s", n ? "\"" : "");
}

static void put_code(enum nl_err err)
{
	if (err)
		printf(",\"code\":\"%s\"", err_name(err));
	else
		printf(",\"code\":null");
}

static void leaf_json(const struct leaf_state *l)
{
	printf("{\"id\":");
	json_string(stdout, l->id);
	put_hex("sha256", l->sha256, memcmp(l->sha256, (uint8_t[32]){0}, 32) ? 32 : 0);
	printf(",\"state\":\"%s\",\"applied\":%s,\"version\":%u", leaf_words[l->word], l->applied ? "true" : "false",
	       l->version);
	put_code(l->err);
	printf(",\"trial_left_ns\":%" PRIu64 "}", l->trial_left_ns);
}

static const char *event_name(uint32_t event)
{
	static const char *const names[] = NL_EVENT_NAMES;

	return event && event < NL_ARRAY_SIZE(names) ? names[event] : "unknown";
}

static const char *entry_code(const struct nl_journal_entry *e)
{
	return err_name(e->error < NL_ERRORS_KNOWN ? (enum nl_err)e->error : NL_EINTERNAL);
}

static const char *entry_id(const struct nl_journal_entry *e) { return xformat("%.*s", NL_LEAF_ID_LEN, e->id); }

static void log_json(const struct host *h)
{
	printf(",\"entries\":[");
	for (size_t i = 0; i < h->journal.n; i++) {
		const struct nl_journal_entry *e = &h->journal.entries[i];

		printf("%s{\"seq\":%" PRIu64 ",\"tsc\":%" PRIu64 ",\"event\":\"%s\",\"generation\":%" PRIu64 ",\"id\":",
		       i ? "," : "", e->seq, e->tsc, event_name(e->event), e->generation);
		json_string(stdout, entry_id(e));
		printf(",\"code\":\"%s\"", entry_code(e));
		put_hex("boot_id", e->boot_id, sizeof(e->boot_id));
		put_hex("sha256", e->leaf_sha256, sizeof(e->leaf_sha256));
		printf(",\"a\":\"0x%" PRIx64 "\",\"b\":\"0x%" PRIx64 "\"}", e->a, e->b);
	}
	printf("]");
}

static void known_json(const struct host *h)
{
	const struct nl_status *s = &h->status.s.status;

	put_hex("machine_id", s->boot.machine_id, sizeof(s->boot.machine_id));
	put_hex("boot_id", s->boot.boot_id, sizeof(s->boot.boot_id));
	printf(",\"boot\":%u,\"generation\":%" PRIu64 ",\"journal\":%" PRIu64 ",\"version\":", s->boot.boots,
	       s->generation, s->journal_newest);
	json_string(stdout, s->version);
	put_hex("build_id", s->kernel_build_id, s->kernel_build_id_len);
	put_hex("core_sha256", h->status.s.witness.core, 32);
	printf(",\"frozen\":%s,\"waiting\":%s,\"operators\":%u,\"lockouts\":%u,\"epoch\":%" PRIu64 ",\"leaves\":[",
	       is_frozen(h) ? "true" : "false", s->orders & NL_ORDER_WAITS ? "true" : "false", s->boot.policy.operators,
	       s->lockouts, s->standing.epoch);
	for (size_t i = 0; i < h->n_leaves; i++) {
		printf("%s", i ? "," : "");
		leaf_json(&h->leaves[i]);
	}
	printf("]");
}

static void host_json(const struct host *h)
{
	printf("{\"host\":");
	json_string(stdout, h->name);
	printf(",\"state\":\"%s\",\"result\":\"%s\"", host_word(h), result_word(h));
	put_code(h->err);
	printf(",\"exit\":%d,\"changed\":%s,\"accepted\":%s,\"detail\":", err_exit(h->err),
	       h->changed ? "true" : "false", h->accepted ? "true" : "false");
	json_string(stdout, h->why);
	if (h->word == HOST_KNOWN)
		known_json(h);
	if (wish.verb->kind == VERB_LOG)
		log_json(h);
	printf("}");
}

static const char *leaf_note(const struct leaf_state *l)
{
	if (l->word == LEAF_TRIAL)
		return l->trial_left_ns
		               ? xformat("taken back in %" PRIu64 " s unless confirmed", l->trial_left_ns / 1000000000)
		               : "taken back unless confirmed";
	if (l->word == LEAF_PROBED)
		return l->applied ? "it is on: NL_EPROBED" : "it is not on: NL_EPROBED";
	return l->err && l->err != NL_EUNKNOWN_LEAF ? err_name(l->err) : "";
}

static void row(const struct host *h, int width, const char *state, const char *leaf, const char *note)
{
	printf("%-*s  %-15s  %-24s  %s%s%s\n", width, h->name, state, escape(leaf, FOR_TERMINAL),
	       is_frozen(h) ? "frozen" : "", is_frozen(h) && *note ? "; " : "", note);
}

static void status_rows(const struct host *h, int width)
{
	if (h->word != HOST_KNOWN || (!h->n_leaves && h->err))
		row(h, width, host_word(h), "-", escape(h->why, FOR_TERMINAL));
	else if (!h->n_leaves)
		row(h, width, "no-leaf", "-", "");
	for (size_t i = 0; h->word == HOST_KNOWN && i < h->n_leaves; i++)
		row(h, width, leaf_words[h->leaves[i].word], h->leaves[i].id, leaf_note(&h->leaves[i]));
}

static void log_rows(const struct host *h)
{
	for (size_t i = 0; i < h->journal.n; i++) {
		const struct nl_journal_entry *e = &h->journal.entries[i];

		printf("%s  %6" PRIu64 "  %-9s  %-14s  %s\n", h->name, e->seq, event_name(e->event),
		       e->error ? entry_code(e) : "", escape(entry_id(e), FOR_TERMINAL));
	}
}

static void change_row(const struct host *h, int width)
{
	char *note = h->would               ? xformat("would %s", wish.verb->name)
	             : h->err == NL_NOTHING ? xformat("nothing to do")
	             : h->err               ? xformat("%s: %s", err_name(h->err), escape(h->why, FOR_TERMINAL))
	             : h->challenged
	                     ? xformat("-> %s", wish.place)
	                     : xformat("%s: done, generation %" PRIu64, wish.verb->name, h->status.s.status.generation);

	printf("%-*s  %-12s  %s\n", width, h->name, host_word(h), note);
}

static void show_text(const struct host *hosts, size_t n)
{
	int width = 4;

	for (size_t i = 0; i < n; i++)
		width = (int)strlen(hosts[i].name) > width ? (int)strlen(hosts[i].name) : width;
	for (size_t i = 0; i < n; i++) {
		if (wish.verb->kind == VERB_STATUS)
			status_rows(&hosts[i], width);
		else if (wish.verb->kind == VERB_LOG && !hosts[i].err)
			log_rows(&hosts[i]);
		else
			change_row(&hosts[i], width);
	}
}

/* With -q, too: whoever asked wants to know what failed. */
static void show_failures(const struct host *hosts, size_t n, enum nl_err worst)
{
	size_t failed = 0;

	for (size_t i = 0; i < n; i++) {
		const struct host *h = &hosts[i];

		if (err_exit(h->err) <= NL_EXIT_NOTHING)
			continue;
		failed++;
		if (wish.quiet)
			fprintf(stderr, "%s: %s: %s\n", h->name, err_name(h->err), escape(h->why, FOR_TERMINAL));
	}
	if (failed)
		fprintf(stderr, "newleaf: %s: %zu of %zu hosts not as asked [%s, exit %d]\n", wish.verb->name, failed,
		        n, err_name(worst), err_exit(worst));
}

void show(const struct host *hosts, size_t n, enum nl_err worst)
{
	if (wish.json) {
		printf("{\"schema\":\"newleaf.remote/1\",\"result\":\"%s\",\"verb\":\"%s\",\"exit\":%d,\"hosts\":[",
		       worst == NL_OK          ? "ok"
		       : worst == NL_NOTHING   ? "nothing"
		       : worst == NL_EDEGRADED ? "degraded"
		                               : "failed",
		       wish.verb->name, err_exit(worst));
		for (size_t i = 0; i < n; i++) {
			printf("%s", i ? "," : "");
			host_json(&hosts[i]);
		}
		printf("]}\n");
	} else if (!wish.quiet) {
		show_text(hosts, n);
		fflush(stdout);
	}
	if (!wish.json)
		show_failures(hosts, n, worst);
}
