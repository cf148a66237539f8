// SPDX-License-Identifier: Apache-2.0
// sources: hv/commit/order.c hv/leaf/order.c hv/core/kept.c
// length: 4096
// quick: 20000
// reader: orders of kind now
/*
 * Any course of challenges, orders, time (set back, too), generations and kernels, with orders of any bytes, whose
 * signatures are as many and as good as the input says: a challenge counts once, and not without enough operators; a
 * second passes between two signatures; nothing is frozen or let through but by an order that was accepted. Standing
 * orders come as far as standing.c: of this machine, of a higher epoch, by enough operators.
 */
#include "fuzz.h"

#include "commit/commit.h"
#include "commit/generation.h"
#include "commit/order.h"
#include "commit/request.h"
#include "commit/standing.h"
#include "core/clock.h"
#include "core/core.h"
#include "core/journal.h"
#include "core/kept.h"
#include "core/sha256.h"
#include "leaf/list.h"
#include "leaf/registry.h"
#include "x86.h"

#define SECOND 1000000000ULL

struct nl_boot_block nl_boot;
void (*seam_flushed)(const void *p, size_t size);
struct nl_entry nl_registry[NL_MAX_LEAVES];
static struct nl_generation generation;
static uint64_t tsc, last_signature;
static bool checked; /* one was, by this input */
static uint32_t n_good, n_signatures;
static unsigned made, journaled, dropped;
static const struct nl_order *confirms; /* that may be accepted now */
static unsigned confirmed;

uint64_t x86_rdtsc(void) { return ++tsc; }
uint64_t nl_us_to_tsc(uint64_t us) { return us * 1000; }
struct nl_generation *nl_generation_current(void) { return &generation; }
bool nl_passed(uint64_t since_tsc, uint64_t us) { return x86_rdtsc() - since_tsc > us * 1000; }
void nl_commit_drop(void) { dropped++; }
uint64_t nl_own_due = UINT64_MAX;
bool nl_list_withheld(void) { return false; }
bool nl_standing_known;
void nl_standing_come(void) {}
void nl_order_note(const struct nl_order *o, enum nl_err err, const uint8_t *sha256, uint64_t ended)
{
	nl_journal(NL_EV_ORDER, err, NULL, sha256, o->what | ended, 0);
}

enum nl_err nl_standing_accept(const struct nl_order *o, size_t size, uint32_t signed_by)
{
	FUZZ_CHECK(o->kind == NL_ORDER_STANDING && o->epoch > nl_boot.standing.epoch && signed_by >= 2); /* how many */
	FUZZ_CHECK(size <= NL_ORDER_MAX_SIZE && !memcmp(o->machine_id, nl_boot.facts.machine_id, 16));
	FUZZ_CHECK(!(nl_kept->frozen & NL_FROZEN_NOW) && !o->build_id_len &&
	           o->confirm_ms <= nl_boot.facts.policy.confirm_ms);
	nl_boot.standing.epoch = o->epoch;
	return NL_OK;
}

enum nl_err nl_trial_confirm(const uint8_t sha256[32])
{
	FUZZ_CHECK(confirms && confirms->what == NL_ORDER_CONFIRM && nl_order_names(confirms, sha256));
	for (unsigned i = 0; i < NL_MAX_LEAVES; i++)
		if (!memcmp(nl_registry[i].state.sha256, sha256, 32)) {
			confirmed++;
			return NL_OK;
		}
	return NL_EUNKNOWN_LEAF;
}
uint32_t nl_request_superseded(uint32_t applied, uint32_t set) { return applied & ~set & 1; }

/* What the core would commit by itself: only what waits, and says so. */
static void own(uint32_t applied)
{
	const struct nl_order *o = nl_order_waiting();
	bool last = false;
	uint32_t set;
	enum nl_err err = nl_order_wish.wants(NULL, applied, &set, &last);

	FUZZ_CHECK(err == NL_NOTHING ? !o || !(o->flags & NL_ORDER_AGENTLESS)
	                             : o && o->flags & NL_ORDER_AGENTLESS && (!err || err == NL_AGAIN));
	FUZZ_CHECK(err || nl_own_due == 0);
	if (err || !(applied & 1))
		return;
	nl_order_wish.done(NL_ESTALE);
	FUZZ_CHECK(!nl_order_waiting() == last);
	nl_order_wish.done(NL_OK);
	FUZZ_CHECK(!nl_order_waiting());
}

