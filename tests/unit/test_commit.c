// SPDX-License-Identifier: Apache-2.0
// sources: hv/commit/commit.c hv/commit/request.c hv/commit/window.c hv/commit/quiesce.c hv/leaf/registry.c
// sources: hv/guest/guest.c hv/guest/target.c hv/guest/guestmem.c hv/guest/linux/kernel.c hv/guest/linux/tasks.c
// sources: hv/guest/linux/queues.c hv/guest/linux/target.c
// sources: hv/leaf/leaf.c hv/leaf/floor.c hv/leaf/reloc.c hv/leaf/signature.c hv/exits/hypercall.c
// sources: hv/view/view.c hv/view/npt.c
// sources: hv/view/current.c hv/core/clock.c hv/core/journal.c hv/core/pool.c hv/core/sha256.c
// sources: tests/unit/fakeguest.c tests/unit/makeleaf.c
// libs: -lcrypto -Wl,--wrap=nl_publish_view
/*
 * The way of a leaf through the hypercalls, on a fake guest: staged, verified, applied, reverted; what the guest writes
 * meanwhile stays; whatever refuses, refuses by name and changes neither a byte that the guest can see, nor the
 * generation, nor the count of free pages.
 */
#include "host.h"
#include "commit/commit.h"
#include "fakeguest.h"
#include "exits/hypercall.h"
#include "exits/config.h"
#include "exits/msr.h"
#include "exits/windows.h"
#include "makeleaf.h"
#include "guest/linux/linux.h"
#include "core/pool.h"
#include "commit/quiesce.h"
#include "leaf/floor.h"
#include "leaf/registry.h"
#include "x86.h"

#define TEXT_SITE 0x5005ULL
#define FUNC 0x5000ULL
#define FUNC_SIZE 0x80u
#define DATA_SITE 0x200100ULL
#define SLIDE 0x12000000ULL

static uint8_t file[NL_LEAF_MAX_SIZE + 256] __attribute__((aligned(64)));
static struct make_leaf m;

/* The core's console and MSRs are not part of this. */
uint64_t nl_msr_updates_dropped(void) { return 0; }
uint32_t nl_windows_undecided(void) { return 0; }
uint32_t nl_config_refused(void) { return 0; }
size_t nl_console_read(uint64_t from, char *out, size_t max, uint64_t *next)
{
	size_t n = from < 3 && max ? 1 : 0;
	if (n)
		*out = "abc"[from];
	*next = from + n;
	return n;
}

static uint64_t out_rcx, out_r8;

static enum nl_err call(enum nl_call number, uint64_t buffer, uint64_t length, uint64_t rcx, uint64_t r8)
{
	struct nl_gprs *r = &fg.cpus[0].gprs;

	*r = (struct nl_gprs){.rax = NL_CALL_MAGIC, .rbx = number, .rsi = buffer, .rdi = length, .rcx = rcx, .r8 = r8};
	nl_hypercall(&fg.cpus[0], &fg.ctx);
	fg.cpus[0].root_generation = nl_current_view()->generation; /* what hv_before_entry does */
	out_rcx = r->rcx;
	out_r8 = r->r8;
	return (enum nl_err)r->rax;
}

static void start(uint64_t slide, bool la57, bool pti)
{
	fg_start(slide, la57, pti, 1);
	memset(nl_registry, 0, sizeof(nl_registry));
	memset(nl_floors, 0, sizeof(nl_floors));
	nl_views_init(fg_views());
	nl_commit_init(&fg.base);
	make_key(&nl_boot.keys[0], "demo", NL_ROLE_AUTHOR);
	nl_boot.n_keys = 1;
	call(NL_CALL_ABANDON, 0, 0, 0, 0);
}

