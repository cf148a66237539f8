// SPDX-License-Identifier: Apache-2.0
/* A compiled unit of the kernel as a model: sections, symbols and relocations of one ELF64 relocatable file. */
#ifndef NEWLEAF_AUTHOR_PATCH_OBJECT_H
#define NEWLEAF_AUTHOR_PATCH_OBJECT_H

#include "author.h"

#include <elf.h>

struct unit_reloc {
	uint64_t offset;
	uint32_t type, symbol; /* R_X86_64_*, index of a unit_symbol */
	int64_t addend;
	bool resolved; /* by the assembler, between functions of one section: the file has none for it */
};

struct unit_section {
	const char *name;
	uint32_t type, align;
	uint64_t flags, size, entsize;
	const uint8_t *bytes;     /* NULL for .bss */
	struct unit_reloc *reloc; /* ascending by offset */
	size_t n_relocs;
};

struct unit_symbol {
	const char *name;
	uint32_t section; /* 0 = undefined or absolute */
	uint64_t value, size;
	uint8_t type, binding; /* STT_*, STB_* */
	bool absolute;
};

struct unit_spoken { /* what the source reads, if it is in the object or not */
	char *name, *home;
};

struct unit {
	const char *path;
	struct unit_section *section;
	struct unit_symbol *symbol;
	size_t n_sections, n_symbols;
	char **home; /* of each symbol: for variables of functions those that speak of it in the source, " f g " */
	struct unit_spoken *spoken;
	size_t n_spoken;
};

struct unit *unit_read(const char *path); /* refuses NL_ECOMPILE */

size_t unit_reloc_size(uint32_t type); /* of the field, in bytes */

/* The named symbol, defined in this unit; NULL when there is none. Local names may exist twice: the first. */
const struct unit_symbol *unit_find(const struct unit *u, const char *name);
/* The function or object that holds `offset` of a section; NULL when none does. */
const struct unit_symbol *unit_holder(const struct unit *u, uint32_t section, uint64_t offset);

/* What a relocation means: a symbol and an offset from it, with a section's symbol turned into the one that holds the
 * place. In code the place is where the instruction points, not what the field counts from. */
struct unit_target {
	const struct unit_symbol *symbol; /* NULL: a place of `section` that has no name, such as a string */
	uint32_t section;                 /* 0 = outside the unit */
	int64_t offset;                   /* from the symbol, or from the start of the section */
};
struct unit_target unit_target(const struct unit *u, const struct unit_section *s, const struct unit_reloc *r);

/* How far something without a name may reach: to the next place of the section that anything leads to. */
uint64_t unit_unnamed_size(const struct unit *u, uint32_t section, uint64_t offset);

bool unit_is_string(const struct unit_section *s); /* merged by the linker, told apart by content */
/* The bytes of one such, of a string with what ends it; 0: it goes beyond its section. */
uint64_t unit_merged_size(const struct unit_section *s, uint64_t offset);
bool unit_is_code(const struct unit_section *s);
bool unit_is_constant(const struct unit_section *s);

/* name without what the compiler counts: "x.12" gives "x", a clone keeps its suffix without the number. */
char *unit_base_name(const char *name);
bool unit_same_base(const char *a, const char *b);
/* a constant that the compiler made for one function: CSWTCH.3, what a switch gives; __func__.3 */
bool unit_is_made(const char *name);
/* a name that the compiler made from another: x.isra.0, x.constprop.0, x.part.0, x.cold */
bool unit_is_clone(const char *name);

#endif
