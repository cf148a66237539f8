// SPDX-License-Identifier: Apache-2.0
// sources: arch/x86_64/svm/cell.c hv/view/npt.c
/*
 * A cell on SVM: the VMCB that VMRUN finds, in which order state is switched, and what each exit is to the caller. That
 * hardware does with it what it should is for the test kernel (tests/guest/test_cell.c).
 */
#include "host.h"
#include "../../arch/x86_64/include/host.h"
#include "cell_ops.h"
#include "core/pool.h"
#include "svm.h"
#include "view/npt.h"
#include <svm_insn.h>
#include "x86.h"

struct nl_cpu *nl_cpus[NL_MAX_CPUS];
const struct nl_vendor *nl_vendor;
static struct nl_cpu cpu;
static struct svm_cpu svm;
static struct vmcb guest, found; /* the guest's; and the cell's as VMRUN finds it */
static struct vmcb control __attribute__((aligned(4096)));
static uint8_t more[4 * NL_PAGE_SIZE] __attribute__((aligned(4096)));
static struct nl_cell cell;
static char events[64]; /* s, l: VMSAVE, VMLOAD of the guest's; L: VMLOAD of the cell's; r: VMRUN; o: GIF is opened */
static uint32_t asids, features;
static uint64_t cr4, mcg_status;
static bool has_reset;
static void (*hardware)(struct vmcb *v); /* what the cell does */

static struct nl_npt_format format;
static const struct nl_npt_format *format_of_machine(void) { return &format; }
static const struct nl_vendor vendor = {.format = format_of_machine};

hpa_t nl_pool_hpa(const void *va) { return HPA((uintptr_t)va); }
void x86_cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	(void)sub;
	memset(r, 0, 16);
	r[EAX] = 0x8000000a;
	if (leaf == 0x8000000a)
		r[EBX] = asids, r[EDX] = features;
}
uint64_t x86_read_cr4(void) { return cr4; }
uint64_t x86_rdmsr(uint32_t index)
{
	assert_int_equal(index, MSR_MCG_STATUS);
	return mcg_status;
}
void insn_vmsave(uint64_t pa)
{
	assert_int_equal(pa, (uintptr_t)&guest);
	strcat(events, "s");
}
void insn_vmload(uint64_t pa)
{
	assert_true(pa == (uintptr_t)&guest || pa == (uintptr_t)&control);
	strcat(events, pa == (uintptr_t)&guest ? "l" : "L");
}
void svm_open(struct nl_cpu *c, void (*with)(void))
{
	assert_true(c == &cpu && !with);
	strcat(events, "o");
}
void nl_platform_reset(const char *why)
{
	(void)why;
	has_reset = true;
	longjmp(*(jmp_buf *)cpu.stack_top, 1);
}
void svm_enter(struct nl_gprs *gprs, uint64_t pa)
{
	assert_ptr_equal(gprs, &cell.gprs);
	assert_int_equal(pa, (uintptr_t)&control);
	strcat(events, "r");
	found = control;
	control.exit_int_info = control.next_rip = 0;
	hardware(&control);
}

static void calls(struct vmcb *v)
{
	v->exit_code = EXIT_VMMCALL;
	v->rip = 0x400200;
	v->rsp -= 8;
	v->rax = 7;
	v->rflags = 0x246;
	cell.gprs.rdi = 99;
}

static int setup(void **state)
{
	(void)state;
	memset(&cell, 0, sizeof(cell));
	memset(&control, 0, sizeof(control));
	memset(more, 0, sizeof(more));
	memset(&guest, 0, sizeof(guest));
	cpu = (struct nl_cpu){.index = 1, .vendor = &svm};
	svm.vmcb = &guest;
	asids = 8;
	features = 1u << 6;
	cr4 = CR4_PAE;
	mcg_status = MCG_RIPV;
	format = nl_npt_format_npt(true, 48);
	nl_vendor = &vendor;
	cell = (struct nl_cell){.gprs = {.rax = 1, .rdi = 2, .rsp = 0x40c000},
	                        .rip = 0x400040,
	                        .rflags = 2,
	                        .on = NL_CELL_NOWHERE,
	                        .root = HPA(0x71000),
	                        .cr3 = GPA(0x480000),
	                        .control = &control,
	                        .more = more};
	hardware = calls;
	events[0] = 0;
	assert_int_equal(nl_cell_svm.init(&cell), NL_OK);
	return 0;
}

