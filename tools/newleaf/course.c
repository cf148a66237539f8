// SPDX-License-Identifier: Apache-2.0
/*
 * What steps say of transactions: see timeline.h. The order is that of seq; the agent's own steps are put between by
 * the TSC. A CPU says on its way back that it goes on (RESUME, ADOPT), perhaps when the next transaction has begun:
 * both belong to the freeze that they end.
 */
#include "timeline.h"

#include <stdlib.h>
#include <string.h>

static const char *const labels[] = {
#define LABEL(name, label) [NL_STEP_##name] = label,
        NL_STEPS(LABEL)
#undef LABEL
                [NL_N_STEPS + NL_OWN_GATHER] = "gather",
        [NL_N_STEPS + NL_OWN_ARRIVE] = "arrive",
        [NL_N_STEPS + NL_OWN_LEAVE] = "leave",
};

const char *course_step(const struct tl_event *e) { return labels[e->step]; }

const char *course_what(const struct tl_transaction *x)
{
	static const char *const what[] = {[NL_STEP_PREPARE] = "commit",
	                                   [NL_STEP_COMES] = "module-comes",
	                                   [NL_STEP_GOES] = "module-goes",
	                                   [NL_STEP_GONE] = "kernel-gone"};

	return x->first <= NL_STEP_LAST_FIRST ? what[x->first] : "unknown";
}

uint64_t course_ns(const struct timeline *t, uint64_t from, uint64_t to)
{
	return to > from ? text_tsc_ns(to - from, t->tsc_hz) : 0;
}

uint64_t course_held(const struct tl_cpu *c)
{
	return c->hold && c->hold < c->resume ? c->resume - c->hold : c->held ? c->held : c->refused;
}

/* -- order -- */

struct place {
	size_t at; /* before this record */
	const struct nl_own_step *step;
};

static int by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->step->tsc < y->step->tsc ? -1 : x->step->tsc > y->step->tsc;
}

/* Behind all that was earlier, but never behind what its own CPU did later: a CPU may take long between its number and
 * its time. */
static size_t place_of(const struct nl_own_step *s, const struct nl_step_record *steps, size_t n)
{
	size_t at = n;

	while (at && steps[at - 1].tsc > s->tsc)
		at--;
	for (size_t i = 0; i < at; i++)
		if (steps[i].cpu == s->cpu && steps[i].tsc > s->tsc)
			return i;
	return at;
}

static bool merge(struct timeline *t, const struct nl_step_record *steps, size_t n, const struct nl_own *own)
{
	size_t n_own = !own ? 0 : own->n_steps < NL_OWN_STEPS ? own->n_steps : NL_OWN_STEPS, used = 0;
	struct place *places = calloc(n_own + 1, sizeof(*places));

	t->event = calloc(n + n_own + 1, sizeof(*t->event));
	if (!places || !t->event) {
		free(places);
		return false;
	}
	for (size_t i = 0; i < n_own; i++)
		places[i] = (struct place){place_of(&own->steps[i], steps, n), &own->steps[i]};
	qsort(places, n_own, sizeof(*places), by_place);
	for (size_t i = 0; i <= n; i++) {
		for (; used < n_own && places[used].at <= i; used++) {
			const struct nl_own_step *s = places[used].step;

			if (n && s->tsc < steps[0].tsc)
				continue; /* of what was written over */
			t->event[t->n_events++] = (struct tl_event){.tsc = s->tsc,
			                                            .value = s->gather,
			                                            .cpu = s->cpu,
			                                            .step = (uint16_t)(NL_N_STEPS + s->kind)};
		}
		if (i < n)
			t->event[t->n_events++] = (struct tl_event){.seq = steps[i].seq,
			                                            .tsc = steps[i].tsc,
			                                            .value = steps[i].value,
			                                            .transaction = steps[i].transaction,
			                                            .cpu = steps[i].cpu,
			                                            .step = steps[i].step};
	}
	free(places);
	return true;
}

/* -- transactions -- */

struct walk {
	struct timeline *t;
	struct tl_transaction *now, *commit; /* NULL: none has begun */
	size_t *open;                        /* of each CPU: number of the try in which it is held, from 1 */
};

static struct tl_transaction *by_number(const struct walk *w, uint32_t number)
{
	for (size_t i = w->t->n_transactions; i; i--)
		if (w->t->transaction[i - 1].number == number)
			return &w->t->transaction[i - 1];
	return NULL;
}

static struct tl_try *last_try(const struct walk *w) { return w->t->n_tries ? &w->t->tries[w->t->n_tries - 1] : NULL; }

