// SPDX-License-Identifier: Apache-2.0
/*
 * See shape.h.
 */
#include "host.h"
#include "shape.h"

static bool continues(const struct piece *a, const struct piece *b)
{
	if (a->gpa + a->size != b->gpa || a->rights != b->rights || a->type != b->type)
		return false;
	if (!a->one_frame && !b->one_frame && a->hpa + a->size == b->hpa)
		return true;
	return a->hpa == b->hpa && (a->one_frame || a->size == NL_PAGE_SIZE) &&
	       (b->one_frame || b->size == NL_PAGE_SIZE);
}

static void add(struct shape *s, struct piece p)
{
	if (s->n && continues(&s->p[s->n - 1], &p)) {
		struct piece *last = &s->p[s->n - 1];
		last->one_frame = last->hpa == p.hpa;
		last->size += p.size;
		return;
	}
	if (s->n == SHAPE_PIECES) {
		s->wrong = "more pieces than the test has room for";
		return;
	}
	s->p[s->n++] = p;
}

struct entry {
	bool present, large;
	uint64_t hpa;
	enum nl_rights rights;
	enum nl_memtype type;
	const char *wrong;
};

/* SDM vol. 3, 29.3.2 and 29.3.3.1 (EPT misconfigurations). */
static struct entry read_ept(uint64_t raw, unsigned level)
{
	struct entry e = {.present = raw & 7, .rights = raw & 7, .hpa = raw & 0x000ffffffffff000, .type = raw >> 3 & 7};
	const bool ps = raw >> 7 & 1;
	e.large = level == 1 || (ps && level < 4);
	if (!e.present)
		return e;
	if ((raw & 7) == 2 || (raw & 7) == 6)
		e.wrong = "EPT: writable, not readable";
	else if (level == 4 && raw & 0xf8)
		e.wrong = "EPT: reserved bits in a PML4 entry";
	else if (!e.large && raw & 0x78)
		e.wrong = "EPT: reserved bits in an entry that points to a table";
	else if (e.large && (e.type == 2 || e.type == 3 || e.type == 7))
		e.wrong = "EPT: reserved memory type";
	else if (raw >> 52)
		e.wrong = "EPT: unexpected high bits";
	else if (raw & 0xf00)
		e.wrong = "EPT: accessed, dirty and ignored bits are ours to leave 0";
	return e;
}

/* APM vol. 2, 5.4 and 15.25.5: U must be set everywhere; A and D from the start, or the CPU would write to shared
 * tables. */
static struct entry read_npt(uint64_t raw, unsigned level)
{
	struct entry e = {.present = raw & 1, .hpa = raw & 0x000ffffffffff000, .type = NL_MT_WB};
	const bool ps = raw >> 7 & 1;
	e.large = level == 1 || (ps && level < 4);
	e.rights = NL_R | (raw & 2 ? NL_W : 0) | (raw >> 63 ? 0 : NL_X);
	if (!e.present)
		return e;
	if (!(raw & 4))
		e.wrong = "NPT: not a user entry";
	else if (!(raw & 0x20) || (e.large && !(raw & 0x40)))
		e.wrong = "NPT: the CPU would write accessed or dirty";
	else if (raw & 0x18)
		e.wrong = "NPT: PWT or PCD make it uncached";
	else if (ps && (level == 4 || level == 1))
		e.wrong = "NPT: reserved or PAT bit 7";
	else if (raw & 0xf00 || raw >> 52 & 0x7ff)
		e.wrong = "NPT: unexpected bits";
	return e;
}

static void read_table(struct shape *s, enum shape_format format, hpa_t table, unsigned level, uint64_t gpa,
                       uint64_t end)
{
	const uint64_t span = 0x1000ULL << 9 * (level - 1);

	s->met[(table.v - HISTORY_BASE) / NL_PAGE_SIZE] = true;
	for (unsigned i = 0; i < 512; i++, gpa += span) {
		const uint64_t raw = history_map(table)[i];
		const struct entry e = format == SHAPE_EPT ? read_ept(raw, level) : read_npt(raw, level);
		if (e.wrong)
			s->wrong = e.wrong;
		if (!e.present && gpa < end)
			s->wrong = "a hole in the map";
		if (e.present && gpa >= end)
			s->wrong = "something behind the end of the map";
		if (!e.present || e.wrong)
			continue;
		if (e.large && e.hpa & (span - 1))
			s->wrong = "reserved address bits in a large page";
		if (!e.large && !history_is_table(HPA(e.hpa))) {
			s->wrong = "an entry that points to no table";
			continue;
		}
		if (!e.large) {
			if (e.rights != NL_RWX)
				s->wrong = "a table entry that takes rights away";
			read_table(s, format, HPA(e.hpa), level - 1, gpa, end);
			continue;
		}
		s->leaves++;
		add(s, (struct piece){.gpa = gpa, .size = span, .hpa = e.hpa, .rights = e.rights, .type = e.type});
	}
}

