// SPDX-License-Identifier: Apache-2.0
/* A timeline as text and as JSON (newleaf.timeline/1). */
#include "timeline.h"

#include <string.h>

#define SAY_MAX 256

static const char *result_of(const struct tl_transaction *x)
{
	return !x->ended                        ? NULL
	       : x->failed && x->error == NL_OK ? "given up"
	       : x->failed                      ? cli_error(x->error)->name
	                                        : "NL_OK";
}

/* -- text -- */

/* "+1.2 ms" since `from`, or a dash. */
static const char *since(const struct timeline *t, struct text *to, uint64_t from, uint64_t tsc)
{
	struct text figure;

	if (!tsc)
		snprintf(to->s, sizeof(to->s), "-");
	else
		snprintf(to->s, sizeof(to->s), "+%.100s", text_ns(&figure, course_ns(t, from, tsc)));
	return to->s;
}

static void print_cpus(FILE *f, const struct timeline *t, const struct tl_try *y)
{
	struct text s[5];

	/* In the order of the code: who is let go is still in the hypervisor, and takes the generation on the way in.
	 */
	fprintf(f, "    %-4s %10s %10s %10s %16s %10s\n", "CPU", "asked", "held", "let go", "entered with it",
	        "held for");
	for (uint32_t i = 0; i < t->cpus; i++) {
		const struct tl_cpu *c = &y->cpu[i];

		if (!c->ask && !c->held && !c->refused)
			continue;
		fprintf(f, "    %-4u %10s %10s %10s %16s %10s%s\n", i, since(t, &s[0], y->freeze, c->ask),
		        c->refused ? "refused" : since(t, &s[1], y->freeze, c->held),
		        since(t, &s[2], y->freeze, c->resume), since(t, &s[3], y->freeze, c->adopt),
		        c->resume ? text_ns(&s[4], text_tsc_ns(c->hold, t->tsc_hz)) : "-",
		        c->late      ? "  too late"
		        : i == y->by ? "  asks"
		                     : "");
	}
}

static void print_window(FILE *f, const struct timeline *t, const struct tl_try *y)
{
	static const char *const names[] = {"scan", "build", "fold", "flip"};
	const uint64_t at[] = {y->scan, y->build, y->fold, y->flip};
	uint64_t before = y->window;
	const char *between = " (";
	struct text s;

	if (!y->window || !y->thaw)
		return;
	fprintf(f, "; window %s", text_ns(&s, course_ns(t, y->window, y->thaw)));
	for (size_t i = 0; i < NL_ARRAY_SIZE(at); i++) {
		if (!at[i])
			continue;
		fprintf(f, "%s%s %s", between, names[i], text_ns(&s, course_ns(t, before, at[i])));
		between = ", ";
		before = at[i];
	}
	if (*between == ',')
		fputc(')', f);
}

static void print_try(FILE *f, const struct timeline *t, const struct tl_transaction *x, size_t n)
{
	const struct tl_try *y = &t->tries[x->try + n];
	struct tl_cause cause;
	char say[SAY_MAX];
	struct text s;

	fprintf(f, "  try %zu at %s: %s", n + 1, since(t, &s, x->begin, y->freeze), course_of(t, y));
	if (y->flip)
		fprintf(f, " to generation %llu", (unsigned long long)y->generation);
	if (y->withdraw)
		fprintf(f, " after %s", text_ns(&s, course_ns(t, y->freeze, y->withdraw)));
	print_window(f, t, y);
	if (y->flip)
		fprintf(f, "; flip at %s", since(t, &s, y->freeze, y->flip));
	fputc('\n', f);
	for (size_t i = 0; course_cause(t, y, i, &cause); i++) {
		course_say(&cause, say, sizeof(say));
		fprintf(f, "    because %s\n", say);
	}
	print_cpus(f, t, y);
}

static void print_transaction(FILE *f, const struct timeline *t, const struct tl_transaction *x)
{
	struct tl_cause cause;
	char say[SAY_MAX];
	struct text s;

	fprintf(f, "transaction %u: %s, %s", x->number, course_what(x), x->ended ? result_of(x) : "not ended");
	if (x->first == NL_STEP_COMES || x->first == NL_STEP_GOES)
		fprintf(f, ", module at 0x%llx", (unsigned long long)x->value);
	if (x->generation)
		fprintf(f, ", generation %llu", (unsigned long long)x->generation);
	fprintf(f, ", %zu %s", x->n_tries, x->n_tries == 1 ? "try" : "tries");
	if (x->gathers)
		fprintf(f, ", %u gather%s", x->gathers, x->gathers == 1 ? "" : "s");
	if (x->end)
		fprintf(f, ", %s", text_ns(&s, course_ns(t, x->begin, x->end)));
	fputc('\n', f);
	if (x->prepared)
		fprintf(f, "  prepared in %s\n", text_ns(&s, course_ns(t, x->begin, x->prepared)));
	for (size_t i = 0; course_missing(t, x, i, &cause); i++) {
		course_say(&cause, say, sizeof(say));
		fprintf(f, "  a gather failed: %s\n", say);
	}
	for (size_t i = 0; i < x->n_tries; i++)
		print_try(f, t, x, i);
}

