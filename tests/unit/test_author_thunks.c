// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/thunks.c tools/author/kallsyms.c tools/author/author.c
// sources: tests/unit/author_kernel.c tests/unit/author_refuse.c
// cflags: -Itools/author
/* Where a kernel has its thunks, what of them is not as it is taken to be, and which names lead to them. */
#include "author_kernel.h"
#include "author_refuse.h"
#include "thunks.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#define THUNKS 0xffffffff81000800ULL
#define ITS 0xffffffff81000c00ULL
#define ITS_RETURN 0xffffffff81000700ULL

static const char *const registers[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                        "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

/* A kernel as those since 6.12. its_step: how far its thunks are from each other. */
static struct kernel *kernel(uint32_t its_step, const char *warns)
{
	uint8_t code[0x600] = {0};
	struct kernel *k;

	code[ITS_RETURN - AUTHOR_F] = 0xc3;
	k = author_kernel(code, sizeof(code), AUTHOR_NOT_TRACED);
	for (unsigned i = 0; i < 16; i++) {
		author_kernel_symbol(k, xformat("__x86_indirect_thunk_%s", registers[i]), THUNKS + 32 * i);
		author_kernel_symbol(k, xformat("__x86_indirect_its_thunk_%s", registers[i]), ITS + its_step * i);
	}
	author_kernel_symbol(k, "its_return_thunk", ITS_RETURN);
	author_kernel_symbol(k, "x86_return_thunk", 0xffffffff82000300ULL);
	author_kernel_symbol(k, warns, THUNKS - 0x10);
	return k;
}

static void test_found(void **state)
{
	struct nl_leaf_target t = {0};

	(void)state;
	thunks_fill(&t, kernel(64, "__warn_thunk"));
	assert_true(t.indirect_thunks == THUNKS && t.its_thunks == ITS);
	assert_true(t.return_thunk == 0xffffffff82000300ULL && t.return_plain == ITS_RETURN);
	assert_true(t.return_default && t.return_default != t.return_plain);
	memset(&t, 0, sizeof(t));
	thunks_fill(&t, kernel(64, "does_not_warn")); /* until 6.8 the default one returns and no more */
	assert_true(t.return_thunk && !t.return_default && !t.return_plain);
}

static void test_refused(void **state)
{
	struct nl_leaf_target t = {0};
	struct kernel *k = kernel(64, "__warn_thunk");

	(void)state;
	assert_true(AUTHOR_REFUSES(NL_EKERNEL, (thunks_fill(&t, kernel(32, "__warn_thunk")), 0)));
	assert_non_null(strstr(author_why, "__x86_indirect_its_thunk_rcx"));
	*(uint8_t *)(uintptr_t)kernel_bytes(k, ITS_RETURN, 1) = 0xe9;
	assert_true(AUTHOR_REFUSES(NL_EKERNEL, (thunks_fill(&t, k), 0)));
	assert_non_null(strstr(author_why, "no plain return"));
}

static void test_names(void **state)
{
	struct nl_leaf_target t = {.return_thunk = 1, .indirect_thunks = 1}, none = {0};
	struct place p;

	(void)state;
	assert_true(thunk_place(&t, "__x86_return_thunk", &p) && p.symbol == NL_SYM_RETURN_THUNK && !p.value);
	assert_true(thunk_place(&t, "__x86_indirect_thunk_r11", &p) && p.symbol == NL_SYM_INDIRECT_THUNK);
	assert_int_equal(p.value, 11);
	assert_false(thunk_place(&t, "__x86_indirect_thunk_array", &p));
	assert_false(thunk_place(&t, "printk", &p));
	assert_false(thunk_place(&none, "__x86_return_thunk", &p));
	assert_false(thunk_place(&none, "__x86_indirect_thunk_rax", &p));
	assert_true(thunk_name("__x86_indirect_its_thunk_rax") && thunk_name("__SCT__might_resched"));
	assert_false(thunk_name("schedule"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_found),
	        cmocka_unit_test(test_refused),
	        cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
