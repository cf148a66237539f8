// SPDX-License-Identifier: Apache-2.0
/* Snapshots: see snapshot.h. Nothing of its own may lie in static memory but what stays as it is. */
#include "snapshot.h"
#include "host.h"
#include <sys/mman.h>

#define PAGE 4096UL
#define MAX_RANGES 16
#define MAX_PAGES 8192

extern char __data_start[], _end[]; /* ld's default script */

static struct kept {
	unsigned n_ranges, n_pages, n_dirty;
	struct {
		char *at;
		size_t pages;
	} ranges[MAX_RANGES];
	char *pages[MAX_PAGES];
	bool dirty[MAX_PAGES];
	unsigned order[MAX_PAGES]; /* the dirty ones */
	char *base, *taken[SNAPSHOTS];
} * s;

static void *map(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

/* The sanitizer guards the gaps between variables. */
static void copy(void *to, const void *from, size_t n)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n)::"memory");
}

__attribute__((no_sanitize("address"))) static bool differs(const char *a, const char *b)
{
	const unsigned long *x = (const void *)a, *y = (const void *)b;

	for (size_t i = 0; i < PAGE / sizeof(*x); i++)
		if (x[i] != y[i])
			return true;
	return false;
}

void snapshot_range(void *at, size_t size)
{
	assert_true(s->n_ranges < MAX_RANGES);
	s->ranges[s->n_ranges].at = (char *)((size_t)at & ~(PAGE - 1));
	s->ranges[s->n_ranges++].pages = (((size_t)at & (PAGE - 1)) + size + PAGE - 1) / PAGE;
}

void snapshot_start(void)
{
	s = map(sizeof(*s));
	snapshot_range(__data_start, (size_t)(_end - __data_start));
}

void snapshot_base(void)
{
	for (unsigned i = 0; i < s->n_ranges; i++)
		for (size_t k = 0; k < s->ranges[i].pages; k++) {
			assert_true(s->n_pages < MAX_PAGES);
			s->pages[s->n_pages++] = s->ranges[i].at + k * PAGE;
		}
	s->base = map(s->n_pages * PAGE);
	for (unsigned i = 0; i < s->n_pages; i++)
		copy(s->base + i * PAGE, s->pages[i], PAGE);
}

void snapshot_learn(void)
{
	for (unsigned i = 0; i < s->n_pages; i++)
		if (!s->dirty[i] && differs(s->base + i * PAGE, s->pages[i])) {
			s->dirty[i] = true;
			s->order[s->n_dirty++] = i;
		}
}

void snapshot_rewind(void)
{
	size_t was = s->n_dirty;

	snapshot_learn();
	for (unsigned i = 0; i < s->n_dirty; i++)
		copy(s->pages[s->order[i]], s->base + s->order[i] * PAGE, PAGE);
	for (unsigned i = 0; i < SNAPSHOTS; i++)
		if (s->taken[i]) {
			munmap(s->taken[i], was * PAGE);
			s->taken[i] = NULL;
		}
}

size_t snapshot_pages(void) { return s->n_dirty; }

void snapshot_take(unsigned n)
{
	assert_true(n < SNAPSHOTS);
	if (!s->taken[n])
		s->taken[n] = map(s->n_dirty * PAGE);
	for (unsigned i = 0; i < s->n_dirty; i++)
		copy(s->taken[n] + i * PAGE, s->pages[s->order[i]], PAGE);
}

void snapshot_restore(unsigned n)
{
	for (unsigned i = 0; i < s->n_dirty; i++)
		copy(s->pages[s->order[i]], s->taken[n] + i * PAGE, PAGE);
}

bool snapshot_was_complete(void)
{
	for (unsigned i = 0; i < s->n_pages; i++)
		if (!s->dirty[i] && differs(s->base + i * PAGE, s->pages[i]))
			return false;
	return true;
}

void snapshot_stop(void)
{
	snapshot_rewind();
	munmap(s->base, s->n_pages * PAGE);
	munmap(s, sizeof(*s));
	s = NULL;
}
