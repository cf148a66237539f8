// SPDX-License-Identifier: Apache-2.0
/* An index of ids for each BTF object, ascending by kind, name and id: see typenames.h. */
#include "typenames.h"

#include <bpf/btf.h>
#include <stdlib.h>
#include <string.h>

struct index {
	const struct btf *btf;
	uint32_t *ids;
	uint32_t
	        base; /* the first id that is not of the types that these are said in addition to; 0 = there are none */
	size_t n;
	struct index *next;
};

static struct index *indices;
static const struct btf *sorting;

static const char *name_of(const struct btf *btf, uint32_t id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);
	const char *name = t ? btf__name_by_offset(btf, t->name_off) : NULL;

	return name ? name : ""; /* outside the table of names */
}

static uint32_t kind_of(const struct btf *btf, uint32_t id) { return btf_kind(btf__type_by_id(btf, id)); }

static int by_kind_and_name(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b, kx = kind_of(sorting, x), ky = kind_of(sorting, y);
	int order = kx == ky ? strcmp(name_of(sorting, x), name_of(sorting, y)) : kx < ky ? -1 : 1;

	return order ? order : x < y ? -1 : x > y;
}

static const struct index *index_of(const struct btf *btf)
{
	const struct btf *base = btf__base_btf(btf);
	uint32_t all = btf__type_cnt(btf);
	struct index *i;

	for (i = indices; i; i = i->next)
		if (i->btf == btf)
			return i;
	i = xalloc(sizeof(*i));
	*i = (struct index){.btf = btf,
	                    .ids = xalloc(all * sizeof(uint32_t)),
	                    .base = base ? btf__type_cnt(base) : 0,
	                    .next = indices};
	for (uint32_t id = 1; id < all; id++)
		if (*name_of(btf, id))
			i->ids[i->n++] = id;
	sorting = btf;
	qsort(i->ids, i->n, sizeof(*i->ids), by_kind_and_name);
	indices = i;
	return i;
}

/* Of id against what is sought, as strcmp. */
static int order(const struct btf *btf, uint32_t id, uint32_t kind, const char *name)
{
	uint32_t k = kind_of(btf, id);

	return k == kind ? strcmp(name_of(btf, id), name) : k < kind ? -1 : 1;
}

const uint32_t *typenames_find(const struct btf *btf, uint32_t kind, const char *name, size_t *n)
{
	const struct index *i = index_of(btf);
	size_t low = 0, high = i->n, end;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (order(btf, i->ids[middle], kind, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < i->n && !order(btf, i->ids[end], kind, name); end++)
		;
	/* A module's own hide the kernel's of that name, as its symbols do. */
	if (end > low && i->ids[end - 1] >= i->base)
		while (i->ids[low] < i->base)
			low++;
	*n = end - low;
	return i->ids + low;
}

void typenames_forget(void) { indices = NULL; }
