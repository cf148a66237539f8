// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/patch_layout.c tools/author/typenames.c tools/author/kallsyms.c tools/author/author.c
// sources: tests/unit/author_refuse.c
// libs: -lbpf
// cflags: -Itools/author
/* Types before and after a patch: what lies in memory in another form, and what is only new or only gone. */
#include "patch_layout.h"
#include "typenames.h"

#include <bpf/btf.h>
#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

static struct btf *before, *after;

static void basics(struct btf *b)
{
	btf__add_int(b, "int", 4, BTF_INT_SIGNED);
	btf__add_int(b, "long int", 8, BTF_INT_SIGNED);
}

static int setup(void **state)
{
	(void)state;
	typenames_forget();
	basics(before = btf__new_empty());
	basics(after = btf__new_empty());
	return 0;
}

static int pair(struct btf *b, const char *name, const char *first, int x, const char *second, int y)
{
	int s = btf__add_struct(b, name, 16);

	btf__add_field(b, first, x, 0, 0);
	btf__add_field(b, second, y, 64, 0);
	return s;
}

static struct layout types;

static bool says(const char *what)
{
	char *how;

	types = (struct layout){.before = before, .after = after};
	how = layout_change_of(&types);

	if (how && (!what || !strstr(how, what)))
		print_message("said: %s\n", how);
	return what ? how && strstr(how, what) : !how;
}

static void test_named(void **state)
{
	(void)state;
	pair(before, "s", "a", 1, "b", 2);
	pair(before, "gone", "a", 1, "b", 2);
	pair(after, "new", "a", 1, "b", 2);
	pair(after, "s", "a", 1, "b", 2);
	assert_true(says(NULL));
	setup(NULL);
	pair(before, "s", "a", 1, "b", 2);
	pair(after, "s", "b", 1, "a", 2);
	assert_true(says("struct s: b where a was"));
}

static void test_unnamed(void **state)
{
	(void)state;
	pair(before, NULL, "time", 2, "lock", 1);
	pair(after, NULL, "lock", 1, "time", 2);
	assert_true(says("an unnamed structure: lock where time was"));
	setup(NULL);
	pair(after, NULL, "lock", 1, "time", 2);
	assert_true(says(NULL));
	setup(NULL); /* the type of a variable, and what a typedef names */
	btf__add_var(before, "v", BTF_VAR_STATIC, pair(before, NULL, "time", 2, "lock", 1));
	btf__add_var(after, "v", BTF_VAR_STATIC, pair(after, NULL, "lock", 1, "time", 2));
	assert_true(says("variable v: another type"));
	setup(NULL);
	btf__add_typedef(before, "t", pair(before, NULL, "time", 2, "lock", 1));
	btf__add_typedef(after, "t", pair(after, NULL, "lock", 1, "time", 2));
	assert_true(says("type t: another type"));
	setup(NULL); /* one is no longer used, another is */
	btf__add_typedef(before, "t", pair(before, NULL, "time", 2, "lock", 1));
	btf__add_typedef(after, "u", pair(after, NULL, "lock", 1, "time", 2));
	assert_true(says(NULL));
}

static void test_of_one_name(void **state)
{
	(void)state;
	pair(before, "s", "a", 1, "b", 2);
	pair(before, "s", "c", 1, "d", 2);
	pair(after, "s", "c", 1, "d", 2);
	pair(after, "s", "a", 1, "b", 2);
	assert_true(says(NULL));
	setup(NULL);
	pair(before, "s", "a", 1, "b", 2);
	pair(before, "s", "c", 1, "d", 2);
	pair(after, "s", "a", 1, "b", 2);
	pair(after, "s", "d", 1, "c", 2);
	assert_true(says("struct s: d where c was"));
}

static int pointer(struct btf *b, int to, int argument)
{
	int proto = btf__add_func_proto(b, to);

	btf__add_func_param(b, "x", argument);
	return btf__add_ptr(b, proto);
}

static void test_pointers(void **state)
{
	(void)state;
	pair(before, "s", "a", 1, "b", btf__add_ptr(before, btf__add_fwd(before, "x", BTF_FWD_STRUCT)));
	pair(after, "s", "a", 1, "b", btf__add_ptr(after, pair(after, "x", "a", 1, "b", 2)));
	assert_true(says(NULL));
	setup(NULL);
	pair(before, "s", "a", 1, "b", btf__add_ptr(before, btf__add_fwd(before, "x", BTF_FWD_STRUCT)));
	pair(after, "s", "a", 1, "b", btf__add_ptr(after, btf__add_fwd(after, "y", BTF_FWD_STRUCT)));
	assert_true(says("b gets another type"));
	setup(NULL);
	pair(before, "s", "a", 1, "b", pointer(before, 1, 1));
	pair(after, "s", "a", 1, "b", pointer(after, 1, 2));
	assert_true(says(NULL)); /* if all functions change, too: test_pointees */
	assert_int_equal(types.n_pairs, 1);
}

static void function(struct btf *b, const char *name, int argument)
{
	int proto = btf__add_func_proto(b, 1);

	btf__add_func_param(b, "x", argument);
	btf__add_func(b, name, BTF_FUNC_STATIC, proto);
}

