// SPDX-License-Identifier: Apache-2.0
/*
 * Orders to one machine: made and signed here, posted, its leaves brought, its end awaited. What is asked for is
 * decided by the machine's signed status before, and what came of it is read from the signed status and the journal
 * behind; the challenge alone is nobody's word, and is signed only if it bears the machine and the boot that the status
 * has.
 */
#include "keys.h"
#include "leaf/order.h"
#include "remote.h"

#include "../newleaf/sha256.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_MS 250u
#define LATE_MS 2000u
#define SAID_MAX 4096u /* bytes of an answer that is not read */

static const struct nl_status *state(const struct host *h) { return &h->status.s.status; }

static bool is_applied(const struct nl_signed_leaf *l) { return l && l->state.condition == NL_LEAF_APPLIED; }

static bool on_trial(const struct nl_signed_leaf *l) { return is_applied(l) && l->state.trial_tsc; }

static const struct nl_signed_leaf *nth(const struct host *h, uint32_t i)
{
	return (const struct nl_signed_leaf *)(const void *)(&h->status.s + 1) + i;
}

/* Leaves of an order, which a machine may call by other hashes than the next one does: by id. */
struct set {
	uint8_t sha256[NL_MAX_LEAVES][32];
	uint32_t n;
};

static void add(struct set *s, const uint8_t sha256[32])
{
	for (uint32_t i = 0; i < s->n; i++)
		if (!memcmp(s->sha256[i], sha256, 32))
			return;
	if (s->n < NL_MAX_LEAVES)
		memcpy(s->sha256[s->n++], sha256, 32);
}

/* What of the names has to be in the order; NL_NOTHING: the machine is as it should be. */
static enum nl_err set_of(struct host *h, enum nl_order_what what, struct set *set)
{
	uint32_t on = 0, missing = 0;

	for (uint32_t i = 0; i < h->status.s.head.count; i++) {
		on += is_applied(nth(h, i));
		if (what == NL_ORDER_CONFIRM && !wish.n_names && on_trial(nth(h, i)))
			add(set, nth(h, i)->state.sha256);
	}
	for (size_t i = 0; i < wish.n_names; i++) {
		const struct leaf_name *name = &wish.names[i];
		const struct nl_signed_leaf *l = status_leaf(h, name);

		if (what != NL_ORDER_REVERT && !is_applied(l) && kernel_fixed(h))
			continue;
		missing += !is_applied(l);
		if (what == NL_ORDER_CONFIRM && !is_applied(l))
			return host_fail(h, NL_EUNKNOWN_LEAF, "%.100s is not applied", name->text);
		if (what == NL_ORDER_REVERT ? is_applied(l) : what == NL_ORDER_CONFIRM ? on_trial(l) : true)
			add(set, l ? l->state.sha256 : name->sha256);
	}
	switch (what) {
	case NL_ORDER_SYNC:
		return missing || on != set->n ? NL_OK : NL_NOTHING;
	case NL_ORDER_APPLY:
		return missing ? NL_OK : NL_NOTHING;
	case NL_ORDER_REVERT:
	case NL_ORDER_CONFIRM:
		return set->n ? NL_OK : NL_NOTHING;
	case NL_ORDER_RELEASE:
		return state(h)->orders & NL_ORDER_FROZE ? NL_OK : NL_NOTHING;
	case NL_ORDER_STOP: /* drops what waits, too, and what is prepared, of which no status speaks */
		return NL_OK;
	default:
		return state(h)->orders & NL_ORDER_FROZE ? NL_NOTHING : NL_OK;
	}
}

/* What would be refused anyway, said before anything is signed. */
static enum nl_err may(struct host *h, enum nl_order_what what)
{
	const struct nl_policy *p = &state(h)->boot.policy;
	bool commits = what <= NL_ORDER_REVERT;

