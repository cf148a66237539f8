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

/* The guest's channel: the challenge that is out (zero: none), the order that is read, and whether it was accepted and
 * waits for its commit. */
static struct nl_challenge out;
static uint64_t made, made_tsc, checked_tsc, taken_tsc;
static struct nl_check check; /* size 0: nothing is read */
static union {
	struct nl_order order;
	uint8_t bytes[NL_ORDER_MAX_SIZE];
} staged, accepted; /* what is read has been signed by nobody yet, and is in nobody's way */
static uint8_t accepted_sha256[32];
static bool waits, tried; /* it is accepted; was, or will be now, for the last time */
static uint32_t serial;

static void spend(void) { memset(out.challenge, 0, sizeof(out.challenge)); }

static void refresh(void)
{
	memcpy(out.machine_id, nl_boot.facts.machine_id, sizeof(out.machine_id));
	memcpy(out.boot_id, nl_boot.facts.boot_id, sizeof(out.boot_id));
	out.generation = nl_generation_current()->view.generation;
	if (nl_passed(made_tsc, CHALLENGE_US)) /* a TSC that was set back has ended it, too */
		spend();
}

enum nl_err nl_order_challenge(struct nl_challenge *answer)
{
	struct {
		char domain[32];
		uint8_t secret[32];
		uint64_t count, tsc;
	} seed = {"newleaf challenge", {0}, ++made, x86_rdtsc()};

	if (!nl_boot.facts.random)
		return NL_ENORANDOM;
	refresh();
	memcpy(seed.secret, nl_boot.secret, sizeof(seed.secret));
	nl_sha256_of(&seed, sizeof(seed), out.challenge);
	out.head = (struct nl_record){NL_CHALLENGE_MAGIC, 1, sizeof(out), 0, 0};
	made_tsc = seed.tsc;
	*answer = out;
	return NL_OK;
}

bool nl_order_addressed(const uint8_t address[64]) { return nl_order_answers(address, &out); }

/* What takes long: some of the hash, or one signature, if it is time for one. */
static enum nl_err read_on(const struct nl_order *o, size_t size)
{
	uint8_t id[32];
	enum nl_err err;

	if (size != check.size || memcmp(&staged, o, size)) {
		memcpy(&staged, o, size);
		check = (struct nl_check){&staged, size, nl_order_signed_size(o), NL_DOMAIN_ORDER,
		                          .role = NL_ROLE_OPERATOR};
	}
	if (check.hashed == check.signed_size && check.checked < check.count) {
		if (!nl_passed(checked_tsc, SIGNATURE_US))
			return NL_ERATE;
		checked_tsc = x86_rdtsc();
	}
	err = nl_check_step(&check);
	if (err)
		return err == NL_ELEAF ? NL_EORDER : err;
	return nl_list_quorum(&check, nl_boot.facts.policy.operators, id);
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
static enum nl_err accept(void)
{
	static const uint8_t freezes[NL_ORDER_VERBS] = {0, 0, 0, 0, NL_FROZEN_NOW, 0, NL_FROZEN_NOW | NL_FROZEN_STOP};

	enum nl_err err = NL_OK, one;

	spend();
	end(NL_EINTERRUPTED);
	accepted = staged;
	memcpy(accepted_sha256, check.sha256, sizeof(accepted_sha256));
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

enum nl_err nl_order_take(const struct nl_order *o, size_t size)
{
	struct nl_order_here here = {&out, &nl_boot.facts.policy, nl_boot.standing.epoch + !nl_standing_known,
	                             nl_kept->frozen};
	enum nl_err err = nl_order_form(o, size);
	bool cheap;

	refresh();
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
	if (!cheap && ((err = read_on(o, size)) == NL_AGAIN || err == NL_ERATE))
		return err;
	if (!cheap)
		check.size = 0;
	if (!err && o->kind == NL_ORDER_NOW)
		err = accept();
	else if (!err && !(err = nl_standing_accept(o, size, check.known)))
		end(NL_EINTERRUPTED);
	nl_order_note(o, err, cheap ? NULL : check.sha256, 0);
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
	spend();
	end(NL_EKERNEL);
	nl_standing_come();
}
