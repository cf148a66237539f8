// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/module_at.c
// sources: tools/author/patch_prove.c tools/author/patch_prove_reach.c tools/author/patch_object.c
// sources: tools/author/patch_homes.c
// sources: tools/author/livesites.c tools/author/code.c tools/author/kallsyms.c tools/author/krelocs.c
// sources: tools/author/author.c tools/author/escape.c tests/unit/author_refuse.c
// sources: tests/unit/author_kernel.c
// cflags: -Itools/author
// libs: -lelf -lbpf -lZydis
/*
 * The proof that a unit is the one in the image: a made-up unit, which a small linker of our own put into a made-up
 * kernel; then one thing of the unit differs, and the function that it belongs to is no longer proven, and no other.
 */
#include "author_kernel.h"
#include "patch_prove.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

enum section {
	NONE,
	TEXT,
	COLD,
	INIT,
	AUX,
	STRINGS,
	RODATA,
	DATA,
	EXTABLE,
	BUGS,
	JUMPS,
	ALTS,
	REPLACEMENT,
	RUNTIME,
	SECTIONS,
};

#define PLACE(section) (0xffffffff81000000ULL + (section)*0x10000ULL + 0x200) /* AUTHOR_F is in another section */

enum symbol {
	S_NULL,
	S_TEXT,
	S_AUX,
	S_STRINGS,
	S_RODATA,
	S_REPLACEMENT,
	S_F,
	S_G,
	S_H,
	S_COLD,
	S_INIT,
	S_TABLE,
	S_OPS,
	S_KEY,
	S_OTHER_KEY,
	S_PRINT,
	S_OTHER,
	S_LABEL,
	SYMBOLS,
};

/* f: movl $7,%eax; call print; mov $string,%rdi; mov ops,%rdi; nop (jump label); ud2; int3 (runtime constant); ret */
#define F_SIZE 48
#define F_IMMEDIATE 1
#define F_CALL 6
#define F_STRING 13
#define F_OPS 20
#define F_LABEL 24
#define F_BUG 29
#define F_CONST 31
#define F_FAULT 39
#define F_END 40
/* g: jmp *table(,%rax,8); ret.   h: jmp aux; ret */
#define G_AT 48
#define G_TABLE 3
#define H_AT 64
#define H_AUX 1
#define TEXT_SIZE 80

static uint8_t bytes[SECTIONS][128];
static struct unit_reloc relocs[SECTIONS][16];
static struct unit_section sections[SECTIONS];
static struct unit_symbol symbols[SYMBOLS];
static struct unit unit;

static void section(enum section i, const char *name, uint64_t flags, uint64_t size)
{
	sections[i] = (struct unit_section){.name = name,
	                                    .type = SHT_PROGBITS,
	                                    .flags = SHF_ALLOC | flags,
	                                    .size = size,
	                                    .bytes = bytes[i],
	                                    .reloc = relocs[i]};
}

static void symbol(enum symbol i, const char *name, enum section s, uint64_t value, uint64_t size, uint8_t type)
{
	symbols[i] = (struct unit_symbol){.name = name,
	                                  .section = s,
	                                  .value = value,
	                                  .size = size,
	                                  .type = type,
	                                  .binding = type == STT_SECTION ? STB_LOCAL : STB_GLOBAL};
}

/* Ascending, as unit_read() leaves them. */
static void reloc(enum section s, uint64_t offset, uint32_t type, enum symbol to, int64_t addend)
{
	relocs[s][sections[s].n_relocs++] = (struct unit_reloc){offset, type, to, addend, false};
}

