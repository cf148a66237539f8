// SPDX-License-Identifier: Apache-2.0
// sources: hv/leaf/leaf.c hv/leaf/signature.c hv/core/sha256.c hv/core/sodium.c tests/unit/makeleaf.c
// sources: hv/guest/linux/target.c
// libs: -lcrypto
/*
 * The parser and the signature: a good leaf passes; cut at any length, with any bit flipped, or with a number in it
 * that would lead the core out of bounds it is refused by the right name, and by no other (badleaf.h). Files lie in
 * buffers of exactly their size, so that ASan sees a read too far.
 */
#include "host.h"
#include "badleaf.h"
#include "leaf/leaf.h"
#include "core/sha256.h"
#include "leaf/signature.h"

static struct nl_key key;

/* Everything the core does with a file before it looks at the guest. */
static enum nl_err check(const void *bytes, size_t size)
{
	const struct nl_signature *signatures;
	uint32_t n, known = 0;
	struct nl_leaf leaf;
	size_t signed_size;
	uint8_t digest[32];
	enum nl_err err = nl_leaf_split(bytes, size, &signed_size);

	if (!err)
		err = nl_signatures_find((const uint8_t *)bytes + signed_size, size - signed_size, &signatures, &n);
	if (err)
		return err;
	nl_sha256_of(bytes, signed_size, digest);
	for (uint32_t i = 0; i < n && !err; i++)
		err = nl_signature_check(NL_DOMAIN_LEAF, digest, &signatures[i], &key, 1, NL_ROLE_AUTHOR, &known);
	return err ? err : !known ? NL_EKEY : nl_leaf_parse(bytes, signed_size, &leaf);
}

static enum nl_err check_exact(size_t size)
{
	uint8_t *copy = aligned_alloc(8, (size + 7) & ~(size_t)7 ? (size + 7) & ~(size_t)7 : 8);
	enum nl_err err;

	memcpy(copy, file, size);
	err = check(copy, size);
	free(copy);
	return err;
}

/* Write, sign, check: an author's key does not make a bad leaf good. */
static enum nl_err check_signed(void) { return check_exact(make_sign(file, make_write(&m, file))); }

static int setup(void **state)
{
	(void)state;
	host_seed(2);
	make_key(&key, "demo", NL_ROLE_AUTHOR);
	start_leaf();
	return 0;
}

static void good(void **state)
{
	(void)state;
	assert_int_equal(check_signed(), NL_OK);
}

static void truncated_everywhere(void **state)
{
	size_t size = make_sign(file, make_write(&m, file)), i;

	(void)state;
	for (i = 0; i < size; i++) {
		enum nl_err err = check_exact(i);

		assert_int_equal(err, i == size - MAKE_SIGNATURE ? NL_EUNSIGNED : NL_ELEAF);
	}
	assert_int_equal(check_exact(size + 1), NL_ELEAF);
}

static void any_bit_flipped(void **state)
{
	unsigned stranger;
	struct nl_key other;
	size_t size, i;

	(void)state;
	/* Signed by somebody whom nobody knows, too: what does not count is checked as well. */
	stranger = make_key(&other, "stranger", NL_ROLE_AUTHOR);
	size = make_sign_by(file, make_write(&m, file), (unsigned[]){stranger, stranger - 1}, 2);
	assert_int_equal(check_exact(size), NL_OK);
	for (i = 0; i < size * 8; i++) {
		enum nl_err err;

		file[i / 8] ^= (uint8_t)(1u << i % 8);
		err = check_exact(size);
		file[i / 8] ^= (uint8_t)(1u << i % 8);
		if (err != NL_ELEAF && err != NL_ESIGNATURE)
			fail_msg("bit %zu: error %d", i, err);
	}
	assert_int_equal(check_exact(size), NL_OK);
}

static void keys(void **state)
{
	struct nl_key trusted = key, other;

	(void)state;
	make_key(&other, "stranger", NL_ROLE_AUTHOR);
	assert_int_equal(check_signed(), NL_EKEY);
	key = other;
	assert_int_equal(check_signed(), NL_OK);
	key.role = NL_ROLE_OPERATOR;
	assert_int_equal(check_signed(), NL_EKEY);
	key = trusted;
}

