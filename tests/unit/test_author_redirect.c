// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/module_at.c
// sources: tools/author/nearby.c tools/author/aliases.c
// sources: tools/author/thunks.c tools/author/elsewhere.c
// sources: tools/author/redirect.c tools/author/branches.c tools/author/code.c tools/author/livesites.c
// sources: tools/author/place.c tools/author/oldhash.c tools/newleaf/sha256.c
// sources: tools/author/counter.c tools/author/types.c tools/author/draft.c tools/author/contract.c
// sources: tools/author/watch.c tools/author/stub.c tools/author/typenames.c tools/author/note.c tools/author/escape.c
// sources: tools/author/author.c tools/author/kallsyms.c tools/author/krelocs.c tests/unit/author_refuse.c
// sources: tests/unit/author_kernel.c
// cflags: -Itools/author
// libs: -lZydis -lbpf
/* Where a redirect goes, and every reason why it may not: small functions in a made-up kernel text, one page. */
#include "author_kernel.h"
#include "author_refuse.h"
#include "redirect.h"

#include <bpf/btf.h>
#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#define NOP5 "\x0f\x1f\x44\x00\x00"
#define ENDBR "\xf3\x0f\x1e\xfa"
#define PAD "\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc"

/* body_find() of tools/author/body.c: one body, 16 bytes at offset 0x40 of text[]. */
static struct body_symbol the_body = {
        .name = (char *)"f", .place = {NL_SYM_TEXT, 0x40}, .size = 16, .function = true, .global = true};

static const struct btf *types;
static const struct body only = {.types = &types, .n_objects = 1};

const struct body_symbol *body_find(const struct body *b, const char *name)
{
	(void)b;
	return strcmp(name, "f") ? NULL : &the_body;
}

static struct recipe recipe = {.path = (char *)"r"};
static struct recipe_replace replace_f = {
        .line = 9, .function = {.name = (char *)"f"}, .source = (char *)"f.c", .body = (char *)"f"};

#define KERNEL_WITH(code, traced) author_kernel((const uint8_t *)(code PAD), sizeof(code PAD) - 1, traced)

/* The one site that a good function gives. */
static struct draft_piece site_of(struct kernel *k, struct draft *d)
{
	struct draft_piece s;

	draft_start(d);
	d->h.target.return_thunk = AUTHOR_F;
	buf_add(&d->text, NULL, 0x50);
	memcpy(d->text.p + 0x40, "\xc3", 1);
	if (setjmp(author_refused))
		fail_msg("refused: %s", author_why);
	redirect_add(d, k, &recipe, &replace_f, &only);
	assert_int_equal(d->sites.n, sizeof(s));
	memcpy(&s, d->sites.p, sizeof(s));
	return s;
}

static bool refuses(struct kernel *k, enum nl_err code, const char *says)
{
	author_why[0] = 0;
	if (!AUTHOR_REFUSES(code, (redirect_check(k, &recipe, &replace_f), 0))) {
		print_message("code %d: %s\n", author_code, author_why);
		return false;
	}
	if (!strstr(author_why, says))
		print_message("said: %s\n", author_why);
	return strstr(author_why, says) != NULL;
}

static void test_behind_the_nop(void **state)
{
	/* push r13; mov $0x30,%ecx; ret */
	struct kernel *k = KERNEL_WITH(NOP5 "\x41\x55\xb9\x30\x00\x00\x00\xc3", 0);
	struct draft d;
	struct draft_piece s = site_of(k, &d);
	struct nl_leaf_reloc r;

	(void)state;
	assert_true(s.va == AUTHOR_F + 5 && s.func_va == AUTHOR_F);
	assert_int_equal(s.site.len, 7);
	assert_int_equal(s.site.kind, NL_SITE_TEXT);
	assert_memory_equal(d.bytes.p + s.site.expected, "\x41\x55\xb9\x30\x00\x00\x00", 7);
	assert_memory_equal(d.bytes.p + s.site.fresh, "\xe9\x00\x00\x00\x00\xcc\xcc", 7);
	assert_int_equal(d.relocs.n, sizeof(r));
	memcpy(&r, d.relocs.p, sizeof(r));
	assert_int_equal(r.where, NL_AT_BYTES);
	assert_int_equal(r.offset, s.site.fresh + 1);
	assert_int_equal(r.type, NL_REL_PC32);
	assert_int_equal(r.symbol, NL_SYM_TEXT);
	assert_true(r.value == 0x40 && r.addend == -4);
}

