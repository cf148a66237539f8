// SPDX-License-Identifier: Apache-2.0
/* Staging, verification and the registry of leaves: see registry.h. */
#include "leaf/registry.h"
#include "core/core.h"
#include "core/journal.h"
#include "core/kept.h"
#include "leaf/bind.h"
#include "leaf/leaf.h"
#include "leaf/list.h"
#include "leaf/room.h"
#include "leaf/signature.h"
#include "view/current.h"
#include "x86.h"

_Static_assert(NL_MAX_LEAVES <= 32, "leaves are bits of a word in tasks.c");

static struct {
	bool begun;
	uint32_t size, received;
	struct nl_check check; /* size 0: not begun */
	uint8_t file[NL_LEAF_MAX_SIZE] __attribute__((aligned(64)));
} staging;

static struct {
	struct nl_leaf_target target; /* kernel.build_id_len 0: none yet */
	uint64_t slide;
} matched;                    /* the kernel */
static struct nl_entry fresh; /* under construction; copied when nothing can fail any more */

struct nl_entry *nl_registry_find(const uint8_t sha256[32])
{
	NL_EACH(e, nl_registry, NL_MAX_LEAVES)
		if (e->used && !memcmp(e->state.sha256, sha256, 32))
			return e;
	return NULL;
}

struct nl_entry *nl_registry_nth(uint64_t n) /* those that are used come first: choose_entry */
{
	return n < NL_MAX_LEAVES && nl_registry[n].used ? &nl_registry[n] : NULL;
}

uint32_t nl_registry_count(void)
{
	uint32_t n = 0;

	NL_EACH(e, nl_registry, NL_MAX_LEAVES)
		n += e->used;
	return n;
}

const uint8_t *nl_registry_build_id(uint32_t *len, uint64_t *slide)
{
	*len = matched.target.kernel.build_id_len;
	*slide = matched.slide;
	return matched.target.kernel.build_id;
}

bool nl_registry_kernel_stands(const struct nl_context *ctx)
{
	return matched.target.kernel.build_id_len &&
	       nl_guest_os(&matched.target)->stands(ctx, &matched.target, matched.slide);
}

void nl_registry_forget(void)
{
	nl_kept_forget();
	nl_room_forget();
	memset(nl_registry, 0, sizeof(nl_registry));
	memset(&matched, 0, sizeof(matched));
	staging.begun = false;
}

enum nl_err nl_registry_stage(struct nl_guest *caller, gva_t from, size_t n, uint64_t offset, uint64_t size)
{
	if (offset == 0) {
		if (size > NL_LEAF_MAX_SIZE)
			return NL_ELEAF;
		staging.begun = true;
		staging.size = (uint32_t)size;
		staging.received = 0;
	}
	if (!staging.begun || size != staging.size || offset != staging.received)
		return NL_ESTATE;
	if (n > staging.size - staging.received)
		return NL_EUSAGE;
	staging.check.size = 0;
	if (nl_guest_read(caller, from, NL_GUEST_USER, staging.file + offset, n)) {
		staging.begun = false;
		return NL_EFAULT;
	}
	staging.received += (uint32_t)n;
	return NL_OK;
}

/* An entry that can be had: an unused one, or the oldest that was verified and never applied. */
static struct nl_entry *choose_entry(void)
{
	struct nl_entry *best = NULL;

	NL_EACH(e, nl_registry, NL_MAX_LEAVES) {
		if (!e->used)
			return e;
		if (!e->ever_applied && !(nl_pinned >> (e - nl_registry) & 1) &&
		    (!best || e->state.since_tsc < best->state.since_tsc))
			best = e;
	}
	return best;
}

bool nl_registry_shown(const struct nl_site *s, uint8_t *out)
{
	const uint8_t *at = nl_view_pointer(nl_views(), nl_current_view(), GPA(s->gpa), NL_R);

	return at && nl_copy_safe(out, at, s->len);
}

/* Does a site of an applied leaf still hold what was written, with no probe inside? */
static enum nl_err note_of(struct nl_entry *e, const struct nl_context *ctx)
{
	struct nl_blocker unused;
	struct nl_kernel kernel;
	static struct nl_watch watches[NL_LEAF_MAX_SITES]; /* the lock's */
	struct nl_scan scan;
	uint8_t now[NL_SITE_MAX_LEN];

	/* what only an initialiser needed is not its module's any more */
	if (nl_guest_find(ctx, &e->target, &kernel) || nl_bind(e, NULL, 0, &kernel, &unused))
		return NL_EKERNEL;
	NL_EACH(s, e->sites, e->n_sites) {
		watches[s - e->sites] = (struct nl_watch){.start = s->va, .end = s->va + s->len, .site = true};
		if (s->len && (!nl_registry_shown(s, now) || memcmp(now, s->fresh, s->len)))
			return NL_EPROBED;
	}
	nl_scan_init(&scan, watches, e->n_sites);
	if (kernel.os->probes(&kernel, &scan) == NL_EPROBED)
		return NL_EPROBED;
	NL_EACH(m, e->facts.modules, e->facts.n_modules)
		if (m->sites && m->state >= NL_MODULE_OTHER)
			return NL_EMODULE;
	return NL_OK;
}

