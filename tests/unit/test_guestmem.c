// SPDX-License-Identifier: Apache-2.0
// sources: hv/guest/guest.c hv/guest/guestmem.c hv/guest/linux/kernel.c hv/guest/linux/tasks.c hv/guest/linux/queues.c
// sources: hv/guest/linux/held.c hv/guest/linux/hidden.c
// sources: hv/guest/linux/modules.c hv/guest/linux/hook.c
// sources: hv/view/view.c hv/view/npt.c hv/view/current.c hv/core/pool.c tests/unit/fakeguest.c
/*
 * Walks of the guest's page tables, 4 and 5 levels, all page sizes, rights; and that nothing but RAM is ever touched,
 * and that through the view.
 */
#include "host.h"
#include "commit/commit.h"
#include "fakeguest.h"
#include "guest/guestmem.h"
#include "core/journal.h"
#include "guest/linux/linux.h"
#include "core/pool.h"
#include "view/current.h"
#include "x86.h"

static struct nl_guest g;
static bool la57;

void nl_journal_generation(uint64_t now) { (void)now; }

static int setup(void **state)
{
	la57 = *state;
	fg_start(0x4000000, la57, false, 1);
	nl_guest_init(&g, fg_views(), &fg.base, fg.ctx.cr3, la57);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fg_stop();
	return 0;
}

static void forget(void) { nl_guest_init(&g, fg_views(), &fg.base, fg.ctx.cr3, la57); }

/* The entry that a walk of `va` meets at `level`, found here by hand. */
static uint64_t *entry(uint64_t va, unsigned level)
{
	uint64_t table = fg.ctx.cr3 & 0xffffffffff000, *e = NULL;
	unsigned l;

	for (l = la57 ? 5 : 4; l >= level; l--) {
		e = (uint64_t *)(fg.ram + table) + (va >> (12 + 9 * (l - 1)) & 511);
		table = *e & 0xffffffffff000;
	}
	return e;
}

static uint64_t translated(uint64_t va)
{
	gpa_t out = GPA(~0ULL);

	return nl_guest_translate(&g, GVA(va), NL_GUEST_READ, &out) ? ~0ULL : out.v;
}

static void page_sizes(void **state)
{
	(void)state;
	assert_int_equal(translated(FG_LINK + fg.slide + 0x201234), FG_KERNEL + 0x201234);  /* 2 MiB */
	assert_int_equal(translated(FG_USER + 0x1234), fg_user(FG_USER + 0x1234) - fg.ram); /* 4 KiB */
	*entry(FG_DIRECT, 3) = 0x0 | 0x83;                                                  /* 1 GiB */
	assert_int_equal(translated(FG_DIRECT + 0x1abcdef), 0x1abcdef);
	*entry(FG_DIRECT, 4) |= 0x80; /* PS is reserved above that */
	assert_int_equal(translated(FG_DIRECT + 0x1abcdef), ~0ULL);
	*entry(FG_DIRECT, 4) &= ~0x80ULL;
	if (la57) {
		*entry(FG_DIRECT, 5) |= 0x80;
		assert_int_equal(translated(FG_DIRECT + 0x1abcdef), ~0ULL);
	}
}

static void ignored_bits(void **state)
{
	(void)state;
	*entry(FG_USER, 1) |= 1ULL << 63 | 1ULL << 59 | 0xe00; /* NX, protection key, software bits */
	assert_int_equal(translated(FG_USER + 8), fg_user(FG_USER + 8) - fg.ram);
	*entry(FG_LINK + fg.slide, 2) |= 1 << 12; /* PAT of a large page is no address bit */
	assert_int_equal(translated(FG_LINK + fg.slide + 8), FG_KERNEL + 8);
}

static void canonical(void **state)
{
	(void)state;
	assert_int_equal(translated(0x0000800000000000), ~0ULL);
	assert_int_equal(translated(la57 ? 0x0100000000000000 : 0xffff7fffffffffff), ~0ULL);
	assert_int_equal(translated(~0ULL), ~0ULL); /* canonical, not mapped */
}

