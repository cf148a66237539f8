// SPDX-License-Identifier: Apache-2.0
// sources: arch/x86_64/apic.c hv/core/cpu.c hv/core/clock.c
/*
 * What a guest sends through the interrupt command register, and the life of CPUs that follows: INIT, SIPI and NMI
 * reach CPUs of ours alone, by every way of addressing, on a vendor where they are exits and on one where they are not;
 * and the meeting at which all CPUs are taken or none.
 */
#include "host.h"
#include "../../arch/x86_64/include/host.h"
#include "apic.h"
#include "core/cpu.h"
#include "x86.h"
#include <insn.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SMI = 2, NMI = 4, INIT = 5, SIPI = 6, CPUS = 4 };
#define ASSERT_LEVEL (1u << 14)
#define TO(id, mode, vector) ((uint64_t)(id) << 32 | ASSERT_LEVEL | (mode) << 8 | (vector))
#define OTHERS (3u << 18)

static struct nl_cpu cpus[CPUS];
struct nl_cpu *nl_cpus[NL_MAX_CPUS];
unsigned nl_n_cpus;
const struct nl_vendor *nl_vendor;
static unsigned kicks[CPUS], started[CPUS];
static uint64_t sent[8]; /* what reached the hardware */
static unsigned n_sent;
static char go;

uint64_t x86_rdmsr(uint32_t index) { return index == MSR_APIC_BASE ? APIC_DEFAULT_BASE | 0xc00 : 0; }
void x86_wrmsr(uint32_t index, uint64_t v)
{
	assert_int_equal(index, MSR_X2APIC_ICR);
	assert_true(n_sent < NL_ARRAY_SIZE(sent));
	sent[n_sent++] = v;
}
bool x86_wrmsr_safe(uint32_t index, uint64_t v) { return (void)v, index != MSR_X2APIC_ICR; }
void x86_cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4]) { (void)leaf, (void)sub, memset(r, 0, 16); }
void x86_clear_dr0_3(void) {}
void nl_platform_reset(const char *why)
{
	print_error("%s\n", why);
	abort();
}

static void kick(struct nl_cpu *c) { kicks[c->index]++; }
static void launch_state(struct nl_cpu *c, const struct nl_launch_state *s)
{
	assert_int_equal(s->segments[NL_CS].base, 0x9a000);
	started[c->index]++;
}
static bool get_msr(struct nl_cpu *c, uint32_t index, uint64_t *v) { return (void)c, (void)index, *v = 0, true; }
static void wait_for_sipi(struct nl_cpu *c) { (void)c; }
static void context(struct nl_cpu *c, struct nl_context *out) { (void)c, memset(out, 0, sizeof(*out)); }

#define VENDOR(exits) \
	{ \
		.kick = kick, .launch_state = launch_state, .get_msr = get_msr, .wait_for_sipi = wait_for_sipi, \
		.context = context, .init_exits = (exits) \
	}
static const struct nl_vendor exiting = VENDOR(true), caught = VENDOR(false);

static void begin(const struct nl_vendor *vendor)
{
	nl_vendor = vendor;
	nl_n_cpus = CPUS;
	memset(cpus, 0, sizeof(cpus));
	memset(kicks, 0, sizeof(kicks));
	memset(started, 0, sizeof(started));
	n_sent = 0;
	for (unsigned i = 0; i < CPUS; i++) {
		cpus[i].index = i;
		cpus[i].apic_id = 2 * i; /* the odd ones are not ours */
		nl_cpus[i] = &cpus[i];
		nl_cpu_runs(&cpus[i]);
	}
}

static void nothing_reaches_a_cpu_that_is_not_ours(void **state)
{
	static const unsigned modes[] = {NMI, INIT, SIPI};

	(void)state;
	for (unsigned v = 0; v < 2; v++)
		for (size_t m = 0; m < NL_ARRAY_SIZE(modes); m++) {
			uint32_t before = nl_counts.ipis_refused;

			begin(v ? &exiting : &caught);
			assert_true(apic_guest_icr(&cpus[0], TO(3, modes[m], 0x9a), true));
			assert_true(apic_guest_icr(&cpus[0], TO(0x1000, modes[m], 0x9a), true));
			assert_int_equal(n_sent, 0);
			assert_int_equal(nl_counts.ipis_refused, before + 2);
			for (unsigned i = 0; i < CPUS; i++)
				assert_true(!kicks[i] && nl_cpu_is_running(&cpus[i]) && !nl_cpu_init_pending(&cpus[i]));
		}
}

static void no_smi_is_sent(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CPUS; i++) {
		uint32_t before = nl_counts.ipis_refused;

		begin(&caught);
		assert_true(apic_guest_icr(&cpus[0], TO(cpus[i].apic_id, SMI, 0), true));
		assert_true(apic_guest_icr(&cpus[0], TO(0, SMI, 0) | i << 18, true));
		assert_int_equal(n_sent, 0);
		assert_int_equal(nl_counts.ipis_refused, before + 2);
	}
}

