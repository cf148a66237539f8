// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/witness.c hv/leaf/signature.c hv/leaf/leaf.c hv/leaf/reloc.c
// sources: hv/guest/linux/target.c hv/core/sha256.c hv/core/sodium.c tests/unit/makeleaf.c
// libs: -lcrypto
// cflags: -Itools/author
/*
 * Signed statuses as whoever asked reads them: what is one, whose it is, what it is an answer to, and whether a leaf's
 * bytes are those that run. Files lie in memory of exactly their size.
 */
#include "host.h"
#include "core/sha256.h"
#include "leaf/leaf.h"
#include "leaf/reloc.h"
#include "makeleaf.h"
#include "witness.h"

static struct {
	struct nl_signed_status s;
	struct nl_signed_leaf leaves[NL_MAX_LEAVES + 1];
	uint8_t room[64];
} file;
static unsigned machine, boot;
static struct witness_wanted wanted;

static size_t file_size(void) { return nl_signed_status_size(&file.s) + NL_SIGNATURE_LEN; }

static void sign(const char *domain, unsigned by, void *p, size_t n, uint8_t out[NL_SIGNATURE_LEN])
{
	make_domain = domain;
	make_signature(by, p, n, out);
}

static void sign_all(void)
{
	size_t n = nl_signed_status_size(&file.s);

	sign(NL_DOMAIN_BOOT, machine, &file.s.witness, offsetof(struct nl_witness, signature),
	     file.s.witness.signature);
	sign(NL_DOMAIN_STATUS, boot, &file, n, (uint8_t *)&file + n);
}

static int start(void **state)
{
	struct nl_key keys[2];

	(void)state;
	memset(&file, 0, sizeof(file));
	machine = make_key(&keys[0], "machine", 0);
	boot = make_key(&keys[1], "boot", 0);
	file.s.head = (struct nl_record){NL_STATUS_MAGIC, NL_ABI_VERSION, sizeof(file.s), sizeof(file.leaves[0]), 2};
	file.s.witness.head = (struct nl_record){NL_WITNESS_MAGIC, NL_ABI_VERSION, sizeof(file.s.witness), 0, 0};
	memcpy(file.s.witness.machine_key, keys[0].key, 32);
	memcpy(file.s.witness.boot_key, keys[1].key, 32);
	file.s.witness.boot = (struct nl_boot_facts){.tsc_hz = 1000000000, .boots = 7, .n_keys = 1};
	memset(file.s.witness.boot.machine_id, 1, 16);
	file.s.status = (struct nl_status){.abi = NL_ABI_VERSION,
	                                   .size = sizeof(file.s.status),
	                                   .version = "0.1.0",
	                                   .generation = 5,
	                                   .boot = file.s.witness.boot,
	                                   .leaves = 2,
	                                   .kernel_build_id_len = 20};
	memset(file.s.nonce, 9, sizeof(file.s.nonce));
	for (uint8_t i = 0; i <= NL_MAX_LEAVES; i++) {
		file.leaves[i].state.condition = NL_LEAF_APPLIED;
		memset(file.leaves[i].state.sha256, i + 1, 32);
		snprintf(file.leaves[i].state.id, sizeof(file.leaves[i].state.id), "leaf-%u", i);
	}
	wanted = (struct witness_wanted){.after = 7};
	memcpy(wanted.machine_key, keys[0].key, 32);
	memset(wanted.nonce, 9, sizeof(wanted.nonce));
	sign_all();
	return 0;
}

static enum nl_err form_of(size_t size)
{
	uint8_t *p = malloc(size ? size : 1);
	enum nl_err err;

	memcpy(p, &file, size);
	err = witness_form(p, size);
	free(p);
	return err;
}

static enum nl_err form(void) { return form_of(file_size()); }

static enum nl_err check(void)
{
	size_t size = file_size();
	uint8_t *p = malloc(size);
	enum nl_err err;

	memcpy(p, &file, size);
	err = witness_check((const void *)p, &wanted);
	free(p);
	return err;
}

static void lawful(void **state)
{
	(void)state;
	assert_int_equal(form(), NL_OK);
	assert_int_equal(check(), NL_OK);
	for (uint32_t n = 0; n <= NL_MAX_LEAVES; n++) {
		file.s.head.count = file.s.status.leaves = n;
		sign_all();
		assert_int_equal(form(), NL_OK);
		assert_int_equal(check(), NL_OK);
	}
	assert_true(file_size() == NL_SIGNED_MAX_SIZE);
}

