// SPDX-License-Identifier: Apache-2.0
/*
 * Views: building, forking, editing and releasing nested page tables (view.h). Knows entries only through struct
 * nl_npt_format. One rule everywhere: a table is complete before an entry points to it, and that entry is one aligned
 * 8-byte store, so hardware that walks the tables at any moment finds either the old translation or the new one.
 */
#include "view/view.h"
#include "core/core.h"

enum { ROOT_LEVEL = 4, LEVEL_1G = 3, LEVEL_2M = 2, LEVEL_4K = 1, ENTRIES = 512 };
#define ADDRESS_BITS 0x000ffffffffff000ULL /* of an entry: where the page or the table is */

static uint64_t span(unsigned level) { return NL_PAGE_SIZE << 9 * (level - 1); } /* bytes that one entry covers */
static unsigned index_at(unsigned level, uint64_t gpa) { return gpa / span(level) % ENTRIES; }
static uint64_t *map(const struct nl_views *v, hpa_t table) { return v->ops.map(table); }
static void store(uint64_t *entry, uint64_t value) { __atomic_store_n(entry, value, __ATOMIC_RELEASE); }

/* --- Entries --- */

static hpa_t target(uint64_t entry) { return HPA(entry & ADDRESS_BITS); }
static uint64_t to_table(const struct nl_npt_format *f, hpa_t table) { return f->table | table.v; }

static bool is_table(const struct nl_npt_format *f, unsigned level, uint64_t entry)
{
	return level > LEVEL_4K && (entry & f->present) && !(entry & f->large);
}

static uint64_t to_page(const struct nl_npt_format *f, unsigned level, hpa_t frame, enum nl_rights rights,
                        enum nl_memtype type)
{
	return f->leaf | frame.v | (rights & NL_R ? f->right_r : 0) | (rights & NL_W ? f->right_w : 0) |
	       (rights & NL_X ? f->right_x : f->right_nx) | (f->has_type ? (uint64_t)type << f->type_shift : 0) |
	       (level > LEVEL_4K ? f->large : 0);
}

static enum nl_rights rights_of(const struct nl_npt_format *f, uint64_t entry)
{
	const bool executable = f->right_x ? entry & f->right_x : !(entry & f->right_nx);
	return (entry & f->right_r ? NL_R : 0) | (entry & f->right_w ? NL_W : 0) | (executable ? NL_X : 0);
}

static enum nl_memtype type_of(const struct nl_npt_format *f, uint64_t entry)
{
	return f->has_type ? entry >> f->type_shift & 7 : NL_MT_WB;
}

/* --- Walking --- */

bool nl_view_walk(const struct nl_views *v, const struct nl_view *view, gpa_t gpa, struct nl_shown *out)
{
	if (gpa.v >> v->format->address_bits)
		return false;
	unsigned level = ROOT_LEVEL;
	uint64_t entry = map(v, view->root)[index_at(level, gpa.v)];
	while (is_table(v->format, level, entry)) {
		level--;
		entry = map(v, target(entry))[index_at(level, gpa.v)];
	}
	if (!(entry & v->format->present))
		return false;
	*out = (struct nl_shown){HPA(target(entry & ~(span(level) - 1)).v | (gpa.v & (span(level) - 1))),
	                         rights_of(v->format, entry), type_of(v->format, entry), span(level)};
	return true;
}

/* --- Releasing --- */

/* Views share tables place by place, so an entry that equals the neighbour's in the same place is shared, and no other
 * is. `kept`: the neighbour's table there, NULL where it has none. */
static void release_table(const struct nl_views *v, hpa_t table, unsigned level, const uint64_t *kept)
{
	const uint64_t *entries = map(v, table);

	for (unsigned i = 0; level > LEVEL_4K && i < ENTRIES; i++) {
		if (!is_table(v->format, level, entries[i]) || (kept && kept[i] == entries[i]))
			continue;
		const bool both = kept && is_table(v->format, level, kept[i]);
		release_table(v, target(entries[i]), level - 1, both ? map(v, target(kept[i])) : NULL);
	}
	v->ops.release(table);
}

void nl_view_release(const struct nl_views *v, struct nl_view *view, const struct nl_view *keep)
{
	NL_ASSERT(!keep || keep->root.v != view->root.v);
	release_table(v, view->root, ROOT_LEVEL, keep ? map(v, keep->root) : NULL);
	*view = (struct nl_view){.root = HPA(0)};
}

/* --- The base view --- */

struct builder {
	const struct nl_views *v;
	const struct nl_type_run *run; /* the one that holds the address being mapped: both only go up */
	uint64_t end;
};

