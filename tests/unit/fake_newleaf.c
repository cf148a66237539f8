// SPDX-License-Identifier: Apache-2.0
/*
 * See fake_newleaf.h.
 */
#include "fake_newleaf.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

#include <newleaf/bootblock.h>

#include "own.h"
#include "sha256.h"

static struct fake the_fake;

static void fake_cpuid(void *ctx, uint32_t leaf, uint32_t out[4])
{
	struct fake *f = ctx;
	uint32_t base = f->cpuid_base ? f->cpuid_base : 0x40000000;

	memset(out, 0, 16);
	if (!f->absent && leaf == base) {
		out[0] = base + 1;
		out[1] = NL_CPUID_EBX;
		out[2] = NL_CPUID_ECX;
		out[3] = NL_CPUID_EDX;
	} else if (!f->absent && leaf == base + 1) {
		out[0] = f->abi ? f->abi : NL_ABI_VERSION;
	} else if (leaf == 0x40000000) {
		out[0] = 0x40000001;
		memcpy(&out[1], "OuterOuter\n\033", 12);
	}
}

static enum nl_err fake_open(void *ctx, struct nl_details *d, uint8_t **buffer)
{
	struct fake *f = ctx;

	if (f->ordinary_user) {
		d->reason = f->refusal;
		return NL_EROOT;
	}
	*buffer = f->buffer;
	return NL_OK;
}

static void fake_close(void *ctx) { ((struct fake *)ctx)->closes++; }

void fake_journal(struct fake *f, enum nl_event event, enum nl_err error, const char *id, uint64_t a, uint64_t b)
{
	struct nl_journal_entry *e = &f->journal[f->n_journal];

	memset(e, 0, sizeof(*e));
	e->seq = ++f->n_journal;
	e->tsc = 1000 + e->seq * 1000000000ULL;
	e->event = event;
	e->error = error;
	e->generation = f->status.generation;
	memcpy(e->boot_id, f->status.boot.boot_id, sizeof(e->boot_id));
	e->a = a;
	e->b = b;
	if (id)
		strncpy(e->id, id, sizeof(e->id) - 1);
	if (e->seq > 1)
		cli_sha256(e - 1, sizeof(*e), e->hash);
	if (f->broken_chain && e->seq == 2)
		e->hash[7] ^= 1;
	f->status.journal_newest = e->seq;
}

void fake_step(struct fake *f, uint64_t tsc, uint32_t cpu, enum nl_step step, uint64_t value)
{
	struct nl_step_record *r = &f->steps[f->n_steps];

	assert(f->n_steps < FAKE_STEPS);
	if (step <= NL_STEP_LAST_FIRST)
		f->transaction = ++f->begun;
	if (step == NL_STEP_PREPARE)
		f->commit = f->begun;
	*r = (struct nl_step_record){.seq = ++f->n_steps,
	                             .tsc = tsc,
	                             .value = value,
	                             .transaction = f->transaction,
	                             .cpu = (uint16_t)cpu,
	                             .step = (uint16_t)step};
	if (step == NL_STEP_SETTLE)
		f->transaction = f->commit;
}

static void step(struct fake *f, uint32_t cpu, enum nl_step what, uint64_t value)
{
	if (f->n_steps < FAKE_STEPS) /* a test that tries for ever */
		fake_step(f, __builtin_ia32_rdtsc(), cpu, what, value);
}

static enum nl_err do_stage(struct fake *f, const struct nl_registers *r)
{
	if (r->r8 > sizeof(f->staged) || r->rcx + r->rdi > r->r8 || (r->rcx && r->rcx != f->staged_have))
		return NL_EUSAGE;
	memcpy(f->staged + r->rcx, f->buffer, r->rdi);
	f->staged_size = r->r8;
	f->staged_have = r->rcx + r->rdi;
	return NL_OK;
}

static enum nl_err do_verify(struct fake *f)
{
	struct nl_verify_report report = {.blocker = f->blocker};
	struct nl_leaf_header h;
	struct nl_leaf_state *l = NULL;

