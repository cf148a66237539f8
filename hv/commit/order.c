// SPDX-License-Identifier: Apache-2.0
/* Orders: see order.h. */
#include "commit/order.h"
#include "commit/generation.h"
#include "commit/request.h"
#include "commit/standing.h"
#include "core/clock.h"
#include "core/core.h"
#include "core/journal.h"
#include "core/kept.h"
#include "leaf/list.h"
#include "leaf/registry.h"
#include "x86.h"

#define CHALLENGE_US 600000000u /* ten minutes */
#define WAIT_US 60000000u       /* a minute */
#define SIGNATURE_US 1000000u   /* from one signature to the next, whoever asks */

union file {
	struct nl_order order;
	uint8_t bytes[NL_ORDER_MAX_SIZE];
};
static struct channel {
	struct nl_challenge out; /* the challenge that is; zero: none */
	uint64_t made_tsc, checked_tsc;
	struct nl_check check; /* size 0: nothing is read */
	union file staged;     /* signed by nobody yet, and in nobody's way */
} channels[NL_ASKERS];
static uint64_t made, taken_tsc;
static union file accepted;
static uint8_t accepted_sha256[32];
static bool waits, tried; /* it is accepted; was, or will be now, for the last time */
static uint32_t serial;

static void spend(struct channel *c) { memset(c->out.challenge, 0, sizeof(c->out.challenge)); }

static void refresh(struct channel *c)
{
	memcpy(c->out.machine_id, nl_boot.facts.machine_id, sizeof(c->out.machine_id));
	memcpy(c->out.boot_id, nl_boot.facts.boot_id, sizeof(c->out.boot_id));
	c->out.generation = nl_generation_current()->view.generation;
	if (nl_passed(c->made_tsc, CHALLENGE_US)) /* a TSC that was set back has ended it, too */
		spend(c);
}

enum nl_err nl_order_challenge(enum nl_asker asker, struct nl_challenge *answer)
{
	struct channel *c = &channels[asker];
	struct {
		char domain[32];
		uint8_t secret[32];
		uint64_t count, tsc;
	} seed = {"newleaf challenge", {0}, ++made, x86_rdtsc()};

	if (!nl_boot.facts.random)
		return NL_ENORANDOM;
	refresh(c);
	*answer = c->out;
	/* Whoever reaches the wire may ask: the one that is out stays until it is used, or its time is over. */
	if (asker == NL_ASKER_WIRE && !nl_is_zero(c->out.challenge, sizeof(c->out.challenge)))
		return NL_OK;
	memcpy(seed.secret, nl_boot.secret, sizeof(seed.secret));
	nl_sha256_of(&seed, sizeof(seed), c->out.challenge);
	c->out.head = (struct nl_record){NL_CHALLENGE_MAGIC, 1, sizeof(c->out), 0, 0};
	c->made_tsc = seed.tsc;
	*answer = c->out;
	return NL_OK;
}

bool nl_order_addressed(const uint8_t address[64]) { return nl_order_answers(address, &channels[NL_ASKER_GUEST].out); }

/* What takes long: some of the hash, or one signature, if it is time for one. */
static enum nl_err read_on(struct channel *c, const struct nl_order *o, size_t size)
{
	uint8_t id[32];
	enum nl_err err;

	if (size != c->check.size || memcmp(&c->staged, o, size)) {
		memcpy(&c->staged, o, size);
		c->check = (struct nl_check){&c->staged, size, nl_order_signed_size(o), NL_DOMAIN_ORDER,
		                             .role = NL_ROLE_OPERATOR};
	}
	if (c->check.hashed == c->check.signed_size && c->check.checked < c->check.count) {
		if (!nl_passed(c->checked_tsc, SIGNATURE_US))
			return NL_ERATE;
		c->checked_tsc = x86_rdtsc();
	}
	err = nl_check_step(&c->check);
	if (err)
		return err == NL_ELEAF ? NL_EORDER : err;
	return nl_list_quorum(&c->check, nl_boot.facts.policy.operators, id);
}

/* What it makes of what is applied. NL_AGAIN: not all of its leaves are known, and half of an order is not what was
 * ordered. */
static enum nl_err makes(const struct nl_order *o, uint32_t applied, uint32_t *set)
{
	uint32_t named = 0, n = 0, i;

	for (i = 0; i < NL_MAX_LEAVES; i++)
		if (nl_registry[i].used && nl_order_names(o, nl_registry[i].state.sha256)) {
			named |= 1u << i;
			n++;
		}
	*set = named;
	if (o->what == NL_ORDER_APPLY)
		*set |= applied & ~nl_request_superseded(applied, named);
	if (o->what == NL_ORDER_REVERT)
		*set = applied & ~named;
	return n == o->head.count ? NL_OK : NL_AGAIN;
}

