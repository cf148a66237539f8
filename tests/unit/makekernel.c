// SPDX-License-Identifier: Apache-2.0
/* Small kernel and object files: see makekernel.h. */
#define _GNU_SOURCE /* memfd_create */
#include "makekernel.h"

#include <bpf/btf.h>
#include <elf.h>
#include <lz4.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static size_t add32(struct buf *b, uint32_t v) { return buf_add(b, &v, 4); }

/* Token 0 is "sym_"; every other token is its own character, or nothing useful. */
static char *token(unsigned i)
{
	return i == 0 ? xformat("sym_") : i >= 33 && i < 127 ? xformat("%c", (int)i) : xformat("{%u}", i);
}

static void add_addresses(struct buf *b, const struct ksym *sym, size_t n)
{
	uint64_t base = 0;

	for (size_t i = n; i-- > 0 && sym[i].va >> 63;)
		base = sym[i].va & ~0xfffULL;
	for (size_t i = 0; i < n; i++) /* absolute ones as they are, the others count down from base - 1 */
		add32(b, sym[i].va >> 63 ? (uint32_t)(base - 1 - sym[i].va) : (uint32_t)sym[i].va);
	buf_align(b, 8, 0);
	buf_add(b, &base, 8);
}

static void add_distances(struct buf *b, const struct ksym *sym, size_t n, uint64_t va)
{
	for (size_t i = 0; i < n; i++)
		add32(b, (uint32_t)(sym[i].va - (va + b->n)));
}

/* The length of what follows in one or two bytes (ULEB128), then the type and the name. */
static void add_name(struct buf *b, const struct ksym *sym)
{
	static const uint8_t prefix_token = 0;
	bool prefix = !strncmp(sym->name, "sym_", 4);
	const char *rest = sym->name + (prefix ? 4 : 0);
	size_t n = strlen(rest) + 1 + prefix;
	uint8_t length[2] = {(uint8_t)(n < 128 ? n : (n & 0x7f) | 0x80), (uint8_t)(n >> 7)};

	buf_add(b, length, n < 128 ? 1 : 2);
	buf_add(b, &sym->type, 1);
	buf_add(b, &prefix_token, prefix);
	buf_add(b, rest, strlen(rest));
}

struct made_kallsyms make_kallsyms(const struct ksym *sym, size_t n, enum made_form form, uint64_t va)
{
	size_t names, table, align = form == MADE_RELATIVE ? 4 : 8;
	struct made_kallsyms m = {0};
	struct buf index = {0}, markers = {0};

	buf_add(&m.b, NULL, form == MADE_RELATIVE ? 60 : 64);
	add32(&m.b, 0x1234567);
	buf_align(&m.b, align, 0x55);
	if (form <= MADE_ORDER)
		add_addresses(&m.b, sym, n);
	add32(&m.b, (uint32_t)n);
	names = buf_align(&m.b, align, 0);
	for (size_t i = 0; i < n; i++) {
		if (i % 256 == 0)
			add32(&markers, (uint32_t)(m.b.n - names));
		add_name(&m.b, &sym[i]);
	}
	m.markers = buf_align(&m.b, align, 0);
	buf_add(&m.b, markers.p, markers.n);
	if (form == MADE_ORDER) {
		buf_align(&m.b, align, 0);
		buf_add(&m.b, NULL, 3 * n);
	}
	table = buf_align(&m.b, align, 0);
	for (unsigned i = 0; i < 256; i++) {
		uint16_t at = (uint16_t)(m.b.n - table);
		char *t = token(i);

		buf_add(&index, &at, 2);
		buf_add(&m.b, t, strlen(t) + 1);
	}
	buf_align(&m.b, align, 0);
	if (form == MADE_RELATIVE && m.b.n % 8 == 0)
		buf_add(&m.b, NULL, 4); /* not where the older search looked */
	buf_add(&m.b, index.p, index.n);
	buf_align(&m.b, align, 0);
	if (form == MADE_OFFSETS_LAST)
		add_addresses(&m.b, sym, n);
	if (form == MADE_RELATIVE)
		add_distances(&m.b, sym, n, va);
	buf_add(&m.b, NULL, 40);
	return m;
}

