// SPDX-License-Identifier: Apache-2.0
// sources: hv/exits/exit.c hv/core/step.c
// libs: -no-pie -Wl,--unresolved-symbols=ignore-all
/*
 * The table of exits: who may make a hypercall, and what a guest gets that reaches for more than it has. Nothing below
 * is linked: what an exit must not come to, such as a call, ends the test.
 */
#include "host.h"
#include "apic.h"
#include "beside.h"
#include "commit/commit.h"
#include "commit/quiesce.h"
#include "commit/standing.h"
#include "core/cpu.h"
#include "core/panic.h"
#include "exits/config.h"
#include "exits/cpuid.h"
#include "exits/hypercall.h"
#include "exits/token.h"
#include "core/core.h"
#include "vendor.h"
#include "view/current.h"
#include "x86.h"
#undef skip /* cmocka has one, and so has a vendor */

enum { UD = 6, GP = 13 };

const struct nl_vendor *nl_vendor;
static struct nl_cpu cpu;
static struct nl_context guest;
static unsigned calls, skipped, written_back;
static int injected; /* vector, -1: none */
static enum nl_proof proof;

#define TOKEN 0x1122334455667788

/* A hook of the guest's kernel: where it stands, its question is answered. */
static unsigned told, further;
unsigned nl_commit_told(struct nl_cpu *c, const struct nl_context *ctx)
{
	assert_ptr_equal(c, &cpu);
	assert_int_equal(ctx->cpl, 0);
	told++;
	if (further)
		c->gprs.rax = 0x8002;
	return further;
}

static bool taken;
bool nl_hypercall(struct nl_cpu *c, const struct nl_context *ctx, enum nl_proof how)
{
	assert_ptr_equal(c, &cpu);
	assert_int_equal(ctx->cpl, 3);
	proof = how;
	calls++;
	return taken;
}

/* The bus behind the ports: nobody answers, and what is written is remembered. */
static struct {
	unsigned reads, writes, config;
	uint16_t port;
	uint32_t value;
} bus;

static uint32_t nobody(uint16_t p)
{
	bus.reads++;
	bus.port = p;
	return UINT32_MAX;
}

static void remember(uint16_t p, uint32_t v)
{
	bus.writes++;
	bus.port = p;
	bus.value = v;
}

uint8_t x86_inb(uint16_t p) { return (uint8_t)nobody(p); }
uint16_t x86_inw(uint16_t p) { return (uint16_t)nobody(p); }
uint32_t x86_inl(uint16_t p) { return nobody(p); }
void x86_outb(uint16_t p, uint8_t v) { remember(p, v); }
void x86_outw(uint16_t p, uint16_t v) { remember(p, v); }
void x86_outl(uint16_t p, uint32_t v) { remember(p, v); }

uint32_t nl_config_port(struct nl_cpu *c, uint16_t p, unsigned width, bool in, uint32_t value)
{
	assert_ptr_equal(c, &cpu);
	assert_true(width == 1 || width == 2 || width == 4);
	bus.config++;
	bus.port = p;
	bus.value = value;
	return in ? 0x12345678 & (uint32_t)(UINT64_MAX >> (64 - 8 * width)) : 0;
}

bool nl_config_store(struct nl_cpu *c, gpa_t gpa)
{
	assert_ptr_equal(c, &cpu);
	return gpa.v >> 28 == 0xb; /* where this machine has its configuration space */
}

void x86_wbinvd(void) { written_back++; }
bool x86_xsetbv_safe(uint32_t index, uint64_t value) { return index == 0 && value == 7; }

static void context(struct nl_cpu *c, struct nl_context *out) { (void)c, *out = guest; }
static void skip(struct nl_cpu *c, unsigned length) { (void)c, skipped += length; }
static void inject(struct nl_cpu *c, uint8_t vector, bool has_error, uint32_t error)
{
	(void)c;
	assert_true(has_error == (vector == GP) && !error);
	injected = vector;
}
static const struct nl_vendor vendor = {.name = "FAKE", .context = context, .skip = skip, .inject = inject};

static int setup(void **state)
{
	(void)state;
	memset(&cpu, 0, sizeof(cpu));
	guest = (struct nl_context){.cpl = 3, .long_mode = true};
	nl_boot.facts.policy.proofs = NL_PROOF_PORT | NL_PROOF_TOKEN;
	nl_vendor = &vendor;
	memset(&bus, 0, sizeof(bus));
	calls = skipped = written_back = 0;
	taken = true;
	injected = -1;
	return 0;
}

