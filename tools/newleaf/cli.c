// SPDX-License-Identifier: Apache-2.0
/*
 * The command line: parse, dispatch, open the agent, lock. What the verbs do is in their own files.
 */
#define _GNU_SOURCE
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <newleaf/bootcounter.h>

#define LOCK_LIMIT_NS 10000000000ULL
#define LOCK_POLL_NS 10000000ULL

volatile sig_atomic_t cli_cancel;
const char *cli_run_dir = "/run/newleaf";

static void on_interrupt(int signal)
{
	(void)signal;
	cli_cancel = 1;
}

static const char *const group_titles[] = {
        [GROUP_LOOK] = "look",
        [GROUP_CHANGE] = "change",
        [GROUP_MACHINE] = "machine",
        [GROUP_MAKE] = "make leaves (newleaf-author)",
};

void cli_usage(FILE *f, const struct verb *v)
{
	if (v && v->group == GROUP_LATER) {
		fprintf(f, "newleaf %s: %s. Not in version %s.\n\n%s.\n", v->name, v->summary, CLI_VERSION, v->more);
	} else if (v) {
		fprintf(f, "usage: newleaf %s [OPTION...]%s%s\n\n%s\n", v->name, *v->args ? " " : "", v->args,
		        v->summary);
		if (v->more)
			fprintf(f, "\n%s\n", v->more);
		if (v->synonym)
			fprintf(f, "\nSynonym: %s\n", v->synonym);
	} else {
		fputs("usage: newleaf VERB [OPTION...] [ARGUMENT...]\nLive patches for the kernel of this machine, "
		      "from below. `newleaf "
		      "VERB --help` says more.\n",
		      f);
		for (enum verb_group g = GROUP_LOOK; g <= GROUP_MAKE; g++) {
			fprintf(f, "\n%s\n", group_titles[g]);
			for (size_t i = 0; i < cli_n_verbs; i++)
				if (cli_verbs[i].group == g)
					fprintf(f, "  %-9s %-18s %s\n", cli_verbs[i].name, cli_verbs[i].args,
					        cli_verbs[i].summary);
		}
		fputs("\nFrom outside, over the network of the machines' hypervisors: newleaf --host HOST,... VERB; "
		      "newleaf --host HOST --help\n",
		      f);
	}
	if (v && (v->group == GROUP_MAKE || v->group == GROUP_LATER))
		return;
	fputs("\noptions\n", f);
	for (size_t i = 0; i < cli_n_options; i++) {
		const struct cli_option *o = &cli_options[i];
		char text[64];

		if (o->bit && (!v || !(v->options & o->bit)))
			continue;
		snprintf(text, sizeof(text), "%s%s%s--%s%s%s", o->brief ? "-" : "", o->brief ? o->brief : "",
		         o->brief ? ", " : "", o->name, o->value ? " " : "", o->value ? o->value : "");
		fprintf(f, "  %-18s %s\n", text, o->what);
	}
	if (!v)
		fputs("\nExit codes: 0 as asked, 1 internal, 2 usage, 3 nothing to do, 4 leaf bad or untrusted, 5 "
		      "target does not match, 6 "
		      "not permitted,\n"
		      "7 conflict, 8 deadline (unchanged, a retry may help), 9 no Newleaf, 10 applied but degraded, 11 "
		      "tool or file "
		      "missing\n",
		      f);
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < cli_n_verbs; i++)
		if (!strcmp(name, cli_verbs[i].name) || (cli_verbs[i].synonym && !strcmp(name, cli_verbs[i].synonym)))
			return &cli_verbs[i];
	return NULL;
}

/* 500ms, 2s, 1.5s. */
static bool parse_time(const char *s, uint64_t *ns)
{
	char *end;
	double value = strtod(s, &end);
	double unit = !strcmp(end, "s") ? 1e9 : !strcmp(end, "ms") ? 1e6 : 0;

	if (end == s || !unit || !(value > 0) || value * unit > 1e15)
		return false;
	*ns = (uint64_t)(value * unit);
	return true;
}