/* A pointer of "s" to a function that takes an int before, a long after. */
static void test_pointees(void **state)
{
	struct ksym sym[] = {{0x1000, "f", 't'}, {0x2000, "f", 't'}};
	uint32_t order[] = {0, 1};
	struct kallsyms syms = {.sym = sym, .n = 1, .by_name = order};
	struct btf *kernel = btf__new_empty();

	(void)state;
	basics(kernel);
	pair(before, "s", "a", 1, "b", pointer(before, 1, 1));
	pair(after, "s", "a", 1, "b", pointer(after, 1, 2));
	function(before, "f", 1);
	function(after, "f", 2);
	function(before, "other", 2);
	function(kernel, "f", 1);
	function(kernel, "other", 2);
	assert_true(says(NULL));
	assert_null(layout_pointees(&types, 1, kernel, &syms));
	assert_non_null(layout_pointees(&types, 1, NULL, &syms)); /* nobody knows what else there is */
	syms.n = 2;                                               /* another unit has one of the name */
	assert_string_equal(layout_pointees(&types, 1, kernel, &syms), "f");
	syms.n = 1;
	function(kernel, "g", 1); /* the patch does not come to it */
	assert_string_equal(layout_pointees(&types, 1, kernel, &syms), "g");
	function(after, "g", 2);
	typenames_forget();
	assert_null(layout_pointees(&types, 1, kernel, &syms));
	function(before, "gone", 1); /* memory may still point to what the source no longer has */
	assert_string_equal(layout_pointees(&types, 1, kernel, &syms), "gone");
	function(after, "gone", 1);
	typenames_forget();
	assert_string_equal(layout_pointees(&types, 1, kernel, &syms), "gone");
}

/* What of the patch's code may differ from the running kernel: this pair, and no other. */
static void test_expects(void **state)
{
	struct btf *kernel = btf__new_empty(), *body = btf__new_empty();
	int theirs, own, another;

	(void)state;
	basics(kernel);
	basics(body);
	theirs = btf__type_by_id(kernel, (uint32_t)pointer(kernel, 1, 1))->type;
	btf__add_int(body, "char", 1, 0); /* other numbers than the unit's */
	own = btf__type_by_id(body, (uint32_t)pointer(body, 1, 2))->type;
	another = btf__type_by_id(body, (uint32_t)pointer(body, 1, 3))->type;
	pair(before, "s", "a", 1, "b", pointer(before, 1, 1));
	pair(after, "s", "a", 1, "b", pointer(after, 1, 2));
	assert_true(says(NULL));
	assert_true(layout_expects(&types, body, (uint32_t)own, kernel, (uint32_t)theirs));
	assert_false(layout_expects(&types, body, (uint32_t)another, kernel, (uint32_t)theirs));
	assert_false(layout_expects(&types, body, (uint32_t)theirs, kernel, (uint32_t)theirs));
	assert_false(layout_expects(&types, kernel, (uint32_t)theirs, body, (uint32_t)own));
}

static int bits(struct btf *b, uint32_t first)
{
	int s = btf__add_struct(b, "s", 4);

	btf__add_field(b, "a", 1, 0, (uint8_t)first);
	btf__add_field(b, "b", 1, 4, 4);
	return s;
}

static void test_bits(void **state)
{
	(void)state;
	bits(before, 3);
	bits(after, 4);
	assert_true(says("a gets another number of bits"));
}

static void constants(struct btf *b, const char *name, int second, int last)
{
	btf__add_enum(b, name, 4);
	btf__add_enum_value(b, "ONE", 1);
	btf__add_enum_value(b, "TWO", second);
	btf__add_enum_value(b, "END", last);
}

static void test_constants(void **state)
{
	(void)state;
	constants(before, "e", 2, 3);
	constants(after, "e", 2, 4); /* there are more */
	assert_true(says(NULL));
	setup(NULL);
	constants(before, "e", 2, 4);
	constants(after, "e", 3, 4);
	assert_true(says("enum e: TWO is 3 instead of 2"));
	setup(NULL);
	constants(before, NULL, 2, 4);
	constants(after, NULL, 3, 4);
	assert_true(says("an unnamed enumeration: TWO is 3 instead of 2"));
}

static void test_variables(void **state)
{
	(void)state;
	btf__add_var(before, "v", BTF_VAR_STATIC, pair(before, "s", "a", 1, "b", 2));
	btf__add_var(after, "v", BTF_VAR_STATIC, pair(after, "t", "a", 2, "b", 1));
	assert_true(says("variable v: another type"));
	setup(NULL);
	btf__add_var(before, "__UNIQUE_ID_modinfo_7", BTF_VAR_STATIC, 1);
	btf__add_var(after, "__UNIQUE_ID_modinfo_7", BTF_VAR_STATIC, 2);
	assert_true(says(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(test_named, setup),       cmocka_unit_test_setup(test_unnamed, setup),
	        cmocka_unit_test_setup(test_of_one_name, setup), cmocka_unit_test_setup(test_pointers, setup),
	        cmocka_unit_test_setup(test_expects, setup),     cmocka_unit_test_setup(test_pointees, setup),
	        cmocka_unit_test_setup(test_bits, setup),        cmocka_unit_test_setup(test_constants, setup),
	        cmocka_unit_test_setup(test_variables, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
