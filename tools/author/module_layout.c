// SPDX-License-Identifier: Apache-2.0
/*
 * Where Linux's loader puts the sections of a module: layout_sections() and layout_symtab() of kernel/module.c (5.10),
 * kernel/module/{main,kallsyms}.c (since 5.19), for x86-64 with STRICT_MODULE_RWX and KALLSYMS_ALL. Until 6.3 all that
 * stays is one run of memory (core_layout), and what the initialiser needs is another (init_layout); since 6.4 each
 * kind of memory is a run of its own (mem[]).
 *
 * A mistake here would be a leaf for places that are not there. The hypervisor compares the sizes of the regions with
 * those in struct module, and the test module-layout compares every address with what real kernels say.
 */
#include "module.h"
#include "types.h"

#include <elf.h>
#include <newleaf/types.h>
#include <string.h>

#define RO_AFTER_INIT 0x00200000u /* SHF_RO_AFTER_INIT, the loader's own */
#define KALLSYMS_ALIGN 8u         /* of struct mod_kallsyms */
#define RUN_GAP NL_PAGE_SIZE      /* between two runs, so that the end of one is not the beginning of another */

#define BAD(m, ...) refuse(NL_EKERNEL, "%s: %s", (m)->path, xformat(__VA_ARGS__))

enum { CORE, INIT, RUNS_BEFORE_6_4 }; /* the others have the number of their memory */

static const struct line {
	const char *release; /* begins so */
	bool one_run;        /* core_layout, init_layout */
	bool sealed_calls;   /* .static_call_sites is read-only after init */
} lines[] = {{"5.10.", true, false},
             {"6.1.", true, false},
             {"6.12.", false, false},
             {"7.2.", false, true},
             {"7.3.", false, true}};

struct layout {
	struct module *m;
	bool one_run, sealed_calls;
	uint64_t size[MODULE_NOWHERE];
	/* of CORE and INIT: where the code ends, what is read-only, and what is so after init */
	uint64_t text[RUNS_BEFORE_6_4], ro[RUNS_BEFORE_6_4], ro_after_init;
};

static const char where[] = "the layout of modules";

static uint64_t up(uint64_t v, uint64_t align) { return (v + align - 1) & ~(align - 1); }

static bool is_init(enum module_memory memory)
{
	return memory == MODULE_INIT_TEXT || memory == MODULE_INIT_DATA || memory == MODULE_INIT_RODATA;
}

static uint32_t run_of(const struct layout *l, enum module_memory memory)
{
	if (!l->one_run || memory == MODULE_PERCPU)
		return memory;
	return is_init(memory) ? INIT : CORE;
}

/* module_get_offset(); x86 has no arch_mod_section_prepend(). */
static uint64_t add(struct layout *l, enum module_memory memory, uint64_t size, uint64_t align)
{
	uint64_t *run = &l->size[run_of(l, memory)], at = up(*run, align);

	*run = at + size;
	if (*run > 1u << 30)
		BAD(l->m, "the module is larger than a gigabyte");
	return at;
}

static bool in_init(const struct layout *l, const char *name)
{
	struct member unload;

	if (starts_with(name, ".init"))
		return true;
	return starts_with(name, ".exit") && !member_maybe(l->m->k, "struct module", "exit", where, &unload);
}

static struct module_section *find(const struct module *m, const char *name)
{
	for (size_t i = 1; i < m->n_sections; i++)
		if (m->sections[i].flags & SHF_ALLOC && !strcmp(m->sections[i].name, name))
			return &m->sections[i];
	return NULL;
}

/* What the loader does to the headers before it lays anything out. Some lines look for the first section of a name
 * only, others for all: no module has two. */
