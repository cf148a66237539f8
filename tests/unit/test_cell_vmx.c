// SPDX-License-Identifier: Apache-2.0
// sources: arch/x86_64/vmx/cell.c arch/x86_64/vmx/caps.c
/*
 * A cell on VMX: the VMCS that VMLAUNCH finds, that it is clear and the guest's current again behind each run, and what
 * each exit is to the caller. That hardware does with it what it should is for the test kernel (tests/guest/
 * test_cell.c).
 */
#include "host.h"
#include "../../arch/x86_64/include/host.h"
#include "beside.h"
#include "cell_ops.h"
#include "core/cpu.h"
#include "core/pool.h"
#include "vmx.h"
#include <vmx_insn.h>
#include "x86.h"

bool vmx_cell_enter(struct nl_gprs *gprs, const uint32_t *nmis);
void vmx_cell_exit(void);

struct nl_cpu *nl_cpus[NL_MAX_CPUS];
const struct nl_vendor *nl_vendor;
struct vmx_machine vmx;
struct nl_beside nl_beside; /* nobody works beside the guest here */
static struct nl_cpu cpu;
static struct vmx_cpu v;
static uint8_t guest[NL_PAGE_SIZE], control[NL_PAGE_SIZE] __attribute__((aligned(4096)));
static struct nl_cell cell;
static uint64_t vmcs[0x7000], found[0x7000]; /* the cell's; and as VMLAUNCH found it */
static bool written[0x7000], initialised;
static uint64_t current;
static char events[64]; /* c: VMCLEAR, p: VMPTRLD of the cell's, g: of the guest's; e: entered; i: INVEPT; n, N: NMIs */
static bool enters;
static uint64_t mcg_status;
static void (*hardware)(void);

hpa_t nl_pool_hpa(const void *va) { return HPA((uintptr_t)va); }
static uint64_t *field(enum vmx_field f)
{
	assert_int_equal(current, (uintptr_t)control); /* never the guest's */
	return &vmcs[f];
}
uint64_t vmx_read(enum vmx_field f) { return *field(f); }
void vmx_write(enum vmx_field f, uint64_t value)
{
	*field(f) = value;
	written[f] = true;
}
void vmx_write_host_state(struct nl_cpu *c)
{
	assert_ptr_equal(c, &cpu);
	vmx_write(HOST_RIP, 0x1234);
	vmx_write(HOST_CR3, 0x5678);
}
bool insn_vmclear(uint64_t pa)
{
	assert_int_equal(pa, (uintptr_t)control);
	assert_int_equal(*(uint32_t *)control, 0x1234567);
	current = 0;
	initialised = true;
	strcat(events, "c");
	return true;
}
bool insn_vmptrld(uint64_t pa)
{
	assert_true(pa == (uintptr_t)guest || (pa == (uintptr_t)control && initialised));
	current = pa;
	strcat(events, pa == (uintptr_t)guest ? "g" : "p");
	return true;
}
bool insn_invept(uint64_t type, uint64_t eptp)
{
	assert_true(type == 1 && eptp == vmx_eptp(HPA(0x71000)));
	strcat(events, "i");
	return true;
}
void vmx_nmi_exit(struct nl_cpu *c)
{
	assert_true(c == &cpu && current == (uintptr_t)control);
	strcat(events, "N");
}
void vmx_nmi_in_root(struct nl_cpu *c)
{
	c->nmis = 0;
	strcat(events, "n");
}
uint64_t x86_rdmsr(uint32_t index)
{
	assert_int_equal(index, MSR_MCG_STATUS);
	return mcg_status;
}
void host_machine_check(struct nl_cpu *c, const char *where, uint64_t ip)
{
	(void)where, (void)ip, c->mc_pending = true;
}
bool nl_cpu_post_init(struct nl_cpu *c) { return c->init_pending = 1, true; }
void vmx_cell_exit(void) {}
bool vmx_cell_enter(struct nl_gprs *gprs, const uint32_t *nmis)
{
	assert_true(gprs == &cell.gprs && nmis == &cpu.nmis && current == (uintptr_t)control);
	if (!enters)
		return false;
	strcat(events, "e");
	memcpy(found, vmcs, sizeof(found));
	hardware();
	return true;
}

static void calls(void)
{
	vmcs[EXIT_REASON] = REASON_VMCALL;
	vmcs[EXIT_INSTRUCTION_LENGTH] = 3;
	vmcs[GUEST_RIP] = 0x400200;
	vmcs[GUEST_RSP] -= 8;
	vmcs[GUEST_RFLAGS] = 0x246;
}

