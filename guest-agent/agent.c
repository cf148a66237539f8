// SPDX-License-Identifier: Apache-2.0
/*
 * The agent's logic: discovery, calls with every answer checked, and the loop of a commit. No system call is made here;
 * see agent.h.
 */
#include "agent.h"
#include "call.h"
#include "own.h"

#include <newleaf/bootblock.h>

#include <string.h>

#define MS 1000000ULL
#define US 1000ULL
#define VERIFY_LIMIT_NS (120000 * MS) /* a signature check in slices, also on a slow emulator */
#define FAULT_RETRIES 8               /* the kernel may be migrating a locked page: NL_EFAULT then lasts microseconds */
#define STAGE_CHUNK 16384u            /* interrupts are off while it is copied */
#define BUSY_LIMIT_NS (2000 * MS)     /* another caller is inside the hypervisor: at most for one try of its own */
#define BACKOFF_MIN_NS (200 * US)
#define BACKOFF_MAX_NS (5 * MS)
#define REST_FACTOR 8 /* so many times as long as a try took all CPUs, they are left alone behind it */
/* A member of a gather that awaits others keeps everybody else from its CPU: for less than a tick of any kernel. On an
 * emulator a CPU may not get its host's time for longer: there it begins so and grows. */
#define SPIN_NS (1 * MS)
#define SPIN_EMULATED_NS (4 * MS)
#define SPIN_DOUBLINGS 6
#define NO_CPU UINT32_MAX

static enum nl_err fail(struct nl_agent *a, enum nl_err e, enum nl_reason why)
{
	a->details.error = e;
	a->details.reason = why;
	return e;
}

static void start(struct nl_agent *a, enum nl_call call)
{
	memset(&a->details, 0, sizeof(a->details));
	a->details.call = call;
	a->details.blocker.cpu = NO_CPU;
	a->details.missing.cpu = NO_CPU;
}

/* The longest piece of its kind is what a latency-sensitive neighbour feels. */
static void note_taken(struct nl_agent *a, unsigned piece, uint64_t ticks)
{
	if (ticks > a->taken[piece])
		a->taken[piece] = ticks;
}

static bool cancelled(const struct nl_agent *a) { return a->cancel && *a->cancel; }

/* One hypercall through the resident buffer: `in` is copied there before, `out` from there after (also on failure:
 * reports). */
static enum nl_err call(struct nl_agent *a, enum nl_call which, const void *in, size_t in_len, void *out,
                        size_t out_len, uint64_t *rcx, uint64_t *r8)
{
	struct nl_registers r;
	size_t len = in ? in_len : out_len;

	for (unsigned attempt = 0;; attempt++) {
		if (in)
			memcpy(a->buffer, in, in_len);
		else
			memset(a->buffer, 0,
			       out_len); /* also touches the pages: they are present when the hypervisor looks */
		r = (struct nl_registers){.rax = NL_CALL_MAGIC,
		                          .rbx = which,
		                          .rcx = rcx ? *rcx : 0,
		                          .rsi = (uintptr_t)a->buffer,
		                          .rdi = len,
		                          .r8 = r8 ? *r8 : 0};
		if (!a->t->call(a->t->ctx, &r))
			return fail(a, NL_EROOT, NL_WHY_FAULT);
		a->took = r.taken;
		note_taken(a, which == NL_CALL_VERIFY && r.rax == NL_AGAIN ? NL_PIECE_CHECK : which, r.taken);
		if (r.rax != NL_EFAULT || attempt >= FAULT_RETRIES)
			break;
		a->t->pause_ns(a->t->ctx, BACKOFF_MIN_NS);
	}
	if (r.rax == NL_CALL_MAGIC) /* an unused port leaves EAX alone */
		return fail(a, NL_EABSENT, NL_WHY_SILENT);
	if (r.rax >= NL_ERRORS_KNOWN)
		return fail(a, NL_EINTERNAL, NL_WHY_GARBAGE);
	if (out)
		memcpy(out, a->buffer, out_len);
	if (rcx)
		*rcx = r.rcx;
	if (r8)
		*r8 = r.r8;
	return fail(a, (enum nl_err)r.rax, NL_WHY_NONE);
}