/* An access to a port as an exit; the low bytes of RAX afterwards. */
static uint64_t port(uint16_t number, uint8_t width, bool in, bool string, uint64_t rax)
{
	struct nl_exit e = {.cause = NL_CAUSE_IO, .length = 1, .io = {number, width, in, string}};

	cpu.gprs.rax = rax;
	hv_exit(&cpu, &e);
	return cpu.gprs.rax;
}

static void calls_come_from_user_mode_alone(void **state)
{
	(void)state;
	port(NL_CALL_PORT, 4, false, false, 0xffffffff00000000 | NL_CALL_MAGIC);
	assert_int_equal(calls, 1);
	assert_int_equal(skipped, 1);
	assert_int_equal(cpu.exits[NL_CAUSE_CALL], 1);
	for (guest.cpl = 0; guest.cpl < 3; guest.cpl++)
		port(NL_CALL_PORT, 4, false, false, NL_CALL_MAGIC);
	port(NL_CALL_PORT, 4, false, false, NL_CALL_MAGIC ^ 1);
	port(NL_CALL_PORT, 2, false, false, NL_CALL_MAGIC);
	port(NL_CALL_PORT, 1, false, false, NL_CALL_MAGIC);
	port(NL_CALL_PORT - 1, 4, false, false, NL_CALL_MAGIC);
	assert_int_equal(calls, 1);
	assert_int_equal(skipped, 8);
	assert_int_equal(cpu.exits[NL_CAUSE_IO], 7);
	assert_int_equal(bus.writes, 7); /* each is done as if nobody had looked */
	assert_int_equal(bus.port, NL_CALL_PORT - 1);
	assert_int_equal(bus.value, NL_CALL_MAGIC);
	assert_int_equal(injected, -1);
}

static unsigned spent;

bool nl_token_spend(struct nl_cpu *c, uint64_t token)
{
	assert_ptr_equal(c, &cpu);
	spent++;
	return token == TOKEN;
}

void x86_cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4]) { r[0] = leaf, r[1] = sub, r[2] = 3, r[3] = 4; }
uint32_t nl_cpuid_block(void) { return 0x40000000; }
void nl_cpuid_filter(uint32_t leaf, uint32_t sub, uint64_t cr4, uint32_t block, uint32_t r[4])
{
	(void)leaf, (void)sub, (void)cr4, (void)block;
	r[3] |= 0x10;
}

static void cpuid_with(uint64_t rax, uint64_t rdx)
{
	struct nl_exit e = {.cause = NL_CAUSE_CPUID, .length = 2};

	cpu.gprs = (struct nl_gprs){.rax = rax, .rbx = 0x5500000000000000, .rcx = 0x6600000000000009, .rdx = rdx};
	hv_exit(&cpu, &e);
}

static void a_token_makes_cpuid_a_call(void **state)
{
	(void)state;
	cpuid_with(0xaa00000000000000 | NL_CALL_MAGIC, TOKEN);
	assert_int_equal(calls, 1);
	assert_int_equal(proof, NL_PROOF_TOKEN);
	assert_int_equal(skipped, 2);
	assert_true(cpu.gprs.rdx == NL_TOKEN_TAKEN && cpu.gprs.rbx == 0x5500000000000000);
	spent = 0;
	cpuid_with(NL_CALL_MAGIC, TOKEN ^ 1); /* as any other leaf, in all registers */
	assert_true(cpu.gprs.rax == NL_CALL_MAGIC && cpu.gprs.rbx == 9 && cpu.gprs.rcx == 3 && cpu.gprs.rdx == 0x14);
	assert_int_equal(spent, 1);
	cpuid_with(NL_CALL_MAGIC + 1, TOKEN);
	for (guest.cpl = 0; guest.cpl < 3; guest.cpl++)
		cpuid_with(NL_CALL_MAGIC, TOKEN);
	assert_int_equal(spent, 1); /* no token is looked at, let alone spent */
	assert_int_equal(told, 1);  /* at CPL 0, and nobody answered: as any other leaf */
	assert_int_equal(calls, 1);
	assert_int_equal(skipped, 12);
	assert_int_equal(cpu.exits[NL_CAUSE_CALL], 1);
	assert_int_equal(injected, -1);
}