static int setup(void **state)
{
	(void)state;
	memset(vmcs, 0xa5, sizeof(vmcs)); /* what nobody has written is anything */
	memset(written, 0, sizeof(written));
	memset(control, 0, sizeof(control));
	cpu = (struct nl_cpu){.index = 1, .vendor = &v};
	v = (struct vmx_cpu){.cpu = &cpu, .vmcs = guest};
	vmx.msrs = (struct vmx_msrs){.basic = 0x1234567,
	                             .misc = 5,
	                             .cr0_fixed0 = 0x80000021,
	                             .cr0_fixed1 = UINT32_MAX,
	                             .cr4_fixed0 = 0x2000,
	                             .cr4_fixed1 = 0x7fffff,
	                             .pin = 0xffffffff00000016,
	                             .proc = 0xffffffff04006172,
	                             .secondary = 0xffffffff00000000};
	vmx.controls = (struct vmx_controls){.exit = 0x3c0204, .entry = 0xc004, .vpid = true};
	cell = (struct nl_cell){.gprs = {.rax = 1, .rdi = 2, .rsp = 0x40c000},
	                        .rip = 0x400040,
	                        .rflags = 2,
	                        .on = NL_CELL_NOWHERE,
	                        .root = HPA(0x71000),
	                        .cr3 = GPA(0x480000),
	                        .control = control};
	hardware = calls;
	enters = true;
	initialised = false;
	mcg_status = MCG_RIPV;
	events[0] = 0;
	assert_int_equal(nl_cell_vmx.init(&cell), NL_OK);
	current = (uintptr_t)guest;
	events[0] = 0;
	return 0;
}

static enum nl_cell_end run(uint64_t ticks) { return nl_cell_vmx.run(&cpu, &cell, ticks); }

static void everything_exits(void **state)
{
	(void)state;
	assert_int_equal(run(1000), NL_CELL_CALL);
	assert_int_equal(found[EXCEPTION_BITMAP], UINT32_MAX);
	assert_true(found[PF_ERROR_MASK] == 0 && found[PF_ERROR_MATCH] == 0);
	assert_int_equal(found[PIN_CONTROLS], 0x16 | 1 << 3 | 1 << 5 | 1 << 6); /* not: external interrupts */
	/* HLT, INVLPG, MWAIT, RDPMC, RDTSC, CR3, CR8, MOV DR, ports, MONITOR, PAUSE; no bitmap of ports or MSRs */
	assert_int_equal(found[PROC_CONTROLS], 0x04006172 | 0x80 | 7 << 9 | 1 << 12 | 3 << 15 | 3 << 19 | 1 << 23 |
	                                               1 << 24 | 3u << 29 | 1u << 31);
	assert_int_equal(found[SECONDARY_CONTROLS], 1 << 1 | 1 << 2 | 1 << 5 | 1 << 6);
	for (unsigned i = EXIT_MSR_STORE_COUNT; i <= EXIT_MSR_LOAD_COUNT; i += 2)
		assert_int_equal(found[i], 0);
	assert_int_equal(found[ENTRY_MSR_LOAD_COUNT], 0);
}

