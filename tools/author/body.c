// SPDX-License-Identifier: Apache-2.0
/*
 * Reads compiled objects (ELF64 relocatable, RELA) and lays them out: code into text[], everything else that is kept in
 * memory into data[] and .bss. What a section means to the kernel decides: placed, without meaning here, or refused
 * because the guest would have to be told about it.
 */
#include "body.h"
#include "nearby.h"
#include "thunks.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <gelf.h>
#include <newleaf/types.h>
#include <string.h>

#define INT3 0xcc

struct object {
	const char *path;
	Elf *elf;
	size_t n_sections, section_names, symbol_names, symbol_count;
	Elf_Data *symbols;
	size_t index;
	struct btf *types; /* NULL = none */
	const struct body_object *from;
	struct placed {
		struct place place; /* symbol 0 = not placed */
		uint64_t size;
		bool writable;
	} * at; /* per section */
};

struct loading {
	struct draft *d;
	const struct kernel *k;
	const struct recipe *r;
	struct body *body;
	uint64_t bss;
	bool placed;   /* everything: what is still asked for is a place of its own */
	char *missing; /* names that the kernel does not have, until then */
};

/* Sections that would need the kernel's own tables: name, and what in the source makes them. */
static const struct {
	const char *name, *cause;
} refused[] = {
        {"__ex_table",
         "an inline user access or a fault handler (use copy_from_user, copy_to_user, get_user, put_user)"},
        {"__bug_table", "BUG or WARN"},
        {".altinstructions", "an instruction that boot adapts to the CPU"},
        {".altinstr_replacement", "an instruction that boot adapts to the CPU"},
        {".parainstructions", "a paravirtualised instruction"},
        {".BTF_ids", "BTF_ID: numbers of types that the kernel's build fills in"},
        {"__jump_table", "a static branch in assembler"},
        {"runtime_", "a variable that boot writes into the instructions (runtime_const_ptr)"},
        {".static_call_sites", "an inline static call"},
        {"__mcount_loc", "a traced function"},
        {"__tracepoints", "a tracepoint of its own"},
        {"__dyndbg", "pr_debug"},
        {".data..percpu", "a per-CPU variable of its own"},
        {".init", "__init or __initdata"},
        {".exit", "__exit"},
        {"__ksymtab", "EXPORT_SYMBOL"},
        {"__param", "a module parameter"},
        {".modinfo", "MODULE_ macros"},
        {"___srcu_struct_ptrs", "a static SRCU domain"},
        {"_error_injection_whitelist", "ALLOW_ERROR_INJECTION"},
        {"_kprobe_blacklist", "NOKPROBE_SYMBOL"},
        {".entry.text", "entry code"},
        {".noinstr.text", "noinstr"},
};

/* Kept in memory by the linker, without meaning for a body: hints for tools, and lists of places that we adapt by
 * ourselves. */
static const char *const ignored[] = {
        ".comment",        ".note",      ".debug",        ".orc_",     ".discard", ".return_sites", ".retpoline_sites",
        ".ibt_endbr_seal", ".smp_locks", ".printk_index", ".eh_frame", ".llvm",    ".gnu",
};

/* What may be placed: everything else is refused, because nobody has thought about it. */
static const char *const placed[] = {
        ".text",
        ".rodata",
        ".data",
        ".bss",
        /* only told apart by who asks whether an address lies there: wchan, profiles, stack traces, kprobes */
        ".sched.text",
        ".kprobes.text",
        ".spinlock.text",
        ".irqentry.text",
        ".softirqentry.text",
        ".cpuidle.text",
        ".ref.text",
};

const char *body_table_cause(const char *section)
{
	for (size_t i = 0; i < NL_ARRAY_SIZE(refused); i++)
		if (starts_with(section, refused[i].name))
			return refused[i].cause;
	return NULL;
}