static void a_shorthand_reaches_each_of_ours_by_its_own_id(void **state)
{
	(void)state;
	begin(&exiting);
	assert_true(apic_guest_icr(&cpus[0], TO(0, INIT, 0) | OTHERS, true));
	for (unsigned i = 1; i < CPUS; i++) {
		assert_true(nl_cpu_init_pending(&cpus[i]) && kicks[i] == 1);
		apic_deliver_init(&cpus[i]);
		assert_true(nl_cpu_waits_for_sipi(&cpus[i]));
	}
	assert_true(!nl_cpu_init_pending(&cpus[0]) && !kicks[0]);
	assert_true(apic_guest_icr(&cpus[0], TO(0, SIPI, 0x9a) | OTHERS, true));
	assert_int_equal(n_sent, CPUS - 1); /* they wait in the hardware */
	for (unsigned i = 1; i < CPUS; i++)
		assert_int_equal(sent[i - 1], TO(cpus[i].apic_id, SIPI, 0x9a));
}

/* Modern kernels send SIPI right behind INIT: the target may not have seen the latter yet. */
static void sipi_may_overtake_init(void **state)
{
	(void)state;
	for (unsigned v = 0; v < 2; v++) {
		uint8_t vector;

		begin(v ? &exiting : &caught);
		apic_guest_icr(&cpus[0], TO(2, SIPI, 0x11), true); /* for a CPU that runs: nothing */
		apic_guest_icr(&cpus[0], TO(2, INIT, 0), true);
		apic_guest_icr(&cpus[0], TO(2, SIPI, 0x9a), true);
		if (v) {
			apic_deliver_init(&cpus[1]);
			assert_true(nl_cpu_is_running(&cpus[1]) && started[1] == 1);
		} else {
			nl_cpu_stopped(&cpus[1]);
			assert_true(nl_cpu_take_sipi(&cpus[1], &vector) && vector == 0x9a);
		}
	}
}

static void an_nmi_waits_for_its_cpu(void **state)
{
	(void)state;
	begin(&caught);
	apic_guest_icr(&cpus[0], TO(4, NMI, 2), true);
	assert_true(cpus[2].nmi_pending && kicks[2] == 1 && !n_sent);
	nl_cpu_stopped(&cpus[3]);
	apic_guest_icr(&cpus[0], TO(6, NMI, 2), true); /* blocked while it waits for SIPI */
	assert_true(!cpus[3].nmi_pending && !kicks[3]);
}

/* The meeting. Its verdict stands for the life of a core: each one in a process of its own. */
static void *meets(void *well) { return nl_cpus_meet(well != NULL) ? &go : NULL; }

/* How many of the CPUs that came go on; -1: the boot CPU is told otherwise than they are. */
static int gone_on(unsigned come, int ill)
{
	pthread_t threads[CPUS];
	void *goes;
	int n = 0;

	for (unsigned i = 1; i <= come; i++)
		pthread_create(&threads[i], NULL, meets, (int)i == ill ? NULL : &go);
	for (unsigned i = 1; i <= come; i++) {
		pthread_join(threads[i], &goes);
		n += goes != NULL;
	}
	return nl_cpus_taken() == (n == CPUS - 1) ? n : -1;
}

/* From x2APIC to xAPIC leads over an APIC that is off: a kick that comes then is lost, and the next must be sent. */
static void a_kick_is_lost_with_the_apic(void **state)
{
	(void)state;
	begin(&caught);
	cpus[1].kick = 1;
	assert_true(apic_guest_base(&cpus[1], APIC_DEFAULT_BASE));
	assert_int_equal(cpus[1].kick, 1);
	assert_true(apic_guest_base(&cpus[1], APIC_DEFAULT_BASE | 0x800));
	assert_int_equal(cpus[1].kick, 0);
}

static void all_are_taken_or_none(void **state)
{
	static const struct {
		unsigned come;
		int ill, go;
	} cases[] = {{CPUS - 1, 0, CPUS - 1}, {CPUS - 1, 2, 0}, {CPUS - 2, 0, 0}, {0, 0, 0}};

	(void)state;
	begin(&caught);
	for (size_t i = 0; i < NL_ARRAY_SIZE(cases); i++) {
		pid_t child = fork();
		int status;

		if (!child) {
			seam_tsc_step = cases[i].come == CPUS - 1 ? 1 : 1000000000; /* the last one does not come */
			_exit(gone_on(cases[i].come, cases[i].ill) == cases[i].go ? 0 : 1);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		if (status)
			fail_msg("%u come, the ill one is %d", cases[i].come, cases[i].ill);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(nothing_reaches_a_cpu_that_is_not_ours),
	        cmocka_unit_test(no_smi_is_sent),
	        cmocka_unit_test(a_shorthand_reaches_each_of_ours_by_its_own_id),
	        cmocka_unit_test(sipi_may_overtake_init),
	        cmocka_unit_test(an_nmi_waits_for_its_cpu),
	        cmocka_unit_test(a_kick_is_lost_with_the_apic),
	        cmocka_unit_test(all_are_taken_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
