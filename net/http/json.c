// SPDX-License-Identifier: Apache-2.0
/*
 * Answers in JSON, as docs/reference/openapi.yaml describes them. Names are those of `newleaf status --json` and
 * `newleaf log --json`. What the guest's kernel slide is (KASLR) goes to nobody here.
 */
#include "http.h"

#include <string.h>

static const char *const order_may[] = {"now", "standing", "keys", "agentless", "network"};
static const char *const net_may[] = {"metrics", "read", "orders"};
static const char *const undecided[] = {"chipset", "amd-smn", "intel-mchbar"};
static const char *const conditions[] = {
        [NL_LEAF_VERIFIED] = "verified", [NL_LEAF_APPLIED] = "applied", [NL_LEAF_REVERTED] = "reverted"};
static const char *const consistencies[] = {
        [NL_CONSISTENCY_SWITCH] = "switch", [NL_CONSISTENCY_STRICT] = "strict", [NL_CONSISTENCY_MIXABLE] = "mixable"};
static const char *const events[] = {
        [NL_EV_BOOT] = "boot",       [NL_EV_ALIVE] = "alive",         [NL_EV_VERIFIED] = "verified",
        [NL_EV_REFUSED] = "refused", [NL_EV_APPLIED] = "applied",     [NL_EV_REVERTED] = "reverted",
        [NL_EV_COMMIT] = "commit",   [NL_EV_ABANDONED] = "abandoned", [NL_EV_KERNEL] = "kernel",
        [NL_EV_CPU] = "cpu",         [NL_EV_POLICY] = "policy",       [NL_EV_CONFIG] = "config",
        [NL_EV_TOKEN] = "token",     [NL_EV_LIST] = "list",           [NL_EV_MODULE] = "module",
        [NL_EV_ORDER] = "order",     [NL_EV_STRANGER] = "stranger",   [NL_EV_TRIAL] = "trial",
};

static const char *name_of(const char *const *names, size_t n, uint32_t i)
{
	return i < n && names[i] ? names[i] : "unknown";
}
#define NAME_OF(names, i) name_of(names, NL_ARRAY_SIZE(names), i)

static void bits(struct text *t, const char *name, const char *const *names, size_t n, uint32_t set)
{
	json_open(t, name, '[');
	for (size_t i = 0; i < n; i++)
		if (set >> i & 1)
			json_text(t, NULL, names[i]);
	json_close(t, ']');
}
#define BITS(t, name, names, set) bits(t, name, names, NL_ARRAY_SIZE(names), set)

/* n bytes, or null if they are all zero. */
static void hex_unless_zero(struct text *t, const char *name, const uint8_t *bytes, size_t n)
{
	static const uint8_t zero[32];

	json_hex(t, name, bytes, memcmp(bytes, zero, n) ? n : 0);
}

static void error(struct text *t, const char *name, uint32_t e, bool fine)
{
	json_text(t, name, fine ? NULL : http_error_name(e));
}

/* NL_NOTHING: there is none and never was. */
static bool is_fine(uint32_t e) { return e == NL_OK || e == NL_NOTHING; }

static void document(struct text *t, const char *schema)
{
	json_open(t, NULL, '{');
	json_text(t, "schema", schema);
}

static void end(struct text *t)
{
	json_close(t, '}');
	text_char(t, '\n');
}

static void status_machine(struct text *t, const struct nl_net_facts *f)
{
	const struct nl_status *s = &f->status;

	document(t, "newleaf.net.status/1");
	json_chars(t, "version", s->version, sizeof(s->version));
	json_uint(t, "abi", s->abi);
	json_chars(t, "vendor", s->vendor, sizeof(s->vendor));
	json_chars(t, "paging", s->paging, sizeof(s->paging));
	json_bool(t, "emulated", s->emulated);
	json_open(t, "cpus", '{');
	json_uint(t, "known", s->cpus_known);
	json_uint(t, "running", s->cpus_running);
	json_close(t, '}');
	json_maybe(t, "uptime_ms", f->tsc_hz ? text_ms(s->tsc_now - s->boot.tsc_at_wall, f->tsc_hz) : 0, f->tsc_hz);
	json_hex(t, "boot_id", s->boot.boot_id, sizeof(s->boot.boot_id));
	hex_unless_zero(t, "machine_id", s->boot.machine_id, sizeof(s->boot.machine_id));
	json_uint(t, "boot", s->boot.boots);
	json_bool(t, "secure_boot", s->boot.secure_boot);
	json_open(t, "keys", '{');
	json_uint(t, "count", s->boot.n_keys);
	json_text(t, "from", s->boot.keys_from_file ? "file" : "image");
	json_close(t, '}');
	json_open(t, "kernel", '{');
	json_bool(t, "matched", s->kernel_build_id_len);
	json_hex(t, "build_id", s->kernel_build_id,
	         s->kernel_build_id_len < NL_BUILD_ID_MAX ? s->kernel_build_id_len : NL_BUILD_ID_MAX);
	json_close(t, '}');
	json_uint(t, "generation", s->generation);
	json_uint(t, "journal", s->journal_newest);
}