/* The same when another caller may be inside: NL_EBUSY is waited out. Not for TRY, which is made while all other CPUs
 * spin. */
static enum nl_err patient_call(struct nl_agent *a, enum nl_call which, const void *in, size_t in_len, void *out,
                                size_t out_len, uint64_t *rcx, uint64_t *r8)
{
	uint64_t until = a->t->now_ns(a->t->ctx) + BUSY_LIMIT_NS, c = rcx ? *rcx : 0, d = r8 ? *r8 : 0;

	for (;;) {
		enum nl_err e = call(a, which, in, in_len, out, out_len, rcx, r8);

		if ((e != NL_EBUSY && (e != NL_AGAIN || (which != NL_CALL_LEAVES && which != NL_CALL_FACTS))) ||
		    cancelled(a) || a->t->now_ns(a->t->ctx) > until)
			return e;
		if (rcx && which != NL_CALL_LEAVES) /* which goes on with the next one */
			*rcx = c;
		if (r8)
			*r8 = d;
		a->t->pause_ns(a->t->ctx, BACKOFF_MIN_NS);
	}
}

/* It goes to a terminal later. */
static void clean(char *s, size_t n)
{
	for (; n; n--, s++)
		if (*s < 0x20 || *s > 0x7e)
			*s = '?';
}

static void terminate(char *s, size_t size)
{
	s[size - 1] = 0;
	clean(s, strlen(s));
}

static enum nl_err find(struct nl_agent *a)
{
	uint32_t r[4];

	for (uint32_t base = 0x40000000; base <= 0x4000ff00; base += 0x100) {
		a->t->cpuid(a->t->ctx, base, r);
		if (r[1] == NL_CPUID_EBX && r[2] == NL_CPUID_ECX && r[3] == NL_CPUID_EDX && r[0] > base &&
		    r[0] < base + 0x100) {
			a->t->cpuid(a->t->ctx, base + 1, r);
			a->details.found_abi = r[0];
			return r[0] == NL_ABI_VERSION ? NL_OK : fail(a, NL_EABI, NL_WHY_NONE);
		}
		if (base == 0x40000000 && r[0] >= base && r[0] < base + 0x10000) {
			memcpy(a->details.seen_signature, &r[1], 12);
			terminate(a->details.seen_signature, sizeof(a->details.seen_signature));
		}
	}
	return fail(a, NL_EABSENT, NL_WHY_NONE);
}

enum nl_err nl_agent_open(struct nl_agent *a, const struct nl_transport *t, const volatile sig_atomic_t *cancel)
{
	enum nl_err e;

	memset(a, 0, sizeof(*a));
	a->t = t;
	a->cancel = cancel;
	start(a, 0);
	e = find(a);
	if (e != NL_OK)
		return e;
	e = t->open(t->ctx, &a->details, &a->buffer);
	a->details.error = e;
	return e;
}

void nl_agent_close(struct nl_agent *a)
{
	if (a->buffer)
		a->t->close(a->t->ctx);
	a->buffer = NULL;
}

enum nl_err nl_agent_status(struct nl_agent *a, struct nl_status *out)
{
	uint64_t written = 0;
	enum nl_err e;

	start(a, NL_CALL_STATUS);
	e = call(a, NL_CALL_STATUS, NULL, 0, out, sizeof(*out), &written, NULL);
	if (e != NL_OK)
		return e;
	if (out->abi != NL_ABI_VERSION) {
		a->details.found_abi = out->abi;
		return fail(a, NL_EABI, NL_WHY_NONE);
	}
	if (written != sizeof(*out) || out->size != sizeof(*out) || out->kernel_build_id_len > NL_BUILD_ID_MAX ||
	    out->cpus_known > NL_MAX_CPUS)
		return fail(a, NL_EINTERNAL, NL_WHY_GARBAGE);
	a->emulated = out->emulated;
	a->tsc_hz = out->boot.tsc_hz;
	terminate(out->version, sizeof(out->version));
	terminate(out->vendor, sizeof(out->vendor));
	terminate(out->paging, sizeof(out->paging));
	return NL_OK;
}

