// SPDX-License-Identifier: Apache-2.0
/*
 * apply, revert, sync: sugar over one commit of a set of leaves. All leaves of one command go in one flip, or none
 * does.
 */
#include "cli.h"
#include "facts.h"
#include "livepatch.h"
#include "probation.h"
#include "symbol.h"
#include "text.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_NS 1000000000ULL
#define DEADLINE_EMULATED_NS 10000000000ULL
#define WHAT_MAX 512

struct change {
	struct cli *c;
	const char *schema;                      /* "apply" */
	const char *done;                        /* "applied" */
	const char *subject;                     /* for failures that concern all: "demo, other" */
	struct nl_leaf_state now[NL_MAX_LEAVES]; /* before the commit, then after it */
	size_t n_now;
	struct cli_leaf_file files[NL_MAX_LEAVES];
	size_t n_files;
	struct nl_commit_request request;
	const struct nl_leaf_state *gone[NL_MAX_LEAVES]; /* entries of now[] that will not be applied any more */
	size_t n_gone;
	size_t n_new; /* entries of the set that are not applied now */
	uint64_t begin_ns;
	uint32_t gathers;  /* of the commit */
	uint64_t trial_ns; /* what it has put on is taken back after so long; 0: not on probation */
	char what[WHAT_MAX];
};

static uint64_t now_ns(const struct change *x) { return x->c->transport->now_ns(x->c->transport->ctx); }