struct buf make_elf(uint16_t type, const struct made_section *s, size_t n)
{
	Elf64_Shdr *sh = xalloc((n + 2) * sizeof(*sh));
	Elf64_Ehdr eh = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
	                 .e_type = type,
	                 .e_machine = EM_X86_64,
	                 .e_version = EV_CURRENT,
	                 .e_ehsize = sizeof(eh),
	                 .e_shentsize = sizeof(*sh),
	                 .e_shnum = (uint16_t)(n + 2),
	                 .e_shstrndx = (uint16_t)(n + 1)};
	struct buf names = {0}, file = {0};

	buf_add(&names, "", 1);
	buf_add(&file, &eh, sizeof(eh));
	for (size_t i = 0; i < n; i++) {
		sh[i + 1] = (Elf64_Shdr){.sh_name = (uint32_t)buf_add(&names, s[i].name, strlen(s[i].name) + 1),
		                         .sh_type = s[i].type,
		                         .sh_flags = s[i].flags,
		                         .sh_addr = s[i].va,
		                         .sh_offset = buf_align(&file, 16, 0),
		                         .sh_size = s[i].bytes.n ? s[i].bytes.n : s[i].size,
		                         .sh_link = s[i].link,
		                         .sh_info = s[i].info,
		                         .sh_addralign = s[i].align,
		                         .sh_entsize = s[i].entry};
		buf_add(&file, s[i].bytes.p, s[i].bytes.n);
	}
	sh[n + 1] = (Elf64_Shdr){.sh_name = (uint32_t)buf_add(&names, ".shstrtab", 10), .sh_type = SHT_STRTAB};
	sh[n + 1].sh_offset = buf_add(&file, names.p, names.n);
	sh[n + 1].sh_size = names.n;
	eh.e_shoff = buf_align(&file, 8, 0);
	buf_add(&file, sh, (n + 2) * sizeof(*sh));
	memcpy(file.p, &eh, sizeof(eh));
	return file;
}

static const struct ksym symbols[] = {
        {0x10, "sym_percpu", 'A'},
        {0x40, "runqueues", 'A'},
        {0x48, "idle_threads", 'A'},
        {0x50, "hardirq_stack_ptr", 'A'},
        {MADE_TEXT, "_text", 'T'},
        {MADE_TEXT, "_stext", 'T'},
        {MADE_TEXT + 0x100, "entry_SYSCALL_64", 'T'},
        {MADE_TEXT + 0x200, "f", 't'},
        {MADE_TEXT + 0x220, "g", 't'},
        {MADE_TEXT + 0x240, "twice", 't'},
        {MADE_TEXT + 0x250, "twice", 't'},
        {MADE_TEXT + 0x7c8, "__kretprobe_trampoline", 't'},
        {MADE_TEXT + 0x800, "return_to_handler", 'T'},
        {MADE_TEXT + 0x840, "behind", 'T'},
        {MADE_TEXT + 0x900, "__entry_text_start", 'T'},
        {MADE_TEXT + 0x980, "__entry_text_end", 'T'},
        {MADE_TEXT + 0x980, "__noinstr_text_start", 'T'},
        {MADE_TEXT + 0x9c0, "__noinstr_text_end", 'T'},
        {MADE_TEXT + 0x9c0, "__switch_to_asm", 'T'},
        {MADE_TEXT + 0x9d0, "__switch_to", 'T'},
        {MADE_TEXT + 0xa00, "behind_switch", 'T'},
        {MADE_TEXT + 0x1000, "_etext", 'T'},
        {MADE_RODATA, "__start_rodata", 'R'},
        {MADE_RODATA + 0x80000, "__end_rodata", 'R'},
        {MADE_DATA, "init_top_pgt", 'D'},
        {MADE_DATA + 0x1000, "level2_fixmap_pgt", 'D'},
        {MADE_DATA + 0x2000, "init_task", 'D'},
        {MADE_DATA + 0x3000, "__per_cpu_offset", 'D'},
        {MADE_DATA + 0x3200, "kprobe_table", 'd'},
        {MADE_DATA + 0x3400, "x86_return_thunk", 'D'},
        {MADE_DATA + 0x3410, "__cfs_bandwidth_used", 'd'},
        {MADE_DATA + 0x3420, "ext_sched_class", 'D'},
        {MADE_DATA + 0x3430, "kprobe_insn_slots", 'D'},
        {MADE_DATA + 0x3440, "kprobe_optinsn_slots", 'D'},
        {MADE_DATA + 0x3450, "formats", 'd'},
        {MADE_DATA + 0x3500, "__start_mcount_loc", 'D'},
        {MADE_DATA + 0x3508, "__stop_mcount_loc", 'D'},
        {MADE_DATA + 0x4000, "__start_init_task", 'D'},
        {MADE_DATA + 0x8000, "__end_init_task", 'D'},
        {MADE_END, "_end", 'B'},
};

