// SPDX-License-Identifier: Apache-2.0
/* Guest memory through views: see guestmem.h. Entry formats: SDM vol. 3, 4.5.4; APM vol. 2, 5.3. */
#include "guest/guestmem.h"
#include "view/base.h"
#include "x86.h"
#include "core/core.h"
#include "core/cpu.h"
#include "vendor.h"

#define PTE_P (1ULL << 0)
#define PTE_W (1ULL << 1)
#define PTE_U (1ULL << 2)
#define PTE_PS (1ULL << 7)
#define PTE_STATE 0x60ULL /* accessed, dirty: the CPU sets them, and leads nowhere else by it */
#define PTE_ADDRESS 0x000ffffffffff000ULL

static void forget(struct nl_guest *g)
{
	NL_EACH(c, g->cache, NL_GUEST_CACHE)
		c->page = ~0ULL;
}

void nl_guest_init(struct nl_guest *g, const struct nl_views *views, const struct nl_view *view, uint64_t cr3,
                   bool la57)
{
	g->views = views;
	g->view = view;
	g->root = cr3 & PTE_ADDRESS;
	g->la57 = la57;
	g->met_poison = &nl_this_cpu()->mc_pending;
	NL_EACH(t, g->tables, NL_GUEST_TABLES)
		t->at = NULL;
	nl_guest_keep(g, NULL);
}

/*
 * Who has met poison reads no more, through whatever space: the guest gets that machine check with the next entry, and
 * a second one before it has cleared MCG_STATUS.MCIP shuts the CPU down (SDM vol. 3, 16.3.1.2).
 */
static bool load(const struct nl_guest *g, const void *at, uint64_t *out)
{
	return !*g->met_poison && x86_load_safe((const uint64_t *)at, out);
}

bool nl_copy_safe(void *to, const void *from, size_t n)
{
	return !nl_this_cpu()->mc_pending && x86_copy_safe(to, from, n);
}

void nl_guest_keep(struct nl_guest *g, struct nl_entries *entries)
{
	forget(g);
	g->entries = entries;
	if (entries)
		entries->n = 0;
}

/* Objects of a kernel lie at round addresses (Knuth's multiplicative hash). */
static unsigned slot_of(uint64_t page, unsigned slots) { return page * 0x9e3779b97f4a7c15ULL >> 32 & (slots - 1); }

/* One that was read twice and said two things is there twice: one of the two will not be so when all are held. */
static void keep_entry(struct nl_entries *e, const uint64_t *at, uint64_t value)
{
	uint16_t *last = &e->last[slot_of((uintptr_t)at / sizeof(*at), NL_GUEST_ENTRIES)];

	if (*last < e->n && e->entry[*last].at == at && e->entry[*last].value == value)
		return;
	if (e->n >= NL_GUEST_ENTRIES) {
		e->n = NL_GUEST_ENTRIES + 1;
		return;
	}
	*last = e->n;
	e->entry[e->n].at = at;
	e->entry[e->n++].value = value;
}

bool nl_guest_hold(struct nl_guest *g)
{
	bool same = g->entries->n <= NL_GUEST_ENTRIES;
	unsigned i;
	uint64_t now;

	for (i = 0; same && i < g->entries->n; i++)
		same = load(g, g->entries->entry[i].at, &now) && !((now ^ g->entries->entry[i].value) & ~PTE_STATE);
	if (!same)
		forget(g);
	g->entries = NULL; /* what is found from here on is found while all are held */
	return same;
}

uint8_t *nl_view_pointer(const struct nl_views *views, const struct nl_view *view, gpa_t gpa, enum nl_rights rights)
{
	struct nl_shown page;

	if (!nl_is_guest_ram(gpa) || !nl_view_walk(views, view, gpa, &page) || (page.rights & rights) != rights)
		return NULL;
	return nl_phys(page.at);
}

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

enum nl_err nl_guest_translate(struct nl_guest *g, gva_t va, unsigned access, gpa_t *out)
{
	uint64_t table = g->root;
	unsigned level;

