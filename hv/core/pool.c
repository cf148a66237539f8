// SPDX-License-Identifier: Apache-2.0
/*
 * The pool of pages. Those that were never handed out lie in one piece, of which single pages are taken from the bottom
 * and runs from the top; released pages are a list. What is said of a page stands in a table of its own, not in the
 * page: a page that was handed out may hold whatever a guest writes. Runs are never released, so that a page of a run
 * handed to nl_pool_release is as foreign as any other stray address.
 */
#include "core/pool.h"
#include "core/core.h"

#define IN_USE UINT16_MAX

static struct {
	nl_lock_t lock;
	uint8_t *base;
	hpa_t base_hpa;
	uint16_t *next; /* of a page: IN_USE, or the page released before it, 0 = none. In the pool's own first pages */
	size_t released;     /* the page released last */
	size_t fresh, limit; /* pages [fresh, limit) were never handed out */
	size_t pages, free;
} pool;

void nl_pool_init(void *base, hpa_t base_hpa, size_t pages)
{
	const size_t table = (pages * sizeof(*pool.next) + NL_PAGE_MASK) / NL_PAGE_SIZE;

	NL_ASSERT(!((uintptr_t)base & NL_PAGE_MASK) && !(base_hpa.v & NL_PAGE_MASK) && pages > table && pages < IN_USE);
	memset(base, 0, table * NL_PAGE_SIZE);
	pool.base = base;
	pool.base_hpa = base_hpa;
	pool.next = base;
	pool.released = 0;
	pool.fresh = table;
	pool.limit = pool.pages = pages;
	pool.free = pages - table;
	nl_unlock(&pool.lock);
}

static size_t take(void)
{
	size_t page = pool.released;

	if (page)
		pool.released = pool.next[page];
	else if (pool.fresh < pool.limit)
		page = pool.fresh++;
	else
		return 0;
	pool.next[page] = IN_USE;
	pool.free--;
	return page;
}

void *nl_pool_page(void)
{
	nl_lock(&pool.lock);
	const size_t page = take();
	nl_unlock(&pool.lock);
	return page ? memset(pool.base + page * NL_PAGE_SIZE, 0, NL_PAGE_SIZE) : NULL;
}

void *nl_pool_run(size_t pages)
{
	uint8_t *run = NULL;

	nl_lock(&pool.lock);
	if (pages <= pool.limit - pool.fresh) {
		pool.limit -= pages;
		pool.free -= pages;
		run = pool.base + pool.limit * NL_PAGE_SIZE;
	}
	nl_unlock(&pool.lock);
	return run ? memset(run, 0, pages * NL_PAGE_SIZE) : NULL;
}

void *nl_pool_bytes(size_t n) { return nl_pool_run((n + NL_PAGE_MASK) / NL_PAGE_SIZE); }

void nl_pool_release(void *page)
{
	const uintptr_t offset = (uintptr_t)page - (uintptr_t)pool.base;
	const size_t index = offset / NL_PAGE_SIZE;

	nl_lock(&pool.lock);
	const bool ours = !(offset & NL_PAGE_MASK) && index < pool.pages && pool.next[index] == IN_USE;
	if (ours) {
		pool.next[index] = (uint16_t)pool.released;
		pool.released = index;
		pool.free++;
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
