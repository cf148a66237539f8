// SPDX-License-Identifier: Apache-2.0
/* `key new|list|image`: the keys that sign leaves, and the records by which an EFI image trusts them. */
#include "commands.h"
#include "keys.h"
#include "leaf/signature.h"

#include <getopt.h>
#include <string.h>

static int key_new(const char *name, const char *role, const char *directory)
{
	struct nl_key record = {.role = key_role(role)};
	char *secret = xformat("%s/%s.pem", directory, name), *public = xformat("%s/%s.pub", directory, name);
	EVP_PKEY *key;
	uint8_t id[32];

	if (!*name || strlen(name) >= sizeof(record.name) ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != strlen(name))
		usage_error("key", "a name has at most 27 letters, digits, '.', '_', '-'");
	if (!record.role)
		refuse(NL_EROLE, "role %s is not made of author, operator, revoke", role);
	if (file_exists(secret) || file_exists(public))
		refuse(NL_EUSAGE,
		       "%s or %s exists already; a key is never overwritten: choose another name or directory", secret,
		       public);
	key = key_generate();
	key_public(key, record.key);
	memcpy(record.name, name, strlen(name));
	nl_key_id(record.key, id);
	key_write_private(secret, key);
	key_write_records(public, &record, 1);
	printf("%02x%02x%02x%02x  %s  %s  %s\n", id[0], id[1], id[2], id[3], name, escape(secret, FOR_TERMINAL),
	       escape(public, FOR_TERMINAL));
	return NL_EXIT_OK;
}

static int key_list(const char *path)
{
	struct nl_key keys[NL_MAX_KEYS];
	size_t n = key_read_records(path, keys, NL_MAX_KEYS);

	for (size_t i = 0; i < n; i++) {
		uint8_t id[32];

		nl_key_id(keys[i].key, id);
		hex_print(stdout, id, sizeof(id));
		printf("  %-26s  %s\n", escape(keys[i].name, FOR_TERMINAL), key_role_name(keys[i].role));
	}
	return NL_EXIT_OK;
}

static int key_image(char *const files[], int n, const char *output)
{
	struct nl_key all[NL_MAX_KEYS] = {0};
	size_t have = 0;

	for (int i = 0; i < n; i++)
		have += key_read_records(files[i], all + have, NL_MAX_KEYS - have);
	if (!have)
		usage_error("key", "no key given");
	key_write_records(output, all, have);
	return NL_EXIT_OK;
}

int command_key(int argc, char **argv)
{
	static const struct option options[] = {
	        {"role", required_argument, NULL, 'r'},
	        {"output", required_argument, NULL, 'o'},
	        {NULL, 0, NULL, 0},
	};
	const char *role = "author", *output = NULL, *verb;
	int c;

	while ((c = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		switch (c) {
		case 'r':
			role = optarg;
			break;
		case 'o':
			output = optarg;
			break;
		default:
			usage_error("key", "an option is not understood");
		}
	}
	verb = optind < argc ? argv[optind++] : "";
	if (!strcmp(verb, "new") && argc - optind == 1)
		return key_new(argv[optind], role, output ? output : ".");
	if (!strcmp(verb, "list") && argc - optind == 1)
		return key_list(argv[optind]);
	if (!strcmp(verb, "image") && argc > optind && output)
		return key_image(argv + optind, argc - optind, output);
	usage_error("key", "new NAME, list FILE or image KEY.pub... -o FILE");
}