/* The guest may write there while we read. All rows of all leaves are no more than the arena: 2 MiB. */
static void count_hits(struct nl_entry *e)
{
	const uint8_t *start = (const uint8_t *)nl_room_at(NL_ROOM_DATA, e->objects[0].data.offset) + e->counter_offset;
	uint64_t *hits = e->facts.hits;
	uint32_t cpu, i;

	e->state.hits = 0;
	memset(hits, 0, sizeof(e->facts.hits));
	for (cpu = 0; cpu < e->counter_cpus; cpu++, start += NL_COUNTER_ROW(e->state.counters)) /* each line once */
		for (i = 0; i < e->state.counters; i++) {
			uint64_t n = __atomic_load_n((const uint64_t *)(const void *)start + i, __ATOMIC_RELAXED);

			hits[i] += n;
			e->state.hits += n;
		}
}

enum nl_err nl_registry_note(const struct nl_context *ctx, uint64_t n)
{
	struct nl_entry *e = nl_registry_nth(n);

	if (!e)
		return NL_OK;
	e->state.note = e->state.condition == NL_LEAF_APPLIED ? note_of(e, ctx) : NL_OK;
	count_hits(e);
	return NL_AGAIN;
}

/* What the site would hold if no leaf were applied: a newer leaf may replace one that is on. */
static enum nl_err original_bytes(const struct nl_site *s, uint8_t *out)
{
	if (!nl_registry_shown(s, out))
		return NL_ERANGE;
	NL_EACH(e, nl_registry, NL_MAX_LEAVES)
		NL_EACH(o, e->sites, e->used && e->state.condition == NL_LEAF_APPLIED ? e->n_sites : 0)
			for (uint32_t i = 0; i < o->len && !((o->gpa ^ s->gpa) & ~NL_PAGE_MASK); i++) {
				uint64_t at = o->gpa + i - s->gpa;

				if (at < s->len && out[at] == o->fresh[i])
					out[at] = o->expected[i];
			}
	return NL_OK;
}

enum nl_err nl_registry_check(const struct nl_entry *e, uint32_t object, struct nl_kernel *k,
                              struct nl_blocker *blocker)
{
	uint8_t found[NL_SITE_MAX_LEN] = {0};
	struct nl_watch watch;
	struct nl_scan scan;
	uint32_t n;

	NL_EACH(s, e->sites, e->n_sites) {
		if (!s->len || (object != UINT32_MAX && s->object != object))
			continue;
		if (original_bytes(s, found))
			return NL_ERANGE;
		if (!memcmp(found, s->expected, s->len))
			continue;
		n = s->len < sizeof(blocker->found) ? s->len : sizeof(blocker->found);
		blocker->site_va = s->va;
		blocker->bytes_len = n;
		memcpy(blocker->expected, s->expected, n);
		memcpy(blocker->found, found, n);
		watch = (struct nl_watch){.start = s->va, .end = s->va + s->len, .site = true};
		nl_scan_init(&scan, &watch, 1);
		return k->os->probes(k, &scan) == NL_EPROBED ? NL_EPROBED : NL_EBYTES;
	}
	return NL_OK;
}

/* The signed content is good: make an entry of it. */
static enum nl_err admit(const struct nl_leaf *leaf, const struct nl_check *check, struct nl_kernel *k,
                         struct nl_blocker *blocker)
{
	const struct nl_leaf_header *h = leaf->header;
	struct nl_entry *e = choose_entry();
	enum nl_err err;

	if (!e)
		return NL_ENOMEM;
	/* Beside what the entry holds now: until nothing can fail, it is not given up. */
	err = nl_bind_begin(&fresh, leaf, h->signed_size);
	if (!err)
		err = nl_bind(&fresh, leaf, UINT32_MAX, k, blocker);
	if (!err)
		err = nl_registry_check(&fresh, UINT32_MAX, k, blocker);
	if (err)
		return err;
	fresh.used = true;
	fresh.state.condition = NL_LEAF_VERIFIED;
	fresh.state.version = h->version;
	fresh.state.consistency = h->consistency;
	fresh.state.signatures = check->n_known;
	fresh.authors = check->known;
	fresh.state.counters = h->counters;
	fresh.state.confirm_s = h->confirm_s;
	fresh.counter_offset = h->counter_offset - h->target.kernel.data.offset;
	fresh.counter_cpus = h->counter_cpus;
	memcpy(fresh.facts.sha256, check->sha256, sizeof(fresh.facts.sha256));
	fresh.facts.size = h->facts.count;
	fresh.facts.counters = h->counters;
	memcpy(fresh.facts.bytes, leaf->facts, h->facts.count);
	fresh.state.body_bytes = h->text.count + h->data.count + h->bss_size;
	fresh.state.since_tsc = x86_rdtsc();
	fresh.state.old_tasks = NL_UNCOUNTED;
	fresh.state.generation = nl_current_view()->generation;
	*e = fresh;
	return NL_OK;
}

