// SPDX-License-Identifier: Apache-2.0
/*
 * Names alone do not tell variables apart that one macro makes (descriptors of pr_debug). So by four compilations: the
 * bodies' section has the bytes of after's, each variable of that was at the same place before, and before's section
 * has the bytes of the shipped one.
 */
#include "patch_shared.h"

#include <string.h>

/* The section of that name, if there is one alone. */
static uint32_t section_named(const struct unit *u, const char *name)
{
	uint32_t found = 0;

	for (uint32_t i = 1; i < u->n_sections; i++)
		if (u->section[i].name && !strcmp(u->section[i].name, name) && u->section[i].flags & SHF_ALLOC) {
			if (found)
				return 0;
			found = i;
		}
	return found;
}

static const struct unit_symbol *datum_at(const struct unit *u, uint32_t section, uint64_t value)
{
	for (uint32_t i = 1; i < u->n_symbols; i++)
		if (u->symbol[i].section == section && u->symbol[i].value == value && unit_is_datum(u, &u->symbol[i]))
			return &u->symbol[i];
	return NULL;
}

/* One source in two compilations: the same bytes, but for what relocations fill in, and the same variables. */
static bool same_source(const struct unit *x, uint32_t s, const struct unit *y, uint32_t t)
{
	const struct unit_section *a = &x->section[s], *b = &y->section[t];

	if (a->size != b->size || !a->bytes != !b->bytes || a->n_relocs != b->n_relocs ||
	    (a->bytes && memcmp(a->bytes, b->bytes, a->size)))
		return false;
	for (size_t i = 0; i < a->n_relocs; i++)
		if (a->reloc[i].offset != b->reloc[i].offset || a->reloc[i].type != b->reloc[i].type)
			return false;
	for (uint32_t i = 1; i < x->n_symbols; i++) {
		const struct unit_symbol *own = &x->symbol[i], *other;

		if (own->section != s || !unit_is_datum(x, own))
			continue;
		other = datum_at(y, t, own->value);
		if (!other || other->size != own->size || !unit_same_base(other->name, own->name))
			return false;
	}
	return true;
}

/* Is every variable of after's section one of before's, at the same place? */
static bool stands_still(const struct comparison *c, uint32_t before, uint32_t after)
{
	if (c->before->section[before].size != c->after->section[after].size)
		return false;
	for (uint32_t i = 1; i < c->after->n_symbols; i++) {
		const struct unit_symbol *s = &c->after->symbol[i], *was = &c->before->symbol[c->origin[i]];

		if (s->section == after && unit_is_datum(c->after, s) &&
		    (!c->origin[i] || was->section != before || was->value != s->value))
			return false;
	}
	return true;
}

bool shared_as_shipped(const struct patch_unit *p, uint32_t section, uint64_t *va)
{
	const char *name = p->body->section[section].name;
	uint32_t after = section_named(p->c->after, name), before = section_named(p->c->before, name),
	         shipped = section_named(p->shipped, name);
	const struct unit_symbol first = {.section = shipped};

	return after && before && shipped && section_named(p->body, name) == section &&
	       same_source(p->body, section, p->c->after, after) && stands_still(p->c, before, after) &&
	       same_source(p->c->before, before, p->shipped, shipped) && proof_place(p->proof, &first, va);
}
