// SPDX-License-Identifier: Apache-2.0
/*
 * Applies hunks as patch(1) does: at their line, else nearest to it, else with less of the context. And
 * tells the compiler by #line which number each line had before, so that what stays is not compiled differently only
 * because it moved.
 */
#include "patch_head.h"

#include <string.h>

#define FUZZ 2

struct lines {
	const char **text;
	uint32_t *length;
	size_t n;
};

static struct lines split(const struct buf *b)
{
	struct lines l = {0};
	size_t room = 1;

	for (size_t i = 0; i < b->n; i++)
		room += b->p[i] == '\n';
	l.text = xalloc(room * sizeof(*l.text));
	l.length = xalloc(room * sizeof(*l.length));
	for (size_t at = 0; at < b->n;) {
		const char *start = (const char *)b->p + at, *nl = memchr(start, '\n', b->n - at);

		l.text[l.n] = start;
		l.length[l.n] = (uint32_t)(nl ? nl + 1 - start : (const char *)b->p + b->n - start);
		at += l.length[l.n++];
	}
	return l;
}

struct edges { /* lines of context that are left out of the comparison */
	size_t head, tail;
};

/* How much of the context may differ, from none on: as patch(1) up to its default of two lines of three. */
static struct edges fuzzy(const struct diff_hunk *h, size_t fuzz)
{
	size_t head = 0, tail = 0, longer;
	struct edges e = {0, 0};

	while (head < h->n_lines && h->line[head].kind == ' ')
		head++;
	while (tail < h->n_lines - head && h->line[h->n_lines - 1 - tail].kind == ' ')
		tail++;
	longer = head > tail ? head : tail;
	/* the longer context gives way first */
	e.head = fuzz + head > longer ? fuzz + head - longer : 0;
	e.tail = fuzz + tail > longer ? fuzz + tail - longer : 0;
	e.head = e.head < head ? e.head : head;
	e.tail = e.tail < tail ? e.tail : tail;
	return e;
}

/* Lines of the old file that are compared at all. */
static bool holds(const struct diff_hunk *h, struct edges e)
{
	for (size_t i = e.head; i < h->n_lines - e.tail; i++)
		if (h->line[i].kind != '+')
			return true;
	return !h->old_count; /* a new file */
}

static bool fits(const struct lines *old, size_t at, const struct diff_hunk *h, struct edges e)
{
	for (size_t i = 0; i < h->n_lines; i++) {
		const struct diff_line *l = &h->line[i];

		if (l->kind == '+')
			continue;
		if (at >= old->n)
			return false;
		if (i >= e.head && i < h->n_lines - e.tail &&
		    (old->length[at] != l->length || memcmp(old->text[at], l->text, l->length)))
			return false;
		at++;
	}
	return true;
}

/* At how many places does it fit, two at most? */
static size_t places(const struct lines *old, size_t from, const struct diff_hunk *h, struct edges e)
{
	size_t n = 0;

	for (size_t at = from; at <= old->n && n < 2; at++)
		n += fits(old, at, h, e);
	return n;
}

/* The line, from 0, where the hunk fits at or behind `from`: at its own line, or at the one place that there is. A hunk
 * that has moved and fits twice, or fits by half, might mean another function. */
static bool find(const struct lines *old, size_t from, size_t wanted, const struct diff_hunk *h, size_t most,
                 size_t *at)
{
	for (size_t fuzz = 0; fuzz <= most; fuzz++) {
		struct edges e = fuzzy(h, fuzz);

		if (!holds(h, e))
			continue;
		if ((fuzz || wanted > old->n || wanted < from || !fits(old, wanted, h, e)) &&
		    places(old, from, h, e) > 1)
			return false;
		for (size_t away = 0; away <= old->n; away++) {
			*at = wanted + away;
			if (*at >= from && *at <= old->n && fits(old, *at, h, e))
				return true;
			*at = wanted - away;
			if (away <= wanted && *at >= from && fits(old, *at, h, e))
				return true;
		}
	}
	return false;
}

/* Is this place in the function that the hunk's head names? A hunk that shows a function's beginning before it changes
 * anything says by that where it belongs. */
