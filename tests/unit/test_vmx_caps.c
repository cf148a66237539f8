// SPDX-License-Identifier: Apache-2.0
/*
 * VMX's pure computations: controls from capability MSRs, fixed bits, segment rights, EPTP, MSR bitmap.
 */
// sources: arch/x86_64/vmx/caps.c
// cflags: -Iarch/x86_64/vmx
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "caps.h"

/* Capabilities in the layout of a Haswell: must-be-1 bits of the TRUE MSRs, generous may-be-1 bits. */
static struct vmx_msrs haswell(void)
{
	return (struct vmx_msrs){
	        .basic = 0x00da040000000000ULL | 0x12, /* TRUE controls, memory type 6, size 0x400 */
	        .pin = 0x0000007f00000016ULL,
	        .proc = 0xfff9fffe04006172ULL,
	        .secondary = 0x00117cff00000000ULL,
	        .exit = 0x007fffff00036dfbULL,
	        .entry = 0x0000ffff000011fbULL,
	        .ept_vpid = 0x00000f0106734141ULL,
	        .misc = 0x300481e5, /* activity states: HLT, shutdown, wait-for-SIPI */
	        .cr0_fixed0 = 0x80000021,
	        .cr0_fixed1 = 0xffffffff,
	        .cr4_fixed0 = 0x2000,
	        .cr4_fixed1 = 0x1727ff,
	};
}

static void test_control_obeys_both_halves(void **state)
{
	uint32_t out;

	(void)state;
	assert_true(vmx_control(0x0000000f00000001ULL, 2, 0, &out));
	assert_int_equal(out, 3);
	assert_true(vmx_control(0x0000000f00000001ULL, 2, 0x34, &out)); /* of the liked bits only 4 may be 1 */
	assert_int_equal(out, 7);
	assert_false(vmx_control(0x0000000f00000001ULL, 0x10, 0, &out));
	assert_false(vmx_control(0x0000000f00000001ULL, 0x12, 0, &out));
}

static void test_controls_of_haswell(void **state)
{
	struct vmx_msrs m = haswell();
	struct vmx_controls c;

	(void)state;
	assert_int_equal(vmx_controls(&m, SECONDARY_RDTSCP | SECONDARY_INVPCID, &c), NL_OK);
	assert_int_equal(c.pin, 0x3e); /* interrupts do not exit, NMIs do, with virtual NMIs */
	assert_int_equal(c.proc, 0x04006172u | PROC_IO_BITMAPS | PROC_MSR_BITMAPS | PROC_SECONDARY);
	assert_int_equal(c.proc & (1u << 15 | 1u << 16 | 1u << 7 | 1u << 9),
	                 0); /* CR3 load and store, HLT, INVLPG: TRUE MSRs allow 0 */
	assert_int_equal(c.secondary, SECONDARY_EPT | SECONDARY_UNRESTRICTED | SECONDARY_VPID | SECONDARY_RDTSCP |
	                                      SECONDARY_INVPCID);
	assert_int_equal(c.exit, 0x00036dfbu | EXIT_HOST_64 | EXIT_SAVE_DEBUG | EXIT_SAVE_PAT | EXIT_LOAD_PAT |
	                                 EXIT_SAVE_EFER | EXIT_LOAD_EFER);
	assert_int_equal(c.entry & ENTRY_IA32E, 0); /* follows the guest's EFER.LMA */
	assert_true(c.vpid);
}

static void test_what_is_missing_is_refused(void **state)
{
	struct vmx_controls c;
	struct vmx_msrs m = haswell();

	(void)state;
	assert_int_equal(vmx_controls(&m, SECONDARY_USER_WAIT, &c),
	                 NL_ENOVIRT); /* TPAUSE shown to the guest would be #UD */
#define REFUSED(change) \
	do { \
		m = haswell(); \
		change; \
		assert_int_equal(vmx_controls(&m, 0, &c), NL_ENOVIRT); \
	} while (0)
	REFUSED(m.basic &= ~VMX_BASIC_TRUE_CONTROLS);
	REFUSED(m.basic &= ~(15ULL << 50)); /* VMCS in uncached memory */
	REFUSED(m.secondary &= ~((uint64_t)SECONDARY_EPT << 32));
	REFUSED(m.secondary &= ~((uint64_t)SECONDARY_UNRESTRICTED << 32));
	REFUSED(m.proc &= ~((uint64_t)PROC_SECONDARY << 32));
	REFUSED(m.exit &= ~((uint64_t)EXIT_SAVE_EFER << 32));
	REFUSED(m.entry &= ~((uint64_t)ENTRY_LOAD_PAT << 32));
	REFUSED(m.ept_vpid &= ~EPT_CAP_WB);
	REFUSED(m.ept_vpid &= ~(1ULL << 25));
	REFUSED(m.pin &= ~((uint64_t)PIN_VIRTUAL_NMIS << 32));
	REFUSED(m.proc &= ~((uint64_t)PROC_NMI_WINDOW << 32));
	REFUSED(m.misc &= ~(1ULL << 6)); /* a CPU that was in HLT could not be entered again */
	REFUSED(m.misc &= ~(1ULL << 8)); /* nor one wait for SIPI */
#undef REFUSED
	m = haswell();
	assert_int_equal(vmx_controls(&m, 0, &c), NL_OK);
}