static int take_option(struct cli *c, const struct cli_option *o, const char *value)
{
	uint64_t *number;
	char *end;

	if (!strcmp(o->name, "json"))
		c->json = true;
	else if (!strcmp(o->name, "quiet"))
		c->quiet = true;
	else if (!strcmp(o->name, "help"))
		c->help = true;
	else if (!(c->verb->options & o->bit))
		return cli_fail(c, "nothing done", NL_EUSAGE, "%s does not take --%s", c->verb->name, o->name);
	c->given |= o->bit;
	if (o->bit == OPT_PRODUCT)
		c->product = value;
	if (o->bit == OPT_CHROME)
		c->chrome = value;
	if (o->bit == OPT_SVG)
		c->svg = value;
	if (o->bit == OPT_TIMELINE)
		c->timeline = value;
	if (o->bit == OPT_KEEP)
		c->keep = value;
	if (o->bit == OPT_VERIFY)
		c->verify = value;
	if (o->bit == OPT_NONCE)
		c->nonce = value;
	if (o->bit == OPT_OUT)
		c->out = value;
	if (o->bit == OPT_ESP)
		c->esp = value;
	number = o->bit == OPT_SINCE         ? &c->since
	         : o->bit == OPT_TRANSACTION ? &c->transaction
	         : o->bit == OPT_LAST        ? &c->last
	                                     : NULL;
	if (number) {
		errno = 0;
		*number = strtoull(value, &end, 10);
		if (errno || *end || end == value || *value == '-' || (!*number && o->bit != OPT_SINCE))
			return cli_fail(c, "nothing done", NL_EUSAGE, "--%s wants a %snumber, not \"%s\"", o->name,
			                o->bit == OPT_SINCE ? "sequence " : "", value);
	}
	if ((o->bit == OPT_DEADLINE && !parse_time(value, &c->deadline_ns)) ||
	    (o->bit == OPT_CONFIRM && !parse_time(value, &c->confirm_ns)) ||
	    (o->bit == OPT_INTERVAL && !parse_time(value, &c->interval_ns)))
		return cli_fail(c, "nothing done", NL_EUSAGE, "--%s wants a time such as 500ms or 2s, not \"%s\"",
		                o->name, value);
	return NL_EXIT_OK;
}

/* One argument that begins with a dash, perhaps with the next one as its value. Short options may be joined: -qn. */
static int parse_dashed(struct cli *c, char **argv, int *i)
{
	const char *a = argv[*i];

	for (const char *brief = a + 1; a[1] != '-' && *brief; brief++) {
		const struct cli_option *o = NULL;
		int result;

		for (size_t k = 0; k < cli_n_options; k++)
			if (cli_options[k].brief && *cli_options[k].brief == *brief)
				o = &cli_options[k];
		if (!o)
			return cli_fail(c, "nothing done", NL_EUSAGE, "there is no option -%c", *brief);
		result = take_option(c, o, NULL);
		if (result)
			return result;
	}
	if (a[1] != '-')
		return NL_EXIT_OK;
	for (size_t k = 0; k < cli_n_options; k++) {
		const struct cli_option *o = &cli_options[k];
		size_t len = strlen(o->name);
		const char *value = NULL;

		if (strncmp(a + 2, o->name, len) || (a[2 + len] && a[2 + len] != '='))
			continue;
		if (a[2 + len] == '=')
			value = a + 3 + len;
		else if (o->value && argv[*i + 1])
			value = argv[++*i];
		if (!o->value != !value)
			return cli_fail(c, "nothing done", NL_EUSAGE,
			                o->value ? "--%s wants a value" : "--%s takes no value", o->name);
		return take_option(c, o, value);
	}
	return cli_fail(c, "nothing done", NL_EUSAGE, "there is no option %s", a);
}

