// SPDX-License-Identifier: Apache-2.0
/* The hypercalls: see hypercall.h. Buffers are copied once; an answer's buffer is proven writable before anything is
 * done. */
#include "exits/hypercall.h"
#include "exits/windows.h"
#include "commit/commit.h"
#include "commit/generation.h"
#include "commit/order.h"
#include "commit/standing.h"
#include "core/clock.h"
#include "core/core.h"
#include "core/cpu.h"
#include "guest/guestmem.h"
#include "core/journal.h"
#include "core/kept.h"
#include "core/pool.h"
#include "core/step.h"
#include "leaf/list.h"
#include "leaf/registry.h"
#include "leaf/room.h"
#include "leaf/witness.h"
#include "x86.h"

struct call {
	struct nl_cpu *cpu;
	const struct nl_context *ctx;
	struct nl_guest caller; /* the address space of the thread that calls, with its user rights only */
	gva_t buffer;
	uint64_t length;
	uint64_t rcx, r8; /* in, then out */
	enum nl_proof proof;
	union { /* of those calls whose answer is records, one at a time */
		struct nl_status status;
		struct nl_verify_report verify;
		struct nl_commit_report commit;
		struct nl_exit_counts exits;
		struct nl_challenge challenge;
		struct nl_journal_entry entry;
		struct nl_step_record step;
	} answer;
};

/* An answer fits and can be written. Length 0: the caller wants none. */
static enum nl_err can_answer(struct call *c, size_t n)
{
	if (c->length == 0)
		return NL_OK;
	if (c->length < n)
		return NL_EUSAGE;
	return nl_guest_probe(&c->caller, c->buffer, NL_GUEST_USER | NL_GUEST_WRITE, n);
}

void nl_status_now(struct nl_status *s)
{
	nl_journal_tidy();
	memset(s, 0, sizeof(*s));
	s->abi = NL_ABI_VERSION;
	s->size = sizeof(*s);
	memcpy(s->version, NL_VERSION, sizeof(NL_VERSION));
	memcpy(s->vendor, nl_vendor->name, sizeof(s->vendor));
	memcpy(s->paging, nl_vendor->paging, sizeof(s->paging));
	s->cpus_known = nl_n_cpus;
	NL_EACH_CPU(cpu)
		s->cpus_running += nl_cpu_is_running(cpu);
	s->generation = nl_current_view()->generation;
	s->tsc_now = x86_rdtsc();
	s->boot = nl_boot.facts;
	s->counts = nl_counts;
	s->leaves = nl_registry_count();
	nl_journal_read(UINT64_MAX, NULL, &s->journal_newest);
	s->memory_total = nl_pool_total_pages() * NL_PAGE_SIZE;
	s->memory_free = nl_pool_free_pages() * NL_PAGE_SIZE;
	s->arena_text_free = nl_room_free(NL_ROOM_TEXT);
	s->arena_data_free = nl_room_free(NL_ROOM_DATA);
	memcpy(s->kernel_build_id, nl_registry_build_id(&s->kernel_build_id_len, &s->kernel_slide),
	       sizeof(s->kernel_build_id));
	s->emulated = nl_emulated;
	s->undecided = nl_windows_undecided();
	s->list_sequence = nl_list_sequence();
	s->list_error = nl_list_error();
	s->standing = nl_standing;
	s->orders = (nl_kept->frozen ? NL_ORDER_FROZE : 0) | (nl_order_waiting() ? NL_ORDER_WAITS : 0);
	while (s->lockouts < NL_MAX_LOCKOUTS && nl_kept->lockouts[s->lockouts].reason)
		s->lockouts++;
}

static enum nl_err call_status(struct call *c)
{
	nl_status_now(&c->answer.status);
	c->answer.status.proof = c->proof;
	c->rcx = sizeof(c->answer.status);
	return NL_OK;
}

/* Advance in the caller's buffer by one element. */
static enum nl_err append(struct call *c, const void *from, size_t n)
{
	enum nl_err err = nl_guest_write(&c->caller, c->buffer, NL_GUEST_USER, from, n);

	c->buffer.v += n;
	c->length -= n;
	return err;
}

static enum nl_err call_leaves(struct call *c)
{
	const struct nl_entry *e;
	enum nl_err err = nl_registry_note(c->ctx, c->rcx);

	nl_journal_tidy();
	c->rcx = err ? c->rcx + 1 : nl_registry_count();
	for (unsigned i = 0; !err && (e = nl_registry_nth(i)) && c->length >= sizeof(e->state); i++)
		err = append(c, &e->state, sizeof(e->state));
	return err;
}

static enum nl_err call_facts(struct call *c)
{
	const struct nl_entry *e = nl_registry_nth(c->rcx);

	nl_generation_reclaim();
	return e && c->length >= sizeof(e->facts) ? append(c, &e->facts, sizeof(e->facts)) : NL_EUSAGE;
}

