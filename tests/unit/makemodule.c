// SPDX-License-Identifier: Apache-2.0
/* See makemodule.h. The numbers of struct module are no kernel's. */
#define _GNU_SOURCE
#include "makemodule.h"

#include <bpf/btf.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_SIZE 0x90u

static struct buf bytes_of(const void *p, size_t n)
{
	struct buf b = {0};

	buf_add(&b, p, n);
	return b;
}

static void add_symbol(struct buf *table, struct buf *names, const char *name, unsigned char info, unsigned section,
                       uint64_t value, uint64_t size)
{
	Elf64_Sym sym = {.st_name = (uint32_t)(*name ? buf_add(names, name, strlen(name) + 1) : 0),
	                 .st_info = info,
	                 .st_shndx = (uint16_t)section,
	                 .st_value = value,
	                 .st_size = size};

	buf_add(table, &sym, sizeof(sym));
}

static struct buf make_text(void)
{
	/* f: call __fentry__; mov %gs:here(%rip) would be next, but a plain load is: mov counter(%rip), %eax; call out;
	 * ret. All fields are zero, as the assembler leaves them. */
	static const uint8_t f[] = {0xe8, 0, 0, 0, 0, 0x8b, 0x05, 0, 0, 0, 0, 0xe8, 0, 0, 0, 0, 0xc3};
	struct buf b = {0};

	buf_add(&b, NULL, TEXT_SIZE);
	memset(b.p, 0x90, TEXT_SIZE);
	memcpy(b.p + MADE_M_F, f, sizeof(f));
	return b;
}

static struct buf make_info(const char *release, const char *name, const char *depends)
{
	struct buf b = {0};
	char *texts[] = {xformat("license=GPL"), xformat("depends=%s", depends), xformat("name=%s", name),
	                 xformat("vermagic=%s SMP mod_unload ", release)};

	for (size_t i = 0; i < 4; i++)
		buf_add(&b, texts[i], strlen(texts[i]) + 1);
	return b;
}

static struct made_section section(const char *name, uint64_t flags, uint64_t align, struct buf bytes)
{
	return (struct made_section){
	        .name = name, .type = SHT_PROGBITS, .flags = SHF_ALLOC | flags, .align = align, .bytes = bytes};
}

static struct made_section relocations(const char *name, unsigned of, const Elf64_Rela *r, size_t n)
{
	return (struct made_section){.name = name,
	                             .type = SHT_RELA,
	                             .link = MADE_M_SYMTAB + 1,
	                             .info = of + 1,
	                             .align = 8,
	                             .entry = sizeof(*r),
	                             .bytes = bytes_of(r, n * sizeof(*r))};
}

void make_module(struct made_section s[MADE_M_COUNT], const char *release, const char *name, const char *depends,
                 const char *remote)
{
	static const uint8_t note[] = {4,   0,   0,   0, 8,    0,    0,    0,    3,    0,    0,    0,
	                               'G', 'N', 'U', 0, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8};
	static const uint8_t nothing[256];
	const Elf64_Rela text[] = {
	        {MADE_M_F + 1, ELF64_R_INFO(MADE_Y_FENTRY, R_X86_64_PLT32), -4},
	        {MADE_M_F + 7, ELF64_R_INFO(MADE_Y_COUNTER, R_X86_64_PC32), -4},
	        {MADE_M_F + 12, ELF64_R_INFO(remote ? MADE_Y_REMOTE : MADE_Y_OUT, R_X86_64_PLT32), -4}};
	const Elf64_Rela rodata[] = {{8, ELF64_R_INFO(MADE_Y_F, R_X86_64_64), 0}};
	const Elf64_Rela mcount[] = {{0, ELF64_R_INFO(MADE_Y_F, R_X86_64_64), 0}};
	const unsigned char function = ELF64_ST_INFO(STB_LOCAL, STT_FUNC),
	                    object = ELF64_ST_INFO(STB_LOCAL, STT_OBJECT), global = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
	                    outside = ELF64_ST_INFO(STB_GLOBAL, STT_NOTYPE);
	struct buf table = {0}, names = bytes_of("", 1);

	add_symbol(&table, &names, "", 0, 0, 0, 0);
	add_symbol(&table, &names, "f", function, MADE_M_TEXT + 1, MADE_M_F, MADE_M_F_SIZE);
	add_symbol(&table, &names, "counter", object, MADE_M_DATA + 1, 8, 4);
	add_symbol(&table, &names, "here", object, MADE_M_PERCPU + 1, 4, 4);
	add_symbol(&table, &names, "table", object, MADE_M_RODATA + 1, 8, 8);
	add_symbol(&table, &names, "__ksymtab_own", object, MADE_M_RODATA + 1, 24, 8);
	add_symbol(&table, &names, "init_module", global, MADE_M_INIT + 1, 0, 16);
	add_symbol(&table, &names, "own", ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT), MADE_M_DATA + 1, 16, 8);
	add_symbol(&table, &names, "out", outside, SHN_UNDEF, 0, 0);
	add_symbol(&table, &names, "__fentry__", outside, SHN_UNDEF, 0, 0);
	add_symbol(&table, &names, remote ? remote : "out", outside, SHN_UNDEF, 0, 0);

	s[MADE_M_NOTE] = section(".note.gnu.build-id", 0, 4, bytes_of(note, sizeof(note)));
	s[MADE_M_NOTE].type = SHT_NOTE;
	s[MADE_M_TEXT] = section(".text", SHF_EXECINSTR, 16, make_text());
	s[MADE_M_INIT] = section(".init.text", SHF_EXECINSTR, 16, bytes_of(nothing, 32));
	s[MADE_M_RODATA] = section(".rodata", 0, 8, bytes_of(nothing, 40));
	s[MADE_M_MCOUNT] = section("__mcount_loc", 0, 1, bytes_of(nothing, 8));
	s[MADE_M_INFO] = section(".modinfo", 0, 1, make_info(release, name, depends));
	s[MADE_M_DATA] = section(".data", SHF_WRITE, 32, bytes_of(nothing, 24));
	s[MADE_M_JUMPS] = section("__jump_table", SHF_WRITE, 8, (struct buf){0});
	s[MADE_M_CALLS] = section(".static_call_sites", SHF_WRITE, 1, (struct buf){0});
	s[MADE_M_PERCPU] = section(".data..percpu", SHF_WRITE, 8, bytes_of(nothing, 8));
	s[MADE_M_THIS] = section(".gnu.linkonce.this_module", SHF_WRITE, 64, bytes_of(nothing, 256));
	s[MADE_M_BSS] = (struct made_section){
	        .name = ".bss", .type = SHT_NOBITS, .flags = SHF_ALLOC | SHF_WRITE, .size = 100, .align = 32};
	s[MADE_M_RELA_TEXT] = relocations(".rela.text", MADE_M_TEXT, text, 3);
	s[MADE_M_RELA_RODATA] = relocations(".rela.rodata", MADE_M_RODATA, rodata, 1);
	s[MADE_M_RELA_MCOUNT] = relocations(".rela__mcount_loc", MADE_M_MCOUNT, mcount, 1);
	s[MADE_M_SYMTAB] = (struct made_section){.name = ".symtab",
	                                         .type = SHT_SYMTAB,
	                                         .bytes = table,
	                                         .link = MADE_M_STRTAB + 1,
	                                         .info = MADE_Y_INIT,
	                                         .align = 8,
	                                         .entry = sizeof(Elf64_Sym)};
	s[MADE_M_STRTAB] = (struct made_section){.name = ".strtab", .type = SHT_STRTAB, .bytes = names, .align = 1};
}