void nl_journal(enum nl_event event, enum nl_err error, const char *id, const uint8_t *sha256, uint64_t a, uint64_t b)
{
	(void)id, (void)sha256, (void)a, (void)b;
	FUZZ_CHECK(event == NL_EV_ORDER && error != NL_AGAIN && error != NL_ERATE);
	journaled++;
}

void nl_sha256_of(const void *data, size_t n, uint8_t hash[32])
{
	(void)data, (void)n;
	memset(hash, 0, 32);
	memcpy(hash, &(uint64_t){++made}, sizeof(uint64_t));
}

enum nl_err nl_check_step(struct nl_check *c)
{
	FUZZ_CHECK(c->role == NL_ROLE_OPERATOR && !strcmp(c->domain, NL_DOMAIN_ORDER) && c->signed_size <= c->size);
	c->count = n_signatures;
	if (c->signed_size == c->size)
		return NL_EUNSIGNED;
	if (c->hashed < c->signed_size) {
		c->hashed = c->signed_size;
		return NL_AGAIN;
	}
	if (c->checked >= c->count)
		return NL_OK;
	FUZZ_CHECK(!checked || tsc - last_signature > SECOND);
	checked = true;
	last_signature = tsc;
	c->n_known += c->checked++ < n_good;
	c->known = c->n_known;
	return NL_AGAIN;
}

enum nl_err nl_list_quorum(const struct nl_check *c, uint32_t needed, uint8_t key_id[32])
{
	(void)key_id;
	FUZZ_CHECK(needed == nl_boot.facts.policy.operators && c->checked >= c->count);
	return c->n_known < needed ? NL_EQUORUM : NL_OK;
}

/* What must be true of the one that was accepted: it answers the challenge that is out. */
static void accepted(const struct nl_order *o, struct nl_challenge *out, uint64_t since)
{
	if (o->kind == NL_ORDER_STANDING) {
		FUZZ_CHECK(nl_boot.standing.epoch == o->epoch);
		return;
	}
	FUZZ_CHECK(o->kind == NL_ORDER_NOW && !memcmp(o->challenge, out->challenge, 32) && n_good >= 2);
	FUZZ_CHECK(!memcmp(o->machine_id, nl_boot.facts.machine_id, 16) &&
	           !(o->flags & ~(uint32_t)(nl_order_commits(o) ? NL_ORDER_AGENTLESS : 0)) &&
	           o->confirm_ms <= (nl_order_commits(o) ? nl_boot.facts.policy.confirm_ms : 0));
	FUZZ_CHECK(nl_order_confirm_ms() == o->confirm_ms);
	FUZZ_CHECK(o->generation == UINT64_MAX || o->generation == generation.view.generation);
	FUZZ_CHECK(tsc - since <= 601 * SECOND);
	FUZZ_CHECK(!nl_order_waiting() == !nl_order_commits(o));
	if (o->what == NL_ORDER_FREEZE || o->what == NL_ORDER_RELEASE || o->what == NL_ORDER_STOP)
		FUZZ_CHECK(!nl_kept->frozen == (o->what == NL_ORDER_RELEASE));
	if (o->what == NL_ORDER_STOP)
		FUZZ_CHECK(nl_kept->frozen & NL_FROZEN_STOP);
	FUZZ_CHECK(!confirmed || o->what == NL_ORDER_CONFIRM);
	memset(out, 0xff, sizeof(*out)); /* never again */
}

