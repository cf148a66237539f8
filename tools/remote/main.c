// SPDX-License-Identifier: Apache-2.0
/* newleaf-remote, which newleaf --host calls: the command line, a thread for each host, the worst of their ends. */
#include "keys.h"
#include "leaffile.h"
#include "leaf/order.h"
#include "named.h"
#include "forms.h"
#include "remote.h"

#include <dirent.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define JOBS_DEFAULT 64u
#define LOOK_MS 10000u
#define CHANGE_MS 60000u
#define FIXED_MAX 1024u

static void run_status(struct host *h)
{
	bool explains = false;

	if (ask_status(h))
		return;
	leaves_judge(h);
	for (size_t i = 0; i < h->n_leaves; i++)
		explains |= wish.n_names && h->leaves[i].word == LEAF_NONE;
	/* Why it is not there stands in the journal, if anywhere. */
	if (explains && h->status.s.status.journal_newest) {
		if (ask_journal(h, 1))
			return;
		leaves_judge(h);
	}
	h->err = wish.n_names || wish.check ? leaves_sum(h) : NL_OK;
	for (size_t i = 0; h->err && i < h->n_leaves; i++)
		if (h->leaves[i].err)
			host_fail(h, h->err, "%s: %s", h->leaves[i].id, err_name(h->leaves[i].err));
}

static void run_log(struct host *h)
{
	if (!ask_status(h) && h->status.s.status.journal_newest >= wish.since)
		ask_journal(h, wish.since ? wish.since : 1);
}

static const struct remote_verb verbs[] = {
#define VERB(...) {__VA_ARGS__},
        REMOTE_VERBS(VERB)
#undef VERB
};

struct wish wish = {.verb = verbs, .jobs = JOBS_DEFAULT, .deadline_ms = 1000};

static void print_help(void)
{
	printf("usage: newleaf --host HOST,... VERB [OPTION...] [ARGUMENT...]\n\n%c%s.\n\n", REMOTE_SUMMARY[0] & ~0x20,
	       REMOTE_SUMMARY + 1);
	for (size_t i = 0; i < NL_ARRAY_SIZE(verbs); i++)
		printf("  %-9s %-20s %s\n", verbs[i].name, verbs[i].args, verbs[i].summary);
	printf("\n%s", REMOTE_WHAT);
}

static _Noreturn void usage(const char *why) { refuse(NL_EUSAGE, "%s;  see newleaf --host HOST --help", why); }

static uint64_t parse_ms(const char *text, const char *option)
{
	char *end;
	double value = strtod(text, &end), unit = !strcmp(end, "s") ? 1000 : !strcmp(end, "ms") ? 1 : 0;

	if (end == text || !unit || !(value * unit >= 1) || value * unit > 86400000)
		usage(xformat("%s wants a time such as 500ms or 2s, not \"%s\"", option, text));
	return (uint64_t)(value * unit);
}

static uint32_t number(const char *text, uint64_t max, const char *option)
{
	uint64_t v = named_number(text, max);

	if (!v)
		usage(xformat("%s wants a number from 1 to %llu, not \"%s\"", option, (unsigned long long)max, text));
	return (uint32_t)v;
}

static bool add_fixed(const char *text)
{
	size_t n = strlen(text) / 2;

	if (n < 8 || n > NL_BUILD_ID_MAX || wish.n_fixed == FIXED_MAX)
		return false;
	if (!wish.fixed)
		wish.fixed = xalloc(FIXED_MAX * sizeof(*wish.fixed));
	return named_hex(text, wish.fixed[wish.n_fixed], n) && ++wish.n_fixed;
}

static void take_fixed(const char *text)
{
	char *rest, *file;
	struct buf b;

	if (add_fixed(text))
		return;
	b = file_read(text, 1 << 20);
	buf_add(&b, NULL, 1);
	file = (char *)b.p;
	for (char *line = strtok_r(file, " \t\r\n", &rest); line; line = strtok_r(NULL, " \t\r\n", &rest))
		if (!add_fixed(line))
			usage(xformat("\"%s\" in %s is no build-id", line, text));
}

static void add_file(const char *path)
{
	struct leaf_name *name = &wish.names[wish.n_names++];
	struct leaffile l = leaffile_read(path);
	const struct nl_leaf_object *kernel = &l.leaf.header->target.kernel;

	*name = (struct leaf_name){.text = path, .by_hash = true, .file = l.file.p, .size = l.file.n};
	memcpy(name->sha256, l.digest, 32);
	memcpy(name->id, l.leaf.header->id, sizeof(name->id));
	name->build_id_len = kernel->build_id_len;
	memcpy(name->build_id, kernel->build_id, sizeof(name->build_id));
}

static int is_leaf(const struct dirent *d) { return ends_with(d->d_name, ".leaf") && d->d_name[0] != '.'; }