/* Code shorter than the jump: its padding is for nobody. */
static void test_into_the_padding(void **state)
{
	struct draft d;
	struct draft_piece s = site_of(KERNEL_WITH(NOP5 "\x31\xff\xeb\x80\x0f\x1f\x80\x00\x00\x00\x00", 0), &d);

	(void)state;
	assert_true(s.va == AUTHOR_F + 5 && s.site.len == 11);
	assert_memory_equal(d.bytes.p + s.site.expected, "\x31\xff\xeb\x80\x0f\x1f\x80\x00\x00\x00\x00", 11);
	assert_memory_equal(d.bytes.p + s.site.fresh, "\xe9\x00\x00\x00\x00\xcc\xcc\xcc\xcc\xcc\xcc", 11);
}

static void test_behind_endbr_and_nop(void **state)
{
	struct kernel *k = KERNEL_WITH(ENDBR NOP5 "\xb9\x30\x00\x00\x00\xc3", 4);
	struct draft d;

	(void)state;
	assert_true(site_of(k, &d).va == AUTHOR_F + 9);
}

/* f jumps into its half, behind_f; the bytes of that begin with what the kernel writes itself. Which sites come? */
static uint32_t watched(enum nl_consistency consistency, const char *half, const char *at_f, struct draft_piece *out)
{
	/* push r13; mov $0x30,%ecx; test eax,eax; jne behind_f; ret: 21 bytes with the padding */
	struct kernel *k = author_kernel((const uint8_t *)at_f, 21, 0);
	struct draft d;

	author_kernel_rename(k, "behind_f", half);
	memcpy((uint8_t *)(uintptr_t)kernel_bytes(k, AUTHOR_F + 21, 7), "\xe8\x00\x00\x00\x00\x31\xc0", 7);
	author_kernel_table(k, ".return_sites", AUTHOR_F + 21);
	draft_start(&d);
	d.h.target.return_thunk = AUTHOR_F;
	d.h.consistency = consistency;
	buf_add(&d.text, NULL, 0x50);
	memcpy(d.text.p + 0x40, "\xc3", 1);
	if (setjmp(author_refused))
		fail_msg("refused: %s", author_why);
	redirect_add(&d, k, &recipe, &replace_f, &only);
	memcpy(out, d.sites.p, d.sites.n);
	assert_true(d.sites.n == sizeof(*out) || d.bytes.p[out[1].site.expected] == d.bytes.p[out[1].site.fresh]);
	return (uint32_t)(d.sites.n / sizeof(*out));
}

static void test_half_is_watched(void **state)
{
	static const char jumps[] = NOP5 "\x41\x55\xb9\x30\x00\x00\x00\x85\xc0\x75\x05\xc3\xcc\xcc\xcc\xcc",
	                  calls[] = NOP5 "\x41\x55\xb9\x30\x00\x00\x00\xe8\x04\x00\x00\x00\xc3\xcc\xcc\xcc";
	struct draft_piece s[2];

	(void)state;
	assert_int_equal(watched(NL_CONSISTENCY_STRICT, "f.cold", jumps, s), 2);
	assert_true(s[1].func_va == AUTHOR_F + 21 && s[1].va == AUTHOR_F + 26);
	assert_true(s[1].site.len == 1 && s[1].site.kind == NL_SITE_TEXT && s[1].site.func_size > 7);
	assert_int_equal(watched(NL_CONSISTENCY_SWITCH, "f.cold", jumps, s), 1);
	assert_int_equal(watched(NL_CONSISTENCY_STRICT, "another", jumps, s), 1);
	assert_int_equal(watched(NL_CONSISTENCY_STRICT, "f.cold", calls, s), 1);
}