static void prepare(struct layout *l)
{
	static const char *const dropped[] = {".modinfo", "__versions", "__version_ext_crcs", "__version_ext_names"};
	static const char *const sealed[] = {".data..ro_after_init", "__jump_table", ".static_call_sites"};
	struct module_section *s;

	for (size_t i = 1; i < l->m->n_sections; i++) {
		const uint64_t both = SHF_ALLOC | SHF_WRITE | SHF_EXECINSTR;

		if ((l->m->sections[i].flags & both) == both)
			BAD(l->m, "section %s is code that can be written: the kernel does not load it",
			    l->m->sections[i].name);
		if (starts_with(l->m->sections[i].name, ".codetag."))
			BAD(l->m, "has a section %s, whose place depends on how the kernel was started",
			    l->m->sections[i].name);
		for (size_t j = 1; j < i; j++)
			if (l->m->sections[i].flags & l->m->sections[j].flags & SHF_ALLOC &&
			    !strcmp(l->m->sections[i].name, l->m->sections[j].name))
				BAD(l->m, "has two sections %s", l->m->sections[i].name);
	}
	for (size_t i = 0; i < NL_ARRAY_SIZE(dropped); i++)
		if ((s = find(l->m, dropped[i])))
			s->flags &= ~(uint64_t)SHF_ALLOC;
	if ((s = find(l->m, ".data..percpu"))) {
		s->flags &= ~(uint64_t)SHF_ALLOC;
		s->memory = MODULE_PERCPU;
		s->va = add(l, MODULE_PERCPU, s->size, s->align);
	}
	for (size_t i = 0; i < NL_ARRAY_SIZE(sealed) - !l->sealed_calls; i++)
		if ((s = find(l->m, sealed[i])))
			s->flags |= RO_AFTER_INIT;
}

/* The sizes at which the old layout has its borders. */
static void close_run(struct layout *l, bool init, unsigned step)
{
	uint32_t run = init ? INIT : CORE;

	if (!l->one_run || step == 3)
		return;
	if (step != 2 || !init)
		l->size[run] = up(l->size[run], NL_PAGE_SIZE);
	if (step == 0)
		l->text[run] = l->size[run];
	else if (step == 1)
		l->ro[run] = l->size[run];
	else if (step == 2 && !init)
		l->ro_after_init = l->size[run];
}

static void place_sections(struct layout *l, bool init)
{
	static const struct {
		uint64_t with, without;
		enum module_memory core, init;
	} steps[] = {
	        {SHF_EXECINSTR | SHF_ALLOC, 0, MODULE_TEXT, MODULE_INIT_TEXT},
	        {SHF_ALLOC, SHF_WRITE, MODULE_RODATA, MODULE_INIT_RODATA},
	        {RO_AFTER_INIT | SHF_ALLOC, 0, MODULE_RO_AFTER_INIT, MODULE_NOWHERE},
	        {SHF_WRITE | SHF_ALLOC, 0, MODULE_DATA, MODULE_INIT_DATA},
	        {0, ~0ull, 0, 0}, /* small data: nothing on x86, but the border */
	};

	for (unsigned step = 0; step < NL_ARRAY_SIZE(steps); step++) {
		for (size_t i = 1; steps[step].with && i < l->m->n_sections; i++) {
			struct module_section *s = &l->m->sections[i];
			enum module_memory memory = init ? steps[step].init : steps[step].core;

			if ((s->flags & steps[step].with) != steps[step].with || s->flags & steps[step].without ||
			    s->memory != MODULE_NOWHERE || in_init(l, s->name) != init)
				continue;
			if (memory == MODULE_NOWHERE)
				BAD(l->m, "section %s is read-only after init, and of init", s->name);
			s->memory = memory;
			s->va = add(l, memory, s->size, s->align);
		}
		close_run(l, init, step);
	}
}

/* is_core_symbol(): it stays in memory for stack traces. */
static bool stays(const struct module *m, const struct module_symbol *s)
{
	const struct module_section *in = &m->sections[s->section];

	if (!s->section || !*s->name)
		return false;
	return in->memory == MODULE_PERCPU || (in->memory != MODULE_NOWHERE && !is_init(in->memory));
}

/* layout_symtab(): all symbols behind what init needs, and those that stay behind the data. */
static void place_symbols(struct layout *l)
{
	const struct module *m = l->m;
	const struct module_section *table = &m->sections[m->symbol_table], *names = &m->sections[table->link];
	uint32_t kallsyms = member_find(m->k, "struct module", "core_kallsyms", where).size;
	uint64_t n = 0, letters = 0;

	add(l, MODULE_INIT_DATA, table->size, table->align);
	for (size_t i = 0; i < m->n_symbols; i++) {
		if (i && !stays(m, &m->symbols[i]))
			continue;
		letters += strlen(m->symbols[i].name) + 1;
		n++;
	}
	add(l, MODULE_DATA, n * sizeof(Elf64_Sym), table->align);
	add(l, MODULE_DATA, letters, 1);
	add(l, MODULE_DATA, n, 1);
	add(l, MODULE_INIT_DATA, names->size, names->align);
	add(l, MODULE_INIT_DATA, kallsyms, KALLSYMS_ALIGN);
	add(l, MODULE_INIT_DATA, m->n_symbols, 1);
}

