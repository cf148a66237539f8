// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/module.c tools/author/module_layout.c tools/author/module_relocs.c tools/author/module_at.c
// sources: tools/author/modules.c tools/author/escape.c tools/author/unpack.c tools/author/types.c
// sources: tools/author/kallsyms.c
// sources: tools/author/krelocs.c tools/author/place.c tools/author/draft.c tools/author/kernel.c
// sources: tools/author/linux_modules.c
// sources: tools/author/typenames.c tools/author/author.c tests/unit/author_refuse.c tests/unit/makekernel.c
// sources: tests/unit/makemodule.c
// libs: -lelf -lbpf -llz4 -lzstd -llzma -lbz2 -lz
// cflags: -Itools/author
/* A module's file: read whole, damaged, cut short; where the loader of each line puts its parts; how it sees the
 * kernel, and what a leaf makes of its addresses. Against numbers worked out by hand from kernel/module/main.c. */
#include "author_refuse.h"
#include "draft.h"
#include "linux_modules.h"
#include "makemodule.h"
#include "place.h"
#include "typenames.h"

#include <bpf/btf.h>
#include <elf.h>
#include <lzma.h>
#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#define OLD "6.1.0-0-made-amd64"
#define NEW "7.3.4-made-amd64"

static struct made_section s[MADE_M_COUNT];
static struct kernel *k;
static char directory[] = "/tmp/newleaf-modules.XXXXXX";