/* Types that know f, which takes `n` words and returns something or nothing; is it a wide thing? */
static struct btf *types_of_f(const char *name, unsigned n, int returned)
{
	struct btf *btf = btf__new_empty();
	int word = btf__add_int(btf, "long int", 8, BTF_INT_SIGNED), wide = btf__add_int(btf, "__int128", 16, 0);

	btf__add_func_proto(btf, returned == 16 ? wide : returned ? word : 0);
	for (unsigned i = 0; i < n; i++)
		btf__add_func_param(btf, "x", word);
	btf__add_func(btf, name, BTF_FUNC_STATIC, wide + 1);
	return btf;
}

/* The text that a redirect of a function without nop leads to. */
static const uint8_t *stub_of(struct kernel *k, struct draft *d)
{
	struct draft_piece s = site_of(k, d);
	struct nl_leaf_reloc r[2];

	assert_true(s.va == AUTHOR_F);
	assert_int_equal(d->relocs.n, sizeof(r));
	memcpy(r, d->relocs.p, sizeof(r));
	assert_int_equal(r[0].where, NL_AT_TEXT); /* the return, through the thunk */
	assert_int_equal(r[0].symbol, NL_SYM_RETURN_THUNK);
	assert_int_equal(r[0].type, NL_REL_PC32);
	assert_true(r[0].addend == -4);
	assert_int_equal(d->text.p[r[0].offset - 1], 0xe9);
	assert_int_equal(r[1].where, NL_AT_BYTES);
	assert_int_equal(r[1].symbol, NL_SYM_TEXT);
	assert_int_not_equal(r[1].value, 0x40); /* not to the body itself */
	return d->text.p + r[1].value;
}

#define PUSHES "\x51\x52\x56\x57\x41\x50\x41\x51\x41\x52\x41\x53"
#define POPS "\x41\x5b\x41\x5a\x41\x59\x41\x58\x5f\x5e\x5a\x59"

static void test_without_nop(void **state)
{
	struct kernel *k = KERNEL_WITH("\xb9\x30\x00\x00\x00\xc3", AUTHOR_NOT_TRACED);
	const uint8_t *stub;
	struct draft d;
	int32_t distance;

	(void)state;
	k->btf = types_of_f("f", 2, 8);
	stub = stub_of(k, &d);
	assert_memory_equal(stub, PUSHES "\xe8", 13);
	memcpy(&distance, stub + 13, 4);
	assert_true(stub + 17 + distance == d.text.p + 0x40);
	assert_memory_equal(stub + 17, POPS "\xe9", 13);
	k->btf = types_of_f("f", 2, 0); /* rax is the caller's, too */
	stub = stub_of(k, &d);
	assert_memory_equal(stub, "\x50" PUSHES "\xe8", 14);
	assert_memory_equal(stub + 18, POPS "\x58\xe9", 14);
	k->btf = types_of_f("f", 8, 0); /* two words on the stack, above nine registers and the return address */
	stub = stub_of(k, &d);
	assert_memory_equal(stub, "\x50" PUSHES "\xff\xb4\x24\x58\0\0\0\xff\xb4\x24\x58\0\0\0\xe8", 28);
	assert_memory_equal(stub + 32, "\x48\x81\xc4\x10\0\0\0" POPS "\x58\xe9", 21);
	k->btf = types_of_f("f", 2, 0);
	author_kernel_table(k, ".ibt_endbr_seal", AUTHOR_F + 0x100); /* with IBT */
	assert_memory_equal(stub_of(k, &d), ENDBR "\x50" PUSHES, 17);
}

