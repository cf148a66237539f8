// SPDX-License-Identifier: Apache-2.0
// sources: hv/leaf/list.c hv/leaf/floor.c hv/core/kept.c hv/leaf/signature.c hv/core/sha256.c hv/core/sodium.c
// sources: hv/leaf/leaf.c hv/guest/linux/target.c tests/unit/makeleaf.c
// libs: -lcrypto
/*
 * The signed list: taken whole or not at all, and what it bars. Files lie in memory of exactly their size.
 */
#include "host.h"
#include "core/kept.h"
#include "leaf/floor.h"
#include "leaf/list.h"
#include "leaf/signature.h"
#include "makeleaf.h"

enum { ENTRIES = NL_LIST_MAX_ENTRIES };
static struct {
	struct nl_list head;
	struct nl_list_entry entries[ENTRIES];
	uint8_t signatures[1024];
} file;
static size_t signed_size, file_size;
static unsigned author, revoker;
static void *kept_file; /* that was taken last */
static const uint8_t leaf[32] = {1, 2, 3}, other[32] = {1, 2, 4};
static const char alpha[NL_LEAF_ID_LEN] = "alpha", beta[NL_LEAF_ID_LEN] = "beta";

static int start(void **state)
{
	(void)state;
	memset(&nl_boot, 0, sizeof(nl_boot));
	memset(nl_kept, 0, sizeof(*nl_kept));
	memset(&file, 0, sizeof(file));
	author = make_key(&nl_boot.keys[0], "author", NL_ROLE_AUTHOR);
	revoker = make_key(&nl_boot.keys[1], "revoker", NL_ROLE_REVOKE);
	nl_boot.facts.n_keys = 2;
	make_domain = NL_DOMAIN_LIST;
	file.head.head = (struct nl_record){NL_LIST_MAGIC, 1, sizeof(file.head), sizeof(file.entries[0]), 0};
	file.head.sequence = 7;
	return 0;
}

static void add(enum nl_list_what what, const void *name, size_t n, uint32_t version)
{
	struct nl_list_entry *e = &file.entries[file.head.head.count++];

	e->what = what;
	e->version = version;
	memcpy(e->name, name, n);
}

static void sign(unsigned by)
{
	signed_size = nl_list_signed_size(&file.head);
	memset((uint8_t *)&file + signed_size, 0, sizeof(file) - signed_size);
	file_size = make_sign_by((uint8_t *)&file, signed_size, &by, 1);
}

static enum nl_err take_bytes(const void *from, size_t size, uint64_t known)
{
	free(kept_file);
	kept_file = malloc(size ? size : 1);
	memcpy(kept_file, from, size);
	return nl_list_take(kept_file, size, known);
}

static enum nl_err take(uint64_t known) { return take_bytes(&file, file_size, known); }

/* Nothing of the list counts. */
static void nothing_counts(void)
{
	assert_int_equal(nl_list_sequence(), 0);
	assert_int_equal(nl_list_bars(leaf, false), NL_ELIST);
	assert_int_equal(nl_list_floor(alpha), 0);
	assert_int_equal(nl_boot.keys[0].role, NL_ROLE_AUTHOR);
}

static void fill(void)
{
	uint8_t id[32];

	nl_key_id(nl_boot.keys[0].key, id);
	add(NL_LIST_LEAF, leaf, sizeof(leaf), 0);
	add(NL_LIST_FLOOR, alpha, sizeof(alpha), 4);
	add(NL_LIST_KEY, id, sizeof(id), 0);
	sign(revoker);
}

/* What a file that nobody whom we know signed is refused as, by the key of its first signature. */
static void by(const uint8_t id[32], const uint8_t key[32], enum nl_err err)
{
	struct {
		struct nl_signatures head;
		struct nl_signature first;
	} s = {.first = {{0}, {0}}};
	struct nl_check c = {.file = &s};
	uint8_t whose[32];

	memcpy(s.first.key, key, sizeof(s.first.key));
	assert_int_equal(nl_list_quorum(&c, 1, whose), err);
	assert_int_equal(memcmp(whose, id, 32) == 0, err == NL_EKEYREVOKED);
}

static void what_a_list_does(void **state)
{
	uint8_t id[32];

	(void)state;
	nl_key_id(nl_boot.keys[0].key, id);
	fill();
	assert_int_equal(take(0), NL_OK);
	assert_int_equal(nl_list_sequence(), 7);
	assert_int_equal(nl_list_error(), NL_OK);
	assert_int_equal(nl_list_bars(leaf, false), NL_EREVOKED);
	assert_int_equal(nl_list_bars(other, false), NL_OK);
	assert_int_equal(nl_list_floor(alpha), 4);
	assert_int_equal(nl_list_floor(beta), 0);
	assert_int_equal(nl_boot.keys[0].role, 0);
	assert_int_equal(nl_boot.keys[1].role, NL_ROLE_REVOKE);
	by(id, nl_boot.keys[0].key, NL_EKEYREVOKED);
	by(id, nl_boot.keys[1].key, NL_EKEY); /* nobody told us that it counts */
}