	if (!p->operators || !(p->order_may & NL_ORDER_MAY_NOW))
		return host_fail(h, NL_EPOLICY, "its policy takes no orders of kind now");
	if (commits && !(p->order_may & NL_ORDER_MAY_AGENTLESS))
		return host_fail(h, NL_EPOLICY, "its policy lets no order be carried out by the hypervisor itself");
	if (commits && state(h)->orders & NL_ORDER_FROZE)
		return host_fail(h, NL_EFROZEN, "an order has frozen it");
	if (commits && state(h)->orders & NL_ORDER_WAITS)
		return host_fail(h, NL_EBUSY, "an order was accepted whose commit is not made yet");
	leaves_judge(h);
	for (size_t i = 0; what < NL_ORDER_REVERT && i < h->n_leaves; i++)
		if (h->leaves[i].word == LEAF_OTHER_KERNEL)
			return host_fail(h, h->leaves[i].err, "%s is for another kernel than runs there",
			                 h->leaves[i].id);
	if (!wish.dry_run && wish.n_keys < p->operators)
		return host_fail(h, NL_EQUORUM, "it wants %u operators, and %zu keys sign", p->operators, wish.n_keys);
	return NL_OK;
}

static enum nl_err get_challenge(struct host *h, struct nl_challenge *c)
{
	struct http_answer a;
	enum nl_err err = ask(h, "GET", "/v1/challenge", NULL, 0, sizeof(*c), &a);

	if (err)
		return err;
	if (a.status != 200)
		err = host_fail(h, a.said ? a.said : NL_ESTATUS, "%s, and no challenge", a.why);
	else if (a.size != sizeof(*c) || nl_record_check(NL_CHALLENGE_KIND, a.bytes, a.size))
		err = host_fail(h, NL_ESTATUS, "its challenge is none that this version reads");
	else
		memcpy(c, a.bytes, sizeof(*c));
	http_free(&a);
	if (err)
		return err;
	if (memcmp(c->machine_id, state(h)->boot.machine_id, sizeof(c->machine_id)))
		return host_fail(h, NL_EMACHINEID, "its challenge is another machine's: nothing was signed");
	if (memcmp(c->boot_id, state(h)->boot.boot_id, sizeof(c->boot_id)))
		return host_fail(h, NL_EBOOTID, "its challenge is of another boot: nothing was signed");
	return NL_OK;
}

static int compare_entries(const void *a, const void *b) { return memcmp(a, b, sizeof(struct nl_order_entry)); }

static struct buf make_order(const struct host *h, enum nl_order_what what, const struct set *set,
                             const struct nl_challenge *c)
{
	bool commits = what <= NL_ORDER_REVERT;
	struct nl_order o = {
	        .head = {NL_ORDER_MAGIC, NL_ORDER_VERSION, sizeof(o), sizeof(struct nl_order_entry), set->n},
	        .what = what,
	        .kind = NL_ORDER_NOW,
	        .flags = commits ? NL_ORDER_AGENTLESS : 0,
	        .deadline_ms = commits ? wish.deadline_ms : 0,
	        .confirm_ms = what < NL_ORDER_REVERT ? wish.confirm_ms : 0,
	        .generation = wish.any_generation ? UINT64_MAX : state(h)->generation};
	struct nl_order_entry entries[NL_MAX_LEAVES] = {0};
	struct nl_signatures head = {NL_SIG_MAGIC, (uint32_t)(sizeof(head) + wish.n_keys * sizeof(struct nl_signature)),
	                             (uint32_t)wish.n_keys};
	struct buf out = {0};
	uint8_t sha256[32];

	memcpy(o.machine_id, c->machine_id, sizeof(o.machine_id));
	memcpy(o.boot_id, c->boot_id, sizeof(o.boot_id));
	memcpy(o.challenge, c->challenge, sizeof(o.challenge));
	for (uint32_t i = 0; i < set->n; i++) {
		entries[i].what = NL_ORDER_LEAF;
		memcpy(entries[i].name, set->sha256[i], 32);
	}
	qsort(entries, set->n, sizeof(entries[0]), compare_entries);
	buf_add(&out, &o, sizeof(o));
	if (set->n)
		buf_add(&out, entries, set->n * sizeof(entries[0]));
	digest_of(out.p, out.n, sha256);
	buf_add(&out, &head, sizeof(head));
	for (size_t i = 0; i < wish.n_keys; i++) {
		struct nl_signature s;

		sign_digest(wish.keys[i], NL_DOMAIN_ORDER, sha256, &s);
		buf_add(&out, &s, sizeof(s));
	}
	return out;
}