static enum nl_err call_stage(struct call *c)
{
	if (!(nl_boot.facts.policy.guest_may & NL_GUEST_MAY_APPLY) && !nl_order_waiting())
		return NL_EPOLICY;
	nl_journal_tidy();
	nl_generation_reclaim();
	return nl_registry_stage(&c->caller, c->buffer, c->length, c->rcx, c->r8);
}

/* What guest root may not bring, an order may name. */
static enum nl_err call_verify(struct call *c)
{
	const struct nl_order *o = nl_order_waiting();
	bool any = nl_boot.facts.policy.guest_may & NL_GUEST_MAY_APPLY;

	return any || o ? nl_registry_verify(c->ctx, NULL, any ? NULL : o, &c->answer.verify) : NL_EPOLICY;
}

static enum nl_err call_challenge(struct call *c) { return nl_order_challenge(NL_ASKER_GUEST, &c->answer.challenge); }

static enum nl_err call_order(struct call *c)
{
	static union {
		struct nl_order order;
		uint8_t bytes[NL_ORDER_MAX_SIZE];
	} file; /* the lock's */
	enum nl_err err = NL_EORDER;

	if (c->length <= sizeof(file))
		err = nl_guest_read(&c->caller, c->buffer, NL_GUEST_USER, &file, c->length);
	if (!err && !c->proof && file.order.kind != NL_ORDER_NOW) /* written over what was compared */
		err = NL_EROOT;
	return err ? err : nl_order_take(NL_ASKER_GUEST, &file.order, c->length);
}

static enum nl_err call_confirm(struct call *c)
{
	bool may = nl_boot.facts.policy.guest_may & NL_GUEST_MAY_CONFIRM;
	uint8_t sha256[32];
	enum nl_err err = nl_guest_read(&c->caller, c->buffer, NL_GUEST_USER, sha256, sizeof(sha256));

	return !may ? NL_EPOLICY : err ? err : nl_trial_confirm(sha256);
}

static enum nl_err call_prepare(struct call *c)
{
	struct nl_commit_request request;
	enum nl_err err;

	if (c->length != sizeof(request))
		return NL_EUSAGE;
	err = nl_guest_read(&c->caller, c->buffer, NL_GUEST_USER, &request, sizeof(request));
	return err ? err : nl_commit_prepare(c->cpu, c->ctx, &request);
}

static enum nl_err call_try(struct call *c) { return nl_commit_try(c->cpu, c->ctx, &c->answer.commit); }
static enum nl_err call_abandon(struct call *c) { return nl_commit_abandon(c->cpu, &c->answer.commit); }

/* Records of a ring, which begin with their seq. */
static enum nl_err call_ring(struct call *c, size_t n, bool (*read)(uint64_t, void *, uint64_t *))
{
	uint64_t from = c->rcx;
	enum nl_err err = NL_OK;

	for (c->rcx = 0; !err && read(from, &c->answer, &c->r8) && c->length >= n; from = c->answer.step.seq + 1) {
		err = append(c, &c->answer, n);
		c->rcx += !err;
	}
	return err;
}

static enum nl_err call_journal(struct call *c) { return call_ring(c, sizeof(c->answer.entry), nl_journal_read); }
static enum nl_err call_timeline(struct call *c) { return call_ring(c, sizeof(c->answer.step), nl_step_read); }

static enum nl_err call_exits(struct call *c)
{
	struct nl_exit_counts *counts = &c->answer.exits;

	if (c->rcx >= nl_n_cpus)
		return NL_EUSAGE;
	counts->tsc = x86_rdtsc();
	_Static_assert(sizeof(counts->count) == sizeof(nl_cpus[0]->exits), "one counter per cause");
	memcpy(counts->count, nl_cpus[c->rcx]->exits, sizeof(counts->count));
	return NL_OK;
}

static enum nl_err call_console(struct call *c)
{
	uint64_t from = c->rcx;
	char text[256];
	enum nl_err err = NL_OK;
	size_t n;

	c->rcx = 0;
	c->r8 = from;
	while (!err && c->length &&
	       (n = nl_console_read(from, text, c->length < sizeof(text) ? c->length : sizeof(text), &c->r8))) {
		from = c->r8;
		err = append(c, text, n);
		c->rcx += err ? 0 : n;
	}
	return err;
}

static enum nl_err call_alive(struct call *c)
{
	(void)c;
	if (nl_kept_alive())
		nl_journal(NL_EV_ALIVE, NL_OK, NULL, NULL, 0, 0);
	return NL_OK;
}

static enum nl_err call_signed(struct call *c)
{
	enum nl_err err = can_answer(c, NL_SIGNED_MAX_SIZE);
	const void *file;
	uint8_t nonce[32];

	if (err || (err = nl_guest_read(&c->caller, c->buffer, NL_GUEST_USER, nonce, sizeof(nonce))) ||
	    (err = call_status(c)) ||
	    (err = nl_witness_sign(NL_ASKER_GUEST, c->ctx, &c->answer.status, nonce, &file, &c->rcx)))
		return err;
	return append(c, file, c->rcx);
}

