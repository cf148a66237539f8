// SPDX-License-Identifier: Apache-2.0
/* The standing order in force: see standing.h. */
#include "commit/standing.h"
#include "commit/generation.h"
#include "core/clock.h"
#include "core/core.h"
#include "core/journal.h"
#include "core/kept.h"
#include "leaf/list.h"
#include "leaf/registry.h"
#include "x86.h"

struct nl_standing_state nl_standing = {.error = NL_NOTHING};
static union {
	struct nl_order order;
	uint8_t bytes[NL_ORDER_MAX_SIZE];
} held;                                         /* if nl_standing.epoch: in force */
static struct nl_check files[2][NL_MAX_LEAVES]; /* leaves, by place */
bool nl_standing_known;
static bool holding;
static uint64_t held_since;                  /* 0: nobody was held back */
static struct nl_check *its_files, *offered; /* of that order; of the one that is looked at. NULL: by hypercall */

/* The place of a key, or one that can be had; NULL: no room. The image's come first, and have names. */
static struct nl_key *place_of(struct nl_key keys[NL_MAX_KEYS], const uint8_t key[32])
{
	struct nl_key *spare = NULL;

	for (struct nl_key *k = keys; k < keys + NL_MAX_KEYS; k++) {
		if (!memcmp(k->key, key, sizeof(k->key)))
			return k;
		if (k >= keys + nl_boot.facts.n_keys && (!spare || !k->role) &&
		    !(k->role & (NL_ROLES | NL_KEY_LOST(NL_ROLE_REVOKE) | NL_KEY_SIGNED)))
			spare = k; /* rather one that nothing is known of */
	}
	if (spare) {
		*spare = (struct nl_key){.role = 0};
		memcpy(spare->key, key, sizeof(spare->key));
	}
	return spare;
}

void nl_standing_recall(void)
{
	for (const struct nl_key *s = nl_boot.standing.keys; s < nl_boot.standing.keys + NL_MAX_KEYS; s++) {
		struct nl_key *k = s->role ? place_of(nl_boot.keys, s->key) : NULL;

		if (k)
			k->role = (k->role & ~(s->role >> 8 & NL_ROLES)) | (s->role >> 16 & NL_ROLES) |
			          (s->role & ~NL_ROLES);
	}
}

/* Of an order that is new, and that they may sign: what it says of keys counts from now on, or nothing of it does. */
static enum nl_err adopt(const struct nl_order *o, size_t size, uint32_t signed_by)
{
	const struct nl_order_entry *e = nl_order_entry(o, 0), *end = e + o->head.count;
	struct nl_key keys[NL_MAX_KEYS], *k;
	uint32_t operators = 0, i;
	uint8_t id[32];

	memcpy(keys, nl_boot.keys, sizeof(keys));
	for (i = 0; i < NL_MAX_KEYS; i++)
		keys[i].role = (keys[i].role & ~NL_KEY_SIGNED) | (signed_by >> i & 1 ? NL_KEY_SIGNED : 0);
	for (; e < end; e++) {
		bool trusts = e->what == NL_ORDER_TRUST, known = false;

		if (trusts && !place_of(keys, e->name))
			return NL_ENOMEM;
		for (k = keys; e->what != NL_ORDER_LEAF && k < keys + NL_MAX_KEYS; k++) {
			nl_key_id(k->key, id);
			if (memcmp(trusts ? k->key : id, e->name, sizeof(id)))
				continue;
			k->role &= ~(NL_ROLE_OPERATOR | NL_KEY_LOST(NL_ROLE_OPERATOR) | NL_KEY_GIVEN(NL_ROLE_OPERATOR));
			k->role |= trusts ? NL_KEY_GIVEN(NL_ROLE_OPERATOR) : NL_KEY_LOST(NL_ROLE_OPERATOR);
			k->role |= trusts && !nl_list_revokes(id) ? NL_ROLE_OPERATOR : 0;
			known = true;
		}
		if (!known && e->what == NL_ORDER_DISTRUST) /* there is nothing to remember it by */
			return NL_EKEY;
	}
	for (i = 0; i < NL_MAX_KEYS; i++)
		operators += !!(keys[i].role & NL_ROLE_OPERATOR);
	if (operators < nl_boot.facts.policy.operators)
		return NL_EQUORUM;
	memcpy(nl_boot.keys, keys, sizeof(keys));
	nl_boot.standing.epoch = o->epoch;
	nl_sha256_of(o, size, nl_boot.standing.sha256);
	return NL_OK;
}