static void make_code(void)
{
	static const uint8_t f[] = {0xb8, 7,    0,    0,    0,    0xe8, 0, 0, 0, 0, 0x48, 0xc7, 0xc7, 0,
	                            0,    0,    0,    0x48, 0xc7, 0xc7, 0, 0, 0, 0, 0x0f, 0x1f, 0x44, 0,
	                            0,    0x0f, 0x0b, 0x48, 0x8d, 0x04, 5, 0, 0, 0, 0,    0xf4, 0xc3};
	static const uint8_t g[] = {0xff, 0x24, 0xc5, 0, 0, 0, 0, 0xc3}, h[] = {0xe9, 0, 0, 0, 0, 0xc3};
	static const uint8_t aux[] = {0xf6, 0x05, 1, 2, 3, 4, 8, 0xc3};

	memset(bytes[TEXT], 0x90, TEXT_SIZE);
	memcpy(bytes[TEXT], f, sizeof(f));
	memcpy(bytes[TEXT] + G_AT, g, sizeof(g));
	memcpy(bytes[TEXT] + H_AT, h, sizeof(h));
	memcpy(bytes[AUX], aux, sizeof(aux));
	memcpy(bytes[COLD], "\xb8\x01\0\0\0\xc3", 6);
	memcpy(bytes[INIT], "\xb8\x02\0\0\0\xc3", 6);
	memcpy(bytes[REPLACEMENT], "\x0f\x01\xca\x0f\x01\xcb", 6);
	reloc(TEXT, F_CALL, R_X86_64_PLT32, S_PRINT, -4);
	reloc(TEXT, F_STRING, R_X86_64_32S, S_STRINGS, 4);
	reloc(TEXT, F_OPS, R_X86_64_32S, S_OPS, 0);
	reloc(TEXT, G_AT + G_TABLE, R_X86_64_32S, S_RODATA, 32);
	reloc(TEXT, H_AT + H_AUX, R_X86_64_PC32, S_AUX, -4);
}

/* Each about f, at a place of its own. */
static void make_tables(void)
{
	reloc(EXTABLE, 0, R_X86_64_PC32, S_TEXT, F_FAULT);
	reloc(EXTABLE, 4, R_X86_64_PC32, S_TEXT, F_END + 4);
	bytes[EXTABLE][8] = 3;
	reloc(BUGS, 0, R_X86_64_PC32, S_TEXT, F_BUG);
	reloc(BUGS, 4, R_X86_64_PC32, S_STRINGS, 4 + 4);
	bytes[BUGS][8] = 100; /* line */
	bytes[BUGS][10] = 9;  /* flags */
	reloc(JUMPS, 0, R_X86_64_PC32, S_F, F_LABEL);
	reloc(JUMPS, 4, R_X86_64_PC32, S_TEXT, F_END + 4);
	reloc(JUMPS, 8, R_X86_64_PC64, S_KEY, 1);
	for (unsigned i = 0; i < 2; i++) { /* two for one place */
		reloc(ALTS, 12 * i, R_X86_64_PC32, S_TEXT, F_IMMEDIATE - 1);
		reloc(ALTS, 12 * i + 4, R_X86_64_PC32, S_REPLACEMENT, 3 * (int)i);
		bytes[ALTS][12 * i + 8] = (uint8_t)(20 + i); /* feature */
		bytes[ALTS][12 * i + 10] = 5;
		bytes[ALTS][12 * i + 11] = 3;
	}
	reloc(RUNTIME, 0, R_X86_64_PC32, S_TEXT, F_CONST);
}