static void begin(struct walk *w, const struct tl_event *e)
{
	struct timeline *t = w->t;
	bool first = e->step <= NL_STEP_LAST_FIRST;

	w->now = &t->transaction[t->n_transactions++];
	*w->now = (struct tl_transaction){.number = e->transaction,
	                                  .first = first ? e->step : NL_N_STEPS,
	                                  .begin = e->tsc,
	                                  .value = first ? e->value : 0,
	                                  .try = t->n_tries};
	if (e->step == NL_STEP_PREPARE)
		w->commit = w->now;
	if (e->step == NL_STEP_GONE) { /* nobody is asked */
		w->now->ended = true;
		w->now->end = e->tsc;
	}
}

static struct tl_try *by_ticket(const struct walk *w, uint64_t ticket)
{
	for (size_t i = w->t->n_tries; i; i--)
		if (w->t->tries[i - 1].ticket == ticket)
			return &w->t->tries[i - 1];
	return NULL;
}

static struct tl_try *by_generation(const struct walk *w, uint64_t generation)
{
	for (size_t i = w->t->n_tries; i; i--)
		if (w->t->tries[i - 1].flip && w->t->tries[i - 1].generation == generation)
			return &w->t->tries[i - 1];
	return NULL;
}

/* What a CPU says of itself in a freeze. */
static void of_cpu(struct walk *w, struct tl_event *e)
{
	struct tl_try *y = e->step == NL_STEP_RESUME  ? (w->open[e->cpu] ? &w->t->tries[w->open[e->cpu] - 1] : NULL)
	                   : e->step == NL_STEP_ADOPT ? by_generation(w, e->value)
	                                              : by_ticket(w, e->value);
	struct tl_cpu *c = y ? &y->cpu[e->cpu] : NULL;

	if (!y)
		return;
	e->transaction = y->transaction;
	switch (e->step) {
	case NL_STEP_ASK:
		c->ask = e->tsc;
		break;
	case NL_STEP_HELD:
		c->held = e->tsc;
		w->open[e->cpu] = (size_t)(y - w->t->tries) + 1;
		break;
	case NL_STEP_REFUSED:
		c->refused = e->tsc;
		w->open[e->cpu] = (size_t)(y - w->t->tries) + 1;
		break;
	case NL_STEP_LATE:
		c->late = e->tsc;
		break;
	case NL_STEP_ADOPT:
		if (!c->adopt)
			c->adopt = e->tsc;
		break;
	default: /* RESUME */
		c->resume = e->tsc;
		c->hold = e->value;
		w->open[e->cpu] = 0;
	}
}

static void freeze(struct walk *w, const struct tl_event *e)
{
	struct timeline *t = w->t;
	struct tl_try *y = &t->tries[t->n_tries];

	*y = (struct tl_try){.transaction = e->transaction,
	                     .ticket = (uint32_t)e->value,
	                     .by = e->cpu,
	                     .freeze = e->tsc,
	                     .cpu = t->cells + t->n_tries * t->cpus};
	y->cpu[e->cpu].held = e->tsc;
	w->open[e->cpu] = ++t->n_tries;
	w->now->n_tries++;
}

/* What is done for all, under the lock: by one CPU after another. */
static void of_all(struct walk *w, size_t event)
{
	struct tl_event *e = &w->t->event[event];
	struct tl_transaction *x = w->now;
	struct tl_try *y = x->n_tries ? last_try(w) : NULL;

	switch (e->step) {
	case NL_STEP_PREPARED:
		x->prepared = e->tsc;
		x->ended = x->failed = e->value != NL_OK;
		x->error = (enum nl_err)e->value;
		break;
	case NL_STEP_FREEZE:
		freeze(w, e);
		break;
	case NL_STEP_SETTLE:
	case NL_STEP_DROP:
		x->ended = true;
		x->failed = e->step == NL_STEP_DROP;
		x->error = x->failed ? (enum nl_err)e->value : NL_OK;
		break;
	default:
		break;
	}
	if (x->ended && !x->end)
		x->end = e->tsc;
	if (e->step == NL_STEP_FLIP)
		x->generation = e->value;
	if (x->first == NL_STEP_GONE)
		x->end = e->tsc;
	if (!y)
		return;
	switch (e->step) {
	case NL_STEP_WITHDRAW:
		y->withdraw = e->tsc;
		break;
	case NL_STEP_WINDOW:
		y->window = e->tsc;
		break;
	case NL_STEP_SCAN:
		y->scan = e->tsc;
		y->tasks = e->value;
		break;
	case NL_STEP_BUILD:
		y->build = e->tsc;
		y->pages = e->value;
		break;
	case NL_STEP_FOLD:
		y->fold = e->tsc;
		break;
	case NL_STEP_FLIP:
		y->flip = e->tsc;
		y->generation = e->value;
		break;
	case NL_STEP_THAW:
		y->thaw = e->tsc;
		break;
	default:
		break;
	}
}

