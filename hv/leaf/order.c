// SPDX-License-Identifier: Apache-2.0
/* Orders as a machine reads them: see order.h. */
#include "leaf/order.h"
#include "core/core.h"
#include <newleaf/kept.h>

/* What orders look like, a bit each: what may be in which, and what must. */
enum { SYNCS = 1, CHANGES = 2, SWITCHES = 4, CONFIRMS = 8, STANDS = 16 };
#define COMMITS (SYNCS | CHANGES | STANDS)
#define NOW (SYNCS | CHANGES | SWITCHES | CONFIRMS)

static const uint8_t looks[][NL_ORDER_VERBS] = {
        [NL_ORDER_NOW] = {0, SYNCS, CHANGES, CHANGES, SWITCHES, SWITCHES, SWITCHES, CONFIRMS},
        [NL_ORDER_STANDING] = {0, STANDS},
};

#define FIELD(name) offsetof(struct nl_order, name), sizeof(((struct nl_order *)0)->name)
static const struct {
	uint8_t at, size, may, must; /* not be zero */
} fields[] = {
        {FIELD(head.count), COMMITS | CONFIRMS, CHANGES | CONFIRMS},
        {FIELD(flags), COMMITS, 0},
        {FIELD(deadline_ms), COMMITS, COMMITS},
        {FIELD(confirm_ms), COMMITS, 0},
        {FIELD(build_id_len), STANDS, 0},
        {FIELD(machine_id), NOW | STANDS, NOW | STANDS},
        {FIELD(boot_id), NOW, NOW},
        {FIELD(challenge), NOW, NOW},
        {FIELD(generation), NOW, 0},
        {FIELD(epoch), STANDS, STANDS},
        {FIELD(build_id), STANDS, 0},
        {FIELD(reserved), 0, 0},
};

static const uint8_t entry_looks[] = {[NL_ORDER_LEAF] = COMMITS | CONFIRMS, STANDS, STANDS};

/* They ascend, so that none is there twice and what they are about comes together. */
static bool entries_ok(const struct nl_order *o, unsigned look)
{
	const struct nl_order_entry *e = nl_order_entry(o, 0), *end = e + o->head.count;
	uint32_t leaves = 0;

	for (; e < end; e++) {
		if (e->what < NL_ORDER_LEAF || e->what > NL_ORDER_DISTRUST || !(entry_looks[e->what] & look) ||
		    e->role != (e->what == NL_ORDER_TRUST ? NL_ROLE_OPERATOR : 0) ||
		    nl_is_zero(e->name, sizeof(e->name)) ||
		    (e > nl_order_entry(o, 0) && memcmp(e - 1, e, sizeof(*e)) >= 0))
			return false;
		leaves += e->what == NL_ORDER_LEAF;
	}
	return leaves <= NL_MAX_LEAVES && o->head.count - leaves <= NL_ORDER_MAX_KEYS;
}

enum nl_err nl_order_form(const void *file, size_t size)
{
	const struct nl_order *o = file;
	enum nl_err err = nl_record_check(NL_ORDER_RECORD, file, size);
	unsigned look = 0, i;

	if (err)
		return err == NL_ENEWER ? err : NL_EORDER;
	if (o->kind < NL_ARRAY_SIZE(looks) && o->what < NL_ORDER_VERBS)
		look = looks[o->kind][o->what];
	if (!look || size > NL_ORDER_MAX_SIZE || o->head.head_size != sizeof(*o) ||
	    o->head.record_size != sizeof(struct nl_order_entry) ||
	    o->flags > (look == STANDS ? NL_ORDER_AGENTLESS | NL_ORDER_FROZEN : NL_ORDER_AGENTLESS) ||
	    o->deadline_ms > NL_ORDER_MAX_DEADLINE_MS || o->confirm_ms > NL_ORDER_MAX_CONFIRM_MS ||
	    o->epoch > NL_ORDER_MAX_EPOCH || (o->build_id_len && o->build_id_len < 8) ||
	    o->build_id_len > sizeof(o->build_id) ||
	    !nl_is_zero(o->build_id + o->build_id_len, sizeof(o->build_id) - o->build_id_len))
		return NL_EORDER;
	for (i = 0; i < NL_ARRAY_SIZE(fields); i++)
		if ((nl_is_zero((const uint8_t *)o + fields[i].at, fields[i].size) ? fields[i].must : ~fields[i].may) &
		    look)
			return NL_EORDER;
	return entries_ok(o, look) ? NL_OK : NL_EORDER;
}

bool nl_order_answers(const uint8_t *address, const struct nl_challenge *c)
{
	const uint8_t *ours = (const uint8_t *)c + offsetof(struct nl_challenge, machine_id);
	uint8_t differs = 0;

	for (unsigned i = 0; i < 64; i++)
		differs |= address[i] ^ ours[i];
	return !differs && !nl_is_zero(c->challenge, sizeof(c->challenge));
}

enum nl_err nl_order_bound(const struct nl_order *o, const struct nl_order_here *here)
{
	const struct nl_challenge *c = here->address;
	bool now = o->kind == NL_ORDER_NOW;

	if (memcmp(o->machine_id, c->machine_id, sizeof(o->machine_id)))
		return NL_EMACHINEID;
	if (now && memcmp(o->boot_id, c->boot_id, sizeof(o->boot_id)))
		return NL_EBOOTID;
	if (now ? !nl_order_answers((const uint8_t *)o + offsetof(struct nl_order, machine_id), c)
	        : o->epoch < here->epoch)
		return now ? NL_ECHALLENGE : NL_EEPOCH;
	if (!nl_order_allowed(o, here->policy))
		return NL_EPOLICY;
	if (here->frozen & (now ? NL_FROZEN_NOW | NL_FROZEN_STANDING : NL_FROZEN_NOW) && nl_order_commits(o))
		return NL_EFROZEN;
	return now && o->generation != UINT64_MAX && o->generation != c->generation ? NL_EGENERATION : NL_OK;
}

bool nl_order_names(const struct nl_order *o, const uint8_t sha256[32])
{
	for (uint32_t i = 0; i < o->head.count; i++)
		if (nl_order_entry(o, i)->what == NL_ORDER_LEAF && !memcmp(nl_order_entry(o, i)->name, sha256, 32))
			return true;
	return false;
}
