// SPDX-License-Identifier: Apache-2.0
// sources: hv/leaf/order.c tools/author/order.c
// length: 4200
// quick: 50000
// reader: an order
/*
 * Any bytes as a signed order (newleaf/order.h). Signatures are taken for good here, so that what stands behind that
 * check is reached; what the reader lets through is what order.h says, whichever way it is asked.
 */
#include "fuzz.h"

#include "leaf/signature.h"
#include "order.h"

enum nl_err nl_check_step(struct nl_check *c)
{
	volatile uint8_t last = ((const uint8_t *)c->file)[c->size - 1]; /* all of it can be read */

	(void)last;
	FUZZ_CHECK(c->signed_size <= c->size && !strcmp(c->domain, NL_DOMAIN_ORDER) && c->role == NL_ROLE_OPERATOR);
	c->known = c->n_known = 1;
	return c->size > c->signed_size ? NL_OK : NL_EUNSIGNED;
}

static bool is_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

static void check_entries(const struct nl_order *o)
{
	uint32_t leaves = 0, others = 0;

	for (uint32_t i = 0; i < o->head.count; i++) {
		const struct nl_order_entry *e = nl_order_entry(o, i);

		FUZZ_CHECK(!i || memcmp(e - 1, e, sizeof(*e)) < 0);
		FUZZ_CHECK(e->what >= NL_ORDER_LEAF && e->what <= NL_ORDER_DISTRUST);
		FUZZ_CHECK(!e->role || (e->what == NL_ORDER_TRUST && e->role == NL_ROLE_OPERATOR));
		leaves += e->what == NL_ORDER_LEAF;
		others += e->what != NL_ORDER_LEAF;
	}
	FUZZ_CHECK(leaves <= NL_MAX_LEAVES && others <= NL_ORDER_MAX_KEYS);
	FUZZ_CHECK(!others || o->kind == NL_ORDER_STANDING);
}

static void check(const struct nl_order *o, size_t n)
{
	bool standing = o->kind == NL_ORDER_STANDING;

	FUZZ_CHECK(n <= NL_ORDER_MAX_SIZE && nl_order_signed_size(o) <= n);
	FUZZ_CHECK(o->what >= NL_ORDER_SYNC && o->what < NL_ORDER_VERBS && (standing || o->kind == NL_ORDER_NOW));
	FUZZ_CHECK(standing ? o->what == NL_ORDER_SYNC : !o->epoch);
	FUZZ_CHECK(standing == is_zero(o->challenge, 32) && standing == is_zero(o->boot_id, 16) && !o->reserved);
	FUZZ_CHECK(!is_zero(o->machine_id, 16) && o->build_id_len <= sizeof(o->build_id));
	FUZZ_CHECK(!o->deadline_ms == !nl_order_commits(o));
	check_entries(o);
}

/* Nothing is allowed that its own address does not say: half the inputs have the machine's in theirs. */
static void ask(const struct nl_order *o, const struct nl_order_here *here)
{
	const struct nl_challenge *out = here->address;
	enum nl_err err = nl_order_bound(o, here);

	if (err)
		return;
	FUZZ_CHECK(!memcmp(o->machine_id, out->machine_id, 16));
	if (o->kind == NL_ORDER_NOW)
		FUZZ_CHECK(here->policy->order_may & NL_ORDER_MAY_NOW && !memcmp(o->challenge, out->challenge, 32) &&
		           !memcmp(o->boot_id, out->boot_id, 16) && (!here->frozen || !nl_order_commits(o)));
	else
		FUZZ_CHECK(o->epoch >= here->epoch && here->policy->order_may & NL_ORDER_MAY_STANDING);
	FUZZ_CHECK(o->deadline_ms <= here->policy->deadline_ms && o->confirm_ms <= here->policy->confirm_ms);
}

void fuzz_one(const uint8_t *bytes, size_t size)
{
	struct fuzz f = {bytes, size};
	uint8_t how = fuzz_byte(&f);
	struct nl_policy policy = {.operators = 1, .order_may = how >> 4, .deadline_ms = 1000, .confirm_ms = 1000};
	struct nl_challenge out = {.generation = fuzz_byte(&f)};
	struct nl_order_here here = {&out, &policy, .frozen = how & 2, .epoch = fuzz_byte(&f)};
	size_t n;
	uint8_t *p = fuzz_bytes(&f, 4200, &n);
	const struct nl_order *o = (const struct nl_order *)(const void *)p;
	uint32_t good;

	if (!nl_order_form(p, n)) {
		check(o, n);
		if (how & 4) {
			memcpy(out.machine_id, o->machine_id, sizeof(out.machine_id));
			memcpy(out.boot_id, o->boot_id, sizeof(out.boot_id));
			memcpy(out.challenge, o->challenge, sizeof(out.challenge));
		}
		ask(o, &here);
		FUZZ_CHECK((order_signed(p, n, NULL, 0, 1, &good) == NL_OK) == (n > nl_order_signed_size(o)));
	}
	free(p);
}

void fuzz_seeds(void)
{
	struct {
		uint8_t how[3];
		uint8_t pad[5];
		struct nl_order o;
		struct nl_order_entry entries[2];
		uint8_t signatures[8];
	} s = {.how = {0xf5, 5, 7},
	       .o = {.head = {NL_ORDER_MAGIC, NL_ORDER_VERSION, sizeof(s.o), sizeof(s.entries[0]), 2},
	             .what = NL_ORDER_APPLY,
	             .kind = NL_ORDER_NOW,
	             .deadline_ms = 1000,
	             .machine_id = {1},
	             .boot_id = {2},
	             .challenge = {3},
	             .generation = 5},
	       .entries = {{NL_ORDER_LEAF, 0, {1}}, {NL_ORDER_LEAF, 0, {2}}}};
	uint8_t all[sizeof(s)];
	const size_t n = sizeof(s) - offsetof(__typeof__(s), o);

	memcpy(all, s.how, 3);
	memcpy(all + 3, &s.o, n);
	fuzz_seed(all, 3 + n);
	s.o.kind = NL_ORDER_STANDING;
	s.o.what = NL_ORDER_SYNC;
	s.o.epoch = 7;
	s.o.generation = 0;
	memset(s.o.boot_id, 0, sizeof(s.o.boot_id));
	memset(s.o.challenge, 0, sizeof(s.o.challenge));
	s.entries[1] = (struct nl_order_entry){NL_ORDER_TRUST, NL_ROLE_OPERATOR, {4}};
	memcpy(all + 3, &s.o, n);
	fuzz_seed(all, 3 + n);
}
