// SPDX-License-Identifier: Apache-2.0
/* `revoke new|sign|show`: the signed list of what is not applied any more (include/newleaf/list.h). */
#include "commands.h"
#include "leaf/leaf.h"
#include "leaf/signature.h"
#include "named.h"
#include "signing.h"

#include <newleaf/list.h>

#include <getopt.h>
#include <string.h>

static const char *const words[] = {
        [NL_LIST_LEAF] = "leaf", [NL_LIST_KEY] = "key", [NL_LIST_FLOOR] = "floor", [NL_LIST_PARDON] = "pardon"};

static struct buf entries;

static void add(enum nl_list_what what, uint32_t version, const void *name, size_t n)
{
	struct nl_list_entry e = {.what = what, .version = version};

	memcpy(e.name, name, n);
	buf_add(&entries, &e, sizeof(e));
	if (entries.n / sizeof(e) > NL_LIST_MAX_ENTRIES)
		refuse(NL_EARENA, "a list has at most %u entries", NL_LIST_MAX_ENTRIES);
}

static void add_leaf(enum nl_list_what what, const char *text)
{
	uint8_t sha256[32];

	named_leaf(text, sha256);
	add(what, 0, sha256, sizeof(sha256));
}

static void add_key(const char *text)
{
	uint8_t id[32];

	named_key(text, id);
	add(NL_LIST_KEY, 0, id, sizeof(id));
}

static uint64_t number(const char *text, uint64_t max)
{
	uint64_t v = named_number(text, max);

	if (!v)
		usage_error("revoke", "a number from 1 on is wanted for --sequence and behind the = of --floor");
	return v;
}

static void add_floor(const char *text)
{
	const char *equals = strchr(text, '=');
	size_t n = equals ? (size_t)(equals - text) : 0;
	char id[NL_LEAF_ID_LEN] = "";

	if (n < sizeof(id))
		memcpy(id, text, n);
	if (!nl_leaf_id_ok(id)) /* by the check that machines make: they take a list whole or not at all */
		usage_error("revoke", "--floor takes ID=VERSION");
	add(NL_LIST_FLOOR, (uint32_t)number(equals + 1, UINT32_MAX), id, n);
}

static void digest(const struct buf *file, size_t signed_size, uint8_t out[32])
{
	digest_of(file->p, signed_size, out);
}

static const struct nl_list *read_list(const char *path, struct buf *file, size_t *signed_size)
{
	const struct nl_list *l;
	enum nl_err err;

	*file = file_read(path, NL_LIST_MAX_SIZE);
	err = nl_record_check(NL_LIST_KIND, file->p, file->n);
	if (err)
		refuse(err, "%s is no signed list that this version reads", path);
	l = (const struct nl_list *)(const void *)file->p;
	*signed_size = nl_list_signed_size(l);
	return l;
}

static struct signing signing_of(const struct buf *file, size_t signed_size, const char *key)
{
	return (struct signing){.domain = NL_DOMAIN_LIST,
	                        .what = "a list",
	                        .file = file->p,
	                        .size = file->n,
	                        .signed_size = signed_size,
	                        .max = NL_LIST_MAX_SIZE,
	                        .key = key};
}

/* By a key, or in two steps by a token: out with what it signs, in with what it made. */
static int list_sign(const char *path, const char *key, const char *message_out, const char *attached, const char *pub,
                     const char *output)
{
	struct signing g;
	size_t signed_size;
	struct buf file;
	uint8_t id[32];

	read_list(path, &file, &signed_size);
	g = signing_of(&file, signed_size, key);
	g.attached = attached;
	g.pub = pub;
	if (message_out)
		signing_message(&g, message_out);
	else
		signing_do(&g, output ? output : path, id);
	return NL_EXIT_OK;
}

static int list_new(const char *sequence, const char *key, const char *output)
{
	struct nl_list head = {.head = {.magic = NL_LIST_MAGIC,
	                                .version = NL_LIST_KIND->version,
	                                .head_size = sizeof(head),
	                                .record_size = sizeof(struct nl_list_entry),
	                                .count = (uint32_t)(entries.n / sizeof(struct nl_list_entry))},
	                       .sequence = number(sequence, NL_LIST_MAX_SEQUENCE)};
	struct buf out = {0};

	buf_add(&out, &head, sizeof(head));
	buf_add(&out, entries.p, entries.n);
	if (key) {
		struct signing g = signing_of(&out, out.n, key);
		uint8_t id[32];

		signing_do(&g, output, id);
	} else
		file_write(output, out.p, out.n, 0644);
	fprintf(stderr, "list %llu, %u entries%s -> %s\n", (unsigned long long)head.sequence, head.head.count,
	        key ? "" : ", not signed", escape(output, FOR_TERMINAL));
	return NL_EXIT_OK;
}