static void add_name(const char *text)
{
	struct dirent **list;
	int n = wish.verb->what == NL_ORDER_SYNC ? scandir(text, &list, is_leaf, alphasort) : -1;
	struct leaf_name *name;

	for (int i = 0; i < n; i++) {
		if (wish.n_names == NL_MAX_LEAVES)
			usage("no machine has so many leaves");
		add_file(xformat("%s/%s", text, list[i]->d_name));
	}
	if (n >= 0)
		return;
	if (wish.n_names == NL_MAX_LEAVES)
		usage("no machine has so many leaves");
	name = &wish.names[wish.n_names];
	*name = (struct leaf_name){.text = text};
	if (named_hex(text, name->sha256, 32)) {
		name->by_hash = true;
		wish.n_names++;
	} else if (file_exists(text) || strchr(text, '/') || wish.verb->what == NL_ORDER_APPLY ||
	           wish.verb->what == NL_ORDER_SYNC) {
		add_file(text);
	} else {
		if (strlen(text) >= sizeof(name->id))
			usage(xformat("\"%s\" is no leaf", text));
		memcpy(name->id, text, strlen(text) + 1);
		wish.n_names++;
	}
}

enum {
	OPT_HOST = 256,
	OPT_MACHINES,
	OPT_MACHINE,
	OPT_SIGN,
	OPT_DEADLINE,
	OPT_DEADLINE_MS,
	OPT_CONFIRM,
	OPT_ANY,
	OPT_FIXED,
	OPT_SINCE,
	OPT_CHECK,
	OPT_JOBS,
	OPT_JSON,
	OPT_AGENTLESS
};
static const struct option options[] = {
        {"host", required_argument, NULL, OPT_HOST},
        {"machines", required_argument, NULL, OPT_MACHINES},
        {"machine", required_argument, NULL, OPT_MACHINE},
        {"sign", required_argument, NULL, OPT_SIGN},
        {"deadline", required_argument, NULL, OPT_DEADLINE},
        {"deadline-ms", required_argument, NULL, OPT_DEADLINE_MS},
        {"confirm", required_argument, NULL, OPT_CONFIRM},
        {"any-generation", no_argument, NULL, OPT_ANY},
        {"agentless", no_argument, NULL, OPT_AGENTLESS}, /* it always is */
        {"fixed", required_argument, NULL, OPT_FIXED},
        {"since", required_argument, NULL, OPT_SINCE},
        {"check", no_argument, NULL, OPT_CHECK},
        {"jobs", required_argument, NULL, OPT_JOBS},
        {"json", no_argument, NULL, OPT_JSON},
        {"dry-run", no_argument, NULL, 'n'},
        {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
};

static struct host *hosts;
static size_t n_hosts;
static const char *machines, *machine, *at_file;

static void take(int option, const char *value)
{
	switch (option) {
	case OPT_HOST:
		n_hosts = hosts_add(&hosts, n_hosts, value);
		at_file = *value == '@' ? value + 1 : at_file;
		break;
	case OPT_MACHINES:
		machines = value;
		break;
	case OPT_MACHINE:
		machine = value;
		break;
	case OPT_SIGN:
		if (wish.n_keys == NL_MAX_SIGNATURES)
			usage("no order has so many signatures");
		wish.keys[wish.n_keys++] = key_read_private(value);
		break;
	case OPT_DEADLINE:
		wish.time_ms = parse_ms(value, "--deadline");
		break;
	case OPT_DEADLINE_MS:
		wish.deadline_ms = number(value, NL_ORDER_MAX_DEADLINE_MS, "--deadline-ms");
		break;
	case OPT_CONFIRM:
		wish.confirm_ms = (uint32_t)parse_ms(value, "--confirm");
		break;
	case OPT_ANY:
		wish.any_generation = true;
		break;
	case OPT_FIXED:
		take_fixed(value);
		break;
	case OPT_SINCE:
		wish.since = number(value, UINT32_MAX, "--since");
		break;
	case OPT_CHECK:
		wish.check = true;
		break;
	case OPT_JOBS:
		wish.jobs = number(value, HOSTS_MAX, "--jobs");
		break;
	case OPT_JSON:
		wish.json = true;
		break;
	case 'n':
		wish.dry_run = true;
		break;
	case 'q':
		wish.quiet = true;
		break;
	case OPT_AGENTLESS:
		break;
	case 'h':
		print_help();
		exit(NL_EXIT_OK);
	default:
		usage("an option is not understood");
	}
}

static const struct remote_verb *find_verb(const char *name)
{
	for (size_t i = 0; i < NL_ARRAY_SIZE(verbs); i++)
		if (!strcmp(name, verbs[i].name) || (verbs[i].synonym && !strcmp(name, verbs[i].synonym)))
			return &verbs[i];
	usage(xformat("there is no verb \"%s\" from outside", name));
}

static void find_keys(void)
{
	const char *home = getenv("XDG_CONFIG_HOME");

	home = home && *home ? home : getenv("HOME") ? xformat("%s/.config", getenv("HOME")) : "";
	if (machine)
		hosts_key(hosts, n_hosts, machine);
	else if (machines)
		hosts_keys(hosts, n_hosts, machines, true);
	else if (!at_file) {
		hosts_keys(hosts, n_hosts, "/etc/newleaf/machines", false);
		hosts_keys(hosts, n_hosts, xformat("%s/newleaf/machines", home), false); /* its own word comes last */
	}
}

/* Before anybody is asked, since it may refuse. */
static void read_orders(void)
{
	for (size_t i = 0; i < n_hosts; i++) {
		const char *path = wish.many ? xformat("%s/%s", wish.place, hosts[i].name) : wish.place;
		struct buf b = file_read(path, NL_ORDER_MAX_SIZE);

		if (nl_order_form(b.p, b.n))
			refuse(NL_EORDER, "%s is no order that this version reads", path);
		if (((const struct nl_order *)(const void *)b.p)->kind != NL_ORDER_NOW)
			refuse(NL_EUNSUPPORTED,
			       "%s is a standing order, which lies on the machine's EFI partition: newleaf carry, "
			       "there, brings it",
			       path);
		hosts[i].order = b;
	}
}

static void write_challenges(void)
{
	for (size_t i = 0; i < n_hosts; i++)
		if (hosts[i].challenged)
			file_write(wish.many ? xformat("%s/%s", wish.place, hosts[i].name) : wish.place,
			           &hosts[i].challenge, sizeof(hosts[i].challenge), 0644);
}

static void parse(int argc, char **argv)
{
	int c, n;

	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--json"))
			wish.json = true;
	refuse_context("newleaf --host", "done", wish.json);
	opterr = 0;
	while ((c = getopt_long(argc, argv, "nqh", options, NULL)) != -1)
		take(c, optarg);
	if (!n_hosts)
		usage("no host is named: --host HOST,...");
	if (optind == argc)
		usage("a verb is wanted");
	wish.verb = find_verb(argv[optind++]);
	wish.many = n_hosts > 1;
	n = argc - optind;
	if (n < wish.verb->min_args || (wish.verb->max_args >= 0 && n > wish.verb->max_args))
		usage(xformat("usage: newleaf --host HOST,... %s %s", wish.verb->name, wish.verb->args));
	if (wish.verb->kind == VERB_CHALLENGE || wish.verb->kind == VERB_CARRY)
		wish.place = argv[optind++];
	while (optind < argc)
		add_name(argv[optind++]);
	find_keys();
	if (wish.verb->kind == VERB_CARRY)
		read_orders();
	if (wish.verb->kind == VERB_ORDER && !wish.n_keys && !wish.dry_run)
		usage(xformat("%s is ordered by operators: --sign KEY.pem, or challenge and carry", wish.verb->name));
	if (!wish.time_ms)
		wish.time_ms = wish.verb->kind == VERB_ORDER || wish.verb->kind == VERB_CARRY ? CHANGE_MS : LOOK_MS;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static size_t next, done;

static void *work(void *unused)
{
	(void)unused;
	for (;;) {
		struct host *h = NULL;

		pthread_mutex_lock(&lock);
		if (next < n_hosts)
			h = &hosts[next++];
		pthread_mutex_unlock(&lock);
		if (!h)
			return NULL;
		h->until_ms = now_ms() + wish.time_ms;
		wish.verb->run(h);
		if (!h->err)
			h->why[0] = 0; /* of what went well in the end */
		pthread_mutex_lock(&lock);
		show_progress(++done, n_hosts);
		pthread_mutex_unlock(&lock);
	}
}

static void run_all(void)
{
	size_t n = n_hosts < wish.jobs ? n_hosts : wish.jobs, started = 0;
	pthread_t *threads = xalloc(n * sizeof(*threads));

	while (started < n && !pthread_create(&threads[started], NULL, work, NULL))
		started++;
	if (!started)
		work(NULL);
	while (started)
		pthread_join(threads[--started], NULL);
	free(threads);
}

/* Nothing to do on one of them is as good as done. */
static enum nl_err worst(void)
{
	enum nl_err worst_of_all = NL_OK;
	bool all_nothing = true;

	for (size_t i = 0; i < n_hosts; i++) {
		all_nothing &= hosts[i].err == NL_NOTHING;
		if (hosts[i].err != NL_NOTHING && err_exit(hosts[i].err) > err_exit(worst_of_all))
			worst_of_all = hosts[i].err;
	}
	return all_nothing ? NL_NOTHING : worst_of_all;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	parse(argc, argv);
	http_begin();
	run_all();
	write_challenges();
	show(hosts, n_hosts, worst());
	return err_exit(worst());
}
