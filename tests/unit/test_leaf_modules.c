// SPDX-License-Identifier: Apache-2.0
// sources: hv/leaf/leaf.c hv/leaf/signature.c hv/core/sha256.c hv/core/sodium.c tests/unit/makeleaf.c
// sources: hv/guest/linux/target.c
// libs: -lcrypto
/*
 * The parser on leaves with modules: good ones pass, and what would lead the core out of bounds is refused by its name
 * (badmodules.h). Files lie in buffers of exactly their size, so that ASan sees a read too far.
 */
#include "host.h"
#include "badmodules.h"
#include "leaf/leaf.h"

static enum nl_err check(size_t size)
{
	uint8_t *copy = aligned_alloc(8, (size + 7) & ~(size_t)7);
	struct nl_leaf leaf;
	enum nl_err err;

	memcpy(copy, file, size);
	err = nl_leaf_parse(copy, size, &leaf);
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

static void good(void **state)
{
	struct nl_leaf leaf;
	size_t size = make_write(&m, file);

	(void)state;
	assert_int_equal(check(size), NL_OK);
	assert_int_equal(nl_leaf_parse(file, size, &leaf), NL_OK);
	assert_int_equal(leaf.header->objects.count, 3);
	assert_string_equal(nl_leaf_object(&leaf, 3)->name, "gamma");
	assert_ptr_equal(nl_leaf_object(&leaf, 0), &leaf.header->target.kernel);
	assert_int_equal(nl_part_end(&leaf, 1, true), 70);
	assert_int_equal(nl_part_end(&leaf, 0, false), 64 + 16 + 40);
}

/* As many objects as there may be; and one more. */
static void many(void **state)
{
	const struct nl_leaf_target t = target();

	(void)state;
	for (unsigned n = NL_LEAF_MAX_OBJECTS - 1; n <= NL_LEAF_MAX_OBJECTS; n++) {
		make_start(&m, "many", 1, &t);
		for (unsigned i = 0; i < n; i++) {
			struct nl_leaf_object o = object("alpha");

			o.name[0] = (char)('a' + i);
			make_module(&m, &o);
		}
		make_module_site(&m, 7, RODATA, 0, "\1", "\2", 1, 0, 0);
		assert_int_equal(written(), n < NL_LEAF_MAX_OBJECTS ? NL_OK : NL_ELEAF);
	}
}

#define BAD(name, core, author, change) \
	static void bad_##name(void **state) \
	{ \
		(void)state; \
		change; \
		assert_int_equal(written(), core); \
	}
BAD_LEAVES(BAD)

static void truncated_everywhere(void **state)
{
	size_t size = make_write(&m, file);

	(void)state;
	for (size_t i = 0; i < size; i++)
		assert_int_equal(check(i), NL_ELEAF);
}

/* Mutations that no one thought of: refused, or all that the core will use lies where it may. */
static void mutated(void **state)
{
	size_t size = make_write(&m, file);
	uint8_t *copy = aligned_alloc(8, (size + 7) & ~(size_t)7);
	unsigned accepted = 0;

	(void)state;
	host_seed(3);
	for (unsigned i = 0; i < 100000; i++) {
		const struct nl_leaf_header *h = (const void *)copy;
		struct nl_leaf l;

		memcpy(copy, file, size);
		for (uint64_t k = 1 + host_below(3); k; k--) {
			size_t from = offsetof(struct nl_leaf_header, objects), at = from + host_below(size - from);

			if (host_below(2))
				copy[at] = (uint8_t)host_random();
			else
				copy[at & ~(size_t)3] ^= (uint8_t)(1u << host_below(8));
		}
		if (nl_leaf_parse(copy, size, &l))
			continue;
		accepted++;
		for (unsigned k = 0; k < h->sites.count; k++) {
			assert_true(l.sites[k].object <= h->objects.count);
			assert_true(l.sites[k].region < nl_leaf_object(&l, l.sites[k].object)->n_regions);
			assert_true((uint64_t)l.sites[k].fresh + l.sites[k].len <= h->bytes.count);
		}
		for (unsigned k = 0; k <= h->objects.count; k++) {
			const struct nl_leaf_object *o = nl_leaf_object(&l, k);

			assert_true((uint64_t)o->text.offset + o->text.count <= h->text.count);
			assert_true((uint64_t)o->data.offset + o->data.count <= h->data.count);
			assert_true(!k || memchr(o->name, 0, sizeof(o->name)));
		}
	}
	free(copy);
	assert_true(accepted > 1000);
}

int main(void)
{
#define BAD_TEST(name, core, author, change) cmocka_unit_test_setup(bad_##name, setup),
	const struct CMUnitTest tests[] = {cmocka_unit_test_setup(good, setup), cmocka_unit_test_setup(many, setup),
	                                   cmocka_unit_test_setup(truncated_everywhere, setup),
	                                   cmocka_unit_test_setup(mutated, setup), BAD_LEAVES(BAD_TEST)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