static char *written(const char *name, const void *p, size_t n)
{
	char *path = xformat("%s/%s", directory, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	fclose(f);
	return path;
}

static struct buf file(void) { return make_elf(ET_REL, s, MADE_M_COUNT); }

static struct module *read_it(void)
{
	struct buf b = file();

	return module_read(k, written("m.ko", b.p, b.n), MODULE_SPACE);
}

static void start(const char *release)
{
	k = make_module_kernel(release, !strncmp(release, "6.1.", 4) || !strncmp(release, "5.10.", 5));
	make_module(s, release, "m", "", NULL);
}

static const struct module_section *named(const struct module *m, const char *name)
{
	for (size_t i = 1; i < m->n_sections; i++)
		if (!strcmp(m->sections[i].name, name))
			return &m->sections[i];
	fail_msg("no section %s", name);
	return NULL;
}

static void region(const struct module *m, size_t i, uint32_t kind, uint64_t va, uint32_t size, uint32_t pointer,
                   uint32_t size_at)
{
	assert_int_equal(m->regions[i].leaf.kind, kind);
	assert_int_equal(m->regions[i].va, va);
	assert_int_equal(m->regions[i].leaf.size, size);
	assert_int_equal(m->regions[i].leaf.pointer_at, pointer);
	assert_int_equal(m->regions[i].leaf.size_at, size_at);
}

/* One run for all that stays: code, pages; read-only, pages; read-only after init, pages; data and the symbols. */
static void test_before_6_4(void **state)
{
	struct module *m;

	(void)state;
	start(OLD);
	s[MADE_M_JUMPS].bytes = (struct buf){(uint8_t[16]){0}, 16, 16};
	m = read_it();
	assert_string_equal(m->name, "m");
	assert_int_equal(m->build_id_len, 8);
	assert_int_equal(m->build_id[7], 0xb8);
	assert_int_equal(named(m, ".text")->va, MODULE_SPACE);
	/* .note 24 bytes, .rodata 40 aligned to 8, __mcount_loc 8; .modinfo is dropped */
	assert_int_equal(named(m, ".note.gnu.build-id")->va, MODULE_SPACE + 0x1000);
	assert_int_equal(named(m, ".rodata")->va, MODULE_SPACE + 0x1018);
	assert_int_equal(named(m, "__mcount_loc")->va, MODULE_SPACE + 0x1040);
	assert_int_equal(named(m, ".modinfo")->memory, MODULE_NOWHERE);
	assert_int_equal(named(m, "__jump_table")->va, MODULE_SPACE + 0x2000);
	assert_int_equal(named(m, ".data")->va, MODULE_SPACE + 0x3000);
	assert_int_equal(named(m, ".static_call_sites")->va, MODULE_SPACE + 0x3018);
	assert_int_equal(named(m, ".gnu.linkonce.this_module")->va, MODULE_SPACE + 0x3040);
	assert_int_equal(named(m, ".bss")->va, MODULE_SPACE + 0x3140);
	assert_int_equal(m->build_id_va, MODULE_SPACE + 0x1010);
	assert_int_equal(m->n_regions, 7);
	region(m, 0, NL_MEM_TEXT, MODULE_SPACE, 0x1000, 64, 76);
	region(m, 1, NL_MEM_RODATA, MODULE_SPACE, 0x2000, 64, 80);
	region(m, 2, NL_MEM_RO_AFTER_INIT, MODULE_SPACE, 0x3000, 64, 84);
	region(m, 3, NL_MEM_IMAGE, MODULE_SPACE, 0x5000, 64, 72); /* the border, and a page of symbols */
	region(m, 4, NL_MEM_INIT_TEXT, MODULE_SPACE + 0x6000, 0x1000, 96, 108);
	region(m, 5, NL_MEM_INIT_DATA, MODULE_SPACE + 0x6000, 0x2000, 96, 104);
	region(m, 6, NL_MEM_PERCPU, MODULE_SPACE + 0x9000, 8, 8, 16);
	assert_int_equal(module_region_at(m, MODULE_SPACE + 0x1018)->leaf.kind, NL_MEM_RODATA);
	assert_int_equal(module_region_at(m, MODULE_SPACE + 0x3008)->leaf.kind, NL_MEM_IMAGE);
	assert_int_equal(module_region_at(m, MODULE_SPACE + 0x5000)->leaf.kind, NL_MEM_IMAGE); /* its end */
	assert_null(module_region_at(m, MODULE_SPACE + 0x5001));
}

/* Each kind of memory by itself, in whole pages. */
static void test_since_6_4(void **state)
{
	struct module *m;

	(void)state;
	start(NEW);
	s[MADE_M_JUMPS].bytes = (struct buf){(uint8_t[16]){0}, 16, 16};
	s[MADE_M_CALLS].bytes = (struct buf){(uint8_t[8]){0}, 8, 8};
	m = read_it();
	assert_int_equal(m->n_regions, 7);
	region(m, 0, NL_MEM_TEXT, MODULE_SPACE, 0x1000, 64, 72);
	region(m, 1, NL_MEM_RODATA, MODULE_SPACE + 0x4000, 0x1000, 96, 104);
	region(m, 2, NL_MEM_RO_AFTER_INIT, MODULE_SPACE + 0x6000, 0x1000, 112, 120);
	region(m, 3, NL_MEM_DATA, MODULE_SPACE + 0x2000, 0x1000, 80, 88);
	region(m, 4, NL_MEM_INIT_TEXT, MODULE_SPACE + 0x8000, 0x1000, 128, 136);
	region(m, 5, NL_MEM_INIT_DATA, MODULE_SPACE + 0xa000, 0x1000, 144, 152); /* symbols alone */
	region(m, 6, NL_MEM_PERCPU, MODULE_SPACE + 0xc000, 8, 8, 16);
	assert_int_equal(named(m, "__jump_table")->va, MODULE_SPACE + 0x6000);
	assert_int_equal(named(m, ".static_call_sites")->va, MODULE_SPACE + 0x6010);
	assert_int_equal(m->end, MODULE_SPACE + 0xe000);
	start("6.12.107-made-amd64");
	s[MADE_M_JUMPS].bytes = (struct buf){(uint8_t[16]){0}, 16, 16};
	s[MADE_M_CALLS].bytes = (struct buf){(uint8_t[8]){0}, 8, 8};
	m = read_it();
	assert_int_equal(named(m, ".static_call_sites")->memory, MODULE_DATA);
	assert_int_equal(named(m, "__jump_table")->memory, MODULE_RO_AFTER_INIT);
}

/* As many symbols as need another page, in the core's memory and in init's. */
static void test_symbols_take_room(void **state)
{
	struct module *m;

	(void)state;
	start(OLD);
	for (unsigned i = 0; i < 300; i++) {
		Elf64_Sym sym = {.st_name = 1, .st_info = STT_OBJECT, .st_shndx = MADE_M_DATA + 1};

		buf_add(&s[MADE_M_SYMTAB].bytes, &sym, sizeof(sym));
	}
	m = read_it();
	/* 300 * (24 + strlen("f") + 1 + 1) bytes are two pages, with those of before; before it was one */
	assert_int_equal(m->regions[3].leaf.kind, NL_MEM_IMAGE);
	assert_int_equal(m->regions[3].leaf.size, 0x6000);
	assert_int_equal(m->regions[5].leaf.size, 0x3000);
}

static void test_packed(void **state)
{
	static uint8_t packed[65536];
	struct buf b;
	size_t n = 0;

	(void)state;
	start(NEW);
	b = file();
	assert_int_equal(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, NULL, b.p, b.n, packed, &n, sizeof(packed)),
	                 LZMA_OK);
	assert_string_equal(module_read(k, written("m.ko.xz", packed, n), MODULE_SPACE)->name, "m");
	for (size_t cut = 6; cut < n; cut += 7)
		assert_true(AUTHOR_REFUSES(NL_EKERNEL, module_read(k, written("c.ko.xz", packed, cut), MODULE_SPACE)));
	n = ZSTD_compress(packed, sizeof(packed), b.p, b.n, 3);
	assert_string_equal(module_read(k, written("m.ko.zst", packed, n), MODULE_SPACE)->name, "m");
	packed[n / 2] ^= 0x55;
	assert_true(AUTHOR_REFUSES(NL_EKERNEL, module_read(k, written("m.ko.zst", packed, n), MODULE_SPACE)));
}