static const char *not_done(struct change *x, const char *name)
{
	snprintf(x->what, sizeof(x->what), "%.400s not %s", name, x->done);
	return x->what;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Names for one line: "a", "a, b". */
static const char *join(char *out, size_t size, const char *const *names, size_t n)
{
	size_t len = 0;

	out[0] = 0;
	for (size_t i = 0; i < n && len < size; i++)
		len += (size_t)snprintf(out + len, size - len, "%s%s", i ? ", " : "", names[i]);
	return out;
}

static int begin(struct change *x, struct cli *c, const char *schema, const char *done, const char *subject)
{
	uint64_t limit;
	enum nl_err e;
	int result;

	memset(x, 0, sizeof(*x));
	x->c = c;
	x->schema = schema;
	x->done = done;
	x->subject = subject;
	result = cli_open_locked(c, not_done(x, subject));
	if (result != NL_EXIT_OK)
		return result;
	x->begin_ns = now_ns(x);
	e = nl_agent_leaves(&c->agent, x->now, NL_MAX_LEAVES, &x->n_now);
	if (e != NL_OK)
		return cli_fail_agent(c, not_done(x, subject), e, NULL);
	limit = c->status.boot.policy.deadline_ms * 1000000ULL;
	if (!(c->given & OPT_DEADLINE)) {
		c->deadline_ns = c->status.emulated ? DEADLINE_EMULATED_NS : DEADLINE_NS;
		if (limit && c->deadline_ns > limit)
			c->deadline_ns = limit;
	} else if (limit && c->deadline_ns > limit) {
		return cli_fail(c, not_done(x, subject), NL_EUSAGE,
		                "this machine's policy allows a --deadline of at most %u ms",
		                c->status.boot.policy.deadline_ms);
	}
	x->request.expected_generation = c->status.generation;
	x->request.deadline_ms = (uint32_t)((c->deadline_ns + 999999) / 1000000);
	x->request.flags = c->given & OPT_AGENTLESS ? NL_COMMIT_AGENTLESS : 0;
	if (!(c->given & OPT_CONFIRM))
		return NL_EXIT_OK;
	if (c->confirm_ns > c->status.boot.policy.confirm_ms * 1000000ULL)
		return cli_fail(c, not_done(x, subject), NL_EUSAGE,
		                "this machine's policy allows a --confirm of at most %u ms",
		                c->status.boot.policy.confirm_ms);
	x->request.confirm_ms = (uint32_t)((c->confirm_ns + 999999) / 1000000);
	return NL_EXIT_OK;
}

static bool is_applied(const struct change *x, const uint8_t *sha256)
{
	for (size_t i = 0; i < x->n_now; i++)
		if (x->now[i].condition == NL_LEAF_APPLIED && !memcmp(x->now[i].sha256, sha256, 32))
			return true;
	return false;
}

/* Would a file that is to go on be passed by? One that is on already is not asked again. */
static int check_livepatches(struct change *x)
{
	struct livepatch l;

	for (size_t i = 0; i < x->n_files; i++)
		if (!is_applied(x, x->files[i].report.sha256) &&
		    livepatch_meets(x->files[i].bytes, x->files[i].size, &l))
			return cli_fail(x->c, not_done(x, x->files[i].report.id), NL_ELIVEPATCH,
			                "%s: %s of %s, by %s/%s", cli_error(NL_ELIVEPATCH)->what, l.function, l.object,
			                cli_livepatch_dir, l.name);
	return NL_EXIT_OK;
}

/* What of the running kernel was compared. */
static void say_match(const struct change *x, const struct cli_leaf_file *f)
{
	const struct nl_leaf_header *h = (const void *)f->bytes;
	const struct nl_leaf_site *s = f->size < sizeof(*h) ? NULL : cli_leaf_part(f, &h->sites, sizeof(*s));
	uint32_t bytes = 0;

	for (uint32_t i = 0; s && i < h->sites.count; i++)
		bytes += s[i].len;
	if (s)
		cli_progress(x->c, "match", "build-id, %u site%s, %u expected bytes", h->sites.count,
		             h->sites.count == 1 ? "" : "s", bytes);
}

/* Read and verify one file. Nothing is applied by that. */
static int take_file(struct change *x, const char *path)
{
	struct cli_leaf_file *f = &x->files[x->n_files];
	const struct nl_verify_report *r = &f->report;
	struct text t;
	enum nl_err e;

	if (x->n_files == NL_MAX_LEAVES)
		return cli_fail(x->c, not_done(x, x->subject), NL_EUSAGE, "more than %u leaves", NL_MAX_LEAVES);
	f->path = path;
	e = cli_read_file(path, NL_LEAF_MAX_SIZE, &f->bytes, &f->size);
	x->n_files++;
	if (e == NL_EENVIRONMENT)
		return cli_fail(x->c, not_done(x, base_name(path)), e, "cannot read %s: %s", path, strerror(errno));
	if (e == NL_ELEAF)
		return cli_fail(x->c, not_done(x, base_name(path)), e, "%s is larger than a leaf may be (%u bytes)",
		                path, NL_LEAF_MAX_SIZE);
	if (!f->size)
		return cli_fail(x->c, not_done(x, base_name(path)), NL_ELEAF, "%s is empty", path);
	e = nl_agent_verify(&x->c->agent, f->bytes, f->size, &f->report);
	if (e == NL_OK || e == NL_NOTHING || f->report.blocker.site_va) /* its kernel was found */
		symbol_learn(f);
	if (e != NL_OK && e != NL_NOTHING)
		return cli_fail_agent(x->c, not_done(x, r->id[0] ? r->id : base_name(path)), e, f);
	cli_progress(x->c, "verify", "key %s \"%s\"%s%s%s", text_hex(&t, r->key_id, 2), r->key_name,
	             r->signatures > 1 ? " and others" : "", x->n_files > 1 ? "  " : "", x->n_files > 1 ? r->id : "");
	say_match(x, f);
	return NL_EXIT_OK;
}

static bool in_request(const struct change *x, const uint8_t *sha256)
{
	for (uint32_t i = 0; i < x->request.count; i++)
		if (!memcmp(x->request.set[i], sha256, 32))
			return true;
	return false;
}

static bool file_has_id(const struct change *x, const char *id)
{
	for (size_t i = 0; i < x->n_files; i++)
		if (!strcmp(x->files[i].report.id, id))
			return true;
	return false;
}

/* Does one of the files say that it takes this leaf's place, and knows its version? What is wrong with a file the
 * hypervisor has said. */
static bool file_supersedes(const struct change *x, const char *id, uint32_t version)
{
	for (size_t i = 0; i < x->n_files; i++) {
		const struct nl_leaf_fact *f = NULL;
		struct nl_leaf_part facts;

		if (x->files[i].size < sizeof(struct nl_leaf_header))
			continue;
		facts = ((const struct nl_leaf_header *)(const void *)x->files[i].bytes)->facts;
		if (facts.offset % 4 || facts.offset > x->files[i].size ||
		    facts.count > x->files[i].size - facts.offset)
			continue;
		while ((f = nl_fact_next(x->files[i].bytes + facts.offset, facts.count, f)))
			if (f->kind == NL_FACT_SUPERSEDES && f->version >= version && f->length == strlen(id) &&
			    !memcmp(f->text, id, f->length))
				return true;
	}
	return false;
}

static int add(struct change *x, const uint8_t *sha256)
{
	if (in_request(x, sha256))
		return NL_EXIT_OK;
	if (x->request.count == NL_MAX_LEAVES)
		return cli_fail(x->c, not_done(x, x->subject), NL_EUSAGE, "more than %u leaves would be applied",
		                NL_MAX_LEAVES);
	memcpy(x->request.set[x->request.count++], sha256, 32);
	if (!is_applied(x, sha256))
		x->n_new++;
	return NL_EXIT_OK;
}

static void note_gone(struct change *x)
{
	for (size_t i = 0; i < x->n_now; i++)
		if (x->now[i].condition == NL_LEAF_APPLIED && !in_request(x, x->now[i].sha256))
			x->gone[x->n_gone++] = &x->now[i];
}

/* One leaf of the answer's list. */
static void leaf_json(struct json *j, const char *key, const char *id, const uint8_t *sha256)
{
	json_open(j, key, '{');
	json_string(j, "id", id);
	json_bytes(j, "sha256", sha256, 32);
	json_close(j, '}');
}

static const char *quiesced(const struct nl_commit_report *r)
{
	return r->flags & NL_COMMIT_AGENTLESS ? "agentless" : "agent";
}

static void print_json(const struct change *x, const char *result, const struct nl_commit_report *r, uint64_t took_ns,
                       enum nl_err note)
{
	struct json j = {.f = stdout};

	json_document(&j, x->schema, result);
	json_bool(&j, "dry_run", x->c->given & OPT_DRY_RUN);
	if (x->n_files)
		leaf_json(&j, "leaf", x->files[0].report.id, x->files[0].report.sha256);
	else if (x->n_gone)
		leaf_json(&j, "leaf", x->gone[0]->id, x->gone[0]->sha256);
	json_open(&j, "leaves", '[');
	for (size_t i = 0; i < x->n_files; i++)
		leaf_json(&j, NULL, x->files[i].report.id, x->files[i].report.sha256);
	json_close(&j, ']');
	json_open(&j, "reverted", '[');
	for (size_t i = 0; i < x->n_gone; i++)
		leaf_json(&j, NULL, x->gone[i]->id, x->gone[i]->sha256);
	json_close(&j, ']');
	json_open(&j, "generation", '{');
	json_uint(&j, "from", r ? r->generation_from : x->c->status.generation);
	json_uint(&j, "to", r ? r->generation_to : x->c->status.generation);
	json_close(&j, '}');
	cli_blackout_json(x->c, &j);
	if (r) {
		static const char *const levels[] = {NULL, "fetch", "cpu", "task"};

		json_string(&j, "quiesce", quiesced(r));
		json_string(&j, "level", r->level < NL_ARRAY_SIZE(levels) ? levels[r->level] : NULL);
		json_uint(&j, "apply_ns", took_ns);
		json_uint(&j, "prepare_ns", r->prepare_ns);
		json_uint(&j, "stop_window_ns", r->window_ns);
		json_open(&j, "hold_ns", '[');
		json_uint(&j, NULL, r->longest_hold_ns);
		json_close(&j, ']');
		json_uint(&j, "tries", r->tries);
		json_uint(&j, "gathers", x->gathers);
		json_uint(&j, "cpus", r->cpus_total);
		json_uint(&j, "pages", r->pages);
		json_count(&j, "old_tasks", r->old_tasks);
		json_uint(&j, "tasks_scanned", r->tasks_scanned);
		json_bool(&j, "emulated", x->c->status.emulated);
		json_string(&j, "note", note == NL_OK ? NULL : cli_error(note)->name);
		json_uint(&j, "trial_ns", x->trial_ns);
	}
	json_end(&j);
}

/* What the answer speaks of first: the files, or what is gone where there is none. */
static const char *names_of(const struct change *x, char *out, size_t size)
{
	const char *names[2 * NL_MAX_LEAVES];
	size_t n = 0;

	for (size_t i = 0; i < x->n_files; i++)
		names[n++] = x->files[i].report.id;
	for (size_t i = 0; i < x->n_gone && !x->n_files; i++)
		names[n++] = x->gone[i]->id;
	if (!n)
		names[n++] = "nothing";
	return join(out, size, names, n);
}

/* "; reverted: a, b": what a sync takes away besides what the files replace. */
static const char *besides(const struct change *x, const char *between, char *out, size_t size)
{
	const char *names[NL_MAX_LEAVES];
	size_t n = 0;
	int len;

	for (size_t i = 0; i < x->n_gone && x->n_files; i++)
		if (!file_has_id(x, x->gone[i]->id))
			names[n++] = x->gone[i]->id;
	out[0] = 0;
	if (n) {
		len = snprintf(out, size, "; reverted%s", between);
		join(out + len, size - (size_t)len, names, n);
	}
	return out;
}

static int finish(struct change *x)
{
	struct cli *c = x->c;
	struct nl_commit_report r;
	struct text t[4];
	char names[WHAT_MAX], more[WHAT_MAX];
	enum nl_err e, note = NL_OK;
	struct nl_leaf_state after[NL_MAX_LEAVES];
	struct nl_leaf_facts *facts = NULL;
	uint64_t took;
	size_t n;

	note_gone(x);
	names_of(x, names, sizeof(names));
	if (!x->n_new && !x->n_gone)
		return cli_nothing(c, x->schema, "%s %s %s already", names, x->n_files > 1 ? "are" : "is", x->done);
	if (!x->n_files)
		x->done = "reverted"; /* by a sync, too: its directory is empty */
	if (c->given & OPT_DRY_RUN) {
		if (c->timeline)
			fprintf(stderr, "newleaf: no commit: %s not written\n", c->timeline);
		if (c->json)
			print_json(x, "ok", NULL, 0, NL_OK);
		else if (!c->quiet)
			printf("would be %s: %s%s (generation %llu stays)%s\n", x->done, names,
			       besides(x, ": ", more, sizeof(more)), (unsigned long long)c->status.generation,
			       cli_blackout(c, &t[0]));
		return NL_EXIT_OK;
	}
	cli_timeline_begin(c);
	e = nl_agent_commit(&c->agent, &x->request, &r);
	x->gathers = c->agent.details.gathers;
	cli_timeline_end(c);
	took = now_ns(x) - x->begin_ns;
	if (e == NL_NOTHING)
		return cli_nothing(c, x->schema, "%s %s %s already", names, x->n_files > 1 ? "are" : "is", x->done);
	if (e == NL_EDEGRADED)
		note = e;
	else if (e != NL_OK)
		return cli_fail_agent(c, not_done(x, names), e, NULL);
	cli_progress(c, "prepare", "%u page%s, %s", r.pages, r.pages == 1 ? "" : "s", text_ns(&t[0], r.prepare_ns));
	cli_progress(c, "quiesce", "%u/%u CPUs (%s), %u tr%s", r.cpus_held, r.cpus_total, quiesced(&r), r.tries,
	             r.tries == 1 ? "y" : "ies");
	/* What was done stands, whether or not this is answered. */
	if (nl_agent_leaves(&c->agent, after, NL_MAX_LEAVES, &n) != NL_OK || !(facts = facts_read(c, after, n, &e)))
		n = 0;
	for (size_t i = 0; i < n; i++) {
		if (after[i].generation != r.generation_to || after[i].condition != NL_LEAF_APPLIED)
			continue;
		if (after[i].note != NL_OK)
			note = after[i].note;
		if (after[i].trial_tsc) /* all of one commit together */
			x->trial_ns = text_tsc_ns(after[i].trial_tsc - after[i].since_tsc, c->status.boot.tsc_hz);
	}
	if (c->json)
		print_json(x, note == NL_OK ? "ok" : "degraded", &r, took, note);
	else if (!c->quiet)
		printf("%s %s%s: generation %llu -> %llu in %s; stop window %s, longest hold %s%s%s\n", x->done, names,
		       besides(x, " ", more, sizeof(more)), (unsigned long long)r.generation_from,
		       (unsigned long long)r.generation_to, text_ns(&t[0], took), text_ns(&t[1], r.window_ns),
		       text_ns(&t[2], r.longest_hold_ns), cli_blackout(c, &t[3]),
		       c->status.emulated ? " (emulated: compare ratios, not microseconds)" : "");
	if (x->trial_ns && !c->json && !c->quiet)
		printf("on trial: taken back in %s unless newleaf confirm says that it is good\n",
		       text_age(&t[0], x->trial_ns));
	for (size_t i = 0; !c->json && !c->quiet && i < n; i++) {
		if (after[i].generation != r.generation_to)
			continue;
		facts_print_modules(&after[i], &facts[i]);
		if (after[i].old_tasks && after[i].old_tasks != NL_UNCOUNTED)
			printf("note: %u task%s stood in the old code of %s and finish%s in it\n", after[i].old_tasks,
			       after[i].old_tasks == 1 ? "" : "s", after[i].id, after[i].old_tasks == 1 ? "es" : "");
	}
	free(facts);
	return note == NL_OK ? NL_EXIT_OK : NL_EXIT_DEGRADED;
}

static int end(struct change *x, int result)
{
	symbol_forget();
	for (size_t i = 0; i < x->n_files; i++)
		free(x->files[i].bytes);
	free(x);
	return result;
}

static struct change *new_change(struct cli *c, int *result)
{
	struct change *x = calloc(1, sizeof(*x));

	if (!x)
		*result = cli_fail(c, "nothing done", NL_EENVIRONMENT, "out of memory");
	return x;
}

static int apply(struct change *x, struct cli *c)
{
	char subject[WHAT_MAX];
	const char *names[NL_MAX_LEAVES];
	int result;

	for (int i = 0; i < c->n_args; i++)
		names[i] = base_name(c->args[i]);
	result = begin(x, c, "apply", "applied", join(subject, sizeof(subject), names, (size_t)c->n_args));
	for (int i = 0; i < c->n_args && result == NL_EXIT_OK; i++)
		result = take_file(x, c->args[i]);
	for (size_t i = 0; i < x->n_files && result == NL_EXIT_OK;
	     i++) /* two files of one id: the last one would silently win */
		for (size_t k = 0; k < i && result == NL_EXIT_OK; k++)
			if (!strcmp(x->files[i].report.id, x->files[k].report.id) &&
			    memcmp(x->files[i].report.sha256, x->files[k].report.sha256, 32))
				result =
				        cli_fail(c, not_done(x, subject), NL_EUSAGE, "%s and %s are two versions of %s",
				                 x->files[k].path, x->files[i].path, x->files[i].report.id);
	for (size_t i = 0; i < x->n_now && result == NL_EXIT_OK; i++)
		if (x->now[i].condition == NL_LEAF_APPLIED && !file_has_id(x, x->now[i].id) &&
		    !file_supersedes(x, x->now[i].id, x->now[i].version))
			result = add(x, x->now[i].sha256);
	for (size_t i = 0; i < x->n_files && result == NL_EXIT_OK; i++)
		result = add(x, x->files[i].report.sha256);
	if (result == NL_EXIT_OK)
		result = check_livepatches(x);
	return result == NL_EXIT_OK ? finish(x) : result;
}

int verb_apply(struct cli *c)
{
	int result = NL_EXIT_INTERNAL;
	struct change *x = new_change(c, &result);

	return x ? end(x, apply(x, c)) : result;
}

static bool named(const struct cli *c, const char *id)
{
	for (int i = 0; i < c->n_args; i++)
		if (!strcmp(c->args[i], id))
			return true;
	return false;
}

static int revert(struct change *x, struct cli *c)
{
	char subject[WHAT_MAX];
	const bool all = c->given & OPT_ALL;
	size_t applied = 0;
	int result;

	if (all != !c->n_args)
		return cli_fail(c, "nothing reverted", NL_EUSAGE,
		                all ? "either ids or --all" : "which leaf? name its id, or say --all");
	join(subject, sizeof(subject), (const char *const *)c->args, (size_t)c->n_args);
	result = begin(x, c, "revert", "reverted", all ? "all leaves" : subject);
	if (result != NL_EXIT_OK)
		return result;
	for (int i = 0; i < c->n_args; i++) {
		const struct nl_leaf_state *known = NULL;

		for (size_t k = 0; k < x->n_now; k++)
			if (!strcmp(x->now[k].id, c->args[i]) && (!known || x->now[k].condition == NL_LEAF_APPLIED))
				known = &x->now[k];
		if (!known)
			return cli_fail(c, not_done(x, c->args[i]), NL_EUNKNOWN_LEAF, "no leaf \"%s\" is known",
			                c->args[i]);
		if (known->condition != NL_LEAF_APPLIED)
			return cli_fail(c, not_done(x, c->args[i]), NL_EUNKNOWN_LEAF, "%s is not applied", c->args[i]);
	}
	for (size_t i = 0; i < x->n_now && result == NL_EXIT_OK; i++) {
		if (x->now[i].condition != NL_LEAF_APPLIED)
			continue;
		applied++;
		if (!all && !named(c, x->now[i].id))
			result = add(x, x->now[i].sha256);
	}
	if (result != NL_EXIT_OK)
		return result;
	if (!applied)
		return cli_nothing(c, x->schema, "no leaf is applied");
	return finish(x);
}

int verb_revert(struct cli *c)
{
	int result = NL_EXIT_INTERNAL;
	struct change *x = new_change(c, &result);

	return x ? end(x, revert(x, c)) : result;
}

static int is_leaf_file(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return e->d_name[0] != '.' && n > 5 && !strcmp(e->d_name + n - 5, ".leaf");
}

static int sync_dir(struct change *x, struct cli *c, char (*paths)[1024])
{
	struct dirent **list;
	char resolved[PATH_MAX];
	int result, n = scandir(c->args[0], &list, is_leaf_file, alphasort);

	if (n < 0)
		return cli_fail(c, "nothing synced", NL_EENVIRONMENT, "cannot read %s: %s", c->args[0],
		                strerror(errno));
	result = begin(x, c, "sync", "synced",
	               realpath(c->args[0], resolved) ? resolved : c->args[0]); /* ". not synced" says nothing */
	for (int i = 0; i < n; i++) {
		if (result == NL_EXIT_OK && i < (int)NL_MAX_LEAVES) {
			snprintf(paths[i], sizeof(*paths), "%.700s/%.255s", c->args[0], list[i]->d_name);
			result = take_file(x, paths[i]);
		} else if (result == NL_EXIT_OK) {
			result = cli_fail(c, not_done(x, x->subject), NL_EUSAGE, "more than %u leaves in %s",
			                  NL_MAX_LEAVES, c->args[0]);
		}
		free(list[i]);
	}
	free(list);
	for (size_t i = 0; i < x->n_files && result == NL_EXIT_OK; i++)
		result = add(x, x->files[i].report.sha256);
	if (result == NL_EXIT_OK)
		result = check_livepatches(x);
	return result == NL_EXIT_OK ? finish(x) : result;
}

int verb_sync(struct cli *c)
{
	static char paths[NL_MAX_LEAVES][1024];
	int result = NL_EXIT_INTERNAL;
	struct change *x = new_change(c, &result);

	return x ? end(x, sync_dir(x, c, paths)) : result;
}
