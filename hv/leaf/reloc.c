// SPDX-License-Identifier: Apache-2.0
/* Relocations: bounds were checked by nl_leaf_parse, so what can fail here is a value that does not fit. */
#include "leaf/reloc.h"
#include "core/core.h"

static enum nl_err symbol_value(const struct nl_leaf *l, const struct nl_leaf_reloc *r, const struct nl_placement *at,
                                uint64_t *out)
{
	switch (r->symbol) {
	case NL_SYM_REGION:
		*out = nl_leaf_va(l, r->region, r->value) + at->slide;
		return NL_OK;
	case NL_SYM_ABSOLUTE:
		*out = r->value;
		return NL_OK;
	case NL_SYM_TEXT:
		*out = at->text + r->value;
		return NL_OK;
	case NL_SYM_DATA:
		*out = at->data + r->value;
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

	if (err)
		return err;
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

enum nl_err nl_reloc_body(const struct nl_leaf *leaf, const struct nl_placement *at, uint8_t *text, uint8_t *data)
{
	enum nl_err err;
	uint32_t i;

	for (i = 0; i < leaf->header->relocs.count; i++) {
		const struct nl_leaf_reloc *r = &leaf->relocs[i];

		if (r->where == NL_AT_TEXT)
			err = relocate(leaf, r, at, text + r->offset, at->text + r->offset);
		else if (r->where == NL_AT_DATA)
			err = relocate(leaf, r, at, data + r->offset, at->data + r->offset);
		else
			continue;
		if (err)
			return err;
	}
	return NL_OK;
}

enum nl_err nl_reloc_site(const struct nl_leaf *leaf, const struct nl_placement *at, uint32_t site, uint8_t *expected,
                          uint8_t *fresh)
{
	const struct nl_leaf_site *s = &leaf->sites[site];
	uint32_t i;

	for (i = 0; i < leaf->header->relocs.count; i++) {
		const struct nl_leaf_reloc *r = &leaf->relocs[i];
		bool is_fresh = r->offset >= s->fresh && r->offset < s->fresh + s->len;
		uint32_t delta = r->offset - (is_fresh ? s->fresh : s->expected);
		enum nl_err err;

		if (r->where != NL_AT_BYTES || r->site != site)
			continue;
		err = relocate(leaf, r, at, (is_fresh ? fresh : expected) + delta,
		               nl_leaf_va(leaf, s->region, s->offset) + at->slide + delta);
		if (err)
			return err;
	}
	return NL_OK;
}