static void test_cut_short(void **state)
{
	struct buf b;

	(void)state;
	start(NEW);
	b = file();
	for (size_t n = 0; n < b.n; n += 5) {
		const char *path = written("m.ko", b.p, n);

		author_code = NL_OK;
		if (!setjmp(author_refused)) {
			module_read(k, path, MODULE_SPACE);
			fail_msg("%zu of %zu bytes were taken", n, b.n);
		}
		assert_true(author_code == NL_EKERNEL || author_code == NL_ETARGET);
	}
}

static bool refused(enum nl_err err, const char *why)
{
	if (!AUTHOR_REFUSES(err, read_it()))
		return false;
	return strstr(author_why, why) != NULL;
}

static void test_refusals(void **state)
{
	(void)state;
	start(NEW);
	s[MADE_M_NOTE].name = ".note";
	assert_true(refused(NL_EKERNEL, "build-id"));
	start(NEW);
	s[MADE_M_NOTE].bytes.p[0] = 5;
	assert_true(refused(NL_EKERNEL, "build-id"));
	start(NEW);
	s[MADE_M_NOTE].flags |= SHF_WRITE;
	assert_true(refused(NL_EKERNEL, "read-only"));
	start(NEW);
	s[MADE_M_INFO].name = ".modinf";
	assert_true(refused(NL_EKERNEL, ".modinfo"));
	start(NEW);
	s[MADE_M_INFO].bytes.n--;
	assert_true(refused(NL_EKERNEL, ".modinfo"));
	start(NEW);
	make_module(s, NEW, "m\x1b[2J", "", NULL);
	assert_true(refused(NL_EKERNEL, "name"));
	start(NEW);
	make_module(s, "7.3.4-made-amd6", "m", "", NULL);
	assert_true(refused(NL_ETARGET, "built for 7.3.4-made-amd6,"));
	start(NEW);
	s[MADE_M_TEXT].flags |= SHF_WRITE;
	assert_true(refused(NL_EKERNEL, "can be written"));
	start(NEW);
	s[MADE_M_BSS].name = ".data";
	assert_true(refused(NL_EKERNEL, "two sections .data"));
	start(NEW);
	s[MADE_M_BSS].name = ".codetag.alloc_tags";
	assert_true(refused(NL_EKERNEL, ".codetag"));
	start(NEW);
	s[MADE_M_BSS].size = 1ull << 40;
	assert_true(refused(NL_EKERNEL, "none of a module"));
	start(NEW);
	s[MADE_M_DATA].align = 3;
	assert_true(refused(NL_EKERNEL, "none of a module"));
	start(NEW);
	((Elf64_Sym *)(void *)s[MADE_M_SYMTAB].bytes.p)[MADE_Y_F].st_value = 0x80;
	assert_true(refused(NL_EKERNEL, "ends behind its section"));
	start(NEW);
	((Elf64_Sym *)(void *)s[MADE_M_SYMTAB].bytes.p)[MADE_Y_F].st_name = 0x7fffffff;
	assert_true(refused(NL_EKERNEL, "outside its table"));
	start("6.6.1-made-amd64");
	assert_true(refused(NL_EUNSUPPORTED, "6.6.1-made-amd64"));
	k = make_module_kernel(NEW, true); /* what it is, and what it says that it is, differ */
	make_module(s, NEW, "m", "", NULL);
	assert_true(refused(NL_EKERNEL, "struct module"));
}