static enum nl_cell_end run(void) { return nl_cell_svm.run(&cpu, &cell, 1000); }

static void everything_exits(void **state)
{
	(void)state;
	assert_int_equal(run(), NL_CELL_CALL);
	for (unsigned i = 0; i < 12; i++) /* CRs, DRs, exceptions */
		assert_int_equal(found.page[i], 0xff);
	assert_int_equal(found.intercept1, ~(1u << 2)); /* SMI */
	assert_int_equal(found.intercept2, 0x7fff);
	assert_true(found.iopm == (uintptr_t)more && found.msrpm == (uintptr_t)more);
	for (unsigned i = 0; i < 3 * NL_PAGE_SIZE; i++)
		assert_int_equal(more[i], 0xff);
}

static void its_state(void **state)
{
	static const struct nl_segment none = {0};

	(void)state;
	run();
	assert_int_equal(found.asid, 2);
	assert_int_equal(found.nested_control, 1);
	assert_int_equal(found.nested_cr3, 0x71000);
	assert_int_equal(found.cr3, 0x480000);
	assert_int_equal(found.cr0, 0x8001003f); /* PG, WP, NE, ET, TS, EM, MP, PE */
	assert_int_equal(found.cr4, 0x64);       /* MCE, PAE, TSD */
	assert_int_equal(found.efer, 0x1d00);    /* SVME, NXE, LMA, LME */
	assert_int_equal(found.dr6, 0xffff0ff0);
	assert_int_equal(found.dr7, 0x400);
	assert_int_equal(found.g_pat & 7, 6);
	assert_int_equal(found.cpl, 3);
	assert_int_equal(found.segments[NL_CS].attributes, 0xafb);
	for (unsigned i = NL_ES; i <= NL_DS; i++)
		if (i != NL_CS)
			assert_int_equal(found.segments[i].attributes, 0xcf3);
	for (unsigned i = NL_FS; i <= NL_TR; i++) /* limits of the descriptor tables in them */
		assert_memory_equal(&found.segments[i], &none, sizeof(none));
	assert_true(nl_is_zero(found.msrs, sizeof(found.msrs)));
	assert_true(found.event_injection == 0 && found.interrupt_shadow == 0 && found.cr2 == 0);
	assert_true(nl_is_zero(found.page + 0x60, 8)); /* no virtual interrupt, and no V_INTR_MASKING: IF says */
	assert_true(found.rax == 1 && found.rsp == 0x40c000 && found.rip == 0x400040 && found.rflags == 2);
	/* and back */
	assert_true(cell.gprs.rax == 7 && cell.gprs.rsp == 0x40bff8 && cell.gprs.rdi == 99);
	assert_true(cell.rip == 0x400203 && cell.rflags == 0x246);
}

static void the_guests_state(void **state)
{
	(void)state;
	run();
	assert_string_equal(events, "sLrl");
	assert_true(nl_is_zero(&guest, sizeof(guest))); /* only VMSAVE writes to it */
}

static void goes_on(struct vmcb *v)
{
	calls(v);
	v->next_rip = 0x400205;
	v->segments[NL_DS].attributes = 0;
}

