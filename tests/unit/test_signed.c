// SPDX-License-Identifier: Apache-2.0
// sources: hv/commit/commit.c hv/commit/generation.c hv/commit/gone.c hv/commit/module.c hv/core/step.c
// sources: hv/commit/request.c hv/commit/window.c hv/commit/plan.c hv/commit/quiesce.c hv/leaf/registry.c
// sources: hv/leaf/bind.c hv/leaf/room.c hv/leaf/witness.c
// sources: hv/commit/order.c hv/commit/standing.c hv/exits/own.c hv/leaf/order.c
// sources: hv/guest/guest.c hv/guest/guestmem.c hv/guest/linux/kernel.c hv/guest/linux/tasks.c
// sources: hv/guest/linux/held.c hv/guest/linux/hidden.c
// sources: hv/guest/linux/queues.c hv/guest/linux/target.c hv/guest/linux/modules.c hv/guest/linux/hook.c
// sources: hv/core/kept.c hv/leaf/list.c
// sources: hv/commit/trial.c
// sources: hv/leaf/leaf.c hv/leaf/floor.c hv/leaf/reloc.c hv/leaf/signature.c hv/exits/hypercall.c
// sources: hv/view/view.c hv/view/npt.c
// sources: hv/view/current.c hv/core/clock.c hv/core/cpu.c hv/core/journal.c hv/core/pool.c hv/core/sha256.c
// sources: hv/core/sodium.c tools/author/witness.c
// sources: tests/unit/fakeguest.c tests/unit/makeleaf.c tests/unit/commit_fixture.c
// libs: -lcrypto
// cflags: -Itools/author
/*
 * The signed status, from the boot's secret to whoever asked: what the core signs is what the reader believes
 * (test_witness.c), one leaf a call, one signature a second, and nothing of the machine's key stays.
 */
#define _GNU_SOURCE
#include "commit_fixture.h"
#include "core/clock.h"
#include "core/sha256.h"
#include "leaf/leaf.h"
#include "leaf/witness.h"
#include "witness.h"

#include <openssl/evp.h>
#include <ucontext.h>

#include <insn.h>

#define SECOND 1000000000ULL

static const uint8_t seed[32] = "thirty-two bytes of the machine";
static struct witness_wanted wanted;
static struct {
	struct nl_signed_status s;
	struct nl_signed_leaf leaves[NL_MAX_LEAVES];
	uint8_t signature[64];
} answer;
static unsigned again; /* NL_AGAIN of the last ask */

/* It must come first: nobody takes a witness away again. */
static int nameless(void **state)
{
	setup(state);
	nl_boot.facts.boots = 0;
	nl_witness_init(seed);
	return 0;
}

static int boot(void **state)
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32);
	size_t n = 32;

	setup(state);
	nl_boot.facts.boots = 7;
	memset(nl_boot.facts.machine_id, 3, sizeof(nl_boot.facts.machine_id));
	memset(nl_boot.facts.boot_id, 4, sizeof(nl_boot.facts.boot_id));
	for (size_t i = 0; i < sizeof(nl_boot.secret); i++)
		nl_boot.secret[i] = (uint8_t)(i * 5);
	nl_witness_init(seed);
	assert_int_equal(EVP_PKEY_get_raw_public_key(key, wanted.machine_key, &n), 1);
	EVP_PKEY_free(key);
	wanted.after = 7;
	for (size_t i = 0; i < sizeof(wanted.nonce); i++) /* another one for each case: what is half made stays */
		wanted.nonce[i] = (uint8_t)host_random();
	seam_tsc += 2 * SECOND;
	return 0;
}

static enum nl_err step(void)
{
	memcpy(fg_user(FG_USER), wanted.nonce, 32);
	return call(NL_CALL_SIGNED, FG_USER, NL_SIGNED_MAX_SIZE, 0, 0);
}

static enum nl_err ask(void)
{
	enum nl_err err;

	for (again = 0; (err = step()) == NL_AGAIN; again++)
		;
	if (!err)
		memcpy(&answer, fg_user(FG_USER), out_rcx);
	return err;
}

/* As somebody outside reads it. */
static enum nl_err believed(void)
{
	enum nl_err err = witness_form(&answer, out_rcx);

	return err ? err : witness_check(&answer.s, &wanted);
}

static enum nl_err bytes_of(const uint8_t sha[32])
{
	const struct nl_signed_leaf *l = witness_leaf(&answer.s, sha);
	struct nl_leaf leaf;

	assert_non_null(l);
	nl_leaf_open(file, &leaf);
	return witness_bytes(&answer.s, l, &leaf);
}

