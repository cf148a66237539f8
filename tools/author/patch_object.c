// SPDX-License-Identifier: Apache-2.0
/* Reads compiled units. Not here: what a difference between two of them means (patch_compare.c). */
#include "patch_object.h"
#include "code.h"
#include "patch_homes.h"

#include <ctype.h>
#include <gelf.h>
#include <newleaf/types.h>
#include <stdlib.h>
#include <string.h>

static const char *text_at(const struct unit *u, Elf *elf, size_t table, size_t offset)
{
	const char *s = elf_strptr(elf, table, offset);

	if (!s)
		refuse(NL_ECOMPILE, "%s: a name lies outside its table", u->path);
	return s;
}

size_t unit_reloc_size(uint32_t type)
{
	switch (type) {
	case R_X86_64_NONE:
		return 0;
	case R_X86_64_PC8:
		return 1;
	case R_X86_64_64:
	case R_X86_64_PC64:
		return 8;
	}
	return 4;
}

static int by_offset(const void *a, const void *b)
{
	const struct unit_reloc *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static void read_relocs(struct unit *u, Elf_Scn *scn, const GElf_Shdr *sh)
{
	Elf_Data *data = elf_getdata(scn, NULL);
	struct unit_section *s;
	GElf_Rela rela;
	size_t n = sh->sh_size / sizeof(Elf64_Rela);

	if (!data || sh->sh_info >= u->n_sections || sh->sh_entsize != sizeof(Elf64_Rela))
		refuse(NL_ECOMPILE, "%s: relocations of no section", u->path);
	s = &u->section[sh->sh_info];
	if (s->reloc)
		refuse(NL_ECOMPILE, "%s: two lists of relocations for one section", u->path);
	s->reloc = xalloc(n * sizeof(*s->reloc));
	for (size_t i = 0; i < n && gelf_getrela(data, (int)i, &rela); i++) {
		if (GELF_R_SYM(rela.r_info) >= u->n_symbols || rela.r_offset >= s->size ||
		    s->size - rela.r_offset < unit_reloc_size((uint32_t)GELF_R_TYPE(rela.r_info)))
			refuse(NL_ECOMPILE, "%s: a relocation lies outside its section", u->path);
		s->reloc[s->n_relocs++] = (struct unit_reloc){.offset = rela.r_offset,
		                                              .type = (uint32_t)GELF_R_TYPE(rela.r_info),
		                                              .symbol = (uint32_t)GELF_R_SYM(rela.r_info),
		                                              .addend = rela.r_addend};
	}
	qsort(s->reloc, s->n_relocs, sizeof(*s->reloc), by_offset);
}

static void read_symbols(struct unit *u, Elf *elf, Elf_Scn *scn, const GElf_Shdr *sh)
{
	Elf_Data *data = elf_getdata(scn, NULL);
	size_t n = sh->sh_size / sizeof(Elf64_Sym);
	GElf_Sym sym;

	if (u->symbol || sh->sh_entsize != sizeof(Elf64_Sym))
		refuse(NL_ECOMPILE, "%s: its symbols are not understood", u->path);
	u->symbol = xalloc((n + 1) * sizeof(*u->symbol));
	for (size_t i = 0; data && i < n && gelf_getsym(data, (int)i, &sym); i++) {
		struct unit_symbol *s = &u->symbol[u->n_symbols++];

		s->name = text_at(u, elf, sh->sh_link, sym.st_name);
		s->absolute = sym.st_shndx == SHN_ABS;
		s->section = sym.st_shndx < u->n_sections ? sym.st_shndx : 0;
		s->value = sym.st_value;
		s->size = sym.st_size;
		s->type = GELF_ST_TYPE(sym.st_info);
		s->binding = GELF_ST_BIND(sym.st_info);
		if (s->section &&
		    (s->value > u->section[s->section].size || s->size > u->section[s->section].size - s->value))
			refuse(NL_ECOMPILE, "%s: %s ends behind its section", u->path, s->name);
		if (s->type == STT_SECTION && s->section)
			s->name = u->section[s->section].name;
	}
}

/* Is there one of the first n, which are in order, in that range? */
static bool has_reloc(const struct unit_section *s, size_t n, uint64_t from, uint64_t size)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t half = low + (high - low) / 2;

		if (s->reloc[half].offset < from)
			low = half + 1;
		else
			high = half;
	}
	return low < n && s->reloc[low].offset - from < size;
}

