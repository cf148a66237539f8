// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/compare_types.c tools/author/typenames.c tools/author/author.c tests/unit/author_refuse.c
// libs: -lbpf
// cflags: -Itools/author
/* Two sources' ideas of one type: the same, or what differs. */
#include "compare_types.h"
#include "typenames.h"

#include <bpf/btf.h>
#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

static struct btf *here, *kernel;

static int setup(void **state)
{
	(void)state;
	here = btf__new_empty();
	kernel = btf__new_empty();
	return 0;
}

/* The same int, char, long in both, as ids 1, 2, 3. */
static void basics(struct btf *b)
{
	btf__add_int(b, "int", 4, BTF_INT_SIGNED);
	btf__add_int(b, "unsigned char", 1, 0);
	btf__add_int(b, "long int", 8, BTF_INT_SIGNED);
}

/* A structure of two members, the second at `at`, of type `id`. */
static int pair(struct btf *b, const char *name, uint32_t size, const char *second, int id, uint32_t at, uint32_t bits)
{
	int s = btf__add_struct(b, name, size);

	btf__add_field(b, "first", 1, 0, 0);
	btf__add_field(b, second, id, at, bits);
	return s;
}

static bool named_says(int id, const char *says)
{
	struct type_of t = {here, (uint32_t)id};
	bool known;
	char *why;

	typenames_forget(); /* the kernel's have grown */
	why = compare_named(t, kernel, "K", &known);

	if (says && why && !strstr(why, says))
		print_message("said: %s\n", why);
	return known && (says ? why && strstr(why, says) : !why);
}

static bool says(int a, int b, const char *text)
{
	struct type_of x = {here, (uint32_t)a}, y = {kernel, (uint32_t)b};
	char *why = compare_types(x, y, "K");

	if (why && (!text || !strstr(why, text)))
		print_message("said: %s\n", why);
	return text ? why && strstr(why, text) : !why;
}

static void test_members(void **state)
{
	(void)state;
	basics(here);
	basics(kernel);
	pair(kernel, "foo", 16, "bar", 3, 64, 0);
	assert_true(named_says(pair(here, "foo", 16, "bar", 3, 64, 0), NULL));
	assert_true(named_says(pair(here, "foo", 16, "bar", 1, 64, 0), ".bar: int here, long int in K"));
	assert_true(named_says(pair(here, "foo", 12, "bar", 3, 32, 0), ".bar: 8 bytes at 4 here, 8 at 8 in K"));
	assert_true(named_says(pair(here, "foo", 24, "bar", 3, 64, 0), "24 bytes here, 16 in K"));
	assert_true(named_says(pair(here, "foo", 16, "baz", 3, 64, 0), "'baz' here where K has 'bar'"));
	assert_true(named_says(pair(here, "foo", 16, "bar", 3, 64, 3), ".bar: 3 bits here, 0 in K"));
	pair(here, "foo", 16, "bar", 3, 64, 0);
	btf__add_field(here, "more", 2, 96, 0);
	assert_true(named_says((int)btf__type_cnt(here) - 1, "3 members here, 2 in K"));
	/* Another source of the kernel has one of its own of that name: either will do. */
	pair(kernel, "foo", 24, "bar", 3, 64, 0);
	assert_true(named_says(pair(here, "foo", 24, "bar", 3, 64, 0), NULL));
	assert_false(named_says(pair(here, "unknown", 24, "bar", 3, 64, 0), NULL));
}

static void test_bit_fields(void **state)
{
	(void)state;
	basics(here);
	basics(kernel);
	pair(kernel, "foo", 8, "bar", 1, 35, 3);
	assert_true(named_says(pair(here, "foo", 8, "bar", 1, 35, 3), NULL));
	assert_true(named_says(pair(here, "foo", 8, "bar", 1, 36, 3), "at bit 36 here, at bit 35 in K"));
}