static int setup(void **state)
{
	(void)state;
	start(SLIDE, false, false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	nl_registry_forget();
	fg_stop();
	return 0;
}

/* Write `size` bytes of file[] to the hypervisor in two chunks, as the agent does. */
static enum nl_err stage(size_t size)
{
	size_t half = size / 2, n;
	enum nl_err err = NL_OK;
	size_t at = 0;

	while (!err && (at < size || !at)) {
		n = at + half > size || !half ? size - at : half;
		if (n > FG_USER_SIZE)
			n = FG_USER_SIZE;
		memcpy(fg_user(FG_USER), file + at, n);
		err = call(NL_CALL_STAGE, FG_USER, n, at, size);
		at += n;
		if (!n)
			break;
	}
	return err;
}

static struct nl_verify_report *verify_report(void) { return (struct nl_verify_report *)fg_user(FG_USER); }
static struct nl_commit_report *commit_report(void) { return (struct nl_commit_report *)fg_user(FG_USER); }

static enum nl_err verify(void)
{
	enum nl_err err;

	while ((err = call(NL_CALL_VERIFY, FG_USER, sizeof(struct nl_verify_report), 0, 0)) == NL_AGAIN)
		;
	return err;
}

static enum nl_err verify_leaf(uint8_t sha[32])
{
	enum nl_err err = stage(make_sign(file, make_write(&m, file)));

	err = err ? err : verify();
	memcpy(sha, verify_report()->sha256, 32);
	return err;
}

/* A leaf with one redirect into a body, and one read-only pointer to it. */
static void leaf_text_and_data(const char *id, uint32_t version)
{
	static const uint8_t jump[5] = {0xe9};
	static const uint8_t zero[8];

	make_start(&m, id, version, &fg.target);
	make_site(&m, FG_LINK + TEXT_SITE, fg_image(TEXT_SITE), jump, 5, FG_LINK + FUNC, FUNC_SIZE);
	make_site(&m, FG_LINK + DATA_SITE, fg_image(DATA_SITE), zero, 8, 0, 0);
	memset(m.text, 0x90, m.n_text = 100);
	m.n_data = 16;
	m.header.bss_size = 100;
	make_reloc(&m, (struct nl_leaf_reloc){NL_AT_BYTES, m.sites[0].fresh + 1, NL_REL_PC32, NL_SYM_TEXT, 0, 0, -4});
	make_reloc(&m, (struct nl_leaf_reloc){NL_AT_BYTES, m.sites[1].fresh, NL_REL_ABS64, NL_SYM_TEXT, 1, 0, 0});
	make_reloc(&m, (struct nl_leaf_reloc){NL_AT_TEXT, 90, NL_REL_PC32, NL_SYM_RETURN_THUNK, 0, 0, -4});
	make_reloc(&m, (struct nl_leaf_reloc){NL_AT_DATA, 0, NL_REL_ABS64, NL_SYM_KERNEL, 0, FG_LINK + 0x777, 0});
}

static void leaf_rodata(const char *id, uint64_t offset, uint8_t fresh)
{
	uint8_t bytes[8];

	memset(bytes, fresh, 8);
	make_start(&m, id, 1, &fg.target);
	make_site(&m, FG_LINK + offset, fg_image(offset), bytes, 8, 0, 0);
}

static enum nl_err prepare(const uint8_t (*set)[32], unsigned count, uint64_t expected)
{
	struct nl_commit_request r = {.expected_generation = expected, .deadline_ms = 1000, .count = count};

	if (count && count <= NL_MAX_LEAVES)
		memcpy(r.set, set, 32 * count);
	memcpy(fg_user(FG_USER), &r, sizeof(r));
	return call(NL_CALL_PREPARE, FG_USER, sizeof(r), 0, 0);
}

static enum nl_err try_it(void) { return call(NL_CALL_TRY, FG_USER, sizeof(struct nl_commit_report), 0, 0); }

static enum nl_err commit(const uint8_t (*set)[32], unsigned count)
{
	enum nl_err err = prepare(set, count, UINT64_MAX);

	return err ? err : try_it();
}

/* All that the guest could notice: every byte of RAM as the current view shows it, without the buffer it passes to us.
 */
static uint8_t *seen(void)
{
	uint8_t *all = malloc(FG_RAM);
	uint64_t gpa;

	for (gpa = 0; gpa < FG_RAM; gpa += NL_PAGE_SIZE)
		memcpy(all + gpa, nl_view_pointer(fg_views(), nl_current_view(), GPA(gpa), NL_R), NL_PAGE_SIZE);
	memset(all + (fg_user(FG_USER) - fg.ram), 0, FG_USER_SIZE);
	return all;
}

struct moment {
	uint8_t *seen, *home;
	uint64_t generation;
	size_t free_pages;
};

static struct moment before(void)
{
	struct moment was = {seen(), malloc(FG_RAM), nl_current_view()->generation, nl_pool_free_pages()};

	memcpy(was.home, fg.ram, FG_RAM);
	memset(was.home + (fg_user(FG_USER) - fg.ram), 0, FG_USER_SIZE);
	return was;
}

/* Nothing has changed since; forgets the moment. */
static void unchanged(struct moment was)
{
	struct moment now;

	call(NL_CALL_ABANDON, 0, 0, 0, 0);
	now = before();
	assert_memory_equal(now.seen, was.seen, FG_RAM);
	assert_memory_equal(now.home, was.home, FG_RAM);
	assert_int_equal(now.generation, was.generation);
	assert_int_equal(now.free_pages, was.free_pages);
	free(was.seen);
	free(was.home);
	free(now.seen);
	free(now.home);
}

static uint64_t shown64(uint64_t offset)
{
	uint64_t v;
	memcpy(&v, fg_shown(offset), 8);
	return v;
}

static void apply_and_revert(void)
{
	uint8_t sha[1][32], original[8], text[5];
	const uint8_t *thunk_field;
	int32_t displacement;
	unsigned round;

	memcpy(original, fg_image(DATA_SITE), 8);
	memcpy(text, fg_image(TEXT_SITE), 5);
	leaf_text_and_data("prctl-auxv", 1);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(verify_report()->pages, 2);
	assert_int_equal(verify_report()->slide, fg.slide);
	assert_memory_equal(verify_report()->found_build_id, fg.target.build_id, 20);
	for (round = 0; round < 3; round++) {
		assert_int_equal(commit((const void *)sha, 1), NL_OK);
		assert_int_equal(commit_report()->pages, 2);
		assert_int_equal(commit_report()->generation_to, commit_report()->generation_from + 1);
		assert_int_equal(commit_report()->level, NL_LEVEL_CPU);
		assert_int_equal(commit_report()->old_tasks, NL_UNCOUNTED);
		assert_int_equal(fg_shown(TEXT_SITE)[0], 0xe9);
		memcpy(&displacement, fg_shown(TEXT_SITE + 1), 4);
		assert_int_equal(FG_LINK + fg.slide + TEXT_SITE + 5 + (uint64_t)(int64_t)displacement,
		                 NL_LINUX_ARENA_TEXT); /* same slot each round */
		assert_int_equal(shown64(DATA_SITE), NL_LINUX_ARENA_TEXT);
		assert_memory_equal(fg_image(DATA_SITE), original, 8); /* the home frame is untouched */
		assert_memory_equal(fg_shown(DATA_SITE - 64), fg_image(DATA_SITE - 64), 64);
		assert_int_equal(commit((const void *)sha, 1), NL_NOTHING);
		assert_int_equal(commit(NULL, 0), NL_OK);
		assert_memory_equal(fg_shown(TEXT_SITE), text, 5);
		assert_memory_equal(fg_shown(DATA_SITE), original, 8);
		assert_int_equal(commit(NULL, 0), NL_NOTHING);
	}
	thunk_field = fg.region + NL_REGION_ARENA_TEXT + 90;
	memcpy(&displacement, thunk_field, 4);
	assert_int_equal(NL_LINUX_ARENA_TEXT + 94 + (uint64_t)(int64_t)displacement, FG_LINK + fg.slide + FG_THUNK);
	memcpy(original, fg.region + NL_REGION_ARENA_DATA, 8);
	assert_int_equal(*(uint64_t *)original, FG_LINK + fg.slide + 0x777);
}

static void round_trip(void **state)
{
	(void)state;
	apply_and_revert();
}

static void round_trip_everywhere(void **state)
{
	static const uint64_t slides[] = {0, 0x200000, 0x3e600000};
	unsigned i;

	for (i = 0; i < 12; i++) {
		teardown(state);
		start(slides[i % 3], i / 3 & 1, i / 6 & 1);
		apply_and_revert();
	}
}

static void arena_is_mapped_once(void **state)
{
	uint8_t sha[1][32];
	uint64_t *pmd = (uint64_t *)fg_image(FG_ARENA_PMD);
	struct moment was;

	(void)state;
	leaf_text_and_data("body", 1);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(pmd[508], 0);
	pmd[509] = 0x123000 | 1; /* the guest has something of its own there */
	was = before();
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
	assert_int_equal(try_it(), NL_EARENA);
	assert_int_equal(pmd[508], 0);
	unchanged(was);
	pmd[509] = 0;
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	assert_int_equal(pmd[508], FG_REGION + NL_REGION_ARENA_TEXT + 0xe1);
	assert_int_equal(pmd[509], (FG_REGION + NL_REGION_ARENA_DATA + 0xe3) | 1ULL << 63);
	assert_int_equal(commit(NULL, 0), NL_OK);
	assert_int_equal(pmd[508], FG_REGION + NL_REGION_ARENA_TEXT + 0xe1); /* stays: a sleeper may be in the body */
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
}

static void guest_writes_survive(void **state)
{
	uint8_t sha[2][32];

	(void)state;
	leaf_rodata("one", DATA_SITE, 0x11);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	leaf_rodata("two", DATA_SITE + 64, 0x22);
	assert_int_equal(verify_leaf(sha[1]), NL_OK);
	fg_shown(DATA_SITE + 32)[0] = 0xa1; /* before PREPARE: a static key, say */
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
	fg_shown(DATA_SITE + 32)[1] = 0xa2; /* between PREPARE and TRY */
	assert_int_equal(try_it(), NL_OK);
	assert_memory_equal(fg_shown(DATA_SITE + 32), "\xa1\xa2", 2);
	fg_shown(DATA_SITE + 32)[2] = 0xa3; /* with the leaf on: in the copy */
	assert_int_not_equal(fg_image(DATA_SITE + 32)[2], 0xa3);
	assert_int_equal(commit((const void *)sha, 2), NL_OK); /* from copy to copy */
	assert_memory_equal(fg_shown(DATA_SITE + 32), "\xa1\xa2\xa3", 3);
	assert_int_equal(shown64(DATA_SITE), 0x1111111111111111);
	assert_int_equal(shown64(DATA_SITE + 64), 0x2222222222222222);
	fg_shown(DATA_SITE + 32)[3] = 0xa4;
	assert_int_equal(commit((const void *)(sha + 1), 1), NL_OK); /* one of two goes: the page stays private */
	assert_memory_equal(fg_shown(DATA_SITE), fg_image(DATA_SITE), 8);
	fg_shown(DATA_SITE + 32)[4] = 0xa5;
	assert_int_equal(prepare(NULL, 0, UINT64_MAX), NL_OK);
	fg_shown(DATA_SITE + 32)[5] = 0xa6;
	assert_int_equal(try_it(), NL_OK); /* home */
	assert_ptr_equal(fg_shown(DATA_SITE), fg_image(DATA_SITE));
	assert_memory_equal(fg_image(DATA_SITE + 32), "\xa1\xa2\xa3\xa4\xa5\xa6", 6);
	assert_int_equal(fg_image(DATA_SITE)[0], (uint8_t)(DATA_SITE * 7 + (DATA_SITE >> 8) * 13));
}

static void probed_by_bytes(void **state)
{
	uint8_t sha[1][32];
	struct moment was;

	(void)state;
	leaf_rodata("one", DATA_SITE, 0x11);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	fg_shown(DATA_SITE)[3] = 0xcc; /* somebody else's byte in what we wrote */
	was = before();
	assert_int_equal(commit(NULL, 0), NL_EPROBED);
	was.free_pages = nl_pool_free_pages(); /* the first PREPARE since the flip released what the base had alone */
	unchanged(was);
	fg_shown(DATA_SITE)[3] = 0x11;
	assert_int_equal(prepare(NULL, 0, UINT64_MAX), NL_OK);
	fg_shown(DATA_SITE)[3] = 0xcc; /* only after PREPARE */
	was = before();
	was.free_pages = nl_pool_free_pages() + 3; /* root and tables that PREPARE took */
	assert_int_equal(try_it(), NL_EPROBED);
	assert_int_equal(commit_report()->blocker.site_va, FG_LINK + SLIDE + DATA_SITE);
	assert_int_equal(commit_report()->blocker.found[3], 0xcc);
	assert_int_equal(commit_report()->blocker.expected[3], 0x11);
	was.free_pages = nl_pool_free_pages();
	unchanged(was);
	fg_shown(DATA_SITE)[3] = 0x11;
	assert_int_equal(commit(NULL, 0), NL_OK);
}

static void probed_by_table(void **state)
{
	uint8_t sha[1][32];
	uint64_t site = FG_LINK + SLIDE + TEXT_SITE;
	struct moment was;

	(void)state;
	leaf_text_and_data("body", 1);
	fg_kprobe(site - 5); /* at the function's entry: in nobody's way */
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
	fg_kprobe(site + 1); /* registered, perhaps disabled: no byte differs */
	was = before();
	was.free_pages = 0;
	assert_int_equal(try_it(), NL_EPROBED);
	assert_int_equal(commit_report()->blocker.site_va, site);
	was.free_pages = nl_pool_free_pages();
	unchanged(was);
	was = before();
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_EPROBED);
	unchanged(was);
	fg_image(TEXT_SITE)[1] ^= 0xff; /* armed: the bytes differ too, and the probe is the reason that is named */
	assert_int_equal(verify_leaf(sha[0]), NL_EPROBED);
}