static void its_state(void **state)
{
	static const uint16_t zero[] = {ENTRY_EVENT,       GUEST_GDTR_LIMIT,       GUEST_IDTR_LIMIT,    GUEST_DEBUGCTL,
	                                GUEST_SYSENTER_CS, GUEST_INTERRUPTIBILITY, GUEST_PENDING_DEBUG, GUEST_ACTIVITY,
	                                GUEST_FS_BASE,     GUEST_GS_BASE,          CR3_TARGET_COUNT};

	(void)state;
	run(1000);
	assert_int_equal(found[VPID], 2);
	assert_int_equal(found[EPTP], vmx_eptp(HPA(0x71000)));
	assert_int_equal(found[VMCS_LINK], UINT64_MAX);
	assert_int_equal(found[GUEST_CR3], 0x480000);
	assert_int_equal(found[GUEST_CR0], 0x8001003f); /* PG, WP, NE, ET, TS, EM, MP, PE */
	assert_int_equal(found[GUEST_CR4], 0x2064);     /* VMXE, MCE, PAE, TSD */
	assert_int_equal(found[GUEST_EFER], 0xd00);     /* NXE, LMA, LME */
	assert_int_equal(found[ENTRY_CONTROLS], 0xc204);
	assert_int_equal(found[EXIT_CONTROLS], 0x3c0204);
	assert_int_equal(found[GUEST_DR7], 0x400);
	assert_int_equal(found[GUEST_PAT] & 7, 6);
	assert_int_equal(found[GUEST_CS_RIGHTS], 0xa0fb);
	assert_int_equal(found[GUEST_SS_RIGHTS], 0xc0f3);
	assert_int_equal(found[GUEST_TR_RIGHTS], 0x8b);
	assert_int_equal(found[GUEST_TR_LIMIT], 0x67);
	for (unsigned i = 0; i <= 12; i += 2)
		if (i != 2 && i != 4)
			assert_int_equal(found[GUEST_ES_RIGHTS + i], RIGHTS_UNUSABLE);
	for (unsigned i = 0; i < NL_ARRAY_SIZE(zero); i++)
		if (found[zero[i]])
			fail_msg("field %x is %lx", zero[i], found[zero[i]]);
	assert_int_equal(found[HOST_RIP], (uintptr_t)vmx_cell_exit);
	assert_int_equal(found[HOST_CR3], 0x5678);
	assert_true(found[GUEST_RSP] == 0x40c000 && found[GUEST_RIP] == 0x400040 && found[GUEST_RFLAGS] == 2);
	/* and back */
	assert_true(cell.gprs.rsp == 0x40bff8 && cell.rip == 0x400203 && cell.rflags == 0x246);
}

/* But for what an exit writes, and what is off, nothing is left as it was. */
static void nothing_by_chance(void **state)
{
	static const uint16_t may[] = {IO_BITMAP_A,     IO_BITMAP_B,       MSR_BITMAP,
	                               EXIT_MSR_STORE,  EXIT_MSR_LOAD,     ENTRY_MSR_LOAD,
	                               XSS_EXIT_BITMAP, ENTRY_EVENT_ERROR, ENTRY_INSTRUCTION_LENGTH};
	static const uint16_t all[] = {
#define FIELD(name, encoding) encoding,
	        VMX_FIELDS(FIELD)
#undef FIELD
	};

	(void)state;
	run(1000);
	for (unsigned i = 0; i < NL_ARRAY_SIZE(all); i++) {
		bool fine = written[all[i]] || (all[i] >> 10 & 3) == 1 || (all[i] >= 0x0c00 && all[i] < 0x0d00) ||
		            (all[i] >> 10 & 3) == 3; /* of exits; of the host, which vmcs.c writes */

		for (unsigned k = 0; k < NL_ARRAY_SIZE(may); k++)
			fine |= may[k] == all[i];
		if (!fine)
			fail_msg("field %x is not written", all[i]);
	}
}

static void current_and_clear(void **state)
{
	(void)state;
	run(1000);
	assert_string_equal(events, "piecg");
	assert_int_equal(current, (uintptr_t)guest);
	events[0] = 0;
	vmcs[GUEST_DS_RIGHTS] = 0xc0f3;
	run(1000);
	assert_string_equal(events, "pecg");
	assert_int_equal(found[GUEST_DS_RIGHTS], 0xc0f3);
	assert_int_equal(found[GUEST_RIP], 0x400203);
	events[0] = 0;
	cpu.index = 0;
	run(1000);
	assert_string_equal(events, "piecg");
	assert_int_equal(found[GUEST_DS_RIGHTS], RIGHTS_UNUSABLE);
	events[0] = 0;
	cell.on = NL_CELL_NOWHERE; /* started anew */
	run(1000);
	assert_string_equal(events, "piecg");
}

static void over(void)
{
	vmcs[EXIT_REASON] = 52;
	vmcs[GUEST_RIP] = 0x400077;
}

static void bound(void **state)
{
	(void)state;
	hardware = over;
	assert_int_equal(run(3200), NL_CELL_TIME);
	assert_int_equal(found[0x482e], 100); /* it counts each 32nd tick */
	assert_int_equal(cell.rip, 0x400077);
	assert_int_equal(run(UINT64_MAX), NL_CELL_TIME);
	assert_int_equal(found[0x482e], UINT32_MAX);
}

