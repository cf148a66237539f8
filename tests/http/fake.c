// SPDX-License-Identifier: Apache-2.0
/*
 * See fake.h.
 */
#include "fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HZ 1000000000ULL

struct fake fake;

static void must(bool fine, const char *what)
{
	if (!fine) {
		fprintf(stderr, "fake core: %s\n", what);
		abort();
	}
}

static uint64_t tsc(void) { return fake.facts.status.boot.tsc_at_wall + fake.now_ms() * (HZ / 1000); }

static struct nl_journal_entry *entry(uint64_t seq) { return &fake.journal[seq % NL_ARRAY_SIZE(fake.journal)]; }

void fake_event(enum nl_event event, enum nl_err error, const struct nl_leaf_state *l, uint64_t a, uint64_t b)
{
	struct nl_journal_entry e = {.seq = fake.newest + 1,
	                             .tsc = tsc(),
	                             .event = event,
	                             .error = error,
	                             .generation = fake.facts.status.generation,
	                             .a = a,
	                             .b = b};

	memcpy(e.boot_id, fake.facts.status.boot.boot_id, sizeof(e.boot_id));
	if (fake.newest)
		fake_sha256(entry(fake.newest), sizeof(e), e.hash);
	if (l) {
		memcpy(e.id, l->id, sizeof(e.id));
		memcpy(e.leaf_sha256, l->sha256, sizeof(e.leaf_sha256));
	}
	*entry(e.seq) = e;
	fake.facts.status.journal_newest = fake.newest = e.seq;
}

/* Under the order's SHA-256, by which whoever sent it finds it again. */
static void order_event(const struct nl_order *o, enum nl_err error, uint64_t ended)
{
	struct nl_leaf_state name = {.id = ""};

	fake_sha256(o, nl_order_signed_size(o), name.sha256);
	fake_event(NL_EV_ORDER, error, &name, o->what | (uint64_t)o->kind << 32 | ended, o->generation);
}

void fake_start(void)
{
	struct nl_status *s = &fake.facts.status;
	time_t now = time(NULL);
	struct tm t;

	gmtime_r(&now, &t);
	*s = (struct nl_status){.abi = NL_ABI_VERSION,
	                        .size = sizeof(*s),
	                        .version = "0.9.0-fake",
	                        .vendor = "SVM",
	                        .paging = "NPT",
	                        .cpus_known = 2,
	                        .cpus_running = 2,
	                        .memory_total = 16 << 20,
	                        .memory_free = 12 << 20,
	                        .arena_text_free = 1 << 20,
	                        .arena_data_free = 1 << 20,
	                        .list_error = NL_NOTHING,
	                        .standing = {.error = NL_NOTHING, .carried = NL_NOTHING}};
	s->boot.tsc_hz = fake.facts.tsc_hz = HZ;
	s->boot.tsc_at_wall = 5 * HZ;
	s->boot.wall = (struct nl_firmware_time){.year = (uint16_t)(t.tm_year + 1900),
	                                         .month = (uint8_t)(t.tm_mon + 1),
	                                         .day = (uint8_t)t.tm_mday,
	                                         .hour = (uint8_t)t.tm_hour,
	                                         .minute = (uint8_t)t.tm_min,
	                                         .second = (uint8_t)t.tm_sec};
	s->boot.policy = (struct nl_policy){.deadline_ms = 10000,
	                                    .signatures = 1,
	                                    .operators = 1,
	                                    .order_may = NL_ORDER_MAY_ALL,
	                                    .confirm_ms = 600000};
	s->boot.boots = 1;
	s->boot.random = 1;
	s->boot.n_keys = 2;
	memset(s->boot.machine_id, 0x11, sizeof(s->boot.machine_id));
	memset(s->boot.boot_id, 0x22, sizeof(s->boot.boot_id));
	memset(fake.machine_seed, 0x33, sizeof(fake.machine_seed));
	memset(fake.boot_seed, 0x44, sizeof(fake.boot_seed));
	fake.facts.starts = net_mailbox.config.starts = 1;
	net_mailbox.config.may = NL_NET_MAY_ALL;
	for (unsigned i = 0; i < NL_CAUSES; i++)
		fake.facts.exits[i] = 100 * i;
}

struct nl_leaf_state *fake_leaf(const char *id, uint32_t version, enum nl_leaf_condition condition)
{
	struct nl_leaf_state *l = &fake.leaves[fake.facts.status.leaves];

