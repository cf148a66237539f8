// SPDX-License-Identifier: Apache-2.0
/*
 * Failures and progress, in the one form that all answers have: not done, whether anything changed, the code; why; what
 * next.
 */
#include "cli.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WHY_MAX 512

/* Whether anything changed is asked, not assumed: the generation now against the one this command began with. */
static bool generation_moved(struct cli *c, uint64_t *now)
{
	struct nl_status s;

	*now = c->status.generation;
	if (!c->open || nl_agent_status(&c->agent, &s) != NL_OK)
		return false;
	*now = s.generation;
	return c->status.abi && s.generation != c->status.generation;
}

/* Was a CPU in the way that did not come? Not if somebody was seen in a site: then that the last try was cut off says
 * less. */
static bool is_late(const struct nl_details *d)
{
	return d->reason == NL_WHY_NOT_GATHERED && d->missing.count && !(d->blocker.site_va && d->blocker.pid);
}

static void blocker_json(struct json *j, const struct nl_details *d)
{
	const struct nl_blocker *b = &d->blocker;
	struct text t;

	json_open(j, "blockers", '[');
	if (is_late(d)) {
		json_open(j, NULL, '{');
		json_uint(j, "cpu", d->missing.cpu);
		json_uint(j, "pid", d->missing.pid);
		json_string(j, "comm", d->missing.comm);
		json_string(j, "func", NULL);
		json_close(j, '}');
	} else if (b->cpu != UINT32_MAX || b->pid || b->site_va || b->leaf[0]) {
		json_open(j, NULL, '{');
		if (b->cpu != UINT32_MAX)
			json_uint(j, "cpu", b->cpu);
		else
			json_string(j, "cpu", NULL);
		json_uint(j, "pid", b->pid);
		json_string(j, "comm", b->comm);
		json_string(j, "func", b->rip >> 63 ? text_symbol(&t, b->rip) : NULL);
		json_uint(j, "cpl", b->cpl);
		json_address(j, "rip", b->rip);
		json_uint(j, "missing", b->missing);
		if (b->site_va) {
			json_string(j, "site", text_symbol(&t, b->site_va));
			json_address(j, "site_va", b->site_va);
			json_bytes(j, "expected", b->expected, b->bytes_len);
			json_bytes(j, "found", b->found, b->bytes_len);
		}
		if (b->leaf[0]) {
			json_string(j, "leaf", b->leaf);
			json_string(j, "other", b->other);
		}
		json_close(j, '}');
	}
	json_close(j, ']');
}

/* Names of files and tasks come from anybody, and this goes to a terminal. JSON escapes them by itself. */
static void put_printable(FILE *f, const char *s)
{
	for (; *s; s++)
		fputc(*s < 0x20 || *s > 0x7e ? '?' : *s, f);
}

static int answer(struct cli *c, const char *what, enum nl_err e, const char *why, bool with_details)
{
	const struct cli_error *err = cli_error(e);
	struct nl_details d = c->agent.details;
	uint64_t generation;
	bool moved = generation_moved(c, &generation);

	if (c->json) {
		struct json j = {.f = stdout};
		struct nl_details none = {.blocker.cpu = UINT32_MAX};

		json_document(&j, "error", "failed");
		json_string(&j, "code", err->name);
		json_uint(&j, "exit", err->exit);
		json_bool(&j, "changed", moved);
		if (c->status.abi)
			json_uint(&j, "generation", generation);
		json_string(&j, "what", what);
		json_string(&j, "detail", why);
		json_string(&j, "next", err->next);
		blocker_json(&j, with_details ? &d : &none);
		if (c->verb && c->verb->group == GROUP_CHANGE && c->status.abi)
			cli_blackout_json(c, &j);
		json_end(&j);
		return err->exit;
	}
	fflush(stdout);
	fputs("newleaf: ", stderr);
	put_printable(stderr, what);
	fprintf(stderr, "; %s", moved ? "the generation has changed" : "nothing changed");
	if (c->status.abi)
		fprintf(stderr, " (generation %llu)", (unsigned long long)generation);
	fprintf(stderr, " [%s, exit %d]\n  why   ", err->name, err->exit);
	put_printable(stderr, why);
	fprintf(stderr, "\n  next  %s;  newleaf explain %s\n", err->next, err->name);
	return err->exit;
}