/* Built when it starts and on each other CPU, with a flush; as it was where it was before. */
static void from_cpu_to_cpu(void **state)
{
	(void)state;
	hardware = goes_on;
	run();
	assert_int_equal(found.tlb_control, TLB_FLUSH_ASID);
	assert_int_equal(cell.rip, 0x400205);
	assert_int_equal(cell.on, 1);
	control.interrupt_shadow = 1;
	control.efer &= ~EFER_SVME; /* by SMM code */
	run();
	assert_int_equal(found.tlb_control, TLB_NOTHING);
	assert_int_equal(found.segments[NL_DS].attributes, 0);
	assert_int_equal(found.interrupt_shadow, 0);
	assert_int_equal(found.efer, 0x1d00);
	assert_int_equal(found.rip, 0x400205);
	cpu.index = 0;
	features = 0;
	run();
	assert_int_equal(found.tlb_control, TLB_FLUSH_ALL);
	assert_int_equal(found.segments[NL_DS].attributes, 0xcf3);
	cell.on = NL_CELL_NOWHERE; /* started anew */
	run();
	assert_int_equal(found.tlb_control, TLB_FLUSH_ALL);
}

static void five_levels(void **state)
{
	uint64_t *top = (uint64_t *)(more + 3 * NL_PAGE_SIZE);

	(void)state;
	cr4 |= CR4_LA57;
	run();
	assert_int_equal(found.nested_cr3, (uintptr_t)top);
	assert_int_equal(top[0], 0x71000 | format.table);
	assert_true(nl_is_zero(top + 1, NL_PAGE_SIZE - 8));
}

static void too_few_asids(void **state)
{
	(void)state;
	asids = 2;
	assert_int_equal(nl_cell_svm.init(&cell), NL_EUNSUPPORTED);
	asids = 3;
	assert_int_equal(nl_cell_svm.init(&cell), NL_OK);
}

static uint64_t code;

static void exits(struct vmcb *v)
{
	v->exit_code = code;
	v->exit_info1 = 0x11;
	v->exit_info2 = 0x22;
	v->rip = 0x400100;
}

static enum nl_cell_end by(uint64_t exit_code)
{
	hardware = exits;
	code = exit_code;
	return run();
}

static void ends(void **state)
{
	static const uint64_t bad[] = {EXIT_CPUID,         EXIT_MSR,   EXIT_IO,       EXIT_NPF,  EXIT_EXCEPTION + 6,
	                               EXIT_EXCEPTION + 1, EXIT_VMRUN, EXIT_SHUTDOWN, EXIT_INTR, 0x78,
	                               ~(uint64_t)0};

	(void)state;
	for (unsigned i = 0; i < NL_ARRAY_SIZE(bad); i++) {
		assert_int_equal(by(bad[i]), NL_CELL_FAULT);
		assert_true(cell.fault.code == bad[i] && cell.fault.info1 == 0x11 && cell.fault.info2 == 0x22);
		assert_int_equal(cell.rip, 0x400100);
	}
}

/* Behind its exit an NMI is pending still: not taken, it makes the next VMRUN exit before its first instruction. */
static void left_by_an_nmi(void **state)
{
	(void)state;
	assert_int_equal(by(EXIT_NMI), NL_CELL_LEFT);
	assert_string_equal(events, "sLrlo");
	assert_int_equal(cpu.exits[NL_CAUSE_NMI], 1);
	assert_int_equal(cell.rip, 0x400100);
}

static void machine_checks(void **state)
{
	(void)state;
	assert_int_equal(by(EXIT_EXCEPTION + 18), NL_CELL_LEFT);
	assert_true(cpu.mc_pending);
	cpu.mc_pending = false;
	mcg_status = 0;
	assert_int_equal(by(EXIT_EXCEPTION + 18), NL_CELL_FAULT);
	assert_true(cpu.mc_pending);
}

static void init_resets(void **state)
{
	static const uint64_t codes[] = {EXIT_INIT, EXIT_EXCEPTION + 30};
	jmp_buf here;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		has_reset = false;
		cpu.stack_top = &here;
		if (!setjmp(here))
			by(codes[i]);
		assert_true(has_reset);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
	        T(everything_exits), T(its_state), T(the_guests_state), T(from_cpu_to_cpu), T(five_levels),
	        T(too_few_asids),    T(ends),      T(left_by_an_nmi),   T(machine_checks),  T(init_resets),
	};

	return cmocka_run_group_tests_name("cell_svm", tests, NULL, NULL);
}