	if (!canonical(va.v, g->la57))
		return NL_EFAULT;
	for (level = g->la57 ? 5 : 4; level; level--) {
		unsigned shift = NL_PAGE_SHIFT + 9 * (level - 1);
		unsigned index = va.v >> shift & 0x1ff;
		uint64_t entry, page;
		const uint64_t *at = table_at(g, table);

		if (!at || !load(g, at + index, &entry))
			return NL_EFAULT;
		if (g->entries)
			keep_entry(g->entries, at + index, entry);
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

/* Where a page is that was found before, or has its place: four may have one. */
static inline unsigned place_of(const struct nl_guest *g, uint64_t page)
{
	unsigned slot = slot_of(page, NL_GUEST_CACHE), i;

	for (i = 0; i < 4; i++)
		if (g->cache[slot ^ i].page == page || g->cache[slot ^ i].page == ~0ULL)
			return slot ^ i;
	return slot;
}

uint8_t *nl_guest_pointer(struct nl_guest *g, gva_t va, unsigned access)
{
	uint64_t page = va.v >> NL_PAGE_SHIFT;
	unsigned slot = place_of(g, page);
	gpa_t gpa;
	uint8_t *at;

	if (g->cache[slot].page != page || (access & ~g->access[slot])) {
		if (nl_guest_translate(g, GVA(va.v & ~NL_PAGE_MASK), access, &gpa))
			return NULL;
		at = nl_view_pointer(g->views, g->view, gpa, access & NL_GUEST_WRITE ? NL_RW : NL_R);
		if (!at)
			return NULL;
		g->cache[slot].page = page;
		g->cache[slot].at = at;
		g->access[slot] = access;
	}
	return g->cache[slot].at + (va.v & NL_PAGE_MASK);
}

/* Page by page: to us, from us, or neither, to see that it could be. */
static inline enum nl_err copy(struct nl_guest *g, gva_t va, unsigned access, uint8_t *to, const uint8_t *from,
                               size_t n)
{
	for (size_t done = 0, k; done < n; done += k) {
		gva_t here = GVA(va.v + done);
		size_t left = NL_PAGE_SIZE - (here.v & NL_PAGE_MASK);
		uint8_t *at = nl_guest_pointer(g, here, access);

		k = n - done < left ? n - done : left;
		if (!at || (to && (*g->met_poison || !x86_copy_safe(to + done, at, k))) ||
		    (from && !x86_copy_safe(at, from + done, k)))
			return NL_EFAULT;
	}
	return NL_OK;
}

enum nl_err nl_guest_read(struct nl_guest *g, gva_t va, unsigned access, void *out, size_t n)
{
	return copy(g, va, access, out, NULL, n);
}

enum nl_err nl_guest_write(struct nl_guest *g, gva_t va, unsigned access, const void *in, size_t n)
{
	return copy(g, va, access | NL_GUEST_WRITE, NULL, in, n);
}

enum nl_err nl_guest_probe(struct nl_guest *g, gva_t va, unsigned access, size_t n)
{
	return copy(g, va, access, NULL, NULL, n);
}

static __attribute__((noinline)) enum nl_err read_slowly(struct nl_guest *g, gva_t va, unsigned size, uint64_t *out)
{
	*out = 0;
	return nl_guest_read(g, va, NL_GUEST_READ, out, size);
}

/* The aligned word that holds the byte, if its page was found before and it can be read. */
static inline bool word_of(struct nl_guest *g, uint64_t va, uint64_t *out)
{
	unsigned slot = place_of(g, va >> NL_PAGE_SHIFT);

	return g->cache[slot].page == va >> NL_PAGE_SHIFT &&
	       load(g, g->cache[slot].at + (va & NL_PAGE_MASK & ~7ULL), out);
}

enum nl_err nl_guest_load(struct nl_guest *g, gva_t va, unsigned size, uint64_t *out)
{
	unsigned at = va.v % 8;
	uint64_t word;

	if (at + size > 8 || !word_of(g, va.v, &word))
		return read_slowly(g, va, size, out);
	*out = word >> 8 * at & ~0ULL >> (64 - 8 * size);
	return NL_OK;
}

enum nl_err nl_guest_read64(struct nl_guest *g, gva_t va, uint64_t *out)
{
	return va.v % 8 || !word_of(g, va.v, out) ? nl_guest_read(g, va, NL_GUEST_READ, out, 8) : NL_OK;
}
