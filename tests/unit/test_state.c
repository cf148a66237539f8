// SPDX-License-Identifier: Apache-2.0
/*
 * What a machine remembers: which variable counts, what must not be lost, and lock-outs.
 */
// sources: efi/state.c
// cflags: -Iefi
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "state.h"

static struct nl_state sample(void)
{
	struct nl_state s = {.list_sequence = 7, .left = 0x123000, .security_version = 3, .machine_id = {1, 2}};

	nl_state_seal(&s);
	return s;
}

static enum nl_err read_of(const void *bytes, size_t size, uint32_t attributes, struct nl_state *out)
{
	void *exact = malloc(size ? size : 1);
	enum nl_err err;

	memcpy(exact, bytes, size);
	memset(out, 0xee, sizeof(*out));
	err = nl_state_read(exact, size, attributes, out);
	free(exact);
	return err;
}

static bool is_zero(const struct nl_state *s)
{
	static const struct nl_state zero;

	return !memcmp(s, &zero, sizeof(zero));
}

static void what_was_written_is_read(void **state)
{
	struct nl_state s = sample(), out;

	(void)state;
	assert_int_equal(read_of(&s, sizeof(s), NL_STATE_ATTRIBUTES, &out), NL_OK);
	assert_memory_equal(&out, &s, sizeof(s));
}

/* Whoever could write it under another attribute is not this loader; a bit that tipped over is not what was meant. */
static void strangers_do_not_count(void **state)
{
	struct nl_state s = sample(), bad, out;
	struct {
		struct nl_state s;
		uint64_t more;
	} large = {s, 1};

	(void)state;
	for (uint32_t attributes = 0; attributes < 256; attributes++) {
		enum nl_err e = read_of(&s, sizeof(s), attributes, &out);

		assert_int_equal(e, attributes == 3 ? NL_OK : NL_ERECORD);
		assert_int_equal(is_zero(&out), attributes != 3);
	}
	for (size_t size = 0; size < sizeof(s); size++) {
		assert_int_equal(read_of(&s, size, NL_STATE_ATTRIBUTES, &out), NL_ERECORD);
		assert_true(is_zero(&out));
	}
	assert_int_equal(read_of(&large, sizeof(large), NL_STATE_ATTRIBUTES, &out), NL_ERECORD);
	for (size_t bit = 0; bit < 8 * sizeof(s); bit++) {
		enum nl_err e;

		bad = s;
		((uint8_t *)&bad)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		e = read_of(&bad, sizeof(bad), NL_STATE_ATTRIBUTES, &out);
		assert_true(e == NL_ERECORD || (e == NL_ENEWER && bad.head.version > NL_STATE_VERSION));
		assert_true(is_zero(&out));
	}
}

/* An older image, however well signed, does not go on without what it cannot read. */
static void newer_is_named(void **state)
{
	struct nl_state s = sample(), out;

	(void)state;
	s.head.version = NL_STATE_VERSION + 1;
	assert_int_equal(read_of(&s, sizeof(s), NL_STATE_ATTRIBUTES, &out), NL_ENEWER);
	assert_int_equal(read_of(&s, sizeof(s) - 64, NL_STATE_ATTRIBUTES, &out), NL_ENEWER);
	assert_int_equal(read_of(&s, sizeof(s), 7, &out), NL_ERECORD); /* an operating system says so */
}

/* What an image of an older version wrote is not forgotten when a later one comes. */
static void older_is_read(void **state)
{
	static const size_t sizes[] = {0, NL_STATE_SIZE_1, NL_STATE_SIZE_2, sizeof(struct nl_state)};

	(void)state;
	assert_int_equal(NL_STATE_VERSION, 3);   /* another version is another size here */
	assert_int_equal(NL_STATE_SIZE_2, 1904); /* as images in the field wrote it */
	for (uint32_t version = 1; version < NL_STATE_VERSION; version++) {
		size_t size = sizes[version];
		struct nl_state s = sample(), out;

		s.lockouts[7].reason = NL_LOCKOUT_PANIC;
		memset(&s.standing, 7, version == 2 ? 64 : 0); /* keys that a list had revoked */
		s.head = (struct nl_record){NL_STATE_MAGIC, version, sizeof(s.head), size - sizeof(s.head), 1};
		s.checksum = nl_checksum(&s.list_sequence, size - offsetof(struct nl_state, list_sequence));
		assert_int_equal(read_of(&s, size, NL_STATE_ATTRIBUTES, &out), NL_OK);
		assert_memory_equal(&out, &s, offsetof(struct nl_state, standing));
		for (unsigned i = 0; i < 2 && version == 2; i++) { /* they sign no later one */
			assert_int_equal(out.standing.keys[i].role, NL_KEY_LOST(NL_ROLE_REVOKE));
			assert_memory_equal(out.standing.keys[i].key, &s.standing, 32);
			memset(&out.standing.keys[i], 0, sizeof(out.standing.keys[i]));
		}
		assert_int_equal(memcmp(&out.standing, &(struct nl_standing){.epoch = 0}, sizeof(out.standing)), 0);
		assert_int_equal(read_of(&s, size - 8, NL_STATE_ATTRIBUTES, &out), NL_ERECORD);
		assert_int_equal(read_of(&s, sizes[version + 1], NL_STATE_ATTRIBUTES, &out), NL_ERECORD);
		s.head.version++; /* too short for that */
		assert_int_equal(read_of(&s, size, NL_STATE_ATTRIBUTES, &out), NL_ERECORD);
		assert_true(is_zero(&out));
	}
}