static void believed_by_whoever_asked(void **state)
{
	struct nl_journal_entry newest;
	uint8_t sha[1][32], hash[32];

	(void)state;
	assert_int_equal(ask(), NL_OK);
	assert_int_equal(again, 0);
	assert_int_equal(believed(), NL_OK);
	leaf_text_and_data("body", 7);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	seam_tsc += SECOND;
	assert_int_equal(ask(), NL_OK);
	assert_int_equal(believed(), NL_OK);
	assert_int_equal(bytes_of(sha[0]), NL_OK); /* those that it expects */
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	seam_tsc += SECOND;
	assert_int_equal(ask(), NL_OK);
	assert_int_equal(again, 1);
	assert_int_equal(believed(), NL_OK);
	assert_int_equal(bytes_of(sha[0]), NL_OK);
	assert_int_equal(answer.s.status.generation, 2);
	assert_int_equal(answer.s.status.kernel_slide, SLIDE);
	assert_memory_equal(&answer.s.witness.boot, &nl_boot.facts, sizeof(nl_boot.facts));
	nl_sha256_of(&nl_core_header, nl_core_header.rodata_end, hash);
	assert_memory_equal(answer.s.witness.core, hash, 32);
	assert_int_equal(call(NL_CALL_JOURNAL, FG_USER, sizeof(newest), answer.s.status.journal_newest, 0), NL_OK);
	nl_sha256_of(fg_user(FG_USER), sizeof(newest), hash);
	assert_memory_equal(answer.s.journal, hash, 32);
	assert_int_equal(commit(NULL, 0), NL_OK);
	seam_tsc += SECOND;
	assert_int_equal(ask(), NL_OK);
	assert_int_equal(answer.leaves[0].state.condition, NL_LEAF_REVERTED);
	assert_int_equal(bytes_of(sha[0]), NL_OK);
}

/* A boot's key follows from its secret alone, and no two boots have the same. */
static void keys_of_boots(void **state)
{
	uint8_t first[32];

	assert_int_equal(ask(), NL_OK);
	memcpy(first, answer.s.witness.boot_key, 32);
	boot(state);
	assert_int_equal(ask(), NL_OK);
	assert_memory_equal(answer.s.witness.boot_key, first, 32);
	nl_boot.secret[31] ^= 1;
	nl_witness_init(seed);
	seam_tsc += SECOND;
	assert_int_equal(ask(), NL_OK);
	assert_int_equal(believed(), NL_OK);
	assert_memory_not_equal(answer.s.witness.boot_key, first, 32);
}

/* Another leaf's bytes, or a probe in them: what is shown is what is hashed. */
static void the_bytes_that_are_shown(void **state)
{
	uint8_t sha[1][32];

	(void)state;
	leaf_text_and_data("body", 7);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	*fg_shown(TEXT_SITE) ^= 1;
	assert_int_equal(ask(), NL_OK);
	assert_int_equal(believed(), NL_OK); /* it is true */
	assert_int_equal(answer.leaves[0].state.note, NL_EPROBED);
	assert_int_equal(bytes_of(sha[0]), NL_EBYTES);
	*fg_shown(TEXT_SITE) ^= 1;
	seam_poison = fg_shown(DATA_SITE);
	seam_tsc += SECOND;
	assert_int_equal(ask(), NL_OK);
	assert_int_equal(bytes_of(sha[0]), NL_EBYTES);
	seam_poison = NULL;
	*fg_image(DATA_SITE) ^= 1; /* of the page that is not shown */
	seam_tsc += SECOND;
	assert_int_equal(ask(), NL_OK);
	assert_int_equal(answer.leaves[0].state.note, NL_OK);
	assert_int_equal(bytes_of(sha[0]), NL_OK);
}

static void one_leaf_a_call(void **state)
{
	uint8_t sha[3][32];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		leaf_rodata((const char *[]){"one", "two", "three"}[i], DATA_SITE + 0x100 * i, 0x11);
		assert_int_equal(verify_leaf(sha[i]), NL_OK);
	}
	assert_int_equal(commit((const void *)sha, 2), NL_OK);
	assert_int_equal(ask(), NL_OK);
	assert_int_equal(again, 3);
	assert_int_equal(believed(), NL_OK);
	for (unsigned i = 0; i < 3; i++)
		assert_memory_equal(answer.leaves[i].state.sha256, sha[i], 32);
}