static const struct module *given(const char *name, const char *depends, const char *remote)
{
	struct buf b;

	make_module(s, k->release, name, depends, remote);
	b = file();
	modules_add(k, written(xformat("%s.ko", name), b.p, b.n));
	return module_named(k, name);
}

static uint64_t found(const struct kernel *v, const char *name, size_t places)
{
	const struct ksym *sym = NULL;

	assert_int_equal(kallsyms_find(&v->syms, name, 1, &sym), places);
	return sym ? sym->va : 0;
}

static void test_names(void **state)
{
	const struct module *m, *b;
	const struct kernel *v;

	(void)state;
	start(OLD);
	b = given("b_two", "", NULL);
	m = given("a", "b-two", NULL);
	v = module_view(k, m);
	assert_ptr_equal(v, module_view(v, m));
	assert_ptr_equal(module_view(v, NULL), k);
	assert_int_equal(found(v, "f", 1), m->symbols[MADE_Y_F].va);
	assert_int_equal(found(v, "own", 1), m->symbols[MADE_Y_OWN].va); /* before the kernel's */
	assert_int_equal(found(k, "own", 1), 0xffffffff81200010);
	assert_int_equal(found(v, "out", 1), 0xffffffff81000100);
	assert_int_equal(found(v, "hidden", 1), 0xffffffff81000300); /* not exported; a body may use it */
	assert_int_equal(found(v, "nobody", 0), 0);
	assert_int_equal(kernel_symbol(v, "own"), 0xffffffff81200010); /* the image's is asked for so */
	assert_string_equal(kallsyms_at(&v->syms, m->symbols[MADE_Y_F].va + 3)->name, "f");
	assert_int_equal(kernel_extent(v, m->symbols[MADE_Y_F].va), 0x80); /* no symbol follows in its section */
	assert_true(kernel_is_text(v, m->symbols[MADE_Y_F].va) && !kernel_is_text(v, m->symbols[MADE_Y_OWN].va));
	assert_true(kernel_owns(v, m->symbols[MADE_Y_F].va) && !kernel_owns(v, b->symbols[MADE_Y_F].va));
	assert_true(!kernel_owns(v, 0xffffffff81000100) && kernel_owns(k, 0xffffffff81000100));
	assert_ptr_equal(module_at(k, b->symbols[MADE_Y_F].va), b);
	assert_ptr_equal(module_named(k, "b-two"), b);
	assert_null(module_named(k, "c"));
}

/* What another module exports is found where nobody else has the name. */
static void test_exports(void **state)
{
	const struct module *m, *b, *found_in[2];
	const struct kernel *v;

	(void)state;
	start(NEW);
	k->syms.sym[9].name = "owned"; /* the kernel's `own` */
	k->syms.n_hidden = 0;
	b = given("b", "", NULL);
	make_module(s, NEW, "c", "b", "own");
	((Elf64_Sym *)(void *)s[MADE_M_SYMTAB].bytes.p)[MADE_Y_OWN].st_name =
	        ((Elf64_Sym *)(void *)s[MADE_M_SYMTAB].bytes.p)[MADE_Y_F].st_name;
	{
		struct buf f = file();

		modules_add(k, written("c.ko", f.p, f.n));
	}
	m = module_named(k, "c");
	v = module_view(k, m);
	assert_int_equal(found(v, "own", 1), b->symbols[MADE_Y_OWN].va);
	assert_int_equal(module_export(b, "own"), b->symbols[MADE_Y_OWN].va);
	assert_int_equal(module_export(b, "f"), 0);
	assert_int_equal(modules_with(k, "own", found_in, 2), 1);
	assert_ptr_equal(found_in[0], b);
	assert_int_equal(modules_with(k, "f", found_in, 2), 2);
	start(NEW);
	m = given("d", "gone", "elsewhere");
	assert_true(AUTHOR_REFUSES(NL_ETARGET, module_view(k, m)) && strstr(author_why, "gone"));
	start(NEW);
	m = given("e", "", "elsewhere");
	assert_true(AUTHOR_REFUSES(NL_ETARGET, module_view(k, m)) && strstr(author_why, "elsewhere"));
}