/* A probe that comes while the leaf is on: status says so, also when no byte differs. */
static void probed_is_noted(void **state)
{
	const struct nl_leaf_state *l = (struct nl_leaf_state *)fg_user(FG_USER);
	uint8_t sha[1][32];

	(void)state;
	leaf_text_and_data("body", 1);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	assert_int_equal(call(NL_CALL_LEAVES, FG_USER, 4096, 0, 0), NL_OK);
	assert_int_equal(l->note, NL_OK);
	fg_shown(DATA_SITE)[1] ^= 1;
	assert_int_equal(call(NL_CALL_LEAVES, FG_USER, 4096, 0, 0), NL_OK);
	assert_int_equal(l->note, NL_EPROBED);
	fg_shown(DATA_SITE)[1] ^= 1;
	assert_int_equal(call(NL_CALL_LEAVES, FG_USER, 4096, 0, 0), NL_OK);
	assert_int_equal(l->note, NL_OK);
	fg_kprobe(FG_LINK + SLIDE + TEXT_SITE);
	assert_int_equal(call(NL_CALL_LEAVES, FG_USER, 4096, 0, 0), NL_OK);
	assert_int_equal(l->note, NL_EPROBED);
	assert_int_equal(commit(NULL, 0), NL_EPROBED);
}

static void bytes_differ(void **state)
{
	uint8_t sha[1][32];
	struct moment was;

	(void)state;
	leaf_rodata("one", DATA_SITE, 0x11);
	fg_image(DATA_SITE)[7] ^= 1;
	was = before();
	assert_int_equal(verify_leaf(sha[0]), NL_EBYTES);
	assert_int_equal(verify_report()->blocker.site_va, FG_LINK + SLIDE + DATA_SITE);
	assert_int_equal(verify_report()->blocker.bytes_len, 8);
	assert_int_equal(verify_report()->blocker.found[7] ^ verify_report()->blocker.expected[7], 1);
	assert_int_equal(nl_registry_count(), 0);
	unchanged(was);
	fg_image(DATA_SITE)[7] ^= 1;
	assert_int_equal(verify(), NL_OK);
	assert_int_equal(prepare((const void *)(memcpy(sha[0], verify_report()->sha256, 32), sha), 1, UINT64_MAX),
	                 NL_OK);
	fg_image(DATA_SITE)[7] ^= 1;
	assert_int_equal(try_it(), NL_EBYTES);
	assert_int_equal(nl_current_view()->generation, 1);
}

static void somebody_in_the_way(void **state)
{
	uint64_t site = FG_LINK + SLIDE + TEXT_SITE, task, *stack;
	uint8_t sha[1][32];

	(void)state;
	task = fg_task("sleeper", fg_task("leader", 0, 8, NULL), 32, &stack);
	fg_task("other", 0, 100, NULL);
	leaf_text_and_data("body", 1);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	stack[5] = site + 1;
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
	assert_int_equal(try_it(), NL_AGAIN);
	assert_int_equal(commit_report()->blocker.pid, 2);
	assert_string_equal(commit_report()->blocker.comm, "sleeper");
	assert_int_equal(commit_report()->tries, 1);
	assert_int_equal(nl_current_view()->generation, 1);
	fg_task_on_cpu(task, true); /* it runs, on a CPU that is held in user mode: its saved stack means nothing */
	assert_int_equal(try_it(), NL_OK);
	assert_int_equal(commit_report()->tries, 2);
	assert_int_equal(commit_report()->tasks_scanned, 4);
	fg_task_on_cpu(task, false);
	stack[5] = site + 5;                /* the next instruction: not inside */
	stack[7] = NL_LINUX_ARENA_TEXT + 3; /* in the body */
	assert_int_equal(commit(NULL, 0), NL_OK);
	assert_int_equal(commit_report()->old_tasks, NL_UNCOUNTED); /* who sleeps there was not asked */
	assert_int_equal(commit_report()->level, NL_LEVEL_CPU);
	assert_int_equal(nl_registry_find(sha[0])->state.old_tasks, NL_UNCOUNTED);
	fg_queue(0, fg.target.rq_tasks)[0]++; /* the counts of a run queue disagree: all are read */
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	assert_int_equal(commit_report()->old_tasks, 1); /* in the replaced function */
	assert_int_equal(commit(NULL, 0), NL_OK);
	assert_int_equal(commit_report()->old_tasks, 1);
	assert_int_equal(commit_report()->level, NL_LEVEL_CPU);
	assert_int_equal(nl_registry_find(sha[0])->state.old_tasks, 1);
}