static void make_unit(void)
{
	memset(bytes, 0, sizeof(bytes));
	memset(relocs, 0, sizeof(relocs));
	memset(sections, 0, sizeof(sections));
	section(TEXT, ".text", SHF_EXECINSTR, TEXT_SIZE);
	section(COLD, ".text.unlikely", SHF_EXECINSTR, 6);
	section(INIT, ".init.text", SHF_EXECINSTR, 6);
	section(AUX, ".altinstr_aux", SHF_EXECINSTR, 8);
	section(STRINGS, ".rodata.str1.1", SHF_MERGE | SHF_STRINGS, 10);
	section(RODATA, ".rodata", 0, 48);
	section(DATA, ".data", SHF_WRITE, 32);
	section(EXTABLE, "__ex_table", 0, 12);
	section(BUGS, "__bug_table", SHF_WRITE, 12);
	section(JUMPS, "__jump_table", SHF_WRITE, 16);
	section(ALTS, ".altinstructions", 0, 24);
	section(REPLACEMENT, ".altinstr_replacement", SHF_EXECINSTR, 6);
	section(RUNTIME, "runtime_ptr_hashes", 0, 4);
	sections[NONE].name = "";
	sections[STRINGS].entsize = 1;
	symbol(S_NULL, "", NONE, 0, 0, STT_NOTYPE);
	symbol(S_TEXT, ".text", TEXT, 0, 0, STT_SECTION);
	symbol(S_AUX, ".altinstr_aux", AUX, 0, 0, STT_SECTION);
	symbol(S_STRINGS, ".rodata.str1.1", STRINGS, 0, 0, STT_SECTION);
	symbol(S_RODATA, ".rodata", RODATA, 0, 0, STT_SECTION);
	symbol(S_REPLACEMENT, ".altinstr_replacement", REPLACEMENT, 0, 0, STT_SECTION);
	symbol(S_F, "unit_f", TEXT, 0, F_SIZE, STT_FUNC);
	symbol(S_G, "unit_g", TEXT, G_AT, 8, STT_FUNC);
	symbol(S_H, "unit_h", TEXT, H_AT, 6, STT_FUNC);
	symbol(S_COLD, "unit_g.cold", COLD, 0, 6, STT_FUNC);
	symbol(S_INIT, "unit_init", INIT, 0, 6, STT_FUNC);
	symbol(S_TABLE, "unit_limits", RODATA, 0, 16, STT_OBJECT);
	symbol(S_OPS, "unit_ops", RODATA, 16, 16, STT_OBJECT);
	symbol(S_KEY, "unit_key", DATA, 0, 16, STT_OBJECT);
	symbol(S_OTHER_KEY, "unit_other_key", DATA, 16, 16, STT_OBJECT);
	symbol(S_PRINT, "print", NONE, 0, 0, STT_NOTYPE);
	symbol(S_OTHER, "other", NONE, 0, 0, STT_NOTYPE);
	symbol(S_LABEL, "", NONE, 0, 0, STT_NOTYPE);
	memcpy(bytes[STRINGS], "one\0two\0x", 10);
	memcpy(bytes[RODATA], "0123456789abcdef", 16);
	make_code();
	reloc(RODATA, 16, R_X86_64_64, S_G, 0);
	reloc(RODATA, 24, R_X86_64_64, S_TABLE, 0);
	reloc(RODATA, 32, R_X86_64_64, S_TEXT, G_AT + 7);
	reloc(RODATA, 40, R_X86_64_64, S_TEXT, G_AT + 7);
	make_tables();
	unit = (struct unit){"unit.o", sections, symbols, SECTIONS, SYMBOLS, NULL, NULL, 0};
}

static uint64_t place_of(enum symbol i)
{
	if (symbols[i].section)
		return PLACE(symbols[i].section) + symbols[i].value;
	return i == S_PRINT ? 0xffffffff81000100ULL : 0xffffffff81000020ULL;
}

static void link_section(struct kernel *k, enum section i)
{
	uint8_t *image = xalloc(sections[i].size);

	memcpy(image, bytes[i], sections[i].size);
	for (size_t r = 0; r < sections[i].n_relocs; r++) {
		const struct unit_reloc *at = &relocs[i][r];
		bool wide = at->type == R_X86_64_64 || at->type == R_X86_64_PC64;
		uint64_t v = place_of(at->symbol) + (uint64_t)at->addend;

		if (at->type != R_X86_64_64 && at->type != R_X86_64_32S)
			v -= PLACE(i) + at->offset;
		memcpy(image + at->offset, &v, wide ? 8 : 4);
	}
	/* jump labels have no section of their own there, but symbols around them */
	author_kernel_section(k, i == JUMPS ? ".rodata" : sections[i].name, PLACE(i), image, sections[i].size);
	k->sections[k->n_sections - 1].code = (sections[i].flags & SHF_EXECINSTR) != 0;
}