static void test_relocations(void **state)
{
	struct nl_leaf_reloc r[8];
	const struct kernel *v;
	const struct module *m;
	uint8_t bytes[32];
	uint64_t f, value;
	size_t n;

	(void)state;
	for (unsigned line = 0; line < 2; line++) {
		start(line ? NEW : OLD);
		m = given("a", "", NULL);
		v = module_view(k, m);
		f = m->symbols[MADE_Y_F].va;
		n = runtime_bytes(v, f, 17, bytes, r, 8, "f");
		/* In one run of memory the distance to the data is the same wherever it lies. */
		assert_int_equal(n, line ? 3 : 2);
		assert_int_equal(r[0].type, NL_REL_PC32);
		assert_int_equal(r[0].offset, 1);
		assert_int_equal(r[0].value, 0xffffffff81000200);
		assert_int_equal(r[0].addend, -4);
		if (line) {
			assert_int_equal(r[1].offset, 7);
			assert_int_equal(r[1].value, m->symbols[MADE_Y_COUNTER].va);
			assert_int_equal(r[1].addend, -4);
		} else {
			int32_t distance;

			memcpy(&distance, bytes + 7, 4);
			assert_int_equal(f + 11 + (uint64_t)(int64_t)distance, m->symbols[MADE_Y_COUNTER].va);
		}
		assert_int_equal(r[n - 1].value, 0xffffffff81000100);
		n = runtime_bytes(v, m->symbols[MADE_Y_TABLE].va, 8, bytes, r, 8, "table");
		assert_int_equal(n, 1);
		assert_int_equal(r[0].type, NL_REL_ABS64);
		assert_int_equal(r[0].value + (uint64_t)r[0].addend, f);
		memcpy(&value, kernel_bytes(v, m->symbols[MADE_Y_TABLE].va, 8), 8);
		assert_int_equal(value, f);
	}
}

static void test_bad_relocations(void **state)
{
	static const struct {
		Elf64_Rela r;
		const char *why;
	} bad[] = {
	        {{0x8d, ELF64_R_INFO(MADE_Y_OUT, R_X86_64_PC32), 0}, "outside"},
	        {{~0ull, ELF64_R_INFO(MADE_Y_OUT, R_X86_64_PC32), 0}, "outside"},
	        {{0x20, ELF64_R_INFO(MADE_Y_OUT, R_X86_64_PC32), 0}, "holds something"},
	        {{MADE_M_F + 1, ELF64_R_INFO(MADE_Y_COUNT, R_X86_64_PC32), 0}, "no symbol"},
	        {{MADE_M_F + 1, ELF64_R_INFO(MADE_Y_OUT, R_X86_64_GOTPCREL), 0}, "type 9"},
	        {{MADE_M_F + 1, ELF64_R_INFO(MADE_Y_OUT, R_X86_64_32), 0}, "does not fit"},
	        {{MADE_M_F + 1, ELF64_R_INFO(MADE_Y_OUT, R_X86_64_PC32), INT64_MAX}, "does not fit"},
	        {{MADE_M_F + 12, ELF64_R_INFO(MADE_Y_OUT, R_X86_64_PLT32), -4}, "holds something"},
	};

	(void)state;
	for (volatile size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct module *m;
		struct buf b;

		start(NEW);
		memcpy(s[MADE_M_RELA_TEXT].bytes.p, &bad[i].r, sizeof(bad[i].r));
		b = file();
		modules_add(k, written("m.ko", b.p, b.n));
		m = module_named(k, "m");
		assert_true(AUTHOR_REFUSES(NL_EKERNEL, module_view(k, m)));
		if (!strstr(author_why, bad[i].why))
			fail_msg("%zu: %s", i, author_why);
	}
}

