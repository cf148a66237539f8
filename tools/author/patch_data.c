// SPDX-License-Identifier: Apache-2.0
/* Word by word: what the image holds at run time against what the new source says. Only what differs is written. */
#include "patch_data.h"
#include "data.h"

#include <string.h>

#define WORD 8u

/* The first that a field of the range has a byte of. */
static const struct unit_reloc *reloc_in(const struct unit_section *s, uint64_t from, uint32_t len)
{
	for (size_t i = 0; i < s->n_relocs; i++)
		if (s->reloc[i].offset < from + len && s->reloc[i].offset + unit_reloc_size(s->reloc[i].type) > from)
			return &s->reloc[i];
	return NULL;
}

/* What the word shall be: bytes, and at most one address. */
static size_t fresh_word(const struct patch_unit *p, const struct patch_datum *datum, const struct body *b,
                         size_t object, uint64_t at, uint32_t len, uint8_t *out, struct nl_leaf_reloc *reloc)
{
	const struct unit_section *s = &p->body->section[datum->fresh->section];
	const struct unit_reloc *r = reloc_in(s, datum->fresh->value + at, len);
	struct place to;
	uint64_t v;

	if (s->bytes)
		memcpy(out, s->bytes + datum->fresh->value + at, len);
	else
		memset(out, 0, len);
	if (!r)
		return 0;
	if (r->type != R_X86_64_64 || len != WORD || r->offset != datum->fresh->value + at)
		refuse(NL_ESITE, "%s: %s holds an address of a form that cannot be written", p->path,
		       datum->shipped->name);
	to = body_place(b, object, datum->fresh->section,
	                &(GElf_Rela){r->offset, GELF_R_INFO((uint64_t)r->symbol, r->type), r->addend});
	if (to.symbol == NL_SYM_ABSOLUTE) {
		v = to.value + (uint64_t)r->addend;
		memcpy(out, &v, WORD);
		return 0;
	}
	memset(out, 0, WORD);
	*reloc = (struct nl_leaf_reloc){.type = NL_REL_ABS64,
	                                .symbol = (uint16_t)(to.symbol & ~PLACE_OF_KERNEL),
	                                .object = to.symbol & PLACE_OF_KERNEL ? DRAFT_OF_KERNEL : 0,
	                                .value = to.value,
	                                .addend = r->addend};
	return 1;
}

size_t patch_data_add(struct draft *d, const struct patch_unit *p, const struct patch_datum *datum,
                      const struct body *b, size_t object)
{
	const struct unit_symbol *s = datum->shipped;
	const char *where = xformat("%s: %s", p->path, s->name);
	size_t n = 0;

	if (datum->fresh->size != s->size)
		refuse(NL_ESITE, "%s changes its size", where);
	for (uint64_t at = 0; at < s->size; at += WORD) {
		uint32_t len = s->size - at < WORD ? (uint32_t)(s->size - at) : WORD;
		uint8_t expected[WORD], fresh[WORD];
		struct nl_leaf_reloc old, new;
		struct draft_site site = {.va = datum->va + at,
		                          .len = len,
		                          .kind = NL_SITE_RODATA,
		                          .expected = expected,
		                          .fresh = fresh,
		                          .expected_relocs = &old,
		                          .fresh_relocs = &new,
		                          .name = at ? xformat("%s+%#llx", s->name, (unsigned long long)at) : s->name};

		site.n_expected_relocs = runtime_bytes(p->k, site.va, len, expected, &old, 1, where);
		site.n_fresh_relocs = fresh_word(p, datum, b, object, at, len, fresh, &new);
		if (site.n_expected_relocs == site.n_fresh_relocs && !memcmp(expected, fresh, len) &&
		    (!site.n_fresh_relocs || (old.symbol == new.symbol &&old.value + (uint64_t)old.addend ==
		                              new.value + (uint64_t) new.addend)))
			continue;
		data_check_writable(p->k, site.va, len, s->name, where);
		draft_add_site(d, &site);
		n++;
	}
	return n;
}