/* Without what the compiler names itself, and without strings. */
static struct kernel *linked(void)
{
	struct kernel *k = author_kernel((const uint8_t *)"\xc3", 1, AUTHOR_NOT_TRACED);

	for (enum section i = TEXT; i < SECTIONS; i++)
		link_section(k, i);
	for (enum symbol i = S_F; i <= S_OTHER_KEY; i++)
		if (strncmp(symbols[i].name, "kallsyms_", 9))
			author_kernel_symbol(k, symbols[i].name, place_of(i));
	author_kernel_symbol(k, "print", place_of(S_PRINT));
	author_kernel_symbol(k, "other", place_of(S_OTHER));
	author_kernel_symbol(k, "__start___jump_table", PLACE(JUMPS));
	author_kernel_symbol(k, "__stop___jump_table", PLACE(JUMPS) + sections[JUMPS].size);
	return k;
}

static struct kernel *k;

static int setup(void **state)
{
	(void)state;
	make_unit();
	k = linked();
	return 0;
}

static size_t differing(void)
{
	struct proof *p = prove(k, &unit);
	size_t n = 0;

	for (size_t i = 0; i < p->n_functions; i++)
		n += p->function[i].why != NULL;
	return n;
}

/* Exactly this function is another, and why. */
static void only(const char *function, const char *why)
{
	const struct proof_function *f = proof_of(prove(k, &unit), function);

	assert_non_null(f);
	if (!f->why || !strstr(f->why, why))
		fail_msg("%s: %s, wanted: %s", function, f->why ? f->why : "equal", why);
	assert_int_equal(differing(), 1);
}

static void test_equal(void **state)
{
	(void)state;
	assert_int_equal(prove(k, &unit)->n_functions, 5);
	assert_int_equal(differing(), 0);
}

static void test_code(void **state)
{
	(void)state;
	bytes[TEXT][F_IMMEDIATE]++;
	only("unit_f", "other bytes from +0x1 on");
	bytes[TEXT][F_IMMEDIATE]--;
	author_kernel_symbol(k, "label", PLACE(TEXT) + F_BUG);
	only("unit_f", "label begins inside it");
	symbol(S_LABEL, "label", TEXT, F_BUG, 0, STT_NOTYPE); /* as assembler in C may have it */
	assert_int_equal(differing(), 0);
}

static void test_length(void **state)
{
	(void)state;
	author_kernel_symbol(k, "other_code", PLACE(INIT) + 4); /* the last byte is another's */
	only("unit_init", "other_code begins inside it");
}

static void test_addresses(void **state)
{
	(void)state;
	relocs[TEXT][0].symbol = S_OTHER;
	only("unit_f", "at +0x6: other is another place");
	relocs[TEXT][0].symbol = S_PRINT;
	relocs[TEXT][0].addend++;
	only("unit_f", "print is another place");
	relocs[TEXT][0].addend--;
	relocs[TEXT][2].addend += 8; /* ops + 8 */
	only("unit_f", "unit_ops is another place");
	relocs[TEXT][2].addend -= 8;
	relocs[TEXT][2].symbol = S_TABLE;
	only("unit_f", "unit_limits is another place");
}

static void test_strings(void **state)
{
	(void)state;
	bytes[STRINGS][5] = 'o';
	only("unit_f", "another string");
	bytes[STRINGS][5] = 'w';
	bytes[STRINGS][7] = '!'; /* longer */
	only("unit_f", "another string");
	bytes[STRINGS][7] = 0;
	bytes[STRINGS][0] = 'O'; /* nobody's */
	assert_int_equal(differing(), 0);
}

static void test_string_behind_its_end(void **state)
{
	(void)state;
	symbols[S_STRINGS].type = STT_NOTYPE; /* .LC1 + 4, where a loop over "two" ends */
	symbols[S_STRINGS].name = ".LC1";
	symbols[S_STRINGS].value = 4;
	relocs[TEXT][1].addend = 4;
	relocs[BUGS][1].addend = 4;
	k = linked();
	assert_int_equal(differing(), 0);
	bytes[STRINGS][8] = 'y'; /* not the string that is meant */
	assert_int_equal(differing(), 0);
	bytes[STRINGS][5] = 'o';
	only("unit_f", "another string");
}

