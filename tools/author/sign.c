// SPDX-License-Identifier: Apache-2.0
/* `sign` and `verify`: the signature over a leaf, made here or by a hardware token, and whose it is. */
#include "commands.h"
#include "leaffile.h"
#include "signing.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char *brief(const uint8_t id[32]) { return xformat("%02x%02x%02x%02x", id[0], id[1], id[2], id[3]); }

int command_sign(int argc, char **argv)
{
	static const struct option options[] = {
	        {"key", required_argument, NULL, 'K'},        {"output", required_argument, NULL, 'o'},
	        {"digest-out", required_argument, NULL, 'd'}, {"attach", required_argument, NULL, 'a'},
	        {"pub", required_argument, NULL, 'p'},        {NULL, 0, NULL, 0},
	};
	const char *key = NULL, *output = NULL, *digest = NULL, *attached = NULL, *pub = NULL;
	struct signing g = {.domain = NL_DOMAIN_LEAF, .what = "a leaf", .max = NL_LEAF_MAX_SIZE};
	struct leaffile l;
	uint8_t id[32];
	uint32_t n;
	int c;

	while ((c = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		switch (c) {
		case 'K':
			key = optarg;
			break;
		case 'o':
			output = optarg;
			break;
		case 'd':
			digest = optarg;
			break;
		case 'a':
			attached = optarg;
			break;
		case 'p':
			pub = optarg;
			break;
		default:
			usage_error("sign", "an option is not understood");
		}
	}
	if (argc - optind != 1 || !!key + !!digest + !!attached != 1 || !!attached != !!pub)
		usage_error("sign", "one leaf, and one of --key, --digest-out, or --attach with --pub");
	refuse_context(argv[optind], "signed", false);
	l = leaffile_read(argv[optind]);
	output = output ? output : argv[optind];
	g.file = l.file.p;
	g.size = l.file.n;
	g.signed_size = l.signed_size;
	g.key = key;
	g.attached = attached;
	g.pub = pub;
	if (digest) {
		signing_message(&g, digest);
		return NL_EXIT_OK;
	}
	n = signing_do(&g, output, id);
	fprintf(stderr, "signed %s by key %s", l.leaf.header->id, brief(id));
	if (n > 1)
		fprintf(stderr, ", signature %u", n);
	fprintf(stderr, " -> %s\n", escape(output, FOR_TERMINAL));
	return NL_EXIT_OK;
}

/* Checks all, says whose each is; returns how many trusted authors have signed. */
static uint32_t verify_all(const struct leaffile *l, const char *path, const struct nl_key *keys, size_t n)
{
	uint32_t known = 0, count = 0;

	for (uint32_t i = 0; i < l->n_signatures; i++) {
		const struct nl_signature *s = &l->signatures[i];
		uint32_t before = known, which = 0;
		uint8_t id[32];

		nl_key_id(s->key, id);
		if (nl_signature_check(NL_DOMAIN_LEAF, l->digest, s, keys, (uint32_t)n, NL_ROLE_AUTHOR, &known))
			refuse(NL_ESIGNATURE, "%s was changed after it was signed, or its signature by key %s was",
			       path, brief(id));
		count += known != before;
		nl_signature_check(NL_DOMAIN_LEAF, l->digest, s, keys, (uint32_t)n, NL_ROLE_AUTHOR, &which);
		if (!which) {
			printf("%s: good signature by key %s, which is not trusted\n", l->leaf.header->id, brief(id));
		} else {
			const char *name = keys[__builtin_ctz(which)].name;

			printf("%s: good signature by key %s%s%s%s\n", l->leaf.header->id, brief(id),
			       *name ? " \"" : "", escape(name, FOR_TERMINAL), *name ? "\"" : "");
		}
	}
	return count;
}

int command_verify(int argc, char **argv)
{
	static const struct option options[] = {
	        {"keys", required_argument, NULL, 'K'},
	        {"pub", required_argument, NULL, 'p'},
	        {"signatures", required_argument, NULL, 's'},
	        {NULL, 0, NULL, 0},
	};
	unsigned long wanted = 1;
	uint32_t known;
	struct nl_key keys[NL_MAX_KEYS] = {0};
	const char *file = NULL, *pub = NULL;
	struct leaffile l;
	size_t n = 1;
	char *end;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'K':
			file = optarg;
			break;
		case 'p':
			pub = optarg;
			break;
		case 's':
			wanted = strtoul(optarg, &end, 10);
			if (!*optarg || *end || !wanted || wanted > NL_MAX_SIGNATURES)
				usage_error("verify", "--signatures takes a number from 1 to 8");
			break;
		default:
			usage_error("verify", "an option is not understood");
		}
	}
	if (argc - optind != 1 || !!file + !!pub != 1)
		usage_error("verify", "one leaf, and one of --keys or --pub");
	refuse_context(argv[optind], "verified", false);
	l = leaffile_read(argv[optind]);
	if (!l.n_signatures)
		refuse(NL_EUNSIGNED, "%s carries no signature", argv[optind]);
	if (file) {
		n = key_read_records(file, keys, NL_MAX_KEYS);
	} else {
		key_read_public(pub, keys[0].key);
		keys[0].role = NL_ROLE_AUTHOR;
	}
	known = verify_all(&l, argv[optind], keys, n);
	if (!known)
		refuse(NL_EKEY, "none of its %u signatures is by one of the %zu keys given", l.n_signatures, n);
	if (known < wanted)
		refuse(NL_EQUORUM, "%u of the authors given have signed, %lu are wanted", known, wanted);
	return NL_EXIT_OK;
}