static void walk(struct walk *w)
{
	for (size_t i = 0; i < w->t->n_events; i++) {
		struct tl_event *e = &w->t->event[i];
		bool cpus_own = e->step == NL_STEP_ASK || e->step == NL_STEP_HELD || e->step == NL_STEP_REFUSED ||
		                e->step == NL_STEP_LATE || e->step == NL_STEP_RESUME || e->step == NL_STEP_ADOPT;

		if (!e->seq) {
			e->transaction = w->now ? w->now->number : 0;
			if (w->now && e->step == NL_N_STEPS + NL_OWN_GATHER)
				w->now->gathers++;
		} else if (cpus_own) {
			of_cpu(w, e);
		} else if (e->transaction) {
			struct tl_transaction *x = by_number(w, e->transaction);

			if (!x || e->step <= NL_STEP_LAST_FIRST)
				begin(w, e);
			else
				w->now = x;
			of_all(w, i);
			if (w->now->ended && w->commit && !w->commit->ended) /* a module came in its midst */
				w->now = w->commit;
		}
		struct tl_transaction *x = by_number(w, e->transaction);

		if (x && e->tsc > x->last)
			x->last = e->tsc;
	}
}

/* Those of a transaction stand together, though one for a module may have lain between them. */
static void sort_tries(struct timeline *t)
{
	for (size_t i = 1; i < t->n_tries; i++)
		for (size_t k = i; k && t->tries[k - 1].transaction > t->tries[k].transaction; k--) {
			struct tl_try y = t->tries[k];

			t->tries[k] = t->tries[k - 1];
			t->tries[k - 1] = y;
		}
	for (size_t i = 0; i < t->n_transactions; i++) {
		struct tl_transaction *x = &t->transaction[i];

		for (x->try = 0; x->try < t->n_tries && t->tries[x->try].transaction < x->number;)
			x->try++;
	}
}

bool course_make(struct timeline *t, const struct nl_step_record *steps, size_t n, const struct nl_own *own)
{
	struct walk w = {.t = t};
	size_t freezes = 0, begins = 0, n_own = own ? own->n_tries : 0;

	for (size_t i = 0; i < n; i++) {
		freezes += steps[i].step == NL_STEP_FREEZE;
		begins += steps[i].step <= NL_STEP_LAST_FIRST || !i || steps[i].transaction != steps[i - 1].transaction;
		if (steps[i].cpu >= t->cpus)
			t->cpus = steps[i].cpu + 1U;
	}
	for (uint32_t i = 0; own && i < NL_OWN_STEPS && i < own->n_steps; i++)
		if (own->steps[i].cpu >= t->cpus)
			t->cpus = own->steps[i].cpu + 1U;
	t->own = own;
	t->tries = calloc(freezes + 1, sizeof(*t->tries));
	t->cells = calloc((freezes + 1) * t->cpus + 1, sizeof(*t->cells));
	t->transaction = calloc(begins + 1, sizeof(*t->transaction));
	w.open = calloc(t->cpus + 1, sizeof(*w.open));
	if (!t->tries || !t->cells || !t->transaction || !w.open || !merge(t, steps, n, own)) {
		free(w.open);
		return false;
	}
	walk(&w);
	sort_tries(t);
	free(w.open);
	for (size_t i = 0; i < n_own && i < NL_OWN_TRIES; i++)
		for (size_t k = 0; k < t->n_tries; k++)
			if (own->tries[i].gathered && t->tries[k].freeze >= own->tries[i].begin &&
			    t->tries[k].freeze <= own->tries[i].end)
				t->tries[k].own = &own->tries[i];
	return true;
}

void course_free(struct timeline *t)
{
	free(t->event);
	free(t->tries);
	free(t->cells);
	free(t->transaction);
}

void course_select(struct timeline *t, size_t from, size_t n)
{
	size_t kept = 0;

	memmove(t->transaction, t->transaction + from, n * sizeof(*t->transaction));
	t->n_transactions = n;
	for (size_t i = 0; i < t->n_events; i++)
		for (size_t k = 0; k < n; k++)
			if (t->transaction[k].number == t->event[i].transaction) {
				t->event[kept++] = t->event[i];
				break;
			}
	t->n_events = kept;
}

/* -- causes -- */

static void from_own(struct tl_cause *c, const struct nl_own_try *own)
{
	c->code = (enum nl_err)own->error;
	c->rip = own->rip;
	c->pid = own->pid;
	c->comm = own->comm;
}

static const struct tl_transaction *transaction_of(const struct timeline *t, const struct tl_try *y)
{
	for (size_t i = 0; i < t->n_transactions; i++)
		if (t->transaction[i].number == y->transaction)
			return &t->transaction[i];
	return NULL;
}