/* A branch at `at` out of `f`: what it would have said, had the assembler left it to the linker. */
static bool leaves(const struct unit *u, const struct unit_symbol *f, uint64_t at, const struct code_step *step,
                   struct unit_reloc *r)
{
	bool wide = step->len > 4;
	const struct unit_symbol *to;

	if (!step->jumps || step->target - f->value < f->size)
		return false;
	to = unit_holder(u, f->section, step->target);
	if (!to)
		return false;
	*r = (struct unit_reloc){.offset = at + step->len - (wide ? 4 : 1),
	                         .type = wide ? R_X86_64_PLT32 : R_X86_64_PC8,
	                         .symbol = (uint32_t)(to - u->symbol),
	                         .addend = (int64_t)(step->target - to->value) - (wide ? 4 : 1),
	                         .resolved = true};
	return true;
}

/*
 * Within a section that the source names (__sched, __init) the assembler resolves calls of static functions by itself,
 * and no relocation says who calls whom. Here they get one again.
 */
static void branches_of(struct unit *u, uint32_t section)
{
	struct unit_section *s = &u->section[section];
	size_t own = s->n_relocs, room = own;

	for (uint32_t i = 1; i < u->n_symbols && unit_is_code(s) && s->bytes; i++) {
		const struct unit_symbol *f = &u->symbol[i];

		if (f->section != section || f->type != STT_FUNC || f->size == s->size ||
		    unit_holder(u, section, f->value) != f)
			continue; /* alone there; of several names of one code, one */
		for (uint64_t at = f->value, end = at + f->size; at < end;) {
			struct code_step step = code_decode(s->bytes + at, end - at, at);
			struct unit_reloc r;

			if (step.len && !has_reloc(s, own, at, step.len) && leaves(u, f, at, &step, &r)) {
				if (s->n_relocs == room) {
					struct unit_reloc *more = xalloc((room = room * 2 + 16) * sizeof(*more));

					if (s->n_relocs)
						memcpy(more, s->reloc, s->n_relocs * sizeof(*more));
					s->reloc = more;
				}
				s->reloc[s->n_relocs++] = r;
			}
			at += step.len ? step.len : 1;
		}
	}
	if (s->n_relocs > own)
		qsort(s->reloc, s->n_relocs, sizeof(*s->reloc), by_offset);
}

struct unit *unit_read(const char *path)
{
	struct unit *u = xalloc(sizeof(*u));
	struct buf file = file_read(path, 256u << 20);
	size_t names, n;
	GElf_Ehdr eh;
	GElf_Shdr sh;
	Elf *elf;