static void site(struct draft *d, uint64_t va, uint64_t func, const char *name, const struct nl_leaf_reloc *r, size_t n)
{
	static const uint8_t old[5] = {0x90, 0x90, 0x90, 0x90, 0x90}, fresh[5] = {0xe9};
	struct nl_leaf_reloc jump = {.offset = 1, .type = NL_REL_PC32, .symbol = NL_SYM_TEXT, .addend = -4};
	struct draft_site one = {.va = va,
	                         .len = 5,
	                         .kind = NL_SITE_TEXT,
	                         .expected = old,
	                         .fresh = fresh,
	                         .expected_relocs = r,
	                         .n_expected_relocs = n,
	                         .fresh_relocs = &jump,
	                         .n_fresh_relocs = 1,
	                         .func_va = func,
	                         .func_size = 16,
	                         .body_offset = 0,
	                         .body_size = 4,
	                         .name = name};

	draft_add_site(d, &one);
}

static void begin(struct draft *d)
{
	draft_start(d);
	d->k = k;
	d->h.target.kernel.regions[NL_KERNEL_IMAGE] = (struct nl_leaf_region){1, 0x300000, 0, 0, 0xffffffff81000000};
	d->h.target.kernel.regions[NL_KERNEL_TEXT] = (struct nl_leaf_region){2, 0x400, 0, 0, 0xffffffff81000000};
}

static void test_draft(void **state)
{
	const struct nl_leaf_header *h;
	const struct nl_leaf_object *o;
	const struct nl_leaf_site *sites;
	const struct nl_leaf_reloc *relocs;
	const struct module *m, *b;
	struct nl_leaf_reloc data, other;
	struct draft d;
	struct buf leaf;

	(void)state;
	start(NEW);
	m = given("a", "", NULL);
	b = given("b", "", NULL);
	begin(&d);
	draft_switch(&d, m);
	buf_add(&d.text, "\xc3\xc3\xc3\xc3", 4);
	buf_add(&d.data, "12345", 5);
	d.h.bss_size = 3;
	data = (struct nl_leaf_reloc){.where = NL_AT_TEXT, .type = NL_REL_ABS32S, .symbol = NL_SYM_DATA, .value = 6};
	other = (struct nl_leaf_reloc){
	        .where = NL_AT_DATA, .type = NL_REL_ABS64, .symbol = NL_SYM_REGION, .value = b->symbols[MADE_Y_OWN].va};
	buf_add(&d.relocs, &data, sizeof(data));
	buf_add(&d.relocs, &other, sizeof(other));
	data.object = DRAFT_OF_KERNEL;
	buf_add(&d.relocs, &data, sizeof(data));
	draft_switch(&d, NULL);
	buf_add(&d.text, "\xcc\xcc\xcc\xcc", 4);
	buf_add(&d.data, "abcdefg", 7);
	draft_counters(&d, 1, 2);
	draft_switch(&d, m);
	site(&d, m->symbols[MADE_Y_F].va + 5, m->symbols[MADE_Y_F].va, "f", NULL, 0);
	assert_true(AUTHOR_REFUSES(NL_EINTERNAL, site(&d, 0xffffffff81000105, 0xffffffff81000100, "out", NULL, 0)));
	draft_switch(&d, NULL);
	site(&d, 0xffffffff81000105, 0xffffffff81000100, "out", NULL, 0);
	assert_true(draft_has_modules(&d));
	leaf = draft_finish(&d);
	h = (const struct nl_leaf_header *)(const void *)leaf.p;
	o = (const void *)(leaf.p + h->objects.offset);
	sites = (const void *)(leaf.p + h->sites.offset);
	relocs = (const void *)(leaf.p + h->relocs.offset);
	assert_int_equal(h->objects.count, 2); /* b is only referred to */
	assert_string_equal(o[0].name, "a");
	assert_string_equal(o[1].name, "b");
	assert_memory_equal(o[0].build_id, m->build_id, 8);
	assert_int_equal(o[0].n_regions, 2); /* code, and read-only data for its build-id */
	assert_int_equal(o[0].build_id_region, 1);
	assert_int_equal(o[0].build_id_offset, 16);
	assert_int_equal(o[1].n_regions, 3);
	assert_int_equal(o[0].text.offset, 0);
	assert_int_equal(o[0].text.count, 4);
	assert_int_equal(o[0].data.count, 8); /* with its zeroes */
	assert_int_equal(o[1].text.offset, NL_PART_ALIGN);
	assert_int_equal(o[1].text.count, 0);
	assert_int_equal(h->target.kernel.text.offset, NL_PART_ALIGN);
	assert_int_equal(h->target.kernel.data.offset, NL_PART_ALIGN);
	assert_int_equal(h->text.count, NL_PART_ALIGN + 4);
	assert_int_equal(h->counter_offset, 2 * NL_PART_ALIGN);
	assert_int_equal(sites[0].object, 1);
	assert_int_equal(sites[0].region, 0);
	assert_int_equal(sites[0].offset, MADE_M_F + 5);
	assert_int_equal(sites[0].func_offset, MADE_M_F);
	assert_int_equal(sites[1].object, 0);
	assert_int_equal(sites[1].body_offset, NL_PART_ALIGN);
	assert_int_equal(relocs[0].object, 1); /* its own data */
	assert_int_equal(relocs[0].value, 6);
	assert_int_equal(relocs[1].object, 2);
	assert_int_equal(o[1].regions[relocs[1].region].kind, NL_MEM_DATA);
	assert_int_equal(relocs[1].value, 16);
	assert_int_equal(relocs[2].object, 0); /* the kernel's data */
	assert_int_equal(relocs[2].value, NL_PART_ALIGN + 6);
}

