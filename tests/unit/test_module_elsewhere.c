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
// sources: tests/unit/module_fixture.c
// libs: -lcrypto
/*
 * What leaves are bound to is elsewhere, while nobody has told of it: the kernel, which says that it has a second
 * place; a module that came back; an initialiser whose memory goes while it is looked at.
 */
#include "module_fixture.h"
#include "commit/commit.h"
#include "leaf/registry.h"
#include "x86.h"

static uint8_t one[1][32];

/* "one" is on: over the image and alpha, which is not there yet. */
static void on(unsigned with)
{
	leaf_module("one", "alpha", with);
	assert_int_equal(verify_leaf(one[0]), NL_OK);
	assert_int_equal(commit((const void *)one, 1), NL_OK);
}

/* The kernel shows itself at a second place and says that it is there: the leaves are bound to the first. */
static void kernel_in_two_places(void **state)
{
	const uint64_t va = FG_LINK + SLIDE, by = FG_IMAGE;
	uint64_t *table = (uint64_t *)(void *)fg_image(FG_TOP);
	struct fm a, b;

	(void)state;
	on(WITH_IMAGE);
	a = arrives("alpha", 0, 0);
	for (unsigned level = 4; level > 2; level--)
		table = (uint64_t *)(void *)(fg.ram + (table[va >> (3 + 9 * level) & 511] & ~0xfffULL));
	for (unsigned i = 0; i < by / NL_2M; i++)
		table[((va + by) >> 21 & 511) + i] = table[(va >> 21 & 511) + i];
	fg.ctx.lstar += by;
	assert_int_equal(call(NL_CALL_LEAVES, FG_USER, sizeof(struct nl_leaf_state), 0, 0), NL_OK);
	assert_int_equal(nl_registry_find(one[0])->state.note, NL_EKERNEL);
	leaves_memory(&a);
	b = comes("alpha", 0, 1, 1);
	assert_int_equal(told_coming(&b), 0);
	assert_int_equal(looks(&b), ORIGINAL);
	assert_int_equal(commit(NULL, 0), NL_EKERNEL);
	assert_int_equal(image_looks(), PATCHED);
	fg.ctx.lstar -= by;
	assert_int_equal(commit(NULL, 0), NL_OK);
	assert_int_equal(image_looks(), ORIGINAL);
}

/* Whose initialiser's memory goes between the looks at where it is and how large it is. */
static struct fm *goes;
static const uint8_t *size_at;

bool x86_copy_safe(void *to, const void *from, size_t n)
{
	if (goes && from == size_at) {
		lives(goes);
		goes = NULL;
	}
	memcpy(to, from, n);
	return true;
}

static void initialiser_goes_meanwhile(void **state)
{
	const struct nl_leaf_object o = fm_object("alpha", 0);
	struct fm a;

	(void)state;
	on(WITH_IMAGE | WITH_INIT);
	a = comes("alpha", 0, 0, 0);
	assert_int_equal(told_coming(&a), 0);
	assert_int_equal(looks(&a), PATCHED);
	size_at = fm_struct(&a) + o.regions[FM_INIT_TEXT].size_at;
	goes = &a;
	assert_int_equal(call(NL_CALL_LEAVES, FG_USER, sizeof(struct nl_leaf_state), 0, 0), NL_OK);
	assert_null(goes);
	assert_int_equal(module_of(one[0], 0)->state, NL_MODULE_PRESENT);
	assert_int_equal(nl_registry_find(one[0])->state.note, NL_OK);
	assert_int_equal(commit(NULL, 0), NL_OK);
	assert_int_equal(looks(&a), ORIGINAL);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, module_setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(kernel_in_two_places),
	        T(initialiser_goes_meanwhile),
	};

	return cmocka_run_group_tests_name("module elsewhere", tests, NULL, NULL);
}