static void add_member(struct btf *btf, const char *name, const char *type, uint32_t offset)
{
	btf__add_field(btf, name, btf__find_by_name_kind(btf, type, BTF_KIND_STRUCT), 8 * offset, 0);
}

/* What is left of task_struct, the last type, and struct rq: as in 7.3, with all that other kernels have not. */
static void add_scheduler(struct btf *btf, int u32, bool proxy_execution)
{
	int queues, u8 = btf__find_by_name_kind(btf, "unsigned char", BTF_KIND_INT);

	btf__add_field(btf, "on_cpu", u8, 8 * 128, 0);
	btf__add_field(btf, "sched_class", u32, 8 * 136, 0);
	btf__add_field(btf, "throttle_node", u32, 8 * 144, 0);
	add_member(btf, "se", "sched_entity", 160);
	add_member(btf, "rt", "sched_rt_entity", 224);
	add_member(btf, "scx", "sched_ext_entity", 288);
	queues = btf__add_array(btf, u32, btf__find_by_name_kind(btf, "list_head", BTF_KIND_STRUCT), 100);
	btf__add_struct(btf, "rt_prio_array", 1616);
	btf__add_field(btf, "queue", queues, 8 * 16, 0);
	btf__add_struct(btf, "rt_rq", 1664);
	add_member(btf, "active", "rt_prio_array", 0);
	btf__add_field(btf, "rt_nr_running", u32, 8 * 1616, 0);
	btf__add_struct(btf, "sched_dl_entity", 64);
	btf__add_field(btf, "dl_bw", u32, 8 * 16, 0);
	btf__add_field(btf, "dl_throttled", u32, 8 * 40, 1);
	btf__add_field(btf, "dl_bw_attached", u32, 8 * 40 + 10, 1);
	btf__add_struct(btf, "rq", 4096);
	btf__add_field(btf, "nr_running", u32, 0, 0);
	btf__add_field(btf, "donor", u32, 8 * 8, 0);
	btf__add_field(btf, "curr", u32, 8 * (proxy_execution ? 24 : 8), 0);
	btf__add_field(btf, "stop", u32, 8 * 16, 0);
	btf__add_field(btf, "cfs_tasks", u32, 8 * 32, 0);
	add_member(btf, "cfs", "cfs_rq", 64);
	add_member(btf, "rt", "rt_rq", 128);
	add_member(btf, "dl", "dl_rq", 2048);
	add_member(btf, "scx", "scx_rq", 2112);
	add_member(btf, "ext_server", "sched_dl_entity", 2176);
	add_member(btf, "fair_server", "sched_dl_entity", 2240);
}

struct buf make_types(bool proxy_execution)
{
	static const struct {
		const char *type;
		uint32_t size;
		const char *members[12];
	} structs[] = {
	        {"list_head", 16, {"next", "prev"}},
	        {"thread_struct", 64, {"sp"}},
	        {"kprobe", 64, {"hlist", "addr"}},
	        {"kprobe_insn_cache", 64, {"mutex", "pages"}},
	        {"kprobe_insn_page", 64, {"list", "insns"}},
	        {"linux_binfmt", 64, {"lh", "load_binary"}},
	        {"signal_struct", 64, {"thread_head"}},
	        {"static_key", 16, {"enabled"}},
	        {"sched_entity", 64, {"load", "group_node"}},
	        {"sched_rt_entity", 64, {"run_list"}},
	        {"sched_ext_entity", 64, {"flags", "runnable_node"}},
	        {"cfs_rq", 64, {"load", "h_nr_queued"}},
	        {"scx_rq", 64, {"runnable_list", "nr_running"}},
	        {"dl_rq", 64, {"root", "this_bw"}},
	        {"task_struct", 512, {"tasks", "thread_node", "signal", "stack", "pid", "comm", "on_rq", "__state"}},
	};
	struct btf *btf = btf__new_empty();
	struct buf out = {0};
	const void *raw;
	uint32_t n;
	int u32 = btf__add_int(btf, "unsigned int", 4, 0), inner, thread = 0;

