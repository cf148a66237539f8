// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/module_at.c
// sources: tools/author/thunks.c
// sources: tools/author/code.c tools/author/branches.c
// sources: tools/author/lift.c tools/author/livesites.c tools/author/place.c tools/author/draft.c
// sources: tools/author/author.c tools/author/kallsyms.c tools/author/krelocs.c tests/unit/author_refuse.c
// sources: tests/unit/author_kernel.c
// cflags: -Itools/author
// libs: -lZydis -lbpf
/* A copy of a function's machine code: which fields follow it, which stay, and what has no copy. */
#include "author_kernel.h"
#include "author_refuse.h"
#include "branches.h"
#include "lift.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#define TEXT 0xffffffff81000000ULL
#define DATA 0xffffffff82000000ULL

static struct draft draft;

/* A 32-bit distance from behind the instruction, which ends at f + end, to `to`. */
static void distance(uint8_t *code, uint32_t at, uint32_t end, uint64_t to)
{
	int32_t v = (int32_t)(to - (AUTHOR_F + end));

	memcpy(code + at, &v, 4);
}

static struct lifted lift(struct kernel *k, uint32_t size)
{
	draft_start(&draft);
	draft.h.target.return_thunk = AUTHOR_F;
	buf_add(&draft.text, "\xc3", 1);
	if (setjmp(author_refused))
		fail_msg("refused: %s", author_why);
	return lift_function(&draft, k, AUTHOR_F, size, "r:1");
}

/* The relocation at f + offset, or one whose symbol is 0. */
static struct nl_leaf_reloc reloc_at(const struct lifted *l, uint32_t offset)
{
	struct nl_leaf_reloc r;

	for (size_t i = 0; i < draft.relocs.n / sizeof(r); i++) {
		memcpy(&r, draft.relocs.p + i * sizeof(r), sizeof(r));
		if (r.where == NL_AT_TEXT && r.offset == l->offset + offset)
			return r;
	}
	return (struct nl_leaf_reloc){0};
}

static void test_what_moves_and_what_stays(void **state)
{
	uint8_t code[] = "\xe8...."                 /* 0: call __fentry__ */
	                 "\x74\x07"                 /* 5: je 14 */
	                 "\xc7\x05....\x07\0\0"     /* 7: movl $7, DATA+0x100(%rip) */
	                 "\0\xe8...."               /* 17: call 0x20 of text + 0x100 */
	                 "\x0f\x84\xe9\xff\xff\xff" /* 22: je 5 */
	                 "\xe9....";                /* 28: jmp __x86_return_thunk */
	struct nl_leaf_reloc r;
	struct kernel *k;
	struct lifted l;

	(void)state;
	distance(code, 1, 5, TEXT + 0x20);
	distance(code, 9, 17, DATA + 0x100);
	distance(code, 18, 22, TEXT + 0x100);
	distance(code, 29, 33, TEXT + 0x30);
	k = author_kernel(code, 33, 0);
	l = lift(k, 33);
	assert_int_equal(l.offset % 16, 0);
	assert_int_equal(l.size, 33);
	assert_int_equal(draft.text.n, l.offset + 33);
	assert_memory_equal(draft.text.p + l.offset, "\x0f\x1f\x44\x00\x00\x74\x07", 7);
	assert_memory_equal(draft.text.p + l.offset + 22, "\x0f\x84\xe9\xff\xff\xff", 6);
	r = reloc_at(&l, 9);
	assert_true(r.symbol == NL_SYM_REGION && r.type == NL_REL_PC32 && r.value == DATA + 0x100 && r.addend == -8);
	r = reloc_at(&l, 18);
	assert_true(r.symbol == NL_SYM_REGION && r.value == TEXT + 0x100 && r.addend == -4);
	r = reloc_at(&l, 29);
	assert_true(r.symbol == NL_SYM_RETURN_THUNK && r.type == NL_REL_PC32 && !r.value && r.addend == -4);
	assert_int_equal(draft.relocs.n / sizeof(r), 3);
}

