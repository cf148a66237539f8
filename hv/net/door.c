// SPDX-License-Identifier: Apache-2.0
/* The stack's calls: see door.h. The stack does not run while one is answered, so its mailbox holds still. */
#include "net/door.h"
#include "commit/generation.h"
#include "commit/order.h"
#include "core/clock.h"
#include "core/core.h"
#include "core/journal.h"
#include "core/pool.h"
#include "core/sha256.h"
#include "leaf/registry.h"
#include "leaf/witness.h"
#include "net/wire.h"
#include "x86.h"

struct nl_net_facts nl_net_facts;

struct call {
	const struct nl_context *ctx;
	struct nl_net_mailbox *box;
	uint64_t a, b, c; /* rdi, rsi, rdx */
	uint64_t answer;  /* rdx */
};

/* The leaf that is brought. Guest root has another room for his, so that neither is in the other's way. */
static struct {
	uint8_t *file; /* of NL_LEAF_MAX_SIZE bytes */
	uint8_t sha256[32];
	uint64_t size, received; /* size 0: none is begun */
	struct nl_check check;   /* size 0: not all of it is there */
} brought;

static void (*status_now)(struct nl_status *);

enum nl_err nl_door_init(void (*status)(struct nl_status *))
{
	status_now = status;
	brought.file = nl_pool_bytes(NL_LEAF_MAX_SIZE);
	return brought.file ? NL_OK : NL_ENOMEM;
}

void nl_door_forget(void) { brought.size = brought.check.size = 0; }

/* From the secret of this boot, a counter and the clock: as challenges are made, in a domain of its own. */
static enum nl_err call_random(struct call *c)
{
	static struct {
		char domain[32];
		uint8_t secret[32];
		uint64_t count, tsc;
	} seed = {.domain = "newleaf network"};
	uint8_t hash[32];

	memcpy(seed.secret, nl_boot.secret, sizeof(seed.secret));
	seed.count++;
	seed.tsc = x86_rdtsc();
	nl_sha256_of(&seed, sizeof(seed), hash);
	memcpy(&c->answer, hash, sizeof(c->answer));
	return NL_OK;
}

static enum nl_err call_facts(struct call *c)
{
	struct nl_net_facts *f = (void *)c->box->data;

	*f = nl_net_facts;
	status_now(&f->status);
	f->status.kernel_slide = 0; /* whoever the stack has become, what Linux hides is in the signed status alone */
	NL_EACH_CPU(cpu)
		for (unsigned i = 0; i < NL_CAUSES; i++)
			f->exits[i] += cpu->exits[i];
	f->tsc_hz = nl_boot.facts.tsc_hz;
	f->frames_received = nl_wire.received;
	f->frames_sent = nl_wire.sent;
	f->frames_refused = nl_wire.refused;
	f->frames_lost = nl_wire.lost;
	return NL_OK;
}

static enum nl_err call_leaves(struct call *c)
{
	static uint64_t looked;
	struct nl_leaf_state *out = (void *)c->box->data;
	const struct nl_entry *e;

	if (nl_registry_note(c->ctx, looked) == NL_AGAIN) {
		looked++;
		return NL_AGAIN;
	}
	looked = 0;
	for (; c->answer < NL_MAX_LEAVES && (e = nl_registry_nth(c->answer)); c->answer++)
		out[c->answer] = e->state;
	return NL_OK;
}

static enum nl_err call_journal(struct call *c)
{
	struct nl_journal_entry *out = (void *)c->box->data;
	uint64_t from = c->a, newest;

	while ((c->answer + 1) * sizeof(*out) <= NL_NET_DATA && nl_journal_read(from, &out[c->answer], &newest))
		from = out[c->answer++].seq + 1;
	return NL_OK;
}

_Static_assert(NL_SIGNED_MAX_SIZE <= NL_NET_DATA, "the longest signed status fits");

static enum nl_err call_signed(struct call *c)
{
	struct nl_status now;
	const void *file;
	enum nl_err err;

	status_now(&now);
	err = nl_witness_sign(NL_ASKER_WIRE, c->ctx, &now, c->box->data, &file, &c->answer);
	if (!err)
		memcpy(c->box->data, file, c->answer);
	return err;
}

static enum nl_err call_challenge(struct call *c)
{
	return nl_order_challenge(NL_ASKER_WIRE, (struct nl_challenge *)c->box->data);
}

