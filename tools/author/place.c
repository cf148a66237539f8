// SPDX-License-Identifier: Apache-2.0
/* Names to places, and image bytes to run-time bytes: the two translations that every site and every relocation needs.
 */
#include "place.h"
#include "module.h"

#include <string.h>

static bool between(const struct kernel *k, uint64_t va, const char *start, const char *end)
{
	uint64_t first = kernel_symbol_or_0(k, start);

	return first && va >= first && va < kernel_symbol_or_0(k, end);
}

/* Per-CPU variables: numbers from 0, or (7.x) addresses in the image's init part, of which each CPU's copy keeps the
 * distance. */
struct place place_at(const struct kernel *k, uint64_t va, const char *where)
{
	if (va >= MODULE_SPACE)
		return (struct place){NL_SYM_REGION, va};
	if (va < kernel_symbol(k, "_text")) /* per-CPU offsets and constants: KALLSYMS_ABSOLUTE_PERCPU */
		return (struct place){NL_SYM_ABSOLUTE, va};
	if (between(k, va, "__init_begin", "__init_end") && !between(k, va, "__per_cpu_start", "__per_cpu_end"))
		refuse(NL_ESITE, "%s lies in an init section, which the kernel frees after boot", where);
	return (struct place){NL_SYM_REGION, va};
}

/* Dashes of a file's name are underscores in a module's. */
static bool is_named(const char *object, const char *said)
{
	while (*object && (*object == *said || (*object == '_' && *said == '-')))
		object++, said++;
	return !*object && !*said;
}

struct place place_in_kernel(const struct kernel *k, const struct recipe_symbol *s, const char *where)
{
	const struct ksym *found = NULL;
	size_t n = kallsyms_find(&k->syms, s->name, s->position ? s->position : 1, &found);

	if (s->module && !is_named(k->module ? k->module->name : "vmlinux", s->module))
		refuse(NL_ERECIPE, "%s: %s:%s is asked for where everything belongs to %s", where, s->module, s->name,
		       k->module ? k->module->name : "the kernel");
	if (!n)
		refuse(NL_ETARGET, "%s: %s has no symbol %s", where, k->release, s->name);
	if (!s->position && n > 1)
		refuse(NL_ETARGET, "%s: %s names %zu places in %s; say which with %s,1 to %s,%zu (in order of address)",
		       where, s->name, n, k->release, s->name, s->name, n);
	if (!found)
		refuse(NL_ETARGET, "%s: %s has only %zu places named %s", where, k->release, n, s->name);
	return place_at(k, found->va, xformat("%s: %s", where, s->name));
}

static struct nl_leaf_reloc describe(const struct kernel *k, const struct krel *r, const uint8_t *field)
{
	uint64_t start = kernel_symbol(k, "_text"), end = kernel_symbol(k, "_end");
	struct nl_leaf_reloc out = {.symbol = NL_SYM_REGION};
	int32_t v32;
	uint64_t v;

	if (r->kind == KREL_PC64)
		refuse(NL_ESITE, "%#llx: a distance of 64 bits, which no leaf has", (unsigned long long)r->va);

	if (r->kind == KREL_64) {
		out.type = NL_REL_ABS64;
		memcpy(&v, field, 8);
	} else {
		memcpy(&v32, field, 4);
		v = (uint64_t)(int64_t)v32;
		out.type = r->kind == KREL_32 ? NL_REL_ABS32S : NL_REL_PC32;
	}
	if (r->linked) { /* which is said, and need not be guessed */
		out.symbol = r->symbol < start ? NL_SYM_ABSOLUTE : NL_SYM_REGION;
		out.value = r->symbol;
		out.addend = (int64_t)(v - r->symbol + (r->kind == KREL_PC32 ? r->va : 0));
	} else if (r->kind ==
	           KREL_INV_32) { /* field = S + A - P with an S that stays: the field shrinks as P moves up */
		out.symbol = NL_SYM_ABSOLUTE;
		out.value = r->va + v;
	} else if (v >= start && v < end) {
		out.value = v;
	} else { /* an address formed relative to the image, such as table - 8 */
		out.value = start;
		out.addend = (int64_t)(v - start);
	}
	return out;
}

size_t runtime_bytes(const struct kernel *k, uint64_t va, uint32_t len, uint8_t *out, struct nl_leaf_reloc *relocs,
                     size_t max, const char *where)
{
	const uint8_t *bytes = kernel_bytes(k, va, len);
	size_t n = 0;

	if (!bytes)
		refuse(NL_ESITE, "%s: the kernel image holds no bytes at %#llx", where, (unsigned long long)va);
	memcpy(out, bytes, len);
	for (size_t i = krelocs_from(&k->relocs, va); i < k->relocs.n && k->relocs.rel[i].va < va + len; i++) {
		const struct krel *r = &k->relocs.rel[i];
		size_t size = krel_size(r);

		if (r->va < va || size > va + len - r->va)
			refuse(NL_ESITE, "%s: an address field crosses an end of the site at %#llx", where,
			       (unsigned long long)va);
		if (n == max)
			refuse(NL_ESITE, "%s: too many address fields in one site", where);
		relocs[n] = describe(k, r, bytes + (r->va - va));
		relocs[n++].offset = (uint32_t)(r->va - va);
		memset(out + (r->va - va), 0, size);
	}
	return n;
}
