// SPDX-License-Identifier: Apache-2.0
/* Orders as a machine would read them: see order.h. */
#include "order.h"
#include "core/sha256.h"
#include "leaf/signature.h"

#include <string.h>

static bool is_zero(const void *p, size_t n)
{
	const uint8_t *bytes = p;

	while (n && !bytes[n - 1])
		n--;
	return !n;
}

/* Who looks must not tell by time how much was right. */
static bool same(const void *a, const void *b, size_t n)
{
	const uint8_t *p = a, *q = b;
	uint8_t differs = 0;

	while (n--)
		differs |= *p++ ^ *q++;
	return !differs;
}

static bool entry_ok(const struct nl_order *o, uint32_t i)
{
	const struct nl_order_entry *e = nl_order_entry(o, i);

	if (e->what < NL_ORDER_LEAF || e->what > NL_ORDER_DISTRUST || is_zero(e->name, sizeof(e->name)) ||
	    e->role != (e->what == NL_ORDER_TRUST ? NL_ROLE_OPERATOR : 0))
		return false;
	if (e->what == NL_ORDER_LEAF ? !nl_order_commits(o) && o->what != NL_ORDER_CONFIRM
	                             : o->kind != NL_ORDER_STANDING)
		return false;
	for (uint32_t j = 0; j < i; j++)
		if (nl_order_entry(o, j)->what == e->what &&
		    !memcmp(nl_order_entry(o, j)->name, e->name, sizeof(e->name)))
			return false;
	return true;
}

static bool entries_ok(const struct nl_order *o)
{
	uint32_t leaves = 0, i;

	for (i = 0; i < o->head.count; i++) {
		if (!entry_ok(o, i))
			return false;
		leaves += nl_order_entry(o, i)->what == NL_ORDER_LEAF;
	}
	if (leaves > NL_MAX_LEAVES || o->head.count - leaves > NL_ORDER_MAX_KEYS)
		return false;
	/* No leaves: of SYNC, nothing shall be on; of CONFIRM, all that are on probation; of the other two, a mistake.
	 */
	return leaves || (o->what != NL_ORDER_APPLY && o->what != NL_ORDER_REVERT);
}

static bool now_ok(const struct nl_order *o)
{
	return !o->epoch && !o->build_id_len && !(o->flags & NL_ORDER_FROZEN) &&
	       !is_zero(o->boot_id, sizeof(o->boot_id)) && !is_zero(o->challenge, sizeof(o->challenge));
}

static bool standing_ok(const struct nl_order *o)
{
	return o->what == NL_ORDER_SYNC && o->epoch && o->epoch <= NL_ORDER_MAX_EPOCH && !o->generation &&
	       is_zero(o->boot_id, sizeof(o->boot_id)) && is_zero(o->challenge, sizeof(o->challenge)) &&
	       (!o->build_id_len || (o->build_id_len >= 8 && o->build_id_len <= sizeof(o->build_id)));
}

enum nl_err order_form(const void *file, size_t size)
{
	static const struct nl_record_kind kind = {
	        NL_ORDER_MAGIC,      NL_ORDER_VERSION, sizeof(struct nl_order), sizeof(struct nl_order_entry), 0,
	        NL_ORDER_MAX_ENTRIES};
	const struct nl_order *o = file;
	enum nl_err err = nl_record_check(&kind, file, size);
	bool commits;

