// SPDX-License-Identifier: Apache-2.0
/* The compiler names a section after what is in it (-fdata-sections), the kernel's attributes after how it is held. */
#include "patch_kind.h"

#include <newleaf/types.h>
#include <string.h>

/* The section itself, or one that the compiler named so for a function or a variable: .data.x, not .data..x. */
static bool is_of(const char *name, const char *of)
{
	size_t n = strlen(of);

	return starts_with(name, of) && (!name[n] || (name[n] == '.' && name[n + 1] != '.'));
}

enum kind unit_kind(const struct unit_section *s)
{
	static const struct {
		const char *name;
		enum kind kind;
	} known[] = {
	        {".text", KIND_CODE},
	        {".ref.text", KIND_CODE},
	        {".rodata", KIND_CONSTANT},
	        {".data.rel.ro", KIND_CONSTANT},
	        {".ref.rodata", KIND_CONSTANT},
	        {".data..ro_after_init", KIND_AFTER_INIT},
	        {".data", KIND_WRITABLE},
	        {".bss", KIND_WRITABLE},
	        {".ref.data", KIND_WRITABLE},
	        /* where it lies together with what else, for speed; how it is aligned is seen apart */
	        {".data..read_mostly", KIND_WRITABLE},
	        {".data..cacheline_aligned", KIND_WRITABLE},
	        {".data..shared_aligned", KIND_WRITABLE},
	        {".data..page_aligned", KIND_WRITABLE},
	        {".bss..page_aligned", KIND_WRITABLE},
	        {".init.data", KIND_BOOT},
	        {".init.rodata", KIND_BOOT},
	        {".init.text", KIND_BOOT},
	        {".exit.data", KIND_EXIT},
	        {".exit.text", KIND_EXIT},
	};

	for (size_t i = 0; i < NL_ARRAY_SIZE(known); i++)
		if (is_of(s->name, known[i].name))
			return known[i].kind;
	return KIND_OTHER;
}

bool unit_same_kind(const struct unit_section *x, const struct unit_section *y)
{
	enum kind kind = unit_kind(x);

	return kind == unit_kind(y) && unit_is_code(x) == unit_is_code(y) &&
	       (kind != KIND_OTHER || !strcmp(x->name, y->name));
}

bool unit_is_of_boot(const struct unit_section *s)
{
	static const char *const names[] = {".init.", ".exit.", ".con_initcall", ".initcall"};

	for (size_t i = 0; i < NL_ARRAY_SIZE(names); i++)
		if (starts_with(s->name, names[i]))
			return true;
	return false;
}

bool unit_holds_functions(const struct unit *u, const struct unit_symbol *s)
{
	const struct unit_section *in = &u->section[s->section];

	for (size_t r = 0; r < in->n_relocs; r++)
		if (in->reloc[r].offset >= s->value && in->reloc[r].offset < s->value + s->size &&
		    (!u->symbol[in->reloc[r].symbol].section ||
		     unit_is_code(&u->section[u->symbol[in->reloc[r].symbol].section])))
			return true;
	return false;
}

uint32_t unit_alignment(const struct unit *u, const struct unit_symbol *s)
{
	const struct unit_section *in = &u->section[s->section];

	/* .data.x is of x alone; what is in .data..page_aligned is there for it */
	return ends_with(in->name, xformat(".%s", s->name)) || ends_with(in->name, "_aligned") ? in->align : 0;
}

const char *unit_kind_text(const struct unit_section *s)
{
	switch (unit_kind(s)) {
	case KIND_CODE:
		return "plain code";
	case KIND_CONSTANT:
		return "constant";
	case KIND_AFTER_INIT:
		return "read-only since boot (__ro_after_init)";
	case KIND_WRITABLE:
		return "writable";
	case KIND_BOOT:
		return "for boot alone (__init)";
	case KIND_EXIT:
		return "for a module's end alone (__exit)";
	default:
		return xformat("in %s", s->name);
	}
}
