// SPDX-License-Identifier: Apache-2.0
/*
 * The pool of pages: one bit per page, in the pool's own first pages. Single pages are handed out from the bottom;
 * runs, which are never released, are cut off the top, so that a page of a run handed to nl_pool_release is as foreign
 * as any other stray address.
 */
#include "core/pool.h"
#include "core/core.h"

static struct {
	nl_lock_t lock;
	uint8_t *base;
	hpa_t base_hpa;
	uint64_t *used; /* bit i = page i has been handed out singly */
	size_t first;   /* pages [first, limit) serve as single pages: below lies the bitmap, */
	size_t limit;   /* above lie the runs */
	size_t pages;
	size_t free;
	size_t hint; /* no page in [first, hint) is free */
} pool;

static bool is_used(size_t page) { return pool.used[page / 64] >> page % 64 & 1; }
static void mark_used(size_t page) { pool.used[page / 64] |= 1ULL << page % 64; }
static void mark_free(size_t page) { pool.used[page / 64] &= ~(1ULL << page % 64); }

void nl_pool_init(void *base, hpa_t base_hpa, size_t pages)
{
	const size_t per_page = NL_PAGE_SIZE * 8;
	const size_t bitmap = (pages + per_page - 1) / per_page;

	NL_ASSERT(!((uintptr_t)base & NL_PAGE_MASK) && !(base_hpa.v & NL_PAGE_MASK) && pages > bitmap);
	memset(base, 0, bitmap * NL_PAGE_SIZE);
	pool.base = base;
	pool.base_hpa = base_hpa;
	pool.used = base;
	pool.first = pool.hint = bitmap;
	pool.limit = pool.pages = pages;
	pool.free = pages - bitmap;
	nl_unlock(&pool.lock);
}

static uint8_t *take_page(void)
{
	for (size_t page = pool.hint; page < pool.limit; page++) {
		if (is_used(page))
			continue;
		mark_used(page);
		pool.free--;
		pool.hint = page + 1;
		return pool.base + page * NL_PAGE_SIZE;
	}
	pool.hint = pool.limit;
	return NULL;
}

void *nl_pool_page(void)
{
	nl_lock(&pool.lock);
	uint8_t *page = take_page();
	nl_unlock(&pool.lock);
	return page ? memset(page, 0, NL_PAGE_SIZE) : NULL;
}

static uint8_t *cut_run(size_t pages)
{
	if (pages > pool.limit - pool.first)
		return NULL;
	const size_t start = pool.limit - pages;
	for (size_t page = start; page < pool.limit; page++)
		if (is_used(page))
			return NULL;
	pool.limit = start;
	pool.free -= pages;
	return pool.base + start * NL_PAGE_SIZE;
}

void *nl_pool_run(size_t pages)
{
	nl_lock(&pool.lock);
	uint8_t *run = cut_run(pages);
	nl_unlock(&pool.lock);
	return run ? memset(run, 0, pages * NL_PAGE_SIZE) : NULL;
}

void *nl_pool_bytes(size_t n) { return nl_pool_run((n + NL_PAGE_MASK) / NL_PAGE_SIZE); }

void nl_pool_release(void *page)
{
	const uintptr_t offset = (uintptr_t)page - (uintptr_t)pool.base;
	const size_t index = offset / NL_PAGE_SIZE;

	nl_lock(&pool.lock);
	const bool ours = !(offset & NL_PAGE_MASK) && index < pool.pages && is_used(index);
	if (ours) {
		mark_free(index);
		pool.free++;
		if (index < pool.hint)
			pool.hint = index;
	}
	nl_unlock(&pool.lock);
	if (!ours)
		nl_panic("pool: release of %lx, which is not a page in use", (uint64_t)page);
}

size_t nl_pool_free_pages(void) { return __atomic_load_n(&pool.free, __ATOMIC_RELAXED); }
size_t nl_pool_total_pages(void) { return pool.pages; }

/* The region is mapped in one piece (bootblock.h), so one offset serves every address in it: the pool's, the core
 * image's, the arenas'. */
hpa_t nl_pool_hpa(const void *va)
{
	const intptr_t offset = (intptr_t)((uintptr_t)va - (uintptr_t)pool.base);
	NL_ASSERT(offset > -(intptr_t)NL_REGION_MAX && offset < (intptr_t)NL_REGION_MAX);
	return HPA(pool.base_hpa.v + (uint64_t)offset);
}

void *nl_pool_va(hpa_t pa)
{
	const int64_t offset = (int64_t)(pa.v - pool.base_hpa.v);
	NL_ASSERT(offset > -(int64_t)NL_REGION_MAX && offset < (int64_t)NL_REGION_MAX);
	return (void *)((uintptr_t)pool.base + (uintptr_t)offset);
}

static bool table_alloc(hpa_t *out)
{
	void *page = nl_pool_page();
	if (page)
		*out = nl_pool_hpa(page);
	return page;
}

static void table_release(hpa_t table) { nl_pool_release(nl_pool_va(table)); }

const struct nl_table_ops nl_pool_tables = {.map = nl_pool_va, .alloc = table_alloc, .release = table_release};