static void test_contracts(void **state)
{
	struct kernel *k = KERNEL_WITH("\xb9\x30\x00\x00\x00\xc3", AUTHOR_NOT_TRACED);
	struct draft d;

	(void)state;
	k->btf = types_of_f("f", 15, 8);
	assert_true(refuses(k, NL_ESITE, "argument 15 is passed on the stack"));
	k->btf = types_of_f("f", 1, 16);
	assert_true(refuses(k, NL_ESITE, "returns 16 bytes"));
	/* The assembler's word for all of its functions is void f(void); this one takes rdi. */
	k = KERNEL_WITH("\x89\xf8\xb9\x30\x00\x00\x00\xc3", AUTHOR_NOT_TRACED);
	k->btf = types_of_f("f", 0, 0);
	assert_true(refuses(k, NL_ESITE, "assembler code"));
	k->btf = types_of_f("f", 1, 0);
	stub_of(k, &d);
	/* Unknown to the kernel: by the body's word, or not at all. */
	k->btf = types_of_f("other", 0, 0);
	draft_start(&d);
	buf_add(&d.text, NULL, 0x50);
	assert_true(AUTHOR_REFUSES(NL_ESITE, (redirect_add(&d, k, &recipe, &replace_f, &only), 0)));
	assert_non_null(strstr(author_why, "neither the kernel's types nor the body's"));
	types = types_of_f("f", 3, 0);
	assert_memory_equal(stub_of(k, &d), "\x50" PUSHES, 13);
	types = types_of_f("f", 15, 0);
	draft_start(&d);
	buf_add(&d.text, NULL, 0x50);
	assert_true(AUTHOR_REFUSES(NL_ESITE, (redirect_add(&d, k, &recipe, &replace_f, &only), 0)));
	/* A patch that makes a void function return something, before which a stub would restore rax. */
	k->btf = types_of_f("f", 1, 0);
	types = types_of_f("f", 1, 8);
	draft_start(&d);
	buf_add(&d.text, NULL, 0x50);
	assert_true(AUTHOR_REFUSES(NL_ESITE, (redirect_add(&d, k, &recipe, &replace_f, &only), 0)));
	assert_non_null(strstr(author_why, "the new prototype is another"));
	types = NULL;
}

static void test_address_in_the_site(void **state)
{
	struct kernel *k = KERNEL_WITH(NOP5 "\x48\xc7\xc7\x00\x01\x00\x81\xc3", 0); /* mov $0xffffffff81000100,%rdi */
	struct nl_leaf_reloc r;
	struct draft_piece s;
	struct draft d;

	(void)state;
	author_kernel_reloc(k, AUTHOR_F + 8, KREL_32);
	s = site_of(k, &d);
	assert_memory_equal(d.bytes.p + s.site.expected, "\x48\xc7\xc7\x00\x00\x00\x00", 7);
	memcpy(&r, d.relocs.p, sizeof(r));
	assert_int_equal(r.offset, s.site.expected + 3);
	assert_int_equal(r.type, NL_REL_ABS32S);
	assert_int_equal(r.symbol, NL_SYM_REGION);
	assert_true(r.value == 0xffffffff81000100 && r.addend == 0);
}

static void test_percpu_in_the_site(void **state)
{
	struct kernel *k = KERNEL_WITH(NOP5 "\x65\x48\x8b\x05\x10\x00\x00\x00\xc3", 0); /* mov %gs:0x10(%rip),%rax */
	struct nl_leaf_reloc r;
	struct draft d;

	(void)state;
	author_kernel_reloc(k, AUTHOR_F + 9, KREL_INV_32);
	site_of(k, &d);
	memcpy(&r, d.relocs.p, sizeof(r));
	assert_int_equal(r.type, NL_REL_PC32);
	assert_int_equal(r.symbol, NL_SYM_ABSOLUTE);
	assert_true(r.value == AUTHOR_F + 9 + 0x10); /* S + A - P is what the file has, wherever P moves */
}