/* What comes or goes between two calls begins it anew: no answer is half of one and half of another. */
static void from_the_start(void **state)
{
	uint8_t sha[2][32];

	(void)state;
	leaf_rodata("one", DATA_SITE, 0x11);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	assert_int_equal(step(), NL_AGAIN);
	assert_int_equal(commit(NULL, 0), NL_OK); /* another generation */
	assert_int_equal(ask(), NL_OK);
	assert_int_equal(again, 1);
	assert_int_equal(believed(), NL_OK);
	assert_int_equal(answer.s.status.generation, 3);
	assert_int_equal(answer.leaves[0].state.condition, NL_LEAF_REVERTED);
	seam_tsc += SECOND;
	assert_int_equal(step(), NL_AGAIN);
	leaf_rodata("two", DATA_SITE + 0x100, 0x11); /* another leaf, in the same generation */
	assert_int_equal(verify_leaf(sha[1]), NL_OK);
	assert_int_equal(ask(), NL_OK);
	assert_int_equal(again, 2);
	assert_int_equal(believed(), NL_OK);
	seam_tsc += SECOND;
	assert_int_equal(step(), NL_AGAIN);
	assert_int_equal(step(), NL_AGAIN);
	wanted.nonce[31] ^= 1; /* somebody else's */
	assert_int_equal(ask(), NL_OK);
	assert_int_equal(again, 2);
	assert_int_equal(believed(), NL_OK);
	seam_tsc += SECOND;
	assert_int_equal(ask(), NL_OK); /* the same nonce once more is another answer */
	assert_int_equal(again, 2);
}

static void one_signature_a_second(void **state)
{
	uint64_t now;

	(void)state;
	assert_int_equal(ask(), NL_OK);
	assert_int_equal(ask(), NL_ERATE);
	wanted.nonce[0] ^= 1;
	assert_int_equal(ask(), NL_ERATE);
	now = answer.s.status.tsc_now;
	seam_tsc = now + SECOND - 100;
	assert_int_equal(ask(), NL_ERATE);
	seam_tsc = now + SECOND + 100;
	assert_int_equal(ask(), NL_OK);
	assert_int_equal(believed(), NL_OK);
}

static void buffers(void **state)
{
	(void)state;
	memcpy(fg_user(FG_USER), wanted.nonce, 32);
	assert_int_equal(call(NL_CALL_SIGNED, FG_USER, 0, 0, 0), NL_EUSAGE);
	assert_int_equal(call(NL_CALL_SIGNED, FG_USER, NL_SIGNED_MAX_SIZE - 1, 0, 0), NL_EUSAGE);
	assert_int_equal(call(NL_CALL_SIGNED, FG_USER + FG_USER_SIZE - 4096, NL_SIGNED_MAX_SIZE, 0, 0), NL_EFAULT);
	assert_int_equal(call(NL_CALL_SIGNED, FG_LINK + SLIDE, NL_SIGNED_MAX_SIZE, 0, 0), NL_EFAULT);
	assert_int_equal(ask(), NL_OK); /* none of them has spent the second */
}

static void not_without_a_name(void **state)
{
	(void)state;
	assert_int_equal(ask(), NL_ENORANDOM);
}

static uint8_t stack[1 << 18] __attribute__((aligned(64)));
static ucontext_t here, there;

static void init(void) { nl_witness_init(seed); }

/* Neither the seed nor what Ed25519 makes of it is on the stack that it was made on. */
static void nothing_stays(void **state)
{
	uint8_t private[64];

	(void)state;
	getcontext(&there);
	there.uc_stack.ss_sp = stack;
	there.uc_stack.ss_size = sizeof(stack);
	there.uc_link = &here;
	makecontext(&there, init, 0);
	swapcontext(&here, &there);
	EVP_Digest(seed, 32, private, NULL, EVP_sha512(), NULL);
	assert_null(memmem(stack, sizeof(stack), seed, 16));
	assert_null(memmem(stack, sizeof(stack), private, 16));
	assert_null(memmem(stack, sizeof(stack), private + 32, 16));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(not_without_a_name, nameless, teardown),
	        cmocka_unit_test_setup_teardown(believed_by_whoever_asked, boot, teardown),
	        cmocka_unit_test_setup_teardown(keys_of_boots, boot, teardown),
	        cmocka_unit_test_setup_teardown(the_bytes_that_are_shown, boot, teardown),
	        cmocka_unit_test_setup_teardown(one_leaf_a_call, boot, teardown),
	        cmocka_unit_test_setup_teardown(from_the_start, boot, teardown),
	        cmocka_unit_test_setup_teardown(one_signature_a_second, boot, teardown),
	        cmocka_unit_test_setup_teardown(buffers, boot, teardown),
	        cmocka_unit_test_setup_teardown(nothing_stays, boot, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