/* A CPU in kernel mode: the commit waits for another try, and says whose stack the CPU is on. */
static void blocker_is_named(void **state)
{
	struct nl_blocker blocker = {0};
	struct nl_guest space;
	uint64_t *stack;

	(void)state;
	fg_task("other", 0, 8, NULL);
	fg_task("thread", fg_task("busy", 0, 8, NULL), 8, &stack);
	nl_guest_init(&space, fg_views(), nl_current_view(), fg.ctx.cr3, false);
	nl_linux_name(&space, &fg.target, SLIDE, FG_DIRECT + (uint64_t)((uint8_t *)stack - fg.ram), &blocker);
	assert_string_equal(blocker.comm, "thread");
	assert_int_equal(blocker.pid, 3);
	nl_linux_name(&space, &fg.target, SLIDE, FG_LINK + SLIDE + FG_INIT_STACK + 8, &blocker);
	assert_string_equal(blocker.comm, "swapper/0");
	nl_linux_name(&space, &fg.target, SLIDE, FG_DIRECT + 8, &blocker);
	assert_int_equal(blocker.pid, 0);
	assert_string_equal(blocker.comm, "");
}

/* A CPU that halts: only on an idle task's stack, and then no task is taken at its word that it runs. */
static void halted_cpus(void **state)
{
	const uint64_t site = FG_LINK + SLIDE + TEXT_SITE, idle = FG_LINK + SLIDE + FG_INIT_STACK + FG_THREAD_SIZE - 32;
	const struct nl_watch watch = {site, site + 5, 0, true, false};
	uint64_t *idle_stack = (uint64_t *)fg_image(FG_INIT_STACK + FG_THREAD_SIZE - 32), *stack,
	         task = fg_task("task", 0, 8, &stack);
	struct nl_guest space;
	struct nl_scan scan;

	(void)state;
	nl_guest_init(&space, fg_views(), nl_current_view(), fg.ctx.cr3, false);
	nl_scan_init(&scan, &watch, 1);
	scan.held = nl_held;
	nl_held[0] = (struct nl_held){.held = true, .halted = true, .rip = FG_LINK + SLIDE + 0x100, .rsp = idle};
	assert_int_equal(nl_linux_scan(&space, &fg.target, SLIDE, &scan), NL_OK);
	idle_stack[2] = site + 1;
	assert_int_equal(nl_linux_scan(&space, &fg.target, SLIDE, &scan), NL_AGAIN);
	assert_int_equal(scan.blocker.cpu, 0);
	idle_stack[2] = 0;
	nl_held[0].rip = site + 1;
	assert_int_equal(nl_linux_scan(&space, &fg.target, SLIDE, &scan), NL_AGAIN);
	nl_held[0].rip = FG_LINK + SLIDE + 0x100;
	nl_held[0].rsp = FG_DIRECT + (uint64_t)((uint8_t *)stack - fg.ram); /* some task's stack: no idle loop */
	assert_int_equal(nl_linux_scan(&space, &fg.target, SLIDE, &scan), NL_AGAIN);
	nl_held[0].rsp = idle;
	fg_task_on_cpu(task, true); /* about to be switched to */
	stack[3] = site + 1;
	assert_int_equal(nl_linux_scan(&space, &fg.target, SLIDE, &scan), NL_AGAIN);
	nl_held[0].halted = false; /* with every CPU in user mode it does run */
	assert_int_equal(nl_linux_scan(&space, &fg.target, SLIDE, &scan), NL_OK);
	nl_held[0].held = false;
}

static void strict_leaf(void **state)
{
	uint64_t *stack;
	uint8_t sha[1][32];

	(void)state;
	fg_task("sleeper", 0, 32, &stack);
	leaf_text_and_data("body", 1);
	m.header.flags = NL_LEAF_STRICT;
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	stack[5] = FG_LINK + SLIDE + FUNC + 0x40;
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
	assert_int_equal(try_it(), NL_AGAIN);
	assert_string_equal(commit_report()->blocker.comm, "sleeper");
	stack[5] = FG_LINK + SLIDE + FUNC + FUNC_SIZE;
	assert_int_equal(try_it(), NL_OK);
	assert_int_equal(commit_report()->level, NL_LEVEL_TASK);
}

/* A process whose list of threads is empty is looked at itself, so that each step of the walk counts and takes time. */
static void process_without_threads(void **state)
{
	const uint64_t site = FG_LINK + SLIDE + TEXT_SITE;
	const struct nl_watch watch = {site, site + 5, 0, false, true}; /* strict: the lists of tasks are walked */
	uint64_t *stack, task = fg_task("leader", 0, 8, &stack), signal, head, next = task + fg.target.task_tasks;
	struct nl_guest space;
	struct nl_scan scan;

	(void)state;
	fg_sleeps(task, FG_FAIR, 0);
	memcpy(&signal, fg.ram + (task - FG_DIRECT) + fg.target.task_signal, 8);
	head = signal + fg.target.signal_thread_head;
	memcpy(fg.ram + (head - FG_DIRECT), &head, 8);
	stack[3] = site + 1;
	nl_guest_init(&space, fg_views(), nl_current_view(), fg.ctx.cr3, false);
	nl_scan_init(&scan, &watch, 1);
	assert_int_equal(nl_linux_scan(&space, &fg.target, SLIDE, &scan), NL_AGAIN);
	stack[3] = 0;
	memcpy(fg.ram + (task - FG_DIRECT) + fg.target.task_tasks, &next, 8); /* a circle */
	scan.until = seam_tsc + 1000;
	assert_int_equal(nl_linux_scan(&space, &fg.target, SLIDE, &scan), NL_EDEADLINE);
}

static void broken_lists(void **state)
{
	uint8_t sha[1][32];
	uint64_t leader = fg_task("leader", 0, 8, NULL), was, bad = 0xdead000000000100;
	uint8_t *next = fg.ram + (leader - FG_DIRECT) + fg.target.task_tasks;
	struct moment then;

	(void)state;
	leaf_text_and_data("body", 1);
	m.header.flags = NL_LEAF_STRICT;
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	memcpy(&was, next, 8);
	memcpy(next, &bad, 8);
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
	assert_int_equal(try_it(), NL_EKERNEL);
	then = before();
	bad = leader + fg.target.task_tasks; /* a loop */
	memcpy(next, &bad, 8);
	memcpy(then.seen + (next - fg.ram), &bad, 8);
	memcpy(then.home + (next - fg.ram), &bad, 8);
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
	seam_tsc_step = nl_boot.tsc_hz / 1000;    /* each look at the clock */
	assert_int_equal(try_it(), NL_EDEADLINE); /* the window's time limit ended the walk */
	seam_tsc_step = 1;
	unchanged(then);
	memcpy(next, &was, 8);
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
}