static int parse(struct cli *c, int argc, char **argv)
{
	static const struct verb none = {.name = "newleaf", .args = ""};
	bool only_args = false;
	int result;

	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--json"))
			c->json = true; /* also for errors found before it */
	c->verb = &none;
	for (int i = 1; i < argc; i++) {
		if (c->verb == &none && !strcmp(argv[i], "--version"))
			return printf("newleaf %s, ABI %u\n", CLI_VERSION, NL_ABI_VERSION), -1;
		if (!only_args && !strcmp(argv[i], "--")) {
			only_args = true;
		} else if (!only_args && argv[i][0] == '-' && argv[i][1]) {
			result = parse_dashed(c, argv, &i);
			if (result)
				return result;
		} else if (c->verb == &none) {
			c->verb = find_verb(argv[i]);
			if (!c->verb) {
				c->verb = &none;
				return cli_fail(c, "nothing done", NL_EUSAGE, "there is no verb \"%s\"", argv[i]);
			}
			if (c->verb->group == GROUP_LATER) /* whatever else it will take */
				for (int k = i + 1; k < argc; k++)
					c->help |= !strcmp(argv[k], "--help") || !strcmp(argv[k], "-h");
			if (c->verb->group == GROUP_MAKE &&
			    c->help) { /* the other tool has its own options, and its own help */
				c->args[c->n_args++] = (char *)"--help";
				c->help = false;
			} else if (c->verb->group == GROUP_MAKE) {
				c->args = argv + i + 1;
				c->n_args = argc - i - 1;
			}
			if (c->verb->group == GROUP_MAKE || c->verb->group == GROUP_LATER)
				return NL_EXIT_OK;
		} else {
			c->args[c->n_args++] = argv[i];
		}
	}
	if (c->help || c->verb == &none)
		return NL_EXIT_OK;
	if (c->n_args < c->verb->min_args || (c->verb->max_args >= 0 && c->n_args > c->verb->max_args))
		return cli_fail(c, "nothing done", NL_EUSAGE, "usage: newleaf %s%s%s", c->verb->name,
		                *c->verb->args ? " " : "", c->verb->args);
	return NL_EXIT_OK;
}

int cli_main(int argc, char **argv, const struct nl_transport *transport)
{
	char **args = calloc((size_t)argc + 1, sizeof(*args));
	struct cli c = {.transport = transport, .args = args, .lock = -1};
	struct sigaction sa = {.sa_handler = on_interrupt};
	int result;

	if (!args)
		return NL_EXIT_INTERNAL;
	if (cli_is_remote(argc, argv)) {
		free(args);
		return cli_remote(&c, argc, argv);
	}
	cli_cancel = 0;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	signal(SIGPIPE, SIG_IGN); /* a pager that ends must not end a commit; stdout is checked at the end */
	result = parse(&c, argc, argv);
	if (result == -1) {
		result = NL_EXIT_OK;
	} else if (result == NL_EXIT_OK && !c.verb->run && !c.help) {
		cli_usage(stderr, NULL);
		result = NL_EXIT_USAGE;
	} else if (result == NL_EXIT_OK && c.help) {
		cli_usage(stdout, c.verb->run ? c.verb : NULL);
	} else if (result == NL_EXIT_OK) {
		result = c.verb->run(&c);
	}
	if (c.open)
		nl_agent_close(&c.agent);
	if (c.lock >= 0)
		close(c.lock);
	free(args);
	if (fflush(stdout) && result == NL_EXIT_OK && errno != EPIPE)
		result = NL_EXIT_ENVIRONMENT;
	return result;
}

/* The loader leaves in its EFI variable why it stepped aside. */
static const struct cli_error *stepped_aside(void)
{
	FILE *f = fopen("/sys/firmware/efi/efivars/" NL_BOOT_COUNTER_NAME "-" NL_BOOT_COUNTER_GUID, "re");
	struct {
		uint32_t attributes;
		struct nl_boot_counter counter;
	} v;
	bool ok = f && fread(&v, sizeof(v), 1, f) == 1 && v.counter.version == NL_BOOT_COUNTER_VERSION &&
	          v.counter.outcome != NL_OK;

	if (f)
		fclose(f);
	return ok ? cli_error((enum nl_err)v.counter.outcome) : NULL;
}