static const struct {
	enum nl_err (*fn)(struct call *);
	bool locked;     /* with nl_generation_lock: NL_EBUSY when another CPU has it */
	bool wanted;     /* a call without a buffer for the answer is a mistake */
	uint16_t answer; /* bytes of c->answer that are given, whatever becomes of the call */
} calls[] = {
        [NL_CALL_STATUS] = {.fn = call_status, .wanted = true, .answer = sizeof(struct nl_status)},
        [NL_CALL_LEAVES] = {.fn = call_leaves, .locked = true},
        [NL_CALL_STAGE] = {.fn = call_stage, .locked = true},
        [NL_CALL_VERIFY] = {.fn = call_verify, .locked = true, .answer = sizeof(struct nl_verify_report)},
        [NL_CALL_PREPARE] = {.fn = call_prepare, .locked = true},
        [NL_CALL_TRY] = {.fn = call_try, .locked = true, .answer = sizeof(struct nl_commit_report)},
        [NL_CALL_ABANDON] = {.fn = call_abandon, .locked = true, .answer = sizeof(struct nl_commit_report)},
        [NL_CALL_JOURNAL] = {.fn = call_journal},
        [NL_CALL_EXITS] = {.fn = call_exits, .wanted = true, .answer = sizeof(struct nl_exit_counts)},
        [NL_CALL_CONSOLE] = {.fn = call_console},
        [NL_CALL_ALIVE] = {.fn = call_alive},
        [NL_CALL_FACTS] = {.fn = call_facts, .locked = true},
        [NL_CALL_TIMELINE] = {.fn = call_timeline},
        [NL_CALL_SIGNED] = {.fn = call_signed, .locked = true, .wanted = true},
        [NL_CALL_CHALLENGE] = {.fn = call_challenge,
                               .locked = true,
                               .wanted = true,
                               .answer = sizeof(struct nl_challenge)},
        [NL_CALL_ORDER] = {.fn = call_order, .locked = true},
        [NL_CALL_CONFIRM] = {.fn = call_confirm, .locked = true},
};

/* The answer can be written before anything is done. Its fate does not change what was done: NL_EFAULT only where
 * nothing else went wrong. */
static enum nl_err do_call(struct call *c, uint64_t number)
{
	size_t n = calls[number].answer;
	enum nl_err err = n ? can_answer(c, n) : NL_OK, written = NL_OK;

	if (!c->length && calls[number].wanted)
		return NL_EUSAGE;
	if (err)
		return err;
	if (calls[number].locked && !nl_trylock(&nl_generation_lock))
		return NL_EBUSY;
	err = calls[number].fn(c);
	if (calls[number].locked)
		nl_unlock(&nl_generation_lock);
	if (n && c->length)
		written = nl_guest_write(&c->caller, c->buffer, NL_GUEST_USER, &c->answer, n);
	return err ? err : written;
}

/* Without a proof: an order that bears the challenge that is out. The rest is counted, and costs no more than this. */
static bool carries(struct call *c, uint64_t number)
{
	gva_t from = GVA(c->buffer.v + offsetof(struct nl_order, machine_id));
	uint8_t address[64];
	uint64_t n;

	if (number == NL_CALL_ORDER && !nl_guest_read(&c->caller, from, NL_GUEST_USER, address, sizeof(address)) &&
	    nl_order_addressed(address))
		return true;
	n = __atomic_add_fetch(&nl_counts.orders_refused, 1, __ATOMIC_RELAXED);
	if ((n & (n - 1)) == 0)
		nl_journal(NL_EV_STRANGER, NL_EROOT, NULL, NULL, n, c->cpu->index);
	return false;
}

bool nl_hypercall(struct nl_cpu *cpu, const struct nl_context *ctx, enum nl_proof proof)
{
	struct call c = {.cpu = cpu,
	                 .ctx = ctx,
	                 .buffer = GVA(cpu->gprs.rsi),
	                 .length = cpu->gprs.rdi,
	                 .rcx = cpu->gprs.rcx,
	                 .r8 = cpu->gprs.r8,
	                 .proof = proof};
	uint64_t number = cpu->gprs.rbx;
	enum nl_err err = NL_EUSAGE;

	/* Page tables as the caller's CPU walks them; only a 64-bit caller has registers wide enough for this ABI. */
	nl_guest_init(&c.caller, nl_views(), nl_current_view(), ctx->cr3, ctx->cr4 & CR4_LA57);
	if (ctx->long_mode && number < NL_ARRAY_SIZE(calls) && calls[number].fn && c.length <= NL_CALL_MAX_BUFFER &&
	    (proof || carries(&c, number)))
		err = do_call(&c, number);
	/* Of an order that was accepted, these say what became of what it confirms. */
	if (!proof && err && err != NL_NOTHING && err != NL_ETRIAL && err != NL_EUNKNOWN_LEAF)
		return false;
	cpu->gprs.rax = err;
	cpu->gprs.rcx = c.rcx;
	cpu->gprs.r8 = c.r8;
	return true;
}