static void test_refusals(void **state)
{
	struct kernel *k;

	(void)state;
	/* code behind the padding; padding that reaches over a boundary of 16 */
	assert_true(refuses(KERNEL_WITH(NOP5 "\x31\xc0\xc3\x90\x90\x90\x31\xc0\xc3", 0), NL_ESITE, "too short"));
	k = KERNEL_WITH(ENDBR NOP5 "\x31\xc0\x90\xc3\x0f\x1f\x80\x00\x00\x00\x00", 4);
	assert_true(refuses(k, NL_ESITE, "too short"));
	assert_true(refuses(KERNEL_WITH(NOP5 "\x90\x31\xc0\xeb\xfb", 0), NL_ESITE, "leads to +0x5"));
	assert_true(refuses(KERNEL_WITH(NOP5 "\x90\x31\xc0\x31\xc9\x75\xfa\xc3", 0), NL_ESITE, "leads to +0x6"));
	assert_true(refuses(KERNEL_WITH(NOP5 "\x41\x55\xb9\x30\x00\x00\x00\xc3\x90\x90\x0f\x85\xf0\xff\xff\xff", 0),
	                    NL_ESITE, "leads to +0x5"));
	assert_true(refuses(KERNEL_WITH("\xb9\x30\x00\x00\x00\x75\xf9\xc3", AUTHOR_NOT_TRACED), NL_ESITE,
	                    "leads to +0")); /* a loop, no call */
	assert_true(refuses(KERNEL_WITH(NOP5 "\xff\xd0\x31\xc0\x31\xc9\xc3", 0), NL_ESITE, "would return into"));
	assert_true(refuses(KERNEL_WITH(NOP5 "\xf3\x48\xa5\x31\xc0\xc3", 0), NL_ESITE, "in its middle"));
	assert_true(refuses(KERNEL_WITH(NOP5 "\x31\xc0\xf2\xae\x31\xc0\xc3", 0), NL_ESITE, "in its middle"));
	assert_true(refuses(KERNEL_WITH(NOP5 "\xc4\xe2\x71\x90\x04\x15\x00\x00\x00\x00\xc3", 0), NL_ESITE,
	                    "in its middle"));
	assert_true(refuses(KERNEL_WITH(NOP5 "\x06\x06\x06\x06\x06\x06", 0), NL_ESITE, "no instruction"));
	k = KERNEL_WITH(NOP5 "\x41\x55\xb9\x30\x00\x00\x00\xc3", 0);
	author_kernel_pointer(k, AUTHOR_F + 7);
	assert_true(refuses(k, NL_ESITE, "an address that"));
	k = KERNEL_WITH(NOP5 "\x41\x55\xb9\x30\x00\x00\x00\xc3", 0);
	author_kernel_table(k, ".return_sites", AUTHOR_F + 11);
	assert_true(refuses(k, NL_ESITE, "a return, which boot patches"));
	k = KERNEL_WITH(NOP5 "\x41\x55\xb9\x30\x00\x00\x00\xc3", 0);
	author_kernel_table(k, ".return_sites", AUTHOR_F + 12); /* right behind: no conflict */
	assert_false(AUTHOR_REFUSES(NL_ESITE, (redirect_check(k, &recipe, &replace_f), 0)));
	assert_int_equal(author_code, NL_OK);
}

/* What stands behind f, in another function: does it keep f from being redirected? */
static bool kept_by(const char *bytes, size_t n, const char *says)
{
	struct kernel *k = KERNEL_WITH(NOP5 "\x41\x55\xb9\x30\x00\x00\x00\xc3", 0); /* the site: +5 to +11 */

	memcpy((uint8_t *)(uintptr_t)kernel_bytes(k, AUTHOR_F + 21, n), bytes, n);
	if (says)
		return refuses(k, NL_ESITE, says);
	return AUTHOR_REFUSES(NL_ESITE, (redirect_check(k, &recipe, &replace_f), 0)) || author_code != NL_OK;
}