enum nl_err nl_agent_leaves(struct nl_agent *a, struct nl_leaf_state *out, size_t max, size_t *n)
{
	uint64_t there = 0;
	enum nl_err e;

	*n = 0;
	start(a, NL_CALL_LEAVES);
	e = patient_call(a, NL_CALL_LEAVES, NULL, 0, out, max * sizeof(*out), &there, NULL);
	if (e != NL_OK)
		return e;
	if (there > max)
		return fail(a, NL_EINTERNAL, NL_WHY_GARBAGE);
	for (size_t i = 0; i < there; i++) {
		if (!out[i].id[0] || out[i].condition < NL_LEAF_VERIFIED || out[i].condition > NL_LEAF_REVERTED ||
		    out[i].consistency > NL_CONSISTENCY_MIXABLE)
			return fail(a, NL_EINTERNAL, NL_WHY_GARBAGE);
		terminate(out[i].id, sizeof(out[i].id));
		terminate(out[i].key_name, sizeof(out[i].key_name));
	}
	*n = there;
	return NL_OK;
}

/* The hypervisor passes on what a trusted author has signed, and does not judge it. */
static void clean_facts(struct nl_leaf_facts *facts)
{
	for (size_t i = 0; i < NL_ARRAY_SIZE(facts->modules); i++)
		terminate(facts->modules[i].name, sizeof(facts->modules[i].name));
	for (const struct nl_leaf_fact *f = NULL; (f = nl_fact_next(facts->bytes, facts->size, f));)
		clean((char *)facts->bytes + ((const uint8_t *)f->text - facts->bytes), f->length);
}

enum nl_err nl_agent_facts(struct nl_agent *a, size_t place, struct nl_leaf_facts *out)
{
	uint64_t rcx = place;
	enum nl_err e;

	start(a, NL_CALL_FACTS);
	e = patient_call(a, NL_CALL_FACTS, NULL, 0, out, sizeof(*out), &rcx, NULL);
	if (e == NL_OK && (out->size > sizeof(out->bytes) || out->counters > NL_LEAF_MAX_SITES))
		return fail(a, NL_EINTERNAL, NL_WHY_GARBAGE);
	if (e == NL_OK)
		clean_facts(out);
	return e;
}

static void clean_blocker(struct nl_blocker *b)
{
	terminate(b->comm, sizeof(b->comm));
	terminate(b->leaf, sizeof(b->leaf));
	terminate(b->other, sizeof(b->other));
	if (b->bytes_len > sizeof(b->expected))
		b->bytes_len = sizeof(b->expected);
}

static enum nl_err stage(struct nl_agent *a, const uint8_t *file, size_t size)
{
	for (size_t at = 0; at < size;) {
		size_t chunk = size - at < STAGE_CHUNK ? size - at : STAGE_CHUNK;
		uint64_t rcx = at, r8 = size;
		enum nl_err e = patient_call(a, NL_CALL_STAGE, file + at, chunk, NULL, 0, &rcx, &r8);

		if (e != NL_OK)
			return e;
		at += chunk;
	}
	return NL_OK;
}

enum nl_err nl_agent_verify(struct nl_agent *a, const void *file, size_t size, struct nl_verify_report *report)
{
	uint64_t until = a->t->now_ns(a->t->ctx) + VERIFY_LIMIT_NS;
	enum nl_err e;

