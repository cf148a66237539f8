// SPDX-License-Identifier: Apache-2.0
/*
 * A timeline as a picture: for each transaction a strip with its tries, and for each of its last tries a lane per CPU.
 * Plain SVG, no fonts or scripts of others, legible on light and on dark ground.
 */
#include "timeline.h"

enum { WIDTH = 960, LEFT = 70, RIGHT = 24, LANE = 20, TRIES = 4, LANES = 64, TICKS = 5 };

static const char style[] =
        "<style>text{fill:#222}.m{fill:#666}.g{fill:#fff}.l{fill:#f0f0ee}.u{fill:#dfe7ef}.h{fill:#8fb4d9}"
        ".p{fill:#c9c3b0}.s{fill:#e3b74f}.b{fill:#cf8a3a}.f{fill:#9c5fa8}.w{fill:#7a7a7a}.x{fill:#c43c35}"
        ".k{fill:#3d8b4f}line{stroke:#999}.n{stroke:#c43c35;stroke-width:2}.a{stroke:#3d8b4f;stroke-width:2}"
        "@media(prefers-color-scheme:dark){text{fill:#e6e6e6}.m{fill:#aaa}.g{fill:#161616}.l{fill:#242424}"
        ".u{fill:#2b3947}.h{fill:#3f6f9f}.p{fill:#6e6853}.s{fill:#b98d26}.b{fill:#a5641c}.f{fill:#8a4d97}"
        ".w{fill:#9a9a9a}.x{fill:#e0605a}.k{fill:#58b06c}line{stroke:#666}.n{stroke:#e0605a}.a{stroke:#58b06c}}"
        "</style>\n";

struct picture {
	FILE *f;
	const struct timeline *t;
	uint64_t from, to; /* TSC at the left and at the right */
	unsigned y;
};

static double x_of(const struct picture *p, uint64_t tsc)
{
	double span = p->to > p->from ? (double)(p->to - p->from) : 1;
	double at = tsc < p->from ? 0 : tsc > p->to ? 1 : (double)(tsc - p->from) / span;

	return LEFT + at * (WIDTH - LEFT - RIGHT);
}

static void box(const struct picture *p, const char *class, uint64_t from, uint64_t to, unsigned inset,
                const char *title)
{
	double left = x_of(p, from), width = x_of(p, to) - left;

	fprintf(p->f, "<rect class=\"%s\" x=\"%.1f\" y=\"%u\" width=\"%.1f\" height=\"%u\"><title>%s</title></rect>\n",
	        class, left, p->y + inset, width < 1.5 ? 1.5 : width, LANE - 2 - 2 * inset, title);
}

static void text_at(const struct picture *p, const char *class, double x, unsigned y, const char *text)
{
	fprintf(p->f, "<text class=\"%s\" x=\"%.1f\" y=\"%u\">", class, x, y);
	for (; *text; text++)
		if (*text == '<' || *text == '&' || *text == '>')
			fprintf(p->f, "&#%d;", *text);
		else
			fputc(*text, p->f);
	fputs("</text>\n", p->f);
}

static void axis(struct picture *p)
{
	struct text t;

	for (unsigned i = 0; i <= TICKS; i++) {
		uint64_t tsc = p->from + (p->to - p->from) / TICKS * i;
		double x = x_of(p, tsc);

		fprintf(p->f, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%u\" y2=\"%u\"/>\n", x, x, p->y, p->y + 4);
		fprintf(p->f, "<g text-anchor=\"%s\">", !i ? "start" : i == TICKS ? "end" : "middle");
		text_at(p, "m", x, p->y + 16, text_ns(&t, course_ns(p->t, p->from, tsc)));
		fputs("</g>\n", p->f);
	}
	p->y += 26;
}

static uint64_t later(uint64_t a, uint64_t b) { return a > b ? a : b; }

static uint64_t end_of(const struct timeline *t, const struct tl_try *y)
{
	uint64_t end = later(later(y->thaw, y->withdraw), y->freeze);

	for (uint32_t i = 0; i < t->cpus; i++)
		end = later(end, later(y->cpu[i].resume, y->cpu[i].adopt));
	return end;
}

static uint32_t lanes_of(const struct timeline *t) { return t->cpus < LANES ? t->cpus : LANES; }

static unsigned panels_of(const struct tl_transaction *x) { return x->n_tries < TRIES ? (unsigned)x->n_tries : TRIES; }

static unsigned height_of(const struct timeline *t)
{
	unsigned height = 16 + 24;

	for (size_t i = 0; i < t->n_transactions; i++)
		height += 24 + LANE + 26 + 12 + panels_of(&t->transaction[i]) * (18 + lanes_of(t) * LANE + 26);
	return height;
}

static void draw_window(const struct picture *p, const struct tl_try *y)
{
	static const char *const parts[][2] = {{"s", "scan"}, {"b", "build"}, {"f", "fold"}};
	const uint64_t at[] = {y->scan, y->build, y->fold};
	uint64_t from = y->window;

	if (!y->window || !y->thaw)
		return;
	box(p, "w", y->window, y->thaw, 5, "window");
	for (size_t i = 0; i < NL_ARRAY_SIZE(at); i++)
		if (at[i]) {
			box(p, parts[i][0], from, at[i], 5, parts[i][1]);
			from = at[i];
		}
}

