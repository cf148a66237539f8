// SPDX-License-Identifier: Apache-2.0
/*
 * A redirect is `jmp rel32` behind the entry's ENDBR and ftrace nop, so that tracers keep working; the rest of the
 * instructions that it breaks becomes int3. It is refused wherever somebody could still arrive in, return to, or patch
 * the bytes that it takes.
 */
#include "redirect.h"
#include "aliases.h"
#include "branches.h"
#include "code.h"
#include "contract.h"
#include "counter.h"
#include "elsewhere.h"
#include "livesites.h"
#include "module.h"
#include "nearby.h"
#include "thunks.h"
#include "note.h"
#include "oldhash.h"
#include "stub.h"
#include "watch.h"

#include <newleaf/types.h>
#include <string.h>

#define JMP_LENGTH 5
#define NOP_LENGTH 5
#define ENDBR_LENGTH 4
#define PADDING_ALIGN 16u /* of functions, at least */
#define INT3 0xcc
static const uint8_t endbr64[ENDBR_LENGTH] = {0xf3, 0x0f, 0x1e, 0xfa};

struct entry { /* one function of the kernel and the site in it */
	const char *name;
	const char *where; /* recipe:line */
	uint64_t va;
	uint32_t size; /* to the next symbol */
	const uint8_t *bytes;
	bool traced;
	uint32_t site, site_len; /* offset from va */
};

static const char *const clones[] = {".isra.", ".constprop.", ".part.", ".cold"};

/* A clone that the compiler made of the function for some of its callers, or NULL. */
static const struct ksym *find_clone(const struct kernel *k, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < k->syms.n; i++)
		for (size_t j = 0; j < 3; j++) /* .cold is called by the function itself */
			if (kernel_owns(k, k->syms.sym[i].va) && !strncmp(k->syms.sym[i].name, name, n) &&
			    !strncmp(k->syms.sym[i].name + n, clones[j], strlen(clones[j])))
				return &k->syms.sym[i];
	return NULL;
}

static void note_aliases(struct draft *d, const struct kernel *k, const struct recipe_replace *s)
{
	struct place p = place_in_kernel(k, &s->function, s->function.name);
	char *others = p.symbol == NL_SYM_REGION ? aliases_of(k, s->function.name, p.value) : NULL;

	if (others)
		note(d, NL_FACT_ALLOW, xformat("aliases of %s: the same code is %s", s->function.name, others));
}

/* Its own code at another place is the others' own code, too. */
static void check_aliases(const struct kernel *k, const struct entry *e, const struct recipe_replace *s)
{
	char *others = s->allow_aliases || s->origin == FROM_ITSELF ? NULL : aliases_of(k, e->name, e->va);

	if (others)
		refuse(NL_ESITE,
		       "%s: in %s, the code of %s is that of %s, too, and would change for all; if that is meant, say: "
		       "allow aliases",
		       e->where, k->release, e->name, others);
}

void redirect_overrides(struct draft *d, const struct kernel *k, const struct recipe_replace *s)
{
	const struct ksym *clone = s->allow_clones ? find_clone(k, s->function.name) : NULL;

	if (s->allow_callers)
		note(d, NL_FACT_ALLOW, xformat("callers of %s that do not look at what it returns", s->function.name));
	if (s->allow_aliases && s->origin != FROM_ITSELF)
		note_aliases(d, k, s);
	if (clone)
		note(d, NL_FACT_ALLOW,
		     xformat("clones of %s: callers of %s stay with the old code%s", s->function.name, clone->name,
		             branches_callers(k, clone->va)));
}