static void test_branches_from_elsewhere(void **state)
{
	(void)state;
	assert_true(kept_by("\x90\xe9\xec\xff\xff\xff", 6, "the branch at behind_f+0x1 leads to f+0x7"));
	assert_true(kept_by("\x0f\x84\xec\xff\xff\xff", 6, "the branch at behind_f+0 leads to f+0x7"));
	assert_true(kept_by("\xc7\xf8\xec\xff\xff\xff", 6, "leads to f+0x7")); /* xbegin */
	assert_true(kept_by("\x90\xeb\xf0\xc3", 4, "the branch at behind_f+0x1 leads to f+0x8"));
	/* jns -23, and what follows looks like the distance of a jmp */
	assert_false(kept_by("\x79\xe9\xec\xff\xff\xff", 6, NULL));
	/* The same behind bytes that are no instruction: nobody can tell. */
	assert_true(kept_by("\x06\x79\xe9\xeb\xff\xff\xff", 7, "the branch at behind_f+0x2 leads to f+0x7"));
	assert_false(kept_by("\xe9\xe6\xff\xff\xff", 5, NULL)); /* a tail call of f */
}

/* Is f, which begins at a multiple of 16, refused because of the 16 bytes before it, which a symbol names? */
static bool is_middle(const char *before, bool traced)
{
	struct kernel *k = KERNEL_WITH(NOP5 "\x41\x55\xb9\x30\x00\x00\x00\xc3", traced ? 0 : AUTHOR_NOT_TRACED);

	author_kernel_symbol(k, "before_f", AUTHOR_F - 16);
	memcpy((uint8_t *)(uintptr_t)kernel_bytes(k, AUTHOR_F - 16, 16), before, 16);
	return refuses(k, NL_ESITE, "control runs from before_f into f");
}

#define LONG_NOPS "\x0f\x1f\x44\x00\x00\x0f\x1f\x44\x00\x00"

static void test_middle_of_a_function(void **state)
{
	(void)state;
	assert_true(is_middle("\xb8\x01\x00\x00\x00\x48" LONG_NOPS, false));    /* mov, and nops */
	assert_true(is_middle("\x50" LONG_NOPS "\x48\x8d\x0c\x24\x50", false)); /* as before ftrace_call */
	assert_true(is_middle(LONG_NOPS "\x90\x90\x90\x90\x74\x00", false));
	assert_false(is_middle(LONG_NOPS "\x90\x90\x90\x90\xeb\x10", false));
	assert_false(is_middle(LONG_NOPS LONG_NOPS, false)); /* the room before each function */
	assert_false(is_middle("\xc3" LONG_NOPS "\xcc\xcc\xcc\xcc\xcc", false));
	assert_false(is_middle(LONG_NOPS "\x90\xe8\x00\x00\x00\x00", false)); /* panic() */
	assert_false(is_middle(LONG_NOPS "\xb8\x01\x00\x00\x00\x06", false)); /* data */
	assert_false(is_middle(LONG_NOPS "\x90\x90\x90\x90\x74\x00", true));  /* who can be traced is a function */
}

static void test_names(void **state)
{
	struct kernel *k = KERNEL_WITH(NOP5 "\x41\x55\xb9\x30\x00\x00\x00\xc3", 0);

	(void)state;
	replace_f.function.name = (char *)"missing";
	assert_true(refuses(k, NL_ENAME, "has no symbol missing"));
	replace_f.n_old = 1; /* somebody has seen it in another kernel */
	assert_true(refuses(k, NL_ETARGET, "has no symbol missing"));
	replace_f.n_old = 0;
	replace_f.function.name = (char *)"behnd_f";
	assert_true(refuses(k, NL_ENAME, "there is: behind_f"));
	replace_f.function.name = (char *)"twice";
	assert_true(refuses(k, NL_ETARGET, "names 2 places"));
	replace_f.function.name = (char *)"g.isra.0";
	assert_true(refuses(k, NL_ESITE, "is a clone"));
	replace_f.function.name = (char *)"g";
	assert_true(refuses(k, NL_ETARGET, "only the clone g.isra.0"));
	replace_f.function.name = (char *)"entry_f";
	assert_true(refuses(k, NL_ESITE, "entry code"));
	replace_f.function.name = (char *)"outside";
	assert_true(refuses(k, NL_ESITE, "outside the kernel's text"));
	replace_f.function.name = (char *)"percpu";
	assert_true(refuses(k, NL_ESITE, "is no function"));
	replace_f.function.name = (char *)"f";
}