static struct btf *make_types_of_modules(bool one_run)
{
	struct btf *t = btf__new_empty();
	int u32 = btf__add_int(t, "unsigned int", 4, 0), pointer = btf__add_ptr(t, 0), run, kallsyms;

	kallsyms = btf__add_struct(t, "mod_kallsyms", 32);
	run = btf__add_struct(t, one_run ? "module_layout" : "module_memory", one_run ? 24 : 16);
	btf__add_field(t, "base", pointer, 0, 0);
	btf__add_field(t, "size", u32, 64, 0);
	if (one_run) {
		btf__add_field(t, "text_size", u32, 96, 0);
		btf__add_field(t, "ro_size", u32, 128, 0);
		btf__add_field(t, "ro_after_init_size", u32, 160, 0);
	} else {
		run = btf__add_array(t, u32, run, 7);
	}
	btf__add_struct(t, "module", 256);
	btf__add_field(t, "exit", pointer, 0, 0);
	btf__add_field(t, "percpu", pointer, 64, 0);
	btf__add_field(t, "percpu_size", u32, 128, 0);
	btf__add_field(t, "core_kallsyms", kallsyms, 192, 0);
	btf__add_field(t, one_run ? "core_layout" : "mem", run, 512, 0);
	if (one_run)
		btf__add_field(t, "init_layout", run, 768, 0);
	return t;
}

static int by_name(const void *a, const void *b, void *sym)
{
	const struct ksym *all = sym;

	return strcmp(all[*(const uint32_t *)a].name, all[*(const uint32_t *)b].name);
}

struct kernel *make_module_kernel(const char *release, bool one_run)
{
	static const struct ksym symbols[] = {{0x20, "percpu_out", 'A'},
	                                      {0xffffffff81000000, "_text", 'T'},
	                                      {0xffffffff81000000, "_stext", 'T'},
	                                      {0xffffffff81000100, "out", 'T'},
	                                      {0xffffffff81000200, "__fentry__", 'T'},
	                                      {0xffffffff81000300, "hidden", 't'},
	                                      {0xffffffff81000400, "_etext", 'T'},
	                                      {0xffffffff81100000, "__ksymtab_out", 'r'},
	                                      {0xffffffff8110000c, "__ksymtab___fentry__", 'r'},
	                                      {0xffffffff81200010, "own", 'd'},
	                                      {0xffffffff81300000, "_end", 'B'}};
	const int32_t exports[] = {(int32_t)(0x81000100 - 0x81100000), 0, 0, (int32_t)(0x81000200 - 0x8110000c), 0, 0};
	struct kernel *k = xalloc(sizeof(*k));
	size_t n = sizeof(symbols) / sizeof(symbols[0]);

	k->path = "vmlinuz";
	k->release = xformat("%s", release);
	k->sections = xalloc(2 * sizeof(*k->sections));
	k->sections[0] = (struct ksection){".text", 0xffffffff81000000, 0x400, xalloc(0x400), true, NULL};
	k->sections[1] = (struct ksection){
	        ".rodata", 0xffffffff81100000, sizeof(exports), bytes_of(exports, sizeof(exports)).p, false, NULL};
	k->n_sections = 2;
	k->syms.sym = xalloc(sizeof(symbols));
	memcpy(k->syms.sym, symbols, sizeof(symbols));
	k->syms.n = n;
	k->syms.by_name = xalloc(n * sizeof(uint32_t));
	for (uint32_t i = 0; i < n; i++)
		k->syms.by_name[i] = i;
	qsort_r(k->syms.by_name, n, sizeof(uint32_t), by_name, k->syms.sym);
	k->btf = make_types_of_modules(one_run);
	return k;
}