static bool wanted(const char *name, const GElf_Shdr *sh, const char *path)
{
	if (!(sh->sh_flags & SHF_ALLOC))
		return false;
	if (!sh->sh_size)
		return false;
	if (body_table_cause(name))
		refuse(NL_EBODY, "%s: section %s, made by %s", path, name, body_table_cause(name));
	for (size_t i = 0; i < NL_ARRAY_SIZE(ignored); i++)
		if (starts_with(name, ignored[i]))
			return false;
	for (size_t i = 0; i < NL_ARRAY_SIZE(placed); i++)
		if (starts_with(name, placed[i]))
			return true;
	refuse(NL_EBODY, "%s: section %s, which this version does not know", path, name);
}

static const char *name_at(const struct object *o, size_t table, size_t offset)
{
	const char *name = elf_strptr(o->elf, table, offset);

	if (!name)
		refuse(NL_EBODY, "%s: a name lies outside its table", o->path);
	return name;
}

static void read_types(struct object *o, Elf_Scn *scn)
{
	Elf_Data *data = elf_getdata(scn, NULL);

	if (o->types || !data || !data->d_buf || !data->d_size || data->d_size > UINT32_MAX)
		refuse(NL_EBODY, "%s: .BTF is there twice, or empty", o->path);
	o->types = btf__new(data->d_buf, (uint32_t)data->d_size);
	if (libbpf_get_error(o->types))
		refuse(NL_EBODY, "%s: the types (.BTF) are not understood", o->path);
}

static void object_open(struct object *o, const char *path, struct buf *file)
{
	GElf_Ehdr eh;

	*file = file_read(path, 64u << 20);
	o->path = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	elf_version(EV_CURRENT);
	o->elf = elf_memory((char *)file->p, file->n);
	if (!o->elf || !gelf_getehdr(o->elf, &eh) || elf_getshdrnum(o->elf, &o->n_sections) ||
	    elf_getshdrstrndx(o->elf, &o->section_names) || eh.e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh.e_ident[EI_DATA] != ELFDATA2LSB || eh.e_type != ET_REL || eh.e_machine != EM_X86_64)
		refuse(NL_EBODY, "%s is no object file for x86-64", path);
	o->at = xalloc(o->n_sections * sizeof(*o->at));
	for (size_t i = 0; i < o->n_sections; i++) {
		Elf_Scn *scn = elf_getscn(o->elf, i);
		GElf_Shdr sh;

		if (!gelf_getshdr(scn, &sh))
			continue;
		if (!strcmp(name_at(o, o->section_names, sh.sh_name), ".BTF"))
			read_types(o, scn);
		if (sh.sh_type != SHT_SYMTAB)
			continue;
		o->symbols = elf_getdata(scn, NULL);
		o->symbol_names = sh.sh_link;
		/* Whatever sh_entsize says: gelf_getsym() does not read it. */
		o->symbol_count = o->symbols ? o->symbols->d_size / sizeof(Elf64_Sym) : 0;
	}
	if (!o->symbols)
		refuse(NL_EBODY, "%s has no symbols", path);
}

static uint64_t align_up(uint64_t v, uint64_t align) { return (v + align - 1) & ~(align - 1); }

/* Everything with bytes goes behind what is in text[] or data[] already. */
static uint64_t place_bytes(struct loading *l, const struct object *o, Elf_Scn *scn, const GElf_Shdr *sh,
                            uint64_t align)
{
	bool code = sh->sh_flags & SHF_EXECINSTR;
	struct buf *part = code ? &l->d->text : &l->d->data;
	Elf_Data *data = elf_getdata(scn, NULL);
	uint64_t at;

	if (!data || !data->d_buf || data->d_size != sh->sh_size)
		refuse(NL_EBODY, "%s: a section is cut short", o->path);
	if (sh->sh_size > NL_LEAF_MAX_SIZE - part->n)
		refuse(NL_EARENA, "%s: the body is too large; a leaf has at most %u bytes", o->path, NL_LEAF_MAX_SIZE);
	at = buf_align(part, code && align < 16 ? 16 : align, code ? INT3 : 0);
	buf_add(part, data->d_buf, data->d_size);
	return at;
}