void nl_standing_come(void)
{
	nl_standing.carried = nl_standing.epoch && held.order.flags & NL_ORDER_AGENTLESS ? NL_AGAIN : NL_NOTHING;
	holding = its_files;
	held_since = 0;
	nl_own_soon(0);
}

bool nl_standing_holds(void) { return holding && nl_standing.carried == NL_AGAIN; }

void nl_standing_hold(void)
{
	uint64_t none = 0;

	if (__atomic_compare_exchange_n(&held_since, &none, x86_rdtsc() | 1, false, __ATOMIC_RELAXED,
	                                __ATOMIC_RELAXED) ||
	    nl_passed(held_since, 1000ULL * held.order.deadline_ms)) /* whatever a try wants to wait, by whose clock */
		nl_own_soon(0);
}

void nl_order_note(const struct nl_order *o, enum nl_err err, const uint8_t *sha256, uint64_t ended)
{
	nl_journal(NL_EV_ORDER, err, NULL, sha256, o->what | (uint64_t)o->kind << 32 | ended, o->generation | o->epoch);
}

static void note(enum nl_err err)
{
	uint8_t sha256[32];

	nl_sha256_of(&held, nl_order_signed_size(&held.order), sha256);
	nl_order_note(&held.order, err, sha256, NL_ORDER_ENDED);
}

static void done(enum nl_err err)
{
	/* A kernel that comes up patches itself. */
	if (nl_own_passes(err) || (err == NL_EBYTES && holding && !held_since))
		return;
	nl_standing.carried = err == NL_NOTHING ? NL_OK : err;
	if (nl_standing.carried)
		note(err);
}

/* Until a program runs its bytes may not be there: a kernel begins by patching itself. */
static enum nl_err wants(const struct nl_context *ctx, uint32_t applied, uint32_t *set, bool *last)
{
	static struct nl_verify_report report; /* the lock's */
	const struct nl_order_entry *e = nl_order_entry(&held.order, 0);
	enum nl_err err = nl_standing.carried == NL_AGAIN ? NL_OK : NL_NOTHING;
	uint64_t slide;
	uint32_t i, seen, trial = held.order.confirm_ms;

	(void)applied;
	(void)last; /* there is none */
	if (!err && holding && held_since &&
	    (!nl_generation_reclaim() || nl_passed(held_since, 1000ULL * held.order.deadline_ms))) {
		holding = false;
		note(NL_EDEADLINE);
	}
	nl_registry_build_id(&seen, &slide);
	/* Before it has a process a kernel has not chosen its mitigations: a body is bound to the thunks of that
	 * moment. */
	if (!err && seen && ctx->cpl < 3 && !nl_registry_kernel_stands(ctx))
		return NL_AGAIN;
	for (i = 0; !err && i < held.order.head.count && e[i].what == NL_ORDER_LEAF; i++)
		if (!nl_registry_find(e[i].name))
			err = its_files ? nl_registry_verify(ctx, &its_files[i], &held.order, &report)
			                : NL_EUNKNOWN_LEAF;
	if (err == NL_AGAIN) /* a slice: nobody is in the way */
		nl_own_soon(0);
	for (i = 0; !err && i < held.order.head.count && e[i].what == NL_ORDER_LEAF; i++) {
		const struct nl_entry *known = nl_registry_find(e[i].name);

		if (!known) /* a later one has taken its place */
			return NL_ENOMEM;
		*set |= 1u << (known - nl_registry);
		trial |= known->state.confirm_s;
	}
	/* CPUs that come up have their clocks corrected, which ends a trial: not before there is who may confirm. */
	if (!err && trial && holding && !held_since)
		return NL_AGAIN;
	/* and a CPU that starts has no LSTAR, or that of a kernel before */
	return ctx->cpl < 3 && (err == NL_EKERNEL || err == NL_EBUILDID || err == NL_EBYTES) ? NL_AGAIN : err;
}