static enum head names_place(const struct lines *old, size_t at, const struct diff_hunk *h, size_t *line)
{
	for (size_t i = 0; i < h->n_lines && h->line[i].kind == ' '; i++)
		if (head_begins(h->line[i].text, h->line[i].length))
			return HEAD_NAMES_IT;
	while (at--)
		if (head_begins(old->text[at], old->length[at])) {
			*line = at;
			return head_names(h->head, old->text[at], old->length[at]);
		}
	return HEAD_IS_UNCLEAR;
}

enum fit { FITS_NOT, FITS_IN_ANOTHER, FITS_ELSEWHERE, FITS };

struct place { /* of the hunks, one after the other */
	size_t done, at;
	int64_t shift;  /* of the last one */
	enum head head; /* what its head says, if it has moved against the one before */
	size_t line;    /* with which the function begins that it is in */
};

static int64_t named_line(const struct diff_hunk *h) { return (int64_t)h->old_start - (h->old_start && h->old_count); }

/* The same, for a hunk that is wanted where the last one's shift puts it. */
static enum fit next_place(const struct lines *old, struct place *p, const struct diff_hunk *h, size_t most)
{
	int64_t named = named_line(h), wanted = named + p->shift;

	wanted = wanted < 0 ? 0 : wanted < (int64_t)old->n ? wanted : (int64_t)old->n;
	if (!find(old, p->done, (size_t)wanted, h, most, &p->at))
		return FITS_NOT;
	p->head = (int64_t)p->at != wanted ? names_place(old, p->at, h, &p->line) : HEAD_NAMES_IT;
	p->shift = (int64_t)p->at - named;
	p->done = p->at + h->old_count;
	return p->head == HEAD_NAMES_ANOTHER ? FITS_IN_ANOTHER : (int64_t)p->at == named ? FITS : FITS_ELSEWHERE;
}

static struct diff_hunk reversed(const struct diff_hunk *h)
{
	struct diff_hunk r = *h;

	r.old_start = h->new_start;
	r.old_count = h->new_count;
	r.new_count = h->old_count;
	r.line = xalloc((h->n_lines + 1) * sizeof(*r.line));
	for (size_t i = 0; i < h->n_lines; i++) {
		r.line[i] = h->line[i];
		if (h->line[i].kind != ' ')
			r.line[i].kind = h->line[i].kind == '+' ? '-' : '+';
	}
	return r;
}

/* The worst of all hunks, none of which may differ: what is in fits by fuzz a second time, beside itself. */
static enum fit all_fit(const struct diff_file *f, const struct lines *old, bool backwards)
{
	struct place p = {0};
	enum fit all = FITS;

	for (size_t i = 0; i < f->n_hunks && all > FITS_IN_ANOTHER; i++) {
		struct diff_hunk h = backwards ? reversed(&f->hunk[i]) : f->hunk[i];
		enum fit one = next_place(old, &p, &h, 0);

		all = one < all ? one : all;
	}
	return all;
}

enum diff_state diff_state(const struct diff_file *f, const struct buf *text)
{
	struct lines old = split(text);
	enum fit forth = all_fit(f, &old, false), back = all_fit(f, &old, true);

	if (back <= FITS_IN_ANOTHER || forth == FITS)
		return DIFF_IS_NOT_IN;
	return back == FITS || forth <= FITS_IN_ANOTHER ? DIFF_IS_IN : DIFF_IS_UNCLEAR;
}

/* Is what a hunk makes there already? At the hunk's own line, or, where the hunk does not surely belong where it fits,
 * anywhere: then that place is of a twin, or beside it. */
static bool is_there(const struct lines *old, const struct diff_hunk *h, size_t from, int64_t shift, bool sure)
{
	struct diff_hunk r = reversed(h);
	struct edges none = {0, 0};
	int64_t line[] = {named_line(h) + shift, named_line(&r)};

	for (size_t i = 0; i < 2; i++)
		if (line[i] >= 0 && line[i] <= (int64_t)old->n && fits(old, (size_t)line[i], &r, none))
			return true;
	return !sure && places(old, from, &r, none);
}