static void test_values(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct btf *b = i ? here : kernel;

		btf__add_enum(b, "e", 4);
		btf__add_enum_value(b, "A", 1);
		btf__add_enum_value(b, "B", 2);
	}
	assert_true(named_says(1, NULL));
	btf__add_enum(here, "e", 4);
	btf__add_enum_value(here, "A", 1);
	btf__add_enum_value(here, "B", 3);
	assert_true(named_says(2, "B = 3 here, B = 2 in K"));
	btf__add_fwd(here, "e", BTF_FWD_STRUCT); /* how GCC writes an enumeration that is only named */
	assert_true(says(3, 1, NULL));
}

/* Bits 31 and 32, which GCC 12 leaves out, as kernels since 6.2 and before tell of them. */
static void add_flags(struct btf *b, const char *name, bool wide)
{
	if (wide) {
		btf__add_enum64(b, name, 8, false);
		btf__add_enum64_value(b, "A", 1);
		btf__add_enum64_value(b, "B", 1ULL << 31);
		btf__add_enum64_value(b, "C", 1ULL << 32);
		return;
	}
	btf__add_enum(b, name, 8);
	btf__add_enum_value(b, "A", 1);
	btf__add_enum_value(b, "B", INT32_MIN);
	btf__add_enum_value(b, "C", 0);
}

static void test_values_left_out(void **state)
{
	(void)state;
	add_flags(kernel, "old", false);
	add_flags(kernel, "new", true);
	for (int i = 0; i < 2; i++) {
		btf__add_enum(here, i ? "new" : "old", 8);
		btf__add_enum_value(here, "A", 1);
		assert_true(named_says(1 + i, NULL));
	}
	add_flags(here, "new", true);
	assert_true(named_says(3, NULL));
	btf__add_enum64(here, "new", 8, false); /* who tells of such values at all leaves none out */
	btf__add_enum64_value(here, "A", 1);
	assert_true(named_says(4, "1 values here, 3 in K"));
	btf__add_enum(here, "old", 8);
	btf__add_enum_value(here, "D", 1);
	assert_true(named_says(5, "D = 1 here, A = 1 in K"));
}

static void test_what_says_nothing(void **state)
{
	int a, b;

	(void)state;
	basics(here);
	basics(kernel);
	b = btf__add_ptr(kernel, pair(kernel, "foo", 16, "bar", 3, 64, 0));
	assert_true(says(btf__add_ptr(here, 0), b, NULL)); /* void * */
	assert_true(says(btf__add_ptr(here, btf__add_fwd(here, "foo", BTF_FWD_STRUCT)), b, NULL));
	assert_true(says(btf__add_ptr(here, btf__add_fwd(here, "foo", BTF_FWD_UNION)), b, "union foo * here"));
	assert_true(says(btf__add_ptr(here, btf__add_fwd(here, "other", BTF_FWD_STRUCT)), b,
	                 "struct other * here, struct foo * in K"));
	a = btf__add_ptr(here, btf__add_const(here, btf__add_typedef(here, "foo_t", btf__add_fwd(here, "foo", 0))));
	assert_true(says(a, b, NULL));
	assert_true(says(1, b, "int here, struct foo * in K"));
}

static void test_prototypes(void **state)
{
	int a, b;

	(void)state;
	basics(here);
	basics(kernel);
	b = btf__add_func_proto(kernel, 1);
	btf__add_func_param(kernel, "x", 3);
	a = btf__add_func_proto(here, 1);
	btf__add_func_param(here, "y", 3);
	assert_true(says(a, b, NULL));
	a = btf__add_func_proto(here, 0);
	btf__add_func_param(here, "x", 3);
	assert_true(says(a, b, "what it returns: void here, int in K"));
	a = btf__add_func_proto(here, 1);
	btf__add_func_param(here, "x", 1);
	assert_true(says(a, b, "argument 1: int here, long int in K"));
	btf__add_func_param(here, "more", 1);
	assert_true(says(a, b, "2 arguments here, 1 in K"));
	a = btf__add_func_proto(here, 1);
	assert_true(says(a, b, "0 arguments here, 1 in K"));
}

