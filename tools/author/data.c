// SPDX-License-Identifier: Apache-2.0
/* Turns a `data` statement into a site: where (BTF), what is there (image and its relocations), what shall be there. */
#include "data.h"
#include "types.h"

#include <stdlib.h>
#include <string.h>

static struct member locate(const struct kernel *k, const struct recipe_data *s, const char *where)
{
	struct member m = {0};

	if (!*s->path)
		m.size = (uint32_t)(strtoul(s->type + 1, NULL, 10) / 8);
	else
		m = member_find(k, s->type, s->path, where);
	if (m.array_count || (m.size != 1 && m.size != 2 && m.size != 4 && m.size != 8))
		refuse(NL_ETARGET, "%s: a member of %u bytes is no number or pointer; name one inside it", where,
		       m.size);
	return m;
}

void data_check_writable(const struct kernel *k, uint64_t va, uint32_t size, const char *name, const char *where)
{
	if (k->module) {
		const struct ksection *in = kernel_section_at(k, va);

		if (!in || !kernel_owns(k, va) || !starts_with(in->name, ".rodata") || size > in->size - (va - in->va))
			refuse(NL_ESITE,
			       "%s: %s is not in its module's .rodata: the running kernel changes it, or drops it",
			       where, name);
		return;
	}
	if (va < kernel_symbol(k, "__start_rodata") || va + size > kernel_symbol(k, "__end_rodata"))
		refuse(NL_ESITE,
		       "%s: %s is not in read-only data: the running kernel changes it, or has copies of it elsewhere",
		       where, name);
	if (va + size > kernel_symbol(k, "__start_ro_after_init") && va < kernel_symbol(k, "__end_ro_after_init"))
		refuse(NL_ESITE,
		       "%s: %s is written during boot (__ro_after_init), so what it holds cannot be known from the "
		       "image",
		       where, name);
}

/* The bytes of a value, or the relocation that makes them. Returns how many relocations (0 or 1). */
static size_t encode(const struct kernel *k, const struct recipe_value *v, const struct body *b, uint32_t size,
                     uint8_t *out, struct nl_leaf_reloc *reloc, const char *where)
{
	const struct body_symbol *own = v->address && b ? body_find(b, v->symbol.name) : NULL;
	struct place p;

	if (!v->address) {
		int64_t as_signed = (int64_t)v->number;

		if (size < 8 && v->number >> (8 * size) && (as_signed >= 0 || as_signed < -(1LL << (8 * size - 1))))
			refuse(NL_ERECIPE, "%s: %#llx does not fit %u bytes", where, (unsigned long long)v->number,
			       size);
		memcpy(out, &v->number, size);
		return 0;
	}
	if (size != 8)
		refuse(NL_ERECIPE, "%s: an address needs 8 bytes, the member has %u", where, size);
	p = own ? own->place : place_in_kernel(k, &v->symbol, where);
	if (p.symbol == NL_SYM_ABSOLUTE) {
		uint64_t address = p.value + (uint64_t)v->symbol.addend;

		memcpy(out, &address, 8);
		return 0;
	}
	memset(out, 0, 8);
	*reloc = (struct nl_leaf_reloc){
	        .type = NL_REL_ABS64, .symbol = (uint16_t)p.symbol, .value = p.value, .addend = v->symbol.addend};
	return 1;
}

static bool same(const uint8_t *a, const struct nl_leaf_reloc *ra, size_t na, const uint8_t *b,
                 const struct nl_leaf_reloc *rb, size_t nb, uint32_t size)
{
	if (na != nb || memcmp(a, b, size))
		return false;
	return !na ||
	       (ra->symbol == rb->symbol && ra->value + (uint64_t)ra->addend == rb->value + (uint64_t)rb->addend);
}

static const char *show(const struct kernel *k, const uint8_t *bytes, const struct nl_leaf_reloc *r, size_t n,
                        uint32_t size)
{
	const struct ksym *sym = n ? kallsyms_at(&k->syms, r->value + (uint64_t)r->addend) : NULL;
	uint64_t v = 0;

	if (sym)
		return xformat("&%s+%#llx", sym->name, (unsigned long long)(r->value + (uint64_t)r->addend - sym->va));
	memcpy(&v, bytes, size);
	return xformat("%#llx", (unsigned long long)v);
}

void data_add(struct draft *d, const struct kernel *k, const struct recipe *r, const struct recipe_data *s,
              const struct body *b)
{
	const char *where = xformat("%s:%u", r->path, s->line);
	char *name = *s->path ? xformat("%s.%s", s->symbol.name, s->path) : xformat("%s", s->symbol.name);
	struct member m = locate(k, s, where);
	struct place p = place_in_kernel(k, &s->symbol, where);
	uint8_t expected[8], fresh[8], wanted[8];
	struct nl_leaf_reloc expected_reloc, fresh_reloc, wanted_reloc;
	struct draft_site site = {.kind = NL_SITE_RODATA,
	                          .len = m.size,
	                          .name = name,
	                          .expected = expected,
	                          .fresh = fresh,
	                          .expected_relocs = &expected_reloc,
	                          .fresh_relocs = &fresh_reloc};

	if (p.symbol != NL_SYM_REGION)
		refuse(NL_ESITE, "%s: %s is no data of the image", where, name);
	site.va = p.value + (uint64_t)s->symbol.addend + m.offset;
	data_check_writable(k, site.va, m.size, name, where);
	site.n_expected_relocs = runtime_bytes(k, site.va, m.size, expected, &expected_reloc, 1, where);
	site.n_fresh_relocs = encode(k, &s->value, b, m.size, fresh, &fresh_reloc, where);
	if (s->has_expect) {
		size_t n = encode(k, &s->expect, NULL, m.size, wanted, &wanted_reloc, where);

		if (!same(expected, &expected_reloc, site.n_expected_relocs, wanted, &wanted_reloc, n, m.size))
			refuse(NL_ETARGET, "%s: %s of %s holds %s, not %s", where, name, k->release,
			       show(k, expected, &expected_reloc, site.n_expected_relocs, m.size),
			       show(k, wanted, &wanted_reloc, n, m.size));
	}
	if (same(expected, &expected_reloc, site.n_expected_relocs, fresh, &fresh_reloc, site.n_fresh_relocs, m.size))
		refuse(NL_FIXED, "%s: %s of %s already holds %s: nothing to patch", where, name, k->release,
		       show(k, fresh, &fresh_reloc, site.n_fresh_relocs, m.size));
	draft_add_site(d, &site);
}
