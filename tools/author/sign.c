// SPDX-License-Identifier: Apache-2.0
/* `sign` and `verify`: the signature over a leaf, made here or by a hardware token, and whose it is. */
#include "commands.h"
#include "keys.h"
#include "leaffile.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char *brief(const uint8_t id[32]) { return xformat("%02x%02x%02x%02x", id[0], id[1], id[2], id[3]); }

/* Puts the signature behind those that are there; a key that has signed already signs anew. */
static void attach(const struct leaffile *l, const struct nl_signature *s, const char *output)
{
	struct nl_signatures head = {.magic = NL_SIG_MAGIC};
	struct buf all = {0}, out = {0};
	uint32_t known = 0;
	uint8_t id[32];

	if (nl_signature_check(NL_DOMAIN_LEAF, l->digest, s, NULL, 0, 0, &known))
		refuse(NL_ESIGNATURE, "the signature that was made does not verify with its own key");
	for (uint32_t i = 0; i < l->n_signatures; i++)
		if (memcmp(l->signatures[i].key, s->key, sizeof(s->key)))
			buf_add(&all, &l->signatures[i], sizeof(*s));
	buf_add(&all, s, sizeof(*s));
	head.count = (uint32_t)(all.n / sizeof(*s));
	head.size = (uint32_t)(sizeof(head) + all.n);
	if (head.count > NL_MAX_SIGNATURES || l->signed_size + head.size > NL_LEAF_MAX_SIZE)
		refuse(NL_EARENA, "a leaf has at most %u signatures, and %u bytes", NL_MAX_SIGNATURES,
		       NL_LEAF_MAX_SIZE);
	buf_add(&out, l->file.p, l->signed_size);
	buf_add(&out, &head, sizeof(head));
	buf_add(&out, all.p, all.n);
	file_write(output, out.p, out.n, 0644);
	nl_key_id(s->key, id);
	fprintf(stderr, "signed %s by key %s", l->leaf.header->id, brief(id));
	if (head.count > 1)
		fprintf(stderr, ", signature %u", head.count);
	fprintf(stderr, " -> %s\n", escape(output, FOR_TERMINAL));
}

int command_sign(int argc, char **argv)
{
	static const struct option options[] = {
	        {"key", required_argument, NULL, 'K'},        {"output", required_argument, NULL, 'o'},
	        {"digest-out", required_argument, NULL, 'd'}, {"attach", required_argument, NULL, 'a'},
	        {"pub", required_argument, NULL, 'p'},        {NULL, 0, NULL, 0},
	};
	const char *key = NULL, *output = NULL, *digest = NULL, *attached = NULL, *pub = NULL;
	struct nl_signature s;
	struct leaffile l;
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
	if (digest) {
		struct nl_signed message = signed_message(NL_DOMAIN_LEAF, l.digest);

		file_write(digest, &message, sizeof(message), 0644);
		return NL_EXIT_OK;
	}
	if (key) {
		sign_digest(key_read_private(key), NL_DOMAIN_LEAF, l.digest, &s);
	} else {
		struct buf sig = file_read(attached, 4096);

		if (sig.n != sizeof(s.bytes))
			refuse(NL_ESIGNATURE, "%s is no Ed25519 signature, which has %zu bytes", attached,
			       sizeof(s.bytes));
		memcpy(s.bytes, sig.p, sig.n);
		key_read_public(pub, s.key);
	}
	attach(&l, &s, output);
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