/* Each change that makes it none. */
static void unlawful(void **state)
{
	(void)state;
#define REFUSED(...) \
	do { \
		start(NULL); \
		assert_int_equal(form(), NL_OK); \
		__VA_ARGS__; \
		assert_int_equal(form(), NL_ESTATUS); \
	} while (0)
	REFUSED(file.s.head.magic++);
	REFUSED(file.s.head.version--);
	REFUSED(file.s.head.head_size -= 8);
	REFUSED(file.s.head.head_size += 8);
	REFUSED(file.s.head.record_size += 8);
	REFUSED(file.s.head.record_size -= 8);
	REFUSED(file.s.head.count--);
	REFUSED(file.s.head.count++);
	REFUSED(file.s.head.count = file.s.status.leaves = NL_MAX_LEAVES + 1);
	REFUSED(file.s.status.leaves++);
	REFUSED(file.s.witness.head.magic++);
	REFUSED(file.s.witness.head.version++);
	REFUSED(file.s.witness.head.head_size++);
	REFUSED(file.s.witness.head.record_size++);
	REFUSED(file.s.witness.head.count++);
	REFUSED(file.s.witness.boot.boots = 0);
	REFUSED(file.s.witness.boot.random = 2);
	REFUSED(file.s.status.abi++);
	REFUSED(file.s.status.size++);
	REFUSED(file.s.status.orders = 4);
	REFUSED(file.s.status.kernel_build_id_len = NL_BUILD_ID_MAX + 1);
	REFUSED(memset(file.s.status.version, 'a', sizeof(file.s.status.version)));
	REFUSED(memset(file.s.status.vendor, 'a', sizeof(file.s.status.vendor)));
	REFUSED(memset(file.s.status.paging, 'a', sizeof(file.s.status.paging)));
	REFUSED(file.leaves[1].state.condition = 0);
	REFUSED(file.leaves[1].state.condition = NL_LEAF_REVERTED + 1);
	REFUSED(file.leaves[1].state.note = 100000);
	REFUSED(memset(file.leaves[1].state.id, 'a', sizeof(file.leaves[1].state.id)));
	REFUSED(memset(file.leaves[1].state.key_name, 'a', sizeof(file.leaves[1].state.key_name)));
	start(NULL);
	file.s.head.version++;
	assert_int_equal(form(), NL_ENEWER);
}

static void whose_it_is(void **state)
{
	(void)state;
	wanted.machine_key[31] ^= 1;
	assert_int_equal(check(), NL_EMACHINEID);
	/* Another machine's file that names this one's key, and one whose key has signed itself. */
	start(NULL);
	sign(NL_DOMAIN_BOOT, boot, &file.s.witness, offsetof(struct nl_witness, signature), file.s.witness.signature);
	sign(NL_DOMAIN_STATUS, boot, &file, nl_signed_status_size(&file.s),
	     (uint8_t *)&file + nl_signed_status_size(&file.s));
	assert_int_equal(check(), NL_ESIGNATURE);
	/* By the machine's key, and not by the boot's. */
	start(NULL);
	sign(NL_DOMAIN_STATUS, machine, &file, nl_signed_status_size(&file.s),
	     (uint8_t *)&file + nl_signed_status_size(&file.s));
	assert_int_equal(check(), NL_ESIGNATURE);
	/* Signed as something else. */
	start(NULL);
	sign(NL_DOMAIN_ORDER, boot, &file, nl_signed_status_size(&file.s),
	     (uint8_t *)&file + nl_signed_status_size(&file.s));
	assert_int_equal(check(), NL_ESIGNATURE);
	start(NULL);
	sign(NL_DOMAIN_STATUS, machine, &file.s.witness, offsetof(struct nl_witness, signature),
	     file.s.witness.signature);
	sign(NL_DOMAIN_STATUS, boot, &file, nl_signed_status_size(&file.s),
	     (uint8_t *)&file + nl_signed_status_size(&file.s));
	assert_int_equal(check(), NL_ESIGNATURE);
}

/* Whoever holds the key of a boot that is over cannot say of it what its witness does not: another policy, another
 * boot. */
static void no_more_than_the_witness(void **state)
{
	(void)state;
	file.s.status.boot.secure_boot = 1;
	sign_all();
	assert_int_equal(check(), NL_ESIGNATURE);
	start(NULL);
	file.s.status.boot.boot_id[15] ^= 1;
	sign_all();
	assert_int_equal(check(), NL_ESIGNATURE);
}

static void replayed(void **state)
{
	(void)state;
	wanted.nonce[31] ^= 1;
	assert_int_equal(check(), NL_ECHALLENGE);
	start(NULL);
	wanted.nonce[0] ^= 0x80;
	assert_int_equal(check(), NL_ECHALLENGE);
}

static void boots(void **state)
{
	(void)state;
	assert_int_equal(check(), NL_OK); /* the same boot is no earlier one */
	wanted.after = 8;
	assert_int_equal(check(), NL_EBOOTID);
	wanted.after = 6;
	assert_int_equal(check(), NL_OK);
	wanted.after = 0;
	assert_int_equal(check(), NL_OK);
}