static void test_draft_refusals(void **state)
{
	const struct module *m;
	struct nl_leaf_reloc r;
	struct draft d;

	(void)state;
	start(NEW);
	m = given("a", "", NULL);
	r = (struct nl_leaf_reloc){
	        .where = NL_AT_TEXT, .type = NL_REL_PC32, .symbol = NL_SYM_REGION, .value = m->symbols[MADE_Y_F].va};
	begin(&d);
	buf_add(&d.text, "\0\0\0\0", 4);
	buf_add(&d.relocs, &r, sizeof(r));
	assert_true(AUTHOR_REFUSES(NL_EBODY, draft_finish(&d)) && strstr(author_why, "may not be there"));
	begin(&d);
	draft_switch(&d, m);
	buf_add(&d.text, "\0\0\0\0", 4);
	r.value = m->symbols[MADE_Y_INIT].va;
	buf_add(&d.relocs, &r, sizeof(r));
	assert_true(AUTHOR_REFUSES(NL_EBODY, draft_finish(&d)) && strstr(author_why, "initialiser"));
	begin(&d); /* unless it is of the initialiser itself */
	draft_switch(&d, m);
	buf_add(&d.text, "\0\0\0\0", 4);
	buf_add(&d.relocs, &r, sizeof(r));
	site(&d, m->symbols[MADE_Y_INIT].va, m->symbols[MADE_Y_INIT].va, "init_module", NULL, 0);
	draft_finish(&d);
}

static void test_realtime(void **state)
{
	struct nl_leaf_target t = {0};

	(void)state;
	start(NEW);
	btf__add_struct(k->btf, "rw_semaphore", 8);
	assert_true(AUTHOR_REFUSES(NL_EUNSUPPORTED, linux_modules_fill(&t, k)) && strstr(author_why, "PREEMPT_RT"));
	assert_int_equal(t.modules, 0);
}

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	(void)state;
	return system(xformat("rm -r %s", directory));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_before_6_4),
	        cmocka_unit_test(test_since_6_4),
	        cmocka_unit_test(test_symbols_take_room),
	        cmocka_unit_test(test_packed),
	        cmocka_unit_test(test_cut_short),
	        cmocka_unit_test(test_refusals),
	        cmocka_unit_test(test_names),
	        cmocka_unit_test(test_exports),
	        cmocka_unit_test(test_relocations),
	        cmocka_unit_test(test_bad_relocations),
	        cmocka_unit_test(test_draft),
	        cmocka_unit_test(test_draft_refusals),
	        cmocka_unit_test(test_realtime),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