static void deadline(void **state)
{
	struct nl_commit_request r = {.expected_generation = UINT64_MAX, .deadline_ms = 1, .count = 1};
	struct moment was;
	uint8_t sha[1][32];

	(void)state;
	leaf_rodata("one", DATA_SITE, 0x11);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	was = before();
	memcpy(r.set, sha, 32);
	memcpy(fg_user(FG_USER), &r, sizeof(r));
	assert_int_equal(call(NL_CALL_PREPARE, FG_USER, sizeof(r), 0, 0), NL_OK);
	seam_tsc += 2 * nl_boot.tsc_hz / 1000;
	assert_int_equal(try_it(), NL_EDEADLINE);
	assert_int_equal(try_it(), NL_ESTATE);
	unchanged(was);
	r.deadline_ms = 10001;
	memcpy(fg_user(FG_USER), &r, sizeof(r));
	assert_int_equal(call(NL_CALL_PREPARE, FG_USER, sizeof(r), 0, 0), NL_EUSAGE);
	r.deadline_ms = 0;
	memcpy(fg_user(FG_USER), &r, sizeof(r));
	assert_int_equal(call(NL_CALL_PREPARE, FG_USER, sizeof(r), 0, 0), NL_EUSAGE);
}

static void abandon_and_replace(void **state)
{
	uint8_t sha[2][32];
	struct moment was;

	(void)state;
	leaf_rodata("one", DATA_SITE, 0x11);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	leaf_rodata("two", DATA_SITE + 0x10000, 0x22);
	assert_int_equal(verify_leaf(sha[1]), NL_OK);
	was = before();
	assert_int_equal(call(NL_CALL_ABANDON, 0, 0, 0, 0), NL_NOTHING);
	assert_int_equal(prepare((const void *)sha, 2, UINT64_MAX), NL_OK);
	assert_int_equal(call(NL_CALL_ABANDON, 0, 0, 0, 0), NL_OK);
	assert_int_equal(try_it(), NL_ESTATE);
	unchanged(was);
	assert_int_equal(prepare((const void *)sha, 2, UINT64_MAX), NL_OK);
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX),
	                 NL_OK); /* an agent died; the next one prepares anew */
	assert_int_equal(try_it(), NL_OK);
	assert_int_equal(shown64(DATA_SITE), 0x1111111111111111);
	assert_ptr_equal(fg_shown(DATA_SITE + 0x10000), fg_image(DATA_SITE + 0x10000));
}

static void generations_and_sets(void **state)
{
	uint8_t sha[3][32], unknown[1][32] = {{1}};

	(void)state;
	leaf_rodata("one", DATA_SITE, 0x11);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(verify(), NL_OK); /* idempotent */
	assert_int_equal(nl_registry_count(), 1);
	assert_int_equal(prepare((const void *)sha, 1, 2), NL_EGENERATION);
	assert_int_equal(prepare(unknown, 1, 1), NL_EUNKNOWN_LEAF);
	assert_int_equal(prepare((const void *)sha, 33, 1), NL_EUSAGE);
	assert_int_equal(prepare(NULL, 0, 1), NL_NOTHING);
	assert_int_equal(prepare((const void *)sha, 1, 1), NL_OK);
	assert_int_equal(try_it(), NL_OK);
	assert_int_equal(prepare(NULL, 0, 1), NL_EGENERATION);
	leaf_rodata("lap", DATA_SITE + 4, 0x33); /* shares bytes with the first */
	assert_int_equal(verify_leaf(sha[1]), NL_OK);
	assert_int_equal(prepare((const void *)sha, 2, 2), NL_EOVERLAP);
	assert_int_equal(commit((const void *)(sha + 1), 1), NL_OK); /* one for the other, in one flip */
	assert_memory_equal(fg_shown(DATA_SITE), fg_image(DATA_SITE), 4);
	assert_int_equal(shown64(DATA_SITE + 4), 0x3333333333333333);
	assert_int_equal(nl_current_view()->generation, 3);
}

static void versions_never_go_down(void **state)
{
	uint8_t v1[1][32], v2[1][32];

	(void)state;
	leaf_text_and_data("body", 1);
	assert_int_equal(verify_leaf(v1[0]), NL_OK);
	assert_int_equal(commit((const void *)v1, 1), NL_OK);
	leaf_text_and_data("body", 2); /* expects the original bytes, which the first version hides */
	assert_int_equal(verify_leaf(v2[0]), NL_OK);
	nl_boot.policy.guest_may = NL_GUEST_MAY_APPLY; /* to supersede is to apply */
	assert_int_equal(commit((const void *)v2, 1), NL_OK);
	nl_boot.policy.guest_may = NL_GUEST_MAY_APPLY | NL_GUEST_MAY_REVERT;
	assert_int_equal(commit((const void *)v1, 1), NL_EVERSION);
	assert_int_equal(commit(NULL, 0), NL_OK);
	assert_int_equal(commit((const void *)v1, 1), NL_EVERSION);
	assert_int_equal(commit((const void *)v2, 1), NL_OK);
}

static void policy(void **state)
{
	uint8_t sha[1][32];

	(void)state;
	leaf_rodata("one", DATA_SITE, 0x11);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	nl_boot.policy.guest_may = NL_GUEST_MAY_REVERT;
	assert_int_equal(stage(64), NL_EPOLICY);
	assert_int_equal(commit((const void *)sha, 1), NL_EPOLICY);
	nl_boot.policy.guest_may = NL_GUEST_MAY_APPLY;
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	assert_int_equal(commit(NULL, 0), NL_EPOLICY);
	assert_int_equal(shown64(DATA_SITE), 0x1111111111111111);
}

static void out_of_memory_everywhere(void **state)
{
	static void *taken[512];
	uint8_t sha[1][32];
	struct moment was;
	unsigned give, n, failures = 0;
	enum nl_err err = NL_ENOMEM;

	(void)state;
	leaf_text_and_data("body", 1);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	was = before();
	for (give = 0; err == NL_ENOMEM; give++) {
		for (n = 0; (taken[n] = nl_pool_page()); n++)
			;
		assert_true(n >= give);
		while (n > 0 && nl_pool_free_pages() < give)
			nl_pool_release(taken[--n]);
		err = prepare((const void *)sha, 1, UINT64_MAX);
		failures += err == NL_ENOMEM;
		if (err == NL_ENOMEM)
			assert_int_equal(nl_pool_free_pages(), give);
		call(NL_CALL_ABANDON, 0, 0, 0, 0);
		assert_int_equal(nl_pool_free_pages(), give);
		while (n)
			nl_pool_release(taken[--n]);
	}
	assert_int_equal(err, NL_OK);
	assert_true(failures >= 4); /* root, tables, frames: it failed at more than one point */
	unchanged(was);
}

