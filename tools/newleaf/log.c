// SPDX-License-Identifier: Apache-2.0
/*
 * newleaf log and newleaf blockers: the journal, as the hypervisor keeps it.
 */
#include "log.h"
#include "dates.h"
#include "text.h"
#include <newleaf/net.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const events[] = NL_EVENT_NAMES;

static const char *event_name(uint32_t e) { return e && e < NL_ARRAY_SIZE(events) ? events[e] : "unknown"; }

/* Of the network below the guest: its card, or the ends of its stack. */
static void print_network(const struct nl_journal_entry *e)
{
	static const char *const ends[] = {[NL_NET_FAULTED] = "the stack did what its cell forbids",
	                                   [NL_NET_LOOPED] = "the stack did not come to an end",
	                                   [NL_NET_GAVE_UP] = "the stack gave up",
	                                   [NL_NET_BROKE] = "the card said what cannot be"};
	uint32_t what = (uint32_t)e->a;

	if (what == NL_NET_OPENED)
		printf("  card %02x:%02x.%x", (unsigned)(e->b >> 8 & 0xff), (unsigned)(e->b >> 3 & 31),
		       (unsigned)(e->b & 7));
	else
		printf("  %s, at 0x%" PRIx64 ", %" PRIu64 " times in this boot",
		       what < NL_ARRAY_SIZE(ends) && ends[what] ? ends[what] : "?", e->b, e->a >> 32);
}

/* What a and b hold, by event. */
static void print_particulars(const struct nl_journal_entry *e)
{
	static const char *const verbs[] = NL_ORDER_NAMES;
	static const uint8_t none[sizeof(e->leaf_sha256)];
	struct text t;

	switch (e->event) {
	case NL_EV_BOOT:
		printf("  %llu CPUs%s", (unsigned long long)e->a,
		       e->b == NL_PAST_GOES_ON   ? ", goes on from the boot before"
		       : e->b == NL_PAST_DAMAGED ? ", what the boot before left was damaged"
		                                 : "");
		break;
	case NL_EV_CPU:
		printf("  CPU %llu", (unsigned long long)e->a);
		break;
	case NL_EV_VERIFIED:
		if (e->a > 1)
			printf("  %llu signatures", (unsigned long long)e->a);
		if (e->b)
			printf("  %llu overrides: see newleaf status", (unsigned long long)e->b);
		break;
	case NL_EV_COMMIT:
	case NL_EV_APPLIED:
	case NL_EV_REVERTED:
		printf("  stop window %s", text_ns(&t, e->a));
		if (e->b != NL_UNCOUNTED)
			printf(", %llu old tasks", (unsigned long long)e->b);
		break;
	case NL_EV_ABANDONED:
		if (e->b && (uint32_t)e->a == UINT32_MAX)
			printf("  a task at 0x%llx", (unsigned long long)e->b);
		else if (e->b)
			printf("  CPU %u at 0x%llx", (uint32_t)e->a, (unsigned long long)e->b);
		break;
	case NL_EV_REFUSED:
		if (e->a)
			printf("  site 0x%llx", (unsigned long long)e->a);
		break;
	case NL_EV_CONFIG:
		printf("  %llx to register %x of %02x:%02x.%x", (unsigned long long)e->b, (unsigned)e->a & 0xfff,
		       (unsigned)(e->a >> 20 & 0xff), (unsigned)(e->a >> 15 & 31), (unsigned)(e->a >> 12 & 7));
		break;
	case NL_EV_STRANGER:
		printf("  %llu VMCALLs that carried no order for this machine, the last on CPU %llu",
		       (unsigned long long)e->a, (unsigned long long)e->b);
		break;
	case NL_EV_TOKEN:
		printf("  %llu that were not valid, the last on CPU %llu", (unsigned long long)e->a,
		       (unsigned long long)e->b);
		break;
	case NL_EV_LIST:
		printf("  %llu, known %llu", (unsigned long long)e->a, (unsigned long long)e->b);
		break;
	case NL_EV_MODULE:
		printf("  %s", e->error == NL_OK        ? "came and was patched"
		               : e->error == NL_NOTHING ? "went"
		               : e->b                   ? "came, could not be patched and was refused"
		                                        : "came and could not be patched");
		break;
	case NL_EV_NET:
		print_network(e);
		break;
	case NL_EV_TRIAL:
		printf("  %s", e->error                   ? "not confirmed, and taken back"
		               : e->a == NL_LEAF_REVERTED ? "gone before its time"
		               : e->b                     ? "begun"
		                                          : "confirmed");
		break;
	case NL_EV_ORDER:
		printf("  %s", (uint32_t)e->a < NL_ORDER_VERBS ? verbs[(uint32_t)e->a] : "?");
		if ((e->a & ~NL_ORDER_ENDED) >> 32 == NL_ORDER_STANDING)
			printf(", standing, epoch %" PRIu64, e->b);
		if (e->a & NL_ORDER_ENDED)
			printf(", ended");
		if (memcmp(e->leaf_sha256, none, sizeof(none)))
			printf("  %s", text_hex_brief(&t, e->leaf_sha256, sizeof(e->leaf_sha256)));
		break;
	default:
		if (e->a || e->b)
			printf("  0x%llx 0x%llx", (unsigned long long)e->a, (unsigned long long)e->b);
	}
}

