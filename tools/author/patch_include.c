// SPDX-License-Identifier: Apache-2.0
/*
 * Follows the changed headers backwards to what includes them. Of what is reached so, the units count that use a name
 * which changes, or which is made of one, or of which a source that they include does. So rather too many units are
 * found than too few; those that the change does not reach drop out when they are compared.
 */
#include "patch_include.h"
#include "patch_names.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *stripped(const struct sources *all, const struct source *s)
{
	char *text = sources_text(all, s);

	names_strip(text);
	return text;
}

/* From the names that changed to those that change with them, through every header on the way. */
static void spread(const struct sources *all, struct names *names)
{
	char **text = xalloc(all->n * sizeof(*text));
	struct source **from = xalloc(all->n * sizeof(*from));
	bool more = true;
	size_t n = 0;

	for (size_t i = 0; i < all->n && !names->lost; i++)
		if (all->s[i].reached && !all->s[i].opaque && ends_with(all->s[i].path, ".h")) {
			from[n] = &all->s[i];
			text[n++] = stripped(all, &all->s[i]);
		}
	while (more) {
		more = false;
		for (size_t i = 0; i < n && !names->lost; i++) {
			names->opaque = from[i]->opaque;
			more |= names_spread(names, text[i]);
			from[i]->opaque |= names->opaque;
		}
	}
	for (size_t i = 0; i < n; i++)
		free(text[i]);
	free(text);
	free(from);
}

/* Whoever includes a name already that a new header has might find that one from now on, instead of what it found. */
static void check_new(const struct sources *all, const struct include_header *header)
{
	struct source **found = xalloc((all->n + 1) * sizeof(*found));

	if (sources_above(all, header->path, found))
		refuse(NL_EUNSUPPORTED,
		       "%s is new, and %s includes another of this name already: who finds which cannot be followed",
		       header->path, (*found)->path);
	free(found);
}

static bool uses(const struct sources *all, const struct names *names, const struct source *s)
{
	char *text;
	bool found;

	if (names->lost)
		return true;
	text = stripped(all, s);
	found = names_used(names, text);
	free(text);
	return found;
}

/* Marks the sources that use what changes, and whatever includes one. */
static void find_users(struct sources *all, const struct names *names)
{
	struct source **above = xalloc((all->n + 1) * sizeof(*above));

	for (size_t i = 0; i < all->n; i++) {
		struct source *s = &all->s[i];

		if (s->user || (!s->opaque && (!s->reached || ends_with(s->path, ".h") ||
		                               !kbuild_may_build(all->k, s->path) || !uses(all, names, s))))
			continue;
		s->user = true;
		for (size_t j = 0, n = sources_above(all, s->path, above); j < n; j++)
			above[j]->user = true;
	}
	free(above);
}

static bool is_listed(char **list, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(list[i], path))
			return true;
	return false;
}

static size_t list_users(const struct sources *all, const char *header, char **list, size_t *n)
{
	const char *assembler = NULL;
	size_t found = 0, given = *n;

	for (size_t i = 0; i < all->n; i++) {
		const struct source *s = &all->s[i];

		if (!s->user || ends_with(s->path, ".h") || !kbuild_may_build(all->k, s->path) ||
		    is_listed(list, given, s->path))
			continue;
		if (ends_with(s->path, ".S")) {
			assembler = s->path;
			continue;
		}
		if (++found <= INCLUDE_UNITS_MAX)
			list[(*n)++] = s->path;
	}
	if (assembler && found <= INCLUDE_UNITS_MAX)
		refuse(NL_EUNSUPPORTED, "%s, assembler, uses what the patch changes in %s, and a leaf cannot change it",
		       assembler, header);
	if (found <= INCLUDE_UNITS_MAX)
		return 0;
	*n = given;
	return found;
}

size_t include_find(struct sources *all, const struct include_header *header, size_t n_headers, char **list, size_t *n)
{
	struct source **above;
	struct names names = {0};
	bool *opaque = xalloc(n_headers);

	if (isatty(STDERR_FILENO))
		fprintf(stderr, "looking for the units that include %s\n", header[0].path);
	for (size_t i = 0; i < n_headers; i++) {
		if (!header[i].before)
			check_new(all, &header[i]);
		names.opaque = false;
		names_changed(&names, header[i].before ? header[i].before : "", header[i].after);
		opaque[i] = names.opaque;
	}
	for (size_t i = 0; i < n_headers; i++)
		sources_add(all, header[i].path, header[i].after)->opaque = opaque[i];
	above = xalloc((all->n + 1) * sizeof(*above));
	for (size_t i = 0; i < n_headers; i++)
		for (size_t j = 0; j < all->n && header[i].before; j++) /* one inline function uses another */
			all->s[j].reached |= !strcmp(all->s[j].path, header[i].path);
	for (size_t i = 0; i < n_headers; i++)
		for (size_t j = 0, m = sources_above(all, header[i].path, above); j < m; j++)
			above[j]->reached = true;
	free(above);
	spread(all, &names);
	find_users(all, &names);
	return list_users(all, header[0].path, list, n);
}
