// SPDX-License-Identifier: Apache-2.0
/*
 * Launch: from the loader's call to the loader's next instruction as a guest. A failure undoes what was done and
 * returns its name.
 */
#include "ap.h"
#include "apic.h"
#include "view/base.h"
#include "commit/commit.h"
#include "core/clock.h"
#include "core/core.h"
#include "exits/config.h"
#include "exits/cpuid.h"
#include "host.h"
#include "core/journal.h"
#include "core/panic.h"
#include "exits/msr.h"
#include "core/pool.h"
#include "x86.h"

struct nl_boot_block nl_boot;
uint64_t nl_main(const struct nl_boot_block *b);

static bool boot_block_ok(const struct nl_boot_block *b)
{
	return b->magic == NL_BOOT_MAGIC && b->version == NL_BOOT_VERSION && b->size == sizeof(*b) && b->n_cpus >= 1 &&
	       b->n_cpus <= NL_MAX_CPUS && b->n_ranges >= 1 && b->n_ranges <= NL_MAX_RANGES &&
	       b->n_keys <= NL_MAX_KEYS && !(b->region & (NL_2M - 1)) && b->region + NL_REGION_SIZE <= 1ULL << 32 &&
	       !(b->panic & NL_PAGE_MASK) && b->panic > b->region &&
	       b->panic + NL_PANIC_SIZE <= b->region + b->free_start && b->free_start < NL_REGION_ARENA_TEXT &&
	       !(b->free_start & NL_PAGE_MASK) && b->trampoline < 0x100000 && !(b->trampoline & NL_PAGE_MASK);
}

static enum nl_err choose_vendor(void)
{
	enum nl_err vmx = nl_vmx.probe(), svm;

	if (!vmx) {
		nl_vendor = &nl_vmx;
		return NL_OK;
	}
	svm = nl_svm.probe();
	if (!svm)
		nl_vendor = &nl_svm;
	return svm && vmx != NL_ENOVIRT ? vmx : svm; /* "locked" of either says more than "absent" of the other */
}

uint64_t nl_main(const struct nl_boot_block *b)
{
	static struct nl_launch_state start;
	enum nl_err err;

	if (!boot_block_ok(b))
		return NL_EBOOTBLOCK;
	nl_boot = *b;
	nl_clock_init();
	err = choose_vendor();
	if (err)
		return err;
	if ((x86_rdmsr(MSR_APIC_BASE) & ~0xfffULL) != APIC_DEFAULT_BASE) /* the page that is watched (apic.c) */
		return NL_EUNSUPPORTED;
	err = nl_base_init();
	if (!err)
		err = nl_config_init();
	if (err)
		return err;
	if (!nl_cpus_init())
		return NL_ENOMEM;
	nl_cpuid_init();
	host_capture(&start);
	err = nl_vendor->machine_init();
	if (err)
		return err;
	nl_commit_init(nl_base_view());
	nl_msr_init();
	nl_vendor->intercept_port(NL_CALL_PORT);
	for (uint16_t p = NL_CONFIG_PORTS; p < NL_CONFIG_PORTS + 8; p++)
		nl_vendor->intercept_port(p);

	struct nl_cpu *cpu = nl_cpus[0];
	host_init_idt();
	host_load(cpu);
	err = nl_base_cpu_start(cpu);
	if (err || !host_drop_identity()) {
		if (!err)
			nl_vendor->cpu_exit(cpu);
		host_undo_load();
		return err ? err : NL_ENOMEM;
	}
	cpu->state = NL_CPU_RUNNING;
	nl_journal(NL_EV_BOOT, NL_OK, NULL, NULL, nl_n_cpus, 0);
	nl_panic_init(x86_phys(HPA(nl_boot.panic)));
	nl_log("newleaf: %s on %s/%s, %u CPUs, %lu KiB of %lu KiB free%s\n", NL_VERSION, nl_vendor->name,
	       nl_vendor->paging, nl_n_cpus, (uint64_t)nl_pool_free_pages() * 4, (uint64_t)NL_REGION_SIZE >> 10,
	       nl_emulated ? ", emulated" : "");
	if (nl_n_cpus == 1 && !nl_vendor->keep_icr_trap)
		ap_start_all(cpu); /* nobody to wait for: no INIT of the guest would ever end the ICR trap */
	nl_vendor->launch_state(cpu, &start);
	nl_vendor->run(cpu);
}