static void a_hook_is_answered_where_it_asks(void **state)
{
	(void)state;
	guest.cpl = 0;
	further = 17;
	cpuid_with(NL_CALL_MAGIC, TOKEN);
	further = 0;
	assert_true(cpu.gprs.rax == 0x8002 && cpu.gprs.rdx == TOKEN && cpu.gprs.rbx == 0x5500000000000000);
	assert_int_equal(skipped, 17);
	assert_int_equal(cpu.exits[NL_CAUSE_CALL], 1);
	assert_int_equal(calls, 0);
}

/* A policy that takes no port leaves an unused port. */
static void the_port_can_be_forbidden(void **state)
{
	(void)state;
	nl_boot.facts.policy.proofs = NL_PROOF_TOKEN;
	assert_int_equal(port(NL_CALL_PORT, 4, false, false, NL_CALL_MAGIC), NL_CALL_MAGIC);
	assert_int_equal(calls, 0);
	assert_int_equal(bus.writes, 1);
}

static void configuration_space_goes_through_its_gate(void **state)
{
	(void)state;
	assert_int_equal(port(NL_CONFIG_PORTS, 4, true, false, 0), 0x12345678);
	assert_int_equal(port(NL_CONFIG_PORTS + 7, 1, true, false, 0xaabb00), 0xaabb78);
	port(NL_CONFIG_PORTS - 3, 4, false, false, 1); /* its last byte is the gate's */
	assert_int_equal(bus.config, 3);
	assert_int_equal(cpu.exits[NL_CAUSE_CONFIG], 3);
	port(NL_CONFIG_PORTS + 8, 4, false, false, 1);
	port(NL_CONFIG_PORTS - 4, 4, false, false, 1);
	assert_int_equal(bus.config, 3);
	assert_int_equal(bus.reads, 0);
	assert_int_equal(bus.writes, 2);
	port(NL_CONFIG_PORTS + 4, 4, false, true, 1);
	assert_int_equal(injected, GP);
	assert_int_equal(bus.config, 3);
}

/* As where no device answers; a string instruction, whose memory would have to be walked, is refused. */
static void the_port_is_empty(void **state)
{
	(void)state;
	assert_int_equal(port(NL_CALL_PORT, 1, true, false, 0x1122334455667700), 0x11223344556677ff);
	assert_int_equal(port(NL_CALL_PORT, 2, true, false, 0x1122334455660000), 0x112233445566ffff);
	assert_int_equal(port(NL_CALL_PORT, 4, true, false, NL_CALL_MAGIC), 0xffffffff);
	assert_int_equal(calls, 0);
	assert_int_equal(bus.reads, 3);
	assert_int_equal(skipped, 3);
	port(NL_CALL_PORT, 4, false, true, NL_CALL_MAGIC);
	assert_int_equal(injected, GP);
	assert_int_equal(skipped, 3);
	assert_int_equal(calls, 0);
}

static void exit_of(struct nl_exit e)
{
	injected = -1;
	hv_exit(&cpu, &e);
}

static void instructions_that_are_not_there(void **state)
{
	(void)state;
	exit_of((struct nl_exit){.cause = NL_CAUSE_VIRT});
	assert_int_equal(injected, UD);
	assert_int_equal(cpu.exits[NL_CAUSE_VIRT], 1);
	exit_of((struct nl_exit){.cause = NL_CAUSE_INVD, .length = 2}); /* dirty lines of ours would be lost */
	assert_int_equal(written_back, 1);
	assert_int_equal(skipped, 2);
	assert_int_equal(injected, -1);
	cpu.gprs.rax = 7;
	exit_of((struct nl_exit){.cause = NL_CAUSE_XSETBV, .length = 3});
	assert_int_equal(skipped, 5);
	cpu.gprs.rcx = 1;
	exit_of((struct nl_exit){.cause = NL_CAUSE_XSETBV, .length = 3}); /* refused by the hardware */
	assert_int_equal(injected, GP);
	assert_int_equal(skipped, 5);
}