static uint64_t place_zeroes(struct loading *l, const struct object *o, const GElf_Shdr *sh, uint64_t align)
{
	uint64_t at = align_up(l->bss, align);

	if (sh->sh_flags & SHF_EXECINSTR)
		refuse(NL_EBODY, "%s: a section of code without bytes", o->path);
	if (sh->sh_size > UINT32_MAX - at)
		refuse(NL_EARENA, "%s: the body's data is larger than 4 GiB", o->path);
	l->bss = at + sh->sh_size;
	return at;
}

/* First everything with bytes, then .bss behind it: data[] has no holes and the zeroes are not in the file. */
static void place_sections(struct loading *l, struct object *o, bool bss)
{
	for (size_t i = 1; i < o->n_sections; i++) {
		Elf_Scn *scn = elf_getscn(o->elf, i);
		struct placed *at = &o->at[i];
		const char *name;
		uint64_t align;
		GElf_Shdr sh;

		if (!gelf_getshdr(scn, &sh) || (sh.sh_type == SHT_NOBITS) != bss)
			continue;
		if (o->from->take && !o->from->take[i])
			continue;
		name = name_at(o, o->section_names, sh.sh_name);
		if (!wanted(name, &sh, o->path))
			continue;
		if (sh.sh_type != SHT_PROGBITS && !bss)
			refuse(NL_EBODY, "%s: section %s holds no plain bytes (type %u)", o->path, name, sh.sh_type);
		align = sh.sh_addralign ? sh.sh_addralign : 1;
		if (align > NL_PART_ALIGN || align & (align - 1))
			refuse(NL_EBODY,
			       "%s: section %s wants to be aligned to %llu bytes, more than %u or no power of two",
			       o->path, name, (unsigned long long)align, NL_PART_ALIGN);
		at->place.symbol = sh.sh_flags & SHF_EXECINSTR ? NL_SYM_TEXT : NL_SYM_DATA;
		at->place.value = bss ? place_zeroes(l, o, &sh, align) : place_bytes(l, o, scn, &sh, align);
		at->size = sh.sh_size;
		at->writable = sh.sh_flags & SHF_WRITE && !starts_with(name, ".data.rel.ro");
	}
}

static void collect_symbols(struct loading *l, struct object *o)
{
	struct body *b = l->body;

	for (size_t i = 1; i < o->symbol_count; i++) {
		const struct placed *in;
		struct body_symbol *s;
		const char *name;
		GElf_Sym sym;

		if (!gelf_getsym(o->symbols, (int)i, &sym) || sym.st_shndx == SHN_UNDEF ||
		    sym.st_shndx >= SHN_LORESERVE)
			continue;
		if (sym.st_shndx >= o->n_sections)
			refuse(NL_EBODY, "%s: symbol %zu lies in no section", o->path, i);
		in = &o->at[sym.st_shndx];
		if (!in->place.symbol || GELF_ST_TYPE(sym.st_info) == STT_SECTION)
			continue;
		name = name_at(o, o->symbol_names, sym.st_name);
		if (sym.st_value > in->size || sym.st_size > in->size - sym.st_value)
			refuse(NL_EBODY, "%s: %s ends behind its section", o->path, name);
		s = &b->symbols[b->n_symbols];
		s->global = GELF_ST_BIND(sym.st_info) != STB_LOCAL;
		s->name = xformat("%s%s", s->global ? "" : o->from->prefix, name);
		for (size_t j = 0; s->global && j < b->n_symbols; j++)
			if (b->symbols[j].global && !strcmp(b->symbols[j].name, s->name))
				refuse(NL_EBODY, "%s is defined twice", name);
		s->place = in->place;
		s->place.value += sym.st_value;
		s->size = sym.st_size;
		s->object = o->index;
		s->writable = in->writable;
		s->function = GELF_ST_TYPE(sym.st_info) == STT_FUNC;
		b->n_symbols++;
	}
}

