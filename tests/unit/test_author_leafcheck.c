// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/leafcheck.c tools/author/leafcheck_target.c hv/leaf/leaf.c hv/guest/linux/target.c
// sources: tests/unit/makeleaf.c
// cflags: -Itools/author
// libs: -lcrypto
/*
 * What the author's tools see in a leaf, with the hypervisor's parser before: one wrong thing each is refused by its
 * name, whoever of the two has seen it (badleaf.h). Files lie in buffers of exactly their size, so that ASan sees a
 * read too far.
 */
#include "host.h"
#include "badleaf.h"
#include "leafcheck.h"

static enum nl_err check(size_t size)
{
	uint8_t *copy = aligned_alloc(8, (size + 7) & ~(size_t)7);
	const char *what;
	struct nl_leaf leaf;
	enum nl_err err;

	memcpy(copy, file, size);
	err = nl_leaf_parse(copy, size, &leaf);
	if (!err)
		err = leafcheck(&leaf, &what);
	free(copy);
	return err;
}

static enum nl_err written(void) { return check(make_write(&m, file)); }

static int setup(void **state)
{
	(void)state;
	start_leaf();
	return 0;
}

#define BAD(name, core, author, change) \
	static void bad_##name(void **state) \
	{ \
		(void)state; \
		change; \
		assert_int_equal(written(), author); \
	}
BAD_LEAVES(BAD)

static void good(void **state)
{
	(void)state;
	assert_int_equal(written(), NL_OK);
}

/* They are read in one piece. */
static void bad_strings_long(void **state)
{
	size_t size = make_write(&m, file);
	struct nl_leaf_header *h = (struct nl_leaf_header *)file;
	uint32_t more = NL_LEAF_MAX_STRINGS - h->strings.count;

	(void)state;
	memset(file + size, 0, more + 1);
	h->signed_size += more;
	h->strings.count += more;
	assert_int_equal(check(size + more), NL_OK);
	h->signed_size++;
	h->strings.count++;
	assert_int_equal(check(size + more + 1), NL_ELEAF);
}

/* Two parts that share bytes: one of them is not what it says. */
static void bad_parts_overlap(void **state)
{
	size_t size = make_write(&m, file);
	struct nl_leaf_header *h = (struct nl_leaf_header *)file;

	(void)state;
	h->text.offset = h->bytes.offset;
	assert_int_equal(check(size), NL_ELEAF);
}

/* Bytes between two parts, or behind the last one, are no part of anything. */
static void bad_holes(void **state)
{
	size_t size;
	struct nl_leaf_header *h = (struct nl_leaf_header *)file;

	(void)state;
	m.n_sites = 1; /* 76 bytes: four of padding follow */
	m.n_bytes = 10;
	m.n_relocs = 1;
	assert_int_equal(written(), NL_OK);
	size = make_write(&m, file);
	file[h->relocs.offset - 1] = 1;
	assert_int_equal(check(size), NL_ELEAF);
	size = make_write(&m, file);
	h->signed_size++;
	assert_int_equal(check(size + 1), NL_ELEAF);
}

static void counters(void **state)
{
	(void)state;
	count(1, 64);
	m.sites[0].counter = 1;
	assert_int_equal(written(), NL_OK);
}

/* Which part of the leaf is meant. */
static void says_what(void **state)
{
	const char *what;
	struct nl_leaf leaf;

	(void)state;
	m.relocs[2].value = 97;
	assert_int_equal(nl_leaf_parse(file, make_write(&m, file), &leaf), NL_OK);
	assert_int_equal(leafcheck(&leaf, &what), NL_ERELOC);
	assert_string_equal(what, "relocation 2");
}

int main(void)
{
#define BAD_TEST(name, core, author, change) cmocka_unit_test_setup(bad_##name, setup),
	const struct CMUnitTest tests[] = {cmocka_unit_test_setup(good, setup),
	                                   cmocka_unit_test_setup(bad_parts_overlap, setup),
	                                   cmocka_unit_test_setup(bad_holes, setup),
	                                   cmocka_unit_test_setup(bad_strings_long, setup),
	                                   cmocka_unit_test_setup(counters, setup),
	                                   cmocka_unit_test_setup(says_what, setup),
	                                   BAD_LEAVES(BAD_TEST)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
