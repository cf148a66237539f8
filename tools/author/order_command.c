// SPDX-License-Identifier: Apache-2.0
/* `order new|sign|show`: signed orders (newleaf/order.h). Offline: nothing of it asks a machine. */
#include "commands.h"
#include "core/sha256.h"
#include "leaf/signature.h"
#include "named.h"
#include "order.h"
#include "signing.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char *const verbs[] = NL_ORDER_NAMES;
static struct buf entries;

static struct given {
	const char *challenge, *machine, *epoch, *kernel, *deadline, *confirm, *signer, *output, *keys, *operators;
	const char *message, *attached, *pub;
	bool agentless, frozen, any_generation;
} given;

static void add(enum nl_order_entry_what what, uint32_t role, const uint8_t name[32])
{
	struct nl_order_entry e = {.what = what, .role = role};

	memcpy(e.name, name, sizeof(e.name));
	buf_add(&entries, &e, sizeof(e));
}

static void add_leaf(const char *text)
{
	uint8_t sha256[32];

	named_leaf(text, sha256);
	add(NL_ORDER_LEAF, 0, sha256);
}

static void add_key(enum nl_order_entry_what what, const char *text)
{
	uint8_t name[32];

	if (what == NL_ORDER_TRUST)
		key_read_public(text, name);
	else
		named_key(text, name);
	add(what, what == NL_ORDER_TRUST ? NL_ROLE_OPERATOR : 0, name);
}

static uint64_t number(const char *text, uint64_t max, const char *option)
{
	uint64_t v = named_number(text, max);

	if (!v)
		usage_error("order", xformat("%s takes a number from 1 to %llu", option, (unsigned long long)max));
	return v;
}

static void read_challenge(const char *path, struct nl_challenge *c)
{
	struct buf file = file_read(path, sizeof(*c));
	enum nl_err err = nl_record_check(NL_CHALLENGE_KIND, file.p, file.n);

	if (!err && (file.n != sizeof(*c)))
		err = NL_ERECORD;
	if (err)
		refuse(err, "%s is no challenge that this version reads", path);
	memcpy(c, file.p, sizeof(*c));
}

static void bind_now(struct nl_order *o)
{
	struct nl_challenge c;

	read_challenge(given.challenge, &c);
	o->kind = NL_ORDER_NOW;
	memcpy(o->machine_id, c.machine_id, sizeof(o->machine_id));
	memcpy(o->boot_id, c.boot_id, sizeof(o->boot_id));
	memcpy(o->challenge, c.challenge, sizeof(o->challenge));
	o->generation = given.any_generation ? UINT64_MAX : c.generation;
}

static void bind_standing(struct nl_order *o)
{
	o->kind = NL_ORDER_STANDING;
	o->epoch = number(given.epoch, NL_ORDER_MAX_EPOCH, "--epoch");
	if (!named_hex(given.machine, o->machine_id, sizeof(o->machine_id)))
		usage_error("order", "--machine takes the 32 digits of a machine's id");
}

static enum nl_order_what verb_of(const char *word)
{
	for (unsigned i = 1; i < NL_ORDER_VERBS; i++)
		if (!strcmp(word, verbs[i]))
			return (enum nl_order_what)i;
	usage_error("order", "sync, apply, revert, freeze, release, stop or confirm is wanted behind new");
}

static struct signing signing_of(const struct buf *file)
{
	return (struct signing){.domain = NL_DOMAIN_ORDER,
	                        .what = "an order",
	                        .file = file->p,
	                        .size = file->n,
	                        .signed_size = nl_order_signed_size((const void *)file->p),
	                        .max = NL_ORDER_MAX_SIZE,
	                        .key = given.signer,
	                        .attached = given.attached,
	                        .pub = given.pub};
}

static int compare_entries(const void *a, const void *b) { return memcmp(a, b, sizeof(struct nl_order_entry)); }