static void no_leak_over_rounds(void **state)
{
	uint8_t sha[2][32];
	size_t free_pages = 0;
	unsigned i;

	(void)state;
	leaf_text_and_data("body", 1);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	leaf_rodata("two", DATA_SITE + 64, 0x22);
	assert_int_equal(verify_leaf(sha[1]), NL_OK);
	for (i = 0; i < 60; i++) {
		assert_int_equal(commit((const void *)(i % 3 == 1 ? sha + 1 : sha), i % 3),
		                 i || i % 3 ? NL_OK : NL_NOTHING);
		if (i == 30)
			free_pages = nl_pool_free_pages();
	}
	while (i % 30)
		i++;
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	assert_int_equal(commit(NULL, 0), NL_OK);
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
	call(NL_CALL_ABANDON, 0, 0, 0, 0);
	assert_true(nl_pool_free_pages() + 8 >= free_pages);
}

/* At the flip itself, what goes home is there already: a CPU that enters at once finds it. */
static const uint8_t *at_the_flip;
static uint8_t shown_at_the_flip[8];

void __real_nl_publish_view(struct nl_view *view);
void __wrap_nl_publish_view(struct nl_view *view);
void __wrap_nl_publish_view(struct nl_view *view)
{
	if (at_the_flip)
		memcpy(shown_at_the_flip, at_the_flip, sizeof(shown_at_the_flip));
	__real_nl_publish_view(view);
}

static void home_before_the_flip(void **state)
{
	uint8_t sha[1][32];

	(void)state;
	leaf_rodata("one", DATA_SITE, 0x11);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	memcpy(fg_shown(DATA_SITE + 32), "12345678", 8); /* the guest writes to the copy */
	at_the_flip = fg_image(DATA_SITE + 32);
	assert_int_equal(commit(NULL, 0), NL_OK);
	at_the_flip = NULL;
	assert_memory_equal(shown_at_the_flip, "12345678", 8);
}

static enum nl_err no_edit(struct nl_view *view)
{
	(void)view;
	return NL_OK;
}

/* What was prepared from tables that a base edit has changed since is not carried out. */
static void prepared_before_a_base_edit(void **state)
{
	uint8_t sha[1][32];
	struct moment was;

	(void)state;
	leaf_rodata("one", DATA_SITE, 0x11);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	was = before();
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
	assert_int_equal(nl_edit_base(no_edit), NL_OK);
	assert_int_equal(try_it(), NL_ESTATE);
	unchanged(was);
}

/* The kernel that was there at PREPARE is another at TRY. */
static void prepared_for_another_kernel(void **state)
{
	uint8_t sha[1][32];
	struct moment was;

	(void)state;
	leaf_rodata("one", DATA_SITE, 0x11);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	was = before();
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
	fg_image(FG_BUILD_ID)[5] ^= 1;
	assert_int_equal(try_it(), NL_EBUILDID);
	fg_image(FG_BUILD_ID)[5] ^= 1;
	unchanged(was);
}

static void old_root_in_use(void **state)
{
	uint8_t sha[1][32];

	(void)state;
	leaf_rodata("one", DATA_SITE, 0x11);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	nl_n_cpus = 2; /* a second CPU that has not entered since: it still has the first root loaded */
	fg.cpus[1] = (struct nl_cpu){.index = 1, .state = NL_CPU_RUNNING, .root_generation = 1};
	nl_cpus[1] = &fg.cpus[1];
	assert_int_equal(prepare(NULL, 0, UINT64_MAX), NL_AGAIN);
	fg.cpus[1].state = NL_CPU_WAIT_SIPI; /* such a one loads the current root before it enters */
	assert_int_equal(prepare(NULL, 0, UINT64_MAX), NL_OK);
	assert_int_equal(try_it(), NL_OK);
}

static void other_kernels(void **state)
{
	uint8_t sha[1][32];

	(void)state;
	leaf_rodata("one", DATA_SITE, 0x11);
	m.header.target.build_id[3] ^= 1;
	assert_int_equal(verify_leaf(sha[0]), NL_EBUILDID);
	assert_int_equal(verify_report()->found_build_id_len, 20);
	assert_memory_equal(verify_report()->found_build_id, fg.target.build_id, 20);
	leaf_rodata("one", DATA_SITE, 0x11);
	m.header.target.syscall_entry += 0x40;
	assert_int_equal(verify_leaf(sha[0]), NL_EBUILDID);
	leaf_rodata("one", DATA_SITE, 0x11);
	m.header.target.page_table += 0x1000;
	assert_int_equal(verify_leaf(sha[0]), NL_EBUILDID);
	leaf_rodata("one", DATA_SITE, 0x11);
	fg.ctx.lstar = 0;
	assert_int_equal(verify_leaf(sha[0]), NL_EKERNEL);
	assert_int_equal(nl_registry_count(), 0);
}

/* The table that CR3 points to shows, where the kernel's own one should be, another page: one that shows the right one.
 */
static void another_table_in_front(void **state)
{
	enum { TOP = 0xf00000, L3 = 0xf01000, L2 = 0xf02000, L1 = 0xf03000, COPY = 0xf04000 };
	const uint64_t va = FG_LINK + SLIDE + FG_TOP;
	uint64_t *top = (uint64_t *)(fg.ram + TOP), *l3 = (uint64_t *)(fg.ram + L3), *l2 = (uint64_t *)(fg.ram + L2),
	         *l1 = (uint64_t *)(fg.ram + L1);
	uint8_t sha[1][32];

	(void)state;
	memcpy(top, fg.ram + (fg.user_cr3 & ~0xfffULL), NL_PAGE_SIZE);
	memcpy(l3, fg.ram + (top[511] & ~0xfffULL), NL_PAGE_SIZE);
	memcpy(l2, fg.ram + (l3[va >> 30 & 511] & ~0xfffULL), NL_PAGE_SIZE);
	memcpy(fg.ram + COPY, fg_image(FG_TOP), NL_PAGE_SIZE);
	for (unsigned i = 0; i < 512; i++)
		l1[i] = ((FG_KERNEL + FG_TOP) & ~(NL_2M - 1)) + i * NL_PAGE_SIZE + 3;
	l1[va >> 12 & 511] = COPY | 3;
	l2[va >> 21 & 511] = L1 | 3;
	l3[va >> 30 & 511] = L2 | 3;
	top[511] = L3 | 3;
	fg.ctx.cr3 = TOP;
	leaf_rodata("one", DATA_SITE, 0x11);
	assert_int_equal(verify_leaf(sha[0]), NL_EBUILDID);
	l1[va >> 12 & 511] = (FG_KERNEL + FG_TOP) | 3;
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
}

static void bodies_and_the_arena(void **state)
{
	uint8_t sha[1][32];
	uint64_t text, data;

	(void)state;
	leaf_text_and_data("body", 1);
	m.header.bss_size = 0x200000;
	assert_int_equal(verify_leaf(sha[0]), NL_EARENA);
	m.header.bss_size = 0x100000;
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	leaf_text_and_data("body", 2);
	m.header.bss_size = 0x100000;
	assert_int_equal(verify_leaf(sha[0]), NL_EARENA);
	nl_registry_arena_free(&text, &data);
	assert_int_equal(text, 0x200000 - 128);
	assert_int_equal(data, 0x100000 - 64);
}