const struct body_symbol *body_find(const struct body *b, const char *name)
{
	const struct body_symbol *found = NULL;

	for (size_t i = 0; i < b->n_symbols; i++) {
		if (strcmp(b->symbols[i].name, name))
			continue;
		if (b->symbols[i].global)
			return &b->symbols[i];
		found = found ? found : &b->symbols[i]; /* static functions and data can be named by the recipe, too */
	}
	return found;
}

/* An object names each symbol once; a second object may name it again. */
static void note_use(struct body *b, const struct object *o, const char *name, const char *kernel_name, uint64_t va)
{
	for (size_t i = 0; i < b->n_uses; i++)
		if (b->uses[i].object == o->index && !strcmp(b->uses[i].name, name))
			return;
	b->uses[b->n_uses++] = (struct body_use){xformat("%s", name), kernel_name, o->index, va};
}

/* All that is missing is said at once, when everything has been looked at. */
static void note_missing(struct loading *l, const struct object *o, const char *name)
{
	char *said = xformat("%s (%s)", name, o->path);

	if (has_name(l->missing, said))
		return;
	said = xformat("%s%s", said, nearby_names(l->k, name));
	l->missing = l->missing ? xformat("%s; %s", l->missing, said) : said;
}

static struct place resolve_undefined(struct loading *l, const struct object *o, const char *name)
{
	struct recipe_symbol wanted_symbol = {.name = (char *)(uintptr_t)name};
	const struct body_symbol *own = body_find(l->body, name);
	const struct ksym *any;
	struct place thunk, place;

	if (own && own->global)
		return own->place;
	if (thunk_place(&l->d->h.target, name, &thunk))
		return thunk;
	if (!strcmp(name, "__fentry__") || (!strcmp(name, "__this_module") && !l->k->module))
		refuse(NL_EBODY, "%s: refers to %s, which is not for a body", o->path, name);
	for (size_t i = 0; i < l->r->n_alias; i++)
		if (!strcmp(l->r->alias[i].name, name))
			wanted_symbol = l->r->alias[i].symbol;
	if (!l->placed && !kallsyms_find(&l->k->syms, wanted_symbol.name, 1, &any)) {
		note_missing(l, o, wanted_symbol.name);
		return (struct place){NL_SYM_ABSOLUTE, 0};
	}
	place = place_in_kernel(l->k, &wanted_symbol, xformat("%s refers to %s", o->path, name));
	note_use(l->body, o, name, xformat("%s", wanted_symbol.name), place.value);
	return place;
}

/* Does the kernel keep this place? A taken function only where something points to it: pointers are compared. */
static bool stays(const struct object *o, const GElf_Sym *sym, uint32_t type, int64_t addend)
{
	uint64_t start = sym->st_value + (uint64_t)addend + (type == R_X86_64_PC32 ? 4 : 0);

	if (!o->from->bound || !o->from->bound[sym->st_shndx].symbol)
		return false;
	return !o->from->take[sym->st_shndx] || (type != R_X86_64_PLT32 && !start);
}

static struct place resolve(struct loading *l, const struct object *o, size_t section, const GElf_Rela *r)
{
	size_t index = GELF_R_SYM(r->r_info);
	struct place p;
	GElf_Sym sym;

