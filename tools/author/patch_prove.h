// SPDX-License-Identifier: Apache-2.0
/*
 * Is a unit that we compiled the one that was linked into the image? Each of its functions is compared with the shipped
 * bytes, each address in them with what it leads to, and what the kernel's tables say about it. The answer is also
 * where everything of the unit lies.
 */
#ifndef NEWLEAF_AUTHOR_PATCH_PROVE_H
#define NEWLEAF_AUTHOR_PATCH_PROVE_H

#include "kernel.h"
#include "patch_object.h"

struct proof_function {
	const struct unit_symbol *symbol;
	uint64_t va;     /* 0 = not in the image */
	const char *why; /* NULL = proven: equal in bytes, symbols, strings, constants and the kernel's tables */
	bool discarded;  /* of a section that is not part of a running kernel: exit code of what is built in */
	bool overridden; /* weak: equal, but the kernel uses another in its place */
};

struct proof {
	const struct kernel *k;
	const struct unit *u;
	uint64_t *base; /* of each section in the image */
	bool *known;    /* whether it is */
	struct proof_function *function;
	size_t n_functions, n_proven, n_discarded;
	struct proof_name { /* names from outside the unit, and where the image has them */
		const char *name;
		uint64_t va;
	} * name;
	size_t n_names;
	struct proof_reach *reach;
};

struct proof *prove(const struct kernel *k, const struct unit *u);
/* Has the image anything of the unit? No: it is not linked into this kernel. */
bool proof_is_linked(const struct proof *p);
const struct proof_function *proof_of(const struct proof *p, const char *function);
/* Where a symbol of the unit lies. False: not known. */
bool proof_place(const struct proof *p, const struct unit_symbol *s, uint64_t *va);
/* Where a name from outside lies, as the proven functions have it. */
bool proof_name_place(const struct proof *p, const char *name, uint64_t *va);
/* Does the image hold, at va, what the unit's object holds at its start? NULL or why not. */
const char *proof_data(const struct proof *p, const struct unit_symbol *s);
/* Is this the name of that place? */
bool proof_is_named(const struct kernel *k, const char *name, uint64_t va);

#endif