int cli_fail(struct cli *c, const char *what, enum nl_err e, const char *why, ...)
{
	char text[WHY_MAX];
	va_list ap;

	va_start(ap, why);
	vsnprintf(text, sizeof(text), why, ap);
	va_end(ap);
	return answer(c, what, e, text, false);
}

int cli_nothing(struct cli *c, const char *schema, const char *what, ...)
{
	char text[WHY_MAX];
	va_list ap;

	va_start(ap, what);
	vsnprintf(text, sizeof(text), what, ap);
	va_end(ap);
	if (c->timeline && !c->begin_tsc) /* nothing was begun that it could be of */
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "; no commit: %s not written", c->timeline);
	if (c->json) {
		struct json j = {.f = stdout};

		json_document(&j, schema, "nothing-to-do");
		json_string(&j, "detail", text);
		if (c->verb->group == GROUP_CHANGE) {
			json_open(&j, "generation", '{');
			json_uint(&j, "from", c->status.generation);
			json_uint(&j, "to", c->status.generation);
			json_close(&j, '}');
		} else {
			json_uint(&j, "generation", c->status.generation);
		}
		json_end(&j);
	} else if (!c->quiet) {
		printf("nothing to do: %s (generation %llu)\n", text, (unsigned long long)c->status.generation);
	}
	return NL_EXIT_NOTHING;
}

static const char *why_root(const struct nl_details *d)
{
	switch (d->reason) {
	case NL_WHY_NOT_ROOT:
		return "this is not root: neither the I/O port nor a token was given";
	case NL_WHY_NO_RAWIO:
		return "root here has no CAP_SYS_RAWIO: a container";
	case NL_WHY_NO_DRIVER:
		return "the kernel refuses the I/O port (lockdown), and there is no msr driver to read a token with: "
		       "modprobe msr";
	case NL_WHY_FORBIDDEN:
		return "no token was taken, and the I/O port is shut: by kernel lockdown, or by the image's policy "
		       "(newleafx64.efi, .nlpol: proofs). A boot without a source of randomness has no tokens";
	case NL_WHY_FAULT:
		return "the call was refused: this thread may not use the I/O port, or no token could be read";
	default:
		return cli_error(NL_EROOT)->what;
	}
}

/* Who stands where functions return to whose return addresses a tracer keeps: what he stands in is not to be seen. */
static const char *hidden(const struct nl_blocker *b)
{
	static const char *const names[] = {"return_to_handler+", "arch_rethook_trampoline+", "__kretprobe_trampoline+",
	                                    "kretprobe_trampoline+"};
	struct text t;
	const char *at = b->rip ? text_symbol(&t, b->rip) : "";

	for (size_t i = 0; i < NL_ARRAY_SIZE(names); i++)
		if (!strncmp(at, names[i], strlen(names[i])))
			return ", behind which a kretprobe or the function graph tracer hides the functions it is in: "
			       "switch that off, and wait until the task has returned from them";
	return "";
}

