// SPDX-License-Identifier: Apache-2.0
/* The life of a CPU: see cpu.h. */
#include "core/cpu.h"
#include "core/clock.h"
#include "core/core.h"
#include "x86.h"

#define MEETING_LIMIT_US 10000000u
#define MEETING_LIMIT_EMULATED_US 60000000u /* many CPUs on few: 128 on two take 9 s */

const uint32_t nl_start_msrs[] = {MSR_STAR,           MSR_LSTAR,       MSR_CSTAR,        MSR_FMASK,
                                  MSR_KERNEL_GS_BASE, MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP};

enum verdict { OPEN = 0, GO, BACK };
static uint32_t arrived, verdict;

static uint32_t load(const uint32_t *p) { return __atomic_load_n(p, __ATOMIC_SEQ_CST); }
static void store(uint32_t *p, uint32_t v) { __atomic_store_n(p, v, __ATOMIC_SEQ_CST); }

static bool decide(uint32_t to)
{
	uint32_t open = OPEN;

	__atomic_compare_exchange_n(&verdict, &open, to, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return load(&verdict) == GO;
}

bool nl_cpus_meet(bool well)
{
	uint64_t start = x86_rdtsc(), limit = nl_us_to_tsc(nl_emulated ? MEETING_LIMIT_EMULATED_US : MEETING_LIMIT_US);

	if (!well)
		return decide(BACK);
	if (__atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST) == nl_n_cpus - 1)
		return decide(GO);
	while (load(&verdict) == OPEN) {
		if (x86_rdtsc() - start > limit)
			decide(BACK);
		x86_pause();
	}
	return load(&verdict) == GO;
}

bool nl_cpus_taken(void) { return nl_n_cpus == 1 || decide(BACK); }

void nl_cpu_runs(struct nl_cpu *cpu) { store(&cpu->state, NL_CPU_RUNNING); }
bool nl_cpu_is_running(const struct nl_cpu *cpu) { return load(&cpu->state) == NL_CPU_RUNNING; }
bool nl_cpu_waits_for_sipi(const struct nl_cpu *cpu) { return load(&cpu->state) == NL_CPU_WAIT_SIPI; }
bool nl_cpu_init_pending(const struct nl_cpu *cpu) { return load(&cpu->init_pending); }

bool nl_cpu_post_init(struct nl_cpu *cpu)
{
	if (!nl_cpu_is_running(cpu))
		return false;
	store(&cpu->sipi_vector, 0); /* one may follow before the target has seen the INIT */
	store(&cpu->init_pending, 1);
	return true;
}

bool nl_cpu_takes_sipi(const struct nl_cpu *cpu) { return nl_cpu_init_pending(cpu) || nl_cpu_waits_for_sipi(cpu); }

void nl_cpu_post_sipi(struct nl_cpu *cpu, uint8_t vector) { store(&cpu->sipi_vector, 0x100u | vector); }

bool nl_cpu_take_sipi(struct nl_cpu *cpu, uint8_t *vector)
{
	uint32_t v = __atomic_exchange_n(&cpu->sipi_vector, 0, __ATOMIC_SEQ_CST);

	*vector = (uint8_t)v;
	return v;
}

void nl_cpu_stopped(struct nl_cpu *cpu)
{
	store(&cpu->state, NL_CPU_WAIT_SIPI);
	store(&cpu->init_pending, 0);
}

/* What the guest sees of an MSR, wherever it is kept while the core runs. */
static uint64_t kept(struct nl_cpu *cpu, uint32_t index)
{
	uint64_t v;

	return nl_vendor->get_msr(cpu, index, &v) ? v : x86_rdmsr(index);
}

/* SDM vol. 3, table 10-1, column INIT; APM vol. 2, table 14-1. MSRs but EFER, XCR0, and CD and NW stay what they were.
 */
void nl_cpu_started(struct nl_cpu *cpu, uint8_t vector)
{
	const struct nl_segment data = {0, 0x93, 0xffff, 0}, table = {.limit = 0xffff};
	struct nl_context was;

	store(&cpu->sipi_vector, 0);
	nl_vendor->context(cpu, &was);
	x86_clear_dr0_3();
	struct nl_launch_state s = {
	        .gprs = {.rdx = x86_cpuid_word(1, 0, EAX)},
	        .rflags = 2,
	        .cr0 = (was.cr0 & (CR0_CD | CR0_NW)) | CR0_ET,
	        .dr6 = DR6_NONE,
	        .dr7 = DR7_NONE,
	        .segments = {[NL_ES] = data,
	                     [NL_CS] = {(uint16_t)(vector << 8), 0x9b, 0xffff, (uint64_t)vector << 12},
	                     [NL_SS... NL_GS] = data,
	                     [NL_GDTR] = table,
	                     [NL_LDTR] = {0, 0x82, 0xffff, 0},
	                     [NL_IDTR] = table,
	                     [NL_TR] = {0, 0x8b, 0xffff, 0}},
	        .pat = kept(cpu, MSR_PAT),
	};
	for (unsigned i = 0; i < NL_START_MSRS; i++)
		s.msrs[i] = kept(cpu, nl_start_msrs[i]);
	nl_vendor->launch_state(cpu, &s);
	nl_cpu_runs(cpu);
}
