// SPDX-License-Identifier: Apache-2.0
/*
 * A new structure that new code hangs on a member of an old object (`inode->i_private = state`) and finds there again
 * (`state = inode->i_private`) is missing from each object that was made before the patch. Read from the compiler's own
 * notes (GIMPLE), where each statement does one thing. A pointer to a variable on the stack, handed on through such a
 * member for the time of a call, harms nobody.
 */
#include "patch_live.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define STRUCTURES_MAX 64
#define POINTERS_MAX 4096
#define NAME_MAX_LENGTH 128

static size_t word(const char *p)
{
	size_t n = 0;

	while (isalnum((unsigned char)p[n]) || p[n] == '_' || (n && p[n] == '.'))
		n++;
	return n;
}

static const char *blank(const char *p) { return p + strspn(p, " \t"); }

char **live_structures(const struct diff *d, size_t *n)
{
	char **found = xalloc(STRUCTURES_MAX * sizeof(*found));

	*n = 0;
	for (size_t f = 0; f < d->n_files; f++)
		for (size_t h = 0; h < d->file[f].n_hunks; h++)
			for (size_t l = 0; l < d->file[f].hunk[h].n_lines && *n < STRUCTURES_MAX; l++) {
				const struct diff_line *line = &d->file[f].hunk[h].line[l];
				char *text = xformat("%.*s", (int)line->length, line->text);
				const char *name = blank(text);
				size_t length;

				if (line->kind != '+' || strncmp(name, "struct ", 7))
					continue;
				name = blank(name + 7);
				length = word(name);
				if (length && strchr("{\n", *blank(name + length)))
					found[(*n)++] = xformat("%.*s", (int)length, name);
			}
	return found;
}

struct pointer { /* a variable of one function */
	char name[NAME_MAX_LENGTH];
	const char *structure;
};

struct use { /* of a member */
	char member[NAME_MAX_LENGTH], function[NAME_MAX_LENGTH];
	const char *structure;
	bool stores;
};

struct live {
	char **structure;
	size_t n_structures;
	struct pointer *pointer;
	struct use *use;
	size_t n_pointers, n_uses;
	char function[NAME_MAX_LENGTH];
};

static void copy(char *to, const char *from, size_t n)
{
	n = n < NAME_MAX_LENGTH - 1 ? n : NAME_MAX_LENGTH - 1;
	memcpy(to, from, n);
	to[n] = 0;
}

/* "struct x * name" anywhere in a line: parameters and variables. */
static void declared(struct live *v, const char *line)
{
	for (const char *p = line; (p = strstr(p, "struct ")); p += 7) {
		const char *name = p + 7, *star = blank(name + word(name)), *variable;

		for (size_t s = 0; s < v->n_structures && *star == '*' && v->n_pointers < POINTERS_MAX; s++) {
			if (strlen(v->structure[s]) != word(name) || strncmp(v->structure[s], name, word(name)))
				continue;
			variable = blank(star + 1);
			if (word(variable)) {
				copy(v->pointer[v->n_pointers].name, variable, word(variable));
				v->pointer[v->n_pointers++].structure = v->structure[s];
			}
		}
	}
}

static const char *structure_of(const struct live *v, const char *name, size_t n)
{
	for (size_t i = 0; i < v->n_pointers; i++)
		if (strlen(v->pointer[i].name) == n && !strncmp(v->pointer[i].name, name, n))
			return v->pointer[i].structure;
	return NULL;
}

/* The last member of "a->b->m", when all of the text is such a place; of what the new structures hold themselves, none.
 */
static const char *member_of(const struct live *v, const char *p, size_t n)
{
	const char *last = NULL;
	size_t at = word(p);

	if (!at || structure_of(v, p, at))
		return NULL;
	while (at < n) {
		if (strncmp(p + at, "->", 2))
			return NULL;
		at += 2;
		last = p + at;
		if (!word(last))
			return NULL;
		at += word(last);
	}
	return last;
}

static void add_use(struct live *v, const char *member, size_t n, const char *structure, bool stores)
{
	const char *dot = member;

	for (const char *p = member; p < member + n; p++)
		dot = *p == '.' ? p + 1 : dot;
	if (v->n_uses == POINTERS_MAX)
		return;
	copy(v->use[v->n_uses].member, dot, n - (size_t)(dot - member));
	copy(v->use[v->n_uses].function, v->function, strlen(v->function));
	v->use[v->n_uses].structure = structure;
	v->use[v->n_uses++].stores = stores;
}

/* "x = y->m;" and "y->m = x;" where x is a pointer to a new structure */
static void assigned(struct live *v, const char *line)
{
	const char *left = blank(line), *equals = strstr(left, " = "), *right = equals ? equals + 3 : NULL;
	const char *end = right ? strchr(right, ';') : NULL, *member;
	const char *of_left, *of_right;

	if (!end || end[1])
		return;
	of_left = structure_of(v, left, (size_t)(equals - left));
	of_right = structure_of(v, right, (size_t)(end - right));
	if (of_left && (member = member_of(v, right, (size_t)(end - right))))
		add_use(v, member, (size_t)(end - member), of_left, false);
	if (of_right && (member = member_of(v, left, (size_t)(equals - left))))
		add_use(v, member, (size_t)(equals - member), of_right, true);
}

static char *verdict(const struct live *v)
{
	for (size_t i = 0; i < v->n_uses; i++)
		for (size_t j = 0; j < v->n_uses && !v->use[i].stores; j++)
			if (v->use[j].stores && v->use[i].structure == v->use[j].structure &&
			    !strcmp(v->use[i].member, v->use[j].member))
				return xformat("%s finds a struct %s, which is new, in the member %s of an object, "
				               "where %s puts it",
				               v->use[i].function, v->use[i].structure, v->use[i].member,
				               v->use[j].function);
	return NULL;
}

char *live_member(char *dump, char **structure, size_t n)
{
	struct live v = {.structure = structure, .n_structures = n};
	char *found;

	v.pointer = xalloc(POINTERS_MAX * sizeof(*v.pointer));
	v.use = xalloc(POINTERS_MAX * sizeof(*v.use));
	for (char *line = dump, *next; line && *line; line = next) {
		char *bracket;

		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		bracket = strchr(line, '(');
		if (!isspace((unsigned char)*line) && *line != '{' && *line != '}' && bracket) { /* a function begins */
			const char *name = bracket;

			while (name > line && isspace((unsigned char)name[-1]))
				name--;
			bracket = (char *)(uintptr_t)name;
			while (name > line && !isspace((unsigned char)name[-1]) && name[-1] != '*')
				name--;
			copy(v.function, name, (size_t)(bracket - name));
			v.n_pointers = 0;
		}
		declared(&v, line);
		assigned(&v, line);
	}
	found = verdict(&v);
	free(v.use);
	free(v.pointer);
	return found;
}
