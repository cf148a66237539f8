// SPDX-License-Identifier: Apache-2.0
/* Reads unified diffs. Not here: applying them (patch_apply.c), and what they mean. */
#include "patch_diff.h"
#include "patch_cves.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct reader {
	struct diff *d;
	const char *p, *end; /* the rest of the text */
	uint32_t line;       /* number of the line at p */
	size_t n_hunks;      /* of all files */
};

#define BAD(r, ...) refuse(NL_ERECIPE, "%s:%u: %s", (r)->d->path, (r)->line, xformat(__VA_ARGS__))

static uint32_t line_length(const struct reader *r)
{
	const char *nl = memchr(r->p, '\n', (size_t)(r->end - r->p));

	return (uint32_t)(nl ? nl + 1 - r->p : r->end - r->p);
}

static void next_line(struct reader *r)
{
	r->p += line_length(r);
	r->line++;
}

static bool starts(const struct reader *r, const char *with)
{
	size_t n = strlen(with);

	return (size_t)(r->end - r->p) >= n && !memcmp(r->p, with, n);
}

/* The line at p from `skip` on, without its end. */
static char *rest(const struct reader *r, size_t skip)
{
	size_t n = line_length(r);

	while (n > skip && (r->p[n - 1] == '\n' || r->p[n - 1] == '\r'))
		n--;
	return xformat("%.*s", (int)(n > skip ? n - skip : 0), r->p + skip);
}

/* A path becomes an argument of make and of the compiler and a line of nothing else; it stays below the tree. */
static char *plain_path(struct reader *r, const char *path)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/+,";
	size_t n = strlen(path);

	if (!n || n > 255 || *path == '/' || path[n - 1] == '/')
		BAD(r, "'%s' is no path below the source tree", path);
	if (strspn(path, plain) != n)
		BAD(r, "'%s': a path has only letters, digits and . _ - / + ,", path);
	for (const char *part = path; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL)
		if (!isalnum((unsigned char)*part) && *part != '_' &&
		    !(*part == '.' && isalnum((unsigned char)part[1])))
			BAD(r, "'%s' leads out of the source tree, or has a part that could be taken for an option",
			    path);
	return xformat("%s", path);
}

/* "a/fs/pipe.c<TAB>date": without the first part, as -p1. NULL: /dev/null. */
static char *file_name(struct reader *r, char *text)
{
	char *slash;

	text[strcspn(text, "\t")] = 0;
	if (!strcmp(text, "/dev/null"))
		return NULL;
	if (*text == '"')
		BAD(r, "%s: a quoted path", text);
	slash = strchr(text, '/');
	if (!slash || *text == '/')
		BAD(r, "'%s' has no leading directory to strip (-p1)", text);
	while (slash[1] == '/')
		slash++;
	return plain_path(r, slash + 1);
}

static uint32_t number(struct reader *r, const char **p)
{
	uint64_t v = 0;

	if (!isdigit((unsigned char)**p))
		BAD(r, "a hunk's head is not understood");
	while (isdigit((unsigned char)**p)) {
		v = v * 10 + (uint64_t)(*(*p)++ - '0');
		if (v > 10000000)
			BAD(r, "a hunk's numbers are too large");
	}
	return (uint32_t)v;
}

static void range(struct reader *r, const char **p, char mark, uint32_t *start, uint32_t *count)
{
	if (**p != mark)
		BAD(r, "a hunk's head is not understood");
	++*p;
	*start = number(r, p);
	*count = 1;
	if (**p == ',') {
		++*p;
		*count = number(r, p);
	}
	while (**p == ' ')
		++*p;
}

static void read_hunk(struct reader *r, struct diff_hunk *h)
{
	char *head = rest(r, 3);
	const char *p = head;
	uint32_t old_left, new_left;

	range(r, &p, '-', &h->old_start, &h->old_count);
	range(r, &p, '+', &h->new_start, &h->new_count);
	if (strncmp(p, "@@", 2))
		BAD(r, "a hunk's head is not understood");
	h->head = p + 2 + strspn(p + 2, " ");
	old_left = h->old_count;
	new_left = h->new_count;
	if ((size_t)old_left + new_left > (size_t)(r->end - r->p))
		BAD(r, "the patch ends inside a hunk");
	h->line = xalloc(((size_t)old_left + new_left) * sizeof(*h->line));
	next_line(r);
	while (old_left || new_left) {
		struct diff_line *l = &h->line[h->n_lines];
		uint32_t n = line_length(r);

		if (r->p == r->end)
			BAD(r, "the patch ends inside a hunk");
		if (*r->p == '\\') { /* the line before has no newline */
			if (h->n_lines && l[-1].length && l[-1].text[l[-1].length - 1] == '\n')
				l[-1].length--;
			next_line(r);
			continue;
		}
		l->kind = *r->p == '\n' ? ' ' : *r->p; /* mailers cut the blank of an empty line */
		l->text = *r->p == '\n' ? r->p : r->p + 1;
		l->length = *r->p == '\n' ? 1 : n - 1;
		if ((l->kind != ' ' && l->kind != '-' && l->kind != '+') || (l->kind != '+' && !old_left) ||
		    (l->kind != '-' && !new_left))
			BAD(r, "a line of a hunk begins with '%c', or the hunk's numbers are wrong", *r->p);
		old_left -= l->kind != '+';
		new_left -= l->kind != '-';
		h->n_lines++;
		next_line(r);
	}
	if (r->p < r->end && *r->p == '\\') {
		struct diff_line *l = &h->line[h->n_lines - (h->n_lines > 0)];

		if (h->n_lines && l->length && l->text[l->length - 1] == '\n')
			l->length--;
		next_line(r);
	}
}