static void sequences(void **state)
{
	(void)state;
	fill();
	assert_int_equal(take(7), NL_OK);
	start(NULL);
	fill();
	assert_int_equal(take(8), NL_ELISTOLD);
	nothing_counts();
	file.head.sequence = 0;
	sign(revoker);
	assert_int_equal(take(0), NL_ELISTOLD);
	nothing_counts();
}

static void no_list(void **state)
{
	(void)state;
	assert_int_equal(nl_list_take(NULL, 0, 0), NL_NOTHING);
	assert_int_equal(nl_list_bars(leaf, false), NL_OK);
	assert_int_equal(nl_list_take(NULL, 0, 1), NL_ELISTGONE);
	nothing_counts();
	nl_boot.facts.policy.without_list = NL_WITHOUT_LIST_GO_ON;
	assert_int_equal(nl_list_bars(leaf, false), NL_OK);
}

static void who_may_sign(void **state)
{
	struct nl_key stranger;
	unsigned by;

	(void)state;
	fill();
	sign(author);
	assert_int_equal(take(0), NL_EKEY);
	nothing_counts();
	by = make_key(&stranger, "stranger", NL_ROLE_REVOKE);
	sign(by);
	assert_int_equal(take(0), NL_EKEY);
	nothing_counts();
	assert_int_equal(take_bytes(&file, signed_size, 0), NL_EUNSIGNED);
	nothing_counts();
	make_domain = NL_DOMAIN_LEAF; /* what was signed as a leaf is no list */
	sign(revoker);
	assert_int_equal(take(0), NL_ESIGNATURE);
	nothing_counts();
}

