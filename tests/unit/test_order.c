// SPDX-License-Identifier: Apache-2.0
// sources: hv/leaf/order.c tools/author/order.c hv/leaf/signature.c hv/core/sha256.c hv/core/sodium.c
// sources: tests/unit/makeleaf.c
// libs: -lcrypto
// cflags: -Itools/author
/*
 * Signed orders: what is one, what it is bound to, who must have signed it. Files lie in memory of exactly their size.
 */
#include "host.h"
#include "leaf/signature.h"
#include <newleaf/kept.h>
#include "makeleaf.h"
#include "order.h"

static struct {
	struct nl_order o;
	struct nl_order_entry entries[NL_ORDER_MAX_ENTRIES + 1];
	uint8_t signatures[1024];
} file;
static size_t file_size;
static struct nl_key keys[4];
static unsigned first, second, author;
static struct nl_challenge out;
static struct nl_policy allows;
static struct nl_order_here here;

static void fill(void *p, size_t n, uint8_t with) { memset(p, with, n); }

static void now(enum nl_order_what what)
{
	memset(&file, 0, sizeof(file));
	file.o = (struct nl_order){
	        .head = {NL_ORDER_MAGIC, NL_ORDER_VERSION, sizeof(file.o), sizeof(file.entries[0]), 0},
	        .what = what,
	        .kind = NL_ORDER_NOW,
	        .generation = 5,
	        .deadline_ms = what <= NL_ORDER_REVERT ? 1000 : 0};
	fill(file.o.machine_id, sizeof(file.o.machine_id), 1);
	fill(file.o.boot_id, sizeof(file.o.boot_id), 2);
	fill(file.o.challenge, sizeof(file.o.challenge), 3);
}

static void standing(uint64_t epoch)
{
	now(NL_ORDER_SYNC);
	file.o.kind = NL_ORDER_STANDING;
	file.o.epoch = epoch;
	file.o.generation = 0;
	fill(file.o.boot_id, sizeof(file.o.boot_id), 0);
	fill(file.o.challenge, sizeof(file.o.challenge), 0);
}

static struct nl_order_entry *add(enum nl_order_entry_what what, uint8_t name)
{
	struct nl_order_entry *e = &file.entries[file.o.head.count++];

	*e = (struct nl_order_entry){.what = what, .role = what == NL_ORDER_TRUST ? NL_ROLE_OPERATOR : 0};
	fill(e->name, sizeof(e->name), name);
	return e;
}

static int start(void **state)
{
	(void)state;
	memset(keys, 0, sizeof(keys));
	first = make_key(&keys[0], "first", NL_ROLE_OPERATOR);
	second = make_key(&keys[1], "second", NL_ROLE_OPERATOR | NL_ROLE_AUTHOR);
	author = make_key(&keys[2], "author", NL_ROLE_AUTHOR | NL_ROLE_REVOKE);
	make_domain = NL_DOMAIN_ORDER;
	out = (struct nl_challenge){.generation = 5};
	fill(out.machine_id, sizeof(out.machine_id), 1);
	fill(out.boot_id, sizeof(out.boot_id), 2);
	fill(out.challenge, sizeof(out.challenge), 3);
	allows = (struct nl_policy){
	        .operators = 1, .order_may = NL_ORDER_MAY_ALL, .deadline_ms = 1000, .confirm_ms = 60000};
	here = (struct nl_order_here){.address = &out, .policy = &allows, .epoch = 7};
	now(NL_ORDER_APPLY);
	add(NL_ORDER_LEAF, 9);
	return 0;
}

static void *copy(const void *from, size_t size)
{
	void *p = malloc(size ? size : 1);

	memcpy(p, from, size);
	return p;
}

static enum nl_err form_of(size_t size)
{
	void *p = copy(&file, size);
	enum nl_err err = nl_order_form(p, size);

	free(p);
	return err;
}

static enum nl_err form(void) { return form_of(nl_order_signed_size(&file.o)); }

