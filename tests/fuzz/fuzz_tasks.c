// SPDX-License-Identifier: Apache-2.0
// sources: hv/guest/linux/tasks.c hv/guest/linux/queues.c hv/guest/guest.c hv/guest/guestmem.c
// sources: hv/guest/linux/held.c hv/guest/linux/hidden.c
// sources: hv/guest/linux/modules.c hv/guest/linux/hook.c
// sources: hv/guest/linux/kernel.c hv/view/view.c hv/view/npt.c hv/view/current.c hv/core/pool.c
// sources: tests/unit/fakeguest.c tests/unit/host.c
// sources: tests/unit/seam/seam.c
// libs: -lcmocka
// length: 512
// quick: 3000
/*
 * A guest whose lists, stacks, tables and per-CPU areas hold anything: the walks over its tasks and probes end, in
 * time, and read only (the guest's memory is write-protected meanwhile).
 */
#include "fuzz.h"

#include "core/journal.h"
#include "fakeguest.h"
#include "guest/linux/linux.h"
#include "host.h"
#include "view/current.h"
#include "x86.h"

#include <sys/mman.h>

enum { CPUS = 3, WRITES = 48, PATIENCE = 2000 };
#define OBJECTS 0x400000ULL /* as fakeguest.c has them */
#define PER_CPU_AREA 0x300000ULL

void nl_journal_generation(uint64_t now) { (void)now; }

static struct nl_leaf_target good;
static uint64_t objects_end, last;

static void start(void)
{
	uint64_t first, *stack;

	fg_start(0, false, false, CPUS);
	nl_views_init(fg_views());
	nl_publish_view(&fg.base);
	first = fg_task("first", 0, 8, &stack);
	fg_task("second", first, 4, &stack);
	fg_task("third", first, 4, &stack);
	fg_task_on_cpu(fg_task("runs", 0, 4, NULL), true);
	last = fg_task("last", 0, 16, &stack);
	stack[2] = FG_LINK + 0x5003; /* inside the first watch */
	fg_sleeps(last, FG_FAIR, 0); /* and asleep: the lists alone name it */
	fg_runs(fg_task("real time", 0, 4, NULL), FG_REAL_TIME, 1);
	fg_runs(fg_task("sched_ext", 0, 4, NULL), FG_EXT, 2);
	fg_kprobe(FG_LINK + 0x6000);
	fg_kprobe(FG_LINK + 0x7000);
	good = fg.target;
	objects_end = fg.next_object;
}

/* Where the input may write: everything that a walk follows. */
static uint8_t *place(uint8_t kind, uint16_t at)
{
	switch (kind % 8) {
	case 0:
		return fg_image(FG_INIT_TASK) + at % 0x200 / 8 * 8;
	case 1:
		return fg_image(FG_PER_CPU) + at % 64 * 8;
	case 2:
		return fg_image(FG_KPROBES) + at % 64 * 8;
	case 3:
		return fg.ram + PER_CPU_AREA + at % (CPUS * 0x1000) / 8 * 8;
	case 4:
		return fg.ram + 0x100000 + (at & 0x7ff) * 8; /* the kernel's page tables */
	default:
		return fg.ram + OBJECTS + at * 8ULL % (objects_end - OBJECTS);
	}
}

static uint64_t value(struct fuzz *f, uint8_t kind)
{
	uint64_t v = fuzz_number(f, 2);

	switch (kind >> 4 & 3) {
	case 0:
		return FG_DIRECT + OBJECTS + v * 8 % (objects_end - OBJECTS);
	case 1:
		return FG_LINK + (v << 4);
	case 2:
		return v;
	}
	return v << 48 | fuzz_number(f, 6);
}

static void walks(const struct nl_leaf_target *t, const struct nl_held *held, bool strict, bool anywhere)
{
	const struct nl_watch watches[] = {
	        {.start = FG_LINK + 0x5000, .end = FG_LINK + 0x5008, .leaf = 0, .site = true},
	        {.start = FG_LINK + 0x5000, .end = FG_LINK + 0x5100, .leaf = 0},
	        {.start = FG_LINK + 0x6000, .end = FG_LINK + 0x6008, .leaf = 1, .site = true},
	        {.start = FG_LINK + 0x6000, .end = FG_LINK + 0x6100, .leaf = 1, .strict = strict}};
	struct nl_blocker blocker;
	struct nl_kernel kernel = {.target = t};
	struct nl_scan scan;
	enum nl_err err;

	nl_guest_init(&kernel.space, fg_views(), &fg.base, FG_KERNEL + FG_TOP, false);
	nl_scan_init(&scan, watches, NL_ARRAY_SIZE(watches));
	scan.held = held;
	scan.anywhere = anywhere;
	scan.until = seam_tsc + PATIENCE;
	err = nl_linux_scan(&kernel, &scan);
	FUZZ_CHECK(err == NL_OK || err == NL_AGAIN || err == NL_EKERNEL || err == NL_EDEADLINE || err == NL_ESTANDS ||
	           err == NL_EPROBED || (anywhere && err == NL_EUNSUPPORTED));
	FUZZ_CHECK(!(strict || anywhere) || scan.all || err);
	FUZZ_CHECK(scan.n_hidden <= NL_MAX_HIDDEN);
	FUZZ_CHECK(scan.scanned <= PATIENCE + CPUS + 1 && scan.old_tasks <= scan.scanned + CPUS);
	FUZZ_CHECK(memchr(scan.blocker.comm, 0, sizeof(scan.blocker.comm)));
	scan.until = seam_tsc + PATIENCE;
	err = nl_linux_probes(&kernel, &scan);
	FUZZ_CHECK(err == NL_OK || err == NL_EPROBED || err == NL_EKERNEL || err == NL_EDEADLINE);
	nl_linux_name(&kernel, FG_DIRECT + OBJECTS + 0x4100, &blocker);
	FUZZ_CHECK(memchr(blocker.comm, 0, sizeof(blocker.comm)));
}