	if (err)
		return err == NL_ENEWER ? err : NL_EORDER;
	if (size > NL_ORDER_MAX_SIZE || o->head.head_size != kind.head_size || o->head.record_size != kind.record_size)
		return NL_EORDER;
	if (!o->what || o->what >= NL_ORDER_VERBS || o->flags & ~(NL_ORDER_AGENTLESS | NL_ORDER_FROZEN) ||
	    o->reserved || is_zero(o->machine_id, sizeof(o->machine_id)))
		return NL_EORDER;
	commits = nl_order_commits(o);
	if (commits ? !o->deadline_ms || o->deadline_ms > NL_ORDER_MAX_DEADLINE_MS ||
	                      o->confirm_ms > NL_ORDER_MAX_CONFIRM_MS
	            : o->deadline_ms || o->confirm_ms || o->flags)
		return NL_EORDER;
	if (o->kind == NL_ORDER_NOW ? !now_ok(o) : o->kind != NL_ORDER_STANDING || !standing_ok(o))
		return NL_EORDER;
	if (!is_zero(o->build_id + o->build_id_len, sizeof(o->build_id) - o->build_id_len))
		return NL_EORDER;
	return entries_ok(o) ? NL_OK : NL_EORDER;
}

static bool names_keys(const struct nl_order *o)
{
	uint32_t i = 0;

	while (i < o->head.count && nl_order_entry(o, i)->what == NL_ORDER_LEAF)
		i++;
	return i < o->head.count;
}

static enum nl_err allowed(const struct nl_order *o, const struct order_here *here)
{
	bool standing = o->kind == NL_ORDER_STANDING;

	if (!(here->may & (standing ? ORDER_MAY_STANDING : ORDER_MAY_NOW)) ||
	    (o->flags & NL_ORDER_AGENTLESS && !(here->may & ORDER_MAY_AGENTLESS)) ||
	    (names_keys(o) && !(here->may & ORDER_MAY_KEYS)) || o->deadline_ms > here->deadline_ms ||
	    o->confirm_ms > here->confirm_ms)
		return NL_EPOLICY;
	/* A standing order is kept while all is frozen, and carried out when it is not any more. */
	return here->frozen && !standing && nl_order_commits(o) ? NL_EFROZEN : NL_OK;
}

enum nl_err order_bound(const struct nl_order *o, const struct order_here *here)
{
	bool now = o->kind == NL_ORDER_NOW;
	enum nl_err err;

	if (!same(o->machine_id, here->machine_id, sizeof(o->machine_id)))
		return NL_EMACHINEID;
	if (now && !same(o->boot_id, here->boot_id, sizeof(o->boot_id)))
		return NL_EBOOTID;
	if (now && (!here->challenge_out || !same(o->challenge, here->challenge, sizeof(o->challenge))))
		return NL_ECHALLENGE;
	if (!now && o->epoch < here->epoch)
		return NL_EEPOCH;
	if ((err = allowed(o, here)))
		return err;
	return now && o->generation != UINT64_MAX && o->generation != here->generation ? NL_EGENERATION : NL_OK;
}

enum nl_err order_fresh(const struct nl_order *o, const struct order_here *here, const uint8_t sha256[32])
{
	if (o->kind != NL_ORDER_STANDING || o->epoch != here->epoch || is_zero(here->in_force, sizeof(here->in_force)))
		return NL_OK;
	return same(sha256, here->in_force, sizeof(here->in_force)) ? NL_NOTHING : NL_EEPOCH;
}

enum nl_err order_signed(const void *file, size_t size, const struct nl_key *keys, uint32_t n_keys, uint32_t needed,
                         uint32_t *good)
{
	size_t n = nl_order_signed_size(file);
	const struct nl_signature *s;
	uint32_t count = 0, known = 0;
	uint8_t sha256[32];
	enum nl_err err = nl_signatures_find((const uint8_t *)file + n, size - n, &s, &count);

	*good = 0;
	if (err)
		return err == NL_EUNSIGNED ? err : NL_EORDER;
	nl_sha256_of(file, n, sha256);
	for (uint32_t i = 0; !err && i < count; i++)
		err = nl_signature_check(NL_DOMAIN_ORDER, sha256, s + i, keys, n_keys, NL_ROLE_OPERATOR, &known);
	if (err)
		return err;
	*good = (uint32_t)__builtin_popcount(known);
	if (!*good)
		return NL_EKEY;
	return *good < needed ? NL_EQUORUM : NL_OK;
}