static void lawful(void **state)
{
	(void)state;
	assert_int_equal(form(), NL_OK);
	for (unsigned what = NL_ORDER_SYNC; what < NL_ORDER_VERBS; what++) {
		now(what);
		assert_int_equal(form(), what == NL_ORDER_APPLY || what == NL_ORDER_REVERT || what == NL_ORDER_CONFIRM
		                                 ? NL_EORDER
		                                 : NL_OK);
		add(NL_ORDER_LEAF, 9);
		assert_int_equal(form(), what <= NL_ORDER_REVERT || what == NL_ORDER_CONFIRM ? NL_OK : NL_EORDER);
	}
	standing(1);
	assert_int_equal(form(), NL_OK);
	file.o.flags = NL_ORDER_AGENTLESS | NL_ORDER_FROZEN;
	file.o.build_id_len = 20;
	fill(file.o.build_id, 20, 4);
	for (uint8_t i = 1; i <= NL_MAX_LEAVES; i++)
		add(NL_ORDER_LEAF, i);
	for (uint8_t i = 1; i <= NL_ORDER_MAX_KEYS; i++)
		add(i <= 8 ? NL_ORDER_TRUST : NL_ORDER_DISTRUST, i);
	assert_int_equal(form(), NL_OK);
	struct nl_order_entry *e = &file.entries[NL_MAX_LEAVES]; /* one leaf too many, one key too few */
	*e = (struct nl_order_entry){.what = NL_ORDER_LEAF};
	fill(e->name, 32, 200);
	assert_int_equal(form(), NL_EORDER);
	*e = (struct nl_order_entry){.what = NL_ORDER_TRUST, .role = NL_ROLE_OPERATOR};
	fill(e->name, 32, 1);
	assert_int_equal(form(), NL_OK);
	*--e = (struct nl_order_entry){
	        .what = NL_ORDER_TRUST, .role = NL_ROLE_OPERATOR, .name = {1}}; /* and vice versa */
	assert_int_equal(form(), NL_EORDER);
}

/* Each change of a lawful order that makes it none. */
static void unlawful(void **state)
{
	(void)state;
#define REFUSED(...) \
	do { \
		start(NULL); \
		__VA_ARGS__; \
		assert_int_equal(form(), NL_EORDER); \
	} while (0)
#define REFUSED_STANDING(...) \
	do { \
		standing(7); \
		add(NL_ORDER_LEAF, 9); \
		assert_int_equal(form(), NL_OK); \
		__VA_ARGS__; \
		assert_int_equal(form(), NL_EORDER); \
	} while (0)
	REFUSED(file.o.head.magic++);
	REFUSED(file.o.head.head_size -= 8);
	REFUSED(file.o.head.head_size += 8; file.o.head.count = 0);
	REFUSED(file.o.head.record_size += 8; add(NL_ORDER_LEAF, 1); file.o.head.count--);
	REFUSED(now(NL_ORDER_FREEZE); file.o.head.record_size += 8);
	REFUSED(file.o.what = 0);
	REFUSED(file.o.what = NL_ORDER_VERBS);
	REFUSED(file.o.kind = 0);
	REFUSED(file.o.kind = 3);
	REFUSED(file.o.flags = 4);
	REFUSED(file.o.flags = NL_ORDER_FROZEN);
	REFUSED(file.o.deadline_ms = 0);
	REFUSED(file.o.deadline_ms = NL_ORDER_MAX_DEADLINE_MS + 1);
	REFUSED(file.o.confirm_ms = NL_ORDER_MAX_CONFIRM_MS + 1);
	REFUSED(file.o.reserved = 1);
	REFUSED(fill(file.o.machine_id, 16, 0));
	REFUSED(fill(file.o.boot_id, 16, 0));
	REFUSED(fill(file.o.challenge, 32, 0));
	REFUSED(file.o.epoch = 1);
	REFUSED(file.o.build_id_len = 20; fill(file.o.build_id, 20, 1));
	REFUSED(file.o.build_id[31] = 1);
	REFUSED(file.entries[0].what = 0);
	REFUSED(file.entries[0].what = 4);
	REFUSED(file.entries[0].role = NL_ROLE_OPERATOR);
	REFUSED(fill(file.entries[0].name, 32, 0));
	REFUSED(add(NL_ORDER_LEAF, 9));
	REFUSED(add(NL_ORDER_LEAF, 8)); /* they ascend */
	REFUSED(add(NL_ORDER_TRUST, 8));
	REFUSED(now(NL_ORDER_FREEZE); file.o.deadline_ms = 1);
	REFUSED(now(NL_ORDER_STOP); file.o.flags = NL_ORDER_AGENTLESS);
	REFUSED(now(NL_ORDER_CONFIRM); file.o.confirm_ms = 1);
	REFUSED_STANDING(file.o.what = NL_ORDER_APPLY);
	REFUSED_STANDING(file.o.what = NL_ORDER_STOP; file.o.deadline_ms = 0; file.o.head.count = 0);
	REFUSED_STANDING(file.o.epoch = 0);
	REFUSED_STANDING(file.o.epoch = NL_ORDER_MAX_EPOCH + 1);
	REFUSED_STANDING(file.o.generation = 1);
	REFUSED_STANDING(file.o.boot_id[15] = 1);
	REFUSED_STANDING(file.o.challenge[31] = 1);
	REFUSED_STANDING(file.o.build_id_len = 7; fill(file.o.build_id, 7, 1));
	REFUSED_STANDING(file.o.build_id_len = 33);
	REFUSED_STANDING(file.o.build_id_len = UINT32_MAX);
	REFUSED_STANDING(file.o.flags = 4);
	REFUSED_STANDING(add(NL_ORDER_DISTRUST, 8); add(NL_ORDER_TRUST, 9));
	REFUSED_STANDING(add(NL_ORDER_TRUST, 8)->role = NL_ROLE_AUTHOR);
	REFUSED_STANDING(add(NL_ORDER_TRUST, 8)->role = NL_ROLE_OPERATOR | NL_ROLE_REVOKE);
	start(NULL);
	file.o.head.version++;
	assert_int_equal(form(), NL_ENEWER);
	start(NULL);
	uint8_t *page = calloc(1, NL_ORDER_MAX_SIZE + 1);
	memcpy(page, &file, nl_order_signed_size(&file.o));
	assert_int_equal(nl_order_form(page, NL_ORDER_MAX_SIZE), NL_OK);
	assert_int_equal(nl_order_form(page, NL_ORDER_MAX_SIZE + 1), NL_EORDER);
	free(page);
}

