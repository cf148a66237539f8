// SPDX-License-Identifier: Apache-2.0
/* See order_fixture.h. */
#include "order_fixture.h"
#include "commit/order.h"
#include "core/core.h"
#include "core/kept.h"
#include "core/sha256.h"
#include "exits/own.h"
#include <insn.h>

unsigned signatures, hashes;
size_t longest_hash;

int __real_crypto_sign_ed25519_verify_detached(const unsigned char *, const unsigned char *, unsigned long long,
                                               const unsigned char *);
int __wrap_crypto_sign_ed25519_verify_detached(const unsigned char *, const unsigned char *, unsigned long long,
                                               const unsigned char *);
int __wrap_crypto_sign_ed25519_verify_detached(const unsigned char *s, const unsigned char *of, unsigned long long n,
                                               const unsigned char *key)
{
	signatures++;
	return __real_crypto_sign_ed25519_verify_detached(s, of, n, key);
}

void __real_nl_sha256_update(struct nl_sha256 *, const void *, size_t);
void __wrap_nl_sha256_update(struct nl_sha256 *, const void *, size_t);
void __wrap_nl_sha256_update(struct nl_sha256 *c, const void *data, size_t n)
{
	hashes++;
	longest_hash = n > longest_hash ? n : longest_hash;
	__real_nl_sha256_update(c, data, n);
}

struct order order;
size_t order_size;
struct nl_challenge challenge;
unsigned one, second, author;
uint8_t alpha[32], beta[32]; /* leaves */

enum nl_err ask(void)
{
	enum nl_err err = call(NL_CALL_CHALLENGE, FG_USER, sizeof(challenge), 0, 0);

	memcpy(&challenge, fg_user(FG_USER), sizeof(challenge));
	return err;
}

void make(enum nl_order_what what)
{
	memset(&order, 0, sizeof(order));
	order.o = (struct nl_order){
	        .head = {NL_ORDER_MAGIC, NL_ORDER_VERSION, sizeof(order.o), sizeof(order.entries[0]), 0},
	        .what = what,
	        .kind = NL_ORDER_NOW,
	        .generation = challenge.generation,
	        .deadline_ms = what <= NL_ORDER_REVERT ? 1000 : 0};
	memcpy(order.o.machine_id, challenge.machine_id, 16);
	memcpy(order.o.boot_id, challenge.boot_id, 16);
	memcpy(order.o.challenge, challenge.challenge, 32);
}

void add(const uint8_t leaf[32])
{
	struct nl_order_entry *e = &order.entries[order.o.head.count++], swap;

	*e = (struct nl_order_entry){.what = NL_ORDER_LEAF};
	memcpy(e->name, leaf, 32);
	for (; e > order.entries && memcmp(e - 1, e, sizeof(*e)) > 0; e--) {
		swap = e[-1];
		e[-1] = e[0];
		e[0] = swap;
	}
}

void sign_by(const unsigned *by, unsigned n)
{
	size_t size = nl_order_signed_size(&order.o);

	make_domain = NL_DOMAIN_ORDER;
	memset((uint8_t *)&order + size, 0, sizeof(order) - size);
	order_size = make_sign_by((uint8_t *)&order, size, by, n);
	make_domain = NL_DOMAIN_LEAF;
}

void sign(void) { sign_by((unsigned[]){one, second}, 2); }

enum nl_err present(void)
{
	memcpy(fg_user(FG_USER), &order, order_size);
	return call(NL_CALL_ORDER, FG_USER, order_size, 0, 0);
}

enum nl_err carry(void)
{
	enum nl_err err;

	while ((err = present()) == NL_AGAIN || err == NL_ERATE)
		seam_tsc += err == NL_ERATE ? SECOND + 1 : 0;
	return err;
}

enum nl_err ordered(enum nl_order_what what, const uint8_t *leaf)
{
	assert_int_equal(ask(), NL_OK);
	make(what);
	if (leaf)
		add(leaf);
	sign();
	return carry();
}

/* As an author's tool knows it: without asking anybody. */
static void leaf_name(const char *id, uint64_t at, uint8_t sha[32])
{
	leaf_rodata(id, at, 0x11);
	nl_sha256_of(file, make_write(&m, file), sha);
}

enum nl_err bring(const char *id, uint64_t at)
{
	uint8_t sha[32];

	leaf_rodata(id, at, 0x11);
	return verify_leaf(sha);
}

enum nl_err apply(const uint8_t leaf[32]) { return commit((const uint8_t(*)[32])leaf, 1); }

int begin(void **state)
{
	setup(state);
	one = make_key(&nl_boot.keys[1], "first", NL_ROLE_OPERATOR);
	second = make_key(&nl_boot.keys[2], "second", NL_ROLE_OPERATOR);
	author = make_key(&nl_boot.keys[0], "demo", NL_ROLE_AUTHOR); /* the last one: it signs leaves */
	nl_boot.facts.n_keys = 3;
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_NONE;
	nl_boot.facts.policy.operators = 2;
	nl_boot.facts.policy.order_may = NL_ORDER_MAY_ALL;
	nl_boot.facts.policy.confirm_ms = 1000;
	nl_boot.facts.random = 1;
	memset(nl_boot.secret, 3, sizeof(nl_boot.secret));
	memset(nl_boot.facts.machine_id, 7, sizeof(nl_boot.facts.machine_id));
	memset(nl_boot.facts.boot_id, 8, sizeof(nl_boot.facts.boot_id));
	seam_tsc += 2 * SECOND;
	nl_order_forget();
	leaf_name("alpha", DATA_SITE, alpha);
	leaf_name("beta", DATA_SITE + 64, beta);
	assert_int_equal(ask(), NL_OK);
	signatures = hashes = 0;
	longest_hash = 0;
	return 0;
}

void refused(enum nl_err err)
{
	assert_int_equal(carry(), err);
	assert_int_equal(nl_kept->frozen, 0);
	assert_null(nl_order_waiting());
}

void stands_at(uint64_t rip)
{
	uint64_t task, *stack;

	seam_tsc_step = 1000; /* it waits between tries */
	task = fg_task("stopped", 0, 8, &stack);
	fg_task_on_cpu(task, true);
	fg_current(0, task);
	fg.cpus[0].gprs.rsp = FG_DIRECT + (uint64_t)((uint8_t *)stack - fg.ram);
	fg.ctx.cpl = 0;
	fg.ctx.rip = rip;
	while (nl_own_due != UINT64_MAX) /* what a case before has left */
		nl_own_commit(&fg.cpus[0]);
}