void shape_read(struct shape *s, enum shape_format format, hpa_t root, unsigned address_bits)
{
	*s = (struct shape){.n = 0};
	read_table(s, format, root, 4, 0, 1ULL << address_bits);
}

bool shape_reaches(const struct shape *s, hpa_t table) { return s->met[(table.v - HISTORY_BASE) / NL_PAGE_SIZE]; }

/* The part of `p` from gpa on, at most to `end`. */
static struct piece part(struct piece p, uint64_t gpa, uint64_t end)
{
	const uint64_t p_end = p.gpa + p.size;
	if (gpa > p.gpa) {
		p.hpa += p.one_frame ? 0 : gpa - p.gpa;
		p.gpa = gpa;
	}
	p.size = (p_end < end ? p_end : end) - p.gpa;
	p.one_frame = p.one_frame && p.size > NL_PAGE_SIZE;
	return p;
}

enum what { SHOW, TYPE, HIDE };

static void replace(struct shape *s, struct piece with, enum what what)
{
	static struct shape old;
	const uint64_t end = with.gpa + with.size;

	old = *s;
	*s = (struct shape){.n = 0};
	for (size_t i = 0; i < old.n; i++) {
		const struct piece p = old.p[i];
		const uint64_t p_end = p.gpa + p.size;
		if (p.gpa < with.gpa)
			add(s, part(p, p.gpa, with.gpa));
		if (p_end > with.gpa && p.gpa < end) {
			struct piece covered = what == TYPE ? part(p, with.gpa, end) : part(with, p.gpa, p_end);
			covered.type = what == SHOW ? p.type : with.type;
			add(s, covered);
		}
		if (p_end > end)
			add(s, part(p, end, p_end));
	}
}

void shape_show(struct shape *s, uint64_t gpa, uint64_t size, uint64_t hpa, enum nl_rights rights)
{
	replace(s, (struct piece){.gpa = gpa, .size = size, .hpa = hpa, .rights = rights}, SHOW);
}

void shape_type(struct shape *s, uint64_t gpa, uint64_t size, enum nl_memtype type)
{
	replace(s, (struct piece){.gpa = gpa, .size = size, .type = type}, TYPE);
}

void shape_hide(struct shape *s, uint64_t gpa, uint64_t size, uint64_t sink)
{
	replace(s,
	        (struct piece){
	                .gpa = gpa, .size = size, .hpa = sink, .one_frame = true, .rights = NL_RWX, .type = NL_MT_WB},
	        HIDE);
}

static bool same(struct piece a, struct piece b)
{
	return a.gpa == b.gpa && a.size == b.size && a.hpa == b.hpa && a.one_frame == b.one_frame &&
	       a.rights == b.rights && a.type == b.type;
}

bool shape_equal(const struct shape *a, const struct shape *b)
{
	if (a->wrong || b->wrong || a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!same(a->p[i], b->p[i]))
			return false;
	return true;
}

const struct piece *shape_at(const struct shape *s, uint64_t gpa)
{
	for (size_t i = 0; i < s->n; i++)
		if (gpa - s->p[i].gpa < s->p[i].size)
			return &s->p[i];
	return NULL;
}

bool shape_between(const struct shape *before, const struct shape *now, const struct shape *after)
{
	const struct shape *all[] = {before, now, after};
	uint64_t at = 0;

	if (now->wrong)
		return false;
	while (shape_at(now, at)) {
		uint64_t end = UINT64_MAX;
		struct piece here[3];
		for (unsigned i = 0; i < 3; i++) {
			const struct piece *p = shape_at(all[i], at);
			if (!p)
				return false;
			if (p->gpa + p->size < end)
				end = p->gpa + p->size;
		}
		for (unsigned i = 0; i < 3; i++)
			here[i] = part(*shape_at(all[i], at), at, end);
		if (!same(here[1], here[0]) && !same(here[1], here[2]))
			return false;
		at = end;
	}
	return !shape_at(before, at);
}

void shape_print(const char *title, const struct shape *s)
{
	printf("%s: %zu pieces, %zu leaves%s%s\n", title, s->n, s->leaves, s->wrong ? ", " : "", s->wrong ?: "");
	for (size_t i = 0; i < s->n; i++)
		printf("  %012lx + %012lx -> %012lx%s rights %d type %d\n", s->p[i].gpa, s->p[i].size, s->p[i].hpa,
		       s->p[i].one_frame ? " (one frame)" : "", s->p[i].rights, s->p[i].type);
}
