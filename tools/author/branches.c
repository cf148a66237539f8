// SPDX-License-Identifier: Apache-2.0
/*
 * Bytes that would be a 32-bit branch into the range are sought everywhere; then the function that holds them is
 * decoded from its beginning, and they are no branch if they lie inside an instruction (e9 in jns -23, which is 79 e9).
 * Where decoding loses step, because there is data in the text, and where no symbol says what a beginning is, they are
 * taken for one. Short branches reach 128 bytes: the functions that lie so near are decoded whole.
 */
#include "branches.h"
#include "code.h"

#include <newleaf/types.h>
#include <stdlib.h>
#include <string.h>

#define COMPILED_ALIGN 16u
#define SHOWN 4u         /* callers */
#define SHORT_REACH 130u /* a branch of 2 bytes, or 3, and what it reaches */

/* Code that is run where it lies, and what boot copies over it: the branches there lead where those of the copy will.
 * A module's are all that it has of code; nobody else's branches lead into the middle of it. */
static const char *const sections[] = {".text", ".altinstr_replacement", ".altinstr_aux"};

/* The nth section that may hold branches to where `start` is; NULL = there are no more. */
static const struct ksection *section_for(const struct kernel *k, uint64_t start, size_t nth)
{
	for (size_t i = 0; k->module && kernel_owns(k, start) && i < k->n_sections; i++)
		if (k->sections[i].code && kernel_owns(k, k->sections[i].va) && !nth--)
			return &k->sections[i];
	return NULL;
}

struct search {
	const struct kernel *k;
	uint64_t start, end;
	bool (*unwanted)(const void *arg, const struct branch *b);
	const void *arg;
	struct branch *found;
};

static bool is_unwanted(const struct search *s, const struct branch *b)
{
	if (b->target < s->start || b->target >= s->end || !s->unwanted(s->arg, b))
		return false;
	*s->found = *b;
	return true;
}

/* Does an instruction begin at va, if one begins where the symbol does? Unknown is yes. */
static bool begins(const struct ksection *text, const struct ksym *sym, uint64_t va)
{
	uint64_t at = sym ? sym->va : va;

	if (at < text->va)
		return true;
	while (at < va) {
		struct code_step s = code_decode(text->bytes + (at - text->va), text->size - (at - text->va), at);

		if (!s.len)
			return true;
		at += s.len;
	}
	return at == va;
}

/* How many bytes before the distance at p a branch begins, as far as they tell; 0 = it is no branch. */
static uint64_t prefix_of(const uint8_t *p)
{
	if (p[-1] == 0xe8 || p[-1] == 0xe9)
		return 1;                                                                             /* call, jmp */
	return (p[-2] == 0x0f && (p[-1] & 0xf0) == 0x80) || (p[-2] == 0xc7 && p[-1] == 0xf8) ? 2 : 0; /* jcc, xbegin */
}

static uint64_t target_of(const struct ksection *text, uint64_t at)
{
	int32_t distance;

	memcpy(&distance, text->bytes + at, 4);
	return text->va + at + 4 + (uint64_t)(int64_t)distance;
}

static bool is_one(const struct search *s, const struct ksection *text, uint64_t at)
{
	struct branch b = {.target = target_of(text, at)};
	uint64_t prefix = prefix_of(text->bytes + at);

	if (!prefix || b.target < s->start || b.target >= s->end)
		return false;
	b.from = text->va + at - prefix;
	b.in = kallsyms_at(&s->k->syms, b.from);
	b.is_call = prefix == 1 && text->bytes[at - 1] == 0xe8;
	return s->unwanted(s->arg, &b) && begins(text, b.in, b.from) && is_unwanted(s, &b);
}

struct distance { /* of what may be a branch: where its bytes are in the section, and where it leads */
	uint64_t to;
	uint32_t at;
};

static struct { /* by `to` */
	const struct kernel *k;
	struct distance *all[NL_ARRAY_SIZE(sections)];
	size_t n[NL_ARRAY_SIZE(sections)];
} known;

static int by_target(const void *a, const void *b)
{
	const struct distance *x = a, *y = b;

	return x->to != y->to ? (x->to < y->to ? -1 : 1) : x->at < y->at ? -1 : x->at > y->at;
}

