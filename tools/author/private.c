// SPDX-License-Identifier: Apache-2.0
/* See private.h. The compiler numbers variables of functions: `count.3` is some function's `count`. */
#include "private.h"
#include "module.h"
#include "note.h"

#include <newleaf/types.h>
#include <string.h>

static size_t base_length(const char *name)
{
	size_t n = strlen(name), digits = n;

	while (digits && name[digits - 1] >= '0' && name[digits - 1] <= '9')
		digits--;
	return digits > 1 && digits < n && name[digits - 1] == '.' ? digits - 1 : n;
}

static bool same(const char *a, const char *b)
{
	size_t n = base_length(a);

	return n == base_length(b) && !memcmp(a, b, n) && !a[n] == !b[n];
}

bool private_is_harmless(const char *name)
{
	static const char *const flags[] = {"__already_done", "__warned", "__print_once",        "_rs",
	                                    "newleaf_warned", "__func__", "__PRETTY_FUNCTION__", "CSWTCH",
	                                    "___done",        "__msg"};
	size_t n = base_length(name);

	for (size_t i = 0; i < NL_ARRAY_SIZE(flags); i++)
		if (strlen(flags[i]) == n && !memcmp(flags[i], name, n))
			return true;
	return false;
}

/* Constants may be there twice; what boot writes, and what the kernel writes, may not. */
static bool is_variable(const struct kernel *k, uint64_t va)
{
	const struct ksection *s = k->module ? kernel_section_at(k, va) : NULL;

	if (k->module)
		return s && s->of && s->of->memory != MODULE_RODATA && !s->code;
	if (va >= kernel_symbol(k, "_stext") && va < kernel_symbol(k, "_etext"))
		return false;
	if (va >= kernel_symbol(k, "__start_ro_after_init") && va < kernel_symbol(k, "__end_ro_after_init"))
		return true;
	return va < kernel_symbol(k, "__start_rodata") || va >= kernel_symbol(k, "__end_rodata");
}

static const struct ksym *kernels_own(const struct kernel *k, const char *name)
{
	for (size_t i = 0; i < k->syms.n; i++)
		if (kernel_owns(k, k->syms.sym[i].va) && same(k->syms.sym[i].name, name) &&
		    is_variable(k, k->syms.sym[i].va))
			return &k->syms.sym[i];
	return NULL;
}

void private_check(struct draft *d, const struct kernel *k, const struct recipe *r, const struct body *b)
{
	for (size_t o = 0; o < b->n_objects; o++) {
		char *all = NULL;

		for (size_t i = 0; i < b->n_symbols; i++) {
			const struct body_symbol *s = &b->symbols[i];

			if (s->object != o || s->function || !s->writable || !s->size || private_is_harmless(s->name) ||
			    !kernels_own(k, s->name))
				continue;
			if (!(r->allow[o] & ALLOW_PRIVATE))
				refuse(NL_EBODY,
				       "%s: %.*s is a variable of %s, too, and the body has one of its own; to use the "
				       "kernel's, declare it extern; if another is meant, give it another name, or "
				       "say: allow private",
				       r->source[o], (int)base_length(s->name), s->name,
				       k->module ? k->module->name : k->release);
			all = all ? xformat("%s, %s", all, s->name) : s->name;
		}
		if (all)
			note(d, NL_FACT_ALLOW, xformat("private variables of %s: %s", r->source[o], all));
	}
}
