// SPDX-License-Identifier: Apache-2.0
/*
 * The hypervisor's own memory: 4 KiB pages of the reserved region, zeroed when handed out. No allocation in an exit
 * path or in the stop window: commits allocate while they are prepared. Internally locked (spin): callable on every
 * CPU.
 */
#pragma once

#include <newleaf/types.h>

void nl_pool_init(void *base, hpa_t base_hpa, size_t pages); /* bookkeeping is taken from the pages themselves */
void *nl_pool_page(void);                                    /* NULL: used up */
void *nl_pool_run(size_t pages); /* contiguous; only during initialisation; never released */
void nl_pool_release(void *page);
void *nl_pool_bytes(size_t n); /* a run of as many pages as n bytes take */
size_t nl_pool_free_pages(void);
size_t nl_pool_total_pages(void);
hpa_t nl_pool_hpa(const void *va); /* of any address inside the region */
void *nl_pool_va(hpa_t pa);        /* the other way */

/* Where tables live: hv/core/pool.c in the core, an instrumented fake on the host. Pages come zeroed. */
struct nl_table_ops {
	void *(*map)(hpa_t table); /* never fails for a page that alloc gave */
	bool (*alloc)(hpa_t *out); /* false: out of memory */
	void (*release)(hpa_t table);
};

extern const struct nl_table_ops nl_pool_tables; /* nested page tables made of these pages */
