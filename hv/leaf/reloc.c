// SPDX-License-Identifier: Apache-2.0
/* Relocations: see reloc.h. A field that is not wholly inside what is relocated is left alone: whose it is, the
 * author's tools have seen. */
#include "leaf/reloc.h"
#include "core/core.h"

/* What an initialiser needs is gone when it has returned, and so is everybody who refers to it. */
static enum nl_err not_there(const struct nl_leaf *l, const struct nl_leaf_reloc *r)
{
	return nl_region_is_init(&nl_leaf_object(l, r->object)->regions[r->region]) ? NL_NOTHING : NL_EMODULE;
}

static enum nl_err symbol_value(const struct nl_leaf *l, const struct nl_leaf_reloc *r, const struct nl_placement *at,
                                uint64_t *out)
{
	switch (r->symbol) {
	case NL_SYM_REGION:
		*out = at->objects[r->object].base[r->region] + r->value;
		return at->objects[r->object].base[r->region] ? NL_OK : not_there(l, r);
	case NL_SYM_ABSOLUTE:
		*out = r->value;
		return NL_OK;
	case NL_SYM_TEXT:
		*out = at->objects[r->object].text + r->value;
		return NL_OK;
	case NL_SYM_DATA:
		*out = at->objects[r->object].data + r->value;
		return NL_OK;
	case NL_SYM_RETURN_THUNK:
		*out = at->thunks.ret;
		return *out ? NL_OK : NL_ERELOC;
	case NL_SYM_INDIRECT_THUNK:
		*out = at->thunks.indirect + at->thunks.step * r->value;
		return at->thunks.indirect ? NL_OK : NL_ERELOC;
	}
	return NL_ERELOC;
}

/* Addresses are modulo 2^64; a 32-bit field must give back the same 64 bits when the CPU extends it. */
static enum nl_err relocate(const struct nl_leaf *l, const struct nl_leaf_reloc *r, const struct nl_placement *at,
                            uint8_t *field, uint64_t field_va)
{
	uint64_t v;
	uint32_t v32;
	enum nl_err err = symbol_value(l, r, at, &v);

	if (err) /* a field that leads nowhere any more stays as it is */
		return err == NL_NOTHING ? NL_OK : err;
	v += (uint64_t)r->addend;
	if (r->type == NL_REL_ABS64) {
		memcpy(field, &v, 8);
		return NL_OK;
	}
	if (r->type == NL_REL_PC32)
		v -= field_va;
	v32 = (uint32_t)v;
	if (v != (r->type == NL_REL_ABS32 ? (uint64_t)v32 : (uint64_t)(int64_t)(int32_t)v32))
		return NL_ERELOC;
	memcpy(field, &v32, 4);
	return NL_OK;
}

/* A copy of some bytes of the leaf, which will stand at va. `site`: whose they are, in bytes[]. */
static enum nl_err relocate_copy(const struct nl_leaf *l, const struct nl_placement *at, enum nl_reloc_where where,
                                 uint32_t site, struct nl_leaf_part of, uint8_t *copy, uint64_t va)
{
	enum nl_err err = NL_OK;

	for (uint32_t i = 0; i < l->header->relocs.count && !err; i++) {
		const struct nl_leaf_reloc *r = &l->relocs[i];
		uint32_t delta = r->offset - of.offset;

		if (r->where == where && (where != NL_AT_BYTES || r->site == site) &&
		    nl_inside(delta, nl_reloc_size(r->type), 0, of.count))
			err = relocate(l, r, at, copy + delta, va + delta);
	}
	return err;
}

enum nl_err nl_reloc_body(const struct nl_leaf *leaf, const struct nl_placement *at, uint32_t object, uint8_t *text,
                          uint8_t *data)
{
	const struct nl_leaf_object *o = nl_leaf_object(leaf, object);
	const struct nl_place *p = &at->objects[object];
	enum nl_err err = relocate_copy(leaf, at, NL_AT_TEXT, 0, o->text, text, p->text + o->text.offset);

	return err ? err : relocate_copy(leaf, at, NL_AT_DATA, 0, o->data, data, p->data + o->data.offset);
}

enum nl_err nl_reloc_site(const struct nl_leaf *leaf, const struct nl_placement *at, uint32_t site, uint8_t *expected,
                          uint8_t *fresh)
{
	const struct nl_leaf_site *s = &leaf->sites[site];
	const struct nl_leaf_part was = {s->expected, s->len}, will_be = {s->fresh, s->len};
	uint64_t va = at->objects[s->object].base[s->region] + s->offset;
	enum nl_err err = relocate_copy(leaf, at, NL_AT_BYTES, site, was, expected, va);

	return err ? err : relocate_copy(leaf, at, NL_AT_BYTES, site, will_be, fresh, va);
}