static void registry_is_bounded(void **state)
{
	uint8_t sha[NL_MAX_LEAVES + 2][32];
	char id[16];
	unsigned i;

	(void)state;
	for (i = 0; i < NL_MAX_LEAVES; i++) {
		snprintf(id, sizeof(id), "leaf-%u", i);
		leaf_rodata(id, DATA_SITE + 8 * i, 0x11);
		assert_int_equal(verify_leaf(sha[i]), NL_OK);
	}
	leaf_rodata("one-more", DATA_SITE + 0x800, 0x11);
	assert_int_equal(verify_leaf(sha[i]), NL_OK); /* takes the place of the oldest that was never applied */
	assert_int_equal(nl_registry_count(), NL_MAX_LEAVES);
	assert_null(nl_registry_find(sha[0]));
	assert_int_equal(commit((const void *)(sha + 1), NL_MAX_LEAVES), NL_OK);
	leaf_rodata("too-many", DATA_SITE + 0x900, 0x11);
	assert_int_equal(verify_leaf(sha[i + 1]), NL_ENOMEM);
}

static void refused_leaves(void **state)
{
	struct moment was = before();
	struct nl_key other;
	size_t size;
	unsigned i;

	(void)state;
	leaf_text_and_data("body", 1);
	size = make_write(&m, file);
	assert_int_equal(stage(size), NL_OK);
	assert_int_equal(verify(), NL_EUNSIGNED);
	make_sign(file, size);
	size += sizeof(struct nl_leaf_signature);
	for (i = 0; i < 64; i++) {
		unsigned at = (unsigned)host_below(size);

		file[at] ^= 0x10;
		assert_int_equal(stage(size), NL_OK);
		assert_int_not_equal(verify(), NL_OK);
		file[at] ^= 0x10;
	}
	assert_int_equal(call(NL_CALL_STAGE, FG_USER, 0, 0, 0), NL_OK); /* an empty file */
	assert_int_equal(verify(), NL_ELEAF);
	assert_int_equal(call(NL_CALL_STAGE, FG_USER, 0, 0, NL_LEAF_MAX_SIZE + 1), NL_ELEAF);
	assert_int_equal(call(NL_CALL_STAGE, FG_USER, 8, 0, 100), NL_OK);
	assert_int_equal(verify(), NL_ESTATE);                                 /* not all of it is there */
	assert_int_equal(call(NL_CALL_STAGE, FG_USER, 8, 16, 100), NL_ESTATE); /* a hole */
	assert_int_equal(call(NL_CALL_STAGE, FG_USER, 93, 8, 100), NL_EUSAGE);
	make_key(&other, "stranger", NL_ROLE_AUTHOR);
	assert_int_equal(stage(make_sign(file, make_write(&m, file))), NL_OK);
	assert_int_equal(verify(), NL_EKEY);
	assert_int_equal(nl_registry_count(), 0);
	unchanged(was);
}

static void long_leaf_in_slices(void **state)
{
	static uint8_t big[NL_LEAF_MAX_SIZE];
	struct nl_leaf_header h;
	size_t size;
	unsigned again = 0;
	enum nl_err err;

	(void)state;
	leaf_rodata("big", DATA_SITE, 0x11);
	size = make_write(&m, file);
	memcpy(&h, file, sizeof(h));
	memcpy(big, file, size);
	h.strings.count = 200000; /* padding: a long description */
	h.signed_size = h.strings.offset + h.strings.count;
	memcpy(big, &h, sizeof(h));
	memcpy(file, big, h.signed_size);
	size = make_sign(file, h.signed_size);
	assert_int_equal(stage(size), NL_OK);
	while ((err = call(NL_CALL_VERIFY, FG_USER, sizeof(struct nl_verify_report), 0, 0)) == NL_AGAIN)
		again++;
	assert_int_equal(err, NL_OK);
	assert_int_equal(again, 3);
}

static void bad_buffers(void **state)
{
	const uint64_t read_only = FG_USER + FG_USER_SIZE, kernel = FG_LINK + SLIDE + FG_TOP,
	               nowhere = FG_USER + 0x100000;
	struct moment was = before();
	uint64_t i;

	(void)state;
	assert_int_equal(call(NL_CALL_STATUS, read_only, sizeof(struct nl_status), 0, 0), NL_EFAULT);
	assert_int_equal(call(NL_CALL_STATUS, read_only - 8, sizeof(struct nl_status), 0, 0), NL_EFAULT);
	assert_int_equal(call(NL_CALL_STATUS, kernel, sizeof(struct nl_status), 0, 0), NL_EFAULT);
	assert_int_equal(call(NL_CALL_STATUS, nowhere, sizeof(struct nl_status), 0, 0), NL_EFAULT);
	assert_int_equal(call(NL_CALL_STATUS, 0x800000000000, sizeof(struct nl_status), 0, 0), NL_EFAULT);
	assert_int_equal(call(NL_CALL_STATUS, ~0ULL, sizeof(struct nl_status), 0, 0), NL_EFAULT);
	assert_int_equal(call(NL_CALL_STATUS, FG_USER, sizeof(struct nl_status) - 1, 0, 0), NL_EUSAGE);
	assert_int_equal(call(NL_CALL_STATUS, FG_USER, NL_CALL_MAX_BUFFER + 1, 0, 0), NL_EUSAGE);
	assert_int_equal(call(NL_CALL_STAGE, kernel, 64, 0, 64), NL_EFAULT);
	assert_int_equal(call(NL_CALL_STAGE, read_only, 64, 0, 64), NL_OK); /* reading is all it does */
	assert_int_equal(call(NL_CALL_EXITS, FG_USER, sizeof(struct nl_exit_counts), 1, 0), NL_EUSAGE);
	assert_int_equal(call(NL_CALL_EXITS, FG_USER, sizeof(struct nl_exit_counts), ~0ULL, 0), NL_EUSAGE);
	for (i = 0; i < 20000; i++) { /* garbage */
		uint64_t buffer = host_below(2) ? FG_USER + host_below(0x20000) : host_random();

		call((enum nl_call)(host_below(4) ? host_below(16) : host_random()), buffer,
		     host_below(2) ? host_below(2000) : host_random(), host_below(2) ? host_below(64) : host_random(),
		     host_below(2) ? host_below(64) : host_random());
		if (i % 1000 == 0) {
			assert_int_equal(call((enum nl_call)0, FG_USER, 64, 0, 0), NL_EUSAGE);
			assert_int_equal(call((enum nl_call)12, FG_USER, 64, 0, 0), NL_EUSAGE);
		}
	}
	unchanged(was);
}