static void check_name(const struct kernel *k, const struct recipe_replace *s, const char *where)
{
	const struct ksym *sym, *found = find_clone(k, s->function.name);
	const char *name = s->function.name;

	for (size_t i = 0; i < NL_ARRAY_SIZE(clones); i++)
		if (strstr(name, clones[i]))
			refuse(NL_ESITE,
			       "%s: %s is a clone made by the compiler (%s), which may take its arguments in a private "
			       "way",
			       where, name, clones[i]);
	/* Without a hash nobody has ever seen it in a kernel: then it is a slip rather than another kernel. */
	if (!found && !kallsyms_find(&k->syms, name, 1, &sym))
		refuse(s->n_old ? NL_ETARGET : NL_ENAME,
		       "%s: %s has no symbol %s%s; what the compiler puts into its callers has none%s", where,
		       k->release, name, nearby_names(k, name),
		       k->modules ? "" : ", and modules are only looked at by -M");
	if (!found || s->allow_clones)
		return;
	if (!kallsyms_find(&k->syms, name, 1, &sym))
		refuse(NL_ETARGET,
		       "%s: %s has no %s, only the clone %s, which may take its arguments in a private way%s", where,
		       k->release, name, found->name, branches_callers(k, found->va));
	refuse(NL_ESITE,
	       "%s: the compiler also made %s, whose callers would stay with the old code%s; if that is right, say: "
	       "allow clones",
	       where, found->name, branches_callers(k, found->va));
}

/* What a module may have of code that nobody calls as a function. */
static void check_module_section(const struct kernel *k, const struct entry *e)
{
	static const struct {
		const char *begins, *why;
	} closed[] = {
	        {".noinstr", "noinstr code: it runs where nothing may be called that can trap"},
	        {".entry", "entry code: it runs on the user's page table, where the body is not mapped"},
	        {".static_call.text", "a static call's trampoline: the kernel writes it itself"},
	        {".altinstr", "code of an alternative, which the kernel copies"},
	};
	const char *name = kernel_section_at(k, e->va)->name;

	for (size_t i = 0; i < NL_ARRAY_SIZE(closed); i++)
		if (starts_with(name, closed[i].begins))
			refuse(NL_ESITE, "%s: %s is %s", e->where, e->name, closed[i].why);
}

static void check_section(const struct kernel *k, const struct entry *e)
{
	static const struct {
		const char *start, *stop, *why;
	} closed[] = {
	        {"__entry_text_start", "__entry_text_end",
	         "entry code: it runs on the user's page table, where the body is not mapped"},
	        {"__noinstr_text_start", "__noinstr_text_end",
	         "noinstr code: it runs where nothing may be called that can trap"},
	        {"__static_call_text_start", "__static_call_text_end",
	         "a static call's trampoline: the kernel writes it itself"},
	};

	const char *elsewhere;

	if (!kernel_owns(k, e->va))
		refuse(NL_ETARGET, "%s: %s has no %s of its own", e->where, k->module ? k->module->name : "the kernel",
		       e->name);
	if (!kernel_is_text(k, e->va))
		refuse(NL_ESITE, "%s: %s lies outside the %s", e->where, e->name,
		       k->module ? "code of its module" : "kernel's text");
	if (thunk_name(e->name))
		refuse(NL_ESITE, "%s: %s is a thunk or a trampoline: the kernel writes it itself", e->where, e->name);
	if (k->module) {
		check_module_section(k, e);
		return;
	}
	for (size_t i = 0; i < NL_ARRAY_SIZE(closed); i++) {
		uint64_t start = kernel_symbol_or_0(k, closed[i].start), stop = kernel_symbol_or_0(k, closed[i].stop);

		if (start && e->va >= start && e->va < stop)
			refuse(NL_ESITE, "%s: %s is %s", e->where, e->name, closed[i].why);
	}
	elsewhere = elsewhere_runs(k, e->va);
	if (elsewhere)
		refuse(NL_ESITE, "%s: %s is %s", e->where, e->name, elsewhere);
}

/* May the site go on with this instruction behind the end of the code? Where nothing but padding follows, nobody comes;
 * up to a boundary of 16 only, since what boot may write before the next function (call padding) begins there. */
static bool is_padding(const struct entry *e, uint32_t end, uint32_t at, uint32_t len)
{
	if (e->va + at + len > ((e->va + end + PADDING_ALIGN - 1) & ~(uint64_t)(PADDING_ALIGN - 1)))
		return false;
	while (end < e->size) {
		struct code_step s = code_decode(e->bytes + end, e->size - end, e->va + end);

		if (!s.pads)
			return false;
		end += s.len;
	}
	return true;
}

