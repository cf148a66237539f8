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
#include <string.h>

#define SHOWN 4u         /* callers */
#define SHORT_REACH 130u /* a branch of 2 bytes, or 3, and what it reaches */

/* Code that is run where it lies, and what boot copies over it: the branches there lead where those of the copy will.
 */
static const char *const sections[] = {".text", ".altinstr_replacement", ".altinstr_aux"};

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

static bool find_in(const struct search *s, const struct ksection *text)
{
	for (uint64_t at = 2; at + 4 <= text->size; at++) {
		const uint8_t *p = text->bytes + at;
		struct branch b;
		int32_t distance;
		uint64_t prefix;

		memcpy(&distance, p, 4);
		b.target = text->va + at + 4 + (uint64_t)(int64_t)distance;
		if (b.target < s->start || b.target >= s->end)
			continue;
		if (p[-1] == 0xe8 || p[-1] == 0xe9)
			prefix = 1; /* call, jmp */
		else if ((p[-2] == 0x0f && (p[-1] & 0xf0) == 0x80) || (p[-2] == 0xc7 && p[-1] == 0xf8))
			prefix = 2; /* jcc, xbegin */
		else
			continue;
		b.from = text->va + at - prefix;
		b.in = kallsyms_at(&s->k->syms, b.from);
		b.is_call = p[-1] == 0xe8 && prefix == 1;
		if (s->unwanted(s->arg, &b) && begins(text, b.in, b.from))
			return is_unwanted(s, &b);
	}
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

	for (size_t i = 0; i < NL_ARRAY_SIZE(sections); i++) {
		const struct ksection *text = kernel_section(k, sections[i]);

		if (!text || !text->bytes)
			continue;
		if (find_in(&s, text) || (start >= text->va && start - text->va < text->size && find_near(&s, text)))
			return true;
	}
	return false;
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
