// SPDX-License-Identifier: Apache-2.0
/*
 * A connection's life: its request comes, the core is asked, the answer goes out. Calls of which the core does a piece
 * at a time (NL_AGAIN) are repeated when TCP asks again; those that must not mix have one owner.
 */
#include "http.h"

#include <string.h>

static struct http_slot slots[CONN_SLOTS];
/* Whose status is being signed, whose order or leaf is on its way into the core. */
static struct http_slot *signing, *ordering, *staging;

static const uint8_t continues[] = "HTTP/1.1 100 Continue\r\n\r\n";

void http_open(unsigned slot)
{
	struct http_slot *s = &slots[slot];

	/* Not the data: nobody reads of it what was not written for this connection. */
	memset(s, 0, offsetof(struct http_slot, data));
	s->since = net_now();
}

static void let_go(struct http_slot *s)
{
	struct http_slot **const owners[] = {&signing, &ordering, &staging};

	for (size_t i = 0; i < NL_ARRAY_SIZE(owners); i++)
		if (*owners[i] == s)
			*owners[i] = NULL;
}

void http_closed(unsigned slot) { let_go(&slots[slot]); }

static void refuse(struct http_slot *s, enum nl_err error)
{
	let_go(s);
	http_refuse_error(s, error);
}

/* The head is complete: is it something that may be asked? */
static void begin(struct http_slot *s)
{
	const struct http_request *r = &s->request;
	bool body = r->method == HTTP_POST || r->method == HTTP_PUT;

	if (r->place == HTTP_NOWHERE) {
		http_refuse(s, 404);
	} else if (r->method == HTTP_OPTIONS) {
		http_answer(s, 204, NULL);
	} else if (!(http_rules[r->place].methods & r->method)) {
		http_refuse(s, 405);
	} else if (!(net_mailbox.config.may & http_rules[r->place].may)) {
		http_refuse(s, 403);
	} else if (r->query_wrong) {
		http_refuse(s, 400);
	} else if (!body) {
		s->state = HTTP_S_RUN;
	} else if (r->other_type) {
		http_refuse(s, 415);
	} else if (!r->length_said) {
		http_refuse(s, 411);
	} else if (r->length > (r->place == HTTP_LEAF ? NL_LEAF_MAX_SIZE : NL_ORDER_MAX_SIZE)) {
		http_refuse(s, 413);
	} else if (!r->length) {
		http_refuse_error(s, r->place == HTTP_LEAF ? NL_ELEAF : NL_EORDER);
	} else if (r->place == HTTP_LEAF && staging) {
		http_refuse(s, 503);
	} else {
		if (r->place == HTTP_LEAF)
			staging = s;
		s->state = HTTP_S_BODY;
		if (r->expects && r->minor) {
			s->from = continues;
			s->left = sizeof(continues) - 1;
		}
	}
}

/* One call of the core: NL_AGAIN also says that somebody else is at it. */
static enum nl_err own(struct http_slot **owner, struct http_slot *s)
{
	if (*owner && *owner != s)
		return NL_AGAIN;
	*owner = s;
	return NL_OK;
}

/* The core's word for a number of records, held to what fits. */
static size_t most(uint64_t n, size_t limit) { return n < limit ? (size_t)n : limit; }

static enum nl_err facts(struct http_slot *s)
{
	struct net_answer a = net_call(NL_NET_FACTS, 0, 0, 0);
	struct nl_net_facts *f = &s->data.facts;

	if (a.rax != NL_OK)
		return (enum nl_err)a.rax;
	memcpy(f, net_mailbox.data, sizeof(*f));
	s->tsc_now = f->status.tsc_now;
	s->tsc_hz = f->tsc_hz;
	s->generation = f->status.generation;
	memcpy(s->boot_id, f->status.boot.boot_id, sizeof(s->boot_id));
	return NL_OK;
}

static enum nl_err leaves(struct http_slot *s)
{
	struct net_answer a = net_call(NL_NET_LEAVES, 0, 0, 0);

