// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/typenames.c tools/author/author.c tests/unit/author_refuse.c
// libs: -lbpf
// cflags: -Itools/author
/* Names of types: a module has its own beside the kernel's. */
#include "author_refuse.h"
#include "host.h"
#include "typenames.h"
#include <bpf/btf.h>

static uint32_t size_of(const struct btf *btf, const char *name)
{
	size_t n;
	const struct btf_type *t = btf__type_by_id(btf, *typenames_find(btf, BTF_KIND_STRUCT, name, &n));

	assert_int_equal(n, 1);
	return t->size;
}

/* A structure that both have: the module's own is meant; and what it has not is the kernel's. */
static void test_types(void **state)
{
	struct btf *kernel = btf__new_empty(), *split;

	(void)state;
	assert_true(btf__add_struct(kernel, "twice", 4) > 0 && btf__add_struct(kernel, "once", 16) > 0);
	split = btf__new_empty_split(kernel);
	assert_true(btf__add_struct(split, "twice", 8) > 0);
	assert_int_equal(size_of(split, "twice"), 8);
	assert_int_equal(size_of(kernel, "twice"), 4);
	assert_int_equal(size_of(split, "once"), 16);
	btf__free(split);
	btf__free(kernel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_types)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