	memset(report, 0, sizeof(*report));
	report->blocker.cpu = NO_CPU;
	start(a, NL_CALL_STAGE);
	if (!size || size > NL_LEAF_MAX_SIZE)
		return fail(a, NL_ELEAF, NL_WHY_NONE);
	e = stage(a, file, size);
	if (e != NL_OK)
		return e;
	a->details.call = NL_CALL_VERIFY;
	do {
		if (cancelled(a))
			return fail(a, NL_EINTERRUPTED, NL_WHY_CANCELLED);
		if (a->t->now_ns(a->t->ctx) > until)
			return fail(a, NL_EDEADLINE, NL_WHY_NONE);
		e = patient_call(a, NL_CALL_VERIFY, NULL, 0, report, sizeof(*report), NULL, NULL);
	} while (e == NL_AGAIN);
	terminate(report->id, sizeof(report->id));
	terminate(report->key_name, sizeof(report->key_name));
	clean_blocker(&report->blocker);
	if (report->found_build_id_len > NL_BUILD_ID_MAX)
		return fail(a, NL_EINTERNAL, NL_WHY_GARBAGE);
	a->details.blocker = report->blocker;
	return e;
}

struct attempt {
	struct nl_agent *agent;
	struct nl_commit_report *report;
	enum nl_err result;
	uint64_t taken; /* TSC ticks */
};

/* Runs on the CPU that arrived last, while all others spin in user mode. */
static void last_arrived(void *arg)
{
	struct attempt *t = arg;

	t->result = call(t->agent, NL_CALL_TRY, NULL, 0, t->report, sizeof(*t->report), NULL, NULL);
	t->taken = t->agent->took;
}

/* Growing with jitter: two CPUs that got into each other's way shall not meet again in the same step. */
static uint64_t backoff(uint64_t *random, unsigned tries)
{
	uint64_t limit = BACKOFF_MIN_NS << (tries < 8 ? tries : 8);

	if (limit > BACKOFF_MAX_NS)
		limit = BACKOFF_MAX_NS;
	*random = *random * 6364136223846793005ULL + 1442695040888963407ULL;
	return BACKOFF_MIN_NS + (*random >> 33) % limit;
}

/* NL_AGAIN: the generation before the last one is still in use on some CPU, or more pages are to be made. */
static enum nl_err prepare(struct nl_agent *a, const struct nl_commit_request *request, uint64_t until)
{
	for (;;) {
		enum nl_err e = patient_call(a, NL_CALL_PREPARE, request, sizeof(*request), NULL, 0, NULL, NULL);

		if (e != NL_AGAIN)
			return e;
		if (cancelled(a))
			return fail(a, NL_EINTERRUPTED, NL_WHY_CANCELLED);
		if (a->t->now_ns(a->t->ctx) > until)
			return fail(a, NL_EDEADLINE, NL_WHY_NONE);
		a->t->pause_ns(a->t->ctx, BACKOFF_MIN_NS);
	}
}

/* Who stands in a site will stand there for a while. A CPU that was found in the kernel, an interrupt of one of our own
 * threads perhaps, passes: it is named when there is nothing better. */
static void note_blocker(struct nl_agent *a, const struct nl_blocker *b)
{
	if (b->site_va || !a->details.blocker.site_va)
		a->details.blocker = *b;
}

static void note_try(const struct nl_agent *a, uint64_t begin, const struct attempt *t, bool gathered)
{
	struct nl_own_try *own = nl_own_try(begin);
	const struct nl_blocker *b = &t->report->blocker;

	own->error = t->result;
	own->gathered = gathered;
	if (!gathered) {
		own->cpu = a->details.missing.cpu;
		own->pid = a->details.missing.pid;
		memcpy(own->comm, a->details.missing.comm, sizeof(own->comm));
	} else if (t->result != NL_OK && t->result != NL_EBUSY) {
		own->cpu = b->cpu;
		own->pid = b->pid;
		own->rip = b->rip;
		own->site_va = b->site_va;
		memcpy(own->comm, b->comm, sizeof(own->comm));
	}
}