/* "t\u0100X" where each character has two bytes: a zero byte is no end, wherever in one. */
static void test_wide_string(void **state)
{
	(void)state;
	sections[STRINGS].entsize = 2;
	memcpy(bytes[STRINGS], "\0\0t\0\0\1X\0\0", 10);
	relocs[TEXT][1].addend = 2;
	relocs[BUGS][1].addend = 4 + 2;
	k = linked();
	assert_int_equal(differing(), 0);
	bytes[STRINGS][6] = 'Y';
	only("unit_f", "another string");
	bytes[STRINGS][6] = 'X';
	bytes[STRINGS][8] = 1; /* it ends nowhere */
	only("unit_f", "another string");
}

/* What stands in read-only data is part of those that read it, and of those that read what leads there. */
static void test_constants(void **state)
{
	(void)state;
	bytes[RODATA][3] = 'x';
	only("unit_f", "at +0x14: unit_ops, at +0x8: unit_limits, other bytes from +0x3 on");
	bytes[RODATA][3] = '3';
	symbols[S_TABLE].size = 0; /* up to what comes next, as assembler does not say how long it is */
	symbols[S_TABLE].type = STT_NOTYPE;
	assert_int_equal(differing(), 0);
	bytes[RODATA][15] = 'x';
	only("unit_f", "unit_limits, other bytes from +0xf on");
	setup(state);
	relocs[RODATA][0].symbol = S_H;
	only("unit_f", "unit_ops, at +0: unit_h is another place");
}

static void test_switch(void **state)
{
	(void)state;
	relocs[RODATA][3].addend = G_AT;
	only("unit_g", ".rodata, at +0x8: .text is another place");
}

static void test_code_without_name(void **state)
{
	(void)state;
	bytes[AUX][6] = 16; /* the bit of another feature */
	only("unit_h", ".altinstr_aux, other bytes from +0x6 on");
}

static void test_cold_half(void **state)
{
	const struct proof *p;

	(void)state;
	bytes[COLD][1]++;
	p = prove(k, &unit);
	assert_non_null(strstr(proof_of(p, "unit_g.cold")->why, "other bytes from +0x1 on"));
	assert_non_null(strstr(proof_of(p, "unit_g")->why, "unit_g.cold: other bytes"));
	assert_int_equal(differing(), 2);
}

static void test_exceptions(void **state)
{
	(void)state;
	bytes[EXTABLE][8]++;
	only("unit_f", "__ex_table says another thing about +0x27: other bytes");
	bytes[EXTABLE][8]--;
	relocs[EXTABLE][1].addend--;
	only("unit_f", "__ex_table says another thing about +0x27: at +0x4: .text is another place");
}

static void test_bugs(void **state)
{
	(void)state;
	bytes[BUGS][8]++; /* a line */
	assert_int_equal(differing(), 0);
	bytes[BUGS][10]++;
	only("unit_f", "__bug_table says another thing about +0x1d");
}

static void test_jump_labels(void **state)
{
	(void)state;
	relocs[JUMPS][2].symbol = S_OTHER_KEY;
	only("unit_f", "__jump_table says another thing about +0x18: at +0x8: unit_other_key is another place");
	relocs[JUMPS][2].symbol = S_KEY;
	relocs[JUMPS][2].addend = 0; /* unlikely instead of likely */
	only("unit_f", "unit_key is another place");
}

static void test_alternatives(void **state)
{
	(void)state;
	bytes[ALTS][20]++; /* the second one's feature */
	only("unit_f", ".altinstructions says another thing about +0: other bytes from +0x8 on");
	bytes[ALTS][20]--;
	bytes[REPLACEMENT][5] ^= 1;
	only("unit_f", ".altinstr_replacement, other bytes from +0x2 on");
}