static void not_able(void **state)
{
	(void)state;
	vmx.msrs.pin &= ~(1ULL << (32 + 6)); /* no timer: nothing would bound it */
	assert_int_equal(nl_cell_vmx.init(&cell), NL_EUNSUPPORTED);
	setup(state);
	vmx.msrs.proc &= ~(1ULL << (32 + 12)); /* RDTSC is not to be had at CPL 3 anyhow, but everything exits */
	assert_int_equal(nl_cell_vmx.init(&cell), NL_EUNSUPPORTED);
	setup(state);
	vmx.msrs.proc &= ~(1ULL << (32 + 30)); /* PAUSE may do nothing */
	assert_int_equal(nl_cell_vmx.init(&cell), NL_OK);
}

static uint32_t reason, event;

static void exits(void)
{
	vmcs[EXIT_REASON] = reason;
	vmcs[EXIT_EVENT] = event;
	vmcs[EXIT_QUALIFICATION] = 0x11;
	vmcs[GUEST_LINEAR_ADDRESS] = 0x22;
	vmcs[GUEST_RIP] = 0x400100;
}

static enum nl_cell_end by(uint32_t exit_reason, uint32_t what)
{
	reason = exit_reason;
	event = what;
	hardware = exits;
	return run(1000);
}

static void ends(void **state)
{
	static const uint16_t bad[] = {
	        REASON_CPUID,         REASON_TRIPLE, REASON_IO, REASON_RDMSR, REASON_CR, 12 /* HLT */, 16 /* RDTSC */,
	        REASON_EPT_VIOLATION, REASON_VMXON,  33};

	(void)state;
	for (unsigned i = 0; i < NL_ARRAY_SIZE(bad); i++) {
		assert_int_equal(by(bad[i], 0), NL_CELL_FAULT);
		assert_true(cell.fault.code == bad[i] && cell.fault.info1 == 0x11 && cell.fault.info2 == 0x22);
		assert_int_equal(cell.rip, 0x400100);
	}
	assert_int_equal(by(REASON_EXCEPTION_NMI, 0x80000306), NL_CELL_FAULT);
	assert_true(cell.fault.code == 0 && cell.fault.info1 == 0x80000306 && cell.fault.info2 == 0x11);
	assert_int_equal(by(REASON_EXCEPTION_NMI, 0x80000603), NL_CELL_FAULT); /* INT3 */
	assert_int_equal(by(REASON_ENTRY_FAILED | 33, 0), NL_CELL_FAULT);
	assert_int_equal(cell.fault.code, REASON_ENTRY_FAILED | 33);
}

static void left(void **state)
{
	(void)state;
	assert_int_equal(by(REASON_EXCEPTION_NMI, 2 | EVENT_NMI | EVENT_VALID), NL_CELL_LEFT);
	assert_string_equal(events, "pieNcg");
	assert_int_equal(cpu.exits[NL_CAUSE_NMI], 1);
	assert_int_equal(cell.rip, 0x400100);
	assert_int_equal(by(REASON_INIT, 0), NL_CELL_LEFT);
	assert_true(cpu.init_pending && cpu.exits[NL_CAUSE_INIT] == 1);
	assert_int_equal(by(REASON_EXCEPTION_NMI, 0x80000312), NL_CELL_LEFT);
	assert_true(cpu.mc_pending);
	cpu.mc_pending = false;
	mcg_status = 0;
	assert_int_equal(by(REASON_EXCEPTION_NMI, 0x80000312), NL_CELL_FAULT);
	assert_true(cpu.mc_pending);
	cpu.mc_pending = false;
	assert_int_equal(by(REASON_ENTRY_FAILED | REASON_MACHINE_CHECK, 0), NL_CELL_LEFT);
	assert_true(cpu.mc_pending);
}

/* An NMI came before anything of it was executed. */
static void not_entered(void **state)
{
	(void)state;
	enters = false;
	cpu.nmis = 1;
	assert_int_equal(run(1000), NL_CELL_LEFT);
	assert_string_equal(events, "pincg");
	assert_int_equal(cpu.nmis, 0);
	assert_true(cell.rip == 0x400040 && cell.gprs.rsp == 0x40c000);
	expect_panic(run(1000)); /* and with none it is our defect */
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
	        T(everything_exits),
	        T(its_state),
	        T(nothing_by_chance),
	        T(current_and_clear),
	        T(bound),
	        T(not_able),
	        T(ends),
	        T(left),
	        T(not_entered),
	};

	return cmocka_run_group_tests_name("cell_vmx", tests, NULL, NULL);
}