	btf__add_int(btf, "unsigned char", 1, 0);

	for (size_t i = 0; i < COUNT(structs); i++) {
		int id = btf__add_struct(btf, structs[i].type, structs[i].size);
		uint32_t at = 0;

		for (size_t j = 0; j < COUNT(structs[i].members) && structs[i].members[j]; j++, at += 64)
			btf__add_field(btf, structs[i].members[j], u32, at, 0);
		if (!strcmp(structs[i].type, "thread_struct"))
			thread = id;
		if (!strcmp(structs[i].type, "task_struct"))
			btf__add_field(btf, "thread", thread, at, 0);
	}
	add_scheduler(btf, u32, proxy_execution);
	inner = btf__add_struct(btf, NULL, 8); /* through an unnamed member, an array and a typedef */
	btf__add_field(btf, "deep", u32, 0, 0);
	u32 = btf__add_array(btf, u32, u32, 4);
	u32 = btf__add_typedef(btf, "four", u32);
	btf__add_struct(btf, "outer", 32);
	btf__add_field(btf, "list", u32, 0, 0);
	btf__add_field(btf, NULL, inner, 128, 0);
	raw = btf__raw_data(btf, &n);
	buf_add(&out, raw, n);
	btf__free(btf);
	return out;
}

static struct buf filled(size_t n, uint8_t byte)
{
	struct buf b = {0};

	buf_add(&b, NULL, n);
	memset(b.p, byte, n);
	return b;
}

void make_sections(struct made_section s[MADE_S_COUNT])
{
	static const uint8_t f[] = {0xe8, 0, 0, 0, 0, 0x53, 0x48, 0x89, 0xfb, 0x31, 0xc0, 0x5b, 0xc3};
	static const struct {
		Elf64_Nhdr head;
		char name[4];
		uint8_t id[20];
	} note = {{4, 20, NT_GNU_BUILD_ID}, "GNU", {1, 2, 3, 4, 5, 6, 7, 8, 9}};
	const uint64_t site = MADE_TEXT + 0x200;
	struct made_kallsyms tables = make_kallsyms(symbols, COUNT(symbols), MADE_OFFSETS_FIRST, MADE_RODATA);

	s[MADE_S_TEXT] = (struct made_section){.name = ".text",
	                                       .type = SHT_PROGBITS,
	                                       .flags = SHF_ALLOC | SHF_EXECINSTR,
	                                       .va = MADE_TEXT,
	                                       .bytes = filled(0x1000, 0xcc)};
	memcpy(s[MADE_S_TEXT].bytes.p + 0x200, f, sizeof(f));
	s[MADE_S_RODATA] = (struct made_section){
	        .name = ".rodata", .type = SHT_PROGBITS, .flags = SHF_ALLOC, .va = MADE_RODATA, .bytes = tables.b};
	s[MADE_S_DATA] = (struct made_section){.name = ".data",
	                                       .type = SHT_PROGBITS,
	                                       .flags = SHF_ALLOC | SHF_WRITE,
	                                       .va = MADE_DATA,
	                                       .bytes = filled(0x4000, 0)};
	memcpy(s[MADE_S_DATA].bytes.p + 0x3500, &site, 8);
	s[MADE_S_NOTES] = (struct made_section){
	        .name = ".notes", .type = SHT_NOTE, .flags = SHF_ALLOC, .va = MADE_RODATA + 0x90000};
	buf_add(&s[MADE_S_NOTES].bytes, &note, sizeof(note));
	s[MADE_S_BTF] = (struct made_section){.name = ".BTF",
	                                      .type = SHT_PROGBITS,
	                                      .flags = SHF_ALLOC,
	                                      .va = MADE_RODATA + 0xa0000,
	                                      .bytes = make_types(false)};
}

