// SPDX-License-Identifier: Apache-2.0
// sources: hv/leaf/reloc.c hv/leaf/leaf.c
// sources: hv/guest/target.c hv/guest/linux/target.c
/* Relocations: every type and symbol, at the edges of what fits and one beyond. */
#include "host.h"
#include "leaf/reloc.h"

#define LINK 0xffffffff81000000ULL

static struct nl_leaf_header header;
static struct nl_leaf_site site;
static struct nl_leaf_reloc reloc;
static const struct nl_leaf leaf = {.header = &header, .sites = &site, .relocs = &reloc};
static struct nl_place places[2];
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

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test_setup(symbols, setup), cmocka_unit_test_setup(edges, setup),
	                                   cmocka_unit_test_setup(site_bytes, setup)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