	s->count = most(a.rdx, NL_MAX_LEAVES);
	return (enum nl_err)a.rax;
}

static enum nl_err run_metrics(struct http_slot *s)
{
	const struct nl_leaf_state *l = (const struct nl_leaf_state *)(const void *)net_mailbox.data;
	enum nl_err e = leaves(s);

	if (e != NL_OK)
		return e;
	memset(s->conditions, 0, sizeof(s->conditions));
	s->weakened = s->on_trial = 0;
	for (size_t i = 0; i < s->count; i++, l++) {
		bool on = l->condition == NL_LEAF_APPLIED;

		s->conditions[l->condition <= NL_LEAF_REVERTED ? l->condition : 0]++;
		s->weakened = (uint8_t)(s->weakened + (on && l->note != NL_OK));
		s->on_trial = (uint8_t)(s->on_trial + (on && l->trial_tsc));
	}
	if ((e = facts(s)) != NL_OK)
		return e;
	memcpy(s->answers, http_answers, sizeof(s->answers));
	s->answers[2]++;
	s->body = http_metrics;
	http_answer(s, 200, "text/plain; version=0.0.4; charset=utf-8");
	return NL_OK;
}

/* Bytes as the core gave them, or JSON. */
static void reply(struct http_slot *s, size_t n, bool (*json)(struct http_slot *, struct text *, unsigned))
{
	bool bytes = !json || (s->request.wants_bytes && !s->request.wants_json);

	if (bytes) {
		s->bytes = s->data.bytes;
		s->n_bytes = n;
	} else {
		s->body = json;
	}
	http_answer(s, 200, bytes ? "application/octet-stream" : "application/json");
}

static enum nl_err run_status(struct http_slot *s)
{
	struct net_answer a;
	enum nl_err e;

	if (!s->request.nonce_said) {
		if ((e = facts(s)) == NL_OK)
			reply(s, sizeof(struct nl_status), http_json_status);
		return e;
	}
	if ((e = own(&signing, s)) != NL_OK)
		return e;
	memcpy(net_mailbox.data, s->request.name, sizeof(s->request.name));
	a = net_call(NL_NET_SIGNED, 0, 0, 0);
	if (a.rax != NL_OK)
		return (enum nl_err)a.rax;
	memcpy(s->data.bytes, net_mailbox.data, most(a.rdx, sizeof(s->data.bytes)));
	reply(s, most(a.rdx, sizeof(s->data.bytes)), NULL);
	return NL_OK;
}

static enum nl_err run_leaves(struct http_slot *s)
{
	enum nl_err e = leaves(s);

	if (e != NL_OK)
		return e;
	memcpy(s->data.leaves, net_mailbox.data, s->count * sizeof(s->data.leaves[0]));
	/* The facts after the leaves: no time of theirs is later. Not kept: the leaves are where they would be. */
	struct net_answer a = net_call(NL_NET_FACTS, 0, 0, 0);
	const struct nl_net_facts *f = (const struct nl_net_facts *)(const void *)net_mailbox.data;

	if (a.rax != NL_OK)
		return (enum nl_err)a.rax;
	s->tsc_now = f->status.tsc_now;
	s->tsc_hz = f->tsc_hz;
	s->generation = f->status.generation;
	reply(s, s->count * sizeof(s->data.leaves[0]), http_json_leaves);
	return NL_OK;
}

static enum nl_err run_journal(struct http_slot *s)
{
	uint64_t from = s->request.from_said ? s->request.from : 1;
	struct net_answer a;
	enum nl_err e;

	if ((e = facts(s)) != NL_OK)
		return e;
	a = net_call(NL_NET_JOURNAL, from, 0, 0);
	if (a.rax != NL_OK)
		return (enum nl_err)a.rax;
	s->count = most(a.rdx, HTTP_ENTRIES);
	memcpy(s->data.entries, net_mailbox.data, s->count * sizeof(s->data.entries[0]));
	s->next = s->count ? s->data.entries[s->count - 1].seq + 1 : from;
	reply(s, s->count * sizeof(s->data.entries[0]), http_json_journal);
	return NL_OK;
}

