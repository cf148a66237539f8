// SPDX-License-Identifier: Apache-2.0
/* `kill`: the mitigation before a fix exists, as a recipe of one line for each function (made.h). */
#include "build.h"
#include "commands.h"

#include <ctype.h>
#include <getopt.h>
#include <string.h>

/* kill-NAME of the first function, in the letters that an id has. */
static char *default_id(const char *what)
{
	char *id;

	what += what[strcspn(what, ":=,")] == ':' ? strcspn(what, ":") + 1 : 0;
	id = xformat("kill-%.*s", NL_LEAF_ID_LEN - 6, what);

	id[strcspn(id, "=,")] = 0;
	for (char *p = id; *p; p++)
		*p = isalnum((unsigned char)*p) ? (char)tolower((unsigned char)*p) : '-';
	return id;
}

static char *statements(char *const *what, int n, const char *allow)
{
	char *text = xformat("%s", "");

	for (int i = 0; i < n; i++) {
		size_t name = strcspn(what[i], "=");

		if (strpbrk(what[i], "\n#\"")) /* each is one line of a recipe */
			usage_error("kill", "a function is NAME or NAME=VALUE");
		text = xformat("%skill %.*s%s%s%s\n", text, (int)name, what[i], what[i][name] ? " = " : "",
		               what[i] + name + !!what[i][name], allow);
	}
	return text;
}

int command_kill(int argc, char **argv)
{
	static const struct option options[] = {
	        {"kernel", required_argument, NULL, 'k'},  {"output", required_argument, NULL, 'o'},
	        {"id", required_argument, NULL, 'i'},      {"cve", required_argument, NULL, 'c'},
	        {"counters", no_argument, NULL, 'n'},      {"allow", required_argument, NULL, 'a'},
	        {"modules", required_argument, NULL, 'M'}, {NULL, 0, NULL, 0},
	};
	const char *kernel = NULL, *output = NULL, *id = NULL;
	char *facts = xformat("%s", ""), *allow = xformat("%s", "");
	struct build_with with = {.headers = NULL};
	struct built b;
	struct recipe *r;
	int c;

	while ((c = getopt_long(argc, argv, "k:M:o:", options, NULL)) != -1) {
		switch (c) {
		case 'k':
			kernel = optarg;
			break;
		case 'o':
			output = optarg;
			break;
		case 'i':
			id = optarg;
			break;
		case 'c':
			facts = xformat("%scve %s\n", facts, optarg);
			break;
		case 'a':
			if (strspn(optarg, "abcdefghijklmnopqrstuvwxyz") != strlen(optarg))
				usage_error("kill", "--allow takes a word");
			allow = xformat("%s allow %s", allow, optarg);
			break;
		case 'M':
			modules_give(&with.modules, optarg);
			break;
		case 'n':
			facts = xformat("%scounters\n", facts);
			break;
		default:
			usage_error("kill", "an option is not understood");
		}
	}
	if (argc == optind || !kernel)
		usage_error("kill", "functions, and the kernel by -k");
	id = id ? id : default_id(argv[optind]);
	refuse_context(id, "built", false);
	r = recipe_parse(id, xformat("id %s\nversion 1\ndescription \"switches functions off\"\n%s%s", id, facts,
	                             statements(argv + optind, argc - optind, allow)));
	b = build_leaf(r, kernel_open_with(kernel, &with.modules), &with);
	build_write(&b, output);
	return NL_EXIT_OK;
}
