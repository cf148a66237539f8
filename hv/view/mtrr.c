// SPDX-License-Identifier: Apache-2.0
/*
 * Memory types from a snapshot of the MTRRs. A run ends where a range register may begin or cease to match, so the runs
 * are computed from boundaries; nothing goes page by page, and a mask with so many holes that it comes to that is given
 * up. SMRRs are not looked at: what they cover is not ours nor the guest's.
 */
#include "view/mtrr.h"

#define CAP_FIXED (1ULL << 8)       /* SDM vol. 3, 12.11.1 */
#define DEF_TYPE_FIXED (1ULL << 10) /* SDM vol. 3, 12.11.2.1 */
#define DEF_TYPE_ENABLE (1ULL << 11)
#define MASK_VALID (1ULL << 11) /* SDM vol. 3, 12.11.2.3 */
#define FIXED_END 0x100000ULL
#define MAX_PIECES 65536

/* Reserved encodings cannot be written to an MTRR; should one be read, then uncacheable is the type that is never
 * wrong. */
static enum nl_memtype type_of(uint64_t encoding)
{
	const unsigned known = 1u << NL_MT_WC | 1u << NL_MT_WT | 1u << NL_MT_WP | 1u << NL_MT_WB;

	return known >> (encoding & 7) & 1 ? encoding & 7 : NL_MT_UC;
}

static bool enabled(const struct nl_mtrrs *m) { return m->def_type & DEF_TYPE_ENABLE; }

static bool is_fixed(const struct nl_mtrrs *m, uint64_t at)
{
	return at < FIXED_END && (m->cap & CAP_FIXED) && (m->def_type & DEF_TYPE_FIXED);
}

/* Each fixed register holds eight types; the three groups differ in how much each covers (SDM vol. 3, table 12-9). */
static uint64_t fixed_unit(uint64_t at) { return at < 0x80000 ? 0x10000 : at < 0xc0000 ? 0x4000 : 0x1000; }

static enum nl_memtype fixed_type(const struct nl_mtrrs *m, uint64_t at)
{
	const uint64_t unit = at < 0x80000   ? at / 0x10000
	                      : at < 0xc0000 ? 8 + (at - 0x80000) / 0x4000
	                                     : 24 + (at - 0xc0000) / 0x1000;
	return type_of(m->fixed[unit / 8] >> unit % 8 * 8);
}

/* A variable range is all addresses that agree with `value` in the bits of `mask`; masks with holes are legal and give
 * several pieces. */
struct range {
	uint64_t value, mask;
	enum nl_memtype type;
};

static bool range_of(const struct nl_mtrrs *m, unsigned i, struct range *out)
{
	const uint64_t implemented = (1ULL << m->phys_bits) - NL_PAGE_SIZE;
	out->mask = m->variable[i].mask & implemented;
	out->value = m->variable[i].base & out->mask;
	out->type = type_of(m->variable[i].base);
	return m->variable[i].mask & MASK_VALID;
}

static bool matches(const struct range *r, uint64_t at) { return (at & r->mask) == r->value; }

/* The lowest matching address above `at`, which itself does not match. May lie beyond the physical space. */
static uint64_t next_match(const struct range *r, uint64_t at)
{
	const uint64_t candidate = (at & ~r->mask) | r->value;
	/* the highest bit that the mask forces to change */
	const unsigned differ = 63 - (unsigned)__builtin_clzll(candidate ^ at);
	const uint64_t below = (1ULL << differ) - 1;

	if (candidate > at) /* a 0 became 1: above already, so the free bits below it can be 0 */
		return candidate & (~below | r->mask);
	/* A 1 became 0: count the free bits above it up by one. */
	const uint64_t not_counted = r->mask | below | 1ULL << differ;
	return (((candidate | not_counted) + 1) & ~not_counted) | r->value;
}

/* Where, above `at`, the set of registers that decide may first be another one. */
static uint64_t next_boundary(const struct nl_mtrrs *m, uint64_t at, uint64_t end)
{
	if (!enabled(m))
		return end;
	if (is_fixed(m, at))
		return at + fixed_unit(at);
	for (unsigned i = 0; i < m->n_variable; i++) {
		struct range r;
		if (!range_of(m, i, &r) || !r.mask)
			continue;
		const uint64_t piece = r.mask & -r.mask; /* within such a piece all addresses agree */
		const uint64_t next = matches(&r, at) ? (at | (piece - 1)) + 1 : next_match(&r, at);
		if (next < end)
			end = next;
	}
	return end;
}

/* SDM vol. 3, 12.11.4.1: UC wins, WT beats WB; what the manual leaves undefined is UC here. */
static enum nl_memtype combine(enum nl_memtype a, enum nl_memtype b)
{
	if (a == b)
		return a;
	if ((a == NL_MT_WT && b == NL_MT_WB) || (a == NL_MT_WB && b == NL_MT_WT))
		return NL_MT_WT;
	return NL_MT_UC;
}

enum nl_memtype nl_mtrr_type(const struct nl_mtrrs *m, gpa_t gpa)
{
	if (!enabled(m))
		return NL_MT_UC;
	if (is_fixed(m, gpa.v))
		return fixed_type(m, gpa.v);

	bool found = false;
	enum nl_memtype type = type_of(m->def_type);
	for (unsigned i = 0; i < m->n_variable; i++) {
		struct range r;
		if (!range_of(m, i, &r) || !matches(&r, gpa.v))
			continue;
		type = found ? combine(type, r.type) : r.type;
		found = true;
	}
	return type;
}

enum nl_err nl_mtrr_runs(const struct nl_mtrrs *m, struct nl_type_run *runs, size_t max, size_t *n)
{
	const uint64_t end = 1ULL << (m->phys_bits < 48 ? m->phys_bits : 48);
	size_t used = 0, pieces = 0;

	for (uint64_t at = 0, next; at < end; at = next) {
		if (++pieces > MAX_PIECES)
			return NL_ENOMEM;
		const enum nl_memtype type = nl_mtrr_type(m, GPA(at));
		next = next_boundary(m, at, end);
		if (used && runs[used - 1].type == type) {
			runs[used - 1].size += next - at;
			continue;
		}
		if (used == max)
			return NL_ENOMEM;
		runs[used++] = (struct nl_type_run){.base = at, .size = next - at, .type = type};
	}
	*n = used;
	return NL_OK;
}