	if (!f->staged_size || f->staged_have != f->staged_size)
		return NL_ESTATE;
	if (f->verify_again) {
		f->now_ns += 1000000;
		f->verify_again--;
		return NL_AGAIN;
	}
	memset(report.key_id, 0x7c, sizeof(report.key_id));
	strcpy(report.key_name, "demo");
	memset(report.found_build_id, 0x3f, 20);
	report.found_build_id_len = 20;
	report.slide = f->status.kernel_slide;
	cli_sha256(f->staged, f->staged_size, report.sha256);
	if (f->staged_size < sizeof(h) || (memcpy(&h, f->staged, sizeof(h)), h.magic != NL_LEAF_MAGIC)) {
		memset(&report, 0, sizeof(report));
		memcpy(f->buffer, &report, sizeof(report));
		return NL_ELEAF;
	}
	memcpy(report.id, h.id, sizeof(report.id));
	memcpy(f->buffer, &report, sizeof(report));
	if (f->verify_error)
		return f->verify_error;
	for (unsigned i = 0; i < f->n_leaves; i++)
		if (!memcmp(f->leaves[i].sha256, report.sha256, 32))
			l = &f->leaves[i];
	if (!l) {
		l = &f->leaves[f->n_leaves++];
		memset(l, 0, sizeof(*l));
		memcpy(l->id, report.id, sizeof(l->id));
		memcpy(l->sha256, report.sha256, 32);
		memcpy(l->key_id, report.key_id, 32);
		strcpy(l->key_name, "demo");
		l->condition = NL_LEAF_VERIFIED;
		l->pages = 1;
		l->sites = 1;
		l->signatures = 1;
		l->version = h.version;
	}
	return NL_OK;
}

static bool in_prepared(const struct fake *f, const uint8_t *sha256)
{
	for (uint32_t i = 0; i < f->prepared.count; i++)
		if (!memcmp(f->prepared.set[i], sha256, 32))
			return true;
	return false;
}

static enum nl_err do_prepare(struct fake *f)
{
	bool differs = false;

	if (f->prepare_busy) {
		f->prepare_busy--;
		return NL_EBUSY;
	}
	if (f->prepare_error)
		return f->prepare_error;
	memcpy(&f->prepared, f->buffer, sizeof(f->prepared));
	f->is_prepared = false;
	if (f->prepared.flags && !f->agentless)
		return NL_EUNSUPPORTED;
	if (f->prepared.expected_generation != UINT64_MAX && f->prepared.expected_generation != f->status.generation)
		return NL_EGENERATION;
	for (unsigned i = 0; i < f->n_leaves; i++)
		differs |= (f->leaves[i].condition == NL_LEAF_APPLIED) != in_prepared(f, f->leaves[i].sha256);
	step(f, 0, NL_STEP_PREPARE, 0);
	step(f, 0, NL_STEP_PREPARED, differs ? NL_OK : NL_NOTHING);
	if (!differs)
		return NL_NOTHING;
	f->is_prepared = true;
	f->prepares++;
	return NL_OK;
}

static enum nl_err do_try(struct fake *f)
{
	struct nl_commit_report report = {.generation_from = f->status.generation,
	                                  .generation_to = f->status.generation,
	                                  .flags = f->prepared.flags,
	                                  .blocker = f->blocker};
	bool refused = f->try_again;
	enum nl_err e = NL_OK;

	if (!f->is_prepared)
		return NL_ESTATE;
	f->tries++;
	step(f, 1, NL_STEP_FREEZE, ++f->ticket);
	step(f, 0, NL_STEP_ASK, f->ticket);
	step(f, 0, refused ? NL_STEP_REFUSED : NL_STEP_HELD, f->ticket);
	step(f, 1, refused ? NL_STEP_WITHDRAW : NL_STEP_WINDOW, f->ticket);
	f->now_ns += 100000;
	report.tries = f->tries;
	if (f->passes_from && f->tries >= f->passes_from)
		report.blocker = f->passing;
	if (f->try_again) {
		f->try_again -= f->try_again != UINT_MAX;
		e = NL_AGAIN;
	} else if (f->try_stale) {
		f->try_stale -= f->try_stale != UINT_MAX;
		f->is_prepared = false;
		e = NL_ESTALE;
	} else if (f->try_error) {
		e = f->try_error;
	} else {
		report.generation_to = ++f->status.generation;
		report.prepare_ns = 400000;
		report.window_ns = 214000;
		report.longest_hold_ns = 219000;
		report.cpus_held = report.cpus_total = 2;
		report.pages = 1;
		report.level = NL_LEVEL_CPU;
		for (unsigned i = 0; i < f->n_leaves; i++) {
			struct nl_leaf_state *l = &f->leaves[i];
			uint8_t now = in_prepared(f, l->sha256)         ? NL_LEAF_APPLIED
			              : l->condition == NL_LEAF_APPLIED ? NL_LEAF_REVERTED
			                                                : l->condition;

			if (now != l->condition)
				l->generation = f->status.generation;
			if (now == NL_LEAF_APPLIED && now != l->condition) {
				l->since_tsc = f->status.tsc_now;
				l->trial_tsc =
				        f->prepared.confirm_ms
				                ? l->since_tsc + f->prepared.confirm_ms * f->status.boot.tsc_hz / 1000
				                : 0;
			}
			l->condition = now;
			l->note = now == NL_LEAF_APPLIED ? f->leaf_note : 0;
		}
		f->is_prepared = false;
		step(f, 1, NL_STEP_FLIP, f->status.generation);
	}
	if (!refused)
		step(f, 1, NL_STEP_THAW, f->ticket);
	if (e != NL_AGAIN)
		step(f, 1, e ? NL_STEP_DROP : NL_STEP_SETTLE, e ? e : f->status.generation);
	f->last = report;
	if (f->lose_answer) {
		f->lose_answer = false;
		return NL_EFAULT;
	}
	memcpy(f->buffer, &report, sizeof(report));
	return e;
}

