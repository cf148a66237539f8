// SPDX-License-Identifier: Apache-2.0
/* `prove`: are the units of this source the ones in this image? What `build` relies on for each function of a patch,
 * asked for whole units. */
#include "commands.h"
#include "compile.h"
#include "patch_compile.h"
#include "patch_prove.h"

#include <getopt.h>
#include <string.h>

struct totals {
	size_t units, absent, functions, proven, discarded;
};

static const char *verdict(const struct proof_function *f)
{
	return !f->why ? "proven" : f->discarded ? "dropped" : "differs";
}

static void show(const char *path, const struct proof *p, bool json, struct totals *sum)
{
	size_t open = p->n_functions - p->n_proven - p->n_discarded;

	if (json)
		printf("%s{\"unit\":\"%s\",\"functions\":%zu,\"proven\":%zu,\"dropped\":%zu,\"others\":[",
		       sum->units ? "," : "", path, p->n_functions, p->n_proven, p->n_discarded);
	else
		printf("%s: %zu of %zu functions proven%s\n", path, p->n_proven, p->n_functions - p->n_discarded,
		       open ? "; others:" : "");
	for (size_t i = 0, shown = 0; i < p->n_functions; i++) {
		const struct proof_function *f = &p->function[i];

		if (!f->why || (f->discarded && !json))
			continue;
		if (json) {
			printf("%s{\"function\":", shown++ ? "," : "");
			json_string(stdout, f->symbol->name);
			printf(",\"verdict\":\"%s\",\"why\":", verdict(f));
			json_string(stdout, f->why);
			printf("}");
		} else {
			printf("  %-8s %s: %s\n", verdict(f), escape(f->symbol->name, FOR_TERMINAL),
			       escape(f->why, FOR_TERMINAL));
		}
	}
	if (json)
		printf("]}");
	fflush(stdout); /* units take seconds each */
	sum->units++;
	sum->functions += p->n_functions;
	sum->proven += p->n_proven;
	sum->discarded += p->n_discarded;
}

static void prove_unit(const struct kernel *k, const struct tree *t, const char *path, bool json, struct totals *sum)
{
	struct unit_command c;
	struct proof *p;

	compile_plain_path(path);
	if (!unit_build(t, path, true, &c) || c.module) {
		fprintf(stderr, "%s: %s\n", path,
		        c.module ? xformat("part of module %s, not of the image", c.module)
		                 : "the kernel's makefiles do not make it");
		sum->absent++;
		return;
	}
	p = prove(k, unit_read(c.object));
	if (!proof_is_linked(p)) { /* make builds single units of what is not configured, too */
		fprintf(stderr, "%s: not in the image\n", path);
		sum->absent++;
		return;
	}
	show(path, p, json, sum);
}

int command_prove(int argc, char **argv)
{
	static const struct option options[] = {
	        {"kernel", required_argument, NULL, 'k'}, {"headers", required_argument, NULL, 'H'},
	        {"source", required_argument, NULL, 'S'}, {"cc", required_argument, NULL, 'c'},
	        {"json", no_argument, NULL, 'j'},         {NULL, 0, NULL, 0},
	};
	const char *kernel = NULL, *headers = NULL, *source = NULL, *cc = NULL;
	struct totals sum = {0};
	bool json = false;
	struct kernel *k;
	struct tree t;
	int c;

	while ((c = getopt_long(argc, argv, "k:H:S:", options, NULL)) != -1) {
		switch (c) {
		case 'k':
			kernel = optarg;
			break;
		case 'H':
			headers = optarg;
			break;
		case 'S':
			source = optarg;
			break;
		case 'c':
			cc = optarg;
			break;
		case 'j':
			json = true;
			break;
		default:
			usage_error("prove", "an option is not understood");
		}
	}
	if (optind == argc || !kernel || !source)
		usage_error("prove", "units, the kernel by -k and its source by -S");
	refuse_context(argv[optind], "proven", json);
	k = kernel_open(kernel);
	headers = compile_headers(k, headers);
	t = tree_make(compile_directory(), source, headers, toolchain_find(k, cc));
	if (json)
		printf("{\"schema\":\"newleaf.prove/1\",\"kernel\":\"%s\",\"units\":[", k->release);
	for (int i = optind; i < argc; i++)
		prove_unit(k, &t, argv[i], json, &sum);
	if (json)
		printf("],\"functions\":%zu,\"proven\":%zu,\"dropped\":%zu}\n", sum.functions, sum.proven,
		       sum.discarded);
	else
		printf("%zu of %zu functions of %zu units are proven; %zu are dropped by the kernel, %zu units not "
		       "built\n",
		       sum.proven, sum.functions - sum.discarded, sum.units, sum.discarded, sum.absent);
	return sum.proven == sum.functions - sum.discarded && sum.units ? NL_EXIT_OK : err_exit(NL_ETARGET);
}