static int order_new(const char *verb)
{
	struct nl_order o = {.head = {.magic = NL_ORDER_MAGIC,
	                              .version = NL_ORDER_VERSION,
	                              .head_size = sizeof(o),
	                              .record_size = sizeof(struct nl_order_entry),
	                              .count = (uint32_t)(entries.n / sizeof(struct nl_order_entry))},
	                     .what = verb_of(verb)};
	struct buf out = {0};
	uint8_t id[32];

	/* An order has a field for it, and no machine heeds it yet. */
	if (given.kernel)
		refuse(NL_EUNSUPPORTED,
		       "leave --kernel out: each leaf names the kernel that it is for, and goes on in no other");
	if (given.challenge)
		bind_now(&o);
	else
		bind_standing(&o);
	o.flags = (given.agentless ? NL_ORDER_AGENTLESS : 0) | (given.frozen ? NL_ORDER_FROZEN : 0);
	if (nl_order_commits(&o))
		o.deadline_ms = given.deadline
		                        ? (uint32_t)number(given.deadline, NL_ORDER_MAX_DEADLINE_MS, "--deadline-ms")
		                        : 1000;
	else if (given.deadline)
		usage_error("order", xformat("%s commits nothing, and has no deadline", verb));
	if (given.confirm)
		o.confirm_ms = (uint32_t)number(given.confirm, NL_ORDER_MAX_CONFIRM_MS, "--confirm-ms");
	buf_add(&out, &o, sizeof(o));
	if (entries.n) {
		qsort(entries.p, o.head.count, sizeof(struct nl_order_entry), compare_entries);
		buf_add(&out, entries.p, entries.n);
	}
	if (nl_order_form(out.p, out.n)) /* as machines will see it */
		refuse(NL_EORDER, "no machine would take it: %s",
		       o.kind == NL_ORDER_STANDING && o.what != NL_ORDER_SYNC
		               ? "a standing order says sync, the whole set"
		       : o.kind == NL_ORDER_NOW && given.frozen ? "--frozen is for standing orders"
		                                                : "what is given does not go together");
	if (given.signer) {
		struct signing g = signing_of(&out);

		signing_do(&g, given.output, id);
	} else
		file_write(given.output, out.p, out.n, 0644);
	fprintf(stderr, "order %s, %s, %u entries%s -> %s\n", verb, o.kind == NL_ORDER_NOW ? "now" : "standing",
	        o.head.count, given.signer ? "" : ", not signed", escape(given.output, FOR_TERMINAL));
	return NL_EXIT_OK;
}

static const struct nl_order *read_order(const char *path, struct buf *file)
{
	enum nl_err err;

	*file = file_read(path, NL_ORDER_MAX_SIZE);
	err = nl_order_form(file->p, file->n);
	if (err)
		refuse(err, "%s is no order that this version reads", path);
	return (const struct nl_order *)(const void *)file->p;
}

/* By a key, or in two steps by a token: out with what it signs, in with what it made. */
static int order_sign(const char *path)
{
	struct signing g;
	struct buf file;
	uint8_t id[32];
	uint32_t n;

	read_order(path, &file);
	g = signing_of(&file);
	if (given.message) {
		signing_message(&g, given.message);
		return NL_EXIT_OK;
	}
	n = signing_do(&g, given.output ? given.output : path, id);
	fprintf(stderr, "signature %u by key %02x%02x%02x%02x -> %s\n", n, id[0], id[1], id[2], id[3],
	        escape(given.output ? given.output : path, FOR_TERMINAL));
	return NL_EXIT_OK;
}

static void show_bytes(const char *what, const void *p, size_t n)
{
	printf("%-10s ", what);
	hex_print(stdout, p, n);
	printf("\n");
}

static void show_fields(const struct nl_order *o)
{
	static const char *const words[] = {[NL_ORDER_LEAF] = "leaf", "trust", "distrust"};
	uint8_t sha256[32];

	nl_sha256_of(o, nl_order_signed_size(o), sha256);
	printf("order      %s, %s%s%s\n", verbs[o->what], o->kind == NL_ORDER_NOW ? "now" : "standing",
	       o->flags & NL_ORDER_AGENTLESS ? ", without an agent" : "",
	       o->flags & NL_ORDER_FROZEN ? ", then frozen" : "");
	show_bytes("sha256", sha256, sizeof(sha256)); /* by which a journal calls it */
	show_bytes("machine", o->machine_id, sizeof(o->machine_id));
	if (o->kind == NL_ORDER_NOW) {
		show_bytes("boot", o->boot_id, sizeof(o->boot_id));
		show_bytes("challenge", o->challenge, sizeof(o->challenge));
		if (o->generation == UINT64_MAX)
			printf("generation any\n");
		else
			printf("generation %llu\n", (unsigned long long)o->generation);
	} else
		printf("epoch      %llu\n", (unsigned long long)o->epoch);
	if (o->build_id_len)
		show_bytes("kernel", o->build_id, o->build_id_len);
	if (o->deadline_ms)
		printf("deadline   %u ms\n", o->deadline_ms);
	if (o->confirm_ms)
		printf("confirm    within %u ms\n", o->confirm_ms);
	for (uint32_t i = 0; i < o->head.count; i++)
		show_bytes(words[nl_order_entry(o, i)->what], nl_order_entry(o, i)->name, 32);
}

/* Whose they are, and whether there are enough. */
static void show_signatures(const struct buf *file, const char *path)
{
	struct nl_key keys[NL_MAX_KEYS];
	size_t n_keys = given.keys ? key_read_records(given.keys, keys, NL_MAX_KEYS) : 0;
	size_t signed_size = nl_order_signed_size((const void *)file->p);
	uint32_t needed = given.operators ? (uint32_t)number(given.operators, NL_MAX_SIGNATURES, "--operators") : 1;
	const struct nl_signature *s;
	uint32_t n = 0, good;
	uint8_t id[32];
	enum nl_err err = order_signed(file->p, file->n, keys, (uint32_t)n_keys, needed, &good);

	if (err == NL_EORDER)
		refuse(err, "%s: the signatures are malformed", path);
	if (err == NL_ESIGNATURE)
		refuse(err, "%s was changed after it was signed", path);
	if (err == NL_EUNSIGNED)
		printf("signed by  nobody\n");
	else if (!nl_signatures_find(file->p + signed_size, file->n - signed_size, &s, &n))
		for (uint32_t i = 0; i < n; i++) {
			nl_key_id(s[i].key, id);
			printf("signed by  key %02x%02x%02x%02x\n", id[0], id[1], id[2], id[3]);
		}
	if (given.keys && err)
		refuse(err, "%u of the operators given have signed %s, %u are wanted", good, path, needed);
	if (given.keys)
		printf("operators  %u of %u\n", good, needed);
}

