// SPDX-License-Identifier: Apache-2.0
/* The signed list: see list.h. */
#include "leaf/list.h"
#include "core/core.h"
#include "core/kept.h"
#include "leaf/floor.h"
#include "leaf/leaf.h"
#include "leaf/signature.h"

static const struct nl_list *list; /* NULL: none was taken */
static enum nl_err answer = NL_NOTHING;

static const struct nl_list_entry *entry(const struct nl_list *l, uint32_t i) { return nl_record_at(l, i); }

/* What the list says of that name; the highest version, if it says so twice. */
static const struct nl_list_entry *listed(enum nl_list_what what, const void *name, size_t n)
{
	const struct nl_list_entry *best = NULL;

	for (uint32_t i = 0; list && i < list->head.count; i++) {
		const struct nl_list_entry *e = entry(list, i);

		if (e->what == what && !memcmp(e->name, name, n) && (!best || e->version > best->version))
			best = e;
	}
	return best;
}

/* All signatures are good, and one of them is by a key that may. */
static enum nl_err check_signatures(const struct nl_list *l, size_t size)
{
	struct nl_check c = {l, size, nl_list_signed_size(l), NL_DOMAIN_LIST, .role = NL_ROLE_REVOKE};
	enum nl_err err = nl_check_whole(&c);
	uint8_t id[32];

	return err == NL_ELEAF ? NL_ERECORD : err ? err : nl_list_quorum(&c, 1, id);
}

static enum nl_err check(const struct nl_list *l, size_t size, uint64_t known)
{
	enum nl_err err = nl_record_check(NL_LIST_KIND, l, size);

	if (err || (err = check_signatures(l, size)))
		return err;
	if (l->sequence < known || !l->sequence)
		return NL_ELISTOLD;
	if (l->sequence > NL_LIST_MAX_SEQUENCE)
		return NL_ERECORD;
	for (uint32_t i = 0; i < l->head.count; i++) {
		const struct nl_list_entry *e = entry(l, i);

		if (e->what < NL_LIST_LEAF || e->what > NL_LIST_PARDON)
			return NL_ENEWER;
		if (e->what == NL_LIST_FLOOR && !nl_leaf_id_ok((const char *)e->name))
			return NL_ERECORD;
	}
	return NL_OK;
}

bool nl_list_revokes(const uint8_t key_id[32]) { return listed(NL_LIST_KEY, key_id, 32); }

/* A list of which all signatures are good. */
static bool has_signed(const struct nl_list *l, size_t size, const uint8_t key[32])
{
	size_t n = nl_list_signed_size(l);
	const struct nl_signature *s;
	uint32_t count = 0;

	nl_signatures_find((const uint8_t *)l + n, size - n, &s, &count);
	while (count && memcmp(s[count - 1].key, key, 32))
		count--;
	return count;
}

enum nl_err nl_list_take(const void *file, size_t size, uint64_t known)
{
	const struct nl_list *l = file;

	list = NULL;
	answer = size ? check(l, size, known) : known ? NL_ELISTGONE : NL_NOTHING;
	if (answer)
		return answer;
	list = l;
	NL_EACH(k, nl_boot.keys, NL_MAX_KEYS) {
		uint8_t id[32];

		nl_key_id(k->key, id);
		if (!nl_list_revokes(id))
			continue;
		if (k->role & NL_ROLE_REVOKE && !has_signed(l, size, k->key)) /* it shall sign no later one */
			k->role |= NL_KEY_LOST(NL_ROLE_REVOKE);
		k->role &= ~(NL_ROLES | NL_KEY_SIGNED);
	}
	return NL_OK;
}

enum nl_err nl_list_error(void) { return answer; }
uint64_t nl_list_sequence(void) { return list ? list->sequence : 0; }

uint32_t nl_list_floor(const char *id)
{
	const struct nl_list_entry *e = listed(NL_LIST_FLOOR, id, NL_LEAF_ID_LEN);
	uint32_t own = nl_floor_of(id);

	return e && e->version > own ? e->version : own;
}

enum nl_err nl_list_quorum(const struct nl_check *c, uint32_t needed, uint8_t key_id[32])
{
	const struct nl_signatures *s = (const void *)((const uint8_t *)c->file + c->signed_size);
	const struct nl_signature *first = (const void *)(s + 1);

	nl_key_id(c->known ? nl_boot.keys[__builtin_ctz(c->known)].key : first->key, key_id);
	if (c->known)
		return c->n_known < needed ? NL_EQUORUM : NL_OK;
	return nl_list_revokes(key_id) ? NL_EKEYREVOKED : NL_EKEY;
}

bool nl_list_withheld(void)
{
	return answer && answer != NL_NOTHING && nl_boot.facts.policy.without_list != NL_WITHOUT_LIST_GO_ON;
}

enum nl_err nl_list_bars(const uint8_t sha256[32], bool on)
{
	if (nl_list_withheld())
		return NL_ELIST;
	if (listed(NL_LIST_LEAF, sha256, 32))
		return NL_EREVOKED;
	if (!on && nl_locked_out(nl_kept->lockouts, sha256, NL_LOCKOUT_TRIALS))
		return NL_ETRIAL;
	on = !nl_locked_out(nl_kept->lockouts, sha256, NL_LOCKOUT_PANICS) || listed(NL_LIST_PARDON, sha256, 32);
	return on ? NL_OK : NL_ELOCKEDOUT;
}
