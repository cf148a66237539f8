// SPDX-License-Identifier: Apache-2.0
/* Straight on from the call: whoever writes rax, or calls, before it is read has not looked. */
#include "callers.h"
#include "branches.h"
#include "code.h"
#include "contract.h"
#include "note.h"
#include "place.h"
#include "toolchain.h"

#include <stdlib.h>
#include <string.h>

#define TELLS_VALUES 14 /* GCC 14: ipa-vrp of what functions return */
#define LOOK 16u        /* instructions */
#define SHOWN 4u

static bool clears_eax(const uint8_t *p) { return (p[0] == 0x31 || p[0] == 0x33) && p[1] == 0xc0; }

static bool looks(const struct kernel *k, uint64_t va)
{
	for (unsigned i = 0; i < LOOK; i++) {
		const uint8_t *p = kernel_bytes(k, va, 16);
		struct code_step s = p ? code_decode(p, 16, va) : (struct code_step){0};

		if (!s.len || (s.ends && !s.pads)) /* what is returned is what the callee returned */
			return true;
		if (clears_eax(p))
			return false;
		if (s.reads & 1)
			return true;
		if (s.writes & 1)
			return false;
		va += s.len;
	}
	return true;
}

struct who {
	const struct kernel *k;
	uint64_t va;
	char *names;
	unsigned n;
};

static bool ignores(const void *arg, const struct branch *b)
{
	struct who *w = *(struct who *const *)arg;

	if (b->target != w->va || !b->is_call || !b->in || looks(w->k, b->from + 5))
		return false;
	if (has_name(w->names, b->in->name))
		return false;
	w->names = w->names ? xformat("%s, %s", w->names, b->in->name) : xformat("%s", b->in->name);
	return ++w->n == SHOWN;
}

char *callers_told(const struct kernel *k, uint64_t va)
{
	char *built = toolchain_of_kernel(k), *version = built ? strrchr(built, ')') : NULL;
	struct who w = {.k = k, .va = va}, *arg = &w;
	struct branch found;

	if (version && strtol(version + 1, NULL, 10) < TELLS_VALUES)
		return NULL;
	branches_find(k, va, va + 1, ignores, &arg, &found);
	return w.names;
}

void callers_check(struct draft *d, const struct kernel *k, const struct recipe *r, const struct recipe_replace *s)
{
	const char *name = s->function.name;
	const struct ksym *sym;
	struct contract c;
	struct place p;
	char *who;

	if (s->origin != FROM_SOURCE)
		return;
	p = place_in_kernel(k, &s->function, name);
	who = s->allow_callers || (contract_by_kernel(k, name, p.value, 0, &c) && c.returns_void)
	              ? NULL
	              : callers_told(k, p.value);
	if (who)
		refuse(NL_ESITE,
		       "%s:%u: %s does not look at what %s returns: its compiler may have known what that always is. "
		       "If it "
		       "is the same still, or the caller never minded, say: allow callers",
		       r->path, s->line, who, name);
	sym = kallsyms_at(&k->syms, p.value);
	who = sym && sym->type == 't' ? branches_callers(k, p.value) : NULL;
	if (who && *who)
		note(d, NL_FACT_NOTE,
		     xformat("local function %s%s: they keep what the compiler knew of the old one", name, who));
}