static void test_runtime_constants(void **state)
{
	(void)state;
	sections[RUNTIME].name = "runtime_ptr_others";
	only("unit_f", "runtime_ptr_hashes of the image says more about it");
	sections[RUNTIME].name = "runtime_shift_hashes";
	k->sections[k->n_sections - 1].name = "runtime_ptr_nothing";
	only("unit_f", "runtime_ptr_nothing of the image says more");
	sections[RUNTIME].name = "runtime_ptr_nothing";
	assert_int_equal(differing(), 0);
}

static void test_number_of_entries(void **state)
{
	(void)state;
	sections[ALTS].size = 12;
	sections[ALTS].n_relocs = 2;
	only("unit_f", ".altinstructions of the image says more about it");
	setup(state);
	relocs[EXTABLE][0].addend--;
	only("unit_f", "__ex_table of the image says nothing about +0x26");
	setup(state);
	sections[EXTABLE].size = sections[EXTABLE].n_relocs = 0;
	only("unit_f", "__ex_table of the image says more about it");
}

static void test_names(void **state)
{
	(void)state;
	author_kernel_rename(k, "unit_init", "unit_start");
	only("unit_init", "no such function in the image");
	symbols[S_INIT].section = TEXT;
	symbols[S_INIT].value = H_AT + 6;
	symbols[S_INIT].size = 2;
	only("unit_init", "the image has another name there");
}

/* A name that the image lacks is not that of whatever stands there: only the tables of names have none. */
static void test_name_that_the_image_lacks(void **state)
{
	(void)state;
	symbols[S_PRINT].name = "print_in_another_version";
	only("unit_f", "print_in_another_version is another place");
	setup(state);
	symbols[S_OTHER].name = "kallsyms_names";
	relocs[TEXT][2].symbol = S_OTHER; /* instead of unit_ops */
	only("unit_f", "kallsyms_names is another place");
	symbols[S_OPS].name = "kallsyms_tables"; /* the image names nothing there */
	relocs[TEXT][2].symbol = S_OPS;
	k = linked();
	relocs[TEXT][2].symbol = S_OTHER;
	assert_int_equal(differing(), 0);
}

/* Where nothing tells where a section lies, the first code that leads there does, and names must allow it. */
static void test_learnt_place(void **state)
{
	(void)state;
	author_kernel_symbol(k, "unit_key", PLACE(SECTIONS));
	author_kernel_symbol(k, "unit_other_key", PLACE(SECTIONS) + 0x40);
	assert_int_equal(differing(), 0);
	relocs[JUMPS][2].symbol = S_OTHER_KEY;
	only("unit_f", "the place of .data is not known");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(test_equal, setup),
	        cmocka_unit_test_setup(test_code, setup),
	        cmocka_unit_test_setup(test_length, setup),
	        cmocka_unit_test_setup(test_addresses, setup),
	        cmocka_unit_test_setup(test_strings, setup),
	        cmocka_unit_test_setup(test_wide_string, setup),
	        cmocka_unit_test_setup(test_string_behind_its_end, setup),
	        cmocka_unit_test_setup(test_constants, setup),
	        cmocka_unit_test_setup(test_switch, setup),
	        cmocka_unit_test_setup(test_code_without_name, setup),
	        cmocka_unit_test_setup(test_cold_half, setup),
	        cmocka_unit_test_setup(test_exceptions, setup),
	        cmocka_unit_test_setup(test_bugs, setup),
	        cmocka_unit_test_setup(test_jump_labels, setup),
	        cmocka_unit_test_setup(test_alternatives, setup),
	        cmocka_unit_test_setup(test_runtime_constants, setup),
	        cmocka_unit_test_setup(test_number_of_entries, setup),
	        cmocka_unit_test_setup(test_names, setup),
	        cmocka_unit_test_setup(test_name_that_the_image_lacks, setup),
	        cmocka_unit_test_setup(test_learnt_place, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