void make_sections_of_7(struct made_section s[MADE_S_COUNT], const char *but)
{
	static const struct ksym moved[] = {
	        {MADE_DATA + 0x3600, "__init_begin", 'T'},
	        {MADE_DATA + 0x3600, "__per_cpu_start", 'T'},
	        {MADE_DATA + 0x3640, "runqueues", 'T'},
	        {MADE_DATA + 0x3648, "idle_threads", 'T'},
	        {MADE_DATA + 0x3650, "hardirq_stack_ptr", 'T'},
	        {MADE_DATA + 0x3700, "__per_cpu_end", 'T'},
	        {MADE_DATA + 0x3800, "init_thing", 'T'},
	        {MADE_DATA + 0x3900, "__init_end", 'T'},
	        {MADE_DATA + 0x4000, "__start_init_stack", 'T'},
	        {MADE_DATA + 0x8000, "__end_init_stack", 'T'},
	        {MADE_END, "_end", 'T'},
	};
	struct ksym all[COUNT(symbols) + COUNT(moved)];
	size_t n = 0;

	make_sections(s);
	for (size_t i = 4; i < COUNT(symbols) && symbols[i].va < MADE_DATA + 0x4000; i++)
		all[n++] = symbols[i];
	for (size_t i = 0; i < COUNT(moved); i++)
		if (!but || strcmp(moved[i].name, but))
			all[n++] = moved[i];
	s[MADE_S_RODATA].bytes = make_kallsyms(all, n, MADE_RELATIVE, MADE_RODATA).b;
}

struct buf make_payload(const struct made_section *s, size_t n)
{
	/* 64 bits, inverse 32, 32: each list begins with a zero and is read from its end */
	static const uint32_t list[] = {0, (uint32_t)(MADE_DATA + 0x3500), 0, 0, (uint32_t)(MADE_TEXT + 0x300)};
	struct buf b = make_elf(ET_EXEC, s, n);

	buf_add(&b, list, sizeof(list));
	return b;
}

struct buf make_packed(const void *packed, size_t n, uint32_t size, const char *release)
{
	const char *version = xformat("%s (somebody@somewhere) #1", release);
	struct buf b = {0};

	buf_add(&b, NULL, 0x600); /* a boot sector and two more of set-up */
	b.p[0x1f1] = 2;
	memcpy(b.p + 0x202, "HdrS", 4);
	b.p[0x20e + 1] = 1; /* the version lies at 0x200 + 0x100 */
	memcpy(b.p + 0x300, version, strlen(version) < 0x2ff ? strlen(version) : 0x2ff);
	memcpy(b.p + 0x24c, &(uint32_t){(uint32_t)n + 4}, 4);
	buf_add(&b, packed, n);
	add32(&b, size);
	return b;
}

struct buf make_bzimage(const struct buf *payload, const char *release)
{
	int room = LZ4_compressBound((int)payload->n), packed;
	char *lz4 = xalloc((size_t)room);
	struct buf b = {0};

	packed = LZ4_compress_default((const char *)payload->p, lz4, (int)payload->n, room);
	add32(&b, 0x184c2102);
	add32(&b, (uint32_t)packed);
	buf_add(&b, lz4, (size_t)packed);
	return make_packed(b.p, b.n, (uint32_t)payload->n, release);
}

/* struct outer *f(unsigned int n) is defined, long g(struct outer *) and constant are used. */
static struct buf make_body_types(void)
{
	struct btf *btf = btf__new_empty();
	int u32 = btf__add_int(btf, "unsigned int", 4, 0), outer, pointer, array;
	struct buf out = {0};
	const void *raw;
	uint32_t n;

	array = btf__add_array(btf, u32, u32, 4);
	array = btf__add_typedef(btf, "four", array);
	outer = btf__add_struct(btf, "outer", 32);
	btf__add_field(btf, "list", array, 0, 0);
	pointer = btf__add_ptr(btf, outer);
	btf__add_func_proto(btf, pointer);
	btf__add_func_param(btf, "n", u32);
	btf__add_func(btf, "f", BTF_FUNC_STATIC, pointer + 1);
	btf__add_func_proto(btf, u32);
	btf__add_func_param(btf, "o", pointer);
	btf__add_func(btf, "g", BTF_FUNC_STATIC, pointer + 3);
	btf__add_var(btf, "constant", BTF_VAR_GLOBAL_ALLOCATED, u32);
	raw = btf__raw_data(btf, &n);
	buf_add(&out, raw, n);
	btf__free(btf);
	return out;
}