void fuzz_one(const uint8_t *bytes, size_t size)
{
	struct {
		uint8_t *at;
		uint64_t was;
	} undo[WRITES];
	struct fuzz f = {bytes, size};
	struct nl_held held[NL_MAX_CPUS] = {0};
	struct nl_gprs gprs[CPUS] = {0};
	struct nl_leaf_target t;
	unsigned n = 0;
	uint8_t say;
	bool strict, anywhere = false;

	if (!fg.ram)
		start();
	t = good;
	for (unsigned i = 0; i < CPUS; i++) {
		uint8_t v = fuzz_byte(&f);

		held[i] = (struct nl_held){.held = v & 1, .halted = v & 2, .cpl = v & 3};
		held[i].rip = v & 4 ? FG_LINK + 0x1234 : fuzz_number(&f, 8);
		gprs[i].rbx = v & 0x20 ? FG_LINK + 0x6010 : 0;
		held[i].gprs = &gprs[i];
		anywhere |= v & 0x10;
		held[i].rsp = v & 8 ? FG_LINK + FG_INIT_STACK + 0x3f00 : value(&f, v);
	}
	say = fuzz_byte(&f);
	strict = say & 0x80;
	switch ((say & 0x7f) % 8) { /* a leaf's author may say other offsets; the parser bounds them */
	case 1:
		t.idle_threads = fuzz_number(&f, 2);
		break;
	case 2:
		t.task_tasks = (uint32_t)fuzz_number(&f, 2);
		t.task_thread_node = (uint32_t)fuzz_number(&f, 2);
		break;
	case 4:
		t.runqueues = fuzz_number(&f, 2);
		t.rq_cfs_tasks = (uint32_t)fuzz_number(&f, 2);
		t.rq_rt_queues = (uint32_t)fuzz_number(&f, 2);
		t.rq_ext_tasks = (uint32_t)fuzz_number(&f, 2);
		break;
	case 5:
		t.task_cfs_node = (uint32_t)fuzz_number(&f, 2);
		t.task_on_cpu = (struct nl_leaf_field){(uint16_t)fuzz_number(&f, 2), 8};
		t.nr_cpu_ids = 0;
		t.rq_stop = (uint32_t)fuzz_number(&f, 2);
		break;
	case 6:
		t.probe_slots[0] = FG_LINK + fuzz_number(&f, 3);
		t.slots_pages = (uint32_t)fuzz_number(&f, 2);
		t.slots_list = (uint32_t)fuzz_number(&f, 2);
		t.slots_insns = (uint32_t)fuzz_number(&f, 2);
		break;
	case 7:
		t.irq_stack = fuzz_number(&f, 2);
		t.thread_size = (uint32_t)fuzz_number(&f, 2);
		break;
	case 3:
		t.task_stack = (uint32_t)fuzz_number(&f, 2);
		t.kprobe_hlist = (uint32_t)fuzz_number(&f, 2);
	}
	for (; n < WRITES && f.n; n++) {
		uint8_t kind = fuzz_byte(&f);
		uint64_t v;

		undo[n].at = place(kind, (uint16_t)fuzz_number(&f, 2));
		memcpy(&undo[n].was, undo[n].at, 8);
		v = value(&f, kind);
		memcpy(undo[n].at, &v, 8);
	}
	mprotect(fg.ram, FG_RAM, PROT_READ);
	walks(&t, held, strict, anywhere);
	mprotect(fg.ram, FG_RAM, PROT_READ | PROT_WRITE);
	while (n--)
		memcpy(undo[n].at, &undo[n].was, 8);
}

void fuzz_seeds(void)
{
	static const uint8_t none[] = {0, 0, 0, 0}, held[] = {0x0f, 0x0f, 0, 0x80, 5, 9, 0, 8, 0},
	                     anywhere[] = {0x1d, 0x3d, 0x1d, 0x87, 0x48, 0, 0, 0x40},
	                     slots[] = {0x1d, 0x1d, 0, 6, 0, 0xe0, 0x30, 0x28, 0, 8, 0, 0x20, 0};
	static const uint8_t circle[] = {0xc, 0xc, 0xc, 0x80, 5,
	                                 9,   0,   9,   0}; /* the first process is followed by itself */
	uint8_t named[] = {0xc,  0xc, 0xc, 0x80, 0x35, 0,  0,  65, 66, 67, 68,
	                   69,   70,  71,  72, /* a name without an end */
	                   0x35, 0,   0,   65,   66,   67, 68, 69, 70, 71, 72};

	fuzz_seed(none, sizeof(none));
	fuzz_seed(circle, sizeof(circle));
	start();
	for (unsigned i = 0; i < 2; i++) {
		uint64_t at = (last + good.task_comm + 8 * i - FG_DIRECT - OBJECTS) / 8;

		memcpy(named + 5 + 11 * i, &at, 2);
	}
	fuzz_seed(named, sizeof(named));
	fuzz_seed(held, sizeof(held));
	fuzz_seed(anywhere, sizeof(anywhere));
	fuzz_seed(slots, sizeof(slots));
}
