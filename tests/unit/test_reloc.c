// SPDX-License-Identifier: Apache-2.0
// sources: hv/leaf/reloc.c hv/leaf/leaf.c
// sources: hv/guest/linux/target.c
/* Relocations: every type and symbol, at the edges of what fits and one beyond. */
#include "host.h"
#include "leaf/reloc.h"

#define LINK 0xffffffff81000000ULL

static struct nl_leaf_header header;
static struct nl_leaf_site site;
static struct nl_leaf_reloc reloc;
static struct nl_leaf_object modules[2];
static const struct nl_leaf leaf = {.header = &header, .modules = modules, .sites = &site, .relocs = &reloc};
static struct nl_place places[3];
static struct nl_placement at = {.objects = places};
#define SLIDE 0x4000000ULL
static uint8_t text[16], data[16], expected[16], fresh[16];

static int setup(void **state)
{
	(void)state;
	header = (struct nl_leaf_header){
	        .sites.count = 1, .relocs.count = 1, .text.count = 16, .data.count = 16, .bytes.count = 32};
	site = (struct nl_leaf_site){.offset = 0x5000, .len = 16, .expected = 16, .fresh = 0};
	header.target.kernel.regions[NL_KERNEL_IMAGE] =
	        (struct nl_leaf_region){.kind = NL_MEM_IMAGE, .size = 0x400000, .base = LINK};
	header.target.kernel.regions[NL_KERNEL_TEXT] =
	        (struct nl_leaf_region){.kind = NL_MEM_TEXT, .size = 0x200000, .base = LINK + 0x1000};
	header.target.kernel.text.count = header.target.kernel.data.count = 16;
	places[0] = (struct nl_place){
	        .base = {LINK + SLIDE, LINK + 0x1000 + SLIDE}, .text = 0xffffffffff800040, .data = 0xffffffffffa00080};
	at.thunks = (struct nl_thunks){.ret = LINK + 0x4123456, .indirect = LINK + 0x4200000, .step = 64};
	memset(text, 0xaa, 16);
	memset(data, 0xaa, 16);
	memset(expected, 0xaa, 16);
	memset(fresh, 0xaa, 16);
	return 0;
}

static uint64_t field(const uint8_t *p, unsigned size)
{
	uint64_t v = 0;
	memcpy(&v, p, size);
	return v;
}

static enum nl_err body(uint32_t where, uint16_t type, uint16_t symbol, uint64_t value, int64_t addend)
{
	reloc = (struct nl_leaf_reloc){.where = (uint16_t)where,
	                               .offset = 4,
	                               .type = type,
	                               .symbol = symbol,
	                               .value = value,
	                               .addend = addend};
	return nl_reloc_body(&leaf, &at, 0, text, data);
}

static void symbols(void **state)
{
	(void)state;
	assert_int_equal(body(NL_AT_TEXT, NL_REL_ABS64, NL_SYM_REGION, 0x777, 1), NL_OK);
	assert_int_equal(field(text + 4, 8), LINK + 0x777 + 0x4000000 + 1);
	reloc.region = NL_KERNEL_TEXT; /* each region has its own base */
	assert_int_equal(nl_reloc_body(&leaf, &at, 0, text, data), NL_OK);
	assert_int_equal(field(text + 4, 8), LINK + 0x1777 + 0x4000000 + 1);
	assert_int_equal(text[3], 0xaa);
	assert_int_equal(text[12], 0xaa);
	assert_int_equal(body(NL_AT_TEXT, NL_REL_ABS64, NL_SYM_ABSOLUTE, 0x1fbc0, 0), NL_OK);
	assert_int_equal(field(text + 4, 8), 0x1fbc0); /* a per-CPU offset: KASLR does not move it */
	assert_int_equal(body(NL_AT_DATA, NL_REL_ABS64, NL_SYM_TEXT, 8, 0), NL_OK);
	assert_int_equal(field(data + 4, 8), places[0].text + 8);
	assert_int_equal(body(NL_AT_DATA, NL_REL_ABS64, NL_SYM_DATA, 8, -8), NL_OK);
	assert_int_equal(field(data + 4, 8), places[0].data);
	assert_int_equal(body(NL_AT_TEXT, NL_REL_PC32, NL_SYM_RETURN_THUNK, 0, -4), NL_OK);
	assert_int_equal(field(text + 4, 4), (uint32_t)(at.thunks.ret - 4 - (places[0].text + 4)));
	assert_int_equal(body(NL_AT_TEXT, NL_REL_PC32, NL_SYM_INDIRECT_THUNK, 11, -4), NL_OK);
	assert_int_equal(field(text + 4, 4), (uint32_t)(at.thunks.indirect + 11 * 64 - 4 - (places[0].text + 4)));
	at.thunks.indirect = 0;
	assert_int_equal(body(NL_AT_TEXT, NL_REL_PC32, NL_SYM_INDIRECT_THUNK, 11, -4), NL_ERELOC);
	at.thunks.ret = 0;
	assert_int_equal(body(NL_AT_TEXT, NL_REL_PC32, NL_SYM_RETURN_THUNK, 0, -4), NL_ERELOC);
}

