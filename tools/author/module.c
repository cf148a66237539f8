// SPDX-License-Identifier: Apache-2.0
/*
 * Reads a .ko (ELF64, relocatable) as the kernel's loader does: kernel/module/main.c, elf_validity_check(),
 * setup_load_info(). The file comes from anybody, so each number is looked at before it is used.
 */
#include "module.h"
#include "unpack.h"

#include <ctype.h>
#include <elf.h>
#include <newleaf/types.h>
#include <stdlib.h>
#include <string.h>

#define SECTIONS_MAX 4096u
#define SYMBOLS_MAX (1u << 20)
#define SECTION_MAX (64u << 20) /* bytes */

#define BAD(m, ...) refuse(NL_EKERNEL, "%s: %s", (m)->path, xformat(__VA_ARGS__))

/* A string of a table that ends inside it, or no string at all. */
static const char *string_at(const struct module *m, const struct module_section *table, uint32_t at)
{
	if (!table->bytes || at >= table->size || !memchr(table->bytes + at, 0, table->size - at))
		BAD(m, "a name lies outside its table: the file is damaged");
	return (const char *)table->bytes + at;
}

static const struct module_section *section_of(const struct module *m, uint32_t number, uint32_t type)
{
	if (!number || number >= m->n_sections || m->sections[number].type != type)
		BAD(m, "section %u is not what another takes it for: the file is damaged", number);
	return &m->sections[number];
}

static void read_sections(struct module *m)
{
	Elf64_Ehdr eh;
	Elf64_Shdr *sh;

	if (m->file.n < sizeof(eh))
		BAD(m, "is no module: too short");
	memcpy(&eh, m->file.p, sizeof(eh));
	if (memcmp(eh.e_ident, ELFMAG, SELFMAG) || eh.e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh.e_ident[EI_DATA] != ELFDATA2LSB || eh.e_type != ET_REL || eh.e_machine != EM_X86_64)
		BAD(m, "is no module: no relocatable ELF of x86-64");
	if (eh.e_shentsize != sizeof(*sh) || eh.e_shnum < 2 || eh.e_shnum > SECTIONS_MAX || eh.e_shoff > m->file.n ||
	    eh.e_shnum * sizeof(*sh) > m->file.n - eh.e_shoff || eh.e_shstrndx >= eh.e_shnum)
		BAD(m, "its table of sections lies outside the file");
	m->n_sections = eh.e_shnum;
	m->sections = xalloc(m->n_sections * sizeof(*m->sections));
	sh = xalloc(m->n_sections * sizeof(*sh));
	memcpy(sh, m->file.p + eh.e_shoff, m->n_sections * sizeof(*sh));
	for (size_t i = 1; i < m->n_sections; i++) {
		struct module_section *s = &m->sections[i];

		*s = (struct module_section){.size = sh[i].sh_size,
		                             .align = sh[i].sh_addralign ? sh[i].sh_addralign : 1,
		                             .flags = sh[i].sh_flags,
		                             .type = sh[i].sh_type,
		                             .link = sh[i].sh_link,
		                             .info = sh[i].sh_info,
		                             .memory = MODULE_NOWHERE};
		if (s->size > SECTION_MAX || s->align & (s->align - 1) || s->align > NL_PAGE_SIZE)
			BAD(m, "section %zu has %llu bytes, aligned to %llu: that is none of a module", i,
			    (unsigned long long)s->size, (unsigned long long)s->align);
		if (s->type == SHT_NOBITS || s->type == SHT_NULL)
			continue;
		if (sh[i].sh_offset > m->file.n || s->size > m->file.n - sh[i].sh_offset)
			BAD(m, "section %zu lies outside the file", i);
		s->bytes = m->file.p + sh[i].sh_offset;
	}
	for (size_t i = 1; i < m->n_sections; i++)
		m->sections[i].name = string_at(m, section_of(m, eh.e_shstrndx, SHT_STRTAB), sh[i].sh_name);
	m->sections[0].name = "";
	m->sections[0].memory = MODULE_NOWHERE;
}

static const struct module_section *find_section(const struct module *m, const char *name)
{
	for (size_t i = 1; i < m->n_sections; i++)
		if (m->sections[i].flags & SHF_ALLOC && !strcmp(m->sections[i].name, name))
			return &m->sections[i];
	return NULL;
}

static void read_symbols(struct module *m)
{
	const struct module_section *table = NULL, *names;

	for (size_t i = 1; i < m->n_sections; i++) {
		if (m->sections[i].type != SHT_SYMTAB)
			continue;
		if (table)
			BAD(m, "has two tables of symbols");
		table = &m->sections[i];
		m->symbol_table = i;
	}
	if (!table || table->size / sizeof(Elf64_Sym) > SYMBOLS_MAX)
		BAD(m, "has no table of symbols, or one of a size that no module has");
	names = section_of(m, table->link, SHT_STRTAB);
	m->n_symbols = table->size / sizeof(Elf64_Sym);
	m->symbols = xalloc((m->n_symbols + 1) * sizeof(*m->symbols));
	for (size_t i = 0; i < m->n_symbols; i++) {
		struct module_symbol *s = &m->symbols[i];
		Elf64_Sym sym;

		memcpy(&sym, table->bytes + i * sizeof(sym), sizeof(sym));
		s->name = i ? string_at(m, names, sym.st_name) : "";
		s->undefined = i && sym.st_shndx == SHN_UNDEF;
		s->function = ELF64_ST_TYPE(sym.st_info) == STT_FUNC;
		s->global = ELF64_ST_BIND(sym.st_info) != STB_LOCAL;
		s->va = sym.st_value;
		s->size = sym.st_size;
		if (sym.st_shndx == SHN_XINDEX || (sym.st_shndx >= m->n_sections && sym.st_shndx < SHN_LORESERVE) ||
		    sym.st_shndx == SHN_COMMON)
			BAD(m, "%s lies in no section that there is", s->name);
		if (sym.st_shndx == SHN_UNDEF || sym.st_shndx >= SHN_LORESERVE)
			continue;
		s->section = sym.st_shndx;
		if (sym.st_value > m->sections[s->section].size ||
		    sym.st_size > m->sections[s->section].size - sym.st_value)
			BAD(m, "%s ends behind its section", s->name);
	}
}

