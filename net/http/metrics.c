// SPDX-License-Identifier: Apache-2.0
/*
 * GET /metrics: Prometheus' text format 0.0.4. Whoever may read this and nothing else learns how many leaves there are
 * and how they are, but not which, and so not which hole is open.
 */
#include "http.h"

static void family(struct text *t, const char *name, const char *type, const char *help)
{
	text_add(t, "# HELP newleaf_");
	text_add(t, name);
	text_char(t, ' ');
	text_add(t, help);
	text_add(t, "\n# TYPE newleaf_");
	text_add(t, name);
	text_char(t, ' ');
	text_add(t, type);
	text_char(t, '\n');
}

/* label NULL: none. */
static void sample(struct text *t, const char *name, const char *label, const char *value, uint64_t v)
{
	text_add(t, "newleaf_");
	text_add(t, name);
	if (label) {
		text_char(t, '{');
		text_add(t, label);
		text_char(t, '=');
		text_quoted(t, value, SIZE_MAX);
		text_char(t, '}');
	}
	text_char(t, ' ');
	text_uint(t, v);
	text_char(t, '\n');
}

static void one(struct text *t, const char *name, const char *type, const char *help, uint64_t v)
{
	family(t, name, type, help);
	sample(t, name, NULL, NULL, v);
}

static void gauge(struct text *t, const char *name, const char *help, uint64_t v) { one(t, name, "gauge", help, v); }

static void counter(struct text *t, const char *name, const char *help, uint64_t v)
{
	one(t, name, "counter", help, v);
}

static void label(struct text *t, const char *name, const char *value, size_t n)
{
	text_add(t, name);
	text_quoted(t, value, n);
}

static void machine(struct text *t, const struct nl_net_facts *f)
{
	const struct nl_status *s = &f->status;

	family(t, "info", "gauge", "What runs here.");
	text_add(t, "newleaf_info{abi=\"");
	text_uint(t, s->abi);
	label(t, "\",version=", s->version, sizeof(s->version));
	label(t, ",vendor=", s->vendor, sizeof(s->vendor));
	label(t, ",paging=", s->paging, sizeof(s->paging));
	text_add(t, "} 1\n");
	if (f->tsc_hz) {
		family(t, "uptime_seconds", "gauge", "Since the launch.");
		text_add(t, "newleaf_uptime_seconds ");
		text_milli(t, text_ms(s->tsc_now - s->boot.tsc_at_wall, f->tsc_hz));
		text_char(t, '\n');
	}
	gauge(t, "boot_number", "Of this boot; 0 if that cannot be kept.", s->boot.boots);
	gauge(t, "secure_boot", "1 if keys come from the signed image alone.", s->boot.secure_boot);
	gauge(t, "emulated", "1 on an emulator.", s->emulated);
	gauge(t, "cpus_known", "CPUs in the firmware's tables.", s->cpus_known);
	gauge(t, "cpus_running", "CPUs under the hypervisor now.", s->cpus_running);
}

static void leaves(struct text *t, const struct http_slot *s)
{
	const struct nl_status *st = &s->data.facts.status;

	gauge(t, "generation", "Of the set of leaves; rises with each commit.", st->generation);
	family(t, "leaves", "gauge", "Leaves that are known, by state.");
	sample(t, "leaves", "state", "verified", s->conditions[NL_LEAF_VERIFIED]);
	sample(t, "leaves", "state", "applied", s->conditions[NL_LEAF_APPLIED]);
	sample(t, "leaves", "state", "reverted", s->conditions[NL_LEAF_REVERTED]);
	gauge(t, "leaves_weakened", "Applied leaves that something weakens.", s->weakened);
	gauge(t, "leaves_on_trial", "Applied leaves that nobody has confirmed yet.", s->on_trial);
	gauge(t, "leaves_locked_out", "Leaves that are locked out.", st->lockouts);
	gauge(t, "kernel_matched", "1 if a leaf has matched the guest's kernel.", st->kernel_build_id_len != 0);
	gauge(t, "journal_newest", "Number of the journal's newest entry.", st->journal_newest);
}

