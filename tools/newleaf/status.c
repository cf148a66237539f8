// SPDX-License-Identifier: Apache-2.0
/*
 * newleaf status.
 */
#include "facts.h"
#include "livepatch.h"
#include "probation.h"
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include <newleaf/bootblock.h>

#define TRIES 5u

static const char *const conditions[] = {
        [NL_LEAF_VERIFIED] = "verified", [NL_LEAF_APPLIED] = "applied", [NL_LEAF_REVERTED] = "reverted"};

static const char *const consistencies[] = {
        [NL_CONSISTENCY_SWITCH] = "switch", [NL_CONSISTENCY_STRICT] = "strict", [NL_CONSISTENCY_MIXABLE] = "mixable"};

static const char *may(const struct nl_status *s)
{
	switch (s->boot.policy.guest_may & (NL_GUEST_MAY_APPLY | NL_GUEST_MAY_REVERT)) {
	case NL_GUEST_MAY_APPLY | NL_GUEST_MAY_REVERT:
		return "apply,revert";
	case NL_GUEST_MAY_APPLY:
		return "apply";
	case NL_GUEST_MAY_REVERT:
		return "revert";
	default:
		return "none";
	}
}

static const char *const order_may[] = {"now", "standing", "keys", "agentless"};

static const struct {
	uint32_t bit;
	const char *name;
} undecided[] = {
        {NL_UNDECIDED_CHIPSET, "chipset"}, {NL_UNDECIDED_SMN, "amd-smn"}, {NL_UNDECIDED_MCHBAR, "intel-mchbar"}};

static const struct {
	uint32_t bit;
	const char *name, *text;
} proofs[] = {{NL_PROOF_PORT, "port", "I/O port"}, {NL_PROOF_TOKEN, "token", "token (msr driver)"}};

/* The kernel's own name: for the reader only, nothing is decided by it. */
static const char *release(struct utsname *u)
{
	if (uname(u) != 0)
		strcpy(u->release, "?");
	return u->release;
}

static const char *const fact_names[NL_FACT_KINDS] = {[NL_FACT_CVE] = "cves",
                                                      [NL_FACT_AUTHOR] = "authors",
                                                      [NL_FACT_SOURCE] = "sources",
                                                      [NL_FACT_LICENCE] = "licences",
                                                      [NL_FACT_DATE] = "dates",
                                                      [NL_FACT_REQUIRES] = "requires",
                                                      [NL_FACT_SUPERSEDES] = "supersedes",
                                                      [NL_FACT_CONFLICTS] = "conflicts",
                                                      [NL_FACT_ALLOW] = "overrides",
                                                      [NL_FACT_NOTE] = "unproven"};

/* What the author signed, each kind as a list, and the counters. */
static void facts_json(struct json *j, const struct nl_leaf_facts *facts)
{
	char text[NL_FACT_MAX_LEN + 1];

	for (unsigned kind = 1; kind < NL_FACT_KINDS; kind++) {
		json_open(j, fact_names[kind], '[');
		for (const struct nl_leaf_fact *f = NULL; (f = facts_next(facts, f));) {
			snprintf(text, sizeof(text), "%.*s", f->length, f->text);
			if (f->kind == kind)
				json_string(j, NULL, text);
		}
		json_close(j, ']');
	}
	json_open(j, "hits_by_function", '[');
	for (uint32_t i = 0; i < facts->counters; i++)
		json_uint(j, NULL, facts->hits[i]);
	json_close(j, ']');
}