static void show_entry(const struct nl_list_entry *e)
{
	if (!e->what || e->what > NL_LIST_PARDON)
		refuse(NL_ENEWER, "the list holds what this version does not know (%u)", e->what);
	printf("%-6s  ", words[e->what]);
	if (e->what == NL_LIST_FLOOR)
		printf("%s=%u\n", escape(xformat("%.*s", (int)sizeof(e->name), (const char *)e->name), FOR_TERMINAL),
		       e->version);
	else {
		hex_print(stdout, e->name, 32);
		printf("\n");
	}
}

static int list_show(const char *path, const char *keys_file)
{
	struct nl_key keys[NL_MAX_KEYS];
	const struct nl_signature *s = NULL;
	struct buf file;
	size_t signed_size, n_keys = keys_file ? key_read_records(keys_file, keys, NL_MAX_KEYS) : 0;
	const struct nl_list *l = read_list(path, &file, &signed_size);
	uint32_t n = 0, trusted = 0;
	uint8_t sha256[32], id[32];

	digest(&file, signed_size, sha256);
	printf("list    %llu\n", (unsigned long long)l->sequence);
	for (uint32_t i = 0; i < l->head.count; i++)
		show_entry(nl_record_at(l, i));
	if (file.n == signed_size)
		printf("signed  by nobody\n");
	else if (nl_signatures_find(file.p + signed_size, file.n - signed_size, &s, &n))
		refuse(NL_ERECORD, "%s: the signatures are malformed", path);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t known = 0;

		nl_key_id(s[i].key, id);
		if (nl_signature_check(NL_DOMAIN_LIST, sha256, &s[i], keys, (uint32_t)n_keys, NL_ROLE_REVOKE, &known))
			refuse(NL_ESIGNATURE, "%s was changed after it was signed", path);
		trusted |= known;
		printf("signed  by key %02x%02x%02x%02x%s\n", id[0], id[1], id[2], id[3],
		       !keys_file ? ""
		       : known    ? ", trusted"
		                  : ", not trusted with lists");
	}
	if (keys_file && !trusted)
		refuse(n ? NL_EKEY : NL_EUNSIGNED, "none of the keys given, in the role revoke, has signed %s", path);
	return NL_EXIT_OK;
}

int command_revoke(int argc, char **argv)
{
	static const struct option options[] = {
	        {"sequence", required_argument, NULL, 'n'},   {"leaf", required_argument, NULL, 'l'},
	        {"key", required_argument, NULL, 'k'},        {"floor", required_argument, NULL, 'f'},
	        {"pardon", required_argument, NULL, 'p'},     {"sign", required_argument, NULL, 's'},
	        {"keys", required_argument, NULL, 'K'},       {"output", required_argument, NULL, 'o'},
	        {"digest-out", required_argument, NULL, 'd'}, {"attach", required_argument, NULL, 'a'},
	        {"pub", required_argument, NULL, 'P'},        {NULL, 0, NULL, 0},
	};
	const char *sequence = NULL, *signer = NULL, *keys = NULL, *output = NULL, *verb;
	const char *message = NULL, *attached = NULL, *pub = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		switch (c) {
		case 'n':
			sequence = optarg;
			break;
		case 'l':
			add_leaf(NL_LIST_LEAF, optarg);
			break;
		case 'k':
			add_key(optarg);
			break;
		case 'f':
			add_floor(optarg);
			break;
		case 'p':
			add_leaf(NL_LIST_PARDON, optarg);
			break;
		case 's':
			signer = optarg;
			break;
		case 'K':
			keys = optarg;
			break;
		case 'o':
			output = optarg;
			break;
		case 'd':
			message = optarg;
			break;
		case 'a':
			attached = optarg;
			break;
		case 'P':
			pub = optarg;
			break;
		default:
			usage_error("revoke", "an option is not understood");
		}
	}
	verb = optind < argc ? argv[optind++] : "";
	if (!strcmp(verb, "new") && argc == optind && sequence && output && !keys && !message && !attached && !pub)
		return list_new(sequence, signer, output);
	if (!strcmp(verb, "sign") && argc - optind == 1 && !!signer + !!message + !!attached == 1 &&
	    !attached == !pub && !entries.n && !sequence && !keys)
		return list_sign(argv[optind], signer, message, attached, pub, output);
	if (!strcmp(verb, "show") && argc - optind == 1 && !signer && !entries.n && !sequence && !output && !message &&
	    !attached && !pub)
		return list_show(argv[optind], keys);
	usage_error("revoke", "new --sequence N ... -o FILE, sign FILE --sign KEY.pem, or show FILE");
}
