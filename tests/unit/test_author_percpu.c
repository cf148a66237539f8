// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/module_at.c
// sources: tools/author/percpu.c tools/author/note.c tools/author/escape.c tools/author/typenames.c
// sources: tools/author/draft.c tools/author/kallsyms.c tools/author/krelocs.c tools/author/author.c
// sources: tests/unit/author_refuse.c tests/unit/author_kernel.c
// libs: -lZydis -lbpf
// cflags: -Itools/author
/* The address of a per-CPU variable through machine code, as the compiler makes it: used rightly, used bare, and used
 * in a way that cannot be followed. */
#include "author_kernel.h"
#include "author_refuse.h"
#include "percpu.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define VARIABLE 0x100u
#define THIS_CPU_OFF 0x200u
#define OFFSETS 0xffffffff81001000ULL

static struct draft d;
static struct recipe r;

/* What a field of four bytes holds: v a variable, o __per_cpu_offset, t this_cpu_off, x a function of the kernel,
 * r the return thunk. */
static void put(const char *code)
{
	draft_start(&d);
	d.text.n = d.relocs.n = 0;
	for (; *code; code++) {
		const char *kind = strchr("votxr", *code);
		static const uint64_t values[] = {VARIABLE, OFFSETS, THIS_CPU_OFF, AUTHOR_F, 0};
		struct nl_leaf_reloc reloc = {.where = NL_AT_TEXT, .offset = (uint32_t)d.text.n};
		uint8_t byte;

		if (*code == ' ')
			continue;
		if (kind) {
			reloc.value = values[kind - "votxr"];
			reloc.symbol = reloc.value > OFFSETS - 0x1000 ? NL_SYM_REGION : NL_SYM_ABSOLUTE;
			if (*code == 'r')
				reloc.symbol = NL_SYM_RETURN_THUNK;
			buf_add(&d.relocs, &reloc, sizeof(reloc));
			buf_add(&d.text, NULL, 4);
			continue;
		}
		byte = (uint8_t)strtoul((char[]){code[0], code[1], 0}, NULL, 16);
		buf_add(&d.text, &byte, 1);
		code++;
	}
}

static void check(void)
{
	static const uint8_t nothing[] = {0xc3, 0xcc};
	struct body_symbol f = {
	        .name = "f", .place = {NL_SYM_TEXT, 0}, .size = d.text.n, .function = true, .global = true};
	struct body b = {.symbols = &f, .n_symbols = 1, .n_objects = 1};
	struct kernel *k = author_kernel(nothing, sizeof(nothing), AUTHOR_NOT_TRACED);

	author_kernel_symbol(k, "__per_cpu_start", 0);
	author_kernel_symbol(k, "the_variable", VARIABLE);
	author_kernel_symbol(k, "this_cpu_off", THIS_CPU_OFF);
	author_kernel_symbol(k, "__per_cpu_end", 0x1000);
	author_kernel_symbol(k, "__per_cpu_offset", OFFSETS);
	r.source[0] = "b.c";
	r.n_source = 1;
	percpu_check(&d, k, &r, &b);
}

static bool refused(const char *code)
{
	put(code);
	return AUTHOR_REFUSES(NL_EBODY, check()) && strstr(author_why, "the_variable");
}

static bool lawful(const char *code)
{
	put(code);
	return !AUTHOR_REFUSES(NL_EBODY, check());
}

static void test_as_the_kernel_does(void **state)
{
	(void)state;
	assert_true(lawful("65 8b 04 25 v c3"));                     /* mov %gs:v, %eax */
	assert_true(lawful("65 8b 05 v c3"));                        /* mov %gs:v(%rip), %eax */
	assert_true(lawful("48 c7 c0 v 65 48 03 05 t 8b 00 c3"));    /* this_cpu_ptr */
	assert_true(lawful("65 48 8b 05 t 48 05 v 8b 00 c3"));       /* the other way about */
	assert_true(lawful("65 48 8b 05 t 8b 80 v c3"));             /* raw_cpu_ptr, folded */
	assert_true(lawful("48 8b 04 fd o 8b 80 v c3"));             /* per_cpu(v, cpu) */
	assert_true(lawful("48 c7 c1 v 48 8b 04 fd o 8b 04 08 c3")); /* mov (%rax, %rcx) */
	assert_true(lawful("48 c7 c0 v 48 03 04 fd o 8b 00 c3"));    /* add table(, %rdi, 8), %rax */
	assert_true(lawful("48 c7 c1 v 48 8b 04 fd o 8b 04 08 e9 r"));
	assert_true(lawful("48 c7 c2 o 48 8b 04 fa 8b 80 v c3"));             /* the table in a register */
	assert_true(lawful("48 c7 c0 v 48 8d 40 08 65 48 03 05 t ff 00 c3")); /* a member of it */
	assert_true(lawful("48 c7 c2 v 65 ff 02 c3"));                        /* incl %gs:(%rdx) */
	assert_true(lawful("48 83 ec 10 48 c7 c0 v 48 89 44 24 08 48 8b 54 24 08 48 03 14 fd o 8b 02 c3"));
}

static void test_bare(void **state)
{
	(void)state;
	assert_true(refused("8b 04 25 v c3"));                   /* mov v, %eax */
	assert_true(refused("8b 05 v c3"));                      /* mov v(%rip), %eax */
	assert_true(refused("48 c7 c0 v 8b 00 c3"));             /* mov (%rax) */
	assert_true(refused("48 8d 05 v c7 00 00 00 00 00 c3")); /* lea v(%rip), %rax; a write */
	assert_true(refused("48 c7 c0 v 48 8d 50 08 8b 02 c3")); /* a member */
	assert_true(refused("48 c7 c7 v e8 x c3"));              /* given to a function */
	assert_true(refused("48 c7 c7 v e9 x"));                 /* and by a tail call */
	assert_true(refused("48 c7 c0 v c3"));                   /* returned */
	assert_true(refused("48 c7 c0 v e9 r"));
	assert_true(refused("48 c7 c0 v 48 89 07 c3"));               /* kept */
	assert_true(refused("48 c7 07 v c3"));                        /* kept at once */
	assert_true(refused("8b 80 v c3"));                           /* whatever %rax holds */
	assert_true(refused("85 ff 74 08 48 8b 04 fd o 8b 80 v c3")); /* a distance on one of two ways */
	assert_true(refused("48 83 ec 10 48 c7 c0 v 48 89 44 24 08 48 8b 54 24 08 8b 02 c3"));
	assert_true(refused("c3 65 8b 04 25 v c3")); /* nothing leads there */
}

static void test_in_data(void **state)
{
	struct nl_leaf_reloc *reloc;

	(void)state;
	put("65 8b 04 25 v c3");
	reloc = (struct nl_leaf_reloc *)d.relocs.p;
	reloc->where = NL_AT_DATA;
	assert_true(AUTHOR_REFUSES(NL_EBODY, check()));
	r.allow[0] = ALLOW_PERCPU;
	assert_false(AUTHOR_REFUSES(NL_EBODY, check()));
	assert_int_equal(d.facts.n > 0, true);
	r.allow[0] = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_as_the_kernel_does),
	        cmocka_unit_test(test_bare),
	        cmocka_unit_test(test_in_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