static int open_failed(struct cli *c, const char *what, enum nl_err e)
{
	const struct nl_details *d = &c->agent.details;
	const struct cli_error *aside;

	if (e == NL_EABSENT) {
		aside = stepped_aside();
		if (aside)
			return cli_fail(c, what, e, "booted without Newleaf: %s (%s); %s", aside->what, aside->name,
			                aside->next);
		if (d->seen_signature[0])
			return cli_fail(c, what, e, "no Newleaf below this system: CPUID names the hypervisor \"%s\"",
			                d->seen_signature);
		return cli_fail(c, what, e, "no Newleaf below this system: CPUID names no hypervisor");
	}
	return cli_fail_agent(c, what, e, NULL);
}

int cli_open(struct cli *c, const char *what)
{
	enum nl_err e = nl_agent_open(&c->agent, c->transport, &cli_cancel);

	if (e != NL_OK)
		return open_failed(c, what, e);
	c->open = true;
	e = nl_agent_status(&c->agent, &c->status);
	return e == NL_OK ? NL_EXIT_OK : cli_fail_agent(c, what, e, NULL);
}

int cli_lock(struct cli *c, const char *what)
{
	char path[256];
	const struct timespec poll = {0, LOCK_POLL_NS};

	snprintf(path, sizeof(path), "%s/lock", cli_run_dir);
	if (mkdir(cli_run_dir, 0755) == 0 || errno == EEXIST) /* nowhere else: in /tmp any user could hold it */
		c->lock = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (c->lock < 0)
		return cli_fail(
		        c, what, NL_EENVIRONMENT,
		        "cannot open the lock %s: %s; it needs a /run that root can write: mount -t tmpfs tmpfs /run",
		        path, strerror(errno));
	for (uint64_t waited = 0; flock(c->lock, LOCK_EX | LOCK_NB) != 0; waited += LOCK_POLL_NS) {
		if (cli_cancel)
			return cli_fail(c, what, NL_EINTERRUPTED,
			                "interrupted while another newleaf command was at work");
		if (waited > LOCK_LIMIT_NS)
			return cli_fail(c, what, NL_EBUSY, "another newleaf command holds %s", path);
		nanosleep(&poll, NULL);
	}
	return NL_EXIT_OK;
}

int cli_open_locked(struct cli *c, const char *what)
{
	enum nl_err e = nl_agent_open(&c->agent, c->transport, &cli_cancel);
	int result;

	if (e != NL_OK) /* first: who may not ask shall not touch the lock */
		return open_failed(c, what, e);
	c->open = true;
	result = cli_lock(c, what);
	if (result != NL_EXIT_OK)
		return result;
	e = nl_agent_status(&c->agent, &c->status);
	return e == NL_OK ? NL_EXIT_OK : cli_fail_agent(c, what, e, NULL);
}

const void *cli_leaf_part(const struct cli_leaf_file *f, const struct nl_leaf_part *p, size_t each)
{
	bool inside = p->offset <= f->size && p->count <= (f->size - p->offset) / each;

	return inside && (each == 1 || p->offset % 8 == 0) ? f->bytes + p->offset : NULL;
}

enum nl_err cli_read_file(const char *path, size_t max, uint8_t **bytes, size_t *size)
{
	FILE *f = fopen(path, "re");
	struct stat st;
	uint8_t *b;
	size_t n;

	if (!f)
		return NL_EENVIRONMENT;
	if (fstat(fileno(f), &st) == 0 && S_ISDIR(st.st_mode)) {
		fclose(f);
		errno = EISDIR;
		return NL_EENVIRONMENT;
	}
	b = malloc(max + 1);
	n = b ? fread(b, 1, max + 1, f) : 0;
	if (!b || ferror(f)) {
		int kept = errno;

		fclose(f);
		free(b);
		errno = kept;
		return NL_EENVIRONMENT;
	}
	fclose(f);
	*bytes = b;
	*size = n;
	return n > max ? NL_ELEAF : NL_OK;
}