/* VMCALL or VMMCALL, of which the vendor knows the length: an order that is taken is stepped over. */
static void an_order_by_anybody(void **state)
{
	struct nl_exit e = {.cause = NL_CAUSE_VIRT, .length = 3};

	(void)state;
	cpu.gprs.rax = NL_CALL_MAGIC;
	exit_of(e);
	assert_int_equal(calls, 1);
	assert_int_equal(proof, NL_PROOF_NONE);
	assert_int_equal(skipped, 3);
	assert_int_equal(injected, -1);
	taken = false;
	exit_of(e);
	assert_int_equal(calls, 2);
	assert_int_equal(injected, UD);
	taken = true;
	for (guest.cpl = 0; guest.cpl < 3; guest.cpl++) {
		exit_of(e);
		assert_int_equal(injected, UD);
	}
	cpu.gprs.rax = NL_CALL_MAGIC | 1ULL << 32;
	exit_of(e);
	assert_int_equal(injected, UD);
	cpu.gprs.rax = NL_CALL_MAGIC;
	e.length = 0; /* another instruction of those */
	exit_of(e);
	assert_int_equal(injected, UD);
	assert_int_equal(calls, 2);
	assert_int_equal(skipped, 3);
}

static void memory_that_is_not_there(void **state)
{
	(void)state;
	exit_of((struct nl_exit){.cause = NL_CAUSE_NPF, .npf = {.gpa = GPA(1ULL << 40), .write = true}});
	assert_int_equal(injected, GP);
	assert_int_equal(skipped, 0);
	assert_int_equal(cpu.exits[NL_CAUSE_NPF], 1);
	exit_of((struct nl_exit){.cause = NL_CAUSE_NPF, .npf = {.gpa = GPA(0xb0000060), .write = true}});
	assert_int_equal(injected, -1); /* the gate has done it, or refused it */
	assert_int_equal(cpu.exits[NL_CAUSE_NPF], 1);
	exit_of((struct nl_exit){.cause = NL_CAUSE_NPF, .npf = {.gpa = GPA(0xb0000060), .read = true}});
	assert_int_equal(injected, GP);
}

static void an_exit_without_a_name_stops_the_machine(void **state)
{
	(void)state;
	expect_panic(exit_of((struct nl_exit){.cause = NL_CAUSE_OTHER}));
}

/* On the way into the guest. */
static struct nl_view view;
static unsigned delivered;
uint64_t nl_own_due = UINT64_MAX;
void nl_panic_stop(void) {}
bool nl_cpu_is_running(const struct nl_cpu *c) { return c == &cpu; }
bool nl_quiesce_pending(void) { return false; }
bool nl_standing_holds(void) { return false; }
const struct nl_view *nl_current_view(void) { return &view; }
static void hold(struct nl_cpu *c, bool programs) { (void)c, (void)programs; }
void apic_deliver_init(struct nl_cpu *c)
{
	delivered += c->init_pending;
	c->init_pending = 0;
}

static void ended_by_an_init(struct nl_cpu *c) { c->init_pending = 1; }

/* Whoever works beside the guest is ended by an INIT: the guest does not run with it pending. */
static void an_init_ends_who_works_beside(void **state)
{
	static const struct nl_vendor holds = {.hold = hold};

	(void)state;
	nl_vendor = &holds;
	nl_beside.turn = ended_by_an_init;
	hv_before_entry(&cpu);
	assert_int_equal(delivered, 1);
	nl_beside.turn = NULL;
	hv_before_entry(&cpu);
	assert_int_equal(delivered, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(calls_come_from_user_mode_alone, setup),
	        cmocka_unit_test_setup(a_token_makes_cpuid_a_call, setup),
	        cmocka_unit_test_setup(a_hook_is_answered_where_it_asks, setup),
	        cmocka_unit_test_setup(the_port_can_be_forbidden, setup),
	        cmocka_unit_test_setup(configuration_space_goes_through_its_gate, setup),
	        cmocka_unit_test_setup(the_port_is_empty, setup),
	        cmocka_unit_test_setup(instructions_that_are_not_there, setup),
	        cmocka_unit_test_setup(an_order_by_anybody, setup),
	        cmocka_unit_test_setup(memory_that_is_not_there, setup),
	        cmocka_unit_test_setup(an_init_ends_who_works_beside, setup),
	        cmocka_unit_test_setup(an_exit_without_a_name_stops_the_machine, setup),
	};

	return cmocka_run_group_tests_name("exit", tests, NULL, NULL);
}