static int order_show(const char *path)
{
	static const struct nl_policy all = {
	        .operators = 1, .order_may = NL_ORDER_MAY_ALL, .deadline_ms = UINT32_MAX, .confirm_ms = UINT32_MAX};
	struct nl_challenge c;
	struct buf file;
	const struct nl_order *o = read_order(path, &file);
	enum nl_err err;

	show_fields(o);
	show_signatures(&file, path);
	if (!given.challenge)
		return NL_EXIT_OK;
	read_challenge(given.challenge, &c);
	if ((err = nl_order_bound(o, &(struct nl_order_here){.address = &c, .policy = &all})))
		refuse(err, "%s does not answer the challenge in %s", path, given.challenge);
	return NL_EXIT_OK;
}

static void take(int option, const char *value)
{
	switch (option) {
	case 'c':
		given.challenge = value;
		break;
	case 'm':
		given.machine = value;
		break;
	case 'e':
		given.epoch = value;
		break;
	case 'b':
		given.kernel = value;
		break;
	case 't':
		add_key(NL_ORDER_TRUST, value);
		break;
	case 'T':
		add_key(NL_ORDER_DISTRUST, value);
		break;
	case 'D':
		given.deadline = value;
		break;
	case 'C':
		given.confirm = value;
		break;
	case 'A':
		given.agentless = true;
		break;
	case 'F':
		given.frozen = true;
		break;
	case 'G':
		given.any_generation = true;
		break;
	case 's':
		given.signer = value;
		break;
	case 'K':
		given.keys = value;
		break;
	case 'n':
		given.operators = value;
		break;
	case 'o':
		given.output = value;
		break;
	case 'd':
		given.message = value;
		break;
	case 'a':
		given.attached = value;
		break;
	case 'P':
		given.pub = value;
		break;
	default:
		usage_error("order", "an option is not understood");
	}
}

/* What only `new` takes. */
static bool describes(void)
{
	return entries.n || given.machine || given.epoch || given.kernel || given.deadline || given.confirm ||
	       given.agentless || given.frozen || given.any_generation;
}

int command_order(int argc, char **argv)
{
	static const struct option options[] = {
	        {"challenge", required_argument, NULL, 'c'},
	        {"machine", required_argument, NULL, 'm'},
	        {"epoch", required_argument, NULL, 'e'},
	        {"kernel", required_argument, NULL, 'b'},
	        {"trust", required_argument, NULL, 't'},
	        {"distrust", required_argument, NULL, 'T'},
	        {"deadline-ms", required_argument, NULL, 'D'},
	        {"confirm-ms", required_argument, NULL, 'C'},
	        {"agentless", no_argument, NULL, 'A'},
	        {"frozen", no_argument, NULL, 'F'},
	        {"any-generation", no_argument, NULL, 'G'},
	        {"sign", required_argument, NULL, 's'},
	        {"keys", required_argument, NULL, 'K'},
	        {"operators", required_argument, NULL, 'n'},
	        {"output", required_argument, NULL, 'o'},
	        {"digest-out", required_argument, NULL, 'd'},
	        {"attach", required_argument, NULL, 'a'},
	        {"pub", required_argument, NULL, 'P'},
	        {NULL, 0, NULL, 0},
	};
	bool token, shows;
	const char *verb;
	int c;

	while ((c = getopt_long(argc, argv, "o:", options, NULL)) != -1)
		take(c, optarg);
	verb = optind < argc ? argv[optind++] : "";
	token = given.message || given.attached || given.pub;
	shows = given.keys || given.operators;
	if (!strcmp(verb, "new") && optind < argc && given.output && !token && !shows &&
	    !given.challenge == (given.machine && given.epoch) &&
	    !(given.challenge && (given.machine || given.epoch || given.kernel)) &&
	    !(given.any_generation && !given.challenge)) {
		verb = argv[optind++];
		while (optind < argc)
			add_leaf(argv[optind++]);
		return order_new(verb);
	}
	if (!strcmp(verb, "sign") && argc - optind == 1 && !!given.signer + !!given.message + !!given.attached == 1 &&
	    !given.attached == !given.pub && !describes() && !given.challenge && !shows)
		return order_sign(argv[optind]);
	if (!strcmp(verb, "show") && argc - optind == 1 && !given.signer && !given.output && !token && !describes())
		return order_show(argv[optind]);
	usage_error("order", "new VERB [LEAF]... with --challenge, or with --machine and --epoch, and -o FILE; "
	                     "sign FILE --sign KEY.pem; or show FILE");
}
