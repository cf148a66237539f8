// SPDX-License-Identifier: Apache-2.0
/*
 * Whole addresses, in data as in code, are all in the list by which KASLR moves the kernel. Distances to data and
 * functions that code has (lea, loads) are sought as branches.c seeks branches: bytes that would be one, and then the
 * function that holds them is decoded. Distances in data only tell the kernel's own tables where something is.
 */
#include "references.h"
#include "code.h"

#include <newleaf/types.h>
#include <string.h>

struct search {
	const struct kernel *k;
	uint64_t start, end;
	bool (*wanted)(const void *arg, const struct reference *r);
	const void *arg;
	struct reference *found;
};

static bool is_wanted(const struct search *s, uint64_t at, bool in_code)
{
	*s->found = (struct reference){at, kallsyms_at(&s->k->syms, at), in_code};
	return s->wanted(s->arg, s->found);
}

/* Until 6.14 per-CPU variables are linked to 0, and their first copy is loaded elsewhere. */
static const uint8_t *field_at(const struct kernel *k, uint64_t *va, size_t n)
{
	const uint8_t *p = kernel_bytes(k, *va, n);
	uint64_t load = p ? 0 : kernel_symbol_or_0(k, "__per_cpu_load");

	if (p || !load || *va < load || !kernel_bytes(k, *va - load, n))
		return p;
	*va -= load;
	return kernel_bytes(k, *va, n);
}

static const struct ksection *section_at(const struct kernel *k, uint64_t va)
{
	for (size_t i = 0; i < k->n_sections; i++)
		if (va >= k->sections[i].va && va - k->sections[i].va < k->sections[i].size)
			return &k->sections[i];
	return NULL;
}

/* The same of a module, which has sections for what the image only marks, and whose exit code runs. */
static bool only_tells_in(const struct ksection *s)
{
	static const char *const names[] = {"__mcount_loc", ".parainstructions", ".altinstructions",
	                                    "_kprobe_blacklist", "_error_injection_whitelist"};

	for (size_t i = 0; i < NL_ARRAY_SIZE(names); i++)
		if (!strcmp(s->name, names[i]))
			return true;
	return false;
}

/* Who reads these does not call what they say. */
static bool only_tells(const struct kernel *k, uint64_t at)
{
	static const char *const names[] = {".exit.text", ".exit.data", ".parainstructions", ".altinstructions"};
	static const struct {
		const char *start, *stop;
	} tables[] = {
	        {"__start_mcount_loc", "__stop_mcount_loc"},
	        {"__start_kprobe_blacklist", "__stop_kprobe_blacklist"},
	        {"__start_error_injection_whitelist", "__stop_error_injection_whitelist"},
	};
	const struct ksection *s = section_at(k, at);

	if (s && s->of)
		return only_tells_in(s);
	for (size_t i = 0; s && i < NL_ARRAY_SIZE(names); i++)
		if (!strcmp(s->name, names[i]))
			return true;
	for (size_t i = 0; i < NL_ARRAY_SIZE(tables); i++)
		if (at >= kernel_symbol_or_0(k, tables[i].start) && at < kernel_symbol_or_0(k, tables[i].stop))
			return true;
	return false;
}

static bool find_whole(const struct search *s)
{
	const struct kernel *k = s->k;

	for (size_t i = 0; i < k->relocs.n; i++) {
		const struct krel *r = &k->relocs.rel[i];
		uint64_t at = r->va, value = 0;
		const uint8_t *p = krel_is_address(r) ? field_at(k, &at, krel_size(r)) : NULL;
		const struct ksection *in;

		if (!p)
			continue;
		memcpy(&value, p, krel_size(r));
		if (r->kind == KREL_32)
			value = (uint64_t)(int64_t)(int32_t)value;
		if (value < s->start || value >= s->end || only_tells(k, at))
			continue;
		in = section_at(k, at);
		if (is_wanted(s, at, in && in->code && !starts_with(in->name, ".data")))
			return true;
	}
	return false;
}

/* Is what stands at `field` the distance of an instruction? Where decoding loses step, it is taken for one. */
static bool is_distance(const struct search *s, const struct ksection *text, uint64_t field)
{
	const struct ksym *sym = kallsyms_at(&s->k->syms, field);
	uint64_t at = sym ? sym->va : field;

	while (at >= text->va && at < field) {
		struct code_step step = code_decode(text->bytes + (at - text->va), text->size - (at - text->va), at);

		if (!step.len)
			return true;
		if (at + step.len > field)
			return step.refers && at + step.field == field && step.address >= s->start &&
			       step.address < s->end;
		at += step.len;
	}
	return true;
}

static bool find_in(const struct search *s, const struct ksection *text)
{
	for (uint64_t at = 2; at + 4 <= text->size; at++) {
		static const uint64_t behind[] = {0, 1, 2, 4}; /* bytes of a number behind the distance */
		const uint8_t *p = text->bytes + at;
		uint64_t to;
		int32_t distance;
		bool may = false;

		if ((p[-1] & 0xc7) != 5) /* relative to rip */
			continue;
		memcpy(&distance, p, 4);
		to = text->va + at + 4 + (uint64_t)(int64_t)distance;
		for (size_t i = 0; i < NL_ARRAY_SIZE(behind); i++)
			may |= to + behind[i] >= s->start && to + behind[i] < s->end;
		if (may && is_distance(s, text, text->va + at) && is_wanted(s, text->va + at, true))
			return true;
	}
	return false;
}

/* Has it code that could refer to the place? The image's cannot, to a module's. */
static bool may_refer(const struct kernel *k, const struct ksection *s, uint64_t to)
{
	static const char *const code[] = {".text", ".init.text", ".altinstr_replacement", ".altinstr_aux"};

	if (s->of || (k->module && kernel_owns(k, to)))
		return s->of && s->code;
	for (size_t i = 0; i < NL_ARRAY_SIZE(code); i++)
		if (!strcmp(s->name, code[i]))
			return true;
	return false;
}

bool references_find(const struct kernel *k, uint64_t start, uint64_t end,
                     bool (*wanted)(const void *arg, const struct reference *r), const void *arg,
                     struct reference *found)
{
	struct search s = {k, start, end, wanted, arg, found};

	if (find_whole(&s))
		return true;
	for (size_t i = 0; i < k->n_sections; i++)
		if (k->sections[i].bytes && may_refer(k, &k->sections[i], start) && find_in(&s, &k->sections[i]))
			return true;
	return false;
}