	for (size_t i = 0; i < o->from->n_fixed; i++)
		if (o->from->fixed[i].section == section && o->from->fixed[i].offset == r->r_offset)
			return o->from->fixed[i].place;
	if (!gelf_getsym(o->symbols, (int)index, &sym))
		refuse(NL_EBODY, "%s: a relocation names no symbol", o->path);
	if (sym.st_shndx == SHN_UNDEF && o->from->outside && o->from->outside[index].symbol)
		return o->from->outside[index];
	if (sym.st_shndx == SHN_UNDEF)
		return resolve_undefined(l, o, name_at(o, o->symbol_names, sym.st_name));
	if (sym.st_shndx == SHN_ABS)
		return (struct place){NL_SYM_ABSOLUTE, sym.st_value};
	if (sym.st_shndx < o->n_sections && stays(o, &sym, (uint32_t)GELF_R_TYPE(r->r_info), r->r_addend)) {
		p = o->from->bound[sym.st_shndx];
		p.value += sym.st_value;
		return p;
	}
	if (sym.st_shndx >= o->n_sections || !o->at[sym.st_shndx].place.symbol ||
	    sym.st_value > o->at[sym.st_shndx].size)
		refuse(NL_EBODY, "%s: refers to a section that is not placed, or to behind its end (%s)", o->path,
		       name_at(o, o->symbol_names, sym.st_name));
	p = o->at[sym.st_shndx].place;
	p.value += sym.st_value;
	return p;
}

static uint16_t reloc_type(const struct object *o, uint32_t elf_type)
{
	switch (elf_type) {
	case R_X86_64_64:
		return NL_REL_ABS64;
	case R_X86_64_32S:
		return NL_REL_ABS32S;
	case R_X86_64_32:
		return NL_REL_ABS32;
	case R_X86_64_PC32:
	case R_X86_64_PLT32:
		return NL_REL_PC32;
	}
	refuse(NL_EBODY, "%s: relocation type %u", o->path, elf_type);
}

static void add_reloc(struct loading *l, const struct object *o, const struct placed *in, const GElf_Rela *rela)
{
	struct place s = resolve(l, o, (size_t)(in - o->at), rela);
	struct nl_leaf_reloc r = {
	        .where = in->place.symbol == NL_SYM_TEXT ? NL_AT_TEXT : NL_AT_DATA,
	        .offset = (uint32_t)(in->place.value + rela->r_offset),
	        .type = reloc_type(o, (uint32_t)GELF_R_TYPE(rela->r_info)),
	        .symbol = (uint16_t)(s.symbol & ~PLACE_OF_KERNEL),
	        .object = s.symbol & PLACE_OF_KERNEL ? DRAFT_OF_KERNEL : 0,
	        .value = s.value,
	        .addend = rela->r_addend,
	};
	struct buf *bytes = r.where == NL_AT_TEXT ? &l->d->text : &l->d->data;
	size_t size = r.type == NL_REL_ABS64 ? 8 : 4;
	uint64_t sum = r.value + (uint64_t)r.addend; /* may wrap: the file says any number */
	int64_t v = (int64_t)sum;

	/* The second: in .bss, which has no bytes. */
	if (rela->r_offset > in->size || size > in->size - rela->r_offset || r.offset + size > bytes->n)
		refuse(NL_EBODY, "%s: a relocation lies outside its section", o->path);
	memset(bytes->p + r.offset, 0, size);
	if (r.type == NL_REL_PC32 && s.symbol == in->place.symbol) { /* within one part: the distance is known now */
		int32_t v32 = (int32_t)(v = (int64_t)(sum - r.offset));

		if (v != v32)
			refuse(NL_EBODY, "%s: a distance does not fit 32 bits", o->path);
		memcpy(bytes->p + r.offset, &v32, 4);
		return;
	}
	/* The image and the arena lie in the upper 2 GiB (leaf.h), so an unsigned 32-bit field can only hold what does
	 * not move. */
	if (r.type == NL_REL_ABS32 && s.symbol != NL_SYM_ABSOLUTE)
		refuse(NL_EBODY, "%s: a zero-extended 32-bit address of something in the upper half", o->path);
	if (s.symbol == NL_SYM_ABSOLUTE && r.type == NL_REL_ABS32S && v != (int32_t)v)
		refuse(NL_EBODY, "%s: an absolute value does not fit 32 bits", o->path);
	buf_add(&l->d->relocs, &r, sizeof(r));
}

