// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/patch_setup.c tools/author/patch_object.c tools/author/patch_homes.c
// sources: tools/author/patch_kind.c tools/author/patch_compare.c tools/author/patch_layout.c
// sources: tools/author/kallsyms.c tools/author/code.c tools/author/author.c tools/author/typenames.c
// sources: tests/unit/author_refuse.c tests/unit/author_units.c
// libs: -lelf -lbpf -lZydis
// cflags: -Itools/author
/* What is called when something is set up: units of our own. */
#include "author_units.h"
#include "patch_setup.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#define F "static __attribute__((noinline)) int f(void *net) { return net != 0; }\n"
#define OPS(type) "struct " type " { int *id; int (*init)(void *); int (*exit)(void *); };\n"

/* The note on f, which the patch replaces; NULL: none. */
static const char *noted(const char *text)
{
	static struct patch_unit p;
	static struct patch_function function;

	author_unit(&p, "a", text, text);
	function.shipped = unit_find(p.shipped, "f");
	p.function = &function;
	p.n_functions = 1;
	setup_note(&p);
	return p.n_notes ? p.notes[0] : NULL;
}

static void test_namespaces(void **state)
{
	const char *note = noted(F OPS("pernet_operations") "struct pernet_operations ops = {.init = f};\n");

	(void)state;
	assert_non_null(note);
	assert_non_null(strstr(note, "f is called when a network namespace is set up"));
	assert_null(noted(F OPS("pernet_operations") "struct pernet_operations ops = {.exit = f};\n"));
	assert_null(noted(F OPS("other") "struct other ops = {.init = f};\n"));
	assert_null(noted("int f(void *net) { return net != 0; }\n"));
}

static void test_cpus(void **state)
{
	const char *note = noted(F "struct cpu_dev { const char *v; int (*c_init)(void *); };\n"
	                           "const struct cpu_dev amd = {.v = \"x\", .c_init = f};\n");

	(void)state;
	assert_non_null(note);
	assert_non_null(strstr(note, "f is called when a CPU is set up"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_namespaces),
	        cmocka_unit_test(test_cpus),
	};

	return cmocka_run_group_tests_name("author_setup", tests, author_units_start, author_units_end);
}