static enum nl_err post(struct host *h, const struct buf *order)
{
	unsigned broken = h->broken;
	struct http_answer a;
	enum nl_err err = ask(h, "POST", "/v1/orders", order->p, order->n, SAID_MAX, &a);

	if (err)
		return err;
	/* One to which no answer came may have been accepted, and then its challenge is spent. */
	if (a.status != 202 && !(a.said == NL_ECHALLENGE && h->broken > broken))
		err = host_fail(h, a.said ? a.said : NL_ESTATUS, "the order: %s", a.why);
	http_free(&a);
	return err;
}

/* Those that the hypervisor does not know; one that it takes no more, because all is done, is no mistake yet. */
static enum nl_err bring(struct host *h, const struct nl_order *o)
{
	for (size_t i = 0; i < wish.n_names; i++) {
		const struct leaf_name *name = &wish.names[i];
		struct http_answer a;
		char path[128] = "/v1/leaves/";
		enum nl_err err;

		if (!name->file || status_leaf(h, name) || !nl_order_names(o, name->sha256))
			continue;
		for (size_t k = 0; k < 32; k++)
			snprintf(path + strlen(path), 3, "%02x", name->sha256[k]);
		err = ask(h, "PUT", path, name->file, name->size, SAID_MAX, &a);
		if (err)
			return err;
		if (a.status != 201 && a.said != NL_EUNKNOWN_LEAF && a.said != NL_NOTHING)
			err = host_fail(h, a.said ? a.said : NL_ESTATUS, "%.100s: %s", name->text, a.why);
		http_free(&a);
		if (err)
			return err;
	}
	return NL_OK;
}

/* What the proven journal says of it: NL_AGAIN: not all yet. */
static enum nl_err outcome(struct host *h, const struct nl_order *o)
{
	bool waits = nl_order_commits(o) && o->flags & NL_ORDER_AGENTLESS, done = false;

	for (size_t i = 0; i < h->journal.n; i++) {
		const struct nl_journal_entry *e = &h->journal.entries[i];
		bool its = e->event == NL_EV_ORDER && !memcmp(e->leaf_sha256, h->order_sha256, 32);

		if (its && e->error == NL_NOTHING && h->accepted)
			return NL_NOTHING;
		if (its && e->error)
			return host_fail(h, e->error < NL_ERRORS_KNOWN ? (enum nl_err)e->error : NL_EINTERNAL,
			                 "the order was %s", h->accepted ? "accepted, and ended without" : "refused");
		if (its && !(e->a & NL_ORDER_ENDED))
			h->accepted = true;
		done |= h->accepted && (e->event == NL_EV_COMMIT || !waits);
	}
	return done ? NL_OK : NL_AGAIN;
}

static enum nl_err look(struct host *h, const struct nl_order *o, uint64_t from)
{
	enum nl_err err = ask_status(h);

	if (err)
		return err;
	if (state(h)->journal_newest >= from && (err = ask_journal(h, from)))
		return err;
	return outcome(h, o);
}

static enum nl_err await(struct host *h, const struct nl_order *o, uint64_t from)
{
	for (;;) {
		uint64_t begun = left_ms(h), left;
		enum nl_err err = look(h, o, from);
		/* It was asked so late that no answer says nothing about it. */
		bool late = begun < LATE_MS && (err == NL_ERATE || err == NL_EUNREACHABLE);

		if (err != NL_AGAIN && !late)
			return err;
		left = left_ms(h);
		if (!left || late) {
			h->word = HOST_KNOWN;
			return host_fail(h, NL_EDEADLINE,
			                 h->accepted ? "the order was accepted, and is not carried out yet"
			                             : "nothing of the order stands in the journal");
		}
		pause_ms(left < LOOK_MS ? left : LOOK_MS);
	}
}

/* Is the machine as the order wants it, by its own word? */
static enum nl_err prove_end(struct host *h, const struct nl_order *o)
{
	bool frozen = state(h)->orders & NL_ORDER_FROZE;

