// SPDX-License-Identifier: Apache-2.0
/*
 * Time lines: the hypervisor's steps (newleaf/steps.h) and the agent's own (own.h) put in order, and what they say of
 * each transaction: its tries, and of each CPU in a try when it was asked, held and let go. timeline.c reads and
 * course.c orders; text, JSON, Chrome's trace and SVG are written by the files named so.
 */
#ifndef NEWLEAF_TIMELINE_H
#define NEWLEAF_TIMELINE_H

#include "cli.h"
#include "own.h"
#include "text.h"

#include <newleaf/steps.h>

struct tl_event {
	uint64_t seq; /* 0: the agent's own */
	uint64_t tsc, value;
	uint32_t transaction;
	uint16_t cpu;
	uint16_t step; /* enum nl_step, or NL_N_STEPS + enum nl_own_kind */
};

/* TSC of each; 0 = it did not happen, or was written over. */
struct tl_cpu {
	uint64_t ask, held, refused, late, adopt, resume;
	uint64_t hold; /* ticks, of RESUME */
};

struct tl_try {
	uint32_t transaction;
	uint32_t ticket;
	uint32_t by; /* CPU */
	uint64_t freeze, withdraw, window, scan, build, fold, flip, thaw;
	uint64_t tasks, pages, generation;
	const struct nl_own_try *own; /* what the agent was answered; NULL = not known */
	struct tl_cpu *cpu;           /* [timeline.cpus] */
};

struct tl_transaction {
	uint32_t number;
	uint16_t first; /* enum nl_step that began it; NL_N_STEPS: that was written over */
	bool ended, failed;
	enum nl_err error;                   /* if it ended and failed */
	uint64_t begin, prepared, end, last; /* TSC; last: of all that belongs to it */
	uint64_t value;                      /* of the first step */
	uint64_t generation;                 /* 0 = none was published */
	uint32_t gathers;
	size_t try, n_tries; /* place in timeline.tries */
};

struct timeline {
	uint32_t cpus;
	uint64_t tsc_hz;
	bool emulated;
	struct tl_event *event;
	size_t n_events;
	struct tl_try *tries;
	size_t n_tries;
	struct tl_transaction *transaction;
	size_t n_transactions;
	struct tl_cpu *cells; /* of all tries */
	const struct nl_own *own;
};

/* course.c. `steps` in the order of their seq. false: out of memory. */
bool course_make(struct timeline *t, const struct nl_step_record *steps, size_t n, const struct nl_own *own);
void course_free(struct timeline *t);
/* Only the transactions at these places; what belongs to none goes, too. */
void course_select(struct timeline *t, size_t from, size_t n);
const char *course_step(const struct tl_event *e);       /* "flip", "gather" */
const char *course_what(const struct tl_transaction *x); /* "commit" */

/* "flip", "withdrawn", "let go", "looked" (all were held, and nothing else was meant), "cut". */
const char *course_of(const struct timeline *t, const struct tl_try *y);
/* Why a try failed, one cause after another: false = no more. */
struct tl_cause {
	const char *why;  /* "refused", "late", "site", "bytes", "missing", "failed" */
	enum nl_err code; /* NL_OK: not known */
	uint32_t cpu;     /* UINT32_MAX = none */
	uint64_t rip;     /* 0 = not known */
	uint32_t pid;
	const char *comm;
};
bool course_cause(const struct timeline *t, const struct tl_try *y, size_t n, struct tl_cause *out);
/* Gathers of a transaction that failed. */
bool course_missing(const struct timeline *t, const struct tl_transaction *x, size_t n, struct tl_cause *out);
const char *course_symbol(uint64_t rip, struct text *t); /* as text_symbol; "" if rip is 0 */
void course_say(const struct tl_cause *c, char *out, size_t size);

uint64_t course_held(const struct tl_cpu *c); /* TSC from which it waited */
uint64_t course_ns(const struct timeline *t, uint64_t from, uint64_t to);

void timeline_text(FILE *f, const struct timeline *t);
void timeline_json(FILE *f, const struct timeline *t);
void timeline_chrome(FILE *f, const struct timeline *t);
void timeline_svg(FILE *f, const struct timeline *t);

#endif