/* Of this boot the hypervisor says when its clocks stood how, of others their own entries. */
static uint64_t wall_of(const struct cli *c, struct journal_clock *k, const struct nl_journal_entry *e)
{
	uint64_t wall = journal_wall(k, e);

	return c->open && !memcmp(e->boot_id, c->status.boot.boot_id, sizeof(e->boot_id))
	               ? text_wall(&c->status.boot, e->tsc)
	               : wall;
}

void log_print(const struct cli *c, const struct nl_journal_entry *e, uint64_t wall)
{
	struct text t;
	char id[NL_LEAF_ID_LEN + 1] = "";

	for (size_t i = 0; i < NL_LEAF_ID_LEN && e->id[i]; i++)
		id[i] = e->id[i] < 0x20 || e->id[i] > 0x7e ? '?' : e->id[i];
	if (c->json) {
		struct json j = {.f = stdout};

		json_document(&j, "log", NULL);
		json_uint(&j, "seq", e->seq);
		json_time(&j, "time", wall);
		json_uint(&j, "tsc", e->tsc);
		json_bytes(&j, "boot_id", e->boot_id, sizeof(e->boot_id));
		json_string(&j, "event", event_name(e->event));
		json_string(&j, "code", cli_error((enum nl_err)e->error)->name);
		json_uint(&j, "generation", e->generation);
		json_string(&j, "id", id[0] ? id : NULL);
		json_bytes(&j, "sha256", e->leaf_sha256, id[0] || e->event == NL_EV_ORDER ? 32 : 0);
		json_address(&j, "a", e->a);
		json_address(&j, "b", e->b);
		json_bytes(&j, "hash", e->hash, sizeof(e->hash));
		json_end(&j);
		return;
	}
	if (c->quiet)
		return;
	printf("%5llu  %-24s  %-9s  generation %llu", (unsigned long long)e->seq, wall ? text_time(&t, wall) : "-",
	       event_name(e->event), (unsigned long long)e->generation);
	if (id[0])
		printf("  %s", id);
	if (e->error && e->error != NL_NOTHING) /* that a module went is no error */
		printf("  %s", cli_error((enum nl_err)e->error)->name);
	print_particulars(e);
	putchar('\n');
}

static int follow_log(struct cli *c)
{
	struct nl_journal_entry *batch = calloc(LOG_BATCH, sizeof(*batch));
	uint64_t since = c->since ? c->since : 1, from = since > 1 ? since - 1 : 1, newest, broken = 0;
	struct journal_chain chain = {.begun = false};
	struct journal_clock clock = {.boot_id = {0}};
	int result = batch ? cli_open(c, "no log") : NL_EXIT_ENVIRONMENT;
	size_t n = 0;

	while (result == NL_EXIT_OK && !cli_cancel) {
		enum nl_err e = nl_agent_journal(&c->agent, from, batch, LOG_BATCH, &n, &newest);

		if (e != NL_OK) {
			result = cli_fail_agent(c, "no log", e, NULL);
			break;
		}
		for (size_t i = 0; i < n; i++) {
			uint64_t wall = wall_of(c, &clock, &batch[i]);

			if (journal_follows(&chain, &batch[i]) > JOURNAL_FIRST && !broken)
				broken = batch[i].seq ? batch[i].seq : 1;
			if (batch[i].seq >= since)
				log_print(c, &batch[i], wall);
		}
		if (n)
			from = batch[n - 1].seq + 1;
		if (n && from <= newest)
			continue;
		if (!(c->given & OPT_FOLLOW))
			break;
		fflush(stdout);
		c->transport->pause_ns(c->transport->ctx, LOG_FOLLOW_NS);
	}
	free(batch);
	if (result == NL_EXIT_OK && broken)
		return cli_fail(c, "log printed, not proven", NL_EINTERNAL, "the hash chain breaks at entry %llu",
		                (unsigned long long)broken);
	return result;
}