void branches_remember(const struct kernel *k)
{
	for (size_t i = 0; i < NL_ARRAY_SIZE(sections); i++) {
		const struct ksection *text = kernel_section(k, sections[i]);
		size_t n = 0;

		if (!text || !text->bytes)
			continue;
		for (uint64_t at = 2; at + 4 <= text->size; at++)
			n += prefix_of(text->bytes + at) != 0;
		known.all[i] = xalloc((n + 1) * sizeof(struct distance));
		for (uint64_t at = 2; at + 4 <= text->size; at++)
			if (prefix_of(text->bytes + at))
				known.all[i][known.n[i]++] = (struct distance){target_of(text, at), (uint32_t)at};
		qsort(known.all[i], known.n[i], sizeof(struct distance), by_target);
	}
	known.k = k;
}

static bool find_in(const struct search *s, const struct ksection *text, size_t section)
{
	const struct distance *all = known.all[section];
	size_t low = 0, high = known.n[section];

	if (known.k != s->k) {
		for (uint64_t at = 2; at + 4 <= text->size; at++) {
			uint64_t to = target_of(text, at);

			if (to >= s->start && to < s->end && is_one(s, text, at))
				return true;
		}
		return false;
	}
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (all[middle].to < s->start)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < known.n[section] && all[low].to < s->end; low++)
		if (is_one(s, text, all[low].at))
			return true;
	return false;
}

/* The functions around, instruction by instruction. */
static bool find_near(const struct search *s, const struct ksection *text)
{
	const struct ksym *sym = kallsyms_at(&s->k->syms, s->start - SHORT_REACH);
	uint64_t at = sym ? sym->va : s->start, stop = s->end + SHORT_REACH;

	while (at < stop && at >= text->va && at - text->va < text->size) {
		struct code_step step = code_decode(text->bytes + (at - text->va), text->size - (at - text->va), at);
		const struct ksym *next = kallsyms_next(&s->k->syms, at);
		struct branch b = {at, step.target, kallsyms_at(&s->k->syms, at), step.is_call};

		if (step.jumps && is_unwanted(s, &b))
			return true;
		at += step.len ? step.len : 1; /* padding may hold anything */
		if (next && next->va < at)
			at = next->va; /* it was no instruction */
	}
	return false;
}

bool branches_find(const struct kernel *k, uint64_t start, uint64_t end,
                   bool (*unwanted)(const void *arg, const struct branch *b), const void *arg, struct branch *found)
{
	struct search s = {k, start, end, unwanted, arg, found};

	const struct ksection *own;

	for (size_t i = 0; (own = section_for(k, start, i)); i++)
		if (own->bytes && (find_in(&s, own, 0) || (start - own->va < own->size && find_near(&s, own))))
			return true;
	for (size_t i = 0; !section_for(k, start, 0) && i < NL_ARRAY_SIZE(sections); i++) {
		const struct ksection *text = kernel_section(k, sections[i]);

		if (!text || !text->bytes)
			continue;
		if (find_in(&s, text, i) || (start >= text->va && start - text->va < text->size && find_near(&s, text)))
			return true;
	}
	return false;
}

bool branches_run_on(const struct kernel *k, uint64_t start, uint64_t end)
{
	const uint8_t *p = kernel_bytes(k, start, end - start);
	const struct ksection *in = kernel_section_at(k, start);
	/* behind the last of a module's section comes another section, and no padding before it */
	bool is_last = in && in->of && end - in->va >= in->size, room = false;
	struct code_step last = {.ends = true};

	for (uint64_t at = start; p && at < end;) {
		struct code_step s = code_decode(p + (at - start), end - at, at);

		if (!s.len)
			return false;
		room = s.pads;
		if (!s.pads)
			last = s;
		at += s.len;
	}
	return !last.ends && !is_last && !(last.is_call && (room || !(end & (COMPILED_ALIGN - 1))));
}

struct callers {
	uint64_t va;
	const struct ksym *seen[SHOWN];
	unsigned n, more;
};

/* Takes down who calls, and never says that it is enough. */
static bool take_down(const void *arg, const struct branch *b)
{
	struct callers *c = *(struct callers *const *)arg;

	if (b->target != c->va || !b->in)
		return false;
	for (unsigned i = 0; i < c->n; i++)
		if (c->seen[i] == b->in)
			return false;
	if (c->n < SHOWN)
		c->seen[c->n++] = b->in;
	else
		c->more++;
	return false;
}

char *branches_callers(const struct kernel *k, uint64_t va)
{
	struct callers c = {.va = va}, *pointer = &c;
	char *all = xformat("%s", "");
	struct branch b;

	branches_find(k, va, va + 1, take_down, &pointer, &b);
	for (unsigned i = 0; i < c.n; i++)
		all = xformat("%s%s%s", all, i ? ", " : "; called by: ", c.seen[i]->name);
	return c.more ? xformat("%s and more", all) : all;
}