static void add_symbol(struct buf *symbols_of, struct buf *names, const char *name, unsigned info, uint16_t section,
                       uint64_t size)
{
	Elf64_Sym sym = {.st_name = (uint32_t)buf_add(names, name, strlen(name) + 1),
	                 .st_info = (unsigned char)info,
	                 .st_shndx = section,
	                 .st_size = size};

	buf_add(symbols_of, &sym, sizeof(sym));
}

void make_object(struct made_section s[MADE_O_COUNT])
{
	static const Elf64_Rela relocs[] = {
	        {1, ELF64_R_INFO(3, R_X86_64_PLT32), -4},  {9, ELF64_R_INFO(2, R_X86_64_32S), 0},
	        {16, ELF64_R_INFO(1, R_X86_64_64), 2},     {24, ELF64_R_INFO(4, R_X86_64_PC32), -4},
	        {28, ELF64_R_INFO(5, R_X86_64_32), 0x100},
	};
	struct buf symtab = {0}, strtab = {0};

	add_symbol(&symtab, &strtab, "", 0, 0, 0);
	add_symbol(&symtab, &strtab, "f", ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), MADE_O_TEXT + 1, 16);
	add_symbol(&symtab, &strtab, "counter", ELF64_ST_INFO(STB_LOCAL, STT_OBJECT), MADE_O_DATA + 1, 8);
	add_symbol(&symtab, &strtab, "g", ELF64_ST_INFO(STB_GLOBAL, STT_NOTYPE), SHN_UNDEF, 0);
	add_symbol(&symtab, &strtab, "zeroes", ELF64_ST_INFO(STB_LOCAL, STT_OBJECT), MADE_O_BSS + 1, 64);
	add_symbol(&symtab, &strtab, "constant", ELF64_ST_INFO(STB_GLOBAL, STT_NOTYPE), SHN_ABS, 0);
	s[MADE_O_TEXT] = (struct made_section){.name = ".text",
	                                       .type = SHT_PROGBITS,
	                                       .flags = SHF_ALLOC | SHF_EXECINSTR,
	                                       .bytes = filled(32, 0x90),
	                                       .align = 16};
	s[MADE_O_DATA] = (struct made_section){.name = ".data",
	                                       .type = SHT_PROGBITS,
	                                       .flags = SHF_ALLOC | SHF_WRITE,
	                                       .bytes = filled(24, 1),
	                                       .align = 8};
	s[MADE_O_BSS] = (struct made_section){
	        .name = ".bss", .type = SHT_NOBITS, .flags = SHF_ALLOC | SHF_WRITE, .size = 64, .align = 32};
	s[MADE_O_RELA] = (struct made_section){.name = ".rela.text",
	                                       .type = SHT_RELA,
	                                       .link = MADE_O_SYMTAB + 1,
	                                       .info = MADE_O_TEXT + 1,
	                                       .align = 8,
	                                       .entry = sizeof(Elf64_Rela)};
	buf_add(&s[MADE_O_RELA].bytes, relocs, sizeof(relocs));
	s[MADE_O_SYMTAB] = (struct made_section){.name = ".symtab",
	                                         .type = SHT_SYMTAB,
	                                         .bytes = symtab,
	                                         .link = MADE_O_STRTAB + 1,
	                                         .info = 1,
	                                         .align = 8,
	                                         .entry = sizeof(Elf64_Sym)};
	s[MADE_O_STRTAB] = (struct made_section){.name = ".strtab", .type = SHT_STRTAB, .bytes = strtab, .align = 1};
	s[MADE_O_BTF] =
	        (struct made_section){.name = ".BTF", .type = SHT_PROGBITS, .bytes = make_body_types(), .align = 1};
}

const char *make_file(unsigned slot, const void *bytes, size_t n)
{
	static int fds[4] = {-1, -1, -1, -1};
	static char paths[4][64];

	if (fds[slot] < 0)
		fds[slot] = memfd_create("made", 0);
	snprintf(paths[slot], sizeof(paths[slot]), "/proc/self/fd/%d", fds[slot]);
	if (fds[slot] < 0 || ftruncate(fds[slot], 0) || pwrite(fds[slot], bytes, n, 0) != (ssize_t)n)
		abort();
	return paths[slot];
}
