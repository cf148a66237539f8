// SPDX-License-Identifier: Apache-2.0
/* Reads `int f(int a)`, `SYSCALL_DEFINE2(swapon, ...)`, `struct s t = {`: diff cuts such a line off somewhere. */
#include "patch_head.h"

#include <ctype.h>
#include <string.h>

static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

static bool is_label(const char *line, size_t n)
{
	size_t i = 0;

	while (i < n && is_word(line[i]))
		i++;
	return i && i < n && line[i] == ':';
}

bool head_begins(const char *line, size_t n)
{
	return n && (isalpha((unsigned char)*line) || *line == '_' || *line == '$') && !is_label(line, n);
}

struct name {
	const char *p;
	size_t n;
};

/* The word before the first bracket, '=' or '{'; of a macro in capitals with its first argument, which tells them
 * apart. */
static struct name name_of(const char *line, size_t n)
{
	size_t at = 0, end, start;
	bool capitals = true;

	while (at < n && !strchr("(={[;", line[at]))
		at++;
	if (at == n || !head_begins(line, n))
		return (struct name){0};
	for (end = at; end && isspace((unsigned char)line[end - 1]);)
		end--;
	for (start = end; start && is_word(line[start - 1]); start--)
		capitals &= !islower((unsigned char)line[start - 1]);
	if (capitals && line[at] == '(') {
		for (end = at; end < n && line[end] != ',' && line[end] != ')';)
			end++;
		if (end == n)
			return (struct name){0};
	}
	return (struct name){line + start, end - start};
}

static bool same(struct name a, struct name b) { return a.n == b.n && (!a.n || !memcmp(a.p, b.p, a.n)); }

static struct name plain(struct name a)
{
	while (a.n && *a.p == '_')
		a.p++, a.n--;
	return a;
}

enum head head_names(const char *head, const char *line, size_t n)
{
	struct name wanted = name_of(head, strlen(head)), is = name_of(line, n);

	if (wanted.n && same(wanted, is))
		return HEAD_NAMES_IT;
	return wanted.n && !same(plain(wanted), plain(is)) ? HEAD_NAMES_ANOTHER : HEAD_IS_UNCLEAR;
}

char *head_name(const char *line, size_t n)
{
	struct name name = name_of(line, n);

	return xformat("%.*s", (int)name.n, name.n ? name.p : "");
}