static void test_arrays(void **state)
{
	int six, deep, one;

	(void)state;
	basics(here);
	basics(kernel);
	six = btf__add_array(kernel, 1, 1, 6); /* the kernel's types have one dimension, for [2][3] and for [6] */
	deep = btf__add_array(here, 1, btf__add_array(here, 1, 1, 3), 2);
	assert_true(says(deep, six, NULL));
	assert_true(says(btf__add_array(here, 1, 1, 5), six, "int[5] here, int[6] in K"));
	one = btf__add_array(here, 1, 1, 1);
	assert_true(says(one, 1, NULL));
}

static void test_signs(void **state)
{
	int a;

	(void)state;
	basics(here);
	basics(kernel);
	a = btf__add_int(here, "signed char", 1, BTF_INT_SIGNED);
	assert_true(says(a, 2, "signed char here, unsigned char in K"));
	a = btf__add_int(here, "unsigned char", 1, BTF_INT_SIGNED); /* older kernels have no sign at char */
	assert_true(says(a, 2, NULL));
}

static void test_circles(void **state)
{
	int a, b;

	(void)state;
	/* A pointer to itself, in both: libbpf takes it. */
	a = btf__add_ptr(here, 1);
	b = btf__add_ptr(kernel, 1);
	assert_true(says(a, b, "in a circle"));
	setup(NULL);
	a = btf__add_typedef(here, "t", 1);
	b = btf__add_typedef(kernel, "t", 1);
	says(a, b, "");
	assert_non_null(type_name((struct type_of){here, 1}));
}

static int proto_here, proto_kernel;

static bool is_that(const void *of, struct type_of x, struct type_of y)
{
	return of == &proto_here && x.btf == here && y.btf == kernel && (int)x.id == proto_here &&
	       (int)y.id == proto_kernel;
}

static int function_of(struct btf *b, int argument)
{
	int proto = btf__add_func_proto(b, 1);

	btf__add_func_param(b, "x", argument);
	return proto;
}

/* One prototype is known to change: no other may, and nothing else. */
static void test_expected(void **state)
{
	const struct compare_expected e = {is_that, &proto_here};
	int other;

	(void)state;
	basics(here);
	basics(kernel);
	proto_here = function_of(here, 3);
	proto_kernel = function_of(kernel, 1);
	other = function_of(here, 2);
	pair(kernel, "foo", 16, "bar", btf__add_ptr(kernel, proto_kernel), 64, 0);
	assert_true(
	        named_says(pair(here, "foo", 16, "bar", btf__add_ptr(here, proto_here), 64, 0), ".bar: argument 1"));
	compare_expect(&e);
	assert_true(named_says(pair(here, "foo", 16, "bar", btf__add_ptr(here, proto_here), 64, 0), NULL));
	assert_true(named_says(pair(here, "foo", 16, "bar", btf__add_ptr(here, other), 64, 0), ".bar: argument 1"));
	assert_true(named_says(pair(here, "foo", 24, "bar", btf__add_ptr(here, proto_here), 128, 0), ".bar: 8 bytes"));
	compare_expect(NULL);
	assert_true(
	        named_says(pair(here, "foo", 16, "bar", btf__add_ptr(here, proto_here), 64, 0), ".bar: argument 1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(test_members, setup),
	        cmocka_unit_test_setup(test_bit_fields, setup),
	        cmocka_unit_test_setup(test_values, setup),
	        cmocka_unit_test_setup(test_values_left_out, setup),
	        cmocka_unit_test_setup(test_what_says_nothing, setup),
	        cmocka_unit_test_setup(test_prototypes, setup),
	        cmocka_unit_test_setup(test_arrays, setup),
	        cmocka_unit_test_setup(test_signs, setup),
	        cmocka_unit_test_setup(test_circles, setup),
	        cmocka_unit_test_setup(test_expected, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