static void what_must_not_be_lost(void **state)
{
	struct nl_state before = sample(), now = before;

	(void)state;
	now.left = 0x5000;
	now.machine_id[0]++;
	assert_false(nl_state_rises(&before, &now));
	now.security_version++;
	assert_true(nl_state_rises(&before, &now));
	assert_false(nl_state_rises(&now, &before));
	now = before;
	now.list_sequence++;
	assert_true(nl_state_rises(&before, &now));
	now = before;
	now.standing.epoch++;
	assert_true(nl_state_rises(&before, &now));
	now = before;
	now.standing.keys[NL_MAX_KEYS - 1].role++;
	assert_true(nl_state_rises(&before, &now));
}

static void lock_outs(void **state)
{
	struct nl_lockout list[NL_MAX_LOCKOUTS + 1] = {0}, other[NL_MAX_LOCKOUTS] = {0};
	uint8_t leaf[32] = {0};

	(void)state;
	for (unsigned i = 0; i < NL_MAX_LOCKOUTS; i++) {
		leaf[31] = (uint8_t)i;
		nl_lock_out(list, leaf, NL_LOCKOUT_PANIC);
		nl_lock_out(list, leaf, NL_LOCKOUT_PANIC); /* once */
		assert_int_equal(list[i].reason, NL_LOCKOUT_PANIC);
		assert_true(nl_is_leaf(list[i].sha256, leaf));
		assert_int_equal(list[i + 1].reason, 0);
	}
	leaf[31] = 0;
	nl_lock_out(list, leaf, NL_LOCKOUT_PANIC); /* full, and there already */
	assert_int_equal(list[NL_MAX_LOCKOUTS - 1].reason, NL_LOCKOUT_PANIC);
	leaf[31] = 99;
	nl_lock_out(list, leaf, NL_LOCKOUT_PANIC); /* full: nobody goes, and the last one stands for all */
	for (unsigned i = 0; i < NL_MAX_LOCKOUTS; i++)
		assert_int_equal(list[i].sha256[31], i);
	assert_int_equal(list[NL_MAX_LOCKOUTS - 1].reason, NL_LOCKOUT_PANIC | NL_LOCKOUT_ALL);
	assert_int_equal(list[NL_MAX_LOCKOUTS].reason, 0);
	nl_lock_out(other, list[1].sha256, NL_LOCKOUT_PANIC); /* into the next boot's, where it is known already */
	nl_lock_out(other, list[1].sha256, NL_LOCKOUT_ALL);
	assert_int_equal(other[0].reason, NL_LOCKOUT_PANIC | NL_LOCKOUT_ALL);
	assert_int_equal(other[1].reason, 0);
	nl_lock_out(other, list[2].sha256, 0); /* for no reason */
	assert_int_equal(other[1].reason, 0);
}

/* Reasons are taken back one by one, and whoever has none left makes room; for the next boot some are others. */
static void lock_outs_end(void **state)
{
	struct nl_lockout list[NL_MAX_LOCKOUTS] = {0};
	uint8_t leaf[3][32] = {{1}, {2}, {3}};

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		nl_lock_out(list, leaf[i], i == 1 ? NL_LOCKOUT_TRIAL | NL_LOCKOUT_PANIC : NL_LOCKOUT_TRIAL);
	nl_lock_in(list, leaf[0], NL_LOCKOUT_PANIC);
	assert_int_equal(list[0].reason, NL_LOCKOUT_TRIAL);
	nl_lock_in(list, leaf[0], NL_LOCKOUT_TRIAL);
	assert_true(nl_is_leaf(list[0].sha256, leaf[1]) && nl_is_leaf(list[1].sha256, leaf[2]));
	assert_int_equal(list[2].reason, 0);
	nl_lock_in(list, NULL, NL_LOCKOUT_TRIALS);
	assert_int_equal(list[0].reason, NL_LOCKOUT_PANIC);
	assert_int_equal(list[1].reason, 0);
	for (uint8_t i = 0; i < NL_MAX_LOCKOUTS + 1; i++)
		nl_lock_out(list, (const uint8_t[32]){7, i}, NL_LOCKOUT_TRIAL);
	assert_int_equal(list[NL_MAX_LOCKOUTS - 1].reason, NL_LOCKOUT_TRIAL | NL_LOCKOUT_TRIAL << 1);
	nl_lock_in(list, list[NL_MAX_LOCKOUTS - 1].sha256, NL_LOCKOUT_TRIAL); /* the others are locked out still */
	assert_int_equal(list[NL_MAX_LOCKOUTS - 1].reason, NL_LOCKOUT_TRIAL << 1);
	assert_int_equal(nl_lockout_next(NL_LOCKOUT_PANIC | NL_LOCKOUT_ALL), NL_LOCKOUT_PANIC | NL_LOCKOUT_ALL);
	assert_int_equal(nl_lockout_next(NL_LOCKOUT_TRIAL | NL_LOCKOUT_PANIC), NL_LOCKOUT_TRIED | NL_LOCKOUT_PANIC);
	assert_int_equal(nl_lockout_next(NL_LOCKOUT_TRIAL << 1), NL_LOCKOUT_TRIED << 1);
	assert_int_equal(nl_lockout_next(NL_LOCKOUT_TRIED | NL_LOCKOUT_TRIED << 1), 0);
	assert_int_equal(nl_lockout_next(NL_LOCKOUT_TRIED | NL_LOCKOUT_TRIAL), NL_LOCKOUT_TRIED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(what_was_written_is_read),
	        cmocka_unit_test(strangers_do_not_count),
	        cmocka_unit_test(newer_is_named),
	        cmocka_unit_test(older_is_read),
	        cmocka_unit_test(what_must_not_be_lost),
	        cmocka_unit_test(lock_outs),
	        cmocka_unit_test(lock_outs_end),
	};

	return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