	for (uint32_t i = 0; i < o->head.count; i++) {
		struct leaf_name name = {.by_hash = true};
		const struct nl_signed_leaf *l;

		memcpy(name.sha256, nl_order_entry(o, i)->name, 32);
		l = status_leaf(h, &name);
		if (o->what == NL_ORDER_REVERT ? is_applied(l) : !is_applied(l))
			return host_fail(h, NL_ESTATE,
			                 "the order was accepted, and its leaves are not as it wants them");
		if (o->what == NL_ORDER_CONFIRM && on_trial(l))
			return host_fail(h, NL_ETRIAL, "%s is on trial still", l->state.id);
		if (o->what < NL_ORDER_REVERT && l->state.note)
			return host_fail(h, NL_EDEGRADED, "%s is on, and weakened: %s", l->state.id,
			                 err_name((enum nl_err)l->state.note));
	}
	if ((o->what == NL_ORDER_FREEZE || o->what == NL_ORDER_STOP) && !frozen)
		return host_fail(h, NL_ESTATE, "the order was accepted, and the machine is not frozen");
	if (o->what == NL_ORDER_RELEASE && frozen)
		return host_fail(h, NL_ESTATE, "the order was accepted, and the machine is frozen still");
	return NL_OK;
}

/* From its bytes on to its end. */
static enum nl_err present(struct host *h, const struct buf *order)
{
	const struct nl_order *o = (const struct nl_order *)(const void *)order->p;
	uint64_t from = state(h)->journal_newest + 1, generation = state(h)->generation;
	bool frozen = state(h)->orders & NL_ORDER_FROZE;
	enum nl_err err, refused;

	digest_of(order->p, nl_order_signed_size(o), h->order_sha256);
	err = post(h, order);
	if (err)
		return err;
	refused = bring(h, o);
	if (refused) { /* its own word, not signed: what stands in the journal counts, and nobody waits for the rest */
		char why[sizeof(h->why)];

		memcpy(why, h->why, sizeof(why));
		err = look(h, o, from);
		if (err == NL_AGAIN)
			err = host_fail(h, refused, "%s", why);
	} else {
		err = await(h, o, from);
	}
	if ((!err || err == NL_NOTHING) && (!nl_order_commits(o) || o->flags & NL_ORDER_AGENTLESS))
		err = prove_end(h, o) ? h->err : err;
	if (h->word == HOST_KNOWN)
		h->changed = state(h)->generation != generation ||
		             frozen != (bool)(state(h)->orders & NL_ORDER_FROZE) ||
		             (!err && o->what == NL_ORDER_CONFIRM);
	return err;
}

static void tell_leaves(struct host *h)
{
	if (h->word == HOST_KNOWN)
		leaves_judge(h);
}

void run_order(struct host *h)
{
	enum nl_order_what what = wish.verb->what;
	struct set set = {.n = 0};
	struct nl_challenge c;
	struct buf order;

	if (ask_status(h))
		return;
	h->err = set_of(h, what, &set);
	if (!h->err)
		h->err = may(h, what);
	if (!h->err && wish.dry_run) {
		h->would = true;
	} else if (!h->err && !get_challenge(h, &c)) {
		order = make_order(h, what, &set, &c);
		h->err = nl_order_form(order.p, order.n) ? host_fail(h, NL_EORDER, "no machine would take it")
		                                         : present(h, &order);
		free(order.p);
	}
	tell_leaves(h);
}

void run_challenge(struct host *h)
{
	if (!ask_status(h) && !get_challenge(h, &h->challenge))
		h->challenged = true;
}

void run_carry(struct host *h)
{
	const struct nl_order *o = (const struct nl_order *)(const void *)h->order.p;

	if (ask_status(h))
		return;
	if (memcmp(o->machine_id, state(h)->boot.machine_id, sizeof(o->machine_id)))
		host_fail(h, NL_EMACHINEID, "the order is for another machine");
	else if (memcmp(o->boot_id, state(h)->boot.boot_id, sizeof(o->boot_id)))
		host_fail(h, NL_EBOOTID, "the order is for another boot of it");
	else
		h->err = present(h, &h->order);
	tell_leaves(h);
}