static void cut_or_changed(void **state)
{
	(void)state;
	fill();
	for (size_t cut = 1; cut < file_size; cut++) {
		assert_int_not_equal(take_bytes(&file, cut, 0), NL_OK);
		nothing_counts();
	}
	for (size_t bit = 0; bit < 8 * file_size; bit += 3) {
		((uint8_t *)&file)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_not_equal(take(0), NL_OK);
		nothing_counts();
		((uint8_t *)&file)[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(take(0), NL_OK);
}

/* Signed, and yet not to be understood. */
static void what_is_not_known(void **state)
{
	(void)state;
	fill();
	file.entries[2].what = NL_LIST_PARDON + 1;
	sign(revoker);
	assert_int_equal(take(0), NL_ENEWER);
	nothing_counts();
	file.entries[2].what = 0;
	sign(revoker);
	assert_int_equal(take(0), NL_ENEWER);
	nothing_counts();
	file.entries[2].what = NL_LIST_PARDON;
	memset(file.entries[1].name, 'a', sizeof(file.entries[1].name)); /* no end */
	sign(revoker);
	assert_int_equal(take(0), NL_ERECORD);
	nothing_counts();
	memset(file.entries[1].name, 0, sizeof(file.entries[1].name));
	sign(revoker);
	assert_int_equal(take(0), NL_ERECORD);
	memcpy(file.entries[1].name, "alpha\0x", 7); /* looks like a floor of alpha and would match nothing */
	sign(revoker);
	assert_int_equal(take(0), NL_ERECORD);
	nothing_counts();
	nl_boot.facts.policy.without_list = 3; /* what is not known is not taken for "go on" */
	assert_int_equal(nl_list_bars(leaf, false), NL_ELIST);
	nl_boot.facts.policy.without_list = NL_WITHOUT_LIST_NO_LEAF;
	memcpy(file.entries[1].name, alpha, sizeof(alpha));
	file.head.sequence = NL_LIST_MAX_SEQUENCE + 1;
	sign(revoker);
	assert_int_equal(take(0), NL_ERECORD);
	file.head.head.version = 2;
	sign(revoker);
	assert_int_equal(take(0), NL_ENEWER);
	nothing_counts();
}

/* As many as a list may hold: they are in nobody's way. */
static void many_floors(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ENTRIES; i++) {
		char id[NL_LEAF_ID_LEN] = "";

		snprintf(id, sizeof(id), "leaf-%u", i);
		add(NL_LIST_FLOOR, id, sizeof(id), i + 1);
	}
	sign(revoker);
	assert_int_equal(take(0), NL_OK);
	for (unsigned i = 0; i < ENTRIES; i++)
		assert_int_equal(nl_list_floor((const char *)file.entries[i].name), i + 1);
	assert_int_equal(nl_list_floor(alpha), 0);
	assert_int_equal(nl_floor_room(), NL_MAX_FLOORS);
}

/* A list that asks for less takes the place of one that asked for too much; what was applied here stays a floor. */
static void a_later_list_lowers(void **state)
{
	(void)state;
	nl_floor_raise(beta, 3);
	add(NL_LIST_FLOOR, alpha, sizeof(alpha), 1000);
	add(NL_LIST_FLOOR, alpha, sizeof(alpha), 5);
	add(NL_LIST_FLOOR, beta, sizeof(beta), 4);
	sign(revoker);
	assert_int_equal(take(0), NL_OK);
	assert_int_equal(nl_list_floor(alpha), 1000);
	assert_int_equal(nl_list_floor(beta), 4);
	file.head.sequence++; /* a warm reset, and a later list */
	file.entries[0].version = 2;
	memcpy(file.entries[1].name, beta, sizeof(beta));
	file.entries[1].version = 1;
	file.head.head.count = 2;
	sign(revoker);
	assert_int_equal(take(7), NL_OK);
	assert_int_equal(nl_list_floor(alpha), 2);
	assert_int_equal(nl_list_floor(beta), 3);
	assert_int_equal(nl_floor_of(alpha), 0);
	assert_int_equal(nl_list_take(NULL, 0, 8), NL_ELISTGONE);
	assert_int_equal(nl_list_floor(alpha), 0);
	assert_int_equal(nl_list_floor(beta), 3);
}

/* Who is revoked signs no later list either, and this is remembered of him. Not so who has signed that list: it
 * must be good at the next boot, too. */
static void revoked_revokers(void **state)
{
	unsigned by[2] = {revoker, make_key(&nl_boot.keys[2], "lost", NL_ROLE_REVOKE | NL_ROLE_AUTHOR)};
	uint8_t ids[3][32];

	(void)state;
	nl_boot.facts.n_keys = 3;
	for (unsigned i = 0; i < 3; i++) {
		nl_key_id(nl_boot.keys[i].key, ids[i]);
		add(NL_LIST_KEY, ids[i], 32, 0);
	}
	sign(revoker);
	assert_int_equal(take(0), NL_OK);
	for (unsigned i = 0; i < 3; i++) /* neither the signer nor who never signed lists */
		assert_int_equal(nl_boot.keys[i].role, i == 2 ? NL_KEY_LOST(NL_ROLE_REVOKE) : 0);
	nl_boot.keys[1].role = nl_boot.keys[2].role = NL_ROLE_REVOKE;
	file_size = make_sign_by((uint8_t *)&file, signed_size, by, 2);
	assert_int_equal(take(0), NL_OK);
	assert_int_equal(nl_boot.keys[1].role | nl_boot.keys[2].role, 0);
	nl_boot.keys[1].role = nl_boot.keys[2].role = NL_ROLE_REVOKE;
	sign(author);
	assert_int_equal(take(0), NL_EKEY);
	assert_int_equal(nl_boot.keys[2].role, NL_ROLE_REVOKE);
}

static void lock_outs_and_pardons(void **state)
{
	(void)state;
	assert_int_equal(nl_list_take(NULL, 0, 0), NL_NOTHING);
	nl_lock_out(nl_kept->lockouts, leaf, NL_LOCKOUT_PANIC);
	assert_int_equal(nl_list_bars(leaf, false), NL_ELOCKEDOUT);
	assert_int_equal(nl_list_bars(other, false), NL_OK);
	add(NL_LIST_PARDON, leaf, sizeof(leaf), 0);
	sign(revoker);
	assert_int_equal(take(0), NL_OK);
	assert_int_equal(nl_list_bars(leaf, false), NL_OK);
	add(NL_LIST_LEAF, leaf, sizeof(leaf), 0); /* no pardon from that */
	sign(revoker);
	assert_int_equal(take(0), NL_OK);
	assert_int_equal(nl_list_bars(leaf, false), NL_EREVOKED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(what_a_list_does, start), cmocka_unit_test_setup(sequences, start),
	        cmocka_unit_test_setup(no_list, start),          cmocka_unit_test_setup(who_may_sign, start),
	        cmocka_unit_test_setup(cut_or_changed, start),   cmocka_unit_test_setup(what_is_not_known, start),
	        cmocka_unit_test_setup(many_floors, start),      cmocka_unit_test_setup(a_later_list_lowers, start),
	        cmocka_unit_test_setup(revoked_revokers, start), cmocka_unit_test_setup(lock_outs_and_pardons, start),
	};
	int failed = cmocka_run_group_tests_name("list", tests, NULL, NULL);

	free(kept_file);
	return failed;
}