static void test_fields_that_the_kernel_lists(void **state)
{
	uint8_t code[] = "\x65\x8b\x05...."       /* 0: mov %gs:0x10(%rip), %eax, per-CPU */
	                 "\x48\xc7\xc7\0\1\0\x82" /* 7: mov $DATA+0x100, %rdi */
	                 "\xc3";
	struct nl_leaf_reloc r;
	struct kernel *k;
	struct lifted l;

	(void)state;
	distance(code, 3, 7, 0x10);
	k = author_kernel(code, 15, AUTHOR_NOT_TRACED);
	author_kernel_reloc(k, AUTHOR_F + 3, KREL_INV_32);
	author_kernel_reloc(k, AUTHOR_F + 10, KREL_32);
	l = lift(k, 15);
	r = reloc_at(&l, 3);
	assert_true(r.symbol == NL_SYM_ABSOLUTE && r.type == NL_REL_PC32);
	assert_true(r.value + (uint64_t)r.addend + 4 == 0x10);
	r = reloc_at(&l, 10);
	assert_true(r.symbol == NL_SYM_REGION && r.type == NL_REL_ABS32S && r.value == DATA + 0x100 && !r.addend);
	assert_int_equal(draft.relocs.n / sizeof(r), 2);
	assert_int_equal(draft.text.p[l.offset + 14], 0xc3);
}

static void refuses(struct kernel *k, uint32_t size, const char *says)
{
	author_why[0] = 0;
	draft_start(&draft);
	assert_true(AUTHOR_REFUSES(NL_ESITE, lift_function(&draft, k, AUTHOR_F, size, "r:1")));
	if (!strstr(author_why, says))
		fail_msg("it said: %s", author_why);
}

static void test_what_has_no_copy(void **state)
{
	uint8_t traced[] = "\xf3\x0f\x1e\xfa.....\xc3";
	uint8_t away[] = "\x48\x8b\x05....\xc3";
	struct kernel *k;

	(void)state;
	refuses(author_kernel((const uint8_t *)"\xeb\xf0\xc3", 3, AUTHOR_NOT_TRACED), 3, "short branch");
	refuses(author_kernel((const uint8_t *)"\x50\x90", 2, AUTHOR_NOT_TRACED), 2, "goes on behind its end");
	refuses(author_kernel((const uint8_t *)"\x74\x00\xcc", 3, AUTHOR_NOT_TRACED), 3, "goes on behind its end");
	refuses(author_kernel((const uint8_t *)"\xe8\0\0\0\0", 5, AUTHOR_NOT_TRACED), 5, "goes on behind its end");
	refuses(author_kernel((const uint8_t *)"\x06\xc3", 2, AUTHOR_NOT_TRACED), 2, "no instruction");
	distance(away, 3, 7, 0x10); /* per-CPU, but the kernel's list does not know it */
	refuses(author_kernel(away, 8, AUTHOR_NOT_TRACED), 8, "reaches out of the kernel");
	k = author_kernel((const uint8_t *)"\x0f\x0b\xc3", 3, AUTHOR_NOT_TRACED);
	author_kernel_table(k, ".cfi_sites", AUTHOR_F);
	refuses(k, 3, "a control flow check");
	k = author_kernel((const uint8_t *)"\xf0\xff\x07\xc3", 4, AUTHOR_NOT_TRACED);
	author_kernel_pointer(k, AUTHOR_F + 1);
	refuses(k, 4, "an address that");
	k = author_kernel((const uint8_t *)"\xf0\xff\x07\xc3", 4, AUTHOR_NOT_TRACED);
	author_kernel_table(k, ".smp_locks", AUTHOR_F); /* a lock prefix is right in a copy, too */
	assert_int_equal(lift(k, 4).size, 4);
	/* behind an ENDBR, ftrace's list leads into the function: to a nop that the copy has, too */
	memcpy(traced + 4, "\xe8", 1);
	distance(traced, 5, 9, TEXT + 0x20);
	k = author_kernel(traced, 10, 4);
	author_kernel_reloc(k, DATA, KREL_64);
	assert_int_equal(lift(k, 10).size, 10);
}

/* Who never returns may be called last: behind it is nothing, or what is of another section. */
static void test_last_of_a_module(void **state)
{
	static const uint8_t calls[] = {0xe8, 0, 0, 0, 0, 0xc3};
	struct kernel *k = author_kernel((const uint8_t *)"\xc3", 1, AUTHOR_NOT_TRACED);
	const uint64_t va = 0xffffffffc0000000ULL;

	(void)state;
	author_kernel_section(k, ".text", va, calls, 5);
	assert_true(branches_run_on(k, va, va + 5));
	k->sections[k->n_sections - 1].of = (const struct module_section *)(const void *)k;
	assert_false(branches_run_on(k, va, va + 5));
	author_kernel_section(k, ".text", va + 0x100, calls, 6);
	k->sections[k->n_sections - 1].of = k->sections[k->n_sections - 2].of;
	assert_true(branches_run_on(k, va + 0x100, va + 0x105));
	assert_false(branches_run_on(k, va + 0x100, va + 0x106));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_last_of_a_module),
	        cmocka_unit_test(test_what_moves_and_what_stays),
	        cmocka_unit_test(test_fields_that_the_kernel_lists),
	        cmocka_unit_test(test_what_has_no_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
