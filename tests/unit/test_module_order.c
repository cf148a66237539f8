// SPDX-License-Identifier: Apache-2.0
// sources: hv/commit/commit.c hv/commit/generation.c hv/commit/gone.c hv/commit/module.c hv/core/step.c
// sources: hv/commit/request.c hv/commit/window.c hv/commit/plan.c hv/commit/quiesce.c hv/leaf/registry.c
// sources: hv/leaf/bind.c hv/leaf/room.c hv/leaf/witness.c
// sources: hv/guest/guest.c hv/guest/guestmem.c hv/guest/linux/kernel.c hv/guest/linux/tasks.c
// sources: hv/guest/linux/held.c hv/guest/linux/hidden.c
// sources: hv/commit/order.c hv/commit/standing.c hv/exits/own.c hv/leaf/order.c
// sources: hv/guest/linux/queues.c hv/guest/linux/target.c hv/guest/linux/modules.c hv/guest/linux/hook.c
// sources: hv/core/kept.c hv/leaf/list.c
// sources: hv/commit/trial.c
// sources: hv/leaf/leaf.c hv/leaf/floor.c hv/leaf/reloc.c hv/leaf/signature.c hv/exits/hypercall.c
// sources: hv/view/view.c hv/view/npt.c
// sources: hv/view/current.c hv/core/clock.c hv/core/cpu.c hv/core/journal.c hv/core/pool.c hv/core/sha256.c
// sources: hv/core/sodium.c
// sources: tests/unit/fakeguest.c tests/unit/fakemodules.c tests/unit/makeleaf.c tests/unit/commit_fixture.c
// sources: tests/unit/module_fixture.c tests/unit/module_model.c
// sources: tests/unit/snapshot.c
// libs: -lcrypto
/*
 * The adversarial scheduler: who of two modules and an agent takes the next step (module_model.h) is chosen in every
 * way there is, up to a depth, from several beginnings, and at random for long.
 */
#include "module_fixture.h"
#include "module_model.h"
#include "snapshot.h"
#include <sys/mman.h>

#define DEPTH 8u /* steps from each beginning; ORDER_DEPTH in the environment: others */

/* Not in snapshots. */
static struct explored {
	uint64_t keys[1u << 20];
	uint8_t left[1u << 20];
	unsigned long states, edges;
} * x;

/* Was it reached with as many steps to go? */
static bool is_new(uint64_t k, unsigned to_go)
{
	unsigned mask = NL_ARRAY_SIZE(x->keys) - 1, at = (unsigned)(k & mask);

	while (x->keys[at] && x->keys[at] != k)
		at = (at + 1) & mask;
	if (x->keys[at] && x->left[at] >= to_go)
		return false;
	x->states += !x->keys[at];
	x->keys[at] = k;
	x->left[at] = (uint8_t)to_go;
	return true;
}

static void explore(unsigned depth, unsigned to_go)
{
	unsigned told = model_told();

	snapshot_take(depth);
	for (unsigned action = 0; action < MODEL_ACTIONS; action++) {
		if (!model_steps(action))
			continue;
		x->edges++;
		if (to_go && is_new(model_key() | 1, to_go))
			explore(depth + 1, to_go - 1);
		snapshot_restore(depth);
		model_forget(told);
	}
}

static void walk(unsigned n, bool learns)
{
	for (unsigned i = 0; i < n;) {
		unsigned action = (unsigned)host_below(MODEL_ACTIONS);

		/* who loads should get somewhere, now and then */
		if (action < 8 && action % 4 && model_phase(action / 4) != ABSENT && host_below(4))
			continue;
		i += model_steps(action);
		if (learns && i % 40 == 0)
			snapshot_learn();
	}
}

static void start_exploring(const struct beginning *b)
{
	x = mmap(NULL, sizeof(*x), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(x != MAP_FAILED);
	model_begin(b);
}

static void stop_exploring(void)
{
	model_end();
	munmap(x, sizeof(*x));
}

static void every_order(const struct beginning *b)
{
	const char *other = getenv("ORDER_DEPTH");

	start_exploring(b);
	snapshot_start();
	snapshot_range(fg.ram + 0x100000, 0x30000);                /* page tables */
	snapshot_range(fg.ram + 0x300000, 0x10000);                /* per-CPU areas */
	snapshot_range(fg.ram + FM_RAM, MODEL_FRAMES);             /* the modules' memory */
	snapshot_range(fg_image(FG_TOP), 0x10000);                 /* the kernel's data */
	snapshot_range(fg.region, 0x10000);                        /* the arena's text, */
	snapshot_range(fg.region + MODEL_HALF - 0x1000, 0x2000);   /* its end */
	snapshot_range(fg.region + NL_REGION_ARENA_DATA, 0x10000); /* and its data */
	snapshot_range(fg.region + NL_REGION_ARENA_DATA + MODEL_HALF - 0x1000, 0x2000);
	snapshot_range(fg.region + NL_REGION_CORE + 0x100000, 0x100000); /* the pool */
	snapshot_base();
	host_seed(7);
	walk(4000, true);
	do { /* again, should there be pages that the walk did not come to */
		snapshot_rewind();
		model_forget(0);
		memset(x, 0, sizeof(*x));
		explore(0, other ? (unsigned)strtoul(other, NULL, 10) : DEPTH);
	} while (!snapshot_was_complete());
	printf("%lu states, %lu steps, snapshots of %zu pages\n", x->states, x->edges, snapshot_pages());
	snapshot_stop();
	stop_exploring();
}

static void from_nothing(void **state)
{
	const struct beginning b = {0};

	(void)state;
	every_order(&b);
}

static void with_another_on(void **state)
{
	const struct beginning b = {.zero = true, .phases = {COMING, OTHERS}};

	(void)state;
	every_order(&b);
}

static void with_much_left_behind(void **state)
{
	const struct beginning b = {.zero = true, .left_behind = 6};

	(void)state;
	every_order(&b);
}

static void while_one_leaves(void **state)
{
	const struct beginning b = {.left_behind = 7, .phases = {LIVE, COMING}};

	(void)state;
	every_order(&b);
}

static void for_long(void **state)
{
	for (unsigned i = 0; i < 4; i++) {
		const struct beginning b = {.zero = i & 1};

		start_exploring(&b);
		host_seed(100 + i);
		walk(15000, false);
		stop_exploring();
		teardown(state);
		module_setup(state);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, module_setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(from_nothing), T(with_another_on),
	        cmocka_unit_test_setup_teardown(with_much_left_behind, old_module_setup, teardown), T(while_one_leaves),
	        T(for_long)};

	return cmocka_run_group_tests_name("module order", tests, NULL, NULL);
}