static void find_site(const struct kernel *k, struct entry *e)
{
	uint32_t end = 0;

	if (e->size >= ENDBR_LENGTH && !memcmp(e->bytes, endbr64, ENDBR_LENGTH))
		e->site = ENDBR_LENGTH;
	e->traced = livesites_ftrace(k, e->va + e->site);
	if (e->traced)
		e->site += NOP_LENGTH;
	while (e->site_len < JMP_LENGTH) {
		uint32_t at = e->site + e->site_len;
		struct code_step s =
		        at < e->size ? code_decode(e->bytes + at, e->size - at, e->va + at) : (struct code_step){0};

		if (at >= e->size || (end && !is_padding(e, end, at, s.len)))
			refuse(NL_ESITE, "%s: %s is too short for a jump of %d bytes", e->where, e->name, JMP_LENGTH);
		if (!s.len)
			refuse(NL_ESITE, "%s: %s+%#x holds no instruction", e->where, e->name, at);
		/* Its address would be that of a beginning, also of the site's. */
		if (s.resumes)
			refuse(NL_ESITE, "%s: the instruction at %s+%#x may be interrupted in its middle", e->where,
			       e->name, at);
		e->site_len += s.len;
		if (s.ends && !end)
			end = e->site + e->site_len;
		if (s.is_call && e->site_len < JMP_LENGTH)
			refuse(NL_ESITE, "%s: the call at %s+%#x would return into the jump", e->where, e->name, at);
	}
	if (e->site_len > NL_SITE_MAX_LEN)
		refuse(NL_EINTERNAL, "a site of %u bytes", e->site_len);
	if (((e->va + e->site) & NL_PAGE_MASK) + JMP_LENGTH > NL_PAGE_SIZE)
		refuse(NL_ESITE, "%s: the jump at %s+%#x would cross a page", e->where, e->name, e->site);
}

/* Control may come to the first byte of the site only as a call of the function: by call, or by the tail call of
 * another. */
static bool enters_wrongly(const void *arg, const struct branch *b)
{
	const struct entry *e = arg;
	const char *from = b->in ? b->in->name : "";
	size_t n = strlen(e->name);
	bool own = !strncmp(from, e->name, n) && (!from[n] || !strcmp(from + n, ".cold"));

	return b->target != e->va || (!b->is_call && own);
}

static void check_branches(const struct kernel *k, const struct entry *e)
{
	uint64_t start = e->va + e->site, end = start + e->site_len;
	struct branch b;

	/* The whole of the function first: what it has in the middle reaches its beginning by a short branch, too. */
	for (uint32_t at = 0; at < e->size;) {
		struct code_step s = code_decode(e->bytes + at, e->size - at, e->va + at);
		const struct ksym own = {e->va, e->name, 't'};

		b = (struct branch){e->va + at, s.target, &own, s.is_call};
		if (s.jumps && s.target >= start && s.target < end && enters_wrongly(e, &b))
			refuse(NL_ESITE, "%s: the branch at %s+%#x leads to +%#llx, into the bytes that the jump takes",
			       e->where, e->name, at, (unsigned long long)(s.target - e->va));
		at += s.len ? s.len : 1; /* padding may hold anything */
	}
	if (branches_find(k, start, end, enters_wrongly, e, &b))
		refuse(NL_ESITE, "%s: the branch at %s+%#llx leads to %s+%#llx, into the bytes that the jump takes",
		       e->where, b.in ? b.in->name : "?", (unsigned long long)(b.from - (b.in ? b.in->va : 0)), e->name,
		       (unsigned long long)(b.target - e->va));
}

/* A name in the middle of assembler code is no function, and what lies there may be copied or rewritten (ftrace_call).
 */
static void check_beginning(const struct kernel *k, const struct entry *e)
{
	const struct ksym *before = kallsyms_at(&k->syms, e->va - 1);

	if (!e->traced && before && branches_run_on(k, before->va, e->va))
		refuse(NL_ESITE, "%s: control runs from %s into %s, which is no function", e->where, before->name,
		       e->name);
}

static struct entry find_entry(const struct kernel *k, const struct recipe *r, const struct recipe_replace *s)
{
	struct entry e = {.name = s->function.name, .where = xformat("%s:%u", r->path, s->line)};
	const char *conflict;
	struct place p;

