// SPDX-License-Identifier: Apache-2.0
/*
 * A timeline in the form of Chrome's traces, which Perfetto opens ("Trace Event Format", JSON object): one track of
 * transactions and their tries, and one for each CPU. Times are microseconds since the first event.
 */
#include "timeline.h"

enum { PID = 1, TRANSACTIONS = 1, OF_CPU = 2 }; /* tid: CPU n is n + OF_CPU */

struct trace {
	struct json j;
	const struct timeline *t;
	uint64_t zero; /* TSC */
};

/* Of whole nanoseconds, so that what lies within a slice does so to the last digit. */
static double us(const struct trace *w, uint64_t tsc) { return (double)course_ns(w->t, w->zero, tsc) / 1e3; }

static void open_event(struct trace *w, const char *phase, const char *name, uint32_t tid)
{
	json_open(&w->j, NULL, '{');
	json_string(&w->j, "ph", phase);
	json_string(&w->j, "name", name);
	json_uint(&w->j, "pid", PID);
	json_uint(&w->j, "tid", tid);
}

static void close_event(struct trace *w)
{
	json_close(&w->j, '}');
	fputc('\n', w->j.f);
}

static void name(struct trace *w, const char *what, uint32_t tid, const char *value)
{
	open_event(w, "M", what, tid);
	json_open(&w->j, "args", '{');
	json_string(&w->j, "name", value);
	json_close(&w->j, '}');
	close_event(w);
}

/* Left open in args. */
static void slice(struct trace *w, const char *what, uint32_t tid, uint64_t from, uint64_t to)
{
	open_event(w, "X", what, tid);
	json_string(&w->j, "cat", "newleaf");
	json_number(&w->j, "ts", us(w, from));
	json_number(&w->j, "dur", us(w, to) - us(w, from));
	json_open(&w->j, "args", '{');
}

static void instant(struct trace *w, const char *what, uint32_t tid, uint64_t at)
{
	open_event(w, "i", what, tid);
	json_string(&w->j, "cat", "newleaf");
	json_string(&w->j, "s", "t");
	json_number(&w->j, "ts", us(w, at));
	json_open(&w->j, "args", '{');
}

static void done(struct trace *w)
{
	json_close(&w->j, '}');
	close_event(w);
}

static uint64_t try_end(const struct tl_try *y)
{
	uint64_t end = y->thaw ? y->thaw : y->withdraw ? y->withdraw : y->window;

	return end ? end : y->freeze;
}

static void put_try(struct trace *w, const struct tl_transaction *x, size_t n)
{
	const struct tl_try *y = &w->t->tries[x->try + n];
	static const char *const parts[] = {"scan", "build", "fold"};
	const uint64_t at[] = {y->scan, y->build, y->fold};
	uint64_t from = y->window;
	struct tl_cause cause;
	struct text s;
	char text[256];

	snprintf(s.s, sizeof(s.s), "try %zu", n + 1);
	slice(w, s.s, TRANSACTIONS, y->freeze, try_end(y));
	json_uint(&w->j, "ticket", y->ticket);
	json_open(&w->j, "because", '[');
	for (size_t i = 0; course_cause(w->t, y, i, &cause); i++) {
		course_say(&cause, text, sizeof(text));
		json_string(&w->j, NULL, text);
	}
	json_close(&w->j, ']');
	done(w);
	for (uint32_t i = 0; i < w->t->cpus; i++) {
		const struct tl_cpu *c = &y->cpu[i];
		uint64_t held = course_held(c);

		if ((c->held || c->refused) && c->resume >= held) {
			slice(w,
			      c->refused ? "refused"
			      : c->late  ? "held too late"
			                 : "held",
			      i + OF_CPU, held, c->resume);
			json_uint(&w->j, "transaction", x->number);
			json_uint(&w->j, "ticket", y->ticket);
			done(w);
		}
	}
	if (y->window && y->thaw) {
		slice(w, "window", y->by + OF_CPU, y->window, y->thaw);
		json_uint(&w->j, "tasks", y->tasks);
		json_uint(&w->j, "pages", y->pages);
		done(w);
	}
	for (size_t i = 0; i < NL_ARRAY_SIZE(parts); i++)
		if (at[i]) {
			slice(w, parts[i], y->by + OF_CPU, from, at[i]);
			done(w);
			from = at[i];
		}
}