static struct diff_file *add_file(struct reader *r, char *path)
{
	struct diff *d = r->d;

	for (size_t i = 0; i < d->n_files; i++)
		if (!strcmp(d->file[i].path, path))
			BAD(r, "%s is changed twice", path);
	if (d->n_files == DIFF_FILES_MAX)
		BAD(r, "more than %d files", DIFF_FILES_MAX);
	d->file[d->n_files].path = path;
	return &d->file[d->n_files++];
}

static void read_hunks(struct reader *r, struct diff_file *f)
{
	size_t room = 0;

	while (starts(r, "@@ ")) {
		if (r->n_hunks++ == DIFF_HUNKS_MAX)
			BAD(r, "more than %d hunks", DIFF_HUNKS_MAX);
		if (f->n_hunks == room) {
			struct diff_hunk *more = xalloc((room = room * 2 + 4) * sizeof(*more));

			if (f->n_hunks)
				memcpy(more, f->hunk, f->n_hunks * sizeof(*more));
			free(f->hunk);
			f->hunk = more;
		}
		read_hunk(r, &f->hunk[f->n_hunks++]);
	}
}

static void read_pair(struct reader *r)
{
	char *old_name = file_name(r, rest(r, 4)), *new_name;
	struct diff_file *f;

	next_line(r);
	if (!starts(r, "+++ "))
		BAD(r, "'+++' expected");
	new_name = file_name(r, rest(r, 4));
	next_line(r);
	if (!old_name && !new_name)
		BAD(r, "a file that is neither before nor after");
	f = add_file(r, new_name ? new_name : old_name);
	f->kind = !old_name ? DIFF_NEW : !new_name ? DIFF_GONE : DIFF_CHANGED;
	if (old_name && new_name && strcmp(old_name, new_name))
		f->kind = DIFF_RENAMED;
	read_hunks(r, f);
	if (!f->n_hunks && f->kind == DIFF_CHANGED)
		BAD(r, "%s: a file without hunks", f->path);
}

/* git's lines between "diff --git" and "---": only what has no hunks must be taken from here. */
static void read_git(struct reader *r)
{
	char *mode = NULL, *renamed = NULL;

	next_line(r);
	for (; r->p < r->end; next_line(r)) {
		if (starts(r, "--- ") || starts(r, "diff --git "))
			break;
		if (starts(r, "rename to ") || starts(r, "copy to "))
			renamed = plain_path(r, strchr(rest(r, 0), ' ') + 4);
		else if (starts(r, "new mode "))
			mode = rest(r, 9);
		else if (starts(r, "GIT binary patch") || starts(r, "Binary files "))
			BAD(r, "a binary file");
		else if (!starts(r, "index ") && !starts(r, "old mode ") && !starts(r, "new file mode ") &&
		         !starts(r, "deleted file mode ") && !starts(r, "similarity index ") &&
		         !starts(r, "dissimilarity index ") && !starts(r, "rename from ") && !starts(r, "copy from "))
			break;
	}
	if (renamed && !starts(r, "--- "))
		add_file(r, renamed)->kind = DIFF_RENAMED;
	(void)mode; /* a mode means nothing to a running kernel */
}

/* A subject may go on in the next lines, which begin with a blank. */
static char *folded(struct reader *r, size_t skip)
{
	char *all = rest(r, skip);

	while (true) {
		const char *p = r->p + line_length(r);

		if (p >= r->end || *p != ' ')
			return all;
		next_line(r);
		all = xformat("%s %s", all, rest(r, 1));
	}
}

static void read_header(struct reader *r)
{
	struct diff *d = r->d;

	if (d->n_files)
		return;
	if (starts(r, "From ") && strspn(r->p + 5, "0123456789abcdef") >= 12)
		d->commit = xformat("%.*s", (int)strspn(r->p + 5, "0123456789abcdef"), r->p + 5);
	else if (starts(r, "Subject: ") && !d->subject)
		cves_of_subject(d, d->subject = folded(r, 9));
	else if (starts(r, "From: ") && !d->author)
		d->author = rest(r, 6);
	else if (starts(r, "Date: ") && !d->date)
		d->date = rest(r, 6);
	else
		cves_of_line(d, rest(r, 0));
}

struct diff *diff_parse(const char *path, const struct buf *text)
{
	struct diff *d = xalloc(sizeof(*d));
	const char *start = text->n ? (const char *)text->p : "";
	struct reader r = {.d = d, .p = start, .end = start + text->n, .line = 1};

	d->path = path;
	cves_of_file(d, path);
	d->file = xalloc(DIFF_FILES_MAX * sizeof(*d->file));
	if (text->n && memchr(text->p, 0, text->n))
		refuse(NL_ERECIPE, "%s holds zero bytes: it is no patch", path);
	while (r.p < r.end) {
		if (starts(&r, "diff --git ")) {
			read_git(&r);
		} else if (starts(&r, "--- ") && memchr(r.p, '/', line_length(&r))) {
			read_pair(&r);
		} else {
			if (d->n_files && starts(&r, "@@ -"))
				refuse(NL_ERECIPE,
				       "%s:%u: a hunk that belongs to no file: something stands between it and the one "
				       "before, or the numbers of that one are wrong",
				       path, r.line);
			read_header(&r);
			next_line(&r);
		}
	}
	if (!d->n_files)
		refuse(NL_ERECIPE, "%s changes no file: it is no unified diff", path);
	return d;
}