static enum nl_err run_challenge(struct http_slot *s)
{
	struct net_answer a = net_call(NL_NET_CHALLENGE, 0, 0, 0);

	if (a.rax != NL_OK)
		return (enum nl_err)a.rax;
	memcpy(&s->data.challenge, net_mailbox.data, sizeof(s->data.challenge));
	reply(s, sizeof(s->data.challenge), http_json_challenge);
	return NL_OK;
}

static void done(struct http_slot *s, unsigned status)
{
	let_go(s);
	s->body = http_json_done;
	http_answer(s, status, "application/json");
}

static enum nl_err run_order(struct http_slot *s)
{
	enum nl_err e = own(&ordering, s);

	if (e != NL_OK)
		return e;
	memcpy(net_mailbox.data, s->data.order, s->staged);
	e = (enum nl_err)net_call(NL_NET_ORDER, s->staged, 0, 0).rax;
	if (e == NL_OK)
		done(s, 202);
	return e;
}

/* What has come of the leaf goes to the core; behind the last piece it is verified, with no bytes. */
static enum nl_err run_leaf(struct http_slot *s)
{
	uint64_t size = s->request.length;
	enum nl_err e;

	memcpy(net_mailbox.data, s->request.name, sizeof(s->request.name));
	memcpy(net_mailbox.data + sizeof(s->request.name), s->data.leaf, s->staged);
	e = (enum nl_err)net_call(NL_NET_LEAF, s->offset, size, s->staged).rax;
	/* The last piece is taken, whether the verification behind it is done or not. */
	if (e == NL_OK || (e == NL_AGAIN && s->staged && s->offset + s->staged == size)) {
		s->offset += s->staged;
		s->staged = 0;
	}
	if (e == NL_OK && s->offset == size)
		done(s, 201);
	return e;
}

static enum nl_err call(struct http_slot *s)
{
	switch (s->request.place) {
	case HTTP_PAGE:
		s->bytes = http_page;
		s->n_bytes = (size_t)(http_page_end - http_page);
		http_answer(s, 200, "text/html; charset=utf-8");
		return NL_OK;
	case HTTP_METRICS:
		return run_metrics(s);
	case HTTP_STATUS:
		return run_status(s);
	case HTTP_LEAVES:
		return run_leaves(s);
	case HTTP_JOURNAL:
		return run_journal(s);
	case HTTP_CHALLENGE:
		return run_challenge(s);
	case HTTP_ORDERS:
		return run_order(s);
	default:
		return run_leaf(s);
	}
}

/* What a HEAD is answered without the core: it must void no challenge and cost no signature. */
static const char *type_of(const struct http_request *r)
{
	if (r->place == HTTP_PAGE)
		return "text/html; charset=utf-8";
	if (r->place == HTTP_METRICS)
		return "text/plain; version=0.0.4; charset=utf-8";
	return r->nonce_said || (r->wants_bytes && !r->wants_json) ? "application/octet-stream" : "application/json";
}

/* Asks the core until it has answered, or wants to be asked later. */
static void run(struct http_slot *s)
{
	if (s->request.method == HTTP_HEAD_) {
		if (s->request.place == HTTP_PAGE)
			s->bytes = http_page; /* it has a policy of its own */
		http_answer(s, 200, type_of(&s->request));
		return;
	}
	for (unsigned i = 0; i < HTTP_AGAIN_CALLS; i++) {
		enum nl_err e = call(s);

		if (e == NL_OK) {
			s->again = 0;
			if (s->state == HTTP_S_SEND)
				let_go(s);
			return;
		}
		if (e != NL_AGAIN) {
			refuse(s, e);
			return;
		}
		if (!s->again)
			s->again = net_now() + 1;
		if (net_now() - s->again + 1 >= HTTP_AGAIN_MS) {
			let_go(s);
			http_refuse(s, 503);
			return;
		}
	}
}

