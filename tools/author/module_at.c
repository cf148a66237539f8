// SPDX-License-Identifier: Apache-2.0
/* From an address to what it lies in: whose, which section, which region. */
#include "modules.h"

const struct ksection *kernel_section_at(const struct kernel *k, uint64_t va)
{
	for (size_t i = 0; i < k->n_sections; i++)
		if (va >= k->sections[i].va && va - k->sections[i].va < k->sections[i].size)
			return &k->sections[i];
	return NULL;
}

uint64_t kernel_extent(const struct kernel *k, uint64_t va)
{
	const struct ksym *next = kallsyms_next(&k->syms, va);
	const struct ksection *s = va >= MODULE_SPACE ? kernel_section_at(k, va) : NULL;

	if (s && (!next || next->va - s->va > s->size))
		return s->size - (va - s->va);
	return next ? next->va - va : 0;
}

bool kernel_is_text(const struct kernel *k, uint64_t va)
{
	const struct ksection *s = va >= MODULE_SPACE ? kernel_section_at(k, va) : NULL;

	if (va >= MODULE_SPACE)
		return s && s->code;
	return va >= kernel_symbol(k, "_stext") && va < kernel_symbol(k, "_etext");
}

bool kernel_owns(const struct kernel *k, uint64_t va)
{
	return k->module ? va >= k->module->start && va < k->module->end : va < MODULE_SPACE;
}

const struct module *module_at(const struct kernel *k, uint64_t va)
{
	for (size_t i = 0; k->modules && i < k->modules->n; i++) {
		const struct module *m = k->modules->file[i].read;

		if (m && va >= m->start && va < m->end)
			return m;
	}
	return NULL;
}

const struct module_section *module_section_at(const struct module *m, uint64_t va)
{
	for (size_t i = 1; i < m->n_sections; i++) {
		const struct module_section *s = &m->sections[i];

		if (s->memory != MODULE_NOWHERE && va >= s->va && va - s->va < s->size)
			return s;
	}
	return NULL;
}

const struct module_region *module_region_at(const struct module *m, uint64_t va)
{
	for (uint64_t beyond = 0; beyond < 2; beyond++) /* the end of one may be the beginning of another */
		for (size_t i = 0; i < m->n_regions; i++)
			if (va >= m->regions[i].va && va - m->regions[i].va < m->regions[i].leaf.size + beyond)
				return &m->regions[i];
	return NULL;
}

bool module_region_is_init(const struct module_region *r)
{
	return r->leaf.kind == NL_MEM_INIT_TEXT || r->leaf.kind == NL_MEM_INIT_DATA;
}