static void fits(uint16_t type, uint64_t value, bool ok)
{
	memset(text, 0xaa, 16);
	assert_int_equal(body(NL_AT_TEXT, type, NL_SYM_ABSOLUTE, value, 0), ok ? NL_OK : NL_ERELOC);
	if (!ok)
		assert_int_equal(field(text + 4, 4), 0xaaaaaaaa);
	assert_int_equal(text[8], 0xaa);
}

static void edges(void **state)
{
	uint64_t p = places[0].text + 4;

	(void)state;
	fits(NL_REL_ABS32S, 0x7fffffff, true);
	fits(NL_REL_ABS32S, 0x80000000, false);
	fits(NL_REL_ABS32S, 0xffffffff80000000, true);
	fits(NL_REL_ABS32S, 0xffffffff7fffffff, false);
	fits(NL_REL_ABS32, 0xffffffff, true);
	fits(NL_REL_ABS32, 0x100000000, false);
	fits(NL_REL_ABS32, ~0ULL, false);
	fits(NL_REL_PC32, p + 0x7fffffff, true);
	fits(NL_REL_PC32, p + 0x80000000, false);
	fits(NL_REL_PC32, p - 0x80000000, true);
	fits(NL_REL_PC32, p - 0x80000001, false);
}

static enum nl_err in_site(uint32_t offset, uint16_t type, uint64_t value, int64_t addend)
{
	reloc = (struct nl_leaf_reloc){.where = NL_AT_BYTES,
	                               .offset = offset,
	                               .type = type,
	                               .symbol = NL_SYM_TEXT,
	                               .value = value,
	                               .addend = addend};
	return nl_reloc_site(&leaf, &at, 0, expected, fresh);
}

static void site_bytes(void **state)
{
	(void)state;
	/* jmp rel32 at the first byte of the site: the displacement counts from the end of the field */
	assert_int_equal(in_site(1, NL_REL_PC32, 0, -4), NL_OK);
	assert_int_equal((uint64_t)(int64_t)(int32_t)field(fresh + 1, 4),
	                 places[0].text - (LINK + site.offset + SLIDE + 5));
	assert_int_equal(expected[1], 0xaa);
	assert_int_equal(in_site(16 + 12, NL_REL_ABS32S, 0, 0), NL_OK);
	assert_int_equal(field(expected + 12, 4), (uint32_t)places[0].text);
	assert_int_equal(fresh[12], 0xaa);
	assert_int_equal(nl_reloc_body(&leaf, &at, 0, text, data), NL_OK); /* not a body's */
	assert_int_equal(text[0], 0xaa);
}

/* What does not lie wholly in what is relocated is left alone: nothing before it and nothing behind it is written. */
static void fields_at_an_edge(void **state)
{
	static const uint8_t untouched[] = {0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa,
	                                    0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa};
	static const uint32_t outside[] = {13, 15, 16, 0xfffffffc, 0xfffffffd, ~0u};
	unsigned i;

	(void)state;
	assert_int_equal(body(NL_AT_TEXT, NL_REL_ABS32, NL_SYM_ABSOLUTE, 0x11223344, 0), NL_OK);
	reloc.offset = 12;
	assert_int_equal(nl_reloc_body(&leaf, &at, 0, text, data), NL_OK);
	assert_int_equal(field(text + 12, 4), 0x11223344);
	memset(text, 0xaa, 16);
	for (i = 0; i < NL_ARRAY_SIZE(outside); i++) {
		reloc.offset = outside[i];
		reloc.where = i % 2 ? NL_AT_TEXT : NL_AT_DATA;
		assert_int_equal(nl_reloc_body(&leaf, &at, 0, text, data), NL_OK);
	}
	assert_memory_equal(text, untouched, 16);
	assert_memory_equal(data, untouched, 16);
	/* fresh is 0 to 16, expected 16 to 32: across both is in neither */
	for (i = 13; i < 16; i++)
		assert_int_equal(in_site(i, NL_REL_ABS32S, 0, 0), NL_OK);
	for (i = 29; i < 36; i++)
		assert_int_equal(in_site(i, NL_REL_ABS32S, 0, 0), NL_OK);
	assert_int_equal(in_site(0xfffffffe, NL_REL_ABS32S, 0, 0), NL_OK);
	assert_memory_equal(expected, untouched, 16);
	assert_memory_equal(fresh, untouched, 16);
}

/* A module that is there with a part of its own, which begins at 16 of text[] and data[], and one that is not. */
#define MODULE 0xffffffffc0123000ULL
enum { TEXT, INIT, PERCPU };

static void with_modules(void)
{
	memset(modules, 0, sizeof(modules));
	for (unsigned i = 0; i < 2; i++) {
		modules[i].regions[TEXT] = (struct nl_leaf_region){.kind = NL_MEM_TEXT, .size = 0x1000};
		modules[i].regions[INIT] = (struct nl_leaf_region){.kind = NL_MEM_INIT_TEXT, .size = 0x1000};
		modules[i].regions[PERCPU] = (struct nl_leaf_region){.kind = NL_MEM_PERCPU, .size = 0x1000};
	}
	header.objects.count = 2;
	header.text.count = header.data.count = 32;
	modules[0].text = modules[0].data = (struct nl_leaf_part){16, 16};
	modules[1].text = modules[1].data = (struct nl_leaf_part){32, 0};
	places[1] = (struct nl_place){
	        .base = {MODULE, 0, 0x2000}, .text = 0xffffffffff900000 - 16, .data = 0xffffffffffb00000 - 16};
	places[2] = (struct nl_place){0};
}