/* It waits no more: by what, unless what it says is so. */
static void end(enum nl_err err)
{
	uint32_t applied = nl_generation_current()->applied, set;
	enum nl_err known = makes(&accepted.order, applied, &set);

	if (waits && (known || set != applied || err == NL_NOTHING))
		nl_order_note(&accepted.order, known && err == NL_EDEADLINE ? NL_EUNKNOWN_LEAF : err, accepted_sha256,
		              NL_ORDER_ENDED);
	serial += waits;
	waits = false;
}

/* A challenge counts once. Of leaves that are confirmed the worst answer counts, and each that can be is. */
static enum nl_err accept(struct channel *c)
{
	static const uint8_t freezes[NL_ORDER_VERBS] = {0, 0, 0, 0, NL_FROZEN_NOW, 0, NL_FROZEN_NOW | NL_FROZEN_STOP};

	enum nl_err err = NL_OK, one;

	spend(c);
	end(NL_EINTERRUPTED);
	accepted = c->staged;
	memcpy(accepted_sha256, c->check.sha256, sizeof(accepted_sha256));
	waits = nl_order_commits(&accepted.order);
	serial += waits;
	taken_tsc = x86_rdtsc();
	nl_own_soon(0);
	for (unsigned i = 0; accepted.order.what == NL_ORDER_CONFIRM && i < accepted.order.head.count; i++)
		if ((one = nl_trial_confirm(nl_order_entry(&accepted.order, i)->name)) > err)
			err = one;
	nl_kept->frozen &= accepted.order.what == NL_ORDER_RELEASE ? NL_FROZEN_STANDING : ~0ULL;
	nl_kept->frozen |= freezes[accepted.order.what];
	nl_kept->frozen_at = nl_boot.standing.epoch;
	nl_kept_seal();
	return err;
}

enum nl_err nl_order_take(enum nl_asker asker, const struct nl_order *o, size_t size)
{
	struct channel *c = &channels[asker];
	struct nl_order_here here = {&c->out, &nl_boot.facts.policy, nl_boot.standing.epoch + !nl_standing_known,
	                             nl_kept->frozen};
	enum nl_err err = nl_order_form(o, size);
	bool cheap;

	refresh(c);
	if (!err && o->kind == NL_ORDER_STANDING && o->epoch <= nl_kept->frozen_at) /* what was accepted by then */
		here.frozen = 0;
	if (!err)
		err = nl_order_bound(o, &here);
	/* What orders can say, and this version does not do: leaves name their kernels. */
	if (!err && o->build_id_len)
		err = NL_EUNSUPPORTED;
	if (!err && !nl_standing_known && nl_list_withheld()) /* who is revoked would count */
		err = NL_ELIST;
	cheap = err || nl_standing_known;
	if (!cheap && ((err = read_on(c, o, size)) == NL_AGAIN || err == NL_ERATE))
		return err;
	if (!cheap)
		c->check.size = 0;
	if (!err && o->kind == NL_ORDER_NOW)
		err = accept(c);
	else if (!err && !(err = nl_standing_accept(o, size, c->check.known)))
		end(NL_EINTERRUPTED);
	nl_order_note(o, err, cheap ? NULL : c->check.sha256, 0);
	return err;
}

const struct nl_order *nl_order_waiting(void)
{
	return waits && !nl_passed(taken_tsc, WAIT_US) ? &accepted.order : NULL;
}

uint32_t nl_order_may(uint32_t applied, uint32_t set)
{
	const struct nl_order *o = nl_order_waiting();
	uint32_t exactly;

	return o && !makes(o, applied, &exactly) && set == exactly ? NL_GUEST_MAY_ALL : NL_GUEST_MAY_NONE;
}

uint32_t nl_order_serial(void)
{
	if (!nl_order_waiting()) /* one that has lapsed puts nothing on probation either */
		end(NL_EDEADLINE);
	return serial;
}

uint32_t nl_order_confirm_ms(void) { return waits ? accepted.order.confirm_ms : 0; }
void nl_order_made(void) { end(NL_EGENERATION); }

/* One that an agent is to carry out is looked at again when it lapses: somebody has to say so. */
static enum nl_err wants(const struct nl_context *ctx, uint32_t applied, uint32_t *set, bool *last)
{
	const struct nl_order *o = nl_order_waiting();

	(void)ctx;
	nl_own_soon(!o || o->flags ? UINT64_MAX : taken_tsc + nl_us_to_tsc(WAIT_US) + 1);
	if (!o)
		end(NL_EDEADLINE);
	if (!o || !(o->flags & NL_ORDER_AGENTLESS))
		return NL_NOTHING;
	*last = tried = nl_passed(taken_tsc, 1000ULL * o->deadline_ms);
	return makes(o, applied, set);
}

static void done(enum nl_err err)
{
	if (tried || !nl_own_passes(err))
		end(err);
}

const struct nl_wish nl_order_wish = {wants, done, &accepted.order.confirm_ms};

void nl_order_forget(void)
{
	spend(&channels[NL_ASKER_GUEST]);
	spend(&channels[NL_ASKER_WIRE]);
	end(NL_EKERNEL);
	nl_standing_come();
}
