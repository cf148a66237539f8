// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/module_at.c
// sources: tools/author/aliases.c tools/author/returns.c tools/author/callers.c tools/author/branches.c
// sources: tools/author/code.c tools/author/author.c tools/author/kallsyms.c tools/author/krelocs.c
// sources: tests/unit/author_refuse.c tests/unit/author_kernel.c
// cflags: -Itools/author
// libs: -lZydis
/* What other names a function has, whether it returns, and who does not look at what it returns. */
#include "aliases.h"
#include "author_kernel.h"
#include "author_refuse.h"
#include "callers.h"
#include "contract.h"
#include "note.h"
#include "place.h"
#include "returns.h"
#include "toolchain.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#define PAD "\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc"
#define KERNEL(code) author_kernel((const uint8_t *)(code PAD), sizeof(code PAD) - 1, AUTHOR_NOT_TRACED)
#define CALLER (AUTHOR_F + 0x100)

static const char *compiler;
static bool returns_void;
static char *noted;

struct place place_in_kernel(const struct kernel *k, const struct recipe_symbol *s, const char *where)
{
	(void)k, (void)s, (void)where;
	return (struct place){NL_SYM_REGION, AUTHOR_F};
}

bool contract_by_kernel(const struct kernel *k, const char *name, uint64_t va, uint32_t size, struct contract *c)
{
	(void)k, (void)name, (void)va, (void)size;
	*c = (struct contract){.returns_void = returns_void};
	return true;
}

void note(struct draft *d, enum nl_fact_kind kind, const char *text)
{
	(void)d;
	assert_int_equal(kind, NL_FACT_NOTE);
	noted = xformat("%s", text);
}

char *toolchain_of_kernel(const struct kernel *k)
{
	(void)k;
	return compiler ? xformat("%s", compiler) : NULL;
}

static void test_names(void **state)
{
	struct kernel *k = KERNEL("\xc3");

	(void)state;
	assert_null(aliases_of(k, "f", AUTHOR_F));
	author_kernel_symbol(k, "__some_text_start", AUTHOR_F);
	author_kernel_symbol(k, "__pfx_g", AUTHOR_F);
	author_kernel_symbol(k, "__pi_f", AUTHOR_F);
	assert_null(aliases_of(k, "f", AUTHOR_F));
	author_kernel_symbol(k, "g", AUTHOR_F);
	assert_string_equal(aliases_of(k, "f", AUTHOR_F), "g");
	assert_non_null(strstr(aliases_of(k, "g", AUTHOR_F), "f"));
	author_kernel_rename(k, "f", "__do_sys_f");
	author_kernel_rename(k, "g", "__x64_sys_f");
	assert_null(aliases_of(k, "__do_sys_f", AUTHOR_F));
}

static bool returns(struct kernel *k, uint32_t size) { return returns_ever(k, "f", AUTHOR_F, size); }

static void test_returns(void **state)
{
	struct kernel *k;

	(void)state;
	assert_true(returns(KERNEL("\x90\xc3"), 10));
	assert_true(returns(KERNEL("\xff\xe0"), 10));                      /* jmp *%rax */
	assert_true(returns(KERNEL("\xe9\x2b\xfe\xff\xff"), 13));          /* to the return thunk */
	assert_false(returns(KERNEL("\xe8\x00\x01\x00\x00\x0f\x0b"), 15)); /* call, ud2 */
	assert_false(returns(KERNEL("\xeb\xfe"), 10));                     /* for ever */
	assert_false(returns(KERNEL("\xf4\xeb\xfd"), 11));                 /* hlt, again */
	assert_true(returns(KERNEL("\x06\xeb\xfd"), 11));                  /* who knows */
	k = KERNEL("\xe9\xfb\x00\x00\x00");                                /* to its cold half */
	author_kernel_symbol(k, "f.cold", AUTHOR_F + 0x100);
	author_kernel_symbol(k, "behind_cold", AUTHOR_F + 0x110);
	assert_false(returns(k, 13));
	((uint8_t *)(uintptr_t)kernel_bytes(k, AUTHOR_F + 0x100, 1))[0] = 0xc3;
	assert_true(returns(k, 13));
}

/* A caller with this code behind its call of f. */
static struct kernel *called(const char *behind, size_t n)
{
	struct kernel *k = KERNEL("\xc3");
	uint8_t *p = (uint8_t *)(uintptr_t)kernel_bytes(k, CALLER, 32);

	author_kernel_symbol(k, "caller", CALLER);
	author_kernel_symbol(k, "behind_caller", CALLER + 32);
	memcpy(p, "\xe8\xfb\xfe\xff\xff", 5);
	memcpy(p + 5, behind, n);
	return k;
}
#define CALLED(behind) called(behind, sizeof(behind) - 1)
#define TOLD(behind) callers_told(CALLED(behind), AUTHOR_F)