static void status_counts(struct text *t, const struct nl_status *s)
{
	json_open(t, "memory", '{');
	json_uint(t, "total_bytes", s->memory_total);
	json_uint(t, "free_bytes", s->memory_free);
	json_uint(t, "arena_text_free_bytes", s->arena_text_free);
	json_uint(t, "arena_data_free_bytes", s->arena_data_free);
	json_close(t, '}');
	json_uint(t, "microcode_dropped", s->counts.microcode_dropped);
	json_uint(t, "config_refused", s->counts.config_refused);
	json_uint(t, "cpus_beyond", s->boot.n_beyond);
	json_uint(t, "ipis_refused", s->counts.ipis_refused);
	json_uint(t, "tokens_refused", s->counts.tokens_refused);
	json_open(t, "list", '{');
	json_uint(t, "sequence", s->list_sequence);
	json_uint(t, "known", s->boot.list_known);
	error(t, "error", s->list_error, is_fine(s->list_error));
	json_close(t, '}');
	json_uint(t, "leaves", s->leaves);
	json_uint(t, "lockouts", s->lockouts);
	json_open(t, "orders", '{');
	json_uint(t, "operators", s->boot.policy.operators);
	BITS(t, "may", order_may, s->boot.policy.order_may);
	json_bool(t, "random", s->boot.random);
	json_uint(t, "refused", s->counts.orders_refused);
	json_bool(t, "frozen", s->orders & NL_ORDER_FROZE);
	json_bool(t, "waiting", s->orders & NL_ORDER_WAITS);
	json_open(t, "standing", '{');
	json_uint(t, "epoch", s->standing.epoch);
	json_uint(t, "floor", s->standing.floor);
	error(t, "error", s->standing.error, is_fine(s->standing.error));
	error(t, "carried", s->standing.carried, s->standing.carried == NL_NOTHING);
	json_close(t, '}');
	json_close(t, '}');
	BITS(t, "undecided", undecided, s->undecided);
}

static void status_network(struct text *t, const struct nl_net_facts *f)
{
	json_open(t, "network", '{');
	BITS(t, "may", net_may, net_mailbox.config.may);
	json_uint(t, "frames_received", f->frames_received);
	json_uint(t, "frames_sent", f->frames_sent);
	json_uint(t, "frames_refused", f->frames_refused);
	json_uint(t, "frames_lost", f->frames_lost);
	json_uint(t, "calls", f->calls);
	json_uint(t, "starts", f->starts);
	json_uint(t, "faults", f->faults);
	json_uint(t, "overruns", f->overruns);
	json_close(t, '}');
	end(t);
}

bool http_json_status(struct http_slot *s, struct text *t, unsigned i)
{
	t->comma = i;
	if (i == 0)
		status_machine(t, &s->data.facts);
	else if (i == 1)
		status_counts(t, &s->data.facts.status);
	else if (i == 2)
		status_network(t, &s->data.facts);
	return i < 3;
}