static void present(struct fuzz *f, struct nl_challenge *out, uint64_t since)
{
	static union {
		struct nl_order order;
		uint8_t bytes[NL_ORDER_MAX_SIZE];
	} file;
	uint8_t how = fuzz_byte(f), times = fuzz_byte(f) % 8;
	uint64_t frozen = nl_kept->frozen;
	size_t n;
	uint8_t *p = fuzz_bytes(f, how & 1 ? sizeof(file) : sizeof(file.order) + 64, &n);

	n_good = how >> 1 & 3;
	n_signatures = n_good + (how >> 3 & 1);
	memcpy(&file, p, n);
	if (how & 16 && n >= sizeof(file.order)) { /* its address, and a head that can be read */
		memcpy(file.order.machine_id, out->machine_id, 64);
		file.order.head = (struct nl_record){NL_ORDER_MAGIC, NL_ORDER_VERSION, sizeof(file.order),
		                                     sizeof(struct nl_order_entry), file.order.head.count % 3};
		file.order.generation = how & 32 ? UINT64_MAX : generation.view.generation;
		file.order.reserved = file.order.epoch = file.order.build_id_len = 0;
		memset(file.order.build_id, 0, sizeof(file.order.build_id));
		file.order.kind = 1 + (file.order.kind & how >> 6);
		if (file.order.kind == NL_ORDER_STANDING) {
			memset(file.order.boot_id, 0, sizeof(file.order.boot_id));
			memset(file.order.challenge, 0, sizeof(file.order.challenge));
			file.order.what = NL_ORDER_SYNC;
			file.order.epoch = 1 + times;
			file.order.generation = 0;
		}
	}
	for (unsigned i = 0; i <= times; i++) {
		enum nl_err err;

		confirms = n >= sizeof(file.order) ? &file.order : NULL;
		confirmed = 0;
		err = nl_order_take(NL_ASKER_GUEST, &file.order, n);
		FUZZ_CHECK(!err || err == NL_EUNKNOWN_LEAF || !confirmed);
		if (err == NL_OK || err == NL_EUNKNOWN_LEAF) /* of a CONFIRM: it was accepted, and counts no more */
			accepted(&file.order, out, since);
		else
			FUZZ_CHECK(nl_kept->frozen == frozen);
		if (err != NL_AGAIN && err != NL_ERATE)
			break;
		tsc += err == NL_ERATE && how & 128 ? SECOND : 0;
	}
	free(p);
}

void fuzz_one(const uint8_t *bytes, size_t size)
{
	struct fuzz f = {bytes, size};
	struct nl_challenge out = {.generation = 0};
	const struct nl_order none = {.what = 0};
	uint64_t since = 0;

	tsc = 10 * SECOND;
	checked = false;
	generation.view.generation = 1;
	nl_boot.facts.policy =
	        (struct nl_policy){.operators = 2, .order_may = NL_ORDER_MAY_ALL, .deadline_ms = 1000, .confirm_ms = 5};
	nl_boot.facts.random = 1;
	memset(nl_boot.facts.machine_id, 7, 16);
	memset(nl_boot.facts.boot_id, 8, 16);
	memset(&out, 0xff, sizeof(out));
	nl_kept->frozen = nl_kept->frozen_at = nl_boot.standing.epoch = 0;
	(void)nl_order_take(NL_ASKER_GUEST, &none,
	                    sizeof(none)); /* nothing is read of what another input has presented */
	nl_order_forget();
	while (f.n) {
		uint8_t what = fuzz_byte(&f);
		uint32_t may;

		switch (what % 8) {
		case 0:
			FUZZ_CHECK(nl_order_challenge(NL_ASKER_GUEST, &out) == NL_OK);
			since = tsc;
			break;
		case 1:
			tsc += (what >> 3) * 30 * SECOND;
			break;
		case 2:
			tsc -= (what >> 3) * SECOND / 4;
			break;
		case 3:
			generation.view.generation++; /* by a commit */
			nl_order_made();
			FUZZ_CHECK(!nl_order_waiting());
			break;
		case 4:
			nl_order_forget();
			FUZZ_CHECK(!nl_order_waiting());
			memset(&out, 0xff, sizeof(out));
			break;
		case 5:
			may = nl_order_may(what >> 3, fuzz_byte(&f));
			FUZZ_CHECK(!may || nl_order_waiting());
			own(what >> 3);
			break;
		default:
			present(&f, &out, since);
		}
	}
}

void fuzz_seeds(void)
{
	struct {
		uint8_t course[4];
		struct nl_order o;
		uint8_t signatures[64];
	} __attribute__((packed))
	s = {.course = {0, 6, 0x94, 7},
	     .o = {.head = {NL_ORDER_MAGIC, NL_ORDER_VERSION, sizeof(s.o), sizeof(struct nl_order_entry), 0},
	           .kind = NL_ORDER_NOW}};

	for (uint32_t what = 1; what < NL_ORDER_VERBS; what++) {
		s.o.what = what;
		s.o.deadline_ms = what <= NL_ORDER_REVERT ? 1000 : 0;
		fuzz_seed(&s, sizeof(s));
	}
}