static void add_relocs(struct loading *l, const struct object *o)
{
	for (size_t i = 1; i < o->n_sections; i++) {
		Elf_Scn *scn = elf_getscn(o->elf, i);
		Elf_Data *data;
		GElf_Shdr sh;
		GElf_Rela rela;

		if (!gelf_getshdr(scn, &sh) || sh.sh_type != SHT_RELA || sh.sh_info >= o->n_sections ||
		    !o->at[sh.sh_info].place.symbol)
			continue;
		data = elf_getdata(scn, NULL);
		for (int j = 0; data && gelf_getrela(data, j, &rela); j++)
			if (GELF_R_TYPE(rela.r_info) != R_X86_64_NONE)
				add_reloc(l, o, &o->at[sh.sh_info], &rela);
	}
	for (size_t i = 0; i < o->from->n_fixed; i++) {
		const struct body_fixed *f = &o->from->fixed[i];

		if (f->resolved && o->at[f->section].place.symbol)
			add_reloc(l, o, &o->at[f->section],
			          &(GElf_Rela){f->offset, GELF_R_INFO(0, R_X86_64_PLT32), f->addend});
	}
}

struct body *body_load_some(struct draft *d, const struct kernel *k, const struct recipe *r,
                            const struct body_object *objects, size_t n)
{
	struct loading *l = xalloc(sizeof(*l));
	struct object *o = xalloc(n * sizeof(*o));
	struct buf *files = xalloc(n * sizeof(*files));
	size_t symbols = 0;

	*l = (struct loading){.d = d, .k = k, .r = r, .body = xalloc(sizeof(struct body))};
	l->body->loading = l;
	l->body->objects = o;
	l->body->n_objects = n;
	l->body->types = xalloc(n * sizeof(*l->body->types));
	for (size_t i = 0; i < n; i++) {
		o[i].from = &objects[i];
		object_open(&o[i], objects[i].path, &files[i]);
		o[i].index = i;
		l->body->types[i] = o[i].types;
		place_sections(l, &o[i], false);
		symbols += o[i].symbol_count;
	}
	buf_align(&d->text, 16, INT3);
	l->bss = d->data.n;
	for (size_t i = 0; i < n; i++)
		place_sections(l, &o[i], true);
	d->h.bss_size = (uint32_t)(l->bss - d->data.n);
	l->body->symbols = xalloc((symbols + 1) * sizeof(*l->body->symbols));
	l->body->uses = xalloc((symbols + 1) * sizeof(*l->body->uses));
	for (size_t i = 0; i < n; i++)
		collect_symbols(l, &o[i]);
	for (size_t i = 0; i < n; i++)
		add_relocs(l, &o[i]);
	l->placed = true;
	if (l->missing)
		refuse(NL_ETARGET, "%s has no symbol %s; what the compiler puts into its callers has none", k->release,
		       l->missing);
	return l->body;
}

struct place body_place(const struct body *b, size_t object, uint32_t section, const GElf_Rela *r)
{
	return resolve(b->loading, &b->objects[object], section, r);
}

struct body *body_load(struct draft *d, const struct kernel *k, const struct recipe *r, char *const objects[], size_t n)
{
	struct body_object *all = xalloc(n * sizeof(*all));

	for (size_t i = 0; i < n; i++)
		all[i] = (struct body_object){.path = objects[i], .prefix = ""};
	return body_load_some(d, k, r, all, n);
}

void body_take_types(struct body *b, char *const objects[])
{
	for (size_t i = 0; i < b->n_objects; i++) {
		struct object o = {0};
		struct buf file;

		if (b->types[i])
			continue;
		object_open(&o, objects[i], &file);
		b->types[i] = o.types;
	}
}