static void rights(void **state)
{
	uint64_t va = FG_USER + FG_USER_SIZE, kernel = FG_LINK + fg.slide;
	uint64_t v = 0;

	(void)state;
	assert_int_equal(nl_guest_read(&g, GVA(va), NL_GUEST_USER, &v, 8), NL_OK);
	assert_int_equal(nl_guest_write(&g, GVA(va), NL_GUEST_USER, &v, 8),
	                 NL_EFAULT); /* also with the page in the cache */
	assert_int_equal(nl_guest_read(&g, GVA(kernel), NL_GUEST_READ, &v, 8), NL_OK);
	assert_int_equal(nl_guest_read(&g, GVA(kernel), NL_GUEST_USER, &v, 8), NL_EFAULT);
	*entry(FG_USER, 3) &= ~4ULL; /* no user right at one level above */
	forget();
	assert_int_equal(nl_guest_read(&g, GVA(FG_USER), NL_GUEST_USER, &v, 8), NL_EFAULT);
	*entry(FG_USER, 3) |= 4;
	*entry(FG_USER, 2) &= ~2ULL;
	forget();
	assert_int_equal(nl_guest_write(&g, GVA(FG_USER), NL_GUEST_USER, &v, 8), NL_EFAULT);
	assert_int_equal(nl_guest_probe(&g, GVA(FG_USER), NL_GUEST_USER, 16), NL_OK);
	assert_int_equal(nl_guest_probe(&g, GVA(FG_USER), NL_GUEST_USER | NL_GUEST_WRITE, 16), NL_EFAULT);
}

static void absent_at_each_level(void **state)
{
	unsigned level;

	(void)state;
	for (level = 1; level <= (la57 ? 5u : 4u); level++) {
		*entry(FG_USER, level) &= ~1ULL;
		assert_int_equal(translated(FG_USER), ~0ULL);
		*entry(FG_USER, level) |= 1;
	}
	assert_int_not_equal(translated(FG_USER), ~0ULL);
}

/* A page table that lies outside RAM, or a page that does, is a fault: never a touch of a device or of the hypervisor.
 */
static void only_ram(void **state)
{
	static const uint64_t places[] = {FG_RAM, 0xfee00000, FG_REGION, FG_REGION + 0x5000, 0xfffffffffff000};
	uint64_t v, was;
	unsigned level, i;

	(void)state;
	for (i = 0; i < NL_ARRAY_SIZE(places); i++) {
		for (level = 1; level <= (la57 ? 5u : 4u); level++) {
			was = *entry(FG_USER, level);
			*entry(FG_USER, level) = places[i] | 7;
			forget();
			assert_int_equal(nl_guest_read(&g, GVA(FG_USER), NL_GUEST_READ, &v, 8), NL_EFAULT);
			*entry(FG_USER, level) = was;
		}
		nl_guest_init(&g, fg_views(), &fg.base, places[i], la57);
		assert_int_equal(nl_guest_read(&g, GVA(FG_USER), NL_GUEST_READ, &v, 8), NL_EFAULT);
	}
}

