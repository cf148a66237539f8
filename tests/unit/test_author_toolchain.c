// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/toolchain.c tools/author/kallsyms.c tools/author/author.c
// sources: tests/unit/author_kernel.c tests/unit/author_refuse.c
// cflags: -Itools/author
/*
 * Which compiler is taken: the kernel's own if it is anywhere, else another, and then the leaf says so. The compilers
 * are scripts that print a version.
 */
#define _GNU_SOURCE
#include "author_kernel.h"
#include "author_refuse.h"
#include "fetch.h"
#include "toolchain.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OWN "gcc-14 (Debian 14.2.0-19) 14.2.0"
#define OTHER "gcc-12 (Debian 12.2.0-14) 12.2.0"

static char root[] = "/tmp/newleaf-toolchain.XXXXXX";

static void compiler(const char *path, const char *says)
{
	char *text = xformat("#!/bin/sh\necho '%s'\n", says);

	file_write(xformat("%s/%s", root, path), text, strlen(text), 0755);
}

static char *fetched; /* what get-kernel would say */

char *fetch_part(const struct kernel *k, const char *part)
{
	(void)k;
	assert_string_equal(part, "compiler");
	return fetched;
}

static struct kernel *kernel(const char *banner)
{
	static const uint8_t code[] = {0xc3};
	struct kernel *k = author_kernel(code, sizeof(code), AUTHOR_NOT_TRACED);

	author_kernel_text(k, "linux_banner", banner);
	return k;
}

static struct kernel *built_by_own(void)
{
	return kernel("Linux version 6.12 (a@b) (x86_64-linux-gnu-" OWN ", GNU ld (GNU Binutils) 2.44) #1 SMP\n");
}

static int setup(void **state)
{
	static const char *const made[] = {"bin", "compilers", "compilers/trixie-gcc-14_14.2.0-19",
	                                   "compilers/trixie-gcc-14_14.2.0-19/bin"};

	(void)state;
	strcpy(strchr(root, '.'), ".XXXXXX");
	assert_non_null(mkdtemp(root));
	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++)
		assert_false(mkdir(xformat("%s/%s", root, made[i]), 0755));
	setenv("NEWLEAF_CACHE", root, 1);
	setenv("PATH", xformat("%s/bin:/bin", root), 1);
	compiler("bin/gcc-12", OTHER);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return system(xformat("rm -r %s", root));
}

static void test_what_the_kernel_says(void **state)
{
	(void)state;
	assert_string_equal(toolchain_of_kernel(built_by_own()), "x86_64-linux-gnu-" OWN);
	assert_null(toolchain_of_kernel(kernel("Linux version 6.12\n")));
	assert_null(toolchain_of_kernel(kernel("no end")));
}

static void test_on_the_machine(void **state)
{
	struct toolchain t;

	(void)state;
	compiler("bin/gcc-14", OWN);
	t = toolchain_find(built_by_own(), NULL);
	assert_string_equal(t.cc, "gcc-14");
	assert_null(t.note);
}

/* One of the same name is not the same: the cache has the right one. */
static void test_in_the_cache(void **state)
{
	struct toolchain t;

	(void)state;
	compiler("bin/gcc-14", "gcc-14 (Debian 14.1.0-1) 14.1.0");
	compiler("compilers/trixie-gcc-14_14.2.0-19/bin/gcc", "x86_64-linux-gnu-" OWN);
	t = toolchain_find(built_by_own(), NULL);
	assert_string_equal(t.cc, xformat("%s/compilers/trixie-gcc-14_14.2.0-19/bin/gcc", root));
	assert_null(t.note);
}

static void test_another_is_noted(void **state)
{
	char *argv[TOOLCHAIN_ARGUMENTS];
	struct toolchain t;

	(void)state;
	t = toolchain_find(built_by_own(), NULL);
	assert_string_equal(t.cc, "gcc-12");
	assert_string_equal(t.note, "unproven: compiled by " OTHER ", and the kernel by x86_64-linux-gnu-" OWN);
	assert_int_equal(toolchain_arguments(&t, argv), 2); /* it lacks an option that the configuration has */
	assert_string_equal(argv[0], "CC=gcc-12");
	t = toolchain_find(kernel("Linux version 6.12\n"), NULL);
	assert_non_null(strstr(t.note, "by one that it does not name"));
}

/* What stands behind the version is no version. */
static void test_a_day_is_no_version(void **state)
{
	struct toolchain t;

	(void)state;
	compiler("bin/gcc-10", "gcc-10 (Debian 10.2.1-6) 10.2.1 20210110");
	t = toolchain_find(kernel("Linux version 5.10 (a@b) (gcc-10 (Debian 10.2.1-6) 10.2.1 20210110, GNU ld) #1\n"),
	                   NULL);
	assert_string_equal(t.cc, "gcc-10");
	assert_false(t.tells_types);
	assert_true(toolchain_find(built_by_own(), NULL).tells_types);
}

/* Only when it is neither here nor in the cache; and one that is not quite the same comes before any other. */
static void test_fetched(void **state)
{
	struct toolchain t;

	(void)state;
	fetched = xformat("%s/bin/fetched", root);
	compiler("bin/fetched", OWN);
	t = toolchain_find(built_by_own(), NULL);
	assert_string_equal(t.cc, fetched);
	assert_null(t.note);
	compiler("bin/fetched", "gcc-14 (Debian 14.2.0-20) 14.2.0");
	t = toolchain_find(built_by_own(), NULL);
	assert_string_equal(t.cc, fetched);
	assert_non_null(strstr(t.note, "14.2.0-20"));
	compiler("bin/gcc-14", OWN);
	t = toolchain_find(built_by_own(), NULL);
	assert_string_equal(t.cc, "gcc-14");
	fetched = NULL;
}

static void test_given(void **state)
{
	char *argv[TOOLCHAIN_ARGUMENTS];
	struct toolchain t;

	(void)state;
	compiler("compilers/trixie-gcc-14_14.2.0-19/bin/gcc", OWN);
	t = toolchain_find(built_by_own(), xformat("%s/compilers/trixie-gcc-14_14.2.0-19", root));
	assert_null(t.note);
	assert_int_equal(toolchain_arguments(&t, argv), 1);
	t = toolchain_find(built_by_own(), xformat("%s/bin/gcc-12", root));
	assert_non_null(t.note);
	assert_true(AUTHOR_REFUSES(NL_EENVIRONMENT, (toolchain_find(built_by_own(), "/nowhere"), 0)));
	assert_non_null(strstr(author_why, OWN));
}

/* A kernel file may say anything: no path, no pattern comes of it. */
static void test_hostile(void **state)
{
	static const char *const names[] = {"../../bin/sh", "*", "", "-"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct toolchain t =
		        toolchain_find(kernel(xformat("Linux version 1 (a@b) (%s (x) 1, ld) #1\n", names[i])), NULL);

		assert_string_equal(t.cc, "gcc-12");
		assert_non_null(t.note);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_what_the_kernel_says, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_on_the_machine, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_in_the_cache, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_another_is_noted, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_a_day_is_no_version, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_fetched, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_given, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