	must(fake.facts.status.leaves < NL_MAX_LEAVES, "too many leaves");
	*l = (struct nl_leaf_state){.condition = (uint8_t)condition,
	                            .version = version,
	                            .pages = 1,
	                            .sites = 1,
	                            .body_bytes = 64,
	                            .signatures = 1,
	                            .since_tsc = tsc(),
	                            .generation = fake.facts.status.generation};
	snprintf(l->id, sizeof(l->id), "%s", id);
	strcpy(l->key_name, "fake author");
	fake_sha256(id, strlen(id), l->sha256);
	memset(l->key_id, 0x55, sizeof(l->key_id));
	fake.facts.status.leaves++;
	return l;
}

static struct nl_leaf_state *known(const uint8_t hash[32])
{
	NL_EACH(l, fake.leaves, fake.facts.status.leaves)
		if (!memcmp(l->sha256, hash, 32))
			return l;
	return NULL;
}

static const struct nl_order *waiting(void) { return fake.waits ? (const struct nl_order *)(void *)fake.wanted : NULL; }

static bool names(const struct nl_order *o, const uint8_t hash[32])
{
	for (uint32_t i = 0; o && i < o->head.count; i++)
		if (nl_order_entry(o, i)->what == NL_ORDER_LEAF && !memcmp(nl_order_entry(o, i)->name, hash, 32))
			return true;
	return false;
}

static void put_on(struct nl_leaf_state *l, enum nl_leaf_condition c, const struct nl_order *o)
{
	if (l->condition == c)
		return;
	l->condition = (uint8_t)c;
	l->since_tsc = tsc();
	l->generation = fake.facts.status.generation;
	l->trial_tsc = c == NL_LEAF_APPLIED && o->confirm_ms ? tsc() + o->confirm_ms * (HZ / 1000) : 0;
	fake_event(c == NL_LEAF_APPLIED ? NL_EV_APPLIED : NL_EV_REVERTED, NL_OK, l, 0, 0);
}

void fake_tick(void)
{
	struct nl_status *s = &fake.facts.status;
	const struct nl_order *o = waiting();

	NL_EACH(l, fake.leaves, s->leaves)
		if (l->condition == NL_LEAF_APPLIED && l->trial_tsc && l->trial_tsc <= tsc()) {
			s->generation++;
			l->condition = NL_LEAF_REVERTED;
			fake_event(NL_EV_TRIAL, NL_ETRIAL, l, NL_LEAF_REVERTED, l->trial_tsc);
		}
	if (!o || fake.now_ms() < fake.waits_ms)
		return;
	for (uint32_t i = 0; i < o->head.count; i++)
		if (!known(nl_order_entry(o, i)->name))
			return;
	fake.waits = false;
	s->orders &= ~(uint32_t)NL_ORDER_WAITS;
	if (fake.commit != NL_OK) {
		order_event(o, fake.commit, NL_ORDER_ENDED);
		return;
	}
	s->generation++;
	NL_EACH(l, fake.leaves, s->leaves) {
		bool named = names(o, l->sha256);

		if (named && o->what != NL_ORDER_REVERT)
			put_on(l, NL_LEAF_APPLIED, o);
		else if (l->condition == NL_LEAF_APPLIED && (named || o->what == NL_ORDER_SYNC))
			put_on(l, NL_LEAF_REVERTED, o);
	}
	fake_event(NL_EV_COMMIT, NL_OK, NULL, 31000 + s->generation * 700 % 9000, 0);
}

static enum nl_err confirm(const struct nl_order *o)
{
	enum nl_err worst = NL_OK;

	for (uint32_t i = 0; i < o->head.count; i++) {
		struct nl_leaf_state *l = known(nl_order_entry(o, i)->name);
		enum nl_err e = !l                                ? NL_EUNKNOWN_LEAF
		                : l->condition != NL_LEAF_APPLIED ? NL_ETRIAL
		                : !l->trial_tsc                   ? NL_NOTHING
		                                                  : NL_OK;

		if (e == NL_OK) {
			l->trial_tsc = 0;
			fake_event(NL_EV_TRIAL, NL_OK, l, NL_LEAF_APPLIED, 0);
		}
		if (worst == NL_OK || worst == NL_NOTHING)
			worst = e == NL_OK ? worst : e;
	}
	return worst;
}

static enum nl_err judge(const struct nl_order *o, size_t size)
{
	const struct nl_status *s = &fake.facts.status;

	if (fake.order != NL_OK)
		return fake.order;
	if (nl_record_check(NL_ORDER_RECORD, o, size) || !o->what || o->what >= NL_ORDER_VERBS ||
	    o->kind != NL_ORDER_NOW)
		return NL_EORDER;
	if (nl_order_signed_size(o) + sizeof(struct nl_signatures) + sizeof(struct nl_signature) > size)
		return NL_EUNSIGNED;
	if (memcmp(o->machine_id, s->boot.machine_id, sizeof(o->machine_id)))
		return NL_EMACHINEID;
	if (memcmp(o->boot_id, s->boot.boot_id, sizeof(o->boot_id)))
		return NL_EBOOTID;
	if (!fake.challenge.head.magic || memcmp(o->challenge, fake.challenge.challenge, sizeof(o->challenge)))
		return NL_ECHALLENGE;
	if (o->generation != UINT64_MAX && o->generation != s->generation)
		return NL_EGENERATION;
	if ((s->orders & NL_ORDER_FROZE) && nl_order_commits(o))
		return NL_EFROZEN;
	return NL_OK;
}