static void crossing_pages(void **state)
{
	uint8_t out[0x3000], in[0x3000];
	uint64_t v;
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)host_random();
	/* neighbours in the address space that are none in memory */
	v = *entry(FG_USER + 0x1000, 1);
	*entry(FG_USER + 0x1000, 1) = *entry(FG_USER + 0x5000, 1);
	*entry(FG_USER + 0x5000, 1) = v;
	assert_int_equal(nl_guest_write(&g, GVA(FG_USER + 0x801), NL_GUEST_USER, in, sizeof(in)), NL_OK);
	assert_int_equal(nl_guest_read(&g, GVA(FG_USER + 0x801), NL_GUEST_USER, out, sizeof(out)), NL_OK);
	assert_memory_equal(in, out, sizeof(in));
	assert_memory_equal(fg_user(FG_USER + 0x5000), in + 0x7ff, 0x1000);
	assert_int_equal(nl_guest_read64(&g, GVA(FG_USER + 0xffd), &v), NL_OK); /* unaligned, across */
	assert_memory_equal(&v, in + 0x7fc, 8);
	*entry(FG_USER + 0x2000, 1) = 0;
	forget();
	assert_int_equal(nl_guest_read(&g, GVA(FG_USER + 0x801), NL_GUEST_USER, out, sizeof(out)), NL_EFAULT);
	assert_int_equal(nl_guest_read(&g, GVA(FG_USER + 0x801), NL_GUEST_USER, out, 0x17ff), NL_OK);
	assert_int_equal(nl_guest_read(&g, GVA(FG_USER + 0x801), NL_GUEST_USER, out, 0x1800), NL_EFAULT);
}

/* What the guest sees there is what is read and written, also for its page tables. */
static void through_the_view(void **state)
{
	struct nl_view fork;
	uint8_t *frame = nl_pool_page(), *tables = nl_pool_page();
	uint64_t gpa = (uint64_t)(fg_user(FG_USER) - fg.ram),
	         l1 = (uint64_t)((uint8_t *)entry(FG_USER, 1) - fg.ram) & ~0xfffULL, v;

	(void)state;
	memset(frame, 0x5a, 4096);
	assert_int_equal(nl_view_fork(fg_views(), &fg.base, &fork), NL_OK);
	assert_int_equal(nl_view_set_page(fg_views(), &fork, &fg.base, GPA(gpa), nl_pool_hpa(frame), NL_RX), NL_OK);
	nl_guest_init(&g, fg_views(), &fork, fg.ctx.cr3, la57);
	assert_int_equal(nl_guest_read64(&g, GVA(FG_USER), &v), NL_OK);
	assert_int_equal(v, 0x5a5a5a5a5a5a5a5a);
	/* The view grants no writing, also to who has read. */
	for (unsigned i = 4; i < FG_USER_SIZE / NL_PAGE_SIZE; i++) {
		uint64_t page = gpa + i * NL_PAGE_SIZE, va = FG_USER + i * NL_PAGE_SIZE;

		assert_int_equal(nl_view_set_page(fg_views(), &fork, &fg.base, GPA(page), nl_pool_hpa(frame), NL_RX),
		                 NL_OK);
		assert_int_equal(nl_guest_read64(&g, GVA(va), &v), NL_OK);
		assert_int_equal(nl_guest_write(&g, GVA(va), NL_GUEST_USER, &v, 8), NL_EFAULT);
	}
	memcpy(tables, fg.ram + l1, 4096);
	((uint64_t *)tables)[FG_USER >> 12 & 511] = (gpa + 0x3000) | 7;
	fg.ram[gpa + 0x3000] = 0x77;
	assert_int_equal(nl_view_set_page(fg_views(), &fork, &fg.base, GPA(l1), nl_pool_hpa(tables), NL_RW), NL_OK);
	nl_guest_init(&g, fg_views(), &fork, fg.ctx.cr3, la57);
	assert_int_equal(nl_guest_read(&g, GVA(FG_USER), NL_GUEST_READ, &v, 1), NL_OK);
	assert_int_equal(v & 0xff, 0x77);
}

static void many_pages_through_the_cache(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 4000; i++) {
		uint64_t at = host_below(FG_USER_SIZE - 8), direct = host_below(FG_RAM - 8), v;

		assert_int_equal(nl_guest_read64(&g, GVA(FG_USER + at), &v), NL_OK);
		assert_memory_equal(&v, fg_user(FG_USER + at), 8);
		assert_int_equal(nl_guest_read64(&g, GVA(FG_DIRECT + direct), &v), NL_OK);
		assert_memory_equal(&v, fg.ram + direct, 8);
	}
}