/* Who stands in the way of a strict leaf may stand there for good, and each try reads all tasks while nobody runs. */
static uint64_t rest(const struct nl_agent *a, const struct attempt *t)
{
	return a->tsc_hz ? (uint64_t)((unsigned __int128)t->taken * REST_FACTOR * 1000 * MS / a->tsc_hz) : 0;
}

static uint64_t spin_limit(const struct nl_agent *a, unsigned missed)
{
	return a->emulated ? SPIN_EMULATED_NS << (missed < SPIN_DOUBLINGS ? missed : SPIN_DOUBLINGS) : SPIN_NS;
}

/* Agentless: this thread alone asks, and everybody else is where he is. `patience`: if until then no gather has come
 * about, the rest of the time is for another way. */
static enum nl_err gather_and_try(struct nl_agent *a, bool agentless, struct nl_commit_report *report,
                                  uint64_t patience, uint64_t until)
{
	uint64_t now = a->t->now_ns(a->t->ctx), random = now, begin;
	enum nl_reason why = NL_WHY_NONE;
	unsigned missed = 0;

	for (unsigned n = 0;; n++) {
		struct attempt t = {a, report, NL_AGAIN, 0};
		uint64_t pause;

		if (cancelled(a))
			return fail(a, NL_EINTERRUPTED, NL_WHY_CANCELLED);
		if (now >= until && why == NL_WHY_HELD_OFF) {
			last_arrived(
			        &t); /* past its deadline the hypervisor says what was in the way, and journals it */
			if (t.result != NL_AGAIN && t.result != NL_EBUSY)
				return t.result == NL_EDEADLINE ? fail(a, NL_EDEADLINE, why) : t.result;
		}
		if (now >= until || (now >= patience && why == NL_WHY_NOT_GATHERED && !a->details.tries))
			return fail(a, NL_EDEADLINE, why);
		a->details.gathers += !agentless;
		begin = nl_own_now();
		if (agentless)
			last_arrived(&t);
		if (!agentless && !a->t->gather(a->t->ctx, a->details.tries ? until : patience, spin_limit(a, missed),
		                                last_arrived, &t, &a->details.missing)) {
			missed++;
			terminate(a->details.missing.comm, sizeof(a->details.missing.comm)); /* a task names itself */
			note_try(a, begin, &t, false);
			why = NL_WHY_NOT_GATHERED;
		} else {
			a->details.tries++;
			clean_blocker(&report->blocker);
			note_try(a, begin, &t, true);
			if (t.result != NL_EBUSY)
				note_blocker(a, &report->blocker);
			if (t.result != NL_AGAIN && t.result != NL_EBUSY)
				return t.result;
			why = NL_WHY_HELD_OFF;
		}
		now = a->t->now_ns(a->t->ctx);
		if (now < until) {
			pause = backoff(&random, n);
			if (pause < rest(a, &t))
				pause = rest(a, &t);
			a->t->pause_ns(a->t->ctx, pause < until - now ? pause : until - now);
			now = a->t->now_ns(a->t->ctx);
		}
	}
}

/* Forget what was prepared. PREPARE has no room for a report: what stood in its way is in the answer to this. */
static void abandon(struct nl_agent *a, enum nl_err why)
{
	struct nl_details kept = a->details;
	struct nl_commit_report report;
	enum nl_err e = patient_call(a, NL_CALL_ABANDON, NULL, 0, &report, sizeof(report), NULL, NULL);

	a->details = kept;
	if (kept.call == NL_CALL_PREPARE && why != NL_EBUSY && (e == NL_OK || e == NL_NOTHING)) {
		clean_blocker(&report.blocker);
		a->details.blocker = report.blocker;
	}
}

/* The kernel may move the page of an answer while the answer is made: then a TRY that flipped cannot say so, and the
 * next one finds nothing prepared. Is exactly what was asked for on? */