	u->path = path;
	elf_version(EV_CURRENT);
	elf = elf_memory((char *)file.p, file.n);
	if (!elf || !gelf_getehdr(elf, &eh) || eh.e_type != ET_REL || eh.e_machine != EM_X86_64 ||
	    elf_getshdrnum(elf, &n) || elf_getshdrstrndx(elf, &names))
		refuse(NL_ECOMPILE, "%s is no object file for x86-64", path);
	u->section = xalloc((n + 1) * sizeof(*u->section));
	u->section[0].name = "";
	u->n_sections = n;
	for (size_t i = 1; i < n; i++) {
		struct unit_section *s = &u->section[i];
		Elf_Scn *scn = elf_getscn(elf, i);
		Elf_Data *data;

		if (!gelf_getshdr(scn, &sh))
			refuse(NL_ECOMPILE, "%s: a section's header cannot be read", path);
		s->name = text_at(u, elf, names, sh.sh_name);
		s->type = sh.sh_type;
		s->flags = sh.sh_flags;
		s->align = (uint32_t)sh.sh_addralign;
		s->entsize = sh.sh_entsize;
		data = sh.sh_type == SHT_NOBITS ? NULL : elf_getdata(scn, NULL);
		if (sh.sh_type != SHT_NOBITS && (!data || data->d_size != sh.sh_size))
			refuse(NL_ECOMPILE, "%s: section %s is cut short", path, s->name);
		s->bytes = data ? data->d_buf : NULL;
		s->size = sh.sh_size;
	}
	for (size_t i = 1; i < n; i++) /* symbols first: relocations count in them */
		if (gelf_getshdr(elf_getscn(elf, i), &sh) && sh.sh_type == SHT_SYMTAB)
			read_symbols(u, elf, elf_getscn(elf, i), &sh);
	for (size_t i = 1; i < n; i++)
		if (gelf_getshdr(elf_getscn(elf, i), &sh) && sh.sh_type == SHT_RELA)
			read_relocs(u, elf_getscn(elf, i), &sh);
	for (uint32_t i = 1; i < n; i++)
		branches_of(u, i);
	u->home = xalloc((u->n_symbols + 1) * sizeof(*u->home));
	if (file_exists(xformat("%s.homes", path)))
		homes_read(u, xformat("%s.homes", path));
	return u;
}

/* The assembler keeps local labels of the compiler where it cannot count from the section's start. */
static bool is_label(const struct unit_symbol *s) { return !strncmp(s->name, ".L", 2); }

static bool names_something(const struct unit_symbol *s)
{
	return s->section && !is_label(s) && (s->type == STT_FUNC || s->type == STT_OBJECT || s->type == STT_NOTYPE);
}

const struct unit_symbol *unit_find(const struct unit *u, const char *name)
{
	for (size_t i = 1; i < u->n_symbols; i++)
		if (names_something(&u->symbol[i]) && !strcmp(u->symbol[i].name, name))
			return &u->symbol[i];
	return NULL;
}

const struct unit_symbol *unit_holder(const struct unit *u, uint32_t section, uint64_t offset)
{
	const struct unit_symbol *best = NULL;

	for (size_t i = 1; i < u->n_symbols; i++) {
		const struct unit_symbol *s = &u->symbol[i];

		if (!names_something(s) || s->section != section || s->value > offset)
			continue;
		if (s->value + s->size <= offset && s->value != offset)
			continue;
		if (!best || (s->type != STT_NOTYPE && s->binding == STB_GLOBAL) || best->type == STT_NOTYPE)
			best = s;
	}
	return best;
}

static const struct unit_symbol *only_symbol(const struct unit *u, uint32_t section)
{
	const struct unit_symbol *only = NULL;

	for (size_t i = 1; i < u->n_symbols; i++) {
		if (!names_something(&u->symbol[i]) || u->symbol[i].section != section)
			continue;
		if (only)
			return NULL;
		only = &u->symbol[i];
	}
	return only;
}

/* Distance from the field to the end of its instruction, which is what an address relative to it counts from. */
static uint64_t field_to_end(const struct unit *u, const struct unit_section *s, const struct unit_reloc *r)
{
	const struct unit_symbol *in = unit_holder(u, (uint32_t)(s - u->section), r->offset);

	for (uint64_t at = in ? in->value : 0; s->bytes && at <= r->offset;) {
		struct code_step step = code_decode(s->bytes + at, s->size - at, at);

		if (at + step.len > r->offset)
			return at + step.len - r->offset;
		at += step.len ? step.len : 1;
	}
	return 4;
}

/* It may wrap: the file says any number. */
static int64_t plus(int64_t a, uint64_t b) { return (int64_t)((uint64_t)a + b); }

struct unit_target unit_target(const struct unit *u, const struct unit_section *s, const struct unit_reloc *r)
{
	const struct unit_symbol *sym = &u->symbol[r->symbol];
	struct unit_target t = {.symbol = sym, .section = sym->section, .offset = r->addend};

