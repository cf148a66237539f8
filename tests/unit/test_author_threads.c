// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/module_at.c
// sources: tools/author/patch_threads.c tools/author/references.c tools/author/code.c tools/author/kallsyms.c
// sources: tools/author/krelocs.c tools/author/author.c tests/unit/author_refuse.c tests/unit/author_kernel.c
// cflags: -Itools/author
// libs: -lZydis -lelf -lbpf
/* What kernel threads run from their beginning to their end is known by who gets its address, or by what it asks. */
#include "author_kernel.h"
#include "author_refuse.h"
#include "patch_threads.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#define CREATE (AUTHOR_F + 0x100)
#define BEHIND (AUTHOR_F + 16)

static unsigned notes;

void patch_note(struct patch_unit *p, char *text)
{
	(void)p;
	notes += strstr(text, "threads that run f") != NULL;
}

/* f calls `calls`; behind it somebody moves f's address to rdi, goes on with `then` and calls CREATE. */
static enum nl_err asked(const char *callee, const char *then, size_t n, bool given, bool allow)
{
	static const uint8_t code[16] = {0xe8, 0xfb, 0, 0, 0, 0xc3}; /* call CREATE; ret */
	struct kernel *k = author_kernel(code, sizeof(code), AUTHOR_NOT_TRACED);
	uint8_t *p = (uint8_t *)(uintptr_t)kernel_bytes(k, BEHIND, 64);
	const struct unit_symbol shipped = {.name = (char *)"f"};
	struct patch_function function = {.shipped = &shipped, .va = AUTHOR_F, .why = "other bytes"};
	struct patch_unit unit = {.path = "u.c", .k = k, .function = &function, .n_functions = 1};
	int32_t distance = (int32_t)(CREATE - (BEHIND + 7 + n + 5));

	author_kernel_symbol(k, callee, CREATE);
	if (given) {
		memcpy(p, "\x48\xc7\xc7\x00\x02\x00\x81", 7); /* mov $f, %rdi */
		author_kernel_reloc(k, BEHIND + 3, KREL_32);
	}
	memcpy(p + 7, then, n);
	p[7 + n] = 0xe8;
	memcpy(p + 8 + n, &distance, 4);
	author_why[0] = 0;
	if (AUTHOR_REFUSES(NL_ESITE, (threads_check(&unit, 1, allow), 0)))
		return strstr(author_why, "u.c: f (other bytes) is what a kernel thread runs") ? NL_ESITE
		                                                                               : NL_EINTERNAL;
	return author_code;
}

#define SOME "\x31\xf6\x31\xd2" /* xor %esi,%esi; xor %edx,%edx */
#define CALL "\xe8\x00\x00\x00\x00"

static void test_given_to_a_thread(void **state)
{
	(void)state;
	assert_int_equal(asked("kthread_create_on_node", SOME, 4, true, false), NL_ESITE);
	assert_int_equal(asked("create_io_thread", SOME, 4, true, false), NL_ESITE);
	assert_int_equal(asked("queue_work_on", SOME, 4, true, false), NL_OK);
	assert_int_equal(asked("kthread_create_on_node", CALL, 5, true, false), NL_OK); /* another call gets it */
	assert_int_equal(asked("kthread_create_on_node", SOME, 4, false, false), NL_OK);
	notes = 0;
	assert_int_equal(asked("kthread_create_on_node", SOME, 4, true, true), NL_OK);
	assert_int_equal(notes, 1);
}

/* What a thread's loop calls may ask as well; but nobody has its address. */
static void test_asks_to_stop(void **state)
{
	(void)state;
	assert_int_equal(asked("kthread_should_stop", SOME, 4, true, false), NL_ESITE);
	assert_int_equal(asked("kthread_should_stop", SOME, 4, false, false), NL_OK);
	assert_int_equal(asked("schedule", SOME, 4, true, false), NL_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_given_to_a_thread),
	        cmocka_unit_test(test_asks_to_stop),
	};

	return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
