// SPDX-License-Identifier: Apache-2.0
/* `sign` and `verify`: the signature over a leaf, made here or by a hardware token, and whose it is. */
#include "commands.h"
#include "p256.h"
#include "leaffile.h"

#include <getopt.h>
#include <string.h>

static void attach(struct leaffile *l, const uint8_t point[65], const uint8_t rs[64], const char *output)
{
	struct nl_leaf_signature s = {.magic = NL_SIG_MAGIC, .algorithm = NL_SIG_P256_SHA256, .size = sizeof(s)};
	struct buf out = {0};

	if (!verify_digest(point, l->digest, rs))
		refuse(NL_ESIGNATURE, "the signature that was made does not verify with its own key");
	key_id(point, s.key_id);
	memcpy(s.rs, rs, sizeof(s.rs));
	buf_add(&out, l->file.p, l->signed_size);
	buf_add(&out, &s, sizeof(s));
	file_write(output, out.p, out.n, 0644);
	fprintf(stderr, "signed %s by key %02x%02x%02x%02x -> %s\n", l->leaf.header->id, s.key_id[0], s.key_id[1],
	        s.key_id[2], s.key_id[3], escape(output, FOR_TERMINAL));
}

int command_sign(int argc, char **argv)
{
	static const struct option options[] = {
	        {"key", required_argument, NULL, 'K'},        {"output", required_argument, NULL, 'o'},
	        {"digest-out", required_argument, NULL, 'd'}, {"attach", required_argument, NULL, 'a'},
	        {"pub", required_argument, NULL, 'p'},        {NULL, 0, NULL, 0},
	};
	const char *key = NULL, *output = NULL, *digest = NULL, *attached = NULL, *pub = NULL;
	uint8_t point[65], rs[64];
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
		file_write(digest, l.digest, sizeof(l.digest), 0644);
		return NL_EXIT_OK;
	}
	if (key) {
		EVP_PKEY *k = key_read_private(key);

		sign_digest(k, l.digest, rs);
		key_point(k, point);
	} else {
		struct buf sig = file_read(attached, 4096);

		if (!signature_to_raw(&sig, rs))
			refuse(NL_ESIGNATURE, "%s is neither DER nor 64 raw bytes", attached);
		key_read_point(pub, point);
	}
	attach(&l, point, rs, output);
	return NL_EXIT_OK;
}

int command_verify(int argc, char **argv)
{
	static const struct option options[] = {
	        {"keys", required_argument, NULL, 'K'},
	        {"pub", required_argument, NULL, 'p'},
	        {NULL, 0, NULL, 0},
	};
	struct nl_key keys[NL_MAX_KEYS] = {0};
	const char *file = NULL, *pub = NULL;
	struct leaffile l;
	size_t n = 0;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'K':
			file = optarg;
			break;
		case 'p':
			pub = optarg;
			break;
		default:
			usage_error("verify", "an option is not understood");
		}
	}
	if (argc - optind != 1 || !!file + !!pub != 1)
		usage_error("verify", "one leaf, and one of --keys or --pub");
	refuse_context(argv[optind], "verified", false);
	l = leaffile_read(argv[optind]);
	if (!l.is_signed)
		refuse(NL_EUNSIGNED, "%s carries no signature", argv[optind]);
	if (file) {
		n = key_read_records(file, keys, NL_MAX_KEYS);
	} else {
		key_read_point(pub, keys[0].point);
		keys[0].role = NL_ROLE_AUTHOR;
		n = 1;
	}
	for (size_t i = 0; i < n; i++) {
		uint8_t id[32];

		key_id(keys[i].point, id);
		if (!(keys[i].role & NL_ROLE_AUTHOR) || memcmp(id, l.signature.key_id, sizeof(id)))
			continue;
		if (!verify_digest(keys[i].point, l.digest, l.signature.rs))
			refuse(NL_ESIGNATURE, "%s was changed after it was signed", argv[optind]);
		printf("%s: good signature by key %02x%02x%02x%02x%s%s%s\n", l.leaf.header->id, id[0], id[1], id[2],
		       id[3], *keys[i].name ? " \"" : "", escape(keys[i].name, FOR_TERMINAL),
		       *keys[i].name ? "\"" : "");
		return NL_EXIT_OK;
	}
	refuse(NL_EKEY, "signed by key %02x%02x%02x%02x, which is not among the %zu given", l.signature.key_id[0],
	       l.signature.key_id[1], l.signature.key_id[2], l.signature.key_id[3], n);
}