const char *module_info(const struct module *m, const char *key)
{
	size_t n = strlen(key);

	for (size_t at = 0; at < m->info_size; at += strlen(m->info + at) + 1)
		if (!strncmp(m->info + at, key, n) && m->info[at + n] == '=')
			return m->info + at + n + 1;
	return NULL;
}

static bool plain_name(const char *name)
{
	size_t n = strlen(name);

	for (const char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '_')
			return false;
	return n && n < NL_OBJECT_NAME_LEN;
}

static void read_identity(struct module *m)
{
	const struct module_section *s = find_section(m, ".modinfo");
	const char *built, *release = m->k->release;

	if (!s || !s->bytes || !s->size || s->bytes[s->size - 1])
		BAD(m, "has no .modinfo, or one without an end");
	m->info = (const char *)s->bytes;
	m->info_size = s->size;
	m->name = module_info(m, "name");
	if (!m->name || !plain_name(m->name))
		BAD(m, "does not say its name, or one that is none");
	built = module_info(m, "vermagic");
	if (!built || strncmp(built, release, strlen(release)) || built[strlen(release)] != ' ')
		refuse(NL_ETARGET, "%s was built for %.*s, not for %s", m->path,
		       built ? (int)strcspn(built, " ") : (int)strlen("nobody"), built ? built : "nobody", release);
}

static void read_build_id(struct module *m)
{
	const struct module_section *s = find_section(m, ".note.gnu.build-id");
	Elf64_Nhdr note;
	size_t desc;

	if (!s || !s->bytes || s->size < sizeof(note))
		BAD(m, "has no build-id, so that nobody could tell it from another build");
	memcpy(&note, s->bytes, sizeof(note));
	desc = sizeof(note) + 4;
	if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 || memcmp(s->bytes + sizeof(note), "GNU", 4) ||
	    note.n_descsz < 8 || note.n_descsz > sizeof(m->build_id) || desc + note.n_descsz > s->size)
		BAD(m, "has a build-id of an unknown form");
	memcpy(m->build_id, s->bytes + desc, note.n_descsz);
	m->build_id_len = note.n_descsz;
	m->build_id_va = s->va + desc;
	if (s->memory != MODULE_RODATA)
		BAD(m, "its build-id is not in read-only data");
}

/* Offsets in sections become addresses. */
static void place_symbols(struct module *m)
{
	for (size_t i = 0; i < m->n_symbols; i++) {
		struct module_symbol *s = &m->symbols[i];

		if (!s->section)
			continue;
		if (m->sections[s->section].memory == MODULE_NOWHERE)
			s->section = 0;
		else
			s->va += m->sections[s->section].va;
	}
}

struct module *module_read(const struct kernel *k, const char *path, uint64_t va)
{
	struct module *m = xalloc(sizeof(*m));

	m->path = path;
	m->k = k;
	m->file = unpack_module(path);
	read_sections(m);
	read_symbols(m);
	read_identity(m);
	module_layout(m, va);
	read_build_id(m);
	place_symbols(m);
	return m;
}

static int by_export(const void *a, const void *b)
{
	const struct module_export *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static struct module_export *export_named(const struct module *m, const char *name)
{
	const struct module_export wanted = {.name = name};

	return bsearch(&wanted, m->exports, m->n_exports, sizeof(wanted), by_export);
}

/* A name is exported by its entry, and the place is that of the global symbol of that name. */
static void find_exports(struct module *m)
{
	m->exports = xalloc((m->n_symbols + 1) * sizeof(*m->exports));
	for (size_t i = 1; i < m->n_symbols; i++)
		if (m->symbols[i].section && starts_with(m->symbols[i].name, "__ksymtab_"))
			m->exports[m->n_exports++].name = m->symbols[i].name + strlen("__ksymtab_");
	qsort(m->exports, m->n_exports, sizeof(*m->exports), by_export);
	for (size_t i = 1; i < m->n_symbols; i++) {
		struct module_export *e =
		        m->symbols[i].section && m->symbols[i].global ? export_named(m, m->symbols[i].name) : NULL;

		if (e)
			e->va = m->symbols[i].va;
	}
}

uint64_t module_export(const struct module *m, const char *name)
{
	const struct module_export *e;

	if (!m->exports)
		find_exports((struct module *)(uintptr_t)m);
	e = export_named(m, name);
	return e ? e->va : 0;
}
