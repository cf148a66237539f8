// SPDX-License-Identifier: Apache-2.0
/* Known by the member of a structure that holds the function's address: the unit's types tell what it is of. */
#include "patch_setup.h"
#include "typenames.h"

#include <bpf/btf.h>
#include <newleaf/types.h>
#include <string.h>

static const struct {
	const char *type, *member, *what;
} known[] = {
        {"pernet_operations", "init", "a network namespace"},
        {"cpu_dev", "c_early_init", "a CPU"},
        {"cpu_dev", "c_bsp_init", "a CPU"},
        {"cpu_dev", "c_init", "a CPU"},
        {"cpu_dev", "c_identify", "a CPU"},
};

static const struct btf_type *type_of(const struct btf *btf, const char *variable)
{
	size_t n = 0;
	const uint32_t *id = btf ? typenames_find(btf, BTF_KIND_VAR, variable, &n) : NULL;
	const struct btf_type *t = n == 1 ? btf__type_by_id(btf, id[0]) : NULL;

	while (t && (btf_is_var(t) || btf_is_mod(t) || btf_is_typedef(t)))
		t = btf__type_by_id(btf, t->type);
	return t && btf_is_struct(t) ? t : NULL;
}

static const char *name_at(const struct btf *btf, uint32_t offset)
{
	const char *name = btf__name_by_offset(btf, offset);

	return name ? name : "";
}

/* What is set up by whoever stands that many bytes into the structure. */
static const char *what_by(const struct btf *btf, const struct btf_type *t, uint64_t at)
{
	for (uint32_t m = 0; m < btf_vlen(t); m++)
		for (size_t i = 0; i < NL_ARRAY_SIZE(known) && btf_member_bit_offset(t, m) == at * 8; i++)
			if (!strcmp(name_at(btf, t->name_off), known[i].type) &&
			    !strcmp(name_at(btf, btf_members(t)[m].name_off), known[i].member))
				return known[i].what;
	return NULL;
}

static const char *set_up_by(const struct patch_unit *p, const char *function)
{
	const struct unit *u = p->c->before;
	const struct unit_symbol *f = unit_find(u, function);

	for (uint32_t d = 1; f && d < u->n_symbols; d++) {
		const struct unit_symbol *s = &u->symbol[d];
		const struct btf_type *t = unit_is_datum(u, s) ? type_of(p->types.before, s->name) : NULL;
		const struct unit_section *in = &u->section[s->section];

		for (size_t r = 0; t && r < in->n_relocs; r++) {
			uint64_t at = in->reloc[r].offset - s->value;
			const char *what = at < s->size && unit_target(u, in, &in->reloc[r]).symbol == f
			                           ? what_by(p->types.before, t, at)
			                           : NULL;

			if (what)
				return what;
		}
	}
	return NULL;
}

void setup_note(struct patch_unit *p)
{
	for (size_t i = 0; i < p->n_functions; i++) {
		const char *name = p->function[i].shipped->name, *what = set_up_by(p, name);

		if (what)
			patch_note(p, xformat("%s is called when %s is set up: any that is there keeps what the old "
			                      "code made of it",
			                      name, what));
	}
}
