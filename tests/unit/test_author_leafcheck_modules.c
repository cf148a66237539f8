// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/leafcheck.c tools/author/leafcheck_target.c hv/leaf/leaf.c hv/guest/linux/target.c
// sources: tests/unit/makeleaf.c
// cflags: -Itools/author
// libs: -lcrypto
/* The same as test_author_leafcheck, on a leaf with modules (badmodules.h); and what is good on the other side of each
 * edge. */
#include "host.h"
#include "badmodules.h"
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

static void good_ones(void **state)
{
	const struct nl_leaf_target t = target();
	const struct nl_leaf_object alpha = object("alpha");
	struct nl_leaf_object old = alpha;

	(void)state;
	/* One module alone, without a body. */
	make_start(&m, "one", 1, &t);
	make_module(&m, &alpha);
	make_module_site(&m, 1, RODATA, 0xff8, "\1\2\3\4\5\6\7\10", "\0\0\0\0\0\0\0\0", 8, 0, 0);
	assert_int_equal(written(), NL_OK);
	/* As before 6.4: one run for all, so that the regions share a pointer. */
	old.regions[TEXT] = (struct nl_leaf_region){NL_MEM_TEXT, 0x2000, 0x100, 0x110, 0};
	old.regions[RODATA] = (struct nl_leaf_region){NL_MEM_RODATA, 0x3000, 0x100, 0x114, 0};
	old.regions[DATA] = (struct nl_leaf_region){NL_MEM_IMAGE, 0x5000, 0x100, 0x118, 0};
	old.build_id_offset = 0x2010;
	make_start(&m, "old", 1, &t);
	make_module(&m, &old);
	make_module_site(&m, 1, TEXT, 0x105, "\x0f\x1f\x44\0\0", "\xe9\0\0\0\0", 5, 0x100, 0x40);
	make_module_site(&m, 1, RODATA, 0x2200, "\1\2\3\4\5\6\7\10", "\0\0\0\0\0\0\0\0", 8, 0, 0);
	assert_int_equal(written(), NL_OK);
	m.sites[1].offset = 0x104; /* across regions, the same bytes */
	assert_int_equal(written(), NL_EOVERLAP);
	/* As many as there may be; and one more. */
	for (unsigned n = NL_LEAF_MAX_OBJECTS - 1; n <= NL_LEAF_MAX_OBJECTS; n++) {
		make_start(&m, "many", 1, &t);
		for (unsigned i = 0; i < n; i++) {
			struct nl_leaf_object o = alpha;

			o.name[0] = (char)('a' + i);
			make_module(&m, &o);
		}
		make_module_site(&m, 7, RODATA, 0, "\1", "\2", 1, 0, 0);
		assert_int_equal(written(), n < NL_LEAF_MAX_OBJECTS ? NL_OK : NL_ELEAF);
	}
}

/* What is allowed on the other side of each of these edges. */
static void edges(void **state)
{
	(void)state;
	m.relocs[ALPHA_BODY].object = 3; /* a module without sites */
	assert_int_equal(written(), NL_OK);
	m.relocs[ALPHA_BODY] = (struct nl_leaf_reloc){NL_AT_TEXT, NL_REL_PC32, NL_SYM_TEXT, 0, 66, 0, 0, 192, -4};
	assert_int_equal(written(), NL_OK); /* the kernel's part */
	m.relocs[ALPHA_BODY].value = 191;
	assert_int_equal(written(), NL_ERELOC);
	m.relocs[ALPHA_BODY] = m.relocs[KERNEL_DATA];
	assert_int_equal(written(), NL_OK);
	TARGET.block_call = 64 - 8;
	TARGET.notify_count = 256 - 8;
	TARGET.module_state = (struct nl_leaf_field){0x400 - 8, 8};
	TARGET.module_name = 0x400 - NL_OBJECT_NAME_LEN;
	ALPHA.regions[DATA].pointer_at = 0x400 - 8;
	ALPHA.regions[DATA].size_at = 0x400 - 4;
	ALPHA.build_id_offset = 0x1000 - 20;
	m.sites[ALPHA_DATA].offset = 0xff8;
	assert_int_equal(written(), NL_OK);
}

int main(void)
{
#define BAD_TEST(name, core, author, change) cmocka_unit_test_setup(bad_##name, setup),
	const struct CMUnitTest tests[] = {cmocka_unit_test_setup(good_ones, setup),
	                                   cmocka_unit_test_setup(edges, setup), BAD_LEAVES(BAD_TEST)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