static void orders(struct text *t, const struct nl_status *s)
{
	gauge(t, "frozen", "1 if an order has frozen the set of leaves.", (s->orders & NL_ORDER_FROZE) != 0);
	gauge(t, "order_waiting", "1 if an order was accepted whose commit is not made yet.",
	      (s->orders & NL_ORDER_WAITS) != 0);
	gauge(t, "standing_epoch", "Of the standing order in force; 0 if there is none.", s->standing.epoch);
	gauge(t, "standing_failed", "1 if the newest standing order is not in force.",
	      s->standing.error != NL_OK && s->standing.error != NL_NOTHING);
	gauge(t, "standing_carried_out", "1 if nothing of the standing order in force is missing.",
	      s->standing.carried == NL_OK || s->standing.carried == NL_NOTHING);
	gauge(t, "list_sequence", "Of the signed list; 0 if none was taken.", s->list_sequence);
	gauge(t, "list_failed", "1 if something is wrong with the signed list.",
	      s->list_error != NL_OK && s->list_error != NL_NOTHING);
	gauge(t, "memory_bytes", "Of the hypervisor's pool.", s->memory_total);
	gauge(t, "memory_free_bytes", "What is free of it.", s->memory_free);
}

static void refused(struct text *t, const struct nl_counts *c)
{
	family(t, "refused_total", "counter", "What the guest tried and did not get.");
	sample(t, "refused_total", "what", "token", c->tokens_refused);
	sample(t, "refused_total", "what", "microcode", c->microcode_dropped);
	sample(t, "refused_total", "what", "order", c->orders_refused);
	sample(t, "refused_total", "what", "config", c->config_refused);
	sample(t, "refused_total", "what", "ipi", c->ipis_refused);
}

static void network(struct text *t, const struct nl_net_facts *f, const uint64_t *answers)
{
	counter(t, "net_frames_received_total", "Frames that came.", f->frames_received);
	counter(t, "net_frames_sent_total", "Frames that went.", f->frames_sent);
	counter(t, "net_frames_refused_total", "Frames of no proper length.", f->frames_refused);
	counter(t, "net_frames_lost_total", "Frames for which there was no room.", f->frames_lost);
	counter(t, "net_calls_total", "Calls of the core by the network's stack.", f->calls);
	counter(t, "net_starts_total", "How often the network's stack began.", f->starts);
	counter(t, "net_faults_total", "How often it was ended by a fault.", f->faults);
	counter(t, "net_overruns_total", "How often it was ended because it took too long.", f->overruns);
	family(t, "http_responses_total", "counter", "Answers since the stack began, this one with them.");
	sample(t, "http_responses_total", "class", "2xx", answers[2]);
	sample(t, "http_responses_total", "class", "4xx", answers[4]);
	sample(t, "http_responses_total", "class", "5xx", answers[5]);
}

static void exits(struct text *t, const uint64_t *count, unsigned from, unsigned to)
{
	static const char *const causes[] = {
#define LABEL(name, text) text,
	        NL_EXIT_CAUSES(LABEL)
#undef LABEL
	};

	if (!from)
		family(t, "guest_exits_total", "counter", "Why the guest was left.");
	for (unsigned i = from; i < to; i++)
		sample(t, "guest_exits_total", "cause", causes[i], count[i]);
}

bool http_metrics(struct http_slot *s, struct text *t, unsigned i)
{
	const struct nl_net_facts *f = &s->data.facts;

	switch (i) {
	case 0:
		machine(t, f);
		return true;
	case 1:
		leaves(t, s);
		return true;
	case 2:
		orders(t, &f->status);
		return true;
	case 3:
		refused(t, &f->status.counts);
		return true;
	case 4:
		network(t, f, s->answers);
		return true;
	case 5:
		exits(t, f->exits, 0, NL_CAUSES / 2);
		return true;
	case 6:
		exits(t, f->exits, NL_CAUSES / 2, NL_CAUSES);
		return true;
	default:
		return false;
	}
}