const struct nl_wish nl_standing_wish = {wants, done, &held.order.confirm_ms};

enum nl_err nl_standing_accept(const struct nl_order *o, size_t size, uint32_t signed_by)
{
	enum nl_err err = nl_standing_known ? NL_OK : adopt(o, size, signed_by);
	uint32_t signers = 0;

	for (unsigned i = 0; i < NL_MAX_KEYS; i++)
		signers += !!(nl_boot.keys[i].role & NL_KEY_SIGNED);
	if (err || signers < nl_boot.facts.policy.operators)
		return err ? err : NL_EKEYREVOKED;
	memcpy(&held, o, size);
	its_files = offered;
	nl_standing.epoch = o->epoch;
	nl_standing.error = NL_OK;
	nl_standing_come();
	nl_kept->frozen = (nl_kept->frozen & ~(uint64_t)NL_FROZEN_STANDING) | (o->flags & NL_FROZEN_STANDING);
	nl_kept_seal();
	return NL_OK;
}

static const struct nl_order_place *place(unsigned i) { return x86_phys(HPA(nl_boot.files[NL_FILE_ORDER_0 + i].base)); }

/* The leaves first: an order that cannot be carried out must not take the place of one that can. */
static enum nl_err consider(unsigned i, nl_order_taker *take)
{
	size_t room = nl_boot.files[NL_FILE_ORDER_0 + i].size;
	const struct nl_order_place *p = place(i);
	struct nl_check *leaf = offered = files[i];
	enum nl_err err = room < sizeof(*p) || p->size > sizeof(p->bytes) ? NL_EORDER : nl_order_form(p, p->size);
	uint8_t sha256[32];

	for (uint32_t n = 0; !err && n < p->order.head.count; n++, leaf++) {
		const struct nl_order_entry *e = nl_order_entry(&p->order, n);

		if (e->what == NL_ORDER_LEAF &&
		    (p->leaves[n].base % 8 || !nl_inside(p->leaves[n].base, p->leaves[n].size, 0, room) ||
		     nl_registry_open(leaf, (const uint8_t *)p + p->leaves[n].base, p->leaves[n].size) ||
		     nl_check_whole(leaf) || memcmp(leaf->sha256, e->name, sizeof(e->name))))
			err = NL_EUNKNOWN_LEAF;
	}
	if (err)
		return room ? err : NL_NOTHING;
	nl_sha256_of(p, p->size, sha256);
	nl_standing_known = !memcmp(sha256, nl_boot.standing.sha256, sizeof(sha256));
	while ((err = take(NL_ASKER_GUEST, &p->order, p->size)) == NL_AGAIN || err == NL_ERATE)
		;
	return err;
}

void nl_standing_take(nl_order_taker *take)
{
	struct nl_standing *s = &nl_boot.standing;
	unsigned newer = !nl_boot.files[NL_FILE_ORDER_0].size ||
	                 (nl_boot.files[NL_FILE_ORDER_1].size && place(1)->order.epoch > place(0)->order.epoch);
	enum nl_err err;

	nl_kept->frozen &= ~(uint64_t)NL_FROZEN_STANDING;
	if ((err = consider(newer, take))) { /* the older one may bring the keys that have signed it */
		consider(!newer, take);
		err = consider(newer, take);
	}
	offered = NULL;
	nl_standing_known = false;
	nl_standing.error = err == NL_NOTHING && s->epoch ? NL_EEPOCH : err;
	nl_standing.floor = nl_boot.facts.keys_from_file ? 0 : s->epoch;
	if (nl_boot.leave_out)
		s->tried = s->epoch;
	if (nl_standing.epoch && nl_standing.epoch <= s->tried) {
		nl_standing.epoch = 0;
		nl_standing.error = nl_standing.carried = NL_ETRIAL;
		nl_kept->frozen &= ~(uint64_t)NL_FROZEN_STANDING;
	}
	nl_kept->frozen_at = s->epoch; /* what was withheld from a frozen machine does not come later */
	nl_kept_seal();
	for (unsigned i = 0; i < NL_MAX_KEYS; i++)
		s->keys[i] = nl_boot.keys[i].role & ~NL_ROLES ? nl_boot.keys[i] : (struct nl_key){.role = 0};
}