static bool was_made(struct nl_agent *a, const struct nl_commit_request *request, struct nl_commit_report *report)
{
	struct nl_details kept = a->details;
	struct nl_leaf_state leaves[NL_MAX_LEAVES];
	struct nl_commit_report last;
	unsigned on = 0, asked = 0;
	size_t n;
	bool nothing = patient_call(a, NL_CALL_ABANDON, NULL, 0, &last, sizeof(last), NULL, NULL) == NL_NOTHING;
	bool known = nl_agent_leaves(a, leaves, NL_MAX_LEAVES, &n) == NL_OK;

	a->details = kept;
	for (size_t i = 0; known && i < n; i++) {
		if (leaves[i].condition != NL_LEAF_APPLIED)
			continue;
		on++;
		for (uint32_t j = 0; j < request->count; j++)
			asked += !memcmp(leaves[i].sha256, request->set[j], sizeof(request->set[j]));
	}
	if (!nothing || !known || on != request->count || asked != on)
		return false;
	*report = last;
	clean_blocker(&report->blocker);
	return true;
}

static enum nl_err commit_once(struct nl_agent *a, const struct nl_commit_request *request,
                               struct nl_commit_report *report, uint64_t patience, uint64_t until)
{
	enum nl_err e;

	start(a, NL_CALL_PREPARE);
	a->details.deadline_ms = request->deadline_ms;
	e = prepare(a, request, until);
	if (e != NL_OK)
		return e;
	a->details.call = NL_CALL_TRY;
	e = gather_and_try(a, request->flags & NL_COMMIT_AGENTLESS, report, patience, until);
	note_taken(a, NL_PIECE_GATHER, a->t->disperse(a->t->ctx));
	if ((e == NL_ESTATE || e == NL_EFAULT) && was_made(a, request, report))
		return fail(a, NL_OK, NL_WHY_NONE);
	return e;
}

/* A CPU has not arrived in half of the time, and may never: who runs there has a higher priority, or the helpers are in
 * a group that gets no time. The hypervisor stops it all the same. If that cannot be, what was answered first holds. */
static enum nl_err commit_agentless(struct nl_agent *a, struct nl_commit_request *request,
                                    struct nl_commit_report *report, uint64_t until)
{
	struct nl_details kept = a->details;

	request->flags |= NL_COMMIT_AGENTLESS;
	enum nl_err e = commit_once(a, request, report, until, until);
	if (e != NL_EUNSUPPORTED && e != NL_EPOLICY)
		return e;
	a->details = kept;
	return NL_EDEADLINE;
}

enum nl_err nl_agent_commit(struct nl_agent *a, const struct nl_commit_request *wanted, struct nl_commit_report *report)
{
	uint64_t begin = a->t->now_ns(a->t->ctx), until = begin + wanted->deadline_ms * MS;
	struct nl_commit_request request = *wanted;
	enum nl_err e;

	nl_own_touch();
	memset(report, 0, sizeof(*report));
	report->blocker.cpu = NO_CPU;
	do {
		e = commit_once(a, &request, report, begin + wanted->deadline_ms * MS / 2, until);
		if (e == NL_EDEADLINE && a->details.reason == NL_WHY_NOT_GATHERED && a->t->now_ns(a->t->ctx) < until)
			e = commit_agentless(a, &request, report, until);
	} while (e == NL_ESTALE && a->t->now_ns(a->t->ctx) < until); /* who cancels it is heard before the next try */
	if (e != NL_OK && e != NL_NOTHING)
		abandon(a, e);
	return e;
}

enum nl_err nl_agent_fail(struct nl_agent *a, enum nl_err e, enum nl_reason why) { return fail(a, e, why); }

enum nl_err nl_agent_call(struct nl_agent *a, enum nl_call which, void *out, size_t out_len, uint64_t *rcx,
                          uint64_t *r8)
{
	start(a, which);
	return call(a, which, NULL, 0, out, out_len, rcx, r8);
}

enum nl_err nl_agent_exchange(struct nl_agent *a, enum nl_call which, void *both, size_t len, uint64_t *rcx)
{
	start(a, which);
	return patient_call(a, which, both, len, both, len, rcx, NULL);
}