static void answers(void **state)
{
	struct nl_status *s = (struct nl_status *)fg_user(FG_USER);
	struct nl_leaf_state *l = (struct nl_leaf_state *)fg_user(FG_USER);
	struct nl_journal_entry *j = (struct nl_journal_entry *)fg_user(FG_USER);
	uint64_t first;
	uint8_t sha[1][32];

	(void)state;
	leaf_text_and_data("body", 7);
	assert_int_equal(call(NL_CALL_JOURNAL, FG_USER, 0, 1, 0), NL_OK);
	first = out_r8 + 1; /* the journal is older than this test */
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	assert_int_equal(call(NL_CALL_STATUS, FG_USER, sizeof(*s), 0, 0), NL_OK);
	assert_int_equal(out_rcx, sizeof(*s));
	assert_int_equal(s->generation, 2);
	assert_int_equal(s->kernel_slide, SLIDE);
	assert_memory_equal(s->kernel_build_id, fg.target.build_id, 20);
	assert_string_equal(s->vendor, "FAKE");
	assert_int_equal(s->leaves, 1);
	assert_int_equal(call(NL_CALL_LEAVES, FG_USER, 4096, 0, 0), NL_OK);
	assert_int_equal(out_rcx, 1);
	assert_string_equal(l->id, "body");
	assert_string_equal(l->key_name, "demo");
	assert_int_equal(l->condition, NL_LEAF_APPLIED);
	assert_int_equal(l->version, 7);
	assert_int_equal(l->pages, 2);
	assert_int_equal(l->generation, 2);
	assert_int_equal(call(NL_CALL_JOURNAL, FG_USER, 8 * sizeof(*j), first, 0), NL_OK);
	assert_int_equal(out_rcx, 4); /* kernel, verified, applied, commit */
	assert_int_equal(out_r8, first + 3);
	assert_int_equal(j[1].event, NL_EV_VERIFIED);
	assert_int_equal(j[2].event, NL_EV_APPLIED);
	assert_string_equal(j[2].id, "body");
	assert_int_equal(j[3].generation, 2);
	assert_int_equal(call(NL_CALL_CONSOLE, FG_USER, 16, 0, 0), NL_OK);
	assert_int_equal(out_rcx, 3);
	assert_int_equal(out_r8, 3);
	assert_memory_equal(fg_user(FG_USER), "abc", 3);
}

/* LSTAR is written, by a program that plays with MSRs, but the kernel is the same: nothing is forgotten, above all no
 * version. */
static void lstar_written(void **state)
{
	uint8_t v1[1][32], v2[1][32];

	(void)state;
	leaf_text_and_data("body", 1);
	assert_int_equal(verify_leaf(v1[0]), NL_OK);
	leaf_text_and_data("body", 2);
	assert_int_equal(verify_leaf(v2[0]), NL_OK);
	assert_int_equal(commit((const void *)v2, 1), NL_OK);
	fg.ctx.lstar += 4;
	nl_commit_kernel_gone(&fg.cpus[0], &fg.ctx);
	fg.ctx.lstar -= 4;
	assert_int_equal(nl_registry_find(v2[0])->state.condition, NL_LEAF_APPLIED);
	assert_int_equal(commit(NULL, 0), NL_OK);
	nl_commit_kernel_gone(&fg.cpus[0], &fg.ctx);
	assert_int_equal(commit((const void *)v1, 1), NL_EVERSION);
}

/* A kernel pretended to be gone, by one changed byte of its name, is the old one again a moment later: what was applied
 * is forgotten, how new it was is not. */
static void kernel_pretended(void **state)
{
	uint8_t v1[1][32], v2[1][32], *name = fg_shown(FG_BUILD_ID);
	struct nl_journal_entry *j = (struct nl_journal_entry *)fg_user(FG_USER);
	uint64_t first;

	(void)state;
	leaf_text_and_data("body", 2);
	assert_int_equal(verify_leaf(v2[0]), NL_OK);
	assert_int_equal(commit((const void *)v2, 1), NL_OK);
	assert_int_equal(call(NL_CALL_JOURNAL, FG_USER, 0, 1, 0), NL_OK);
	first = out_r8 + 1;
	name[0] ^= 1;
	nl_commit_kernel_gone(&fg.cpus[0], &fg.ctx);
	fg.cpus[0].root_generation = nl_current_view()->generation;
	name = fg_shown(FG_BUILD_ID);
	name[0] ^= 1;
	assert_null(nl_registry_find(v2[0]));
	assert_int_equal(call(NL_CALL_JOURNAL, FG_USER, 2 * sizeof(*j), first, 0), NL_OK);
	assert_true(out_rcx == 2 && j[0].event == NL_EV_REVERTED && j[1].event == NL_EV_KERNEL);
	assert_memory_equal(j[0].leaf_sha256, v2[0], 32); /* the record says what went with it */
	leaf_text_and_data("body", 1);
	assert_int_equal(verify_leaf(v1[0]), NL_OK);
	assert_int_equal(commit((const void *)v1, 1), NL_EVERSION);
	leaf_text_and_data("body", 2);
	assert_int_equal(verify_leaf(v2[0]), NL_OK);
	assert_int_equal(commit((const void *)v2, 1), NL_OK);
}

/* Only so many names can be remembered: one more is refused before anything is done, a known one never is. */
static void floors_are_full(void **state)
{
	uint8_t sha[1][32], known[1][32];
	struct moment was;

	(void)state;
	leaf_text_and_data("known", 3);
	assert_int_equal(verify_leaf(known[0]), NL_OK);
	assert_int_equal(commit((const void *)known, 1), NL_OK);
	assert_int_equal(commit(NULL, 0), NL_OK);
	for (unsigned i = 1; i < NL_MAX_FLOORS; i++) {
		char id[NL_LEAF_ID_LEN] = "";

		snprintf(id, sizeof(id), "leaf-%u", i);
		assert_true(nl_floor_raise(id, i));
	}
	leaf_text_and_data("one-more", 1);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	was = before();
	assert_int_equal(commit((const void *)sha, 1), NL_EFLOORS);
	unchanged(was);
	assert_int_equal(commit((const void *)known, 1), NL_OK);
}

static void kernel_replaced(void **state)
{
	uint8_t sha[1][32];

	(void)state;
	leaf_text_and_data("body", 1);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	memset(fg_shown(DATA_SITE & ~0xfffULL), 0x77, 4096); /* a new kernel was loaded there */
	memset(fg_shown(FG_BUILD_ID), 0x77, 20);
	nl_commit_kernel_gone(&fg.cpus[0], &fg.ctx);
	fg.cpus[0].root_generation = nl_current_view()->generation;
	assert_int_equal(fg_image(DATA_SITE)[0], 0x77);
	assert_ptr_equal(fg_shown(DATA_SITE), fg_image(DATA_SITE));
	assert_int_equal(nl_registry_count(), 0);
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_EUNKNOWN_LEAF);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(round_trip),
	        T(round_trip_everywhere),
	        T(arena_is_mapped_once),
	        T(guest_writes_survive),
	        T(probed_by_bytes),
	        T(probed_by_table),
	        T(probed_is_noted),
	        T(bytes_differ),
	        T(somebody_in_the_way),
	        T(blocker_is_named),
	        T(halted_cpus),
	        T(strict_leaf),
	        T(process_without_threads),
	        T(broken_lists),
	        T(deadline),
	        T(abandon_and_replace),
	        T(generations_and_sets),
	        T(versions_never_go_down),
	        T(policy),
	        T(out_of_memory_everywhere),
	        T(no_leak_over_rounds),
	        T(home_before_the_flip),
	        T(prepared_before_a_base_edit),
	        T(prepared_for_another_kernel),
	        T(old_root_in_use),
	        T(other_kernels),
	        T(another_table_in_front),
	        T(bodies_and_the_arena),
	        T(registry_is_bounded),
	        T(refused_leaves),
	        T(long_leaf_in_slices),
	        T(bad_buffers),
	        T(answers),
	        T(lstar_written),
	        T(kernel_pretended),
	        T(floors_are_full),
	        T(kernel_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
