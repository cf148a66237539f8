// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/objects.c tools/author/livesites.c tools/author/code.c tools/author/recipe.c
// sources: tools/author/module.c tools/author/module_layout.c tools/author/module_relocs.c tools/author/module_at.c
// sources: tools/author/modules.c tools/author/unpack.c tools/author/types.c tools/author/kallsyms.c
// sources: tools/author/krelocs.c tools/author/place.c tools/author/kernel.c tools/author/facts.c
// sources: tools/author/escape.c
// sources: tools/author/author.c tests/unit/author_refuse.c tests/unit/makekernel.c tests/unit/makemodule.c
// libs: -lelf -lbpf -llz4 -lzstd -llzma -lbz2 -lz -lZydis
// cflags: -Itools/author
/* Whose the statements of a recipe are. */
#include "author_refuse.h"
#include "livesites.h"
#include "makemodule.h"
#include "objects.h"
#include "place.h"

#include <elf.h>
#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define RELEASE "6.1.0-0-made-amd64"

static char directory[] = "/tmp/newleaf-objects.XXXXXX";
static struct object out[NL_LEAF_MAX_OBJECTS];
static struct kernel *k;

/* A module whose f is called `only`, so that two have names of their own. */
static void give(const char *name, const char *only)
{
	struct made_section s[MADE_M_COUNT];
	char *path = xformat("%s/%s.ko", directory, name);
	Elf64_Sym *sym;
	struct buf b;
	FILE *f;

	make_module(s, RELEASE, name, "", NULL);
	sym = (Elf64_Sym *)(void *)s[MADE_M_SYMTAB].bytes.p;
	sym[MADE_Y_F].st_name = (uint32_t)buf_add(&s[MADE_M_STRTAB].bytes, only, strlen(only) + 1);
	b = make_elf(ET_REL, s, MADE_M_COUNT);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(b.p, 1, b.n, f), b.n);
	fclose(f);
	modules_add(k, path);
}

static size_t split(const char *statements)
{
	return objects_of(k, recipe_parse("r", xformat("id x\nversion 1\n%s", statements)), out);
}

static bool refused(enum nl_err err, const char *statements, const char *why)
{
	return AUTHOR_REFUSES(err, split(statements)) && strstr(author_why, why);
}

static int start(void **state)
{
	(void)state;
	k = make_module_kernel(RELEASE, true);
	give("one", "first");
	give("two_three", "second");
	return 0;
}

static void test_split(void **state)
{
	(void)state;
	assert_int_equal(split("replace out with a.c\n"), 1);
	assert_null(out[0].module);
	assert_ptr_equal(out[0].k, k);
	assert_false(out[0].r->is_part);
	assert_int_equal(split("replace first with a.c\n"), 1);
	assert_string_equal(out[0].module->name, "one");
	assert_ptr_equal(out[0].k->module, out[0].module);
	/* Modules in the order of the recipe, the kernel last. */
	assert_int_equal(split("replace out with k.c allow types\nreplace second with b.c allow private\nkill first\n"
	                       "replace hidden with k.c\n"),
	                 3);
	assert_string_equal(out[0].module->name, "two_three");
	assert_string_equal(out[1].module->name, "one");
	assert_null(out[2].module);
	assert_true(out[0].r->is_part && out[2].r->is_part);
	assert_int_equal(out[0].r->n_source, 1);
	assert_string_equal(out[0].r->source[0], "b.c");
	assert_int_equal(out[0].r->allow[0], ALLOW_PRIVATE);
	assert_int_equal(out[1].r->n_source, 0);
	assert_int_equal(out[1].r->n_replace, 1);
	assert_int_equal(out[2].r->n_replace, 2);
	assert_int_equal(out[2].r->n_source, 1);
	assert_int_equal(out[2].r->allow[0], ALLOW_TYPES);
}

static void test_names(void **state)
{
	(void)state;
	assert_true(refused(NL_ETARGET, "kill init_module\n", "one, two_three; say which: MODULE:init_module"));
	assert_true(refused(NL_ETARGET, "kill own\n", "vmlinux, one, two_three"));
	assert_int_equal(split("kill vmlinux:own\n"), 1);
	assert_null(out[0].module);
	assert_int_equal(split("kill two-three:init_module\n"), 1); /* as its file could be called */
	assert_string_equal(out[0].module->name, "two_three");
	assert_true(refused(NL_ETARGET, "kill four:init_module\n", "no module four"));
	assert_int_equal(split("kill nobody\n"), 1); /* what there is of it, redirect.c says */
	assert_null(out[0].module);
	assert_int_equal(split("data (u64) one:table = 1\nkill first\n"), 1);
	assert_int_equal(out[0].r->n_data, 1);
	assert_string_equal(out[0].module->name, "one");
}

/* What is said to be of one object is not taken from another. */
static void test_said(void **state)
{
	struct recipe_symbol s = {.name = (char *)"init_module", .module = (char *)"two-three"};

	(void)state;
	split("kill two_three:init_module\n");
	assert_int_equal(place_in_kernel(out[0].k, &s, "r:1").value, out[0].module->symbols[MADE_Y_INIT].va);
	s.module = (char *)"one";
	assert_true(AUTHOR_REFUSES(NL_ERECIPE, place_in_kernel(out[0].k, &s, "r:1")));
	s = (struct recipe_symbol){.name = (char *)"out", .module = (char *)"vmlinux"};
	assert_int_equal(place_in_kernel(k, &s, "r:1").value, 0xffffffff81000100);
	s.module = (char *)"one";
	assert_true(AUTHOR_REFUSES(NL_ERECIPE, place_in_kernel(k, &s, "r:1")));
}

static void test_sources(void **state)
{
	(void)state;
	assert_true(refused(NL_ERECIPE, "replace first with a.c\nreplace second with a.c:x\n", "two sources"));
	assert_true(refused(NL_ERECIPE, "replace first with a.c\nreplace out with a.c\n", "one of the kernel"));
	assert_true(refused(NL_ERECIPE, "replace first with a.c\nreplace out with b.c\nbody c.c\n", "nobody says"));
	assert_int_equal(split("replace first with a.c\nbody c.c\n"), 1);
	assert_int_equal(out[0].r->n_source, 2);
}

static int remove_directory(void **state)
{
	(void)state;
	return system(xformat("rm -r %s", directory));
}

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(test_split, start),
	        cmocka_unit_test_setup(test_names, start),
	        cmocka_unit_test_setup(test_said, start),
	        cmocka_unit_test_setup(test_sources, start),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
