// SPDX-License-Identifier: Apache-2.0
/* Guest memory through views: see guestmem.h. Entry formats: SDM vol. 3, 4.5.4; APM vol. 2, 5.3. */
#include "guest/guestmem.h"
#include "view/base.h"
#include "x86.h"
#include "core/core.h"

#define PTE_P (1ULL << 0)
#define PTE_W (1ULL << 1)
#define PTE_U (1ULL << 2)
#define PTE_PS (1ULL << 7)
#define PTE_STATE 0x60ULL /* accessed, dirty: the CPU sets them, and leads nowhere else by it */
#define PTE_ADDRESS 0x000ffffffffff000ULL

void nl_guest_init(struct nl_guest *g, const struct nl_views *views, const struct nl_view *view, uint64_t cr3,
                   bool la57)
{
	unsigned i;

	g->views = views;
	g->view = view;
	g->root = cr3 & PTE_ADDRESS;
	g->la57 = la57;
	for (i = 0; i < NL_GUEST_TABLES; i++)
		g->tables[i].at = NULL;
	nl_guest_keep(g, NULL);
}

void nl_guest_keep(struct nl_guest *g, struct nl_path *paths)
{
	unsigned i;

	for (i = 0; i < NL_GUEST_CACHE; i++)
		g->cache[i].page = ~0ULL;
	g->paths = paths;
}

void nl_guest_hold(struct nl_guest *g)
{
	unsigned i, j;
	uint64_t now;

	for (i = 0; i < NL_GUEST_CACHE; i++)
		for (j = 0; g->cache[i].page != ~0ULL && j < g->paths[i].n; j++)
			if (!x86_load_safe(g->paths[i].entry[j].at, &now) ||
			    (now ^ g->paths[i].entry[j].value) & ~PTE_STATE)
				g->cache[i].page = ~0ULL;
}

uint8_t *nl_view_pointer(const struct nl_views *views, const struct nl_view *view, gpa_t gpa, enum nl_rights rights)
{
	enum nl_rights granted;
	hpa_t pa;

	if (!nl_is_guest_ram(gpa) || !nl_view_walk(views, view, gpa, &pa, &granted, NULL, NULL) ||
	    (granted & rights) != rights)
		return NULL;
	return nl_phys(pa);
}

/* Objects of a kernel lie at round addresses (Knuth's multiplicative hash). */
static unsigned slot_of(uint64_t page, unsigned slots) { return page * 0x9e3779b97f4a7c15ULL >> 32 & (slots - 1); }

/* The same for the guest's tables, remembered: what the view shows does not depend on the guest. */
static const uint64_t *table_at(struct nl_guest *g, uint64_t gpa)
{
	unsigned slot = slot_of(gpa >> NL_PAGE_SHIFT, NL_GUEST_TABLES);

	if (g->tables[slot].gpa != gpa && g->tables[slot].at)
		slot ^= 1; /* two may have one place */
	if (g->tables[slot].gpa != gpa || !g->tables[slot].at) {
		g->tables[slot].gpa = gpa;
		g->tables[slot].at = (const uint64_t *)nl_view_pointer(g->views, g->view, GPA(gpa), NL_R);
	}
	return g->tables[slot].at;
}

static bool canonical(uint64_t va, bool la57)
{
	unsigned shift = la57 ? 64 - 57 : 64 - 48;

	return (uint64_t)((int64_t)(va << shift) >> shift) == va;
}

static enum nl_err translate(struct nl_guest *g, gva_t va, unsigned access, gpa_t *out, struct nl_path *path)
{
	uint64_t table = g->root;
	unsigned level;