static void test_vpid_is_optional(void **state)
{
	struct vmx_controls c;
	struct vmx_msrs m = haswell();

	(void)state;
	m.secondary &= ~((uint64_t)SECONDARY_VPID << 32);
	assert_int_equal(vmx_controls(&m, 0, &c), NL_OK);
	assert_false(c.vpid);
	m = haswell();
	m.ept_vpid &= ~(1ULL << 42); /* VPID without a way to flush it */
	assert_int_equal(vmx_controls(&m, 0, &c), NL_OK);
	assert_false(c.vpid);
	assert_int_equal(c.secondary & SECONDARY_VPID, 0);
}

static void test_fixed_bits(void **state)
{
	(void)state;
	assert_int_equal(vmx_fix(0x11, 0x20, 0xffffffff), 0x31);
	assert_int_equal(vmx_fix(0x406f8, 0x2000, 0x27ff), 0x26f8);
}

static void test_rights(void **state)
{
	(void)state;
	assert_int_equal(vmx_rights(0xa9b), 0xa09b); /* 64-bit code: L and G */
	assert_int_equal(vmx_rights(0xc93), 0xc093); /* flat data: D/B and G */
	assert_int_equal(vmx_rights(0x08b), 0x008b); /* busy TSS */
	assert_int_equal(vmx_rights(0x0f3), 0x00f3); /* DPL 3 */
	assert_int_equal(vmx_rights(0x193), 0x1093); /* AVL */
	assert_int_equal(vmx_rights(0), RIGHTS_UNUSABLE);
	assert_int_equal(vmx_rights(0x13), RIGHTS_UNUSABLE | 0x13); /* not present */
}

static void test_eptp(void **state)
{
	(void)state;
	assert_int_equal(vmx_eptp(HPA(0x7f123000)), 0x7f12301e); /* WB, four levels, A/D off */
}

static void test_msr_bits(void **state)
{
	static const uint32_t outside[] = {0x2000, 0xbfffffff, 0xc0002000, 0xc0010020, 0x40000000};
	static const struct {
		uint32_t index;
		unsigned byte, mask;
	} inside[] = {{0x3a, 7, 4}, {0x1fff, 1023, 0x80}, {0xc0000082, 1024 + 16, 4}};
	static uint8_t bitmaps[NL_PAGE_SIZE], none[NL_PAGE_SIZE];

	(void)state;
	for (unsigned i = 0; i < NL_ARRAY_SIZE(outside); i++)
		vmx_intercept_in(bitmaps, outside[i], true, true);
	for (unsigned i = 0; i < NL_ARRAY_SIZE(inside); i++) {
		uint8_t *r = bitmaps + inside[i].byte, *w = r + 2048;

		assert_memory_equal(bitmaps, none, sizeof(none));
		vmx_intercept_in(bitmaps, inside[i].index, true, false);
		assert_true(*r == inside[i].mask && *w == 0);
		vmx_intercept_in(bitmaps, inside[i].index, false, true);
		assert_true(*r == 0 && *w == inside[i].mask);
		vmx_intercept_in(bitmaps, inside[i].index, false, false);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_control_obeys_both_halves),
	        cmocka_unit_test(test_controls_of_haswell),
	        cmocka_unit_test(test_what_is_missing_is_refused),
	        cmocka_unit_test(test_vpid_is_optional),
	        cmocka_unit_test(test_fixed_bits),
	        cmocka_unit_test(test_rights),
	        cmocka_unit_test(test_eptp),
	        cmocka_unit_test(test_msr_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