static void why_deadline(char *why, size_t size, const struct nl_details *d)
{
	const struct nl_blocker *b = &d->blocker;
	struct text t, s;
	const char *limit = text_ns(&t, d->deadline_ms * 1000000ULL);

	if (is_late(d) && d->missing.pid)
		snprintf(why, size, "CPU %u did not arrive within %s: pid %u %s", d->missing.cpu, limit, d->missing.pid,
		         d->missing.comm);
	else if (is_late(d))
		snprintf(why, size, "CPU %u did not arrive within %s", d->missing.cpu, limit);
	else if (b->pid)
		snprintf(why, size, "pid %u %s stood at %s when last seen%s; %u tries within %s", b->pid, b->comm,
		         text_symbol(&s, b->rip), hidden(b), d->tries, limit);
	else if (b->cpu != UINT32_MAX && b->rip)
		snprintf(why, size, "CPU %u stood at %s (CPL %u)%s in the last of %u tries within %s", b->cpu,
		         text_symbol(&s, b->rip), b->cpl, hidden(b), d->tries, limit);
	else if (b->missing)
		snprintf(why, size, "%u CPU%s did not answer the hypervisor in the last of %u tries within %s",
		         b->missing, b->missing > 1 ? "s" : "", d->tries, limit);
	else
		snprintf(why, size, "not done within %s: %u gathers, %u tries", limit, d->gathers, d->tries);
}

static void why_site(char *why, size_t size, const struct nl_blocker *b, enum nl_err e)
{
	struct text site, expected, found;

	if (!b->site_va)
		snprintf(why, size, "%s", cli_error(e)->what);
	else if (!b->bytes_len)
		snprintf(why, size, "%s: at %s", cli_error(e)->what, text_symbol(&site, b->site_va));
	else
		snprintf(why, size, "%s: at %s expected %s, found %s", cli_error(e)->what,
		         text_symbol(&site, b->site_va), text_hex(&expected, b->expected, b->bytes_len),
		         text_hex(&found, b->found, b->bytes_len));
}

/* Of one leaf, or between two. */
static void why_other(char *why, size_t size, const struct nl_blocker *b, enum nl_err e)
{
	struct text site;

	if (!b->leaf[0])
		why_site(why, size, b, e);
	else if (e == NL_EREQUIRES)
		snprintf(why, size, "%s needs %s, which would not be applied with it, or not in the version it needs",
		         b->leaf, b->other);
	else if (e == NL_ECONFLICT && !strcmp(b->leaf, b->other))
		snprintf(why, size, "two versions of %s", b->leaf);
	else if (e == NL_ECONFLICT)
		snprintf(why, size, "%s says that it cannot be beside %s, or takes its place", b->leaf, b->other);
	else if (e == NL_EPOLICY)
		snprintf(why, size, "%s: %s would be taken away, and nothing that may takes its place",
		         cli_error(e)->what, b->leaf);
	else if (e == NL_EMODULE)
		snprintf(why, size,
		         "%s: %s is loaded, and %s was built for another build of it or needs a module that is not "
		         "there",
		         cli_error(e)->what, b->other, b->leaf);
	else
		snprintf(why, size, "%s overlaps %s at %s", b->leaf, b->other, text_symbol(&site, b->site_va));
}

/* The header of a file that may be anything: only for messages, and only if it is there. */
static bool peek_header(const struct cli_leaf_file *leaf, struct nl_leaf_header *h)
{
	if (!leaf || leaf->size < sizeof(*h))
		return false;
	memcpy(h, leaf->bytes, sizeof(*h));
	return h->magic == NL_LEAF_MAGIC && h->target.kernel.build_id_len <= NL_BUILD_ID_MAX;
}