static enum nl_err order(size_t size)
{
	static _Alignas(8) uint8_t bytes[NL_ORDER_MAX_SIZE];
	const struct nl_order *o = (const struct nl_order *)(void *)bytes;
	struct nl_status *s = &fake.facts.status;
	enum nl_err e = NL_EORDER;

	if (size && size <= sizeof(bytes)) {
		memcpy(bytes, net_mailbox.data, size);
		e = judge(o, size);
	}
	if (e != NL_OK) {
		s->counts.orders_refused++;
		fake_event(NL_EV_ORDER, e, NULL, 0, 0);
		return e;
	}
	fake.challenge.head.magic = 0;
	order_event(o, NL_OK, 0);
	if (nl_order_commits(o)) {
		memcpy(fake.wanted, bytes, size);
		fake.waits = true;
		fake.waits_ms = fake.now_ms() + fake.pause_ms;
		s->orders |= NL_ORDER_WAITS;
	} else if (o->what == NL_ORDER_CONFIRM) {
		e = confirm(o);
	} else {
		fake.waits = fake.waits && o->what != NL_ORDER_STOP;
		s->orders = (o->what == NL_ORDER_RELEASE ? 0 : NL_ORDER_FROZE) | (fake.waits ? NL_ORDER_WAITS : 0);
	}
	fake_tick();
	return e;
}

/* The whole file is there: is it what it was said to be? */
static enum nl_err verify(const uint8_t name[32])
{
	const struct nl_leaf_header *h = (const struct nl_leaf_header *)(void *)fake.staged;
	struct nl_leaf_state *l;
	uint8_t hash[32];

	if (fake.leaf != NL_OK)
		return fake.leaf;
	if (!fake.any_leaf) {
		if (fake.n_staged < sizeof(*h) || h->magic != NL_LEAF_MAGIC || h->signed_size > fake.n_staged)
			return NL_ELEAF;
		fake_sha256(fake.staged, h->signed_size, hash);
		if (memcmp(hash, name, 32))
			return NL_EUNKNOWN_LEAF;
	}
	if (!known(name)) {
		char id[NL_LEAF_ID_LEN] = "any";

		if (!fake.any_leaf)
			memcpy(id, h->id, sizeof(id) - 1);
		if (fake.facts.status.leaves == NL_MAX_LEAVES)
			return NL_ENOMEM;
		l = fake_leaf(id, fake.any_leaf ? 1 : h->version, NL_LEAF_VERIFIED);
		memcpy(l->sha256, name, 32);
		fake_event(NL_EV_VERIFIED, NL_OK, l, 1, 0);
	}
	fake_tick();
	return NL_OK;
}

static bool once_more(void)
{
	if (fake.agains++ < fake.again)
		return true;
	fake.agains = 0;
	return false;
}

static enum nl_err leaf(uint64_t offset, uint64_t size, uint64_t n)
{
	const uint8_t *name = net_mailbox.data;

	must(n <= NL_NET_DATA - 32 && size <= sizeof(fake.staged) && offset <= size && n <= size - offset,
	     "a piece of a leaf that does not fit");
	if (!fake.any_leaf && !names(waiting(), name) && fake.leaf == NL_OK)
		return NL_EUNKNOWN_LEAF;
	if (!offset)
		fake.n_staged = 0;
	must(offset == fake.n_staged, "pieces of a leaf out of order");
	if (fake.again_between && offset + n < size) {
		if (fake.between++ < fake.again)
			return NL_AGAIN;
		fake.between = 0;
	}
	memcpy(fake.staged + offset, name + 32, n);
	fake.n_staged = offset + n;
	if (fake.n_staged < size)
		return NL_OK;
	return once_more() ? NL_AGAIN : verify(name);
}

static enum nl_err sign(uint64_t *size)
{
	static struct {
		struct nl_signed_status s;
		struct nl_signed_leaf leaves[NL_MAX_LEAVES];
		uint8_t room[NL_SIGNATURE_LEN];
	} f;
	struct nl_witness *w = &f.s.witness;
	uint32_t n = fake.facts.status.leaves;
	size_t bytes = sizeof(f.s) + n * sizeof(f.leaves[0]);
	uint8_t other[32] = {9};

