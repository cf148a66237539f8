// SPDX-License-Identifier: Apache-2.0
/*
 * `prove`: are the units of this source the ones in this image? What `build` relies on for each function of a patch,
 * asked for whole units, which are named or drawn by lot. No unit passes in silence: one that cannot be compared is
 * named with its reason, and counted.
 */
#define _GNU_SOURCE
#include "attempt.h"
#include "commands.h"
#include "compile.h"
#include "modules.h"
#include "patch_compile.h"
#include "patch_modules.h"
#include "patch_prove.h"
#include "patch_units.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

struct totals {
	size_t units, functions, proven, dropped;
};

struct asked {
	const struct kernel *k;
	const struct tree *t;
	const char *path;
	bool json, drawn, modules; /* drawn of modules' units */
	struct totals *sum;        /* shared with the process that compares one unit */
};

struct refused {
	const char *path, *why;
};

static const char *verdict(const struct proof_function *f)
{
	return !f->why ? "proven" : f->discarded ? "dropped" : "differs";
}

static void show(const struct asked *a, const struct proof *p)
{
	size_t open = p->n_functions - p->n_proven - p->n_discarded;

	if (a->json)
		printf("%s{\"unit\":\"%s\",\"functions\":%zu,\"proven\":%zu,\"dropped\":%zu,\"others\":[",
		       a->sum->units ? "," : "", a->path, p->n_functions, p->n_proven, p->n_discarded);
	else
		printf("%s: %zu of %zu functions proven%s\n", a->path, p->n_proven, p->n_functions - p->n_discarded,
		       open ? "; others:" : "");
	for (size_t i = 0, shown = 0; i < p->n_functions; i++) {
		const struct proof_function *f = &p->function[i];

		if (!f->why || (f->discarded && !a->json))
			continue;
		if (a->json) {
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
	if (a->json)
		printf("]}");
	a->sum->units++;
	a->sum->functions += p->n_functions;
	a->sum->proven += p->n_proven;
	a->sum->dropped += p->n_discarded;
}

/* In a process of its own: a refusal ends it, and what one unit takes of memory goes with it. */
static void prove_unit(const void *with)
{
	const struct asked *a = with;
	char *log = xformat("%s/unit.log", a->t->work);
	struct unit_command c;
	struct proof *p;

	if (!unit_build(a->t, a->path, log, &c))
		refuse(NL_ECOMPILE, "it does not compile: %s", kbuild_error(log));
	if (!unit_kernel(a->k, &c, true))
		unit_refuse_module(a->k, &c);
	p = prove(unit_kernel(a->k, &c, true), unit_read(c.object));
	if (!proof_is_linked(p) && !a->drawn) /* make builds what is not configured, too */
		refuse(NL_ETARGET, "not in %s: none of its functions is there", unit_kernel_text(p->k));
	show(a, p);
	fflush(stdout);
}

static void show_refused(const struct refused *r, size_t n, bool json)
{
	for (size_t i = 0; i < n; i++) {
		if (json) {
			printf("%s{\"unit\":\"%s\",\"why\":", i ? "," : "", r[i].path);
			json_string(stdout, r[i].why);
			printf("}");
		} else {
			printf("  not compared %s: %s\n", r[i].path, escape(r[i].why, FOR_TERMINAL));
		}
	}
}

static int prove_units(struct asked a, char *const *units, size_t n, uint64_t seed, const struct unit_list *all)
{
	struct refused *refused = xalloc((n + 1) * sizeof(*refused));
	size_t n_refused = 0, stays;
	struct totals *sum = a.sum;

	if (a.json)
		printf("{\"schema\":\"newleaf.prove/1\",\"kernel\":\"%s\",", a.k->release);
	if (a.json && all)
		printf("\"lot\":{\"seed\":%llu,\"drawn\":%zu,\"of\":%zu,\"assembler\":%zu},", (unsigned long long)seed,
		       n, all->n, all->assembler);
	else if (all)
		printf("%zu of the %zu units that the configuration links into %s%s, seed %llu (%zu units of "
		       "assembler "
		       "stand aside)\n",
		       n, all->n, a.modules ? "the modules of " : "", a.k->release, (unsigned long long)seed,
		       all->assembler);
	if (a.json && a.t->tools.note) {
		printf("\"note\":");
		json_string(stdout, a.t->tools.note);
		printf(",");
	} else if (a.t->tools.note) {
		printf("%s\n", escape(a.t->tools.note, FOR_TERMINAL));
	}
	if (a.json)
		printf("\"units\":[");
	for (size_t i = 0; i < n; i++) {
		struct attempt done;

		a.path = units[i];
		done = attempt(prove_unit, &a);
		if (!done.exit)
			continue;
		refused[n_refused++] = (struct refused){
		        units[i], done.why ? done.why : xformat("the comparison ended with %d", done.exit)};
		if (!a.json)
			show_refused(&refused[n_refused - 1], 1, false);
	}
	stays = sum->functions - sum->dropped;
	if (a.json) {
		printf("],\"refused\":[");
		show_refused(refused, n_refused, true);
		printf("],\"functions\":%zu,\"proven\":%zu,\"dropped\":%zu}\n", sum->functions, sum->proven,
		       sum->dropped);
	} else {
		printf("%zu of %zu functions of %zu units are proven (%.2f %%), %zu differ; %zu are dropped by the "
		       "kernel, "
		       "%zu units were not compared\n",
		       sum->proven, stays, sum->units, stays ? 100.0 * (double)sum->proven / (double)stays : 0.0,
		       stays - sum->proven, sum->dropped, n_refused);
	}
	return sum->proven == stays && sum->units && !n_refused ? NL_EXIT_OK : err_exit(NL_ETARGET);
}

static uint64_t number(const char *text, const char *option)
{
	char *end;
	uint64_t v;

	errno = 0;
	v = strtoull(text, &end, 10);
	if (*end || *text < '0' || *text > '9' || errno)
		usage_error("prove", xformat("--%s wants a number", option));
	return v;
}

static uint64_t any_seed(void)
{
	uint32_t v;

	if (getrandom(&v, sizeof(v), 0) != sizeof(v))
		refuse(NL_EENVIRONMENT, "no random number for a seed: give --seed");
	return v;
}

int command_prove(int argc, char **argv)
{
	static const struct option options[] = {
	        {"kernel", required_argument, NULL, 'k'},
	        {"headers", required_argument, NULL, 'H'},
	        {"source", required_argument, NULL, 'S'},
	        {"cc", required_argument, NULL, 'c'},
	        {"json", no_argument, NULL, 'j'},
	        {"random", required_argument, NULL, 'r'},
	        {"seed", required_argument, NULL, 's'},
	        {"modules", required_argument, NULL, 'M'},
	        {NULL, 0, NULL, 0},
	};
	const char *kernel = NULL, *headers = NULL, *source = NULL, *cc = NULL, *seeded = NULL;
	struct modules_given given = {.n = 0};
	struct asked a = {.json = false};
	size_t count = 0;
	uint64_t seed;
	struct unit_list all;
	struct kernel *k;
	struct tree t;
	int c;

	while ((c = getopt_long(argc, argv, "k:H:S:M:", options, NULL)) != -1) {
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
		case 'M':
			modules_give(&given, optarg);
			break;
		case 'j':
			a.json = true;
			break;
		case 'r':
			count = number(optarg, "random");
			a.drawn = true;
			break;
		case 's':
			seeded = optarg;
			break;
		default:
			usage_error("prove", "an option is not understood");
		}
	}
	if (!kernel || !source || (a.drawn ? !count || optind < argc : optind == argc))
		usage_error("prove", "units or --random, the kernel by -k and its source by -S");
	seed = seeded ? number(seeded, "seed") : any_seed();
	for (int i = optind; i < argc; i++)
		compile_plain_path(argv[i]);
	refuse_context(a.drawn ? "units" : argv[optind], "proven", a.json);
	k = kernel_open_with(kernel, &given);
	headers = compile_headers(k, headers);
	t = tree_make(compile_directory(), source, headers, toolchain_find(k, cc));
	a.k = k;
	a.t = &t;
	a.sum = mmap(NULL, sizeof(*a.sum), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (a.sum == MAP_FAILED)
		refuse(NL_EENVIRONMENT, "no memory");
	if (!a.drawn)
		return prove_units(a, argv + optind, (size_t)(argc - optind), 0, NULL);
	a.modules = given.n;
	all = given.n ? units_of_modules(&t) : units_of_image(&t);
	return prove_units(a, all.unit, units_draw(&all, count, seed), seed, &all);
}
