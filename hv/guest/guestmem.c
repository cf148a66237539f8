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
#define PTE_ADDRESS 0x000ffffffffff000ULL

void nl_guest_init(struct nl_guest *g, const struct nl_views *views, const struct nl_view *view, uint64_t cr3,
                   bool la57)
{
	unsigned i;

	g->views = views;
	g->view = view;
	g->root = cr3 & PTE_ADDRESS;
	g->la57 = la57;
	for (i = 0; i < NL_GUEST_CACHE; i++)
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

static bool canonical(uint64_t va, bool la57)
{
	unsigned shift = la57 ? 64 - 57 : 64 - 48;

	return (uint64_t)((int64_t)(va << shift) >> shift) == va;
}

enum nl_err nl_guest_translate(const struct nl_guest *g, gva_t va, unsigned access, gpa_t *out)
{
	uint64_t table = g->root;
	unsigned level;

	if (!canonical(va.v, g->la57))
		return NL_EFAULT;
	for (level = g->la57 ? 5 : 4; level; level--) {
		unsigned shift = NL_PAGE_SHIFT + 9 * (level - 1);
		uint64_t offset = (va.v >> shift & 0x1ff) * 8, entry, page;
		const uint8_t *at = nl_view_pointer(g->views, g->view, GPA(table + offset), NL_R);

		if (!at || !x86_load_safe((const uint64_t *)at, &entry))
			return NL_EFAULT;
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

uint8_t *nl_guest_pointer(struct nl_guest *g, gva_t va, unsigned access)
{
	uint64_t page = va.v >> NL_PAGE_SHIFT;
	unsigned slot = page % NL_GUEST_CACHE;
	gpa_t gpa;
	uint8_t *at;

	if (g->cache[slot].page != page || (access & ~g->cache[slot].access)) {
		if (nl_guest_translate(g, GVA(va.v & ~NL_PAGE_MASK), access, &gpa))
			return NULL;
		at = nl_view_pointer(g->views, g->view, gpa, access & NL_GUEST_WRITE ? NL_RW : NL_R);
		if (!at)
			return NULL;
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