/* Names that are parts of others: "long_caller" is listed before "caller", which is another function. */
static void test_names_within_names(void **state)
{
	static const char *const names[] = {"long_caller", "caller", "call"};
	struct kernel *k = KERNEL("\xc3");

	(void)state;
	compiler = NULL;
	for (uint32_t i = 0; i < 3; i++) {
		uint64_t va = CALLER + 32 * i;
		uint8_t *p = (uint8_t *)(uintptr_t)kernel_bytes(k, va, 32);
		int32_t to = (int32_t)(AUTHOR_F - (va + 5));

		author_kernel_symbol(k, names[i], va);
		p[0] = 0xe8;
		memcpy(p + 1, &to, 4);
		memcpy(p + 5, "\x31\xc0\xc3", 3);
	}
	author_kernel_symbol(k, "behind_caller", CALLER + 96);
	assert_string_equal(callers_told(k, AUTHOR_F), "long_caller, caller, call");
}

static void test_has_name(void **state)
{
	(void)state;
	assert_true(has_name("a_b, a, c.2 (x.c)", "a") && has_name("a_b, a, c.2 (x.c)", "c.2 (x.c)"));
	assert_false(has_name("a_b, c.2", "a") || has_name("a_b, c.2", "b") || has_name("a_b, c.2", "c") ||
	             has_name(NULL, "a") || has_name("a", ""));
}

static void test_callers(void **state)
{
	(void)state;
	compiler = "gcc-14 (Debian 14.2.0-19) 14.2.0";
	assert_string_equal(TOLD("\xe8\x00\x00\x00\x00\xc3"), "caller"); /* another call */
	assert_string_equal(TOLD("\x48\x89\xdf\x31\xc0\xc3"), "caller"); /* xor %eax,%eax */
	assert_string_equal(TOLD("\xb8\x01\x00\x00\x00\xc3"), "caller"); /* mov $1,%eax */
	assert_null(TOLD("\x85\xc0\x75\x02\x90\x90\xc3"));               /* test %eax,%eax */
	assert_null(TOLD("\x48\x89\xc3\x31\xc0\xc3"));                   /* mov %rax,%rbx */
	assert_null(TOLD("\x48\x83\xc4\x08\xc3"));                       /* returned as it is */
	compiler = NULL;
	assert_non_null(TOLD("\xb8\x01\x00\x00\x00\xc3"));
	compiler = "gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0";
	assert_null(TOLD("\xb8\x01\x00\x00\x00\xc3"));
	compiler = "gcc-10 (Debian 10.2.1-6) 10.2.1 20210110";
	assert_null(TOLD("\xb8\x01\x00\x00\x00\xc3"));
}

/* What is said of a recipe that replaces f; NULL = it is refused. */
static char *said(struct kernel *k, struct recipe_replace s)
{
	struct recipe r = {.path = (char *)"r"};
	struct draft d;

	s.function.name = (char *)"f";
	noted = xformat("%s", "");
	if (setjmp(author_refused)) {
		assert_int_equal(author_code, NL_ESITE);
		assert_non_null(strstr(author_why, "caller does not look"));
		return NULL;
	}
	callers_check(&d, k, &r, &s);
	return noted;
}

static void test_recipe(void **state)
{
	static const char looks[] = "\x85\xc0\x75\x02\x90\x90\xc3", ignores[] = "\xb8\x01\x00\x00\x00\xc3";
	struct kernel *k = CALLED(looks), *old = CALLED(ignores);

	(void)state;
	compiler = "gcc-14 (Debian 14.2.0-19) 14.2.0";
	returns_void = false;
	assert_non_null(strstr(said(k, (struct recipe_replace){0}), "local function f; called by: caller"));
	assert_null(said(old, (struct recipe_replace){0}));
	assert_string_not_equal(said(old, (struct recipe_replace){.allow_callers = true}), "");
	assert_string_equal(said(old, (struct recipe_replace){.origin = FROM_ITSELF}), "");
	returns_void = true;
	assert_string_not_equal(said(old, (struct recipe_replace){0}), "");
	((struct ksym *)(uintptr_t)kallsyms_at(&old->syms, AUTHOR_F))->type = 'T'; /* who calls may be anywhere */
	assert_string_equal(said(old, (struct recipe_replace){0}), "");
	compiler = "gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0";
	returns_void = false;
	assert_string_equal(said(old, (struct recipe_replace){0}), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_names),    cmocka_unit_test(test_returns),
	        cmocka_unit_test(test_callers),  cmocka_unit_test(test_names_within_names),
	        cmocka_unit_test(test_has_name), cmocka_unit_test(test_recipe),
	};

	return cmocka_run_group_tests_name("author_callers", tests, NULL, NULL);
}