static void garbage_tables(void **state)
{
	unsigned i, k;
	uint64_t v;

	(void)state;
	for (i = 0; i < 3000; i++) {
		for (k = 0; k < 64; k++)
			((uint64_t *)(fg.ram + 0x100000))[host_below(0x11 * 512)] =
			        host_below(2) ? host_random() : host_below(FG_RAM) | 7 | (host_below(2) << 7);
		forget();
		nl_guest_read64(&g, GVA(host_below(2) ? FG_USER : FG_LINK + fg.slide + host_below(FG_IMAGE)), &v);
		nl_guest_read64(&g, GVA(host_random()), &v);
	}
	/* what counts is that no fake was asked for memory beyond RAM: nl_phys fails the test then */
}

/* A page that the hardware calls poisoned: an error, for data and for a page table on the way to them. */
static void poisoned_memory(void **state)
{
	const struct nl_context real = {.cr0 = 0};
	uint64_t word = 7, va = FG_LINK + 0x4000000 + 0x2000;
	uint8_t bytes[16];
	gpa_t at;

	(void)state;
	assert_int_equal(nl_guest_read64(&g, GVA(va), &word), NL_OK);
	word = 7;
	seam_poison = fg_image(0x2000);
	assert_int_equal(nl_guest_read64(&g, GVA(va), &word), NL_EFAULT);
	assert_int_equal(word, 7);
	assert_int_equal(nl_guest_read(&g, GVA(va - 8), NL_GUEST_READ, bytes, 16), NL_EFAULT);
	assert_int_equal(nl_guest_write(&g, GVA(va), NL_GUEST_READ, bytes, 16), NL_EFAULT);
	assert_int_equal(nl_guest_load(&g, GVA(va + 4), 4, &word), NL_EFAULT);
	assert_int_equal(nl_guest_read(&g, GVA(va - 16), NL_GUEST_READ, bytes, 16), NL_OK);
	seam_poison = entry(va, 3);
	forget();
	assert_int_equal(nl_guest_read64(&g, GVA(va), &word), NL_EFAULT);
	seam_poison = NULL;
	assert_int_equal(nl_guest_read64(&g, GVA(va), &word), NL_OK);
	/* code that runs without paging */
	assert_int_equal(nl_guest_translate(&g, GVA(va), NL_GUEST_READ, &at), NL_OK);
	nl_views_init(fg_views());
	nl_publish_view(&fg.base);
	assert_true(nl_guest_fetch(&real, at.v, bytes, 15));
	seam_poison = fg_image(0x2000);
	assert_false(nl_guest_fetch(&real, at.v, bytes, 15));
	seam_poison = NULL;
}

/* A second machine check before the guest has seen the first is a shutdown: no more looks, through whatever space. */
static void poison_is_met_once(void **state)
{
	uint64_t word, va = FG_LINK + 0x4000000 + 0x2000;
	uint8_t bytes[16];
	gpa_t at;

	(void)state;
	seam_pending = &fg.cpus[0].mc_pending;
	seam_checks = 0;
	seam_poison = fg_image(0x2000);
	assert_int_equal(nl_guest_read64(&g, GVA(va), &word), NL_EFAULT);
	assert_int_equal(nl_guest_read64(&g, GVA(va), &word), NL_EFAULT);
	assert_int_equal(nl_guest_load(&g, GVA(va), 4, &word), NL_EFAULT);
	assert_int_equal(nl_guest_read(&g, GVA(va), NL_GUEST_READ, bytes, 16), NL_EFAULT);
	assert_int_equal(nl_guest_read(&g, GVA(va - 0x1000), NL_GUEST_READ, bytes, 16),
	                 NL_EFAULT); /* whole, but no more */
	forget();
	assert_int_equal(nl_guest_translate(&g, GVA(va), NL_GUEST_READ, &at), NL_EFAULT);
	assert_false(nl_copy_safe(bytes, fg_image(0x2000), 16));
	assert_int_equal(seam_checks, 1);
	seam_poison = NULL;
	seam_pending = NULL;
	fg.cpus[0].mc_pending = false; /* it has seen it */
	assert_int_equal(nl_guest_read64(&g, GVA(va), &word), NL_OK);
	assert_true(nl_copy_safe(bytes, fg_image(0x2000), 16));
}