	path->n = 0;
	if (!canonical(va.v, g->la57))
		return NL_EFAULT;
	for (level = g->la57 ? 5 : 4; level; level--) {
		unsigned shift = NL_PAGE_SHIFT + 9 * (level - 1);
		unsigned index = va.v >> shift & 0x1ff;
		uint64_t entry, page;
		const uint64_t *at = table_at(g, table);

		if (!at || !x86_load_safe(at + index, &entry))
			return NL_EFAULT;
		path->entry[path->n].at = at + index;
		path->entry[path->n++].value = entry;
		if (!(entry & PTE_P) || (access & NL_GUEST_USER && !(entry & PTE_U)) ||
		    (access & NL_GUEST_WRITE && !(entry & PTE_W)))
			return NL_EFAULT;
		if (level > 1 && !(entry & PTE_PS)) {
			table = entry & PTE_ADDRESS;
			continue;
		}
		if (level > 3) /* PS is reserved there */
			return NL_EFAULT;
		page = (1ULL << shift) - 1;
		*out = GPA((entry & PTE_ADDRESS & ~page) | (va.v & page));
		return NL_OK;
	}
	return NL_EFAULT;
}

enum nl_err nl_guest_translate(struct nl_guest *g, gva_t va, unsigned access, gpa_t *out)
{
	struct nl_path unused;

	return translate(g, va, access, out, &unused);
}

uint8_t *nl_guest_pointer(struct nl_guest *g, gva_t va, unsigned access)
{
	uint64_t page = va.v >> NL_PAGE_SHIFT;
	unsigned slot = slot_of(page, NL_GUEST_CACHE);
	struct nl_path path;
	gpa_t gpa;
	uint8_t *at;

	if (g->cache[slot].page != page && g->cache[slot].page != ~0ULL)
		slot ^= 1;
	if (g->cache[slot].page != page || (access & ~g->cache[slot].access)) {
		if (translate(g, GVA(va.v & ~NL_PAGE_MASK), access, &gpa, &path))
			return NULL;
		at = nl_view_pointer(g->views, g->view, gpa, access & NL_GUEST_WRITE ? NL_RW : NL_R);
		if (!at)
			return NULL;
		if (g->paths)
			g->paths[slot] = path;
		g->cache[slot].page = page;
		g->cache[slot].at = at;
		g->cache[slot].access = access;
	}
	return g->cache[slot].at + (va.v & NL_PAGE_MASK);
}

static size_t in_page(gva_t va, size_t n)
{
	size_t left = NL_PAGE_SIZE - (va.v & NL_PAGE_MASK);

	return n < left ? n : left;
}

enum nl_err nl_guest_read(struct nl_guest *g, gva_t va, unsigned access, void *out, size_t n)
{
	uint8_t *to = out;

	while (n) {
		size_t k = in_page(va, n);
		const uint8_t *at = nl_guest_pointer(g, va, access);

		if (!at || !x86_copy_safe(to, at, k))
			return NL_EFAULT;
		to += k;
		va.v += k;
		n -= k;
	}
	return NL_OK;
}

enum nl_err nl_guest_write(struct nl_guest *g, gva_t va, unsigned access, const void *in, size_t n)
{
	const uint8_t *from = in;

	while (n) {
		size_t k = in_page(va, n);
		uint8_t *at = nl_guest_pointer(g, va, access | NL_GUEST_WRITE);

		if (!at || !x86_copy_safe(at, from, k))
			return NL_EFAULT;
		from += k;
		va.v += k;
		n -= k;
	}
	return NL_OK;
}

enum nl_err nl_guest_read64(struct nl_guest *g, gva_t va, uint64_t *out)
{
	const uint8_t *at;

	if (va.v % 8)
		return nl_guest_read(g, va, NL_GUEST_READ, out, 8);
	at = nl_guest_pointer(g, va, NL_GUEST_READ);
	return at && x86_load_safe((const uint64_t *)at, out) ? NL_OK : NL_EFAULT;
}

enum nl_err nl_guest_probe(struct nl_guest *g, gva_t va, unsigned access, size_t n)
{
	while (n) {
		size_t k = in_page(va, n);

		if (!nl_guest_pointer(g, va, access))
			return NL_EFAULT;
		va.v += k;
		n -= k;
	}
	return NL_OK;
}
