// SPDX-License-Identifier: Apache-2.0
/* Instruction by instruction: where the field of an operand that is written has a relocation. */
#include "patch_stores.h"
#include "code.h"
#include "patch_kind.h"

#include <string.h>

static const struct unit_reloc *reloc_at(const struct unit_section *s, uint64_t offset)
{
	for (size_t r = 0; r < s->n_relocs && s->reloc[r].offset <= offset; r++)
		if (s->reloc[r].offset == offset)
			return &s->reloc[r];
	return NULL;
}

/* The next place from *at on that the function writes by its name; NULL: no more. */
static const struct unit_symbol *next_store(const struct unit *u, const struct unit_symbol *f, uint64_t *at)
{
	const struct unit_section *s = &u->section[f->section];

	while (s->bytes && *at < f->size) {
		uint64_t offset = f->value + *at;
		struct code_step step = code_decode(s->bytes + offset, f->size - *at, offset);
		const struct unit_reloc *r = step.stores ? reloc_at(s, offset + step.stores) : NULL;
		const struct unit_symbol *to = r ? unit_target(u, s, r).symbol : NULL;

		*at += step.len ? step.len : 1; /* what is no instruction that is known here hides none behind it */
		if (to)
			return to;
	}
	return NULL;
}

static bool same_place(const struct comparison *c, const struct unit_symbol *b, const struct unit_symbol *a)
{
	if (!a->section || !b->section)
		return !a->section && !b->section && !strcmp(a->name, b->name);
	return c->origin[a - c->after->symbol] == (uint32_t)(b - c->before->symbol);
}

/* By code that runs after boot. */
static bool stored_before(const struct comparison *c, const struct unit_symbol *to)
{
	const struct unit *u = c->before;

	for (uint32_t i = 1; i < u->n_symbols; i++) {
		const struct unit_symbol *f = &u->symbol[i], *b;
		uint64_t at = 0;

		if (!unit_is_function(u, f) || unit_kind(&u->section[f->section]) == KIND_BOOT)
			continue;
		while ((b = next_store(u, f, &at)))
			if (same_place(c, b, to))
				return true;
	}
	return false;
}

static bool is_read_only(const struct comparison *c, const struct unit_symbol *to, store_outside *outside,
                         const void *with)
{
	enum kind kind;

	if (!to->section)
		return !to->absolute && outside(with, to->name);
	kind = unit_kind(&c->after->section[to->section]);
	return c->origin[to - c->after->symbol] && (kind == KIND_CONSTANT || kind == KIND_AFTER_INIT);
}

bool store_find(const struct comparison *c, store_outside *outside, const void *with, struct store *found)
{
	const struct unit *u = c->after;

	for (uint32_t j = 1; j < u->n_symbols; j++) {
		const struct unit_symbol *f = &u->symbol[j], *to;
		uint64_t at = 0;

		if (!unit_is_function(u, f) || (c->fate[j] != FATE_CHANGED && c->fate[j] != FATE_NEW))
			continue;
		while ((to = next_store(u, f, &at)))
			if (is_read_only(c, to, outside, with) && !stored_before(c, to)) {
				*found = (struct store){f, to};
				return true;
			}
	}
	return false;
}