#define BAD(name, core, author, change) \
	static void bad_##name(void **state) \
	{ \
		(void)state; \
		change; \
		assert_int_equal(check_signed(), core); \
	}
BAD_LEAVES(BAD)

/* Parts may lie anywhere inside the file, on or between each other: they are only read. */
static void parts_anywhere(void **state)
{
	struct nl_leaf_header *h = (struct nl_leaf_header *)file;
	size_t size = make_write(&m, file);

	(void)state;
	h->text.offset = h->bytes.offset;
	assert_int_equal(check_exact(make_sign(file, size)), NL_OK);
	h->text.offset = (uint32_t)size - h->text.count;
	assert_int_equal(check_exact(make_sign(file, size)), NL_OK);
	h->text.offset++;
	assert_int_equal(check_exact(make_sign(file, size)), NL_ELEAF);
	h->text.offset = h->bytes.offset;
	h->facts.offset += 2;
	assert_int_equal(check_exact(make_sign(file, size)), NL_ELEAF); /* a record would not be aligned */
	h->facts.offset -= 2;
	h->relocs.offset = ~7u;
	assert_int_equal(check_exact(make_sign(file, size)), NL_ELEAF);
}

static void counters(void **state)
{
	(void)state;
	count(1, 64);
	m.sites[0].counter = 1;
	assert_int_equal(check_signed(), NL_OK);
}

/* Mutations that no one thought of: the parser either refuses or everything it points at is inside the file. */
static void mutated(void **state)
{
	size_t size = make_write(&m, file), i, k;
	uint8_t *copy = aligned_alloc(8, (size + 7) & ~(size_t)7);
	unsigned accepted = 0;

	(void)state;
	for (i = 0; i < 200000; i++) {
		struct nl_leaf l;

		memcpy(copy, file, size);
		for (k = 1 + host_below(3); k; k--) {
			size_t at = host_below(host_below(4) ? sizeof(struct nl_leaf_header) + 300 : size);

			if (host_below(2))
				copy[at] = (uint8_t)host_random();
			else
				copy[at & ~(size_t)3] = (uint8_t)(host_below(2) ? 0xff : 0);
		}
		if (nl_leaf_parse(copy, size, &l))
			continue;
		accepted++;
		for (k = 0; k < l.header->sites.count; k++) {
			const struct nl_leaf_site *s = &l.sites[k];

			assert_true((uint64_t)l.header->bytes.offset + s->fresh + s->len <= size);
			assert_true((uint64_t)l.header->bytes.offset + s->expected + s->len <= size);
			assert_true(s->object <= l.header->objects.count);
			assert_true(s->region < nl_leaf_object(&l, s->object)->n_regions);
		}
		for (k = 0; k < l.header->relocs.count; k++) {
			assert_true(nl_reloc_size(l.relocs[k].type));
			assert_true(l.relocs[k].object <= l.header->objects.count);
			assert_true(l.relocs[k].region < nl_leaf_object(&l, l.relocs[k].object)->n_regions);
		}
		for (k = 0; k <= l.header->objects.count; k++) {
			const struct nl_leaf_object *o = nl_leaf_object(&l, (uint32_t)k);

			assert_true((uint64_t)l.header->text.offset + o->text.offset + o->text.count <= size);
			assert_true((uint64_t)l.header->data.offset + o->data.offset + o->data.count <= size);
		}
	}
	free(copy);
	assert_true(accepted > 1000); /* the mutations reach behind the first check */
}

int main(void)
{
#define BAD_TEST(name, core, author, change) cmocka_unit_test_setup(bad_##name, setup),
	const struct CMUnitTest tests[] = {cmocka_unit_test_setup(good, setup),
	                                   cmocka_unit_test_setup(truncated_everywhere, setup),
	                                   cmocka_unit_test_setup(any_bit_flipped, setup),
	                                   cmocka_unit_test_setup(keys, setup),
	                                   cmocka_unit_test_setup(parts_anywhere, setup),
	                                   cmocka_unit_test_setup(counters, setup),
	                                   cmocka_unit_test_setup(mutated, setup),
	                                   BAD_LEAVES(BAD_TEST)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