enum nl_err nl_registry_open(struct nl_check *c, const void *file, size_t size)
{
	size_t signed_size = 0;
	enum nl_err err = nl_leaf_split(file, size, &signed_size);

	*c = (struct nl_check){file, err ? 0 : size, signed_size, NL_DOMAIN_LEAF, .role = NL_ROLE_AUTHOR};
	return err;
}

static enum nl_err check_quorum(const struct nl_check *c, struct nl_verify_report *report)
{
	enum nl_err err = nl_list_quorum(c, nl_boot.facts.policy.signatures, report->key_id);

	report->signatures = c->n_known;
	if (c->known)
		memcpy(report->key_name, nl_boot.keys[__builtin_ctz(c->known)].name, sizeof(nl_boot.keys[0].name));
	return err;
}

static uint32_t overrides(const struct nl_leaf *leaf)
{
	const struct nl_leaf_fact *f = NULL;
	uint32_t n = 0;

	while ((f = nl_fact_next(leaf->facts, leaf->header->facts.count, f)))
		n += f->kind == NL_FACT_ALLOW;
	return n;
}

static enum nl_err verify_signed(const struct nl_context *ctx, struct nl_check *c, struct nl_verify_report *report)
{
	struct nl_entry *known = nl_registry_find(report->sha256);
	struct nl_kernel kernel;
	struct nl_leaf leaf;
	enum nl_err err = nl_list_bars(report->sha256, known && known->state.condition == NL_LEAF_APPLIED);

	if (err)
		return err;
	if (!c->parsed) {
		err = nl_leaf_parse(c->file, c->signed_size, &leaf);
		c->parsed = !err;
		return err ? err : NL_AGAIN;
	}
	nl_leaf_open(c->file, &leaf);
	memcpy(report->id, leaf.header->id, sizeof(report->id));
	err = nl_guest_find(ctx, &leaf.header->target, &kernel);
	memcpy(report->found_build_id, kernel.build_id, kernel.build_id_len);
	report->found_build_id_len = kernel.build_id_len;
	if (err)
		return err;
	report->slide = kernel.slide;
	if (!matched.target.kernel.build_id_len) {
		matched.target = leaf.header->target;
		matched.slide = kernel.slide;
		nl_journal(NL_EV_KERNEL, NL_OK, NULL, NULL, kernel.slide, 0);
		return NL_AGAIN;
	}
	if (known) {
		known->authors |= c->known;
		/* the plan is of what it is bound to */
		if (known->state.condition == NL_LEAF_APPLIED || nl_pinned >> (known - nl_registry) & 1)
			return NL_OK;
		err = nl_bind(known, NULL, UINT32_MAX, &kernel, &report->blocker);
		return err ? err : nl_registry_check(known, UINT32_MAX, &kernel, &report->blocker);
	}
	memset(&fresh, 0, sizeof(fresh));
	fresh.target = leaf.header->target;
	memcpy(fresh.state.id, report->id, sizeof(fresh.state.id));
	memcpy(fresh.state.sha256, report->sha256, sizeof(fresh.state.sha256));
	memcpy(fresh.state.key_id, report->key_id, sizeof(fresh.state.key_id));
	memcpy(fresh.state.key_name, report->key_name, sizeof(fresh.state.key_name) - 1);
	if ((err = admit(&leaf, c, &kernel, &report->blocker)))
		return err;
	nl_journal(NL_EV_VERIFIED, NL_OK, report->id, report->sha256, report->signatures, overrides(&leaf));
	return NL_OK;
}

enum nl_err nl_registry_verify(const struct nl_context *ctx, struct nl_check *c, const struct nl_order *only,
                               struct nl_verify_report *report)
{
	bool staged = !c;
	enum nl_err err = NL_OK;

	memset(report, 0, sizeof(*report));
	report->blocker.cpu = UINT32_MAX;
	if (staged && (!staging.begun || staging.received != staging.size))
		return NL_ESTATE;
	c = staged ? &staging.check : c;
	if (!c->size)
		err = nl_registry_open(c, staging.file, staging.size);
	err = err ? err : nl_check_step(c);
	if (only && c->size && c->hashed == c->signed_size && !nl_order_names(only, c->sha256))
		err = NL_EPOLICY;
	if (err != NL_AGAIN)
		memcpy(report->sha256, c->sha256, sizeof(report->sha256));
	if (!err && !(err = check_quorum(c, report)))
		err = verify_signed(ctx, c, report);
	if (err == NL_AGAIN || !staged)
		return err;
	c->size = 0;
	if (err)
		nl_journal(NL_EV_REFUSED, err, report->id, report->sha256, report->blocker.site_va, 0);
	return err;
}