static void add_region(struct module *m, uint32_t kind, uint64_t va, uint64_t size, const char *pointer,
                       const char *length)
{
	struct member p = member_find(m->k, "struct module", pointer, where),
	              n = member_find(m->k, "struct module", length, where);

	if (!size)
		return;
	if (p.size != 8 || n.size != 4)
		refuse(NL_EKERNEL, "%s: struct module has %s or %s of an unknown size", m->k->path, pointer, length);
	m->regions[m->n_regions++] = (struct module_region){
	        {.kind = kind, .size = (uint32_t)size, .pointer_at = p.offset, .size_at = n.offset}, va};
}

static void add_regions(struct layout *l, const uint64_t *base)
{
	static const struct {
		uint32_t kind;
		enum module_memory memory;
	} kinds[] = {{NL_MEM_TEXT, MODULE_TEXT},
	             {NL_MEM_RODATA, MODULE_RODATA},
	             {NL_MEM_RO_AFTER_INIT, MODULE_RO_AFTER_INIT},
	             {NL_MEM_DATA, MODULE_DATA},
	             {NL_MEM_INIT_TEXT, MODULE_INIT_TEXT},
	             {NL_MEM_INIT_DATA, MODULE_INIT_DATA},
	             {NL_MEM_INIT_DATA, MODULE_INIT_RODATA}};
	struct module *m = l->m;

	if (l->one_run) {
		add_region(m, NL_MEM_TEXT, base[CORE], l->text[CORE], "core_layout.base", "core_layout.text_size");
		add_region(m, NL_MEM_RODATA, base[CORE], l->ro[CORE], "core_layout.base", "core_layout.ro_size");
		add_region(m, NL_MEM_RO_AFTER_INIT, base[CORE], l->ro_after_init, "core_layout.base",
		           "core_layout.ro_after_init_size");
		add_region(m, NL_MEM_IMAGE, base[CORE], l->size[CORE], "core_layout.base", "core_layout.size");
		add_region(m, NL_MEM_INIT_TEXT, base[INIT], l->text[INIT], "init_layout.base", "init_layout.text_size");
		add_region(m, NL_MEM_INIT_DATA, base[INIT], l->size[INIT], "init_layout.base", "init_layout.size");
	}
	for (size_t i = 0; !l->one_run && i < NL_ARRAY_SIZE(kinds); i++)
		add_region(m, kinds[i].kind, base[kinds[i].memory], l->size[kinds[i].memory],
		           xformat("mem[%u].base", kinds[i].memory), xformat("mem[%u].size", kinds[i].memory));
	add_region(m, NL_MEM_PERCPU, base[MODULE_PERCPU], l->size[MODULE_PERCPU], "percpu", "percpu_size");
}

/* What nobody has read the loader of, and compared with a running kernel, is not guessed at. */
static void find_line(struct layout *l)
{
	const struct kernel *k = l->m->k;
	struct member old;

	for (size_t i = 0; i < NL_ARRAY_SIZE(lines); i++) {
		if (!starts_with(k->release, lines[i].release))
			continue;
		l->one_run = lines[i].one_run;
		l->sealed_calls = lines[i].sealed_calls;
		if (member_maybe(k, "struct module", "core_layout", where, &old) != l->one_run)
			refuse(NL_EKERNEL, "%s: struct module is not that of its version", k->path);
		return;
	}
	refuse(NL_EUNSUPPORTED,
	       "where the loader of %s puts the parts of a module is not known: 5.10, 6.1, 6.12, 7.2, 7.3", k->release);
}

void module_layout(struct module *m, uint64_t va)
{
	struct layout l = {.m = m};
	uint64_t base[MODULE_NOWHERE];

	find_line(&l);
	prepare(&l);
	place_sections(&l, false);
	place_sections(&l, true);
	place_symbols(&l);
	m->start = va;
	for (unsigned run = 0; run < MODULE_NOWHERE; run++) {
		base[run] = va;
		if (run != MODULE_PERCPU) /* in whole pages, since 6.4 when they are allocated */
			l.size[run] = up(l.size[run], NL_PAGE_SIZE);
		if (l.size[run])
			va = up(va + l.size[run], NL_PAGE_SIZE) + RUN_GAP;
	}
	m->end = va;
	for (size_t i = 1; i < m->n_sections; i++)
		if (m->sections[i].memory != MODULE_NOWHERE)
			m->sections[i].va += base[run_of(&l, m->sections[i].memory)];
	add_regions(&l, base);
}