static void draw_lane(struct picture *p, const struct tl_try *y, uint32_t cpu)
{
	const struct tl_cpu *c = &y->cpu[cpu];
	struct text t;

	snprintf(t.s, sizeof(t.s), "CPU %u", cpu);
	text_at(p, "", 12, p->y + 13, t.s);
	box(p, "l", p->from, p->to, 0, "");
	for (size_t i = 0; i < p->t->n_events; i++) {
		const struct tl_event *a = &p->t->event[i];
		size_t k = i + 1;

		if (a->seq || a->step != NL_N_STEPS + NL_OWN_ARRIVE || a->cpu != cpu || a->tsc > p->to)
			continue;
		while (k < p->t->n_events && (p->t->event[k].seq || p->t->event[k].cpu != cpu ||
		                              p->t->event[k].step != NL_N_STEPS + NL_OWN_LEAVE))
			k++;
		if (k < p->t->n_events && p->t->event[k].tsc > p->from)
			box(p, "u", a->tsc, p->t->event[k].tsc, 0, "in user mode, gathered");
	}
	if (c->resume && (c->held || c->refused))
		box(p, c->refused || c->late ? "x" : "h", course_held(c), c->resume, 2,
		    c->refused ? "refused"
		    : c->late  ? "held too late"
		               : "held");
	if (cpu == y->by)
		draw_window(p, y);
	if (c->ask)
		box(p, "m", c->ask, c->ask, 0, "asked");
	if (c->adopt)
		box(p, "k", c->adopt, c->adopt, 0, "new generation adopted");
	p->y += LANE;
}

static void draw_try(struct picture *p, const struct tl_transaction *x, size_t n)
{
	const struct tl_try *y = &p->t->tries[x->try + n];
	struct tl_cause cause;
	struct text t;
	char say[256] = "", line[512];
	unsigned top;

	p->from = y->freeze;
	p->to = end_of(p->t, y);
	if (y->flip) {
		snprintf(line, sizeof(line), "try %zu: flip to generation %llu, window %s", n + 1,
		         (unsigned long long)y->generation, text_ns(&t, course_ns(p->t, y->window, y->thaw)));
	} else {
		if (course_cause(p->t, y, 0, &cause))
			course_say(&cause, say, sizeof(say));
		snprintf(line, sizeof(line), "try %zu: %s%s%s", n + 1, course_of(p->t, y), say[0] ? ", " : "", say);
	}
	text_at(p, y->flip || !say[0] ? "" : "x", 12, p->y + 12, line);
	p->y += 18;
	top = p->y;
	for (uint32_t i = 0; i < lanes_of(p->t); i++)
		draw_lane(p, y, i);
	if (y->flip || y->withdraw) {
		double at = x_of(p, y->flip ? y->flip : y->withdraw);

		fprintf(p->f, "<line class=\"%s\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%u\" y2=\"%u\"/>\n", y->flip ? "a" : "n",
		        at, at, top - 2, p->y);
	}
	axis(p);
}

static void draw_transaction(struct picture *p, const struct tl_transaction *x)
{
	size_t panels = panels_of(x);
	struct tl_cause cause;
	char line[160], part[32];

	snprintf(line, sizeof(line), "transaction %u: %s, %s, %zu %s%s", x->number, course_what(x),
	         !x->ended                ? "not ended"
	         : x->failed && !x->error ? "given up"
	                                  : cli_error(x->error)->name,
	         x->n_tries, x->n_tries == 1 ? "try" : "tries", x->n_tries > panels ? " (the last ones below)" : "");
	fprintf(p->f, "<g font-weight=\"bold\" font-size=\"14\">");
	text_at(p, "", 12, p->y + 14, line);
	fputs("</g>\n", p->f);
	p->y += 24;
	p->from = x->begin;
	p->to = later(x->last, x->end);
	box(p, "l", p->from, p->to, 0, "");
	if (x->prepared)
		box(p, "p", x->begin, x->prepared, 0, "prepare");
	for (size_t i = 0; i < x->n_tries; i++) {
		const struct tl_try *y = &p->t->tries[x->try + i];

		snprintf(part, sizeof(part), "try %zu", i + 1);
		box(p,
		    y->flip                            ? "k"
		    : course_cause(p->t, y, 0, &cause) ? "x"
		                                       : "h",
		    y->freeze, later(y->thaw, y->withdraw), 0, part);
	}
	p->y += LANE;
	axis(p);
	for (size_t i = x->n_tries - panels; i < x->n_tries; i++)
		draw_try(p, x, i);
	p->y += 12;
}

static void legend(struct picture *p)
{
	static const struct {
		const char *class, *what;
	} entry[] = {{"p", "prepare"},
	             {"u", "gathered in user mode"},
	             {"h", "held"},
	             {"s", "scan"},
	             {"b", "build"},
	             {"f", "fold"},
	             {"w", "rest of the window"},
	             {"k", "flip, adopted"},
	             {"x", "failed"}};
	double x = 12;

	for (size_t i = 0; i < NL_ARRAY_SIZE(entry); i++) {
		fprintf(p->f, "<rect class=\"%s\" x=\"%.1f\" y=\"%u\" width=\"10\" height=\"10\"/>\n", entry[i].class,
		        x, p->y);
		text_at(p, "m", x + 14, p->y + 9, entry[i].what);
		for (const char *s = entry[i].what; *s; s++)
			x += 6.6;
		x += 32;
	}
}

void timeline_svg(FILE *f, const struct timeline *t)
{
	unsigned height = height_of(t);
	struct picture p = {.f = f, .t = t, .y = 16};

	fprintf(f,
	        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %u\" width=\"%d\" height=\"%u\" "
	        "font-family=\"sans-serif\" font-size=\"12\">\n",
	        WIDTH, height, WIDTH, height);
	fputs(style, f);
	fprintf(f, "<rect class=\"g\" width=\"%d\" height=\"%u\"/>\n", WIDTH, height);
	for (size_t i = 0; i < t->n_transactions; i++)
		draw_transaction(&p, &t->transaction[i]);
	legend(&p);
	fputs("</svg>\n", f);
}