static void sign(const unsigned *by, unsigned n)
{
	size_t signed_size = nl_order_signed_size(&file.o);

	memset((uint8_t *)&file + signed_size, 0, sizeof(file) - signed_size);
	file_size = make_sign_by((uint8_t *)&file, signed_size, by, n);
}

static uint32_t good;

static enum nl_err signed_by(uint32_t needed)
{
	void *p = copy(&file, file_size);
	enum nl_err err = order_signed(p, file_size, keys, 3, needed, &good);

	free(p);
	return err;
}

static void who_signs(void **state)
{
	(void)state;
	sign(&first, 1);
	assert_int_equal(signed_by(1), NL_OK);
	assert_int_equal(signed_by(2), NL_EQUORUM);
	assert_int_equal(good, 1);
	sign((unsigned[]){first, first}, 2); /* one key twice is one */
	assert_int_equal(signed_by(2), NL_EQUORUM);
	sign((unsigned[]){first, author}, 2);
	assert_int_equal(signed_by(2), NL_EQUORUM);
	sign((unsigned[]){second, author, first}, 3);
	assert_int_equal(signed_by(2), NL_OK);
	assert_int_equal(good, 2);
	sign(&author, 1);
	assert_int_equal(signed_by(1), NL_EKEY);
	keys[0].role = 0; /* revoked */
	sign(&first, 1);
	assert_int_equal(signed_by(1), NL_EKEY);
	file_size = nl_order_signed_size(&file.o);
	assert_int_equal(signed_by(1), NL_EUNSIGNED);
	file_size += 8;
	assert_int_equal(signed_by(1), NL_EORDER);
}

/* What was signed as a list or as a leaf is no order, and a bad signature beside good ones is not passed over. */
static void other_domains(void **state)
{
	static const char *const domains[] = {NL_DOMAIN_LEAF, NL_DOMAIN_LIST, NL_DOMAIN_STATUS, "newleaf orders"};

	(void)state;
	for (unsigned i = 0; i < NL_ARRAY_SIZE(domains); i++) {
		make_domain = domains[i];
		sign(&first, 1);
		assert_int_equal(signed_by(1), NL_ESIGNATURE);
	}
	make_domain = NL_DOMAIN_ORDER;
	sign((unsigned[]){first, second}, 2);
	((uint8_t *)&file)[file_size - 1] ^= 1;
	assert_int_equal(signed_by(1), NL_ESIGNATURE);
}

