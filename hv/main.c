// SPDX-License-Identifier: Apache-2.0
/*
 * How CPUs come in: the boot CPU prepares everything, all others join, the boot CPU launches. Each goes from the
 * loader's call to the loader's next instruction as a guest. A failure undoes what was done and returns its name.
 */
#include "apic.h"
#include "view/base.h"
#include "commit/commit.h"
#include "commit/order.h"
#include "commit/standing.h"
#include "core/clock.h"
#include "core/core.h"
#include "core/cpu.h"
#include "exits/config.h"
#include "exits/cpuid.h"
#include "exits/hypercall.h"
#include "host.h"
#include "core/journal.h"
#include "core/kept.h"
#include "leaf/list.h"
#include "leaf/witness.h"
#include "core/panic.h"
#include "exits/msr.h"
#include "net/keeper.h"
#include "core/pool.h"
#include "x86.h"

struct nl_boot_block nl_boot;
struct nl_counts nl_counts;
uint64_t nl_main(const struct launch_frame *f, enum nl_enter what, struct nl_boot_block *b);

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

static struct nl_left *left(void) { return x86_phys(HPA(nl_boot.left)); }

static const void *file(enum nl_boot_file i) { return x86_phys(HPA(nl_boot.files[i].base)); }

static enum nl_err prepare(struct nl_boot_block *b)
{
	enum nl_journal_past past;
	enum nl_err err;

	/* Loader and core are one image, so what can be wrong is that they were not built together. */
	if (b->magic != NL_BOOT_MAGIC || b->version != NL_BOOT_VERSION || b->size != sizeof(*b))
		return NL_EBOOTBLOCK;
	nl_boot = *b;
	nl_kept_init(&left()->kept);
	past = nl_journal_init(left()->journal);
	nl_journal(NL_EV_BOOT, NL_OK, NULL, (const uint8_t *)&nl_boot.facts, nl_boot.n_cpus, past);
	nl_clock_init();
	err = choose_vendor();
	if (err)
		return err;
	nl_standing_recall();
	err = nl_list_take(file(NL_FILE_LIST), nl_boot.files[NL_FILE_LIST].size, nl_boot.facts.list_known);
	if (err && err != NL_NOTHING && nl_boot.facts.policy.without_list == NL_WITHOUT_LIST_NO_LAUNCH)
		return err;
	b->list_accepted = nl_list_sequence();
	err = nl_base_init();
	if (!err)
		err = nl_config_init();
	if (!err)
		nl_net_hide();
	if (err)
		return err;
	if (!nl_cpus_init())
		return NL_ENOMEM;
	nl_cpuid_init();
	host_init_idt();
	err = nl_vendor->machine_init();
	if (err)
		return err;
	nl_commit_init(nl_base_view());
	nl_standing_take(nl_order_take);
	b->standing = nl_boot.standing;
	nl_msr_init();
	nl_vendor->intercept_port(NL_CALL_PORT);
	for (uint16_t p = NL_CONFIG_PORTS; p < NL_CONFIG_PORTS + 8; p++)
		nl_vendor->intercept_port(p);
	nl_witness_init(x86_phys(HPA(nl_boot.seed)));
	nl_net_init(nl_status_now);
	return NL_OK;
}

static void greet(void)
{
	nl_panic_init(&left()->panic);
	nl_log("newleaf: %s on %s/%s, %u CPUs, %lu KiB of %lu KiB free%s\n", NL_VERSION, nl_vendor->name,
	       nl_vendor->paging, nl_n_cpus, (uint64_t)nl_pool_free_pages() * 4, nl_boot.region_size >> 10,
	       nl_emulated ? ", emulated" : "");
	if (nl_list_error() != NL_NOTHING) {
		nl_journal(NL_EV_LIST, nl_list_error(), NULL, NULL, nl_list_sequence(), nl_boot.facts.list_known);
		nl_log("newleaf: signed list %lu, known %lu, error %u\n", nl_list_sequence(), nl_boot.facts.list_known,
		       nl_list_error());
	}
	if (nl_boot.facts.n_beyond)
		nl_log("newleaf: the firmware shows %u CPUs more, which can never be started\n",
		       nl_boot.facts.n_beyond);
}

/* The boot CPU tries itself while it prepares, so that its launch cannot fail when the others are guests already. */
static bool stays(enum nl_enter what, enum nl_err err)
{
	if (what == NL_ENTER_JOIN)
		return nl_cpus_meet(err == NL_OK);
	return what == NL_ENTER_LAUNCH && err == NL_OK;
}

uint64_t nl_main(const struct launch_frame *f, enum nl_enter what, struct nl_boot_block *b)
{
	struct launch_frame frame = *f; /* the firmware's stack is not mapped for long */
	struct nl_launch_state start;
	struct nl_cpu *cpu;
	enum nl_err err;

	if (what == NL_ENTER_PREPARE && (err = prepare(b)))
		return err;
	if (what == NL_ENTER_LAUNCH && !nl_cpus_taken())
		return NL_ECPUS;
	cpu = nl_this_cpu();
	host_capture(&frame, &start);
	host_load();
	/* Elsewhere it could not be watched (apic.c). */
	err = (x86_rdmsr(MSR_APIC_BASE) & ~0xfffULL) != APIC_DEFAULT_BASE ? NL_EUNSUPPORTED : nl_base_cpu_start(cpu);
	if (!stays(what, err)) {
		if (!err)
			nl_vendor->cpu_exit(cpu);
		host_unload(&frame, &start);
		if (what == NL_ENTER_LAUNCH)
			nl_panic("the boot CPU cannot be virtualised (error %u)", err);
		return err || what == NL_ENTER_PREPARE ? err : NL_ECPUS;
	}
	nl_cpu_runs(cpu);
	if (what == NL_ENTER_LAUNCH)
		greet();
	nl_vendor->launch_state(cpu, &start);
	nl_vendor->run(cpu);
}
