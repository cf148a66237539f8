// SPDX-License-Identifier: Apache-2.0
/*
 * Makes small kernel files and object files, from the formats' manuals alone: kallsyms tables, types (BTF), ELF,
 * bzImage. The tests of the authoring companion read them back, whole and damaged; its fuzzers start from them.
 */
#ifndef TESTS_UNIT_MAKEKERNEL_H
#define TESTS_UNIT_MAKEKERNEL_H

#include "../../tools/author/kallsyms.h"

#define MADE_TEXT 0xffffffff81000000ULL
#define MADE_RODATA 0xffffffff81100000ULL
#define MADE_DATA 0xffffffff81200000ULL
#define MADE_END 0xffffffff81300000ULL
#define MADE_RELEASE "6.1.0-0-made-amd64"

struct made_kallsyms {
	struct buf b;
	size_t markers;
};
enum made_form {
	MADE_OFFSETS_FIRST, /* until 6.3 */
	MADE_ORDER,         /* 6.2, 6.3: also the order by name, behind the markers */
	MADE_OFFSETS_LAST,  /* since 6.4 */
	MADE_RELATIVE,      /* 7.x: each offset counts from its own place, and tables are aligned to 4 bytes only */
};
/* The tables for symbols that ascend by address, as they stand at `va` (MADE_RELATIVE alone depends on it). */
struct made_kallsyms make_kallsyms(const struct ksym *sym, size_t n, enum made_form form, uint64_t va);

struct made_section {
	const char *name;
	uint32_t type;
	uint64_t flags, va;
	struct buf bytes;
	uint64_t size; /* when it has no bytes */
	uint32_t link, info;
	uint64_t align, entry;
};
struct buf make_elf(uint16_t type, const struct made_section *s, size_t n); /* s[i] becomes section i + 1 */

/* A kernel with one function `f` to redirect and all that a leaf's target needs. The sections may be changed. */
enum { MADE_S_TEXT, MADE_S_RODATA, MADE_S_DATA, MADE_S_NOTES, MADE_S_BTF, MADE_S_COUNT };
void make_sections(struct made_section s[MADE_S_COUNT]);
/* The same as those of 7.x are: per-CPU variables in the image, among what boot frees (init_thing is), and what else
 * their symbol tables have. but: a symbol that is left out. */
void make_sections_of_7(struct made_section s[MADE_S_COUNT], const char *but);
struct buf make_types(bool proxy_execution);                             /* the bytes of .BTF */
struct buf make_payload(const struct made_section *s, size_t n);         /* the ELF and a relocation list behind it */
struct buf make_bzimage(const struct buf *payload, const char *release); /* packed with LZ4 */
struct buf make_packed(const void *packed, size_t n, uint32_t size, const char *release); /* with whatever it is */

/* An object file: .text with `f`, .data and .bss, a relocation of each kind. */
enum { MADE_O_TEXT, MADE_O_DATA, MADE_O_BSS, MADE_O_RELA, MADE_O_SYMTAB, MADE_O_STRTAB, MADE_O_BTF, MADE_O_COUNT };
void make_object(struct made_section s[MADE_O_COUNT]);

/* A file that is nowhere but in memory; the path stays good until the next call with the same slot (0..3). */
const char *make_file(unsigned slot, const void *bytes, size_t n);

#endif
