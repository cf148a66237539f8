// SPDX-License-Identifier: Apache-2.0
/*
 * `transplant`: leaves whose bodies are the functions' own code, for functions that are named or drawn by lot. They
 * change nothing that anybody could see, so whoever notices one has found a defect: of the reader of kernels, of sites,
 * relocations and stubs, or of the hypervisor.
 */
#include "attempt.h"
#include "branches.h"
#include "build.h"
#include "commands.h"
#include "leaffile.h"
#include "transplant_draw.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

struct one {
	const struct kernel *k;
	const char *name; /* [MODULE:]NAME[,POSITION] */
};

static struct recipe *recipe_of(const char *id, char *const *names, size_t n)
{
	char *text = xformat(
	        "id %s\nversion 1\ndescription \"the functions' own code at another place\"\ncounters cpus 4\n", id);

	for (size_t i = 0; i < n; i++)
		text = xformat("%stransplant %s allow clones\n", text, names[i]);
	return recipe_parse(id, text);
}

static void try_one(const void *with)
{
	const struct one *o = with;

	build_leaf(recipe_of("t", (char *const *)&o->name, 1), o->k, &(struct build_with){.headers = NULL});
}

static void write_leaf(const struct kernel *k, char *const *names, size_t n, unsigned number, const char *directory)
{
	char *id = xformat("transplant-%02u", number), *path = xformat("%s/%s.leaf", directory, id);
	struct leaffile l = build_leaf(recipe_of(id, names, n), k, &(struct build_with){.headers = NULL}).leaf;

	file_write(path, l.file.p, l.file.n, 0644);
	fprintf(stderr, "%s: %zu functions, body %u bytes, %u relocations\n", escape(path, FOR_TERMINAL), n,
	        l.leaf.header->text.count, l.leaf.header->relocs.count);
}

int command_transplant(int argc, char **argv)
{
	static const struct option options[] = {
	        {"kernel", required_argument, NULL, 'k'},  {"count", required_argument, NULL, 'c'},
	        {"seed", required_argument, NULL, 's'},    {"output", required_argument, NULL, 'o'},
	        {"modules", required_argument, NULL, 'M'}, {"module", required_argument, NULL, 'm'},
	        {"dry-run", no_argument, NULL, 'n'},       {NULL, 0, NULL, 0},
	};
	const char *kernel = NULL, *output = ".";
	struct modules_given given = {.n = 0};
	size_t count = 0, built = 0, n_of = 0;
	char *of[DRAW_MODULES_MAX];
	bool write = true;
	unsigned leaves = 0;
	uint64_t seed = 1;
	struct kernel *k;
	struct one o;
	char **names;
	int c;

	while ((c = getopt_long(argc, argv, "k:o:M:n", options, NULL)) != -1) {
		switch (c) {
		case 'k':
			kernel = optarg;
			break;
		case 'c':
			count = strtoul(optarg, NULL, 0);
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'o':
			output = optarg;
			break;
		case 'M':
			modules_give(&given, optarg);
			break;
		case 'm':
			if (n_of == DRAW_MODULES_MAX)
				usage_error("transplant", "too often --module");
			of[n_of++] = optarg;
			break;
		case 'n':
			write = false;
			break;
		default:
			usage_error("transplant", "an option is not understood");
		}
	}
	if (!kernel || !count == (argc == optind))
		usage_error("transplant", "the kernel by -k, and functions or --count");
	if (n_of && (!given.n || !count))
		usage_error("transplant", "--module is for --count, and wants its file by -M");
	refuse_context("transplant", "built", false);
	o.k = k = kernel_open_with(kernel, &given);
	branches_remember(k);
	names = argv + optind;
	if (!count)
		count = (size_t)(argc - optind);
	else if (given.n)
		count = draw_of_modules(k, of, n_of, count, seed, &names);
	else
		count = draw_of_image(k, count, seed, &names);
	for (size_t i = 0; i < count; i++) {
		struct attempt a;

		o.name = names[i];
		a = attempt(try_one, &o);
		printf("%s\t%s\t%s\n", names[i], a.exit ? a.code ? a.code : xformat("exit %d", a.exit) : "built",
		       a.why ? a.why : "");
		if (!a.exit)
			names[built++] = names[i];
	}
	draw_sort(names, built);
	for (size_t at = 0, n; write && at < built; at += n, leaves++)
		write_leaf(k, names + at, n = draw_for_leaf(k, names + at, built - at), leaves, output);
	fprintf(stderr, "%zu of %zu functions in %u leaves\n", built, count, leaves);
	return built ? NL_EXIT_OK : NL_EXIT_NOTHING;
}
