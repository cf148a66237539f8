// SPDX-License-Identifier: Apache-2.0
// sources: hv/view/base.c hv/view/current.c hv/view/view.c hv/view/npt.c tests/unit/history.c
// libs: -no-pie -Wl,--unresolved-symbols=ignore-all
/*
 * The base view, from the boot block on: of the reserved region the guest sees nothing but the arena, with the arena's
 * rights, and nobody takes a byte of it for the guest's RAM.
 */
#include "host.h"
#include "apic.h"
#include "core/journal.h"
#include "core/pool.h"
#include "history.h"
#include "view/base.h"
#include "view/current.h"
#include "x86.h"

#define REGION 0x40000000ULL
#define SIZE NL_REGION_SIZE(65)
#define RAM_END 0x80000000ULL

const struct nl_vendor *nl_vendor;
static struct nl_npt_format format;
static const struct nl_npt_format *format_of(void) { return &format; }
static const struct nl_vendor vendor = {.name = "FAKE", .format = format_of};

/* 36 address bits, no MTRRs. */
void x86_cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	(void)sub;
	memset(r, 0, 4 * sizeof(*r));
	if (leaf == 0x80000000)
		r[0] = 0x80000008;
	if (leaf == 0x80000008)
		r[0] = 36;
}

/* The pool: tables in the fake memory of history.h, and one page that serves as sink. */
static uint8_t sink[NL_PAGE_SIZE];
static bool watched = true;
#define SINK (REGION + NL_REGION_CORE + 0x200000)
void nl_pool_init(void *at, hpa_t base, size_t pages) { (void)at, (void)base, (void)pages; }
void *nl_pool_page(void) { return sink; }
hpa_t nl_pool_hpa(const void *va) { return va == sink ? HPA(SINK) : HPA(0); }
static void *map(hpa_t table) { return history_ops().map(table); }
static bool alloc(hpa_t *out) { return history_ops().alloc(out); }
static void release(hpa_t table) { history_ops().release(table); }
bool apic_is_watched(void) { return watched; }
const struct nl_table_ops nl_pool_tables = {.map = map, .alloc = alloc, .release = release};
void nl_journal_generation(uint64_t generation) { (void)generation; }

static int setup(void **state)
{
	(void)state;
	history_reset();
	nl_boot.region = REGION;
	nl_boot.region_size = SIZE;
	nl_boot.direct_size = 1ULL << 36;
	nl_boot.n_ranges = 1; /* a firmware that calls the region RAM as well */
	nl_boot.ranges[0] = (struct nl_boot_range){0x100000, RAM_END - 0x100000};
	nl_vendor = &vendor;
	format = nl_npt_format_ept(true, 36);
	assert_int_equal(nl_base_init(), NL_OK);
	return 0;
}

static void shows(uint64_t gpa, uint64_t hpa, enum nl_rights rights)
{
	struct nl_shown page;

	assert_true(nl_view_walk(nl_views(), nl_base_view(), GPA(gpa), &page));
	if (page.at.v != hpa || page.rights != rights)
		fail_msg("%lx shows %lx with rights %u", gpa, page.at.v, page.rights);
}

static void the_region_is_hidden(void **state)
{
	(void)state;
	for (uint64_t at = REGION + NL_REGION_CORE; at < REGION + SIZE; at += NL_PAGE_SIZE)
		shows(at, SINK, NL_RWX);
	shows(REGION - NL_PAGE_SIZE, REGION - NL_PAGE_SIZE, NL_RWX);
	shows(REGION + SIZE, REGION + SIZE, NL_RWX);
	shows(RAM_END, RAM_END, NL_RWX);
	shows((1ULL << 36) - NL_PAGE_SIZE, (1ULL << 36) - NL_PAGE_SIZE, NL_RWX);
}

/* Where SMIs go after reset: code that stays ours, and a saved state that is nobody's to see. */
static void smis_are_not_the_guests(void **state)
{
	(void)state;
	shows(NL_SMI_HANDLER, NL_SMI_HANDLER, NL_RWX); /* the loader did not get the pages: somebody else's */
	nl_boot.smi_page = 1;
	setup(state);
	nl_boot.smi_page = 0;
	shows(NL_SMI_HANDLER - NL_PAGE_SIZE, NL_SMI_HANDLER - NL_PAGE_SIZE, NL_RWX);
	shows(NL_SMI_HANDLER, NL_SMI_HANDLER, NL_RX);
	for (uint64_t at = NL_SMI_HANDLER + NL_PAGE_SIZE; at < NL_SMI_END; at += NL_PAGE_SIZE)
		shows(at, SINK, NL_RWX);
	shows(NL_SMI_END, NL_SMI_END, NL_RWX);
}

