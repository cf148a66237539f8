// SPDX-License-Identifier: Apache-2.0
/*
 * Two sources that one compiler makes the same of, with whatever options, mean the same. With the kernel's own options
 * a function that is cut in two may be inlined otherwise into each of its callers; with everything inlined that can be,
 * the cut is gone. What is not initialised is filled with a pattern, so that a patch that clears it is seen.
 */
#include "patch_alike.h"

#include <string.h>

/* A function by whose coming or going the compiler may inline otherwise. */
static bool divides(const struct comparison *c)
{
	for (uint32_t j = 1; j < c->after->n_symbols; j++)
		if (c->fate[j] == FATE_NEW && unit_is_function(c->after, &c->after->symbol[j]) &&
		    !unit_is_clone(c->after->symbol[j].name))
			return true;
	for (uint32_t i = 1; i < c->before->n_symbols; i++)
		if (!c->outcome[i] && unit_is_function(c->before, &c->before->symbol[i]) &&
		    !unit_is_clone(c->before->symbol[i].name))
			return true;
	return false;
}

static bool equal(const struct comparison *c)
{
	for (uint32_t j = 1; j < c->after->n_symbols; j++)
		if (c->fate[j] == FATE_CHANGED || c->fate[j] == FATE_NEW || c->unsure[j])
			return false;
	for (uint32_t i = 1; i < c->before->n_symbols; i++)
		if (!c->outcome[i] && (unit_is_function(c->before, &c->before->symbol[i]) ||
		                       unit_is_datum(c->before, &c->before->symbol[i])))
			return false;
	return true;
}

static char *object(const struct tree *t, size_t unit, const char *side)
{
	return xformat("%s/alike-%s-%zu.o", t->work, side, unit);
}

void patch_alike(struct patch_unit *units, struct unit_command **commands, size_t n, const struct tree *t,
                 const struct diff *d, const struct patch_files *files)
{
	size_t candidates = 0;

	for (size_t i = 0; i < n; i++) {
		units[i].alike = divides(units[i].c) && !units[i].n_data && !units[i].layout &&
		                 unit_compile(t, commands[i], UNIT_INLINED, object(t, i, "after"), true);
		candidates += units[i].alike;
	}
	if (!candidates)
		return;
	patch_files_restore(d, t);
	for (size_t i = 0; i < n; i++)
		units[i].alike =
		        units[i].alike && unit_compile(t, commands[i], UNIT_INLINED, object(t, i, "before"), true) &&
		        equal(unit_compare(unit_read(object(t, i, "before")), unit_read(object(t, i, "after"))));
	patch_files_apply(files, d, t);
}