	if ((r->type == R_X86_64_PC32 || r->type == R_X86_64_PLT32 || r->type == R_X86_64_PC8) && unit_is_code(s))
		t.offset = plus(t.offset, field_to_end(u, s, r));
	if (!sym->section || (sym->type != STT_SECTION && !is_label(sym)))
		return t;
	t.symbol = NULL;
	t.offset = plus(t.offset, sym->value);
	if (t.offset >= 0 && !unit_is_string(&u->section[t.section]))
		t.symbol = unit_holder(u, t.section, (uint64_t)t.offset);
	if (!t.symbol && !unit_is_string(&u->section[t.section]))
		t.symbol = only_symbol(u, t.section); /* a loop ends behind its array, or begins before it */
	if (t.symbol)
		t.offset = plus(t.offset, -t.symbol->value);
	return t;
}

uint64_t unit_unnamed_size(const struct unit *u, uint32_t section, uint64_t offset)
{
	uint64_t end = u->section[section].size;

	for (size_t i = 1; i < u->n_symbols; i++)
		if (u->symbol[i].section == section && u->symbol[i].value > offset && u->symbol[i].value < end)
			end = u->symbol[i].value;
	for (size_t i = 1; i < u->n_sections; i++)
		for (size_t r = 0; r < u->section[i].n_relocs; r++) {
			const struct unit_reloc *reloc = &u->section[i].reloc[r];
			struct unit_target t;

			if (u->symbol[reloc->symbol].section != section)
				continue;
			t = unit_target(u, &u->section[i], reloc);
			if (!t.symbol && t.offset > (int64_t)offset && (uint64_t)t.offset < end)
				end = (uint64_t)t.offset;
		}
	return end - offset;
}

bool unit_is_string(const struct unit_section *s) { return s->flags & SHF_MERGE; }
/* A character has as many bytes as the section says, and ends the string when all of them are zero. */
uint64_t unit_merged_size(const struct unit_section *s, uint64_t offset)
{
	uint64_t width = s->entsize, at = offset;

	if (!s->bytes || !width || offset >= s->size)
		return 0;
	if (!(s->flags & SHF_STRINGS)) {
		at += width - offset % width;
		return at <= s->size ? at - offset : 0;
	}
	for (; width <= s->size - at; at += width) {
		uint64_t zeroes = 0;

		while (zeroes < width && !s->bytes[at + zeroes])
			zeroes++;
		if (zeroes == width)
			return at + width - offset;
	}
	return 0;
}

bool unit_is_code(const struct unit_section *s) { return s->flags & SHF_EXECINSTR; }

bool unit_is_constant(const struct unit_section *s)
{
	return !(s->flags & SHF_EXECINSTR) && (!(s->flags & SHF_WRITE) || !strncmp(s->name, ".data.rel.ro", 12));
}

static bool all_digits(const char *s)
{
	if (!*s)
		return false;
	while (isdigit((unsigned char)*s))
		s++;
	return !*s;
}

char *unit_base_name(const char *name)
{
	static const char unique[] = "__UNIQUE_ID_", type[] = "__BTF_ID__";
	char *base = xformat("%s", name), *dot;

	while ((dot = strrchr(base, '.')) && dot != base && all_digits(dot + 1))
		*dot = 0;
	if (!strncmp(base, unique, sizeof(unique) - 1) || !strncmp(base, type, sizeof(type) - 1) ||
	    strstr(base, "___addressable_"))
		for (char *end = base + strlen(base); end > base && isdigit((unsigned char)end[-1]);)
			*--end = 0;
	return base;
}

bool unit_is_clone(const char *name)
{
	static const char *const made[] = {".isra.", ".constprop.", ".part.", ".cold"};

	for (size_t i = 0; i < NL_ARRAY_SIZE(made); i++)
		if (strstr(name, made[i]))
			return true;
	return false;
}

bool unit_is_made(const char *name)
{
	return starts_with(name, "CSWTCH.") || starts_with(name, "__func__.") ||
	       starts_with(name, "__PRETTY_FUNCTION__.");
}

bool unit_same_base(const char *a, const char *b)
{
	char *x = unit_base_name(a), *y = unit_base_name(b);
	bool is = !strcmp(x, y);

	free(x);
	free(y);
	return is;
}