static enum nl_err do_abandon(struct fake *f, const struct nl_registers *r)
{
	struct nl_commit_report report = f->last;
	bool was = f->is_prepared;

	report.blocker = f->blocker;

	f->abandons++;
	f->is_prepared = false;
	if (r->rdi >= sizeof(report))
		memcpy(f->buffer, &report, sizeof(report));
	return was ? NL_OK : NL_NOTHING;
}

static enum nl_err do_status(struct fake *f, struct nl_registers *r)
{
	struct nl_status s = f->status;

	s.tsc_now += 180ULL * 1000000000;
	s.leaves = f->n_leaves;
	if (f->torn_status)
		s.size = 8;
	if (r->rdi < sizeof(s))
		return NL_EUSAGE;
	memcpy(f->buffer, &s, sizeof(s));
	r->rcx = sizeof(s);
	return NL_OK;
}

static enum nl_err do_signed(struct fake *f, struct nl_registers *r)
{
	struct nl_signed_status s = {
	        .head = {NL_STATUS_MAGIC, NL_ABI_VERSION, sizeof(s), sizeof(struct nl_signed_leaf), f->n_leaves},
	        .witness = {.machine_key = {0xab, 0xcd}, .boot = f->status.boot},
	        .status = f->status};

	if (r->rdi < NL_SIGNED_MAX_SIZE)
		return NL_EUSAGE;
	if (f->signed_again && f->signed_again--)
		return NL_AGAIN;
	if (f->signed_rate && f->signed_rate--)
		return NL_ERATE;
	if (f->signed_error)
		return f->signed_error;
	memcpy(s.nonce, f->buffer, sizeof(s.nonce));
	s.nonce[5] ^= f->torn_signed;
	memcpy(f->buffer, &s, sizeof(s));
	r->rcx = nl_signed_status_size(&s) + NL_SIGNATURE_LEN;
	return NL_OK;
}

static enum nl_err do_journal(struct fake *f, struct nl_registers *r)
{
	uint64_t from = r->rcx > f->journal_over ? r->rcx : f->journal_over + 1;
	unsigned n = 0;

	for (; from <= f->n_journal && (n + 1) * sizeof(*f->journal) <= r->rdi; from++)
		memcpy(f->buffer + n++ * sizeof(*f->journal), &f->journal[from - 1], sizeof(*f->journal));
	r->rcx = n;
	r->r8 = f->n_journal;
	return NL_OK;
}

static enum nl_err do_timeline(struct fake *f, struct nl_registers *r)
{
	uint64_t from = r->rcx ? r->rcx : 1;
	unsigned n = 0;

	for (unsigned i = 0; i < f->n_steps && (n + 1) * sizeof(*f->steps) <= r->rdi; i++)
		if (f->steps[i].seq >= from)
			memcpy(f->buffer + n++ * sizeof(*f->steps), &f->steps[i], sizeof(*f->steps));
	r->rcx = f->too_many_steps ? r->rdi / sizeof(*f->steps) + 1 : n;
	r->r8 = f->n_steps ? f->steps[f->n_steps - 1].seq : 0;
	return NL_OK;
}

static enum nl_err do_console(struct fake *f, struct nl_registers *r)
{
	static const char text[] = "newleaf: two CPUs\n\033[31mred";
	uint64_t from = r->rcx < sizeof(text) - 1 ? r->rcx : sizeof(text) - 1;
	size_t n = sizeof(text) - 1 - from < 10 ? sizeof(text) - 1 - from : 10;