static void every_truncation_and_every_bit(void **state)
{
	(void)state;
	sign((unsigned[]){first, second}, 2);
	for (size_t n = 0; n < nl_order_signed_size(&file.o); n++)
		assert_int_equal(form_of(n), NL_EORDER);
	for (size_t all = file_size; file_size-- > nl_order_signed_size(&file.o);)
		assert_true(form_of(file_size) == NL_OK && signed_by(2) != NL_OK && file_size < all);
	sign((unsigned[]){first, second}, 2);
	for (size_t bit = 0; bit < 8 * file_size; bit++) {
		((uint8_t *)&file)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_true(form_of(file_size) != NL_OK || signed_by(2) != NL_OK);
		((uint8_t *)&file)[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_true(form_of(file_size) == NL_OK && signed_by(2) == NL_OK);
}

static enum nl_err bound(void) { return nl_order_bound(&file.o, &here); }

static void what_it_is_bound_to(void **state)
{
	(void)state;
	assert_int_equal(bound(), NL_OK);
	out.machine_id[15] ^= 0x80;
	assert_int_equal(bound(), NL_EMACHINEID);
	start(NULL);
	out.boot_id[0] ^= 1;
	assert_int_equal(bound(), NL_EBOOTID);
	start(NULL);
	out.challenge[31] ^= 1;
	assert_int_equal(bound(), NL_ECHALLENGE);
	start(NULL);
	fill(out.challenge, sizeof(out.challenge), 0); /* spent: a replay */
	assert_int_equal(bound(), NL_ECHALLENGE);
	start(NULL);
	out.generation = 6;
	assert_int_equal(bound(), NL_EGENERATION);
	file.o.generation = UINT64_MAX;
	assert_int_equal(bound(), NL_OK);
}

static void epochs(void **state)
{
	(void)state;
	standing(6);
	assert_int_equal(bound(), NL_EEPOCH);
	standing(8);
	assert_int_equal(bound(), NL_OK);
	standing(7); /* again at each boot */
	assert_int_equal(bound(), NL_OK);
	out.boot_id[0] ^= 1; /* nothing to a standing one, nor a challenge or a generation */
	fill(out.challenge, sizeof(out.challenge), 0);
	out.generation++;
	assert_int_equal(bound(), NL_OK);
	out.machine_id[0] ^= 1;
	assert_int_equal(bound(), NL_EMACHINEID);
}

static void policy(void **state)
{
	(void)state;
	allows.order_may &= ~(uint32_t)NL_ORDER_MAY_NOW;
	assert_int_equal(bound(), NL_EPOLICY);
	standing(8);
	assert_int_equal(bound(), NL_OK);
	allows.order_may &= ~(uint32_t)NL_ORDER_MAY_KEYS;
	assert_int_equal(bound(), NL_OK);
	add(NL_ORDER_DISTRUST, 1);
	assert_int_equal(bound(), NL_EPOLICY);
	start(NULL);
	file.o.flags = NL_ORDER_AGENTLESS;
	assert_int_equal(bound(), NL_OK);
	allows.order_may &= ~(uint32_t)NL_ORDER_MAY_AGENTLESS;
	assert_int_equal(bound(), NL_EPOLICY);
	start(NULL);
	file.o.deadline_ms = 1001;
	assert_int_equal(bound(), NL_EPOLICY);
	start(NULL);
	file.o.confirm_ms = 60001;
	assert_int_equal(bound(), NL_EPOLICY);
	start(NULL);
	allows.operators = 0;
	assert_int_equal(bound(), NL_EPOLICY);
	allows.order_may = 0; /* a wrong address is told first: the same answer whatever the policy */
	out.challenge[0] ^= 1;
	assert_int_equal(bound(), NL_ECHALLENGE);
}

static void frozen(void **state)
{
	(void)state;
	for (here.frozen = NL_FROZEN_NOW; here.frozen <= (NL_FROZEN_NOW | NL_FROZEN_STANDING); here.frozen++) {
		for (unsigned what = NL_ORDER_SYNC; what < NL_ORDER_VERBS; what++) {
			now(what);
			assert_int_equal(bound(), what <= NL_ORDER_REVERT ? NL_EFROZEN : NL_OK);
		}
		standing(8); /* takes the place of one that froze it, and not of an order NOW */
		assert_int_equal(bound(), here.frozen == NL_FROZEN_STANDING ? NL_OK : NL_EFROZEN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(lawful, start),
	        cmocka_unit_test_setup(unlawful, start),
	        cmocka_unit_test_setup(who_signs, start),
	        cmocka_unit_test_setup(other_domains, start),
	        cmocka_unit_test_setup(every_truncation_and_every_bit, start),
	        cmocka_unit_test_setup(what_it_is_bound_to, start),
	        cmocka_unit_test_setup(epochs, start),
	        cmocka_unit_test_setup(policy, start),
	        cmocka_unit_test_setup(frozen, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