static void every_truncation_and_every_bit(void **state)
{
	size_t size = file_size();

	(void)state;
	for (size_t n = 0; n < size; n++)
		assert_int_equal(form_of(n), NL_ESTATUS);
	assert_int_equal(form_of(size + 1), NL_ESTATUS);
	assert_int_equal(form_of(size + sizeof(file.leaves[0])), NL_ESTATUS);
	for (size_t bit = 0; bit < 8 * size; bit++) {
		enum nl_err err;

		((uint8_t *)&file)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		err = form_of(size);
		if (!err)
			err = check();
		/* Nothing changed is ever told of as a replay or as an old boot: it is not known to be the machine's.
		 */
		assert_true(err == NL_ESTATUS || err == NL_ENEWER || err == NL_EMACHINEID || err == NL_ESIGNATURE);
		((uint8_t *)&file)[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(form(), NL_OK);
	assert_int_equal(check(), NL_OK);
}

static struct make_leaf m;
static uint8_t written[NL_LEAF_MAX_SIZE] __attribute__((aligned(8)));
static struct nl_leaf leaf;

static void hash_site(struct nl_sha256 *h, uint64_t va, const void *bytes, uint64_t n)
{
	nl_sha256_update(h, &va, sizeof(va));
	nl_sha256_update(h, &n, sizeof(n));
	nl_sha256_update(h, bytes, n);
}

#define LINK 0xffffffff81000000ULL
#define ARENA 0xffffffffff000000ULL
enum { SLIDE = 0x3400000, BODY = 0x40, CODE = 0x5005, DATA = 0x200020 };

/* A jump to its body, and four bytes of data. */
static void leaf_of_two_sites(void)
{
	static const uint8_t five[5] = {0x0f, 0x1f, 0x44, 0, 0}, jump[5] = {0xe9};
	const struct nl_leaf_target t = {
	        .kernel = {.n_regions = NL_KERNEL_REGIONS,
	                   .regions = {{.kind = NL_MEM_IMAGE, .size = 0x400000, .base = LINK},
	                               {.kind = NL_MEM_TEXT, .size = 0x200000, .base = LINK},
	                               {.kind = NL_MEM_RODATA, .size = 0x100000, .base = LINK + 0x200000}}}};

	make_start(&m, "two", 1, &t);
	m.n_text = 0x80;
	make_site(&m, LINK + CODE, five, jump, 5, LINK + CODE - 5, 0x80);
	make_site(&m, LINK + DATA, "old!", "new!", 4, 0, 0);
	make_reloc(&m, (struct nl_leaf_reloc){.where = NL_AT_BYTES,
	                                      .type = NL_REL_PC32,
	                                      .symbol = NL_SYM_TEXT,
	                                      .site = 0,
	                                      .offset = 5 + 1,
	                                      .value = BODY,
	                                      .addend = -4});
	make_write(&m, written);
	nl_leaf_open(written, &leaf);
}

/* As the core sees it. */
static void what_runs(int32_t off, const char *data)
{
	int32_t to = (int32_t)(ARENA + BODY - (LINK + CODE + SLIDE) - 5) + off;
	uint8_t jump[5] = {0xe9};
	struct nl_sha256 h;

	memcpy(jump + 1, &to, 4);
	nl_sha256_init(&h);
	hash_site(&h, LINK + CODE + SLIDE, jump, 5);
	hash_site(&h, LINK + DATA + SLIDE, data, 4);
	nl_sha256_out(&h, file.leaves[0].digest);
}

static void bytes_that_run(void **state)
{
	(void)state;
	leaf_of_two_sites();
	file.s.status.kernel_slide = SLIDE;
	file.leaves[0].text = ARENA;
	what_runs(0, "new!");
	assert_int_equal(witness_bytes(&file.s, &file.leaves[0], &leaf), NL_OK);
	file.leaves[0].text += 64; /* the jump leads to another place */
	assert_int_equal(witness_bytes(&file.s, &file.leaves[0], &leaf), NL_EBYTES);
	file.leaves[0].text = ARENA;
	what_runs(1, "new!");
	assert_int_equal(witness_bytes(&file.s, &file.leaves[0], &leaf), NL_EBYTES);
	what_runs(0, "old!");
	assert_int_equal(witness_bytes(&file.s, &file.leaves[0], &leaf), NL_EBYTES);
	what_runs(0, "new!");
	file.s.status.kernel_slide += 0x200000;
	assert_int_equal(witness_bytes(&file.s, &file.leaves[0], &leaf), NL_EBYTES);
	file.s.status.kernel_slide -= 0x200000;
	file.leaves[0].state.condition = NL_LEAF_REVERTED; /* and yet its bytes run */
	assert_int_equal(witness_bytes(&file.s, &file.leaves[0], &leaf), NL_EBYTES);
}

static void which_leaf(void **state)
{
	uint8_t name[32];

	(void)state;
	memset(name, 2, sizeof(name));
	assert_ptr_equal(witness_leaf(&file.s, name), &file.leaves[1]);
	memset(name, 3, sizeof(name)); /* behind the last */
	assert_null(witness_leaf(&file.s, name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(lawful, start),
	        cmocka_unit_test_setup(unlawful, start),
	        cmocka_unit_test_setup(whose_it_is, start),
	        cmocka_unit_test_setup(no_more_than_the_witness, start),
	        cmocka_unit_test_setup(replayed, start),
	        cmocka_unit_test_setup(boots, start),
	        cmocka_unit_test_setup(every_truncation_and_every_bit, start),
	        cmocka_unit_test_setup(bytes_that_run, start),
	        cmocka_unit_test_setup(which_leaf, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