/* Bytes of the body; how many were taken. */
static size_t body(struct http_slot *s, const uint8_t *bytes, size_t n)
{
	bool leaf = s->request.place == HTTP_LEAF;
	size_t taken = 0;

	while (s->state == HTTP_S_BODY) {
		uint64_t missing = s->request.length - s->offset - s->staged;
		size_t room = leaf ? HTTP_STAGE - s->staged : (size_t)missing;
		size_t piece = n - taken < room ? n - taken : room;

		piece = most(missing, piece);
		memcpy(s->data.bytes + s->staged, bytes + taken, piece);
		s->staged += piece;
		taken += piece;
		if (missing == piece) {
			s->state = HTTP_S_RUN;
		} else if (leaf && s->staged == HTTP_STAGE) {
			run(s);
			if (s->staged)
				return taken; /* the core wants to be asked again, and has not taken it */
		} else {
			return taken;
		}
	}
	return n; /* what is behind the request is thrown away */
}

static bool late(struct http_slot *s)
{
	uint64_t limit = s->state == HTTP_S_HEAD ? HTTP_HEAD_MS : HTTP_BODY_MS;

	if (s->state > HTTP_S_BODY || net_now() - s->since < limit)
		return false;
	let_go(s);
	http_refuse(s, 408);
	return true;
}

size_t http_take(unsigned slot, const uint8_t *bytes, size_t n)
{
	struct http_slot *s = &slots[slot];
	size_t used = 0;

	if (late(s))
		return n;
	if (s->state == HTTP_S_HEAD) {
		unsigned status = http_parse(&s->request, bytes, n, &used);

		if (status == 200)
			begin(s);
		else if (status)
			http_refuse(s, status);
	}
	if (s->state == HTTP_S_BODY)
		return used + body(s, bytes + used, n - used);
	return n;
}

void http_eof(unsigned slot)
{
	struct http_slot *s = &slots[slot];

	s->eof = true;
	if (s->state == HTTP_S_BODY || (s->state == HTTP_S_HEAD && s->request.head)) {
		let_go(s);
		http_refuse(s, 400); /* it may still be listening */
	}
}

/* The next bytes of the answer; false: there are none. */
static bool next(struct http_slot *s)
{
	if (s->n_bytes) {
		s->from = s->bytes;
		s->left = s->n_bytes;
		s->n_bytes = 0;
		return true;
	}
	if (s->body) {
		struct text t = {.p = s->piece, .size = sizeof(s->piece)};

		if (s->body(s, &t, s->index++)) {
			s->from = (const uint8_t *)s->piece;
			s->left = t.n;
			return true;
		}
		s->body = NULL;
	}
	return false;
}

enum conn_give http_give(unsigned slot, uint8_t *out, size_t room, size_t *n)
{
	struct http_slot *s = &slots[slot];

	if (!late(s) && s->eof && s->state == HTTP_S_HEAD)
		return CONN_END;
	if (s->state == HTTP_S_RUN || (s->state == HTTP_S_BODY && s->staged == HTTP_STAGE))
		run(s);
	if (s->left && s->state == HTTP_S_BODY && room < s->left)
		return CONN_MORE; /* "100 Continue" whole or not at all: an answer may come in its place */
	while (*n < room && (s->left || (s->state == HTTP_S_SEND && next(s)))) {
		size_t piece = s->left < room - *n ? s->left : room - *n;

		memcpy(out + *n, s->from, piece);
		*n += piece;
		s->from += piece;
		s->left -= piece;
	}
	if (s->left || s->n_bytes || (s->state == HTTP_S_SEND && s->body))
		return CONN_MORE;
	if (s->state == HTTP_S_SEND)
		return CONN_END;
	return s->state == HTTP_S_RUN || (s->state == HTTP_S_BODY && s->staged == HTTP_STAGE) ? CONN_BUSY
	       : *n                                                                           ? CONN_MORE
	                                                                                      : CONN_IDLE;
}