static _Noreturn void no_place(const struct diff *d, const struct diff_file *f, size_t i, const char *why)
{
	refuse(NL_ETARGET, "%s: hunk %zu of %s, for line %u, %s: it is for another source", d->path, i + 1, f->path,
	       f->hunk[i].old_start, why);
}

/* The line, from 0, where hunk i belongs; refuses where that is not sure. */
static size_t place_of(const struct diff *d, const struct diff_file *f, size_t i, const struct lines *old,
                       struct place *p)
{
	const struct diff_hunk *h = &f->hunk[i];
	int64_t shift = p->shift;
	size_t from = p->done;
	enum fit fit = next_place(old, p, h, FUZZ);

	if (fit == FITS_NOT)
		no_place(d, f, i, "fits nowhere, or in several places");
	if (p->shift != shift &&
	    is_there(old, h, from, shift, p->head == HEAD_NAMES_IT && places(old, from, h, (struct edges){0, 0})))
		no_place(d, f, i, xformat("is in the source already, and fits at line %zu, too", p->at + 1));
	if (fit == FITS_IN_ANOTHER)
		no_place(d, f, i,
		         xformat("names %s, and fits at line %zu alone, which is in %s",
		                 head_name(h->head, strlen(h->head)), p->at + 1,
		                 head_name(old->text[p->line], old->length[p->line])));
	return p->at;
}

/* Where in C a line of output ends: a #line may stand only where no comment, string, macro or argument list is open. */
struct state {
	bool comment, continued;
	int depth; /* of parentheses */
};

static void follow(struct state *s, const char *p, uint32_t n)
{
	char quote = 0;

	if (n && (*p == '}' || *p == '{') && !s->comment) /* in the kernel's style a function begins or ends here */
		s->depth = 0;
	for (uint32_t i = 0; i < n; i++) {
		char c = p[i], next = i + 1 < n ? p[i + 1] : 0;

		if (s->comment) {
			s->comment = !(c == '*' && next == '/');
			i += !s->comment;
		} else if (quote) {
			i += c == '\\';
			quote = c == quote ? 0 : quote;
		} else if (c == '/' && next == '*') {
			s->comment = true;
			i++;
		} else if (c == '/' && next == '/') {
			break;
		} else if (c == '"' || c == '\'') {
			quote = c;
		} else {
			s->depth += (c == '(') - (c == ')');
		}
	}
	while (n && (p[n - 1] == '\n' || p[n - 1] == '\r'))
		n--;
	s->continued = n && p[n - 1] == '\\';
}

struct output {
	struct buf b;
	struct state s;
	bool keep, due; /* a #line is wanted before the next old line that can have one */
};

static void put(struct output *o, const char *p, uint32_t n)
{
	buf_add(&o->b, p, n);
	follow(&o->s, p, n);
}

static void put_old(struct output *o, const struct lines *old, size_t at)
{
	if (o->keep && o->due && !o->s.comment && !o->s.continued && o->s.depth <= 0) {
		char *s = xformat("#line %zu\n", at + 1);

		buf_add(&o->b, s, strlen(s));
		o->due = false;
	}
	put(o, old->text[at], old->length[at]);
}

struct buf diff_apply(const struct diff *d, const struct diff_file *f, const struct buf *text, bool keep_lines)
{
	struct output o = {.keep = keep_lines};
	struct lines old = split(text);
	struct place p = {0};
	size_t done = 0;

	for (size_t i = 0; i < f->n_hunks; i++) {
		const struct diff_hunk *h = &f->hunk[i];
		size_t at = place_of(d, f, i, &old, &p);

		while (done < at)
			put_old(&o, &old, done++);
		for (size_t j = 0; j < h->n_lines; j++) {
			const struct diff_line *l = &h->line[j];

			if (l->kind == ' ') { /* the file's own line: fuzz may have let it differ */
				put_old(&o, &old, done++);
				continue;
			}
			if (l->kind == '+')
				put(&o, l->text, l->length);
			done += l->kind == '-';
			o.due = true;
		}
	}
	while (done < old.n)
		put_old(&o, &old, done++);
	return o.b;
}