/* Numbers of all widths, wherever they lie. */
static void numbers(void **state)
{
	uint64_t at = FG_LINK + 0x4000000 + 0x2ff0, v;
	unsigned i, size;

	(void)state;
	for (i = 0; i < 0x20; i++)
		fg_image(0x2ff0)[i] = (uint8_t)(0x11 + i);
	for (size = 1; size <= 8; size *= 2)
		for (i = 0; i < 0x18; i++) {
			uint64_t wanted = 0;

			memcpy(&wanted, fg_image(0x2ff0) + i, size);
			assert_int_equal(nl_guest_load(&g, GVA(at + i), size, &v), NL_OK);
			assert_int_equal(v, wanted);
		}
}

static unsigned remembered(void)
{
	unsigned i, n = 0;

	for (i = 0; i < NL_GUEST_CACHE; i++)
		n += g.cache[i].page != ~0ULL;
	return n;
}

/* What was found while the guest ran holds when its tables still say the same, each entry of them. */
static void what_still_holds(void **state)
{
	static struct nl_entries entries;
	const uint64_t at[] = {FG_USER, FG_LINK + fg.slide + 0x2000, FG_DIRECT + 0x5000};
	unsigned i, level;

	(void)state;
	for (i = 0; i < NL_ARRAY_SIZE(at); i++)
		for (level = 1; level <= (la57 ? 5 : 4); level++) {
			uint64_t *e = entry(at[i], level), was = *e;
			bool present = level > 1 || !i; /* else a large page is above */
			const uint64_t to[] = {was, was ^ 0x60 /* accessed, dirty */,
			                       was ^ 1ULL << 63 /* whatever else */, 0};
			unsigned j;

			for (j = 0; present && j < NL_ARRAY_SIZE(to); j++) {
				nl_guest_init(&g, fg_views(), &fg.base, fg.ctx.cr3, la57);
				nl_guest_keep(&g, &entries);
				assert_non_null(
				        nl_guest_pointer(&g, GVA(at[(i + 1) % NL_ARRAY_SIZE(at)]), NL_GUEST_READ));
				assert_non_null(nl_guest_pointer(&g, GVA(at[i]), NL_GUEST_READ));
				assert_int_equal(remembered(), 2);
				*e = to[j];
				assert_int_equal(nl_guest_hold(&g), j < 2);
				assert_int_equal(remembered(), j < 2 ? 2 : 0);
				if (!to[j])
					assert_null(nl_guest_pointer(&g, GVA(at[i]), NL_GUEST_READ));
				*e = was;
				assert_non_null(nl_guest_pointer(&g, GVA(at[i]), NL_GUEST_READ));
			}
			if (!present)
				continue;
			nl_guest_keep(&g, &entries);
			assert_non_null(nl_guest_pointer(&g, GVA(at[i]), NL_GUEST_READ));
			*e = was ^ 1ULL << 63; /* between two looks, and back: one of the two was at something else */
			nl_guest_pointer(&g, GVA(at[i] ^ 0x1000), NL_GUEST_READ);
			*e = was;
			assert_int_equal(nl_guest_hold(&g), level == 1);
			nl_guest_keep(&g, &entries);
			assert_non_null(nl_guest_pointer(&g, GVA(at[i]), NL_GUEST_READ));
			seam_poison = e;
			assert_false(nl_guest_hold(&g));
			assert_int_equal(remembered(), 0);
			seam_poison = NULL;
		}
}

