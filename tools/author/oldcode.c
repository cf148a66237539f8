// SPDX-License-Identifier: Apache-2.0
/*
 * A recipe that is built for a kernel whose function has been changed since takes that change back. So the author says
 * which functions he has read, by their hashes. Where none fits, the sources are compiled once more as the kernel
 * itself would be: is that what the image has, then there is nothing to do.
 */
#include "oldcode.h"
#include "attempt.h"
#include "compile.h"
#include "livesites.h"
#include "note.h"
#include "oldhash.h"
#include "patch_prove.h"
#include "place.h"

#include <string.h>

#define ENDBR_LENGTH 4

struct question {
	const struct kernel *k;
	const struct recipe *r;
	const char *headers, *cc;
	bool strange[RECIPE_MAX]; /* functions that no hash of the recipe fits */
	bool untraced; /* is one of them without ftrace nop? A unit has it in all of its functions, or none */
};

static void compare_with_image(const void *with)
{
	const struct question *q = with;
	struct compiled objects = compile_as_kernel(q->k, q->r, q->headers, q->cc, !q->untraced);

	for (size_t i = 0; i < q->r->n_replace; i++) {
		const struct proof_function *f = NULL;

		for (size_t j = 0; q->strange[i] && j < q->r->n_source && !f; j++)
			if (!strcmp(q->r->source[j], q->r->replace[i].source))
				f = proof_of(prove(q->k, unit_read(objects.path[j])), q->r->replace[i].body);
		if (q->strange[i] && (!f || !f->va || f->why))
			refuse(NL_EOLDCODE, "%s is another", q->r->replace[i].function.name);
	}
	refuse(NL_NOTHING, "the same");
}

static bool fits(const struct recipe_replace *s, const char *hash)
{
	for (size_t i = 0; i < s->n_old; i++) /* both have a fixed least length, and the recipe may say more of it */
		if (!strncmp(s->old[i], hash, strlen(s->old[i])))
			return true;
	return false;
}

/* All of its digits. */
static char *hash_of(const struct kernel *k, const struct recipe_replace *s, const char *where, bool *untraced)
{
	struct place p = place_in_kernel(k, &s->function, where);
	uint64_t size = kernel_extent(k, p.value);
	uint8_t hash[OLDHASH_SIZE];
	char *all = xformat("%s", "");

	if (!size || !oldhash(k, p.value, size, hash))
		refuse(NL_ESITE, "%s: where %s ends is not known", where, s->function.name);
	*untraced = !livesites_ftrace(k, p.value) && !livesites_ftrace(k, p.value + ENDBR_LENGTH);
	for (unsigned i = 0; i < OLDHASH_SIZE; i++)
		all = xformat("%s%02x", all, hash[i]);
	return all;
}

void oldcode_check(struct draft *d, const struct kernel *k, const struct recipe *r, const char *headers, const char *cc)
{
	struct question q = {.k = k, .r = r, .headers = headers, .cc = cc};
	size_t strange = 0;
	char *told = NULL;

	for (size_t i = 0; i < r->n_replace; i++) {
		const struct recipe_replace *s = &r->replace[i];
		char *where = xformat("%s:%u", r->path, s->line), *hash;
		bool untraced;

		if (s->origin != FROM_SOURCE)
			continue;
		hash = hash_of(k, s, where, &untraced);
		if (fits(s, hash))
			continue;
		hash = xformat("%.*s", 2 * OLDHASH_SHOWN, hash);
		if (s->allow_old) {
			note(d, NL_FACT_ALLOW,
			     xformat("old code of %s: %s, which the recipe does not name", s->function.name, hash));
			continue;
		}
		q.strange[i] = true;
		q.untraced |= untraced;
		strange++;
		told = xformat("%s%s%s: %s of %s hashes to %s, %s; read it, then add a line below: old %s",
		               told ? told : "", told ? "; " : "", where, s->function.name, k->release, hash,
		               s->n_old ? "and the recipe was written against others"
		                        : "and the recipe does not say what it was written against",
		               hash);
	}
	if (!strange)
		return;
	if (strange == r->n_replace && !r->n_data && !r->is_part) { /* a function that is killed is not done by this */
		struct attempt a = attempt(compare_with_image, &q);

		if (a.code && !strcmp(a.code, err_name(NL_NOTHING)))
			refuse(NL_FIXED, "%s: %s has already what the sources compile to: nothing to patch", r->path,
			       k->release);
	}
	refuse(NL_EOLDCODE, "%s", told);
}