void timeline_text(FILE *f, const struct timeline *t)
{
	for (size_t i = 0; i < t->n_transactions; i++)
		print_transaction(f, t, &t->transaction[i]);
	if (t->emulated)
		fputs("(emulated: compare ratios, not microseconds)\n", f);
}

/* -- JSON -- */

static void json_ns(struct json *j, const struct timeline *t, const char *key, uint64_t from, uint64_t tsc)
{
	if (tsc)
		json_uint(j, key, course_ns(t, from, tsc));
	else
		json_string(j, key, NULL);
}

static void json_cause(struct json *j, const struct tl_cause *c)
{
	struct text t;

	json_open(j, NULL, '{');
	json_string(j, "why", c->why);
	json_string(j, "code", c->code == NL_OK ? NULL : cli_error(c->code)->name);
	json_count(j, "cpu", c->cpu);
	json_uint(j, "pid", c->pid);
	json_string(j, "comm", c->comm[0] ? c->comm : NULL);
	if (c->rip)
		json_address(j, "rip", c->rip);
	else
		json_string(j, "rip", NULL);
	json_string(j, "func", c->rip >> 63 ? course_symbol(c->rip, &t) : NULL);
	json_close(j, '}');
}

static void json_try(struct json *j, const struct timeline *t, const struct tl_transaction *x, const struct tl_try *y)
{
	struct tl_cause cause;

	json_open(j, NULL, '{');
	json_uint(j, "ticket", y->ticket);
	json_uint(j, "cpu", y->by);
	json_string(j, "course", course_of(t, y));
	json_ns(j, t, "freeze_ns", x->begin, y->freeze);
	json_ns(j, t, "withdraw_ns", x->begin, y->withdraw);
	json_ns(j, t, "window_ns", x->begin, y->window);
	json_ns(j, t, "flip_ns", x->begin, y->flip);
	json_ns(j, t, "thaw_ns", x->begin, y->thaw);
	json_open(j, "cpus", '[');
	for (uint32_t i = 0; i < t->cpus; i++) {
		const struct tl_cpu *c = &y->cpu[i];

		if (!c->ask && !c->held && !c->refused)
			continue;
		json_open(j, NULL, '{');
		json_uint(j, "cpu", i);
		json_ns(j, t, "asked_ns", x->begin, c->ask);
		json_ns(j, t, "held_ns", x->begin, c->held);
		json_ns(j, t, "refused_ns", x->begin, c->refused);
		json_ns(j, t, "late_ns", x->begin, c->late);
		json_ns(j, t, "adopted_ns", x->begin, c->adopt);
		json_ns(j, t, "resumed_ns", x->begin, c->resume);
		json_uint(j, "hold_ns", text_tsc_ns(c->hold, t->tsc_hz));
		json_close(j, '}');
	}
	json_close(j, ']');
	json_open(j, "causes", '[');
	for (size_t i = 0; course_cause(t, y, i, &cause); i++)
		json_cause(j, &cause);
	json_close(j, ']');
	json_close(j, '}');
}

static void json_transaction(struct json *j, const struct timeline *t, const struct tl_transaction *x)
{
	struct tl_cause cause;

	json_open(j, NULL, '{');
	json_uint(j, "transaction", x->number);
	json_string(j, "what", course_what(x));
	json_string(j, "code", x->ended && (!x->failed || x->error) ? result_of(x) : NULL);
	json_bool(j, "ended", x->ended);
	json_uint(j, "begin_tsc", x->begin);
	json_ns(j, t, "prepared_ns", x->begin, x->prepared);
	json_ns(j, t, "end_ns", x->begin, x->end);
	json_ns(j, t, "last_ns", x->begin, x->last);
	if (x->generation)
		json_uint(j, "generation", x->generation);
	else
		json_string(j, "generation", NULL);
	json_uint(j, "gathers", x->gathers);
	json_open(j, "missing", '[');
	for (size_t i = 0; course_missing(t, x, i, &cause); i++)
		json_cause(j, &cause);
	json_close(j, ']');
	json_open(j, "tries", '[');
	for (size_t i = 0; i < x->n_tries; i++)
		json_try(j, t, x, &t->tries[x->try + i]);
	json_close(j, ']');
	json_close(j, '}');
}

void timeline_json(FILE *f, const struct timeline *t)
{
	struct json j = {.f = f};

	json_document(&j, "timeline", "ok");
	json_uint(&j, "cpus", t->cpus);
	json_uint(&j, "tsc_hz", t->tsc_hz);
	json_bool(&j, "emulated", t->emulated);
	json_open(&j, "transactions", '[');
	for (size_t i = 0; i < t->n_transactions; i++)
		json_transaction(&j, t, &t->transaction[i]);
	json_close(&j, ']');
	json_open(&j, "events", '[');
	for (size_t i = 0; i < t->n_events; i++) {
		const struct tl_event *e = &t->event[i];

		json_open(&j, NULL, '{');
		if (e->seq)
			json_uint(&j, "seq", e->seq);
		else
			json_string(&j, "seq", NULL);
		json_uint(&j, "tsc", e->tsc);
		json_uint(&j, "transaction", e->transaction);
		json_uint(&j, "cpu", e->cpu);
		json_string(&j, "step", course_step(e));
		json_uint(&j, "value", e->value);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_end(&j);
}