int verb_log(struct cli *c)
{
	uint32_t keep = c->given & OPT_KEEP, verify = c->given & OPT_VERIFY;

	if ((keep && verify) || (keep && (c->given & OPT_SINCE)) || (verify && (c->given & OPT_FOLLOW)))
		return cli_fail(c, "nothing done", NL_EUSAGE,
		                "--keep goes with --follow, --verify with --since, and neither with the other");
	return keep ? log_keep(c) : verify ? log_verify(c) : follow_log(c);
}

int verb_blockers(struct cli *c)
{
	struct nl_journal_entry *batch = calloc(LOG_BATCH, sizeof(*batch)), found = {.seq = 0};
	uint64_t from = 1, newest = 0, at, wall;
	uint32_t cpu;
	int result = batch ? cli_open(c, "no blockers") : NL_EXIT_ENVIRONMENT;
	enum nl_err e = NL_OK;
	struct text t, s;
	size_t n = 1;

	while (result == NL_EXIT_OK && n && from <= c->status.journal_newest) {
		e = nl_agent_journal(&c->agent, from, batch, LOG_BATCH, &n, &newest);
		if (e != NL_OK) {
			result = cli_fail_agent(c, "no blockers", e, NULL);
			break;
		}
		for (size_t i = 0; i < n; i++)
			if ((batch[i].event == NL_EV_ABANDONED || batch[i].event == NL_EV_REFUSED) &&
			    batch[i].error != NL_NOTHING &&
			    !memcmp(batch[i].boot_id, c->status.boot.boot_id, sizeof(batch[i].boot_id)))
				found = batch[i];
		if (n)
			from = batch[n - 1].seq + 1;
	}
	free(batch);
	if (result != NL_EXIT_OK)
		return result;
	if (!found.seq)
		return cli_nothing(c, "blockers", "no commit was refused or abandoned since boot");
	found.id[sizeof(found.id) - 1] = 0;
	wall = text_wall(&c->status.boot, found.tsc);
	at = found.event == NL_EV_REFUSED ? found.a : found.b;
	cpu = found.event == NL_EV_REFUSED ? UINT32_MAX : (uint32_t)found.a;
	if (c->json) {
		struct json j = {.f = stdout};

		json_document(&j, "blockers", "ok");
		json_uint(&j, "seq", found.seq);
		json_time(&j, "time", wall);
		json_string(&j, "event", event_name(found.event));
		json_string(&j, "code", cli_error((enum nl_err)found.error)->name);
		json_string(&j, "id", found.id[0] ? found.id : NULL);
		json_uint(&j, "generation", found.generation);
		json_open(&j, "blockers", '[');
		if (at) {
			json_open(&j, NULL, '{');
			if (cpu == UINT32_MAX)
				json_string(&j, "cpu", NULL);
			else
				json_uint(&j, "cpu", cpu);
			json_address(&j, found.event == NL_EV_REFUSED ? "site_va" : "rip", at);
			json_string(&j, "func", at >> 63 ? text_symbol(&t, at) : NULL);
			json_close(&j, '}');
		}
		json_close(&j, ']');
		json_end(&j);
	} else if (!c->quiet) {
		const struct cli_error *err = cli_error((enum nl_err)found.error);

		printf("%s %s (entry %llu%s%s): ", found.id[0] ? found.id : "a commit", event_name(found.event),
		       (unsigned long long)found.seq, wall ? ", " : "", wall ? text_time(&t, wall) : "");
		if (err->code == NL_OK)
			printf("given up by its caller\n");
		else
			printf("%s, %s\n", err->name, err->what);
		if (at && found.event == NL_EV_REFUSED)
			printf("  at the site %s\n", text_symbol(&s, at));
		else if (at && cpu == UINT32_MAX)
			printf("  a task stood at %s\n", text_symbol(&s, at));
		else if (at)
			printf("  CPU %u stood at %s\n", cpu, text_symbol(&s, at));
	}
	return NL_EXIT_OK;
}