static void rights_of_the_arena(void **state)
{
	(void)state;
	for (uint64_t at = REGION + NL_REGION_ARENA_TEXT; at < REGION + NL_REGION_ARENA_DATA; at += NL_PAGE_SIZE)
		shows(at, at, NL_RX);
	for (uint64_t at = REGION + NL_REGION_ARENA_DATA; at < REGION + NL_REGION_CORE; at += NL_PAGE_SIZE)
		shows(at, at, NL_RW);
}

static void writes_to_the_apic_are_watched(void **state)
{
	(void)state;
	shows(APIC_DEFAULT_BASE, APIC_DEFAULT_BASE, NL_R);
	shows(APIC_DEFAULT_BASE + NL_PAGE_SIZE, APIC_DEFAULT_BASE + NL_PAGE_SIZE, NL_RWX);
	watched = false; /* VMX, and every CPU is ours */
	setup(state);
	shows(APIC_DEFAULT_BASE, APIC_DEFAULT_BASE, NL_RWX);
	watched = true;
	setup(state);
}

/* What firmware calls memory is cached, in pages that hold nothing else, and nothing else is. */
static void types_by_the_memory_map(void **state)
{
	static const struct nl_boot_range map[] = {{0, 0x9f000},
	                                           {0x100000, 0x7fe03000 - 0x100000},
	                                           {0x100000000, 0x3fe00000},
	                                           {0xfff000000, 0x2000000}}; /* beyond what can be addressed */
	static const struct {
		uint64_t at, size;
		enum nl_memtype type;
	} wanted[] = {{0, 0x1000, NL_MT_WB},          {0x9e000, 0x1000, NL_MT_WB},    {0x9f000, 0x1000, NL_MT_UC},
	              {0xff000, 0x1000, NL_MT_UC},    {0x100000, 0x1000, NL_MT_WB},   {0x1ff000, 0x1000, NL_MT_WB},
	              {0x200000, NL_2M, NL_MT_WB},    {0x7fe02000, 0x1000, NL_MT_WB}, {0x7fe03000, 0x1000, NL_MT_UC},
	              {0x80000000, NL_2M, NL_MT_UC},  {0xc0000000, NL_2M, NL_MT_UC},  {0xffe00000, NL_2M, NL_MT_UC},
	              {0x100000000, NL_2M, NL_MT_WB}, {0x13fe00000, NL_2M, NL_MT_UC}, {0x140000000, NL_1G, NL_MT_UC},
	              {0xffefff000, NL_2M, NL_MT_UC}, {0xfff000000, NL_2M, NL_MT_WB}, {0xfffe00000, NL_2M, NL_MT_WB}};
	struct nl_shown page;

	nl_boot.region = 0x50000000;
	nl_boot.n_ranges = NL_ARRAY_SIZE(map);
	memcpy(nl_boot.ranges, map, sizeof(map));
	for (int ept = 1; ept >= 0; ept--) {
		history_reset();
		format = ept ? nl_npt_format_ept(true, 36) : nl_npt_format_npt(true, 36);
		assert_int_equal(nl_base_init(), NL_OK);
		for (unsigned i = 0; i < NL_ARRAY_SIZE(wanted); i++) {
			assert_true(nl_view_walk(nl_views(), nl_base_view(), GPA(wanted[i].at), &page));
			assert_int_equal(page.type, ept ? wanted[i].type : NL_MT_WB);
			assert_int_equal(page.size, wanted[i].size);
		}
	}
	setup(state);
}

static void the_region_is_no_ram_of_the_guest(void **state)
{
	(void)state;
	assert_true(nl_is_guest_ram(GPA(REGION - 1)));
	for (uint64_t at = REGION; at < REGION + SIZE; at += NL_PAGE_SIZE)
		assert_false(nl_is_guest_ram(GPA(at)));
	assert_true(nl_is_guest_ram(GPA(REGION + SIZE)));
	assert_false(nl_is_guest_ram(GPA(RAM_END)));
	assert_false(nl_is_guest_ram(GPA(0xfffff)));
	assert_false(nl_is_guest_ram(GPA(~0ULL)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(the_region_is_hidden, setup),
	        cmocka_unit_test_setup(smis_are_not_the_guests, setup),
	        cmocka_unit_test_setup(rights_of_the_arena, setup),
	        cmocka_unit_test_setup(writes_to_the_apic_are_watched, setup),
	        cmocka_unit_test_setup(types_by_the_memory_map, setup),
	        cmocka_unit_test_setup(the_region_is_no_ram_of_the_guest, setup),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