	memcpy(f->buffer, text + from, n);
	r->rcx = n;
	r->r8 = from + n;
	return NL_OK;
}

static enum nl_err dispatch(struct fake *f, struct nl_registers *r)
{
	switch ((enum nl_call)r->rbx) {
	case NL_CALL_STATUS:
		if (f->order_waits && !--f->order_waits) { /* it is done, or not */
			fake_journal(f, f->order_ends ? NL_EV_ORDER : NL_EV_COMMIT, f->order_ends, NULL, 0, 0);
			if (f->order_ends)
				memcpy(f->journal[f->n_journal - 1].leaf_sha256, f->order_sha256, 32);
			f->status.orders = 0;
		}
		return do_status(f, r);
	case NL_CALL_LEAVES:
		if (f->leaves_again) {
			f->leaves_again--;
			r->rcx++;
			return NL_AGAIN;
		}
		f->leaves_from = r->rcx;
		memcpy(f->buffer, f->leaves, f->n_leaves * sizeof(*f->leaves));
		r->rcx = f->too_many ? 100000 : f->n_leaves;
		return NL_OK;
	case NL_CALL_STAGE:
		return do_stage(f, r);
	case NL_CALL_VERIFY:
		return do_verify(f);
	case NL_CALL_PREPARE:
		return do_prepare(f);
	case NL_CALL_TRY:
		return do_try(f);
	case NL_CALL_ABANDON:
		return do_abandon(f, r);
	case NL_CALL_JOURNAL:
		return do_journal(f, r);
	case NL_CALL_TIMELINE:
		return do_timeline(f, r);
	case NL_CALL_SIGNED:
		return do_signed(f, r);
	case NL_CALL_EXITS:
		if (r->rcx >= f->status.cpus_running)
			return NL_EUSAGE;
		((struct nl_exit_counts *)f->buffer)->count[NL_CAUSE_CPUID] = 40 + r->rcx + f->now_ns / 1000000000;
		return NL_OK;
	case NL_CALL_CONSOLE:
		return do_console(f, r);
	case NL_CALL_ALIVE:
		f->alive++;
		return NL_OK;
	case NL_CALL_CHALLENGE:
		*(struct nl_challenge *)f->buffer = (struct nl_challenge){
		        .head = {NL_CHALLENGE_MAGIC, 1, sizeof(struct nl_challenge), 0, 0}, .generation = 5};
		return f->order;
	case NL_CALL_ORDER:
		f->carried++;
		if (f->order_comes)
			f->order_comes();
		if (f->order_slices) {
			f->order_slices--;
			return NL_AGAIN;
		}
		if (f->order_rate_until > f->now_ns)
			return NL_ERATE;
		cli_sha256(f->buffer, nl_order_signed_size((const struct nl_order *)(const void *)f->buffer),
		           f->order_sha256);
		if (f->on_order)
			f->on_order(f);
		fake_journal(f, NL_EV_ORDER, f->order, NULL, 0, 0);
		memcpy(f->journal[f->n_journal - 1].leaf_sha256, f->order_sha256, 32);
		return f->order;
	case NL_CALL_CONFIRM:
		for (unsigned i = 0; i < f->n_leaves && !f->confirm; i++)
			if (!memcmp(f->leaves[i].sha256, f->buffer, 32))
				f->leaves[i].trial_tsc = 0;
		f->confirmed++;
		return f->confirm;
	case NL_CALL_FACTS:
		if (r->rcx >= f->n_leaves || r->rdi < sizeof(struct nl_leaf_facts))
			return NL_EUSAGE;
		memcpy(f->buffer, &f->facts, sizeof(f->facts));
		memcpy(f->buffer, f->leaves[r->rcx].sha256, 32);
		return NL_OK;
	}
	return NL_EUSAGE;
}

static bool fake_call(void *ctx, struct nl_registers *r)
{
	struct fake *f = ctx;

	f->calls++;
	f->now_ns += 1000;
	r->taken = r->rbx < NL_PIECES ? f->takes[r->rbx] : 0;
	if (r->rbx == NL_CALL_VERIFY && f->verify_again)
		r->taken = f->takes[NL_PIECE_CHECK];
	if (f->faulting)
		return false;
	if (f->silent)
		return true;
	if (f->efault) {
		f->efault--;
		r->rax = NL_EFAULT;
		return true;
	}
	if (r->rdi > NL_CALL_MAX_BUFFER || r->rsi != (uintptr_t)f->buffer || r->rax != NL_CALL_MAGIC)
		r->rax = NL_EUSAGE;
	else
		r->rax = f->garbage_rax ? f->garbage_rax : (uint64_t)dispatch(f, r);
	return true;
}