	if (fake.rates && fake.signed_ms && fake.now_ms() - fake.signed_ms < 1000)
		return NL_ERATE;
	fake.signed_ms = fake.now_ms() + !fake.now_ms();
	memset(&f, 0, sizeof(f));
	f.s.head = (struct nl_record){NL_STATUS_MAGIC, NL_ABI_VERSION, sizeof(f.s), sizeof(f.leaves[0]), n};
	memcpy(f.s.nonce, net_mailbox.data, sizeof(f.s.nonce));
	if (fake.newest)
		fake_sha256(entry(fake.newest), sizeof(fake.journal[0]), f.s.journal);
	w->head = (struct nl_record){NL_WITNESS_MAGIC, NL_ABI_VERSION, sizeof(*w), 0, 0};
	w->boot = fake.facts.status.boot;
	fake_public(fake.boot_seed, w->boot_key);
	fake_public(fake.sign == FAKE_SIGNED_KEY ? other : fake.machine_seed, w->machine_key);
	fake_sign(fake.sign == FAKE_SIGNED_KEY ? other : fake.machine_seed, NL_DOMAIN_BOOT, w,
	          offsetof(struct nl_witness, signature), w->signature);
	f.s.status = fake.facts.status;
	f.s.status.tsc_now = tsc();
	for (uint32_t i = 0; i < n; i++)
		f.leaves[i].state = fake.leaves[i];
	if (fake.sign == FAKE_SIGNED_NONCE)
		f.s.nonce[0] ^= 1;
	fake_sign(fake.boot_seed, NL_DOMAIN_STATUS, &f, bytes, (uint8_t *)&f + bytes);
	if (fake.sign == FAKE_SIGNED_CHANGED)
		f.s.status.generation ^= 1;
	if (fake.sign == FAKE_SIGNED_FORGED)
		((uint8_t *)&f)[bytes] ^= 1;
	*size = bytes + NL_SIGNATURE_LEN - (fake.sign == FAKE_SIGNED_CUT);
	memcpy(net_mailbox.data, &f, *size);
	return NL_OK;
}

static void challenge(void)
{
	struct nl_challenge *c = &fake.challenge;
	uint64_t made[2] = {tsc(), fake.facts.calls};

	*c = (struct nl_challenge){.head = {NL_CHALLENGE_MAGIC, 1, sizeof(*c), 0, 0},
	                           .generation = fake.facts.status.generation};
	memcpy(c->machine_id, fake.facts.status.boot.machine_id, sizeof(c->machine_id));
	memcpy(c->boot_id, fake.facts.status.boot.boot_id, sizeof(c->boot_id));
	fake_sha256(made, sizeof(made), c->challenge);
	memcpy(net_mailbox.data, c, sizeof(*c));
}

static uint64_t journal(uint64_t from)
{
	uint64_t n = 0, oldest = fake.newest >= NL_ARRAY_SIZE(fake.journal) ? fake.newest - 511 : 1;

	for (uint64_t seq = from < oldest ? oldest : from;
	     seq <= fake.newest && (n + 1) * sizeof(fake.journal[0]) <= NL_NET_DATA; seq++)
		memcpy(net_mailbox.data + n++ * sizeof(fake.journal[0]), entry(seq), sizeof(fake.journal[0]));
	return n;
}

struct net_answer fake_core(enum nl_net_call call, uint64_t rdi, uint64_t rsi, uint64_t rdx)
{
	struct net_answer a = {NL_OK, 0};

	fake_tick();
	fake.facts.calls++;
	fake.facts.status.tsc_now = tsc();
	switch (call) {
	case NL_NET_FACTS:
		memcpy(net_mailbox.data, &fake.facts, sizeof(fake.facts));
		break;
	case NL_NET_LEAVES:
		a.rdx = fake.facts.status.leaves;
		if (once_more())
			a.rax = NL_AGAIN;
		else
			memcpy(net_mailbox.data, fake.leaves, sizeof(fake.leaves));
		break;
	case NL_NET_JOURNAL:
		a.rax = once_more() ? NL_AGAIN : NL_OK;
		a.rdx = journal(rdi);
		break;
	case NL_NET_SIGNED:
		a.rax = once_more() ? NL_AGAIN : sign(&a.rdx);
		break;
	case NL_NET_CHALLENGE:
		a.rax = fake.challenge_error;
		challenge();
		break;
	case NL_NET_ORDER:
		a.rax = once_more() ? NL_AGAIN : order(rdi);
		break;
	case NL_NET_LEAF:
		a.rax = leaf(rdi, rsi, rdx);
		break;
	default:
		must(false, "a call that HTTP has no business with");
	}
	return a;
}