/* More entries than can be kept: nothing that was found is believed. */
static void too_much_to_hold(void **state)
{
	static struct nl_entries entries;
	unsigned i, level = la57 ? 5 : 4;
	uint64_t top = fg.ctx.cr3 & 0xffffffffff000;

	(void)state;
	nl_guest_keep(&g, &entries);
	for (i = 0; i < NL_GUEST_ENTRIES; i++) /* as many as there is place for */
		nl_guest_pointer(&g, GVA((uint64_t)i << (12 + 9 * (level - 1))), NL_GUEST_READ);
	assert_true(entries.n > NL_GUEST_ENTRIES); /* with what lies below those that are there */
	((uint64_t *)(fg.ram + top))[1] ^= 2;
	assert_false(nl_guest_hold(&g));
	assert_int_equal(remembered(), 0);
	((uint64_t *)(fg.ram + top))[1] ^= 2;
}

/* A guest that lies: tables made at random in a few frames, each other's and their own lower tables, rewritten between
 * two looks and put back. What a hold leaves is what a walk would say now. */
static void what_holds_is_so(void **state)
{
	static struct nl_entries entries;
	static struct nl_guest fresh;
	static uint64_t good[6][512];
	const unsigned unused = la57 ? 7 : 16;
	unsigned round, i, j, kept = 0, gone = 0;
	uint64_t *t[6], va[12];

	(void)state;
	for (i = 0; i < 6; i++)
		t[i] = (uint64_t *)(fg.ram + (i ? 0x600000 + i * 4096 : fg.ctx.cr3 & 0xffffffffff000));
	for (round = 0; round < 2000; round++) {
		for (i = 0; !(round % 50) && i < 6; i++) {
			for (j = 0; j < 512; j++)
				t[i][j] = (host_below(4) ? 1 : 0) | (host_below(8) ? 6 : 0) |
				          (host_below(12) ? 0 : 0x80) |
				          (host_below(20) ? (uint64_t)((uint8_t *)t[host_below(6)] - fg.ram)
				                          : host_random() & 0x000ffffffffff000);
			memcpy(good[i], t[i], sizeof(good[i]));
		}
		nl_guest_init(&g, fg_views(), &fg.base, fg.ctx.cr3, la57);
		nl_guest_keep(&g, &entries);
		for (i = 0; i < NL_ARRAY_SIZE(va); i++) {
			va[i] = (uint64_t)((int64_t)(host_random() << unused) >> unused) &
			        (host_below(2) ? ~0ULL : ~0xfffffffULL);
			nl_guest_pointer(&g, GVA(va[i]), (unsigned)host_below(4));
			if (entries.n && !host_below(20))
				*(uint64_t *)(uintptr_t)entries.entry[host_below(entries.n)].at ^= 1ULL
				                                                                   << host_below(64);
		}
		for (i = host_below(2) ? 6 : 0; i < 6; i++) /* put back */
			memcpy(t[i], good[i], sizeof(good[i]));
		if (nl_guest_hold(&g))
			kept++;
		else
			gone++;
		nl_guest_init(&fresh, fg_views(), &fg.base, fg.ctx.cr3, la57);
		for (i = 0; i < NL_ARRAY_SIZE(va); i++) {
			unsigned access = (unsigned)host_below(4);

			assert_ptr_equal(nl_guest_pointer(&g, GVA(va[i]), access),
			                 nl_guest_pointer(&fresh, GVA(va[i]), access));
		}
	}
	print_message("%u kept, %u gone\n", kept, gone);
	assert_true(kept > 100 && gone > 100);
}

int main(void)
{
#define T(f) \
	{#f "_4_levels", f, setup, teardown, NULL}, { #f "_5_levels", f, setup, teardown, &la57 }
	const struct CMUnitTest tests[] = {
	        T(page_sizes),
	        T(ignored_bits),
	        T(canonical),
	        T(rights),
	        T(absent_at_each_level),
	        T(only_ram),
	        T(crossing_pages),
	        T(through_the_view),
	        T(many_pages_through_the_cache),
	        T(garbage_tables),
	        T(poisoned_memory),
	        T(what_still_holds),
	        T(what_holds_is_so),
	        T(too_much_to_hold),
	        T(numbers),
	        T(poison_is_met_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