/* f, which is also known as `name`, lies so far behind `start`; `end`, if there is one, begins 16 bytes behind f. */
static bool elsewhere(const char *name, const char *start, uint64_t distance, const char *end, const char *says)
{
	struct kernel *k = KERNEL_WITH(NOP5 "\x41\x55\xb9\x30\x00\x00\x00\xc3", 0);

	author_kernel_rename(k, "__fentry__", "none");
	if (name) {
		author_kernel_rename(k, "f", name);
		author_kernel_symbol(k, "f", AUTHOR_F);
	}
	if (start)
		author_kernel_symbol(k, start, AUTHOR_F - distance);
	if (end)
		author_kernel_symbol(k, end, AUTHOR_F + 32);
	replace_f.allow_aliases = true;
	replace_f.allow_clones = true;
	if (says)
		return refuses(k, NL_ESITE, says);
	return !AUTHOR_REFUSES(NL_ESITE, (redirect_check(k, &recipe, &replace_f), 0)) && author_code == NL_OK;
}

/* Code that the kernel copies, runs on another page table, or never calls. */
static void test_elsewhere(void **state)
{
	static const char kexec[] = "code of kexec", ftrace[] = "code of ftrace", starts[] = "code by which",
	                  no_call[] = "code that nobody calls", rewritten[] = "code whose callers";
	static const struct {
		const char *name, *says;
	} names[] = {
	        {"secondary_startup_64", starts},
	        {"__pi_snp_init", starts},
	        {"core_restore_code", starts},
	        {"wakeup_long64", starts},
	        {"return_to_handler", no_call},
	        {"__kretprobe_trampoline", no_call},
	        {"rewind_stack_and_make_dead", no_call},
	        {"ret_from_fork", no_call},
	        {"__static_call_return0", rewritten},
	        {"__raw_callee_save_f", rewritten},
	        {"bpf_dispatcher_xdp_func", rewritten},
	        {"bpf_dispatcher_nop_func", NULL},
	        {"startup_64_of_mine", NULL},
	        {"f.cold.1", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!elsewhere(names[i].name, NULL, 0, NULL, names[i].says))
			fail_msg("%s", names[i].name);
	assert_true(elsewhere("ret_from_fork", "ret_from_fork_asm", 16, NULL, NULL)); /* a C function since 6.5 */
	assert_true(elsewhere("relocate_kernel", NULL, 0, "swap_pages", kexec));
	assert_true(elsewhere(NULL, "relocate_kernel", 0x80, "swap_pages", kexec)); /* identity_mapped */
	assert_true(elsewhere("swap_pages", "relocate_kernel", 0x80, NULL, kexec));
	assert_true(elsewhere(NULL, "swap_pages", 0x10, NULL, NULL)); /* the next function */
	assert_true(elsewhere(NULL, "hypercall_page", 0x80, NULL, "page that Xen writes"));
	assert_true(elsewhere(NULL, "__fentry__", 0x80, "return_to_handler", ftrace));
	assert_true(elsewhere(NULL, "__fentry__", 0x80, NULL, NULL));
	assert_true(elsewhere(NULL, "return_to_handler", 0x40, "__fentry__", NULL));
	replace_f.allow_aliases = replace_f.allow_clones = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_behind_the_nop),
	        cmocka_unit_test(test_half_is_watched),
	        cmocka_unit_test(test_into_the_padding),
	        cmocka_unit_test(test_behind_endbr_and_nop),
	        cmocka_unit_test(test_without_nop),
	        cmocka_unit_test(test_contracts),
	        cmocka_unit_test(test_address_in_the_site),
	        cmocka_unit_test(test_percpu_in_the_site),
	        cmocka_unit_test(test_refusals),
	        cmocka_unit_test(test_branches_from_elsewhere),
	        cmocka_unit_test(test_middle_of_a_function),
	        cmocka_unit_test(test_names),
	        cmocka_unit_test(test_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