/* As they are since the leaf is applied; of another leaf nobody follows them. */
static void modules_json(struct json *j, const struct nl_leaf_state *l, const struct nl_leaf_facts *facts)
{
	json_open(j, "modules", '[');
	for (uint32_t i = 0; i < facts_modules(facts); i++) {
		json_open(j, NULL, '{');
		json_string(j, "name", facts->modules[i].name);
		json_string(j, "state", l->condition == NL_LEAF_APPLIED ? facts_module_state(facts, i) : NULL);
		json_uint(j, "sites", facts->modules[i].sites);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static bool livepatch_json(const struct livepatch *l, void *j)
{
	json_open(j, NULL, '{');
	json_string(j, "name", l->name);
	json_string(j, "object", l->object);
	json_string(j, "function", l->function);
	json_close(j, '}');
	return true;
}

static bool livepatch_text(const struct livepatch *l, void *unused)
{
	(void)unused;
	printf("livepatch %s of the guest's own: %s of %s; it goes before a leaf for that function\n", l->name,
	       l->function, l->object);
	return true;
}

static void leaf_json(struct json *j, const struct nl_status *s, const struct nl_leaf_state *l,
                      const struct nl_leaf_facts *facts)
{

	json_open(j, NULL, '{');
	json_string(j, "id", l->id);
	json_string(j, "state", conditions[l->condition]);
	json_uint(j, "version", l->version);
	json_bytes(j, "sha256", l->sha256, 32);
	json_open(j, "key", '{');
	json_bytes(j, "id", l->key_id, 32);
	json_string(j, "name", l->key_name);
	json_close(j, '}');
	json_uint(j, "pages", l->pages);
	json_uint(j, "sites", l->sites);
	json_uint(j, "body_bytes", l->body_bytes);
	json_count(j, "old_tasks", l->old_tasks);
	json_uint(j, "generation", l->generation);
	json_time(j, "since", text_wall(&s->boot, l->since_tsc));
	json_uint(j, "age_ns", text_tsc_ns(s->tsc_now - l->since_tsc, s->boot.tsc_hz));
	json_string(j, "consistency", consistencies[l->consistency]);
	json_uint(j, "signatures", l->signatures);
	if (l->counters)
		json_uint(j, "hits", l->hits);
	else
		json_string(j, "hits", NULL);
	json_string(j, "note", l->note == NL_OK ? NULL : cli_error((enum nl_err)l->note)->name);
	json_string(j, "trial", probation_name(probation_of(s, l)));
	json_uint(j, "trial_left_ns", probation_left_ns(s, l));
	modules_json(j, l, facts);
	facts_json(j, facts);
	json_close(j, '}');
}

/* What is wrong with the signed list; NULL: nothing, or this machine has none and never had. */
static const struct cli_error *list_error(const struct nl_status *s)
{
	return s->list_error == NL_OK || s->list_error == NL_NOTHING ? NULL : cli_error((enum nl_err)s->list_error);
}

/* Why the newest standing order is not in force; NULL: it is, or there is none and never was. */
static const struct cli_error *standing_error(const struct nl_status *s)
{
	enum nl_err e = (enum nl_err)s->standing.error;

	return e == NL_OK || e == NL_NOTHING ? NULL : cli_error(e);
}

static void print_standing(const struct nl_status *s)
{
	const struct cli_error *e = standing_error(s), *c = cli_error((enum nl_err)s->standing.carried);

	if (s->standing.epoch)
		printf("standing order of epoch %" PRIu64 " in force; this machine goes back behind epoch %" PRIu64
		       " no more\n",
		       s->standing.epoch, s->standing.floor);
	if (s->standing.epoch && s->standing.carried == NL_AGAIN)
		printf("its leaves are not on yet\n");
	else if (s->standing.epoch && s->standing.carried != NL_OK && s->standing.carried != NL_NOTHING)
		printf("it was not carried out: %s [%s]\n", c->what, c->name);
	if (e && s->standing.epoch)
		printf("a newer standing order is not taken: %s [%s]\n", e->what, e->name);
	else if (e)
		printf("no standing order is in force: %s [%s]; the newest known is %" PRIu64 "\n", e->what, e->name,
		       s->standing.floor);
}

static void print_json(const struct nl_status *s, const struct nl_leaf_state *leaves, const struct nl_leaf_facts *facts,
                       size_t n, bool degraded)
{
	static const uint8_t none[16];
	struct json j = {.f = stdout};
	struct utsname u;

	json_document(&j, "status", degraded ? "degraded" : "ok");
	json_string(&j, "version", s->version);
	json_uint(&j, "abi", s->abi);
	json_string(&j, "vendor", s->vendor);
	json_string(&j, "paging", s->paging);
	json_open(&j, "cpus", '{');
	json_uint(&j, "known", s->cpus_known);
	json_uint(&j, "running", s->cpus_running);
	json_close(&j, '}');
	json_uint(&j, "uptime_ns", text_tsc_ns(s->tsc_now - s->boot.tsc_at_wall, s->boot.tsc_hz));
	json_time(&j, "launched", text_wall(&s->boot, s->boot.tsc_at_wall));
	json_bytes(&j, "boot_id", s->boot.boot_id, sizeof(s->boot.boot_id));
	json_bytes(&j, "machine_id", s->boot.machine_id, memcmp(s->boot.machine_id, none, 16) ? 16 : 0);
	json_uint(&j, "boot", s->boot.boots);
	json_open(&j, "keys", '{');
	json_uint(&j, "count", s->boot.n_keys);
	json_string(&j, "from", s->boot.keys_from_file ? "file" : "image");
	json_close(&j, '}');
	json_bool(&j, "secure_boot", s->boot.secure_boot);
	json_open(&j, "guest_may", '[');
	if (s->boot.policy.guest_may & NL_GUEST_MAY_APPLY)
		json_string(&j, NULL, "apply");
	if (s->boot.policy.guest_may & NL_GUEST_MAY_REVERT)
		json_string(&j, NULL, "revert");
	json_close(&j, ']');
	json_open(&j, "proof", '{');
	for (size_t i = 0; i < NL_ARRAY_SIZE(proofs); i++)
		if (s->proof == proofs[i].bit)
			json_string(&j, "by", proofs[i].name);
	json_open(&j, "taken", '[');
	for (size_t i = 0; i < NL_ARRAY_SIZE(proofs); i++)
		if (s->boot.policy.proofs & proofs[i].bit)
			json_string(&j, NULL, proofs[i].name);
	json_close(&j, ']');
	json_uint(&j, "tokens_refused", s->counts.tokens_refused);
	json_close(&j, '}');
	json_uint(&j, "deadline_max_ns", s->boot.policy.deadline_ms * 1000000ULL);
	json_open(&j, "kernel", '{');
	json_string(&j, "release", release(&u));
	json_bool(&j, "matched", s->kernel_build_id_len);
	json_bytes(&j, "build_id", s->kernel_build_id, s->kernel_build_id_len);
	json_address(&j, "slide", s->kernel_slide);
	json_close(&j, '}');
	json_uint(&j, "generation", s->generation);
	json_uint(&j, "journal", s->journal_newest);
	json_open(&j, "memory", '{');
	json_uint(&j, "total_bytes", s->memory_total);
	json_uint(&j, "free_bytes", s->memory_free);
	json_uint(&j, "arena_text_free_bytes", s->arena_text_free);
	json_uint(&j, "arena_data_free_bytes", s->arena_data_free);
	json_close(&j, '}');
	json_bool(&j, "emulated", s->emulated);
	json_uint(&j, "microcode_dropped", s->counts.microcode_dropped);
	json_uint(&j, "config_refused", s->counts.config_refused);
	json_uint(&j, "cpus_beyond", s->boot.n_beyond);
	json_uint(&j, "ipis_refused", s->counts.ipis_refused);
	json_open(&j, "list", '{');
	json_uint(&j, "sequence", s->list_sequence);
	json_uint(&j, "known", s->boot.list_known);
	json_string(&j, "error", list_error(s) ? list_error(s)->name : NULL);
	json_close(&j, '}');
	json_uint(&j, "lockouts", s->lockouts);
	json_open(&j, "orders", '{');
	json_uint(&j, "operators", s->boot.policy.operators);
	json_open(&j, "may", '[');
	for (size_t i = 0; i < NL_ARRAY_SIZE(order_may); i++)
		if (s->boot.policy.order_may >> i & 1)
			json_string(&j, NULL, order_may[i]);
	json_close(&j, ']');
	json_bool(&j, "random", s->boot.random);
	json_uint(&j, "refused", s->counts.orders_refused);
	json_bool(&j, "frozen", s->orders & NL_ORDER_FROZE);
	json_bool(&j, "waiting", s->orders & NL_ORDER_WAITS);
	json_open(&j, "standing", '{');
	json_uint(&j, "epoch", s->standing.epoch);
	json_uint(&j, "floor", s->standing.floor);
	json_string(&j, "error", standing_error(s) ? standing_error(s)->name : NULL);
	json_string(&j, "carried",
	            s->standing.carried == NL_NOTHING ? NULL : cli_error((enum nl_err)s->standing.carried)->name);
	json_close(&j, '}');
	json_close(&j, '}');
	json_open(&j, "undecided", '[');
	for (size_t i = 0; i < NL_ARRAY_SIZE(undecided); i++)
		if (s->undecided & undecided[i].bit)
			json_string(&j, NULL, undecided[i].name);
	json_close(&j, ']');
	json_open(&j, "livepatches", '[');
	livepatch_each(livepatch_json, &j);
	json_close(&j, ']');
	json_open(&j, "leaves", '[');
	for (size_t i = 0; i < n; i++)
		leaf_json(&j, s, &leaves[i], &facts[i]);
	json_close(&j, ']');
	json_end(&j);
}

static void print_text(const struct nl_status *s, const struct nl_leaf_state *leaves, const struct nl_leaf_facts *facts,
                       size_t n)
{
	struct utsname u;
	struct text t, count;
	bool hits = false;
	int width = 15;

	printf("Newleaf %s  %s/%s  %u/%u CPUs", s->version, s->vendor, s->paging, s->cpus_running, s->cpus_known);
	if (s->boot.tsc_hz)
		printf("  up %s", text_uptime(&t, text_tsc_ns(s->tsc_now - s->boot.tsc_at_wall, s->boot.tsc_hz)));
	printf("   keys %u (%s)   guest-may %s%s\n", s->boot.n_keys,
	       s->boot.keys_from_file ? "from a file: anybody who can write the ESP can change them" : "image", may(s),
	       s->emulated ? "   emulated" : "");
	for (size_t i = 0; i < NL_ARRAY_SIZE(proofs); i++)
		if (s->proof == proofs[i].bit)
			printf("Proof of root by %s%s\n", proofs[i].text,
			       s->boot.policy.proofs == s->proof ? ", the only one that the policy takes" : "");
	if (s->counts.tokens_refused)
		printf("tokens presented that were not valid: %" PRIu64 "; newleaf log has them\n",
		       s->counts.tokens_refused);
	printf("Kernel  %s  ", release(&u));
	if (s->kernel_build_id_len)
		printf("build-id %s matched", text_hex_brief(&t, s->kernel_build_id, s->kernel_build_id_len));
	else
		printf("not matched by a leaf yet");
	printf("     generation %llu   journal %llu\n", (unsigned long long)s->generation,
	       (unsigned long long)s->journal_newest);
	for (size_t i = 0; i < NL_ARRAY_SIZE(undecided); i++)
		if (s->undecided & undecided[i].bit)
			printf("undecided %s: see docs/explanation/threat-model.md\n", undecided[i].name);
	if (list_error(s))
		printf("signed list not taken: %s [%s]; the newest known is %" PRIu64 "\n", list_error(s)->what,
		       list_error(s)->name, s->boot.list_known);
	else if (s->list_sequence)
		printf("signed list %" PRIu64 "\n", s->list_sequence);
	if (s->boot.policy.operators)
		printf("orders need %u operator%s; this machine is %s%s%s\n", s->boot.policy.operators,
		       s->boot.policy.operators > 1 ? "s" : "",
		       text_hex(&t, s->boot.machine_id, sizeof(s->boot.machine_id)),
		       s->boot.random ? "" : "; no order now: no source of randomness",
		       s->orders & NL_ORDER_WAITS ? "; one was accepted, and its commit waits" : "");
	if (s->counts.orders_refused)
		printf("VMCALLs and VMMCALLs that carried no order for this machine: %" PRIu64 "\n",
		       s->counts.orders_refused);
	print_standing(s);
	if (s->orders & NL_ORDER_FROZE)
		printf("frozen by an order: nothing changes until another releases it; if it is a standing one, until "
		       "one "
		       "of a higher epoch\n");
	if (s->lockouts)
		printf("leaves that are locked out, since a panic or because nobody confirmed them: %u\n", s->lockouts);
	if (s->boot.n_beyond)
		printf("CPUs that the firmware did not hand over, and that can never be started: %u\n",
		       s->boot.n_beyond);
	if (s->counts.ipis_refused)
		printf("SMIs of the guest, and INIT, SIPI and NMI for CPUs that are not ours refused: %u\n",
		       s->counts.ipis_refused);
	if (s->counts.config_refused)
		printf("writes of the guest to configuration space refused: %u; newleaf console names them\n",
		       s->counts.config_refused);
	if (s->counts.microcode_dropped)
		printf("microcode updates of the guest dropped: %llu; load them by firmware, or before Newleaf\n",
		       (unsigned long long)s->counts.microcode_dropped);
	livepatch_each(livepatch_text, NULL);
	if (!n) {
		printf("no leaf is known\n");
		return;
	}
	for (size_t i = 0; i < n; i++) {
		int length = (int)strlen(leaves[i].id);

		hits |= leaves[i].counters;
		width = length > width ? length : width;
	}
	printf("%-*s %-8s %-6s %-6s %-10s %sNOTE\n", width, "LEAF", "STATE", "SINCE", "PAGES", "OLD-TASKS",
	       hits ? "HITS       " : "");
	for (size_t i = 0; i < n; i++) {
		const struct nl_leaf_state *l = &leaves[i];

		printf("%-*s %-8s %-6s %-6u %-10s ", width, l->id, conditions[l->condition],
		       s->boot.tsc_hz ? text_age(&t, text_tsc_ns(s->tsc_now - l->since_tsc, s->boot.tsc_hz)) : "-",
		       l->pages, text_count(&count, l->old_tasks));
		if (l->counters)
			printf("%-10" PRIu64 " ", l->hits);
		else if (hits)
			printf("%-10s ", "-");
		printf("%s\n", l->note == NL_OK ? "" : cli_error((enum nl_err)l->note)->name);
		probation_print(s, l);
		facts_print_modules(l, &facts[i]);
		for (const struct nl_leaf_fact *f = NULL; (f = facts_next(&facts[i], f));)
			if (f->kind == NL_FACT_ALLOW || f->kind == NL_FACT_NOTE)
				printf("  %s: %.*s\n", f->kind == NL_FACT_ALLOW ? "override" : "unproven", f->length,
				       f->text);
	}
}

/* The leaves and what their authors say; the registry may change between the two, then both are read again. */
static enum nl_err read_all(struct cli *c, struct nl_leaf_state *leaves, size_t *n, struct nl_leaf_facts **facts)
{
	enum nl_err e = NL_AGAIN;

	*facts = NULL;
	for (unsigned tries = 0; e == NL_AGAIN && tries < TRIES; tries++) {
		e = nl_agent_leaves(&c->agent, leaves, NL_MAX_LEAVES, n);
		if (e == NL_OK)
			*facts = facts_read(c, leaves, *n, &e);
	}
	return e;
}

static void print(struct cli *c, const struct nl_leaf_state *leaves, const struct nl_leaf_facts *facts, size_t n,
                  bool degraded)
{
	if (c->given & OPT_VEX)
		print_vex(c, leaves, facts, n);
	else if (c->given & OPT_PROMETHEUS)
		print_prometheus(c, leaves, facts, n);
	else if (c->json)
		print_json(&c->status, leaves, facts, n, degraded);
	else if (!c->quiet && !(c->given & OPT_CHECK))
		print_text(&c->status, leaves, facts, n);
}

int verb_status(struct cli *c)
{
	struct nl_leaf_state leaves[NL_MAX_LEAVES];
	struct nl_leaf_facts *facts;
	bool degraded = false;
	enum nl_err e;
	size_t n;
	int result;

	if (c->given & (OPT_SIGNED | OPT_NONCE | OPT_OUT | OPT_MACHINE_KEY))
		return status_signed(c);
	result = cli_open(c, "no status");

	if (result != NL_EXIT_OK)
		return result;
	e = read_all(c, leaves, &n, &facts);
	if (e != NL_OK)
		return cli_fail_agent(c, "no status", e, NULL);
	for (size_t i = 0; i < n; i++) /* a place in the list of lock-outs is kept for each on trial */
		c->status.lockouts -= probation_weakens(&c->status, &leaves[i]) && c->status.lockouts;
	for (size_t i = 0; i < n; i++)
		if (leaves[i].condition == NL_LEAF_APPLIED && leaves[i].note != NL_OK) {
			degraded = true;
			if ((c->given & OPT_CHECK) && !c->json && !c->quiet)
				printf("%s: %s\n", leaves[i].id, cli_error((enum nl_err)leaves[i].note)->what);
		}
	if (list_error(&c->status)) {
		degraded = true;
		if ((c->given & OPT_CHECK) && !c->json && !c->quiet)
			printf("signed list: %s\n", list_error(&c->status)->what);
	}
	if ((c->given & OPT_VEX) && !vex_has_any(facts, n)) {
		free(facts);
		return cli_fail(c, "no document", NL_NOTHING, "no leaf that is known here names a CVE");
	}
	print(c, leaves, facts, n, degraded);
	free(facts);
	return degraded && (c->given & OPT_CHECK) ? NL_EXIT_DEGRADED : NL_EXIT_OK;
}