static bool build_table(struct builder *b, unsigned level, uint64_t gpa, hpa_t *out)
{
	const struct nl_npt_format *f = b->v->format;

	if (!b->v->ops.alloc(out))
		return false;
	uint64_t *entries = map(b->v, *out);
	for (unsigned i = 0; i < ENTRIES && gpa < b->end; i++, gpa += span(level)) {
		while (b->run->base + b->run->size <= gpa)
			b->run++;
		/* No page of several types (SDM vol. 3, 12.11.9): with NPT the MTRRs act, and they change below 1 MiB
		 * every 4 KiB, and below 4 GiB where devices are. */
		const bool exists = level == LEVEL_4K || (level == LEVEL_2M && gpa >= NL_2M) ||
		                    (level == LEVEL_1G && f->has_1g && gpa >= 4 * NL_1G);
		if (exists && gpa + span(level) <= b->run->base + b->run->size) {
			store(&entries[i], to_page(f, level, HPA(gpa), NL_RWX, b->run->type));
			continue;
		}
		hpa_t lower;
		if (!build_table(b, level - 1, gpa, &lower)) {
			release_table(b->v, *out, level, NULL);
			return false;
		}
		store(&entries[i], to_table(f, lower));
	}
	return true;
}

enum nl_err nl_view_base(const struct nl_views *v, const struct nl_type_run *runs, size_t n_runs, struct nl_view *out)
{
	struct builder b = {.v = v, .run = runs, .end = runs[n_runs - 1].base + runs[n_runs - 1].size};

	NL_ASSERT(runs[0].base == 0 && b.end <= 1ULL << v->format->address_bits);
	*out = (struct nl_view){.generation = 1};
	return build_table(&b, ROOT_LEVEL, 0, &out->root) ? NL_OK : NL_ENOMEM;
}

/* --- Forking and editing --- */

enum nl_err nl_view_fork(const struct nl_views *v, const struct nl_view *from, struct nl_view *out)
{
	hpa_t root;
	if (!v->ops.alloc(&root))
		return NL_ENOMEM;
	memcpy(map(v, root), map(v, from->root), NL_PAGE_SIZE);
	*out = (struct nl_view){.root = root, .generation = from->generation + 1};
	return NL_OK;
}

/* Fill a fresh table of `level` so that it shows what `entry`, one level up, shows: a copy of a table, or a large page
 * in pieces. */
static void expand(const struct nl_views *v, unsigned level, uint64_t entry, uint64_t *fresh)
{
	if (is_table(v->format, level + 1, entry)) {
		memcpy(fresh, map(v, target(entry)), NL_PAGE_SIZE);
		return;
	}
	if (level == LEVEL_4K)
		entry &= ~v->format->large;
	for (unsigned i = 0; i < ENTRIES; i++, entry += span(level))
		fresh[i] = entry;
}

/*
 * Let the 4 KiB entry for gpa be `value`. Down to where the view shares a table with `parent`, or has a large page,
 * tables are private and used as they are. From there on down fresh ones are made: all of them are allocated before
 * anything is written, all are complete before the one store that links the first of them.
 */
static enum nl_err put(const struct nl_views *v, const struct nl_view *view, const struct nl_view *parent, uint64_t gpa,
                       uint64_t value)
{
	const struct nl_npt_format *f = v->format;
	uint64_t *entry = &map(v, view->root)[index_at(ROOT_LEVEL, gpa)];
	const uint64_t *theirs = parent ? &map(v, parent->root)[index_at(ROOT_LEVEL, gpa)] : NULL;
	unsigned level = ROOT_LEVEL;

	while (is_table(f, level, *entry) && !(theirs && *theirs == *entry)) {
		theirs = theirs && is_table(f, level, *theirs) ? &map(v, target(*theirs))[index_at(level - 1, gpa)]
		                                               : NULL;
		level--;
		entry = &map(v, target(*entry))[index_at(level, gpa)];
	}

	hpa_t fresh[ROOT_LEVEL]; /* by level */
	for (unsigned l = LEVEL_4K; l < level; l++) {
		if (v->ops.alloc(&fresh[l]))
			continue;
		while (l-- > LEVEL_4K)
			v->ops.release(fresh[l]);
		return NL_ENOMEM;
	}

	uint64_t shown = *entry;
	for (unsigned l = level; l-- > LEVEL_4K;) {
		uint64_t *table = map(v, fresh[l]);
		expand(v, l, shown, table);
		shown = table[index_at(l, gpa)];
		table[index_at(l, gpa)] = l > LEVEL_4K ? to_table(f, fresh[l - 1]) : value;
	}
	store(entry, level > LEVEL_4K ? to_table(f, fresh[level - 1]) : value);
	return NL_OK;
}

enum nl_err nl_view_set_page(const struct nl_views *v, struct nl_view *view, const struct nl_view *parent, gpa_t gpa,
                             hpa_t frame, enum nl_rights rights)
{
	struct nl_shown now;

	NL_ASSERT((rights & NL_R) && !(frame.v & NL_PAGE_MASK) && (!parent || parent->root.v != view->root.v));
	if (!nl_view_walk(v, view, gpa, &now))
		return NL_EINTERNAL;
	return put(v, view, parent, gpa.v, to_page(v->format, LEVEL_4K, frame, rights, now.type));
}