static bool fake_gather(void *ctx, uint64_t until_ns, uint64_t spin_ns, void (*last)(void *arg), void *arg,
                        struct nl_missing *missing)
{
	struct fake *f = ctx;

	f->gathers++;
	f->spin_ns = spin_ns;
	if (spin_ns > f->longest_spin_ns)
		f->longest_spin_ns = spin_ns;
	f->now_ns += 100000;
	if (f->cancel_at_gather == f->gathers)
		*f->cancel = 1;
	if (f->gather_missing || (f->gather_missing_from && f->tries >= f->gather_missing_from)) {
		f->gather_missing -= f->gather_missing && f->gather_missing != UINT_MAX;
		f->now_ns = !f->gather_sleeps && f->now_ns + 400000000 < until_ns ? f->now_ns + 400000000 : until_ns;
		*missing = (struct nl_missing){.cpu = 1, .count = 1, .pid = 812, .comm = "kworker/1:2"};
		if (f->missing_comm)
			memcpy(missing->comm, f->missing_comm, sizeof(missing->comm));
		return false;
	}
	nl_own_step(NL_OWN_GATHER, nl_own_now(), 0, f->gathers);
	for (uint32_t cpu = 0; cpu < 2; cpu++)
		nl_own_step(NL_OWN_ARRIVE, nl_own_now(), cpu, f->gathers);
	last(arg);
	for (uint32_t cpu = 0; cpu < 2; cpu++)
		nl_own_step(NL_OWN_LEAVE, nl_own_now(), cpu, f->gathers);
	return true;
}

static uint64_t fake_disperse(void *ctx)
{
	((struct fake *)ctx)->disperses++;
	return ((struct fake *)ctx)->takes[NL_PIECE_GATHER];
}

static uint64_t fake_now(void *ctx) { return ((struct fake *)ctx)->now_ns += 10; }

static void fake_pause(void *ctx, uint64_t ns)
{
	struct fake *f = ctx;

	f->now_ns += ns;
	if (f->on_pause)
		f->on_pause(f);
	f->paused_ns += ns;
	if (!f->shortest_pause_ns || ns < f->shortest_pause_ns)
		f->shortest_pause_ns = ns;
	if (ns > f->longest_pause_ns)
		f->longest_pause_ns = ns;
}

struct fake *fake_new(void)
{
	struct fake *f = &the_fake;

	memset(f, 0, sizeof(*f));
	f->now_ns = 5000000000ULL;
	f->blocker.cpu = UINT32_MAX;
	f->status = (struct nl_status){
	        .abi = NL_ABI_VERSION,
	        .size = sizeof(f->status),
	        .version = "0.1.0",
	        .vendor = "SVM",
	        .paging = "NPT",
	        .cpus_known = 2,
	        .cpus_running = 2,
	        .generation = 1,
	        .boot.tsc_hz = 1000000000,
	        .boot.tsc_at_wall = 1000,
	        .tsc_now = 1000,
	        .boot.wall = {.year = 2023, .month = 11, .day = 14, .hour = 22, .minute = 13, .second = 20},
	        .boot.policy.guest_may = NL_GUEST_MAY_APPLY | NL_GUEST_MAY_REVERT,
	        .proof = NL_PROOF_PORT,
	        .boot.policy.proofs = NL_PROOF_PORT | NL_PROOF_TOKEN,
	        .boot.policy.deadline_ms = 10000,
	        .boot.n_keys = 1,
	        .memory_total = 8 << 20,
	        .memory_free = 7 << 20,
	        .arena_text_free = 1 << 20,
	        .arena_data_free = 1 << 20,
	};
	f->transport = (struct nl_transport){f,           fake_cpuid,    fake_open, fake_close, fake_call,
	                                     fake_gather, fake_disperse, fake_now,  fake_pause};
	return f;
}

size_t fake_leaf(uint8_t *out, const char *id, uint32_t salt)
{
	struct nl_leaf_header h = {.magic = NL_LEAF_MAGIC, .format = NL_LEAF_FORMAT, .version = salt};

	strncpy(h.id, id, sizeof(h.id) - 1);
	h.target.kernel.build_id_len = 20;
	memset(h.target.kernel.build_id, 0xa1, 20);
	memcpy(out, &h, sizeof(h));
	return sizeof(h);
}