static enum nl_err call_order(struct call *c) { return nl_order_take(NL_ASKER_WIRE, (void *)c->box->data, c->a); }

static const struct nl_order *order_for(const uint8_t sha256[32])
{
	const struct nl_order *o = nl_order_waiting();

	return o && nl_order_names(o, sha256) ? o : NULL;
}

/* A slice of the checks of what is there in full. With the lock. */
static enum nl_err verify(struct call *c)
{
	const struct nl_order *o = order_for(brought.sha256);
	struct nl_verify_report report = {0};
	enum nl_err err = o ? NL_OK : NL_EUNKNOWN_LEAF;

	if (!err && !brought.check.size)
		err = nl_registry_open(&brought.check, brought.file, brought.size);
	if (!err)
		err = nl_registry_verify(c->ctx, &brought.check, o, &report);
	if (!err && memcmp(report.sha256, brought.sha256, sizeof(report.sha256)))
		err = NL_EUNKNOWN_LEAF;
	if (o && err && err != NL_AGAIN)
		nl_journal(NL_EV_REFUSED, err, report.id, brought.sha256, report.blocker.site_va, 0);
	if (err != NL_AGAIN)
		nl_door_forget();
	return err;
}

/* A piece, in order, of a leaf that an order names which waits for it: without the lock what this misses comes again,
 * and what it lets through is asked again. */
static enum nl_err call_leaf(struct call *c)
{
	const uint8_t *sha256 = c->box->data;
	enum nl_err err;

	if (!order_for(sha256))
		return NL_EUNKNOWN_LEAF;
	if (!c->a && c->c) {
		memcpy(brought.sha256, sha256, sizeof(brought.sha256));
		brought.size = c->b <= NL_LEAF_MAX_SIZE ? c->b : 0;
		brought.received = brought.check.size = 0;
	}
	if (!brought.size || c->b != brought.size || memcmp(brought.sha256, sha256, sizeof(brought.sha256)))
		return !c->a && c->b > NL_LEAF_MAX_SIZE ? NL_ELEAF : NL_ESTATE;
	if (c->c && (c->a != brought.received || c->c > brought.size - brought.received || c->c > NL_NET_DATA - 32))
		return NL_EUSAGE;
	memcpy(brought.file + brought.received, c->box->data + 32, c->c);
	brought.received += c->c;
	if (brought.received < brought.size)
		return c->c ? NL_OK : NL_ESTATE;
	if (!nl_trylock(&nl_generation_lock))
		return NL_AGAIN;
	err = verify(c);
	nl_unlock(&nl_generation_lock);
	return err;
}

static const struct {
	enum nl_err (*fn)(struct call *);
	uint32_t may; /* any of these; 0: always */
	bool locked;  /* with nl_generation_lock */
} calls[] = {
        [NL_NET_RANDOM] = {call_random, 0, false},
        [NL_NET_FACTS] = {call_facts, NL_NET_MAY_METRICS | NL_NET_MAY_READ, false},
        [NL_NET_LEAVES] = {call_leaves, NL_NET_MAY_READ, true},
        [NL_NET_JOURNAL] = {call_journal, NL_NET_MAY_READ, false},
        [NL_NET_SIGNED] = {call_signed, NL_NET_MAY_READ, true},
        [NL_NET_CHALLENGE] = {call_challenge, NL_NET_MAY_ORDERS, true},
        [NL_NET_ORDER] = {call_order, NL_NET_MAY_ORDERS, true},
        [NL_NET_LEAF] = {call_leaf, NL_NET_MAY_ORDERS, false},
};

void nl_door_call(const struct nl_context *ctx, struct nl_gprs *regs, struct nl_net_mailbox *box)
{
	struct call c = {ctx, box, regs->rdi, regs->rsi, regs->rdx, 0};
	uint64_t number = regs->rax;
	enum nl_err err = NL_EUSAGE;

	if (number < NL_ARRAY_SIZE(calls) && calls[number].fn)
		err = calls[number].may && !(calls[number].may & nl_boot.facts.policy.net_may) ? NL_EPOLICY : NL_OK;
	if (!err && calls[number].locked && !nl_trylock(&nl_generation_lock))
		err = NL_AGAIN;
	else if (!err) {
		err = calls[number].fn(&c);
		if (calls[number].locked)
			nl_unlock(&nl_generation_lock);
	}
	nl_net_facts.calls++;
	regs->rax = number == NL_NET_RANDOM ? c.answer : err;
	regs->rdx = c.answer;
}