	check_name(k, s, e.where);
	p = place_in_kernel(k, &s->function, e.where);
	if (p.symbol != NL_SYM_REGION)
		refuse(NL_ESITE, "%s: %s is no function", e.where, e.name);
	e.va = p.value;
	check_section(k, &e);
	check_aliases(k, &e, s);
	e.size = (uint32_t)kernel_extent(k, e.va);
	e.bytes = kernel_bytes(k, e.va, e.size);
	if (!e.size || !e.bytes)
		refuse(NL_ESITE, "%s: where %s ends is not known", e.where, e.name);
	find_site(k, &e);
	check_beginning(k, &e);
	conflict = livesites_conflict(k, e.va + e.site, e.site_len);
	if (conflict)
		refuse(NL_ESITE, "%s: %s+%#x, %u bytes, holds %s", e.where, e.name, e.site, e.site_len, conflict);
	check_branches(k, &e);
	return e;
}

void redirect_check(const struct kernel *k, const struct recipe *r, const struct recipe_replace *s)
{
	struct entry e = find_entry(k, r, s);
	char *unknown;

	if (!e.traced && s->origin == FROM_SOURCE)
		contract_find(k, e.name, e.va, e.size, NULL, NULL, e.where, &unknown);
}

/* Where the jump goes: to the body, or where callers may rely on what the old code leaves alone, to a stub. */
static uint64_t destination(struct draft *d, const struct kernel *k, const struct entry *e, const struct body *b,
                            const struct body_symbol *body, enum recipe_origin origin)
{
	struct contract c;
	char *unknown;

	if (e->traced || origin == FROM_VALUE) /* compiled with -pg, and all of its unit: no -fipa-ra (stub.c) */
		return body->place.value;
	/* A function's own code leaves alone what it always did; but where a stub can stand, it shall be tried, too. */
	if (origin == FROM_ITSELF && (!contract_by_kernel(k, e->name, e->va, e->size, &c) || c.trouble))
		return body->place.value;
	c = contract_find(k, e->name, e->va, e->size, b, body, e->where, &unknown);
	if (unknown)
		note(d, NL_FACT_NOTE, unknown);
	return stub_add(d, body->place.value, c.returns_void, c.stack_words,
	                kernel_section(k, ".ibt_endbr_seal") != NULL);
}

void redirect_add(struct draft *d, const struct kernel *k, const struct recipe *r, const struct recipe_replace *s,
                  const struct body *b)
{
	struct entry e = find_entry(k, r, s);
	const struct body_symbol *body = body_find(b, s->body);
	uint8_t expected[NL_SITE_MAX_LEN], fresh[NL_SITE_MAX_LEN], hash[OLDHASH_SIZE];
	struct nl_leaf_reloc expected_relocs[NL_SITE_MAX_LEN / 4];
	struct nl_leaf_reloc jump = {.offset = 1, .type = NL_REL_PC32, .symbol = NL_SYM_TEXT, .addend = -4};
	struct draft_site site = {.va = e.va + e.site,
	                          .len = e.site_len,
	                          .kind = NL_SITE_TEXT,
	                          .expected = expected,
	                          .fresh = fresh,
	                          .expected_relocs = expected_relocs,
	                          .fresh_relocs = &jump,
	                          .n_fresh_relocs = 1,
	                          .func_va = e.va,
	                          .func_size = e.size,
	                          .name = e.name};

	if (!body || !body->function || body->place.symbol != NL_SYM_TEXT)
		refuse(NL_ERECIPE, "%s: %s defines no function %s", e.where, s->source, s->body);
	site.n_expected_relocs =
	        runtime_bytes(k, site.va, site.len, expected, expected_relocs, NL_ARRAY_SIZE(expected_relocs), e.where);
	memset(fresh, INT3, sizeof(fresh));
	fresh[0] = 0xe9;
	memset(fresh + 1, 0, 4);
	if (oldhash(k, e.va, e.size, hash))
		site.old_hash = hash;
	site.body_offset = (uint32_t)body->place.value;
	site.body_size = (uint32_t)body->size;
	jump.value = destination(d, k, &e, b, body, s->origin);
	if (d->h.counters) {
		site.counter = (uint16_t)++d->counted;
		jump.value = counter_add(d, k, site.counter, jump.value, e.where);
	}
	draft_add_site(d, &site);
	watch_half(d, k, e.va, e.where);
}