static enum nl_err of_module(uint32_t where, uint16_t type, uint16_t symbol, uint16_t object, uint16_t region,
                             uint64_t value)
{
	reloc = (struct nl_leaf_reloc){.where = (uint16_t)where,
	                               .offset = 16 + 4,
	                               .type = type,
	                               .symbol = symbol,
	                               .object = object,
	                               .region = region,
	                               .value = value};
	return nl_reloc_body(&leaf, &at, 1, text, data);
}

/* Each object has bases of its own, and a part that stands where it was placed, whatever its offset in the file. */
static void parts(void **state)
{
	(void)state;
	with_modules();
	assert_int_equal(of_module(NL_AT_TEXT, NL_REL_ABS64, NL_SYM_REGION, 1, TEXT, 0x345), NL_OK);
	assert_int_equal(field(text + 4, 8), MODULE + 0x345);
	assert_int_equal(of_module(NL_AT_TEXT, NL_REL_ABS32, NL_SYM_REGION, 1, PERCPU, 8), NL_OK);
	assert_int_equal(field(text + 4, 4), 0x2008);
	assert_int_equal(of_module(NL_AT_TEXT, NL_REL_ABS64, NL_SYM_REGION, 0, NL_KERNEL_TEXT, 0x777), NL_OK);
	assert_int_equal(field(text + 4, 8), LINK + 0x1777 + SLIDE);
	assert_int_equal(of_module(NL_AT_TEXT, NL_REL_PC32, NL_SYM_TEXT, 1, 0, 16), NL_OK); /* its own first byte */
	assert_int_equal(field(text + 4, 4), (uint32_t)-4);
	assert_int_equal(of_module(NL_AT_DATA, NL_REL_ABS64, NL_SYM_DATA, 1, 0, 24), NL_OK);
	assert_int_equal(field(data + 4, 8), 0xffffffffffb00008);
	assert_int_equal(of_module(NL_AT_DATA, NL_REL_ABS64, NL_SYM_TEXT, 0, 0, 8), NL_OK); /* the kernel's part */
	assert_int_equal(field(data + 4, 8), places[0].text + 8);
	/* A field of another object's part is not touched. */
	memset(text, 0xaa, 16);
	memset(data, 0xaa, 16);
	reloc.offset = 4;
	assert_int_equal(nl_reloc_body(&leaf, &at, 1, text, data), NL_OK);
	reloc.offset = 16 + 4;
	assert_int_equal(nl_reloc_body(&leaf, &at, 0, text, data), NL_OK);
	assert_int_equal(text[4], 0xaa);
	assert_int_equal(data[4], 0xaa);
}

/* What is not there: a module, by name; what only an initialiser needed: then nobody asks any more. */
static void absent(void **state)
{
	(void)state;
	with_modules();
	assert_int_equal(of_module(NL_AT_TEXT, NL_REL_ABS64, NL_SYM_REGION, 2, TEXT, 0), NL_EMODULE);
	assert_int_equal(field(text + 4, 8), 0xaaaaaaaaaaaaaaaa);
	assert_int_equal(of_module(NL_AT_TEXT, NL_REL_ABS64, NL_SYM_REGION, 2, PERCPU, 0), NL_EMODULE);
	assert_int_equal(of_module(NL_AT_TEXT, NL_REL_PC32, NL_SYM_REGION, 1, INIT, 0x40), NL_OK);
	assert_int_equal(field(text + 4, 8), 0xaaaaaaaaaaaaaaaa); /* and what stands there stays */
}

/* The site's place is its own module's. */
static void site_of_module(void **state)
{
	(void)state;
	with_modules();
	site.object = 1;
	site.region = TEXT;
	site.offset = 0x100;
	reloc = (struct nl_leaf_reloc){.where = NL_AT_BYTES,
	                               .offset = 1,
	                               .type = NL_REL_PC32,
	                               .symbol = NL_SYM_TEXT,
	                               .object = 1,
	                               .value = 16,
	                               .addend = -4};
	assert_int_equal(nl_reloc_site(&leaf, &at, 0, expected, fresh), NL_OK);
	assert_int_equal((uint64_t)(int64_t)(int32_t)field(fresh + 1, 4), 0xffffffffff900000 - (MODULE + 0x105));
	assert_int_equal(expected[1], 0xaa);
	site.object = site.region = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(symbols, setup),       cmocka_unit_test_setup(edges, setup),
	        cmocka_unit_test_setup(site_bytes, setup),    cmocka_unit_test_setup(fields_at_an_edge, setup),
	        cmocka_unit_test_setup(parts, setup),         cmocka_unit_test_setup(absent, setup),
	        cmocka_unit_test_setup(site_of_module, setup)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