/* Who is still inside of what modules have left behind? Nothing is flipped for that. */
static bool only_looks(const struct timeline *t, const struct tl_try *y)
{
	const struct tl_transaction *x = transaction_of(t, y);

	return x && (x->first == NL_STEP_COMES || x->first == NL_STEP_GOES);
}

const char *course_of(const struct timeline *t, const struct tl_try *y)
{
	return y->flip       ? "flip"
	       : y->withdraw ? "withdrawn"
	       : !y->thaw    ? "cut"
	                     : (only_looks(t, y) ? "looked" : "let go");
}

/* All were held, and it was not flipped. */
static bool in_window(const struct timeline *t, const struct tl_try *y, struct tl_cause *c)
{
	const struct tl_transaction *x = transaction_of(t, y);

	if (y->own) {
		from_own(c, y->own);
		c->cpu = y->own->cpu;
	} else if (x && x->ended && x->failed && y == &t->tries[x->try + x->n_tries - 1]) {
		c->code = x->error;
	}
	c->why = !y->scan && (c->code == NL_AGAIN || c->code == NL_EPREEMPTED) ? "site"
	         : c->code == NL_EBYTES || c->code == NL_EPROBED               ? "bytes"
	                                                                       : "failed";
	return true;
}

bool course_cause(const struct timeline *t, const struct tl_try *y, size_t n, struct tl_cause *out)
{
	*out = (struct tl_cause){.cpu = UINT32_MAX, .comm = ""};
	if (y->flip)
		return false;
	if (!y->withdraw)
		return y->thaw && y->window && !n && !only_looks(t, y) && in_window(t, y, out);
	for (unsigned late = 0; late < 2; late++)
		for (uint32_t i = 0; i < t->cpus; i++) {
			const struct tl_cpu *c = &y->cpu[i];
			bool refused = c->refused && !c->late;
			bool missed = c->ask && (c->late || (!c->held && !c->refused));

			if (!(late ? missed : refused) || n--)
				continue;
			out->cpu = i;
			out->why = late ? "late" : "refused";
			out->code = NL_AGAIN;
			if (y->own && y->own->cpu == i)
				from_own(out, y->own);
			return true;
		}
	return false;
}

bool course_missing(const struct timeline *t, const struct tl_transaction *x, size_t n, struct tl_cause *out)
{
	uint64_t until = x->end ? x->end : x->last;

	for (uint32_t i = t->own && t->own->n_tries > NL_OWN_TRIES ? t->own->n_tries - NL_OWN_TRIES : 0;
	     t->own && i < t->own->n_tries; i++) {
		const struct nl_own_try *own = &t->own->tries[i % NL_OWN_TRIES];

		if (own->gathered || own->begin < x->begin || own->begin > until || n--)
			continue;
		*out = (struct tl_cause){.why = "missing", .cpu = own->cpu};
		from_own(out, own);
		return true;
	}
	return false;
}

const char *course_symbol(uint64_t rip, struct text *t)
{
	t->s[0] = 0;
	return rip ? text_symbol(t, rip) : t->s;
}

void course_say(const struct tl_cause *c, char *out, size_t size)
{
	char who[64] = "", cpu[24] = "somebody";
	const char *did = !strcmp(c->why, "refused")   ? "was in the kernel"
	                  : !strcmp(c->why, "late")    ? "did not answer in time"
	                  : !strcmp(c->why, "site")    ? "stood in a site"
	                  : !strcmp(c->why, "missing") ? "did not arrive"
	                                               : "";
	const struct cli_error *e = cli_error(c->code);
	struct text t;

	if (c->cpu != UINT32_MAX)
		snprintf(cpu, sizeof(cpu), "CPU %u", c->cpu);
	if (c->comm[0])
		snprintf(who, sizeof(who), c->cpu == UINT32_MAX ? "%s (pid %u)" : " (%s, pid %u)", c->comm, c->pid);
	course_symbol(c->rip, &t);
	if (!strncmp(t.s, "0x", 2)) /* files of these words may be read by who must not know where the kernel is */
		snprintf(t.s, sizeof(t.s), "a place without a name");
	if (!*did && c->code == NL_OK)
		snprintf(out, size, "all were held, and what was in the way is not known");
	else if (!*did)
		snprintf(out, size, "%s: %s", e->name, e->what);
	else if (c->comm[0] && c->cpu == UINT32_MAX)
		snprintf(out, size, "%s %s%s%s", who, did, t.s[0] ? " at " : "", t.s);
	else
		snprintf(out, size, "%s %s%s%s%s", cpu, did, t.s[0] ? " at " : "", t.s, who);
	for (; *out; out++)
		if (*out < 0x20 || *out > 0x7e)
			*out = '?'; /* tasks name themselves, and this goes to a terminal */
}