static void leaf(struct text *t, const struct http_slot *s, const struct nl_leaf_state *l)
{
	bool on = l->condition == NL_LEAF_APPLIED, running = on && l->trial_tsc > s->tsc_now;

	json_open(t, NULL, '{');
	json_chars(t, "id", l->id, sizeof(l->id));
	json_text(t, "state", NAME_OF(conditions, l->condition));
	json_uint(t, "version", l->version);
	json_hex(t, "sha256", l->sha256, sizeof(l->sha256));
	json_open(t, "key", '{');
	json_hex(t, "id", l->key_id, sizeof(l->key_id));
	json_chars(t, "name", l->key_name, sizeof(l->key_name));
	json_close(t, '}');
	json_uint(t, "pages", l->pages);
	json_uint(t, "sites", l->sites);
	json_uint(t, "body_bytes", l->body_bytes);
	json_maybe(t, "old_tasks", l->old_tasks, l->old_tasks != NL_UNCOUNTED);
	json_uint(t, "generation", l->generation);
	json_maybe(t, "age_ms", s->tsc_hz ? text_ms(s->tsc_now - l->since_tsc, s->tsc_hz) : 0, s->tsc_hz);
	json_text(t, "consistency", NAME_OF(consistencies, l->consistency));
	json_uint(t, "signatures", l->signatures);
	json_maybe(t, "hits", l->hits, l->counters);
	error(t, "note", l->note, l->note == NL_OK);
	json_text(t, "trial",
	          !l->trial_tsc                      ? NULL
	          : running                          ? "running"
	          : on                               ? "over"
	          : l->condition == NL_LEAF_REVERTED ? "taken-back"
	                                             : NULL);
	json_maybe(t, "trial_left_ms", running && s->tsc_hz ? text_ms(l->trial_tsc - s->tsc_now, s->tsc_hz) : 0,
	           s->tsc_hz || !running);
	json_close(t, '}');
}

bool http_json_leaves(struct http_slot *s, struct text *t, unsigned i)
{
	if (!i) {
		document(t, "newleaf.net.leaves/1");
		json_uint(t, "generation", s->generation);
		json_open(t, "leaves", '[');
	} else if (i <= s->count) {
		t->comma = i > 1;
		leaf(t, s, &s->data.leaves[i - 1]);
	} else if (i == s->count + 1) {
		json_close(t, ']');
		end(t);
	}
	return i <= s->count + 1;
}

static void entry(struct text *t, const struct http_slot *s, const struct nl_journal_entry *e)
{
	bool dated = s->tsc_hz && !memcmp(e->boot_id, s->boot_id, sizeof(e->boot_id)) && e->tsc <= s->tsc_now;

	json_open(t, NULL, '{');
	json_uint(t, "seq", e->seq);
	json_maybe(t, "age_ms", dated ? text_ms(s->tsc_now - e->tsc, s->tsc_hz) : 0, dated);
	json_uint(t, "tsc", e->tsc);
	json_hex(t, "boot_id", e->boot_id, sizeof(e->boot_id));
	json_text(t, "event", NAME_OF(events, e->event));
	json_text(t, "code", http_error_name(e->error));
	json_uint(t, "generation", e->generation);
	if (e->id[0])
		json_chars(t, "id", e->id, sizeof(e->id));
	else
		json_text(t, "id", NULL);
	hex_unless_zero(t, "sha256", e->leaf_sha256, sizeof(e->leaf_sha256));
	json_address(t, "a", e->a);
	json_address(t, "b", e->b);
	json_hex(t, "hash", e->hash, sizeof(e->hash));
	json_close(t, '}');
}

bool http_json_journal(struct http_slot *s, struct text *t, unsigned i)
{
	if (!i) {
		document(t, "newleaf.net.journal/1");
		json_open(t, "entries", '[');
	} else if (i <= s->count) {
		t->comma = i > 1;
		entry(t, s, &s->data.entries[i - 1]);
	} else if (i == s->count + 1) {
		json_close(t, ']');
		json_uint(t, "next", s->next);
		end(t);
	}
	return i <= s->count + 1;
}

bool http_json_challenge(struct http_slot *s, struct text *t, unsigned i)
{
	const struct nl_challenge *c = &s->data.challenge;

	if (i)
		return false;
	document(t, "newleaf.net.challenge/1");
	json_hex(t, "machine_id", c->machine_id, sizeof(c->machine_id));
	json_hex(t, "boot_id", c->boot_id, sizeof(c->boot_id));
	json_hex(t, "challenge", c->challenge, sizeof(c->challenge));
	json_uint(t, "generation", c->generation);
	end(t);
	return true;
}

/* An order was accepted, or a leaf verified. */
bool http_json_done(struct http_slot *s, struct text *t, unsigned i)
{
	bool is_leaf = s->request.place == HTTP_LEAF;

	if (i)
		return false;
	document(t, is_leaf ? "newleaf.net.leaf/1" : "newleaf.net.order/1");
	json_text(t, "result", is_leaf ? "verified" : "accepted");
	if (is_leaf)
		json_hex(t, "sha256", s->request.name, sizeof(s->request.name));
	end(t);
	return true;
}