static void put_transaction(struct trace *w, const struct tl_transaction *x)
{
	struct text s;
	uint64_t last = x->n_tries ? try_end(&w->t->tries[x->try + x->n_tries - 1]) : x->begin;

	if (x->end > last)
		last = x->end;
	snprintf(s.s, sizeof(s.s), "%s %u", course_what(x), x->number);
	slice(w, s.s, TRANSACTIONS, x->begin, last);
	json_string(&w->j, "code", x->ended ? cli_error(x->error)->name : NULL);
	json_uint(&w->j, "generation", x->generation);
	done(w);
	if (x->prepared) {
		slice(w, "prepare", TRANSACTIONS, x->begin, x->prepared);
		done(w);
	}
	for (size_t i = 0; i < x->n_tries; i++)
		put_try(w, x, i);
}

/* A stay in user mode, from a CPU's arrival until it leaves. */
static void put_gathers(struct trace *w)
{
	for (size_t i = 0; i < w->t->n_events; i++) {
		const struct tl_event *e = &w->t->event[i];

		if (e->seq || e->step != NL_N_STEPS + NL_OWN_ARRIVE)
			continue;
		for (size_t k = i + 1; k < w->t->n_events; k++) {
			const struct tl_event *l = &w->t->event[k];

			if (l->seq || l->cpu != e->cpu || l->step == NL_N_STEPS + NL_OWN_GATHER)
				continue;
			if (l->step == NL_N_STEPS + NL_OWN_LEAVE && l->value == e->value) {
				slice(w, "gathered", e->cpu + OF_CPU, e->tsc, l->tsc);
				json_uint(&w->j, "gather", e->value);
				done(w);
			}
			break;
		}
	}
}

/* What has no length. */
static void put_instants(struct trace *w)
{
	for (size_t i = 0; i < w->t->n_events; i++) {
		const struct tl_event *e = &w->t->event[i];

		switch ((unsigned)e->step) {
		case NL_STEP_ASK:
		case NL_STEP_LATE:
		case NL_STEP_WITHDRAW:
		case NL_STEP_FLIP:
		case NL_STEP_ADOPT:
		case NL_STEP_SETTLE:
		case NL_STEP_DROP:
		case NL_N_STEPS + NL_OWN_GATHER:
			instant(w, course_step(e), e->cpu + OF_CPU, e->tsc);
			json_uint(&w->j, "value", e->value);
			done(w);
			break;
		default:
			break;
		}
	}
}

void timeline_chrome(FILE *f, const struct timeline *t)
{
	struct trace w = {.j = {.f = f}, .t = t, .zero = UINT64_MAX};
	struct text s;

	for (size_t i = 0; i < t->n_events; i++)
		if (t->event[i].tsc < w.zero)
			w.zero = t->event[i].tsc;
	json_open(&w.j, NULL, '{');
	json_string(&w.j, "displayTimeUnit", "ns");
	json_open(&w.j, "otherData", '{');
	json_uint(&w.j, "tsc_hz", t->tsc_hz);
	json_uint(&w.j, "tsc_zero", t->n_events ? w.zero : 0);
	json_bool(&w.j, "emulated", t->emulated);
	json_close(&w.j, '}');
	json_open(&w.j, "traceEvents", '[');
	name(&w, "process_name", TRANSACTIONS, "Newleaf");
	name(&w, "thread_name", TRANSACTIONS, "transactions");
	for (uint32_t i = 0; i < t->cpus; i++) {
		snprintf(s.s, sizeof(s.s), "CPU %u", i);
		name(&w, "thread_name", i + OF_CPU, s.s);
	}
	for (size_t i = 0; i < t->n_transactions; i++)
		put_transaction(&w, &t->transaction[i]);
	put_gathers(&w);
	put_instants(&w);
	json_close(&w.j, ']');
	json_end(&w.j);
}