int cli_fail_agent(struct cli *c, const char *what, enum nl_err e, const struct cli_leaf_file *leaf)
{
	const struct nl_details *d = &c->agent.details;
	const struct nl_verify_report *r = leaf ? &leaf->report : NULL;
	static const uint8_t no_key[32];
	struct nl_leaf_header h;
	struct text a, b;
	char why[WHY_MAX];

	snprintf(why, sizeof(why), "%s", cli_error(e)->what);
	switch (e) {
	case NL_EROOT:
		snprintf(why, sizeof(why), "%s", why_root(d));
		break;
	case NL_EABI:
		snprintf(why, sizeof(why), "the hypervisor speaks ABI %u, this command %u", d->found_abi,
		         NL_ABI_VERSION);
		break;
	case NL_EABSENT:
		snprintf(why, sizeof(why), "CPUID shows Newleaf, but call %d was not answered", d->call);
		break;
	case NL_EINTERNAL:
		snprintf(why, sizeof(why),
		         d->reason == NL_WHY_GARBAGE ? "the answer to call %d makes no sense"
		                                     : "call %d failed in the hypervisor",
		         d->call);
		break;
	case NL_EDEADLINE:
		if (d->call == NL_CALL_TRY || d->call == NL_CALL_PREPARE)
			why_deadline(why, sizeof(why), d);
		break;
	case NL_EBYTES:
	case NL_EPROBED:
	case NL_ERANGE:
		why_site(why, sizeof(why), &d->blocker, e);
		break;
	case NL_EOVERLAP:
	case NL_EREQUIRES:
	case NL_ECONFLICT:
	case NL_EPOLICY:
	case NL_EMODULE:
		why_other(why, sizeof(why), &d->blocker, e);
		break;
	case NL_EQUORUM:
		if (r)
			snprintf(why, sizeof(why), "%s: %u signed", cli_error(e)->what, r->signatures);
		break;
	case NL_EPREEMPTED:
		if (d->blocker.pid)
			snprintf(why, sizeof(why), "%s: pid %u %s at %s%s", cli_error(e)->what, d->blocker.pid,
			         d->blocker.comm, text_symbol(&a, d->blocker.rip), hidden(&d->blocker));
		else if (d->blocker.rip) /* an idle task, or the stack of an idle CPU */
			snprintf(why, sizeof(why), "%s: at %s%s", cli_error(e)->what, text_symbol(&a, d->blocker.rip),
			         hidden(&d->blocker));
		break;
	case NL_ESTANDS:
		if (d->blocker.cpu != UINT32_MAX)
			snprintf(why, sizeof(why), "%s: CPU %u at %s%s%s", cli_error(e)->what, d->blocker.cpu,
			         text_symbol(&a, d->blocker.rip), d->blocker.comm[0] ? ", on the stack of " : "",
			         d->blocker.comm);
		break;
	case NL_EKEY:
		if (r && memcmp(r->key_id, no_key, sizeof(no_key)))
			snprintf(why, sizeof(why), "%s: key %s; %u keys are trusted", cli_error(e)->what,
			         text_hex(&a, r->key_id, 8), c->status.boot.n_keys);
		break;
	case NL_EBUILDID:
		if (r && r->found_build_id_len && peek_header(leaf, &h))
			snprintf(why, sizeof(why), "the running kernel has build-id %s, the leaf was built for %s",
			         text_hex(&a, r->found_build_id, r->found_build_id_len),
			         text_hex(&b, h.target.kernel.build_id, h.target.kernel.build_id_len));
		else if (peek_header(leaf, &h))
			snprintf(why, sizeof(why), "%s: it was built for build-id %s", cli_error(e)->what,
			         text_hex(&b, h.target.kernel.build_id, h.target.kernel.build_id_len));
		break;
	case NL_EARENA:
		snprintf(why, sizeof(why), "%s: %s free for code, %s for data", cli_error(e)->what,
		         text_bytes(&a, c->status.arena_text_free), text_bytes(&b, c->status.arena_data_free));
		break;
	case NL_ENOMEM:
		snprintf(why, sizeof(why), "%s: %s of %s free", cli_error(e)->what,
		         text_bytes(&a, c->status.memory_free), text_bytes(&b, c->status.memory_total));
		break;
	default:
		break;
	}
	return answer(c, what, e, why, true);
}

void cli_progress(const struct cli *c, const char *step, const char *format, ...)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
	bool color = !(no_color && *no_color) && !(term && !strcmp(term, "dumb"));
	va_list ap;

	if (c->quiet || c->json || !isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "%-8s %sok%s   ", step, color ? "\033[32m" : "", color ? "\033[0m" : "");
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
}
